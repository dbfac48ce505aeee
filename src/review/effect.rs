//! What a change does to what runs, and why: tables by kind of object and by target.
//!
//! Sources: Kubernetes' validation of updates (what it calls immutable), the hash by which Docker Compose decides what to
//! create again, and what `docker stack deploy` makes of a service's specification. The conformance tests try one case of
//! each kind with the program itself.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value as Json;

use super::fields::{FieldChange, Step, at, shown, text_at};
use super::known::{COMPOSE, KUBERNETES, Line, SWARM};
use super::structure::{Dialect, Unit};
use crate::platform::{ON_DEMAND, SCHEDULED};

/// What a change does, the mildest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Nothing that runs is touched.
    #[default]
    None,
    /// It is taken up while everything goes on.
    Reload,
    /// Replicas are exchanged one after the other.
    RollingRestart,
    /// It stops and starts again.
    Recreate,
    /// The API, or the engine, does not make this change: somebody must.
    Refused,
    /// Data is lost, or left behind.
    DataAtRisk,
}

impl Effect {
    /// All effects, the worst first.
    pub const ALL: &[Self] = &[
        Self::DataAtRisk,
        Self::Refused,
        Self::Recreate,
        Self::RollingRestart,
        Self::Reload,
        Self::None,
    ];

    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Reload => "reload",
            Self::RollingRestart => "rolling restart",
            Self::Recreate => "recreate",
            Self::Refused => "refused",
            Self::DataAtRisk => "data at risk",
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.word())
    }
}

/// An effect, and why it comes about.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Outcome {
    /// What happens.
    pub effect: Effect,
    /// Why; a phrase.
    pub reason: String,
}

impl Outcome {
    /// Makes one.
    pub fn new(effect: Effect, reason: impl Into<String>) -> Self {
        Self {
            effect,
            reason: reason.into(),
        }
    }
}

use Effect::{DataAtRisk, None as Nothing, Recreate, Refused, Reload, RollingRestart};

fn fits(line: &Line, kind: &str, words: &[&str]) -> bool {
    let kinds = line.0 == "*" || line.0.split(' ').any(|known| known == kind);
    let steps: Vec<&str> = line.1.split('.').collect();
    let path = line.1 == "*"
        || (words.len() >= steps.len()
            && steps
                .iter()
                .zip(words)
                .all(|(step, word)| *step == "*" || step == word));
    kinds && path
}

fn look_up(table: &'static [Line], kind: &str, words: &[&str]) -> Outcome {
    let line = table.iter().find(|line| fits(line, kind, words));
    line.map_or_else(Outcome::default, |line| Outcome::new(line.2, line.3))
}

/// Says what the change of a field of a unit does.
pub fn of_field(old: &Unit, new: &Unit, change: &FieldChange) -> Outcome {
    let words = change.path.words();
    let kind = new.key.kind.as_str();
    match new.key.dialect {
        Dialect::Kubernetes => {
            if old.is_named_by_content() && new.is_named_by_content() {
                return match kind {
                    "Job" => Outcome::new(
                        Reload,
                        "a new Job runs once; the old one stays until it is pruned",
                    ),
                    _ => Outcome::new(
                        RollingRestart,
                        "a new object under a new name; the pods that read it are exchanged one after the other",
                    ),
                };
            }
            if is_shrunk(change) {
                return Outcome::new(
                    Refused,
                    "a volume cannot shrink: its data must be copied to a new one",
                );
            }
            if is_locked(new)
                && matches!(words.first(), Some(&("data" | "binaryData" | "stringData")))
            {
                return Outcome::new(
                    Refused,
                    "it is marked immutable: delete the object and apply again",
                );
            }
            let outcome = look_up(KUBERNETES, kind, &words);
            let at_once = text_at(&new.value, &["spec", "strategy", "type"]) == Some("Recreate");
            let by_hand =
                text_at(&new.value, &["spec", "updateStrategy", "type"]) == Some("OnDelete");
            match outcome.effect {
                RollingRestart if at_once => Outcome::new(
                    Recreate,
                    "the pods' template changes, and the strategy is Recreate: all stop, then the new ones start",
                ),
                RollingRestart if by_hand => Outcome::new(
                    Nothing,
                    "the pods' template changes, and the strategy is OnDelete: pods stay until somebody deletes them",
                ),
                _ => outcome,
            }
        }
        Dialect::Compose | Dialect::Swarm if waits(old) && waits(new) => {
            Outcome::new(Nothing, "holds from the next run on")
        }
        Dialect::Compose => look_up(COMPOSE, kind, &with_setting(new, &words)),
        Dialect::Swarm => {
            let outcome = look_up(SWARM, kind, &with_setting(new, &words));
            let parallel = at(&new.value, &["deploy", "update_config", "parallelism"]);
            if outcome.effect == RollingRestart && parallel == Some(&Json::from(0)) {
                return Outcome::new(
                    Recreate,
                    "the tasks' specification changes, and all of them are exchanged at once",
                );
            }
            outcome
        }
        Dialect::Plain => Outcome::default(),
    }
}

/// Says whether a service of an engine runs only when it is told to, or at its times.
pub fn waits(unit: &Unit) -> bool {
    if unit.key.kind != "service" {
        return false;
    }
    match unit.key.dialect {
        Dialect::Swarm => at(&unit.value, &["deploy", "replicas"]) == Some(&Json::from(0)),
        _ => {
            let profiles = unit.value.get("profiles").and_then(Json::as_array);
            let only = profiles
                .is_some_and(|all| all.iter().all(|one| one == SCHEDULED || one == ON_DEMAND));
            only && text_at(&unit.value, &["restart"]) == Some("no")
        }
    }
}

/// A setting of the whole file has no path of its own: its name is one.
fn with_setting<'w>(unit: &'w Unit, words: &[&'w str]) -> Vec<&'w str> {
    let name = (unit.key.kind == "setting").then_some(unit.key.name.as_str());
    name.into_iter().chain(words.iter().copied()).collect()
}

fn is_locked(unit: &Unit) -> bool {
    unit.value.get("immutable") == Some(&Json::Bool(true))
}

/// Says whether a field is the size of a volume that gets smaller.
pub fn is_shrunk(change: &FieldChange) -> bool {
    let is_size = match change.path.0.as_slice() {
        [.., Step::Key(around), Step::Key(last)] => {
            (last == "storage" && around == "requests")
                || (last == "size" && around.to_lowercase().contains("storage"))
        }
        _ => false,
    };
    let size = |value: &Option<Json>| value.as_ref().and_then(|value| quantity(&shown(value)));
    is_size && matches!((size(&change.old), size(&change.new)), (Some(old), Some(new)) if new < old)
}

/// Reads a quantity of Kubernetes, or a size of Compose, in thousandths.
pub fn quantity(text: &str) -> Option<u128> {
    const UNITS: &[(&str, u128)] = &[
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
        ("Ki", 1 << 10),
        ("Mi", 1 << 20),
        ("Gi", 1 << 30),
        ("Ti", 1 << 40),
        ("Pi", 1 << 50),
        // In Compose these are binary, and only ever compared with each other.
        ("K", 1 << 10),
        ("k", 1_000),
        ("M", 1 << 20),
        ("G", 1 << 30),
        ("T", 1 << 40),
        ("B", 1),
    ];
    let (number, factor) = match text.strip_suffix('m') {
        Some(number) => (number, 1),
        None => UNITS
            .iter()
            .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor * 1_000)))
            .unwrap_or((text, 1_000)),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit()) && part.len() <= 18;
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let thousandths: u128 = format!("{fraction:0<3}")[..3].parse().ok()?;
    Some(whole.parse::<u128>().ok()? * factor + thousandths * factor / 1_000)
}

/// Says what it does that a unit comes.
pub fn of_added(unit: &Unit) -> Outcome {
    match (unit.key.dialect, unit.key.kind.as_str()) {
        (
            Dialect::Kubernetes,
            "Deployment" | "StatefulSet" | "DaemonSet" | "Job" | "CronJob" | "Pod",
        )
        | (Dialect::Compose | Dialect::Swarm, "service") => {
            Outcome::new(Nothing, "it starts; what runs is not touched")
        }
        (Dialect::Kubernetes, "NetworkPolicy" | "AuthorizationPolicy" | "PeerAuthentication") => {
            Outcome::new(Reload, "the network follows within seconds")
        }
        _ => Outcome::new(Nothing, "it is made; what runs is not touched"),
    }
}

/// Kinds of objects that take data along when they go.
const KEEPERS: &[(&str, &str)] = &[
    (
        "PersistentVolumeClaim",
        "who deletes it deletes the volume too, unless it is retained",
    ),
    (
        "PersistentVolume",
        "who deletes it loses the way to the data",
    ),
    (
        "Namespace",
        "who deletes it deletes everything in it, claims included",
    ),
    (
        "CustomResourceDefinition",
        "who deletes it deletes all objects of its kind",
    ),
    (
        "StatefulSet",
        "its claims stay, but nothing uses or backs up what is in them",
    ),
];

/// Says what it does that a unit goes.
pub fn of_removed(unit: &Unit) -> Outcome {
    match (unit.key.dialect, unit.key.kind.as_str()) {
        (Dialect::Kubernetes, _) if unit.is_named_by_content() => {
            Outcome::new(Nothing, "it stays until it is pruned")
        }
        (Dialect::Kubernetes, kind) => {
            if let Some((_, why)) = KEEPERS.iter().find(|(known, _)| *known == kind) {
                return Outcome::new(DataAtRisk, *why);
            }
            let stores = at(&unit.value, &["spec", "storage"]).is_some();
            if stores {
                return Outcome::new(
                    DataAtRisk,
                    "its operator deletes what it stores along with it",
                );
            }
            Outcome::new(Nothing, "it stays in the cluster until somebody deletes it")
        }
        (Dialect::Compose, "service") => Outcome::new(
            Nothing,
            "its container runs on as an orphan until `up --remove-orphans`",
        ),
        (Dialect::Swarm, "service") => Outcome::new(
            Nothing,
            "it runs on until `docker service rm`, or a deployment with `--prune`",
        ),
        (Dialect::Compose | Dialect::Swarm, "volume") => Outcome::new(
            DataAtRisk,
            "nothing uses it any more; `docker volume prune` would delete what is in it",
        ),
        _ => Outcome::new(Nothing, "what is no longer there is not used"),
    }
}

/// Says what another name for the same unit does.
pub fn of_renamed(unit: &Unit) -> Outcome {
    match (unit.key.dialect, unit.key.kind.as_str()) {
        (Dialect::Kubernetes, "StatefulSet" | "PersistentVolumeClaim" | "Namespace")
        | (Dialect::Compose | Dialect::Swarm, "volume") => Outcome::new(
            DataAtRisk,
            "under the new name it begins empty: the data stays under the old one",
        ),
        (Dialect::Kubernetes, "Deployment" | "DaemonSet" | "Job" | "CronJob") => Outcome::new(
            Recreate,
            "the new one starts; the old one stays until somebody deletes it",
        ),
        (Dialect::Compose | Dialect::Swarm, "service") => {
            Outcome::new(Recreate, "the old one goes, the new one starts")
        }
        (Dialect::Compose, "network") => Outcome::new(Recreate, "containers on it are made again"),
        (Dialect::Swarm, "network") => Outcome::new(RollingRestart, "tasks on it are exchanged"),
        _ => Outcome::new(
            Reload,
            "made under the new name; the old one stays until somebody deletes it",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_compared_exactly() {
        for (less, more) in [
            ("900m", "1"),
            ("1500Mi", "1.5Gi"),
            ("10Gi", "20Gi"),
            ("512M", "1G"),
            ("0.5", "750m"),
        ] {
            let (one, other) = (quantity(less), quantity(more));
            assert!(one.is_some() && other.is_some(), "{less} {more}");
            assert!(
                one <= other && (less == "1500Mi" || one < other),
                "{less} {more}"
            );
        }
        for text in ["", "Gi", "abc", "1.2.3", "-1", "1e3"] {
            assert_eq!(quantity(text), None, "{text}");
        }
    }

    #[test]
    fn every_table_ends_with_what_fits_all() {
        for (table, kind) in [(KUBERNETES, "X"), (COMPOSE, "service"), (SWARM, "service")] {
            assert!(table.iter().any(|line| fits(line, kind, &["any", "field"])));
        }
        for table in [KUBERNETES, COMPOSE, SWARM] {
            for (at, line) in table.iter().enumerate() {
                let words: Vec<&str> = line.1.split('.').collect();
                let kind = line.0.split(' ').next().unwrap_or_default();
                let first = table.iter().position(|other| fits(other, kind, &words));
                assert_eq!(first, Some(at), "{} {} is never reached", line.0, line.1);
            }
        }
    }
}
