//! A folder held against its own inventory, or against a bundle in memory. Changes nothing.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use similar::TextDiff;

use super::digest::Digest;
use super::inventory::Keep;
use super::path::BundlePath;
use super::place::{Place, PlaceError};
use super::survey::{ConflictKind, Record, State, Survey, is_executable};
use super::{CHECKSUMS, INVENTORY, Sealed};
use crate::host::{Host, HostError, Kind, Plain, shown};

/// Lines of one file's difference that are shown.
pub const LINES_PER_FILE: usize = 60;

/// Lines of all differences together that are shown.
pub const LINES_IN_ALL: usize = 600;

/// Files above this size, in bytes, are compared but their difference is not shown.
const DIFF_LIMIT: usize = 1024 * 1024;

/// One way in which a folder is not what it should be.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Difference {
    /// The inventory cannot be used, so that nothing can be said of the other files.
    Inventory {
        /// The inventory.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A build would make this file.
    Added {
        /// The file.
        path: String,
    },
    /// A build would give this file other contents.
    Changed {
        /// The file.
        path: String,
        /// The difference in unified format, from the folder to the build. Nothing for binary and very large files.
        #[serde(skip_serializing_if = "Option::is_none")]
        diff: Option<String>,
    },
    /// A build would remove this file.
    Removed {
        /// The file.
        path: String,
    },
    /// This generated file was edited by hand.
    Edited {
        /// The file.
        path: String,
        /// The difference in unified format, from the folder to the build, if there is a build to compare with.
        #[serde(skip_serializing_if = "Option::is_none")]
        diff: Option<String>,
    },
    /// This generated file is not there.
    Missing {
        /// The file.
        path: String,
    },
    /// This file or folder was not generated, and is none that the bundle keeps for the user.
    Extra {
        /// The file, or the folder with a `/` at the end.
        path: String,
    },
    /// This file or folder was not generated, and a build stops at it.
    InTheWay {
        /// The file or folder.
        path: String,
    },
    /// This file has the right contents, but is a program and should not be, or the other way round.
    Mode {
        /// The file.
        path: String,
        /// Whether it should be a program.
        executable: bool,
    },
    /// The checksums are not those that the inventory gives.
    Checksums {
        /// The file with the checksums.
        path: String,
    },
}

impl Difference {
    /// Returns the file or folder that it is about.
    pub fn path(&self) -> &str {
        match self {
            Self::Inventory { path, .. }
            | Self::Added { path }
            | Self::Changed { path, .. }
            | Self::Removed { path }
            | Self::Edited { path, .. }
            | Self::Missing { path }
            | Self::Extra { path }
            | Self::InTheWay { path }
            | Self::Mode { path, .. }
            | Self::Checksums { path } => path,
        }
    }

    fn diff(&self) -> Option<&str> {
        match self {
            Self::Changed { diff, .. } | Self::Edited { diff, .. } => diff.as_deref(),
            _ => None,
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "`{}` ", self.path())?;
        match self {
            Self::Inventory { reason, .. } => write!(out, "cannot be used: {reason}"),
            Self::Added { .. } => out.write_str("would be added"),
            Self::Changed { .. } => out.write_str("would change"),
            Self::Removed { .. } => out.write_str("would be removed"),
            Self::Edited { .. } => out.write_str("was edited by hand"),
            Self::Missing { .. } => out.write_str("is missing"),
            Self::Extra { .. } => out.write_str("is not part of the bundle"),
            Self::InTheWay { .. } => {
                out.write_str("is not a generated file, and is in the way of one")
            }
            Self::Mode {
                executable: true, ..
            } => out.write_str("should be executable"),
            Self::Mode {
                executable: false, ..
            } => out.write_str("should not be executable"),
            Self::Checksums { .. } => out.write_str("does not match the inventory"),
        }
    }
}

/// Returns the differences for people: a line each, with the changed lines of texts below it.
pub fn render(differences: &[Difference]) -> String {
    let mut text = String::new();
    for difference in differences {
        let _ = writeln!(text, "{difference}");
        for line in difference.diff().unwrap_or_default().lines() {
            text.push_str("    ");
            // A file may hold what a terminal takes for orders.
            text.extend(line.chars().flat_map(|letter| {
                let escape = letter.is_control() && letter != '\t';
                let escaped = escape.then(|| letter.escape_default());
                let plain = (!escape).then_some(letter);
                plain.into_iter().chain(escaped.into_iter().flatten())
            }));
            text.push('\n');
        }
    }
    text
}

/// Compares a folder with its own inventory. Without differences, every generated file is as it was written.
pub fn verify(host: &Host, dir: &Path) -> Result<Vec<Difference>, HostError> {
    let record = Record::of(host, dir)?;
    let Some(inventory) = &record.inventory else {
        // Says so if there is no folder at all.
        host.list(dir)?;
        let reason = record.unreadable.map_or_else(
            || "there is no such file".to_owned(),
            |error| error.to_string(),
        );
        return Ok(vec![Difference::Inventory {
            path: INVENTORY.to_owned(),
            reason,
        }]);
    };
    let mut found = Vec::new();
    list_files(host, dir, Path::new(""), &inventory.keep, &mut found)?;
    let mut differences = Vec::new();
    let mut extra = BTreeSet::new();
    let mut missing: BTreeSet<&BundlePath> = record.files.keys().collect();
    for path in &found {
        let known = path
            .to_str()
            .and_then(|text| record.files.get_key_value(text));
        let Some((listed, known)) = known else {
            extra.extend(extra_name(path, &inventory.keep, |folder| {
                record.folders.contains(folder)
            }));
            continue;
        };
        missing.remove(listed);
        let path = listed.to_string();
        let plain = host.read_plain(&dir.join(listed.as_path()), |size| size == known.bytes)?;
        match plain {
            Plain::File {
                bytes: Some(bytes),
                mode,
                ..
            } if Digest::of(&bytes) == known.digest => {
                if is_executable(mode) != known.executable {
                    differences.push(Difference::Mode {
                        path,
                        executable: known.executable,
                    });
                }
            }
            Plain::Missing => differences.push(Difference::Missing { path }),
            _ if path == CHECKSUMS => differences.push(Difference::Checksums { path }),
            _ => differences.push(Difference::Edited { path, diff: None }),
        }
    }
    differences.extend(missing.into_iter().map(|path| Difference::Missing {
        path: path.to_string(),
    }));
    differences.extend(extra.into_iter().map(|path| Difference::Extra { path }));
    sort(&mut differences);
    Ok(differences)
}

/// Lists everything in a folder that is no folder, without what is kept for the user.
fn list_files(
    host: &Host,
    root: &Path,
    folder: &Path,
    keep: &[Keep],
    found: &mut Vec<PathBuf>,
) -> Result<(), HostError> {
    for entry in host.list(&root.join(folder))? {
        let path = folder.join(&entry.name);
        let is_kept = |text: &str| keep.iter().any(|keep| keep.covers(text));
        if path.to_str().is_some_and(is_kept) {
            continue;
        }
        if entry.kind == Kind::Folder {
            list_files(host, root, &path, keep, found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}

/// Returns what to call something that is not generated: the outermost folder that has nothing else in it, or its own
/// name. Nothing if it is kept for the user.
fn extra_name(path: &Path, keep: &[Keep], is_generated: impl Fn(&str) -> bool) -> Option<String> {
    let text = path.to_string_lossy();
    if keep.iter().any(|keep| keep.covers(&text)) {
        return None;
    }
    let folder = text
        .match_indices('/')
        .map(|(at, _)| &text[..at])
        .find(|folder| !is_generated(folder) && !keep.iter().any(|keep| keep.lies_in(folder)));
    Some(match folder {
        Some(folder) => format!("{}/", shown(folder.as_ref())),
        None => shown(text.as_ref().as_ref()),
    })
}

/// Compares a folder with what a build would put into it. Without differences, the build would change nothing, and
/// there is nothing else in the folder but what it keeps for the user.
pub fn check(host: &Host, dir: &Path, sealed: &Sealed) -> Result<Vec<Difference>, PlaceError> {
    let place = Place::of(host, dir)?;
    let survey = Survey::of(host, &place.target, sealed)?;
    let keep = &sealed.inventory.keep;
    let mut diffs = Diffs {
        host,
        root: &place.target,
        sealed,
        left: LINES_IN_ALL,
        others_differ: survey
            .states
            .iter()
            .any(|(path, state)| *state != State::Same && !is_own(path.as_str())),
    };
    let mut differences = Vec::new();
    let mut edited = BTreeSet::new();
    let mut blocked = BTreeSet::new();
    for conflict in &survey.conflicts {
        let path = conflict.path.clone();
        blocked.insert(path.clone());
        match &conflict.why {
            ConflictKind::Edited => drop(edited.insert(path)),
            ConflictKind::InTheWay | ConflictKind::Buried => {
                differences.push(Difference::InTheWay { path });
            }
            ConflictKind::Unreadable { reason } => {
                let reason = reason.clone();
                differences.push(Difference::Inventory { path, reason });
            }
        }
    }
    for (listed, state) in &survey.states {
        let path = listed.to_string();
        if edited.contains(&path) {
            let diff = diffs.of(listed)?;
            differences.push(Difference::Edited { path, diff });
            continue;
        }
        match state {
            State::Same => {}
            _ if blocked.contains(&path) => {}
            State::Added => differences.push(Difference::Added { path }),
            State::Removed => differences.push(Difference::Removed { path }),
            State::Changed => {
                let diff = diffs.of(listed)?;
                differences.push(Difference::Changed { path, diff });
            }
            State::Mode => differences.push(Difference::Mode {
                path,
                executable: sealed
                    .get(listed.as_str())
                    .is_some_and(|file| file.executable),
            }),
        }
    }
    let extra: BTreeSet<String> = survey
        .foreign
        .iter()
        .filter_map(|foreign| {
            extra_name(&foreign.path, keep, |folder| {
                sealed.has_folder(folder) || survey.record.folders.contains(folder)
            })
        })
        .collect();
    differences.extend(extra.into_iter().map(|path| Difference::Extra { path }));
    sort(&mut differences);
    Ok(differences)
}

fn sort(differences: &mut [Difference]) {
    differences.sort_by(|one, other| one.path().cmp(other.path()));
}

fn is_own(path: &str) -> bool {
    path == INVENTORY || path == CHECKSUMS
}

/// Makes the texts of differences, as long as there is room for them.
struct Diffs<'a> {
    host: &'a Host,
    root: &'a Path,
    sealed: &'a Sealed,
    left: usize,
    others_differ: bool,
}

impl Diffs<'_> {
    fn of(&mut self, path: &BundlePath) -> Result<Option<String>, HostError> {
        // Inventory and checksums follow from the other files: their lines would tell nothing more.
        if path.as_str() == CHECKSUMS || (path.as_str() == INVENTORY && self.others_differ) {
            return Ok(None);
        }
        let Some(new) = self.sealed.get(path.as_str()) else {
            return Ok(None);
        };
        let plain = self
            .host
            .read_plain(&self.root.join(path.as_path()), |size| {
                size <= DIFF_LIMIT as u64
            })?;
        let Plain::File {
            bytes: Some(old), ..
        } = plain
        else {
            return Ok(None);
        };
        let (Some(old), Some(new)) = (text_of(&old), text_of(&new.bytes)) else {
            return Ok(None);
        };
        let diff = TextDiff::from_lines(old, new)
            .unified_diff()
            .context_radius(3)
            .header(&format!("a/{path}"), &format!("b/{path}"))
            .to_string();
        let room = self.left.min(LINES_PER_FILE);
        let count = diff.lines().count();
        self.left -= room.min(count);
        if count <= room {
            return Ok(Some(diff));
        }
        let mut short: String = diff.split_inclusive('\n').take(room).collect();
        let _ = writeln!(short, "... {} more lines", count - room);
        Ok(Some(short))
    }
}

fn text_of(bytes: &[u8]) -> Option<&str> {
    (bytes.len() <= DIFF_LIMIT && !bytes.contains(&0))
        .then(|| std::str::from_utf8(bytes).ok())
        .flatten()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use super::*;

    fn check(path: &str, expected: Option<&str>) {
        let keep: Vec<Keep> = ["secrets/", "data/mine/", "notes.md"]
            .iter()
            .map(|text| Keep::parse(text).unwrap())
            .collect();
        let name = extra_name(Path::new(path), &keep, |folder| folder == "config");
        assert_eq!(name.as_deref(), expected, "{path}");
    }

    #[test]
    fn extra_files_are_named_by_the_folder_that_is_extra() {
        check("a", Some("a"));
        check("a/b/c", Some("a/"));
        check("config/a", Some("config/a"));
        check("config/a/b", Some("config/a/"));
        check("secrets/a/b", None);
        check("notes.md", None);
        check("data/mine/x", None);
        check("data/yours/x", Some("data/yours/"));
        check("data/x", Some("data/x"));
    }

    #[test]
    fn orders_to_the_terminal_are_not_passed_on() {
        let text = render(&[Difference::Changed {
            path: "a".to_owned(),
            diff: Some("-\u{1b}[31m\tx\n+y\n".to_owned()),
        }]);
        assert_eq!(text, "`a` would change\n    -\\u{1b}[31m\tx\n    +y\n");
    }
}
