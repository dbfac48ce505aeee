//! What a blueprint says of metrics and alerts: `metrics.toml` and `alerts.toml` beside its `blueprint.toml`, read into types.
//!
//! Names and cases are checked here; queries are when all names of a component are known, in `resolve`.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::Deserialize;

use super::FAULTY_BLUEPRINT;
use super::model::{Expr, Filled};
use crate::diagnostic::Finding;
use crate::names;
use crate::schema::Schema;
use crate::source::{FileId, KeyPath, Place};
use crate::terms::{AlertSeverity, Locale, MetricKind};

/// The file that declares what is exported.
pub const METRICS_FILE: &str = "metrics.toml";

/// The file that declares when somebody is told, and what.
pub const ALERTS_FILE: &str = "alerts.toml";

/// The schema of `metrics.toml`.
pub static METRICS_SCHEMA: LazyLock<Schema> = LazyLock::new(Schema::of::<Metrics>);

/// The schema of `alerts.toml`.
pub static ALERTS_SCHEMA: LazyLock<Schema> = LazyLock::new(Schema::of::<Alerts>);

/// Metrics by the set that they belong to, and by their name.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(title = "Lakewright blueprint: metrics")]
pub struct Metrics(BTreeMap<String, BTreeMap<String, Metric>>);

impl Deref for Metrics {
    type Target = BTreeMap<String, BTreeMap<String, Metric>>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// A metric.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// What it is. A histogram brings its `_bucket`, `_sum` and `_count`, a summary its `_sum` and `_count`.
    #[serde(rename = "type")]
    pub kind: MetricKind,
    /// What its value says, in one sentence.
    #[schemars(length(min = 1))]
    pub help: String,
    /// What is counted: `seconds`, `bytes`, `ratio`.
    pub unit: Option<String>,
    /// Labels, beside those that every series has.
    #[serde(default)]
    pub labels: Vec<String>,
    /// It is exported only when this is true.
    pub when: Option<Expr>,
    /// Where it is known from.
    pub source: Option<String>,
}

/// Recording rules, alerts and service level objectives.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Lakewright blueprint: alerts")]
pub struct Alerts {
    /// What is computed ahead, by the name of the new metric: `level:metric:operation`.
    #[serde(default)]
    pub records: BTreeMap<String, Record>,
    /// When somebody is told.
    #[serde(default)]
    pub alerts: BTreeMap<String, Alert>,
    /// What users may rely on.
    #[serde(default)]
    pub slos: BTreeMap<String, Slo>,
}

/// A metric that is computed from others.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Query in PromQL.
    pub expr: Filled,
    /// It is computed only when this is true.
    pub when: Option<Expr>,
    /// Labels that are added.
    #[serde(default)]
    pub labels: BTreeMap<String, Filled>,
}

/// A state that somebody is told of.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Alert {
    /// It exists only when this is true.
    pub when: Option<Expr>,
    /// Query in PromQL: what it returns is in that state.
    pub expr: Filled,
    /// How long the state must last, as Prometheus writes durations; at once unless given.
    #[serde(rename = "for")]
    pub hold: Option<Filled>,
    /// How long it goes on when the state is over.
    pub keep_firing_for: Option<Filled>,
    /// How bad it is.
    pub severity: AlertSeverity,
    /// Labels that are added.
    #[serde(default)]
    pub labels: BTreeMap<String, Filled>,
    /// What is so, in one line; `{{ $labels.x }}` and `{{ $value }}` are filled in by Prometheus.
    pub summary: FilledWords,
    /// What it means, with numbers.
    pub description: FilledWords,
    /// What to look at and what to do, in Markdown.
    pub runbook: FilledWords,
    /// Series with which it fires.
    #[serde(default)]
    pub fires: Vec<Firing>,
    /// Series with which it does not, though nearly.
    #[serde(default)]
    pub silent: Vec<Silent>,
}

/// Series with which an alert fires.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Firing {
    /// Values by series, in promtool's notation: `"1x5 0x10"`.
    pub series: BTreeMap<String, Filled>,
    /// When it is looked at.
    pub at: Filled,
    /// How many alerts fire then.
    #[serde(default = "one")]
    #[schemars(range(min = 1))]
    pub count: u64,
    /// Time from one value to the next; a minute unless given.
    pub interval: Option<Filled>,
}

fn one() -> u64 {
    1
}

/// Series with which an alert stays silent.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Silent {
    /// Values by series, in promtool's notation.
    pub series: BTreeMap<String, Filled>,
    /// When it is looked at.
    pub at: Filled,
    /// Time from one value to the next; a minute unless given.
    pub interval: Option<Filled>,
}

/// A promise to users: what part of all that they ask for succeeds.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Slo {
    /// It exists only when this is true.
    pub when: Option<Expr>,
    /// Percentage of what succeeds in 30 days: `"99.5"`.
    pub objective: Filled,
    /// Query for what failed in `${window}`, as a rate.
    pub errors: Filled,
    /// Query for all that was asked for in `${window}`, as a rate.
    pub total: Filled,
    /// Labels that are added to its alerts.
    #[serde(default)]
    pub labels: BTreeMap<String, Filled>,
    /// What is so when too much fails, in one line.
    pub summary: FilledWords,
    /// What it means.
    pub description: FilledWords,
    /// What to look at and what to do, in Markdown.
    pub runbook: FilledWords,
}

/// A text for people with `${expr}` in it: English, or English and French.
#[derive(Clone, PartialEq, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum FilledWords {
    /// English only.
    #[schemars(title = "a text")]
    English(Filled),
    /// Both.
    #[schemars(title = "a table { en, fr }")]
    Both {
        /// English.
        en: Filled,
        /// French.
        fr: Filled,
    },
}

impl FilledWords {
    /// Returns the text in a language; English where it has no other.
    pub fn get(&self, locale: Locale) -> &Filled {
        match (self, locale) {
            (Self::Both { fr, .. }, Locale::Fr) => fr,
            (Self::English(en) | Self::Both { en, .. }, _) => en,
        }
    }

    /// Returns the key below its own at which the text in a language stands.
    pub fn key(&self, locale: Locale) -> Option<&'static str> {
        match (self, locale) {
            (Self::English(_), _) => None,
            (Self::Both { .. }, Locale::Fr) => Some("fr"),
            (Self::Both { .. }, _) => Some("en"),
        }
    }
}

/// Labels that every scraped series has, so that no metric can have them for something else.
const SCRAPED: [&str; 4] = ["component", "instance", "job", "service"];

/// Checks the names in `metrics.toml`.
///
/// # Errors
/// Those that Prometheus does not take.
pub(super) fn metrics(metrics: Metrics, file: FileId) -> Result<Metrics, Vec<Finding>> {
    let mut findings = Vec::new();
    for (set, all) in metrics.iter() {
        for (name, metric) in all {
            let path = KeyPath::of([set, name]);
            if !names::is_metric(name) {
                let fault = format!("`{name}` is no metric's name");
                findings.push(fault_of(Place::key(file, path.clone()), fault));
            }
            for (at, label) in metric.labels.iter().enumerate() {
                let place = || Place::value(file, path.key("labels").index(at));
                if !names::is_metric(label) || label.contains(':') {
                    findings.push(fault_of(place(), format!("`{label}` is no label's name")));
                } else if SCRAPED.contains(&label.as_str()) {
                    let fault = format!("every series has a label `{label}` of the scrape");
                    findings.push(fault_of(place(), fault).help("take it off the list"));
                }
            }
        }
    }
    none(findings).map(|()| metrics)
}

/// Checks the names in `alerts.toml`, and that every alert has its cases.
///
/// # Errors
/// Names that mean something else, and missing cases.
pub(super) fn alerts(alerts: Alerts, file: FileId) -> Result<Alerts, Vec<Finding>> {
    let mut findings = Vec::new();
    for name in alerts.records.keys() {
        if !names::is_metric(name) || !name.contains(':') {
            let place = Place::key(file, KeyPath::of(["records", name]));
            findings.push(
                fault_of(place, format!("`{name}` is no recording rule's name"))
                    .help("name it `level:metric:operation`, so that nobody takes it for a scraped metric"),
            );
        }
    }
    for (name, alert) in &alerts.alerts {
        let place = || Place::key(file, KeyPath::of(["alerts", name]));
        if !names::is_alert(name) {
            findings.push(
                fault_of(place(), format!("`{name}` is no alert's name"))
                    .help("name it in words that begin with capitals, the system's first: `PostgresqlDown`"),
            );
        }
        for (missing, key, what) in [
            (alert.fires.is_empty(), "fires", "fires"),
            (alert.silent.is_empty(), "silent", "stays silent"),
        ] {
            if missing {
                findings.push(
                    fault_of(place(), format!("`{name}` has no case in which it {what}")).help(
                        format!("add [[alerts.{name}.{key}]] with `series` and `at`"),
                    ),
                );
            }
        }
    }
    for name in alerts.slos.keys() {
        if !names::is_name(name) {
            let place = Place::key(file, KeyPath::of(["slos", name]));
            findings.push(fault_of(place, format!("`{name}` is no objective's name")));
        }
    }
    none(findings).map(|()| alerts)
}

fn none(findings: Vec<Finding>) -> Result<(), Vec<Finding>> {
    if findings.is_empty() {
        Ok(())
    } else {
        Err(findings)
    }
}

fn fault_of(place: Place, message: String) -> Finding {
    Finding::new(&FAULTY_BLUEPRINT, place, message)
}
