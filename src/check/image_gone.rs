//! An image that can no longer be had, or must not be used.

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::Platform;

static RULE: Rule = Rule {
    code: "image-gone",
    severity: Severity::Error,
    summary: "an image can no longer be pulled, or must not be used",
    why: "Makers delete or abandon images. A bundle that names one works on machines that still have it, and fails on \
          every new one.",
    fix: "Use the image that the help names, or your own copy of the old one under another name.",
    allowable: true,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    for service in &platform.services {
        let component = platform.component_of(service);
        let (repository, _) = super::image_untagged::split(&service.image.reference);
        let Some(gone) = component
            .gone
            .iter()
            .find(|gone| full(&gone.image) == full(repository))
        else {
            continue;
        };
        findings.push(
            Finding::new(
                &RULE,
                service.image.place.clone(),
                format!("the image `{repository}` is gone"),
            )
            .cause(gone.reason.clone())
            .maybe_help(
                gone.instead
                    .as_ref()
                    .map(|instead| format!("use `{instead}`")),
            )
            .component(component.name.clone()),
        );
    }
}

/// Writes a repository as Docker reads it: without a registry it is Docker Hub's.
fn full(repository: &str) -> String {
    let first = repository.split('/').next().unwrap_or_default();
    match (
        repository.contains('/'),
        first.contains('.') || first.contains(':') || first == "localhost",
    ) {
        (true, true) => repository.to_owned(),
        (true, false) => format!("docker.io/{repository}"),
        (false, _) => format!("docker.io/library/{repository}"),
    }
}
