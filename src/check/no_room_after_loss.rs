//! Services that would find no other host when theirs is lost.

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use std::collections::BTreeSet;

use crate::platform::Platform;
use crate::platform::budget::{Load, Share, load};
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
    let loads: Vec<Load> = (0..environment.hosts.len())
        .map(|host| load(platform, host, &BTreeSet::new()))
        .collect();
    for (lost, host) in environment.hosts.iter().enumerate() {
        let mut left: Vec<(u64, u64)> = loads.iter().map(Load::left).collect();
        left[lost] = (0, 0);
        let mut without = Vec::new();
        // Shares are sorted, the largest first.
        let moving = loads[lost]
            .shares
            .iter()
            .filter(|share| moves(platform, share));
        for share in moving {
            let service = &platform.services[share.service];
            let own = (service.resources.memory.0, service.resources.cpu.0);
            for _ in 0..share.replicas {
                let able = |at: &usize| {
                    *at != lost
                        && environment.hosts[*at].is_able(service)
                        && left[*at].0 >= own.0
                        && left[*at].1 >= own.1
                };
                let best = (0..left.len())
                    .filter(able)
                    .max_by_key(|at| (left[*at].0, usize::MAX - at));
                match best {
                    Some(best) => {
                        left[best].0 -= own.0;
                        left[best].1 -= own.1;
                    }
                    None => without.push(format!("{} ({} MiB)", service.name, own.0 >> 20)),
                }
            }
        }
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

/// Says whether a service is started elsewhere when its host is lost: it keeps running, keeps no data there, and has no
/// port of it.
fn moves(platform: &Platform, share: &Share) -> bool {
    let service = &platform.services[share.service];
    service.kind.keeps_running()
        && service.inside.is_none()
        && service.privileged.is_none()
        && !platform.keeps_local_data(service)
        && !service.has_host_ports()
}
