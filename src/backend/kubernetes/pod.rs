//! Pods: one container each, run by a user of its own, that may write only where its blueprint says.

use k8s_openapi::api::core::v1::{
    Affinity, Capabilities, ConfigMapProjection, ConfigMapVolumeSource, Container, ContainerPort,
    EmptyDirVolumeSource, EnvVar, EnvVarSource, ExecAction, HTTPGetAction, HostPathVolumeSource,
    KeyToPath, Lifecycle, LifecycleHandler, NodeAffinity, NodeSelector, NodeSelectorRequirement,
    NodeSelectorTerm, ObjectFieldSelector, PersistentVolumeClaimVolumeSource, PodAffinity,
    PodAffinityTerm, PodAntiAffinity, PodSecurityContext, PodSpec, PodTemplateSpec, Probe,
    ProjectedVolumeSource, ResourceRequirements, SeccompProfile, SecretKeySelector,
    SecretProjection, SecretVolumeSource, SecurityContext, SleepAction, TCPSocketAction,
    Toleration, TopologySpreadConstraint, Volume, VolumeMount, VolumeProjection,
    WeightedPodAffinityTerm,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::object::Pairs;
use super::{Context, availability, certificates, config};
use crate::names;
use crate::platform::{
    AUTHORITY_FILE, AUTHORITY_OBJECT, Ask, EnvValue, Probe as PlatformProbe, Service,
};
use crate::terms::Availability;
use crate::units::{Bytes, Seconds};

/// The labels of nodes that tell where they stand.
pub(super) const ZONE: &str = "topology.kubernetes.io/zone";
pub(super) const HOST: &str = "kubernetes.io/hostname";

/// File modes as the decimal numbers that every YAML reader takes for the same: 0444, 0555, 0440.
const READ: i32 = 0o444;
const RUN: i32 = 0o555;
const OWN: i32 = 0o440;

/// Seconds that a pod goes on answering after it was told to stop, so that nobody is still sent to it.
const DRAIN: i64 = 5;

/// How many times more often than "not ready" a check must fail before a container is restarted.
const PATIENCE: u64 = 2;

const FILES: &str = "files";
const SECRETS: &str = "secrets";
const CERTIFICATE: &str = "certificate";

/// Writes memory in the unit that people read best.
pub(super) fn memory(size: Bytes) -> Quantity {
    Quantity(if size.0.is_multiple_of(Bytes::GIB) {
        format!("{}Gi", size.0 / Bytes::GIB)
    } else if size.0.is_multiple_of(Bytes::MIB) {
        format!("{}Mi", size.mib())
    } else {
        size.0.to_string()
    })
}

fn whole(number: u64) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn seconds(time: Seconds) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}

/// Says whether others connect to a service, so that it must drain before it stops.
fn is_called(context: &Context<'_>, at: usize) -> bool {
    context.incoming(at).next().is_some() || context.endpoints(at).next().is_some()
}

/// Makes the template of a service's pods.
pub(super) fn template(context: &Context<'_>, at: usize) -> PodTemplateSpec {
    let service = context.service(at);
    let ends = !service.kind.keeps_running();
    let drains = !ends && is_called(context, at);
    let mut annotations = Pairs::new();
    if context.cluster.mesh {
        // A proxy that takes every processor it finds would be counted as the service's own use.
        annotations.insert("sidecar.istio.io/proxyCPU".to_owned(), "50m".to_owned());
        annotations.insert("sidecar.istio.io/proxyMemory".to_owned(), "96Mi".to_owned());
        annotations.insert("sidecar.istio.io/proxyCPULimit".to_owned(), "1".to_owned());
        annotations.insert(
            "sidecar.istio.io/proxyMemoryLimit".to_owned(),
            "256Mi".to_owned(),
        );
    }
    let mut labels = context.service_labels(service);
    labels.extend(context.selector(service));
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(labels),
            annotations: (!annotations.is_empty()).then_some(annotations),
            ..ObjectMeta::default()
        }),
        spec: Some(PodSpec {
            service_account_name: Some(service.account().to_owned()),
            automount_service_account_token: Some(service.cluster_api.is_some()),
            // Variables for every Service of the namespace: nothing reads them, and they collide with programs' own.
            enable_service_links: Some(false),
            // Nothing is pushed off the only machine there is.
            priority_class_name: (!context.is_embedded())
                .then(|| availability::priority(context, service)),
            restart_policy: ends.then(|| "OnFailure".to_owned()),
            termination_grace_period_seconds: Some(
                seconds(service.stop_grace) + if drains { DRAIN } else { 0 },
            ),
            security_context: Some(pod_security(service)),
            affinity: affinity(context, service),
            topology_spread_constraints: spread(context, service),
            // One on each machine means on those too that are kept for something else.
            tolerations: service.per_host.then(|| {
                vec![Toleration {
                    operator: Some("Exists".to_owned()),
                    ..Toleration::default()
                }]
            }),
            containers: vec![container(context, at, drains)],
            volumes: Some(volumes(context, service)).filter(|all| !all.is_empty()),
            ..PodSpec::default()
        }),
    }
}

fn container(context: &Context<'_>, at: usize, drains: bool) -> Container {
    let service = context.service(at);
    let resources = &service.resources;
    let cpu = |share: crate::units::MilliCpu| Quantity(share.to_string());
    let probe = service
        .probe
        .as_ref()
        .filter(|_| service.kind.keeps_running());
    Container {
        name: service.key.replace('_', "-"),
        image: Some(service.image.reference.clone()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        command: service.entrypoint.as_ref().map(|words| escaped(words)),
        args: service.command.as_ref().map(|words| escaped(words)),
        working_dir: service.working_dir.clone(),
        env: Some(env(context, service)).filter(|all| !all.is_empty()),
        ports: Some(
            service
                .ports
                .iter()
                .map(|(name, port)| ContainerPort {
                    name: Some(names::port(name)),
                    container_port: i32::from(port.number),
                    ..ContainerPort::default()
                })
                .collect::<Vec<_>>(),
        )
        .filter(|all| !all.is_empty()),
        resources: Some(ResourceRequirements {
            requests: Some(
                [
                    ("cpu".to_owned(), cpu(resources.cpu)),
                    ("memory".to_owned(), memory(resources.memory)),
                ]
                .into(),
            ),
            limits: Some(
                [
                    ("cpu".to_owned(), cpu(resources.cpu_limit)),
                    ("memory".to_owned(), memory(resources.memory)),
                ]
                .into(),
            ),
            ..ResourceRequirements::default()
        }),
        startup_probe: probe.map(startup),
        readiness_probe: probe.map(|probe| Probe {
            period_seconds: Some(whole(probe.interval.0)),
            timeout_seconds: Some(whole(probe.timeout.0)),
            failure_threshold: Some(whole(probe.retries)),
            ..asked(&probe.ask)
        }),
        liveness_probe: probe.map(|probe| Probe {
            period_seconds: Some(whole(probe.interval.0)),
            timeout_seconds: Some(whole(probe.timeout.0)),
            failure_threshold: Some(whole(probe.retries * PATIENCE)),
            ..asked(&probe.live)
        }),
        lifecycle: drains.then(|| Lifecycle {
            pre_stop: Some(LifecycleHandler {
                sleep: Some(SleepAction { seconds: DRAIN }),
                ..LifecycleHandler::default()
            }),
            ..Lifecycle::default()
        }),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            read_only_root_filesystem: Some(service.read_only),
            capabilities: Some(Capabilities {
                drop: Some(vec!["ALL".to_owned()]),
                add: (!service.capabilities.is_empty()).then(|| service.capabilities.clone()),
            }),
            ..SecurityContext::default()
        }),
        volume_mounts: Some(mounts(context, service)).filter(|all| !all.is_empty()),
        ..Container::default()
    }
}

/// Doubles what Kubernetes would take for a variable of its own.
fn escaped(words: &[String]) -> Vec<String> {
    words.iter().map(|word| literal(word)).collect()
}

fn literal(text: &str) -> String {
    text.replace("$(", "$$(")
}

fn env(context: &Context<'_>, service: &Service) -> Vec<EnvVar> {
    let key_of = |name: String, key: &str| EnvVarSource {
        secret_key_ref: Some(SecretKeySelector {
            name,
            key: key.to_owned(),
            optional: None,
        }),
        ..EnvVarSource::default()
    };
    service
        .env
        .iter()
        .map(|(name, value)| {
            let (value, source) = match value {
                EnvValue::Text(text) => (Some(literal(text)), None),
                EnvValue::Secret(secret) => {
                    let secret = context.secret(secret);
                    (
                        None,
                        Some(key_of(secret.object(), config::value_key(secret))),
                    )
                }
                EnvValue::Made { secret, key } => (None, Some(key_of(secret.clone(), key))),
                EnvValue::Zone => (
                    None,
                    Some(EnvVarSource {
                        field_ref: Some(ObjectFieldSelector {
                            field_path: format!("metadata.labels['{ZONE}']"),
                            api_version: None,
                        }),
                        ..EnvVarSource::default()
                    }),
                ),
            };
            EnvVar {
                name: name.clone(),
                value,
                value_from: source,
            }
        })
        .collect()
}

fn asked(ask: &Ask) -> Probe {
    let port = |number: u16| IntOrString::Int(i32::from(number));
    match ask {
        Ask::Http {
            path,
            port: number,
            tls,
            ..
        } => Probe {
            http_get: Some(HTTPGetAction {
                path: Some(path.clone()),
                port: port(*number),
                scheme: tls.then(|| "HTTPS".to_owned()),
                ..HTTPGetAction::default()
            }),
            ..Probe::default()
        },
        Ask::Tcp { port: number, .. } => Probe {
            tcp_socket: Some(TCPSocketAction {
                port: port(*number),
                host: None,
            }),
            ..Probe::default()
        },
        Ask::Exec(words) => Probe {
            exec: Some(ExecAction {
                command: Some(words.clone()),
            }),
            ..Probe::default()
        },
    }
}

fn startup(probe: &PlatformProbe) -> Probe {
    // As often as later: a check that is expensive does not become cheaper while the service starts.
    let period = probe.interval.0.max(1);
    Probe {
        period_seconds: Some(whole(period)),
        timeout_seconds: Some(whole(probe.timeout.0)),
        failure_threshold: Some(whole(probe.startup.0.div_ceil(period).max(1))),
        // That it lives: what waits for others is not restarted for it.
        ..asked(&probe.live)
    }
}

fn pod_security(service: &Service) -> PodSecurityContext {
    let user = service.user.map(|(user, _)| i64::from(user));
    let group = service.user.map(|(_, group)| i64::from(group));
    PodSecurityContext {
        run_as_non_root: Some(service.root.is_none()),
        run_as_user: user,
        run_as_group: group,
        // Volumes and secrets belong to this group. Files of group 0 would be open to every container without a group
        // of its own.
        fs_group: service
            .user
            .map(|(user, group)| i64::from(if group == 0 { user } else { group })),
        // Going through a full volume at every start takes minutes.
        fs_group_change_policy: Some("OnRootMismatch".to_owned()),
        seccomp_profile: Some(SeccompProfile {
            type_: "RuntimeDefault".to_owned(),
            localhost_profile: None,
        }),
        ..PodSecurityContext::default()
    }
}

fn selected(context: &Context<'_>, service: &Service) -> LabelSelector {
    LabelSelector {
        match_labels: Some(context.selector(service)),
        ..LabelSelector::default()
    }
}

/// Keeps pods in the environment's zones, if it names any.
pub(super) fn in_zones(context: &Context<'_>) -> Option<NodeAffinity> {
    let zones = &context.platform.environment.zones;
    (!zones.is_empty()).then(|| NodeAffinity {
        required_during_scheduling_ignored_during_execution: Some(NodeSelector {
            node_selector_terms: vec![NodeSelectorTerm {
                match_expressions: Some(vec![NodeSelectorRequirement {
                    key: ZONE.to_owned(),
                    operator: "In".to_owned(),
                    values: Some(zones.clone()),
                }]),
                ..NodeSelectorTerm::default()
            }],
        }),
        ..NodeAffinity::default()
    })
}

/// Keeps pods in the environment's zones, replicas on hosts of their own, and jobs where their disks must lie.
pub(super) fn affinity(context: &Context<'_>, service: &Service) -> Option<Affinity> {
    if context.is_embedded() {
        return None;
    }
    let node_affinity = in_zones(context);
    let term = || PodAffinityTerm {
        label_selector: Some(selected(context, service)),
        topology_key: HOST.to_owned(),
        ..PodAffinityTerm::default()
    };
    let several = service.kind.keeps_running() && service.replicas.max > 1 && !service.per_host;
    let pod_anti_affinity = several.then(|| {
        if service.quorum > 1 {
            // Two of a quorum on one machine are lost together.
            PodAntiAffinity {
                required_during_scheduling_ignored_during_execution: Some(vec![term()]),
                ..PodAntiAffinity::default()
            }
        } else {
            PodAntiAffinity {
                preferred_during_scheduling_ignored_during_execution: Some(vec![
                    WeightedPodAffinityTerm {
                        weight: 100,
                        pod_affinity_term: term(),
                    },
                ]),
                ..PodAntiAffinity::default()
            }
        }
    });
    let zones = context.platform.environment.zones.len();
    let pod_affinity = in_zone_of(context, service)
        .filter(|_| zones > 1)
        .map(|set| PodAffinity {
            required_during_scheduling_ignored_during_execution: Some(vec![PodAffinityTerm {
                label_selector: Some(selected(context, set)),
                topology_key: ZONE.to_owned(),
                ..PodAffinityTerm::default()
            }]),
            ..PodAffinity::default()
        });
    let affinity = Affinity {
        node_affinity,
        pod_affinity,
        pod_anti_affinity,
    };
    (affinity != Affinity::default()).then_some(affinity)
}

/// Returns the set in whose zone a job has to run: a disk lies in the zone of whoever used it first, and another job needs
/// this one together with a disk of the set.
fn in_zone_of<'p>(context: &Context<'p>, service: &Service) -> Option<&'p Service> {
    let owner_of = |volume| owner(context, service.component, volume);
    let mut mounts = service.mounts.values().map(|mount| mount.volume);
    if mounts.clone().any(|volume| owner_of(volume).is_some()) {
        return None;
    }
    mounts.find_map(|volume| {
        let mut others = context.platform.services_of(service.component);
        others.find_map(|other| {
            let mut theirs = other.mounts.values().map(|mount| mount.volume);
            let together = theirs.clone().any(|one| one == volume);
            together.then(|| theirs.find_map(owner_of)).flatten()
        })
    })
}

/// Spreads replicas evenly over zones.
pub(super) fn spread(
    context: &Context<'_>,
    service: &Service,
) -> Option<Vec<TopologySpreadConstraint>> {
    let environment = &context.platform.environment;
    let alone = service.replicas.max < 2 || service.per_host;
    if alone || !service.kind.keeps_running() || context.is_embedded() {
        return None;
    }
    let zones = environment.zones.len();
    let must = environment.availability == Availability::High && zones > 1;
    let stateful = is_stateful(service);
    Some(vec![TopologySpreadConstraint {
        max_skew: 1,
        topology_key: ZONE.to_owned(),
        when_unsatisfiable: if must {
            "DoNotSchedule"
        } else {
            "ScheduleAnyway"
        }
        .to_owned(),
        label_selector: Some(selected(context, service)),
        // Data stays in the zone it was first written in, so the first placement must be right. What keeps nothing may
        // crowd the zones that are left when one is lost.
        min_domains: (must && stateful && service.replicas.min >= zones as u64)
            .then(|| i32::try_from(zones).unwrap_or(i32::MAX)),
        node_taints_policy: Some("Honor".to_owned()),
        match_label_keys: (!stateful).then(|| vec!["pod-template-hash".to_owned()]),
        ..TopologySpreadConstraint::default()
    }])
}

/// Says whether a service's pods are told apart: they keep data, or have names.
pub(super) fn is_stateful(service: &Service) -> bool {
    service.is_stateful()
}

fn volumes(context: &Context<'_>, service: &Service) -> Vec<Volume> {
    let mut volumes = Vec::new();
    if let Some(certificate) = context.platform.certificate_of(service) {
        volumes.push(Volume {
            name: CERTIFICATE.to_owned(),
            secret: Some(SecretVolumeSource {
                secret_name: Some(certificates::secret(context, certificate)),
                default_mode: Some(OWN),
                ..SecretVolumeSource::default()
            }),
            ..Volume::default()
        });
    }
    volumes.extend(files(service));
    let mounted = config::mounted_secrets(service);
    let projected = |name: &str, key: &str, path: &str| VolumeProjection {
        secret: Some(SecretProjection {
            name: name.to_owned(),
            items: Some(vec![KeyToPath {
                key: key.to_owned(),
                path: path.to_owned(),
                mode: None,
            }]),
            optional: None,
        }),
        ..VolumeProjection::default()
    };
    if !mounted.is_empty() || service.trusts {
        let sources = mounted.iter().map(|name| {
            let secret = context.secret(name);
            projected(&secret.object(), config::value_key(secret), &secret.name)
        });
        let authority = service
            .trusts
            .then(|| projected(AUTHORITY_OBJECT, AUTHORITY_FILE, AUTHORITY_FILE));
        let sources = sources.chain(authority);
        volumes.push(Volume {
            name: SECRETS.to_owned(),
            projected: Some(ProjectedVolumeSource {
                default_mode: Some(OWN),
                sources: Some(sources.collect()),
            }),
            ..Volume::default()
        });
    }
    for (at, _) in service.writable.iter().enumerate() {
        volumes.push(in_memory(scratch(at), None));
    }
    for (at, mount) in service.host_mounts.values().enumerate() {
        volumes.push(Volume {
            name: of_host(at),
            host_path: Some(HostPathVolumeSource {
                path: mount.from.clone(),
                type_: None,
            }),
            ..Volume::default()
        });
    }
    if let Some(size) = service.shm {
        volumes.push(in_memory("shm".to_owned(), Some(memory(size))));
    }
    let component = context.platform.component_of(service);
    for mount in service.mounts.values() {
        let volume = &component.volumes[mount.volume];
        if volume.shared || !is_stateful(service) {
            volumes.push(Volume {
                name: volume_name(&volume.key),
                persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
                    claim_name: claim_name(context, service.component, mount.volume),
                    read_only: None,
                }),
                ..Volume::default()
            });
        }
    }
    volumes
}

/// Makes the volume of a service's files, from all of its ConfigMaps.
fn files(service: &Service) -> Option<Volume> {
    let parts = config::parts(service);
    let can_run = service.files.values().any(|file| file.executable);
    let items = |part: &config::Part<'_>| {
        let items = part.files.iter().map(|(key, file)| KeyToPath {
            key: key.clone(),
            path: key.clone(),
            mode: file.executable.then_some(RUN),
        });
        can_run.then(|| items.collect())
    };
    let volume = Volume {
        name: FILES.to_owned(),
        ..Volume::default()
    };
    match parts.as_slice() {
        [] => None,
        [part] => Some(Volume {
            config_map: Some(ConfigMapVolumeSource {
                name: part.name.clone(),
                default_mode: Some(READ),
                items: items(part),
                optional: None,
            }),
            ..volume
        }),
        several => {
            let sources = several.iter().map(|part| VolumeProjection {
                config_map: Some(ConfigMapProjection {
                    name: part.name.clone(),
                    items: items(part),
                    optional: None,
                }),
                ..VolumeProjection::default()
            });
            Some(Volume {
                projected: Some(ProjectedVolumeSource {
                    default_mode: Some(READ),
                    sources: Some(sources.collect()),
                }),
                ..volume
            })
        }
    }
}

/// Names the claim of a volume that a service does not get for itself: where pods of a set get it, that of the first one.
fn claim_name(context: &Context<'_>, component: usize, volume: usize) -> String {
    let known = &context.platform.components[component].volumes[volume];
    match owner(context, component, volume) {
        Some(owner) => format!("{}-{}-0", volume_name(&known.key), owner.name),
        None => known.name.clone(),
    }
}

/// Returns the set whose pods get a volume each for itself.
pub(super) fn owner<'p>(
    context: &Context<'p>,
    component: usize,
    volume: usize,
) -> Option<&'p Service> {
    if context.platform.components[component].volumes[volume].shared {
        return None;
    }
    context.platform.services_of(component).find(|service| {
        let mut mounts = service.mounts.values();
        is_stateful(service) && mounts.any(|mount| mount.volume == volume)
    })
}

/// Names a volume in a pod after the blueprint's.
pub(super) fn volume_name(key: &str) -> String {
    key.replace('_', "-")
}

fn scratch(at: usize) -> String {
    format!("scratch-{at}")
}

fn of_host(at: usize) -> String {
    format!("host-{at}")
}

fn in_memory(name: String, limit: Option<Quantity>) -> Volume {
    Volume {
        name,
        empty_dir: Some(EmptyDirVolumeSource {
            medium: Some("Memory".to_owned()),
            size_limit: limit,
        }),
        ..Volume::default()
    }
}

fn mounts(context: &Context<'_>, service: &Service) -> Vec<VolumeMount> {
    let at = |name: &str, path: &str, read_only: bool| VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only: read_only.then_some(true),
        ..VolumeMount::default()
    };
    let mut mounts = Vec::new();
    mounts.extend(
        service
            .certificate
            .as_ref()
            .map(|certificate| at(CERTIFICATE, &certificate.path, true)),
    );
    mounts.extend(service.files.iter().map(|(path, file)| VolumeMount {
        sub_path: Some(config::key(file)),
        ..at(FILES, path, true)
    }));
    let mut secrets = config::mounted_secrets(service);
    secrets.extend(service.trusts.then_some(AUTHORITY_FILE));
    if service.cluster_api.is_some() {
        // The pod's token lies below the same folder, where a volume that cannot be written has no room for it.
        mounts.extend(secrets.iter().map(|name| VolumeMount {
            sub_path: Some((*name).to_owned()),
            ..at(SECRETS, &format!("/run/secrets/{name}"), true)
        }));
    } else if !secrets.is_empty() {
        mounts.push(at(SECRETS, "/run/secrets", true));
    }
    for (number, path) in service.writable.iter().enumerate() {
        mounts.push(at(&scratch(number), path, false));
    }
    for (number, (path, mount)) in service.host_mounts.iter().enumerate() {
        mounts.push(VolumeMount {
            // What is unmounted on the machine is not held on to.
            mount_propagation: Some("HostToContainer".to_owned()),
            ..at(&of_host(number), path, mount.read_only)
        });
    }
    if service.shm.is_some() {
        mounts.push(at("shm", "/dev/shm", false));
    }
    let component = context.platform.component_of(service);
    for (path, mount) in &service.mounts {
        let volume = &component.volumes[mount.volume];
        mounts.push(at(&volume_name(&volume.key), path, mount.read_only));
    }
    // A folder comes before what lies in it.
    mounts.sort_by(|left, right| left.mount_path.cmp(&right.mount_path));
    mounts
}
