//! The values of secrets: made once, on the machine that runs the bundle, into files that git ignores.
//!
//! A value is never printed, returned or overwritten. It appears under its name when it is complete, so that a killed
//! run leaves no half of one.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::json;
use sha2::{Digest as _, Sha512};

use super::INVENTORY;
use super::inventory::{Inventory, InventoryError, SecretSpec};
use super::path::BundlePath;
use crate::host::{Host, HostError, Kind, Look, PLAIN_FILE, Plain, shown};
use crate::terms::{SecretKind, Token};

/// The folder of the secrets in a bundle's folder.
pub const FOLDER: &str = "secrets";

/// The longest value that is made, in characters or bytes.
pub const LENGTH_LIMIT: u32 = 4096;

const IGNORE: &str = ".gitignore";
const PRIVATE_FOLDER: u32 = 0o700;
const PRIVATE_FILE: u32 = 0o600;

/// The ending of a value that is not complete yet.
const UNFINISHED: &str = ".lakewright-new";

/// What was done about a bundle's secrets. Names only, each list sorted.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct SecretsReport {
    /// Secrets that have a value now.
    pub made: Vec<String>,
    /// Secrets that had one before.
    pub present: Vec<String>,
    /// Secrets that the user has to put there: name and purpose.
    pub to_give: Vec<(String, String)>,
    /// What is wrong with those that were there.
    pub warnings: Vec<SecretWarning>,
}

/// Something wrong with a secret, or the folder of them, that was there before.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum SecretWarning {
    /// The file is empty.
    Empty {
        /// The secret's name.
        name: String,
    },
    /// Other users may read or write the file, or look into the folder.
    Open {
        /// The secret's name, or that of the folder.
        name: String,
        /// Its permission bits.
        mode: u32,
    },
    /// It is a folder or something else that is not a file.
    NotAFile {
        /// The secret's name.
        name: String,
    },
}

impl fmt::Display for SecretWarning {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty { name } => write!(out, "`{name}` is empty"),
            Self::Open { name, mode } => {
                write!(out, "`{name}` is open to other users (mode {mode:04o})")
            }
            Self::NotAFile { name } => write!(out, "`{name}` is not a file"),
        }
    }
}

impl fmt::Display for SecretsReport {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for name in &self.made {
            writeln!(out, "made `{name}`")?;
        }
        if !self.present.is_empty() {
            writeln!(out, "left alone: {}", self.present.join(", "))?;
        }
        for (name, purpose) in &self.to_give {
            writeln!(out, "to be put there by you: `{name}` ({purpose})")?;
        }
        for warning in &self.warnings {
            writeln!(out, "warning: {warning}")?;
        }
        Ok(())
    }
}

/// Why secrets could not be made. Those that were made before stay.
#[derive(Debug)]
pub enum SecretsError {
    /// The system refused something.
    Host(HostError),
    /// The inventory is missing, or says nothing.
    Inventory {
        /// The inventory.
        path: PathBuf,
        /// Why; nothing if it is missing.
        reason: Option<InventoryError>,
    },
    /// `secrets` is a symbolic link or a file.
    NotAFolder(PathBuf),
    /// A secret cannot have this name: it would not be a plain file in the folder.
    Name(String),
    /// Two secrets have this name.
    Duplicate(String),
    /// A token does not say which other secret it is signed with, or something else does.
    Token(String),
    /// A secret is to have no length, or more than [`LENGTH_LIMIT`].
    Length {
        /// The secret's name.
        name: String,
        /// The length.
        length: u32,
    },
}

impl From<HostError> for SecretsError {
    fn from(error: HostError) -> Self {
        Self::Host(error)
    }
}

impl fmt::Display for SecretsError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(error) => error.fmt(out),
            Self::Inventory { path, reason } => {
                let path = shown(path.as_os_str());
                match reason {
                    Some(reason) => write!(out, "`{path}` cannot be used: {reason}"),
                    None => write!(out, "there is no bundle here: `{path}` does not exist"),
                }
            }
            Self::NotAFolder(path) => write!(
                out,
                "`{}` is not a folder; secrets are not written through a link",
                shown(path.as_os_str())
            ),
            Self::Name(name) => write!(
                out,
                "a secret cannot be called `{}`: it would not be a plain file in `{FOLDER}`",
                name.escape_debug()
            ),
            Self::Duplicate(name) => write!(out, "two secrets are called `{name}`"),
            Self::Token(name) => write!(
                out,
                "the secret `{name}` cannot be made: a token is signed with another secret, and nothing else is"
            ),
            Self::Length { name, length } => write!(
                out,
                "the secret `{name}` cannot have the length {length}: it must be from 1 to {LENGTH_LIMIT}"
            ),
        }
    }
}

impl std::error::Error for SecretsError {}

/// Makes the missing secrets of the bundle in this folder.
///
/// Values that exist are left alone, whatever they are. Nothing is made if the inventory lists a secret that cannot be
/// made.
pub fn init(host: &Host, dir: &Path) -> Result<SecretsReport, SecretsError> {
    let specs = listed(host, &dir.join(INVENTORY))?;
    let mut report = SecretsReport::default();
    if specs.is_empty() {
        return Ok(report);
    }
    let folder = dir.join(FOLDER);
    open_folder(host, &folder, &mut report)?;
    for spec in specs {
        let path = folder.join(&spec.name);
        if let Some(look) = host.look(&path)? {
            report.warnings.extend(warning(&spec.name, &look));
            report.present.push(spec.name);
        } else if spec.kind == SecretKind::Given {
            report.to_give.push((spec.name, spec.purpose));
        } else {
            let value = match &spec.token {
                Some(token) => match key_of(host, &folder, token)? {
                    Some(key) => signed(token, &key),
                    None => {
                        report.to_give.push((token.key.clone(), spec.purpose));
                        continue;
                    }
                },
                None => value(host, &spec)?,
            };
            if put(host, &path, value.as_bytes(), PRIVATE_FILE)? {
                report.made.push(spec.name);
            } else {
                report.present.push(spec.name);
            }
        }
    }
    report.made.sort();
    report.present.sort();
    report.to_give.sort();
    report.to_give.dedup_by(|one, other| one.0 == other.0);
    report.warnings.sort();
    Ok(report)
}

/// Reads the secrets of an inventory, sorted by name, and refuses what could do harm: anyone may have edited it.
fn listed(host: &Host, path: &Path) -> Result<Vec<SecretSpec>, SecretsError> {
    let unusable = |reason| SecretsError::Inventory {
        path: path.to_owned(),
        reason,
    };
    let Plain::File {
        bytes: Some(text), ..
    } = host.read_plain(path, |_| true)?
    else {
        return Err(unusable(None));
    };
    let inventory = Inventory::parse(&text).map_err(|error| unusable(Some(error)))?;
    let mut specs = inventory.secrets;
    specs.sort();
    let made: BTreeSet<String> = specs
        .iter()
        .filter(|spec| spec.token.is_none())
        .map(|spec| spec.name.clone())
        .collect();
    // What tokens are signed with has to be there first.
    specs.sort_by_key(|spec| spec.token.is_some());
    let mut names = BTreeSet::new();
    for spec in &specs {
        let is_plain =
            BundlePath::parse(&spec.name).is_ok_and(|path| path.folders().next().is_none());
        // Names with a dot in front are those of `.gitignore` and of unfinished values.
        if !is_plain || spec.name.starts_with('.') {
            return Err(SecretsError::Name(spec.name.clone()));
        }
        if !names.insert(spec.name.to_lowercase()) {
            return Err(SecretsError::Duplicate(spec.name.clone()));
        }
        match (spec.kind, &spec.token) {
            (SecretKind::Jwt, Some(token)) if made.contains(&token.key) => {}
            (SecretKind::Jwt, _) | (_, Some(_)) => {
                return Err(SecretsError::Token(spec.name.clone()));
            }
            (_, None) => {}
        }
        let is_made = !matches!(spec.kind, SecretKind::Given | SecretKind::Jwt);
        if is_made && !(1..=LENGTH_LIMIT).contains(&spec.length) {
            return Err(SecretsError::Length {
                name: spec.name.clone(),
                length: spec.length,
            });
        }
    }
    Ok(specs)
}

/// Makes the folder if it is missing, hides it from git, and removes what a killed run did not finish.
fn open_folder(host: &Host, folder: &Path, report: &mut SecretsReport) -> Result<(), SecretsError> {
    match host.look(folder)? {
        None => {
            host.create_folder(folder, PRIVATE_FOLDER)?;
        }
        Some(look) if look.kind != Kind::Folder => {
            return Err(SecretsError::NotAFolder(folder.to_owned()));
        }
        Some(look) if look.mode & 0o077 != 0 => report.warnings.push(SecretWarning::Open {
            name: format!("{FOLDER}/"),
            mode: look.mode,
        }),
        Some(_) => {}
    }
    let ignore = folder.join(IGNORE);
    if host.look(&ignore)?.is_none() {
        put(host, &ignore, b"*\n", PLAIN_FILE)?;
    }
    for entry in host.list(folder)? {
        let name = entry.name.to_string_lossy();
        if entry.kind == Kind::File && name.starts_with('.') && name.ends_with(UNFINISHED) {
            host.remove_file(&folder.join(&entry.name))?;
        }
    }
    Ok(())
}

fn warning(name: &str, look: &Look) -> Option<SecretWarning> {
    let name = name.to_owned();
    match look.kind {
        Kind::Folder | Kind::Special => Some(SecretWarning::NotAFile { name }),
        // A link leads to where someone else looks after the value.
        Kind::Symlink => None,
        Kind::File if look.bytes == 0 => Some(SecretWarning::Empty { name }),
        Kind::File if look.mode & 0o077 != 0 => Some(SecretWarning::Open {
            name,
            mode: look.mode,
        }),
        Kind::File => None,
    }
}

/// Makes a file, complete from the first moment. Returns `false` if someone else did meanwhile.
fn put(host: &Host, path: &Path, bytes: &[u8], mode: u32) -> Result<bool, HostError> {
    // Two runs at once must not write to the same unfinished file.
    let mut suffix = [0; 8];
    host.random(&mut suffix)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let unfinished = path.with_file_name(format!(".{name}-{}{UNFINISHED}", hex(&suffix)));
    let done = host
        .write_new_safely(&unfinished, bytes, mode)
        .and_then(|()| host.rename_new(&unfinished, path));
    match done {
        Ok(()) => Ok(true),
        Err(error) => {
            let _ = host.remove_file(&unfinished);
            if error.kind() == std::io::ErrorKind::AlreadyExists {
                return Ok(false);
            }
            Err(error.about(path))
        }
    }
}

fn value(host: &Host, spec: &SecretSpec) -> Result<String, HostError> {
    let length = spec.length as usize;
    let mut bytes = vec![0; length];
    let body = match spec.kind {
        SecretKind::Alphanumeric => alphanumeric(host, length)?,
        SecretKind::Base64 => {
            host.random(&mut bytes)?;
            base64(&bytes)
        }
        SecretKind::Hex => {
            host.random(&mut bytes)?;
            hex(&bytes)
        }
        SecretKind::Given | SecretKind::Jwt => String::new(),
    };
    Ok(format!(
        "{}{body}",
        spec.prefix.as_deref().unwrap_or_default()
    ))
}

/// Reads what a token is signed with, as those read it who verify the token: without a last line break.
fn key_of(host: &Host, folder: &Path, token: &Token) -> Result<Option<Vec<u8>>, HostError> {
    let Plain::File {
        bytes: Some(mut key),
        ..
    } = host.read_plain(&folder.join(&token.key), |_| true)?
    else {
        return Ok(None);
    };
    if key.last() == Some(&b'\n') {
        key.pop();
    }
    Ok((!key.is_empty()).then_some(key))
}

/// Makes a JSON Web Token that never expires, in the compact form (RFC 7515), signed with HMAC and SHA-512.
fn signed(token: &Token, key: &[u8]) -> String {
    let header = json!({ "alg": "HS512", "typ": "JWT" });
    let claims = json!(token.claims);
    let text = [header, claims].map(|part| base64url(part.to_string().as_bytes()));
    let text = text.join(".");
    let signature = base64url(&hmac(key, text.as_bytes()));
    format!("{text}.{signature}")
}

/// Authenticates a message with SHA-512 (RFC 2104).
fn hmac(key: &[u8], message: &[u8]) -> [u8; 64] {
    let mut block = [0; 128];
    if key.len() > block.len() {
        block[..64].copy_from_slice(&Sha512::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let padded = |with: u8| block.map(|byte| byte ^ with);
    let inner = Sha512::new()
        .chain_update(padded(0x36))
        .chain_update(message);
    let outer = Sha512::new()
        .chain_update(padded(0x5c))
        .chain_update(inner.finalize());
    outer.finalize().into()
}

/// Encodes bytes for URLs, without padding (RFC 4648, section 5).
fn base64url(bytes: &[u8]) -> String {
    base64(bytes)
        .trim_end_matches('=')
        .replace('+', "-")
        .replace('/', "_")
}

const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

fn alphanumeric(host: &Host, length: usize) -> Result<String, HostError> {
    let mut text = String::with_capacity(length);
    let mut bytes = [0; 64];
    while text.len() < length {
        host.random(&mut bytes)?;
        text.extend(
            bytes
                .into_iter()
                .filter_map(letter)
                .take(length - text.len()),
        );
    }
    Ok(text)
}

/// Picks a letter or digit. Bytes above the last multiple of 62 are not used: some letters would come up more often.
fn letter(byte: u8) -> Option<char> {
    let count = LETTERS.len();
    let at = usize::from(byte);
    (at < 256 / count * count).then(|| char::from(LETTERS[at % count]))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Encodes bytes in the standard alphabet, with padding (RFC 4648, section 4).
pub fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let mut bits = 0;
        for at in 0..3 {
            bits = bits << 8 | usize::from(group.get(at).copied().unwrap_or(0));
        }
        for at in 0..4 {
            text.push(if at <= group.len() {
                char::from(DIGITS[bits >> (18 - 6 * at) & 63])
            } else {
                '='
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[0xfb, 0xef, 0xff]), "++//");
    }

    #[test]
    fn authentication_is_that_of_the_rfc() {
        // RFC 4231, test cases 2 and 6: a short key, and one longer than a block.
        let first = hmac(b"Jefe", b"what do ya want for nothing?");
        assert!(hex(&first).starts_with("164b7a7bfcf819e2e395fbe73b56e0a3"));
        let message = b"Test Using Larger Than Block-Size Key - Hash Key First";
        assert!(hex(&hmac(&[0xaa; 131], message)).starts_with("80b24263c7c1a3ebb71493c1dd7be8b4"));
    }

    #[test]
    fn every_letter_stands_for_as_many_bytes_as_any_other() {
        let mut counts = std::collections::BTreeMap::new();
        for letter in (0..=255).filter_map(letter) {
            *counts.entry(letter).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 62);
        assert!(counts.values().all(|count| *count == 4), "{counts:?}");
    }
}
