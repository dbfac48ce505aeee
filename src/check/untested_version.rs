//! A version that the blueprint was not tried with.

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::Platform;

static RULE: Rule = Rule {
    code: "untested-version",
    severity: Severity::Warning,
    summary: "a version was not tried with its blueprint",
    why: "Ports, variables and commands change between versions. A blueprint says which versions its facts are about.",
    fix: "Use a tested version, or try this one and allow the finding with what you saw.",
    allowable: true,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    for component in &platform.components {
        let tested = |prefix: &String| {
            component.version == *prefix
                || component
                    .version
                    .strip_prefix(prefix.as_str())
                    .is_some_and(|rest| {
                        !rest.starts_with(|next: char| next.is_ascii_alphanumeric())
                    })
        };
        if !component.tested.iter().any(tested) {
            findings.push(
                Finding::new(
                    &RULE,
                    component.version_place.clone(),
                    format!(
                        "version {} of `{}` was not tried with its blueprint",
                        component.version, component.name
                    ),
                )
                .help(format!("tested: {}", component.tested.join(", ")))
                .component(component.name.clone()),
            );
        }
    }
}
