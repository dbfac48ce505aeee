//! The place of a bundle: its folder, and the folder beside it where a new one is made ready.
//!
//! Beside `generated/dev` that is `generated/.dev.lakewright-new`. It exists only while a bundle is written, holds the
//! lock, and has everything in it that a killed run left behind:
//!
//! - `lock`: locked by the process that writes.
//! - `tree`: a folder that was just made, and is empty.
//! - `tree-N`: a tree under construction if N is its own file number. When it has changed places with the bundle, the
//!   old bundle has this name, and the number is another folder's. A name and a file number are never half-written, so
//!   that the two cannot be taken for each other, whenever the process ended.
//! - `old`: the old bundle, where the system cannot exchange two folders in one step.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::settle::{discard, settle};
use crate::host::{Host, HostError, Kind, Lock, Look, OPEN_TO_ALL, shown};

const LOCK: &str = "lock";
const FRESH: &str = "tree";
const STAGED: &str = "tree-";
const OLD: &str = "old";

/// Tries to get the lock from writers that come and go.
const ATTEMPTS: usize = 100;

/// Why a folder cannot have a bundle.
#[derive(Debug)]
pub enum PlaceError {
    /// The system refused something.
    Host(HostError),
    /// Something else has the name of the folder.
    NotAFolder(PathBuf),
    /// The path has no last name, as `/` has none.
    NoName(PathBuf),
    /// Another process writes to the folder.
    Busy(PathBuf),
}

impl From<HostError> for PlaceError {
    fn from(error: HostError) -> Self {
        Self::Host(error)
    }
}

impl fmt::Display for PlaceError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(error) => error.fmt(out),
            Self::NotAFolder(path) => {
                write!(out, "`{}` is not a folder", shown(path.as_os_str()))
            }
            Self::NoName(path) => write!(
                out,
                "`{}` cannot hold a bundle: it has no folder around it",
                shown(path.as_os_str())
            ),
            Self::Busy(path) => write!(
                out,
                "another process is writing to `{}` right now; try again when it is done",
                shown(path.as_os_str())
            ),
        }
    }
}

impl std::error::Error for PlaceError {}

/// Where a bundle lies.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The bundle's folder. It may not exist.
    pub(super) target: PathBuf,
    /// The folder beside it.
    beside: PathBuf,
}

impl Place {
    /// Finds the place of a folder, following a symbolic link to it.
    pub(super) fn of(host: &Host, dir: &Path) -> Result<Self, PlaceError> {
        // Putting the parts together again drops a `/` at the end, which would make the system follow a link.
        let mut target: PathBuf = dir.components().collect();
        match host.look(&target)?.map(|look| look.kind) {
            Some(Kind::Symlink) => target = host.canonical(&target)?,
            Some(Kind::Folder) if target.file_name().is_none() => {
                target = host.canonical(&target)?;
            }
            Some(Kind::Folder) | None => {}
            Some(Kind::File | Kind::Special) => return Err(PlaceError::NotAFolder(target)),
        }
        if !matches!(
            host.look(&target)?,
            None | Some(Look {
                kind: Kind::Folder,
                ..
            })
        ) {
            return Err(PlaceError::NotAFolder(target));
        }
        let Some(name) = target.file_name() else {
            return Err(PlaceError::NoName(target));
        };
        let mut beside = OsString::from(".");
        beside.push(name);
        beside.push(".lakewright-new");
        Ok(Self {
            beside: target.with_file_name(beside),
            target,
        })
    }

    /// Says whether a run is under way, or was killed.
    pub(super) fn is_unsettled(&self, host: &Host) -> Result<bool, HostError> {
        Ok(host.look(&self.beside)?.is_some())
    }

    /// Keeps other writers out until [`Place::leave`], and clears up after a killed one.
    pub(super) fn enter(&self, host: &Host) -> Result<Lock, PlaceError> {
        let lock = match self.lock(host) {
            Ok(lock) => lock,
            Err(error) => {
                // Takes nothing away from another writer: the folder has its lock in it.
                let _ = host.remove_folder(&self.beside);
                return Err(error);
            }
        };
        match self.recover(host) {
            Ok(()) => Ok(lock),
            Err(error) => {
                self.leave(host, lock);
                Err(error.into())
            }
        }
    }

    fn lock(&self, host: &Host) -> Result<Lock, PlaceError> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            match self.try_lock(host) {
                Ok(Some(lock)) => return Ok(lock),
                Ok(None) if attempts < ATTEMPTS => {}
                Ok(None) => return Err(PlaceError::Busy(self.target.clone())),
                Err(PlaceError::Host(error))
                    if error.kind() == io::ErrorKind::NotFound && attempts < ATTEMPTS => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Tries to get the lock. Returns nothing, or does not find a file, if the last writer removed it meanwhile.
    fn try_lock(&self, host: &Host) -> Result<Option<Lock>, PlaceError> {
        let path = self.beside.join(LOCK);
        if let Err(error) = host.create_folder(&self.beside, OPEN_TO_ALL)
            && error.kind() != io::ErrorKind::AlreadyExists
        {
            return Err(error.into());
        }
        match host.look(&self.beside)? {
            Some(look) if look.kind == Kind::Folder => {}
            Some(_) => return Err(PlaceError::NotAFolder(self.beside.clone())),
            None => return Ok(None),
        }
        let Some(lock) = host.lock(&path)? else {
            return Err(PlaceError::Busy(self.target.clone()));
        };
        // The file that this writer waited for may have no name any more: it would keep out nobody.
        let standing = host.look(&path)?;
        let is_standing = standing.is_some_and(|look| look.identity == lock.look.identity);
        Ok(is_standing.then_some(lock))
    }

    /// Lets other writers in. What cannot be removed is cleared up by the next one.
    pub(super) fn leave(&self, host: &Host, lock: Lock) {
        let _ = host.remove_file(&self.beside.join(LOCK));
        let _ = host.remove_folder(&self.beside);
        drop(lock);
    }

    /// Makes the folder where the new tree grows.
    pub(super) fn start_tree(&self, host: &Host) -> Result<PathBuf, HostError> {
        let fresh = self.beside.join(FRESH);
        let number = host.create_folder(&fresh, OPEN_TO_ALL)?.identity.1;
        let staged = self.staged(number);
        if let Err(error) = host.rename(&fresh, &staged) {
            let _ = host.remove_folder(&fresh);
            return Err(error);
        }
        Ok(staged)
    }

    /// Says whether this is a tree that [`Place::start_tree`] made, and not the old bundle under its name.
    pub(super) fn is_staged(&self, host: &Host, tree: &Path) -> bool {
        let number = host.look(tree).ok().flatten().map(|look| look.identity.1);
        number.is_some_and(|number| *tree == self.staged(number))
    }

    fn staged(&self, number: u64) -> PathBuf {
        self.beside.join(format!("{STAGED}{number}"))
    }

    /// Puts the tree in the place of the bundle. Returns where the old bundle is now, if there was one.
    pub(super) fn swap(&self, host: &Host, tree: &Path) -> Result<Option<PathBuf>, HostError> {
        if host.look(&self.target)?.is_none() {
            host.rename(tree, &self.target)?;
            return Ok(None);
        }
        if host.exchange(tree, &self.target)? {
            return Ok(Some(tree.to_owned()));
        }
        let old = self.beside.join(OLD);
        host.rename(&self.target, &old)?;
        if let Err(error) = host.rename(tree, &self.target) {
            host.rename(&old, &self.target)?;
            return Err(error);
        }
        Ok(Some(old))
    }

    /// Takes a swap back.
    pub(super) fn swap_back(&self, host: &Host, tree: &Path, old: &Path) -> Result<(), HostError> {
        if tree == old {
            host.exchange(tree, &self.target)?;
            return Ok(());
        }
        host.rename(&self.target, tree)?;
        host.rename(old, &self.target)
    }

    /// Brings a killed run to its end: forward if the new bundle is in place, otherwise back.
    fn recover(&self, host: &Host) -> Result<(), HostError> {
        for entry in host.list(&self.beside)? {
            let path = self.beside.join(&entry.name);
            let Some(name) = entry.name.to_str() else {
                continue;
            };
            let Some(look) = host.look(&path)? else {
                continue;
            };
            let was_in_place = match name {
                _ if look.kind != Kind::Folder => continue,
                OLD => true,
                FRESH => false,
                _ if name.starts_with(STAGED) => path != self.staged(look.identity.1),
                _ => continue,
            };
            if !was_in_place {
                discard(host, &path)?;
            } else if host.look(&self.target)?.is_none() {
                host.rename(&path, &self.target)?;
            } else {
                settle(host, &path, &self.target)?;
            }
        }
        Ok(())
    }
}
