//! Who is told of alerts, as the user described it: `[alerting]` with the environment's own laid over it.
//!
//! In comes the validated topology, out comes [`LayeredAlerting`]. What stands for itself alone is checked here; whether
//! the names in it exist is known when the components are.

use std::collections::BTreeMap;

use super::Topology;
use super::layer::{Sourced, needed, overlaid, text, texts, texts_of, word};
use crate::diagnostic::{Finding, nearest};
use crate::names;
use crate::schema::{ILLEGAL_VALUE, MISSING_KEY};
use crate::source::Place;
use crate::terms::{AlertSeverity, Weekday};
use crate::tree::Tree;
use crate::units::Seconds;
use crate::value::Value;

/// Who is told of alerts.
#[derive(Debug, Default)]
pub struct LayeredAlerting {
    /// Where the table stands, if there is one.
    pub place: Option<Place>,
    /// What links to the runbook begin with.
    pub runbook_url: Option<Sourced<String>>,
    /// The server that sends mail.
    pub mail: Option<LayeredMail>,
    /// Who can be told.
    pub receivers: BTreeMap<String, LayeredReceiver>,
    /// Who is told what.
    pub routes: Vec<LayeredRoute>,
    /// Times in which nobody is told.
    pub quiet_hours: BTreeMap<String, LayeredQuietHours>,
    /// Who looks after which component; `default` stands for the rest.
    pub owners: BTreeMap<String, Sourced<String>>,
    /// The sign of life.
    pub heartbeat: Option<LayeredHeartbeat>,
    /// The user's own alerts.
    pub rules: BTreeMap<String, LayeredAlertRule>,
}

/// The server that sends mail.
#[derive(Debug)]
pub struct LayeredMail {
    /// Host and port.
    pub server: Sourced<String>,
    /// Address that mail comes from.
    pub from: Sourced<String>,
    /// Account on the server.
    pub user: Option<Sourced<String>>,
    /// Whether nothing is sent unencrypted.
    pub tls: Option<Sourced<bool>>,
}

/// Someone who can be told.
#[derive(Debug)]
pub struct LayeredReceiver {
    /// Where its name stands.
    pub place: Place,
    /// Mail addresses.
    pub email: Vec<Sourced<String>>,
    /// Slack channel.
    pub slack: Option<Sourced<String>>,
    /// Address that alerts are posted to; none where it is a secret.
    pub webhook: Option<Sourced<Option<String>>>,
}

/// Who is told of which alerts.
#[derive(Debug)]
pub struct LayeredRoute {
    /// Where it stands.
    pub place: Place,
    /// How bad an alert must be; none where nobody said.
    pub severity: Vec<AlertSeverity>,
    /// Components that it is about; all, if empty.
    pub components: Vec<Sourced<String>>,
    /// Owners of these; all, if empty.
    pub owners: Vec<Sourced<String>>,
    /// Who is told.
    pub receivers: Vec<Sourced<String>>,
    /// Quiet hours in which nobody is.
    pub quiet: Vec<Sourced<String>>,
}

/// Times in which nobody is told.
#[derive(Debug)]
pub struct LayeredQuietHours {
    /// Where its name stands.
    pub place: Place,
    /// Days on which they begin; every day, if empty.
    pub days: Vec<Weekday>,
    /// When they begin, in minutes since midnight.
    pub from: Option<u16>,
    /// When they end.
    pub to: Option<u16>,
    /// Time zone.
    pub zone: Option<String>,
}

/// The sign of life.
#[derive(Debug)]
pub struct LayeredHeartbeat {
    /// One of the receivers.
    pub receiver: Option<Sourced<String>>,
    /// Address that it is posted to.
    pub url: Option<Sourced<String>>,
    /// Time from one to the next.
    pub interval: Option<Sourced<Seconds>>,
}

/// An alert of the user's own.
#[derive(Debug)]
pub struct LayeredAlertRule {
    /// Where its name stands.
    pub place: Place,
    /// Condition in PromQL.
    pub expr: Sourced<String>,
    /// How long it must hold.
    pub hold: Option<String>,
    /// How bad it is.
    pub severity: Option<AlertSeverity>,
    /// One line.
    pub summary: Sourced<String>,
    /// What it means.
    pub description: Option<Sourced<String>>,
    /// What to do.
    pub runbook: Option<String>,
    /// The component that it is about.
    pub component: Option<Sourced<String>>,
}

/// Lays an environment's table over the platform's, and reads it.
pub(super) fn read(
    topology: &Topology,
    environment: &Tree,
    findings: &mut Vec<Finding>,
) -> LayeredAlerting {
    let Some(tree) = overlaid("alerting", topology, environment, findings) else {
        return LayeredAlerting::default();
    };
    let entries = |key: &str| tree.get(key).into_iter().flat_map(Tree::entries);
    LayeredAlerting {
        place: Some(tree.key_place()),
        runbook_url: text(tree.get("runbook_url")),
        mail: tree.get("mail").and_then(|tree| mail(tree, findings)),
        receivers: entries("receivers")
            .map(|(name, tree)| (name.to_owned(), receiver(name, tree, findings)))
            .collect(),
        routes: tree
            .get("routes")
            .map(Tree::items)
            .unwrap_or_default()
            .iter()
            .map(route)
            .collect(),
        quiet_hours: entries("quiet_hours")
            .map(|(name, tree)| (name.to_owned(), quiet_hours(name, tree, findings)))
            .collect(),
        owners: texts_of(tree.get("owners")),
        heartbeat: tree.get("heartbeat").map(|tree| heartbeat(tree, findings)),
        rules: entries("rules")
            .filter_map(|(name, tree)| Some((name.to_owned(), rule(name, tree, findings)?)))
            .collect(),
    }
}

fn mail(tree: &Tree, findings: &mut Vec<Finding>) -> Option<LayeredMail> {
    let server = needed(
        tree,
        (
            "server",
            "name the server that takes mail, with its port: server = \"smtp.example.com:587\"",
        ),
        findings,
    );
    let from = needed(
        tree,
        (
            "from",
            "name the address that alerts come from: from = \"alerts@example.com\"",
        ),
        findings,
    );
    Some(LayeredMail {
        server: server?,
        from: from?,
        user: text(tree.get("user")),
        tls: tree
            .get("tls")
            .map(|tree| Sourced::from_tree(tree, tree.value() == Value::Bool(true))),
    })
}

fn receiver(name: &str, tree: &Tree, findings: &mut Vec<Finding>) -> LayeredReceiver {
    let receiver = LayeredReceiver {
        place: tree.key_place(),
        email: texts(tree.get("email")),
        slack: text(tree.get("slack")),
        webhook: tree
            .get("webhook")
            .map(|tree| Sourced::from_tree(tree, tree.text().map(str::to_owned))),
    };
    if receiver.email.is_empty() && receiver.slack.is_none() && receiver.webhook.is_none() {
        findings.push(
            Finding::new(
                &MISSING_KEY,
                receiver.place.clone(),
                format!("the receiver `{name}` has no address"),
            )
            .help("give it `email`, `slack` or `webhook`"),
        );
    }
    receiver
}

fn route(tree: &Tree) -> LayeredRoute {
    LayeredRoute {
        place: tree.place.clone(),
        severity: words(tree.get("severity"), AlertSeverity::from_word),
        components: texts(tree.get("components")),
        owners: texts(tree.get("owners")),
        receivers: texts(tree.get("receivers")),
        quiet: texts(tree.get("quiet")),
    }
}

/// Reads a list of words; it comes sorted.
fn words<T: Ord>(tree: Option<&Tree>, from_word: fn(&str) -> Option<T>) -> Vec<T> {
    let items = tree.map(Tree::items).unwrap_or_default();
    let mut words: Vec<T> = items
        .iter()
        .filter_map(|item| from_word(item.text()?))
        .collect();
    words.sort();
    words
}

fn quiet_hours(name: &str, tree: &Tree, findings: &mut Vec<Finding>) -> LayeredQuietHours {
    let time = |key: &str| {
        tree.get(key)
            .and_then(|tree| names::parse_time(tree.text()?))
    };
    let zone = tree.get("zone");
    if let Some((zone, name)) = zone.and_then(|zone| Some((zone, zone.text()?)))
        && !names::TIME_ZONES.lines().any(|known| known == name)
    {
        findings.push(
            Finding::new(
                &ILLEGAL_VALUE,
                zone.place.clone(),
                format!("there is no time zone \"{name}\""),
            )
            .help("zones are named after a place: \"Europe/Paris\", \"America/New_York\", \"UTC\"")
            .maybe_help(
                nearest(name, names::TIME_ZONES.lines())
                    .map(|meant| format!("did you mean \"{meant}\"?")),
            ),
        );
    }
    let hours = LayeredQuietHours {
        place: tree.key_place(),
        days: words(tree.get("days"), Weekday::from_word),
        from: time("from"),
        to: time("to"),
        zone: zone.and_then(Tree::text).map(str::to_owned),
    };
    // Any day has 00:00 and 24:00, so these are a whole one.
    let (from, to) = (hours.from.unwrap_or(0), hours.to.unwrap_or(24 * 60));
    let place = || {
        let said = tree.get("to").or_else(|| tree.get("from"));
        said.map_or_else(|| tree.key_place(), |said| said.place.clone())
    };
    if from == to || from == 24 * 60 {
        let message = format!("the quiet hours `{name}` end when they begin");
        let finding = Finding::new(&ILLEGAL_VALUE, place(), message)
            .help("let `to` be another time than `from`; leave both out for whole days");
        findings.push(finding);
    } else if from == 0 && to == 24 * 60 && matches!(hours.days.len(), 0 | 7) {
        findings.push(
            Finding::new(
                &ILLEGAL_VALUE,
                tree.key_place(),
                format!("the quiet hours `{name}` never end"),
            )
            .help("say on which `days` they are, or when they begin and end; for a route that tells nobody, remove the route"),
        );
    }
    hours
}

fn heartbeat(tree: &Tree, findings: &mut Vec<Finding>) -> LayeredHeartbeat {
    let heartbeat = LayeredHeartbeat {
        receiver: text(tree.get("receiver")),
        url: text(tree.get("url")),
        interval: word(tree.get("interval"), Seconds::parse),
    };
    if let (Some(receiver), Some(url)) = (&heartbeat.receiver, &heartbeat.url) {
        findings.push(
            Finding::new(
                &ILLEGAL_VALUE,
                url.place.clone(),
                "the heartbeat has a receiver and an address",
            )
            .related(receiver.place.clone(), "the receiver")
            .help("leave one of them"),
        );
    }
    if let Some(interval) = &heartbeat.interval
        && !(30..=86_400).contains(&interval.value.0)
    {
        findings.push(
            Finding::new(
                &ILLEGAL_VALUE,
                interval.place.clone(),
                format!("a heartbeat every {} is none", interval.value),
            )
            .help("use an interval from \"30s\" to \"1d\""),
        );
    }
    heartbeat
}

fn rule(name: &str, tree: &Tree, findings: &mut Vec<Finding>) -> Option<LayeredAlertRule> {
    let expr = needed(
        tree,
        (
            "expr",
            "say when it fires, in PromQL: expr = \"node_load1 > 10\"",
        ),
        findings,
    );
    let summary = needed(
        tree,
        (
            "summary",
            &format!("say in one line what is wrong when `{name}` fires"),
        ),
        findings,
    );
    Some(LayeredAlertRule {
        place: tree.key_place(),
        expr: expr?,
        hold: tree.get("for").and_then(Tree::text).map(str::to_owned),
        severity: word(tree.get("severity"), AlertSeverity::from_word).map(|word| word.value),
        summary: summary?,
        description: text(tree.get("description")),
        runbook: tree.get("runbook").and_then(Tree::text).map(str::to_owned),
        component: text(tree.get("component")),
    })
}
