//! What is public and nothing encrypts.

use std::collections::BTreeSet;

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::{Door, Platform};

static RULE: Rule = Rule {
    code: "public-in-clear",
    severity: Severity::Warning,
    summary: "what is public is served without TLS, beyond this machine",
    why: "Whoever is on the network between people and the platform reads their passwords and sessions, or changes pages on \
          their way.",
    fix: "Set `tls.public` of the environment to `internal`, `own` or `acme`; or, on Compose, take `bind` out, so that only this \
          machine is served. Where something in front of the platform encrypts, `allow` it with that reason.",
    allowable: true,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    if platform.is_on_this_machine() {
        return;
    }
    let environment = &platform.environment;
    for service in &platform.services {
        let doors = service
            .ports
            .values()
            .filter_map(|port| platform.door(port));
        let clear = doors.filter(|(_, door)| *door == Door::Clear);
        let clear: BTreeSet<u16> = clear.map(|(listen, _)| listen).collect();
        if clear.is_empty() {
            continue;
        }
        let shown: Vec<String> = clear.iter().map(u16::to_string).collect();
        let component = platform.component_of(service);
        let mut finding = Finding::new(
            &RULE,
            environment.tls.public_place.clone(),
            format!(
                "`{}` serves port{} {} of {} without TLS: passwords and sessions cross the network readable",
                service.name,
                if shown.len() == 1 { "" } else { "s" },
                shown.join(", "),
                environment.bind
            ),
        )
        .help("set `tls.public` of the environment to `internal`, `own` or `acme`")
        .component(component.name.clone());
        if environment.bind_place != environment.target_place {
            finding = finding.related(
                environment.bind_place.clone(),
                "listens beyond this machine",
            );
        }
        findings.push(finding);
    }
}
