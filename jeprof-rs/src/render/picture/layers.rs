//! Which row each box is in: arrows lead down, except those that must lead back because they close a circle.

/// An arrow as the layout sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    pub from: usize,
    pub to: usize,
    /// How much it matters that it is short and straight, from 1.
    pub weight: f64,
}

/// How often boxes may move between rows. Most graphs settle in two or three rounds.
const ROUNDS: usize = 30;

/// The row of each box, from 0; every row holds a box. No arrow stays within a row but those from a box to itself.
pub fn rank(count: usize, links: &[Link]) -> Vec<usize> {
    let (downward, order) = acyclic(count, links);
    let mut rank = vec![0_usize; count];
    let mut incoming: Vec<Vec<(usize, f64)>> = vec![Vec::new(); count];
    let mut outgoing: Vec<Vec<(usize, f64)>> = vec![Vec::new(); count];
    for link in &downward {
        outgoing[link.from].push((link.to, link.weight));
        incoming[link.to].push((link.from, link.weight));
    }
    // As high as possible ...
    for &node in &order {
        rank[node] = incoming[node].iter().map(|&(from, _)| rank[from] + 1).max().unwrap_or(0);
    }
    // ... and then down towards the callees, where these pull more than the callers.
    for _ in 0..ROUNDS {
        let mut moved = false;
        for &node in order.iter().rev() {
            let pull: f64 = outgoing[node].iter().map(|(_, weight)| weight).sum::<f64>()
                - incoming[node].iter().map(|(_, weight)| weight).sum::<f64>();
            let lowest = outgoing[node].iter().map(|&(to, _)| rank[to] - 1).min();
            let highest = incoming[node].iter().map(|&(from, _)| rank[from] + 1).max();
            let wanted = match (lowest, highest) {
                (Some(lowest), _) if pull > 0.0 => lowest,
                (_, Some(highest)) if pull < 0.0 => highest,
                _ => continue,
            };
            moved |= rank[node] != wanted;
            rank[node] = wanted;
        }
        if !moved {
            break;
        }
    }
    close_gaps(&mut rank);
    rank
}

/// Turns the arrows that lead back, and leaves out loops. Also the boxes in an order in which every arrow leads forward.
///
/// A walk in depth from boxes without callers, heavy arrows first; what leads to a box on the current path is turned.
fn acyclic(count: usize, links: &[Link]) -> (Vec<Link>, Vec<usize>) {
    let mut outgoing: Vec<Vec<usize>> = vec![Vec::new(); count];
    let mut called = vec![false; count];
    for (index, link) in links.iter().enumerate().filter(|(_, link)| link.from != link.to) {
        outgoing[link.from].push(index);
        called[link.to] = true;
    }
    for list in &mut outgoing {
        list.sort_by(|&a, &b| links[b].weight.total_cmp(&links[a].weight));
    }

    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        OnPath,
        Done,
    }
    let mut state = vec![State::New; count];
    let mut turned = vec![false; links.len()];
    let mut finished = Vec::with_capacity(count);
    let roots = (0..count).filter(|&node| !called[node]).chain(0..count);
    // The path: box and how many of its arrows are done. Not recursive: call chains may be long.
    let mut path: Vec<(usize, usize)> = Vec::new();
    for root in roots {
        if state[root] != State::New {
            continue;
        }
        state[root] = State::OnPath;
        path.push((root, 0));
        while let Some((node, next)) = path.last_mut() {
            let Some(&index) = outgoing[*node].get(*next) else {
                state[*node] = State::Done;
                finished.push(*node);
                path.pop();
                continue;
            };
            *next += 1;
            let to = links[index].to;
            match state[to] {
                State::New => {
                    state[to] = State::OnPath;
                    path.push((to, 0));
                }
                State::OnPath => turned[index] = true,
                State::Done => {}
            }
        }
    }
    finished.reverse();
    let downward = links
        .iter()
        .zip(&turned)
        .filter(|(link, _)| link.from != link.to)
        .map(|(link, &turned)| if turned { Link { from: link.to, to: link.from, ..*link } } else { *link })
        .collect();
    (downward, finished)
}

fn close_gaps(rank: &mut [usize]) {
    let rows = rank.iter().max().map_or(0, |last| last + 1);
    let mut used = vec![false; rows];
    rank.iter().for_each(|&row| used[row] = true);
    let mut number = 0;
    let renamed: Vec<usize> = used
        .iter()
        .map(|&used| {
            number += usize::from(used);
            number.saturating_sub(1)
        })
        .collect();
    rank.iter_mut().for_each(|row| *row = renamed[*row]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(pairs: &[(usize, usize)]) -> Vec<Link> {
        pairs.iter().map(|&(from, to)| Link { from, to, weight: 1.0 }).collect()
    }

    #[test]
    fn callers_are_above_callees_and_a_circle_is_turned_once() {
        assert_eq!(rank(3, &links(&[(0, 1), (1, 2), (2, 2), (2, 0)])), [0, 1, 2]);
        assert_eq!(rank(4, &links(&[(0, 1), (1, 2), (0, 3), (3, 2), (0, 2)]))[2], 2);
        assert_eq!(rank(2, &[]), [0, 0]);
        assert!(rank(0, &[]).is_empty());
    }

    #[test]
    fn a_box_is_pulled_to_the_heavier_side() {
        // 3 could stand in row 0 or 1; its only arrow leads to 2.
        assert_eq!(rank(4, &links(&[(0, 1), (1, 2), (3, 2)])), [0, 1, 2, 1]);
    }
}
