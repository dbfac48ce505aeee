//! Reading a topology: from text to a validated tree, and from the tree to one layered environment.
//!
//! In comes the file's text, out come [`Layered`] environments: the platform's defaults with the environment laid over
//! them, every value still knowing its place and what it replaced. Units are parsed here; nothing is looked up in
//! blueprints.

pub mod alerting;
pub mod backup;
pub mod edit;
pub mod identity;
pub mod layer;
pub mod secret;
pub mod written;

use std::sync::LazyLock;

pub use alerting::LayeredAlerting;
pub use backup::LayeredBackup;
pub use identity::LayeredIdentity;
pub use layer::{Layered, LayeredComponent, Sourced};

use crate::diagnostic::{Finding, Rule, Severity};
use crate::names;
use crate::schema::Schema;
use crate::source::{FileId, Sources};
use crate::tree::Tree;

/// A name that cannot be used on the targets.
pub static ILLEGAL_NAME: Rule = Rule {
    code: "illegal-name",
    severity: Severity::Error,
    summary: "a name cannot be used on every target",
    why: "Names of components and environments become DNS names, container names and secret names. What Docker, Swarm \
          and Kubernetes all accept is: at most 40 lower-case letters, digits and `-`, beginning with a letter. The \
          limit leaves room for what targets append.",
    fix: "Shorten the name, or replace the characters that are not allowed by `-`.",
    allowable: false,
};

/// The schema of topology files.
pub static SCHEMA: LazyLock<Schema> = LazyLock::new(Schema::of::<written::Topology>);

/// A topology that fits its schema.
#[derive(Debug)]
pub struct Topology {
    /// The file.
    pub file: FileId,
    /// What it says.
    pub tree: Tree,
    /// What in it looks like a secret.
    pub secrets: Vec<Finding>,
}

/// Reads a topology, and hides what in it looks like a secret.
///
/// # Errors
/// Every syntax error, or else every fault against the schema; and with them what looks like a secret.
pub fn parse(sources: &mut Sources, file: FileId) -> Result<Topology, Vec<Finding>> {
    let secrets = secret::find(sources, file);
    let tree = match Tree::parse(sources, file) {
        Ok(tree) => tree,
        Err(mut findings) => {
            findings.extend(secrets);
            return Err(findings);
        }
    };
    let mut findings = SCHEMA.validate(&tree);
    let places = ["components"].into_iter().map(|key| tree.get(key)).chain(
        tree.get("environments")
            .into_iter()
            .flat_map(Tree::entries)
            .map(|(_, environment)| environment.get("components")),
    );
    for (name, component) in places.flatten().flat_map(Tree::entries) {
        if !names::is_name(name) {
            findings.push(
                Finding::new(
                    &ILLEGAL_NAME,
                    component.key_place(),
                    format!("`{name}` is not a legal name for a component"),
                )
                .help(format!(
                    "use at most {} lower-case letters, digits and `-`, beginning with a letter",
                    names::LONGEST_NAME
                )),
            );
        }
    }
    if findings.is_empty() {
        Ok(Topology {
            file,
            tree,
            secrets,
        })
    } else {
        findings.extend(secrets);
        Err(findings)
    }
}

impl Topology {
    /// Returns the names of the environments, sorted.
    pub fn environments(&self) -> Vec<&str> {
        self.tree
            .get("environments")
            .into_iter()
            .flat_map(Tree::entries)
            .map(|(name, _)| name)
            .collect()
    }
}
