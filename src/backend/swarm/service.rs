//! Services of a stack: what a task is, where it runs, how it is exchanged.

use std::collections::BTreeMap;

use serde_saphyr::{DoubleQuoted, FlowSeq};

use super::model::{
    self, Bind, ConfigMount, Deploy, Limits, Mount, NoCopy, Placement, Port, Reservations,
    Resources, RestartPolicy, SecretMount, Spread, Tmpfs, UpdateConfig,
};
use super::{Plan, names, network, storage};
use crate::backend::docker::wiring::Wiring;
use crate::backend::docker::{
    Instance, PIDS, config_name, docker_size, docker_time, healthcheck, key, literal, literals,
    logging, words,
};
use crate::platform::{AUTHORITY_FILE, EnvValue, Kind, Platform, Service};
use crate::terms::{Availability, Publish};
use crate::units::Seconds;

/// Names of services lead to the addresses of their tasks. The other way, one virtual address for all, forgets
/// connections that were silent for 15 minutes, as those of connection pools are.
pub(super) const ENDPOINT_MODE: &str = "dnsrr";

/// The mode of what runs to its end once for each version of itself.
pub(super) const JOB: &str = "replicated-job";

/// Modes of files: everybody may read them, or run them too.
const READABLE: u32 = 0o444;
pub(super) const EXECUTABLE: u32 = 0o555;

/// The mode of a secret: its user may read it.
const OWN: u32 = 0o400;

/// The least that a new task is watched for after it became healthy, in seconds.
const WATCHED: u64 = 15;

/// The shared memory of processes, which is a folder.
const SHARED_MEMORY: &str = "/dev/shm";

/// The scratch folder that every image has.
const TMP: &str = "/tmp";

/// Makes one service of the stack.
pub(super) fn make(
    plan: &Plan<'_>,
    wiring: &Wiring,
    at: usize,
    instance: &Instance,
    paths: &BTreeMap<(usize, &str, &str), String>,
) -> model::Service {
    let platform = plan.platform;
    let service = &platform.services[at];
    model::Service {
        image: service.image.reference.clone(),
        entrypoint: service.entrypoint.as_deref().map(literals),
        command: service.command.as_deref().map(literals),
        working_dir: service.working_dir.clone(),
        hostname: (service.replicas.max == 1 || instance.number.is_some())
            .then(|| instance.name.clone()),
        user: service
            .user
            .map(|(user, group)| DoubleQuoted(format!("{user}:{group}"))),
        environment: service
            .env
            .iter()
            .filter_map(|(name, value)| match value {
                EnvValue::Text(text) => Some((name.clone(), literal(text))),
                EnvValue::Zone => Some((name.clone(), zone(plan, service, instance)?)),
                // A check refuses these before a bundle is built.
                EnvValue::Secret(_) | EnvValue::Made { .. } => None,
            })
            .collect(),
        healthcheck: healthcheck(service),
        stop_signal: service.stop_signal.clone(),
        stop_grace_period: service
            .kind
            .keeps_running()
            .then(|| docker_time(service.stop_grace)),
        ports: ports(service),
        networks: network::joined(wiring, at),
        configs: service
            .files
            .iter()
            .map(|(target, file)| ConfigMount {
                source: config_name(&paths[&key(service, file)]),
                target: target.clone(),
                mode: if file.executable {
                    EXECUTABLE
                } else {
                    READABLE
                },
            })
            .collect(),
        secrets: secrets(platform, service),
        volumes: mounts(platform, service, instance),
        read_only: service.read_only,
        cap_drop: Some(words(&["ALL"])),
        cap_add: (!service.capabilities.is_empty()).then(|| FlowSeq(service.capabilities.clone())),
        ulimits: service.ulimits.clone(),
        deploy: deploy(plan, service, instance),
        logging: logging(
            platform,
            &platform.component_of(service).name,
            &service.name,
        ),
    }
}

/// Returns the zone of a task, where that is known before it runs.
fn zone(plan: &Plan<'_>, service: &Service, instance: &Instance) -> Option<String> {
    let host = plan.pinned(service, instance)?;
    plan.platform.environment.hosts[host].zone.clone()
}

fn ports(service: &Service) -> Vec<Port> {
    let ports = service.ports.values();
    ports
        .filter(|port| port.publish == Some(Publish::Host))
        .map(|port| Port {
            target: port.number,
            published: port.listen.unwrap_or(port.number),
            protocol: "tcp",
            // On the task's own host: the mesh of all hosts would hide who asks, and needs virtual addresses.
            mode: "host",
        })
        .collect()
}

fn secrets(platform: &Platform, service: &Service) -> Vec<SecretMount> {
    let (user, group) = service.user.unwrap_or((0, 0));
    let mount = |source: String, target: String| SecretMount {
        source,
        target,
        uid: DoubleQuoted(user.to_string()),
        gid: DoubleQuoted(group.to_string()),
        mode: OWN,
    };
    let mut mounts: Vec<SecretMount> = service
        .secrets
        .iter()
        .map(|name| mount(name.clone(), name.clone()))
        .collect();
    if service.trusts {
        mounts.push(mount(
            super::AUTHORITY.to_owned(),
            AUTHORITY_FILE.to_owned(),
        ));
    }
    let used = service.certificate.as_ref();
    if let Some((used, certificate)) = used.zip(platform.certificate_of(service)) {
        for (source, file) in super::certificate_parts(certificate) {
            mounts.push(mount(source, format!("{}/{file}", used.path)));
        }
    }
    mounts
}

fn mounts(platform: &Platform, service: &Service, instance: &Instance) -> Vec<Mount> {
    let mut mounts: Vec<Mount> = storage::of(platform, service, instance)
        .into_iter()
        .map(|(name, _, path, read_only)| Mount {
            kind: "volume",
            source: Some(name),
            target: path.to_owned(),
            read_only,
            volume: Some(NoCopy { nocopy: true }),
            ..Mount::default()
        })
        .collect();
    mounts.extend(service.host_mounts.iter().map(|(path, mount)| Mount {
        kind: "bind",
        source: Some(mount.from.clone()),
        target: path.clone(),
        read_only: mount.read_only,
        // What is unmounted on the host is not held on to.
        bind: Some(Bind {
            propagation: "rslave",
        }),
        ..Mount::default()
    }));
    mounts.extend(service.writable.iter().map(|path| Mount {
        // Nothing can be run from memory here, and Java unpacks libraries into its scratch folder and loads them from
        // there: that one is a volume, which goes with its task.
        kind: if service.jvm.is_some() && path == TMP {
            "volume"
        } else {
            "tmpfs"
        },
        target: path.clone(),
        ..Mount::default()
    }));
    mounts.extend(service.shm.map(|size| Mount {
        kind: "tmpfs",
        target: SHARED_MEMORY.to_owned(),
        tmpfs: Some(Tmpfs { size: size.0 }),
        ..Mount::default()
    }));
    mounts
}

fn deploy(plan: &Plan<'_>, service: &Service, instance: &Instance) -> Deploy {
    let platform = plan.platform;
    let component = platform.component_of(service);
    let runs = service.kind.keeps_running();
    let change = |action| {
        runs.then(|| UpdateConfig {
            parallelism: 1,
            order: order(plan, service),
            failure_action: action,
            monitor: docker_time(watched(service)),
        })
    };
    Deploy {
        mode: matches!(service.kind, Kind::Job { .. }).then_some(JOB),
        replicas: match (&service.kind, instance.number) {
            // Something starts them when their time has come.
            (Kind::OnDemand { .. } | Kind::Scheduled { .. }, _) => Some(0),
            (_, None) if service.replicas.min != 1 => Some(service.replicas.min),
            _ => None,
        },
        endpoint_mode: ENDPOINT_MODE,
        labels: BTreeMap::from([
            ("lakewright.component", component.name.clone()),
            ("lakewright.layer", component.layer.to_string()),
            ("lakewright.service", service.key.clone()),
            ("lakewright.zone", component.zone.to_string()),
        ]),
        placement: placement(plan, service, instance),
        resources: resources(plan, service),
        restart_policy: RestartPolicy {
            condition: match service.kind {
                Kind::Stateless | Kind::Stateful => "any",
                Kind::Job { .. } => "on-failure",
                Kind::OnDemand { .. } | Kind::Scheduled { .. } => "none",
            },
            delay: (!service.kind.waits_to_be_told()).then_some("5s"),
        },
        update_config: change("rollback"),
        rollback_config: change("pause"),
    }
}

/// Says whether the new task comes before the old one goes: not with data, ports of the host or another reason to be
/// alone, and not where no host has the room.
fn order(plan: &Plan<'_>, service: &Service) -> &'static str {
    let alone = service.is_stateful()
        || service.single.is_some()
        || !service.mounts.is_empty()
        || service.has_host_ports();
    if alone || service.replicas.min > 1 || !plan.has_room(service) {
        "stop-first"
    } else {
        "start-first"
    }
}

/// Returns how long a new task is watched: as long as it takes to see that it is not well.
pub(super) fn watched(service: &Service) -> Seconds {
    let unwell = service
        .probe
        .as_ref()
        .map_or(0, |probe| probe.interval.0.saturating_mul(probe.retries));
    Seconds(unwell.max(WATCHED))
}

fn placement(plan: &Plan<'_>, service: &Service, instance: &Instance) -> Placement {
    let (platform, project) = (plan.platform, plan.project.as_str());
    let environment = &platform.environment;
    let hosts = &environment.hosts;
    let host_label = names::host_label(project);
    let mut constraints = Vec::new();
    if let Some(host) = plan.pinned(service, instance) {
        constraints.push(names::constraint(&host_label, "==", &hosts[host].name));
    } else {
        constraints.push(names::constraint(
            &names::member_label(project),
            "==",
            "true",
        ));
        if service.has_host_ports() {
            // What people's DNS says must stay true: those hosts that were chosen, and no others.
            let others = (0..hosts.len()).filter(|host| !service.placement.contains(host));
            constraints
                .extend(others.map(|host| names::constraint(&host_label, "!=", &hosts[host].name)));
        }
        for (name, (value, _)) in &service.host_labels {
            constraints.push(names::constraint(&names::label(project, name), "==", value));
        }
    }
    let several = instance.number.is_none() && service.replicas.min > 1;
    let count = hosts.len() as u64;
    Placement {
        constraints,
        preferences: if several && environment.zones.len() > 1 {
            vec![Spread {
                spread: format!("node.labels.{}", names::label(project, "zone")),
            }]
        } else {
            Vec::new()
        },
        max_replicas_per_node: if service.has_host_ports() {
            Some(1)
        } else if several && environment.availability == Availability::High && count > 1 {
            // As few together as leaves room for all when a host is lost.
            Some(service.replicas.min.div_ceil(count - 1))
        } else {
            None
        },
    }
}

fn resources(plan: &Plan<'_>, service: &Service) -> Resources {
    let own = &service.resources;
    let hosts = plan.platform.environment.hosts.iter();
    // No task can use more than the largest host has.
    let most = hosts.map(|host| host.cpu).max().unwrap_or(own.cpu_limit);
    Resources {
        limits: Limits {
            cpus: own.cpu_limit.min(most).cores(),
            memory: docker_size(own.memory),
            pids: PIDS,
        },
        reservations: Reservations {
            cpus: own.cpu.cores(),
            memory: docker_size(own.memory),
        },
    }
}
