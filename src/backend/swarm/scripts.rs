//! Scripts: how a person brings the bundle into a Swarm, and runs what does not run by itself.
//!
//! A Swarm starts everything at once and tries again; these start what others need first, and wait for it. They hold names,
//! numbers and times; what `stack.yaml` says is read from there.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::model::Stack;
use super::{Plan, beside, names, service, stack_services, storage};
use crate::backend::docker::{PREPARE_IMAGE, clock, instances};
use crate::backend::order::Order;
use crate::backend::{Files, images, tls};
use crate::platform::{AUTHORITY, Kind, PUBLIC, Platform, Service};
use crate::template::header;
use crate::terms::Publish;

/// Seconds that everything gets on top of its own time: room for an image that is pulled, and for a scheduler.
const ROOM: u64 = 300;

/// Seconds that a job may take that does not say so itself.
const JOB: u64 = 3600;

/// The label of the secrets that are made.
const SECRETS_LABEL: &str = "lakewright.stack";

/// Adds the scripts to a bundle.
pub(super) fn add(plan: &Plan<'_>, stack: &Stack, files: &mut Files) {
    let platform = plan.platform;
    let place = &platform.environment.place;
    let data = preflight(plan, stack);
    let template = include_str!("preflight.sh.tera");
    files.add_script("preflight.sh", template, &data, place);
    let data = deploy(plan, stack);
    files.add_script("deploy.sh", include_str!("deploy.sh.tera"), &data, place);
    if !stack.secrets.is_empty() {
        let data = secrets(plan, stack);
        files.add_script("secrets.sh", include_str!("secrets.sh.tera"), &data, place);
    }
    let data = run(plan);
    if !data.jobs.is_empty() {
        files.add_script("run.sh", include_str!("run.sh.tera"), &data, place);
    }
    // `run.sh` itself ends a run that takes too long.
    let run = |service: &Service, _| format!("./run.sh {}", service.name);
    clock::add(platform, &plan.project, run, files);
    images::add(platform, files);
}

/// Lists the names of all services of the stack, in the order of their waves.
fn names(waves: &[Wave]) -> Vec<String> {
    let services = waves.iter();
    services
        .flat_map(|wave| wave.services.iter().chain(&wave.members))
        .cloned()
        .collect()
}

#[derive(Serialize)]
struct Deploy {
    header: String,
    project: String,
    hosts: Vec<HostLabels>,
    waves: Vec<Wave>,
    names: Vec<String>,
    /// Those that run when they are told to.
    told: Vec<String>,
    secrets: bool,
    certificates: bool,
    /// Whether images come from a registry that may want to know who asks.
    registry: bool,
    /// The proxy, if anything is published.
    door: Option<String>,
    endpoints: Vec<Endpoint>,
    /// Whether one of them is not asked for a page.
    sockets: bool,
    /// Whether what is published is encrypted.
    encrypted: bool,
    /// The authority's certificate, if it is the one that clients must trust.
    authority: Option<String>,
    /// The host on which something runs beside the stack.
    beside: Option<String>,
}

#[derive(Serialize)]
struct HostLabels {
    name: String,
    labels: Vec<String>,
}

/// What is deployed together, and then waited for.
#[derive(Default, PartialEq, Eq, Debug, Serialize)]
struct Wave {
    /// What is exchanged all at once.
    services: Vec<String>,
    /// The longest that one of them may take.
    seconds: u64,
    /// What is exchanged one after the other.
    members: Vec<String>,
    /// The longest that one of them may take.
    member_seconds: u64,
}

#[derive(Serialize)]
struct Endpoint {
    web: bool,
    url: String,
    host: String,
    port: u16,
}

fn deploy(plan: &Plan<'_>, stack: &Stack) -> Deploy {
    let platform = plan.platform;
    let environment = &platform.environment;
    let waves = waves(plan, stack);
    let edge = platform.edge.as_ref();
    let endpoints: Vec<Endpoint> = platform
        .endpoints
        .iter()
        .filter_map(|endpoint| {
            Some(Endpoint {
                web: endpoint.host.is_some(),
                url: endpoint.url.clone(),
                host: endpoint
                    .host
                    .clone()
                    .unwrap_or_else(|| environment.domain.clone()),
                port: endpoint.listen.or(edge.map(|edge| edge.port))?,
            })
        })
        .collect();
    let door = edge.and_then(|edge| edge.service);
    Deploy {
        header: header("the topology"),
        project: plan.project.clone(),
        hosts: environment
            .hosts
            .iter()
            .map(|host| {
                let own = host.labels.iter();
                let mut labels: Vec<String> = own
                    .map(|(name, value)| format!("{}={value}", names::label(&plan.project, name)))
                    .collect();
                labels.push(format!("{}=true", names::member_label(&plan.project)));
                labels.sort();
                HostLabels {
                    name: host.name.clone(),
                    labels,
                }
            })
            .collect(),
        names: names(&waves),
        waves,
        told: stack_services(platform)
            .filter(|service| service.kind.waits_to_be_told())
            .map(|service| service.name.clone())
            .collect(),
        secrets: !stack.secrets.is_empty(),
        certificates: !platform.certificates.is_empty(),
        registry: environment.registry.is_some(),
        sockets: door.is_some() && endpoints.iter().any(|endpoint| !endpoint.web),
        endpoints: door.map_or_else(Vec::new, |_| endpoints),
        door: door.map(|door| platform.services[door].name.clone()),
        encrypted: edge.is_some_and(|edge| edge.scheme == "https"),
        authority: authority(platform),
        beside: beside::host(platform).map(str::to_owned),
    }
}

/// Returns the certificate of the authority that clients must trust, if that is the platform's own.
fn authority(platform: &Platform) -> Option<String> {
    let mut certificates = platform.certificates.iter();
    certificates
        .any(|certificate| certificate.name == PUBLIC && !certificate.given)
        .then(|| format!("{}/{AUTHORITY}.crt", tls::FOLDER))
}

/// Groups the services of the stack by when they are deployed. What makes volumes its users' own comes first.
fn waves(plan: &Plan<'_>, stack: &Stack) -> Vec<Wave> {
    let platform = plan.platform;
    let order = Order::new(platform).waves;
    let mut waves: BTreeMap<usize, Wave> = BTreeMap::new();
    let mut left: BTreeSet<&String> = stack.services.keys().collect();
    for (at, own) in platform.services.iter().enumerate() {
        if own.inside.is_some() || own.runs_beside() {
            continue;
        }
        let wave = waves.entry(order[at] + 1).or_default();
        let instances = instances(own);
        let each = instances.len() > 1 && !own.update_together;
        let replicas = if instances.len() > 1 {
            1
        } else {
            own.replicas.min
        };
        let seconds = seconds(own, replicas);
        for instance in instances {
            left.remove(&instance.name);
            if each {
                wave.members.push(instance.name);
                wave.member_seconds = wave.member_seconds.max(seconds);
            } else {
                wave.services.push(instance.name);
            }
        }
        wave.seconds = wave.seconds.max(seconds);
    }
    if !left.is_empty() {
        let first = waves.entry(0).or_default();
        first.services.extend(left.into_iter().cloned());
        first.seconds = first.seconds.max(ROOM);
    }
    waves.into_values().collect()
}

/// Returns how long a service may take until all of its replicas are new and well.
fn seconds(own: &Service, replicas: u64) -> u64 {
    let own = match own.kind {
        Kind::Job { timeout } => timeout.map_or(JOB, |timeout| timeout.0),
        Kind::Scheduled { .. } | Kind::OnDemand { .. } => 0,
        Kind::Stateless | Kind::Stateful => {
            let startup = own.probe.as_ref().map_or(0, |probe| probe.startup.0);
            startup
                .saturating_add(own.stop_grace.0)
                .saturating_add(service::watched(own).0)
                .saturating_mul(replicas)
                // A change that does not come up is taken back, which takes as long again.
                .saturating_mul(2)
        }
    };
    own.saturating_add(ROOM)
}

#[derive(Serialize)]
struct Preflight {
    header: String,
    project: String,
    probe_image: &'static str,
    host_label: String,
    hosts: Vec<HostSize>,
    names: Vec<String>,
    /// Services that keep data on a host.
    services: Vec<Pinned>,
    ports: Vec<u16>,
    secrets: Vec<String>,
    certificates: bool,
    images: Vec<Image>,
    settings: Vec<Setting>,
    nfs: Option<Nfs>,
}

#[derive(Serialize)]
struct HostSize {
    name: String,
    /// In bytes.
    memory: u64,
    /// In thousandths.
    cpu: u64,
}

#[derive(Serialize)]
struct Pinned {
    name: String,
    host: String,
}

#[derive(PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Image {
    reference: String,
    built: bool,
}

/// A setting of the kernel, and where it is needed.
#[derive(Serialize)]
struct Setting {
    name: String,
    minimum: i64,
    why: String,
    hosts: BTreeSet<String>,
}

#[derive(Serialize)]
struct Nfs {
    /// What a service is told to mount.
    mount: String,
    help: String,
}

fn preflight(plan: &Plan<'_>, stack: &Stack) -> Preflight {
    let platform = plan.platform;
    let hosts = &platform.environment.hosts;
    let mut images: BTreeSet<Image> = stack_services(platform)
        .map(|service| Image {
            reference: service.image.reference.clone(),
            built: service.image.build.is_some(),
        })
        .collect();
    let known: BTreeSet<String> = images.iter().map(|image| image.reference.clone()).collect();
    let more = stack.services.values().map(|service| &service.image);
    images.extend(
        more.filter(|image| !known.contains(*image))
            .map(|image| Image {
                reference: image.clone(),
                built: false,
            }),
    );
    let mut pinned = Vec::new();
    for service in stack_services(platform) {
        if !platform.keeps_local_data(service) {
            continue;
        }
        for instance in instances(service) {
            if let Some(host) = plan.pinned(service, &instance) {
                pinned.push(Pinned {
                    name: instance.name,
                    host: hosts[host].name.clone(),
                });
            }
        }
    }
    Preflight {
        header: header("the topology"),
        project: plan.project.clone(),
        probe_image: PREPARE_IMAGE,
        host_label: names::host_label(&plan.project),
        hosts: hosts
            .iter()
            .map(|host| HostSize {
                name: host.name.clone(),
                memory: host.memory.0,
                cpu: host.cpu.0,
            })
            .collect(),
        names: names(&waves(plan, stack)),
        services: pinned,
        ports: ports(platform).into_iter().collect(),
        secrets: platform
            .secrets
            .iter()
            .map(|secret| secret.name.clone())
            .collect(),
        certificates: !platform.certificates.is_empty(),
        images: images.into_iter().collect(),
        settings: settings(plan),
        nfs: nfs(platform),
    }
}

/// Lists the ports that services have of their hosts.
fn ports(platform: &Platform) -> BTreeSet<u16> {
    stack_services(platform)
        .flat_map(|service| service.ports.values())
        .filter(|port| port.publish == Some(Publish::Host))
        .map(|port| port.listen.unwrap_or(port.number))
        .collect()
}

/// Lists what kernels must be set to: those of all hosts that a service may run on.
fn settings(plan: &Plan<'_>) -> Vec<Setting> {
    let hosts = &plan.platform.environment.hosts;
    let mut found: BTreeMap<&str, Setting> = BTreeMap::new();
    for service in &plan.platform.services {
        for (name, (minimum, why)) in &service.host_settings {
            let on: BTreeSet<String> = instances(service)
                .iter()
                .flat_map(|instance| match plan.pinned(service, instance) {
                    Some(host) => vec![&hosts[host]],
                    None => hosts.iter().filter(|host| host.is_able(service)).collect(),
                })
                .map(|host| host.name.clone())
                .collect();
            let setting = found.entry(name).or_insert_with(|| Setting {
                name: name.clone(),
                minimum: *minimum,
                why: format!("{}: {why}", service.name),
                hosts: BTreeSet::new(),
            });
            setting.minimum = setting.minimum.max(*minimum);
            setting.hosts.extend(on);
        }
    }
    found.into_values().collect()
}

/// Says what tries whether hosts can mount the server's folder, if a volume lies there.
fn nfs(platform: &Platform) -> Option<Nfs> {
    let (server, path) = platform.environment.storage.nfs.as_ref()?;
    let mut volumes = stack_services(platform).flat_map(|service| {
        let component = platform.component_of(service);
        let mounts = service.mounts.values();
        mounts.map(|mount| &component.volumes[mount.volume])
    });
    volumes.any(|volume| !volume.is_local()).then(|| Nfs {
        mount: format!(
            "type=volume,destination=/nfs,volume-driver=local,volume-nocopy=true,volume-opt=type=nfs,volume-opt=device=:{path},\"volume-opt=o={}\"",
            storage::nfs_options(server)
        ),
        help: format!(
            "Export {path} on {server} to this host, and install the host's NFS client. If its engine cannot pull images: --probe-image, or --no-probe"
        ),
    })
}

#[derive(Serialize)]
struct Secrets {
    header: String,
    label: String,
    fingerprint: usize,
    secrets: Vec<Object>,
    certificates: Vec<Certificate>,
}

/// A secret of the Swarm, and the file that it is made from.
#[derive(Serialize)]
struct Object {
    object: String,
    /// In the folder of the secrets.
    file: String,
}

#[derive(Serialize)]
struct Certificate {
    variable: String,
    /// What its fingerprint is taken from.
    file: String,
    /// The names of these end in the variable's reference, as in the stack: a shell reads it in the same way.
    parts: Vec<Object>,
}

fn secrets(plan: &Plan<'_>, stack: &Stack) -> Secrets {
    let (platform, project) = (plan.platform, plan.project.as_str());
    let folder = tls::FOLDER;
    let below = folder.rsplit('/').next().unwrap_or(folder);
    let mut certificates: Vec<Certificate> = Vec::new();
    if platform.certificates.iter().any(|made| !made.given) {
        certificates.push(Certificate {
            variable: names::AUTHORITY_VARIABLE.to_owned(),
            file: format!("{folder}/{AUTHORITY}.crt"),
            parts: vec![Object {
                object: names::authority(project),
                file: format!("{below}/{AUTHORITY}.crt"),
            }],
        });
    }
    certificates.extend(platform.certificates.iter().map(|certificate| {
        let name = &certificate.name;
        Certificate {
            variable: names::certificate_variable(name),
            file: format!("{folder}/{name}/tls.crt"),
            parts: ["crt", "key"]
                .into_iter()
                .chain(certificate.keystore.then_some("p12"))
                .map(|part| Object {
                    object: names::certificate(project, name, part),
                    file: format!("{below}/{name}/tls.{part}"),
                })
                .collect(),
        }
    }));
    Secrets {
        header: header("the topology"),
        label: format!("{SECRETS_LABEL}={project}"),
        fingerprint: names::HASH,
        secrets: platform
            .secrets
            .iter()
            .filter(|secret| stack.secrets.contains_key(&secret.name))
            .map(|secret| Object {
                object: names::secret(project, secret),
                file: secret.name.clone(),
            })
            .collect(),
        certificates,
    }
}

#[derive(Serialize)]
struct Run<'p> {
    header: String,
    project: String,
    jobs: Vec<Job<'p>>,
}

#[derive(Serialize)]
struct Job<'p> {
    name: &'p str,
    schedule: Option<&'p str>,
    /// Seconds that a run may take; nothing limits it, if zero.
    limit: u64,
}

fn run<'p>(plan: &Plan<'p>) -> Run<'p> {
    let jobs = stack_services(plan.platform).filter_map(|service| {
        let (schedule, timeout) = match &service.kind {
            Kind::Scheduled {
                schedule, timeout, ..
            } => (Some(schedule.as_str()), timeout),
            Kind::OnDemand { timeout } => (None, timeout),
            _ => return None,
        };
        Some(Job {
            name: &service.name,
            schedule,
            limit: timeout.map_or(0, |timeout| timeout.0),
        })
    });
    Run {
        header: header("the topology"),
        project: plan.project.clone(),
        jobs: jobs.collect(),
    }
}
