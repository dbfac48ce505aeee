//! The README of a Compose bundle: what starts it, and what fits on its host.
//!
//! The sizing is the one that the checks use.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde::Serialize;

use super::{Common, Template, common, engine};
use crate::platform::Platform;
use crate::platform::budget::{load, sets};

static TEMPLATE: Template = Template {
    en: LazyLock::new(|| engine(include_str!("compose.en.hbs"))),
    fr: LazyLock::new(|| engine(include_str!("compose.fr.hbs"))),
};

#[derive(Serialize)]
struct Readme<'p> {
    #[serde(flatten)]
    common: Common<'p>,
    project: &'p str,
    host: Option<HostRow>,
    sets: Vec<SetRow>,
    shares: Vec<ShareRow<'p>>,
    volumes: Vec<VolumeRow<'p>>,
}

#[derive(Serialize)]
struct HostRow {
    name: String,
    memory: String,
    cpus: String,
    memory_budget: String,
    cpu_budget: String,
    reserve_memory: String,
}

#[derive(Serialize)]
struct SetRow {
    profiles: String,
    flags: String,
    memory: u64,
    memory_budget: u64,
    cpu: String,
    cpu_budget: String,
    fits: bool,
}

#[derive(Serialize)]
struct ShareRow<'p> {
    service: &'p str,
    memory: String,
    cpu: String,
    profile: Option<&'p str>,
}

#[derive(Serialize)]
struct VolumeRow<'p> {
    name: &'p str,
    size: String,
    component: &'p str,
}

/// Renders the README.
pub fn render(platform: &Platform, project: &str) -> String {
    TEMPLATE.render(platform, &readme(platform, project))
}

fn readme<'p>(platform: &'p Platform, project: &'p str) -> Readme<'p> {
    let all: BTreeSet<&str> = platform
        .environment
        .profiles
        .iter()
        .map(|profile| profile.name.as_str())
        .collect();
    Readme {
        common: common(platform),
        project,
        host: platform.environment.hosts.first().map(|host| HostRow {
            name: host.name.clone(),
            memory: host.memory.to_string(),
            cpus: host.cpu.cores(),
            memory_budget: format!("{} MiB", host.memory_budget().mib()),
            cpu_budget: host.cpu_budget().cores(),
            reserve_memory: format!("{} MiB", host.reserve_memory.mib()),
        }),
        sets: if platform.environment.hosts.is_empty() {
            Vec::new()
        } else {
            sets(platform)
                .into_iter()
                .map(|set| set_row(platform, &set))
                .collect()
        },
        shares: if platform.environment.hosts.is_empty() {
            Vec::new()
        } else {
            load(platform, 0, &all)
                .shares
                .iter()
                .map(|share| {
                    let service = &platform.services[share.service];
                    ShareRow {
                        service: &service.name,
                        memory: format!("{} MiB", share.memory.mib()),
                        cpu: share.cpu.cores(),
                        profile: platform.profile_of(service),
                    }
                })
                .collect()
        },
        volumes: platform
            .components
            .iter()
            .filter(|component| component.unsupported.is_none())
            .flat_map(|component| {
                component.volumes.iter().map(|volume| VolumeRow {
                    name: &volume.name,
                    size: volume.size.to_string(),
                    component: &component.name,
                })
            })
            .collect(),
    }
}

fn set_row(platform: &Platform, set: &BTreeSet<&str>) -> SetRow {
    let load = load(platform, 0, set);
    SetRow {
        profiles: load.profiles.join(" + "),
        flags: load
            .profiles
            .iter()
            .map(|profile| format!(" --profile {profile}"))
            .collect(),
        memory: load.memory.mib(),
        memory_budget: load.memory_budget.mib(),
        cpu: load.cpu.cores(),
        cpu_budget: load.cpu_budget.cores(),
        fits: load.fits(),
    }
}
