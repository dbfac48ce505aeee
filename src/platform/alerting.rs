//! Who is told of alerts, when and how: the part of the model that notifications are made from.

use std::collections::BTreeMap;

use crate::source::Place;
use crate::terms::{AlertSeverity, Weekday};
use crate::units::Seconds;

/// The receiver that is told what no route takes.
pub const DEFAULT_RECEIVER: &str = "default";

/// The label of an alert's component, which routes and inhibitions go by.
pub const COMPONENT_LABEL: &str = "component";

/// Who is told of alerts, when and how.
#[derive(Debug)]
pub struct Alerting {
    /// Where it is said, if it is.
    pub place: Option<Place>,
    /// What links to the runbook begin with, without a slash at the end.
    pub runbook_url: Option<String>,
    /// The server that sends mail.
    pub mail: Option<Mail>,
    /// Who can be told, sorted by name.
    pub receivers: Vec<Receiver>,
    /// Who is told what: each that fits an alert tells its receivers.
    pub routes: Vec<Route>,
    /// Position of the receiver that is told what no route takes.
    pub fallback: Option<usize>,
    /// Times in which routes tell nobody, sorted by name.
    pub quiet_hours: Vec<QuietHours>,
    /// Who looks after which component.
    pub owners: BTreeMap<String, String>,
    /// Who looks after all others.
    pub default_owner: Option<String>,
    /// The sign of life.
    pub heartbeat: Option<Heartbeat>,
    /// The user's own alerts, sorted by name.
    pub rules: Vec<AlertRule>,
    /// The component that tells, if there is one.
    pub sender: Option<String>,
    /// The component that finds out what is wrong, if there is one.
    pub watcher: Option<String>,
}

/// The server that sends mail.
#[derive(Clone, Debug)]
pub struct Mail {
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Address that mail comes from.
    pub from: String,
    /// Account on it; its password is a secret.
    pub user: Option<String>,
    /// Whether nothing is sent unencrypted.
    pub tls: bool,
}

/// Someone who can be told.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// The name.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// Mail addresses.
    pub email: Vec<String>,
    /// Slack channel; the address of its webhook is a secret.
    pub slack: Option<String>,
    /// Address that alerts are posted to.
    pub webhook: Option<Address>,
}

/// An address that something is posted to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Address {
    /// As it stands in the topology.
    Known(String),
    /// A secret.
    Secret,
}

/// Who is told of which alerts.
#[derive(Clone, Debug)]
pub struct Route {
    /// How bad an alert must be, worst first.
    pub severity: Vec<AlertSeverity>,
    /// Components of this environment that it is about; all, if none.
    pub components: Option<Vec<String>>,
    /// Owners of these; all, if empty.
    pub owners: Vec<String>,
    /// Positions of who is told.
    pub receivers: Vec<usize>,
    /// Names of the quiet hours in which nobody is.
    pub quiet: Vec<String>,
}

/// Times in which routes tell nobody.
#[derive(Clone, Debug)]
pub struct QuietHours {
    /// Their name.
    pub name: String,
    /// Days on which they begin, Monday first.
    pub days: Vec<Weekday>,
    /// When they begin, in minutes since midnight.
    pub from: u16,
    /// When they end: on the next day, where that is not later.
    pub to: u16,
    /// Time zone, by its name in the IANA's database.
    pub zone: String,
}

/// A sign of life.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    /// Who gets it.
    pub to: Pulse,
    /// Time from one to the next.
    pub interval: Seconds,
}

/// Who gets the sign of life.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Pulse {
    /// Position of one of the receivers.
    Receiver(usize),
    /// An address of its own.
    Address(Address),
}

/// An alert of the user's own.
#[derive(Clone, Debug)]
pub struct AlertRule {
    /// Its name.
    pub name: String,
    /// Where its name stands.
    pub place: Place,
    /// Condition in PromQL.
    pub expr: String,
    /// Where the condition stands.
    pub expr_place: Place,
    /// How long it must hold, as a duration of Prometheus.
    pub hold: String,
    /// How bad it is.
    pub severity: AlertSeverity,
    /// One line.
    pub summary: String,
    /// Where that stands.
    pub summary_place: Place,
    /// What it means.
    pub description: Option<(String, Place)>,
    /// What to do, as Markdown.
    pub runbook: Option<String>,
    /// The component that it is about.
    pub component: Option<String>,
}

impl Alerting {
    /// Returns who looks after a component.
    pub fn owner(&self, component: &str) -> Option<&str> {
        let own = self.owners.get(component);
        own.or(self.default_owner.as_ref()).map(String::as_str)
    }

    /// Returns the positions of who is told of a component's alerts of one severity, whatever the time of day; sorted.
    pub fn told(&self, component: &str, severity: AlertSeverity) -> Vec<usize> {
        let owner = self.owner(component);
        let mut told: Vec<usize> = Vec::new();
        let mut taken = false;
        for route in &self.routes {
            if route.fits(component, owner, severity) {
                taken = true;
                told.extend(&route.receivers);
            }
        }
        if !taken && severity != AlertSeverity::Info {
            told.extend(self.fallback);
        }
        told.sort_unstable();
        told.dedup();
        told
    }
}

impl Route {
    /// Says whether alerts of a component are told by it.
    pub fn fits(&self, component: &str, owner: Option<&str>, severity: AlertSeverity) -> bool {
        let listed = |all: &[String], one: &str| all.iter().any(|listed| listed == one);
        self.severity.contains(&severity)
            && self
                .components
                .as_ref()
                .is_none_or(|all| listed(all, component))
            && (self.owners.is_empty() || owner.is_some_and(|owner| listed(&self.owners, owner)))
    }
}

impl Receiver {
    /// Returns the end of the name of the secret that holds the address of its Slack webhook.
    pub fn slack_secret(&self) -> String {
        format!("slack-{}", self.name)
    }

    /// Returns the end of the name of the secret that holds the address that alerts are posted to.
    pub fn webhook_secret(&self) -> String {
        format!("webhook-{}", self.name)
    }
}

/// The end of the name of the secret that holds the password of the mail account.
pub const MAIL_SECRET: &str = "mail-password";

/// The end of the name of the secret that holds the address that the sign of life is posted to.
pub const HEARTBEAT_SECRET: &str = "heartbeat-url";
