//! Docker Compose: one machine, local volumes, a bridge network for every declared connection.
//!
//! In comes a platform, out come `compose.yaml`, the files it mounts, the folders of the images it builds, a crontab and
//! a README. Compose reads secrets as bind mounts and ignores their owner and mode, so a one-shot service hands every
//! service its own, which keeps the files on the host readable by their owner only.

mod certificates;
mod inside;
mod model;
#[cfg(test)]
mod tests;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

pub use inside::WITHOUT_ADDRESS;

use inside::Manifest;
use model::{
    Attachment, Bind, Build, Compose, ConfigMount, DependsOn, Deploy, FromFile, Ipam, Joined,
    Labelled, Limits, Mount, Network, NoCopy, Port, Reservations, Resources, Subnet,
};

use serde_saphyr::{DoubleQuoted, FlowSeq};

use super::docker::wiring::{self, Wiring};
use super::docker::{
    Instance, LAKEWRIGHT, PIDS, PREPARE_IMAGE, clock, config_name, docker_size, docker_time,
    file_paths, healthcheck, instances, key, literal, literals, logging, network_of, tmpfs, words,
};
use super::{Files, access, matrix, readme, subnets, tls};
use crate::bundle::{Bundle, Digest};
use crate::diagnostic::Finding;
use crate::platform::{AUTHORITY_FILE, EnvValue, Platform, Service};
use crate::template::{header, render_own, to_yaml};
use crate::terms::Publish;
use crate::units::{Bytes, MilliCpu, Seconds};

/// The one-shot service that hands out secrets.
pub(crate) const PREPARE: &str = "lakewright-prepare";

const SERVICE_HEALTHY: &str = "service_healthy";
const SERVICE_STARTED: &str = "service_started";
const SERVICE_COMPLETED: &str = "service_completed_successfully";

/// Builds the bundle of a platform.
///
/// # Errors
/// Files of blueprints that cannot lie in a bundle.
pub fn build(platform: &Platform) -> Result<Bundle, Vec<Finding>> {
    let mut files = Files::default();
    let wiring = Wiring::new(platform, 0);
    let file = Project {
        platform,
        name: project(platform),
        has: |_| true,
        networks: Networks::new(platform, &wiring, None),
    };
    file.write("compose.yaml", &mut files);
    for (at, component) in platform.components.iter().enumerate() {
        // The engine builds no images for a cluster, whose own engine would not find them.
        let mut services = platform.services_of(at);
        if services.any(|service| service.inside.is_some()) {
            continue;
        }
        for build in &component.builds {
            for (name, content) in &build.files {
                let path = format!("{}/{name}", build_folder(&component.name, &build.image));
                files.add(&path, content.as_bytes(), false, &component.place);
            }
        }
    }
    let place = &platform.environment.place;
    clock::add(platform, &project(platform), run_now, &mut files);
    files.add_scripts(platform);
    super::alerts::add(platform, &mut files);
    super::backup::add(platform, &mut files);
    super::bootstrap::add(platform, &mut files);
    super::sops::add(platform, &mut files);
    tls::add(platform, &mut files);
    files.ignore_secrets(place);
    matrix::add(platform, matrix::docker(platform), &mut files);
    access::add(platform, &mut files);
    files.add(
        "README.md",
        readme::compose::render(platform, &project(platform)),
        false,
        place,
    );
    files.finish()
}

/// A Compose file of what runs beside a stack.
pub(in crate::backend) struct Beside {
    /// Paths of the files that it mounts.
    pub(in crate::backend) files: Vec<String>,
    /// Names of the stack's networks that it joins.
    pub(in crate::backend) networks: Vec<String>,
}

/// Adds a Compose file of some services to the bundle of a stack. They join those networks of the stack that lead to it,
/// where addresses come and go.
pub(in crate::backend) fn beside(
    platform: &Platform,
    wiring: &Wiring,
    (name, path): (&str, &str),
    has: fn(&Service) -> bool,
    files: &mut Files,
) -> Beside {
    let stack = project(platform);
    let file = Project {
        platform,
        name: name.to_owned(),
        has,
        networks: Networks::new(platform, wiring, Some(&stack)),
    };
    let compose = file.write(path, files);
    let mounted = compose.configs.values();
    let networks = compose.networks.values();
    Beside {
        files: mounted.map(|config| config.file.clone()).collect(),
        networks: networks
            .filter_map(|network| match network {
                Network::External { name, .. } => Some(name.clone()),
                Network::Own { .. } => None,
            })
            .collect(),
    }
}

/// Writes the command that runs a scheduled job.
fn run_now(service: &Service, timeout: Option<Seconds>) -> String {
    let limit = timeout.map_or_else(String::new, |limit| format!("timeout {} ", limit.0));
    format!("{limit}docker compose run --rm --no-deps {}", service.name)
}

/// A Compose file of all services of a platform, or of some.
struct Project<'p> {
    platform: &'p Platform,
    /// Its name.
    name: String,
    /// Says whether it has a service.
    has: fn(&Service) -> bool,
    networks: Networks<'p>,
}

impl<'p> Project<'p> {
    /// Lists its services with their positions. What runs in a cluster is none of the engine's.
    fn services(&self) -> impl Iterator<Item = (usize, &'p Service)> {
        let services = self.platform.services.iter().enumerate();
        services.filter(|(_, service)| service.inside.is_none() && (self.has)(service))
    }

    /// Adds it and all files that it mounts to a bundle.
    fn write(&self, name: &str, files: &mut Files) -> Compose {
        let platform = self.platform;
        let paths = file_paths(platform);
        let hosted = inside::hosted(platform, &self.networks, files);
        let mut compose = Compose {
            name: self.name.clone(),
            services: BTreeMap::new(),
            networks: self.definitions(),
            volumes: BTreeMap::new(),
            configs: BTreeMap::new(),
        };
        for (at, service) in self.services() {
            let component = platform.component_of(service);
            let manifests = hosted.get(&at).map(Vec::as_slice).unwrap_or_default();
            for manifest in manifests {
                compose
                    .configs
                    .insert(config_name(&manifest.path), FromFile::new(&manifest.path));
                files.add(
                    &manifest.path,
                    manifest.text.as_bytes(),
                    false,
                    &service.place,
                );
            }
            for file in service.files.values() {
                let path = &paths[&key(service, file)];
                if let Entry::Vacant(free) = compose.configs.entry(config_name(path)) {
                    free.insert(FromFile::new(path));
                    files.add(
                        path,
                        file.content.as_bytes(),
                        file.executable,
                        &service.place,
                    );
                }
            }
            for instance in instances(service) {
                for mount in service.mounts.values() {
                    let volume = &component.volumes[mount.volume];
                    let name = instance.volume(volume.shared, &volume.name);
                    compose
                        .volumes
                        .insert(name, labelled(&component.name, &volume.key));
                }
                if has_secrets(service) {
                    compose.volumes.insert(
                        secrets_volume(&service.name),
                        labelled(&component.name, "secrets"),
                    );
                }
                if service.certificate.is_some() {
                    compose.volumes.insert(
                        certificates::volume(&service.name),
                        labelled(&component.name, "certificate"),
                    );
                }
                let built = self.service(at, &instance, &paths, manifests);
                compose.services.insert(instance.name.clone(), built);
            }
        }
        let place = &platform.environment.place;
        let script = "prepare/prepare.sh";
        if let Some((service, text)) = self.prepare(script) {
            compose.services.insert(PREPARE.to_owned(), service);
            compose
                .configs
                .insert(config_name(script), FromFile::new(script));
            files.add(script, text, true, place);
        }
        let text = format!("# {}\n{}", header("the topology"), to_yaml(&compose));
        files.add(name, text, false, place);
        compose
    }

    /// Defines its networks. Those that lead to services of a stack are the stack's.
    fn definitions(&self) -> BTreeMap<String, Network> {
        let wiring = self.networks.wiring;
        let joined: BTreeSet<&String> =
            self.services().flat_map(|(at, _)| &wiring.of[at]).collect();
        joined
            .into_iter()
            .map(|name| {
                let mut members = wiring.members[name].iter();
                let own = members.all(|at| (self.has)(&self.platform.services[*at]));
                let network = match &self.networks.stack {
                    Some(stack) if !own => Network::External {
                        name: format!("{stack}_{name}"),
                        external: true,
                    },
                    _ => Network::Own {
                        // Only the proxy is reached from outside, and only what declares it reaches out.
                        internal: !wiring::is_open(name),
                        ipam: wiring.subnets[name].clone().map(|subnet| Ipam {
                            config: vec![Subnet { subnet }],
                        }),
                        labels: BTreeMap::from([("lakewright.flow", wiring.purpose[name].clone())]),
                    },
                };
                (name.clone(), network)
            })
            .collect()
    }

    fn service(
        &self,
        at: usize,
        instance: &Instance,
        paths: &BTreeMap<(usize, &str, &str), String>,
        manifests: &[Manifest],
    ) -> model::Service {
        let platform = self.platform;
        let service = &platform.services[at];
        let networks = self.networks.joined(at, instance.number);
        let component = platform.component_of(service);
        let mut volumes: Vec<Mount> = service
            .mounts
            .iter()
            .map(|(target, mount)| {
                let volume = &component.volumes[mount.volume];
                Mount {
                    kind: "volume",
                    source: instance.volume(volume.shared, &volume.name),
                    target: target.clone(),
                    read_only: mount.read_only,
                    volume: None,
                    bind: None,
                }
            })
            .collect();
        if has_secrets(service) {
            volumes.push(Mount {
                kind: "volume",
                source: secrets_volume(&service.name),
                target: "/run/secrets".to_owned(),
                read_only: true,
                volume: Some(NoCopy { nocopy: true }),
                bind: None,
            });
        }
        volumes.extend(certificates::mount(service));
        volumes.extend(service.host_mounts.iter().map(|(target, mount)| Mount {
            kind: "bind",
            source: mount.from.clone(),
            target: target.clone(),
            read_only: mount.read_only,
            volume: None,
            bind: Some(Bind {
                create_host_path: false,
            }),
        }));
        let privileged = service.privileged.is_some();
        model::Service {
            profiles: platform
                .profile_of(service)
                .map(str::to_owned)
                .into_iter()
                .collect(),
            image: service.image.reference.clone(),
            build: service
                .image
                .build
                .filter(|_| self.networks.stack.is_none())
                .map(|build| Build {
                    context: format!(
                        "./{}",
                        build_folder(&component.name, &component.builds[build].image)
                    ),
                }),
            entrypoint: service.entrypoint.as_deref().map(literals),
            command: service.command.as_deref().map(literals),
            working_dir: service.working_dir.clone(),
            hostname: (service.replicas.min == 1 || instance.number.is_some())
                .then(|| instance.name.clone()),
            user: service
                .user
                .map(|(user, group)| DoubleQuoted(format!("{user}:{group}"))),
            environment: service
                .env
                .iter()
                .filter_map(|(name, value)| match value {
                    EnvValue::Text(text) => Some((name.clone(), literal(text))),
                    // A check refuses these before a bundle is built.
                    EnvValue::Secret(_) | EnvValue::Made { .. } | EnvValue::Zone => None,
                })
                .collect(),
            depends_on: self.depends_on(service),
            healthcheck: healthcheck(service),
            restart: if service.kind.keeps_running() {
                "unless-stopped"
            } else {
                "no"
            },
            stop_signal: service.stop_signal.clone(),
            stop_grace_period: service
                .kind
                .keeps_running()
                .then(|| docker_time(service.stop_grace)),
            ports: ports(platform, at),
            network_mode: networks.is_empty().then_some("none"),
            networks,
            configs: service
                .files
                .iter()
                .map(|(target, file)| ConfigMount {
                    source: config_name(&paths[&key(service, file)]),
                    target: target.clone(),
                })
                .chain(manifests.iter().map(|manifest| ConfigMount {
                    source: config_name(&manifest.path),
                    target: manifest.target.clone(),
                }))
                .collect(),
            volumes,
            tmpfs: service
                .writable
                .iter()
                .map(|path| tmpfs(service, path))
                .collect(),
            shm_size: service.shm.map(docker_size),
            read_only: service.read_only,
            privileged,
            // Those that have all rights cannot be refused some.
            cap_drop: (!privileged).then(|| words(&["ALL"])),
            cap_add: (!service.capabilities.is_empty())
                .then(|| FlowSeq(service.capabilities.clone())),
            security_opt: (!privileged).then(|| words(&["no-new-privileges:true"])),
            ulimits: service.ulimits.clone(),
            deploy: Deploy {
                replicas: (service.replicas.min != 1 && instance.number.is_none())
                    .then_some(service.replicas.min),
                resources: resources(platform, at),
            },
            logging: logging(platform, &component.name, &service.name),
            labels: labels(platform, service, manifests),
        }
    }

    fn depends_on(&self, service: &Service) -> BTreeMap<String, DependsOn> {
        let platform = self.platform;
        let mut depends_on = BTreeMap::new();
        if needs_prepare(platform, service) {
            depends_on.insert(
                PREPARE.to_owned(),
                DependsOn {
                    condition: SERVICE_COMPLETED,
                    required: None,
                },
            );
        }
        for after in &service.start_after {
            let other = &platform.services[after.service];
            if !(self.has)(other) {
                continue;
            }
            let condition = if after.completed {
                SERVICE_COMPLETED
            } else if healthcheck(other).is_some() {
                SERVICE_HEALTHY
            } else {
                SERVICE_STARTED
            };
            for instance in instances(other) {
                depends_on.insert(
                    instance.name,
                    DependsOn {
                        condition,
                        required: (!after.required).then_some(false),
                    },
                );
            }
        }
        depends_on
    }

    /// Makes the one-shot service that hands out secrets and volumes, and its script; nothing when there are none.
    fn prepare(&self, script: &str) -> Option<(model::Service, String)> {
        let mut volumes = Vec::new();
        let mut owned = BTreeMap::new();
        let mut given = Vec::new();
        let mut certificates = Vec::new();
        let mut trusted = false;
        let platform = self.platform;
        for (_, service) in self.services() {
            owned.extend(owned_volumes(platform, service));
            let (user, group) = service.user.unwrap_or((0, 0));
            let always = platform.profile_of(service).is_none();
            let needed = if always { "always" } else { "profile" };
            if let Some(certificate) = platform.certificate_of(service) {
                certificates.push(serde_json::json!({
                    "service": service.name,
                    "owner": format!("{user}:{group}"),
                    "needed": needed,
                    "name": certificate.name,
                    "given": certificate.given,
                }));
                volumes.push(certificates::given(service));
            }
            if !has_secrets(service) {
                continue;
            }
            trusted |= service.trusts;
            let authority = service.trusts.then_some(AUTHORITY_FILE);
            let secrets: Vec<&str> = service
                .secrets
                .iter()
                .map(String::as_str)
                .chain(authority)
                .collect();
            given.push(serde_json::json!({
                "name": service.name,
                "owner": format!("{user}:{group}"),
                "needed": needed,
                "secrets": secrets,
            }));
            volumes.push(Mount {
                kind: "volume",
                source: secrets_volume(&service.name),
                target: format!("/secrets/{}", service.name),
                read_only: false,
                volume: None,
                bind: None,
            });
        }
        if owned.is_empty() && given.is_empty() && certificates.is_empty() {
            return None;
        }
        let mut data = Vec::new();
        for (name, owner) in owned {
            let path = format!("/volumes/{name}");
            data.push(serde_json::json!({ "path": path, "owner": owner }));
            volumes.push(Mount {
                kind: "volume",
                source: name,
                target: path,
                read_only: false,
                volume: None,
                bind: None,
            });
        }
        if !given.is_empty() || !certificates.is_empty() {
            volumes.push(Mount {
                kind: "bind",
                source: "./secrets".to_owned(),
                target: "/in".to_owned(),
                read_only: true,
                volume: None,
                // A folder that Docker made would belong to root and hold nothing.
                bind: Some(Bind {
                    create_host_path: false,
                }),
            });
        }
        volumes.sort_by(|left, right| left.target.cmp(&right.target));
        let context = serde_json::json!({
            "header": header("the topology"),
            "volumes": data,
            "services": given,
            "certificates": certificates,
            "keystores": platform.certificates.iter().any(|certificate| certificate.keystore),
            "authority": trusted.then_some(AUTHORITY_FILE),
            "script": tls::SCRIPT,
        });
        let text = render_own(include_str!("prepare.sh.tera"), &context);
        let service = model::Service {
            image: platform.environment.pins.apply(PREPARE_IMAGE),
            entrypoint: Some(words(&["/bin/sh", "/prepare.sh"])),
            // It reads files of one owner and gives them to others.
            user: Some(DoubleQuoted("0:0".to_owned())),
            restart: "no",
            network_mode: Some("none"),
            configs: vec![ConfigMount {
                source: config_name(script),
                target: "/prepare.sh".to_owned(),
            }],
            volumes,
            read_only: true,
            cap_drop: Some(words(&["ALL"])),
            cap_add: Some(words(&["CHOWN", "DAC_OVERRIDE", "FOWNER"])),
            security_opt: Some(words(&["no-new-privileges:true"])),
            deploy: Deploy {
                replicas: None,
                resources: Resources {
                    limits: Limits {
                        cpus: "0.5".to_owned(),
                        memory: "32M".to_owned(),
                        pids: 64,
                    },
                    reservations: None,
                },
            },
            logging: logging(platform, LAKEWRIGHT, PREPARE),
            labels: BTreeMap::from([(
                "lakewright.files",
                Digest::of(text.as_bytes()).to_string()[..12].to_owned(),
            )]),
            ..model::Service::default()
        };
        Some((service, text))
    }
}

fn project(platform: &Platform) -> String {
    platform.environment.project(&platform.name)
}

fn build_folder(component: &str, image: &str) -> String {
    format!("{component}/image-{image}")
}

fn secrets_volume(service: &str) -> String {
    format!("{service}-secrets")
}

fn labelled(component: &str, what: &str) -> Labelled {
    Labelled {
        labels: BTreeMap::from([
            ("lakewright.component", component.to_owned()),
            ("lakewright.volume", what.to_owned()),
        ]),
    }
}

/// Networks, and the addresses in them that never change.
struct Networks<'p> {
    /// Who is in which.
    wiring: &'p Wiring,
    /// Addresses that never change, by service, number of the replica and network.
    fixed: BTreeMap<(usize, Option<u64>, String), Ipv4Addr>,
    /// The stack that some of them belong to, if there is one. Then no address is fixed.
    stack: Option<&'p str>,
}

impl<'p> Networks<'p> {
    fn new(platform: &Platform, wiring: &'p Wiring, stack: Option<&'p str>) -> Self {
        let mut networks = Self {
            wiring,
            fixed: BTreeMap::new(),
            stack,
        };
        if stack.is_none() {
            networks.fix(platform);
        }
        networks
    }

    /// Fixes the addresses of services that something in a cluster connects to: the engine's names end at its border.
    fn fix(&mut self, platform: &Platform) {
        let mut reached: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        for flow in &platform.flows {
            if platform.services[flow.from].inside.is_some()
                && platform.carrier(flow.from) != platform.carrier(flow.to)
            {
                let (name, _) = network_of(platform, flow);
                reached
                    .entry(name)
                    .or_default()
                    .insert(platform.carrier(flow.to));
            }
        }
        for (name, services) in reached {
            let Some(Some(subnet)) = self.wiring.subnets.get(&name) else {
                continue;
            };
            let mut number = 0;
            for at in services {
                let service = &platform.services[at];
                if service.replicas.min != 1 && !service.members {
                    continue;
                }
                for instance in instances(service) {
                    let key = (at, instance.number, name.clone());
                    if let Some(address) = subnets::from_end(subnet, number) {
                        self.fixed.insert(key, address);
                    }
                    number += 1;
                }
            }
        }
    }

    /// Returns what one container of a service joins.
    fn joined(&self, service: usize, number: Option<u64>) -> Joined {
        let attachment = |name: &String| {
            let aliases = self.wiring.aliases.get(&(service, name.clone()));
            let address = self.fixed.get(&(service, number, name.clone()));
            Attachment {
                aliases: aliases.into_iter().flatten().cloned().collect(),
                ipv4_address: address.map(Ipv4Addr::to_string),
            }
        };
        let all: BTreeMap<String, Attachment> = self.wiring.of[service]
            .iter()
            .map(|name| (name.clone(), attachment(name)))
            .collect();
        let plain = |attachment: &Attachment| {
            attachment.aliases.is_empty() && attachment.ipv4_address.is_none()
        };
        if all.values().all(plain) {
            Joined::Plain(all.into_keys().collect())
        } else {
            Joined::Named(all)
        }
    }
}

/// Returns what a service may take: with all that runs in its cluster, if it has one.
fn resources(platform: &Platform, at: usize) -> Resources {
    let service = &platform.services[at];
    let guests = platform.guests(at);
    let guests = guests.map(|(_, guest)| (&guest.resources, guest.replicas.min));
    let own = std::iter::once((&service.resources, 1));
    let (mut memory, mut cpu, mut limit, mut pids) = (0_u64, 0_u64, 0_u64, 0_u64);
    for (resources, replicas) in own.chain(guests) {
        let times = |one: u64| one.saturating_mul(replicas);
        memory = memory.saturating_add(times(resources.memory.0));
        cpu = cpu.saturating_add(times(resources.cpu.0));
        limit = limit.saturating_add(times(resources.cpu_limit.0));
        pids = pids.saturating_add(times(PIDS));
    }
    Resources {
        limits: Limits {
            cpus: host_limit(platform, service, MilliCpu(limit)).cores(),
            memory: docker_size(Bytes(memory)),
            pids,
        },
        reservations: Some(Reservations {
            cpus: MilliCpu(cpu).cores(),
        }),
    }
}

/// A limit above what the machine has is refused by the engine.
fn host_limit(platform: &Platform, service: &Service, limit: MilliCpu) -> MilliCpu {
    let host = service.placement.first().copied().unwrap_or_default();
    let hosts = &platform.environment.hosts;
    hosts.get(host).map_or(limit, |host| limit.min(host.cpu))
}

fn labels(
    platform: &Platform,
    service: &Service,
    manifests: &[Manifest],
) -> BTreeMap<&'static str, String> {
    let component = platform.component_of(service);
    let mut labels = BTreeMap::from([
        ("lakewright.component", component.name.clone()),
        ("lakewright.layer", component.layer.to_string()),
        ("lakewright.service", service.key.clone()),
        ("lakewright.zone", component.zone.to_string()),
    ]);
    if !service.files.is_empty() || !manifests.is_empty() {
        // Compose does not look into mounted files; with this a changed one restarts the services that have it.
        let mut all = String::new();
        for (path, file) in &service.files {
            all.push_str(&format!(
                "{path}\0{}\0",
                Digest::of(file.content.as_bytes())
            ));
        }
        for manifest in manifests {
            all.push_str(&format!(
                "{}\0{}\0",
                manifest.target,
                Digest::of(manifest.text.as_bytes())
            ));
        }
        labels.insert(
            "lakewright.files",
            Digest::of(all.as_bytes()).to_string()[..12].to_owned(),
        );
    }
    labels
}

fn ports(platform: &Platform, at: usize) -> Vec<Port> {
    let guests = platform.guests(at).map(|(_, guest)| guest);
    std::iter::once(&platform.services[at])
        .chain(guests)
        .flat_map(|service| service.ports.values())
        .filter(|port| port.publish == Some(Publish::Host))
        .map(|port| Port {
            target: port.number,
            published: port.listen.unwrap_or(port.number).to_string(),
            host_ip: platform.environment.bind.clone(),
            protocol: "tcp",
        })
        .collect()
}

/// Says whether a service has a folder of secrets; the authority that it trusts lies among them.
fn has_secrets(service: &Service) -> bool {
    !service.secrets.is_empty() || service.trusts
}

/// Says whether a service waits for its secrets or volumes to be handed over.
fn needs_prepare(platform: &Platform, service: &Service) -> bool {
    has_secrets(service)
        || service.certificate.is_some()
        || !owned_volumes(platform, service).is_empty()
}

/// Lists the volumes whose top folder must belong to the service's user, with that user.
fn owned_volumes(platform: &Platform, service: &Service) -> Vec<(String, String)> {
    let Some((user, group)) = service.user else {
        return Vec::new();
    };
    let component = platform.component_of(service);
    let mut owned = Vec::new();
    for mount in service.mounts.values().filter(|mount| !mount.read_only) {
        let volume = &component.volumes[mount.volume];
        for instance in instances(service) {
            owned.push((
                instance.volume(volume.shared, &volume.name),
                format!("{user}:{group}"),
            ));
        }
    }
    owned
}
