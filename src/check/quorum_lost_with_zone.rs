//! Replicas that are too few, or too unevenly spread, to survive the loss of a zone.

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::Platform;
use crate::terms::Availability;

static RULE: Rule = Rule {
    code: "quorum-lost-with-zone",
    severity: Severity::Warning,
    summary: "the loss of one zone leaves a service with fewer replicas than it needs",
    why: "Replicas are spread evenly over the zones. When one is lost, those of the fullest zone are gone at once; a \
          service that works by majority, or by erasure coding, stops when too few are left, whatever its number.",
    fix: "Use more zones, or as many replicas that enough are left without those of one zone: three in three zones for \
          a majority.",
    allowable: true,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    let environment = &platform.environment;
    let Ok(zones @ 1..) = u64::try_from(environment.zones.len()) else {
        return;
    };
    if environment.availability != Availability::High {
        return;
    }
    for service in &platform.services {
        // What runs once is another check's business.
        if !service.kind.keeps_running() || service.is_launched() || service.replicas.min < 2 {
            continue;
        }
        let replicas = service.replicas.min;
        let left = replicas - replicas.div_ceil(zones);
        if left >= service.quorum {
            continue;
        }
        let component = platform.component_of(service);
        findings.push(
            Finding::new(
                &RULE,
                component.place.clone(),
                format!(
                    "`{}` needs {} of {replicas} replicas, and has {left} when one of {zones} zones is lost",
                    service.name, service.quorum
                ),
            )
            .related(service.replicas.place.clone(), "its number")
            .component(component.name.clone()),
        );
    }
}
