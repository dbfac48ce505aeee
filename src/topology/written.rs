//! The topology as written: the shape of the file, for its JSON Schema and its reference page.
//!
//! Nothing is read into these types; a file is validated against the schema made from them and read as a
//! [`Tree`](crate::tree::Tree), which keeps places. Descriptions here are what editors show and what findings quote.

// Fields are read by the schema generator only.
#![allow(dead_code)]

use std::collections::BTreeMap;

use schemars::JsonSchema;

use crate::terms::{
    AlertSeverity, Availability, Cloud, DiskClass, GatewayApi, GitOps, Locale, Login, PublicTls,
    Scheduler, SecretStore, ServicesTls, Size, StorageKind, StoreKind, Target, Weekday,
};
use crate::value::Value;

/// The topology of a data platform: what it consists of, and the environments it runs in.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Lakewright topology")]
pub struct Topology {
    /// The platform as a whole.
    platform: Platform,
    /// The systems of the platform, each under a name of its own. The name is also that of the blueprint, unless
    /// `blueprint` says otherwise.
    #[serde(default)]
    components: BTreeMap<String, Component>,
    /// Where the platform runs: dev, staging, prod, or any name.
    #[schemars(extend("minProperties" = 1, "propertyNames" = { "format": "name" }))]
    environments: BTreeMap<String, Environment>,
    /// Who is told of alerts, when and how.
    alerting: Option<Alerting>,
    /// How the platform is backed up. Without it there are no backups.
    backup: Option<Backup>,
    /// Who people are, who checks that, and what they may do.
    identity: Option<Identity>,
    /// Findings that are accepted everywhere, each by its code, with the reason.
    #[schemars(extend("examples" = [{ "image-untagged": "pinned by the registry" }]))]
    allow: Option<BTreeMap<String, Reason>>,
}

/// Why a finding is accepted.
#[derive(JsonSchema)]
#[schemars(transparent, inline)]
pub struct Reason(#[schemars(length(min = 3))] String);

/// The platform as a whole.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Platform {
    /// Short name; begins the names of containers, networks and volumes.
    #[schemars(extend("format" = "name", "examples" = ["lakehouse"]))]
    name: String,
    /// Domain under which people reach the web interfaces: `superset.<domain>`. Environments may have their own.
    #[schemars(extend("format" = "domain", "examples" = ["data.example.com"]))]
    domain: Option<String>,
    /// Language of what bundles show to people.
    #[schemars(extend("default" = "en", "examples" = ["fr"]))]
    locale: Option<Locale>,
    /// Folder with blueprints that are added to the built-in ones or replace them, relative to this file.
    #[schemars(extend("format" = "folder", "examples" = ["blueprints"]))]
    blueprints: Option<String>,
    /// Which licences the platform may use.
    licences: Option<Licences>,
}

/// Which licences the platform may use. SPDX identifiers; `LicenseRef-…` for what SPDX has no name for.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Licences {
    /// Licences that are refused. Where a system may be used under one of several, one that is not refused is enough.
    #[schemars(extend("examples" = [["AGPL-3.0-only", "LicenseRef-Elastic-2.0"]]))]
    refuse: Option<Vec<String>>,
    /// Only these licences are accepted.
    #[schemars(extend("examples" = [["Apache-2.0", "PostgreSQL"]]))]
    accept: Option<Vec<String>>,
}

/// A system of the platform: a blueprint put to use. Options of the blueprint stand beside these keys.
#[derive(JsonSchema)]
pub struct Component {
    /// The blueprint, where the component's name is not its name.
    #[schemars(extend("examples" = ["haproxy"]))]
    blueprint: Option<String>,
    /// Version of the system; the blueprint knows a tested one.
    #[schemars(extend("examples" = ["17.11"]))]
    version: Option<String>,
    /// Edition of the system, where its maker has several.
    #[schemars(extend("examples" = ["community"]))]
    edition: Option<String>,
    /// Resources of its services: small, medium or large. The environment's size unless given.
    #[schemars(extend("examples" = ["medium"]))]
    size: Option<Size>,
    /// Leave the component out where this is false.
    #[schemars(extend("default" = true, "examples" = [false]))]
    enabled: Option<bool>,
    /// Profile that must be asked for when starting, where not everything starts at once (Compose).
    #[schemars(extend("format" = "name", "examples" = ["search"]))]
    profile: Option<String>,
    /// Which component provides what this one needs: `{ metadata = "postgresql" }`, or false to go without what is
    /// optional. Needed only where several provide the same.
    #[schemars(extend("examples" = [{ "metadata": "postgresql", "engine": false }]))]
    needs: Option<BTreeMap<String, Provider>>,
    /// Other images than the blueprint's, by the blueprint's name for them: `{ app = "registry.example.com/x:1.2" }`.
    #[schemars(extend("examples" = [{ "app": "registry.example.com/superset:6.1.0" }]))]
    images: Option<BTreeMap<String, String>>,
    /// Settings of single services.
    #[schemars(extend("examples" = [{ "web": { "memory": "1GiB" } }]))]
    services: Option<BTreeMap<String, Service>>,
    /// Settings of single volumes.
    #[schemars(extend("examples" = [{ "data": { "size": "50GiB" } }]))]
    volumes: Option<BTreeMap<String, Volume>>,
    /// Settings of single alerts, by the names that the runbook has.
    #[schemars(extend("propertyNames" = { "format": "rule-name" }))]
    #[schemars(extend("examples" = [{ "PostgresqlDown": { "for": "10m" } }]))]
    alerts: Option<BTreeMap<String, Alert>>,
    /// How it is backed up, where that differs from `[backup]`.
    #[schemars(extend("examples" = [{ "schedule": "0 */6 * * *", "recovery_point": "6h" }]))]
    backup: Option<ComponentBackup>,
    /// Findings about this component that are accepted, each by its code, with the reason.
    #[schemars(extend("examples" = [{ "untested-version": "tried by hand" }]))]
    allow: Option<BTreeMap<String, Reason>>,
    /// Keys of the platform's defaults that this environment takes out again: `["row_limit", "services.web.memory"]`.
    #[schemars(extend("examples" = [["row_limit", "services.web.memory"]]))]
    unset: Option<Vec<String>>,
}

/// The component that provides what another needs.
#[derive(JsonSchema)]
#[serde(untagged)]
pub enum Provider {
    /// the name of a component
    #[schemars(title = "the name of a component")]
    Component(String),
    /// false
    #[schemars(title = "false")]
    None(#[schemars(extend("const" = false))] bool),
}

/// Settings of one alert.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Alert {
    /// Leave the alert out where this is false.
    #[schemars(extend("default" = true, "examples" = [false]))]
    enabled: Option<bool>,
    /// How bad it is: critical, warning or info.
    #[schemars(extend("examples" = ["warning"]))]
    severity: Option<AlertSeverity>,
    /// How long the state must last before anybody is told.
    #[serde(rename = "for")]
    #[schemars(extend("format" = "rule-duration", "examples" = ["10m"]))]
    hold: Option<String>,
}

/// Settings of one service.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// How many run at the same time; `{ min, max }` where load decides.
    #[schemars(with = "Option<Replicas>")]
    #[schemars(extend("examples" = [3]))]
    replicas: Option<Value>,
    /// Memory limit, and what it counts in its host's budget: "2GiB".
    #[schemars(extend("format" = "bytes", "examples" = ["2GiB"]))]
    memory: Option<String>,
    /// Guaranteed share of processors, and what it counts in its host's budget: "500m", "2", 0.5.
    #[schemars(with = "Option<Cpu>")]
    #[schemars(extend("examples" = ["500m"]))]
    cpu: Option<Value>,
    /// Processors it may use at most.
    #[schemars(with = "Option<Cpu>")]
    #[schemars(extend("examples" = [2]))]
    cpu_limit: Option<Value>,
    /// Labels that the hosts must have on which it runs: `{ disk = "nvme" }`. Besides its own labels, every host has
    /// `host`, its name, and `zone`.
    #[schemars(extend("examples" = [{ "host": "staging-1" }]))]
    host_labels: Option<BTreeMap<String, HostLabel>>,
    /// More environment variables. Never secrets: those are declared in blueprints and made by `secrets init`.
    #[schemars(extend("examples" = [{ "TZ": "Europe/Paris" }]))]
    env: Option<BTreeMap<String, String>>,
}

/// Value of a label.
#[derive(JsonSchema)]
#[schemars(transparent, inline)]
pub struct HostLabel(
    #[schemars(regex(pattern = "^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$"))] String,
);

/// A number of replicas.
#[derive(JsonSchema)]
#[serde(untagged)]
pub enum Replicas {
    /// a whole number
    #[schemars(title = "a whole number")]
    Fixed(#[schemars(range(min = 0, max = 1000))] i64),
    /// a table { min, max }
    #[schemars(title = "a table { min, max }")]
    Range(Range),
}

/// The least and the most replicas.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// The least.
    #[schemars(range(min = 1, max = 1000))]
    #[schemars(extend("examples" = [3]))]
    min: i64,
    /// The most.
    #[schemars(range(min = 1, max = 1000))]
    #[schemars(extend("examples" = [10]))]
    max: i64,
}

/// A share of processors.
#[derive(JsonSchema)]
#[serde(untagged)]
pub enum Cpu {
    /// a text such as "500m"
    #[schemars(title = "a text such as \"500m\"")]
    Text(#[schemars(extend("format" = "cpu"))] String),
    /// a number such as 2 or 0.5
    #[schemars(title = "a number such as 2 or 0.5")]
    Number(#[schemars(range(min = 0, max = 100_000))] f64),
}

/// Settings of one volume.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Volume {
    /// Room for data: "50GiB".
    #[schemars(extend("format" = "bytes", "examples" = ["50GiB"]))]
    size: Option<String>,
    /// Where it lies, if not where the environment's `storage` says.
    #[schemars(extend("examples" = ["local"]))]
    storage: Option<StorageKind>,
}

/// An environment: where and how large the platform runs.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// What it compiles to.
    #[schemars(extend("examples" = ["compose"]))]
    target: Target,
    /// Resources of its services: small for compose, medium for swarm, large for kubernetes unless given.
    #[schemars(extend("examples" = ["small"]))]
    size: Option<Size>,
    /// Whether it must survive the loss of one replica, host or zone: what runs once only is then a finding.
    #[schemars(extend("default" = "single", "examples" = ["high"]))]
    availability: Option<Availability>,
    /// Domain of this environment, if it has its own. On compose: localhost unless given.
    #[schemars(extend("format" = "domain", "examples" = ["staging.data.example.com"]))]
    domain: Option<String>,
    /// Address that published ports are bound to: 127.0.0.1 on compose unless given, all addresses elsewhere.
    #[schemars(extend("examples" = ["0.0.0.0"]))]
    bind: Option<String>,
    /// Range of private addresses for this environment's networks.
    #[schemars(extend("format" = "cidr"))]
    #[schemars(extend("default" = "10.213.0.0/16", "examples" = ["10.213.0.0/16"]))]
    network: Option<String>,
    /// Machines or node pools. Their memory and processors are the budget that the services must fit into.
    #[schemars(extend("examples" = [[{ "name": "local", "memory": "8GiB", "cpus": 4 }]]))]
    hosts: Option<Vec<Host>>,
    /// Zones that hosts and replicas are spread over.
    #[schemars(extend("uniqueItems" = true, "examples" = [["a", "b", "c"]]))]
    zones: Option<Vec<String>>,
    /// Where volumes lie.
    #[schemars(extend("examples" = [{ "kind": "nfs", "server": "10.0.0.5", "path": "/export/lake" }]))]
    storage: Option<Storage>,
    /// Registry that images of the bundle are pushed to and pulled from, where the target cannot build them itself:
    /// needed on Kubernetes and Swarm as soon as a blueprint builds one.
    #[schemars(extend("format" = "image-prefix", "examples" = ["registry.example.com/lakehouse"]))]
    registry: Option<String>,
    /// Where images are pulled from instead: beginnings of their references, each with what stands in its place. The
    /// longest that fits decides.
    #[schemars(extend("additionalProperties" = { "type": "string", "format": "image-prefix" }))]
    #[schemars(extend("examples" = [{ "docker.io": "mirror.example.com/hub" }]))]
    mirrors: Option<BTreeMap<String, String>>,
    /// What runs jobs at their times on Compose and Swarm, which have no clock: cron, by a `crontab`, or systemd, by a timer
    /// for each job.
    #[schemars(extend("default" = "cron", "examples" = ["systemd"]))]
    scheduler: Option<Scheduler>,
    /// Versions of secrets that were rotated, by their names; 1 unless given. The version is part of a secret's name in
    /// the cluster, so raising it restarts what reads the secret.
    #[schemars(extend("additionalProperties" = { "type": "integer", "minimum": 1, "maximum": 9999 }))]
    #[schemars(extend("examples" = [{ "superset-secret-key": 2 }]))]
    secret_versions: Option<BTreeMap<String, i64>>,
    /// Where the values of secrets are kept, and how they reach services.
    #[schemars(extend("examples" = [{ "store": "external-secrets", "name": "vault", "prefix": "lakehouse/prod/" }]))]
    secrets: Option<Secrets>,
    /// Certificates: whose, and how long they are good.
    #[schemars(extend("examples" = [{ "public": "internal" }]))]
    tls: Option<Tls>,
    /// What only Kubernetes has.
    #[schemars(extend("examples" = [{ "version": "1.36", "cloud": "aws" }]))]
    kubernetes: Option<Kubernetes>,
    /// Sets of components that start only when asked for: `{ search = ["elasticsearch"] }`.
    #[schemars(extend("propertyNames" = { "format": "name" }))]
    #[schemars(extend("examples" = [{ "search": ["elasticsearch"] }]))]
    profiles: Option<BTreeMap<String, Profile>>,
    /// Components as they differ in this environment, laid over the platform's.
    #[schemars(extend("examples" = [{ "superset": { "replicas": 2 } }]))]
    components: Option<BTreeMap<String, Component>>,
    /// Who is told of alerts, as it differs in this environment, laid over the platform's.
    #[schemars(extend("examples" = [{ "receivers": { "oncall": { "slack": "#alerts-staging" } } }]))]
    alerting: Option<Alerting>,
    /// How it is backed up, as it differs in this environment, laid over the platform's.
    #[schemars(extend("examples" = [{ "enabled": false }]))]
    backup: Option<Backup>,
    /// Who people are and what they may do, as it differs in this environment, laid over the platform's.
    #[schemars(extend("examples" = [{ "kind": "local" }]))]
    identity: Option<Identity>,
    /// Files and folders in the bundle's folder that are yours: neither `verify` nor `build --check` reports them.
    #[schemars(extend("items" = { "type": "string", "format": "folder" }))]
    #[schemars(extend("examples" = [["notes.md"]]))]
    keep: Option<Vec<String>>,
    /// Findings that are accepted in this environment, each by its code, with the reason.
    #[schemars(extend("examples" = [{ "needs-cluster": "ingestion runs in production only" }]))]
    allow: Option<BTreeMap<String, Reason>>,
}

/// Components that start only when asked for.
#[derive(JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
enum Profile {
    /// Their names.
    #[schemars(title = "a list of names")]
    Start(Vec<String>),
    /// Their names, and those of what has to be stopped for them.
    #[schemars(title = "a table { start, stop }")]
    Table(ProfileTable),
}

/// Components that start only when asked for, and what has to be stopped for them.
#[derive(JsonSchema)]
#[schemars(inline)]
#[serde(deny_unknown_fields)]
struct ProfileTable {
    /// Components that start with it.
    start: Vec<String>,
    /// Components that it leaves no room for: they are stopped before it starts.
    stop: Option<Vec<String>>,
}

/// Where the values of secrets are kept, and how they reach services. Here are names only, never a value.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    /// The store. On compose `files` in the bundle's folder, on swarm `external`, secrets of the Swarm that a script makes of
    /// such files, on kubernetes `script`, Secrets that a script makes of them, unless given. On kubernetes also
    /// `external-secrets`, a store outside that the External Secrets Operator reads, and `sealed-secrets`. On every target
    /// `sops`: files that git may hold, beside the target's own way.
    #[schemars(extend("examples" = ["external-secrets"]))]
    store: Option<SecretStore>,
    /// External Secrets: name of the SecretStore or ClusterSecretStore, which exists.
    #[schemars(extend("format" = "name", "examples" = ["vault"]))]
    name: Option<String>,
    /// External Secrets: what that is.
    #[schemars(extend("default" = "ClusterSecretStore", "examples" = ["SecretStore"]))]
    kind: Option<StoreKind>,
    /// External Secrets: what the keys in the store begin with. A secret's name and version follow: `superset-secret-key-v1`.
    #[schemars(regex(pattern = "^[A-Za-z0-9][A-Za-z0-9/_.-]{0,199}$"))]
    #[schemars(extend("examples" = ["lakehouse/prod/"]))]
    prefix: Option<String>,
    /// External Secrets: the field of an entry that holds the value, where entries have fields; the whole entry unless given.
    #[schemars(regex(pattern = "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"))]
    #[schemars(extend("examples" = ["value"]))]
    property: Option<String>,
    /// External Secrets: how often the operator looks for another value, and replaces the one in the cluster. Never unless
    /// given: a new value is then a new version of the secret, which restarts what reads it.
    #[schemars(extend("format" = "duration", "examples" = ["1h"]))]
    refresh: Option<String>,
    /// SOPS: public keys of age that values are encrypted for.
    #[schemars(extend("items" = { "type": "string", "format": "age-recipient" }))]
    #[schemars(extend("minItems" = 1, "uniqueItems" = true))]
    #[schemars(extend("examples" = [["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"]]))]
    recipients: Option<Vec<String>>,
}

/// Certificates of the platform's services.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// Where the certificate of the public host names comes from: the platform's own authority, you, or nowhere, which
    /// leaves what is public unencrypted. `off` on compose and `internal` on swarm unless given. Not for Kubernetes, where
    /// `kubernetes.issuer` and `kubernetes.tls_secret` say it.
    #[schemars(extend("examples" = ["own"]))]
    public: Option<PublicTls>,
    /// The public authority that is asked, for `public = "acme"`.
    #[schemars(extend("examples" = [{ "email": "ops@example.com", "dns": "route53" }]))]
    acme: Option<Acme>,
    /// Whether services speak TLS 1.3 among themselves, with certificates of the platform's own authority that both sides
    /// can verify. What a system cannot do is in the bundle's README. Not for Kubernetes, where the mesh does it.
    #[schemars(extend("default" = "off", "examples" = ["internal"]))]
    services: Option<ServicesTls>,
    /// Keys of certificates that the platform makes: "ecdsa-p256", "ecdsa-p384", "rsa-3072" or "rsa-4096". Weaker ones are
    /// refused, and so is what not every program and browser can verify.
    #[schemars(extend("default" = "ecdsa-p256", "examples" = ["rsa-3072"]))]
    key: Option<String>,
    /// How long a certificate of the platform's authority is good, in whole days.
    #[schemars(extend("format" = "duration", "default" = "90d", "examples" = ["30d"]))]
    lifetime: Option<String>,
    /// How long before its end a certificate is renewed; when a third of its time is left unless given.
    #[schemars(extend("format" = "duration", "examples" = ["30d"]))]
    renew_before: Option<String>,
    /// How long the authority itself is good, in whole days. It is made once and never renewed by itself outside Kubernetes.
    #[schemars(extend("format" = "duration", "default" = "3650d", "examples" = ["1825d"]))]
    authority_lifetime: Option<String>,
}

/// A public authority that certificates are asked of by ACME (RFC 8555). It believes what DNS says of the host names, so they need
/// not be reachable from outside.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Acme {
    /// Its directory.
    #[schemars(regex(pattern = "^https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?$"))]
    #[schemars(extend("default" = "https://acme-v02.api.letsencrypt.org/directory"))]
    #[schemars(extend("examples" = ["https://acme-staging-v02.api.letsencrypt.org/directory"]))]
    directory: Option<String>,
    /// Whom the authority writes to.
    #[schemars(extend("format" = "mail-address", "examples" = ["ops@example.com"]))]
    email: Option<String>,
    /// What puts records into DNS: the name of a plugin of certbot (`route53`, `cloudflare`, `rfc2136`), or `hook` for programs of
    /// yours.
    #[schemars(regex(pattern = "^[a-z][a-z0-9-]{1,30}$"))]
    #[schemars(extend("default" = "hook", "examples" = ["route53"]))]
    dns: Option<String>,
}

/// The cluster that an environment runs in.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Kubernetes {
    /// Minor version of the cluster, 1.33 to 1.37. What it does not serve is an error.
    #[schemars(extend("default" = "1.36", "examples" = ["1.35"]))]
    version: Option<String>,
    /// Namespace; the platform's name unless given.
    #[schemars(extend("format" = "name", "examples" = ["lakehouse"]))]
    namespace: Option<String>,
    /// Whose disks volumes lie on: storage classes for encrypted SSDs of theirs are part of the bundle.
    #[schemars(extend("examples" = ["aws"]))]
    cloud: Option<Cloud>,
    /// Key in the cloud's key store that disks are encrypted with; the cloud's own unless given.
    #[schemars(extend("examples" = ["arn:aws:kms:eu-west-3:111122223333:key/1234abcd"]))]
    disk_key: Option<String>,
    /// Storage classes that the cluster has already, in place of those of the bundle.
    #[schemars(extend("examples" = [{ "ssd": "fast-encrypted" }]))]
    storage_classes: Option<BTreeMap<DiskClass, String>>,
    /// The API that the gateway is described in.
    #[schemars(extend("default" = "gateway-api", "examples" = ["istio"]))]
    gateway: Option<GatewayApi>,
    /// Secret with the certificate of the public host names, of type kubernetes.io/tls.
    #[schemars(extend("format" = "name", "default" = "public-tls", "examples" = ["data-example-com"]))]
    tls_secret: Option<String>,
    /// ClusterIssuer of cert-manager that fills that Secret; without it, the Secret is yours to make.
    #[schemars(extend("examples" = ["letsencrypt"]))]
    issuer: Option<String>,
    /// What the API server puts before the names of groups that its identity provider tells (`--oidc-groups-prefix`). Roles of
    /// the platform are bound to groups of these names.
    #[schemars(regex(pattern = "^[A-Za-z0-9._:/-]{0,63}$"))]
    #[schemars(extend("default" = "oidc:", "examples" = ["corp:"]))]
    group_prefix: Option<String>,
    /// Tool that applies the bundle from a git repository: objects then carry its order of application.
    #[schemars(extend("examples" = ["argocd"]))]
    gitops: Option<GitOps>,
}

/// A machine, or a pool of equal ones.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// Its name.
    #[schemars(extend("format" = "name", "examples" = ["local"]))]
    name: String,
    /// Memory of one machine.
    #[schemars(extend("format" = "bytes", "examples" = ["8GiB"]))]
    memory: String,
    /// Processors of one machine.
    #[schemars(with = "Cpu")]
    #[schemars(extend("examples" = [4]))]
    cpus: Value,
    /// How many there are of it.
    #[schemars(range(min = 1, max = 1000))]
    #[schemars(extend("default" = 1, "examples" = [3]))]
    count: Option<i64>,
    /// The zone it stands in.
    #[schemars(extend("examples" = ["a"]))]
    zone: Option<String>,
    /// Labels by which services can ask for it: `{ disk = "nvme" }`.
    #[schemars(extend("propertyNames" = { "pattern": "^[a-z][a-z0-9_-]{0,30}$" }))]
    #[schemars(extend("examples" = [{ "disk": "nvme" }]))]
    labels: Option<BTreeMap<String, HostLabel>>,
    /// What is left to the machine itself; an eighth unless given.
    #[schemars(extend("examples" = [{ "memory": "2GiB", "cpus": 1 }]))]
    reserve: Option<Reserve>,
}

/// What is left to the machine itself.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reserve {
    /// Memory.
    #[schemars(extend("format" = "bytes", "examples" = ["2GiB"]))]
    memory: Option<String>,
    /// Processors.
    #[schemars(with = "Option<Cpu>")]
    #[schemars(extend("examples" = [1]))]
    cpus: Option<Value>,
}

/// Where volumes lie.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Storage {
    /// On each machine itself, or shared over the network.
    #[schemars(extend("default" = "local", "examples" = ["nfs"]))]
    kind: Option<StorageKind>,
    /// Whether the disks are encrypted that volumes lie on, those of the hosts or of the NFS server: by LUKS, by themselves,
    /// or by whoever rents them out. You see to it; the bundle says so, and a finding goes. Not for Kubernetes, where storage
    /// classes decide.
    #[schemars(extend("default" = false, "examples" = [true]))]
    encrypted: Option<bool>,
    /// NFS: the server.
    #[schemars(extend("examples" = ["10.0.0.5"]))]
    server: Option<String>,
    /// NFS: the exported folder.
    #[schemars(extend("examples" = ["/export/lake"]))]
    path: Option<String>,
}

/// Who is told of alerts, when and how.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Alerting {
    /// Web address of the bundle's folder, where the team reads it: what links to the runbook begin with.
    #[schemars(extend("format" = "url"))]
    #[schemars(extend("examples" = ["https://git.example.com/platform/blob/main/prod"]))]
    runbook_url: Option<String>,
    /// The server that sends mail.
    #[schemars(extend("examples" = [{ "server": "smtp.example.com:587", "from": "alerts@example.com", "user": "alerts" }]))]
    mail: Option<Mail>,
    /// Who can be told, by name. The one called `default` is told what no route takes.
    #[schemars(extend("propertyNames" = { "format": "name", "maxLength": 20 }))]
    #[schemars(extend("examples" = [{ "oncall": { "email": ["oncall@example.com"], "slack": "#data-alerts" } }]))]
    receivers: Option<BTreeMap<String, Receiver>>,
    /// Who is told what: every route that fits an alert tells its receivers.
    #[schemars(extend("examples" = [[{ "severity": ["critical"], "receivers": ["oncall"] }]]))]
    routes: Option<Vec<Route>>,
    /// Times in which routes that name them tell nobody, by name.
    #[schemars(extend("propertyNames" = { "format": "name" }))]
    #[schemars(extend("examples" = [{ "nights": { "from": "22:00", "to": "06:00", "zone": "Europe/Paris" } }]))]
    quiet_hours: Option<BTreeMap<String, QuietHours>>,
    /// Who looks after which component: names that alerts bear and routes can ask for. `default` stands for the rest.
    #[schemars(extend("additionalProperties" = { "type": "string", "format": "name" }))]
    #[schemars(extend("examples" = [{ "default": "platform", "postgresql": "dba" }]))]
    owners: Option<BTreeMap<String, String>>,
    /// A sign of life that is sent as long as alerts can be: who gets it raises the alarm when it stays away.
    #[schemars(extend("examples" = [{ "interval": "5min" }]))]
    heartbeat: Option<Heartbeat>,
    /// Alerts of your own, by name.
    #[schemars(extend("propertyNames" = { "format": "rule-name" }))]
    rules: Option<BTreeMap<String, AlertRule>>,
    /// Keys of the platform's `alerting` that this environment takes out again: `["heartbeat", "receivers.oncall.slack"]`.
    #[schemars(extend("examples" = [["heartbeat", "receivers.oncall.slack"]]))]
    unset: Option<Vec<String>>,
}

/// The server that sends mail.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    /// Host and port: 587 for mail that begins in clear and goes on encrypted, 465 for what is encrypted from the start.
    #[schemars(extend("format" = "host-port", "examples" = ["smtp.example.com:587"]))]
    server: Option<String>,
    /// Address that mail comes from.
    #[schemars(extend("format" = "mail-address", "examples" = ["alerts@example.com"]))]
    from: Option<String>,
    /// Account on the server. Its password is a secret that is given.
    #[schemars(length(min = 1))]
    #[schemars(extend("examples" = ["alerts@example.com"]))]
    user: Option<String>,
    /// Whether nothing is sent unencrypted.
    #[schemars(extend("default" = true, "examples" = [false]))]
    tls: Option<bool>,
}

/// Someone who can be told: by each of the ways that are given.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Receiver {
    /// Mail addresses.
    #[schemars(extend("items" = { "type": "string", "format": "mail-address" }))]
    #[schemars(extend("minItems" = 1, "uniqueItems" = true, "examples" = [["oncall@example.com"]]))]
    email: Option<Vec<String>>,
    /// Slack channel. The address of an incoming webhook for it is a secret that is given.
    #[schemars(extend("format" = "slack-channel", "examples" = ["#data-alerts"]))]
    slack: Option<String>,
    /// Address that alerts are posted to as JSON; `true` where the address is a secret that is given.
    #[schemars(extend("examples" = ["https://hooks.example.com/alerts"]))]
    webhook: Option<Webhook>,
}

/// Address that alerts are posted to.
#[derive(JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
enum Webhook {
    /// A web address.
    #[schemars(title = "a web address")]
    Url(#[schemars(extend("format" = "url"))] String),
    /// true
    #[schemars(title = "true")]
    Given(#[schemars(extend("const" = true))] bool),
}

/// Who is told of which alerts.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// How bad an alert must be.
    #[schemars(extend("minItems" = 1, "uniqueItems" = true))]
    #[schemars(extend("default" = ["critical", "warning"], "examples" = [["critical"]]))]
    severity: Option<Vec<AlertSeverity>>,
    /// Components that it is about; all unless given.
    #[schemars(extend("minItems" = 1, "uniqueItems" = true))]
    #[schemars(extend("examples" = [["postgresql", "minio"]]))]
    components: Option<Vec<String>>,
    /// Owners of these components; all unless given.
    #[schemars(extend("minItems" = 1, "uniqueItems" = true, "examples" = [["dba"]]))]
    owners: Option<Vec<String>>,
    /// Who is told.
    #[schemars(extend("minItems" = 1, "uniqueItems" = true, "examples" = [["oncall"]]))]
    receivers: Vec<String>,
    /// Quiet hours in which this route tells nobody. What still fires when they end is told then.
    #[schemars(extend("minItems" = 1, "uniqueItems" = true, "examples" = [["nights"]]))]
    quiet: Option<Vec<String>>,
}

/// Times in which routes that name them tell nobody.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QuietHours {
    /// Days on which they begin; every day unless given.
    #[schemars(extend("minItems" = 1, "uniqueItems" = true, "examples" = [["saturday", "sunday"]]))]
    days: Option<Vec<Weekday>>,
    /// When they begin.
    #[schemars(extend("format" = "time-of-day", "default" = "00:00", "examples" = ["22:00"]))]
    from: Option<String>,
    /// When they end: on the next day, where that is earlier than `from`.
    #[schemars(extend("format" = "time-of-day", "default" = "24:00", "examples" = ["06:00"]))]
    to: Option<String>,
    /// Time zone, by its name in the IANA's database.
    #[schemars(extend("default" = "UTC", "examples" = ["Europe/Paris"]))]
    zone: Option<String>,
}

/// A sign of life.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// One of the receivers. Unless it or `url` is given, the address that the sign is posted to is a secret that is given.
    #[schemars(extend("examples" = ["watch"]))]
    receiver: Option<String>,
    /// Address that the sign is posted to.
    #[schemars(extend("format" = "url", "examples" = ["https://heartbeat.example.com/lakehouse"]))]
    url: Option<String>,
    /// Time from one to the next.
    #[schemars(extend("format" = "duration", "default" = "5min", "examples" = ["1min"]))]
    interval: Option<String>,
}

/// An alert of your own.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertRule {
    /// Condition in PromQL. Its metrics must be known.
    #[schemars(length(min = 1))]
    #[schemars(extend("examples" = ["sum(rate(nginx_http_requests_total[5m])) > 500"]))]
    expr: Option<String>,
    /// How long it must hold before the alert fires, as in rules of Prometheus.
    #[schemars(rename = "for")]
    #[schemars(extend("format" = "rule-duration", "default" = "5m", "examples" = ["10m"]))]
    hold: Option<String>,
    /// How bad it is.
    #[schemars(extend("default" = "warning", "examples" = ["critical"]))]
    severity: Option<AlertSeverity>,
    /// One line that says what is wrong.
    #[schemars(length(min = 3))]
    #[schemars(extend("examples" = ["The web server gets unusually many requests"]))]
    summary: Option<String>,
    /// What it means.
    #[schemars(extend("examples" = ["{{ $value | humanize }} requests a second arrive; 500 is what it was sized for."]))]
    description: Option<String>,
    /// What to look at and what to do, as Markdown: a section of the runbook.
    #[schemars(extend("examples" = ["Look at the access log for a client that repeats itself."]))]
    runbook: Option<String>,
    /// The component that it is about: it is routed as that one's alerts are.
    #[schemars(extend("examples" = ["nginx"]))]
    component: Option<String>,
}

/// How the platform is backed up.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Backup {
    /// Make no backups where this is false.
    #[schemars(extend("default" = true, "examples" = [false]))]
    enabled: Option<bool>,
    /// When copies are made.
    #[schemars(extend("format" = "cron", "default" = "0 2 * * *", "examples" = ["0 2 * * *"]))]
    schedule: Option<String>,
    /// When the newest copy is put back into a scratch place to prove that it can be; false for never.
    #[schemars(extend("default" = "0 5 * * 0", "examples" = ["0 5 * * 0"]))]
    drill: Option<Drill>,
    /// How long copies are kept, by generations.
    #[schemars(extend("examples" = [{ "days": 30, "weeks": 8, "months": 12 }]))]
    retention: Option<Retention>,
    /// How much may be lost at most: the time from one copy to the next. What the schedule gives, unless given.
    #[schemars(extend("format" = "duration", "examples" = ["1d"]))]
    recovery_point: Option<String>,
    /// How long a restore may take. Drills are measured against it.
    #[schemars(extend("format" = "duration", "default" = "4h", "examples" = ["2h"]))]
    recovery_time: Option<String>,
    /// How large a copy is, for the room that is planned; a share of the volumes unless given.
    #[schemars(extend("format" = "bytes", "examples" = ["2GiB"]))]
    copy_size: Option<String>,
    /// Public keys of age that copies are encrypted for. The secret key of one of them is needed to restore, and a secret
    /// that is given.
    #[schemars(extend("items" = { "type": "string", "format": "age-recipient" }))]
    #[schemars(extend("uniqueItems" = true))]
    #[schemars(extend("examples" = [["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"]]))]
    recipients: Option<Vec<String>>,
    /// Where copies are sent to, away from the platform: a store with the S3 API.
    offsite: Option<Offsite>,
    /// Keys of the platform's `backup` that this environment takes out again: `["offsite"]`.
    #[schemars(extend("examples" = [["offsite"]]))]
    unset: Option<Vec<String>>,
}

/// How a component is backed up, where that differs from the rest.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ComponentBackup {
    /// Make no backups of it where this is false.
    #[schemars(extend("default" = true, "examples" = [false]))]
    enabled: Option<bool>,
    /// When copies are made.
    #[schemars(extend("format" = "cron", "examples" = ["0 */6 * * *"]))]
    schedule: Option<String>,
    /// When the newest copy is tried; false for never.
    #[schemars(extend("examples" = ["0 5 1 * *"]))]
    drill: Option<Drill>,
    /// How long copies are kept, by generations.
    #[schemars(extend("examples" = [{ "days": 14 }]))]
    retention: Option<Retention>,
    /// How much may be lost at most.
    #[schemars(extend("format" = "duration", "examples" = ["6h"]))]
    recovery_point: Option<String>,
    /// How long a restore may take.
    #[schemars(extend("format" = "duration", "examples" = ["30min"]))]
    recovery_time: Option<String>,
    /// How large a copy is, for the room that is planned; a share of the volumes unless given.
    #[schemars(extend("format" = "bytes", "examples" = ["2GiB"]))]
    copy_size: Option<String>,
}

/// When a copy is tried.
#[derive(JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
enum Drill {
    /// A cron expression.
    #[schemars(title = "a cron expression with five fields")]
    Schedule(#[schemars(extend("format" = "cron"))] String),
    /// false
    #[schemars(title = "false")]
    Never(#[schemars(extend("const" = false))] bool),
}

/// How long copies are kept: the newest of each of the last days, weeks and months that have one. The newest of all is
/// always kept.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// Days of which a copy is kept.
    #[schemars(range(min = 0, max = 3660))]
    #[schemars(extend("default" = 7, "examples" = [30]))]
    days: Option<i64>,
    /// Weeks of which a copy is kept.
    #[schemars(range(min = 0, max = 530))]
    #[schemars(extend("default" = 5, "examples" = [8]))]
    weeks: Option<i64>,
    /// Months of which a copy is kept.
    #[schemars(range(min = 0, max = 120))]
    #[schemars(extend("default" = 6, "examples" = [12]))]
    months: Option<i64>,
}

/// A store with the S3 API, away from the platform.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Offsite {
    /// Its address.
    #[schemars(extend("format" = "url", "examples" = ["https://s3.eu-west-3.amazonaws.com"]))]
    endpoint: Option<String>,
    /// The bucket. It must exist.
    #[schemars(regex(pattern = "^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"))]
    #[schemars(extend("examples" = ["example-backups"]))]
    bucket: Option<String>,
    /// Folder in the bucket; platform and environment unless given.
    #[schemars(regex(pattern = "^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$"))]
    #[schemars(extend("examples" = ["lakehouse/prod"]))]
    folder: Option<String>,
    /// Region that the store wants to be told.
    #[schemars(regex(pattern = "^[a-z0-9-]{1,32}$"))]
    #[schemars(extend("default" = "us-east-1", "examples" = ["eu-west-3"]))]
    region: Option<String>,
    /// Name of the account. Its secret key is a secret that is given.
    #[schemars(regex(pattern = "^[A-Za-z0-9._-]{3,128}$"))]
    #[schemars(extend("examples" = ["backup"]))]
    access_key: Option<String>,
}

/// Who people are, who checks that, and what they may do.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Where people's accounts are: in each system (`local`), in a directory (`ldap`), at an OpenID Connect provider (`oidc`).
    /// What a system cannot do keeps accounts of its own, and the bundle's ACCESS.md says so. SAML comes in through a provider
    /// of OpenID Connect that passes it on.
    #[schemars(extend("default" = "local", "enum" = ["local", "ldap", "oidc"], "examples" = ["ldap"]))]
    kind: Option<Login>,
    /// The directory, for `kind = "ldap"`.
    ldap: Option<Directory>,
    /// The OpenID Connect provider, for `kind = "oidc"`. Without it, the component that is one.
    oidc: Option<Provided>,
    /// Groups of people, each by a name of yours: its distinguished name in the directory, or what the provider calls it.
    #[schemars(extend("propertyNames" = { "format": "name" }, "additionalProperties" = { "type": "string", "minLength": 1 }))]
    #[schemars(extend("examples" = [{ "lake-admins": "cn=lake-admins,ou=groups,dc=example,dc=com" }]))]
    groups: Option<BTreeMap<String, String>>,
    /// The groups whose members have a role. A role that is not here is nobody's.
    #[schemars(extend("examples" = [{ "admin": ["lake-admins"] }]))]
    roles: Option<Roles>,
    /// Keys of the platform's `identity` that this environment takes out again: `["roles.viewer"]`.
    #[schemars(extend("examples" = [["ldap"]]))]
    unset: Option<Vec<String>>,
}

/// An LDAP directory. It is reached by TLS only.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Directory {
    /// Its address: `ldaps://`, a host name, and a port unless it is 636.
    #[schemars(regex(
        pattern = "^ldaps://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?$"
    ))]
    #[schemars(extend("examples" = ["ldaps://ldap.example.com"]))]
    server: Option<String>,
    /// Where people are looked for: a distinguished name.
    #[schemars(extend("format" = "dn", "examples" = ["ou=people,dc=example,dc=com"]))]
    users: Option<String>,
    /// The attribute that holds what people type as their name; `sAMAccountName` in an Active Directory.
    #[schemars(regex(pattern = "^[A-Za-z][A-Za-z0-9-]*$"))]
    #[schemars(extend("default" = "uid", "examples" = ["sAMAccountName"]))]
    user_attribute: Option<String>,
    /// Only people who match may log in.
    #[schemars(regex(pattern = "^\\(.+\\)$"))]
    #[schemars(extend("examples" = ["(memberOf=cn=lake,ou=groups,dc=example,dc=com)"]))]
    user_filter: Option<String>,
    /// Where groups are looked for: a distinguished name.
    #[schemars(extend("format" = "dn", "examples" = ["ou=groups,dc=example,dc=com"]))]
    groups: Option<String>,
    /// The attribute of a person that lists groups. The directory must fill it in: OpenLDAP does with its overlay `memberof`.
    #[schemars(regex(pattern = "^[A-Za-z][A-Za-z0-9-]*$"))]
    #[schemars(extend("default" = "memberOf", "examples" = ["memberOf"]))]
    group_attribute: Option<String>,
    /// The account that looks for people: a distinguished name. Its password is the secret `identity-bind`.
    #[schemars(extend("format" = "dn", "examples" = ["cn=lakewright,ou=services,dc=example,dc=com"]))]
    bind: Option<String>,
    /// Whether the directory's certificate is of an authority of your own, rather than a public one: its certificate, in PEM,
    /// is then the secret `identity-authority`.
    #[schemars(extend("default" = false, "examples" = [true]))]
    own_authority: Option<bool>,
}

/// An OpenID Connect provider.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Provided {
    /// Its issuer, without a slash at the end. `<issuer>/.well-known/openid-configuration` must answer.
    #[schemars(regex(pattern = "^https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[^ ]*[^/ ])?$"))]
    #[schemars(extend("examples" = ["https://id.example.com/realms/lake"]))]
    issuer: Option<String>,
    /// The claim that lists a person's groups.
    #[schemars(regex(pattern = "^[A-Za-z_][A-Za-z0-9_]*$"))]
    #[schemars(extend("default" = "groups", "examples" = ["groups"]))]
    groups_claim: Option<String>,
}

/// The groups whose members have a role, by their names in `groups`.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Roles {
    /// Those who run the platform.
    #[schemars(extend("uniqueItems" = true, "examples" = [["lake-admins"]]))]
    admin: Option<Vec<String>>,
    /// Those who bring data in and shape it.
    #[schemars(extend("uniqueItems" = true, "examples" = [["lake-engineers"]]))]
    engineer: Option<Vec<String>>,
    /// Those who ask questions of data that are ready.
    #[schemars(extend("uniqueItems" = true, "examples" = [["lake-analysts"]]))]
    analyst: Option<Vec<String>>,
    /// Those who look at what others made.
    #[schemars(extend("uniqueItems" = true, "examples" = [["lake-viewers"]]))]
    viewer: Option<Vec<String>>,
}
