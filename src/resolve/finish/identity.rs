//! People: the secrets that systems need to know them, and what each component's blueprint says of roles.

use super::super::service::Sized;
use super::*;
use crate::blueprint::identity::{FILE_NAME, Mapping};
use crate::platform::identity::{AUTHORITY_SECRET, BIND_SECRET, InSystem, People};
use crate::source::KeyPath;
use crate::terms::{Locale, Login, Role};

/// The capability of pages that something else which knows people can stand before.
const PAGE: &str = "web-page";

impl Finish<'_, '_, '_> {
    /// Returns the names of the secrets that a workload needs to ask the directory.
    pub(super) fn identity_secrets(&self, draft: &Draft<'_>, sized: &Sized<'_>) -> Vec<String> {
        let directory = self.resolver.identity.directory.as_ref();
        let Some(directory) = directory.filter(|_| draft.ways.login == Login::Ldap) else {
            return Vec::new();
        };
        let binds = sized.workload.directory;
        let asks = binds || sized.workload.directory_authority;
        let bind = (binds && directory.bind.is_some()).then_some(BIND_SECRET);
        let authority = (asks && directory.own_authority).then_some(AUTHORITY_SECRET);
        bind.into_iter()
            .chain(authority)
            .map(str::to_owned)
            .collect()
    }

    /// Declares them: the user puts them there. Those that nothing reads are taken out again.
    pub(super) fn declare_identity_secrets(&self, secrets: &mut BTreeMap<String, Secret>) {
        let Some(directory) = &self.resolver.identity.directory else {
            return;
        };
        let (bind, authority) = match self.resolver.environment.locale {
            Locale::En => (
                "password of the account that looks for people in the directory",
                "certificate of the directory's authority, in PEM",
            ),
            Locale::Fr => (
                "mot de passe du compte qui cherche les personnes dans l'annuaire",
                "certificat de l'autorité de l'annuaire, en PEM",
            ),
        };
        for (name, purpose, user) in [
            (BIND_SECRET, bind, directory.bind.clone()),
            (AUTHORITY_SECRET, authority, None),
        ] {
            let secret = self.given_secret(name, purpose.to_owned(), user);
            secrets.insert(name.to_owned(), secret);
        }
    }

    /// Lists the groups whose members have a role that is something in a component, sorted.
    pub(super) fn admitted(&self, draft: &Draft<'_>) -> Vec<String> {
        let identity = &self.resolver.identity;
        let said = draft.blueprint.identity.as_ref();
        let roles = Role::ALL.iter().filter(|role| {
            said.is_some_and(|said| matches!(said.roles.get(**role), Mapping::Is { .. }))
        });
        let groups: BTreeSet<&str> = roles.flat_map(|role| identity.groups_of(*role)).collect();
        groups.into_iter().map(str::to_owned).collect()
    }

    /// Says how a component knows people, and what roles are in it; nothing if no people use it.
    pub(super) fn people(
        &self,
        at: usize,
        names: &Names<'_>,
        findings: &mut Vec<Finding>,
    ) -> Option<People> {
        let draft = &self.drafts[at];
        let locale = self.resolver.environment.locale;
        let said = draft.blueprint.identity.as_ref()?;
        let roles = Role::ALL.iter().map(|role| {
            let is = match said.roles.get(*role) {
                Mapping::None { none } => InSystem::None(none.get(locale).to_owned()),
                Mapping::Is { name, may } => {
                    let filled = name.parsed.fill_text(names).unwrap_or_else(|error| {
                        let file = draft.blueprint.files.get(FILE_NAME).copied();
                        let path = KeyPath::of(["roles", role.word(), "name"]);
                        let place = Place::value(file.unwrap_or(draft.blueprint.file), path);
                        let message = format!("cannot fill in `{}`: {error}", name.written);
                        findings.push(Finding::new(&FAULTY_BLUEPRINT, place, message));
                        String::new()
                    });
                    InSystem::Is {
                        name: filled,
                        may: may.get(locale).to_owned(),
                    }
                }
            };
            (*role, is)
        });
        let front = self.by_provider[at]
            .iter()
            .map(|position| &self.bindings[*position])
            .find(|binding| draft.blueprint.model.provides[&binding.provide].capability == PAGE);
        Some(People {
            login: draft.ways.login,
            local: draft.ways.local,
            note: draft.ways.note.clone(),
            lacking: draft.ways.lacking.clone(),
            roles: roles.collect(),
            admitted: self.admitted(draft),
            front: front.map(|binding| self.drafts[binding.consumer].name.clone()),
        })
    }
}
