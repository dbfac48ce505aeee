//! Labels that a service asks of its hosts, and that none of them has.

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity, suggest};
use crate::platform::Platform;

static RULE: Rule = Rule {
    code: "unmatched-host-labels",
    severity: Severity::Error,
    summary: "a service asks for labels that no host has",
    why: "A service runs on hosts that have all the labels in its `host_labels`. When there is none, it is never started.",
    fix: "Correct the label, or add it to the `labels` of a host. Every host has `host`, its name, and `zone`, if it has one.",
    allowable: false,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    let hosts = &platform.environment.hosts;
    for service in &platform.services {
        if hosts.is_empty() || hosts.iter().any(|host| host.is_able(service)) {
            continue;
        }
        let component = platform.component_of(service).name.clone();
        let mut single = false;
        for (name, (value, place)) in &service.host_labels {
            let known: Vec<&str> = hosts
                .iter()
                .filter_map(|host| host.labels.get(name).map(String::as_str))
                .collect();
            if known.contains(&value.as_str()) {
                continue;
            }
            single = true;
            findings.push(
                Finding::new(
                    &RULE,
                    place.clone(),
                    format!(
                        "`{}` asks for a host with {name} = \"{value}\", and there is none",
                        service.name
                    ),
                )
                .maybe_help(suggest(value, known))
                .component(component.clone()),
            );
        }
        if let (false, Some((_, place))) = (single, service.host_labels.values().next()) {
            findings.push(
                Finding::new(
                    &RULE,
                    place.clone(),
                    format!(
                        "no host has all the labels that `{}` asks for",
                        service.name
                    ),
                )
                .component(component),
            );
        }
    }
}
