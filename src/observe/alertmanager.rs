//! Alertmanager's configuration, as values: who is told of which alert, what holds back what, and when it is quiet.
//!
//! In comes [`Alerting`], out comes a table that a blueprint writes into its file as it is. No secret is in it: the paths
//! of files are. Alertmanager 0.34, docs/configuration.md.
//!
//! The tree of routes has one branch for each severity, with the times that this severity has; in a branch every route
//! that fits tells its receivers, and the branch itself tells who is left, if none did.

use crate::platform::alerting::{
    Address, Alerting, COMPONENT_LABEL, HEARTBEAT_SECRET, MAIL_SECRET, Pulse, QuietHours, Receiver,
    Route,
};
use crate::terms::{AlertSeverity, Locale, Weekday};
use crate::units::Seconds;
use crate::value::Value;

/// The alert that always fires, so that its absence tells that the way is broken.
pub const WATCHDOG: &str = "Watchdog";

/// The alert that fires while a component has information and nothing worse.
pub const INFO_INHIBITOR: &str = "InfoInhibitor";

/// The alert of a target that cannot be scraped.
const TARGET_DOWN: &str = "TargetDown";

/// Receivers that no user can name: their names are none.
const NOBODY: &str = "(nobody)";
const HEARTBEAT: &str = "(heartbeat)";

/// Names of the templates that messages are made with.
const MAIL_SUBJECT: &str = "lakewright.mail.subject";
const MAIL_HTML: &str = "lakewright.mail.html";
const MAIL_TEXT: &str = "lakewright.mail.text";
const SLACK_TITLE: &str = "lakewright.slack.title";
const SLACK_LINK: &str = "lakewright.slack.link";
const SLACK_TEXT: &str = "lakewright.slack.text";
const SLACK_COLOR: &str = "lakewright.slack.color";

/// Where Slack takes messages of incoming webhooks.
const SLACK_HOST: &str = "hooks.slack.com:443";

/// How long after the last message about it an alert is held to be over, unless Prometheus says when.
const RESOLVE: &str = "5m";

const END_OF_DAY: u16 = 24 * 60;

/// How long the first message of a group waits for others, how long the next does, and when it is said again.
fn waits(severity: AlertSeverity) -> [(&'static str, &'static str); 3] {
    let [first, next, again] = match severity {
        AlertSeverity::Critical => ["10s", "1m", "1h"],
        AlertSeverity::Warning => ["1m", "5m", "12h"],
        AlertSeverity::Info => ["5m", "15m", "24h"],
    };
    [
        ("group_wait", first),
        ("group_interval", next),
        ("repeat_interval", again),
    ]
}

/// Makes the configuration. `secret` returns the path of the file that holds a secret, from the end of its name.
pub fn configuration(alerting: &Alerting, secret: &dyn Fn(&str) -> String) -> Value {
    let mut receivers = vec![Value::table([("name", Value::from(NOBODY))])];
    // That a sign of life is over would be one too.
    receivers.extend(
        alerting
            .heartbeat
            .as_ref()
            .map(|heartbeat| match &heartbeat.to {
                Pulse::Receiver(at) => receiver(HEARTBEAT, &alerting.receivers[*at], false, secret),
                Pulse::Address(address) => {
                    let webhook = webhook(address, HEARTBEAT_SECRET, false, secret);
                    Value::table([
                        ("name", Value::from(HEARTBEAT)),
                        ("webhook_configs", Value::List(vec![webhook])),
                    ])
                }
            }),
    );
    receivers.extend(
        alerting
            .receivers
            .iter()
            .map(|one| receiver(&one.name, one, true, secret)),
    );
    let intervals = alerting.quiet_hours.iter().map(quiet_hours).collect();
    Value::table([
        ("global", global(alerting, secret)),
        ("route", route(alerting)),
        ("receivers", Value::List(receivers)),
        ("inhibit_rules", inhibit_rules()),
        ("time_intervals", Value::List(intervals)),
    ])
}

fn global(alerting: &Alerting, secret: &dyn Fn(&str) -> String) -> Value {
    let mut table = vec![("resolve_timeout", Value::from(RESOLVE))];
    if let Some(mail) = &alerting.mail {
        table.extend([
            (
                "smtp_smarthost",
                Value::from(format!("{}:{}", mail.host, mail.port)),
            ),
            ("smtp_from", Value::from(mail.from.as_str())),
            ("smtp_require_tls", Value::from(mail.tls)),
        ]);
        if let Some(user) = &mail.user {
            table.extend([
                ("smtp_auth_username", Value::from(user.as_str())),
                ("smtp_auth_password_file", Value::from(secret(MAIL_SECRET))),
            ]);
        }
    }
    Value::table(table)
}

/// A text that a template gives.
fn template(name: &str) -> Value {
    Value::from(format!("{{{{ template \"{name}\" . }}}}"))
}

fn receiver(
    name: &str,
    given: &Receiver,
    send_resolved: bool,
    secret: &dyn Fn(&str) -> String,
) -> Value {
    let mut table = vec![("name", Value::from(name))];
    if !given.email.is_empty() {
        let mail = Value::table([
            ("to", Value::from(given.email.join(", "))),
            (
                "headers",
                Value::table([("Subject", template(MAIL_SUBJECT))]),
            ),
            ("html", template(MAIL_HTML)),
            ("text", template(MAIL_TEXT)),
            ("send_resolved", Value::from(send_resolved)),
        ]);
        table.push(("email_configs", Value::List(vec![mail])));
    }
    if let Some(channel) = &given.slack {
        let slack = Value::table([
            ("api_url_file", Value::from(secret(&given.slack_secret()))),
            ("channel", Value::from(channel.as_str())),
            ("title", template(SLACK_TITLE)),
            ("title_link", template(SLACK_LINK)),
            ("text", template(SLACK_TEXT)),
            ("fallback", template(SLACK_TITLE)),
            ("color", template(SLACK_COLOR)),
            ("send_resolved", Value::from(send_resolved)),
        ]);
        table.push(("slack_configs", Value::List(vec![slack])));
    }
    if let Some(address) = &given.webhook {
        let webhook = webhook(address, &given.webhook_secret(), send_resolved, secret);
        table.push(("webhook_configs", Value::List(vec![webhook])));
    }
    Value::table(table)
}

fn webhook(
    address: &Address,
    name: &str,
    send_resolved: bool,
    secret: &dyn Fn(&str) -> String,
) -> Value {
    let address = match address {
        Address::Known(url) => ("url", Value::from(url.as_str())),
        Address::Secret => ("url_file", Value::from(secret(name))),
    };
    Value::table([address, ("send_resolved", Value::from(send_resolved))])
}

/// The tree of routes. What has no severity is treated as a warning.
fn route(alerting: &Alerting) -> Value {
    let fallback = alerting
        .fallback
        .map_or(NOBODY, |at| alerting.receivers[at].name.as_str());
    let mut branches = vec![
        watchdog(alerting),
        Value::table([
            ("matchers", matchers(&[is("alertname", INFO_INHIBITOR)])),
            ("receiver", Value::from(NOBODY)),
        ]),
    ];
    for severity in AlertSeverity::ALL {
        let told = if *severity == AlertSeverity::Info {
            NOBODY
        } else {
            fallback
        };
        let mut branch = vec![
            ("matchers", matchers(&[is("severity", severity.word())])),
            ("receiver", Value::from(told)),
        ];
        branch.extend(waits(*severity).map(|(key, time)| (key, Value::from(time))));
        let routes = routes(alerting, *severity);
        if !routes.is_empty() {
            branch.push(("routes", Value::List(routes)));
        }
        branches.push(Value::table(branch));
    }
    let mut root = vec![
        ("receiver", Value::from(fallback)),
        ("group_by", Value::from(vec!["alertname", COMPONENT_LABEL])),
        ("routes", Value::List(branches)),
    ];
    root.extend(waits(AlertSeverity::Warning).map(|(key, time)| (key, Value::from(time))));
    Value::table(root)
}

/// The way of the alert that always fires: at once, and again after each interval.
fn watchdog(alerting: &Alerting) -> Value {
    let mut branch = vec![("matchers", matchers(&[is("alertname", WATCHDOG)]))];
    match &alerting.heartbeat {
        None => branch.push(("receiver", Value::from(NOBODY))),
        Some(heartbeat) => {
            // A message is repeated at the first look at which its time is over. Looks come a moment early or late, so there
            // are three for each message, and a second less is enough.
            let look = Seconds(heartbeat.interval.0 / 3);
            let again = Seconds(heartbeat.interval.0 - 1);
            branch.extend([
                ("receiver", Value::from(HEARTBEAT)),
                ("group_wait", Value::from("0s")),
                ("group_interval", Value::from(seconds(look))),
                ("repeat_interval", Value::from(seconds(again))),
            ]);
        }
    }
    Value::table(branch)
}

fn seconds(time: Seconds) -> String {
    format!("{}s", time.0)
}

/// The user's routes that take a severity. Each tells all its receivers, and lets those after it tell theirs; who was told
/// by one without conditions is not told again by another.
fn routes(alerting: &Alerting, severity: AlertSeverity) -> Vec<Value> {
    let taken = || {
        alerting
            .routes
            .iter()
            .filter(|route| route.severity.contains(&severity))
    };
    let plain = |route: &Route| {
        route.components.is_none() && route.owners.is_empty() && route.quiet.is_empty()
    };
    let always: Vec<usize> = taken()
        .filter(|route| plain(route))
        .flat_map(|route| route.receivers.iter().copied())
        .collect();
    let mut routes: Vec<Value> = Vec::new();
    for route in taken() {
        for at in &route.receivers {
            if !plain(route) && always.contains(at) {
                continue;
            }
            let Some(wanted) = about(alerting, route) else {
                continue;
            };
            let name = alerting.receivers[*at].name.as_str();
            let mut leaf = vec![("receiver", Value::from(name))];
            leaf.extend(wanted.map(|wanted| ("matchers", matchers(&[wanted]))));
            if !route.quiet.is_empty() {
                leaf.push(("mute_time_intervals", Value::from(route.quiet.clone())));
            }
            leaf.push(("continue", Value::from(true)));
            let leaf = Value::table(leaf);
            if !routes.contains(&leaf) {
                routes.push(leaf);
            }
        }
    }
    routes
}

/// Returns the matcher for the components that a route is about; no matcher, if it is about all, and nothing if it is about
/// none. Owners are told by their components: alerts about the whole platform bear no owner.
fn about(alerting: &Alerting, route: &Route) -> Option<Option<String>> {
    let wanted = |owner: Option<&str>| {
        route.owners.is_empty()
            || owner.is_some_and(|owner| route.owners.iter().any(|wanted| wanted == owner))
    };
    let (operators, names): (_, Vec<&str>) = match &route.components {
        Some(components) => {
            let names = components.iter().map(String::as_str);
            (
                ("=", "=~"),
                names.filter(|name| wanted(alerting.owner(name))).collect(),
            )
        }
        None if wanted(alerting.default_owner.as_deref()) => {
            let others = alerting
                .owners
                .iter()
                .filter(|(_, owner)| !wanted(Some(owner)));
            let others: Vec<&str> = others.map(|(name, _)| name.as_str()).collect();
            if route.owners.is_empty() || others.is_empty() {
                return Some(None);
            }
            (("!=", "!~"), others)
        }
        None => {
            let own = alerting
                .owners
                .iter()
                .filter(|(_, owner)| wanted(Some(owner)));
            (("=", "=~"), own.map(|(name, _)| name.as_str()).collect())
        }
    };
    // Names have nothing in them that means something in a regular expression.
    match names.as_slice() {
        [] => None,
        [one] => Some(Some(format!("{COMPONENT_LABEL}{}\"{one}\"", operators.0))),
        many => Some(Some(format!(
            "{COMPONENT_LABEL}{}\"{}\"",
            operators.1,
            many.join("|")
        ))),
    }
}

fn matchers(all: &[String]) -> Value {
    Value::from(all.to_vec())
}

fn is(label: &str, value: &str) -> String {
    format!("{label}=\"{value}\"")
}

fn is_not(label: &str, value: &str) -> String {
    format!("{label}!=\"{value}\"")
}

/// What holds back what, within a component: a missing label would equal another missing one, so it must be there.
fn inhibit_rules() -> Value {
    let of_component = is_not(COMPONENT_LABEL, "");
    let lesser = "severity=~\"warning|info\"".to_owned();
    let rule = |source: &[String], target: &[String]| {
        Value::table([
            ("source_matchers", matchers(source)),
            ("target_matchers", matchers(target)),
            ("equal", Value::from(vec![COMPONENT_LABEL])),
        ])
    };
    Value::List(vec![
        // What is broken explains what is strained.
        rule(
            &[
                is("severity", AlertSeverity::Critical.word()),
                of_component.clone(),
            ],
            std::slice::from_ref(&lesser),
        ),
        // What cannot be measured says nothing reliable.
        rule(
            &[is("alertname", TARGET_DOWN), of_component.clone()],
            &[lesser, is_not("alertname", TARGET_DOWN)],
        ),
        // Information is told beside something worse, never alone.
        rule(
            &[is("alertname", INFO_INHIBITOR), of_component],
            &[is("severity", AlertSeverity::Info.word())],
        ),
    ])
}

/// Quiet hours, cut at midnight: an interval ends on the day on which it begins.
fn quiet_hours(hours: &QuietHours) -> Value {
    let interval = |from: u16, to: u16, days: &[Weekday]| {
        let mut table = vec![
            (
                "times",
                Value::List(vec![Value::table([
                    ("start_time", Value::from(time(from))),
                    ("end_time", Value::from(time(to))),
                ])]),
            ),
            ("location", Value::from(hours.zone.as_str())),
        ];
        if days.len() < Weekday::ALL.len() {
            let names: Vec<&str> = days.iter().map(|day| day.word()).collect();
            table.push(("weekdays", Value::from(names)));
        }
        Value::table(table)
    };
    let mut intervals = Vec::new();
    if hours.from < hours.to {
        intervals.push(interval(hours.from, hours.to, &hours.days));
    } else {
        intervals.push(interval(hours.from, END_OF_DAY, &hours.days));
        if hours.to > 0 {
            let mut next: Vec<Weekday> = hours.days.iter().map(|day| after(*day)).collect();
            next.sort();
            intervals.push(interval(0, hours.to, &next));
        }
    }
    Value::table([
        ("name", Value::from(hours.name.as_str())),
        ("time_intervals", Value::List(intervals)),
    ])
}

fn after(day: Weekday) -> Weekday {
    let all = Weekday::ALL;
    let at = all
        .iter()
        .position(|other| *other == day)
        .unwrap_or_default();
    all[(at + 1) % all.len()]
}

fn time(minutes: u16) -> String {
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

/// The addresses outside that messages go to, as hosts with their ports; none where one of them is a secret, so that
/// anything must be reached.
pub fn destinations(alerting: &Alerting) -> Option<Vec<String>> {
    let mut hosts = Vec::new();
    let mut unknown = false;
    let mut to = |address: &Address| match address {
        Address::Known(url) => {
            hosts.extend(
                crate::names::parse_url(url).map(|(_, host, port)| format!("{host}:{port}")),
            );
        }
        Address::Secret => unknown = true,
    };
    for receiver in &alerting.receivers {
        receiver.webhook.iter().for_each(&mut to);
    }
    if let Some(Pulse::Address(address)) =
        alerting.heartbeat.as_ref().map(|heartbeat| &heartbeat.to)
    {
        to(address);
    }
    if unknown {
        return None;
    }
    if alerting
        .receivers
        .iter()
        .any(|receiver| receiver.slack.is_some())
    {
        hosts.push(SLACK_HOST.to_owned());
    }
    if alerting
        .receivers
        .iter()
        .any(|receiver| !receiver.email.is_empty())
        && let Some(mail) = &alerting.mail
    {
        hosts.push(format!("{}:{}", mail.host, mail.port));
    }
    hosts.sort();
    hosts.dedup();
    Some(hosts)
}

/// Returns the ends of the names of all secrets that messages are sent with, each with what it is.
pub fn secrets(alerting: &Alerting, locale: Locale) -> Vec<(String, String)> {
    let say = |en: String, fr: String| match locale {
        Locale::En => en,
        Locale::Fr => fr,
    };
    let mut secrets = Vec::new();
    if let Some((mail, user)) = alerting
        .mail
        .as_ref()
        .and_then(|mail| Some((mail, mail.user.as_ref()?)))
    {
        let purpose = say(
            format!("password of {user} on {}", mail.host),
            format!("mot de passe de {user} sur {}", mail.host),
        );
        secrets.push((MAIL_SECRET.to_owned(), purpose));
    }
    for receiver in &alerting.receivers {
        if let Some(channel) = &receiver.slack {
            let purpose = say(
                format!("address of the incoming Slack webhook of {channel}"),
                format!("adresse du webhook entrant Slack de {channel}"),
            );
            secrets.push((receiver.slack_secret(), purpose));
        }
        if receiver.webhook == Some(Address::Secret) {
            let purpose = say(
                format!("address that alerts for {} are posted to", receiver.name),
                format!(
                    "adresse à laquelle sont envoyées les alertes pour {}",
                    receiver.name
                ),
            );
            secrets.push((receiver.webhook_secret(), purpose));
        }
    }
    if let Some(Pulse::Address(Address::Secret)) =
        alerting.heartbeat.as_ref().map(|heartbeat| &heartbeat.to)
    {
        let purpose = say(
            "address that the heartbeat is posted to".to_owned(),
            "adresse à laquelle est envoyé le signe de vie".to_owned(),
        );
        secrets.push((HEARTBEAT_SECRET.to_owned(), purpose));
    }
    secrets
}
