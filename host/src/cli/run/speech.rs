//! What --report and --truth add: the segments among the results, beside the true ones, as table and page.

use std::path::Path;

use crate::report::{Align, GraphView, RunReport, Score, Segment, Table, Waveform, score, to_html};
use remotemedia_engine::{Metrics, Plan};
use serde::Deserialize;
use serde_json::{Value, json};

use super::inputs::Inputs;
use super::results::{Item, Results};
use crate::cli::failure::Failure;

/// A true segment and what its author wrote beside it.
#[derive(Clone, Debug, Deserialize)]
pub struct TrueSegment {
    start_ns: i64,
    end_ns: i64,
    #[serde(default)]
    voice: Option<String>,
    #[serde(default)]
    text: Option<String>,
}

#[derive(Deserialize)]
struct TruthFile {
    segments: Vec<TrueSegment>,
}

/// Reads the true segments of a recording.
pub fn read_truth(path: &Path) -> Result<Vec<TrueSegment>, Failure> {
    let text = std::fs::read(path).map_err(|error| {
        Failure::usage(format!("cannot read the truth file `{}`: {error}", path.display()))
    })?;
    let file: TruthFile = serde_json::from_slice(&text).map_err(|error| {
        Failure::usage(format!(
            "`{}` holds no true segments: {error}; it should be {{\"segments\": [{{\"start_ns\": …, \"end_ns\": …}}]}}",
            path.display()
        ))
    })?;
    Ok(file.segments)
}

/// The segments that came out, with what other nodes said about the same time.
pub struct Summary {
    found: Vec<Segment>,
    truth: Option<(Vec<Segment>, Score)>,
    table: (Vec<String>, Vec<Vec<String>>),
}

impl Summary {
    /// The first node whose values have `start_ns` and `end_ns` gives the segments; numbers in other nodes'
    /// values become columns of the segment they fall into.
    pub fn new(results: &Results, truth: Option<&[TrueSegment]>) -> Self {
        let mut source = None;
        let mut found: Vec<(Segment, &Value)> = Vec::new();
        for (id, items) in results.items() {
            let segments: Vec<_> =
                values(items).filter_map(|(_, value)| Some((segment_of(value)?, value))).collect();
            if !segments.is_empty() {
                (source, found) = (Some(id), segments);
                break;
            }
        }
        found.sort_by_key(|(segment, _)| segment.start_ns);
        let others: Vec<(i64, &Value)> = results
            .items()
            .filter(|(id, _)| Some(*id) != source)
            .flat_map(|(_, items)| values(items))
            .collect();
        let segments: Vec<Segment> = found.iter().map(|(segment, _)| *segment).collect();
        let table = segment_table(&found, &others, truth);
        let truth = truth.map(|truth| {
            let truth: Vec<Segment> = truth.iter().map(TrueSegment::segment).collect();
            let score = score(&segments, &truth);
            (truth, score)
        });
        Self { found: segments, truth, table }
    }

    /// The score for `run --json`.
    pub fn score_json(&self) -> Option<Value> {
        let (truth, score) = self.truth.as_ref()?;
        Some(json!({
            "precision": score.precision,
            "recall": score.recall,
            "f1": score.f1,
            "segments_found": self.found.len(),
            "segments_true": truth.len(),
        }))
    }

    /// The tables for a terminal.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let (headings, rows) = &self.table;
        if !rows.is_empty() {
            let columns: Vec<(&str, Align)> = headings
                .iter()
                .enumerate()
                .map(|(at, heading)| {
                    (heading.as_str(), if is_text(rows, at) { Align::Left } else { Align::Right })
                })
                .collect();
            let mut table = Table::new(&columns);
            for row in rows {
                table.row(row.clone());
            }
            text.push_str(&format!("{table}\n"));
        }
        if let Some((truth, score)) = &self.truth {
            text.push_str(&format!(
                "{} segments found, {} true; by time: F1 {:.3}, precision {:.3}, recall {:.3}\n\n",
                self.found.len(),
                truth.len(),
                score.f1,
                score.precision,
                score.recall
            ));
        }
        text
    }

    /// The page of --report.
    pub fn page(
        &self,
        plan: &Plan,
        metrics: &Metrics,
        inputs: &Inputs,
        waveform: Option<&Waveform>,
        wall_seconds: f64,
    ) -> String {
        let graph = GraphView::of(plan);
        let reasons: Vec<String> =
            (0..graph.nodes.len()).map(|index| plan.selection(index).reason.clone()).collect();
        to_html(&RunReport {
            graph: &graph,
            inputs: inputs.names(),
            waveform: waveform.filter(|waveform| waveform.seconds() > 0.0),
            found: &self.found,
            truth: self.truth.as_ref().map(|(truth, score)| (truth.as_slice(), *score)),
            segment_table: &self.table,
            reasons: &reasons,
            metrics,
            audio_seconds: inputs.seconds_read(),
            wall_seconds,
        })
    }
}

impl TrueSegment {
    fn segment(&self) -> Segment {
        Segment { start_ns: self.start_ns, end_ns: self.end_ns }
    }
}

fn values(items: &[Item]) -> impl Iterator<Item = (i64, &Value)> {
    items.iter().filter_map(|item| match item {
        Item::Value { pts_ns, value } => Some((*pts_ns, value)),
        Item::Audio { .. } => None,
    })
}

fn segment_of(value: &Value) -> Option<Segment> {
    let time = |key: &str| value.get(key)?.as_i64();
    Some(Segment { start_ns: time("start_ns")?, end_ns: time("end_ns")? })
}

fn seconds(ns: i64) -> String {
    format!("{:.2}", ns as f64 / 1e9)
}

/// One row per found segment, with the true segment that it covers most of, and one per true segment missed.
fn segment_table(
    found: &[(Segment, &Value)],
    others: &[(i64, &Value)],
    truth: Option<&[TrueSegment]>,
) -> (Vec<String>, Vec<Vec<String>>) {
    let extra = extra_columns(found, others);
    let mut headings = vec!["#".to_owned(), "start s".into(), "end s".into()];
    headings.extend(extra.iter().cloned());
    if truth.is_some() {
        headings.extend(["true start s", "true end s", "overlap", "voice", "text"].map(String::from));
    }
    let mut rows: Vec<(i64, Vec<String>)> = Vec::new();
    let mut matched = vec![false; truth.map_or(0, <[_]>::len)];
    for (number, (segment, value)) in found.iter().enumerate() {
        let mut row = vec![(number + 1).to_string(), seconds(segment.start_ns), seconds(segment.end_ns)];
        let within = others.iter().filter(|(pts, _)| (segment.start_ns..segment.end_ns).contains(pts));
        let said: Vec<&Value> = std::iter::once(*value).chain(within.map(|(_, value)| *value)).collect();
        row.extend(
            extra.iter().map(|key| said.iter().find_map(|value| number_of(value, key)).unwrap_or_default()),
        );
        let overlaps = truth.unwrap_or_default().iter().map(|truth| truth.segment().overlap_ns(segment));
        if let Some((best, overlap)) =
            overlaps.enumerate().max_by_key(|&(_, overlap)| overlap).filter(|m| m.1 > 0)
        {
            matched[best] = true;
            row.extend(truth_cells(&truth.unwrap_or_default()[best], overlap));
        } else if truth.is_some() {
            row.extend(["–", "–", "–", "", ""].map(String::from));
        }
        rows.push((segment.start_ns, row));
    }
    for (missed, _) in truth.unwrap_or_default().iter().zip(&matched).filter(|(_, matched)| !**matched) {
        let mut row = vec!["–".to_owned(); 3 + extra.len()];
        let overlap = found.iter().map(|(segment, _)| missed.segment().overlap_ns(segment)).sum();
        row.extend(truth_cells(missed, overlap));
        rows.push((missed.start_ns, row));
    }
    rows.sort_by_key(|(start, _)| *start);
    (headings, rows.into_iter().map(|(_, row)| row).collect())
}

fn truth_cells(truth: &TrueSegment, overlap_ns: i64) -> Vec<String> {
    let share = overlap_ns as f64 / (truth.segment().duration_ns().max(1)) as f64;
    vec![
        seconds(truth.start_ns),
        seconds(truth.end_ns),
        format!("{:.0} %", share * 100.0),
        truth.voice.clone().unwrap_or_default(),
        truth.text.clone().unwrap_or_default(),
    ]
}

/// Names of the numbers in the values, in the order in which they come up; times have columns of their own.
fn extra_columns(found: &[(Segment, &Value)], others: &[(i64, &Value)]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for value in found.iter().map(|(_, value)| *value).chain(others.iter().map(|(_, value)| *value)) {
        for (name, value) in value.as_object().into_iter().flatten() {
            if value.is_number() && !name.ends_with("_ns") && !names.contains(name) {
                names.push(name.clone());
            }
        }
    }
    names
}

fn number_of(value: &Value, key: &str) -> Option<String> {
    let number = value.get(key)?.as_f64()?;
    Some(match number.abs() {
        size if number.fract() == 0.0 && size < 1e15 => format!("{number:.0}"),
        size if size >= 100.0 => format!("{number:.1}"),
        _ => format!("{number:.3}"),
    })
}

fn is_text(rows: &[Vec<String>], column: usize) -> bool {
    rows.iter().filter_map(|row| row.get(column)).any(|cell| cell.starts_with(char::is_alphabetic))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn truth(start_ns: i64, end_ns: i64) -> TrueSegment {
        TrueSegment { start_ns, end_ns, voice: None, text: Some("words".into()) }
    }

    #[test]
    fn found_true_and_missed_segments_share_one_table_in_order_of_time() {
        const S: i64 = 1_000_000_000;
        let value = json!({"start_ns": 0, "end_ns": 2 * S, "probability": 0.875});
        let found = [(Segment { start_ns: 0, end_ns: 2 * S }, &value)];
        let features = json!({"pitch_hz": 201.25});
        let truth = [truth(3 * S, 4 * S), truth(0, 4 * S / 2 + S / 2 * 3)];
        let (headings, rows) = segment_table(&found, &[(S, &features), (5 * S, &features)], Some(&truth));
        assert_eq!(headings[3..5], ["probability", "pitch_hz"]);
        // 2 s of 3.5 s are covered: 57 %.
        assert_eq!(rows[0], ["1", "0.00", "2.00", "0.875", "201.2", "0.00", "3.50", "57 %", "", "words"]);
        assert_eq!(rows[1], ["–", "–", "–", "–", "–", "3.00", "4.00", "0 %", "", "words"]);
    }
}
