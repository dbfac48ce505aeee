//! A component whose licence the platform's policy refuses (P01).

use spdx::{Expression, ParseMode};

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::Platform;

static RULE: Rule = Rule {
    code: "licence-refused",
    severity: Severity::Error,
    summary: "a component's licence is refused by the platform's policy",
    why: "`platform.licences` says which licences may be used. Where a system may be used under one of several, one \
          that is accepted is enough.",
    fix: "Use another component or edition, or change the policy. `allow` at the component makes an exception with its \
          reason.",
    allowable: true,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    let policy = &platform.licences;
    if policy.refused.is_empty() && policy.accepted.is_none() {
        return;
    }
    for component in platform
        .components
        .iter()
        .filter(|component| component.unsupported.is_none())
    {
        let fine = |name: &str| {
            // "AGPL-3.0" stands for the licence with and without "or later".
            let is = |listed: &str| {
                name == listed
                    || name.strip_suffix("-only") == Some(listed)
                    || name.strip_suffix("-or-later") == Some(listed)
            };
            !policy.refused.iter().any(|(listed, _)| is(listed))
                && policy
                    .accepted
                    .as_ref()
                    .is_none_or(|accepted| accepted.iter().any(|listed| is(listed)))
        };
        let accepted = match Expression::parse_mode(&component.license, ParseMode::LAX) {
            Ok(expression) => {
                expression.evaluate(|requirement| fine(&requirement.license.to_string()))
            }
            // A blueprint's test keeps built-in ones valid; of a user's own, the text as a whole is compared.
            Err(_) => fine(&component.license),
        };
        if accepted {
            continue;
        }
        let refused = policy
            .refused
            .iter()
            .find(|(listed, _)| component.license.contains(listed.as_str()));
        let verb = if refused.is_some() {
            "refuses"
        } else {
            "does not accept"
        };
        let mut finding = Finding::new(
            &RULE,
            component.place.clone(),
            format!(
                "`{}` is licensed as {}, which the platform {verb}",
                component.name, component.license
            ),
        )
        .component(component.name.clone());
        if let Some((_, place)) = refused {
            finding = finding.related(place.clone(), "refused here");
        }
        findings.push(finding);
    }
}
