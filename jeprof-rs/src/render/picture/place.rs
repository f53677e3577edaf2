//! Where in its row each box stands, and how high each row is.

use super::order::Net;

/// How far a box reaches to both sides of its middle.
#[derive(Clone, Copy, Debug)]
pub struct Space {
    pub left: f64,
    pub right: f64,
}

/// A row's upper and lower edge.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Band {
    pub top: f64,
    pub bottom: f64,
}

impl Band {
    /// Halfway between the edges.
    pub fn middle(&self) -> f64 {
        (self.top + self.bottom) / 2.0
    }
}

/// Between boxes, between a box and an arrow that passes, and between two of these.
const GAPS: [f64; 3] = [22.0, 18.0, 12.0];
/// Passes over all rows, down and up in turns; the second half looks both ways. Long arrows need many to become straight.
const ROUNDS: usize = 400;
const LEAST_ROUNDS: usize = 20;
/// Vertices times rounds: about half a second.
const WORK: usize = 10_000_000;
/// Between rows: room for a label, and more where arrows run far to the side.
const ROW_GAP: (f64, f64) = (42.0, 150.0);
/// Sideways per point of height.
const SLOPE: f64 = 7.0;

/// The middle of every vertex of the net, in points. In each row the order is kept and nothing overlaps.
///
/// Each vertex wants to stand at the weighted mean of its neighbours; a row as a whole is put as near to these wishes as
/// distances allow (least squares), rows in turns.
pub fn columns(net: &Net, spaces: &[Space]) -> Vec<f64> {
    let space = |vertex: usize| spaces.get(vertex).copied().unwrap_or(Space { left: 0.0, right: 0.0 });
    // Distance of each vertex from the first of its row if all stand as close as may be.
    let mut closest = vec![0.0; net.len()];
    for row in &net.rows {
        let mut at = 0.0;
        for pair in row.windows(2) {
            let bends = pair.iter().filter(|&&vertex| net.is_bend(vertex)).count();
            at += space(pair[0]).right + GAPS[bends] + space(pair[1]).left;
            closest[pair[1]] = at;
        }
    }
    let mut x = closest.clone();
    for row in &net.rows {
        let middle = row.last().map_or(0.0, |&last| closest[last] / 2.0);
        row.iter().for_each(|&vertex| x[vertex] -= middle);
    }
    let rows = net.rows.len();
    let rounds = (WORK / net.len().max(1)).clamp(LEAST_ROUNDS, ROUNDS);
    for round in 0..rounds {
        let both = round * 2 >= rounds;
        let downward = round % 2 == 0;
        for step in 0..rows {
            let row = &net.rows[if downward { step } else { rows - 1 - step }];
            let wishes: Vec<Wish> = row
                .iter()
                .map(|&vertex| {
                    let above = net.above[vertex].iter().filter(|_| both || downward);
                    let below = net.below[vertex].iter().filter(|_| both || !downward);
                    let mut sum = 0.0;
                    let mut weight = 0.0;
                    for &(other, pull) in above.chain(below) {
                        sum += x[other] * pull;
                        weight += pull;
                    }
                    // Those without neighbours on this side stay where they are unless pushed.
                    let (at, weight) = if weight > 0.0 { (sum / weight, weight) } else { (x[vertex], 0.01) };
                    Wish { at: at - closest[vertex], weight }
                })
                .collect();
            for (&vertex, at) in row.iter().zip(ascending(&wishes)) {
                x[vertex] = at + closest[vertex];
            }
        }
    }
    close_up(net, spaces, &closest, &mut x);
    x
}

/// Moves parts that do not hang together as near to each other as distances allow, each as a whole: nothing pulls
/// them together, and the rounds leave them where the widest row has pushed them.
fn close_up(net: &Net, spaces: &[Space], closest: &[f64], x: &mut [f64]) {
    let part = parts(net);
    let count = part.iter().max().map_or(0, |last| last + 1);
    let mut left = vec![f64::MAX; count];
    for (vertex, &part) in part.iter().enumerate() {
        left[part] = left[part].min(x[vertex] - spaces.get(vertex).map_or(0.0, |space| space.left));
    }
    // How much nearer the second part may come to the first, in one row.
    let mut rooms: Vec<(usize, usize, f64)> = Vec::new();
    let mut before = vec![0; count];
    for pair in net.rows.iter().flat_map(|row| row.windows(2)) {
        let (a, b) = (part[pair[0]], part[pair[1]]);
        if a != b {
            rooms.push((a, b, x[pair[1]] - x[pair[0]] - (closest[pair[1]] - closest[pair[0]])));
            before[b] += 1;
        }
    }
    rooms.sort_by_key(|&(a, ..)| a);
    let mut shift: Vec<f64> = left.iter().map(|left| -left).collect();
    let mut ready: Vec<usize> = (0..count).filter(|&part| before[part] == 0).collect();
    let mut done = 0;
    while let Some(a) = ready.pop() {
        done += 1;
        let first = rooms.partition_point(|&(other, ..)| other < a);
        for &(_, b, room) in rooms[first..].iter().take_while(|&&(other, ..)| other == a) {
            shift[b] = shift[b].max(shift[a] - room);
            before[b] -= 1;
            if before[b] == 0 {
                ready.push(b);
            }
        }
    }
    // Parts that stand on both sides of each other stay.
    if done == count {
        x.iter_mut().zip(&part).for_each(|(x, &part)| *x += shift[part]);
    }
}

/// The part of the net that each vertex belongs to.
fn parts(net: &Net) -> Vec<usize> {
    let mut part = vec![usize::MAX; net.len()];
    let mut count = 0;
    for start in 0..net.len() {
        if part[start] != usize::MAX {
            continue;
        }
        part[start] = count;
        let mut open = vec![start];
        while let Some(vertex) = open.pop() {
            for &(next, _) in net.above[vertex].iter().chain(&net.below[vertex]) {
                if part[next] == usize::MAX {
                    part[next] = count;
                    open.push(next);
                }
            }
        }
        count += 1;
    }
    part
}

/// A place that is wanted, and how much.
#[derive(Clone, Copy, Debug)]
struct Wish {
    at: f64,
    weight: f64,
}

/// The places nearest to the wishes that never fall from left to right: neighbours in the wrong order are given their
/// weighted mean, again and again (isotonic regression by pooling).
fn ascending(wishes: &[Wish]) -> Vec<f64> {
    let mut pools: Vec<(Wish, usize)> = Vec::with_capacity(wishes.len());
    for &wish in wishes {
        let mut pool = (wish, 1);
        while let Some(&(left, size)) = pools.last().filter(|(left, _)| left.at > pool.0.at) {
            let weight = left.weight + pool.0.weight;
            let at = (left.at * left.weight + pool.0.at * pool.0.weight) / weight;
            pool = (Wish { at, weight }, pool.1 + size);
            pools.pop();
        }
        pools.push(pool);
    }
    pools.into_iter().flat_map(|(pool, size)| std::iter::repeat_n(pool.at, size)).collect()
}

/// The rows from top to bottom, given the height of each box.
pub fn bands(net: &Net, heights: &[f64], x: &[f64]) -> Vec<Band> {
    let mut top = 0.0;
    net.rows
        .iter()
        .map(|row| {
            let height = row.iter().filter_map(|&vertex| heights.get(vertex)).copied().fold(0.0, f64::max);
            let band = Band { top, bottom: top + height };
            let sideways = row
                .iter()
                .flat_map(|&vertex| net.below[vertex].iter().map(move |&(to, _)| (x[vertex] - x[to]).abs()))
                .fold(0.0, f64::max);
            top = band.bottom + (sideways / SLOPE).clamp(ROW_GAP.0, ROW_GAP.1);
            band
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::picture::layers::{Link, rank};

    #[test]
    fn wishes_in_order_are_granted_and_others_meet_in_the_middle() {
        let wish = |at: f64, weight: f64| Wish { at, weight };
        assert_eq!(ascending(&[wish(1.0, 1.0), wish(2.0, 1.0), wish(2.0, 5.0)]), [1.0, 2.0, 2.0]);
        assert_eq!(ascending(&[wish(4.0, 1.0), wish(0.0, 3.0), wish(9.0, 1.0)]), [1.0, 1.0, 9.0]);
        assert_eq!(ascending(&[wish(3.0, 1.0), wish(2.0, 1.0), wish(1.0, 1.0)]), [2.0, 2.0, 2.0]);
    }

    #[test]
    fn parts_that_do_not_hang_together_stand_close() {
        let link = |from, to| crate::render::picture::layers::Link { from, to, weight: 1.0 };
        let net = Net::new(&[0, 1, 0, 1, 0], &[link(0, 1), link(2, 3)]);
        let spaces = [Space { left: 10.0, right: 10.0 }; 5];
        let gap = 20.0 + GAPS[0];
        let closest = [0.0, 0.0, gap, gap, 2.0 * gap];
        let mut x = [-300.0, -280.0, 500.0, 510.0, 900.0];
        close_up(&net, &spaces, &closest, &mut x);
        // The second part comes as near as its upper box allows; nothing changes within a part.
        assert_eq!(x, [10.0, 30.0, 10.0 + gap + 10.0, 10.0 + gap + 20.0, 10.0 + gap + 10.0 + gap]);
    }

    #[test]
    fn a_caller_stands_above_the_middle_of_its_callees() {
        let links: Vec<Link> = [1, 2, 3].map(|to| Link { from: 0, to, weight: 1.0 }).into();
        let net = Net::new(&rank(4, &links), &links);
        let x = columns(&net, &[Space { left: 20.0, right: 20.0 }; 4]);
        assert!((x[0] - (x[1] + x[2] + x[3]) / 3.0).abs() < 0.01, "{x:?}");
        let mut row = [x[1], x[2], x[3]];
        row.sort_by(f64::total_cmp);
        assert!(row.windows(2).all(|pair| pair[1] - pair[0] >= 40.0 + GAPS[0] - 0.001), "{row:?}");
    }
}
