//! What `top` draws. Pure: from snapshots to cells, so that a test can look at every one.

use ratatui::Frame;
use ratatui::backend::TestBackend;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Clear, Paragraph, Row, Table};
use remotemedia_engine::BreakerState;

use super::rates::{NodeRow, QueueRow, cores, nodes, queues, speed};
use crate::telemetry::inspect::{RunState, Snapshot};

/// What the rows are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// As in the manifest.
    #[default]
    Manifest,
    /// Most time first.
    Share,
    /// Most calls first.
    Calls,
    /// The slowest calls first.
    P99,
}

impl Sort {
    pub fn next(self) -> Self {
        match self {
            Self::Manifest => Self::Share,
            Self::Share => Self::Calls,
            Self::Calls => Self::P99,
            Self::P99 => Self::Manifest,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Share => "share",
            Self::Calls => "calls/s",
            Self::P99 => "p99",
        }
    }
}

/// Everything that decides what is seen.
pub struct View {
    pub now: Snapshot,
    /// The snapshot that rates are measured from.
    pub before: Option<Snapshot>,
    pub sort: Sort,
    pub paused: bool,
    pub help: bool,
    pub color: bool,
    /// Why nothing new will come.
    pub over: Option<String>,
}

impl View {
    fn style(&self, color: Color) -> Style {
        if self.color { Style::new().fg(color) } else { Style::new() }
    }

    fn heading(&self) -> Style {
        self.style(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    fn alarm(&self, is_alarming: bool) -> Style {
        match is_alarming {
            true => self.style(Color::Red).add_modifier(Modifier::BOLD),
            false => Style::new(),
        }
    }

    fn sorted_nodes(&self) -> Vec<NodeRow> {
        let mut rows = nodes(&self.now.metrics, self.before.as_ref().map(|before| &before.metrics));
        let by = |key: fn(&NodeRow) -> f64| move |a: &NodeRow, b: &NodeRow| key(b).total_cmp(&key(a));
        match self.sort {
            Sort::Manifest => {}
            Sort::Share => rows.sort_by(by(|row| row.share)),
            Sort::Calls => rows.sort_by(by(|row| row.calls_per_s)),
            Sort::P99 => rows.sort_by(by(|row| row.p99_us)),
        }
        rows
    }

    /// Draws everything.
    pub fn draw(&self, frame: &mut Frame<'_>) {
        let queues = queues(&self.now.metrics, self.before.as_ref().map(|before| &before.metrics));
        let queue_lines =
            if queues.is_empty() { 0 } else { u16::try_from(queues.len()).unwrap_or(8).min(8) + 2 };
        let areas = Layout::vertical([
            Constraint::Length(2),
            Constraint::Min(3),
            Constraint::Length(queue_lines),
            Constraint::Length(1),
        ]);
        let [header, table, below, footer] = areas.areas(frame.area());
        frame.render_widget(Paragraph::new(self.header()), header);
        self.draw_nodes(frame, table);
        if !queues.is_empty() {
            self.draw_queues(frame, below, &queues);
        }
        frame.render_widget(Paragraph::new(self.footer()), footer);
        if self.help {
            draw_help(frame);
        }
    }

    fn header(&self) -> Vec<Line<'static>> {
        let (metrics, before) = (&self.now.metrics, self.before.as_ref().map(|before| &before.metrics));
        let state = match (self.now.state, &self.over) {
            (RunState::Finished, _) => "finished",
            (RunState::Failed, _) => "failed",
            (RunState::Running, Some(_)) => "gone",
            (RunState::Running, None) => "running",
        };
        let name = format!("{} (process {})", metrics.pipeline_id, self.now.pid);
        let mut facts = vec![
            format!("{:.1} s", metrics.total_duration_us / 1e6),
            format!("CPU {:.0} %", 100.0 * cores(metrics, before)),
        ];
        if let Some(speed) = speed(metrics, before) {
            facts.push(format!("audio {:.1} s, {speed:.1}× real time", metrics.audio_seconds));
        }
        facts.push(format!(
            "memory {} (peak {})",
            mebibytes(metrics.resident_memory_bytes),
            mebibytes(metrics.peak_memory_bytes)
        ));
        vec![
            Line::from(vec![Span::styled(name, self.heading()), Span::raw(format!("  {state}"))]),
            Line::from(facts.join("   ")),
        ]
    }

    fn draw_nodes(&self, frame: &mut Frame<'_>, area: Rect) {
        let rows = self.sorted_nodes();
        let id_width = rows.iter().map(|row| row.id.chars().count()).max().unwrap_or(0).clamp(4, 24);
        let lines = rows.iter().map(|row| {
            let faults = row.errors > 0 || row.skipped > 0;
            let breaker = row.breaker.map_or("-", breaker_name);
            Row::new(vec![
                Cell::from(row.id.clone()),
                Cell::from(row.runtime.clone()),
                number(format!("{:.1}", row.calls_per_s)),
                number(micros(row.p50_us)),
                number(micros(row.p99_us)),
                number(micros(row.max_us)),
                number(format!("{:.0} %", 100.0 * row.share)),
                number(row.errors.to_string()).style(self.alarm(faults)),
                number(row.retries.to_string()),
                number(row.skipped.to_string()).style(self.alarm(row.skipped > 0)),
                number(row.restarts.to_string()),
                number(row.gil_wait_us.map_or("-".into(), micros)),
                number(row.memory_bytes.map_or("-".into(), mebibytes)),
                Cell::from(breaker).style(self.alarm(breaker == "open")),
            ])
        });
        let widths = [
            Constraint::Length(id_width as u16),
            Constraint::Length(12),
            Constraint::Length(9),
            Constraint::Length(8),
            Constraint::Length(8),
            Constraint::Length(8),
            Constraint::Length(6),
            Constraint::Length(6),
            Constraint::Length(7),
            Constraint::Length(7),
            Constraint::Length(8),
            Constraint::Length(8),
            Constraint::Length(9),
            Constraint::Length(9),
        ];
        let names = [
            "NODE", "RUNTIME", "CALLS/S", "P50", "P99", "MAX", "SHARE", "ERRORS", "RETRIES", "SKIPPED",
            "RESTARTS", "GIL WAIT", "MEMORY", "BREAKER",
        ];
        let head = names.iter().enumerate().map(|(column, name)| {
            if (2..13).contains(&column) { number((*name).to_owned()) } else { Cell::from(*name) }
        });
        frame.render_widget(Table::new(lines, widths).header(Row::new(head).style(self.heading())), area);
    }

    fn draw_queues(&self, frame: &mut Frame<'_>, area: Rect, queues: &[QueueRow]) {
        let lines = queues.iter().map(|row| {
            Row::new(vec![
                Cell::from(row.name.clone()),
                number(format!("{}/{}", row.waiting, row.room)).style(self.alarm(row.waiting >= row.room)),
                number(row.high_water.to_string()),
                number(format!("{:.0} %", 100.0 * row.blocked)),
                number(row.dropped.to_string()).style(self.alarm(row.dropped > 0)),
            ])
        });
        let widths = [
            Constraint::Length(36),
            Constraint::Length(10),
            Constraint::Length(10),
            Constraint::Length(9),
            Constraint::Length(9),
        ];
        let names = ["QUEUE", "WAITING", "MOST", "BLOCKED", "DROPPED"];
        let head = names
            .iter()
            .enumerate()
            .map(|(column, name)| if column > 0 { number((*name).to_owned()) } else { Cell::from(*name) });
        let [_, area] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area);
        frame.render_widget(Table::new(lines, widths).header(Row::new(head).style(self.heading())), area);
    }

    fn footer(&self) -> Line<'static> {
        if let Some(over) = &self.over {
            return Line::styled(format!("{over}   q quit"), self.alarm(true));
        }
        let paused = if self.paused { "   PAUSED" } else { "" };
        Line::raw(format!("q quit   s sort: {}   p pause   ? help{paused}", self.sort.name()))
    }
}

fn draw_help(frame: &mut Frame<'_>) {
    let text = "q, Ctrl-C  quit\n\
                s          sort by manifest, share, calls/s, p99\n\
                p, space   pause, and go on\n\
                ?, h       this help\n\n\
                Rates and shares are of the time between two looks,\n\
                times and counts of the whole run.";
    let [_, area, _] =
        Layout::vertical([Constraint::Min(0), Constraint::Length(9), Constraint::Min(0)]).areas(frame.area());
    let [_, area, _] =
        Layout::horizontal([Constraint::Min(0), Constraint::Length(56), Constraint::Min(0)]).areas(area);
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(text).block(Block::bordered().title(" remotemedia top ")), area);
}

fn number(text: String) -> Cell<'static> {
    Cell::from(Line::from(text).right_aligned())
}

fn breaker_name(state: BreakerState) -> &'static str {
    match state {
        BreakerState::Closed => "closed",
        BreakerState::Open => "open",
        BreakerState::HalfOpen => "half-open",
    }
}

/// At most seven characters.
fn micros(us: f64) -> String {
    match us {
        us if us < 99.95 => format!("{us:.1} µs"),
        us if us < 999.5 => format!("{us:.0} µs"),
        us if us < 99_950.0 => format!("{:.1} ms", us / 1e3),
        us if us < 999_500.0 => format!("{:.0} ms", us / 1e3),
        us => format!("{:.1} s", us / 1e6),
    }
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// The view as plain text, as wide and as high as it needs to be.
pub fn as_text(now: &Snapshot, before: Option<&Snapshot>) -> String {
    let lines = now.metrics.node_metrics.len() + now.metrics.queue_metrics.len().min(8) + 8;
    let view = View {
        now: now.clone(),
        before: before.cloned(),
        sort: Sort::Manifest,
        paused: false,
        help: false,
        color: false,
        over: None,
    };
    let height = u16::try_from(lines).unwrap_or(u16::MAX);
    let Ok(mut terminal) = ratatui::Terminal::new(TestBackend::new(160, height));
    // Drawing into memory does not fail.
    let Ok(_) = terminal.draw(|frame| view.draw(frame));
    let buffer = terminal.backend().buffer();
    let rows = (0..height - 1).map(|y| {
        let cells: String = (0..160).map(|x| buffer[(x, y)].symbol()).collect();
        cells.trim_end().to_owned()
    });
    let text = rows.collect::<Vec<_>>().join("\n");
    format!("{}\n", text.trim_end())
}
