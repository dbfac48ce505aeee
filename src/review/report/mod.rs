//! What a review looks like: for people on a terminal, in a pull request and in a browser, for programs, for tools of code
//! review. All are made from the same [`Review`](super::Review).

mod graph;
pub mod html;
pub mod json;
pub mod markdown;
pub mod sarif;
pub mod text;

use std::collections::{BTreeMap, BTreeSet};

use super::danger::{Category, Level, Risk};
use super::effect::Effect;
use super::origin::Origin;
use super::{Act, Change, EnvironmentReview, Layer, claim};

/// Counts words: `3 changes`.
fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Says in one line what a review of an environment found.
fn headline(one: &EnvironmentReview) -> String {
    if one.changes.is_empty() {
        return match one.declared {
            0 => "no difference".to_owned(),
            left_out => format!("no difference but {left_out} that the topology declares"),
        };
    }
    let mut text = count(
        one.said().count(),
        if one.parity { "difference" } else { "change" },
    );
    if one.declared > 0 {
        text.push_str(&format!(
            " ({} more are declared by the topology)",
            one.declared
        ));
    }
    if one.parity {
        return text;
    }
    let effects: Vec<String> = one
        .effects()
        .into_iter()
        .map(|(effect, count)| match effect {
            Effect::None => format!("{count} without effect"),
            effect => format!("{count} {effect}"),
        })
        .collect();
    text.push_str(&format!(": {}", effects.join(", ")));
    let risks = levels(one);
    if !risks.is_empty() {
        let words: Vec<String> = risks
            .into_iter()
            .map(|(level, count)| format!("{count} {level}"))
            .collect();
        text.push_str(&format!("; risks: {}", words.join(", ")));
    }
    text
}

/// Counts risks by level, the worst first.
fn levels(one: &EnvironmentReview) -> Vec<(Level, usize)> {
    let risks = one.risks();
    let of = |level| risks.iter().filter(|(_, risk)| risk.level == level).count();
    let all = Level::ALL.iter().map(|level| (*level, of(*level)));
    all.filter(|(_, count)| *count > 0).collect()
}

/// Counts risks by category and level, for tables.
fn categories(one: &EnvironmentReview) -> Vec<(Category, [usize; 3])> {
    let risks = one.risks();
    let of = |category, level| {
        let fit = |risk: &Risk| risk.category() == category && risk.level == level;
        risks.iter().filter(|(_, risk)| fit(risk)).count()
    };
    Category::ALL
        .iter()
        .map(|category| {
            let counts = [Level::High, Level::Medium, Level::Low].map(|level| of(*category, level));
            (*category, counts)
        })
        .filter(|(_, counts)| counts.iter().sum::<usize>() > 0)
        .collect()
}

/// A thing and all that changes about it.
struct Group<'r> {
    layer: Layer,
    noun: &'r str,
    name: &'r str,
    changes: Vec<&'r Change>,
}

/// Gathers changes of one thing. They are sorted, so it stands together.
fn groups(one: &EnvironmentReview) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for change in one.said() {
        match groups.last_mut() {
            Some(last)
                if (last.layer, last.noun, last.name)
                    == (change.layer, &*change.noun, &*change.name) =>
            {
                last.changes.push(change);
            }
            _ => groups.push(Group {
                layer: change.layer,
                noun: &change.noun,
                name: &change.name,
                changes: vec![change],
            }),
        }
    }
    groups
}

/// Names what only follows from other changes, in one line; nothing, if there is none.
fn followers(one: &EnvironmentReview) -> Option<String> {
    const NAMES: usize = 8;
    let names: BTreeSet<String> = one
        .changes
        .iter()
        .filter(|change| change.follows)
        .map(|change| match change.layer {
            Layer::File => change.name.clone(),
            _ => format!("{} {}", change.noun, change.name),
        })
        .collect();
    let shown: Vec<&str> = names.iter().take(NAMES).map(String::as_str).collect();
    let more = match names.len().saturating_sub(NAMES) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!names.is_empty()).then(|| format!("Follows from that: {}{more}", shown.join(", ")))
}

/// Groups that have just the same changes, so that they can be said once, in the order of the first of each.
fn folded<'g, 'r>(groups: &'g [Group<'r>]) -> Vec<Vec<&'g Group<'r>>> {
    let mut order: Vec<Vec<&Group<'_>>> = Vec::new();
    let mut known: BTreeMap<Vec<[String; 5]>, usize> = BTreeMap::new();
    for group in groups {
        // What comes or goes is named; only changes of fields repeat.
        let repeats = group.layer != Layer::File
            && group
                .changes
                .iter()
                .all(|change| change.act == Act::Changed);
        if !repeats {
            order.push(vec![group]);
            continue;
        }
        let pattern: Vec<_> = group
            .changes
            .iter()
            .map(|change| claim::pattern(change))
            .collect();
        match known.get(&pattern) {
            Some(at) => order[*at].push(group),
            None => {
                known.insert(pattern, order.len());
                order.push(vec![group]);
            }
        }
    }
    order
}

/// Says what a field was and is.
fn values(change: &Change) -> String {
    match (&change.old, &change.new) {
        (Some(old), Some(new)) => format!("{} -> {}", quoted(old), quoted(new)),
        (Some(old), None) if change.act == Act::Changed => format!("{} -> nothing", quoted(old)),
        (None, Some(new)) if change.act == Act::Changed => format!("nothing -> {}", quoted(new)),
        (Some(only), None) | (None, Some(only)) => only.clone(),
        (None, None) => String::new(),
    }
}

fn quoted(text: &str) -> String {
    if text.is_empty() {
        "\"\"".to_owned()
    } else {
        text.to_owned()
    }
}

/// Says what a change does, with the reason where there is one.
fn effect(change: &Change) -> String {
    match (change.outcome.effect, change.outcome.reason.as_str()) {
        (effect, "") => effect.to_string(),
        (effect, reason) => format!("{effect}: {reason}"),
    }
}

/// Says where a change comes from, on both sides; nothing, if nobody knows.
fn causes(change: &Change) -> Vec<String> {
    let (old, new) = (change.old_origins.first(), change.new_origins.first());
    let same = |one: &Origin, other: &Origin| {
        (&one.file, &one.key, one.line, &one.what)
            == (&other.file, &other.key, other.line, &other.what)
    };
    let mut lines = Vec::new();
    match (old, new) {
        (Some(one), Some(other)) if same(one, other) => lines.push(format!("from {other}")),
        (one, other) => {
            lines.extend(one.map(|one| format!("was from {one}")));
            lines.extend(other.map(|other| format!("is from {other}")));
        }
    }
    lines
}
