//! The platform: the final model of one environment. Nothing is left to default, look up or merge.
//!
//! It knows no TOML, no blueprint and no output format; checks and backends see nothing else. Everything is in a fixed
//! order. Places are kept only so that findings and `explain` can say where a thing comes from.

pub mod alerting;
pub mod backup;
pub mod budget;
pub mod dashboard;
pub mod identity;
pub mod pins;
pub mod rules;
pub mod scrape;

use std::collections::{BTreeMap, BTreeSet};

use self::scrape::{Collectors, Scrape, WebProbe};
use crate::source::Place;
use crate::terms::{
    Availability, BackupRole, Cloud, DiskClass, Encryption, GatewayApi, GitOps, KeyKind, Layer,
    Locale, Login, NoticeLevel, PodSecurity, ProbeTool, Protocol, PublicTls, Publish, Rotation,
    ScaleMetric, Scheduler, SecretKind, SecretStore, ServicesTls, Size, StorageKind, StoreKind,
    Target, Token, Zone,
};
use crate::units::{Bytes, MilliCpu, Seconds};
use crate::value::Value;

/// The profile of scheduled jobs.
pub const SCHEDULED: &str = "scheduled";

/// The profile of jobs that run only when they are told to. Nobody starts it as a whole, so it is none of the
/// environment's.
pub const ON_DEMAND: &str = "on-demand";

/// One environment of a platform, resolved.
#[derive(Debug)]
pub struct Platform {
    /// Name of the platform.
    pub name: String,
    /// The environment.
    pub environment: Environment,
    /// Components, sorted by name.
    pub components: Vec<Component>,
    /// Services and jobs of all components, by component, in the order of the blueprint's names.
    pub services: Vec<Service>,
    /// Who may talk to whom; sorted, without repetition.
    pub flows: Vec<Flow>,
    /// All secrets, sorted by name.
    pub secrets: Vec<Secret>,
    /// All certificates of services, sorted by name.
    pub certificates: Vec<Certificate>,
    /// What people and clients outside reach, sorted by URL.
    pub endpoints: Vec<Endpoint>,
    /// What the proxy's component is called, and how it is reached, if there is one.
    pub edge: Option<Edge>,
    /// Who collects.
    pub collectors: Collectors,
    /// What is asked from outside whether it answers, sorted.
    pub probes: Vec<WebProbe>,
    /// Where traces are collected, if they are.
    pub traces: Option<Traces>,
    /// Which licences are refused or accepted.
    pub licences: LicencePolicy,
    /// Who is told of alerts, when and how.
    pub alerting: alerting::Alerting,
    /// How it is backed up, if it is.
    pub backup: Option<backup::Backup>,
    /// Who people are.
    pub identity: identity::Identity,
    /// Alerts of the user's own, sorted by name.
    pub own_alerts: Vec<rules::Alert>,
}

/// Where and how large the platform runs.
#[derive(Clone, Debug)]
pub struct Environment {
    /// Its name.
    pub name: String,
    /// Where it stands in the topology.
    pub place: Place,
    /// What it compiles to.
    pub target: Target,
    /// Where the target stands.
    pub target_place: Place,
    /// Resources of services.
    pub size: Size,
    /// Whether it must survive losses.
    pub availability: Availability,
    /// Domain of web interfaces.
    pub domain: String,
    /// Language of texts for people.
    pub locale: Locale,
    /// What runs jobs at their times where the target has no clock of its own.
    pub scheduler: Scheduler,
    /// Address that published ports are bound to.
    pub bind: String,
    /// Where it is said, or what it follows from.
    pub bind_place: Place,
    /// First address and prefix length of the range for networks.
    pub network: (u32, u32),
    /// Machines; empty where their number is not known (a cluster that grows).
    pub hosts: Vec<Host>,
    /// Zones.
    pub zones: Vec<String>,
    /// Where volumes lie.
    pub storage: Storage,
    /// Registry that built images are pushed to.
    pub registry: Option<String>,
    /// Where images are pulled from, and by which digest.
    pub pins: pins::Pins,
    /// Where the values of secrets are kept.
    pub secrets: Store,
    /// Where certificates come from, and how long they are good.
    pub tls: Tls,
    /// The cluster, on Kubernetes.
    pub cluster: Option<Cluster>,
    /// Profiles, sorted by name.
    pub profiles: Vec<Profile>,
    /// Files and folders in the bundle that belong to the user.
    pub keep: Vec<String>,
}

impl Environment {
    /// Returns what the engine calls everything of an environment together: a Compose project, a Swarm stack.
    pub fn project(&self, platform: &str) -> String {
        format!("{platform}-{}", self.name)
    }

    /// Says whether the target itself lets the outside in, rather than a component.
    pub fn has_gateway(&self) -> bool {
        self.cluster.as_ref().is_some_and(|cluster| cluster.mesh)
    }
}

/// Where the values of secrets are kept, and what is to be known of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Store {
    /// Where the target keeps them: files, and what a script makes of them.
    Target,
    /// Outside, where the External Secrets Operator reads them.
    Remote(RemoteStore),
    /// In files that only the cluster can open.
    Sealed,
    /// In files that SOPS encrypts for these recipients of age, beside the target's own way.
    Sops(Vec<String>),
}

impl Store {
    /// Returns the word that it has in a topology; none for the target's own.
    pub fn word(&self) -> Option<SecretStore> {
        match self {
            Self::Target => None,
            Self::Remote(_) => Some(SecretStore::ExternalSecrets),
            Self::Sealed => Some(SecretStore::SealedSecrets),
            Self::Sops(_) => Some(SecretStore::Sops),
        }
    }

    /// Returns the folder of a bundle that holds values which are encrypted, if there is one. What is in it differs each
    /// time it is made, so that it is the user's.
    pub fn folder(&self) -> Option<&'static str> {
        match self {
            Self::Target | Self::Remote(_) => None,
            Self::Sealed => Some("sealed"),
            Self::Sops(_) => Some("encrypted"),
        }
    }

    /// Lists the sealed files that there must be for these secrets, each with the name of its object; none in other stores.
    pub fn sealed<'s>(
        &self,
        secrets: &'s [Secret],
    ) -> impl Iterator<Item = (String, String)> + use<'s> {
        let folder = self.folder().filter(|_| *self == Self::Sealed);
        let secrets = secrets.iter().filter(move |_| folder.is_some());
        secrets.map(move |secret| {
            let object = secret.object();
            let path = format!("{}/{object}.yaml", folder.unwrap_or_default());
            (object, path)
        })
    }
}

/// A store of secrets outside, as the External Secrets Operator knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RemoteStore {
    /// Name of the object that says how it is reached.
    pub name: String,
    /// Kind of that object.
    pub kind: StoreKind,
    /// What keys begin with; may be empty.
    pub prefix: String,
    /// The field of an entry that holds the value, if not the whole entry.
    pub property: Option<String>,
    /// How often the operator looks for another value, if it does.
    pub refresh: Option<Seconds>,
}

impl RemoteStore {
    /// Returns the key of a secret in the store.
    pub fn key(&self, secret: &Secret) -> String {
        format!("{}{}", self.prefix, secret.object())
    }
}

/// Where certificates come from, and how long they are good.
#[derive(Clone, Debug)]
pub struct Tls {
    /// Where that of the public host names comes from; none where the target has a gateway with keys of its own.
    pub public: Option<PublicTls>,
    /// Where that is said, or what it follows from.
    pub public_place: Place,
    /// The public authority that issues it, if one does.
    pub acme: Option<Acme>,
    /// Whether services speak TLS among themselves; none where a mesh does it for them.
    pub services: Option<ServicesTls>,
    /// What keys of certificates are that the platform makes.
    pub key: KeyKind,
    /// How long a certificate is good, in whole days.
    pub lifetime: Seconds,
    /// How long before its end it is renewed.
    pub renew_before: Seconds,
    /// How long the platform's authority is good, in whole days.
    pub authority_lifetime: Seconds,
}

/// A public authority that certificates are asked of by ACME.
#[derive(Clone, Debug)]
pub struct Acme {
    /// Its directory.
    pub directory: String,
    /// Whom it writes to, if to anybody.
    pub email: Option<String>,
    /// The plugin of certbot that puts records into DNS; none where programs of the user's do.
    pub plugin: Option<String>,
}

/// Minor versions of Kubernetes that bundles are made for.
pub const KUBERNETES_VERSIONS: std::ops::RangeInclusive<u32> = 33..=37;

/// Components that start only when asked for.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// Positions of the components that are stopped for it, sorted.
    pub stops: Vec<usize>,
}

/// The cluster that an environment runs in.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Minor version: 36 stands for 1.36.
    pub version: u32,
    /// Where the version is said.
    pub version_place: Place,
    /// Namespace.
    pub namespace: String,
    /// Whose disks volumes lie on, where the bundle makes the storage classes.
    pub cloud: Option<Cloud>,
    /// Key that disks are encrypted with, if not the cloud's own.
    pub disk_key: Option<String>,
    /// Storage classes that exist, by the class of disk they stand for.
    pub storage_classes: BTreeMap<DiskClass, String>,
    /// API that the gateway is described in.
    pub gateway: GatewayApi,
    /// Secret with the certificate of the public host names.
    pub tls_secret: String,
    /// ClusterIssuer that fills it, if the user does not.
    pub issuer: Option<String>,
    /// What the API server puts before the names of groups that its identity provider tells.
    pub group_prefix: String,
    /// Tool that applies the bundle.
    pub gitops: Option<GitOps>,
    /// Whether pods are in the mesh, and the outside reaches them through its gateway.
    pub mesh: bool,
}

impl Cluster {
    /// Returns the storage class of volumes on a class of disk; the cluster's default, if none.
    pub fn storage_class(&self, class: DiskClass) -> Option<String> {
        match (self.storage_classes.get(&class), self.cloud) {
            (Some(known), _) => Some(known.clone()),
            // Storage classes belong to no namespace, so their names must tell platforms apart.
            (None, Some(_)) => Some(format!("{}-{class}", self.namespace)),
            (None, None) => None,
        }
    }
}

/// Where volumes lie.
#[derive(Clone, Debug)]
pub struct Storage {
    /// On machines or on a server.
    pub kind: StorageKind,
    /// NFS server and exported folder.
    pub nfs: Option<(String, String)>,
    /// Whether the disks are encrypted, as far as the user says.
    pub encrypted: bool,
    /// Where it is said.
    pub place: Place,
}

/// A machine.
#[derive(Clone, Debug)]
pub struct Host {
    /// Its name; machines of a pool are numbered.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// The zone it stands in.
    pub zone: Option<String>,
    /// Its labels: the user's own, `host` and `zone`.
    pub labels: BTreeMap<String, String>,
    /// Its memory.
    pub memory: Bytes,
    /// Its processors.
    pub cpu: MilliCpu,
    /// Memory that is left to the machine itself.
    pub reserve_memory: Bytes,
    /// Processors that are left to the machine itself.
    pub reserve_cpu: MilliCpu,
}

impl Host {
    /// Says whether it has the labels that a service asks for.
    pub fn is_able(&self, service: &Service) -> bool {
        let mut wanted = service.host_labels.iter();
        wanted.all(|(name, (label, _))| self.labels.get(name) == Some(label))
    }

    /// Returns the memory that services may take.
    pub fn memory_budget(&self) -> Bytes {
        Bytes(self.memory.0.saturating_sub(self.reserve_memory.0))
    }

    /// Returns the processors that services may take.
    pub fn cpu_budget(&self) -> MilliCpu {
        MilliCpu(self.cpu.0.saturating_sub(self.reserve_cpu.0))
    }
}

/// A blueprint put to use.
#[derive(Debug)]
pub struct Component {
    /// Its name.
    pub name: String,
    /// Where it stands; where it is needed, if it was added by itself.
    pub place: Place,
    /// The component whose need added it, if it was added by itself.
    pub added_for: Option<String>,
    /// Name of its blueprint.
    pub blueprint: String,
    /// Version of the system.
    pub version: String,
    /// Where the version is said.
    pub version_place: Place,
    /// Versions that its blueprint was tried with.
    pub tested: Vec<String>,
    /// One line in the environment's language.
    pub summary: String,
    /// Layer of the platform.
    pub layer: Layer,
    /// Network zone.
    pub zone: Zone,
    /// SPDX expression of its licence.
    pub license: String,
    /// Edition, where there are several.
    pub edition: Option<String>,
    /// Options whose values need a feature that the edition lacks: place, option, value, feature.
    pub lacking: Vec<LackingFeature>,
    /// Profile it starts with, if not always.
    pub profile: Option<String>,
    /// Why it cannot run on this target, if it cannot.
    pub unsupported: Option<Unsupported>,
    /// Options in effect.
    pub options: BTreeMap<String, Value>,
    /// What users must know.
    pub notices: Vec<Notice>,
    /// Images that must not be used any more.
    pub gone: Vec<GoneImage>,
    /// What the README says of it.
    pub notes: Vec<String>,
    /// Why it sends no traces, if it cannot.
    pub no_traces: Option<String>,
    /// Accounts that people use.
    pub accounts: Vec<Account>,
    /// How it knows people, if people use it.
    pub people: Option<identity::People>,
    /// Volumes.
    pub volumes: Vec<Volume>,
    /// Images that are built for it.
    pub builds: Vec<Build>,
    /// Scripts for people, by name.
    pub scripts: BTreeMap<String, Content>,
    /// Kubernetes objects of operators.
    pub objects: Vec<ClusterObject>,
    /// Operators that a cluster must have for them, by API group.
    pub operators: BTreeMap<String, Operator>,
    /// Metrics that it exports, and rules about them.
    pub rules: rules::Rules,
    /// What people look at to see how it does, if its blueprint says so.
    pub dashboard: Option<dashboard::Dashboard>,
    /// What becomes of its data.
    pub keeping: backup::Keeping,
    /// When copies of it are made, if they are.
    pub backup: Option<backup::Plan>,
}

impl Component {
    /// Says whether people use it and it asks nobody who they are.
    pub fn asks_nobody(&self) -> bool {
        let people = self.people.as_ref();
        people.is_some_and(|people| people.login == Login::Local && !people.local)
            && self.accounts.is_empty()
    }
}

/// A Kubernetes object of an operator.
#[derive(Clone, Debug)]
pub struct ClusterObject {
    /// Its name within the component.
    pub name: String,
    /// Its content.
    pub content: Value,
    /// The condition of its status that says that it is up, if it has one.
    pub ready: Option<String>,
}

/// An operator that a cluster must have.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Operator {
    /// What it is called.
    pub name: String,
    /// The least version that its objects were made for.
    pub version: String,
    /// Where it is installed from, or how.
    pub help: String,
    /// Labels of its Deployment, whose image tells its version; none where they are not known.
    pub labels: BTreeMap<String, String>,
}

/// An option's value that the chosen edition cannot do.
#[derive(Clone, Debug)]
pub struct LackingFeature {
    /// Name of the option.
    pub option: String,
    /// Its value.
    pub value: String,
    /// What it would need.
    pub feature: String,
    /// Editions that have it.
    pub editions: Vec<String>,
    /// Where the value stands.
    pub place: Place,
}

/// Why a component cannot run on a target.
#[derive(Clone, Debug)]
pub struct Unsupported {
    /// In the blueprint's words.
    pub reason: String,
    /// Whether a Kubernetes API is all it lacks.
    pub cluster: bool,
}

/// What users must know about a component.
#[derive(Clone, Debug)]
pub struct Notice {
    /// Its name in the blueprint.
    pub name: String,
    /// How much it matters.
    pub level: NoticeLevel,
    /// What is so.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// Where it is known from.
    pub source: Option<String>,
}

/// An image that must not be used any more.
#[derive(Clone, Debug)]
pub struct GoneImage {
    /// Repository without its tag.
    pub image: String,
    /// What happened.
    pub reason: String,
    /// What to use.
    pub instead: Option<String>,
}

/// An account that people use.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its name.
    pub user: String,
    /// Secret that holds its password.
    pub secret: Option<String>,
    /// What it is for.
    pub purpose: String,
    /// Web address where it is used, if there is one.
    pub url: Option<String>,
}

/// Where data lies.
#[derive(Clone, Debug)]
pub struct Volume {
    /// Name within the platform: `postgresql-data`.
    pub name: String,
    /// Name within the component.
    pub key: String,
    /// Room.
    pub size: Bytes,
    /// Class of disk.
    pub class: DiskClass,
    /// Whether several replicas use the same one.
    pub shared: bool,
    /// What it lies on, and where that is said.
    pub storage: (StorageKind, Place),
    /// Kinds of storage it must not lie on, with the reason.
    pub unsafe_on: BTreeMap<StorageKind, String>,
    /// What encrypts what is written there, in the environment's language, if the system does that itself.
    pub encryption: Option<String>,
    /// Where it comes from.
    pub place: Place,
}

impl Volume {
    /// Says whether it lies on the host of what has it.
    pub fn is_local(&self) -> bool {
        self.storage.0 == StorageKind::Local
    }
}

/// An image that is built for a component.
#[derive(Clone, Debug)]
pub struct Build {
    /// Name within the component.
    pub image: String,
    /// Reference of the result.
    pub reference: String,
    /// Files of the build's folder by name; `Dockerfile` is one.
    pub files: BTreeMap<String, Content>,
}

/// Text of a file, shared between the services that have it.
pub type Content = std::sync::Arc<str>;

/// One container workload.
#[derive(Debug)]
pub struct Service {
    /// Position of its component in [`Platform::components`].
    pub component: usize,
    /// Name within the component.
    pub key: String,
    /// Name in bundles, and in DNS: `superset-web`.
    pub name: String,
    /// Where it comes from.
    pub place: Place,
    /// What kind of workload it is.
    pub kind: Kind,
    /// Profile it starts with, if not always: its component's, or that of what collects the thing it is there for.
    pub profile: Option<String>,
    /// What it does for the backups of its component, if it is one of their jobs.
    pub backup: Option<BackupRole>,
    /// Least and most replicas.
    pub replicas: Replicas,
    /// Whether each replica has a DNS name of its own.
    pub members: bool,
    /// Who makes its pods, if not the bundle.
    pub managed: Option<Managed>,
    /// How many replicas must run for it to work.
    pub quorum: u64,
    /// Why it must not run twice.
    pub single: Option<String>,
    /// How it is scaled by load: metric and percentage.
    pub scale: Option<(ScaleMetric, u64)>,
    /// The image.
    pub image: Image,
    /// Program in place of the image's entry point.
    pub entrypoint: Option<Vec<String>>,
    /// Arguments in place of the image's.
    pub command: Option<Vec<String>>,
    /// Folder the program starts in.
    pub working_dir: Option<String>,
    /// Environment variables.
    pub env: BTreeMap<String, EnvValue>,
    /// Files in the container, by their path there.
    pub files: BTreeMap<String, File>,
    /// Volumes, by their path in the container.
    pub mounts: BTreeMap<String, Mount>,
    /// Names of the secrets it may read, sorted.
    pub secrets: Vec<String>,
    /// Ports it listens on, by name.
    pub ports: BTreeMap<String, Port>,
    /// What is scraped of it; nothing where nobody collects metrics.
    pub scrapes: Vec<Scrape>,
    /// Whether one runs on each machine.
    pub per_host: bool,
    /// Folders and files of its machine, by their path in the container.
    pub host_mounts: BTreeMap<String, HostMount>,
    /// Why it must reach the outside, if it must.
    pub egress: Option<Egress>,
    /// The cluster that it runs for components that need one, if it does.
    pub hosts: Option<HostedCluster>,
    /// Position of the service whose cluster it runs in, if that is not the environment's.
    pub inside: Option<usize>,
    /// Why and how it uses the Kubernetes API, if it does.
    pub cluster_api: Option<ClusterApi>,
    /// The certificate that it is handed, if there is one.
    pub certificate: Option<CertificateUse>,
    /// Whether it is handed the certificate of the platform's authority, beside its secrets as [`AUTHORITY_FILE`]: it
    /// connects to what others show certificates of.
    pub trusts: bool,
    /// What must be so before it starts.
    pub start_after: Vec<StartAfter>,
    /// How to tell whether it is well.
    pub probe: Option<Probe>,
    /// Memory and processors.
    pub resources: Resources,
    /// Memory of its Java virtual machine.
    pub jvm: Option<Jvm>,
    /// Numeric user and group, if not the image's.
    pub user: Option<(u32, u32)>,
    /// Why its user is 0.
    pub root: Option<String>,
    /// Why it must have all rights on its machine, if it must.
    pub privileged: Option<String>,
    /// Whether the image's own files cannot be changed.
    pub read_only: bool,
    /// Why they can, if they can.
    pub writable_root: Option<String>,
    /// Scratch folders in memory.
    pub writable: Vec<String>,
    /// Capabilities it has.
    pub capabilities: Vec<String>,
    /// How long a stop may take.
    pub stop_grace: Seconds,
    /// Signal that asks it to stop.
    pub stop_signal: Option<String>,
    /// Size of /dev/shm.
    pub shm: Option<Bytes>,
    /// Limits of the operating system.
    pub ulimits: BTreeMap<String, i64>,
    /// Settings its host must have: least value and reason.
    pub host_settings: BTreeMap<String, (i64, String)>,
    /// Whether its members are exchanged all at once when they change, rather than one after the other.
    pub update_together: bool,
    /// Labels that its hosts must have, each with its place.
    pub host_labels: BTreeMap<String, (String, Place)>,
    /// Hosts it is placed on, one per replica; empty where the target places it.
    pub placement: Vec<usize>,
}

/// Capabilities that containers may be given under the `restricted` and the `baseline` standard.
/// Source: Kubernetes, Pod Security Standards.
const RESTRICTED_CAPABILITIES: &[&str] = &["NET_BIND_SERVICE"];
const BASELINE_CAPABILITIES: &[&str] = &[
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

impl Service {
    /// Returns the strictest Pod Security Standard that its pods meet.
    pub fn pod_security(&self) -> PodSecurity {
        let within = |known: &[&str]| {
            let mut capabilities = self.capabilities.iter();
            capabilities.all(|capability| known.contains(&capability.as_str()))
        };
        if !within(BASELINE_CAPABILITIES) || !self.host_mounts.is_empty() {
            PodSecurity::Privileged
        } else if self.user.is_none_or(|(user, _)| user == 0) || !within(RESTRICTED_CAPABILITIES) {
            PodSecurity::Baseline
        } else {
            PodSecurity::Restricted
        }
    }

    /// Returns the DNS name that others reach it by.
    pub fn host(&self) -> &str {
        self.managed
            .as_ref()
            .and_then(|managed| managed.host.as_deref())
            .unwrap_or(&self.name)
    }

    /// Returns the name of its service account: its identity in a cluster.
    pub fn account(&self) -> &str {
        self.managed
            .as_ref()
            .map_or(&self.name, |managed| &managed.service_account)
    }

    /// Says whether its replicas are told apart: they keep data, or have names.
    pub fn is_stateful(&self) -> bool {
        self.kind == Kind::Stateful || self.members
    }

    /// Says whether it has ports of the host that it runs on.
    pub fn has_host_ports(&self) -> bool {
        let mut ports = self.ports.values();
        ports.any(|port| port.publish == Some(Publish::Host))
    }

    /// Says whether it runs beside a stack on Swarm, which gives no service all rights on its host.
    pub fn runs_beside(&self) -> bool {
        self.inside.is_none() && (self.privileged.is_some() || self.hosts.is_some())
    }

    /// Says whether another service makes its pods at run time.
    pub fn is_launched(&self) -> bool {
        self.managed
            .as_ref()
            .is_some_and(|managed| managed.launched)
    }

    /// Says whether the bundle makes its pods.
    pub fn is_ours(&self) -> bool {
        self.managed.is_none()
    }
}

/// Names what gives each replica of a service a DNS name of its own in a cluster.
pub fn members_of(service: &str) -> String {
    format!("{service}-members")
}

/// Returns the DNS names of the first replicas of a service in a cluster, each of its own.
pub fn member_hosts(service: &str, replicas: u64) -> impl Iterator<Item = String> {
    let members = members_of(service);
    (0..replicas).map(move |at| format!("{service}-{at}.{members}"))
}

/// Pods that somebody else makes: an operator from an object of the bundle, or a service at run time.
#[derive(Clone, Debug)]
pub struct Managed {
    /// Who.
    pub by: String,
    /// Whether a service of the platform launches them at run time, rather than an operator.
    pub launched: bool,
    /// Labels that the pods bear.
    pub labels: BTreeMap<String, String>,
    /// Their service account.
    pub service_account: String,
    /// The DNS name that leads to them, if they are reached.
    pub host: Option<String>,
    /// Whether they are in the mesh.
    pub mesh: bool,
    /// The operator's namespace and the ports that it reaches.
    pub operator: Option<(String, Vec<u16>)>,
}

/// What a service may reach outside.
#[derive(Clone, Debug)]
pub struct Egress {
    /// Why.
    pub why: String,
    /// Hosts and ports; anything, if empty.
    pub hosts: Vec<(String, u16)>,
}

/// A cluster inside a service, in which components run that need one.
#[derive(Clone, Debug)]
pub struct HostedCluster {
    /// The cluster.
    pub cluster: Cluster,
    /// Folder in which the service finds the objects of what runs in it.
    pub manifests: String,
    /// What those that run in it connect to outside, where that has no address that stays: the service itself finds out.
    pub outside: Vec<Neighbour>,
}

/// A name in a cluster inside a service, for what lies outside.
#[derive(Clone, Debug)]
pub struct Neighbour {
    /// Position of the service that it leads to.
    pub service: usize,
    /// The name.
    pub name: String,
    /// The engine's names for all that it leads to.
    pub hosts: Vec<String>,
}

/// Use of the Kubernetes API.
#[derive(Clone, Debug)]
pub struct ClusterApi {
    /// Why.
    pub why: String,
    /// What it may do in its namespace.
    pub rules: Vec<ApiRule>,
}

/// What may be done with some kinds of objects.
#[derive(Clone, Debug)]
pub struct ApiRule {
    /// API groups; the core one is empty.
    pub groups: Vec<String>,
    /// Kinds, in the plural.
    pub resources: Vec<String>,
    /// Names of the only objects that it is about; all, if empty.
    pub names: Vec<String>,
    /// Verbs.
    pub verbs: Vec<String>,
}

/// What kind of workload a service is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Keeps running, keeps nothing.
    Stateless,
    /// Keeps running, keeps data.
    Stateful,
    /// Runs to its end at each start.
    Job {
        /// After what time it is given up.
        timeout: Option<Seconds>,
    },
    /// Runs to its end when somebody tells it to.
    OnDemand {
        /// After what time it is given up.
        timeout: Option<Seconds>,
    },
    /// Runs to its end at set times.
    Scheduled {
        /// Cron expression with five fields.
        schedule: String,
        /// After what time a run is given up.
        timeout: Option<Seconds>,
        /// How late a run may still start.
        deadline: Option<Seconds>,
    },
}

impl Kind {
    /// Says whether the workload keeps running.
    pub fn keeps_running(&self) -> bool {
        matches!(self, Self::Stateless | Self::Stateful)
    }

    /// Says whether the workload is started by something else than the start of the platform: a clock, or a person.
    pub fn waits_to_be_told(&self) -> bool {
        matches!(self, Self::OnDemand { .. } | Self::Scheduled { .. })
    }
}

/// How many replicas there are.
#[derive(Clone, Debug)]
pub struct Replicas {
    /// The least.
    pub min: u64,
    /// The most.
    pub max: u64,
    /// Where it is said.
    pub place: Place,
}

/// A container image.
#[derive(Clone, Debug)]
pub struct Image {
    /// Full reference with its tag.
    pub reference: String,
    /// Position in [`Component::builds`], if it is built.
    pub build: Option<usize>,
    /// Where it comes from.
    pub place: Place,
}

/// Value of an environment variable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EnvValue {
    /// A text.
    Text(String),
    /// The value of a secret.
    Secret(String),
    /// A key of a Kubernetes Secret that the system makes by itself.
    Made {
        /// Name of the Secret.
        secret: String,
        /// Key in it.
        key: String,
    },
    /// The zone that the replica runs in.
    Zone,
}

/// A file in a container.
#[derive(Clone, Debug)]
pub struct File {
    /// Its name in the blueprint, without the template's ending.
    pub source: String,
    /// Its text.
    pub content: Content,
    /// Whether it can be run.
    pub executable: bool,
}

/// A volume in a container.
#[derive(Clone, Debug)]
pub struct Mount {
    /// Position in [`Component::volumes`].
    pub volume: usize,
    /// Whether it may only be read.
    pub read_only: bool,
}

/// A folder or a file of the machine in a container.
#[derive(Clone, Debug)]
pub struct HostMount {
    /// Its path there.
    pub from: String,
    /// Why it is looked at.
    pub why: String,
    /// Whether it may only be read.
    pub read_only: bool,
}

/// A port that a service listens on.
#[derive(Clone, Debug)]
pub struct Port {
    /// Its number.
    pub number: u16,
    /// What is spoken there.
    pub protocol: Protocol,
    /// How it is published, if it is.
    pub publish: Option<Publish>,
    /// Public port, for those that have one of their own.
    pub listen: Option<u16>,
    /// Whether TLS is spoken there, with a certificate of the platform's authority or of what runs the system.
    pub tls: bool,
    /// Why TLS cannot be spoken there, in the environment's language, where a system cannot.
    pub clear: Option<String>,
    /// Whether whoever connects shows a certificate too where TLS is spoken, rather than a password.
    pub mutual: bool,
    /// Where it comes from.
    pub place: Place,
}

/// What protects a port that is published on the host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Door {
    /// TLS.
    Tls,
    /// Nothing, and it only sends browsers on to where there is TLS.
    Redirect,
    /// Nothing.
    Clear,
}

/// What must be so before a service starts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct StartAfter {
    /// Position of the other service in [`Platform::services`].
    pub service: usize,
    /// Whether the other must have ended well, rather than be healthy.
    pub completed: bool,
    /// Whether the other always starts; false when it is in a profile of its own.
    pub required: bool,
}

/// How to tell whether a service is well.
#[derive(Clone, Debug)]
pub struct Probe {
    /// What is asked: whether it can do its work.
    pub ask: Ask,
    /// What is asked to tell whether it must be restarted.
    pub live: Ask,
    /// How long a start may take.
    pub startup: Seconds,
    /// Time between two checks.
    pub interval: Seconds,
    /// How long an answer may take.
    pub timeout: Seconds,
    /// How many checks in a row must fail.
    pub retries: u64,
}

/// What a probe asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ask {
    /// A path that answers 200.
    Http {
        /// The path.
        path: String,
        /// The port.
        port: u16,
        /// Whether TLS is spoken there.
        tls: bool,
        /// Tool inside the image.
        tool: ProbeTool,
    },
    /// A port that accepts connections.
    Tcp {
        /// The port.
        port: u16,
        /// Tool inside the image.
        tool: ProbeTool,
    },
    /// A program that exits with 0.
    Exec(Vec<String>),
}

/// Memory and processors of one replica.
#[derive(Clone, Debug)]
pub struct Resources {
    /// Limit, and what it counts in its host's budget.
    pub memory: Bytes,
    /// Guaranteed share, and what it counts in its host's budget.
    pub cpu: MilliCpu,
    /// The most it may use.
    pub cpu_limit: MilliCpu,
    /// Where the memory is said.
    pub place: Place,
}

/// Memory of a Java virtual machine.
#[derive(Clone, Debug)]
pub struct Jvm {
    /// Heap.
    pub heap: Bytes,
    /// Direct memory.
    pub direct: Bytes,
    /// Everything else.
    pub overhead: Bytes,
    /// Where it comes from.
    pub place: Place,
}

/// A connection that is declared: every other is refused.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Flow {
    /// Position of the service that connects.
    pub from: usize,
    /// Position of the service that is connected to.
    pub to: usize,
    /// Name of the port.
    pub port: String,
    /// Why.
    pub reason: FlowReason,
    /// What encrypts it.
    pub encryption: Encryption,
    /// The secret that the need's provider knows its consumer by, if it asks for one.
    pub secret: Option<String>,
}

/// Why a connection is declared.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum FlowReason {
    /// A need that is bound.
    Need(String),
    /// The proxy reaches what is published.
    Proxy,
    /// Services of one component.
    Peer,
    /// A collector looks at it.
    Metrics,
    /// The mesh reports what passes through it.
    Traces,
}

/// A secret: everything but its value.
#[derive(Clone, Debug)]
pub struct Secret {
    /// Its name in the platform.
    pub name: String,
    /// How its value is made.
    pub kind: SecretKind,
    /// Characters or bytes.
    pub length: u32,
    /// The characters that it consists of, if others than letters and digits.
    pub alphabet: Option<String>,
    /// Text before the random part.
    pub prefix: Option<String>,
    /// How often it is changed, and what that takes, if that is known.
    pub rotation: Option<Rotation>,
    /// What it says and what it is signed with, if it is a token.
    pub token: Option<Token>,
    /// What it is for.
    pub purpose: String,
    /// The user it belongs to, if it is a password.
    pub user: Option<String>,
    /// How often it was rotated, beginning with 1.
    pub version: u32,
}

impl Secret {
    /// Returns the key of its value in its object in a cluster; the user of a password lies beside it.
    pub fn key(&self) -> &'static str {
        if self.user.is_some() {
            "password"
        } else {
            "value"
        }
    }

    /// Returns its name in a cluster. The version is part of it, so that a rotated one restarts what reads it.
    pub fn object(&self) -> String {
        versioned(&self.name, self.version)
    }
}

/// Names a version of a secret.
pub fn versioned(secret: &str, version: u32) -> String {
    format!("{secret}-v{version}")
}

/// A certificate with its key, for one service, or for all that bear the public host names.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// Its name: that of the service, or [`PUBLIC`].
    pub name: String,
    /// The DNS names that it bears. A cluster adds the longer forms of those that are services'.
    pub names: Vec<String>,
    /// Whether it is that of the public host names.
    pub public: bool,
    /// Whether it comes from elsewhere, rather than the platform's authority.
    pub given: bool,
    /// Whether it is asked of a public authority, rather than put there by the user.
    pub asked: bool,
    /// Whether it is also put into a PKCS #12 store with its key.
    pub keystore: bool,
    /// Positions of the services that are handed it, sorted.
    pub services: Vec<usize>,
    /// Where it comes from.
    pub place: Place,
}

/// The name of the certificate of the public host names.
pub const PUBLIC: &str = "public";

/// The name of the authority's own certificate.
pub const AUTHORITY: &str = "ca";

/// The PKCS #12 store of a certificate with its key.
pub const KEYSTORE_FILE: &str = "tls.p12";

/// The password of that store: no secret, but Java wants one.
pub const KEYSTORE_PASSWORD: &str = "changeit";

/// What the authority's certificate is called beside the secrets of a service that connects to others by TLS. No secret's
/// name has a dot.
pub const AUTHORITY_FILE: &str = "authority.crt";

/// The object that it lies in where services run in a cluster inside another.
pub const AUTHORITY_OBJECT: &str = "platform-authority";

/// A certificate in a container: the files `tls.crt`, `tls.key` and, unless it was [given](Certificate::given) without,
/// `ca.crt`, the authority that others of the platform trust.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CertificateUse {
    /// Name of the certificate.
    pub name: String,
    /// The folder that it lies in.
    pub path: String,
    /// Whether the service reads it from a PKCS #12 store.
    pub keystore: bool,
    /// What makes the service read a renewed one.
    pub reload: Reload,
}

/// What makes a service read files that were replaced.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reload {
    /// A restart.
    Restart,
    /// A signal to its first process.
    Signal(String),
    /// Nothing: it looks by itself.
    Itself,
}

/// Something that people or clients outside reach.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Position of the service.
    pub service: usize,
    /// Name of the port.
    pub port: String,
    /// What people call it.
    pub title: String,
    /// Public address: `http://superset.localhost:8080`, or `localhost:32010` for others.
    pub url: String,
    /// Host name, for web interfaces.
    pub host: Option<String>,
    /// Public port of its own, for others.
    pub listen: Option<u16>,
    /// How long an answer may take.
    pub timeout: Seconds,
    /// How large a request may be; nothing limits it, if zero.
    pub max_body: Bytes,
    /// Whether a client must stay with the replica it began with.
    pub sticky: bool,
    /// Where it comes from.
    pub place: Place,
}

/// The proxy.
#[derive(Clone, Debug)]
pub struct Edge {
    /// Position of its service; none where the target itself has a gateway.
    pub service: Option<usize>,
    /// `http` or `https`.
    pub scheme: String,
    /// Public port of web interfaces.
    pub port: u16,
}

/// Where traces are collected.
#[derive(Clone, Debug)]
pub struct Traces {
    /// Position of the service that takes spans in, as OTLP over gRPC.
    pub service: usize,
    /// Name of its port.
    pub port: String,
    /// How many of the traces that the mesh begins are kept, in percent.
    pub sampling: u64,
    /// Positions of the components that traces pass through: what they do is not traced itself, or it would never end.
    pub carriers: BTreeSet<usize>,
}

/// Which licences are refused or accepted.
#[derive(Debug)]
pub struct LicencePolicy {
    /// Refused ones, with where that is said.
    pub refused: Vec<(String, Place)>,
    /// The only accepted ones, if there are such.
    pub accepted: Option<Vec<String>>,
}

impl Platform {
    /// Returns the strictest Pod Security Standard that all pods of a cluster meet: the target itself, or the one inside a
    /// service.
    pub fn pod_security(&self, host: Option<usize>) -> PodSecurity {
        self.services
            .iter()
            .filter(|service| service.is_ours() && service.inside == host)
            .map(Service::pod_security)
            .max()
            .unwrap_or(PodSecurity::Restricted)
    }

    /// Returns the certificate that a service is handed, if there is one.
    pub fn certificate_of(&self, service: &Service) -> Option<&Certificate> {
        let name = &service.certificate.as_ref()?.name;
        let mut all = self.certificates.iter();
        all.find(|certificate| certificate.name == *name)
    }

    /// Returns the volumes that lie on a kind of storage.
    pub fn volumes_on(&self, kind: StorageKind) -> impl Iterator<Item = &Volume> {
        let volumes = self.components.iter().flat_map(|it| &it.volumes);
        volumes.filter(move |volume| volume.storage.0 == kind)
    }

    /// Returns the component of a service.
    pub fn component_of(&self, service: &Service) -> &Component {
        &self.components[service.component]
    }

    /// Returns what protects a port that is published on the host; none if it is not.
    pub fn door(&self, port: &Port) -> Option<(u16, Door)> {
        if port.publish != Some(Publish::Host) {
            return None;
        }
        let listen = port.listen.unwrap_or(port.number);
        let edge = self.edge.as_ref().filter(|edge| edge.scheme == "https");
        let door = match edge {
            Some(edge) if edge.port == listen => Door::Tls,
            _ if port.tls => Door::Tls,
            Some(_) if port.protocol == Protocol::Http => Door::Redirect,
            _ => Door::Clear,
        };
        Some((listen, door))
    }

    /// Says whether ports that are published on the host are reached from this machine only.
    pub fn is_on_this_machine(&self) -> bool {
        self.environment.target == Target::Compose && self.environment.bind.starts_with("127.")
    }

    /// Says whether a connection never leaves one machine.
    pub fn is_local(&self, flow: &Flow) -> bool {
        let [from, to] = [flow.from, flow.to].map(|at| self.services[at].inside);
        self.environment.target == Target::Compose || (from.is_some() && from == to)
    }

    /// Returns the services that run in a service's cluster, with their positions.
    pub fn guests(&self, host: usize) -> impl Iterator<Item = (usize, &Service)> {
        let all = self.services.iter().enumerate();
        all.filter(move |(_, service)| service.inside == Some(host))
    }

    /// Returns the position of what the target runs for a service: itself, or the one whose cluster it runs in.
    pub fn carrier(&self, service: usize) -> usize {
        self.services[service].inside.unwrap_or(service)
    }

    /// Returns the profile that a service starts with, if not always. Scheduled jobs have one of their own: they run
    /// when their time comes. A cluster starts those that run in it by itself.
    pub fn profile_of<'s>(&self, service: &'s Service) -> Option<&'s str> {
        match service.kind {
            Kind::Scheduled { .. } if service.inside.is_none() => return Some(SCHEDULED),
            Kind::OnDemand { .. } if service.inside.is_none() => return Some(ON_DEMAND),
            _ => {}
        }
        service.profile.as_deref()
    }

    /// Returns the components that are stopped while these profiles run.
    pub fn stopped_for(&self, profiles: &BTreeSet<&str>) -> BTreeSet<usize> {
        let chosen = self.environment.profiles.iter();
        chosen
            .filter(|profile| profiles.contains(profile.name.as_str()))
            .flat_map(|profile| profile.stops.iter().copied())
            .collect()
    }

    /// Says whether a service has data on the hosts that it runs on.
    pub fn keeps_local_data(&self, service: &Service) -> bool {
        let volumes = &self.component_of(service).volumes;
        let mut mounts = service.mounts.values();
        mounts.any(|mount| volumes[mount.volume].is_local())
    }

    /// Returns the volumes of a component that services keep data in, that no copy holds, and of which its blueprint does
    /// not say that none has to.
    pub fn unkept(&self, at: usize) -> Vec<&Volume> {
        let component = &self.components[at];
        let keeping = &component.keeping;
        let copied = |key: &String| {
            let copies = keeping.copies.as_ref();
            component.backup.is_some() && copies.is_some_and(|copies| copies.covers.contains(key))
        };
        let is_used = |position: usize| {
            self.services_of(at).any(|service| {
                let mut mounts = service.mounts.values();
                service.kind.keeps_running() && mounts.any(|mount| mount.volume == position)
            })
        };
        component
            .volumes
            .iter()
            .enumerate()
            .filter(|(_, volume)| !copied(&volume.key) && !keeping.left.contains_key(&volume.key))
            .filter(|(position, _)| is_used(*position))
            .map(|(_, volume)| volume)
            .collect()
    }

    /// Returns the services of a component.
    pub fn services_of(&self, component: usize) -> impl Iterator<Item = &Service> {
        // Services lie by component, so this is a slice.
        let start = self
            .services
            .partition_point(|service| service.component < component);
        let end = self
            .services
            .partition_point(|service| service.component <= component);
        self.services[start..end].iter()
    }
}
