//! Which of the names that went and of those that came are the same thing under another name.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::fields::{FieldChange, shown};

/// Share of equal fields from which an entry under another name is taken for the same, in percent.
const ALIKE: usize = 80;

/// Pairs names that go with names that come, by how alike they are, and takes them off both lists.
pub(super) fn pairs(
    gone: &mut Vec<&String>,
    come: &mut Vec<&String>,
    likeness: impl Fn(&str, &str) -> usize,
) -> Vec<(String, String)> {
    /// More of both are too many to have been renamed, and too many to try.
    const MOST: usize = 300;
    if gone.len() > MOST || come.len() > MOST {
        return Vec::new();
    }
    let mut scores: Vec<(usize, String, String)> = Vec::new();
    for before in gone.iter() {
        for after in come.iter() {
            let score = likeness(before, after);
            if score >= ALIKE {
                scores.push((score, (*before).clone(), (*after).clone()));
            }
        }
    }
    // The names are ordered without regard to the direction, so that the way back gives the same pairs.
    let order = |one: &str, other: &str| {
        let (less, more) = if one <= other {
            (one, other)
        } else {
            (other, one)
        };
        (less.to_owned(), more.to_owned())
    };
    scores.sort_by(|one, other| {
        other
            .0
            .cmp(&one.0)
            .then_with(|| order(&one.1, &one.2).cmp(&order(&other.1, &other.2)))
    });
    let mut taken = BTreeSet::new();
    let mut found = Vec::new();
    for (_, before, after) in scores {
        if !taken.contains(&(true, before.clone())) && !taken.contains(&(false, after.clone())) {
            taken.insert((true, before.clone()));
            taken.insert((false, after.clone()));
            found.push((before, after));
        }
    }
    gone.retain(|name| !taken.contains(&(true, (*name).clone())));
    come.retain(|name| !taken.contains(&(false, (*name).clone())));
    found.sort();
    found
}

/// Says whether a field differs only because it repeats the name.
pub(super) fn follows(field: &FieldChange, before: &str, after: &str) -> bool {
    let text = |value: &Option<Json>| value.as_ref().map(shown).unwrap_or_default();
    let (old, new) = (text(&field.old), text(&field.new));
    let stem = |name: &str| name.rsplit_once('-').map(|(stem, _)| stem.to_owned());
    let same = |from: &str, to: &str| {
        !from.is_empty() && old.contains(from) && old.replace(from, to) == new
    };
    if same(before, after) {
        return true;
    }
    // A service's name begins with its component's.
    matches!((stem(before), stem(after)), (Some(from), Some(to)) if from != to && same(&from, &to))
}
