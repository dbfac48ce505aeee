//! What a service lets others see of itself and of its machine, as written: endpoints with metrics, folders of the host.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::model::{Expr, Filled};

/// Something that is scraped.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MetricsEndpoint {
    /// One of the service's ports, which speaks HTTP.
    pub port: String,
    /// Path; `/metrics` unless given.
    pub path: Option<Filled>,
    /// The set of `metrics.toml` that is exported there; `default` unless given.
    pub set: Option<String>,
    /// Time between two scrapes, as a duration; the collector's own unless given.
    pub interval: Option<Filled>,
    /// Parameters of the query.
    #[serde(default)]
    pub params: BTreeMap<String, Filled>,
    /// Own secret that is sent as bearer token.
    pub bearer: Option<String>,
    /// User and password that are sent.
    pub basic: Option<BasicAuth>,
    /// Whether labels that the answer bears win over those of the scrape.
    #[serde(default)]
    pub honor_labels: bool,
    /// Labels that every series bears besides.
    #[serde(default)]
    pub labels: BTreeMap<String, Filled>,
    /// Leave it out when this is false.
    pub when: Option<Expr>,
}

/// User and password that are sent.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BasicAuth {
    /// The user.
    pub user: Filled,
    /// Own secret that is the password.
    pub password: String,
}

/// A folder or a file of the machine that a container runs on.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostMount {
    /// Its path there.
    pub from: Filled,
    /// Why it is looked at.
    pub why: String,
    /// Whether it may only be read.
    #[serde(default = "super::model::yes")]
    pub read_only: bool,
    /// Leave it out when this is false.
    pub when: Option<Expr>,
}
