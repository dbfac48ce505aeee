//! Fewer hosts than high availability asks for.

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::Platform;
use crate::terms::{Availability, Target};

static RULE: Rule = Rule {
    code: "too-few-hosts",
    severity: Severity::Error,
    summary: "an environment on swarm has too few hosts for high availability",
    why: "With one host nothing survives its loss; with two, the managers have no majority without either of them, so nothing is started elsewhere when one is lost.",
    fix: "Declare three hosts, or take `availability = \"high\"` out.",
    allowable: true,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    let environment = &platform.environment;
    if environment.target != Target::Swarm || environment.availability != Availability::High {
        return;
    }
    let finding = |message: String| Finding::new(&RULE, environment.place.clone(), message);
    match environment.hosts.as_slice() {
        [one] => findings.push(
            finding(format!(
                "`{}` asks for high availability, and has one host",
                environment.name
            ))
            .related(one.place.clone(), "the host"),
        ),
        [one, other] => findings.push(
            finding(format!(
                "`{}` asks for high availability, and a Swarm of two hosts cannot move anything when one is lost",
                environment.name
            ))
            .severity(Severity::Warning)
            .cause("two managers need both for a majority; what has a replica on the other host goes on")
            .related(one.place.clone(), "one host")
            .related(other.place.clone(), "the other"),
        ),
        _ => {}
    }
}
