//! Backups: the secrets that their jobs share, and what becomes of each component's data.

use super::super::service::Sized;
use super::*;
use crate::blueprint::FAULTY_BLUEPRINT;
use crate::blueprint::backup::FILE_NAME;
use crate::blueprint::expression::Names;
use crate::blueprint::monitoring::FilledWords;
use crate::diagnostic::Finding;
use crate::platform::backup::{Copies, IDENTITY_SECRET, Keeping, STORE_SECRET};
use crate::source::KeyPath;
use crate::terms::{BackupRole, Locale};

impl Finish<'_, '_, '_> {
    /// Returns the names of the secrets that a job needs for the backups of its component.
    pub(super) fn backup_secrets(&self, sized: &Sized<'_>) -> Vec<String> {
        let (Some(role), Some(backup)) = (sized.workload.backup, &self.resolver.backup) else {
            return Vec::new();
        };
        let mut secrets = Vec::new();
        // Whoever makes copies only needs to encrypt.
        if role != BackupRole::Run && !backup.recipients.is_empty() {
            secrets.push(IDENTITY_SECRET.to_owned());
        }
        if backup.offsite.is_some() {
            secrets.push(STORE_SECRET.to_owned());
        }
        secrets
    }

    /// Declares them: the user puts them there. Those that no job reads are taken out again.
    pub(super) fn declare_backup_secrets(&self, secrets: &mut BTreeMap<String, Secret>) {
        let Some(backup) = &self.resolver.backup else {
            return;
        };
        let locale = self.resolver.environment.locale;
        let word = |en: &str, fr: &str| match locale {
            Locale::En => en.to_owned(),
            Locale::Fr => fr.to_owned(),
        };
        let identity = word(
            "secret key that copies are decrypted with, as age-keygen makes it; keep it also where the platform is not",
            "clé secrète qui déchiffre les copies, telle que la produit age-keygen ; la garder aussi ailleurs que sur la plateforme",
        );
        let store = word(
            "secret key of the account on the store off site",
            "clé secrète du compte sur le stockage hors site",
        );
        let user = backup
            .offsite
            .as_ref()
            .map(|offsite| offsite.access_key.clone());
        for (name, purpose, user) in [
            (IDENTITY_SECRET, identity, None),
            (STORE_SECRET, store, user),
        ] {
            let secret = self.given_secret(name, purpose, user);
            secrets.insert(name.to_owned(), secret);
        }
    }

    /// Fills in what people do when something of a component is lost.
    fn losses(&self, at: usize, scope: &Scope<'_>) -> Result<Vec<(String, String)>, Vec<Finding>> {
        let draft = &self.drafts[at];
        let locale = self.resolver.environment.locale;
        let mut findings = Vec::new();
        let mut losses = Vec::new();
        let base = Names::new(&draft.base);
        let names = base.with(&scope.names);
        let said = draft.blueprint.backup.iter();
        for (name, loss) in said.flat_map(|backup| &backup.losses) {
            let file = draft.blueprint.files.get(FILE_NAME).copied();
            let path = KeyPath::of(["losses", name]);
            let place = |path| Place::value(file.unwrap_or(draft.blueprint.file), path);
            let when = || place(path.key("when"));
            if !draft.holds(loss.when.as_ref(), &names, when, &mut findings) {
                continue;
            }
            let mut fill = |words: &FilledWords, key| {
                let path = path.key(key);
                let path = words
                    .key(locale)
                    .map_or(path.clone(), |locale| path.key(locale));
                match words.get(locale).parsed.fill_text(&names) {
                    Ok(text) => text.trim().to_owned(),
                    Err(error) => {
                        let fault = format!("cannot fill it in: {error}");
                        findings.push(Finding::new(&FAULTY_BLUEPRINT, place(path), fault));
                        String::new()
                    }
                }
            };
            losses.push((fill(&loss.what, "what"), fill(&loss.steps, "steps")));
        }
        if findings.is_empty() {
            Ok(losses)
        } else {
            Err(findings)
        }
    }

    /// Says what becomes of a component's data.
    pub(super) fn keeping(&mut self, at: usize, scope: &Scope<'_>) -> Keeping {
        let losses = self.losses(at, scope).unwrap_or_else(|mut findings| {
            self.resolver.findings.append(&mut findings);
            Vec::new()
        });
        let keeping = self.kept(at);
        Keeping { losses, ..keeping }
    }

    fn kept(&self, at: usize) -> Keeping {
        let draft = &self.drafts[at];
        let locale = self.resolver.environment.locale;
        let refused = draft
            .layered
            .and_then(|layered| layered.backup.enabled.as_ref())
            .filter(|enabled| !enabled.value)
            .map(|enabled| enabled.place.clone());
        let Some(backup) = &draft.blueprint.backup else {
            return Keeping {
                refused,
                ..Keeping::default()
            };
        };
        let bound = |need: &String| {
            let mut bindings = self.by_consumer[at].iter().map(|at| &self.bindings[*at]);
            let binding = bindings.find(|binding| binding.need == *need)?;
            Some(self.drafts[binding.provider].name.clone())
        };
        Keeping {
            copies: backup.copies.as_ref().map(|copies| Copies {
                contents: copies.contents.get(locale).to_owned(),
                quiet: copies.quiet.get(locale).to_owned(),
                without: copies
                    .without
                    .as_ref()
                    .map(|words| words.get(locale).to_owned()),
                covers: copies.covers.clone(),
                share: copies.share,
                mirror: copies.mirror,
                stops: copies
                    .stops
                    .iter()
                    .filter_map(|service| self.position(at, service))
                    .collect(),
                then: copies
                    .then
                    .iter()
                    .filter(|job| self.position(at, job).is_some())
                    .map(|job| format!("{}-{}", draft.name, job.replace('_', "-")))
                    .collect(),
            }),
            left: backup
                .leave
                .iter()
                .map(|(volume, why)| (volume.clone(), why.get(locale).to_owned()))
                .collect(),
            elsewhere: backup
                .elsewhere
                .iter()
                .filter_map(|(need, what)| Some((bound(need)?, what.get(locale).to_owned())))
                .collect(),
            losses: Vec::new(),
            refused,
        }
    }
}
