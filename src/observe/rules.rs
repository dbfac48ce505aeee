//! Rule files of Prometheus: recording rules and alerts of each component.

use std::collections::BTreeMap;

use serde::Serialize;

use super::promql::COMPONENT;
use super::runbook;
use crate::platform::Platform;
use crate::platform::alerting::Alerting;
use crate::platform::rules::{Alert, Rules};

/// All rules of a platform, and what all alerts bear.
#[derive(Debug)]
pub struct All<'r> {
    /// Components with their rules.
    pub components: Vec<(&'r str, &'r Rules)>,
    /// Alerts of the user's own.
    pub own: &'r [Alert],
    /// Who looks after components, and where the runbook lies.
    pub alerting: &'r Alerting,
}

impl<'r> All<'r> {
    /// Takes them from a platform.
    pub fn of(platform: &'r Platform) -> Self {
        let components = platform.components.iter();
        Self {
            components: components
                .map(|component| (component.name.as_str(), &component.rules))
                .collect(),
            own: &platform.own_alerts,
            alerting: &platform.alerting,
        }
    }

    /// Lists all alerts, each with the component that it comes with.
    pub fn alerts(&self) -> impl Iterator<Item = (Option<&'r str>, &'r Alert)> {
        let of_components = self.components.iter().flat_map(|(component, rules)| {
            let alerts = rules.alerts.iter();
            alerts.map(|alert| (Some(*component), alert))
        });
        of_components.chain(self.own.iter().map(|alert| (None, alert)))
    }

    /// Makes the rule files, by the component's name. What is the user's own is in a file of its own.
    pub fn files(&self) -> BTreeMap<String, RuleFile> {
        let sections = runbook::sections(self);
        let link = |component: Option<&str>, alert: &str| {
            let mut all = sections.iter();
            let section =
                all.find(|section| section.component == component && section.alert.name == alert)?;
            Some(section.link(self.alerting.runbook_url.as_deref()))
        };
        let mut files = BTreeMap::new();
        for (component, rules) in &self.components {
            let records = rules.records.iter().map(|record| Rule::Record {
                record: record.name.clone(),
                expr: record.expr.clone(),
                labels: record.labels.clone(),
            });
            let owner = self.alerting.owner(component);
            let alerts = rules.alerts.iter().map(|alert| {
                let own = Some((*component, owner)).filter(|_| alert.own);
                rule(alert, own, link(Some(component), &alert.name))
            });
            // One group: alerts are about what was recorded just before.
            add(&mut files, component, records.chain(alerts).collect());
        }
        let mut own = OWN.to_owned();
        while files.contains_key(&own) {
            own = format!("{own}-{OWN}");
        }
        let alerts = self.own.iter();
        let alerts = alerts.map(|alert| rule(alert, None, link(None, &alert.name)));
        add(&mut files, &own, alerts.collect());
        files
    }
}

/// The name of the file of the user's own alerts.
const OWN: &str = "own-rules";

fn add(files: &mut BTreeMap<String, RuleFile>, name: &str, rules: Vec<Rule>) {
    if !rules.is_empty() {
        let name = name.to_owned();
        let groups = vec![Group {
            name: name.clone(),
            rules,
        }];
        files.insert(name, RuleFile { groups });
    }
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

/// Makes the rule of an alert, which bears the component that it is about and who looks after that, if it is about one.
fn rule(alert: &Alert, own: Option<(&str, Option<&str>)>, url: Option<String>) -> Rule {
    let mut labels = alert.labels.clone();
    let all = [
        ("severity", Some(alert.severity.word())),
        (COMPONENT, own.map(|(component, _)| component)),
        ("owner", own.and_then(|(_, owner)| owner)),
    ];
    for (name, value) in all {
        if let Some(value) = value {
            labels
                .entry(name.to_owned())
                .or_insert_with(|| value.to_owned());
        }
    }
    let annotations = [
        ("summary", Some(alert.summary.clone())),
        ("description", alert.description.clone()),
        ("runbook_url", url),
    ];
    Rule::Alert {
        alert: alert.name.clone(),
        expr: alert.expr.clone(),
        hold: alert.hold.clone(),
        keep_firing_for: alert.keep_firing_for.clone(),
        labels,
        annotations: annotations
            .into_iter()
            .filter_map(|(name, text)| Some((name, text?)))
            .collect(),
    }
}
