//! A service that no host has room for, even alone.

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::Platform;

static RULE: Rule = Rule {
    code: "no-host-large-enough",
    severity: Severity::Error,
    summary: "a service asks for more than any host has",
    why: "A replica runs on one host. What is larger than the largest of them is never started.",
    fix: "Give the service less memory or fewer processors, or declare a larger host.",
    allowable: false,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    let hosts = &platform.environment.hosts;
    // One host says so in its own table.
    if hosts.len() < 2 {
        return;
    }
    for service in &platform.services {
        let own = &service.resources;
        let able = || hosts.iter().filter(|host| host.is_able(service));
        let mut fitting = able()
            .filter(|host| own.memory <= host.memory_budget() && own.cpu <= host.cpu_budget());
        let largest = able().max_by_key(|host| host.memory_budget());
        if let (None, Some(largest)) = (fitting.next(), largest) {
            findings.push(
                Finding::new(
                    &RULE,
                    own.place.clone(),
                    format!(
                        "`{}` takes {} MiB and {} processors, and no host has as much for services",
                        service.name,
                        own.memory.mib(),
                        own.cpu.cores()
                    ),
                )
                .cause(format!(
                    "the largest, `{}`, has {} MiB and {} processors",
                    largest.name,
                    largest.memory_budget().mib(),
                    largest.cpu_budget().cores()
                ))
                .component(platform.component_of(service).name.clone()),
            );
        }
    }
}
