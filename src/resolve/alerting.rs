//! Alerting of an environment: defaults, and whether what routes and rules name exists.
//!
//! In comes what the user said, out comes [`Alerting`]. Components are known by now, also those that were added by
//! themselves. A component that this environment leaves out is a name all the same: routes and owners are mostly those of
//! the whole platform.

use std::collections::BTreeSet;

use super::{Resolver, collect};
use crate::diagnostic::{Finding, suggest};
use crate::names;
use crate::platform::alerting::{
    Address, AlertRule, Alerting, DEFAULT_RECEIVER, Heartbeat, Mail, Pulse, QuietHours, Receiver,
    Route,
};
use crate::schema::MISSING_KEY;
use crate::terms::{AlertSeverity, Weekday};
use crate::topology::LayeredAlerting;
use crate::topology::alerting::{LayeredHeartbeat, LayeredRoute};
use crate::topology::layer::{Sourced, UNKNOWN_NAME};
use crate::units::Seconds;

/// The capability of what tells people of alerts.
pub(super) const ALERTS: &str = "alerts";

/// The capability of what finds out what is wrong.
const METRICS: &str = "metrics";

/// Time from one sign of life to the next unless given: less than what watchers outside wait for.
const HEARTBEAT: Seconds = Seconds(300);

/// How long a condition must hold unless given: two evaluations that went wrong are not enough.
const HOLD: &str = "5m";

/// The name that stands for all components that no other owner looks after.
const REST: &str = "default";

const END_OF_DAY: u16 = 24 * 60;

impl Resolver<'_, '_> {
    /// Resolves who is told of alerts.
    pub(super) fn alerting(&mut self) -> Alerting {
        let given = &self.layered.alerting;
        let mut findings = Vec::new();
        let known: BTreeSet<&str> = self
            .drafts
            .iter()
            .map(|draft| draft.name.as_str())
            .chain(self.layered.left_out.iter().map(String::as_str))
            .collect();
        let exists = |kind: &str,
                      name: &Sourced<String>,
                      known: &BTreeSet<&str>,
                      findings: &mut Vec<Finding>| {
            if !known.contains(name.value.as_str()) {
                findings.push(unknown(kind, name, known));
            }
        };
        let receiver_names: BTreeSet<&str> = given.receivers.keys().map(String::as_str).collect();
        let quiet_names: BTreeSet<&str> = given.quiet_hours.keys().map(String::as_str).collect();
        let owner_names: BTreeSet<&str> = given
            .owners
            .values()
            .map(|owner| owner.value.as_str())
            .collect();
        for route in &given.routes {
            for (kind, names, known) in [
                ("component", &route.components, &known),
                ("owner", &route.owners, &owner_names),
                ("receiver", &route.receivers, &receiver_names),
                ("quiet hours", &route.quiet, &quiet_names),
            ] {
                for name in names {
                    exists(kind, name, known, &mut findings);
                }
            }
        }
        for (component, owner) in given.owners.iter().filter(|(name, _)| *name != REST) {
            if !known.contains(component.as_str()) {
                let key = Sourced {
                    value: component.clone(),
                    place: owner.place.of_key(),
                    replaced: Vec::new(),
                };
                findings.push(unknown("component", &key, &known));
            }
        }
        for component in given
            .rules
            .values()
            .filter_map(|rule| rule.component.as_ref())
        {
            exists("component", component, &known, &mut findings);
        }
        if let Some(receiver) = given
            .heartbeat
            .as_ref()
            .and_then(|heartbeat| heartbeat.receiver.as_ref())
        {
            exists("receiver", receiver, &receiver_names, &mut findings);
        }
        if given.mail.is_none() {
            for address in given
                .receivers
                .values()
                .filter_map(|receiver| receiver.email.first())
            {
                findings.push(
                    Finding::new(
                        &MISSING_KEY,
                        address.place.clone(),
                        "no server is named that sends mail",
                    )
                    .help(
                        "add [alerting.mail] with `server`, `from` and, where it wants one, `user`",
                    ),
                );
            }
        }
        self.findings.append(&mut findings);

        let receivers: Vec<Receiver> = given
            .receivers
            .iter()
            .map(|(name, receiver)| Receiver {
                name: name.clone(),
                place: receiver.place.clone(),
                email: values(&receiver.email),
                slack: receiver.slack.as_ref().map(|slack| slack.value.clone()),
                webhook: receiver.webhook.as_ref().map(|address| {
                    address
                        .value
                        .clone()
                        .map_or(Address::Secret, Address::Known)
                }),
            })
            .collect();
        let position = |name: &Sourced<String>| {
            receivers
                .binary_search_by(|receiver| receiver.name.as_str().cmp(&name.value))
                .ok()
        };
        let routes: Vec<Route> = given
            .routes
            .iter()
            .map(|route| self.route(route, &position))
            .collect();
        let fallback = match receivers.as_slice() {
            [_] if routes.is_empty() => Some(0),
            all => all
                .iter()
                .position(|receiver| receiver.name == DEFAULT_RECEIVER),
        };
        Alerting {
            place: given.place.clone(),
            runbook_url: given
                .runbook_url
                .as_ref()
                .map(|url| url.value.trim_end_matches('/').to_owned()),
            mail: given.mail.as_ref().and_then(|mail| {
                let (host, port) = names::parse_host_port(&mail.server.value)?;
                Some(Mail {
                    host: host.to_owned(),
                    port,
                    from: mail.from.value.clone(),
                    user: mail.user.as_ref().map(|user| user.value.clone()),
                    tls: mail.tls.as_ref().is_none_or(|tls| tls.value),
                })
            }),
            routes,
            fallback,
            quiet_hours: quiet_hours(given),
            owners: given
                .owners
                .iter()
                .filter(|(name, _)| *name != REST)
                .map(|(name, owner)| (name.clone(), owner.value.clone()))
                .collect(),
            default_owner: given.owners.get(REST).map(|owner| owner.value.clone()),
            heartbeat: given
                .heartbeat
                .as_ref()
                .map(|given| heartbeat(given, &position)),
            rules: rules(given),
            sender: self.provider_of(ALERTS),
            watcher: self.provider_of(METRICS),
            receivers,
        }
    }

    /// Resolves a route; components that are not here fall out of it.
    fn route(
        &self,
        given: &LayeredRoute,
        position: &dyn Fn(&Sourced<String>) -> Option<usize>,
    ) -> Route {
        let mut severity = given.severity.clone();
        if severity.is_empty() {
            severity = vec![AlertSeverity::Critical, AlertSeverity::Warning];
        }
        let here = |name: &&Sourced<String>| self.by_name.contains_key(&name.value);
        Route {
            severity,
            components: (!given.components.is_empty()).then(|| {
                let mut components: Vec<String> = given
                    .components
                    .iter()
                    .filter(here)
                    .map(|name| name.value.clone())
                    .collect();
                components.sort();
                components
            }),
            owners: values(&given.owners),
            receivers: given.receivers.iter().filter_map(position).collect(),
            quiet: values(&given.quiet),
        }
    }

    /// Returns the component that provides a capability to the whole platform.
    fn provider_of(&self, capability: &str) -> Option<String> {
        let found = collect::collector(&self.drafts, capability)?;
        Some(self.drafts[found].name.clone())
    }
}

fn unknown(kind: &str, name: &Sourced<String>, known: &BTreeSet<&str>) -> Finding {
    let article = if kind == "quiet hours" {
        "there are no"
    } else {
        "there is no"
    };
    let add = match kind {
        "owner" => "say who owns what in [alerting.owners]",
        "receiver" => "add the table [alerting.receivers.NAME]",
        "quiet hours" => "add the table [alerting.quiet_hours.NAME]",
        _ => "use the name of a component",
    };
    Finding::new(
        &UNKNOWN_NAME,
        name.place.clone(),
        format!("{article} {kind} `{}`", name.value),
    )
    .help(add)
    .maybe_help(suggest(&name.value, known.iter().copied()))
}

fn values(texts: &[Sourced<String>]) -> Vec<String> {
    texts.iter().map(|text| text.value.clone()).collect()
}

fn quiet_hours(given: &LayeredAlerting) -> Vec<QuietHours> {
    given
        .quiet_hours
        .iter()
        .map(|(name, hours)| QuietHours {
            name: name.clone(),
            days: match hours.days.as_slice() {
                [] => Weekday::ALL.to_vec(),
                days => days.to_vec(),
            },
            from: hours.from.unwrap_or(0),
            to: hours.to.unwrap_or(END_OF_DAY),
            zone: hours.zone.clone().unwrap_or_else(|| "UTC".to_owned()),
        })
        .collect()
}

fn heartbeat(
    given: &LayeredHeartbeat,
    position: &dyn Fn(&Sourced<String>) -> Option<usize>,
) -> Heartbeat {
    let to = match (&given.receiver, &given.url) {
        (Some(receiver), _) => position(receiver).map(Pulse::Receiver),
        (None, url) => Some(Pulse::Address(
            url.as_ref()
                .map_or(Address::Secret, |url| Address::Known(url.value.clone())),
        )),
    };
    Heartbeat {
        // One that is unknown was reported.
        to: to.unwrap_or(Pulse::Address(Address::Secret)),
        interval: given
            .interval
            .as_ref()
            .map_or(HEARTBEAT, |interval| interval.value),
    }
}

fn rules(given: &LayeredAlerting) -> Vec<AlertRule> {
    given
        .rules
        .iter()
        .map(|(name, rule)| AlertRule {
            name: name.clone(),
            place: rule.place.clone(),
            expr: rule.expr.value.clone(),
            expr_place: rule.expr.place.clone(),
            hold: rule.hold.clone().unwrap_or_else(|| HOLD.to_owned()),
            severity: rule.severity.unwrap_or(AlertSeverity::Warning),
            summary: rule.summary.value.clone(),
            summary_place: rule.summary.place.clone(),
            description: rule
                .description
                .as_ref()
                .map(|text| (text.value.clone(), text.place.clone())),
            runbook: rule.runbook.clone(),
            component: rule
                .component
                .as_ref()
                .map(|component| component.value.clone()),
        })
        .collect()
}
