//! An address for published ports, where the target does not choose addresses.

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::Platform;
use crate::terms::Target;

static RULE: Rule = Rule {
    code: "unreached-bind",
    severity: Severity::Error,
    summary: "`bind` names an address, and the target listens on all of them",
    why: "Swarm publishes ports on every address of a host, and a cluster's gateway has addresses of its own. Somebody who \
          names one wants the others closed, which they would not be.",
    fix: "Take `bind` out, and close what must be closed in the hosts' firewall.",
    allowable: false,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    let environment = &platform.environment;
    if environment.target == Target::Compose || environment.bind == ALL_ADDRESSES {
        return;
    }
    findings.push(Finding::new(
        &RULE,
        environment.bind_place.clone(),
        format!(
            "ports cannot be published on {} only: {} listens on all addresses",
            environment.bind, environment.target
        ),
    ));
}

/// What stands for all addresses.
const ALL_ADDRESSES: &str = "0.0.0.0";
