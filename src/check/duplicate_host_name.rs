//! Two web interfaces under one host name.

use std::collections::BTreeMap;

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::{Endpoint, Platform};

static RULE: Rule = Rule {
    code: "duplicate-host-name",
    severity: Severity::Error,
    summary: "two web interfaces have the same host name",
    why: "The proxy tells web interfaces apart by their host name; one of the two would never be reached.",
    fix: "Rename one of the components: its name is the first part of its host name.",
    allowable: false,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    let mut seen: BTreeMap<&str, &Endpoint> = BTreeMap::new();
    for endpoint in &platform.endpoints {
        let Some(host) = &endpoint.host else { continue };
        if let Some(first) = seen.insert(host, endpoint) {
            findings.push(
                Finding::new(
                    &RULE,
                    endpoint.place.clone(),
                    format!(
                        "`{host}` would be two things: {} and {}",
                        first.title, endpoint.title
                    ),
                )
                .related(first.place.clone(), "the other one"),
            );
        }
    }
}
