//! A graph as text that other tools draw: Graphviz DOT and Mermaid.

use std::fmt::Write;

use remotemedia_core::RuntimeKind;

use super::GraphView;

/// The graph in Graphviz's DOT language.
#[must_use]
pub fn to_dot(view: &GraphView) -> String {
    let mut dot = format!("digraph {} {{\n  rankdir=LR;\n", quoted(&view.name));
    dot.push_str("  node [shape=box, style=\"rounded,filled\", fontname=\"sans-serif\"];\n");
    for (index, node) in view.nodes.iter().enumerate() {
        let label = quoted(&format!("{}\n{}\n{}", node.id, node.node_type, node.runtime));
        let _ = writeln!(dot, "  n{index} [label={label}, fillcolor=\"{}\"];", tint(node.runtime));
    }
    for edge in &view.edges {
        let label = edge.label(view);
        let label = if label.is_empty() { String::new() } else { format!(" [label={}]", quoted(&label)) };
        let _ = writeln!(dot, "  n{} -> n{}{label};", edge.from, edge.to);
    }
    dot.push_str("}\n");
    dot
}

/// The graph as a Mermaid flowchart.
#[must_use]
pub fn to_mermaid(view: &GraphView) -> String {
    let mut mermaid = String::from("flowchart LR\n");
    for (index, node) in view.nodes.iter().enumerate() {
        let label = [&node.id, &node.node_type, node.runtime.name()].map(entities).join("<br/>");
        let _ = writeln!(mermaid, "  n{index}[\"{label}\"]:::{}", node.runtime);
    }
    for edge in &view.edges {
        let label = entities(edge.label(view));
        let arrow = if label.is_empty() { "-->".to_owned() } else { format!("-->|\"{label}\"|") };
        let _ = writeln!(mermaid, "  n{} {arrow} n{}", edge.from, edge.to);
    }
    for runtime in RuntimeKind::ALL {
        let _ = writeln!(mermaid, "  classDef {runtime} fill:{},stroke:#57606a,color:#1f2328", tint(runtime));
    }
    mermaid
}

fn tint(runtime: RuntimeKind) -> &'static str {
    match runtime {
        RuntimeKind::Native => "#dbeafe",
        RuntimeKind::Wasm => "#ede9fe",
        RuntimeKind::Cpython => "#fef3c7",
        RuntimeKind::CpythonWasm => "#d1fae5",
    }
}

/// A DOT string.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

/// Text inside Mermaid's quotes.
fn entities(text: impl AsRef<str>) -> String {
    text.as_ref().replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;")
}
