//! Who people are and what they may do: what the user said, held against itself, and how each component knows people.
//!
//! In comes what was layered, out come [`Identity`] for the platform and [`People`] for each component. What contradicts
//! itself is reported at what the user wrote.

use super::finish::SECRETS;
use super::trace::{Explained, Trace};
use crate::blueprint::Blueprint;
use crate::diagnostic::{Finding, Rule, Severity, suggest};
use crate::names;
use crate::platform::identity::{
    AUTHORITY_SECRET, BIND_SECRET, Directory, Identity, Lacking, Provider,
};
use crate::schema::{ILLEGAL_VALUE, MISSING_KEY};
use crate::terms::{Locale, Login, Role};
use crate::topology::identity::{LayeredDirectory, LayeredIdentity, LayeredProvider};
use crate::topology::layer::UNKNOWN_NAME;
use crate::topology::{Layered, Sourced};
use crate::value::Value;

/// The capability of an OpenID Connect provider.
pub(super) const PROVIDER: &str = "oidc";

/// The port of LDAP over TLS (RFC 8996 retired the others), and of HTTPS.
const LDAPS: u16 = 636;
const HTTPS: u16 = 443;

/// A role is declared and nobody's.
pub static ROLE_WITHOUT_GROUPS: Rule = Rule {
    code: "role-without-groups",
    severity: Severity::Error,
    summary: "a role of the platform is given to no group",
    why: "People get their roles through groups. Where accounts are in a directory or at an identity provider, a role \
          without a group is nobody's, and without any role nobody can do anything but through accounts of the systems \
          themselves.",
    fix: "Name the groups whose members have it, in `[identity.roles]`, or take the role out.",
    allowable: false,
};

/// Resolves what an environment says of people.
pub(super) fn resolve(
    layered: &Layered,
    trace: &mut Trace,
    findings: &mut Vec<Finding>,
) -> Identity {
    let given = &layered.identity;
    let kind = given.kind.as_ref().map_or(Login::Local, |kind| kind.value);
    trace.record(
        || "identity.kind".to_owned(),
        || match &given.kind {
            Some(set) => Explained::one(kind, "set", set.place.clone()).over(&set.replaced),
            None => Explained::one(kind, "unless given", layered.place.clone()),
        },
    );
    record(given, trace);
    let place = given
        .kind
        .as_ref()
        .map(|kind| kind.place.clone())
        .or_else(|| given.place.clone())
        .unwrap_or_else(|| layered.place.clone());
    if kind == Login::Ldap && given.directory.is_none() {
        findings.push(
            Finding::new(
                &MISSING_KEY,
                place.clone(),
                "people's accounts are in a directory, and none is named",
            )
            .help("add `[identity.ldap]` with `server`, `users` and `groups`"),
        );
    }
    check_groups(kind, given, findings);
    if kind != Login::Local && given.roles.is_empty() {
        findings.push(
            Finding::new(
                &ROLE_WITHOUT_GROUPS,
                place.clone(),
                format!("people log in by `{kind}`, and no group has a role"),
            )
            .help("say whose it is: `[identity.roles]`, `admin = [\"lake-admins\"]`"),
        );
    }
    Identity {
        kind,
        place,
        directory: given
            .directory
            .as_ref()
            .filter(|_| kind == Login::Ldap)
            .and_then(|given| directory(given, findings)),
        provider: given
            .provider
            .as_ref()
            .filter(|_| kind == Login::Oidc)
            .and_then(|given| provider(given, findings)),
        groups: given
            .groups
            .iter()
            .map(|(name, value)| (name.clone(), value.value.clone()))
            .collect(),
        roles: given
            .roles
            .iter()
            .map(|(role, (_, groups))| {
                let groups = groups.iter().map(|group| group.value.clone());
                (*role, groups.collect())
            })
            .collect(),
    }
}

/// Records who says who people are, and which groups have roles.
fn record(given: &LayeredIdentity, trace: &mut Trace) {
    let mut set = |path: &str, given: &Sourced<String>| {
        trace.record(
            || format!("identity.{path}"),
            || Explained::one(&given.value, "set", given.place.clone()).over(&given.replaced),
        );
    };
    if let Some(directory) = &given.directory {
        set("ldap.server", &directory.server);
        set("ldap.users", &directory.users);
        set("ldap.groups", &directory.groups);
        if let Some(filter) = &directory.user_filter {
            set("ldap.user_filter", filter);
        }
    }
    if let Some(provider) = &given.provider {
        set("oidc.issuer", &provider.issuer);
    }
    for (role, (place, groups)) in &given.roles {
        let groups: Vec<&str> = groups.iter().map(|group| group.value.as_str()).collect();
        trace.record(
            || format!("identity.roles.{role}"),
            || Explained::one(groups.join(", "), "set", place.clone()),
        );
    }
}

/// Reports groups that cannot be what they are said to be, and roles of none or of unknown ones.
fn check_groups(kind: Login, given: &LayeredIdentity, findings: &mut Vec<Finding>) {
    for (name, group) in &given.groups {
        if kind == Login::Ldap && !names::is_distinguished_name(&group.value) {
            findings.push(
                Finding::new(
                    &ILLEGAL_VALUE,
                    group.place.clone(),
                    format!(
                        "`{name}` is no distinguished name, and groups of a directory have one"
                    ),
                )
                .help("write it in full: \"cn=lake-admins,ou=groups,dc=example,dc=com\""),
            );
        }
    }
    for (role, (place, groups)) in &given.roles {
        if groups.is_empty() {
            findings.push(
                Finding::new(
                    &ROLE_WITHOUT_GROUPS,
                    place.clone(),
                    format!("the role `{role}` is given to no group"),
                )
                .help("name the groups whose members have it, or take the role out"),
            );
        }
        for group in groups {
            if !given.groups.contains_key(&group.value) {
                findings.push(
                    Finding::new(
                        &UNKNOWN_NAME,
                        group.place.clone(),
                        format!("there is no group `{}`", group.value),
                    )
                    .help("declare it in `[identity.groups]`, with what it is called where people's accounts are")
                    .maybe_help(suggest(
                        &group.value,
                        given.groups.keys().map(String::as_str),
                    )),
                );
            }
        }
    }
}

fn directory(given: &LayeredDirectory, findings: &mut Vec<Finding>) -> Option<Directory> {
    let written = &given.server.value;
    let (host, port) = host_and_port(written, "ldaps://", LDAPS).or_else(|| {
        findings.push(
            Finding::new(
                &ILLEGAL_VALUE,
                given.server.place.clone(),
                format!("`{written}` names no directory"),
            )
            .help("write a host name, and a port unless it is 636: \"ldaps://ldap.example.com\""),
        );
        None
    })?;
    Some(Directory {
        host,
        port,
        users: given.users.value.clone(),
        user_attribute: given
            .user_attribute
            .as_ref()
            .map_or_else(|| "uid".to_owned(), |set| set.value.clone()),
        user_filter: given.user_filter.as_ref().map(|set| set.value.clone()),
        groups: given.groups.value.clone(),
        group_attribute: given
            .group_attribute
            .as_ref()
            .map_or_else(|| "memberOf".to_owned(), |set| set.value.clone()),
        bind: given.bind.as_ref().map(|set| set.value.clone()),
        own_authority: given.own_authority.as_ref().is_some_and(|set| set.value),
    })
}

fn provider(given: &LayeredProvider, findings: &mut Vec<Finding>) -> Option<Provider> {
    let written = &given.issuer.value;
    let address = written.strip_prefix("https://").unwrap_or(written);
    let address = address.split('/').next().unwrap_or(address);
    let (host, port) = host_and_port(address, "", HTTPS).or_else(|| {
        findings.push(
            Finding::new(
                &ILLEGAL_VALUE,
                given.issuer.place.clone(),
                format!("`{written}` names no provider"),
            )
            .help("write its issuer: \"https://id.example.com/realms/lake\""),
        );
        None
    })?;
    Some(Provider {
        issuer: written.clone(),
        host,
        port,
        groups_claim: given
            .groups_claim
            .as_ref()
            .map_or_else(|| "groups".to_owned(), |set| set.value.clone()),
    })
}

fn host_and_port(written: &str, scheme: &str, port: u16) -> Option<(String, u16)> {
    let address = written.strip_prefix(scheme)?;
    let (host, port) = names::parse_host_port(address).or_else(|| {
        (!address.contains(':') && names::is_domain(address)).then_some((address, port))
    })?;
    Some((host.to_owned(), port))
}

/// How a component logs people in, and why not in other ways.
#[derive(Debug)]
pub(super) struct Ways {
    pub(super) login: Login,
    pub(super) local: bool,
    pub(super) note: Option<String>,
    pub(super) lacking: Vec<(Login, Lacking)>,
}

/// Chooses how a component knows people: as the platform does, where its edition can.
pub(super) fn ways(
    identity: &Identity,
    blueprint: &Blueprint,
    features: &[String],
    locale: Locale,
) -> Ways {
    let known = blueprint.identity.as_ref().map(|identity| &identity.login);
    let way = |login: Login| known.and_then(|known| known.get(&login));
    let able = |login: Login| {
        way(login).is_some_and(|way| {
            let feature = way.feature.as_ref();
            way.no.is_none() && feature.is_none_or(|feature| features.contains(feature))
        })
    };
    let login = if able(identity.kind) {
        identity.kind
    } else {
        Login::Local
    };
    let mut lacking = Vec::new();
    for other in Login::ALL.iter().filter(|login| **login != Login::Local) {
        let Some(way) = way(*other).filter(|_| !able(*other)) else {
            continue;
        };
        let why = match (&way.no, &way.feature) {
            (Some(why), _) => Lacking::Why(why.get(locale).to_owned()),
            (None, Some(feature)) => {
                let editions = blueprint.model.editions.iter();
                let having = editions.filter(|(_, edition)| edition.features.contains(feature));
                Lacking::Editions(having.map(|(name, _)| name.clone()).collect())
            }
            (None, None) => continue,
        };
        lacking.push((*other, why));
    }
    Ways {
        login,
        local: able(Login::Local),
        note: way(login)
            .and_then(|way| way.note.as_ref())
            .map(|note| note.get(locale).to_owned()),
        lacking,
    }
}

/// Makes what `identity` stands for in expressions of a component that logs people in by `login`.
pub(super) fn names(identity: &Identity, login: Login) -> Value {
    let path = |secret: &str, is: bool| Value::from(is.then(|| format!("{SECRETS}/{secret}")));
    let directory = identity.directory.as_ref().filter(|_| login == Login::Ldap);
    let provider = identity.provider.as_ref().filter(|_| login == Login::Oidc);
    let hosts = directory
        .map(|directory| (&directory.host, directory.port))
        .into_iter()
        .chain(provider.map(|provider| (&provider.host, provider.port)))
        .map(|(host, port)| Value::from(format!("{host}:{port}")));
    Value::table([
        ("kind", Value::from(identity.kind.word())),
        ("login", Value::from(login.word())),
        ("declared", Value::Bool(!identity.roles.is_empty())),
        ("hosts", Value::List(hosts.collect())),
        (
            "group_names",
            Value::List(
                identity
                    .groups
                    .values()
                    .map(|value| Value::from(value.as_str()))
                    .collect(),
            ),
        ),
        (
            "groups",
            Value::table(
                identity
                    .groups
                    .iter()
                    .map(|(name, value)| (name.clone(), Value::from(value.as_str()))),
            ),
        ),
        (
            "roles",
            Value::table(Role::ALL.iter().map(|role| {
                let groups = identity.groups_of(*role).map(Value::from);
                (role.word(), Value::List(groups.collect()))
            })),
        ),
        (
            "ldap",
            directory.map_or(Value::Null, |directory| {
                let text = |text: &String| Value::from(text.as_str());
                Value::table([
                    ("host", text(&directory.host)),
                    ("port", Value::from(u64::from(directory.port))),
                    ("users", text(&directory.users)),
                    ("user_attribute", text(&directory.user_attribute)),
                    ("user_filter", Value::from(directory.user_filter.clone())),
                    ("groups", text(&directory.groups)),
                    ("group_attribute", text(&directory.group_attribute)),
                    ("bind", Value::from(directory.bind.clone())),
                    ("secret", path(BIND_SECRET, directory.bind.is_some())),
                    ("authority", path(AUTHORITY_SECRET, directory.own_authority)),
                ])
            }),
        ),
        (
            "oidc",
            provider.map_or(Value::Null, |provider| {
                Value::table([
                    ("issuer", Value::from(provider.issuer.as_str())),
                    ("groups_claim", Value::from(provider.groups_claim.as_str())),
                ])
            }),
        ),
    ])
}
