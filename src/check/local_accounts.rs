//! A system keeps accounts of its own where people's are in a directory or at an identity provider.

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::Platform;
use crate::platform::identity::Lacking;
use crate::terms::Login;

static RULE: Rule = Rule {
    code: "local-accounts",
    severity: Severity::Note,
    summary: "a system keeps accounts of its own beside the directory or identity provider",
    why: "Who leaves the directory can still log in there, and roles are given by hand. Makers keep other ways of logging \
          in for paid editions, or never made them.",
    fix: "Choose an edition that can, give out its accounts sparingly, or put a component that knows people before its \
          pages.",
    allowable: true,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    let kind = platform.identity.kind;
    if kind == Login::Local {
        return;
    }
    for component in &platform.components {
        let Some(people) = &component.people else {
            continue;
        };
        if component.unsupported.is_some()
            || people.login != Login::Local
            || !people.local
            || people.front.is_some()
        {
            continue;
        }
        let help = people
            .lacking
            .iter()
            .find(|(way, _)| *way == kind)
            .map(|(_, why)| match why {
                Lacking::Editions(editions) => {
                    format!("editions that can: {}", editions.join(", "))
                }
                Lacking::Why(why) => why.clone(),
            });
        findings.push(
            Finding::new(
                &RULE,
                component.place.clone(),
                format!(
                    "people log in to `{}` with accounts of its own, not by `{kind}`",
                    component.name
                ),
            )
            .maybe_help(help)
            .component(component.name.clone()),
        );
    }
}
