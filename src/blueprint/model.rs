//! The blueprint as written, read into types. Expressions and texts with `${}` are parsed here, evaluated in `resolve`.
//!
//! Descriptions are what editors show, what findings quote and what the reference page is checked against.

use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, Visitor};

use super::expression::{Expression, Text};
use super::logs::Logs;
use super::scrape::{HostMount, MetricsEndpoint};
use crate::terms::{
    BackupRole, Collected, DiskClass, Layer, NoticeLevel, ProbeTool, Protocol, Publish,
    RotationWay, ScaleMetric, SecretKind, Size, Target, Token, Zone,
};
use crate::value::Value;

/// An expression, and how it was written.
#[derive(Clone, PartialEq, Debug)]
pub struct Expr {
    /// As written.
    pub written: String,
    /// As parsed.
    pub parsed: Expression,
}

/// A text with `${expr}` in it, and how it was written.
#[derive(Clone, PartialEq, Debug)]
pub struct Filled {
    /// As written.
    pub written: String,
    /// As parsed.
    pub parsed: Text,
}

struct ScalarVisitor;

impl Visitor<'_> for ScalarVisitor {
    type Value = String;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a text, a whole number or a boolean")
    }
    fn visit_str<E>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }
    fn visit_i64<E>(self, number: i64) -> Result<String, E> {
        Ok(number.to_string())
    }
    fn visit_u64<E>(self, number: u64) -> Result<String, E> {
        Ok(number.to_string())
    }
    fn visit_bool<E>(self, truth: bool) -> Result<String, E> {
        Ok(truth.to_string())
    }
}

impl<'de> Deserialize<'de> for Expr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = deserializer.deserialize_any(ScalarVisitor)?;
        let parsed = Expression::parse(&written).map_err(|error| {
            D::Error::custom(format!("`{written}` is not an expression: {error}"))
        })?;
        Ok(Self { written, parsed })
    }
}

impl<'de> Deserialize<'de> for Filled {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = deserializer.deserialize_any(ScalarVisitor)?;
        let parsed = Text::parse(&written).map_err(|error| {
            D::Error::custom(format!("`{written}` cannot be filled in: {error}"))
        })?;
        Ok(Self { written, parsed })
    }
}

macro_rules! scalar_schema {
    ($name:ident, $title:literal, $description:literal) => {
        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $title.into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": ["string", "integer", "boolean"], "title": $title, "description": $description })
            }
        }
    };
}
scalar_schema!(Expr, "expression", "An expression: \"max(2, 2 * cpus)\".");
scalar_schema!(Filled, "text", "A text that may have ${expression} in it.");

/// A text for people: English, or English and French.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Words {
    /// English only.
    #[schemars(title = "a text")]
    English(String),
    /// Both.
    #[schemars(title = "a table { en, fr }")]
    Both {
        /// English.
        en: String,
        /// French.
        fr: String,
    },
}

impl Words {
    /// Returns the text in a language; English where it has no other.
    pub fn get(&self, locale: crate::terms::Locale) -> &str {
        match (self, locale) {
            (Self::Both { fr, .. }, crate::terms::Locale::Fr) => fr,
            (Self::English(en) | Self::Both { en, .. }, _) => en,
        }
    }
}

/// A blueprint: how one system is deployed.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Lakewright blueprint")]
pub struct Blueprint {
    /// What it is.
    pub blueprint: About,
    /// Editions that its maker offers.
    #[serde(default)]
    pub editions: BTreeMap<String, Edition>,
    /// Features that not every edition has.
    #[serde(default)]
    pub features: BTreeMap<String, Feature>,
    /// What it cannot do without.
    #[serde(default)]
    pub requires: Requires,
    /// What a target cannot do.
    #[serde(default)]
    pub targets: BTreeMap<Target, TargetSupport>,
    /// What users must know.
    #[serde(default)]
    pub notices: BTreeMap<String, Notice>,
    /// Images that must not be used any more.
    #[serde(default)]
    pub gone: Vec<Gone>,
    /// What users may set, each a JSON Schema with a description.
    #[serde(default)]
    pub options: BTreeMap<String, OptionSpec>,
    /// Values computed once for the whole component.
    #[serde(default)]
    pub vars: BTreeMap<String, Expr>,
    /// Container images.
    #[serde(default)]
    pub images: BTreeMap<String, Image>,
    /// Workloads that keep running.
    #[serde(default)]
    pub services: BTreeMap<String, Service>,
    /// Workloads that end.
    #[serde(default)]
    pub jobs: BTreeMap<String, Job>,
    /// Where data lies.
    #[serde(default)]
    pub volumes: BTreeMap<String, Volume>,
    /// The component's own secrets.
    #[serde(default)]
    pub secrets: BTreeMap<String, Secret>,
    /// Accounts that people use.
    #[serde(default)]
    pub accounts: BTreeMap<String, Account>,
    /// What it provides to others.
    #[serde(default)]
    pub provides: BTreeMap<String, Provide>,
    /// What it needs from others.
    #[serde(default)]
    pub needs: BTreeMap<String, Need>,
    /// Kubernetes objects of operators.
    #[serde(default)]
    pub objects: BTreeMap<String, Object>,
    /// Operators that a cluster must have for these objects, by API group.
    #[serde(default)]
    pub operators: BTreeMap<String, Operator>,
    /// Scripts for those who run the platform, by the name that they have in the component's folder of the bundle.
    #[serde(default)]
    pub scripts: BTreeMap<String, Script>,
    /// How lines are read that its services write; `default` holds for all that name no other.
    #[serde(default)]
    pub logs: BTreeMap<String, Logs>,
}

impl Blueprint {
    /// Returns the names of its services, then of its jobs.
    pub fn workload_names(&self) -> impl Iterator<Item = &str> {
        let names = self.services.keys().chain(self.jobs.keys());
        names.map(String::as_str)
    }
}

/// What a blueprint is.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// One line.
    pub summary: Words,
    /// Layer of the platform.
    pub layer: Layer,
    /// Network zone.
    pub zone: Zone,
    /// SPDX expression of what is deployed.
    pub license: String,
    /// Where the system's makers are found.
    pub homepage: Option<String>,
    /// Capabilities for which it is added by itself when nothing else provides them.
    #[serde(default)]
    pub default_for: Vec<String>,
    /// Repositories of other images of the same system, or of those that it stands in for: `import compose` knows them.
    #[serde(default)]
    #[schemars(extend("examples" = [["docker.io/bitnami/postgresql"]]))]
    pub imports: Vec<String>,
    /// Versions.
    pub version: Versions,
    /// Where what stands here comes from.
    pub facts: Facts,
    /// What the bundle's README says of it.
    #[serde(default)]
    pub notes: Vec<Words>,
    /// Why it sends no traces, where something collects them.
    pub traces: Option<Words>,
}

/// Versions of the system.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Versions {
    /// The one that is used unless another is asked for.
    pub default: String,
    /// Dotted prefixes of those that were tried.
    pub tested: Vec<String>,
}

/// Where what a blueprint says comes from.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// Day on which it was looked up.
    #[schemars(with = "String")]
    pub checked: toml::value::Datetime,
    /// Projects and pages.
    pub sources: Vec<String>,
}

/// An edition of the system.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Edition {
    /// SPDX expression; the blueprint's own unless given.
    pub license: Option<String>,
    /// One line.
    pub summary: Words,
    /// Features that it has.
    #[serde(default)]
    pub features: Vec<String>,
    /// Whether it is used unless another is asked for.
    #[serde(default)]
    pub default: bool,
}

/// A feature that not every edition has.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Feature {
    /// One line.
    pub summary: Words,
}

/// What a system cannot do without.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Requires {
    /// Why it needs a Kubernetes API.
    pub cluster: Option<String>,
}

/// What a target cannot do.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetSupport {
    /// Why the system cannot run there.
    pub unsupported: String,
}

/// What users must know.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// When it applies; always unless given.
    pub when: Option<Expr>,
    /// How much it matters.
    pub severity: NoticeLevel,
    /// What is so; a lower-case phrase.
    pub message: Filled,
    /// What to do.
    pub help: Option<String>,
    /// Where it is known from.
    pub source: Option<String>,
}

/// An image that must not be used any more.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gone {
    /// Repository without its tag.
    pub image: String,
    /// What happened.
    pub reason: String,
    /// What to use.
    pub instead: Option<String>,
}

/// What users may set.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct OptionSpec {
    /// What it does.
    pub description: String,
    /// Value unless given.
    pub default: Option<Value>,
    /// Value unless given, computed from other options and the environment.
    pub computed: Option<Expr>,
    /// An example, for the documentation.
    pub example: Option<Value>,
    /// What is counted.
    pub unit: Option<String>,
    /// Features that values need: value to feature.
    #[serde(default)]
    pub features: BTreeMap<String, String>,
    /// `bytes`, `cpu`, `duration`, `cron`, `domain` or `replicas`.
    pub format: Option<String>,
    /// The rest of the JSON Schema.
    #[serde(flatten)]
    pub schema: BTreeMap<String, Value>,
}

/// A container image.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// Repository, fully qualified.
    pub from: String,
    /// Tag; `${version}` unless given.
    pub tag: Option<Filled>,
    /// Template of a Dockerfile, for an image derived from this one.
    pub build: Option<String>,
    /// Other files of the build.
    #[serde(default)]
    pub context: Vec<String>,
}

/// What services and jobs have in common.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct Workload {
    /// One of the images.
    pub image: String,
    /// Leave it out when this is false.
    pub when: Option<Expr>,
    /// What it is there for: it runs only where a component collects that, and starts with that component's profile.
    #[serde(rename = "for")]
    pub purpose: Option<Collected>,
    /// Program in place of the image's entry point.
    pub entrypoint: Option<Vec<Filled>>,
    /// Arguments in place of the image's.
    pub command: Option<Vec<Filled>>,
    /// Folder the program starts in.
    pub working_dir: Option<String>,
    /// Environment variables.
    #[serde(default)]
    pub env: BTreeMap<String, EnvSpec>,
    /// Files in the container, by their path there.
    #[serde(default)]
    pub files: BTreeMap<String, FileSpec>,
    /// Volumes, by their path in the container.
    #[serde(default)]
    pub volumes: BTreeMap<String, MountSpec>,
    /// Own secrets it may read.
    #[serde(default)]
    pub secrets: Vec<String>,
    /// Provides whose consumers' secrets it may read.
    #[serde(default)]
    pub serves: Vec<String>,
    /// Needs it uses; all unless given.
    pub needs: Option<Vec<String>>,
    /// Ports it listens on.
    #[serde(default)]
    pub ports: BTreeMap<String, Port>,
    /// Ports of other services of the component that it connects to: `coordinator.fabric`.
    #[serde(default)]
    pub connects: Vec<String>,
    /// Why it must reach the outside.
    pub egress: Option<EgressSpec>,
    /// Why and how it uses the Kubernetes API.
    pub cluster_api: Option<ClusterApiSpec>,
    /// Whether it asks the directory who somebody is, where people's accounts are in one: it may read the password of the
    /// account that looks for them.
    #[serde(default)]
    pub directory: bool,
    /// Whether it asks the directory without that account: of the two it may read the certificate of the directory's
    /// authority only.
    #[serde(default)]
    pub directory_authority: bool,
    /// A certificate with its key, for the service's names or the public ones.
    pub certificate: Option<CertificateSpec>,
    /// Own services that must be healthy before it starts.
    #[serde(default)]
    pub after: Vec<String>,
    /// How to tell whether it is well.
    pub probe: Option<Probe>,
    /// Memory and processors by size.
    pub resources: BTreeMap<Size, Resources>,
    /// Memory of a Java virtual machine.
    pub jvm: Option<Jvm>,
    /// Computed values.
    #[serde(default)]
    pub vars: BTreeMap<String, Expr>,
    /// User, writable folders and capabilities.
    #[serde(default)]
    pub run_as: RunAs,
    /// How it is stopped.
    #[serde(default)]
    pub stop: Stop,
    /// Size of /dev/shm.
    #[schemars(extend("format" = "bytes"))]
    pub shm: Option<String>,
    /// Limits of the operating system.
    #[serde(default)]
    pub ulimits: BTreeMap<String, i64>,
    /// Settings its host must have.
    #[serde(default)]
    pub host_settings: BTreeMap<String, HostSetting>,
    /// One of the `logs`: how the lines are read that it writes.
    pub logs: Option<String>,
    /// What it does for backups, if it is one of their jobs.
    #[serde(skip)]
    pub backup: Option<BackupRole>,
}

/// A workload that keeps running.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
// Serde cannot refuse unknown keys beside a flattened table; the schema can, and is what user blueprints are held to.
#[schemars(extend("additionalProperties" = false))]
pub struct Service {
    /// Whether it keeps data.
    pub kind: ServiceKind,
    /// Whether it bears the component's own name.
    #[serde(default)]
    pub main: bool,
    /// How many run.
    pub replicas: Option<Expr>,
    /// Whether each replica has a DNS name of its own.
    #[serde(default)]
    pub members: bool,
    /// How many replicas must run for it to work, as an expression; one unless given.
    pub quorum: Option<Expr>,
    /// Whether its members change one by one, where the target lets the bundle choose.
    #[serde(default)]
    pub update: UpdateOrder,
    /// Who makes its pods, where that is not the bundle.
    pub managed: Option<ManagedSpec>,
    /// Why it must not run twice.
    pub single: Option<String>,
    /// How it is scaled by load.
    pub scale: Option<Scale>,
    /// Whether it is a Kubernetes cluster, in which components that need one run where the target has none.
    pub hosts_cluster: Option<HostsClusterSpec>,
    /// What is scraped, by name.
    #[serde(default)]
    pub metrics: BTreeMap<String, MetricsEndpoint>,
    /// Whether one runs on each machine, rather than a number of replicas.
    #[serde(default)]
    pub per_host: bool,
    /// Folders and files of its machine, by their path in the container.
    #[serde(default)]
    pub host_mounts: BTreeMap<String, HostMount>,
    /// The rest.
    #[serde(flatten)]
    pub workload: Workload,
}

/// Whether a service keeps data.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum ServiceKind {
    /// Any replica can answer anything.
    Stateless,
    /// Replicas keep data of their own.
    Stateful,
}

/// How the members of a service change.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum UpdateOrder {
    /// One after the other, each when the one before it is well.
    #[default]
    OneByOne,
    /// All at once: different ones do not work with each other.
    Together,
}

/// A workload that ends.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
// Serde cannot refuse unknown keys beside a flattened table; the schema can, and is what user blueprints are held to.
#[schemars(extend("additionalProperties" = false))]
pub struct Job {
    /// Own services that wait until it has succeeded.
    #[serde(default)]
    pub before: Vec<String>,
    /// When it runs, as a cron expression; once at each start unless given.
    pub schedule: Option<Filled>,
    /// Whether it runs only when somebody tells it to.
    #[serde(default)]
    pub on_demand: bool,
    /// After what time it is given up: a duration, or an expression in seconds.
    pub timeout: Option<String>,
    /// How late a scheduled run may still start.
    #[schemars(extend("format" = "duration"))]
    pub deadline: Option<String>,
    /// The rest.
    #[serde(flatten)]
    pub workload: Workload,
}

/// Why a service must reach the outside.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum EgressSpec {
    /// The reason; anything may be reached.
    Always(String),
    /// In full.
    Table(EgressTable),
}

/// Why a service must reach the outside, in full.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EgressTable {
    /// The reason.
    pub why: String,
    /// It cannot when this is false.
    pub when: Option<Expr>,
    /// Hosts with their ports: `connectors.airbyte.com:443`; anything unless given.
    #[serde(default)]
    pub hosts: Vec<Filled>,
}

/// Use of the Kubernetes API, in the environment's own namespace.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClusterApiSpec {
    /// The reason.
    pub why: String,
    /// What it may do; none where somebody else gives it its rights.
    #[serde(default)]
    pub rules: Vec<ApiRule>,
}

/// What may be done with some kinds of objects.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiRule {
    /// API groups; the core one is `""`.
    pub groups: Vec<String>,
    /// Kinds, in the plural.
    pub resources: Vec<String>,
    /// Names of the only objects it is about; all unless given. Not for `create` and `list`, which know no names.
    #[serde(default)]
    pub names: Vec<Filled>,
    /// Verbs.
    pub verbs: Vec<String>,
}

/// A certificate with its key and the authority that others trust: `tls.crt`, `tls.key` and `ca.crt` in a folder.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateSpec {
    /// The folder.
    pub path: String,
    /// Whether it bears the public host names, rather than those of the service.
    #[serde(default)]
    pub public: bool,
    /// Own services that pass connections on to this one as they are: it bears their names, too.
    #[serde(default)]
    pub names: Vec<String>,
    /// Whether certificate and key are in a PKCS #12 store, too: `tls.p12`, for Java. Not on Kubernetes.
    #[serde(default)]
    pub keystore: bool,
    /// What makes the service read a renewed one: a signal (`HUP`), or `self` where it looks by itself; a restart unless
    /// given.
    #[schemars(extend("pattern" = "^(self|[A-Z][A-Z0-9]*)$"))]
    pub reload: Option<String>,
    /// Leave it out when this is false.
    pub when: Option<Expr>,
}

/// Pods that somebody else makes: an operator, or another service at run time.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ManagedSpec {
    /// The bundle makes them when this is false.
    pub when: Option<Expr>,
    /// Who.
    pub by: String,
    /// Whether a service launches them at run time, rather than an operator.
    #[serde(default)]
    pub launched: bool,
    /// Labels that the pods bear.
    pub labels: BTreeMap<String, Filled>,
    /// Their service account; the service's name unless given.
    pub service_account: Option<Filled>,
    /// DNS name that leads to them, where they are reached.
    pub host: Option<Filled>,
    /// Whether they are in the mesh.
    #[serde(default = "yes")]
    pub mesh: bool,
    /// The operator that reaches them.
    pub operator: Option<OperatorSpec>,
}

/// An operator that reaches the pods it made.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OperatorSpec {
    /// Its namespace.
    pub namespace: String,
    /// Names of the ports that it reaches.
    pub ports: Vec<String>,
}

/// A Kubernetes cluster inside a service. Its version is the component's.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostsClusterSpec {
    /// Folder in which it finds the objects of the components that run in it.
    pub manifests: String,
}

/// An environment variable.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum EnvSpec {
    /// Its value, if a condition holds.
    Table(EnvTable),
    /// Its value.
    Plain(Filled),
}

/// An environment variable, in full.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EnvTable {
    /// Its value.
    pub value: Option<Filled>,
    /// Own secret that is its value; on targets that can.
    pub secret: Option<String>,
    /// Need whose secret is its value; on targets that can.
    pub secret_of: Option<String>,
    /// Kubernetes Secret that the system makes by itself, and the key in it.
    pub made: Option<MadeSecret>,
    /// Whether its value is the zone that the replica runs in; empty where zones are not known.
    #[serde(default)]
    pub zone: bool,
    /// Leave it out when this is false.
    pub when: Option<Expr>,
}

/// A Kubernetes Secret that the system makes by itself.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MadeSecret {
    /// Its name.
    pub name: Filled,
    /// Key in it.
    pub key: String,
}

/// A file in a container.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum FileSpec {
    /// A template (`*.tera`) or a static file of the blueprint.
    Name(String),
    /// In full.
    Table(FileTable),
}

/// A file in a container, in full.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileTable {
    /// A template or a static file.
    pub template: Option<String>,
    /// A TOML file of the blueprint whose data it holds.
    pub data: Option<String>,
    /// A table whose entries become a file each: a name in scope. The `*` of the path stands for the key.
    pub each: Option<Expr>,
    /// Format of the data.
    #[serde(rename = "as")]
    pub format: Option<DataFormat>,
    /// Whether it can be run.
    #[serde(default)]
    pub executable: bool,
    /// Leave it out when this is false.
    pub when: Option<Expr>,
}

/// Format of a data file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum DataFormat {
    /// YAML.
    Yaml,
    /// JSON.
    Json,
    /// TOML.
    Toml,
    /// `key = value` lines.
    Properties,
}

/// A volume in a container.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum MountSpec {
    /// Name of the volume.
    Name(String),
    /// In full.
    Table(MountTable),
}

/// A volume in a container, in full.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MountTable {
    /// Name of the volume.
    pub volume: String,
    /// Whether it may only be read.
    #[serde(default)]
    pub read_only: bool,
}

/// A port that a service listens on.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Port {
    /// Its number.
    pub port: Expr,
    /// What is spoken there.
    pub protocol: Protocol,
    /// Whether and how it is reachable from outside.
    pub publish: Option<Publish>,
    /// Publish only when this is true.
    pub when: Option<Expr>,
    /// Public port, where it has one of its own.
    pub listen: Option<Expr>,
    /// Whether TLS is spoken there. Whoever connects is then handed the authority's certificate.
    pub tls: Option<Expr>,
    /// Why TLS cannot be spoken there.
    pub clear: Option<Words>,
    /// Whether whoever connects shows a certificate of the platform's authority too where TLS is spoken, rather than a
    /// password.
    #[serde(default)]
    pub mutual: bool,
    /// First part of its public host name; the component's name unless given.
    pub host: Option<String>,
    /// What people call it.
    pub title: Option<Words>,
    /// Whether WebSockets are used.
    #[serde(default)]
    pub websocket: bool,
    /// How long an answer may take: a duration, or an expression in seconds.
    pub timeout: Option<String>,
    /// How large a request may be: a size, `0B` for any, or an expression in bytes.
    pub max_body: Option<String>,
    /// Whether a client must stay with the replica it began with.
    #[serde(default)]
    pub sticky: bool,
    /// Path that answers 200 when all is well.
    pub check: Option<String>,
    /// Whether the proxy may hold back parts of requests and answers.
    #[serde(default = "yes")]
    pub buffering: bool,
}

pub(super) fn yes() -> bool {
    true
}

/// How to tell whether a service is well.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// Path that answers 200.
    pub http: Option<Filled>,
    /// Port of the path.
    pub port: Option<String>,
    /// Port that accepts connections.
    pub tcp: Option<String>,
    /// Program that exits with 0.
    pub exec: Option<Vec<Filled>>,
    /// Tool inside the image that asks, on targets without probes of their own.
    pub with: Option<ProbeTool>,
    /// What tells that it must be restarted, where that is something else: a service that waits for others is not
    /// ready, and no better for a restart. On targets that restart what is not well.
    pub live: Option<LiveProbe>,
    /// How long a start may take.
    #[schemars(extend("format" = "duration"))]
    pub startup: Option<String>,
    /// Time between two checks.
    #[schemars(extend("format" = "duration"))]
    pub interval: Option<String>,
    /// How long an answer may take.
    #[schemars(extend("format" = "duration"))]
    pub timeout: Option<String>,
    /// How many checks in a row must fail.
    pub retries: Option<u64>,
}

/// What tells that a service must be restarted.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LiveProbe {
    /// Path that answers 200.
    pub http: Option<Filled>,
    /// Port of the path.
    pub port: Option<String>,
    /// Port that accepts connections.
    pub tcp: Option<String>,
    /// Program that exits with 0.
    pub exec: Option<Vec<Filled>>,
}

/// Memory and processors of a service.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resources {
    /// Guaranteed share of processors.
    #[schemars(extend("format" = "cpu"))]
    pub cpu: String,
    /// Memory limit.
    #[schemars(extend("format" = "bytes"))]
    pub memory: String,
    /// Processors it may use at most; four times `cpu` unless given.
    #[schemars(extend("format" = "cpu"))]
    pub cpu_limit: Option<String>,
}

/// Memory of a Java virtual machine, in bytes.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Jvm {
    /// Heap.
    pub heap: Expr,
    /// Direct memory outside the heap.
    pub direct: Option<Expr>,
    /// Everything else; a tenth of the limit unless given.
    pub overhead: Option<Expr>,
}

/// How a service is scaled by load.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// What is measured.
    pub metric: ScaleMetric,
    /// Percentage of the guaranteed share that is aimed at.
    #[schemars(range(min = 1, max = 100))]
    pub target: u64,
}

/// User, writable folders and capabilities of a container.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunAs {
    /// Numeric user.
    pub user: Option<u32>,
    /// Numeric group; the user's number unless given.
    pub group: Option<u32>,
    /// Why the user is 0.
    pub root: Option<String>,
    /// Why it must have all rights on its machine; on targets that can.
    pub privileged: Option<String>,
    /// Whether the image's own files cannot be changed.
    #[serde(default)]
    pub read_only: bool,
    /// Why they can be changed, where they must.
    pub writable_root: Option<String>,
    /// Scratch folders in memory.
    #[serde(default)]
    pub writable: Vec<String>,
    /// Capabilities it has; none unless given.
    #[serde(default)]
    pub capabilities: Vec<String>,
}

/// How a service is stopped.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    /// How long it may take.
    #[schemars(extend("format" = "duration"))]
    pub grace: Option<String>,
    /// Signal that asks it to.
    pub signal: Option<String>,
}

/// A setting that a host must have.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostSetting {
    /// The least value.
    pub minimum: i64,
    /// Why.
    pub reason: String,
    /// Not needed when this is false.
    pub when: Option<Expr>,
}

/// Where data lies.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Volume {
    /// Room by size.
    pub size: BTreeMap<Size, String>,
    /// Class of disk.
    pub class: Option<DiskClass>,
    /// Whether several replicas use the same one.
    #[serde(default)]
    pub shared: bool,
    /// Kinds of storage it must not lie on, with the reason.
    #[serde(default, rename = "unsafe")]
    pub unsafe_on: BTreeMap<crate::terms::StorageKind, String>,
    /// What encrypts what is written there, where the system does that itself.
    pub encryption: Option<VolumeEncryption>,
    /// Leave it out when this is false, also where it is mounted.
    pub when: Option<Expr>,
}

/// What encrypts what a system writes to a volume.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VolumeEncryption {
    /// What it is, for the bundle's SECURITY.md.
    pub by: Words,
    /// It does so only when this is true.
    pub when: Option<Expr>,
}

/// A secret of the component itself.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Secret {
    /// How its value is made.
    pub kind: SecretKind,
    /// Characters or bytes.
    pub length: Option<u32>,
    /// The characters that it consists of, if others than letters and digits: for the kinds `alphanumeric` and `given`.
    pub alphabet: Option<String>,
    /// Text before the random part.
    pub prefix: Option<String>,
    /// How often it is changed, and what that takes.
    pub rotation: Option<Rotation>,
    /// What a token says, and the own secret that it is signed with.
    pub token: Option<Token>,
    /// What it is for.
    pub purpose: Words,
    /// The user whose password it is: stores that keep pairs keep both.
    pub user: Option<Filled>,
    /// Leave it out when this is false.
    pub when: Option<Expr>,
}

/// How often a secret is changed, and what that takes.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// After what time a value is old; never by itself, if absent.
    pub every: Option<String>,
    /// What it takes.
    pub how: RotationWay,
    /// The steps, or why it must stay.
    pub then: Option<Words>,
}

/// An account that people use.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Its name.
    pub user: Filled,
    /// Own secret that holds its password.
    pub secret: Option<String>,
    /// Need whose secret holds its password.
    pub secret_of: Option<String>,
    /// Service that it belongs to.
    pub service: String,
    /// What it is for.
    pub purpose: Words,
    /// Leave it out when this is false.
    pub when: Option<Expr>,
}

/// What a component provides to others.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Provide {
    /// The capability.
    pub capability: String,
    /// Service that provides it: a name, or a text that depends on the binding where there is one in front of another.
    pub service: Filled,
    /// Port of the service.
    pub port: Filled,
    /// Jobs that must have run before a consumer starts.
    #[serde(default)]
    pub after: Vec<String>,
    /// Secret made for each consumer.
    pub secret: Option<ProvideSecret>,
    /// What a need may ask for.
    #[serde(default)]
    pub params: Vec<String>,
    /// What a consumer gets.
    #[serde(default)]
    pub values: BTreeMap<String, Filled>,
    /// Values that no two consumers may share.
    #[serde(default)]
    pub unique: Vec<String>,
}

/// A secret made for each consumer.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProvideSecret {
    /// How its value is made.
    pub kind: SecretKind,
    /// Characters or bytes.
    pub length: Option<u32>,
    /// The characters that it consists of, if others than letters and digits.
    pub alphabet: Option<String>,
    /// Text before the random part.
    pub prefix: Option<String>,
    /// How often it is changed, and what that takes.
    pub rotation: Option<Rotation>,
    /// The user whose password it is, with `values` in scope: stores that keep pairs keep both.
    pub user: Option<Filled>,
}

/// What a component needs from others.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Need {
    /// The capability.
    pub capability: String,
    /// What it asks for.
    #[serde(default)]
    pub params: BTreeMap<String, Value>,
    /// Whether it can do without.
    #[serde(default)]
    pub optional: bool,
    /// Whether it waits for the provider.
    #[serde(default)]
    pub start: NeedStart,
    /// Leave it out when this is false.
    pub when: Option<Expr>,
}

/// Whether a consumer waits for its provider.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum NeedStart {
    /// Until it is healthy and its jobs are done.
    #[default]
    Healthy,
    /// Not at all.
    None,
}

/// A Kubernetes object of an operator.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Object {
    /// Leave it out when this is false.
    pub when: Option<Expr>,
    /// A TOML file of the blueprint that holds it.
    pub data: String,
    /// The condition of its status that says that it is up, if it has one: whoever applies the bundle waits for it.
    pub ready: Option<String>,
}

/// An operator that a cluster must have.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Operator {
    /// What it is called.
    pub name: String,
    /// The least version that the objects were made for.
    pub version: String,
    /// Where it is installed from, or how.
    pub help: String,
    /// Labels of its Deployment, whose image tells its version.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// A script for those who run the platform.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// A template of the blueprint; it sees what belongs to the component.
    pub template: String,
    /// Leave it out when this is false.
    pub when: Option<Expr>,
}
