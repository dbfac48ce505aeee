//! What stands in a bundle's folder, and what a new bundle would do to it. Changes nothing.
//!
//! A file is generated if the folder's own inventory lists it, and unedited if it has the digest given there. All else
//! is the user's.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::digest::Digest;
use super::inventory::{Inventory, InventoryError};
use super::path::BundlePath;
use super::{CHECKSUMS, File, INVENTORY, Sealed, checksums, own_path};
use crate::host::{Entry, Host, HostError, Kind, Plain, shown};

/// What a folder's inventory says of one generated file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Known {
    pub(super) digest: Digest,
    pub(super) bytes: u64,
    pub(super) executable: bool,
}

/// What a folder's inventory and checksums say.
#[derive(Default, Debug)]
pub(super) struct Record {
    pub(super) inventory: Option<Inventory>,
    /// Why there is an inventory that says nothing.
    pub(super) unreadable: Option<InventoryError>,
    pub(super) files: BTreeMap<BundlePath, Known>,
    pub(super) folders: BTreeSet<String>,
}

impl Record {
    /// Reads the record of a folder. Without an inventory nothing in it is generated.
    pub(super) fn of(host: &Host, root: &Path) -> Result<Self, HostError> {
        let Some(text) = read_own(host, &root.join(INVENTORY))? else {
            return Ok(Self::default());
        };
        let inventory = match Inventory::parse(&text) {
            Ok(inventory) => inventory,
            Err(error) => {
                return Ok(Self {
                    unreadable: Some(error),
                    ..Self::default()
                });
            }
        };
        let mut files: BTreeMap<BundlePath, Known> = inventory
            .files
            .iter()
            .map(|file| {
                let known = Known {
                    digest: file.sha256,
                    bytes: file.bytes,
                    executable: file.executable,
                };
                (file.path.clone(), known)
            })
            .collect();
        let sums = read_own(host, &root.join(CHECKSUMS))?;
        let (own, sums) = own_records(&inventory, &text, sums.as_deref());
        files.insert(own_path(INVENTORY), own);
        files.insert(own_path(CHECKSUMS), sums);
        let folders = files
            .keys()
            .flat_map(|path| path.folders().map(str::to_owned))
            .collect();
        Ok(Self {
            inventory: Some(inventory),
            unreadable: None,
            files,
            folders,
        })
    }
}

fn read_own(host: &Host, path: &Path) -> Result<Option<Vec<u8>>, HostError> {
    Ok(match host.read_plain(path, |_| true)? {
        Plain::File { bytes, .. } => bytes,
        Plain::Missing | Plain::Other => None,
    })
}

/// Works out what the inventory and the checksums must be like. Each vouches for the other, so that an edit of one of
/// them is noticed.
fn own_records(inventory: &Inventory, text: &[u8], sums: Option<&[u8]>) -> (Known, Known) {
    let known = |digest, bytes: usize| Known {
        digest,
        bytes: bytes as u64,
        executable: false,
    };
    let actual = Digest::of(text);
    let vouched = sums
        .and_then(|sums| std::str::from_utf8(sums).ok())
        .and_then(|sums| {
            let ending = format!("  {INVENTORY}");
            sums.lines()
                .find_map(|line| line.strip_suffix(&ending)?.parse().ok())
        });
    match (vouched, sums) {
        (Some(digest), Some(sums)) if digest != actual => (
            known(digest, text.len()),
            known(Digest::of(sums), sums.len()),
        ),
        _ => {
            let expected = checksums(inventory, actual);
            let sums = known(Digest::of(expected.as_bytes()), expected.len());
            (known(actual, text.len()), sums)
        }
    }
}

/// What a build would do to a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// Nothing.
    Same,
    /// Set its mode: the contents are right.
    Mode,
    /// Make it.
    Added,
    /// Give it other contents.
    Changed,
    /// Remove it.
    Removed,
}

/// Something of the user's that a build cannot leave alone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct Conflict {
    /// The path below the bundle's folder, as it can be printed.
    pub path: String,
    /// What is the matter with it.
    #[serde(flatten)]
    pub why: ConflictKind,
}

/// What is the matter with a file.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(tag = "conflict", rename_all = "kebab-case")]
pub enum ConflictKind {
    /// It was generated, and changed since.
    Edited,
    /// It was not generated, and something generated must have its name.
    InTheWay,
    /// It was not generated, and lies in a folder that must become a file. No force removes it.
    Buried,
    /// It is the inventory, and cannot be read.
    Unreadable {
        /// What is wrong with it.
        reason: String,
    },
}

impl Conflict {
    /// Says whether a build may go on if the user insists.
    pub fn yields_to_force(&self) -> bool {
        self.why != ConflictKind::Buried
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "`{}` ", self.path)?;
        match &self.why {
            ConflictKind::Edited => out.write_str("was edited by hand"),
            ConflictKind::InTheWay => {
                out.write_str("is not a generated file, and has the name of one")
            }
            ConflictKind::Buried => out.write_str(
                "is not a generated file, and lies in a folder that must become a generated file",
            ),
            ConflictKind::Unreadable { reason } => write!(out, "cannot be used: {reason}"),
        }
    }
}

/// Something in the folder that a build leaves alone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Foreign {
    pub(super) path: PathBuf,
    pub(super) kind: Kind,
}

/// A folder held against a new bundle.
#[derive(Default, Debug)]
pub(super) struct Survey {
    pub(super) record: Record,
    /// The files of the old and the new bundle.
    pub(super) states: BTreeMap<BundlePath, State>,
    /// The folders that stay, outermost first. Those of the user's are in it.
    pub(super) folders: BTreeSet<PathBuf>,
    /// What is not generated. A folder is among it if nobody may look into it.
    pub(super) foreign: Vec<Foreign>,
    pub(super) conflicts: Vec<Conflict>,
}

impl Survey {
    /// Looks through a folder, which may be missing.
    pub(super) fn of(host: &Host, root: &Path, sealed: &Sealed) -> Result<Self, HostError> {
        let mut survey = Self::default();
        if host.look(root)?.is_some() {
            survey.record = Record::of(host, root)?;
            let mut walk = Walk {
                host,
                root,
                sealed,
                survey,
            };
            let entries = host.list(root)?;
            walk.folder(Path::new(""), entries, false)?;
            survey = walk.survey;
        }
        for path in sealed.files.keys() {
            if !survey.states.contains_key(path) {
                survey.states.insert(path.clone(), State::Added);
            }
        }
        survey.conflicts.sort();
        Ok(survey)
    }

    /// Says whether a build would change nothing.
    pub(super) fn is_current(&self) -> bool {
        self.states.values().all(|state| *state == State::Same)
    }
}

/// Says whether a folder has exactly the files of the bundle, whatever else is in it.
///
/// Costs little more than reading the files. Nothing of the user's is looked at.
pub(super) fn is_current(host: &Host, root: &Path, sealed: &Sealed) -> Result<bool, HostError> {
    // If anything at all differs, then mostly this file does.
    let first = sealed.files.get_key_value(INVENTORY);
    let rest = sealed
        .files
        .iter()
        .filter(|(path, _)| path.as_str() != INVENTORY);
    for folder in std::iter::once("").chain(sealed.folders.iter().map(String::as_str)) {
        let look = host.look(&root.join(folder))?;
        if look.is_none_or(|look| look.kind != Kind::Folder) {
            return Ok(false);
        }
    }
    for (path, file) in first.into_iter().chain(rest) {
        let size = file.bytes.len() as u64;
        let plain = host.read_plain(&root.join(path.as_path()), |found| found == size)?;
        if !is_same(&plain, file) {
            return Ok(false);
        }
    }
    // The inventory is the same, so that nothing else in the folder is generated.
    Ok(true)
}

fn is_same(plain: &Plain, file: &File) -> bool {
    matches!(
        plain,
        Plain::File { bytes: Some(bytes), mode, .. }
            if *bytes == file.bytes && is_executable(*mode) == file.executable
    )
}

/// Says whether a file is a program, from its permission bits.
pub(super) fn is_executable(mode: u32) -> bool {
    mode & 0o100 != 0
}

struct Walk<'a> {
    host: &'a Host,
    root: &'a Path,
    sealed: &'a Sealed,
    survey: Survey,
}

impl Walk<'_> {
    /// Looks through a folder. If it is buried, a file must stand in its place or in that of a folder around it.
    ///
    /// Says whether something of the user's is in it.
    fn folder(
        &mut self,
        folder: &Path,
        entries: Vec<Entry>,
        buried: bool,
    ) -> Result<bool, HostError> {
        let before = self.survey.foreign.len() + self.survey.folders.len();
        for Entry { name, kind } in entries {
            let path = folder.join(name);
            // A name that is not UTF-8 is nobody's but the user's, as the empty path is no file's.
            let text = path.to_str().unwrap_or_default();
            let new = self.sealed.files.get_key_value(text);
            let known = self.survey.record.files.get_key_value(text);
            let generated = new.map(|(path, _)| path).or(known.map(|(path, _)| path));
            if kind == Kind::Folder {
                self.subfolder(&path, text, new.is_some(), buried)?;
            } else if let Some(path) = generated.cloned() {
                self.file(&path)?;
            } else if buried {
                self.conflict(&path, ConflictKind::Buried);
            } else if self.sealed.has_folder(text) {
                self.conflict(&path, ConflictKind::InTheWay);
            } else {
                self.survey.foreign.push(Foreign { path, kind });
            }
        }
        Ok(self.survey.foreign.len() + self.survey.folders.len() > before)
    }

    fn subfolder(
        &mut self,
        path: &Path,
        text: &str,
        must_be_file: bool,
        buried: bool,
    ) -> Result<(), HostError> {
        let is_ours = self.survey.record.folders.contains(text);
        let is_needed = self.sealed.has_folder(text);
        if must_be_file && !is_ours {
            self.conflict(path, ConflictKind::InTheWay);
        } else if buried && !is_ours {
            self.conflict(path, ConflictKind::Buried);
        }
        let entries = match self.host.list(&self.root.join(path)) {
            Ok(entries) => entries,
            Err(error) if is_needed => return Err(error),
            Err(_) if must_be_file || buried => {
                self.conflict(path, ConflictKind::Buried);
                return Ok(());
            }
            // Nobody may look into it: it stays as a whole.
            Err(_) => {
                let path = path.to_owned();
                let kind = Kind::Folder;
                self.survey.foreign.push(Foreign { path, kind });
                return Ok(());
            }
        };
        let buried = must_be_file || buried;
        let has_foreign = self.folder(path, entries, buried)?;
        if !buried && (is_needed || !is_ours || has_foreign) {
            self.survey.folders.insert(path.to_owned());
        }
        Ok(())
    }

    /// Judges a file that the old or the new bundle has.
    fn file(&mut self, path: &BundlePath) -> Result<(), HostError> {
        let new = self.sealed.files.get(path);
        let known = self.survey.record.files.get(path).copied();
        let sizes = [
            new.map(|file| file.bytes.len() as u64),
            known.map(|known| known.bytes),
        ];
        let plain = self
            .host
            .read_plain(&self.root.join(path.as_path()), |size| {
                sizes.contains(&Some(size))
            })?;
        let (state, digest) = match (&plain, new) {
            (Plain::Missing, _) => return Ok(()),
            (
                Plain::File {
                    bytes: Some(bytes),
                    mode,
                    ..
                },
                Some(file),
            ) if *bytes == file.bytes => {
                let state = if is_executable(*mode) == file.executable {
                    State::Same
                } else {
                    State::Mode
                };
                self.survey.states.insert(path.clone(), state);
                return Ok(());
            }
            (
                Plain::File {
                    bytes: Some(bytes), ..
                },
                new,
            ) => (changed_or_removed(new), Some(Digest::of(bytes))),
            (_, new) => (changed_or_removed(new), None),
        };
        self.survey.states.insert(path.clone(), state);
        match (known, &self.survey.record.unreadable) {
            (Some(known), _) if digest == Some(known.digest) => {}
            (Some(_), _) => self.conflict(path.as_path(), ConflictKind::Edited),
            (None, Some(error)) if path.as_str() == INVENTORY => {
                let reason = error.to_string();
                self.conflict(path.as_path(), ConflictKind::Unreadable { reason });
            }
            (None, _) => self.conflict(path.as_path(), ConflictKind::InTheWay),
        }
        Ok(())
    }

    fn conflict(&mut self, path: &Path, why: ConflictKind) {
        self.survey.conflicts.push(Conflict {
            path: shown(path.as_os_str()),
            why,
        });
    }
}

fn changed_or_removed(new: Option<&File>) -> State {
    match new {
        Some(_) => State::Changed,
        None => State::Removed,
    }
}
