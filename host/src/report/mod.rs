//! Everything that is drawn or laid out for people: graphs, tables, the run report.
//!
//! It renders values that others computed; it opens no files and runs no pipelines.

mod graph_text;
mod graph_view;
mod layout;
mod page;
mod run_table;
mod score;
mod svg;
mod table;
mod waveform;

pub use graph_text::{to_dot, to_mermaid};
pub use graph_view::{EdgeView, GraphView, NodeView};
pub use page::microseconds;
pub use page::{RunReport, to_html};
pub use run_table::{bottleneck, run_table};
pub use score::{Score, Segment, score};
pub use svg::to_svg;
pub use table::{Align, Table};
pub use waveform::Waveform;
