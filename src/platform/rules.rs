//! What is measured, what is computed from it, and when somebody is told.

use std::collections::BTreeMap;

use crate::source::Place;
use crate::terms::{AlertSeverity, MetricKind};

/// What a component says of its metrics and alerts.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Metrics by set and name: what it exports in this environment.
    pub metrics: BTreeMap<String, BTreeMap<String, Metric>>,
    /// What is computed ahead, sorted by name.
    pub records: Vec<Record>,
    /// When somebody is told: those that were taken out are not among them. Sorted by name.
    pub alerts: Vec<Alert>,
}

/// A metric.
#[derive(Clone, Debug)]
pub struct Metric {
    /// What it is.
    pub kind: MetricKind,
    /// What its value says.
    pub help: String,
    /// What is counted.
    pub unit: Option<String>,
    /// Labels, beside those of the scrape.
    pub labels: Vec<String>,
}

impl Metric {
    /// Returns the names of its series.
    pub fn series(&self, name: &str) -> Vec<String> {
        let suffixes: &[&str] = match self.kind {
            MetricKind::Counter | MetricKind::Gauge | MetricKind::Info => &[""],
            MetricKind::Histogram => &["_bucket", "_sum", "_count"],
            MetricKind::Summary => &["", "_sum", "_count"],
        };
        let names = suffixes.iter().map(|suffix| format!("{name}{suffix}"));
        names.collect()
    }
}

/// A metric that is computed from others.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its name.
    pub name: String,
    /// Query, about this component alone unless it says otherwise.
    pub expr: String,
    /// Labels that are added, `component` among them.
    pub labels: BTreeMap<String, String>,
}

/// A state that somebody is told of.
#[derive(Clone, Debug)]
pub struct Alert {
    /// Its name; unique within its component.
    pub name: String,
    /// Query, about this component alone unless it says otherwise.
    pub expr: String,
    /// Whether it is about nothing but its component.
    pub own: bool,
    /// How long the state must last, as a duration of Prometheus.
    pub hold: Option<String>,
    /// How long it goes on when the state is over, as a duration of Prometheus.
    pub keep_firing_for: Option<String>,
    /// How bad it is.
    pub severity: AlertSeverity,
    /// Labels that are added, beside those that follow from all the rest.
    pub labels: BTreeMap<String, String>,
    /// What is so, in one line; Prometheus fills `{{ }}` in.
    pub summary: String,
    /// What it means, if that is said; Prometheus fills `{{ }}` in.
    pub description: Option<String>,
    /// What to look at and what to do, in Markdown; empty where nobody says.
    pub runbook: String,
    /// Series with which it fires, and with which it does not.
    pub cases: Vec<Case>,
    /// Where it comes from.
    pub place: Place,
}

/// Series with which an alert fires, or does not.
#[derive(Clone, Debug)]
pub struct Case {
    /// Values by series, in promtool's notation.
    pub series: BTreeMap<String, String>,
    /// Time from one value to the next, as a duration of Prometheus.
    pub interval: String,
    /// When it is looked at, as a duration of Prometheus.
    pub at: String,
    /// How many alerts fire then.
    pub firing: u64,
}
