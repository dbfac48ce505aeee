//! Replicas that share a host, so that its loss leaves fewer of them than their service needs.

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::Platform;
use crate::terms::{Availability, Target};

static RULE: Rule = Rule {
    code: "quorum-lost-with-host",
    severity: Severity::Warning,
    summary: "the loss of one host leaves a service with fewer replicas than it needs",
    why: "Replicas with data stay where their data is. When a host is lost, all of them that it had are gone at once; a \
          service that works by majority, or by erasure coding, stops when too few are left, whatever its number.",
    fix: "Use more hosts, or as many replicas that no host has more of them than may be lost.",
    allowable: true,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    let environment = &platform.environment;
    if environment.availability != Availability::High || environment.target != Target::Swarm {
        return;
    }
    for service in &platform.services {
        // What runs once is another check's business.
        if !service.is_stateful() || service.replicas.min < 2 || service.inside.is_some() {
            continue;
        }
        let mut counts = vec![0_u64; environment.hosts.len()];
        for host in &service.placement {
            counts[*host] += 1;
        }
        let Some((host, most)) = counts.iter().enumerate().max_by_key(|(_, count)| **count) else {
            continue;
        };
        let left = service.replicas.min.saturating_sub(*most);
        if left >= service.quorum {
            continue;
        }
        let component = platform.component_of(service);
        let host = &environment.hosts[host];
        findings.push(
            Finding::new(
                &RULE,
                component.place.clone(),
                format!(
                    "`{}` needs {} of {} replicas, and has {left} when `{}` is lost",
                    service.name, service.quorum, service.replicas.min, host.name
                ),
            )
            .related(service.replicas.place.clone(), "its number")
            .related(host.place.clone(), "the host")
            .component(component.name.clone()),
        );
    }
}
