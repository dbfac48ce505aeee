//! Several hosts, or none, where the target has exactly one.

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::Platform;
use crate::terms::Target;

static RULE: Rule = Rule {
    code: "too-many-hosts",
    severity: Severity::Error,
    summary: "an environment on compose has more than one host",
    why: "Docker Compose runs on one machine. What is placed on a second one would never run.",
    fix: "Leave one host, or set the target to swarm or kubernetes.",
    allowable: false,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    if let (Target::Compose, [_, second, ..]) =
        (platform.environment.target, &platform.environment.hosts[..])
    {
        findings.push(
            Finding::new(
                &RULE,
                second.place.clone(),
                format!(
                    "`{}` is a second host, and compose runs on one",
                    second.name
                ),
            )
            .related(platform.environment.target_place.clone(), "the target"),
        );
    }
}
