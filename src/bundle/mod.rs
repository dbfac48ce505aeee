//! Bundles: all files of one environment, as a sorted tree in memory, and that tree in a folder.
//!
//! Backends fill a [`Bundle`]; [`Bundle::seal`] adds the inventory and the checksums. A [`Sealed`] bundle is what
//! [`write`] puts in the place of a folder and what [`compare`] holds against one. Nothing here knows what the files
//! mean; only `write`, `compare` and `secrets` touch the disk, through the host.

pub mod archive;
pub mod compare;
pub mod digest;
pub mod inventory;
pub mod path;
mod place;
pub mod secrets;
mod settle;
mod survey;
pub mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};

pub use digest::Digest;
use inventory::{Generator, Input, Inventory, Keep, Listed, SCHEMA, SecretSpec};
pub use path::BundlePath;

use crate::terms::SecretStore;

/// The name of the inventory in a bundle.
pub const INVENTORY: &str = "bundle.json";

/// The name of the checksums in a bundle, in the format that `sha256sum --check` reads.
pub const CHECKSUMS: &str = "SHA256SUMS";

/// One file of a bundle.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct File {
    /// The contents.
    pub bytes: Vec<u8>,
    /// Whether it is a program: mode 0755, otherwise 0644.
    pub executable: bool,
}

impl File {
    /// Returns a file that is no program.
    pub fn plain(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            bytes: bytes.into(),
            executable: false,
        }
    }

    /// Returns a program.
    pub fn program(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            bytes: bytes.into(),
            executable: true,
        }
    }
}

/// Files under paths that fit together on every file system.
#[derive(Clone, Default, Debug)]
pub struct Bundle {
    files: BTreeMap<BundlePath, File>,
    /// Every file and folder under its name in lower case, as it is spelled, and whether it is a folder.
    names: BTreeMap<String, (String, bool)>,
}

/// Why a file cannot join a bundle. Each is a fault of the backend or blueprint that made the file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum InsertError {
    /// The name is taken by the bundle's own files.
    Reserved(BundlePath),
    /// There is such a file already.
    Duplicate(BundlePath),
    /// The name is a folder's.
    IsFolder(BundlePath),
    /// A part of the path is a file.
    IsFile {
        /// The new file.
        path: BundlePath,
        /// The file that stands where a folder would have to be.
        file: String,
    },
    /// There is a name that differs in upper and lower case only, which macOS and Windows cannot tell apart.
    Case {
        /// The new file.
        path: BundlePath,
        /// The name that is there.
        other: String,
    },
}

impl fmt::Display for InsertError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reserved(path) => write!(out, "`{path}` is a name that the bundle itself uses"),
            Self::Duplicate(path) => write!(out, "two files want to be `{path}`"),
            Self::IsFolder(path) => write!(out, "`{path}` is a file and a folder"),
            Self::IsFile { path, file } => {
                write!(out, "`{path}` cannot lie in `{file}`, which is a file")
            }
            Self::Case { path, other } => write!(
                out,
                "`{path}` and `{other}` differ in upper and lower case only"
            ),
        }
    }
}

impl std::error::Error for InsertError {}

/// What the inventory says beside the files.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Meta {
    /// The platform's name.
    pub platform: String,
    /// The environment's name.
    pub environment: String,
    /// What the environment compiles to.
    pub target: String,
    /// Where the values of secrets are kept, if not where the target itself keeps them.
    pub store: Option<SecretStore>,
    /// What the bundle was made from.
    pub inputs: Vec<Input>,
    /// Files and folders that belong to the user.
    pub keep: Vec<Keep>,
    /// The secrets that the bundle refers to.
    pub secrets: Vec<SecretSpec>,
}

impl Bundle {
    /// Returns a bundle without files.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file, unless its path clashes with what is there.
    pub fn insert(&mut self, path: BundlePath, file: File) -> Result<(), InsertError> {
        if let Some(error) = self.clash(&path) {
            return Err(error);
        }
        for folder in path.folders() {
            let spelled = || (folder.to_owned(), true);
            self.names
                .entry(folder.to_lowercase())
                .or_insert_with(spelled);
        }
        let spelled = (path.as_str().to_owned(), false);
        self.names.insert(path.as_str().to_lowercase(), spelled);
        self.files.insert(path, file);
        Ok(())
    }

    /// Says why a path cannot be added.
    fn clash(&self, path: &BundlePath) -> Option<InsertError> {
        let folded = path.as_str().to_lowercase();
        let reserved = [INVENTORY, CHECKSUMS];
        if reserved.iter().any(|own| own.to_lowercase() == folded) {
            return Some(InsertError::Reserved(path.clone()));
        }
        let case = |other: &String| InsertError::Case {
            path: path.clone(),
            other: other.clone(),
        };
        let around = path.folders().find_map(|folder| {
            let (name, is_folder) = self.names.get(&folder.to_lowercase())?;
            if name != folder {
                return Some(case(name));
            }
            (!is_folder).then(|| InsertError::IsFile {
                path: path.clone(),
                file: name.clone(),
            })
        });
        around.or_else(|| {
            let (name, is_folder) = self.names.get(&folded)?;
            Some(match is_folder {
                _ if name != path.as_str() => case(name),
                true => InsertError::IsFolder(path.clone()),
                false => InsertError::Duplicate(path.clone()),
            })
        })
    }

    /// Returns the files, sorted by path.
    pub fn files(&self) -> impl Iterator<Item = (&BundlePath, &File)> {
        self.files.iter()
    }

    /// Returns a file.
    pub fn get(&self, path: &str) -> Option<&File> {
        self.files.get(path)
    }

    /// Returns the number of files.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Says whether there are no files.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Computes all digests, and adds the inventory and the checksums.
    ///
    /// The lists of the meta data are sorted and freed of repetitions, so that their order depends on nothing.
    pub fn seal(self, meta: Meta) -> Sealed {
        let mut files = self.files;
        let Meta {
            platform,
            environment,
            target,
            store,
            mut inputs,
            mut keep,
            mut secrets,
        } = meta;
        inputs.sort();
        inputs.dedup();
        keep.sort();
        keep.dedup();
        secrets.sort();
        secrets.dedup();
        let inventory = Inventory {
            schema: SCHEMA,
            generator: Generator::this(),
            platform,
            environment,
            target,
            store,
            inputs,
            keep,
            secrets,
            files: files
                .iter()
                .map(|(path, file)| Listed {
                    path: path.clone(),
                    sha256: Digest::of(&file.bytes),
                    bytes: file.bytes.len() as u64,
                    executable: file.executable,
                })
                .collect(),
        };
        let text = inventory.to_json();
        let sums = checksums(&inventory, Digest::of(text.as_bytes()));
        files.insert(own_path(INVENTORY), File::plain(text));
        files.insert(own_path(CHECKSUMS), File::plain(sums));
        let folders = files
            .keys()
            .flat_map(|path| path.folders().map(str::to_owned))
            .collect();
        Sealed {
            files,
            folders,
            inventory,
        }
    }
}

/// Returns what [`CHECKSUMS`] says for a bundle with this inventory: one line per file, sorted by path.
fn checksums(inventory: &Inventory, own: Digest) -> String {
    let mut lines: Vec<(&str, Digest)> = inventory
        .files
        .iter()
        .map(|file| (file.path.as_str(), file.sha256))
        .collect();
    lines.push((INVENTORY, own));
    lines.sort_unstable();
    let mut text = String::new();
    for (path, digest) in lines {
        // Two spaces: "text mode", which means the same as "binary" everywhere but on old Windows ports.
        let _ = writeln!(text, "{digest}  {path}");
    }
    text
}

fn own_path(name: &str) -> BundlePath {
    BundlePath::parse(name).expect("the names of the bundle's own files are paths")
}

/// A bundle with its inventory and checksums: exactly what belongs into the folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sealed {
    files: BTreeMap<BundlePath, File>,
    folders: BTreeSet<String>,
    inventory: Inventory,
}

impl Sealed {
    /// Returns all files, sorted by path, with the inventory and the checksums.
    pub fn files(&self) -> impl Iterator<Item = (&BundlePath, &File)> {
        self.files.iter()
    }

    /// Returns a file.
    pub fn get(&self, path: &str) -> Option<&File> {
        self.files.get(path)
    }

    /// Returns what `bundle.json` says.
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// Says whether this is a folder of the bundle.
    fn has_folder(&self, path: &str) -> bool {
        self.folders.contains(path)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use super::*;

    fn path(text: &str) -> BundlePath {
        BundlePath::parse(text).unwrap()
    }

    fn filled(paths: &[&str]) -> Bundle {
        let mut bundle = Bundle::new();
        for text in paths {
            bundle.insert(path(text), File::plain(*text)).unwrap();
        }
        bundle
    }

    fn check(paths: &[&str], new: &str, expected: &str) {
        let mut bundle = filled(paths);
        let before = format!("{bundle:?}");
        let error = bundle.insert(path(new), File::plain("")).unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert_eq!(
            before,
            format!("{bundle:?}"),
            "a refused file leaves no trace"
        );
    }

    #[test]
    fn clashes_are_refused() {
        check(&["a"], "a", "two files want to be `a`");
        check(&["a/b/c"], "a/b", "`a/b` is a file and a folder");
        check(
            &["a"],
            "a/b/c",
            "`a/b/c` cannot lie in `a`, which is a file",
        );
        check(
            &["Ä/b"],
            "ä/c",
            "`ä/c` and `Ä` differ in upper and lower case only",
        );
        check(
            &["a/b"],
            "a/B",
            "`a/B` and `a/b` differ in upper and lower case only",
        );
        check(
            &["a/b"],
            "A",
            "`A` and `a` differ in upper and lower case only",
        );
        check(
            &["A"],
            "a/b",
            "`a/b` and `A` differ in upper and lower case only",
        );
        check(
            &[],
            "Bundle.json",
            "`Bundle.json` is a name that the bundle itself uses",
        );
        check(
            &[],
            "SHA256SUMS",
            "`SHA256SUMS` is a name that the bundle itself uses",
        );
        filled(&["a/b", "a/c", "ab", "sub/bundle.json"]);
    }

    #[test]
    fn checksums_cover_all_files_but_themselves() {
        let sealed = filled(&["b", "a/b", "z"]).seal(Meta::default());
        let sums = String::from_utf8(sealed.get(CHECKSUMS).unwrap().bytes.clone()).unwrap();
        let names: Vec<&str> = sums.lines().map(|line| &line[66..]).collect();
        assert_eq!(names, ["a/b", "b", "bundle.json", "z"]);
        for line in sums.lines() {
            let file = sealed.get(&line[66..]).unwrap();
            assert_eq!(line[..64], Digest::of(&file.bytes).to_string());
            assert_eq!(&line[64..66], "  ");
        }
    }

    #[test]
    fn the_same_files_make_the_same_bytes_in_any_order() {
        let keep = |text: &str| Keep::parse(text).unwrap();
        let meta = |keep| Meta {
            keep,
            ..Meta::default()
        };
        let one = filled(&["a", "b/c", "b/d"]).seal(meta(vec![keep("x/"), keep("y")]));
        let other = filled(&["b/d", "a", "b/c"]).seal(meta(vec![keep("y"), keep("x/"), keep("y")]));
        assert_eq!(one, other);
    }
}
