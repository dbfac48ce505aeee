//! What fits on a host: the sizing that checks and READMEs share.

use std::collections::BTreeSet;

use super::{Kind, Platform, Service};
use crate::units::{Bytes, MilliCpu};

/// What one service takes on a host.
#[derive(Clone, Debug)]
pub struct Share {
    /// Position of the service.
    pub service: usize,
    /// Replicas on the host.
    pub replicas: u64,
    /// Memory of all of them.
    pub memory: Bytes,
    /// Guaranteed processors of all of them.
    pub cpu: MilliCpu,
}

/// What runs on a host with a set of profiles, the largest first.
#[derive(Clone, Debug)]
pub struct Load {
    /// The profiles, sorted; those without any always run.
    pub profiles: Vec<String>,
    /// Who takes what.
    pub shares: Vec<Share>,
    /// Memory that is taken.
    pub memory: Bytes,
    /// Processors that are taken.
    pub cpu: MilliCpu,
    /// Memory that there is for services.
    pub memory_budget: Bytes,
    /// Processors that there are for services.
    pub cpu_budget: MilliCpu,
}

impl Load {
    /// Returns the memory and processors that are left, in bytes and millicores.
    pub fn left(&self) -> (u64, u64) {
        (
            self.memory_budget.0.saturating_sub(self.memory.0),
            self.cpu_budget.0.saturating_sub(self.cpu.0),
        )
    }

    /// Says whether it fits.
    pub fn fits(&self) -> bool {
        self.memory <= self.memory_budget && self.cpu <= self.cpu_budget
    }
}

/// Sums up what a host carries with some profiles.
pub fn load(platform: &Platform, host: usize, profiles: &BTreeSet<&str>) -> Load {
    let stopped = platform.stopped_for(profiles);
    let budget = &platform.environment.hosts[host];
    let shares = shares(platform, host, |service| {
        !stopped.contains(&service.component)
            && platform
                .profile_of(service)
                .is_none_or(|profile| profiles.contains(profile))
    });
    Load {
        profiles: profiles
            .iter()
            .map(|profile| (*profile).to_owned())
            .collect(),
        memory: Bytes(
            shares
                .iter()
                .map(|share| share.memory.0)
                .fold(0, u64::saturating_add),
        ),
        cpu: MilliCpu(
            shares
                .iter()
                .map(|share| share.cpu.0)
                .fold(0, u64::saturating_add),
        ),
        shares,
        memory_budget: budget.memory_budget(),
        cpu_budget: budget.cpu_budget(),
    }
}

/// Lists what services take of a host if they run there, the largest first.
pub fn shares(platform: &Platform, host: usize, runs: impl Fn(&Service) -> bool) -> Vec<Share> {
    let replaced = replaced(platform);
    let mut shares: Vec<Share> = platform
        .services
        .iter()
        .enumerate()
        .filter(|(at, service)| !replaced[*at] && runs(service))
        .filter_map(|(at, service)| {
            let replicas = service.placement.iter().filter(|on| **on == host).count() as u64;
            (replicas > 0).then(|| Share {
                service: at,
                replicas,
                memory: Bytes(service.resources.memory.0.saturating_mul(replicas)),
                cpu: MilliCpu(service.resources.cpu.0.saturating_mul(replicas)),
            })
        })
        .collect();
    shares.sort_by(|left, right| {
        right
            .memory
            .cmp(&left.memory)
            .then(left.service.cmp(&right.service))
    });
    shares
}

/// Says whether a service is started on another host when its own is lost, where hosts form a Swarm: it keeps running,
/// keeps no data there, and has no port of it.
pub fn moves(platform: &Platform, service: &Service) -> bool {
    service.kind.keeps_running()
        && service.inside.is_none()
        && service.privileged.is_none()
        && !platform.keeps_local_data(service)
        && !service.has_host_ports()
}

/// Lists the services, one for each replica, that find no room elsewhere when a host is lost.
pub fn without_room(platform: &Platform, lost: usize) -> Vec<usize> {
    let hosts = &platform.environment.hosts;
    let loads: Vec<Load> = (0..hosts.len())
        .map(|host| load(platform, host, &BTreeSet::new()))
        .collect();
    let mut left: Vec<(u64, u64)> = loads.iter().map(Load::left).collect();
    left[lost] = (0, 0);
    let mut without = Vec::new();
    // Shares are sorted, the largest first.
    for share in &loads[lost].shares {
        let service = &platform.services[share.service];
        if !moves(platform, service) {
            continue;
        }
        let own = (service.resources.memory.0, service.resources.cpu.0);
        for _ in 0..share.replicas {
            let able = |at: &usize| {
                *at != lost
                    && hosts[*at].is_able(service)
                    && left[*at].0 >= own.0
                    && left[*at].1 >= own.1
            };
            let best = (0..left.len())
                .filter(able)
                .max_by_key(|at| (left[*at].0, usize::MAX - at));
            match best {
                Some(best) => {
                    left[best].0 -= own.0;
                    left[best].1 -= own.1;
                }
                None => without.push(share.service),
            }
        }
    }
    without
}

/// Lists the sets of profiles that are worth knowing: every combination of a few, or none, each and all of many.
pub fn sets(platform: &Platform) -> Vec<BTreeSet<&str>> {
    const COMBINED: usize = 4;
    let profiles: Vec<&str> = platform
        .environment
        .profiles
        .iter()
        .map(|profile| profile.name.as_str())
        .collect();
    if profiles.len() <= COMBINED {
        let mut sets: Vec<BTreeSet<&str>> = (0_usize..1 << profiles.len())
            .map(|bits| {
                let chosen = profiles
                    .iter()
                    .enumerate()
                    .filter(|(at, _)| bits & (1 << at) != 0);
                chosen.map(|(_, name)| *name).collect()
            })
            .collect();
        sets.sort_by_key(BTreeSet::len);
        return sets;
    }
    let mut sets = vec![BTreeSet::new()];
    sets.extend(profiles.iter().map(|name| BTreeSet::from([*name])));
    sets.push(profiles.into_iter().collect());
    sets
}

/// Says for each service whether what it takes is counted elsewhere: a job that is over before services start which
/// take at least as much takes nothing from the budget.
fn replaced(platform: &Platform) -> Vec<bool> {
    let mut waiting = vec![(0_u64, 0_u64); platform.services.len()];
    for service in platform
        .services
        .iter()
        .filter(|service| service.kind.keeps_running())
    {
        for after in service.start_after.iter().filter(|after| after.completed) {
            let profile = platform.profile_of(service);
            // A service that is not started frees nothing.
            if profile.is_none()
                || profile == platform.profile_of(&platform.services[after.service])
            {
                let (memory, cpu) = &mut waiting[after.service];
                *memory = memory.saturating_add(
                    service
                        .resources
                        .memory
                        .0
                        .saturating_mul(service.replicas.min),
                );
                *cpu = cpu
                    .saturating_add(service.resources.cpu.0.saturating_mul(service.replicas.min));
            }
        }
    }
    let covered = |service: &Service, (memory, cpu): (u64, u64)| {
        // In a cluster nothing waits: what needs the job is there at the same time, and tries again.
        matches!(service.kind, Kind::Job { .. })
            && service.inside.is_none()
            && memory >= service.resources.memory.0
            && cpu >= service.resources.cpu.0
    };
    platform
        .services
        .iter()
        .zip(waiting)
        .map(|(service, waiting)| covered(service, waiting))
        .collect()
}
