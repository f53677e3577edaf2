//! The order of the boxes in each row, so that few arrows cross.

use std::collections::VecDeque;

use super::layers::Link;

/// The boxes and, for arrows that pass rows, a bend in every row between: all arrows lead one row down.
///
/// Vertices below the number of boxes are the boxes; the others are bends.
pub struct Net {
    rank: Vec<usize>,
    boxes: usize,
    /// Vertices of each row, from left to right.
    pub rows: Vec<Vec<usize>>,
    /// Neighbours in the row above and in the row below, with the weight of the arrow between.
    pub above: Vec<Vec<(usize, f64)>>,
    pub below: Vec<Vec<(usize, f64)>>,
    /// For each arrow the vertices from its upper to its lower end; empty for a loop.
    pub chains: Vec<Vec<usize>>,
}

/// Straightness counts more where there are bends, after Gansner et al., section 4: box to box, box to bend, bend to bend.
const STRAIGHTNESS: [f64; 3] = [1.0, 2.0, 8.0];
/// Passes over all rows. Large graphs get fewer, down to the least that shows an order.
const PASSES: usize = 24;
const LEAST_PASSES: usize = 4;
/// Arrows times passes: about half a second.
const WORK: usize = 1_000_000;

impl Net {
    /// Cuts long arrows into pieces. `rank` is the row of each box.
    pub fn new(rank: &[usize], links: &[Link]) -> Net {
        let mut net = Net {
            rank: rank.to_vec(),
            boxes: rank.len(),
            rows: vec![Vec::new(); rank.iter().max().map_or(0, |last| last + 1)],
            above: vec![Vec::new(); rank.len()],
            below: vec![Vec::new(); rank.len()],
            chains: Vec::with_capacity(links.len()),
        };
        for link in links {
            let (top, bottom) =
                if rank[link.from] <= rank[link.to] { (link.from, link.to) } else { (link.to, link.from) };
            if top == bottom {
                net.chains.push(Vec::new());
                continue;
            }
            let mut chain = vec![top];
            for row in rank[top] + 1..rank[bottom] {
                chain.push(net.rank.len());
                net.rank.push(row);
                net.above.push(Vec::new());
                net.below.push(Vec::new());
            }
            chain.push(bottom);
            for piece in chain.windows(2) {
                let bends = piece.iter().filter(|&&vertex| net.is_bend(vertex)).count();
                // The root tames weights that span five decades.
                let weight = link.weight.sqrt() * STRAIGHTNESS[bends];
                net.below[piece[0]].push((piece[1], weight));
                net.above[piece[1]].push((piece[0], weight));
            }
            net.chains.push(chain);
        }
        net.first_order();
        net
    }

    /// The row of a vertex.
    pub fn rank_of(&self, vertex: usize) -> usize {
        self.rank[vertex]
    }

    /// Is it a bend of a long arrow?
    pub fn is_bend(&self, vertex: usize) -> bool {
        vertex >= self.boxes
    }

    /// Number of vertices.
    pub fn len(&self) -> usize {
        self.rank.len()
    }

    /// Parts that do not hang together come one after the other, and within a part neighbours of neighbours are near.
    fn first_order(&mut self) {
        let mut seen = vec![false; self.len()];
        let mut queue = VecDeque::new();
        let tops = (0..self.boxes).filter(|&node| self.above[node].is_empty()).chain(0..self.boxes);
        for top in tops.collect::<Vec<_>>() {
            if std::mem::replace(&mut seen[top], true) {
                continue;
            }
            queue.push_back(top);
            while let Some(vertex) = queue.pop_front() {
                self.rows[self.rank[vertex]].push(vertex);
                for &(next, _) in self.below[vertex].iter().chain(&self.above[vertex]) {
                    if !std::mem::replace(&mut seen[next], true) {
                        queue.push_back(next);
                    }
                }
            }
        }
    }

    /// Goes over the rows, down and up, putting each vertex near its neighbours, and keeps the best order met.
    pub fn untangle(&mut self) {
        let pieces: usize = self.below.iter().map(Vec::len).sum();
        let passes = (WORK / pieces.max(1)).clamp(LEAST_PASSES, PASSES);
        let mut position = self.positions();
        let mut best = self.rows.clone();
        let mut fewest = self.crossings(&position);
        for pass in 0..passes {
            if fewest == 0 {
                break;
            }
            let downward = pass % 2 == 0;
            let rows = self.rows.len();
            for step in 1..rows {
                let row = if downward { step } else { rows - 1 - step };
                self.sort_row(row, downward, &mut position);
            }
            self.swap_neighbours(&mut position);
            let crossings = self.crossings(&position);
            if crossings < fewest {
                fewest = crossings;
                best.clone_from(&self.rows);
            }
        }
        self.rows = best;
    }

    fn positions(&self) -> Vec<usize> {
        let mut position = vec![0; self.len()];
        for row in &self.rows {
            row.iter().enumerate().for_each(|(index, &vertex)| position[vertex] = index);
        }
        position
    }

    /// By the weighted median of the neighbours in the row that was ordered last; vertices without any stay in place.
    fn sort_row(&mut self, row: usize, downward: bool, position: &mut [usize]) {
        let neighbours = if downward { &self.above } else { &self.below };
        let vertices = std::mem::take(&mut self.rows[row]);
        let mut movable: Vec<(f64, usize)> = Vec::new();
        let mut places: Vec<usize> = Vec::new();
        let mut sorted = vertices.clone();
        for (place, &vertex) in vertices.iter().enumerate() {
            let mut at: Vec<usize> = neighbours[vertex].iter().map(|&(other, _)| position[other]).collect();
            at.sort_unstable();
            if let Some(median) = weighted_median(&at) {
                movable.push((median, vertex));
                places.push(place);
            }
        }
        // Stable: equal medians keep their order.
        movable.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (&place, &(_, vertex)) in places.iter().zip(&movable) {
            sorted[place] = vertex;
        }
        sorted.iter().enumerate().for_each(|(index, &vertex)| position[vertex] = index);
        self.rows[row] = sorted;
    }

    /// Swaps neighbours in a row wherever that removes crossings.
    fn swap_neighbours(&mut self, position: &mut [usize]) {
        for row in 0..self.rows.len() {
            for left in 0..self.rows[row].len().saturating_sub(1) {
                let (v, w) = (self.rows[row][left], self.rows[row][left + 1]);
                let mut gain = 0_i64;
                for side in [&self.above, &self.below] {
                    let (now, swapped) = pair_crossings(&side[v], &side[w], position);
                    gain += now as i64 - swapped as i64;
                }
                if gain > 0 {
                    self.rows[row].swap(left, left + 1);
                    (position[v], position[w]) = (left + 1, left);
                }
            }
        }
    }

    /// How many pairs of arrows cross between neighbouring rows.
    fn crossings(&self, position: &[usize]) -> u64 {
        let mut sum = 0;
        for (index, row) in self.rows.iter().enumerate().take(self.rows.len().saturating_sub(1)) {
            // Ends below, in the order of the upper ends: crossings are the pairs in the wrong order, counted with a tree
            // of partial sums.
            let width = self.rows[index + 1].len();
            let mut tree = vec![0_u64; width + 1];
            let mut seen = 0_u64;
            for &vertex in row {
                let mut ends: Vec<usize> = self.below[vertex].iter().map(|&(to, _)| position[to]).collect();
                ends.sort_unstable();
                for &end in &ends {
                    let mut at = end + 1;
                    let mut not_right = 0;
                    while at > 0 {
                        not_right += tree[at];
                        at &= at - 1;
                    }
                    sum += seen - not_right;
                }
                for &end in &ends {
                    let mut at = end + 1;
                    while at <= width {
                        tree[at] += 1;
                        at += at & at.wrapping_neg();
                    }
                    seen += 1;
                }
            }
        }
        sum
    }
}

/// The middle of sorted places; of an even number the middle leans to the side where they are denser (Gansner et al.).
fn weighted_median(at: &[usize]) -> Option<f64> {
    let middle = at.len() / 2;
    Some(match at.len() {
        0 => return None,
        2 => (at[0] + at[1]) as f64 / 2.0,
        odd if odd % 2 == 1 => at[middle] as f64,
        _ => {
            let left = (at[middle - 1] - at[0]) as f64;
            let right = (at[at.len() - 1] - at[middle]) as f64;
            if left + right == 0.0 {
                (at[middle - 1] + at[middle]) as f64 / 2.0
            } else {
                (at[middle - 1] as f64 * right + at[middle] as f64 * left) / (left + right)
            }
        }
    })
}

/// Crossings between the arrows of two neighbours: as they stand, and swapped.
fn pair_crossings(v: &[(usize, f64)], w: &[(usize, f64)], position: &[usize]) -> (u64, u64) {
    let mut now = 0;
    let mut swapped = 0;
    for &(a, _) in v {
        for &(b, _) in w {
            now += u64::from(position[a] > position[b]);
            swapped += u64::from(position[a] < position[b]);
        }
    }
    (now, swapped)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(rank: &[usize], pairs: &[(usize, usize)]) -> Net {
        let links: Vec<Link> = pairs.iter().map(|&(from, to)| Link { from, to, weight: 1.0 }).collect();
        Net::new(rank, &links)
    }

    #[test]
    fn a_long_arrow_bends_in_each_row_and_an_arrow_back_runs_down_too() {
        let net = net(&[0, 1, 2, 3], &[(0, 1), (1, 2), (2, 3), (3, 0), (2, 2)]);
        assert_eq!(net.chains[3], [0, 4, 5, 3]);
        assert!(net.chains[4].is_empty());
        assert_eq!((net.rank_of(4), net.rank_of(5)), (1, 2));
        assert!(net.is_bend(4) && !net.is_bend(3));
    }

    #[test]
    fn crossings_that_can_be_avoided_are() {
        // Two rows of four, each joined to its mirror image: six crossings as they come.
        let mut net = net(&[0, 0, 0, 0, 1, 1, 1, 1], &[(0, 7), (1, 6), (2, 5), (3, 4)]);
        net.rows = vec![vec![0, 1, 2, 3], vec![4, 5, 6, 7]];
        assert_eq!(net.crossings(&net.positions()), 6);
        net.untangle();
        assert_eq!(net.crossings(&net.positions()), 0);
    }

    #[test]
    fn counting_with_the_tree_agrees_with_counting_pairs() {
        let mut state = 1_u64;
        let mut below = |bound: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 33) % bound) as usize
        };
        for _ in 0..30 {
            let pairs: Vec<(usize, usize)> = (0..20).map(|_| (below(6), 6 + below(6))).collect();
            let net = net(&[0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1], &pairs);
            let at = net.positions();
            let mut slow = 0;
            for (i, a) in pairs.iter().enumerate() {
                for b in &pairs[..i] {
                    let (top, bottom) = (at[a.0].cmp(&at[b.0]), at[a.1].cmp(&at[b.1]));
                    slow += u64::from(top != bottom && top.is_ne() && bottom.is_ne());
                }
            }
            assert_eq!(net.crossings(&at), slow);
        }
    }
}
