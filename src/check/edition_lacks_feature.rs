//! An option asks for what the chosen edition of a system cannot do.

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::Platform;

static RULE: Rule = Rule {
    code: "edition-lacks-feature",
    severity: Severity::Error,
    summary: "the chosen edition of a system lacks a feature",
    why: "Makers keep some features for paid editions. The system would start and silently go without it, or refuse its \
          configuration.",
    fix: "Choose an edition that has the feature, if you have its licence, or set the option to what this edition can do.",
    allowable: true,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    for component in &platform.components {
        for lacking in &component.lacking {
            let edition = component.edition.as_deref().unwrap_or_default();
            let mut finding = Finding::new(
                &RULE,
                lacking.place.clone(),
                format!(
                    "`{}` in its {edition} edition has no {}, which `{} = \"{}\"` needs",
                    component.name, lacking.feature, lacking.option, lacking.value
                ),
            )
            .component(component.name.clone());
            finding.help = match lacking.editions.as_slice() {
                [] => None,
                editions => Some(format!("editions that have it: {}", editions.join(", "))),
            };
            findings.push(finding);
        }
    }
}
