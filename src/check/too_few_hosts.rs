//! Fewer hosts than an environment asks for by its target or its availability.

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::Platform;
use crate::terms::{Availability, Target};

static RULE: Rule = Rule {
    code: "too-few-hosts",
    severity: Severity::Error,
    summary: "an environment on swarm has too few hosts for what it asks for",
    why: "A Swarm is planned over the hosts that the topology declares. With one, nothing survives its loss; with two, \
          the managers have no majority without either of them, so nothing is started elsewhere when one is lost.",
    fix: "Declare three hosts, or take `availability = \"high\"` out.",
    allowable: true,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    let environment = &platform.environment;
    if environment.target != Target::Swarm {
        return;
    }
    let high = environment.availability == Availability::High;
    let finding = |message: String| Finding::new(&RULE, environment.place.clone(), message);
    match environment.hosts.as_slice() {
        [] => findings.push(
            finding(format!(
                "`{}` has no hosts, and a Swarm is planned over them",
                environment.name
            ))
            .help("add hosts = [{ name = \"staging-1\", memory = \"16GiB\", cpus = 8 }]"),
        ),
        [one] if high => findings.push(
            finding(format!(
                "`{}` asks for high availability, and has one host",
                environment.name
            ))
            .related(one.place.clone(), "the host"),
        ),
        [one, other] if high => findings.push(
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
