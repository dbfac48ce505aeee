//! Rule files of Prometheus: recording rules and alerts of each component.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::platform::rules::{Alert, Rules};

/// The rules of one component, with what all of its alerts bear.
#[derive(Debug)]
pub struct Source<'r> {
    /// Name of the component.
    pub component: &'r str,
    /// Its rules.
    pub rules: &'r Rules,
    /// Who looks after it.
    pub owner: Option<&'r str>,
    /// Links to the runbook's sections, by the alert's name.
    pub runbook_urls: &'r BTreeMap<String, String>,
}

/// A file of rules.
#[derive(Debug, Serialize)]
pub struct RuleFile {
    /// Its groups.
    pub groups: Vec<Group>,
}

/// Rules that are evaluated one after the other.
#[derive(Debug, Serialize)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// The rules.
    pub rules: Vec<Rule>,
}

/// A rule.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Rule {
    /// A metric that is computed.
    Record {
        /// Its name.
        record: String,
        /// Query.
        expr: String,
        /// Labels that are added.
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        labels: BTreeMap<String, String>,
    },
    /// A state that somebody is told of.
    Alert {
        /// Its name.
        alert: String,
        /// Query.
        expr: String,
        /// How long the state must last.
        #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
        hold: Option<String>,
        /// How long it goes on afterwards.
        #[serde(skip_serializing_if = "Option::is_none")]
        keep_firing_for: Option<String>,
        /// Labels that are added.
        labels: BTreeMap<String, String>,
        /// Texts for people.
        annotations: BTreeMap<&'static str, String>,
    },
}

/// Makes the rule files of components that have rules, by the component's name.
pub fn files<'r>(sources: impl IntoIterator<Item = Source<'r>>) -> BTreeMap<String, RuleFile> {
    let sources = sources.into_iter();
    let sources = sources
        .filter(|source| !source.rules.records.is_empty() || !source.rules.alerts.is_empty());
    sources
        .map(|source| (source.component.to_owned(), file(&source)))
        .collect()
}

fn file(source: &Source<'_>) -> RuleFile {
    let records = source.rules.records.iter().map(|record| Rule::Record {
        record: record.name.clone(),
        expr: record.expr.clone(),
        labels: record.labels.clone(),
    });
    let alerts = source.rules.alerts.iter().map(|alert| rule(source, alert));
    // One group: alerts are about what was recorded just before.
    RuleFile {
        groups: vec![Group {
            name: source.component.to_owned(),
            rules: records.chain(alerts).collect(),
        }],
    }
}

fn rule(source: &Source<'_>, alert: &Alert) -> Rule {
    let url = source.runbook_urls.get(&alert.name).cloned();
    let annotations = [
        ("summary", Some(alert.summary.clone())),
        ("description", Some(alert.description.clone())),
        ("runbook_url", url),
    ];
    Rule::Alert {
        alert: alert.name.clone(),
        expr: alert.expr.clone(),
        hold: alert.hold.clone(),
        keep_firing_for: alert.keep_firing_for.clone(),
        labels: labels(alert, source.component, source.owner),
        annotations: annotations
            .into_iter()
            .filter_map(|(name, text)| Some((name, text?)))
            .collect(),
    }
}

/// Returns the labels that an alert is sent with, beside those of what it is about.
pub fn labels(alert: &Alert, component: &str, owner: Option<&str>) -> BTreeMap<String, String> {
    let mut labels = alert.labels.clone();
    // Series of others say themselves whose they are.
    let own = alert.own.then_some(component);
    let all = [
        ("severity", Some(alert.severity.word())),
        ("component", own),
        ("owner", owner.filter(|_| alert.own)),
    ];
    for (name, value) in all {
        if let Some(value) = value {
            labels
                .entry(name.to_owned())
                .or_insert_with(|| value.to_owned());
        }
    }
    labels
}
