//! One of something, in an environment that must survive losses.

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::{Kind, Platform};
use crate::terms::Availability;

static RULE: Rule = Rule {
    code: "single-point-of-failure",
    severity: Severity::Warning,
    summary: "a service runs once in an environment that asks for high availability",
    why: "When its container, host or zone is lost, what it does stops until it is back.",
    fix: "Raise its replicas, or allow this at the component with the reason why the pause is acceptable.",
    allowable: true,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    if platform.environment.availability != Availability::High {
        return;
    }
    for service in platform.services.iter().filter(|service| {
        // What runs in a cluster inside a service goes with that one, however often it runs there.
        service.kind.keeps_running()
            && !service.is_launched()
            && service.inside.is_none()
            // One on each machine is as available as the machines are.
            && !service.per_host
    }) {
        // One on each machine is lost with its machine, and what it looked at too.
        if service.replicas.min >= 2 || service.per_host {
            continue;
        }
        let component = platform.component_of(service);
        let mut finding = Finding::new(
            &RULE,
            component.place.clone(),
            format!(
                "`{}` runs once, but `{}` asks for high availability",
                service.name, platform.environment.name
            ),
        )
        .component(component.name.clone());
        match &service.single {
            // Nothing to be done about it: said, so that nobody is surprised.
            Some(reason) => finding = finding.severity(Severity::Note).cause(reason.clone()),
            None => {
                let what = if service.kind == Kind::Stateful {
                    "what it keeps cannot be reached"
                } else {
                    "it does not answer"
                };
                finding = finding
                    .cause(format!("while its only container is down, {what}"))
                    .related(service.replicas.place.clone(), "its number");
            }
        }
        findings.push(finding);
    }
}
