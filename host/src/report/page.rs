//! The report of a run as one HTML file: graph, waveform with segments, call times, tables. It loads nothing.

use std::fmt::Write;

use remotemedia_engine::Metrics;

use super::score::{Score, Segment};
use super::svg::{escape, to_svg};
use super::{GraphView, Waveform};

const STYLE: &str = include_str!("page.css");

/// What the page shows.
pub struct RunReport<'a> {
    /// The pipeline.
    pub graph: &'a GraphView,
    /// What was read, by name.
    pub inputs: &'a [String],
    /// The first audio input, when there was one.
    pub waveform: Option<&'a Waveform>,
    /// Segments that came out.
    pub found: &'a [Segment],
    /// Segments that should have come out.
    pub truth: Option<(&'a [Segment], Score)>,
    /// The segments in rows: headings, then cells.
    pub segment_table: &'a (Vec<String>, Vec<Vec<String>>),
    /// Per node in the manifest's order, why its runtime was chosen.
    pub reasons: &'a [String],
    /// What the engine counted.
    pub metrics: &'a Metrics,
    /// Seconds of audio that went in.
    pub audio_seconds: f64,
    /// Seconds that the run took.
    pub wall_seconds: f64,
}

/// Renders the page.
#[must_use]
pub fn to_html(report: &RunReport<'_>) -> String {
    let name = escape(&report.graph.name);
    let inputs = escape(&report.inputs.join(", "));
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>{name}: run report</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{name}</h1>\n<p class=\"sub\">{inputs}</p>\n"
    );
    tiles(&mut page, report);
    let _ = writeln!(
        page,
        "<section><h2>Graph</h2><div class=\"scroll\">{}</div></section>",
        to_svg(report.graph)
    );
    waveform(&mut page, report);
    segments(&mut page, report);
    call_times(&mut page, report.metrics);
    nodes(&mut page, report);
    let _ = writeln!(
        page,
        "<footer>remotemedia {}</footer>\n</main>\n</body>\n</html>",
        env!("CARGO_PKG_VERSION")
    );
    page
}

fn tiles(page: &mut String, report: &RunReport<'_>) {
    page.push_str("<div class=\"tiles\">\n");
    let mut tile = |value: String, label: &str| {
        let _ = writeln!(page, "<div class=\"tile\"><b>{value}</b><span>{label}</span></div>");
    };
    if report.audio_seconds > 0.0 {
        tile(format!("{:.2} s", report.audio_seconds), "of audio");
    }
    tile(format!("{:.3} s", report.wall_seconds), "wall time");
    if report.audio_seconds > 0.0 {
        tile(format!("{:.0} ×", report.audio_seconds / report.wall_seconds.max(1e-9)), "real time");
    }
    if let Some((_, score)) = &report.truth {
        tile(format!("{:.3}", score.f1), "F1 against the truth, by time");
        tile(format!("{:.1} %", score.precision * 100.0), "of the found time is true");
        tile(format!("{:.1} %", score.recall * 100.0), "of the true time was found");
    }
    tile(format!("{:.1} MiB", report.metrics.peak_memory_mb), "peak memory");
    page.push_str("</div>\n");
}

fn waveform(page: &mut String, report: &RunReport<'_>) {
    let Some(waveform) = report.waveform else { return };
    let truth = report.truth.as_ref().map_or(&[][..], |(truth, _)| truth);
    let _ = writeln!(page, "<section><h2>Waveform</h2>{}", waveform.to_svg(report.found, truth));
    page.push_str("<p class=\"key\">");
    if !truth.is_empty() {
        page.push_str("<span><i style=\"background:var(--truth)\"></i>truth</span>");
    }
    if !report.found.is_empty() {
        page.push_str("<span><i style=\"background:var(--found)\"></i>found</span>");
    }
    page.push_str("</p></section>\n");
}

fn segments(page: &mut String, report: &RunReport<'_>) {
    let (headings, rows) = report.segment_table;
    if rows.is_empty() {
        return;
    }
    page.push_str("<section><h2>Segments</h2><div class=\"scroll\">");
    html_table(page, headings, rows);
    page.push_str("</div></section>\n");
}

/// Two bars per node on a logarithmic scale: call times span five orders of magnitude.
fn call_times(page: &mut String, metrics: &Metrics) {
    let called: Vec<_> = metrics.node_metrics.iter().filter(|node| node.execution_count > 0).collect();
    let Some(longest) = called.iter().map(|node| node.p99_duration_us).reduce(f64::max) else { return };
    let scale = |us: f64| {
        let floor = 0.01_f64;
        ((us.max(floor) / floor).ln() / (longest.max(0.1) / floor).ln() * 100.0).clamp(0.5, 100.0)
    };
    page.push_str("<section><h2>Time of a call</h2><div class=\"bars\">");
    for node in called {
        let _ = writeln!(
            page,
            "<div>{}</div><div class=\"track\"><div style=\"width:{:.1}%;background:var(--p99)\"></div>\
             <div style=\"width:{:.1}%;background:var(--p50)\"></div></div><div class=\"value\">{} / {}</div>",
            escape(&node.node_id),
            scale(node.p99_duration_us),
            scale(node.p50_duration_us),
            microseconds(node.p50_duration_us),
            microseconds(node.p99_duration_us)
        );
    }
    page.push_str(
        "</div><p class=\"key\"><span><i style=\"background:var(--p50)\"></i>p50</span>\
         <span><i style=\"background:var(--p99)\"></i>p99</span><span>logarithmic scale</span></p></section>\n",
    );
}

fn nodes(page: &mut String, report: &RunReport<'_>) {
    let headings = ["node", "type", "served by", "why", "calls", "packets out", "p50", "p99", "total"];
    let rows: Vec<Vec<String>> = report
        .metrics
        .node_metrics
        .iter()
        .map(|node| {
            let index = report.graph.nodes.iter().position(|view| view.id == node.node_id);
            let reason = index.and_then(|index| report.reasons.get(index)).cloned().unwrap_or_default();
            vec![
                node.node_id.clone(),
                node.node_type.clone(),
                node.served_by.to_string(),
                reason,
                node.execution_count.to_string(),
                node.packets_out.to_string(),
                microseconds(node.p50_duration_us),
                microseconds(node.p99_duration_us),
                microseconds(node.total_duration_us),
            ]
        })
        .collect();
    page.push_str("<section><h2>Nodes</h2><div class=\"scroll\">");
    html_table(page, &headings.map(str::to_owned), &rows);
    page.push_str("</div></section>\n");
}

/// A column whose cells all begin like numbers is right-aligned.
fn html_table(page: &mut String, headings: &[String], rows: &[Vec<String>]) {
    let numeric = |column: usize| {
        rows.iter().all(|row| {
            row.get(column).is_none_or(|cell| {
                cell.is_empty()
                    || cell == "–"
                    || cell.starts_with(|c: char| c.is_ascii_digit() || "+-−".contains(c))
            })
        })
    };
    let class = |column: usize| if numeric(column) { " class=\"num\"" } else { "" };
    page.push_str("<table><thead><tr>");
    for (column, heading) in headings.iter().enumerate() {
        let _ = write!(page, "<th{}>{}</th>", class(column), escape(heading));
    }
    page.push_str("</tr></thead><tbody>\n");
    for row in rows {
        page.push_str("<tr>");
        for (column, cell) in row.iter().enumerate() {
            let _ = write!(page, "<td{}>{}</td>", class(column), escape(cell));
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody></table>");
}

/// A duration with a unit that suits it.
#[must_use]
pub fn microseconds(us: f64) -> String {
    match us {
        us if us >= 1e6 => format!("{:.2} s", us / 1e6),
        us if us >= 1e3 => format!("{:.2} ms", us / 1e3),
        us if us >= 100.0 => format!("{us:.0} µs"),
        us => format!("{us:.2} µs"),
    }
}
