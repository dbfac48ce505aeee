//! The end of an old tree: everything that Lakewright wrote goes, everything else must be in the new tree.
//!
//! Nothing is known here of the run that made the new tree, so that the same code works at the end of a run and after
//! a killed one, and for files that someone put into the folder in between.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use super::inventory::Inventory;
use super::path::BundlePath;
use super::{CHECKSUMS, INVENTORY};
use crate::host::{Host, HostError, Kind, Look, OPEN_TO_ALL, Plain};

/// What of a tree Lakewright wrote.
struct Generated {
    files: BTreeSet<BundlePath>,
    folders: BTreeSet<String>,
}

impl Generated {
    fn in_tree(host: &Host, tree: &Path) -> Result<Self, HostError> {
        let plain = host.read_plain(&tree.join(INVENTORY), |_| true)?;
        let inventory = match plain {
            Plain::File {
                bytes: Some(bytes), ..
            } => Inventory::parse(&bytes).ok(),
            _ => None,
        };
        let Some(inventory) = inventory else {
            return Ok(Self {
                files: BTreeSet::new(),
                folders: BTreeSet::new(),
            });
        };
        let mut files: BTreeSet<BundlePath> =
            inventory.files.into_iter().map(|file| file.path).collect();
        files.extend([super::own_path(INVENTORY), super::own_path(CHECKSUMS)]);
        let folders = files
            .iter()
            .flat_map(|path| path.folders().map(str::to_owned))
            .collect();
        Ok(Self { files, folders })
    }

    fn has_file(&self, path: &Path) -> bool {
        path.to_str().is_some_and(|text| self.files.contains(text))
    }

    fn has_folder(&self, path: &Path) -> bool {
        path.to_str()
            .is_some_and(|text| self.folders.contains(text))
    }
}

/// Removes the old tree, after moving what is not in the new one and was not written by Lakewright.
pub(super) fn settle(host: &Host, old: &Path, new: &Path) -> Result<(), HostError> {
    let settling = Settling {
        host,
        old,
        new,
        of_old: Generated::in_tree(host, old)?,
        of_new: Generated::in_tree(host, new)?,
    };
    settling.folder(Path::new(""))?;
    // The inventory goes last: without it, a run that is killed meanwhile would take all the rest for the user's.
    if settling.of_old.files.contains(INVENTORY) {
        host.remove_file(&old.join(INVENTORY))?;
    }
    host.remove_folder(old)
}

struct Settling<'a> {
    host: &'a Host,
    old: &'a Path,
    new: &'a Path,
    of_old: Generated,
    of_new: Generated,
}

impl Settling<'_> {
    /// Empties a folder of the old tree.
    fn folder(&self, folder: &Path) -> Result<(), HostError> {
        let host = self.host;
        let here = self.old.join(folder);
        for entry in host.list(&here)? {
            let path = folder.join(&entry.name);
            let old = self.old.join(&path);
            if entry.kind == Kind::Folder {
                let is_new = matches!(
                    host.look(&self.new.join(&path))?,
                    Some(Look {
                        kind: Kind::Folder,
                        ..
                    })
                );
                if is_new || self.of_old.has_folder(&path) || self.of_new.has_file(&path) {
                    self.folder(&path)?;
                    removing(host, &here, || host.remove_folder(&old))?;
                    continue;
                }
                self.carry(&path)?;
            } else if self.of_old.has_file(&path) {
                if path != Path::new(INVENTORY) {
                    removing(host, &here, || host.remove_file(&old))?;
                }
            } else if self.is_overwritten(&path) || self.is_superseded(&path, entry.kind)? {
                removing(host, &here, || host.remove_file(&old))?;
            } else {
                self.carry(&path)?;
            }
        }
        Ok(())
    }

    /// Says whether a file of the user's had to give way. The user agreed, or the build would have stopped.
    fn is_overwritten(&self, path: &Path) -> bool {
        self.of_new.has_file(path) || self.of_new.has_folder(path)
    }

    /// Says whether the new tree has a file of the user's, or a later one.
    ///
    /// The old tree has the later one if it was saved just before the exchange, and the new tree if it was saved after
    /// a run that was killed.
    fn is_superseded(&self, path: &Path, kind: Kind) -> Result<bool, HostError> {
        let (old, new) = (self.old.join(path), self.new.join(path));
        let (Some(one), Some(other)) = (self.host.look(&old)?, self.host.look(&new)?) else {
            return Ok(false);
        };
        Ok(one.identity == other.identity
            || one.modified < other.modified
            || kind == Kind::Symlink
                && other.kind == Kind::Symlink
                && self.host.read_link(&old)? == self.host.read_link(&new)?)
    }

    /// Moves something of the user's to the new tree.
    fn carry(&self, path: &Path) -> Result<(), HostError> {
        let mut folders: Vec<&Path> = path.ancestors().skip(1).collect();
        folders.pop();
        for folder in folders.into_iter().rev() {
            let folder = self.new.join(folder);
            if self.host.look(&folder)?.is_none() {
                self.host.create_folder(&folder, OPEN_TO_ALL)?;
            }
        }
        self.host.rename(&self.old.join(path), &self.new.join(path))
    }
}

/// Removes a tree that never was in place. What it has of the user's are second names only.
pub(super) fn discard(host: &Host, tree: &Path) -> Result<(), HostError> {
    // A folder takes the mode of the user's folder that it stands for: perhaps one that forbids this.
    let entries = match host.list(tree) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            host.set_mode(tree, OPEN_TO_ALL)?;
            host.list(tree)?
        }
        entries => entries?,
    };
    for entry in entries {
        let path = tree.join(&entry.name);
        if entry.kind == Kind::Folder {
            discard(host, &path)?;
        } else {
            removing(host, tree, || host.remove_file(&path))?;
        }
    }
    match host.remove_folder(tree) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            host.set_mode(tree.parent().unwrap_or(tree), OPEN_TO_ALL)?;
            host.remove_folder(tree)
        }
        done => done,
    }
}

/// Removes something from a folder that is about to go, and may be closed to its owner.
fn removing(
    host: &Host,
    folder: &Path,
    remove: impl Fn() -> Result<(), HostError>,
) -> Result<(), HostError> {
    match remove() {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            host.set_mode(folder, OPEN_TO_ALL)?;
            remove()
        }
        done => done,
    }
}
