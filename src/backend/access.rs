//! `ACCESS.md`: who people are, who checks that, and what each role may do in each system, for people and auditors.
//!
//! In comes a platform, out comes a page. Every target has it, in the same words.

use std::sync::LazyLock;

use serde::Serialize;

use super::Files;
use super::readme::{self, Template};
use crate::platform::identity::{InSystem, Lacking, People};
use crate::platform::{Component, Platform};
use crate::terms::{Locale, Login, Role};

/// The name of the page.
const PAGE: &str = "ACCESS.md";

static TEMPLATE: Template = Template {
    en: LazyLock::new(|| readme::engine(include_str!("readme/access.en.hbs"))),
    fr: LazyLock::new(|| readme::engine(include_str!("readme/access.fr.hbs"))),
};

#[derive(Serialize)]
struct Page<'p> {
    platform: &'p str,
    environment: &'p str,
    /// Whether people have an account in each system.
    local: bool,
    directory: Option<DirectoryPart<'p>>,
    issuer: Option<&'p str>,
    /// Whether a component of the platform is what people log in at.
    own_provider: bool,
    /// Whether anybody has a role by a group.
    declared: bool,
    roles: Vec<RoleRow<'p>>,
    systems: Vec<SystemRow<'p>>,
    notes: Vec<Note<'p>>,
    accounts: Vec<AccountRow<'p>>,
    lacking: Vec<LackingRow<'p>>,
    cluster: Option<ClusterPart<'p>>,
}

#[derive(Serialize)]
struct DirectoryPart<'p> {
    address: String,
    users: &'p str,
    groups: &'p str,
}

#[derive(Serialize)]
struct RoleRow<'p> {
    role: &'static str,
    groups: Vec<&'p str>,
}

#[derive(Serialize)]
struct SystemRow<'p> {
    name: &'p str,
    login: String,
    roles: Vec<Cell<'p>>,
}

#[derive(Serialize)]
struct Cell<'p> {
    name: Option<&'p str>,
    text: &'p str,
}

#[derive(Serialize)]
struct Note<'p> {
    system: &'p str,
    text: &'p str,
}

#[derive(Serialize)]
struct AccountRow<'p> {
    system: &'p str,
    user: &'p str,
    secret: Option<&'p str>,
    purpose: &'p str,
}

#[derive(Serialize)]
struct LackingRow<'p> {
    system: &'p str,
    way: &'static str,
    editions: Option<String>,
    why: Option<&'p str>,
}

#[derive(Serialize)]
struct ClusterPart<'p> {
    prefix: &'p str,
    namespace: &'p str,
}

/// Adds the page of a platform to a bundle.
pub(super) fn add(platform: &Platform, files: &mut Files) {
    let environment = &platform.environment;
    let identity = &platform.identity;
    let locale = environment.locale;
    let known: Vec<(&Component, &People)> = platform
        .components
        .iter()
        .filter(|component| component.unsupported.is_none())
        .filter_map(|component| Some((component, component.people.as_ref()?)))
        .collect();
    let page = Page {
        platform: &platform.name,
        environment: &environment.name,
        local: identity.kind == Login::Local,
        directory: identity.directory.as_ref().map(|directory| DirectoryPart {
            address: format!("{}:{}", directory.host, directory.port),
            users: &directory.users,
            groups: &directory.groups,
        }),
        issuer: identity
            .provider
            .as_ref()
            .map(|provider| provider.issuer.as_str()),
        own_provider: identity.kind == Login::Oidc && identity.provider.is_none(),
        declared: !identity.roles.is_empty(),
        roles: Role::ALL
            .iter()
            .map(|role| RoleRow {
                role: title(*role, locale),
                groups: identity.groups_of(*role).collect(),
            })
            .collect(),
        systems: known
            .iter()
            .map(|(component, people)| SystemRow {
                name: &component.name,
                login: login(people, component, locale),
                roles: people.roles.values().map(cell).collect(),
            })
            .collect(),
        notes: known
            .iter()
            .filter_map(|(component, people)| {
                Some(Note {
                    system: &component.name,
                    text: people.note.as_ref()?,
                })
            })
            .collect(),
        accounts: accounts(platform),
        // What has no login at all is said in the table.
        lacking: known
            .iter()
            .filter(|(component, _)| !component.asks_nobody())
            .flat_map(|(component, people)| people.lacking.iter().map(|it| (*component, it)))
            .map(|(component, (way, why))| LackingRow {
                system: &component.name,
                way: protocol(*way),
                editions: match why {
                    Lacking::Editions(editions) => Some(editions.join(", ")),
                    Lacking::Why(_) => None,
                },
                why: match why {
                    Lacking::Editions(_) => None,
                    Lacking::Why(why) => Some(why),
                },
            })
            .collect(),
        cluster: environment
            .cluster
            .as_ref()
            .filter(|_| !identity.roles.is_empty())
            .map(|cluster| ClusterPart {
                prefix: &cluster.group_prefix,
                namespace: &cluster.namespace,
            }),
    };
    let text = TEMPLATE.render(platform, &page);
    files.add(PAGE, text, false, &environment.place);
}

/// Lists the accounts of the systems themselves, which work when nothing else does.
fn accounts(platform: &Platform) -> Vec<AccountRow<'_>> {
    let components = platform.components.iter();
    components
        .filter(|component| component.unsupported.is_none())
        .flat_map(|component| {
            component.accounts.iter().map(|account| AccountRow {
                system: &component.name,
                user: &account.user,
                secret: account.secret.as_deref(),
                purpose: &account.purpose,
            })
        })
        .collect()
}

fn cell(role: &InSystem) -> Cell<'_> {
    match role {
        InSystem::Is { name, may } => Cell {
            name: Some(name),
            text: may,
        },
        InSystem::None(why) => Cell {
            name: None,
            text: why,
        },
    }
}

/// Says by what people log in to a system.
fn login(people: &People, component: &Component, locale: Locale) -> String {
    let word = |en: &str, fr: &str| match locale {
        Locale::En => en.to_owned(),
        Locale::Fr => fr.to_owned(),
    };
    match (people.login, &people.front) {
        (Login::Local, Some(front)) => match locale {
            Locale::En => format!("`{front}` before it"),
            Locale::Fr => format!("`{front}` devant lui"),
        },
        (Login::Local, None) if component.asks_nobody() => word("nothing", "rien"),
        (Login::Local, None) => word("accounts of its own", "ses propres comptes"),
        (login, _) if people.local => match locale {
            Locale::En => format!("{}; accounts of its own", protocol(login)),
            Locale::Fr => format!("{} ; ses propres comptes", protocol(login)),
        },
        (login, _) => protocol(login).to_owned(),
    }
}

/// Returns what a way of logging in is called.
fn protocol(login: Login) -> &'static str {
    match login {
        Login::Local => "-",
        Login::Ldap => "LDAP",
        Login::Oidc => "OpenID Connect",
        Login::Saml => "SAML",
    }
}

/// Returns what people call a role.
fn title(role: Role, locale: Locale) -> &'static str {
    match (role, locale) {
        (Role::Admin, Locale::En) => "Admin",
        (Role::Admin, Locale::Fr) => "Administrateur",
        (Role::Engineer, Locale::En) => "Data Engineer",
        (Role::Engineer, Locale::Fr) => "Ingénieur de données",
        (Role::Analyst, Locale::En) => "Analyst",
        (Role::Analyst, Locale::Fr) => "Analyste",
        (Role::Viewer, Locale::En) => "Viewer",
        (Role::Viewer, Locale::Fr) => "Lecteur",
    }
}
