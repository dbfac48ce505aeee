//! Placement: which replica runs on which host, where the target does not decide that itself.
//!
//! A host is chosen for a service by their names alone, as long as it has room and its fair share is not exceeded. So a
//! change of one service moves few others: what follows from names stays, only what no longer fits goes elsewhere. That
//! matters most to services with data, which are placed first, since their data stays behind when they move. Replicas of
//! one service go to different hosts, and zones, as long as there are others. What fits nowhere is placed all the same,
//! where it overruns least: saying so is a check's business.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::platform::{Host, Service};
use crate::terms::Target;

/// What is left on a host, in bytes and millicores.
#[derive(Clone, Copy)]
struct Left {
    memory: i128,
    cpu: i128,
}

/// How much fuller than the average a host may become before another is tried, in percent of its budget.
const SLACK: i128 = 10;

/// Places all services; jobs go where their replicas of one fit.
pub(super) fn place(services: &mut [Service], hosts: &[Host], target: Target) {
    if hosts.is_empty() || target == Target::Kubernetes {
        return;
    }
    if let [_] = hosts {
        for service in services {
            service.placement = vec![0; usize::try_from(service.replicas.min).unwrap_or(0)];
        }
        return;
    }
    // What runs in a cluster inside a service runs where that service does, and counts there.
    let mut brought: BTreeMap<usize, (i128, i128)> = BTreeMap::new();
    for service in services.iter() {
        if let Some(host) = service.inside {
            let (memory, cpu) = brought.entry(host).or_default();
            let (own_memory, own_cpu) = taken(service);
            *memory += own_memory * i128::from(service.replicas.min);
            *cpu += own_cpu * i128::from(service.replicas.min);
        }
    }
    let mut order: Vec<usize> = (0..services.len())
        .filter(|at| services[*at].inside.is_none())
        .collect();
    order.sort_by_key(|at| {
        let service = &services[*at];
        let (brought, _) = brought.get(at).copied().unwrap_or_default();
        (
            !service.per_host,
            service.mounts.is_empty(),
            Reverse(i128::from(service.resources.memory.0) + brought),
            service.name.clone(),
        )
    });
    let budget: Vec<Left> = hosts
        .iter()
        .map(|host| Left {
            memory: i128::from(host.memory_budget().0),
            cpu: i128::from(host.cpu_budget().0),
        })
        .collect();
    let mut left = budget.clone();
    let zones: Vec<usize> = zone_numbers(hosts);
    let mut beside: Option<usize> = None;
    // Where volumes lie that services use one after the other: all of these run there.
    let mut lies: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for at in order {
        let (mut memory, mut cpu) = taken(&services[at]);
        if let Some((more_memory, more_cpu)) = brought.get(&at) {
            memory += more_memory;
            cpu += more_cpu;
        }
        let service = &mut services[at];
        // Replicas that keep nothing may rather share a host than overrun one; those with data, or ports of their host, must
        // not share.
        let may_share = service.mounts.is_empty() && !service.has_host_ports();
        let able = able(service, hosts);
        // What runs beside a stack is one project, on one host.
        let together = target == Target::Swarm && service.runs_beside();
        let wishes: Vec<u64> = hosts
            .iter()
            .map(|host| wish(&service.name, &host.name))
            .collect();
        if service.per_host {
            service.placement = (0..hosts.len()).collect();
            for left in &mut left {
                left.memory -= memory;
                left.cpu -= cpu;
            }
            continue;
        }
        let mut on = vec![0_u64; hosts.len()];
        let mut in_zone = vec![0_u64; hosts.len()];
        let mut placement = Vec::new();
        for _ in 0..service.replicas.min {
            let fair = fair_share(&budget, &left, &able, memory);
            let best = able.iter().copied().min_by_key(|host| {
                let fits = left[*host].memory >= memory && left[*host].cpu >= cpu;
                let share = used(budget[*host].memory, left[*host].memory - memory);
                (
                    may_share && !fits,
                    on[*host],
                    !fits,
                    in_zone[zones[*host]],
                    share > fair,
                    // What fits nowhere goes where most is left.
                    if fits { 0 } else { -left[*host].memory },
                    wishes[*host],
                    *host,
                )
            });
            let Some(mut best) = best else { break };
            let volumes = service
                .mounts
                .values()
                .map(|mount| (service.component, mount.volume));
            if service.replicas.max == 1 {
                let volumes: Vec<(usize, usize)> = volumes.collect();
                let there = volumes.iter().find_map(|volume| lies.get(volume).copied());
                best = there.unwrap_or(best);
                lies.extend(volumes.into_iter().map(|volume| (volume, best)));
            }
            if together {
                best = *beside.get_or_insert(best);
            }
            on[best] += 1;
            in_zone[zones[best]] += 1;
            if service.kind.keeps_running() {
                left[best].memory -= memory;
                left[best].cpu -= cpu;
            }
            placement.push(best);
        }
        service.placement = placement;
    }
    let inside: Vec<(usize, Vec<usize>)> = services
        .iter()
        .enumerate()
        .filter_map(|(at, service)| {
            let host = *services[service.inside?].placement.first()?;
            let replicas = usize::try_from(service.replicas.min).unwrap_or(0);
            Some((at, vec![host; replicas]))
        })
        .collect();
    for (at, placement) in inside {
        services[at].placement = placement;
    }
}

/// Returns the memory and processors that a replica takes for good.
fn taken(service: &Service) -> (i128, i128) {
    (
        i128::from(service.resources.memory.0),
        i128::from(service.resources.cpu.0),
    )
}

/// Lists the hosts that have the labels which a service asks for; all of them, if none has, which a check reports.
fn able(service: &Service, hosts: &[Host]) -> Vec<usize> {
    let able: Vec<usize> = (0..hosts.len())
        .filter(|host| hosts[*host].is_able(service))
        .collect();
    if able.is_empty() {
        (0..hosts.len()).collect()
    } else {
        able
    }
}

/// Numbers the zones of hosts; those without one are zones of their own.
fn zone_numbers(hosts: &[Host]) -> Vec<usize> {
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    hosts
        .iter()
        .enumerate()
        .map(|(at, host)| match &host.zone {
            Some(zone) => *known.entry(zone).or_insert(at),
            None => at,
        })
        .collect()
}

/// Returns how much of a budget is used, in percent.
fn used(budget: i128, left: i128) -> i128 {
    (budget - left) * 100 / budget.max(1)
}

/// Returns how full a host may become with one more replica: somewhat fuller than all of them together.
fn fair_share(budget: &[Left], left: &[Left], able: &[usize], memory: i128) -> i128 {
    let all: i128 = able.iter().map(|host| budget[*host].memory).sum();
    let free: i128 = able.iter().map(|host| left[*host].memory).sum();
    used(all, free - memory) + SLACK
}

/// Returns a number that says how much a service wants to be on a host, the lower the more: from their names alone.
fn wish(service: &str, host: &str) -> u64 {
    let digest = <sha2::Sha256 as sha2::Digest>::digest(format!("{service}\0{host}"));
    let first = digest.first_chunk::<8>().copied().unwrap_or_default();
    u64::from_be_bytes(first)
}
