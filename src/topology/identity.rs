//! Who people are and what they may do, as the user described it: `[identity]` with the environment's own laid over it.
//!
//! In comes the validated topology, out comes [`LayeredIdentity`]. Whether it makes sense together is known in `resolve`.

use std::collections::BTreeMap;

use super::Topology;
use super::layer::{Sourced, needed, overlaid, text, texts, truth, word};
use crate::diagnostic::Finding;
use crate::source::Place;
use crate::terms::{Login, Role};
use crate::tree::Tree;

/// Who people are, and what they may do.
#[derive(Debug, Default)]
pub struct LayeredIdentity {
    /// Where the table stands, if there is one.
    pub place: Option<Place>,
    /// Where people's accounts are.
    pub kind: Option<Sourced<Login>>,
    /// The directory.
    pub directory: Option<LayeredDirectory>,
    /// The provider.
    pub provider: Option<LayeredProvider>,
    /// What groups are called where people's accounts are, by the user's names for them.
    pub groups: BTreeMap<String, Sourced<String>>,
    /// Roles that are somebody's: where each stands, and its groups.
    pub roles: BTreeMap<Role, (Place, Vec<Sourced<String>>)>,
}

/// An LDAP directory.
#[derive(Debug)]
pub struct LayeredDirectory {
    /// Its address: `ldaps://host:port`.
    pub server: Sourced<String>,
    /// Where people are looked for.
    pub users: Sourced<String>,
    /// The attribute that holds what people type as their name.
    pub user_attribute: Option<Sourced<String>>,
    /// What people must match.
    pub user_filter: Option<Sourced<String>>,
    /// Where groups are looked for.
    pub groups: Sourced<String>,
    /// The attribute of a person that lists groups.
    pub group_attribute: Option<Sourced<String>>,
    /// The account that looks for people.
    pub bind: Option<Sourced<String>>,
    /// Whether its certificate is of an authority of the user's own.
    pub own_authority: Option<Sourced<bool>>,
}

/// An OpenID Connect provider.
#[derive(Debug)]
pub struct LayeredProvider {
    /// Its issuer, without a slash at the end.
    pub issuer: Sourced<String>,
    /// The claim that lists a person's groups.
    pub groups_claim: Option<Sourced<String>>,
}

/// Lays an environment's table over the platform's, and reads it.
pub(super) fn read(
    topology: &Topology,
    environment: &Tree,
    findings: &mut Vec<Finding>,
) -> LayeredIdentity {
    let Some(tree) = overlaid("identity", topology, environment, findings) else {
        return LayeredIdentity::default();
    };
    let entries = |key: &str| tree.get(key).into_iter().flat_map(Tree::entries);
    LayeredIdentity {
        place: Some(tree.key_place()),
        kind: word(tree.get("kind"), Login::from_word),
        directory: tree.get("ldap").and_then(|tree| directory(tree, findings)),
        provider: tree.get("oidc").and_then(|tree| provider(tree, findings)),
        groups: entries("groups")
            .filter_map(|(name, tree)| Some((name.to_owned(), text(Some(tree))?)))
            .collect(),
        roles: entries("roles")
            .filter_map(|(role, tree)| {
                let groups = (tree.key_place(), texts(Some(tree)));
                Some((Role::from_word(role)?, groups))
            })
            .collect(),
    }
}

fn directory(tree: &Tree, findings: &mut Vec<Finding>) -> Option<LayeredDirectory> {
    let mut needed = |key, help| needed(tree, (key, help), findings);
    let server = needed(
        "server",
        "name the directory: server = \"ldaps://ldap.example.com\"",
    );
    let users = needed(
        "users",
        "say where people are: users = \"ou=people,dc=example,dc=com\"",
    );
    let groups = needed(
        "groups",
        "say where groups are: groups = \"ou=groups,dc=example,dc=com\"",
    );
    Some(LayeredDirectory {
        server: server?,
        users: users?,
        user_attribute: text(tree.get("user_attribute")),
        user_filter: text(tree.get("user_filter")),
        groups: groups?,
        group_attribute: text(tree.get("group_attribute")),
        bind: text(tree.get("bind")),
        own_authority: truth(tree.get("own_authority")),
    })
}

fn provider(tree: &Tree, findings: &mut Vec<Finding>) -> Option<LayeredProvider> {
    let issuer = needed(
        tree,
        (
            "issuer",
            "name the provider: issuer = \"https://id.example.com/realms/lake\"",
        ),
        findings,
    );
    Some(LayeredProvider {
        issuer: issuer?,
        groups_claim: text(tree.get("groups_claim")),
    })
}
