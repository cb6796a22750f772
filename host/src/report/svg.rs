//! A graph as a self-contained SVG that follows the reader's light or dark scheme.

use std::fmt::Write;

use remotemedia_core::RuntimeKind;

use super::GraphView;
use super::layout::{Rect, layered};

/// The styles of a graph; every class begins with `rm-`, so that it can stand inside a page.
pub(super) const STYLE: &str = "\
.rm-graph{--ink:#1f2328;--faint:#59636e;--line:#818b98;--native:#2563eb;--native-bg:#eff6ff;--wasm:#7c3aed;\
--wasm-bg:#f5f3ff;--cpython:#b45309;--cpython-bg:#fffbeb;--cpython_wasm:#047857;--cpython_wasm-bg:#ecfdf5;\
font-family:ui-sans-serif,system-ui,'Segoe UI',Roboto,Helvetica,Arial,sans-serif}\
@media(prefers-color-scheme:dark){.rm-graph{--ink:#f0f6fc;--faint:#9198a1;--line:#656c76;--native:#60a5fa;\
--native-bg:#10213f;--wasm:#a78bfa;--wasm-bg:#221a40;--cpython:#fbbf24;--cpython-bg:#33260a;\
--cpython_wasm:#34d399;--cpython_wasm-bg:#08301f}}\
.rm-id{font-size:14px;font-weight:600;fill:var(--ink)}.rm-type{font-size:12px;fill:var(--faint)}\
.rm-kind{font-size:10.5px;font-weight:600;letter-spacing:.04em}\
.rm-port{font-size:10.5px;fill:var(--faint)}.rm-edge{fill:none;stroke:var(--line);stroke-width:1.6}\
.rm-tip{fill:var(--line)}.rm-queue{stroke-dasharray:5 4}";

/// Widths of a character, in pixels: there is no font to measure here, so these are on the wide side.
const ID_CHAR: f64 = 8.2;
const TYPE_CHAR: f64 = 6.9;
const PORT_SPACING: f64 = 22.0;

/// Draws `view`.
#[must_use]
pub fn to_svg(view: &GraphView) -> String {
    let sizes: Vec<(f64, f64)> = view.nodes.iter().map(size_of).collect();
    let ends: Vec<(usize, usize)> = view.edges.iter().map(|edge| (edge.from, edge.to)).collect();
    let layout = layered(&sizes, &ends);
    let legend_height = 34.0;
    let (width, height) = (layout.width.max(360.0), layout.height + legend_height);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"rm-graph\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\" aria-label=\"{}\">\n<style>{STYLE}</style>\n\
         <defs><marker id=\"rm-tip\" viewBox=\"0 0 8 8\" refX=\"7.2\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" \
         orient=\"auto\"><path class=\"rm-tip\" d=\"M0 0.6 8 4 0 7.4z\"/></marker></defs>\n",
        escape(&format!("the graph of {}", view.name))
    );
    for (edge, bends) in view.edges.iter().zip(&layout.bends) {
        let start =
            port_at(&layout.boxes[edge.from], edge.out_port, view.nodes[edge.from].outputs.len(), true);
        let end = port_at(&layout.boxes[edge.to], edge.in_port, view.nodes[edge.to].inputs.len(), false);
        let class = if edge.queue.is_some() { "rm-edge rm-queue" } else { "rm-edge" };
        let title =
            edge.queue.as_deref().map_or(String::new(), |queue| format!("<title>{}</title>", escape(queue)));
        let _ = writeln!(
            svg,
            "<path class=\"{class}\" marker-end=\"url(#rm-tip)\" d=\"{}\">{title}</path>",
            curve(start, bends, end)
        );
    }
    for (node, rect) in view.nodes.iter().zip(&layout.boxes) {
        draw_box(&mut svg, node, rect);
    }
    draw_legend(&mut svg, view, layout.height + 8.0);
    svg.push_str("</svg>\n");
    svg
}

fn size_of(node: &super::NodeView) -> (f64, f64) {
    let chars = |text: &str, width: f64| text.chars().count() as f64 * width;
    let width = chars(&node.id, ID_CHAR).max(chars(&node.node_type, TYPE_CHAR)).max(84.0) + 30.0;
    let ports = node.inputs.len().max(node.outputs.len()) as f64;
    (width, (ports * PORT_SPACING + 10.0).max(70.0))
}

fn port_at(rect: &Rect, port: usize, ports: usize, output: bool) -> (f64, f64) {
    let share = (port as f64 + 0.5) / ports.max(port + 1) as f64;
    let x = if output { rect.x + rect.width } else { rect.x };
    // A single port sits in the middle; several are spread over most of the side.
    (x, rect.y + rect.height * share)
}

/// A smooth line that leaves and enters every point horizontally.
fn curve(start: (f64, f64), bends: &[(f64, f64)], end: (f64, f64)) -> String {
    let mut path = format!("M{:.1} {:.1}", start.0, start.1);
    let mut last = start;
    for &point in bends.iter().chain([&end]) {
        let middle = (last.0 + point.0) / 2.0;
        let _ = write!(
            path,
            " C{middle:.1} {:.1} {middle:.1} {:.1} {:.1} {:.1}",
            last.1, point.1, point.0, point.1
        );
        last = point;
    }
    path
}

fn draw_box(svg: &mut String, node: &super::NodeView, rect: &Rect) {
    let runtime = node.runtime.name();
    let (center, middle) = (rect.x + rect.width / 2.0, rect.y + rect.height / 2.0);
    let _ = writeln!(
        svg,
        "<g><rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"9\" fill=\"var(--{runtime}-bg)\" \
         stroke=\"var(--{runtime})\" stroke-width=\"1.4\"/>\
         <text class=\"rm-id\" x=\"{center:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\
         <text class=\"rm-type\" x=\"{center:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\
         <text class=\"rm-kind\" x=\"{center:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"var(--{runtime})\">{runtime}</text>",
        rect.x,
        rect.y,
        rect.width,
        rect.height,
        middle - 13.0,
        escape(&node.id),
        middle + 4.0,
        escape(&node.node_type),
        middle + 22.0,
    );
    for (names, output) in [(&node.inputs, false), (&node.outputs, true)] {
        for (port, name) in names.iter().enumerate() {
            let (x, y) = port_at(rect, port, names.len(), output);
            let _ = write!(
                svg,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.2\" fill=\"var(--{runtime})\"><title>{}</title></circle>",
                escape(name)
            );
            if names.len() > 1 {
                let (at, anchor) = if output { (x + 8.0, "start") } else { (x - 8.0, "end") };
                let _ = write!(
                    svg,
                    "<text class=\"rm-port\" x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
                    y - 5.0,
                    escape(name)
                );
            }
        }
    }
    svg.push_str("</g>\n");
}

fn draw_legend(svg: &mut String, view: &GraphView, y: f64) {
    let mut x = 24.0;
    for runtime in RuntimeKind::ALL {
        if !view.nodes.iter().any(|node| node.runtime == runtime) {
            continue;
        }
        let name = runtime.name();
        let _ = writeln!(
            svg,
            "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"11\" height=\"11\" rx=\"3\" fill=\"var(--{name}-bg)\" \
             stroke=\"var(--{name})\"/><text class=\"rm-type\" x=\"{:.1}\" y=\"{:.1}\">{name}</text>",
            y,
            x + 17.0,
            y + 10.0
        );
        x += 17.0 + name.len() as f64 * TYPE_CHAR + 22.0;
    }
    if view.edges.iter().any(|edge| edge.queue.is_some()) {
        let _ = writeln!(
            svg,
            "<path class=\"rm-edge rm-queue\" d=\"M{x:.1} {0:.1}h26\"/><text class=\"rm-type\" x=\"{1:.1}\" y=\"{2:.1}\">queue</text>",
            y + 6.0,
            x + 32.0,
            y + 10.0
        );
    }
}

/// Text inside XML, in elements and attributes.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // XML 1.0 has no way to write these.
            control if control.is_control() && !matches!(control, '\n' | '\t') => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}
