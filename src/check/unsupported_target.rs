//! A system that does not run on a target.

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::Platform;

static RULE: Rule = Rule {
    code: "unsupported-target",
    severity: Severity::Error,
    summary: "a component does not run on this target",
    why: "Its blueprint says that the target lacks something the system cannot do without.",
    fix: "Take it out of this environment with `enabled = false`, or use another component for it.",
    allowable: false,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    for component in &platform.components {
        let Some(unsupported) = component
            .unsupported
            .as_ref()
            .filter(|unsupported| !unsupported.cluster)
        else {
            continue;
        };
        findings.push(
            Finding::new(
                &RULE,
                component.place.clone(),
                format!(
                    "`{}` does not run on {}",
                    component.name, platform.environment.target
                ),
            )
            .cause(unsupported.reason.clone())
            .related(platform.environment.target_place.clone(), "the target")
            .component(component.name.clone()),
        );
    }
}
