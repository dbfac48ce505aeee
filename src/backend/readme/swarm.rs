//! The README of a Swarm bundle: where everything runs, what is lost with a host, and how it is kept running.
//!
//! The sizing is the one that the checks use.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde::Serialize;

use super::{Common, Template, common, engine};
use crate::backend::docker::instances;
use crate::backend::tls;
use crate::platform::budget::{load, moves, without_room};
use crate::platform::{AUTHORITY, Host, PUBLIC, Platform, Service};
use crate::terms::Publish;

static TEMPLATE: Template = Template {
    en: LazyLock::new(|| engine(include_str!("swarm.en.hbs"))),
    fr: LazyLock::new(|| engine(include_str!("swarm.fr.hbs"))),
};

#[derive(Serialize)]
struct Readme<'p> {
    #[serde(flatten)]
    common: Common<'p>,
    project: &'p str,
    first_host: &'p str,
    /// Where the bundle is expected to lie on a manager.
    folder: String,
    ports: BTreeSet<u16>,
    /// The server and folder of volumes that lie on none of the hosts.
    nfs: Option<String>,
    certificates: bool,
    own_certificate: bool,
    asked_certificate: bool,
    authority: Option<String>,
    door: Option<&'p str>,
    /// Hosts that the proxy is on.
    doors: BTreeSet<&'p str>,
    placement: Vec<PlacementRow<'p>>,
    hosts: Vec<HostRow<'p>>,
    volumes: Vec<VolumeRow<'p>>,
    beside: Vec<BesideRow<'p>>,
    example_secret: &'p str,
}

/// What runs beside the stack.
#[derive(Serialize)]
struct BesideRow<'p> {
    service: &'p str,
    host: &'p str,
    /// Components that run in it.
    runs: String,
    /// Why it needs all rights.
    reason: &'p str,
}

#[derive(Serialize)]
struct PlacementRow<'p> {
    service: &'p str,
    /// Of several.
    number: Option<usize>,
    replicas: usize,
    host: &'p str,
    memory: String,
    cpu: String,
    data: bool,
    ports: bool,
    job: bool,
    /// What its hosts must have.
    labels: String,
}

#[derive(Serialize)]
struct HostRow<'p> {
    name: &'p str,
    zone: Option<&'p str>,
    labels: String,
    memory: String,
    cpus: String,
    reserve_memory: String,
    reserve_cpus: String,
    shares: Vec<ShareRow<'p>>,
    taken_memory: u64,
    memory_budget: u64,
    taken_cpu: String,
    cpu_budget: String,
    /// What happens when it is lost.
    #[serde(flatten)]
    loss: Loss,
}

#[derive(Serialize)]
struct ShareRow<'p> {
    service: &'p str,
    several: bool,
    replicas: u64,
    memory: String,
    cpu: String,
}

/// Services by what the loss of a host does to them, and whether there is just one of each.
#[derive(Serialize)]
struct Loss {
    down: String,
    down_one: bool,
    fewer: String,
    fewer_one: bool,
    moves: String,
    moves_one: bool,
    without: String,
}

#[derive(Serialize)]
struct VolumeRow<'p> {
    name: String,
    component: &'p str,
    host: String,
    /// Where it lies, if on a server.
    server: Option<String>,
    size: String,
}

/// Renders the README.
pub(crate) fn render(platform: &Platform, project: &str) -> String {
    TEMPLATE.render(platform, &readme(platform, project))
}

/// Lists what runs beside the stack.
fn beside(platform: &Platform) -> Vec<BesideRow<'_>> {
    let services = platform.services.iter().enumerate();
    services
        .filter(|(_, service)| service.runs_beside())
        .filter_map(|(at, service)| {
            let components: BTreeSet<&str> = platform
                .guests(at)
                .map(|(_, guest)| platform.component_of(guest).name.as_str())
                .collect();
            Some(BesideRow {
                service: &service.name,
                host: &platform.environment.hosts[*service.placement.first()?].name,
                runs: components.into_iter().collect::<Vec<_>>().join(", "),
                reason: service.privileged.as_deref().unwrap_or_default(),
            })
        })
        .collect()
}

fn readme<'p>(platform: &'p Platform, project: &'p str) -> Readme<'p> {
    let hosts = &platform.environment.hosts;
    let edge = platform.edge.as_ref().and_then(|edge| edge.service);
    let door = edge.map(|door| &platform.services[door]);
    let volumes = volumes(platform, project);
    let nfs = platform.environment.storage.nfs.as_ref();
    let mut certificates = platform.certificates.iter();
    Readme {
        common: common(platform),
        project,
        first_host: hosts.first().map_or("", |host| host.name.as_str()),
        folder: format!("/opt/{project}"),
        ports: ours(platform)
            .filter(|service| service.has_host_ports())
            .flat_map(|service| service.ports.values())
            .filter(|port| port.publish == Some(Publish::Host))
            .map(|port| port.listen.unwrap_or(port.number))
            .collect(),
        nfs: nfs
            .filter(|_| volumes.iter().any(|volume| volume.server.is_some()))
            .map(|(server, path)| format!("{server}:{path}")),
        certificates: !platform.certificates.is_empty(),
        own_certificate: platform
            .certificates
            .iter()
            .any(|one| one.given && !one.asked),
        asked_certificate: platform.certificates.iter().any(|one| one.asked),
        authority: certificates
            .any(|one| one.name == PUBLIC && !one.given)
            .then(|| format!("{}/{AUTHORITY}.crt", tls::FOLDER)),
        door: door.map(|door| door.name.as_str()),
        doors: door.map_or_else(BTreeSet::new, |door| {
            let placement = door.placement.iter();
            placement.map(|host| hosts[*host].name.as_str()).collect()
        }),
        placement: ours(platform)
            .filter(|service| !service.kind.waits_to_be_told())
            .flat_map(|service| placement(platform, service))
            .collect(),
        hosts: hosts
            .iter()
            .enumerate()
            .map(|(at, host)| host_row(platform, at, host))
            .collect(),
        volumes,
        beside: beside(platform),
        example_secret: platform
            .secrets
            .first()
            .map_or("NAME", |secret| secret.name.as_str()),
    }
}

/// Lists the services that are none of a cluster inside another.
fn ours(platform: &Platform) -> impl Iterator<Item = &Service> {
    let services = platform.services.iter();
    services.filter(|service| service.inside.is_none())
}

fn placement<'p>(platform: &'p Platform, service: &'p Service) -> Vec<PlacementRow<'p>> {
    let hosts = &platform.environment.hosts;
    let replicas = service.placement.len();
    let placement = service.placement.iter().enumerate();
    let labels = service.host_labels.iter();
    let labels: Vec<String> = labels
        .map(|(name, (value, _))| format!("`{name}` = `{value}`"))
        .collect();
    placement
        .map(|(at, host)| PlacementRow {
            service: &service.name,
            number: (replicas > 1).then_some(at + 1),
            replicas,
            host: &hosts[*host].name,
            memory: format!("{} MiB", service.resources.memory.mib()),
            cpu: service.resources.cpu.cores(),
            data: platform.keeps_local_data(service) || service.privileged.is_some(),
            ports: service.has_host_ports(),
            job: !service.kind.keeps_running(),
            labels: labels.join(", "),
        })
        .collect()
}

fn host_row<'p>(platform: &'p Platform, at: usize, host: &'p Host) -> HostRow<'p> {
    let load = load(platform, at, &BTreeSet::new());
    let labels: Vec<String> = host
        .labels
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "host" | "zone"))
        .map(|(name, value)| format!("`{name}` = `{value}`"))
        .collect();
    HostRow {
        name: &host.name,
        zone: host.zone.as_deref(),
        labels: labels.join(", "),
        memory: host.memory.to_string(),
        cpus: host.cpu.cores(),
        reserve_memory: format!("{} MiB", host.reserve_memory.mib()),
        reserve_cpus: host.reserve_cpu.cores(),
        shares: load
            .shares
            .iter()
            .map(|share| ShareRow {
                service: &platform.services[share.service].name,
                several: share.replicas > 1,
                replicas: share.replicas,
                memory: format!("{} MiB", share.memory.mib()),
                cpu: share.cpu.cores(),
            })
            .collect(),
        taken_memory: load.memory.mib(),
        memory_budget: load.memory_budget.mib(),
        taken_cpu: load.cpu.cores(),
        cpu_budget: load.cpu_budget.cores(),
        loss: loss(platform, at),
    }
}

/// Says what the loss of a host does to the services that keep running.
fn loss(platform: &Platform, lost: usize) -> Loss {
    let (mut down, mut fewer, mut moving) = (Vec::new(), Vec::new(), Vec::new());
    for service in ours(platform).filter(|service| service.kind.keeps_running()) {
        let here = service.placement.iter().filter(|on| **on == lost).count();
        if here == 0 {
            continue;
        }
        let name = service.name.as_str();
        let left = service.placement.len() - here;
        if moves(platform, service) {
            moving.push(name);
        } else if left > 0 && left as u64 >= service.quorum {
            fewer.push(name);
        } else {
            down.push(name);
        }
    }
    let without: BTreeSet<&str> = without_room(platform, lost)
        .into_iter()
        .map(|at| platform.services[at].name.as_str())
        .collect();
    Loss {
        down_one: down.len() == 1,
        down: down.join(", "),
        fewer_one: fewer.len() == 1,
        fewer: fewer.join(", "),
        moves_one: moving.len() == 1,
        moves: moving.join(", "),
        without: without.into_iter().collect::<Vec<_>>().join(", "),
    }
}

fn volumes<'p>(platform: &'p Platform, project: &str) -> Vec<VolumeRow<'p>> {
    let hosts = &platform.environment.hosts;
    let mut rows: BTreeMap<String, VolumeRow<'p>> = BTreeMap::new();
    for service in ours(platform) {
        let component = platform.component_of(service);
        for (at, instance) in instances(service).iter().enumerate() {
            let host = service.placement.get(at).or(service.placement.first());
            for mount in service.mounts.values() {
                let volume = &component.volumes[mount.volume];
                let own = instance.volume(volume.shared, &volume.name);
                let nfs = platform.environment.storage.nfs.as_ref();
                let server = nfs
                    .filter(|_| !volume.is_local())
                    .map(|(server, path)| format!("{server}:{path}/{project}/{own}"));
                // How those on a server are mounted is a part of their names.
                let more = if server.is_some() { "-*" } else { "" };
                let name = format!("{project}_{own}{more}");
                rows.entry(name.clone()).or_insert_with(|| VolumeRow {
                    name,
                    component: &component.name,
                    host: host.map_or_else(String::new, |host| hosts[*host].name.clone()),
                    server,
                    size: volume.size.to_string(),
                });
            }
        }
    }
    rows.into_values().collect()
}
