//! Where the boxes and lines of a picture go: layers below each other, few crossings, lines around boxes.
//!
//! The method of Sugiyama, Tagawa and Toda in four steps: every box has a row; a line that passes a row gets a place in it, as
//! wide as a line; rows are sorted so that lines cross little; places move towards those they are connected to. All in
//! whole numbers, so that a picture is the same everywhere.

use std::collections::BTreeMap;

/// Space between boxes, and between a box and a line, in pixels.
const GAP: i64 = 26;
const LINE_GAP: i64 = 12;

/// How often rows are sorted, and places moved.
const ROUNDS: usize = 24;

/// What is to be laid out.
#[derive(Debug)]
pub(super) struct Task {
    /// Row and width of each box, in pixels.
    pub(super) boxes: Vec<(usize, i64)>,
    /// Pairs of boxes. Lines within one row do not take part.
    pub(super) lines: Vec<(usize, usize)>,
}

/// Where everything goes.
#[derive(Debug)]
pub(super) struct Laid {
    /// The left border of each box.
    pub(super) left: Vec<i64>,
    /// For each line, the middle of its places in the rows that it passes, from its upper end to its lower one.
    pub(super) bends: Vec<Vec<(usize, i64)>>,
    /// The width of all.
    pub(super) width: i64,
}

/// A place in a row.
struct Slot {
    row: usize,
    width: i64,
    /// Places that it is connected to in the row above, and in the one below.
    up: Vec<usize>,
    down: Vec<usize>,
    x: i64,
}

impl Slot {
    fn middle(&self) -> i64 {
        self.x + self.width / 2
    }

    fn is_box(&self) -> bool {
        self.width > 0
    }
}

/// Lays out boxes and lines.
pub(super) fn lay(task: &Task) -> Laid {
    let mut slots: Vec<Slot> = task
        .boxes
        .iter()
        .map(|(row, width)| Slot {
            row: *row,
            width: *width,
            up: Vec::new(),
            down: Vec::new(),
            x: 0,
        })
        .collect();
    // A line that passes rows has a place in each.
    let mut passes: Vec<Vec<usize>> = Vec::new();
    for (from, to) in &task.lines {
        let (high, low) = if slots[*from].row <= slots[*to].row {
            (*from, *to)
        } else {
            (*to, *from)
        };
        let mut above = high;
        let mut own = Vec::new();
        if slots[high].row != slots[low].row {
            for row in slots[high].row + 1..slots[low].row {
                slots.push(Slot {
                    row,
                    width: 0,
                    up: vec![above],
                    down: Vec::new(),
                    x: 0,
                });
                let new = slots.len() - 1;
                slots[above].down.push(new);
                own.push(new);
                above = new;
            }
            slots[above].down.push(low);
            slots[low].up.push(above);
        }
        passes.push(own);
    }
    let last = slots.iter().map(|slot| slot.row).max().unwrap_or(0);
    let mut rows: Vec<Vec<usize>> = vec![Vec::new(); last + 1];
    for (at, slot) in slots.iter().enumerate() {
        rows[slot.row].push(at);
    }
    sort(&slots, &mut rows);
    place(&mut slots, &rows);
    let least = slots.iter().map(|slot| slot.x).min().unwrap_or(0);
    for slot in &mut slots {
        slot.x -= least;
    }
    Laid {
        left: (0..task.boxes.len()).map(|at| slots[at].x).collect(),
        bends: passes
            .iter()
            .map(|own| {
                let places = own.iter().map(|at| (slots[*at].row, slots[*at].middle()));
                places.collect()
            })
            .collect(),
        width: slots
            .iter()
            .map(|slot| slot.x + slot.width)
            .max()
            .unwrap_or(0),
    }
}

/// Sorts rows so that lines cross little: each place goes to the mean of those it is connected to, again and again, and
/// the best order of all is kept.
fn sort(slots: &[Slot], rows: &mut [Vec<usize>]) {
    let mut best = (crossings(slots, rows), rows.to_vec());
    for round in 0..ROUNDS {
        let down = round % 2 == 0;
        let order: Vec<usize> = if down {
            (1..rows.len()).collect()
        } else {
            (0..rows.len().saturating_sub(1)).rev().collect()
        };
        for row in order {
            let beside = if down { row - 1 } else { row + 1 };
            let position = positions(&rows[beside]);
            let own = positions(&rows[row]);
            let key = |at: &usize| {
                let ends = if down {
                    &slots[*at].up
                } else {
                    &slots[*at].down
                };
                let sum: usize = ends.iter().filter_map(|end| position.get(end)).sum();
                // In thousandths; what is connected to nothing stays where it is.
                match ends.len() {
                    0 => own[at] * 1000,
                    count => sum * 1000 / count,
                }
            };
            rows[row].sort_by_cached_key(key);
        }
        swap(slots, rows);
        let count = crossings(slots, rows);
        if count < best.0 {
            best = (count, rows.to_vec());
        }
    }
    rows.clone_from_slice(&best.1);
}

/// Exchanges neighbours as long as that takes crossings away.
fn swap(slots: &[Slot], rows: &mut [Vec<usize>]) {
    let mut count = crossings(slots, rows);
    let mut better = true;
    while better {
        better = false;
        for row in 0..rows.len() {
            for at in 1..rows[row].len() {
                rows[row].swap(at - 1, at);
                let now = crossings(slots, rows);
                if now < count {
                    count = now;
                    better = true;
                } else {
                    rows[row].swap(at - 1, at);
                }
            }
        }
    }
}

fn positions(row: &[usize]) -> BTreeMap<usize, usize> {
    row.iter()
        .enumerate()
        .map(|(at, slot)| (*slot, at))
        .collect()
}

/// Counts the crossings between all rows.
fn crossings(slots: &[Slot], rows: &[Vec<usize>]) -> usize {
    let mut count = 0;
    for pair in rows.windows(2) {
        let below = positions(&pair[1]);
        let ends: Vec<(usize, usize)> = pair[0]
            .iter()
            .enumerate()
            .flat_map(|(at, slot)| {
                let ends = slots[*slot].down.iter().filter_map(|end| below.get(end));
                ends.map(move |end| (at, *end))
            })
            .collect();
        for (at, one) in ends.iter().enumerate() {
            let rest = &ends[at + 1..];
            count += rest
                .iter()
                .filter(|other| {
                    (one.0 < other.0 && one.1 > other.1) || (one.0 > other.0 && one.1 < other.1)
                })
                .count();
        }
    }
    count
}

/// Moves places towards the mean of those they are connected to, in the order of their rows.
fn place(slots: &mut [Slot], rows: &[Vec<usize>]) {
    for row in rows {
        let mut x = 0;
        for (at, slot) in row.iter().enumerate() {
            if at > 0 {
                x += gap(slots, row[at - 1], *slot);
            }
            slots[*slot].x = x;
            x += slots[*slot].width;
        }
    }
    for round in 0..ROUNDS * 2 {
        let down = round % 2 == 0;
        let order: Vec<usize> = if down {
            (0..rows.len()).collect()
        } else {
            (0..rows.len()).rev().collect()
        };
        for row in order {
            let wanted: Vec<i64> = rows[row]
                .iter()
                .map(|at| {
                    let slot = &slots[*at];
                    // At the end both sides count, so that nothing leans.
                    let ends: Vec<usize> = if round + 4 > ROUNDS * 2 {
                        slot.up.iter().chain(&slot.down).copied().collect()
                    } else if down {
                        slot.up.clone()
                    } else {
                        slot.down.clone()
                    };
                    if ends.is_empty() {
                        return slot.middle();
                    }
                    let sum: i64 = ends.iter().map(|end| slots[*end].middle()).sum();
                    sum / ends.len() as i64
                })
                .collect();
            settle(slots, &rows[row], &wanted);
        }
    }
    center(slots, rows);
}

/// Puts rows that nothing connects with others below the middle of those.
fn center(slots: &mut [Slot], rows: &[Vec<usize>]) {
    let alone = |slots: &[Slot], row: &[usize]| {
        let mut row = row.iter().map(|at| &slots[*at]);
        row.all(|slot| slot.up.is_empty() && slot.down.is_empty())
    };
    let span = |slots: &[Slot], row: &[usize]| {
        let first = row.iter().map(|at| slots[*at].x).min();
        let last = row.iter().map(|at| slots[*at].x + slots[*at].width).max();
        first.zip(last)
    };
    let others: Vec<usize> = rows
        .iter()
        .filter(|row| !alone(slots, row))
        .flatten()
        .copied()
        .collect();
    let Some((left, right)) = span(slots, &others) else {
        return;
    };
    for row in rows
        .iter()
        .filter(|row| alone(slots, row))
        .collect::<Vec<_>>()
    {
        if let Some((first, last)) = span(slots, row) {
            for at in row {
                slots[*at].x += (left + right - first - last) / 2;
            }
        }
    }
}

/// Puts a row's places as near to where they want to be as their order allows: runs that push each other share the mean of
/// their wishes.
fn settle(slots: &mut [Slot], row: &[usize], wanted: &[i64]) {
    /// Neighbours that touch: first place, number, sum of where their first wants to be.
    struct Run {
        first: usize,
        count: i64,
        sum: i64,
        width: i64,
    }
    let mut runs: Vec<Run> = Vec::new();
    for (at, slot) in row.iter().enumerate() {
        let width = slots[*slot].width;
        let mut run = Run {
            first: at,
            count: 1,
            sum: wanted[at] - width / 2,
            width,
        };
        while let Some(before) = runs.last() {
            let space = gap(slots, row[run.first - 1], row[run.first]);
            let end = before.sum.div_euclid(before.count) + before.width + space;
            if end <= run.sum.div_euclid(run.count) {
                break;
            }
            // Where the first of the joint run would be for each of the second's members.
            let shift = before.width + space;
            run = Run {
                first: before.first,
                count: before.count + run.count,
                sum: before.sum + run.sum - shift * run.count,
                width: shift + run.width,
            };
            runs.pop();
        }
        runs.push(run);
    }
    for (at, run) in runs.iter().enumerate() {
        let end = runs.get(at + 1).map_or(row.len(), |next| next.first);
        let mut x = run.sum.div_euclid(run.count);
        for place in run.first..end {
            if place > run.first {
                x += gap(slots, row[place - 1], row[place]);
            }
            slots[row[place]].x = x;
            x += slots[row[place]].width;
        }
    }
}

fn gap(slots: &[Slot], left: usize, right: usize) -> i64 {
    match (slots[left].is_box(), slots[right].is_box()) {
        (true, true) => GAP,
        _ => LINE_GAP,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_goes_around_what_is_in_its_way() {
        let laid = lay(&Task {
            boxes: vec![(0, 100), (1, 100), (2, 100)],
            lines: vec![(0, 1), (1, 2), (0, 2)],
        });
        let (_, x) = laid.bends[2][0];
        assert!(x < laid.left[1] || x > laid.left[1] + 100, "{laid:?}");
        assert!(laid.bends[0].is_empty());
    }

    #[test]
    fn crossings_that_need_not_be_are_gone() {
        let task = Task {
            boxes: vec![(0, 50), (0, 50), (0, 50), (1, 50), (1, 50), (1, 50)],
            lines: vec![(0, 5), (1, 4), (2, 3)],
        };
        let laid = lay(&task);
        let order = |one: usize, other: usize| laid.left[one] < laid.left[other];
        assert_eq!(order(0, 1), order(5, 4));
        assert_eq!(order(1, 2), order(4, 3));
    }

    proptest! {
        /// Boxes of a row never touch each other or a line that passes.
        #[test]
        fn nothing_overlaps(
            boxes in proptest::collection::vec((0_usize..6, 40_i64..200), 1..20),
            lines in proptest::collection::vec((0_usize..20, 0_usize..20), 0..40),
        ) {
            let lines: Vec<(usize, usize)> = lines
                .into_iter()
                .filter(|(from, to)| from != to && *from < boxes.len() && *to < boxes.len())
                .collect();
            let task = Task { boxes, lines };
            let laid = lay(&task);
            for (at, (row, width)) in task.boxes.iter().enumerate() {
                let own = laid.left[at]..laid.left[at] + width;
                prop_assert!(own.start >= 0 && own.end <= laid.width);
                for (other, (other_row, _)) in task.boxes.iter().enumerate() {
                    prop_assert!(other == at || row != other_row || !own.contains(&laid.left[other]));
                }
                for (bend_row, x) in laid.bends.iter().flatten() {
                    prop_assert!(bend_row != row || !own.contains(x));
                }
            }
        }
    }
}
