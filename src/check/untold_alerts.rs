//! Alerts that nobody is told of.

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::Platform;
use crate::platform::alerting::DEFAULT_RECEIVER;
use crate::terms::AlertSeverity;

static RULE: Rule = Rule {
    code: "untold-alerts",
    severity: Severity::Warning,
    summary: "nobody is told of some alerts",
    why: "An alert without a receiver is only shown: it helps those who happen to look. That is fine for information, and \
          seldom meant for what is critical or a warning.",
    fix: "Add a receiver with the name `default`, which is told what no route takes, or a route for these alerts.",
    allowable: true,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

/// How many components a message names.
const NAMED: usize = 4;

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    let alerting = &platform.alerting;
    let Some(sender) = &alerting.sender else {
        return;
    };
    let component = platform
        .components
        .iter()
        .find(|component| component.name == *sender);
    let Some(place) = alerting
        .place
        .as_ref()
        .or(component.map(|component| &component.place))
    else {
        return;
    };
    if alerting.receivers.is_empty() {
        findings.push(
            Finding::new(
                &RULE,
                place.clone(),
                "alerts are only shown: nobody is told",
            )
            .cause(format!("`{sender}` sends alerts, and there is no receiver"))
            .help("add [alerting.receivers.default] with `email`, `slack` or `webhook`"),
        );
        return;
    }
    for (severity, words) in [
        (AlertSeverity::Critical, "critical alerts"),
        (AlertSeverity::Warning, "warnings"),
    ] {
        let names = platform
            .components
            .iter()
            .map(|component| component.name.as_str());
        let untold: Vec<&str> = names
            .filter(|name| alerting.told(name, severity).is_empty())
            .collect();
        if untold.is_empty() {
            continue;
        }
        let whose = if untold.len() == platform.components.len() {
            String::new()
        } else {
            let named: Vec<String> = untold
                .iter()
                .take(NAMED)
                .map(|name| format!("`{name}`"))
                .collect();
            let more = match untold.len() - named.len() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!(" of {}{more}", named.join(", "))
        };
        findings.push(
            Finding::new(
                &RULE,
                place.clone(),
                format!("nobody is told of {words}{whose}"),
            )
            .cause(format!(
                "no route takes them, and no receiver is called `{DEFAULT_RECEIVER}`"
            ))
            .help("add [alerting.receivers.default], or a route for them"),
        );
    }
}
