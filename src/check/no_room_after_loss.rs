//! Services that would find no other host when theirs is lost.

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::Platform;
use crate::platform::budget::without_room;
use crate::terms::{Availability, Target};

static RULE: Rule = Rule {
    code: "no-room-after-loss",
    severity: Severity::Warning,
    summary: "when a host is lost, the others have no room for what ran there",
    why: "A Swarm starts what ran on a lost host on the others, as far as it keeps no data there and they have the memory \
          and processors left. What finds no room waits until the host is back.",
    fix: "Give services less memory, or use larger hosts or one more: a Swarm that must survive one host needs its room twice.",
    allowable: true,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    let environment = &platform.environment;
    if environment.availability != Availability::High
        || environment.target != Target::Swarm
        || environment.hosts.len() < 2
    {
        return;
    }
    for (lost, host) in environment.hosts.iter().enumerate() {
        let without: Vec<String> = without_room(platform, lost)
            .into_iter()
            .map(|at| {
                let service = &platform.services[at];
                format!("{} ({} MiB)", service.name, service.resources.memory.mib())
            })
            .collect();
        if !without.is_empty() {
            findings.push(
                Finding::new(
                    &RULE,
                    host.place.clone(),
                    format!(
                        "when `{}` is lost, there is no room elsewhere for {}",
                        host.name,
                        without.join(", ")
                    ),
                )
                .cause("counted are memory and guaranteed processors of what keeps no data on the host"),
            );
        }
    }
}
