//! What `explain` prints: where every value of the platform comes from.
//!
//! Resolution records each value it settles, if asked to; nothing in the platform depends on it.

use std::collections::BTreeMap;

use crate::source::Place;
use crate::value::Value;

/// A record of settled values, by their path: `superset.web.replicas`.
#[derive(Debug, Default)]
pub struct Trace {
    /// Whether anything is recorded.
    enabled: bool,
    /// The values.
    entries: BTreeMap<String, Explained>,
}

/// A settled value.
#[derive(Clone, Debug)]
pub struct Explained {
    /// The value in effect, as text.
    pub value: String,
    /// What gave it, the deciding thing first, then what that overrode.
    pub steps: Vec<Step>,
    /// Paths of the values it was computed from.
    pub uses: Vec<String>,
}

/// One thing that had a say in a value.
#[derive(Clone, Debug)]
pub struct Step {
    /// The value it gave, as text; empty where that was not worked out because it is not needed.
    pub value: String,
    /// What it is: "set", "default of the blueprint", "computed by `…`".
    pub what: String,
    /// Where it stands.
    pub place: Place,
}

impl Trace {
    /// Makes a trace that records.
    pub fn recording() -> Self {
        Self {
            enabled: true,
            ..Self::default()
        }
    }

    /// Says whether anything is recorded, for callers that would have to prepare much.
    pub fn is_recording(&self) -> bool {
        self.enabled
    }

    /// Records a value and what gave it.
    pub fn record(&mut self, path: impl FnOnce() -> String, explained: impl FnOnce() -> Explained) {
        if self.enabled {
            self.entries.insert(path(), explained());
        }
    }

    /// Returns what is known of a path.
    pub fn get(&self, path: &str) -> Option<&Explained> {
        self.entries.get(path)
    }

    /// Returns all paths, sorted.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }
}

impl Explained {
    /// A value that one thing gave.
    pub fn one(value: impl ToString, what: impl Into<String>, place: Place) -> Self {
        let value = value.to_string();
        Self {
            steps: vec![Step {
                value: value.clone(),
                what: what.into(),
                place,
            }],
            value,
            uses: Vec::new(),
        }
    }

    /// Adds the values that it replaced, nearest first.
    #[must_use]
    pub fn over(mut self, replaced: &[(Place, Value)]) -> Self {
        self.steps
            .extend(replaced.iter().map(|(place, value)| Step {
                value: value.to_string(),
                what: "set".to_owned(),
                place: place.clone(),
            }));
        self
    }

    /// Adds one more thing that would have given another value.
    #[must_use]
    pub fn then(mut self, value: impl ToString, what: impl Into<String>, place: Place) -> Self {
        self.steps.push(Step {
            value: value.to_string(),
            what: what.into(),
            place,
        });
        self
    }

    /// Adds the paths of the values it was computed from.
    #[must_use]
    pub fn using(mut self, paths: Vec<String>) -> Self {
        self.uses = paths;
        self
    }
}
