//! The README of a Compose bundle: what starts it, and what fits on its host.
//!
//! The sizing is the one that the checks use.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde::Serialize;

use super::{Common, Template, common, engine, is_guest};
use crate::backend::{docker, tls};
use crate::platform::budget::{load, sets, shares};
use crate::platform::{Platform, Reload, Service};

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
    turns: Vec<TurnRow<'p>>,
    tls: Option<Certificates<'p>>,
    clusters: Vec<ClusterRow<'p>>,
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
    without: String,
    services: String,
    memory: u64,
    memory_budget: u64,
    cpu: String,
    cpu_budget: String,
    fits: bool,
}

#[derive(Serialize)]
struct TurnRow<'p> {
    profile: &'p str,
    without: String,
    stops: String,
    starts: String,
    own: String,
}

#[derive(Serialize)]
struct Certificates<'p> {
    certificates: Vec<CertificateRow<'p>>,
    issued: bool,
    given: Option<&'p str>,
    /// The public authority that is asked.
    directory: Option<&'p str>,
    renew_days: u64,
    reloads: Vec<ReloadRow>,
    watching: String,
}

#[derive(Serialize)]
struct CertificateRow<'p> {
    name: &'p str,
    names: String,
    services: String,
    given: bool,
    asked: bool,
}

#[derive(Serialize)]
struct ReloadRow {
    command: String,
    soft: bool,
}

#[derive(Serialize)]
struct ClusterRow<'p> {
    host: &'p str,
    folder: String,
    version: String,
    namespace: &'p str,
    components: String,
    example: Option<&'p str>,
    privileged: Option<&'p str>,
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
        turns: turns(platform),
        tls: certificates(platform),
        clusters: clusters(platform),
        shares: if platform.environment.hosts.is_empty() {
            Vec::new()
        } else {
            shares(platform, 0, |_| true)
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
            .enumerate()
            // Those in a cluster have their room in its own volume.
            .filter(|(at, component)| component.unsupported.is_none() && !is_guest(platform, *at))
            .flat_map(|(_, component)| {
                component.volumes.iter().map(|volume| VolumeRow {
                    name: &volume.name,
                    size: volume.size.to_string(),
                    component: &component.name,
                })
            })
            .collect(),
    }
}

/// Names the components that are stopped for profiles.
fn without(platform: &Platform, profiles: &BTreeSet<&str>) -> String {
    let stopped = platform.stopped_for(profiles);
    let names = stopped
        .iter()
        .map(|at| platform.components[*at].name.as_str());
    names.collect::<Vec<_>>().join(", ")
}

/// Lists services of the engine that keep running.
fn running(platform: &Platform, wanted: impl Fn(&Service) -> bool) -> String {
    let services = platform.services.iter().filter(|service| {
        service.kind.keeps_running() && service.inside.is_none() && wanted(service)
    });
    let mut names: Vec<&str> = services.map(|service| service.name.as_str()).collect();
    names.sort_unstable();
    names.join(" ")
}

/// Lists the services that run with profiles while others are stopped for them; a plain start would bring those back.
fn beside(platform: &Platform, profiles: &BTreeSet<&str>) -> String {
    let stopped = platform.stopped_for(profiles);
    if stopped.is_empty() {
        return String::new();
    }
    running(platform, |service| {
        let profile = platform.profile_of(service);
        !stopped.contains(&service.component)
            && profile.is_none_or(|profile| profiles.contains(profile))
    })
}

/// Lists the profiles that others are stopped for.
fn turns(platform: &Platform) -> Vec<TurnRow<'_>> {
    let profiles = platform.environment.profiles.iter();
    profiles
        .filter(|profile| !profile.stops.is_empty())
        .map(|profile| {
            let set = BTreeSet::from([profile.name.as_str()]);
            TurnRow {
                profile: &profile.name,
                without: without(platform, &set),
                stops: running(platform, |service| {
                    profile.stops.contains(&service.component)
                }),
                starts: beside(platform, &set),
                own: running(platform, |service| {
                    platform.profile_of(service) == Some(&profile.name)
                }),
            }
        })
        .collect()
}

/// Gathers what is said of certificates, if there are any.
fn certificates(platform: &Platform) -> Option<Certificates<'_>> {
    if platform.certificates.is_empty() {
        return None;
    }
    let mut reloads = Vec::new();
    let mut watching = Vec::new();
    for service in &platform.services {
        let Some(used) = &service.certificate else {
            continue;
        };
        for name in docker::instance_names(service) {
            match &used.reload {
                Reload::Itself => watching.push(name),
                // Not `kill` of the engine, which takes the container for one that was stopped on purpose from then on.
                Reload::Signal(signal) => reloads.push(ReloadRow {
                    command: format!("exec {name} sh -c \"kill -s {signal} 1\""),
                    soft: true,
                }),
                Reload::Restart => reloads.push(ReloadRow {
                    command: format!("restart {name}"),
                    soft: false,
                }),
            }
        }
    }
    let mut given = platform
        .certificates
        .iter()
        .filter(|one| one.given && !one.asked);
    let rows = platform.certificates.iter().map(|certificate| {
        let services = certificate.services.iter();
        let services: Vec<&str> = services
            .map(|at| platform.services[*at].name.as_str())
            .collect();
        CertificateRow {
            name: &certificate.name,
            names: certificate.names.join(", "),
            services: services.join(", "),
            given: certificate.given && !certificate.asked,
            asked: certificate.asked,
        }
    });
    Some(Certificates {
        certificates: rows.collect(),
        issued: platform.certificates.iter().any(|one| !one.given),
        directory: platform
            .environment
            .tls
            .acme
            .as_ref()
            .map(|acme| acme.directory.as_str()),
        given: given.next().map(|certificate| certificate.name.as_str()),
        renew_days: tls::days(platform.environment.tls.renew_before),
        reloads,
        watching: watching.join(", "),
    })
}

/// Lists the clusters inside services.
fn clusters(platform: &Platform) -> Vec<ClusterRow<'_>> {
    let services = platform.services.iter().enumerate();
    services
        .filter_map(|(at, service)| {
            let hosted = service.hosts.as_ref()?;
            let components: BTreeSet<&str> = platform
                .guests(at)
                .map(|(_, guest)| platform.component_of(guest).name.as_str())
                .collect();
            let guests = platform.guests(at).map(|(_, guest)| guest);
            Some(ClusterRow {
                host: &service.name,
                folder: format!("{}/manifests", platform.component_of(service).name),
                version: format!("1.{}", hosted.cluster.version),
                namespace: &hosted.cluster.namespace,
                components: components.into_iter().collect::<Vec<_>>().join(", "),
                // The one that bears its component's name, if there is one.
                example: guests
                    .filter(|guest| {
                        guest.is_ours() && guest.kind.keeps_running() && !guest.is_stateful()
                    })
                    .min_by_key(|guest| guest.name != platform.component_of(guest).name)
                    .map(|guest| guest.name.as_str()),
                privileged: service.privileged.as_deref(),
            })
        })
        .collect()
}

fn set_row(platform: &Platform, set: &BTreeSet<&str>) -> SetRow {
    let load = load(platform, 0, set);
    SetRow {
        without: without(platform, set),
        services: beside(platform, set),
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
