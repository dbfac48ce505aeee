//! Secrets: what their values consist of, and what it takes to change one.

use super::super::component::Draft;
use super::*;
use crate::blueprint::FAULTY_BLUEPRINT;
use crate::blueprint::model;
use crate::diagnostic::Finding;
use crate::terms::{Rotation, RotationWay, SecretKind, is_alphabet};
use crate::units::Seconds;

impl Finish<'_, '_, '_> {
    /// Makes a secret of the platform's own whose value the user puts there.
    pub(super) fn given_secret(&self, name: &str, purpose: String, user: Option<String>) -> Secret {
        Secret {
            name: name.to_owned(),
            kind: SecretKind::Given,
            length: SECRET_LENGTH,
            alphabet: None,
            prefix: None,
            rotation: None,
            token: None,
            purpose,
            user,
            version: self.secret_version(name),
        }
    }

    /// Returns what a blueprint says of how a secret is changed, in the language of the environment.
    pub(super) fn rotation(
        &self,
        draft: &Draft<'_>,
        keys: &[&str],
        given: Option<&model::Rotation>,
        findings: &mut Vec<Finding>,
    ) -> Option<Rotation> {
        let given = given?;
        let mut fault = |message: String| {
            let place = draft
                .blueprint
                .place(keys.iter().copied().chain(["rotation"]));
            findings.push(Finding::new(&FAULTY_BLUEPRINT, place, message));
        };
        if let Some(every) = &given.every {
            if Seconds::parse(every).is_none_or(|time| time.0 == 0) {
                fault(format!("`{every}` is not {}", Seconds::EXPECTED));
            }
            if given.how == RotationWay::Never {
                fault("what must stay as it is does not grow old".to_owned());
            }
        }
        let told = matches!(given.how, RotationWay::Steps | RotationWay::Never);
        if told && given.then.is_none() {
            fault("`then` says what people do, or why it must stay".to_owned());
        }
        let locale = self.resolver.environment.locale;
        Some(Rotation {
            every: given.every.clone(),
            how: given.how,
            then: given.then.as_ref().map(|then| then.get(locale).to_owned()),
        })
    }
}

/// Returns the characters that a blueprint says a secret consists of.
pub(super) fn alphabet(
    draft: &Draft<'_>,
    keys: &[&str],
    (kind, given): (SecretKind, Option<&str>),
    findings: &mut Vec<Finding>,
) -> Option<String> {
    let given = given?;
    let message = match kind {
        SecretKind::Alphanumeric | SecretKind::Given if is_alphabet(given) => {
            return Some(given.to_owned());
        }
        SecretKind::Alphanumeric | SecretKind::Given => {
            "an alphabet is at least ten different printable characters of ASCII, each once"
        }
        _ => "only secrets of the kinds `alphanumeric` and `given` have an alphabet",
    };
    let place = draft
        .blueprint
        .place(keys.iter().copied().chain(["alphabet"]));
    findings.push(Finding::new(&FAULTY_BLUEPRINT, place, message));
    None
}
