//! The part of the stack format that is emitted, as types. Fields are written in this order.
//!
//! `docker stack deploy` reads a dialect of its own, frozen at version 3.13 of the Compose file format: it refuses keys
//! that it does not know, and ignores some that it does. What it ignores is not here.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_saphyr::DoubleQuoted;

use crate::backend::docker::{Healthcheck, Logging, Words};

/// A stack.
#[derive(Serialize)]
pub(super) struct Stack {
    pub(super) services: BTreeMap<String, Service>,
    pub(super) networks: BTreeMap<String, Network>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) volumes: BTreeMap<String, Volume>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) configs: BTreeMap<String, Config>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) secrets: BTreeMap<String, External>,
}

/// A service. `depends_on`, `security_opt`, `shm_size` and `tmpfs` would be ignored without a word.
#[derive(Default, Serialize)]
pub(super) struct Service {
    pub(super) image: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) entrypoint: Option<Words>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) command: Option<Words>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) working_dir: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hostname: Option<String>,
    /// In quotes: YAML 1.1 reads `1000:0` as a number of base 60.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<DoubleQuoted<String>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) environment: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) healthcheck: Option<Healthcheck>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stop_signal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stop_grace_period: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) ports: Vec<Port>,
    pub(super) networks: BTreeMap<String, Attachment>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) configs: Vec<ConfigMount>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) secrets: Vec<SecretMount>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) volumes: Vec<Mount>,
    pub(super) read_only: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cap_drop: Option<Words>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cap_add: Option<Words>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) ulimits: BTreeMap<String, i64>,
    pub(super) deploy: Deploy,
    pub(super) logging: Logging,
}

/// What a service is in a network.
#[derive(Default, Serialize)]
pub(super) struct Attachment {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) aliases: Vec<String>,
}

/// A port of the host that a task runs on.
#[derive(Serialize)]
pub(super) struct Port {
    pub(super) target: u16,
    pub(super) published: u16,
    pub(super) protocol: &'static str,
    pub(super) mode: &'static str,
}

#[derive(Serialize)]
pub(super) struct ConfigMount {
    pub(super) source: String,
    pub(super) target: String,
    /// As a decimal number: YAML readers disagree on octal ones.
    pub(super) mode: u32,
}

#[derive(Serialize)]
pub(super) struct SecretMount {
    pub(super) source: String,
    pub(super) target: String,
    pub(super) uid: DoubleQuoted<String>,
    pub(super) gid: DoubleQuoted<String>,
    /// As a decimal number: YAML readers disagree on octal ones.
    pub(super) mode: u32,
}

/// A volume or a scratch folder in a container.
#[derive(Default, Serialize)]
pub(super) struct Mount {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<String>,
    pub(super) target: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) read_only: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) volume: Option<NoCopy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tmpfs: Option<Tmpfs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bind: Option<Bind>,
}

/// What becomes of folders that are mounted on the host, or no longer, below a folder of it.
#[derive(Serialize)]
pub(super) struct Bind {
    pub(super) propagation: &'static str,
}

/// Whether an image's files are copied into a new volume.
#[derive(Serialize)]
pub(super) struct NoCopy {
    pub(super) nocopy: bool,
}

/// Size of a scratch folder, in bytes.
#[derive(Serialize)]
pub(super) struct Tmpfs {
    pub(super) size: u64,
}

#[derive(Default, Serialize)]
pub(super) struct Deploy {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mode: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) replicas: Option<u64>,
    pub(super) endpoint_mode: &'static str,
    pub(super) labels: BTreeMap<&'static str, String>,
    pub(super) placement: Placement,
    pub(super) resources: Resources,
    pub(super) restart_policy: RestartPolicy,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) update_config: Option<UpdateConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rollback_config: Option<UpdateConfig>,
}

#[derive(Default, Serialize)]
pub(super) struct Placement {
    pub(super) constraints: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) preferences: Vec<Spread>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_replicas_per_node: Option<u64>,
}

#[derive(Serialize)]
pub(super) struct Spread {
    pub(super) spread: String,
}

#[derive(Default, Serialize)]
pub(super) struct Resources {
    pub(super) limits: Limits,
    pub(super) reservations: Reservations,
}

#[derive(Default, Serialize)]
pub(super) struct Limits {
    pub(super) cpus: String,
    pub(super) memory: String,
    pub(super) pids: u64,
}

#[derive(Default, Serialize)]
pub(super) struct Reservations {
    pub(super) cpus: String,
    pub(super) memory: String,
}

#[derive(Default, Serialize)]
pub(super) struct RestartPolicy {
    pub(super) condition: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) delay: Option<&'static str>,
}

#[derive(Clone, Serialize)]
pub(super) struct UpdateConfig {
    pub(super) parallelism: u64,
    pub(super) order: &'static str,
    pub(super) failure_action: &'static str,
    pub(super) monitor: String,
}

/// A network of the stack's own.
#[derive(Default, Serialize)]
pub(super) struct Network {
    pub(super) driver: &'static str,
    pub(super) driver_opts: BTreeMap<&'static str, DoubleQuoted<&'static str>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) internal: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) attachable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ipam: Option<Ipam>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) labels: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
pub(super) struct Ipam {
    pub(super) config: Vec<Subnet>,
}

#[derive(Serialize)]
pub(super) struct Subnet {
    pub(super) subnet: String,
}

/// A volume: on the host of its task, or on a server.
#[derive(Serialize)]
pub(super) struct Volume {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) driver: Option<&'static str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) driver_opts: BTreeMap<&'static str, String>,
    pub(super) labels: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
pub(super) struct Config {
    pub(super) name: String,
    pub(super) file: String,
}

/// A secret that exists under a name.
#[derive(Serialize)]
pub(super) struct External {
    pub(super) name: String,
    pub(super) external: bool,
}
