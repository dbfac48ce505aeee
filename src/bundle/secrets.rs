//! The values of secrets: made once, on the machine that runs the bundle, into files that git ignores.
//!
//! A value is never printed or returned, and never overwritten but by a rotation, which keeps it. It appears under its
//! name when it is complete, so that a killed run leaves no half of one.

mod check;
mod rotate;
mod value;

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

pub use check::{Checked, Problem, Trouble, check};
pub use rotate::{Rotated, RotationReport, rotate};
pub use value::base64;

use value::{hex, key_of, random, signed};

use super::INVENTORY;
use super::inventory::{Inventory, InventoryError, SecretSpec};
use super::path::BundlePath;
use crate::host::{Host, HostError, Kind, Look, PLAIN_FILE, Plain, shown};
use crate::terms::{SecretKind, SecretStore, Target, is_alphabet};

/// The folder of the secrets in a bundle's folder.
pub const FOLDER: &str = "secrets";

/// The longest value that is made, in characters or bytes.
pub const LENGTH_LIMIT: u32 = 4096;

const IGNORE: &str = ".gitignore";
const PRIVATE_FOLDER: u32 = 0o700;
const PRIVATE_FILE: u32 = 0o600;

/// The ending of the value that a secret had before the last rotation.
pub const FORMER: &str = ".former";

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
    /// The characters that a secret is to consist of are too few, or none that can be printed, or one is there twice.
    Alphabet(String),
    /// There is no secret of this name.
    Unknown {
        /// What was asked for.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// A secret cannot be rotated.
    Fixed {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
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
            Self::Alphabet(name) => write!(
                out,
                "the secret `{name}` cannot be made: its alphabet must be at least ten different printable characters"
            ),
            Self::Unknown { name, known } => write!(
                out,
                "there is no secret `{}`; known here: {}",
                name.escape_debug(),
                known.join(", ")
            ),
            Self::Fixed { name, reason } => {
                write!(out, "the secret `{name}` is not rotated: {reason}")
            }
        }
    }
}

impl std::error::Error for SecretsError {}

/// Makes the missing secrets of the bundle in this folder.
///
/// Values that exist are left alone, whatever they are. Nothing is made if the inventory lists a secret that cannot be
/// made.
pub fn init(host: &Host, dir: &Path) -> Result<SecretsReport, SecretsError> {
    let (specs, _) = listed(host, &dir.join(INVENTORY))?;
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
            let Some(value) = new_value(host, &folder, &spec)? else {
                let key = spec.token.map(|token| token.key).unwrap_or_default();
                report.to_give.push((key, spec.purpose));
                continue;
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

/// Makes a value; none if it is a token whose key is not there.
fn new_value(host: &Host, folder: &Path, spec: &SecretSpec) -> Result<Option<String>, HostError> {
    let Some(token) = &spec.token else {
        return random(host, spec).map(Some);
    };
    let key = key_of(host, folder, token)?;
    Ok(key.map(|key| signed(token, &key)))
}

/// What a bundle was made for: its target, if that is known here, and where values are kept, if not where that keeps them.
type MadeFor = (Option<Target>, Option<SecretStore>);

/// Reads the secrets of an inventory, sorted by name, with what it was made for, and refuses what could do harm: anyone may
/// have edited it.
fn listed(host: &Host, path: &Path) -> Result<(Vec<SecretSpec>, MadeFor), SecretsError> {
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
    let made_for = (Target::from_word(&inventory.target), inventory.store);
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
        if !is_plain || spec.name.starts_with('.') || spec.name.ends_with(FORMER) {
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
        if spec
            .alphabet
            .as_deref()
            .is_some_and(|letters| !is_alphabet(letters))
        {
            return Err(SecretsError::Alphabet(spec.name.clone()));
        }
    }
    Ok((specs, made_for))
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
