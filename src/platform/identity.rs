//! Who people are on the platform, who checks that, and what they may do.

use std::collections::BTreeMap;

use crate::source::Place;
use crate::terms::{Login, Role};

/// The secret with the password of the account that looks for people in the directory.
pub const BIND_SECRET: &str = "identity-bind";

/// The secret with the certificate of the directory's authority.
pub const AUTHORITY_SECRET: &str = "identity-authority";

/// Who people are, and what they may do.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Where people's accounts are.
    pub kind: Login,
    /// Where that is said, or the environment.
    pub place: Place,
    /// The directory, where people's accounts are in one.
    pub directory: Option<Directory>,
    /// The OpenID Connect provider outside, where people's accounts are at one.
    pub provider: Option<Provider>,
    /// What groups are called where people's accounts are, by the user's names for them.
    pub groups: BTreeMap<String, String>,
    /// The groups whose members have a role, by the user's names for them.
    pub roles: BTreeMap<Role, Vec<String>>,
}

impl Identity {
    /// Returns what the groups of a role are called where people's accounts are.
    pub fn groups_of(&self, role: Role) -> impl Iterator<Item = &str> {
        let groups = self.roles.get(&role).into_iter().flatten();
        groups.filter_map(|name| self.groups.get(name).map(String::as_str))
    }
}

/// An LDAP directory.
#[derive(Clone, Debug)]
pub struct Directory {
    /// Its host.
    pub host: String,
    /// Its port, where TLS is spoken.
    pub port: u16,
    /// Where people are looked for.
    pub users: String,
    /// The attribute that holds what people type as their name.
    pub user_attribute: String,
    /// What people must match.
    pub user_filter: Option<String>,
    /// Where groups are looked for.
    pub groups: String,
    /// The attribute of a person that lists groups.
    pub group_attribute: String,
    /// The account that looks for people; without one, nobody in particular.
    pub bind: Option<String>,
    /// Whether its certificate is of an authority of the user's own.
    pub own_authority: bool,
}

/// An OpenID Connect provider outside.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Its issuer, without a slash at the end.
    pub issuer: String,
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The claim that lists a person's groups.
    pub groups_claim: String,
}

/// How a component knows people, and what roles are in it.
#[derive(Clone, Debug)]
pub struct People {
    /// How people log in to it.
    pub login: Login,
    /// Whether it has accounts of its own too.
    pub local: bool,
    /// What is to be known about how they log in.
    pub note: Option<String>,
    /// Ways of logging in that it does not have here, with the reason.
    pub lacking: Vec<(Login, Lacking)>,
    /// What each role is in it.
    pub roles: BTreeMap<Role, InSystem>,
    /// What the groups are called whose members have a role that is something in it, sorted.
    pub admitted: Vec<String>,
    /// The component that stands before its pages and knows people, if one does.
    pub front: Option<String>,
}

/// Why a system lacks a way of logging in.
#[derive(Clone, Debug)]
pub enum Lacking {
    /// Other editions have it.
    Editions(Vec<String>),
    /// What its blueprint says.
    Why(String),
}

/// What a role is in a system.
#[derive(Clone, Debug)]
pub enum InSystem {
    /// Something of the system's own.
    Is {
        /// What it is called there.
        name: String,
        /// What one may do with it.
        may: String,
    },
    /// Nothing, with the reason.
    None(String),
}
