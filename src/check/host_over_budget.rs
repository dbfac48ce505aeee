//! More on a host than it has.

use std::collections::{BTreeMap, BTreeSet};

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::budget::{Load, load};
use crate::platform::{FlowReason, Platform};

static RULE: Rule = Rule {
    code: "host-over-budget",
    severity: Severity::Error,
    summary: "services take more than their host has",
    why: "Memory limits that add up to more than the machine's memory end with the kernel killing a process, often the \
          database. Processors that are promised twice make every start-up and every query slow.",
    fix: "Put components into a profile, lower the size or the memory of a service, or use a larger host. The table \
          shows who takes what.",
    allowable: true,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    for (at, host) in platform.environment.hosts.iter().enumerate() {
        let load = load(platform, at, &BTreeSet::new());
        if load.fits() {
            continue;
        }
        findings.push(
            Finding::new(
                &RULE,
                host.place.clone(),
                format!(
                    "`{}` has {} MiB and {} CPUs for services, which take {} MiB and {}",
                    host.name,
                    load.memory_budget.mib(),
                    load.cpu_budget.cores(),
                    load.memory.mib(),
                    load.cpu.cores()
                ),
            )
            .cause(table(platform, &load))
            .help(cut(platform, &load)),
        );
    }
}

/// Shows who takes what, the largest first.
pub(super) fn table(platform: &Platform, load: &Load) -> String {
    let width = load
        .shares
        .iter()
        .map(|share| platform.services[share.service].name.len())
        .max()
        .unwrap_or(0)
        .max("together".len());
    let mut rows = vec![format!(
        "{:width$}  {:>10}  {:>6}",
        "service", "memory", "CPUs"
    )];
    for share in &load.shares {
        let service = &platform.services[share.service];
        let times = if share.replicas > 1 {
            format!(" x{}", share.replicas)
        } else {
            String::new()
        };
        rows.push(format!(
            "{:width$}  {:>6} MiB  {:>6}{times}",
            service.name,
            share.memory.mib(),
            share.cpu.cores()
        ));
    }
    rows.push(format!(
        "{:width$}  {:>6} MiB  {:>6}",
        "together",
        load.memory.mib(),
        load.cpu.cores()
    ));
    rows.push(format!(
        "{:width$}  {:>6} MiB  {:>6}",
        "budget",
        load.memory_budget.mib(),
        load.cpu_budget.cores()
    ));
    rows.join("\n")
}

/// Says what would have to go: the smallest component that nobody else connects to and without which the rest fits.
pub(super) fn cut(platform: &Platform, load: &Load) -> String {
    let over_memory = load.memory.0.saturating_sub(load.memory_budget.0);
    let over_cpu = load.cpu.0.saturating_sub(load.cpu_budget.0);
    let component = |service: usize| platform.services[service].component;
    let needed: BTreeSet<usize> = platform
        .flows
        .iter()
        .filter(|flow| {
            flow.reason != FlowReason::Proxy && component(flow.from) != component(flow.to)
        })
        .map(|flow| component(flow.to))
        .chain(
            platform
                .edge
                .as_ref()
                .and_then(|edge| edge.service)
                .map(component),
        )
        .collect();
    let mut takes: BTreeMap<usize, (u64, u64)> = BTreeMap::new();
    for share in &load.shares {
        let (memory, cpu) = takes.entry(component(share.service)).or_default();
        *memory += share.memory.0;
        *cpu += share.cpu.0;
    }
    let enough = takes
        .iter()
        .filter(|(at, (memory, cpu))| {
            !needed.contains(at) && *memory >= over_memory && *cpu >= over_cpu
        })
        .min_by_key(|(_, (memory, _))| *memory);
    match enough {
        Some((at, _)) => format!(
            "it would fit without `{}`: put that into a profile, or give services less memory",
            platform.components[*at].name
        ),
        None => "put components into profiles, give services less memory, or use a larger host"
            .to_owned(),
    }
}
