//! Looking at secrets: whether every value is there, is what was asked for, is hidden from others, and is young enough.

use std::fmt;
use std::path::Path;

use serde::Serialize;

use super::value::{alphabet, key_of, signed};
use super::{FOLDER, FORMER, IGNORE, SecretsError, UNFINISHED, listed};
use crate::bundle::INVENTORY;
use crate::bundle::inventory::SecretSpec;
use crate::host::{Host, HostError, Kind, Look, Plain, shown};
use crate::terms::{SecretKind, SecretStore};
use crate::units::Seconds;

/// The version of the report's format.
const SCHEMA: u32 = 1;

/// The fewest characters of a secret that comes from elsewhere.
const LEAST_GIVEN: usize = 8;

/// What lies in the folder besides secrets: certificates.
const OTHERS: &[&str] = &["tls"];

/// What was found out about a bundle's secrets. No values.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Checked {
    /// Version of this format.
    pub schema: u32,
    /// How many secrets the bundle has.
    pub secrets: usize,
    /// What is wrong, by secret.
    pub problems: Vec<Problem>,
}

/// Something wrong with a secret.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct Problem {
    /// Its name, or that of the folder.
    pub secret: String,
    /// What.
    pub problem: Trouble,
    /// The same in words.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// What can be wrong with a secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// It has no file.
    Missing,
    /// It is no file.
    NotAFile,
    /// Its file is empty.
    Empty,
    /// Other users may read or write it.
    Open,
    /// It ends with a line break, which some programs take for a part of it.
    LineBreak,
    /// It has fewer characters than it was declared with.
    TooShort,
    /// It does not begin as it was declared to.
    WrongPrefix,
    /// It has characters that it was declared without.
    WrongCharacters,
    /// It is signed with another key than the one that is there.
    WrongKey,
    /// It is older than it should get.
    TooOld,
    /// Nothing in the bundle reads it.
    Unknown,
}

impl fmt::Display for Checked {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(
                out,
                "`{}` {}\n  help: {}",
                problem.secret, problem.message, problem.help
            )?;
        }
        if self.problems.is_empty() {
            writeln!(out, "{} secrets, and nothing to report", self.secrets)?;
        }
        Ok(())
    }
}

/// Looks at the secrets of the bundle in this folder, and changes nothing.
///
/// # Errors
/// There is no bundle, its inventory lists secrets that could do harm, or the system refuses to read a file.
pub fn check(host: &Host, dir: &Path) -> Result<Checked, SecretsError> {
    let (specs, (_, store)) = listed(host, &dir.join(INVENTORY))?;
    let folder = dir.join(FOLDER);
    let mut found = Found::default();
    match host.look(&folder)? {
        Some(look) if look.kind != Kind::Folder => {
            return Err(SecretsError::NotAFolder(folder));
        }
        Some(look) => {
            if look.mode & 0o077 != 0 {
                found.open(&format!("{FOLDER}/"), &look);
            }
            strangers(host, &folder, &specs, &mut found)?;
        }
        None => {}
    }
    let now = host.now();
    // Their values need not be here.
    let elsewhere = matches!(
        store,
        Some(SecretStore::ExternalSecrets | SecretStore::SealedSecrets)
    );
    for spec in &specs {
        if elsewhere && host.look(&folder.join(&spec.name))?.is_none() {
            continue;
        }
        one(host, &folder, spec, now, &mut found)?;
    }
    found.0.sort();
    Ok(Checked {
        schema: SCHEMA,
        secrets: specs.len(),
        problems: found.0,
    })
}

#[derive(Default)]
struct Found(Vec<Problem>);

impl Found {
    fn add(&mut self, secret: &str, problem: Trouble, message: String, help: &str) {
        self.0.push(Problem {
            secret: secret.to_owned(),
            problem,
            message,
            help: help.to_owned(),
        });
    }

    fn open(&mut self, name: &str, look: &Look) {
        let message = format!("is open to other users (mode {:04o})", look.mode);
        let help = format!("chmod go= {FOLDER}/{}", name.trim_start_matches("secrets/"));
        self.add(name, Trouble::Open, message, &help);
    }
}

/// Finds what lies in the folder and belongs to no secret of the bundle.
fn strangers(
    host: &Host,
    folder: &Path,
    specs: &[SecretSpec],
    found: &mut Found,
) -> Result<(), HostError> {
    for entry in host.list(folder)? {
        let name = shown(&entry.name);
        let secret = name.strip_suffix(FORMER).unwrap_or(&name);
        let known = specs.iter().any(|spec| spec.name == secret);
        let own = name == IGNORE || name.ends_with(UNFINISHED) || OTHERS.contains(&name.as_str());
        if !known && !own {
            found.add(
                &name,
                Trouble::Unknown,
                "is read by nothing in this bundle".to_owned(),
                "delete the file, once no earlier bundle is needed any more",
            );
        }
    }
    Ok(())
}

fn one(
    host: &Host,
    folder: &Path,
    spec: &SecretSpec,
    now: i64,
    found: &mut Found,
) -> Result<(), HostError> {
    let name = spec.name.as_str();
    let given = spec.kind == SecretKind::Given;
    let path = folder.join(name);
    let Some(mut look) = host.look(&path)? else {
        let help = if given {
            format!("put it into {FOLDER}/{name}: {}", spec.purpose)
        } else {
            "lakewright secrets init makes it".to_owned()
        };
        found.add(name, Trouble::Missing, "is missing".to_owned(), &help);
        return Ok(());
    };
    let mut real = path;
    if look.kind == Kind::Symlink {
        // Someone else looks after what the link leads to, as long as it is there.
        real = host.canonical(&real)?;
        match host.look(&real)? {
            Some(behind) => look = behind,
            None => look.kind = Kind::Special,
        }
    }
    if look.kind != Kind::File {
        let help = "move it away, and put a file in its place";
        found.add(name, Trouble::NotAFile, "is not a file".to_owned(), help);
        return Ok(());
    }
    if look.mode & 0o077 != 0 {
        found.open(name, &look);
    }
    let Plain::File {
        bytes: Some(bytes), ..
    } = host.read_plain(&real, |_| true)?
    else {
        return Ok(());
    };
    if bytes.is_empty() {
        let help = if given {
            "put the value there"
        } else {
            "delete the file; lakewright secrets init makes it anew"
        };
        found.add(name, Trouble::Empty, "is empty".to_owned(), help);
        return Ok(());
    }
    let bytes = match bytes.strip_suffix(b"\n") {
        Some(rest) => {
            let message = "ends with a line break, which some programs take for a part of it";
            let help = format!(
                "printf %s \"$(cat {FOLDER}/{name})\" >{FOLDER}/{name}.new, then rename that"
            );
            found.add(name, Trouble::LineBreak, message.to_owned(), &help);
            rest
        }
        None => &bytes[..],
    };
    content(host, folder, spec, bytes, found)?;
    age(spec, &look, now, found);
    Ok(())
}

/// Holds a value to what was declared.
fn content(
    host: &Host,
    folder: &Path,
    spec: &SecretSpec,
    bytes: &[u8],
    found: &mut Found,
) -> Result<(), HostError> {
    let name = spec.name.as_str();
    let anew = "lakewright secrets rotate makes a new value, and says what that takes";
    if let Some(token) = &spec.token {
        let key = key_of(host, folder, token)?;
        if key.is_some_and(|key| signed(token, &key).as_bytes() != bytes) {
            let message = format!("is not signed with what `{}` is now", token.key);
            let help = "delete the file; lakewright secrets init makes it anew";
            found.add(name, Trouble::WrongKey, message, help);
        }
        return Ok(());
    }
    let prefix = spec.prefix.as_deref().unwrap_or_default().as_bytes();
    let Some(body) = bytes.strip_prefix(prefix) else {
        let message = "does not begin as the system expects".to_owned();
        found.add(name, Trouble::WrongPrefix, message, anew);
        return Ok(());
    };
    let length = spec.length as usize;
    let least = match spec.kind {
        SecretKind::Alphanumeric => length,
        SecretKind::Base64 => length.div_ceil(3) * 4,
        SecretKind::Hex => 2 * length,
        SecretKind::Given | SecretKind::Jwt => LEAST_GIVEN,
    };
    let allowed = |byte: &u8| match spec.kind {
        SecretKind::Alphanumeric => alphabet(spec).as_bytes().contains(byte),
        SecretKind::Base64 => byte.is_ascii_alphanumeric() || b"+/=".contains(byte),
        SecretKind::Hex => byte.is_ascii_hexdigit(),
        SecretKind::Given | SecretKind::Jwt => {
            let letters = spec.alphabet.as_deref();
            letters.is_none_or(|letters| letters.as_bytes().contains(byte))
        }
    };
    let help = if spec.kind == SecretKind::Given {
        "change it where it comes from"
    } else {
        anew
    };
    if body.len() < least {
        let message = format!("is shorter than {least} characters");
        found.add(name, Trouble::TooShort, message, help);
    }
    if !body.iter().all(allowed) {
        let message = "has characters that it was declared without".to_owned();
        found.add(name, Trouble::WrongCharacters, message, help);
    }
    Ok(())
}

/// Reports a value that should have been changed by now. When it was written stands for when it was made.
fn age(spec: &SecretSpec, look: &Look, now: i64, found: &mut Found) {
    let every = spec
        .rotation
        .as_ref()
        .and_then(|rotation| rotation.every.as_deref());
    let Some(every) = every.and_then(Seconds::parse) else {
        return;
    };
    let age = now.saturating_sub(look.modified.0);
    if u64::try_from(age).is_ok_and(|age| age > every.0) {
        let message = format!(
            "is {} days old, and should not get older than {every}",
            age / 86_400
        );
        let help = if spec.kind == SecretKind::Given {
            "change it where it comes from, and put the new value there".to_owned()
        } else {
            format!("lakewright secrets rotate FOLDER {}", spec.name)
        };
        found.add(&spec.name, Trouble::TooOld, message, &help);
    }
}
