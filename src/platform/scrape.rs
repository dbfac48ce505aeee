//! What is scraped, and what is asked from outside whether it answers.

use std::collections::BTreeMap;

use crate::source::Place;
use crate::units::Seconds;

/// An endpoint of a service that exports metrics.
#[derive(Clone, Debug)]
pub struct Scrape {
    /// Its name within the service.
    pub endpoint: String,
    /// The name of the job that scrapes it, which all of its series bear.
    pub job: String,
    /// Name of the port.
    pub port: String,
    /// Path.
    pub path: String,
    /// The set of metrics that it exports.
    pub set: String,
    /// Time between two scrapes, if not the collector's own.
    pub interval: Option<Seconds>,
    /// Parameters of the query.
    pub params: BTreeMap<String, String>,
    /// What the collector shows.
    pub auth: Option<ScrapeAuth>,
    /// Whether HTTPS is spoken, with a certificate of the platform's authority.
    pub tls: bool,
    /// Whether labels of the answer win over those of the scrape.
    pub honor_labels: bool,
    /// Labels that every series bears besides `component` and `service`.
    pub labels: BTreeMap<String, String>,
    /// Where it comes from.
    pub place: Place,
}

/// What a collector shows to those it scrapes: names of secrets of theirs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ScrapeAuth {
    /// A bearer token.
    Bearer(String),
    /// User and password.
    Basic {
        /// The user.
        user: String,
        /// The secret that is the password.
        secret: String,
    },
}

impl ScrapeAuth {
    /// Returns the name of the secret.
    pub fn secret(&self) -> &str {
        match self {
            Self::Bearer(secret) | Self::Basic { secret, .. } => secret,
        }
    }
}

/// Who collects, as positions of services.
#[derive(Clone, Debug, Default)]
pub struct Collectors {
    /// What scrapes metrics.
    pub metrics: Option<usize>,
    /// What asks whether others answer, for what scrapes.
    pub probes: Option<Prober>,
}

/// What asks on behalf of a collector whether others answer.
#[derive(Clone, Debug)]
pub struct Prober {
    /// Position of its service.
    pub service: usize,
    /// Name of the port that it is told at what to ask.
    pub port: String,
    /// Path there.
    pub path: String,
}

/// A question whether something answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WebProbe {
    /// Position of the service that is meant.
    pub service: usize,
    /// Position of the service that is asked: the proxy, or the one that is meant.
    pub asked: usize,
    /// Name of the port of that service.
    pub port: String,
    /// What is asked there.
    pub url: String,
    /// Host name that is asked for, where the address alone does not say it.
    pub host: Option<String>,
    /// What the prober calls this way of asking.
    pub module: String,
    /// What people call it: the public address.
    pub instance: String,
}
