//! A secret that a user typed into the topology.

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::{Platform, TypedText};

static RULE: Rule = Rule {
    code: "secret-in-clear",
    severity: Severity::Error,
    summary: "a text in the topology looks like a secret",
    why: "Topologies and bundles lie in git, and everybody who may read the repository could use it. A secret that was \
          committed once must be changed.",
    fix: "Remove it and change it where it is valid. Secrets are declared by blueprints and made or put into place with \
          `lakewright secrets init`.",
    allowable: true,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

/// Words in the name of an option or variable that promise a secret.
const TELLING: &[&str] = &[
    "password",
    "passwd",
    "secret",
    "token",
    "api_key",
    "apikey",
    "private_key",
    "access_key",
    "credential",
];

/// Endings that make such a name harmless: it then says where the secret is, not what.
const HARMLESS: &[&str] = &[
    "_file",
    "_path",
    "_name",
    "_url",
    "_expiration",
    "_lifetime",
    "_ttl",
    "_field",
    "_id",
    "_length",
];

/// Beginnings of values that only secrets have.
const PREFIXES: &[&str] = &[
    "-----BEGIN",
    "AKIA",
    "ASIA",
    "ghp_",
    "gho_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "xoxa-",
    "sk_live_",
    "AGE-SECRET-KEY-",
    "https://hooks.slack.com/services/",
];

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    for component in &platform.components {
        for typed in &component.typed {
            if let Some(cause) = suspicion(typed) {
                findings.push(
                    // The value itself is not repeated: reports are read by more people than topologies.
                    Finding::new(
                        &RULE,
                        typed.place.clone(),
                        format!(
                            "`{}` of `{}` looks like a secret",
                            typed.name, component.name
                        ),
                    )
                    .cause(cause)
                    .component(component.name.clone()),
                );
            }
        }
    }
    for typed in &platform.alerting.typed {
        if let Some(cause) = suspicion(typed) {
            findings.push(
                Finding::new(&RULE, typed.place.clone(), format!("`{}` looks like a secret", typed.name))
                    .cause(cause)
                    .help("keep it out of the topology: with `webhook = true`, or a heartbeat without `url`, it is a secret that is given"),
            );
        }
    }
}

fn suspicion(typed: &TypedText) -> Option<&'static str> {
    let (name, text) = (typed.name.to_lowercase(), typed.text.as_str());
    if PREFIXES.iter().any(|prefix| text.starts_with(prefix)) {
        return Some("it begins as keys and tokens do");
    }
    if let Some((_, rest)) = text.split_once("://")
        && let Some((user, _)) = rest.split('/').next().unwrap_or_default().rsplit_once('@')
        && user
            .split_once(':')
            .is_some_and(|(_, password)| !password.is_empty())
    {
        return Some("the address has a password in it");
    }
    let telling = TELLING.iter().any(|word| name.contains(word))
        && !HARMLESS.iter().any(|ending| name.ends_with(ending));
    (telling && !text.is_empty() && !text.starts_with('/')).then_some("its name promises a secret")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Place, Sources};

    #[test]
    fn tells_secrets_from_settings() {
        let mut sources = Sources::default();
        let file = sources.add("x", "");
        let suspicious = |name: &str, text: &str| {
            let typed = TypedText {
                name: name.to_owned(),
                text: text.to_owned(),
                place: Place::File { file },
            };
            suspicion(&typed).is_some()
        };
        for (name, text) in [
            ("SMTP_PASSWORD", "hunter2"),
            ("DATABASE_URL", "postgresql://app:hunter2@db/app"),
            ("KEY", "AKIAIOSFODNN7EXAMPLE"),
            ("slack_token", "abc"),
            ("CERT", "-----BEGIN PRIVATE KEY-----"),
        ] {
            assert!(suspicious(name, text), "{name}");
        }
        for (name, text) in [
            ("PASSWORD_FILE", "/run/secrets/x"),
            ("password", "/run/secrets/x"),
            ("URL", "https://user@example.com/a:b@c"),
            ("TITLE", "password rules"),
            ("token_expiration", "30d"),
        ] {
            assert!(!suspicious(name, text), "{name}");
        }
    }
}
