//! The outline of a platform: what it consists of, as plain data, written into every bundle as `platform.json`.
//!
//! In comes a platform, out come names and values by which two bundles can be compared without their topologies: what
//! runs, who talks to whom, what is stored, published, watched and allowed. It has no values of secrets and no lines of
//! files, so that it changes only when the platform does. It knows no output format of a target.

mod build;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::value::Value;

pub use build::outline;

/// The name of the outline in a bundle.
pub const OUTLINE: &str = "platform.json";

/// The version of the format. It rises when an older Lakewright would misread a newer file.
pub const SCHEMA: u32 = 1;

/// What a platform consists of in one environment.
///
/// Amounts are texts with their unit (`3GiB`, `500m`, `90d`). Everything is sorted by name.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Outline {
    /// Version of this format.
    pub schema: u32,
    /// Name of the platform.
    pub platform: String,
    /// Name of the environment.
    pub name: String,
    /// Where and how it runs.
    pub environment: Environment,
    /// Machines, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub hosts: BTreeMap<String, Host>,
    /// Systems, by the component's name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub components: BTreeMap<String, Component>,
    /// Workloads, by the service's name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub services: BTreeMap<String, Service>,
    /// Connections that are allowed, by `FROM to TO/PORT`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub flows: BTreeMap<String, Flow>,
    /// What is reached from outside, by `SERVICE/PORT`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub endpoints: BTreeMap<String, Endpoint>,
    /// Where data lies, by the volume's name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub volumes: BTreeMap<String, Volume>,
    /// How components are backed up, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub backups: BTreeMap<String, Backup>,
    /// Secrets, by name; without their values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, Secret>,
    /// Certificates of services, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub certificates: BTreeMap<String, Certificate>,
    /// What somebody is told of, by `COMPONENT/ALERT`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub alerts: BTreeMap<String, Alert>,
    /// Who is told of alerts.
    #[serde(default, skip_serializing_if = "Alerting::is_empty")]
    pub alerting: Alerting,
    /// Operators that the cluster must have, by API group.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub operators: BTreeMap<String, Operator>,
    /// Who people are, and what groups may do.
    #[serde(default)]
    pub identity: Identity,
    /// Findings that are accepted here, by their code; those of one component, by `COMPONENT/CODE`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub accepted: BTreeMap<String, Accepted>,
    /// What the platform forbids or allows as a whole.
    #[serde(default)]
    pub policies: Policies,
}

/// Where and how an environment runs.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Environment {
    /// `compose`, `swarm` or `kubernetes`.
    pub target: String,
    /// Resources of services.
    pub size: String,
    /// Whether it must survive losses.
    pub availability: String,
    /// Domain of web interfaces.
    pub domain: String,
    /// Language of texts for people.
    pub locale: String,
    /// Address that published ports are bound to.
    pub bind: String,
    /// Zones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub zones: Vec<String>,
    /// What volumes lie on unless they say otherwise.
    pub storage: String,
    /// Registry that built images are pushed to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<String>,
    /// `http` or `https`: how web interfaces are reached, if they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme: Option<String>,
    /// Profiles, each with what it starts and stops.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub profiles: BTreeMap<String, Profile>,
    /// The cluster, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<Kubernetes>,
    /// How much of the requests is traced, in percent, where traces are collected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_percent: Option<u64>,
}

/// Components that start only when asked for.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Profile {
    /// What starts with it.
    pub starts: Vec<String>,
    /// What is stopped for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stops: Vec<String>,
}

/// A cluster that an environment runs in.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Kubernetes {
    /// Minor version.
    pub version: String,
    /// Namespace.
    pub namespace: String,
    /// Whose disks volumes lie on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud: Option<String>,
    /// API that the gateway is described in.
    pub gateway: String,
    /// Whether pods are in the mesh.
    pub mesh: bool,
    /// ClusterIssuer that fills the certificate of the public host names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Tool that applies the bundle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gitops: Option<String>,
}

/// A machine.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Host {
    /// The zone it stands in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Memory that services may take.
    pub memory: String,
    /// Processors that services may take.
    pub cpu: String,
    /// The most memory that services take at once.
    pub memory_taken: String,
    /// The most processors that are guaranteed at once.
    pub cpu_taken: String,
}

/// A system put to use.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Component {
    /// Its blueprint.
    pub blueprint: String,
    /// Version of the system.
    pub version: String,
    /// Edition, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edition: Option<String>,
    /// SPDX expression of its licence.
    pub license: String,
    /// Layer of the platform.
    pub layer: String,
    /// Network zone.
    pub zone: String,
    /// Profile it starts with, if not always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Options in effect. Long texts stand as their digest.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, Value>,
    /// Accounts that people use, with the secret that holds the password.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub accounts: BTreeMap<String, String>,
    /// Who checks who people are: `local`, `ldap`, `oidc` or `nobody`; none, where no people come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
    /// The component that stands before its pages and knows people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub front: Option<String>,
    /// Where it stands: a file and a key in it.
    pub from: String,
}

/// A workload.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Service {
    /// Its component.
    pub component: String,
    /// Its name within the component.
    pub key: String,
    /// `stateless`, `stateful`, `job`, `on demand` or `scheduled`.
    pub kind: String,
    /// When it runs, if it is scheduled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// Profile it starts with, if not always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// How many run: the least and the most.
    pub replicas: Replicas,
    /// The load that replicas follow: metric and percentage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<String>,
    /// How many must run for it to work.
    pub quorum: u64,
    /// Image.
    pub image: String,
    /// Memory of one replica.
    pub memory: String,
    /// Guaranteed processors of one replica.
    pub cpu: String,
    /// The most processors of one replica.
    pub cpu_limit: String,
    /// How it is told whether it is well: `http`, `tcp` or `exec`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<String>,
    /// Who makes its pods, if not the bundle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<String>,
    /// The service whose cluster it runs in, if that is not the environment's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inside: Option<String>,
    /// Ports it listens on.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ports: BTreeMap<String, Port>,
    /// Volumes by their path in the container.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub volumes: BTreeMap<String, String>,
    /// Folders of the machine by their path in the container.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub host_folders: BTreeMap<String, String>,
    /// Secrets it may read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// Its certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// What it may reach outside: `HOST:PORT`, or `anything`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub egress: Vec<String>,
    /// What it may do with the Kubernetes API: `VERB GROUP/KIND`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cluster_api: Vec<String>,
    /// Numeric user and group, if not the image's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Whether it has all rights on its machine.
    #[serde(default, skip_serializing_if = "is_false")]
    pub privileged: bool,
    /// Whether the image's own files cannot be changed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub read_only: bool,
    /// Capabilities it has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
    /// What is scraped of it: `PORT PATH`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scrapes: Vec<String>,
    /// Hosts that its replicas are placed on, if the bundle places them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub placement: Vec<String>,
    /// Whether its members are exchanged all at once when they change.
    #[serde(default, skip_serializing_if = "is_false")]
    pub update_together: bool,
    /// Where it stands: a file and a key in it.
    pub from: String,
}

/// How many replicas there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Replicas {
    /// The least.
    pub min: u64,
    /// The most.
    pub max: u64,
}

/// A port that a service listens on.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Port {
    /// Its number.
    pub number: u16,
    /// What is spoken there.
    pub protocol: String,
    /// How it is published, if it is: `web`, `tcp` or `host`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publish: Option<String>,
    /// Public port, for those that have one of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen: Option<u16>,
}

/// A connection that is allowed.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Flow {
    /// The service that connects.
    pub from: String,
    /// The service that is connected to.
    pub to: String,
    /// Number of the port.
    pub port: u16,
    /// What is spoken there.
    pub protocol: String,
    /// Why: a need's name, `proxy`, `peer`, `metrics` or `traces`.
    pub reason: String,
    /// What encrypts it: `tls`, `mesh`, `overlay` (the network between machines) or `clear` (nothing).
    #[serde(default)]
    pub encryption: String,
}

/// Something that is reached from outside.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Endpoint {
    /// Public address.
    pub url: String,
    /// The service.
    pub service: String,
    /// Name of the port.
    pub port: String,
    /// What people call it.
    pub title: String,
    /// How long an answer may take.
    pub timeout: String,
    /// Where it stands: a file and a key in it.
    pub from: String,
}

/// Where data lies.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Volume {
    /// Its component.
    pub component: String,
    /// Its name within the component.
    pub key: String,
    /// Room.
    pub size: String,
    /// Class of disk.
    pub class: String,
    /// `local` or `nfs`.
    pub storage: String,
    /// Whether several replicas use the same one.
    #[serde(default, skip_serializing_if = "is_false")]
    pub shared: bool,
    /// Where it stands: a file and a key in it.
    pub from: String,
}

/// How a component is backed up.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Backup {
    /// When copies are made: a cron expression.
    pub schedule: String,
    /// The longest time from one copy to the next.
    pub interval: String,
    /// When the newest copy is tried: a cron expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill: Option<String>,
    /// Of how many days, weeks and months a copy is kept.
    pub retention: Retention,
    /// How much may be lost at most.
    pub recovery_point: String,
    /// How long a restore may take.
    pub recovery_time: String,
    /// Volumes whose data is copied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<String>,
    /// Where copies are sent to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offsite: Option<String>,
    /// Public keys that copies are encrypted for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<String>,
    /// Where it stands: a file and a key in it.
    pub from: String,
}

/// How many copies are kept.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Retention {
    /// Days of which the newest copy is kept.
    pub days: u64,
    /// Weeks, likewise.
    pub weeks: u64,
    /// Months, likewise.
    pub months: u64,
}

/// A secret, without its value.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Secret {
    /// How its value is made.
    pub kind: String,
    /// How often it was rotated, beginning with 1.
    pub version: u32,
    /// What it protects.
    pub purpose: String,
}

/// A certificate.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Certificate {
    /// DNS names that it bears.
    pub names: Vec<String>,
    /// Whether the user has it from elsewhere.
    #[serde(default, skip_serializing_if = "is_false")]
    pub given: bool,
    /// Services that are handed it.
    pub services: Vec<String>,
}

/// What somebody is told of.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Alert {
    /// Condition in PromQL.
    pub expr: String,
    /// How long it must hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<String>,
    /// `critical`, `warning` or `info`.
    pub severity: String,
    /// Names of who is told, whatever the time of day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<String>,
    /// Where it stands: a file and a key in it.
    pub from: String,
}

/// Who is told of alerts.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Alerting {
    /// The component that finds out what is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watcher: Option<String>,
    /// The component that tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// Who can be told, each with the ways in which.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub receivers: BTreeMap<String, Vec<String>>,
    /// Times in which nobody is told.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub quiet_hours: BTreeMap<String, String>,
    /// Time between two signs of life, if they are sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<String>,
    /// Addresses that are asked from outside whether they answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<String>,
}

impl Alerting {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// An operator that a cluster must have.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Operator {
    /// What it is called.
    pub name: String,
    /// The least version.
    pub version: String,
}

/// Who people are, and what groups may do; keys are those of the topology.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Identity {
    /// Where people's accounts are: `local`, `ldap` or `oidc`.
    pub kind: String,
    /// The LDAP directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ldap: Option<Directory>,
    /// The OpenID Connect provider, if it is outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oidc: Option<Provider>,
    /// What the groups are called whose members have a role, by the role; none, where systems keep accounts themselves.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub roles: BTreeMap<String, Vec<String>>,
}

/// An LDAP directory.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Directory {
    /// Its host and port.
    pub server: String,
    /// Where people are looked for.
    pub users: String,
    /// What people must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_filter: Option<String>,
    /// Where groups are looked for.
    pub groups: String,
}

/// An OpenID Connect provider.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Provider {
    /// Its issuer.
    pub issuer: String,
}

/// A finding that is accepted.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Accepted {
    /// What it would be: `error`, `warning` or `note`.
    pub severity: String,
    /// Why it is accepted.
    pub reason: String,
}

/// What a platform forbids or allows as a whole.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Policies {
    /// Licences that are refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub licenses_refused: Vec<String>,
    /// The only licences that are accepted, if there are such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licenses_accepted: Option<Vec<String>>,
    /// Where the certificate of the public host names comes from, outside Kubernetes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_public: Option<String>,
    /// Whether services speak TLS among themselves, outside Kubernetes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_services: Option<String>,
    /// What keys of certificates are that the platform makes, if not ECDSA on P-256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_key: Option<String>,
    /// Where secrets are kept, if not where the target keeps them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_store: Option<String>,
    /// Whether the disks below are encrypted, as far as the topology says.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disks_encrypted: bool,
    /// How long certificates are good.
    pub tls_lifetime: String,
    /// How long before its end a certificate is renewed.
    pub tls_renew_before: String,
    /// The Pod Security Standard that all pods meet, on Kubernetes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_security: Option<String>,
}

fn is_false(value: &bool) -> bool {
    !value
}

impl Outline {
    /// Returns the text of `platform.json`.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self)
            .expect("an outline has string keys and plain values only");
        text.push('\n');
        text
    }
}
