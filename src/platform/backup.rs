//! How the platform is backed up: what checks look at, and what people are told.
//!
//! The jobs that do it are services of the platform like others; [`Service::backup`](super::Service::backup) says which.

use std::collections::BTreeMap;

use crate::source::Place;
use crate::units::{Bytes, Seconds};

/// The name of the secret with the key that copies are decrypted with.
pub const IDENTITY_SECRET: &str = "backup-identity";

/// The name of the secret with the key of the account on the store off site.
pub const STORE_SECRET: &str = "backup-store";

/// How the platform is backed up.
#[derive(Clone, Debug)]
pub struct Backup {
    /// Where it is said.
    pub place: Place,
    /// Public keys that copies are encrypted for.
    pub recipients: Vec<String>,
    /// What the secret with the key of the account off site is called in a cluster.
    pub store_object: String,
    /// Where copies are sent to, if they are.
    pub offsite: Option<Offsite>,
}

/// A store with the S3 API.
#[derive(Clone, Debug)]
pub struct Offsite {
    /// Where its address stands.
    pub place: Place,
    /// Its address.
    pub endpoint: String,
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The bucket.
    pub bucket: String,
    /// Folder in the bucket.
    pub folder: String,
    /// Region.
    pub region: String,
    /// Name of the account.
    pub access_key: String,
}

/// When copies of a component are made and how long they are kept.
#[derive(Clone, Debug)]
pub struct Plan {
    /// When they are made: a cron expression.
    pub schedule: (String, Place),
    /// The longest time from one to the next.
    pub interval: Seconds,
    /// When they are tried: a cron expression and the longest time from one to the next; none where they are not.
    pub drill: Option<(String, Seconds, Place)>,
    /// Whether both begin at the same minute at some time.
    pub collides: bool,
    /// Days, weeks and months of which one is kept.
    pub days: u64,
    /// Likewise.
    pub weeks: u64,
    /// Likewise.
    pub months: u64,
    /// Where that is said.
    pub retention_place: Place,
    /// How much may be lost at most.
    pub recovery_point: (Seconds, Place),
    /// How long a restore may take.
    pub recovery_time: Seconds,
    /// How large a copy is, where that was said.
    pub copy_size: Option<Bytes>,
}

impl Plan {
    /// Returns how many copies are kept at most.
    pub fn copies(&self) -> u64 {
        (self.days + self.weeks + self.months).max(1)
    }
}

/// What becomes of the data of a component, in the language of the environment.
#[derive(Clone, Debug, Default)]
pub struct Keeping {
    /// How its copies are made, if its blueprint says how.
    pub copies: Option<Copies>,
    /// Volumes that no copy holds, by their name within the component, each with the reason.
    pub left: BTreeMap<String, String>,
    /// What it keeps in other components: the component and what.
    pub elsewhere: Vec<(String, String)>,
    /// What may be lost without a copy being needed: a heading, and what people do then, in Markdown.
    pub losses: Vec<(String, String)>,
    /// Where it is said that there is no backup of it, if that is said.
    pub refused: Option<Place>,
}

/// How copies of a component are made.
#[derive(Clone, Debug)]
pub struct Copies {
    /// What one holds.
    pub contents: String,
    /// What must be quiet while one is made or put back.
    pub quiet: String,
    /// What is not in it and must be kept elsewhere.
    pub without: Option<String>,
    /// Volumes whose data it holds.
    pub covers: Vec<String>,
    /// How large one is at most, in percent of these volumes.
    pub share: u64,
    /// Whether what it copies is in a mirror that all copies share, off site where there is such a place.
    pub mirror: bool,
    /// Own services that must not run while one is put back, by their position.
    pub stops: Vec<usize>,
    /// Own jobs that must run after one was put back.
    pub then: Vec<String>,
}
