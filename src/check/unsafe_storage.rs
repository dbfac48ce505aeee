//! Data on a kind of storage that its system must not use.

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::Platform;

static RULE: Rule = Rule {
    code: "unsafe-storage",
    severity: Severity::Error,
    summary: "data lies on storage that its system must not use",
    why: "Databases and object stores rely on locks and on writes that have really happened. Shared file systems promise \
          neither the way they need it, and data is lost when it matters.",
    fix: "Use local volumes for this system, distributed over hosts where it must survive one, or another environment.",
    allowable: true,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    for component in platform
        .components
        .iter()
        .filter(|component| component.unsupported.is_none())
    {
        for volume in &component.volumes {
            let (kind, place) = &volume.storage;
            if let Some(reason) = volume.unsafe_on.get(kind) {
                findings.push(
                    Finding::new(
                        &RULE,
                        place.clone(),
                        format!(
                            "`{}` must not keep `{}` on {kind}",
                            component.name, volume.key
                        ),
                    )
                    .cause(reason.clone())
                    .help(format!(
                        "keep it on the host: components.{}.volumes.{}.storage = \"local\"",
                        component.name, volume.key
                    ))
                    .related(component.place.clone(), "the component")
                    .component(component.name.clone()),
                );
            }
        }
    }
}
