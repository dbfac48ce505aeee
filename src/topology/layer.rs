//! Layering: one environment over the platform's defaults, read into types.
//!
//! In comes a validated topology and the name of an environment, out comes [`Layered`]: what the user said, each value
//! with its place and what it replaced. What nobody said is `None` here; defaults are the next stage's.

use std::collections::BTreeMap;

use super::Topology;
use super::alerting::{self, LayeredAlerting};
use super::backup::{self, LayeredBackup, LayeredPlan};
use super::identity::{self, LayeredIdentity};
use crate::diagnostic::{Finding, Rule, Severity, suggest};
use crate::source::{FileId, Place};
use crate::terms::{
    AlertSeverity, Availability, Cloud, DiskClass, GatewayApi, GitOps, Locale, PublicTls,
    Scheduler, SecretStore, ServicesTls, Size, StorageKind, StoreKind, Target,
};
use crate::tree::{Node, Tree};
use crate::units::{Bytes, MilliCpu, Seconds};
use crate::value::Value;

/// An environment changes something that does not exist.
pub static DANGLING_OVERRIDE: Rule = Rule {
    code: "dangling-override",
    severity: Severity::Error,
    summary: "an override names something that the platform does not have",
    why: "An environment is laid over the platform's components. One that names a component that is not there changes \
          nothing, most often because it was renamed or misspelt; the environment would silently run with defaults.",
    fix: "Use the component's name, or remove the override. A component that exists in one environment only says which \
          `blueprint` it is.",
    allowable: false,
};

/// Something is named that does not exist.
pub static UNKNOWN_NAME: Rule = Rule {
    code: "unknown-name",
    severity: Severity::Error,
    summary: "a name does not exist",
    why: "Environments, components, blueprints, services, volumes and profiles are referred to by name.",
    fix: "Use one of the names that the help lists.",
    allowable: false,
};

/// A value, its place, and what it replaced.
#[derive(Clone, Debug)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Place,
    /// What layers below said, nearest first.
    pub replaced: Vec<(Place, Value)>,
}

impl<T> Sourced<T> {
    pub(super) fn from_tree(tree: &Tree, value: T) -> Self {
        Self {
            value,
            place: tree.place.clone(),
            replaced: tree.replaced.clone(),
        }
    }
}

/// An environment as the user described it.
#[derive(Debug)]
pub struct Layered {
    /// The topology's file.
    pub file: FileId,
    /// Name of the environment.
    pub name: String,
    /// Where the environment stands.
    pub place: Place,
    /// Name of the platform.
    pub platform: Sourced<String>,
    /// Domain of web interfaces.
    pub domain: Option<Sourced<String>>,
    /// Whether `domain` was given for this environment rather than for the platform.
    pub domain_is_own: bool,
    /// Language of texts for people.
    pub locale: Option<Sourced<Locale>>,
    /// What runs jobs at their times.
    pub scheduler: Option<Sourced<Scheduler>>,
    /// Licences that are refused.
    pub refused_licences: Vec<Sourced<String>>,
    /// Licences that are accepted, if only some are.
    pub accepted_licences: Option<Vec<Sourced<String>>>,
    /// What it compiles to.
    pub target: Sourced<Target>,
    /// Resources of services.
    pub size: Option<Sourced<Size>>,
    /// Whether it must survive losses.
    pub availability: Option<Sourced<Availability>>,
    /// Address that published ports are bound to.
    pub bind: Option<Sourced<String>>,
    /// Range of private addresses.
    pub network: Option<Sourced<String>>,
    /// Machines.
    pub hosts: Vec<LayeredHost>,
    /// Zones.
    pub zones: Vec<Sourced<String>>,
    /// Where volumes lie.
    pub storage: Option<LayeredStorage>,
    /// Registry of images that are built.
    pub registry: Option<Sourced<String>>,
    /// Beginnings of images' references, and what stands in their place.
    pub mirrors: BTreeMap<String, Sourced<String>>,
    /// Versions of secrets by name.
    pub secret_versions: BTreeMap<String, Sourced<u32>>,
    /// Where the values of secrets are kept.
    pub secrets: LayeredSecrets,
    /// Certificates.
    pub tls: LayeredTls,
    /// What only Kubernetes has.
    pub kubernetes: LayeredKubernetes,
    /// Sets of components that start only when asked for, sorted by name.
    pub profiles: Vec<LayeredProfile>,
    /// Who is told of alerts.
    pub alerting: LayeredAlerting,
    /// How the platform is backed up.
    pub backup: LayeredBackup,
    /// Who people are.
    pub identity: LayeredIdentity,
    /// Files and folders in the bundle that belong to the user.
    pub keep: Vec<String>,
    /// Findings that are accepted.
    pub allow: Vec<Allow>,
    /// Components, sorted by name; those that are not enabled are left out.
    pub components: BTreeMap<String, LayeredComponent>,
    /// Names of those that are not enabled.
    pub left_out: Vec<String>,
}

/// Components that start only when asked for.
#[derive(Clone, Debug)]
pub struct LayeredProfile {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// Components that start with it.
    pub start: Vec<Sourced<String>>,
    /// Components that are stopped for it.
    pub stop: Vec<Sourced<String>>,
}

/// A finding that is accepted.
#[derive(Clone, Debug)]
pub struct Allow {
    /// Its code.
    pub code: String,
    /// Why.
    pub reason: String,
    /// Where it is said.
    pub place: Place,
    /// The component it is accepted for; any, if none.
    pub component: Option<String>,
}

/// A machine, or a pool of equal ones.
#[derive(Clone, Debug)]
pub struct LayeredHost {
    /// Its name.
    pub name: Sourced<String>,
    /// Memory of one machine.
    pub memory: Sourced<Bytes>,
    /// Processors of one machine.
    pub cpus: Sourced<MilliCpu>,
    /// How many there are.
    pub count: u64,
    /// The zone it stands in.
    pub zone: Option<Sourced<String>>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Memory left to the machine itself.
    pub reserve_memory: Option<Sourced<Bytes>>,
    /// Processors left to the machine itself.
    pub reserve_cpus: Option<Sourced<MilliCpu>>,
}

/// Where volumes lie.
#[derive(Clone, Debug)]
pub struct LayeredStorage {
    /// On machines or on a server.
    pub kind: Sourced<StorageKind>,
    /// NFS server.
    pub server: Option<String>,
    /// Exported folder.
    pub path: Option<String>,
    /// Whether its disks are encrypted.
    pub encrypted: Option<Sourced<bool>>,
}

/// Where the values of secrets are kept, as far as the user described it.
#[derive(Clone, Debug, Default)]
pub struct LayeredSecrets {
    /// The store.
    pub store: Option<Sourced<SecretStore>>,
    /// External Secrets: name of what says how the store is reached.
    pub name: Option<Sourced<String>>,
    /// External Secrets: its kind.
    pub kind: Option<Sourced<StoreKind>>,
    /// External Secrets: what keys begin with.
    pub prefix: Option<Sourced<String>>,
    /// External Secrets: the field of an entry.
    pub property: Option<Sourced<String>>,
    /// External Secrets: how often the operator looks.
    pub refresh: Option<Sourced<Seconds>>,
    /// SOPS: public keys of age.
    pub recipients: Option<Sourced<Vec<String>>>,
}

/// Certificates, as far as the user described them.
#[derive(Clone, Debug, Default)]
pub struct LayeredTls {
    /// Where that of the public host names comes from.
    pub public: Option<Sourced<PublicTls>>,
    /// The public authority that is asked: directory, whom it writes to, what puts records into DNS.
    pub acme: Option<LayeredAcme>,
    /// Whether services speak it among themselves.
    pub services: Option<Sourced<ServicesTls>>,
    /// What keys are, as it was written.
    pub key: Option<Sourced<String>>,
    /// How long one is good.
    pub lifetime: Option<Sourced<Seconds>>,
    /// How long before its end it is renewed.
    pub renew_before: Option<Sourced<Seconds>>,
    /// How long the authority is good.
    pub authority_lifetime: Option<Sourced<Seconds>>,
}

/// A public authority, as far as the user described it.
#[derive(Clone, Debug)]
pub struct LayeredAcme {
    /// Where it stands.
    pub place: Place,
    /// Its directory.
    pub directory: Option<String>,
    /// Whom it writes to.
    pub email: Option<String>,
    /// What puts records into DNS.
    pub dns: Option<String>,
}

/// The cluster that an environment runs in, as far as the user described it.
#[derive(Clone, Debug, Default)]
pub struct LayeredKubernetes {
    /// Minor version.
    pub version: Option<Sourced<String>>,
    /// Namespace.
    pub namespace: Option<Sourced<String>>,
    /// Whose disks volumes lie on.
    pub cloud: Option<Sourced<Cloud>>,
    /// Key that disks are encrypted with.
    pub disk_key: Option<String>,
    /// Storage classes that exist.
    pub storage_classes: BTreeMap<DiskClass, Sourced<String>>,
    /// API of the gateway.
    pub gateway: Option<GatewayApi>,
    /// Secret with the certificate of the public host names.
    pub tls_secret: Option<String>,
    /// ClusterIssuer that fills it.
    pub issuer: Option<String>,
    /// What stands before names of groups.
    pub group_prefix: Option<String>,
    /// Tool that applies the bundle.
    pub gitops: Option<GitOps>,
}

/// A component as the user described it.
#[derive(Debug)]
pub struct LayeredComponent {
    /// Its name.
    pub name: String,
    /// Where its name stands.
    pub place: Place,
    /// The blueprint it puts to use.
    pub blueprint: Sourced<String>,
    /// Version of the system.
    pub version: Option<Sourced<String>>,
    /// Edition of the system.
    pub edition: Option<Sourced<String>>,
    /// Resources of its services.
    pub size: Option<Sourced<Size>>,
    /// Profile it starts with.
    pub profile: Option<Sourced<String>>,
    /// Chosen providers by need; `None` to go without.
    pub needs: BTreeMap<String, Sourced<Option<String>>>,
    /// Images in place of the blueprint's.
    pub images: BTreeMap<String, Sourced<String>>,
    /// Settings of services.
    pub services: BTreeMap<String, LayeredService>,
    /// Settings of volumes.
    pub volumes: BTreeMap<String, LayeredVolume>,
    /// Settings of alerts.
    pub alerts: BTreeMap<String, LayeredAlert>,
    /// How it is backed up, where that differs from the rest.
    pub backup: LayeredPlan,
    /// Everything else: options of the blueprint.
    pub options: Tree,
}

/// Settings of one volume.
#[derive(Debug)]
pub struct LayeredVolume {
    /// Where its name stands.
    pub place: Place,
    /// Room.
    pub size: Option<Sourced<Bytes>>,
    /// Where it lies.
    pub storage: Option<Sourced<StorageKind>>,
}

/// Settings of one alert.
#[derive(Debug)]
pub struct LayeredAlert {
    /// Where its name stands.
    pub place: Place,
    /// Whether it exists.
    pub enabled: Option<Sourced<bool>>,
    /// How bad it is.
    pub severity: Option<Sourced<AlertSeverity>>,
    /// How long the state must last, as a duration of Prometheus.
    pub hold: Option<Sourced<String>>,
}

/// Settings of one service.
#[derive(Debug)]
pub struct LayeredService {
    /// Where its name stands.
    pub place: Place,
    /// How many run: least and most.
    pub replicas: Option<Sourced<(u64, u64)>>,
    /// Memory.
    pub memory: Option<Sourced<Bytes>>,
    /// Guaranteed processors.
    pub cpu: Option<Sourced<MilliCpu>>,
    /// Most processors.
    pub cpu_limit: Option<Sourced<MilliCpu>>,
    /// Labels that its hosts must have.
    pub host_labels: BTreeMap<String, Sourced<String>>,
    /// More environment variables.
    pub env: BTreeMap<String, Sourced<String>>,
}

/// Keys of a component that are not options.
pub const COMPONENT_KEYS: &[&str] = &[
    "alerts",
    "allow",
    "backup",
    "blueprint",
    "edition",
    "enabled",
    "images",
    "needs",
    "profile",
    "services",
    "size",
    "unset",
    "version",
    "volumes",
];

pub(super) fn text(tree: Option<&Tree>) -> Option<Sourced<String>> {
    tree.and_then(|tree| Some(Sourced::from_tree(tree, tree.text()?.to_owned())))
}

pub(super) fn word<T>(tree: Option<&Tree>, from_word: fn(&str) -> Option<T>) -> Option<Sourced<T>> {
    tree.and_then(|tree| Some(Sourced::from_tree(tree, from_word(tree.text()?)?)))
}

pub(super) fn truth(tree: Option<&Tree>) -> Option<Sourced<bool>> {
    let tree = tree?;
    Some(Sourced::from_tree(tree, tree.value() == Value::Bool(true)))
}

/// Reports a key that is to be taken out and is not there.
fn dangling_key(place: Place, key: &str, name: &str) -> Finding {
    Finding::new(
        &DANGLING_OVERRIDE,
        place,
        format!("`{key}` is not set for `{name}`, so it cannot be taken out"),
    )
    .help("correct the name, or take it off the list")
}

/// Returns the text of a key that cannot be left out.
pub(super) fn needed(
    tree: &Tree,
    (key, help): (&str, &str),
    findings: &mut Vec<Finding>,
) -> Option<Sourced<String>> {
    let found = text(tree.get(key));
    if found.is_none() {
        findings.push(
            Finding::new(
                &crate::schema::MISSING_KEY,
                tree.key_place(),
                format!("`{}` has no `{key}`", tree.path()),
            )
            .help(help),
        );
    }
    found
}

/// Lays an environment's table of a name over the platform's; none if neither has one.
pub(super) fn overlaid(
    name: &str,
    topology: &Topology,
    environment: &Tree,
    findings: &mut Vec<Finding>,
) -> Option<Tree> {
    let lower = topology.tree.get(name);
    let upper = environment.get(name);
    let lowest = if lower.is_some() { lower } else { upper };
    if let Some(unset) = lowest.and_then(|tree| tree.get("unset")) {
        findings.push(
            Finding::new(
                &DANGLING_OVERRIDE,
                unset.key_place(),
                format!("nothing lies below `{name}` here that could be taken out"),
            )
            .help(format!(
                "use `unset` in an environment's `{name}`, or remove the keys themselves"
            )),
        );
    }
    match (lower, upper) {
        (Some(lower), Some(upper)) => {
            let mut tree = lower.clone();
            for (place, key) in tree.overlay(upper) {
                findings.push(dangling_key(place, &key, name));
            }
            Some(tree)
        }
        (Some(tree), None) | (None, Some(tree)) => Some(tree.clone()),
        (None, None) => None,
    }
}

fn bytes(tree: Option<&Tree>) -> Option<Sourced<Bytes>> {
    word(tree, Bytes::parse)
}

fn cpu(tree: Option<&Tree>) -> Option<Sourced<MilliCpu>> {
    tree.and_then(|tree| Some(Sourced::from_tree(tree, cpu_value(&tree.value())?)))
}

/// Reads a share of processors: `"500m"`, `2`, `0.5`.
pub fn cpu_value(value: &Value) -> Option<MilliCpu> {
    match value {
        Value::Text(text) => MilliCpu::parse(text),
        Value::Int(number) => MilliCpu::parse(&number.to_string()),
        Value::Float(number) => MilliCpu::parse(&number.to_string()),
        _ => None,
    }
}

/// Reads a number of replicas: `3`, or `{ min = 3, max = 10 }`.
pub fn replicas_value(value: &Value) -> Option<(u64, u64)> {
    let number = |value: &Value| value.as_int().and_then(|number| u64::try_from(number).ok());
    match value {
        Value::Table(_) => {
            let (min, max) = (number(value.get("min")?)?, number(value.get("max")?)?);
            (min <= max).then_some((min, max))
        }
        other => number(other).map(|fixed| (fixed, fixed)),
    }
}

fn allows(tree: Option<&Tree>, component: Option<&str>, allow: &mut Vec<Allow>) {
    for (code, reason) in tree
        .and_then(|tree| tree.get("allow"))
        .into_iter()
        .flat_map(Tree::entries)
    {
        allow.push(Allow {
            code: code.to_owned(),
            reason: reason.text().unwrap_or_default().to_owned(),
            place: reason.key_place(),
            component: component.map(str::to_owned),
        });
    }
}

/// Lays an environment over the platform's defaults.
///
/// # Errors
/// An environment that does not exist, overrides of nothing, values that do not fit together.
pub fn layer(topology: &Topology, name: &str) -> Result<Layered, Vec<Finding>> {
    let root = &topology.tree;
    let mut findings = Vec::new();
    let Some(environment) = root.at(&["environments", name]) else {
        let place = root
            .get("environments")
            .map_or_else(|| root.place.clone(), Tree::key_place);
        return Err(vec![
            Finding::new(
                &UNKNOWN_NAME,
                place,
                format!("there is no environment `{name}`"),
            )
            .maybe_help(suggest(name, topology.environments())),
        ]);
    };
    let Some(target) = word(environment.get("target"), Target::from_word) else {
        return Err(findings);
    };
    let platform = root.get("platform");
    let of_platform = |key: &str| platform.and_then(|platform| platform.get(key));

    let mut allow = Vec::new();
    allows(Some(root), None, &mut allow);
    allows(Some(environment), None, &mut allow);

    let mut components = merge_components(root, environment, &mut findings);
    let mut read = BTreeMap::new();
    let mut left_out = Vec::new();
    for (component, tree) in &mut components {
        allows(Some(tree), Some(component), &mut allow);
        if tree.get("enabled").map(Tree::value) != Some(Value::Bool(false)) {
            read.insert(
                component.clone(),
                read_component(component, tree, &mut findings),
            );
        } else {
            left_out.push(component.clone());
        }
    }

    let zones: Vec<Sourced<String>> = texts(environment.get("zones"));
    let hosts = read_hosts(environment, &zones, &mut findings);
    let profiles = read_profiles(environment, &components, &mut findings);
    let storage = environment.get("storage").map(|tree| {
        let storage = LayeredStorage {
            kind: word(tree.get("kind"), StorageKind::from_word).unwrap_or_else(|| Sourced {
                value: StorageKind::Local,
                place: tree.key_place(),
                replaced: Vec::new(),
            }),
            server: text(tree.get("server")).map(|text| text.value),
            path: text(tree.get("path")).map(|text| text.value),
            encrypted: truth(tree.get("encrypted")),
        };
        if storage.kind.value == StorageKind::Nfs && (storage.server.is_none() || storage.path.is_none()) {
            findings.push(
                Finding::new(&crate::schema::MISSING_KEY, tree.key_place(), "storage on NFS has no `server` or no `path`")
                    .help("name the server and the exported folder: storage = { kind = \"nfs\", server = \"10.0.0.5\", path = \"/export/lake\" }"),
            );
        }
        storage
    });
    if let Some(bind) = environment.get("bind")
        && bind
            .text()
            .is_none_or(|text| text.parse::<std::net::IpAddr>().is_err())
    {
        findings.push(
            Finding::new(
                &crate::schema::ILLEGAL_VALUE,
                bind.place.clone(),
                format!("`{}` is not an IP address", bind.path()),
            )
            .help("use \"127.0.0.1\" for this machine only, or \"0.0.0.0\" for all its addresses"),
        );
    }
    let kubernetes = read_kubernetes(environment, target.value, &mut findings);
    let alerting = alerting::read(topology, environment, &mut findings);
    let backup = backup::read(topology, environment, &mut findings);
    let identity = identity::read(topology, environment, &mut findings);
    if !findings.is_empty() {
        return Err(findings);
    }
    let own_domain = environment.get("domain");
    Ok(Layered {
        file: topology.file,
        name: name.to_owned(),
        place: environment.key_place(),
        platform: text(of_platform("name")).unwrap_or_else(|| Sourced {
            value: String::new(),
            place: root.place.clone(),
            replaced: Vec::new(),
        }),
        domain: text(own_domain.or_else(|| of_platform("domain"))),
        domain_is_own: own_domain.is_some(),
        locale: word(of_platform("locale"), Locale::from_word),
        scheduler: word(environment.get("scheduler"), Scheduler::from_word),
        refused_licences: texts(platform.and_then(|platform| platform.at(&["licences", "refuse"]))),
        accepted_licences: platform
            .and_then(|platform| platform.at(&["licences", "accept"]))
            .map(|tree| texts(Some(tree))),
        target,
        size: word(environment.get("size"), Size::from_word),
        availability: word(environment.get("availability"), Availability::from_word),
        bind: text(environment.get("bind")),
        network: text(environment.get("network")),
        hosts,
        zones,
        storage,
        registry: text(environment.get("registry")),
        mirrors: texts_of(environment.get("mirrors")),
        secret_versions: environment
            .get("secret_versions")
            .into_iter()
            .flat_map(Tree::entries)
            .filter_map(|(name, tree)| {
                let version = tree
                    .value()
                    .as_int()
                    .and_then(|number| u32::try_from(number).ok())?;
                Some((name.to_owned(), Sourced::from_tree(tree, version)))
            })
            .collect(),
        secrets: read_secrets(environment.get("secrets")),
        tls: read_tls(environment.get("tls")),
        kubernetes,
        profiles,
        alerting,
        backup,
        identity,
        keep: texts(environment.get("keep"))
            .into_iter()
            .map(|text| text.value)
            .collect(),
        allow,
        components: read,
        left_out,
    })
}

fn read_secrets(tree: Option<&Tree>) -> LayeredSecrets {
    let of = |key: &str| tree.and_then(|tree| tree.get(key));
    LayeredSecrets {
        store: word(of("store"), SecretStore::from_word),
        name: text(of("name")),
        kind: word(of("kind"), StoreKind::from_word),
        prefix: text(of("prefix")),
        property: text(of("property")),
        refresh: word(of("refresh"), Seconds::parse),
        recipients: of("recipients").map(|tree| {
            let recipients = texts(Some(tree)).into_iter().map(|text| text.value);
            Sourced::from_tree(tree, recipients.collect())
        }),
    }
}

fn read_tls(tree: Option<&Tree>) -> LayeredTls {
    let time = |key: &str| word(tree.and_then(|tree| tree.get(key)), Seconds::parse);
    LayeredTls {
        public: word(
            tree.and_then(|tree| tree.get("public")),
            PublicTls::from_word,
        ),
        acme: tree.and_then(|tree| tree.get("acme")).map(|tree| {
            let text = |key: &str| text(tree.get(key)).map(|text| text.value);
            LayeredAcme {
                place: tree.key_place(),
                directory: text("directory"),
                email: text("email"),
                dns: text("dns"),
            }
        }),
        services: word(
            tree.and_then(|tree| tree.get("services")),
            ServicesTls::from_word,
        ),
        key: text(tree.and_then(|tree| tree.get("key"))),
        lifetime: time("lifetime"),
        renew_before: time("renew_before"),
        authority_lifetime: time("authority_lifetime"),
    }
}

fn read_kubernetes(
    environment: &Tree,
    target: Target,
    findings: &mut Vec<Finding>,
) -> LayeredKubernetes {
    let Some(tree) = environment.get("kubernetes") else {
        return LayeredKubernetes::default();
    };
    if target != Target::Kubernetes {
        findings.push(
            Finding::new(
                &crate::schema::ILLEGAL_VALUE,
                tree.key_place(),
                format!(
                    "`kubernetes` describes a cluster, and this environment compiles to {target}"
                ),
            )
            .help("take the table out, or set `target = \"kubernetes\"`"),
        );
    }
    LayeredKubernetes {
        version: text(tree.get("version")),
        namespace: text(tree.get("namespace")),
        cloud: word(tree.get("cloud"), Cloud::from_word),
        disk_key: text(tree.get("disk_key")).map(|key| key.value),
        storage_classes: tree
            .get("storage_classes")
            .into_iter()
            .flat_map(Tree::entries)
            .filter_map(|(class, tree)| Some((DiskClass::from_word(class)?, text(Some(tree))?)))
            .collect(),
        gateway: word(tree.get("gateway"), GatewayApi::from_word).map(|api| api.value),
        tls_secret: text(tree.get("tls_secret")).map(|name| name.value),
        issuer: text(tree.get("issuer")).map(|name| name.value),
        group_prefix: text(tree.get("group_prefix")).map(|text| text.value),
        gitops: word(tree.get("gitops"), GitOps::from_word).map(|tool| tool.value),
    }
}

pub(super) fn texts(tree: Option<&Tree>) -> Vec<Sourced<String>> {
    tree.map(Tree::items)
        .unwrap_or_default()
        .iter()
        .filter_map(|item| text(Some(item)))
        .collect()
}

fn merge_components(
    root: &Tree,
    environment: &Tree,
    findings: &mut Vec<Finding>,
) -> BTreeMap<String, Tree> {
    let mut components: BTreeMap<String, Tree> = root
        .get("components")
        .into_iter()
        .flat_map(Tree::entries)
        .map(|(name, tree)| (name.to_owned(), tree.clone()))
        .collect();
    for (name, lowest) in &components {
        pointless_unset(name, lowest, findings);
    }
    for (name, upper) in environment
        .get("components")
        .into_iter()
        .flat_map(Tree::entries)
    {
        let dangling = match components.get_mut(name) {
            Some(lower) => {
                let own = lower.place.clone();
                let dangling = lower.overlay(upper);
                lower.place = own;
                dangling
            }
            None if upper.get("blueprint").is_some() => {
                pointless_unset(name, upper, findings);
                components.insert(name.to_owned(), upper.clone());
                Vec::new()
            }
            None => {
                findings.push(
                    Finding::new(&DANGLING_OVERRIDE, upper.key_place(), format!("the platform has no component `{name}`"))
                        .maybe_help(suggest(name, components.keys().map(String::as_str)))
                        .cause("this table changes a component in one environment; a new one would say its `blueprint`"),
                );
                Vec::new()
            }
        };
        for (place, key) in dangling {
            findings.push(dangling_key(place, &key, name));
        }
    }
    components
}

/// Reports an `unset` in a table that is laid over nothing.
fn pointless_unset(name: &str, tree: &Tree, findings: &mut Vec<Finding>) {
    if let Some(unset) = tree.get("unset") {
        findings.push(
            Finding::new(
                &DANGLING_OVERRIDE,
                unset.key_place(),
                format!("nothing lies below `{name}` here that could be taken out"),
            )
            .help("use `unset` in an environment's table of the component, or remove the keys themselves"),
        );
    }
}

fn read_hosts(
    environment: &Tree,
    zones: &[Sourced<String>],
    findings: &mut Vec<Finding>,
) -> Vec<LayeredHost> {
    let mut hosts: Vec<LayeredHost> = Vec::new();
    let mut seen: BTreeMap<String, Place> = BTreeMap::new();
    for tree in environment
        .get("hosts")
        .map(Tree::items)
        .unwrap_or_default()
    {
        let (Some(name), Some(memory), Some(cpus)) = (
            text(tree.get("name")),
            bytes(tree.get("memory")),
            cpu(tree.get("cpus")),
        ) else {
            continue;
        };
        if let Some(first) = seen.insert(name.value.clone(), name.place.clone()) {
            findings.push(
                Finding::new(
                    &DUPLICATE_NAME,
                    name.place.clone(),
                    format!("two hosts are called `{}`", name.value),
                )
                .related(first, "the other one"),
            );
        }
        let zone = text(tree.get("zone"));
        if let Some(zone) = &zone
            && !zones.iter().any(|known| known.value == zone.value)
        {
            findings.push(
                Finding::new(
                    &UNKNOWN_NAME,
                    zone.place.clone(),
                    format!("there is no zone `{}`", zone.value),
                )
                .maybe_help(suggest(
                    &zone.value,
                    zones
                        .iter()
                        .map(|zone| zone.value.as_str())
                        .collect::<Vec<_>>(),
                ))
                .cause("the environment's `zones` lists all of them"),
            );
        }
        hosts.push(LayeredHost {
            name,
            memory,
            cpus,
            count: tree
                .get("count")
                .and_then(|count| count.value().as_int())
                .and_then(|count| u64::try_from(count).ok())
                .unwrap_or(1),
            zone,
            labels: texts_of(tree.get("labels"))
                .into_iter()
                .map(|(name, label)| (name, label.value))
                .collect(),
            reserve_memory: bytes(tree.at(&["reserve", "memory"])),
            reserve_cpus: cpu(tree.at(&["reserve", "cpus"])),
        });
    }
    hosts
}

/// A name stands twice where it must be one thing.
pub static DUPLICATE_NAME: Rule = Rule {
    code: "duplicate-name",
    severity: Severity::Error,
    summary: "two things have the same name",
    why: "Hosts, host names, container names, volumes and secrets are told apart by their names alone.",
    fix: "Rename one of them.",
    allowable: false,
};

fn read_profiles(
    environment: &Tree,
    components: &BTreeMap<String, Tree>,
    findings: &mut Vec<Finding>,
) -> Vec<LayeredProfile> {
    let mut profiles = Vec::new();
    let mut owner: BTreeMap<String, Place> = BTreeMap::new();
    for (name, tree) in environment
        .get("profiles")
        .into_iter()
        .flat_map(Tree::entries)
    {
        let members = texts(Some(tree.get("start").unwrap_or(tree)));
        for member in &members {
            if !components.contains_key(&member.value) {
                findings.push(
                    Finding::new(
                        &UNKNOWN_NAME,
                        member.place.clone(),
                        format!("there is no component `{}`", member.value),
                    )
                    .maybe_help(suggest(
                        &member.value,
                        components.keys().map(String::as_str),
                    )),
                );
            }
            if let Some(first) = owner.insert(member.value.clone(), member.place.clone()) {
                findings.push(
                    Finding::new(
                        &DUPLICATE_NAME,
                        member.place.clone(),
                        format!("`{}` is in two profiles", member.value),
                    )
                    .related(first, "already here")
                    .help("leave it in one of them"),
                );
            }
        }
        profiles.push(LayeredProfile {
            name: name.to_owned(),
            place: members
                .first()
                .map_or_else(|| tree.place.clone(), |member| member.place.clone()),
            start: members,
            // Whether there are such components is known when helpers were added.
            stop: texts(tree.get("stop")),
        });
    }
    profiles
}

fn read_component(name: &str, tree: &mut Tree, findings: &mut Vec<Finding>) -> LayeredComponent {
    let place = tree.key_place();
    let blueprint = text(tree.get("blueprint")).unwrap_or_else(|| Sourced {
        value: name.to_owned(),
        place: place.clone(),
        replaced: Vec::new(),
    });
    let needs = tree
        .get("needs")
        .into_iter()
        .flat_map(Tree::entries)
        .map(|(need, choice)| {
            (
                need.to_owned(),
                Sourced::from_tree(choice, choice.text().map(str::to_owned)),
            )
        })
        .collect();
    let images = tree
        .get("images")
        .into_iter()
        .flat_map(Tree::entries)
        .filter_map(|(image, reference)| Some((image.to_owned(), text(Some(reference))?)))
        .collect();
    let services = tree
        .get("services")
        .into_iter()
        .flat_map(Tree::entries)
        .map(|(service, settings)| (service.to_owned(), read_service(settings, findings)))
        .collect();
    let volumes = tree
        .get("volumes")
        .into_iter()
        .flat_map(Tree::entries)
        .map(|(volume, settings)| {
            let volume_settings = LayeredVolume {
                place: settings.key_place(),
                size: bytes(settings.get("size")),
                storage: word(settings.get("storage"), StorageKind::from_word),
            };
            (volume.to_owned(), volume_settings)
        })
        .collect();
    let alerts = tree
        .get("alerts")
        .into_iter()
        .flat_map(Tree::entries)
        .map(|(alert, settings)| {
            let enabled = settings.get("enabled").and_then(|tree| match tree.value() {
                Value::Bool(enabled) => Some(Sourced::from_tree(tree, enabled)),
                _ => None,
            });
            let alert_settings = LayeredAlert {
                place: settings.key_place(),
                enabled,
                severity: word(settings.get("severity"), AlertSeverity::from_word),
                hold: text(settings.get("for")),
            };
            (alert.to_owned(), alert_settings)
        })
        .collect();
    let component = LayeredComponent {
        name: name.to_owned(),
        place: place.clone(),
        blueprint,
        version: text(tree.get("version")),
        edition: text(tree.get("edition")),
        size: word(tree.get("size"), Size::from_word),
        profile: text(tree.get("profile")),
        needs,
        images,
        services,
        volumes,
        alerts,
        backup: tree.get("backup").map(backup::plan).unwrap_or_default(),
        options: Tree::empty(tree.place.clone()),
    };
    let mut options = std::mem::replace(tree, Tree::empty(place));
    if let Node::Table(table) = &mut options.node {
        table.retain(|key, _| !COMPONENT_KEYS.contains(&key.as_str()));
    }
    LayeredComponent {
        options,
        ..component
    }
}

fn read_service(tree: &Tree, findings: &mut Vec<Finding>) -> LayeredService {
    let replicas = tree.get("replicas").and_then(|tree| {
        let value = replicas_value(&tree.value());
        if value.is_none() {
            findings.push(
                Finding::new(
                    &crate::schema::ILLEGAL_VALUE,
                    tree.place.clone(),
                    format!("`{}` has a `min` above its `max`", tree.path()),
                )
                .help("swap them"),
            );
        }
        Some(Sourced::from_tree(tree, value?))
    });
    LayeredService {
        place: tree.key_place(),
        replicas,
        memory: bytes(tree.get("memory")),
        cpu: cpu(tree.get("cpu")),
        cpu_limit: cpu(tree.get("cpu_limit")),
        host_labels: texts_of(tree.get("host_labels")),
        env: texts_of(tree.get("env")),
    }
}

/// Reads a table of texts.
pub(super) fn texts_of(tree: Option<&Tree>) -> BTreeMap<String, Sourced<String>> {
    let entries = tree.into_iter().flat_map(Tree::entries);
    entries
        .filter_map(|(name, value)| Some((name.to_owned(), text(Some(value))?)))
        .collect()
}
