//! A page is served to whoever reaches it where people's accounts are in a directory or at an identity provider.

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::Platform;
use crate::terms::Login;

static RULE: Rule = Rule {
    code: "open-page",
    severity: Severity::Warning,
    summary: "a published page asks nobody who they are",
    why: "The system knows no people, so roles mean nothing to it: whoever reaches its host name sees everything that it \
          shows.",
    fix: "Put a component before it that logs people in, or keep it from being published.",
    allowable: true,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    if platform.identity.kind == Login::Local {
        return;
    }
    for endpoint in &platform.endpoints {
        let component = platform.component_of(&platform.services[endpoint.service]);
        if endpoint.host.is_some() && component.asks_nobody() {
            findings.push(
                Finding::new(
                    &RULE,
                    component.place.clone(),
                    format!(
                        "`{}` serves {} to whoever reaches it",
                        component.name, endpoint.url
                    ),
                )
                .component(component.name.clone()),
            );
        }
    }
}
