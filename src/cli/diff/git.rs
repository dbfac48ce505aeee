//! Files of a git revision, read without checking anything out.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;

use crate::host::{Host, HostError};

/// A revision that was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Revision {
    /// What the user calls it.
    pub(super) name: String,
    /// The commit.
    pub(super) commit: String,
}

fn git(host: &Host, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>, HostError> {
    let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
    host.run("git", &arguments, Path::new(""), input)
}

fn line(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

/// Finds a revision.
///
/// # Errors
/// There is none of that name, or no repository, or no git.
pub(super) fn revision(host: &Host, name: &str) -> Result<Revision, HostError> {
    let wanted = format!("{name}^{{commit}}");
    let commit = git(
        host,
        &["rev-parse", "--verify", "--end-of-options", &wanted],
        &[],
    )?;
    Ok(Revision {
        name: name.to_owned(),
        commit: line(&commit),
    })
}

/// Finds the commit in which two revisions part.
pub(super) fn merge_base(
    host: &Host,
    one: &Revision,
    other: &Revision,
) -> Result<Revision, HostError> {
    let commit = git(host, &["merge-base", &one.commit, &other.commit], &[])?;
    Ok(Revision {
        name: one.name.clone(),
        commit: line(&commit),
    })
}

/// Returns all files at or below a path, relative to the current folder, with their paths.
pub(super) fn files(
    host: &Host,
    revision: &Revision,
    path: &str,
) -> Result<BTreeMap<String, Vec<u8>>, HostError> {
    let list = git(
        host,
        &["ls-tree", "-r", "-z", &revision.commit, "--", path],
        &[],
    )?;
    let mut wanted: Vec<(String, String)> = Vec::new();
    for entry in list.split(|byte| *byte == 0) {
        // MODE TYPE OBJECT, a tab, the path relative to the current folder. Links and modules are no files.
        let entry = String::from_utf8_lossy(entry);
        let Some((head, name)) = entry.split_once('\t') else {
            continue;
        };
        let mut words = head.split(' ');
        let (mode, kind, object) = (words.next(), words.next(), words.next());
        if kind == Some("blob")
            && mode.is_some_and(|mode| mode.starts_with("100"))
            && let Some(object) = object
        {
            wanted.push((name.to_owned(), object.to_owned()));
        }
    }
    let input: String = wanted
        .iter()
        .map(|(_, object)| format!("{object}\n"))
        .collect();
    let answer = git(host, &["cat-file", "--batch"], input.as_bytes())?;
    let mut rest = answer.as_slice();
    let mut files = BTreeMap::new();
    for (name, _) in wanted {
        // OBJECT TYPE SIZE, the bytes, a line break.
        let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
            break;
        };
        let head = String::from_utf8_lossy(&rest[..end]).into_owned();
        let size = head
            .rsplit(' ')
            .next()
            .and_then(|size| size.parse::<usize>().ok());
        let Some(size) = size.filter(|size| end + 1 + size <= rest.len()) else {
            break;
        };
        files.insert(name, rest[end + 1..end + 1 + size].to_vec());
        rest = rest.get(end + 2 + size..).unwrap_or_default();
    }
    Ok(files)
}
