//! Putting a bundle into its folder: the whole new one or nothing, and none of the user's files lost.
//!
//! The new tree is made ready beside the folder (see `place`): new files are written, unchanged ones and the user's get
//! a second name. Then tree and folder change places in one step, and the old tree is cleared away (see `settle`).
//!
//! A process may be killed at any moment, and the folder has either bundle. What cannot have a second name (a file of
//! another user's, a folder that nobody may look into) is moved right after the exchange; killed just then, the next
//! build moves it. Where the system cannot exchange folders in one step, the folder is gone for the time between two
//! renames; killed just then, the next build puts the old one back. A crash of the system itself is not guarded
//! against: waiting for the disk would cost more than a build.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::path::BundlePath;
use super::place::{Place, PlaceError};
use super::settle::{discard, settle};
use super::survey::{Conflict, Foreign, State, Survey, is_current};
use super::{File, INVENTORY, Sealed};
use crate::host::{Host, HostError, Kind, Look, OPEN_TO_ALL, PLAIN_FILE, shown};

/// Conflicts that an error message names; it counts the others.
const CONFLICTS_SHOWN: usize = 20;

/// What a build did to a folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Nothing: the folder had the bundle already.
    Unchanged,
    /// The folder has the new bundle.
    Written(Changes),
}

/// The files that a build touched, each list sorted by path.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Changes {
    /// Files that were not there.
    pub added: Vec<BundlePath>,
    /// Files with other contents or another mode.
    pub changed: Vec<BundlePath>,
    /// Files that the bundle no longer has.
    pub removed: Vec<BundlePath>,
    /// Files that were right already.
    pub unchanged: usize,
    /// What of the user's was overwritten, by force.
    pub overwritten: Vec<Conflict>,
}

/// Why a folder does not have the new bundle. Except for [`WriteError::Leftover`] it is as it was.
#[derive(Debug)]
pub enum WriteError {
    /// The folder cannot have a bundle, or not now.
    Place(PlaceError),
    /// The build would overwrite something of the user's.
    Conflicts {
        /// The folder.
        folder: PathBuf,
        /// What it would overwrite, sorted by path.
        conflicts: Vec<Conflict>,
    },
    /// The folder has the new bundle, but the old one could not be removed from beside it.
    Leftover(HostError),
}

impl From<HostError> for WriteError {
    fn from(error: HostError) -> Self {
        Self::Place(PlaceError::Host(error))
    }
}

impl From<PlaceError> for WriteError {
    fn from(error: PlaceError) -> Self {
        Self::Place(error)
    }
}

impl fmt::Display for WriteError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Place(error) => error.fmt(out),
            Self::Conflicts { folder, conflicts } => {
                let folder = shown(folder.as_os_str());
                write!(
                    out,
                    "a build would overwrite files in `{folder}` that are yours; nothing was written"
                )?;
                for conflict in conflicts.iter().take(CONFLICTS_SHOWN) {
                    write!(out, "\n  {conflict}")?;
                }
                if conflicts.len() > CONFLICTS_SHOWN {
                    write!(out, "\n  and {} more", conflicts.len() - CONFLICTS_SHOWN)?;
                }
                Ok(())
            }
            Self::Leftover(error) => write!(
                out,
                "the new bundle is in place, but the old one could not be removed: {error}"
            ),
        }
    }
}

impl std::error::Error for WriteError {}

/// Gives a folder this bundle, making the folder if it is missing.
///
/// Files that no inventory lists are kept. If one of them has the name of a generated file, or if a generated file was
/// edited by hand, the build stops before it changes anything; with `force` it overwrites them. Only what lies in a
/// folder that must become a file is never overwritten.
pub fn write(host: &Host, dir: &Path, sealed: &Sealed, force: bool) -> Result<Outcome, WriteError> {
    let place = Place::of(host, dir)?;
    let mut early = None;
    if !place.is_unsettled(host)? {
        if is_current(host, &place.target, sealed)? {
            return Ok(Outcome::Unchanged);
        }
        let before = host.look(&place.target)?;
        let survey = survey(host, &place, sealed, force);
        // If another process writes just now, this may be half of its bundle and half of the old one.
        if !place.is_unsettled(host)? && host.look(&place.target)? == before {
            early = Some((before, survey?));
        }
    }
    if let Some(parent) = place.target.parent() {
        host.create_folders(parent)?;
    }
    let lock = place.enter(host)?;
    let done = early
        // Another process may have been faster: each puts another folder in place.
        .filter(|(before, _)| matches!(host.look(&place.target), Ok(now) if now == *before))
        .map_or_else(
            || survey(host, &place, sealed, force),
            |(_, survey)| Ok(survey),
        )
        .and_then(|survey| replace(host, &place, sealed, &survey));
    place.leave(host, lock);
    done
}

/// Looks through the folder, and stops if something of the user's would have to go.
fn survey(host: &Host, place: &Place, sealed: &Sealed, force: bool) -> Result<Survey, WriteError> {
    let survey = Survey::of(host, &place.target, sealed)?;
    let conflicts: Vec<Conflict> = survey
        .conflicts
        .iter()
        .filter(|conflict| !(force && conflict.yields_to_force()))
        .cloned()
        .collect();
    if conflicts.is_empty() {
        return Ok(survey);
    }
    Err(WriteError::Conflicts {
        folder: place.target.clone(),
        conflicts,
    })
}

fn replace(
    host: &Host,
    place: &Place,
    sealed: &Sealed,
    survey: &Survey,
) -> Result<Outcome, WriteError> {
    if survey.is_current() {
        return Ok(Outcome::Unchanged);
    }
    let tree = place.start_tree(host)?;
    let mut stage = Stage {
        host,
        old: &place.target,
        tree: &tree,
        moves: Vec::new(),
        whole: Vec::new(),
        modes: Vec::new(),
    };
    let done = stage
        .fill(sealed, survey)
        .and_then(|()| place.swap(host, &tree))
        .and_then(|old| {
            let moved = match &old {
                Some(old) => move_all(host, old, &place.target, &stage.moves),
                None => Ok(()),
            };
            if let (Err(_), Some(old)) = (&moved, &old) {
                place.swap_back(host, &tree, old)?;
            }
            moved.map(|()| old)
        });
    match done {
        Ok(old) => {
            if let Some(old) = old {
                settle(host, &old, &place.target).map_err(WriteError::Leftover)?;
            }
            Ok(Outcome::Written(changes(survey)))
        }
        Err(error) => {
            // Only a tree that is not the old bundle may go: after a failed way back the next build sorts it out.
            if place.is_staged(host, &tree) {
                let _ = discard(host, &tree);
            }
            Err(error.into())
        }
    }
}

/// Moves what could not have a second name from the old tree to the new one: all of it or nothing.
fn move_all(host: &Host, old: &Path, new: &Path, moves: &[PathBuf]) -> Result<(), HostError> {
    for (at, path) in moves.iter().enumerate() {
        let Err(error) = host.rename(&old.join(path), &new.join(path)) else {
            continue;
        };
        for path in moves[..at].iter().rev() {
            host.rename(&new.join(path), &old.join(path))?;
        }
        return Err(error.about(new.join(path)));
    }
    Ok(())
}

fn changes(survey: &Survey) -> Changes {
    let mut changes = Changes {
        overwritten: survey.conflicts.clone(),
        ..Changes::default()
    };
    for (path, state) in &survey.states {
        match state {
            State::Same => changes.unchanged += 1,
            State::Added => changes.added.push(path.clone()),
            State::Changed | State::Mode => changes.changed.push(path.clone()),
            State::Removed => changes.removed.push(path.clone()),
        }
    }
    changes
}

/// A new tree that is being made ready.
struct Stage<'a> {
    host: &'a Host,
    old: &'a Path,
    tree: &'a Path,
    /// What is to be moved after the exchange.
    moves: Vec<PathBuf>,
    /// The folders among it, with all that is in them.
    whole: Vec<PathBuf>,
    /// The modes of folders, to be set when everything is in them: they may forbid adding to them.
    modes: Vec<(PathBuf, u32)>,
}

impl Stage<'_> {
    fn fill(&mut self, sealed: &Sealed, survey: &Survey) -> Result<(), HostError> {
        // The inventory comes first: from then on the tree itself says which of its files are generated.
        if let Some((path, file)) = sealed.files.get_key_value(INVENTORY) {
            self.file(path, file, survey)?;
        }
        self.folders(sealed, survey)?;
        for (path, file) in &sealed.files {
            if path.as_str() != INVENTORY {
                self.file(path, file, survey)?;
            }
        }
        for foreign in &survey.foreign {
            self.foreign(foreign)?;
        }
        for (path, mode) in self.modes.iter().rev() {
            let tree = self.tree.join(path);
            let set = self.host.set_mode(&tree, *mode);
            set.map_err(|error| error.about(self.old.join(path)))?;
        }
        Ok(())
    }

    /// Makes all folders, each once, those around others first.
    fn folders(&mut self, sealed: &Sealed, survey: &Survey) -> Result<(), HostError> {
        if let (Some(old), Some(made)) = (self.host.look(self.old)?, self.host.look(self.tree)?) {
            self.like(Path::new(""), &old, &made)?;
        }
        let mut all: BTreeMap<&Path, bool> = sealed
            .folders
            .iter()
            .map(|folder| (Path::new(folder), false))
            .collect();
        all.extend(survey.folders.iter().map(|folder| (folder.as_path(), true)));
        for (folder, stands) in all {
            if self.is_moved(folder) {
                continue;
            }
            let tree = self.tree.join(folder);
            let old = if stands {
                self.host.look(&self.old.join(folder))?
            } else {
                None
            };
            let mode = old.as_ref().map_or(OPEN_TO_ALL, |old| old.mode | 0o700);
            let made = self.host.create_folder(&tree, mode);
            let made = made.map_err(|error| error.about(self.old.join(folder)))?;
            let Some(old) = old else { continue };
            let is_like = self.like(folder, &old, &made)?;
            let is_ours = folder.to_str().is_some_and(|text| sealed.has_folder(text));
            if !is_like && !is_ours {
                // A folder of another user's cannot be made again, but perhaps be moved.
                self.modes.retain(|(path, _)| path != folder);
                self.host.remove_folder(&tree)?;
                self.moves.push(folder.to_owned());
                self.whole.push(folder.to_owned());
            }
        }
        Ok(())
    }

    /// Gives a new folder the owner and the mode of the old one. Returns `false` if it cannot have the owner.
    fn like(&mut self, folder: &Path, old: &Look, made: &Look) -> Result<bool, HostError> {
        if made.mode != old.mode {
            self.modes.push((folder.to_owned(), old.mode));
        }
        if made.owner == old.owner {
            return Ok(true);
        }
        let set = self.host.set_owner(&self.tree.join(folder), old.owner);
        match set {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Ok(false),
            Err(error) => Err(error.about(self.old.join(folder))),
        }
    }

    fn is_moved(&self, path: &Path) -> bool {
        self.whole.iter().any(|moved| path.starts_with(moved))
    }

    /// Puts a generated file into the tree.
    fn file(&self, path: &BundlePath, file: &File, survey: &Survey) -> Result<(), HostError> {
        let tree = self.tree.join(path.as_path());
        let is_same = survey.states.get(path) == Some(&State::Same);
        if is_same
            && self
                .host
                .link(&self.old.join(path.as_path()), &tree)
                .is_ok()
        {
            return Ok(());
        }
        let mode = if file.executable {
            OPEN_TO_ALL
        } else {
            PLAIN_FILE
        };
        let written = self.host.write_new(&tree, &file.bytes, mode);
        written.map_err(|error| error.about(self.old.join(path.as_path())))
    }

    /// Puts something of the user's into the tree, or marks it to be moved.
    fn foreign(&mut self, foreign: &Foreign) -> Result<(), HostError> {
        let Foreign { path, kind } = foreign;
        if self.is_moved(path) {
            return Ok(());
        }
        let (old, tree) = (self.old.join(path), self.tree.join(path));
        if *kind != Kind::Folder && self.host.link(&old, &tree).is_ok() {
            return Ok(());
        }
        if *kind == Kind::Symlink {
            let leads_to = self.host.read_link(&old)?;
            let made = self.host.symlink(&leads_to, &tree);
            return made.map_err(|error| error.about(old));
        }
        self.moves.push(path.clone());
        Ok(())
    }
}
