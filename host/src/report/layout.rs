//! Where boxes and arrows go: a layered layout (Sugiyama, Tagawa and Toda, 1981), left to right.
//!
//! Layers are longest paths from the sources; arrows that span layers get a bend in each; crossings are reduced
//! by barycentre sweeps; heights follow the neighbours. It knows sizes and edges, not what they mean.

/// A box's place, in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Rect {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

/// The result.
pub(super) struct Layout {
    pub width: f64,
    pub height: f64,
    pub boxes: Vec<Rect>,
    /// Per edge, the points between its two boxes that it passes through.
    pub bends: Vec<Vec<(f64, f64)>>,
}

/// Space between two layers: room for the arrows and the port names.
const LAYER_GAP: f64 = 96.0;
/// Space between two boxes of a layer.
const BOX_GAP: f64 = 30.0;
/// Space around the picture.
const MARGIN: f64 = 24.0;
/// Height that a bend takes up.
const BEND_HEIGHT: f64 = 18.0;
/// More bends than this are not routed one by one: nobody can follow them.
const MOST_BENDS: usize = 20_000;
const SWEEPS: usize = 12;

/// Lays out boxes of `sizes` (width, height) joined by `edges` (from, to), which hold no cycle.
pub(super) fn layered(sizes: &[(f64, f64)], edges: &[(usize, usize)]) -> Layout {
    let ranks = ranks(sizes.len(), edges);
    let mut rows = Rows::new(sizes, edges, &ranks);
    rows.reduce_crossings();
    rows.place(sizes)
}

/// Longest path from a source, per node.
fn ranks(count: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let mut waiting = vec![0_usize; count];
    let mut next = vec![Vec::new(); count];
    for &(from, to) in edges {
        waiting[to] += 1;
        next[from].push(to);
    }
    let mut ranks = vec![0; count];
    let mut ready: Vec<usize> = (0..count).filter(|&node| waiting[node] == 0).collect();
    while let Some(node) = ready.pop() {
        for &to in &next[node] {
            ranks[to] = ranks[to].max(ranks[node] + 1);
            waiting[to] -= 1;
            if waiting[to] == 0 {
                ready.push(to);
            }
        }
    }
    ranks
}

/// Boxes and bends ("vertices"), layer by layer.
struct Rows {
    /// Vertices of each layer, from top to bottom. A vertex below the number of boxes is a box.
    layers: Vec<Vec<usize>>,
    /// Neighbours of each vertex in the layer before and the layer after.
    before: Vec<Vec<usize>>,
    after: Vec<Vec<usize>>,
    /// The bends of each edge.
    bends: Vec<Vec<usize>>,
    heights: Vec<f64>,
}

impl Rows {
    fn new(sizes: &[(f64, f64)], edges: &[(usize, usize)], ranks: &[usize]) -> Self {
        let layer_count = ranks.iter().max().map_or(0, |most| most + 1);
        let mut rows = Self {
            layers: vec![Vec::new(); layer_count],
            before: vec![Vec::new(); sizes.len()],
            after: vec![Vec::new(); sizes.len()],
            bends: Vec::with_capacity(edges.len()),
            heights: sizes.iter().map(|&(_, height)| height).collect(),
        };
        for (node, &rank) in ranks.iter().enumerate() {
            rows.layers[rank].push(node);
        }
        let bend_count: usize =
            edges.iter().map(|&(from, to)| (ranks[to] - ranks[from]).saturating_sub(1)).sum();
        for &(from, to) in edges {
            let mut bends = Vec::new();
            let mut last = from;
            if bend_count <= MOST_BENDS {
                for rank in ranks[from] + 1..ranks[to] {
                    let bend = rows.heights.len();
                    rows.heights.push(BEND_HEIGHT);
                    rows.before.push(Vec::new());
                    rows.after.push(Vec::new());
                    rows.layers[rank].push(bend);
                    rows.join(last, bend);
                    bends.push(bend);
                    last = bend;
                }
            }
            rows.join(last, to);
            rows.bends.push(bends);
        }
        rows
    }

    fn join(&mut self, from: usize, to: usize) {
        self.after[from].push(to);
        self.before[to].push(from);
    }

    /// Sorts every layer by the mean position of its neighbours, forth and back.
    fn reduce_crossings(&mut self) {
        let mut position = vec![0.0; self.heights.len()];
        for sweep in 0..SWEEPS {
            let forth = sweep % 2 == 0;
            for step in 0..self.layers.len() {
                let layer = if forth { step } else { self.layers.len() - 1 - step };
                let neighbours = if forth { &self.before } else { &self.after };
                let mut keyed: Vec<(f64, usize)> = self.layers[layer]
                    .iter()
                    .enumerate()
                    .map(|(at, &vertex)| (mean(&neighbours[vertex], &position).unwrap_or(at as f64), vertex))
                    .collect();
                keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
                self.layers[layer] = keyed.into_iter().map(|(_, vertex)| vertex).collect();
                for (at, &vertex) in self.layers[layer].iter().enumerate() {
                    position[vertex] = at as f64;
                }
            }
        }
    }

    /// Gives every vertex a height near its neighbours', keeping order and distance in the layer.
    fn centers(&self) -> Vec<f64> {
        let mut centers = vec![0.0; self.heights.len()];
        for layer in &self.layers {
            let mut top = 0.0;
            for &vertex in layer {
                centers[vertex] = top + self.heights[vertex] / 2.0;
                top += self.heights[vertex] + BOX_GAP;
            }
        }
        for sweep in 0..2 * SWEEPS {
            let forth = sweep % 2 == 0;
            for step in 0..self.layers.len() {
                let layer = &self.layers[if forth { step } else { self.layers.len() - 1 - step }];
                let neighbours = if forth { &self.before } else { &self.after };
                let wanted: Vec<f64> = layer
                    .iter()
                    .map(|&vertex| mean(&neighbours[vertex], &centers).unwrap_or(centers[vertex]))
                    .collect();
                for (&vertex, center) in layer.iter().zip(self.spread(layer, &wanted)) {
                    centers[vertex] = center;
                }
            }
        }
        centers
    }

    /// Moves `wanted` apart until nothing overlaps: the mean of pushing down and pushing up.
    fn spread(&self, layer: &[usize], wanted: &[f64]) -> Vec<f64> {
        let distance = |at: usize| (self.heights[layer[at]] + self.heights[layer[at + 1]]) / 2.0 + BOX_GAP;
        let mut down = wanted.to_vec();
        for at in 1..down.len() {
            down[at] = down[at].max(down[at - 1] + distance(at - 1));
        }
        let mut up = wanted.to_vec();
        for at in (0..up.len().saturating_sub(1)).rev() {
            up[at] = up[at].min(up[at + 1] - distance(at));
        }
        down.iter().zip(&up).map(|(down, up)| (down + up) / 2.0).collect()
    }

    fn place(&self, sizes: &[(f64, f64)]) -> Layout {
        let centers = self.centers();
        let top = |vertex: usize| centers[vertex] - self.heights[vertex] / 2.0;
        let highest = (0..self.heights.len()).map(top).fold(f64::INFINITY, f64::min);
        let shift = if highest.is_finite() { MARGIN - highest } else { 0.0 };
        let mut boxes = vec![Rect::default(); sizes.len()];
        let mut points = vec![(0.0, 0.0); self.heights.len()];
        let mut x = MARGIN;
        let mut height = 0.0_f64;
        for layer in &self.layers {
            let width = layer.iter().filter_map(|&v| sizes.get(v)).map(|s| s.0).fold(0.0, f64::max);
            for &vertex in layer {
                points[vertex] = (x + width / 2.0, centers[vertex] + shift);
                height = height.max(top(vertex) + shift + self.heights[vertex]);
                if let Some(&(own, tall)) = sizes.get(vertex) {
                    boxes[vertex] =
                        Rect { x: x + (width - own) / 2.0, y: top(vertex) + shift, width: own, height: tall };
                }
            }
            x += width + LAYER_GAP;
        }
        let bends = self.bends.iter().map(|bends| bends.iter().map(|&bend| points[bend]).collect()).collect();
        Layout { width: x - LAYER_GAP + MARGIN, height: height + MARGIN, boxes, bends }
    }
}

fn mean(of: &[usize], values: &[f64]) -> Option<f64> {
    (!of.is_empty()).then(|| of.iter().map(|&at| values[at]).sum::<f64>() / of.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apart(a: &Rect, b: &Rect) -> bool {
        a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y
    }

    #[test]
    fn boxes_never_overlap_and_arrows_point_to_the_right() {
        let sizes: Vec<_> =
            (0..12).map(|i| (100.0 + 10.0 * f64::from(i), 50.0 + 5.0 * f64::from(i % 3))).collect();
        let edges = [(0, 1), (0, 2), (0, 3), (1, 4), (2, 4), (3, 5), (4, 6), (0, 6), (5, 7), (8, 7), (9, 10)];
        let layout = layered(&sizes, &edges);
        for (a, first) in layout.boxes.iter().enumerate() {
            for second in &layout.boxes[a + 1..] {
                assert!(apart(first, second), "{first:?} {second:?}");
            }
        }
        for (from, to) in edges {
            assert!(layout.boxes[from].x + layout.boxes[from].width < layout.boxes[to].x, "{from} {to}");
        }
        let right = layout.boxes.iter().map(|b| b.x + b.width).fold(0.0, f64::max);
        assert!(
            right < layout.width && layout.boxes.iter().all(|b| b.y >= 0.0 && b.y + b.height < layout.height)
        );
    }

    #[test]
    fn a_chain_is_a_straight_line() {
        let layout = layered(&[(80.0, 40.0); 5], &[(0, 1), (1, 2), (2, 3), (3, 4)]);
        assert!(layout.boxes.iter().all(|rect| (rect.y - layout.boxes[0].y).abs() < 1e-9));
    }

    #[test]
    fn two_crossing_branches_are_uncrossed() {
        // 0 -> 3 and 1 -> 2: in manifest order the arrows would cross.
        let layout = layered(&[(80.0, 40.0); 4], &[(0, 3), (1, 2)]);
        let upper = |a: usize, b: usize| layout.boxes[a].y < layout.boxes[b].y;
        assert_eq!(upper(0, 1), upper(3, 2));
    }

    #[test]
    fn a_long_arrow_passes_beside_the_boxes_between() {
        let layout = layered(&[(80.0, 40.0); 3], &[(0, 1), (1, 2), (0, 2)]);
        let [(x, y)] = layout.bends[2][..] else { panic!("{:?}", layout.bends) };
        let between = layout.boxes[1];
        assert!(x > between.x && x < between.x + between.width);
        assert!(y < between.y || y > between.y + between.height);
    }

    #[test]
    fn an_empty_graph_has_an_empty_picture() {
        assert!(layered(&[], &[]).boxes.is_empty());
    }
}
