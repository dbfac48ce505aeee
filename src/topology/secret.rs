//! Secrets that a user typed into the topology: in any value of it, in a name, in a comment.
//!
//! In comes the file's text, out come findings, and everything that looks like a secret is hidden in [`Sources`]:
//! neither the lines that findings show nor their words repeat it. It is looked for before the schema is asked, so that
//! no other fault of the file shows what this one would have hidden.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::LazyLock;

use fancy_regex::Regex;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostic::{Finding, Rule, Severity};
use crate::source::{FileId, KeyPath, Place, Segment, Sources};
use crate::units::Seconds;

/// A text in the topology looks like a secret.
pub static SECRET_IN_CLEAR: Rule = Rule {
    code: "secret-in-clear",
    severity: Severity::Error,
    summary: "a text in the topology looks like a secret",
    why: "Topologies and bundles lie in git, and everybody who may read the repository could use it. A secret that was \
          committed once must be changed.",
    fix: "Remove it and change it where it is valid. Secrets are declared by blueprints and made or put into place with \
          `lakewright secrets init`.",
    allowable: true,
};

/// Words in the name of an option or variable that promise a secret.
const TELLING: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
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

/// Endings of names that may be those of secrets: what looks random under them is one.
const DOUBTFUL: &[&str] = &["key", "salt", "cookie", "auth", "pass", "pwd", "seed"];

/// Words that say nothing under a name that promises a secret.
const SETTINGS: &[&str] = &["true", "false", "on", "off", "none", "null", "disabled"];

/// Names of what the name above them says: `password = { value = "…" }`.
const GENERIC: &[&str] = &["value", "default", "text", "content", "data"];

/// Tables whose keys are names of other things: of findings, needs, images, components, profiles.
const NAMES: &[&str] = &["allow", "images", "mirrors", "needs", "owners", "profiles"];

/// Keys of `alerting` whose values are addresses, which can be secrets that are given.
const ADDRESSES: &[&str] = &["webhook", "heartbeat"];

/// Keys of the topology's own whose names sound like secrets, and which are names of accounts, objects and keys
/// elsewhere.
const REFERENCES: &[[&str; 2]] = &[
    ["kubernetes", "disk_key"],
    ["kubernetes", "tls_secret"],
    ["offsite", "access_key"],
];

/// What only secrets look like, wherever it stands. Sources: the documentation of GitHub, GitLab, Slack, Stripe, npm,
/// Docker, HashiCorp, Google, AWS and age on the forms of their tokens; RFC 7468 and RFC 7519.
static TOKEN: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"-----BEGIN [A-Z ]*PRIVATE KEY|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bgh[pousr]_[A-Za-z0-9]{16,}|\bgithub_pat_[A-Za-z0-9_]{20,}|\bglpat-[A-Za-z0-9_-]{16,}|\bxox[abeoprs]-[A-Za-z0-9-]{8,}|\bxapp-[A-Za-z0-9-]{16,}|\b[sr]k_live_[A-Za-z0-9]{8,}|\bnpm_[A-Za-z0-9]{30,}|\bdckr_pat_[A-Za-z0-9_-]{16,}|\bhv[sb]\.[A-Za-z0-9_-]{20,}|\bAIza[A-Za-z0-9_-]{35}|\bAGE-SECRET-KEY-[A-Z0-9-]{8,}|\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*|https://hooks\.slack\.com/services/[^\s\x22']+|https://discord(?:app)?\.com/api/webhooks/[^\s\x22']+",
    )
});

/// An address with a password in it; a reference in its place is none.
static ADDRESS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s/?#:@\x22']*:[^\s/?#@\x22'$<{*%][^\s/?#@\x22']*@")
});

/// A setting with a secret, as in the query of an address or the arguments of a program.
static SETTING: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)(?:password|passwd|pwd|secret|secret_?key|token|api_?key|access_?key|signature)=[^\s\x22'&;,~$<{%/*=!][^\s\x22'&;,]{5,}",
    )
});

/// A line with a key and a value, whatever that is.
static LINE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?m)^[ \t]*([A-Za-z0-9_.\x22'-]+)[ \t]*=[ \t]*(\S.*)$"));

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a pattern of Lakewright's own; a test uses every one")
}

/// Looks for secrets in a file, hides them from all that is shown of it, and reports them.
pub fn find(sources: &mut Sources, file: FileId) -> Vec<Finding> {
    let text = sources.file(file).text.clone();
    let (table, errors) = DeTable::parse_recoverable(&text);
    let mut scan = Scan {
        file,
        values: Vec::new(),
        hidden: Vec::new(),
        findings: Vec::new(),
    };
    scan.table(table.get_ref(), &KeyPath::root());
    scan.rest(&text, !errors.is_empty());
    let Scan {
        hidden, findings, ..
    } = scan;
    for (span, words) in hidden {
        sources.hide(file, span, &words);
    }
    findings
}

struct Scan {
    file: FileId,
    /// Where values stand.
    values: Vec<Range<usize>>,
    /// What is hidden: where it stands, and what it says.
    hidden: Vec<(Range<usize>, String)>,
    findings: Vec<Finding>,
}

impl Scan {
    fn table(&mut self, table: &DeTable<'_>, path: &KeyPath) {
        for (key, value) in table {
            self.value(value, &path.key(key.get_ref().as_ref()));
        }
    }

    fn value(&mut self, value: &Spanned<DeValue<'_>>, path: &KeyPath) {
        match value.get_ref() {
            DeValue::Table(table) => self.table(table, path),
            DeValue::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    self.value(item, &path.index(at));
                }
            }
            DeValue::String(text) => self.text(text, value.span(), path, suspicion),
            DeValue::Integer(number) => {
                self.text(number.as_str(), value.span(), path, number_suspicion);
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &str, span: Range<usize>, path: &KeyPath, suspects: Suspects) {
        self.values.push(span.clone());
        let names: Vec<&str> = path.segments().into_iter().filter_map(key).collect();
        let Some(cause) = suspects(&names, text) else {
            return;
        };
        self.hidden.push((span, text.to_owned()));
        let mut finding = Finding::new(
            &SECRET_IN_CLEAR,
            Place::value(self.file, path.clone()),
            format!("`{path}` looks like a secret"),
        )
        .cause(cause);
        let inner = match names.as_slice() {
            ["environments", environment, rest @ ..] => {
                finding.environment = Some((*environment).to_owned());
                rest
            }
            all => all,
        };
        match inner {
            ["components", component, ..] => finding = finding.component(*component),
            ["alerting", rest @ ..] if rest.iter().any(|name| ADDRESSES.contains(name)) => {
                finding = finding.help(
                    "keep it out of the topology: with `webhook = true`, or a heartbeat without `url`, it is a secret that is given",
                );
            }
            _ => {}
        }
        self.findings.push(finding);
    }

    /// Looks at what is no value: names, comments, and what could not be read.
    fn rest(&mut self, text: &str, broken: bool) {
        for (pattern, cause) in [(&*TOKEN, TOKEN_CAUSE), (&*ADDRESS, ADDRESS_CAUSE)] {
            for found in pattern.find_iter(text).flatten() {
                let span = found.range();
                if self.is_known(&span) {
                    continue;
                }
                let place = Place::span(self.file, span.clone());
                self.hidden.push((span, found.as_str().to_owned()));
                let message = "what stands here looks like a secret";
                self.findings
                    .push(Finding::new(&SECRET_IN_CLEAR, place, message).cause(cause));
            }
        }
        if !broken {
            return;
        }
        // What is not TOML is no value yet, and its line is shown.
        for found in LINE.captures_iter(text).flatten() {
            let (Some(name), Some(rest)) = (found.get(1), found.get(2)) else {
                continue;
            };
            let name = name.as_str().rsplit('.').next().unwrap_or_default();
            if is_telling(name.trim_matches(['"', '\'']).to_lowercase().as_str())
                && !self.is_known(&rest.range())
            {
                self.hidden.push((rest.range(), rest.as_str().to_owned()));
            }
        }
    }

    fn is_known(&self, span: &Range<usize>) -> bool {
        let within = |known: &Range<usize>| known.start <= span.start && span.end <= known.end;
        self.values.iter().any(within)
    }
}

fn key(segment: &Segment) -> Option<&str> {
    match segment {
        Segment::Key(key) => Some(key),
        Segment::Index(_) => None,
    }
}

/// Says why a value may be a secret, of its key path and its text.
type Suspects = fn(&[&str], &str) -> Option<&'static str>;

const TOKEN_CAUSE: &str = "it has the form of a key or token";
const ADDRESS_CAUSE: &str = "the address has a password in it";
const NAME_CAUSE: &str = "its name promises a secret";

fn suspicion(path: &[&str], text: &str) -> Option<&'static str> {
    let has = |pattern: &Regex| pattern.is_match(text).unwrap_or(false);
    if path.len() > 1 && REFERENCES.iter().any(|known| path.ends_with(known)) {
        // The id of a key is public; its other half is not.
        let is_id = ["AKIA", "ASIA"].iter().any(|id| text.starts_with(id));
        return (has(&TOKEN) && !is_id).then_some(TOKEN_CAUSE);
    }
    if has(&TOKEN) {
        return Some(TOKEN_CAUSE);
    }
    if has(&ADDRESS) {
        return Some(ADDRESS_CAUSE);
    }
    if has(&SETTING) {
        return Some("a setting in it promises a secret");
    }
    let name = promise(path)?;
    let harmless = text.is_empty()
        || text.starts_with('/')
        || (text.starts_with("${") && text.ends_with('}'))
        || Seconds::parse(text).is_some()
        || SETTINGS.contains(&text.to_lowercase().as_str());
    if harmless {
        return None;
    }
    if is_telling(&name) {
        return Some(NAME_CAUSE);
    }
    let doubtful = DOUBTFUL.iter().any(|ending| name.ends_with(ending));
    (doubtful && !name.contains("public") && is_random(text))
        .then_some("it looks random, and its name may be that of a secret")
}

fn number_suspicion(path: &[&str], text: &str) -> Option<&'static str> {
    let name = promise(path)?;
    let endings = ["password", "passwd", "passphrase"];
    let telling = endings.iter().any(|ending| name.ends_with(ending));
    (telling && text.len() > 1).then_some(NAME_CAUSE)
}

/// Returns the name that says what a value is, in lower case; none where it is the name of something else.
fn promise(path: &[&str]) -> Option<String> {
    let (name, above) = path.split_last()?;
    let parent = above.last().copied().unwrap_or_default();
    if NAMES.contains(&parent) {
        return None;
    }
    let name = if GENERIC.contains(name) { parent } else { name };
    Some(name.to_lowercase().replace('-', "_"))
}

/// Says whether a name in lower case promises a secret.
fn is_telling(name: &str) -> bool {
    let last = name.rsplit('_').next().unwrap_or_default();
    if ["pass", "pwd"].contains(&last) {
        return true;
    }
    TELLING.iter().any(|word| name.contains(word))
        && !HARMLESS.iter().any(|ending| name.ends_with(ending))
}

/// Says whether a text looks as if it was made by chance: long, of a mixture of characters, and of many different ones.
fn is_random(text: &str) -> bool {
    /// Different characters that there must be: sixteen by chance have fourteen or so.
    const LEAST: usize = 10;
    let has = |test: fn(&u8) -> bool| text.as_bytes().iter().any(test);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=_-".contains(&byte);
    if text.len() < 16 || !text.bytes().all(plain) || !has(u8::is_ascii_digit) {
        return false;
    }
    let mixed = has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase);
    let hex = text.len() >= 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let different: BTreeSet<u8> = text.bytes().collect();
    (mixed || hex || text.ends_with('=')) && different.len() >= LEAST
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes something of the form of a secret, which no scanner of this repository should find.
    fn token(beginning: &str, length: usize) -> String {
        let letters = "k3Qz8Vw1Rt6Yp0Lm5Nc2Xb7Hd4Jf9Gs".chars().cycle();
        beginning.chars().chain(letters.take(length)).collect()
    }

    #[test]
    fn tells_secrets_from_settings() {
        let suspicious = |name: &str, text: &str| {
            let path = ["components", "app", "services", "web", "env", name];
            suspicion(&path, text).is_some()
        };
        let upper = token("AKIA", 16).to_uppercase();
        for (name, text) in [
            ("SMTP_PASSWORD", "hunter2"),
            ("DATABASE_URL", "postgresql://app:hunter2@db/app"),
            ("JDBC", "jdbc:postgresql://db/app?user=app&password=hunter2"),
            ("ARGUMENTS", "--user=app --api-key=abc --token=abcdef12"),
            ("WHATEVER", upper.as_str()),
            ("slack_token", "abc"),
            ("CERT", "-----BEGIN PRIVATE KEY-----"),
            ("NOTE", "first\n-----BEGIN OPENSSH PRIVATE KEY-----\nx"),
            ("A", token("ghp_", 36).as_str()),
            ("A", token("see github_pat_", 40).as_str()),
            ("A", token("glpat-", 20).as_str()),
            ("A", token("xoxb-", 20).as_str()),
            ("A", token("sk_live_", 24).as_str()),
            ("A", "AGE-SECRET-KEY-1QQQQQQQQQQQQ"),
            ("A", "https://hooks.slack.com/services/T0/B0/x"),
            (
                "A",
                format!(
                    "{}.{}.{}",
                    token("eyJ", 20),
                    token("eyJ", 20),
                    token("", 20)
                )
                .as_str(),
            ),
            ("FERNET_KEY", format!("{}=", token("", 43)).as_str()),
            ("PGPASS", format!("{}A1", token("", 20)).as_str()),
            ("db_pass", "hunter2"),
            ("cookie-salt", "0123456789abcdef0123456789abcdef"),
        ] {
            assert!(suspicious(name, text), "{name} = {text}");
        }
        for (name, text) in [
            ("PASSWORD_FILE", "/run/secrets/x"),
            ("password", "/run/secrets/x"),
            ("password", "${DB_PASSWORD}"),
            ("URL", "https://user@example.com/a:b@c"),
            ("URL", "postgresql://app:${PASSWORD}@db/app"),
            ("TITLE", "password rules"),
            ("token_expiration", "30d"),
            ("token_time", "5min"),
            ("TOKEN_AUTH", "true"),
            ("CERT", "-----BEGIN CERTIFICATE-----"),
            ("PARTITION_KEY", "customer-and-day-2"),
            ("SSH_PUBLIC_KEY", token("", 40).as_str()),
            (
                "EXPR",
                "sum(rate(x{token=\"a\", secret=~\"b|cdefghi\"}[5m]))",
            ),
            (
                "IMAGE",
                "registry.example.com/app:1.2@sha256:0123456789abcdef",
            ),
        ] {
            assert!(!suspicious(name, text), "{name} = {text}");
        }
    }

    #[test]
    fn names_of_other_things_promise_nothing() {
        for path in [
            &["environments", "prod", "kubernetes", "tls_secret"][..],
            &["backup", "offsite", "access_key"],
            &["allow", "secret-in-environment"],
            &["components", "app", "needs", "token"],
        ] {
            assert_eq!(suspicion(path, "hunter2"), None, "{path:?}");
        }
        let path = ["components", "app", "password", "value"];
        assert!(suspicion(&path, "hunter2").is_some());
        assert!(number_suspicion(&["components", "app", "admin_password"], "1234").is_some());
        assert!(number_suspicion(&["components", "app", "max_tokens"], "4096").is_none());
    }
}
