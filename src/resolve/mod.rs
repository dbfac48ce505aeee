//! Resolving: from one layered environment and the blueprints to the final [`Platform`].
//!
//! Defaults are applied, needs are wired, services sized, placed and named, expressions evaluated and templates rendered,
//! each once. What cannot be resolved is reported, all of it together; whether what was resolved is a good idea is for
//! `check` to say.

mod alerting;
mod backup;
mod collect;
mod component;
mod finish;
pub mod identity;
mod place;
pub mod query;
mod render;
mod service;
mod store;
mod tls;
pub mod trace;
pub mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use component::option_schema;
pub use render::TEMPLATE_FAILED;

use component::{Draft, Surroundings};
use trace::{Explained, Trace};
use wire::MISSING_PROVIDER;

use crate::blueprint::{Blueprint, FAULTY_BLUEPRINT, Library};
use crate::diagnostic::{Finding, Rule, Severity, suggest};
use crate::names;
use crate::platform::backup::Backup;
use crate::platform::identity::Identity;
use crate::platform::pins::{Digests, Pins};
use crate::platform::{
    Cluster, Environment, Host, KUBERNETES_VERSIONS, LicencePolicy, Platform, Profile, Storage,
};
use crate::schema::{ILLEGAL_VALUE, MISSING_KEY, Schema};
use crate::source::{Place, Sources};
use crate::terms::{
    Availability, DiskClass, GatewayApi, Locale, Login, Scheduler, Size, StorageKind, Target,
};
use crate::topology::layer::UNKNOWN_NAME;
use crate::topology::{Layered, LayeredComponent};
use crate::units::{Bytes, MilliCpu};
use crate::value::Value;

/// The name of the domain that resolves to the machine itself, on every machine (RFC 6761).
const LOCAL_DOMAIN: &str = "localhost";

/// The range that networks get their addresses from unless the environment says another: private, and in no range that
/// Docker or common VPNs hand out by default.
const DEFAULT_NETWORK: (u32, u32) = (0x0ad5_0000, 16);

/// The part of a machine that is left to itself unless the environment says otherwise: operating system, container
/// engine, page cache.
const RESERVED_PART: u64 = 8;

/// Caches that serve all environments of a run.
#[derive(Default)]
pub struct Cache {
    schemas: BTreeMap<String, Arc<Schema>>,
    engine: render::Engine,
    /// Digests of images that are known.
    pub digests: Digests,
    /// References of images that components could use.
    pub images: BTreeSet<String>,
}

struct Resolver<'a, 'r> {
    layered: &'a Layered,
    library: &'r mut Library,
    sources: &'r mut Sources,
    cache: &'r mut Cache,
    trace: &'r mut Trace,
    findings: Vec<Finding>,
    environment: Environment,
    environment_names: Value,
    /// What components see instead that run in a cluster which another component brings.
    names_inside: Option<Value>,
    platform_names: Value,
    /// What is collected here.
    monitoring_names: Value,
    /// How the platform is backed up, if it is.
    backup: Option<Backup>,
    /// Who people are.
    identity: Identity,
    drafts: Vec<Draft<'a>>,
    /// Positions of the drafts by their names.
    by_name: BTreeMap<String, usize>,
}

/// Resolves an environment.
///
/// # Errors
/// Everything that cannot be resolved, in no order.
pub fn resolve(
    layered: &Layered,
    library: &mut Library,
    sources: &mut Sources,
    cache: &mut Cache,
    trace: &mut Trace,
) -> Result<Platform, Vec<Finding>> {
    let mut findings = Vec::new();
    let mut environment = environment(layered, trace, &mut findings);
    environment.pins.digests = cache.digests.clone();
    let environment_names = Value::table([
        ("name", Value::from(layered.name.as_str())),
        ("target", Value::from(environment.target.word())),
        ("size", Value::from(environment.size.word())),
        (
            "high",
            Value::Bool(environment.availability == Availability::High),
        ),
        ("domain", Value::from(environment.domain.as_str())),
        ("zones", Value::from(environment.zones.clone())),
        (
            "hosts",
            Value::List(
                environment
                    .hosts
                    .iter()
                    .map(|host| Value::from(host.name.as_str()))
                    .collect(),
            ),
        ),
        (
            "project",
            Value::from(environment.project(&layered.platform.value)),
        ),
        ("tls", tls::names(&environment.tls)),
        (
            "namespace",
            Value::from(
                environment
                    .cluster
                    .as_ref()
                    .map(|cluster| cluster.namespace.clone()),
            ),
        ),
        (
            "kubernetes",
            Value::from(
                environment
                    .cluster
                    .as_ref()
                    .map(|cluster| u64::from(cluster.version)),
            ),
        ),
        (
            "storage_classes",
            Value::table(DiskClass::ALL.iter().map(|class| {
                let name = environment
                    .cluster
                    .as_ref()
                    .and_then(|cluster| cluster.storage_class(*class));
                (class.word(), Value::from(name))
            })),
        ),
    ]);
    let platform_names = Value::table([
        ("name", Value::from(layered.platform.value.as_str())),
        ("domain", Value::from(environment.domain.as_str())),
        ("locale", Value::from(environment.locale.word())),
    ]);
    let identity = identity::resolve(layered, trace, &mut findings);
    let mut resolver = Resolver {
        layered,
        library,
        sources,
        cache,
        trace,
        findings,
        environment,
        environment_names,
        names_inside: None,
        platform_names,
        monitoring_names: Value::Null,
        backup: backup::of_platform(layered),
        identity,
        drafts: Vec::new(),
        by_name: BTreeMap::new(),
    };
    let before = resolver.findings.len();
    resolver.look_for_cluster();
    resolver.monitoring_names = resolver.look_for_collectors();
    resolver.components();
    let unread = resolver.drafts.len() < layered.components.len();
    let drafted = resolver.findings.len();
    let mut bindings = resolver.wire();
    resolver.check_collectors();
    resolver.stops(&bindings);
    let wired_components = resolver.drafts.len();
    let edge = resolver.edge();
    // The proxy may just have been added, and has needs of its own.
    resolver.wire_from(wired_components, &mut bindings);
    resolver.check_provider();
    if unread {
        // What a blueprint that could not be read provides is not known: its consumers are not at fault.
        drop_follow_ups(&mut resolver.findings, drafted, &[&MISSING_PROVIDER]);
    }
    let alerting = resolver.alerting();
    let wired = resolver.findings.len();
    let finished = finish::finish(&mut resolver, &bindings, edge, alerting);
    let mut findings = std::mem::take(&mut resolver.findings);
    if unread || has_errors(&findings[before..wired]) {
        // What is computed from a binding, an option or a variable that is not there fails too.
        drop_follow_ups(&mut findings, wired, &[&FAULTY_BLUEPRINT, &TEMPLATE_FAILED]);
    }
    match finished {
        Some(platform) if !unread && !has_errors(&findings) => Ok(platform),
        _ => {
            for finding in &mut findings {
                finding
                    .environment
                    .get_or_insert_with(|| layered.name.clone());
            }
            Err(findings)
        }
    }
}

fn has_errors(findings: &[Finding]) -> bool {
    findings
        .iter()
        .any(|finding| finding.severity == Severity::Error)
}

/// Takes out the findings of some rules that were made after the first few.
fn drop_follow_ups(findings: &mut Vec<Finding>, first: usize, rules: &[&'static Rule]) {
    let later = findings.split_off(first);
    findings.extend(
        later
            .into_iter()
            .filter(|finding| rules.iter().all(|rule| rule.code != finding.rule.code)),
    );
}

impl<'a> Resolver<'a, '_> {
    /// Finds out whether a component can bring a cluster where the target has none, and what those in it see.
    ///
    /// Names are needed before anything is bound, so this looks at what is there and at what would be added.
    fn look_for_cluster(&mut self) {
        let target = self.environment.target;
        if target == Target::Kubernetes {
            return;
        }
        let mut wanted = false;
        let mut versions = Vec::new();
        for component in self.layered.components.values() {
            let loaded = self.library.load(self.sources, &component.blueprint.value);
            let blueprint = match loaded {
                Some(Ok(blueprint)) => blueprint,
                // What is wrong with one is said once.
                Some(Err(findings)) => {
                    self.findings.extend(findings);
                    continue;
                }
                None => continue,
            };
            let model = &blueprint.model;
            wanted |= model.requires.cluster.is_some() && !model.targets.contains_key(&target);
            if brings_cluster(&blueprint, target) {
                let default = &model.blueprint.version.default;
                let version = component.version.as_ref().map(|version| &version.value);
                versions.push((version.unwrap_or(default).clone(), component.place.clone()));
            }
        }
        if !wanted {
            return;
        }
        if versions.is_empty()
            && let [helper] = self.library.default_for(CLUSTER)
        {
            let helper = helper.clone();
            match self.library.load(self.sources, &helper) {
                Some(Ok(blueprint))
                    if brings_cluster(&blueprint, target)
                        && !self.layered.components.contains_key(&helper) =>
                {
                    let version = blueprint.model.blueprint.version.default.clone();
                    versions.push((version, blueprint.place(["blueprint", "version"])));
                }
                Some(Err(findings)) => self.findings.extend(findings),
                _ => {}
            }
        }
        let Some((version, place)) = versions.first() else {
            return;
        };
        let Some(minor) = minor_version(version) else {
            self.findings.push(
                Finding::new(
                    &ILLEGAL_VALUE,
                    place.clone(),
                    format!("`{version}` is no version of Kubernetes"),
                )
                .help("a component that brings a cluster has its version: \"1.36.4\""),
            );
            return;
        };
        let mut names = self.environment_names.clone();
        if let Value::Table(names) = &mut names {
            let namespace = Value::from(self.layered.platform.value.as_str());
            names.insert("namespace".to_owned(), namespace);
            names.insert("kubernetes".to_owned(), Value::from(u64::from(minor)));
            // It is one machine, which goes with all replicas of what runs there.
            names.insert("high".to_owned(), Value::Bool(false));
        }
        self.names_inside = Some(names);
    }

    fn components(&mut self) {
        let mut profiles: BTreeMap<&str, &String> = BTreeMap::new();
        for profile in &self.layered.profiles {
            for member in &profile.start {
                profiles.entry(&member.value).or_insert(&profile.name);
            }
        }
        for (name, component) in &self.layered.components {
            let blueprint = &component.blueprint;
            match self.library.load(self.sources, &blueprint.value) {
                None => {
                    let names = self.library.names();
                    self.findings.push(
                        Finding::new(
                            &UNKNOWN_NAME,
                            blueprint.place.clone(),
                            format!("there is no blueprint `{}`", blueprint.value),
                        )
                        .maybe_help(suggest(&blueprint.value, names.iter().map(String::as_str)))
                        .component(name.clone()),
                    );
                }
                Some(Err(findings)) => self.findings.extend(findings),
                Some(Ok(loaded)) => {
                    let mut draft =
                        self.draft((name, component.place.clone()), Some(component), loaded);
                    draft.profile = component
                        .profile
                        .as_ref()
                        .map(|profile| profile.value.clone())
                        .or_else(|| profiles.get(name.as_str()).copied().cloned());
                    self.by_name.insert(name.clone(), self.drafts.len());
                    self.drafts.push(draft);
                }
            }
        }
    }

    fn draft(
        &mut self,
        named: (&str, Place),
        layered: Option<&'a LayeredComponent>,
        blueprint: Arc<Blueprint>,
    ) -> Draft<'a> {
        let around = Surroundings {
            environment: &self.environment_names,
            platform: &self.platform_names,
            monitoring: &self.monitoring_names,
            backup: self
                .backup
                .as_ref()
                .map(|backup| (backup, &self.layered.backup.plan)),
            identity: &self.identity,
            locale: self.environment.locale,
            size: self.environment.size,
            target: self.environment.target,
            inside: self.names_inside.as_ref(),
        };
        component::draft(
            named,
            layered,
            blueprint,
            &around,
            &mut self.cache.schemas,
            self.trace,
            &mut self.findings,
        )
    }

    /// Reports that people log in at a provider, and there is none.
    fn check_provider(&mut self) {
        const ISSUER: &str = "`[identity.oidc]`, `issuer = \"https://id.example.com/realms/lake\"`";
        let mut drafts = self.drafts.iter();
        if self.identity.kind != Login::Oidc
            || self.layered.identity.provider.is_some()
            || drafts.any(|draft| collect::provides(draft, identity::PROVIDER))
        {
            return;
        }
        let able = self.blueprints_for(identity::PROVIDER);
        self.findings.push(
            Finding::new(
                &MISSING_KEY,
                self.identity.place.clone(),
                "people log in at an OpenID Connect provider, and none is named",
            )
            .help(match able.as_slice() {
                [] => format!("name its issuer: {ISSUER}"),
                able => format!(
                    "name its issuer: {ISSUER}; or add a component that is one: {}",
                    able.join(", ")
                ),
            }),
        );
    }

    /// Adds the blueprint that serves a capability when nothing else does, as a component of its own name.
    fn add_helper(&mut self, consumer: usize, capability: &str, place: &Place) -> Option<usize> {
        let name = match self.library.default_for(capability) {
            [one] => one.clone(),
            _ => return None,
        };
        if self.by_name.contains_key(&name) || self.layered.components.contains_key(&name) {
            return None;
        }
        let loaded = match self.library.load(self.sources, &name)? {
            Ok(loaded) => loaded,
            Err(findings) => {
                self.findings.extend(findings);
                return None;
            }
        };
        let mut draft = self.draft((&name, place.clone()), None, loaded);
        draft.added_for = Some(self.drafts[consumer].name.clone());
        self.by_name.insert(name, self.drafts.len());
        self.drafts.push(draft);
        Some(self.drafts.len() - 1)
    }

    /// Returns the names of all blueprints that provide a capability, for the help of a finding.
    fn blueprints_for(&mut self, capability: &str) -> Vec<String> {
        let mut able = Vec::new();
        for name in self.library.names() {
            if let Some(Ok(blueprint)) = self.library.load(self.sources, &name)
                && blueprint
                    .model
                    .provides
                    .values()
                    .any(|provide| provide.capability == capability)
            {
                able.push(name);
            }
        }
        able
    }

    /// Finds the proxy that publishes what components want published.
    fn edge(&mut self) -> Option<(usize, String)> {
        if self.environment.has_gateway() {
            return None;
        }
        let published = |draft: &Draft<'_>| {
            let model = &draft.blueprint.model;
            model
                .services
                .values()
                .flat_map(|service| service.workload.ports.values())
                .any(|port| {
                    matches!(
                        port.publish,
                        Some(crate::terms::Publish::Web | crate::terms::Publish::Tcp)
                    )
                })
        };
        let publishing: Vec<usize> = (0..self.drafts.len())
            .filter(|at| {
                let draft = &self.drafts[*at];
                draft.unsupported.is_none() && published(draft)
            })
            .collect();
        // One proxy publishes everything: where there are several, any component may say which.
        let choice = |at: usize| {
            self.drafts[at]
                .layered
                .and_then(|layered| layered.needs.get(EDGE))
        };
        let choosing: Vec<usize> = publishing
            .iter()
            .copied()
            .filter(|at| choice(*at).is_some())
            .collect();
        let first = choosing.first().or(publishing.first()).copied();
        let mut findings = Vec::new();
        if let Some(chosen) = first.and_then(choice) {
            for other in choosing.iter().filter_map(|at| choice(*at)) {
                if other.value != chosen.value {
                    findings.push(
                        Finding::new(
                            &wire::AMBIGUOUS_PROVIDER,
                            other.place.clone(),
                            "one proxy publishes everything, and two are named",
                        )
                        .related(chosen.place.clone(), "the other one"),
                    );
                }
            }
        }
        self.findings.append(&mut findings);
        let mut providers = self.index();
        match first {
            Some(first) => self.provider(first, EDGE, EDGE, false, &mut providers),
            // A proxy that was asked for has nothing to publish, and must come up all the same.
            None => match providers.remove(EDGE)?.as_slice() {
                [one] => Some(one.clone()),
                _ => None,
            },
        }
    }
}

/// The capability of the proxy, bound by itself to every published port.
const EDGE: &str = "edge";

/// The capability of a cluster, bound by itself to components that need one where the target has none.
const CLUSTER: &str = "kubernetes";

/// Says whether a blueprint brings a cluster on a target.
fn brings_cluster(blueprint: &Blueprint, target: Target) -> bool {
    let mut provides = blueprint.model.provides.values();
    provides.any(|provide| provide.capability == CLUSTER)
        && !blueprint.model.targets.contains_key(&target)
}

/// Says whether a blueprint cannot run on a target, where there is a cluster for those that need one or not.
fn brings_nothing(blueprint: &Blueprint, target: Target, cluster: bool) -> bool {
    let model = &blueprint.model;
    let lacks_cluster = model.requires.cluster.is_some() && target != Target::Kubernetes;
    model.targets.contains_key(&target) || lacks_cluster && !cluster
}

/// Returns the minor version of Kubernetes that a text begins with.
fn minor_version(text: &str) -> Option<u32> {
    let mut numbers = text.strip_prefix("1.")?.split(['.', '+', '-']);
    numbers.next()?.parse().ok()
}

fn environment(layered: &Layered, trace: &mut Trace, findings: &mut Vec<Finding>) -> Environment {
    let target = layered.target.value;
    trace.record(
        || "platform.name".to_owned(),
        || {
            Explained::one(
                &layered.platform.value,
                "set",
                layered.platform.place.clone(),
            )
        },
    );
    trace.record(
        || "target".to_owned(),
        || Explained::one(target, "set", layered.target.place.clone()),
    );
    let target_place = &layered.target.place;
    let by_target = |what: &str| format!("what {what} is on {target} unless given");
    let size = layered.size.as_ref().map_or(
        match target {
            Target::Compose => Size::Small,
            Target::Swarm => Size::Medium,
            Target::Kubernetes => Size::Large,
        },
        |size| size.value,
    );
    trace.record(
        || "size".to_owned(),
        || match &layered.size {
            Some(set) => Explained::one(size, "set", set.place.clone()),
            None => Explained::one(size, by_target("size"), target_place.clone()),
        },
    );
    let availability = layered
        .availability
        .as_ref()
        .map_or(Availability::Single, |availability| availability.value);
    trace.record(
        || "availability".to_owned(),
        || match &layered.availability {
            Some(set) => Explained::one(availability, "set", set.place.clone()),
            None => Explained::one(
                availability,
                "one of each unless given",
                layered.place.clone(),
            ),
        },
    );
    let encrypted = layered
        .storage
        .as_ref()
        .and_then(|storage| storage.encrypted.as_ref());
    if let Some(set) = encrypted {
        trace.record(
            || "storage.encrypted".to_owned(),
            || Explained::one(set.value, "set", set.place.clone()),
        );
    }
    let given = layered
        .domain
        .as_ref()
        .filter(|_| layered.domain_is_own || target != Target::Compose);
    let domain = match given {
        Some(domain) => domain.value.clone(),
        None if target == Target::Compose => LOCAL_DOMAIN.to_owned(),
        None => {
            findings.push(
                Finding::new(
                    &MISSING_KEY,
                    layered.place.clone(),
                    format!("`{}` has no domain for its web interfaces", layered.name),
                )
                .help("add `domain = \"data.example.com\"` to [platform] or to the environment"),
            );
            LOCAL_DOMAIN.to_owned()
        }
    };
    trace.record(
        || "domain".to_owned(),
        || match given {
            Some(set) => Explained::one(&domain, "set", set.place.clone()),
            None => Explained::one(&domain, by_target("the domain"), target_place.clone()),
        },
    );
    let bind = layered.bind.as_ref().map_or_else(
        || {
            if target == Target::Compose {
                "127.0.0.1"
            } else {
                "0.0.0.0"
            }
            .to_owned()
        },
        |bind| bind.value.clone(),
    );
    trace.record(
        || "bind".to_owned(),
        || match &layered.bind {
            Some(set) => Explained::one(&bind, "set", set.place.clone()),
            None => Explained::one(&bind, by_target("the address"), target_place.clone()),
        },
    );
    if target == Target::Swarm && layered.hosts.is_empty() {
        findings.push(
            Finding::new(
                &MISSING_KEY,
                layered.place.clone(),
                format!(
                    "`{}` has no hosts, and a Swarm is planned over them",
                    layered.name
                ),
            )
            .help("add hosts = [{ name = \"staging-1\", memory = \"16GiB\", cpus = 8 }]"),
        );
    }
    let cluster = (target == Target::Kubernetes).then(|| cluster(layered, trace, findings));
    Environment {
        name: layered.name.clone(),
        place: layered.place.clone(),
        target,
        target_place: target_place.clone(),
        size,
        availability,
        domain,
        locale: layered
            .locale
            .as_ref()
            .map_or(Locale::En, |locale| locale.value),
        scheduler: layered
            .scheduler
            .as_ref()
            .map_or(Scheduler::Cron, |scheduler| scheduler.value),
        bind,
        bind_place: layered
            .bind
            .as_ref()
            .map_or_else(|| target_place.clone(), |bind| bind.place.clone()),
        network: layered
            .network
            .as_ref()
            .and_then(|network| names::parse_cidr(&network.value))
            .unwrap_or(DEFAULT_NETWORK),
        hosts: hosts(layered, trace),
        zones: layered
            .zones
            .iter()
            .map(|zone| zone.value.clone())
            .collect(),
        storage: Storage {
            kind: layered
                .storage
                .as_ref()
                .map_or(StorageKind::Local, |storage| storage.kind.value),
            nfs: layered
                .storage
                .as_ref()
                .and_then(|storage| Some((storage.server.clone()?, storage.path.clone()?))),
            encrypted: encrypted.is_some_and(|encrypted| encrypted.value),
            place: layered.storage.as_ref().map_or_else(
                || layered.place.clone(),
                |storage| storage.kind.place.clone(),
            ),
        },
        registry: layered
            .registry
            .as_ref()
            .map(|registry| registry.value.clone()),
        secrets: store::resolve(layered, trace, findings),
        tls: tls::resolve(layered, trace, findings),
        cluster,
        profiles: layered
            .profiles
            .iter()
            .map(|profile| Profile {
                name: profile.name.clone(),
                place: profile.place.clone(),
                // Positions are known when all components are.
                stops: Vec::new(),
            })
            .collect(),
        pins: Pins {
            mirrors: layered
                .mirrors
                .iter()
                .map(|(prefix, instead)| (prefix.clone(), instead.value.clone()))
                .collect(),
            digests: Digests::default(),
        },
        keep: layered.keep.clone(),
    }
}

/// The minor version of Kubernetes that is used unless the environment says another.
const KUBERNETES_VERSION: u32 = 36;

/// The Secret that the gateway takes its certificate from unless the environment says another.
const TLS_SECRET: &str = "public-tls";

/// What stands before names of groups in the cluster unless the environment says otherwise.
const GROUP_PREFIX: &str = "oidc:";

fn cluster(layered: &Layered, trace: &mut Trace, findings: &mut Vec<Finding>) -> Cluster {
    let given = &layered.kubernetes;
    let version = match &given.version {
        None => KUBERNETES_VERSION,
        Some(set) => {
            let minor = set
                .value
                .strip_prefix("1.")
                .and_then(|minor| minor.parse::<u32>().ok())
                .filter(|minor| KUBERNETES_VERSIONS.contains(minor));
            minor.unwrap_or_else(|| {
                let (first, last) = (KUBERNETES_VERSIONS.start(), KUBERNETES_VERSIONS.end());
                findings.push(
                    Finding::new(
                        &ILLEGAL_VALUE,
                        set.place.clone(),
                        format!(
                            "`{}` is no version of Kubernetes that bundles are made for",
                            set.value
                        ),
                    )
                    .help(format!(
                        "use a minor version from \"1.{first}\" to \"1.{last}\""
                    )),
                );
                KUBERNETES_VERSION
            })
        }
    };
    let target_place = &layered.target.place;
    trace.record(
        || "kubernetes.version".to_owned(),
        || match &given.version {
            Some(set) => Explained::one(&set.value, "set", set.place.clone()),
            None => Explained::one(
                format!("1.{version}"),
                "the version unless given",
                target_place.clone(),
            ),
        },
    );
    let namespace = given
        .namespace
        .as_ref()
        .map_or_else(|| layered.platform.value.clone(), |set| set.value.clone());
    trace.record(
        || "kubernetes.namespace".to_owned(),
        || match &given.namespace {
            Some(set) => Explained::one(&set.value, "set", set.place.clone()),
            None => Explained::one(
                &namespace,
                "the platform's name",
                layered.platform.place.clone(),
            ),
        },
    );
    Cluster {
        version,
        version_place: given
            .version
            .as_ref()
            .map_or_else(|| target_place.clone(), |set| set.place.clone()),
        namespace,
        cloud: given.cloud.as_ref().map(|cloud| cloud.value),
        disk_key: given.disk_key.clone(),
        storage_classes: given
            .storage_classes
            .iter()
            .map(|(class, name)| (*class, name.value.clone()))
            .collect(),
        gateway: given.gateway.unwrap_or(GatewayApi::Standard),
        tls_secret: given
            .tls_secret
            .clone()
            .unwrap_or_else(|| TLS_SECRET.to_owned()),
        issuer: given.issuer.clone(),
        group_prefix: given
            .group_prefix
            .clone()
            .unwrap_or_else(|| GROUP_PREFIX.to_owned()),
        gitops: given.gitops,
        mesh: true,
    }
}

/// Labels that every host has.
const HOST_LABEL: &str = "host";
const ZONE_LABEL: &str = "zone";

fn hosts(layered: &Layered, trace: &mut Trace) -> Vec<Host> {
    let mut hosts = Vec::new();
    for host in &layered.hosts {
        let reserve_memory = host
            .reserve_memory
            .as_ref()
            .map_or(Bytes(host.memory.value.0 / RESERVED_PART), |reserve| {
                reserve.value
            });
        let reserve_cpu = host
            .reserve_cpus
            .as_ref()
            .map_or(MilliCpu(host.cpus.value.0 / RESERVED_PART), |reserve| {
                reserve.value
            });
        let path = |field: &str| format!("hosts.{}.{field}", host.name.value);
        trace.record(
            || path("memory"),
            || Explained::one(host.memory.value, "set", host.memory.place.clone()),
        );
        trace.record(
            || path("reserve.memory"),
            || match &host.reserve_memory {
                Some(set) => Explained::one(set.value, "set", set.place.clone()),
                None => Explained::one(
                    reserve_memory,
                    "an eighth of the memory",
                    host.memory.place.clone(),
                ),
            },
        );
        for number in 1..=host.count {
            let name = if host.count == 1 {
                host.name.value.clone()
            } else {
                format!("{}-{number}", host.name.value)
            };
            let mut labels = host.labels.clone();
            let zone = host.zone.as_ref().map(|zone| zone.value.clone());
            labels.extend(zone.map(|zone| (ZONE_LABEL.to_owned(), zone)));
            labels.insert(HOST_LABEL.to_owned(), name.clone());
            hosts.push(Host {
                name,
                labels,
                place: host.memory.place.clone(),
                zone: host.zone.as_ref().map(|zone| zone.value.clone()),
                memory: host.memory.value,
                cpu: host.cpus.value,
                reserve_memory,
                reserve_cpu,
            });
        }
    }
    hosts
}

fn licences(layered: &Layered) -> LicencePolicy {
    LicencePolicy {
        refused: layered
            .refused_licences
            .iter()
            .map(|licence| (licence.value.clone(), licence.place.clone()))
            .collect(),
        accepted: layered
            .accepted_licences
            .as_ref()
            .map(|all| all.iter().map(|licence| licence.value.clone()).collect()),
    }
}
