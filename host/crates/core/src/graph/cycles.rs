//! Cycles, named by their nodes. One fault per group of nodes that all reach each other (Tarjan, "Depth-first
//! search and linear graph algorithms", 1972), showing the shortest cycle through the group's first node.
//! Everything is linear and iterative: a manifest of any size neither recurses nor explodes.

use std::collections::VecDeque;

use super::order::{Adjacency, Link};
use crate::manifest::{ManifestError, NodeManifest};

/// A cycle longer than this is shown with its middle left out.
const MOST_SHOWN: usize = 40;

/// One fault per strongly connected group, in the order of the groups' first nodes.
pub(super) fn find(nodes: &[NodeManifest], links: &[Link]) -> Vec<ManifestError> {
    let adjacency = Adjacency::new(nodes.len(), links);
    let group_of = strong_groups(nodes.len(), &adjacency);
    let mut reported = vec![false; nodes.len()];
    let mut reached_by = vec![None; nodes.len()];
    let mut faults = Vec::new();
    for node in 0..nodes.len() {
        let group = group_of[node];
        if reported[group] {
            continue;
        }
        reported[group] = true;
        if let Some((cycle, closing)) = shortest_through(node, &adjacency, &group_of, &mut reached_by) {
            faults.push(fault(nodes, &cycle, closing));
        }
    }
    faults
}

fn fault(nodes: &[NodeManifest], cycle: &[usize], closing: Link) -> ManifestError {
    let id = |node: &usize| nodes[*node].id.as_str();
    let mut names: Vec<String> = cycle.iter().map(|node| id(node).to_owned()).collect();
    if names.len() > MOST_SHOWN {
        let left_out = names.len() - MOST_SHOWN;
        names.splice(MOST_SHOWN / 2..MOST_SHOWN / 2 + left_out, [format!("({left_out} more nodes)")]);
    }
    names.push(id(&cycle[0]).to_owned());
    ManifestError::new(
        format!("$.connections[{}]", closing.connection),
        format!("the connections form a cycle: {}", names.join(" -> ")),
    )
    .suggest("packets flow one way only: remove one of these connections")
}

/// The shortest cycle through `start` inside its group, from `start` on, and the link that closes it.
fn shortest_through(
    start: usize,
    adjacency: &Adjacency,
    group_of: &[usize],
    reached_by: &mut [Option<usize>],
) -> Option<(Vec<usize>, Link)> {
    let mut frontier = VecDeque::from([start]);
    while let Some(node) = frontier.pop_front() {
        for link in adjacency.leaving(node) {
            if link.to == start {
                let mut cycle = vec![node];
                while let Some(before) = reached_by[cycle[cycle.len() - 1]] {
                    cycle.push(before);
                }
                cycle.reverse();
                return Some((cycle, *link));
            }
            if group_of[link.to] == group_of[start] && reached_by[link.to].is_none() {
                reached_by[link.to] = Some(node);
                frontier.push_back(link.to);
            }
        }
    }
    None
}

/// The strongly connected group of every node, as a number below `nodes`.
fn strong_groups(nodes: usize, adjacency: &Adjacency) -> Vec<usize> {
    const UNSEEN: usize = usize::MAX;
    let mut group_of = vec![UNSEEN; nodes];
    let mut discovered = vec![UNSEEN; nodes];
    let mut lowest = vec![0; nodes];
    let (mut time, mut groups) = (0, 0);
    let mut open = Vec::new();
    // A frame is a node and how many of its links were already followed.
    let mut frames: Vec<(usize, usize)> = Vec::new();
    for root in 0..nodes {
        if discovered[root] != UNSEEN {
            continue;
        }
        frames.push((root, 0));
        while let Some((node, followed)) = frames.pop() {
            if followed == 0 {
                discovered[node] = time;
                lowest[node] = time;
                time += 1;
                open.push(node);
            }
            if let Some(link) = adjacency.leaving(node).get(followed) {
                frames.push((node, followed + 1));
                if discovered[link.to] == UNSEEN {
                    frames.push((link.to, 0));
                } else if group_of[link.to] == UNSEEN {
                    lowest[node] = lowest[node].min(discovered[link.to]);
                }
                continue;
            }
            if lowest[node] == discovered[node] {
                while let Some(member) = open.pop() {
                    group_of[member] = groups;
                    if member == node {
                        break;
                    }
                }
                groups += 1;
            }
            if let Some(&(parent, _)) = frames.last() {
                lowest[parent] = lowest[parent].min(lowest[node]);
            }
        }
    }
    group_of
}
