//! How the platform is backed up, as the user described it: `[backup]` with the environment's own laid over it, and what
//! single components say otherwise.
//!
//! In comes the validated topology, out comes [`LayeredBackup`]. Whether it makes sense together is known in `resolve`.

use super::Topology;
use super::layer::{Sourced, needed, overlaid, text, texts, truth, word};
use crate::diagnostic::Finding;
use crate::source::Place;
use crate::tree::Tree;
use crate::units::{Bytes, Seconds};

/// How the platform is backed up.
#[derive(Debug, Default)]
pub struct LayeredBackup {
    /// Where the table stands, if there is one.
    pub place: Option<Place>,
    /// Whether backups are made at all.
    pub enabled: Option<Sourced<bool>>,
    /// What holds for all components that say nothing else.
    pub plan: LayeredPlan,
    /// Public keys that copies are encrypted for.
    pub recipients: Vec<Sourced<String>>,
    /// Where copies are sent to.
    pub offsite: Option<LayeredOffsite>,
}

/// When copies are made and how long they are kept.
#[derive(Debug, Default)]
pub struct LayeredPlan {
    /// Where the table stands, if there is one.
    pub place: Option<Place>,
    /// Whether there is a backup.
    pub enabled: Option<Sourced<bool>>,
    /// When copies are made.
    pub schedule: Option<Sourced<String>>,
    /// When they are tried; none where they are not.
    pub drill: Option<Sourced<Option<String>>>,
    /// Days, weeks and months of which a copy is kept.
    pub days: Option<Sourced<u64>>,
    /// Likewise.
    pub weeks: Option<Sourced<u64>>,
    /// Likewise.
    pub months: Option<Sourced<u64>>,
    /// How much may be lost.
    pub recovery_point: Option<Sourced<Seconds>>,
    /// How long a restore may take.
    pub recovery_time: Option<Sourced<Seconds>>,
    /// How large a copy is.
    pub copy_size: Option<Sourced<Bytes>>,
}

/// A store with the S3 API.
#[derive(Debug)]
pub struct LayeredOffsite {
    /// Where it stands.
    pub place: Place,
    /// Its address.
    pub endpoint: Sourced<String>,
    /// The bucket.
    pub bucket: Sourced<String>,
    /// Folder in the bucket.
    pub folder: Option<Sourced<String>>,
    /// Region.
    pub region: Option<Sourced<String>>,
    /// Name of the account.
    pub access_key: Sourced<String>,
}

/// Lays an environment's table over the platform's, and reads it.
pub(super) fn read(
    topology: &Topology,
    environment: &Tree,
    findings: &mut Vec<Finding>,
) -> LayeredBackup {
    let Some(tree) = overlaid("backup", topology, environment, findings) else {
        return LayeredBackup::default();
    };
    LayeredBackup {
        place: Some(tree.key_place()),
        enabled: truth(tree.get("enabled")),
        plan: plan(&tree),
        recipients: texts(tree.get("recipients")),
        offsite: tree.get("offsite").and_then(|tree| offsite(tree, findings)),
    }
}

/// Reads what holds for a component, or for all.
pub(super) fn plan(tree: &Tree) -> LayeredPlan {
    let kept = |key: &str| {
        let tree = tree.at(&["retention", key])?;
        let number = u64::try_from(tree.value().as_int()?).ok()?;
        Some(Sourced::from_tree(tree, number))
    };
    LayeredPlan {
        place: Some(tree.key_place()),
        enabled: truth(tree.get("enabled")),
        schedule: text(tree.get("schedule")),
        drill: tree
            .get("drill")
            .map(|tree| Sourced::from_tree(tree, tree.text().map(str::to_owned))),
        days: kept("days"),
        weeks: kept("weeks"),
        months: kept("months"),
        recovery_point: word(tree.get("recovery_point"), Seconds::parse),
        recovery_time: word(tree.get("recovery_time"), Seconds::parse),
        copy_size: word(tree.get("copy_size"), Bytes::parse),
    }
}

fn offsite(tree: &Tree, findings: &mut Vec<Finding>) -> Option<LayeredOffsite> {
    let mut needed = |key, help| needed(tree, (key, help), findings);
    let endpoint = needed(
        "endpoint",
        "name the store: endpoint = \"https://s3.eu-west-3.amazonaws.com\"",
    );
    let bucket = needed("bucket", "name the bucket: bucket = \"example-backups\"");
    let access_key = needed(
        "access_key",
        "name the account; its secret key is a secret that is given: access_key = \"AKIA…\"",
    );
    Some(LayeredOffsite {
        place: tree.key_place(),
        endpoint: endpoint?,
        bucket: bucket?,
        folder: text(tree.get("folder")),
        region: text(tree.get("region")),
        access_key: access_key?,
    })
}
