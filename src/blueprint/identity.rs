//! `identity.toml` as written, read into types: how a system knows people, and what the platform's roles are in it.
//!
//! It stands beside `blueprint.toml`. `resolve` chooses the way of logging in, and the bundle's ACCESS.md shows the rest.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::Deserialize;

use super::FAULTY_BLUEPRINT;
use super::model::{Filled, Words};
use crate::diagnostic::{Finding, suggest};
use crate::schema::Schema;
use crate::source::{FileId, KeyPath, Place};
use crate::terms::{Login, Role};

/// The name of the file.
pub const FILE_NAME: &str = "identity.toml";

/// Its schema.
pub static SCHEMA: LazyLock<Schema> = LazyLock::new(Schema::of::<Identity>);

/// How a system knows people.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Lakewright identity")]
pub struct Identity {
    /// Ways in which people log in: those that it has, and those that it has not, with the reason. What is absent it has
    /// not.
    #[serde(default)]
    pub login: BTreeMap<Login, Way>,
    /// What each role of the platform is in it. None may be left out: where it makes no difference, it says so.
    pub roles: Roles,
}

/// A way in which people log in.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Way {
    /// The feature that an edition must have for it, where not every edition can.
    pub feature: Option<String>,
    /// Why it is not there, in any edition.
    pub no: Option<Words>,
    /// What is to be known about it.
    pub note: Option<Words>,
}

/// What each role of the platform is in a system.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Roles {
    /// Those who run the platform.
    pub admin: Mapping,
    /// Those who bring data in and shape it.
    pub engineer: Mapping,
    /// Those who ask questions of data that are ready.
    pub analyst: Mapping,
    /// Those who look at what others made.
    pub viewer: Mapping,
}

impl Roles {
    /// Returns what a role is.
    pub fn get(&self, role: Role) -> &Mapping {
        match role {
            Role::Admin => &self.admin,
            Role::Engineer => &self.engineer,
            Role::Analyst => &self.analyst,
            Role::Viewer => &self.viewer,
        }
    }
}

/// What a role of the platform is in a system.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Mapping {
    /// Something of the system's own.
    #[schemars(title = "a table { name, may }")]
    Is {
        /// What it is called there.
        name: Filled,
        /// What one may do with it.
        may: Words,
    },
    /// Nothing.
    #[schemars(title = "a table { none }")]
    None {
        /// Why: it does not let them in, or makes no such difference.
        none: Words,
    },
}

/// Finds what a schema cannot: features that no edition could have, and ways that are there and are not.
pub(super) fn faults(
    identity: &Identity,
    model: &super::model::Blueprint,
    file: FileId,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut report = |keys: &[&str], message: String, help: Option<String>| {
        let place = Place::value(file, KeyPath::of(keys.iter().copied()));
        findings.push(Finding::new(&FAULTY_BLUEPRINT, place, message).maybe_help(help));
    };
    for (login, way) in &identity.login {
        if let Some(feature) = &way.feature
            && !model.features.contains_key(feature)
        {
            report(
                &["login", login.word(), "feature"],
                format!("there is no feature `{feature}`"),
                suggest(feature, model.features.keys().map(String::as_str)),
            );
        }
        if way.no.is_some() && (way.feature.is_some() || way.note.is_some()) {
            report(
                &["login", login.word()],
                "what is not there has no feature and no note".to_owned(),
                None,
            );
        }
    }
    findings
}
