//! Images that are built, and no registry to pull them from.

use std::collections::BTreeSet;

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::Platform;
use crate::terms::Target;

static RULE: Rule = Rule {
    code: "missing-registry",
    severity: Severity::Error,
    summary: "images are built, and no registry is named that machines could pull them from",
    why: "Compose builds images where it runs them. Several machines pull them from a registry, which must be part of \
          their names.",
    fix: "Add `registry = \"registry.example.com/lakehouse\"` to the environment; the bundle has a script that builds \
          and pushes.",
    allowable: false,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    let environment = &platform.environment;
    if environment.registry.is_some() {
        return;
    }
    // A cluster inside a service has an engine of its own, which does not see what is built beside it.
    let services = platform.services.iter();
    let inside: BTreeSet<usize> = services
        .filter(|service| service.inside.is_some())
        .map(|service| service.component)
        .collect();
    let builds: Vec<&str> = platform
        .components
        .iter()
        .enumerate()
        .filter(|(at, _)| environment.target != Target::Compose || inside.contains(at))
        .flat_map(|(_, component)| &component.builds)
        .map(|build| build.reference.as_str())
        .collect();
    if !builds.is_empty() {
        findings.push(
            Finding::new(
                &RULE,
                environment.place.clone(),
                format!(
                    "`{}` builds images and has no registry for them",
                    environment.name
                ),
            )
            .cause(format!("they are {}", builds.join(", ")))
            .related(environment.target_place.clone(), "the target"),
        );
    }
}
