//! The part of the Compose Specification that is emitted, as types. Fields are written in this order.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_saphyr::DoubleQuoted;

use crate::backend::docker::{Healthcheck, Logging, Words};

/// A Compose file. `version` is obsolete and not written.
#[derive(Serialize)]
pub(super) struct Compose {
    pub(super) name: String,
    pub(super) services: BTreeMap<String, Service>,
    pub(super) networks: BTreeMap<String, Network>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) volumes: BTreeMap<String, Labelled>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) configs: BTreeMap<String, FromFile>,
}

#[derive(Default, Serialize)]
pub(super) struct Service {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) profiles: Vec<String>,
    pub(super) image: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) build: Option<Build>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) entrypoint: Option<Words>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) command: Option<Words>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) working_dir: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hostname: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// In quotes: YAML 1.1 reads `1000:0` as a number of base 60.
    pub(super) user: Option<DoubleQuoted<String>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) environment: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) depends_on: BTreeMap<String, DependsOn>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) healthcheck: Option<Healthcheck>,
    pub(super) restart: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stop_signal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stop_grace_period: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) ports: Vec<Port>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) network_mode: Option<&'static str>,
    #[serde(skip_serializing_if = "Joined::is_empty")]
    pub(super) networks: Joined,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) configs: Vec<ConfigMount>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) volumes: Vec<Mount>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tmpfs: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) shm_size: Option<String>,
    pub(super) read_only: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) privileged: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cap_drop: Option<Words>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cap_add: Option<Words>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) security_opt: Option<Words>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) ulimits: BTreeMap<String, i64>,
    pub(super) deploy: Deploy,
    pub(super) logging: Logging,
    pub(super) labels: BTreeMap<&'static str, String>,
}

/// The networks of a service.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Joined {
    /// Their names.
    Plain(Vec<String>),
    /// Their names, and what the service is in them.
    Named(BTreeMap<String, Attachment>),
}

impl Joined {
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Plain(names) => names.is_empty(),
            Self::Named(names) => names.is_empty(),
        }
    }
}

impl Default for Joined {
    fn default() -> Self {
        Self::Plain(Vec::new())
    }
}

/// What a service is in a network.
#[derive(Clone, Default, Serialize)]
pub(super) struct Attachment {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) aliases: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ipv4_address: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Build {
    pub(super) context: String,
}

#[derive(Serialize)]
pub(super) struct DependsOn {
    pub(super) condition: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) required: Option<bool>,
}

#[derive(Serialize)]
pub(super) struct Port {
    pub(super) target: u16,
    pub(super) published: String,
    pub(super) host_ip: String,
    pub(super) protocol: &'static str,
}

#[derive(Serialize)]
pub(super) struct ConfigMount {
    pub(super) source: String,
    pub(super) target: String,
}

#[derive(Serialize)]
pub(super) struct Mount {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) source: String,
    pub(super) target: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) read_only: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) volume: Option<NoCopy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bind: Option<Bind>,
}

/// Whether an image's files are copied into a new volume.
#[derive(Serialize)]
pub(super) struct NoCopy {
    pub(super) nocopy: bool,
}

/// Whether a missing folder is made, as root.
#[derive(Serialize)]
pub(super) struct Bind {
    pub(super) create_host_path: bool,
}

#[derive(Default, Serialize)]
pub(super) struct Deploy {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) replicas: Option<u64>,
    pub(super) resources: Resources,
}

#[derive(Default, Serialize)]
pub(super) struct Resources {
    pub(super) limits: Limits,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reservations: Option<Reservations>,
}

#[derive(Default, Serialize)]
pub(super) struct Limits {
    pub(super) cpus: String,
    pub(super) memory: String,
    pub(super) pids: u64,
}

#[derive(Serialize)]
pub(super) struct Reservations {
    pub(super) cpus: String,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Network {
    Own {
        internal: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        ipam: Option<Ipam>,
        labels: BTreeMap<&'static str, String>,
    },
    /// One that is there already.
    External {
        /// What the engine calls it.
        name: String,
        external: bool,
    },
}

#[derive(Serialize)]
pub(super) struct Ipam {
    pub(super) config: Vec<Subnet>,
}

#[derive(Serialize)]
pub(super) struct Subnet {
    pub(super) subnet: String,
}

#[derive(Serialize)]
pub(super) struct Labelled {
    pub(super) labels: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
pub(super) struct FromFile {
    pub(super) file: String,
}

impl FromFile {
    /// Names a file of the bundle.
    pub(super) fn new(path: &str) -> Self {
        Self {
            file: format!("./{path}"),
        }
    }
}
