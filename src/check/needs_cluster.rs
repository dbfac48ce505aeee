//! A system that needs a Kubernetes API on a target that has none.

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::Platform;

static RULE: Rule = Rule {
    code: "needs-cluster",
    severity: Severity::Warning,
    summary: "a component needs a Kubernetes API that this target does not give it",
    why: "Some systems start their work as Kubernetes pods. Without an API they would come up and fail at the first \
          task, so they are left out of the bundle.",
    fix: "Run the component in an environment on kubernetes, take it out here with `enabled = false`, or allow this.",
    allowable: true,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    for component in &platform.components {
        let Some(unsupported) = component
            .unsupported
            .as_ref()
            .filter(|unsupported| unsupported.cluster)
        else {
            continue;
        };
        findings.push(
            Finding::new(
                &RULE,
                component.place.clone(),
                format!(
                    "`{}` needs a Kubernetes API, which {} does not give it; it is left out of `{}`",
                    component.name, platform.environment.target, platform.environment.name
                ),
            )
            .cause(unsupported.reason.clone())
            .related(platform.environment.target_place.clone(), "the target")
            .component(component.name.clone()),
        );
    }
}
