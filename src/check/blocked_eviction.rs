//! Replicas of which none may be taken away.

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::Platform;
use crate::terms::Target;

static RULE: Rule = Rule {
    code: "blocked-eviction",
    severity: Severity::Warning,
    summary: "no replica of a service may be taken away, so its machines cannot be emptied",
    why: "A service that needs all of its replicas gets a disruption budget that allows no eviction: `kubectl drain`, \
          and with it every upgrade of the cluster, waits for ever on the machines it runs on.",
    fix: "Give it more replicas than it needs, or one only.",
    allowable: true,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    if platform.environment.target != Target::Kubernetes {
        return;
    }
    for service in platform.services.iter().filter(|service| service.is_ours()) {
        let replicas = service.replicas.min;
        if !service.kind.keeps_running() || replicas < 2 || service.quorum < replicas {
            continue;
        }
        let component = platform.component_of(service);
        findings.push(
            Finding::new(
                &RULE,
                component.place.clone(),
                format!(
                    "`{}` needs {} of its {replicas} replicas, so none of them may be evicted",
                    service.name, service.quorum
                ),
            )
            .related(service.replicas.place.clone(), "its number")
            .component(component.name.clone()),
        );
    }
}
