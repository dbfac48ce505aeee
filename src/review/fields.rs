//! Differences of two values, field by field.
//!
//! Tables are compared by key. Lists of tables are compared by the key that tells their items apart, lists of words as
//! sets, unless their order is known to mean something. What is left over is paired by position.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value as Json;

/// One step to a field.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Step {
    /// A key of a table.
    Key(String),
    /// An item of a list, by what tells it apart.
    Item(String),
    /// An item of a list, by its position from zero.
    At(usize),
}

/// The way to a field.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Path(pub Vec<Step>);

impl Path {
    /// Makes a path of keys.
    pub fn of(keys: &[&str]) -> Self {
        Self(
            keys.iter()
                .map(|key| Step::Key((*key).to_owned()))
                .collect(),
        )
    }

    /// Returns the words of the path: keys and names of items. A position is `#`.
    pub fn words(&self) -> Vec<&str> {
        self.0
            .iter()
            .map(|step| match step {
                Step::Key(word) | Step::Item(word) => word.as_str(),
                Step::At(_) => "#",
            })
            .collect()
    }

    fn key(&self, key: &str) -> Self {
        let mut steps = self.0.clone();
        steps.push(Step::Key(key.to_owned()));
        Self(steps)
    }

    fn item(&self, name: String) -> Self {
        let mut steps = self.0.clone();
        steps.push(Step::Item(name));
        Self(steps)
    }

    fn at(&self, at: usize) -> Self {
        let mut steps = self.0.clone();
        steps.push(Step::At(at));
        Self(steps)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) => {
                    let plain = !key.is_empty() && !key.contains(['.', '/', ' ', '[', ']']);
                    match (plain, at) {
                        (true, 0) => write!(out, "{key}")?,
                        (true, _) => write!(out, ".{key}")?,
                        (false, _) => write!(out, "[\"{key}\"]")?,
                    }
                }
                Step::Item(name) => write!(out, "[{name}]")?,
                Step::At(position) => write!(out, "[{position}]")?,
            }
        }
        Ok(())
    }
}

/// A field that differs. A side that lacks it has nothing.
#[derive(Clone, PartialEq, Debug)]
pub struct FieldChange {
    /// Where.
    pub path: Path,
    /// What it was.
    pub old: Option<Json>,
    /// What it is.
    pub new: Option<Json>,
}

impl FieldChange {
    fn turned(self) -> Self {
        Self {
            path: self.path,
            old: self.new,
            new: self.old,
        }
    }
}

/// What tells the items of a list apart, the best first.
const NATURAL_KEYS: &[&str] = &[
    "name",
    "alert",
    "record",
    "mountPath",
    "target",
    "key",
    "path",
    "containerPort",
    "port",
    "number",
    "source",
    "topologyKey",
    "host",
    "id",
    "uid",
    "job_name",
    "receiver",
    "refId",
];

/// Lists whose order means something: programs' arguments, and rules of which the first that fits counts.
const ORDERED: &[&str] = &[
    "args",
    "command",
    "entrypoint",
    "exec",
    "initContainers",
    "metricRelabelings",
    "metric_relabel_configs",
    "processors",
    "relabelings",
    "relabel_configs",
    "routes",
    "test",
    "transformations",
];

/// Deepest nesting that is looked into: what lies deeper is compared as a whole.
const DEEPEST: usize = 48;

/// Compares two values. The result is sorted by path, and that of the other direction is its mirror.
pub fn compare(old: &Json, new: &Json) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    values(&Path::default(), Some(old), Some(new), &mut changes);
    changes.sort_by(|one, other| one.path.cmp(&other.path));
    changes
}

fn values(path: &Path, old: Option<&Json>, new: Option<&Json>, changes: &mut Vec<FieldChange>) {
    if old == new {
        return;
    }
    let deep = path.0.len() > DEEPEST;
    match (old, new) {
        (Some(Json::Object(one)), Some(Json::Object(other))) if !deep => {
            let keys: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            for key in keys {
                values(&path.key(key), one.get(key), other.get(key), changes);
            }
        }
        (Some(Json::Array(one)), Some(Json::Array(other))) if !deep => {
            lists(path, one, other, changes);
        }
        (one, other) => {
            // `null` says as much as nothing at all.
            let said = |value: Option<&Json>| value.filter(|value| !value.is_null()).cloned();
            let change = FieldChange {
                path: path.clone(),
                old: said(one),
                new: said(other),
            };
            if change.old != change.new {
                changes.push(change);
            }
        }
    }
}

fn lists(path: &Path, old: &[Json], new: &[Json], changes: &mut Vec<FieldChange>) {
    let ordered = matches!(path.0.last(), Some(Step::Key(key)) if ORDERED.contains(&key.as_str()));
    if old.iter().chain(new).all(is_scalar) {
        if ordered {
            changes.push(whole(path, old, new));
        } else {
            words(path, old, new, changes);
        }
        return;
    }
    if let (Some(one), Some(other)) = (keyed(old), keyed(new)) {
        let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
        let before = changes.len();
        for name in names {
            let (old, new) = (one.get(name), other.get(name));
            values(
                &path.item(name.clone()),
                old.copied(),
                new.copied(),
                changes,
            );
        }
        if ordered && changes.len() == before {
            changes.push(whole(path, old, new));
        }
        return;
    }
    // What is on both sides says nothing, wherever it stands.
    let mut left: Vec<&Json> = old.iter().collect();
    let mut right: Vec<&Json> = Vec::new();
    for item in new {
        match left.iter().position(|other| *other == item) {
            Some(at) => drop(left.remove(at)),
            None => right.push(item),
        }
    }
    if left.is_empty() && right.is_empty() {
        if ordered {
            changes.push(whole(path, old, new));
        }
        return;
    }
    for at in 0..left.len().max(right.len()) {
        values(
            &path.at(at),
            left.get(at).copied(),
            right.get(at).copied(),
            changes,
        );
    }
}

fn whole(path: &Path, old: &[Json], new: &[Json]) -> FieldChange {
    FieldChange {
        path: path.clone(),
        old: Some(Json::Array(old.to_vec())),
        new: Some(Json::Array(new.to_vec())),
    }
}

/// Compares lists of words as bags: each word more or less is one change, and one word for another is one too.
fn words(path: &Path, old: &[Json], new: &[Json], changes: &mut Vec<FieldChange>) {
    let count = |list: &[Json]| {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for item in list {
            *counts.entry(shown(item)).or_default() += 1;
        }
        counts
    };
    let (one, other) = (count(old), count(new));
    let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    for name in names {
        let (before, after) = (
            one.get(name).copied().unwrap_or_default(),
            other.get(name).copied().unwrap_or_default(),
        );
        if before == after {
            continue;
        }
        let find = |list: &[Json]| list.iter().find(|item| shown(item) == *name).cloned();
        changes.push(FieldChange {
            path: path.item(name.clone()),
            old: find(old).filter(|_| before > after),
            new: find(new).filter(|_| after > before),
        });
    }
}

fn is_scalar(value: &Json) -> bool {
    !value.is_object() && !value.is_array()
}

/// Returns the items by what tells them apart, if something does.
fn keyed(list: &[Json]) -> Option<BTreeMap<String, &Json>> {
    let mut items = BTreeMap::new();
    for item in list {
        let item_table = item.as_object()?;
        let name = NATURAL_KEYS.iter().find_map(|key| {
            item_table
                .get(*key)
                .filter(|value| is_scalar(value))
                .map(shown)
        })?;
        if items.insert(name, item).is_some() {
            return None;
        }
    }
    Some(items)
}

/// Writes a value on one line, texts without quotes.
pub fn shown(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Returns the mirror of changes: what the other direction gives.
pub fn turned(changes: Vec<FieldChange>) -> Vec<FieldChange> {
    changes.into_iter().map(FieldChange::turned).collect()
}

/// Follows keys into a value.
pub fn at<'v>(value: &'v Json, keys: &[&str]) -> Option<&'v Json> {
    keys.iter().try_fold(value, |value, key| value.get(*key))
}

/// Follows keys to a text.
pub fn text_at<'v>(value: &'v Json, keys: &[&str]) -> Option<&'v str> {
    at(value, keys)?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(old: &Json, new: &Json, expected: &[&str]) {
        let shown_one = |change: &FieldChange| {
            let side = |value: &Option<Json>| value.as_ref().map_or("-".to_owned(), shown);
            format!(
                "{}: {} -> {}",
                change.path,
                side(&change.old),
                side(&change.new)
            )
        };
        let found = compare(old, new);
        assert_eq!(found.iter().map(shown_one).collect::<Vec<_>>(), expected);
        assert_eq!(turned(found), compare(new, old), "the mirror");
    }

    #[test]
    fn items_are_told_apart_by_their_natural_key() {
        let old = json!({"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]});
        let new = json!({"env": [{"name": "B", "value": "3"}, {"name": "A", "value": "1"}, {"name": "C", "value": ""}]});
        check(
            &old,
            &new,
            &[
                "env[B].value: 2 -> 3",
                "env[C]: - -> {\"name\":\"C\",\"value\":\"\"}",
            ],
        );
    }

    #[test]
    fn order_says_nothing_where_it_means_nothing() {
        check(
            &json!({"a": 1, "caps": ["X", "Y"], "rules": [{"a": [1]}, {"b": [2]}]}),
            &json!({"rules": [{"b": [2]}, {"a": [1]}], "caps": ["Y", "X"], "a": 1}),
            &[],
        );
        check(
            &json!({"command": ["a", "b"]}),
            &json!({"command": ["b", "a"]}),
            &["command: [\"a\",\"b\"] -> [\"b\",\"a\"]"],
        );
        check(
            &json!({"relabelings": [{"action": "keep", "source": "a"}, {"action": "drop", "source": "b"}]}),
            &json!({"relabelings": [{"action": "drop", "source": "b"}, {"action": "keep", "source": "a"}]}),
            &[
                "relabelings: [{\"action\":\"keep\",\"source\":\"a\"},{\"action\":\"drop\",\"source\":\"b\"}] -> [{\"action\":\"drop\",\"source\":\"b\"},{\"action\":\"keep\",\"source\":\"a\"}]",
            ],
        );
    }

    #[test]
    fn words_come_and_go_alone() {
        check(
            &json!({"drop": ["ALL"], "add": ["A"]}),
            &json!({"drop": ["ALL", "ALL"], "add": ["B", "A"]}),
            &["add[B]: - -> B", "drop[ALL]: - -> ALL"],
        );
    }

    #[test]
    fn nothing_and_null_are_the_same() {
        check(&json!({"a": null}), &json!({}), &[]);
        check(&json!({"a": {"b": null}}), &json!({"a": {}}), &[]);
    }
}
