//! A range of replicas that nothing moves in.

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::Platform;
use crate::terms::{ScaleMetric, Target};

static RULE: Rule = Rule {
    code: "idle-autoscaler",
    severity: Severity::Warning,
    summary: "a service has a least and a most number of replicas, but nothing that decides between them",
    why: "An autoscaler compares what a service uses with the share it was guaranteed. Without a share, or where its \
          blueprint knows no measure to scale by, the least number runs and the most means nothing.",
    fix: "Give the service a guaranteed share, or one number of replicas.",
    allowable: true,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    if platform.environment.target != Target::Kubernetes {
        return;
    }
    for service in platform.services.iter().filter(|service| service.is_ours()) {
        if service.replicas.max <= service.replicas.min {
            continue;
        }
        let cause = match service.scale {
            None => "its blueprint names no measure to scale by",
            Some((ScaleMetric::Cpu, _)) if service.resources.cpu.0 == 0 => {
                "it is scaled by its processors, and no share of them is guaranteed"
            }
            Some((ScaleMetric::Memory, _)) if service.resources.memory.0 == 0 => {
                "it is scaled by its memory, and none is guaranteed"
            }
            Some(_) => continue,
        };
        let component = platform.component_of(service);
        findings.push(
            Finding::new(
                &RULE,
                service.replicas.place.clone(),
                format!(
                    "`{}` may have {} to {} replicas, and will always have {}",
                    service.name, service.replicas.min, service.replicas.max, service.replicas.min
                ),
            )
            .cause(cause)
            .component(component.name.clone()),
        );
    }
}
