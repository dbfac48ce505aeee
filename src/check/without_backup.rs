//! Data that nothing backs up.

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::{Component, Platform};
use crate::terms::Availability;

static RULE: Rule = Rule {
    code: "without-backup",
    severity: Severity::Warning,
    summary: "a system keeps data, and nothing backs them up",
    why: "Replicas keep a platform running; what is deleted or written wrongly they copy faithfully. Only a copy from before \
          brings it back.",
    fix: "Add [backup] to the topology. For a system that cannot be backed up yet, or need not be, say why in `allow`.",
    allowable: true,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

/// How many components a message names.
const NAMED: usize = 4;

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    let bare: Vec<(&Component, Vec<&str>)> = platform
        .components
        .iter()
        .enumerate()
        .map(|(at, component)| {
            let volumes = platform.unkept(at).into_iter();
            let names = volumes.map(|volume| volume.name.as_str());
            (component, names.collect())
        })
        .filter(|(_, volumes): &(_, Vec<&str>)| !volumes.is_empty())
        .collect();
    if platform.backup.is_none() {
        // What may be lost at any time is not backed up by those who say nothing.
        if platform.environment.availability == Availability::Single || bare.is_empty() {
            return;
        }
        let named: Vec<String> = bare
            .iter()
            .take(NAMED)
            .map(|(component, _)| format!("`{}`", component.name))
            .collect();
        let more = match bare.len() - named.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        findings.push(
            Finding::new(
                &RULE,
                platform.environment.place.clone(),
                format!(
                    "nothing is backed up of what {}{more} {} in volumes",
                    named.join(", "),
                    if bare.len() == 1 { "keeps" } else { "keep" }
                ),
            )
            .help("add [backup]; the defaults are a copy every night, kept for days, weeks and months"),
        );
        return;
    }
    for (component, volumes) in bare {
        let place = component.keeping.refused.as_ref();
        findings.push(
            Finding::new(
                &RULE,
                place.unwrap_or(&component.place).clone(),
                format!(
                    "`{}` keeps data in `{}`, and nothing backs them up",
                    component.name,
                    volumes.join("`, `")
                ),
            )
            .maybe_help(place.is_none().then(|| {
                "its blueprint does not say how: back it up yourself, and say so in its `allow`"
                    .to_owned()
            }))
            .component(component.name.clone()),
        );
    }
}
