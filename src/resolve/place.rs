//! Placement: which replica runs on which host, where the target does not decide that itself.
//!
//! Each service goes where the most memory is left, largest first; replicas of one service go to different hosts, and
//! zones, as long as there are others. The order is fixed, so the same platform is placed the same way. What fits
//! nowhere is placed all the same, where it overruns least: saying so is a check's business.

use std::cmp::Reverse;

use crate::platform::{Host, Service};
use crate::terms::Target;

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
    let mut order: Vec<usize> = (0..services.len()).collect();
    order.sort_by_key(|at| {
        let service = &services[*at];
        (Reverse(service.resources.memory), service.name.clone())
    });
    let mut left: Vec<i128> = hosts
        .iter()
        .map(|host| i128::from(host.memory_budget().0))
        .collect();
    for at in order {
        let service = &mut services[at];
        let memory = i128::from(service.resources.memory.0);
        let mut on = vec![0_u64; hosts.len()];
        let mut placement = Vec::new();
        for _ in 0..service.replicas.min {
            let in_zone = |zone: &Option<String>, on: &[u64]| -> u64 {
                hosts
                    .iter()
                    .zip(on)
                    .filter(|(host, _)| zone.is_some() && host.zone == *zone)
                    .map(|(_, count)| count)
                    .sum()
            };
            let best = (0..hosts.len()).min_by_key(|host| {
                let fits = left[*host] >= memory;
                (
                    on[*host],
                    !fits,
                    in_zone(&hosts[*host].zone, &on),
                    Reverse(left[*host]),
                    *host,
                )
            });
            let Some(best) = best else { break };
            on[best] += 1;
            if service.kind.keeps_running() {
                left[best] -= memory;
            }
            placement.push(best);
        }
        service.placement = placement;
    }
}
