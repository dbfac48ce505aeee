//! Scripts: how a person brings the bundle into a cluster, where no tool does it.
//!
//! They hold names, versions and times. What is waited for, and how long, is read from the objects themselves, so that
//! whatever is applied is also waited for.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value as Json;

use super::object::Object;
use super::prerequisites::{self, Needed, ToldBy};
use super::{
    CLUSTER, Context, MANIFESTS, Manifests, PLATFORM, availability, config, gateway, store,
};
use crate::backend::{Files, images};
use crate::platform::{Component, KUBERNETES_VERSIONS, Platform, Store};
use crate::template::header;
use crate::terms::PodSecurity;

/// Seconds that everything gets on top of its own time: room for a scheduler, a new node, an image.
const ROOM: u64 = 300;

/// Seconds that is waited for what the outside decides upon: an address, a public certificate. It may come much later.
const OUTSIDE: u64 = 60;

/// How names end that follow from content, as a pattern of the shell.
const HASH: &str = "??????????";

/// Names of Secrets, each with its keys: no value.
const KEYS: &str = r#"{{range .items}}{{.metadata.name}}{{range $key, $value := .data}} {{$key}}{{end}}{{"\n"}}{{end}}"#;

/// Kinds of workloads that may refer to Secrets, besides those of operators. Not the old ReplicaSets of Deployments: going
/// back to one whose password was rotated does not work anyway.
const REFERRERS: &[&str] = &["pods", "deployments", "statefulsets", "jobs", "cronjobs"];

/// Adds the scripts to a bundle.
pub(super) fn add(context: &Context<'_>, manifests: &Manifests, files: &mut Files) {
    let place = &context.platform.environment.place;
    let needed = prerequisites::list(context, manifests.objects());
    let data = apply(context, manifests);
    files.add_script("apply.sh", include_str!("apply.sh.tera"), &data, place);
    let data = preflight(context, manifests, &needed);
    let template = include_str!("preflight.sh.tera");
    files.add_script("preflight.sh", template, &data, place);
    if !context.platform.secrets.is_empty() {
        let data = secrets(context, manifests);
        let (path, template) = match context.platform.environment.secrets {
            Store::Target | Store::Sops(_) => ("secrets.sh", include_str!("secrets.sh.tera")),
            Store::Sealed => ("seal.sh", include_str!("seal.sh.tera")),
            // The operator makes them.
            Store::Remote(_) => ("", ""),
        };
        if !path.is_empty() {
            files.add_script(path, template, &data, place);
        }
    }
    if context.cluster.mesh {
        files.add(
            "prerequisites/istio-values.yaml",
            prerequisites::mesh_values(context),
            false,
            place,
        );
    }
}

/// Returns the labels that all objects of the bundle bear.
fn labels(context: &Context<'_>) -> Vec<String> {
    let labels = context.platform_labels();
    labels
        .iter()
        .map(|(label, value)| format!("{label}={value}"))
        .collect()
}

#[derive(Serialize)]
struct Apply {
    header: String,
    namespace: String,
    labels: String,
    hash_pattern: &'static str,
    cluster: Option<String>,
    platform: Option<String>,
    /// Files with sealed secrets.
    sealed: Vec<String>,
    /// What makes the Secrets that pods cannot start without.
    makers: Vec<Wait>,
    waves: Vec<Wave>,
    /// What the outside decides upon.
    opens: Vec<Wait>,
    config_maps: Vec<String>,
    jobs: Vec<String>,
}

/// What is applied together, and then waited for.
#[derive(Default, Serialize)]
struct Wave {
    files: Vec<String>,
    jobs: Vec<String>,
    /// The longest that one of the jobs may take.
    job_seconds: u64,
    rollouts: Vec<Wait>,
    conditions: Vec<Wait>,
}

#[derive(Serialize)]
struct Wait {
    seconds: u64,
    condition: String,
    object: String,
}

fn apply(context: &Context<'_>, manifests: &Manifests) -> Apply {
    let folder = |name: &str| {
        let mut all = manifests.0.iter();
        all.any(|manifest| manifest.folder == name)
            .then(|| format!("{MANIFESTS}/{name}"))
    };
    let most = most_replicas(manifests);
    let ready = ready(context);
    let mut waves: BTreeMap<usize, Wave> = BTreeMap::new();
    let mut opens = Vec::new();
    let mut makers = Vec::new();
    for manifest in &manifests.0 {
        let Some(number) = manifest.wave else {
            let (first, other): (Vec<&Object>, Vec<&Object>) = manifest
                .objects
                .iter()
                .partition(|object| object.kind() == store::KIND);
            makers.extend(first.into_iter().filter_map(open));
            opens.extend(other.into_iter().filter_map(open));
            continue;
        };
        let wave = waves.entry(number).or_default();
        let path = format!("{MANIFESTS}/{}/{}", manifest.folder, manifest.file);
        wave.files.push(path);
        for object in &manifest.objects {
            let (kind, name) = (object.kind(), object.name());
            match kind {
                "Job" => {
                    wave.jobs.push(name.to_owned());
                    wave.job_seconds = wave.job_seconds.max(job_seconds(object));
                }
                "DaemonSet" | "Deployment" | "StatefulSet" => wave.rollouts.push(Wait {
                    seconds: rollout_seconds(object, most.get(&(kind, name)).copied()),
                    condition: String::new(),
                    object: format!("{}/{name}", kind.to_lowercase()),
                }),
                _ => {
                    let own = prerequisites::condition(object).map(|own| (own.to_owned(), ROOM));
                    let given = ready.get(&(kind.to_owned(), name.to_owned())).cloned();
                    if let Some((condition, seconds)) = given.or(own) {
                        wave.conditions.push(Wait {
                            seconds,
                            condition,
                            object: reference(object),
                        });
                    }
                }
            }
        }
    }
    let names = |kind: &str| -> Vec<String> {
        let objects = manifests.objects().filter(|object| object.kind() == kind);
        objects.map(|object| object.name().to_owned()).collect()
    };
    let platform = context.platform;
    let sealed = platform.environment.secrets.sealed(&platform.secrets);
    let sealed: Vec<(String, String)> = sealed.collect();
    let (group, version, kind) = store::SEALED;
    makers.extend(sealed.iter().map(|(object, _)| Wait {
        seconds: OUTSIDE,
        condition: "Synced".to_owned(),
        object: format!("{kind}.{version}.{group}/{object}"),
    }));
    Apply {
        header: header("the topology"),
        sealed: sealed.into_iter().map(|(_, path)| path).collect(),
        makers,
        namespace: context.cluster.namespace.clone(),
        labels: labels(context).join(","),
        hash_pattern: HASH,
        cluster: folder(CLUSTER),
        platform: folder(PLATFORM),
        waves: waves.into_values().collect(),
        opens,
        config_maps: names("ConfigMap"),
        jobs: names("Job"),
    }
}

/// Names an object as kubectl finds it whatever else bears the name of its kind.
fn reference(object: &Object) -> String {
    format!("{}/{}", kind_reference(object), object.name())
}

fn kind_reference(object: &Object) -> String {
    match object.api_version().split_once('/') {
        Some((group, version)) => format!("{}.{version}.{group}", object.kind()),
        None => object.kind().to_owned(),
    }
}

/// Says what of the platform's own objects the outside waits for.
fn open(object: &Object) -> Option<Wait> {
    let condition = match object.kind() {
        "Deployment" => "Available",
        _ => prerequisites::condition(object)?,
    };
    Some(Wait {
        seconds: OUTSIDE,
        condition: condition.to_owned(),
        object: reference(object),
    })
}

/// Returns the most replicas that an autoscaler may have made of a workload, by kind and name.
fn most_replicas(manifests: &Manifests) -> BTreeMap<(&str, &str), u64> {
    let scalers = manifests
        .objects()
        .filter(|object| object.kind() == "HorizontalPodAutoscaler");
    scalers
        .filter_map(|object| {
            let spec = &object.json["spec"];
            let target = &spec["scaleTargetRef"];
            let key = (target["kind"].as_str()?, target["name"].as_str()?);
            Some((key, spec["maxReplicas"].as_u64()?))
        })
        .collect()
}

/// Returns the conditions that objects of operators reach, and how long that may take, by kind and name.
fn ready(context: &Context<'_>) -> BTreeMap<(String, String), (String, u64)> {
    let platform = context.platform;
    let mut found = BTreeMap::new();
    for (at, component) in platform.components.iter().enumerate() {
        let starts: u64 = platform
            .services_of(at)
            .filter(|service| !service.is_ours())
            .map(|service| {
                let startup = service.probe.as_ref().map_or(0, |probe| probe.startup.0);
                startup.saturating_mul(service.replicas.max)
            })
            .fold(0, u64::saturating_add);
        for object in &component.objects {
            if let Some(condition) = &object.ready {
                let made = Object::new(&object.content);
                found.insert(
                    (made.kind().to_owned(), made.name().to_owned()),
                    (condition.clone(), starts.saturating_add(ROOM)),
                );
            }
        }
    }
    found
}

/// Lists the operators' objects that tell by a condition whether they are well: the object, and the condition.
pub(in crate::backend) fn telling(platform: &Platform) -> Vec<[String; 2]> {
    let objects = platform
        .components
        .iter()
        .flat_map(|component| &component.objects);
    objects
        .filter_map(|object| {
            let made = Object::new(&object.content);
            Some([reference(&made), object.ready.clone()?])
        })
        .collect()
}

fn number(value: &Json) -> u64 {
    value.as_u64().unwrap_or(0)
}

/// Returns how long a job may take: the cluster ends it by then.
fn job_seconds(object: &Object) -> u64 {
    let own = object.json["spec"]["activeDeadlineSeconds"].as_u64();
    own.unwrap_or(3600).saturating_add(ROOM)
}

/// Returns how long the pods of a workload may take to be replaced one by one.
fn rollout_seconds(object: &Object, most: Option<u64>) -> u64 {
    let spec = &object.json["spec"];
    let pod = &spec["template"]["spec"];
    let containers = pod["containers"].as_array().into_iter().flatten();
    let startup = containers
        .map(|container| {
            let probe = &container["startupProbe"];
            number(&probe["failureThreshold"]).saturating_mul(number(&probe["periodSeconds"]))
        })
        .max()
        .unwrap_or(0);
    let replicas = most
        .or_else(|| spec["replicas"].as_u64())
        .unwrap_or(1)
        .max(1);
    let stop = number(&pod["terminationGracePeriodSeconds"]);
    replicas
        .saturating_mul(startup.saturating_add(stop))
        .saturating_add(ROOM)
}

#[derive(Serialize)]
struct Preflight {
    header: String,
    namespace: String,
    version: u32,
    newest_version: u32,
    apis: Vec<Api>,
    operators: Vec<Operator>,
    mesh: bool,
    cni: bool,
    zones: Vec<ZoneLines>,
    members: Option<Members>,
    storage_classes: Vec<Class>,
    default_class: bool,
    autoscalers: bool,
    issuer: Option<String>,
    issuer_lack: String,
    key_template: &'static str,
    /// Whether a script makes the Secrets, before anything is applied.
    made_before: bool,
    secrets: Vec<SecretKeys>,
    /// Files with sealed secrets.
    sealed: Vec<String>,
    /// The store outside.
    store: Option<StoreLine>,
    /// The Secret that the user fills with the certificate of the public names.
    tls_secret: Option<String>,
    images: Vec<String>,
    no_registry: bool,
    settings: Vec<String>,
}

#[derive(Serialize)]
struct Api {
    operator: String,
    help: String,
    version: String,
    kinds: BTreeSet<String>,
}

#[derive(Serialize)]
struct Operator {
    name: String,
    version: String,
    help: String,
    labels: Option<String>,
    definition: Option<String>,
    annotation: Option<String>,
}

#[derive(Serialize)]
struct ZoneLines {
    /// What the script's list of nodes has for one that pods may be put on.
    line: String,
    lack: String,
}

#[derive(Serialize)]
struct Class {
    name: String,
    lack: String,
}

/// The service that needs most nodes, since no two of its replicas share one.
#[derive(Serialize)]
struct Members {
    service: String,
    count: u64,
}

/// How kubectl finds the store outside, and what to say if it does not.
#[derive(Serialize)]
struct StoreLine {
    object: String,
    lack: String,
}

#[derive(Serialize)]
struct SecretKeys {
    object: String,
    keys: Vec<&'static str>,
}

fn preflight(context: &Context<'_>, manifests: &Manifests, needed: &[Needed]) -> Preflight {
    let (platform, cluster) = (context.platform, context.cluster);
    let namespace = &cluster.namespace;
    let zones = &platform.environment.zones;
    let classes: BTreeSet<Option<String>> = mounted(context)
        .map(|class| cluster.storage_class(class))
        .collect();
    let made: BTreeSet<&str> = manifests
        .objects()
        .filter(|object| object.kind() == "StorageClass")
        .map(Object::name)
        .collect();
    let ours = platform
        .services
        .iter()
        .filter(|service| service.is_ours() && service.kind.keeps_running());
    let members = ours
        .filter(|service| service.quorum > 1)
        .max_by_key(|service| service.replicas.max)
        .map(|service| Members {
            service: service.name.clone(),
            count: service.replicas.max,
        });
    let store = &platform.environment.secrets;
    // What an operator makes is made when its object is applied.
    let made_before = matches!(store, Store::Target | Store::Sops(_));
    let secrets: Vec<SecretKeys> = platform
        .secrets
        .iter()
        .filter(|_| made_before)
        .map(|secret| SecretKeys {
            object: secret.object(),
            keys: if secret.user.is_some() {
                vec!["username", "password"]
            } else {
                vec![config::value_key(secret)]
            },
        })
        .collect();
    let mut settings = BTreeSet::new();
    for service in &platform.services {
        for (name, (least, why)) in &service.host_settings {
            settings.insert(format!(
                "nodes of {} need {name} = {least} or more: {why}",
                service.name
            ));
        }
    }
    Preflight {
        header: header("the topology"),
        namespace: namespace.clone(),
        version: cluster.version,
        newest_version: *KUBERNETES_VERSIONS.end(),
        apis: needed
            .iter()
            .flat_map(|needed| {
                needed.apis.iter().map(|(version, kinds)| Api {
                    operator: needed.name.clone(),
                    help: needed.help.clone(),
                    version: version.clone(),
                    kinds: kinds.clone(),
                })
            })
            .collect(),
        operators: needed.iter().map(operator).collect(),
        mesh: cluster.mesh,
        cni: cluster.mesh && platform.pod_security(None) != PodSecurity::Privileged,
        zones: zones
            .iter()
            .map(|zone| ZoneLines {
                line: format!("{zone}|"),
                lack: format!("no node for pods is in zone {zone}"),
            })
            .collect(),
        members,
        default_class: classes.contains(&None),
        storage_classes: classes
            .into_iter()
            .flatten()
            .filter(|class| !made.contains(class.as_str()))
            .map(|name| Class {
                lack: format!("there is no StorageClass {name}"),
                name,
            })
            .collect(),
        autoscalers: platform.services.iter().any(availability::is_scaled),
        issuer: cluster.issuer.clone(),
        issuer_lack: format!(
            "there is no ClusterIssuer {} that is ready",
            cluster.issuer.as_deref().unwrap_or_default()
        ),
        key_template: KEYS,
        made_before,
        secrets,
        sealed: store
            .sealed(&platform.secrets)
            .map(|(_, path)| path)
            .collect(),
        store: match store {
            Store::Remote(remote) => Some(StoreLine {
                object: format!("{}.external-secrets.io/{}", remote.kind, remote.name),
                lack: format!("there is no {} {} that is ready", remote.kind, remote.name),
            }),
            Store::Target | Store::Sealed | Store::Sops(_) => None,
        },
        tls_secret: (cluster.issuer.is_none() && gateway::exists(context))
            .then(|| cluster.tls_secret.clone()),
        images: images::list(context.platform)
            .into_iter()
            .map(|image| format!("./images.sh pushes {}", image.reference))
            .collect(),
        no_registry: platform.environment.registry.is_none(),
        settings: settings.into_iter().collect(),
    }
}

/// Returns the classes of the disks that claims of the bundle ask for.
fn mounted<'c>(
    context: &'c Context<'_>,
) -> impl Iterator<Item = crate::terms::DiskClass> + use<'c> {
    let platform = context.platform;
    platform.services.iter().flat_map(move |service| {
        let volumes = &platform.component_of(service).volumes;
        let mounts = service.mounts.values();
        mounts.map(move |mount| volumes[mount.volume].class)
    })
}

fn operator(needed: &Needed) -> Operator {
    let (mut labels, mut definition, mut annotation) = (None, None, None);
    match &needed.told_by {
        ToldBy::Deployment(known) => labels = Some(known.clone()),
        ToldBy::Annotation(known, key) => {
            definition = Some(known.clone());
            annotation = Some(key.clone());
        }
        ToldBy::Nothing => {}
    }
    Operator {
        name: needed.name.clone(),
        version: needed.version.clone(),
        help: needed.help.clone(),
        labels,
        definition,
        annotation,
    }
}

#[derive(Serialize)]
struct Secrets {
    header: String,
    namespace: String,
    labels: String,
    label_words: String,
    secrets: Vec<Secret>,
    referrers: Vec<String>,
}

#[derive(Serialize)]
struct Secret {
    object: String,
    name: String,
    user: Option<String>,
}

fn secrets(context: &Context<'_>, manifests: &Manifests) -> Secrets {
    let labels = labels(context);
    let mut referrers: Vec<String> = REFERRERS.iter().map(|kind| (*kind).to_owned()).collect();
    let operators: BTreeSet<&str> = context
        .platform
        .components
        .iter()
        .flat_map(|component: &Component| component.operators.keys())
        .map(String::as_str)
        .collect();
    let foreign: BTreeSet<String> = manifests
        .objects()
        .filter(|object| operators.contains(prerequisites::group(object)))
        .map(kind_reference)
        .collect();
    referrers.extend(foreign);
    Secrets {
        header: header("the topology"),
        namespace: context.cluster.namespace.clone(),
        labels: labels.join(","),
        label_words: labels.join(" "),
        secrets: context
            .platform
            .secrets
            .iter()
            .map(|secret| Secret {
                object: secret.object(),
                name: secret.name.clone(),
                user: secret.user.clone(),
            })
            .collect(),
        referrers,
    }
}
