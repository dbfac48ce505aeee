//! A service that needs all rights on its machine, where none may have them.

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::Platform;
use crate::terms::Target;

static RULE: Rule = Rule {
    code: "privileged-refused",
    severity: Severity::Error,
    summary: "a service needs all rights on its machine, which this target does not give",
    why: "Only an engine starts containers with all rights; beside a stack too, since Swarm itself ignores the wish. In a \
          cluster the standard that holds for the namespace refuses them, so the service would start and fail at what it \
          needs them for.",
    fix: "Take the component out of this environment with `enabled = false`, or say in its blueprint which targets it \
          does not run on.",
    allowable: false,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    let target = platform.environment.target;
    for service in &platform.services {
        let Some(reason) = &service.privileged else {
            continue;
        };
        if target != Target::Kubernetes && service.inside.is_none() {
            continue;
        }
        let place = match service.inside {
            None => target.to_string(),
            Some(host) => format!("the cluster in `{}`", platform.services[host].name),
        };
        let component = platform.component_of(service);
        findings.push(
            Finding::new(
                &RULE,
                component.place.clone(),
                format!(
                    "`{}` needs all rights on its machine, which {place} does not give",
                    service.name
                ),
            )
            .cause(reason.clone())
            .related(service.place.clone(), "the service")
            .component(component.name.clone()),
        );
    }
}
