//! Bundles, folders and what is in them, in as few words as the tests need.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use lakewright::bundle::inventory::Keep;
use lakewright::bundle::path::BundlePath;
use lakewright::bundle::write::{Outcome, WriteError, write};
use lakewright::bundle::{Bundle, File, Meta, Sealed};
use lakewright::host::Host;
use tempfile::TempDir;

/// Something in a folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Node {
    /// Contents and mode.
    File(String, u32),
    /// Mode.
    Folder(u32),
    /// Where it leads.
    Link(PathBuf),
}

/// All that is in a folder, by path.
pub(crate) type Tree = BTreeMap<String, Node>;

/// Returns a bundle of these files. Those that end with `.sh` are programs.
pub(crate) fn sealed(files: &[(&str, &str)]) -> Sealed {
    sealed_with(files, Meta::default())
}

pub(crate) fn sealed_with(files: &[(&str, &str)], mut meta: Meta) -> Sealed {
    let mut bundle = Bundle::new();
    for (path, text) in files {
        let file = File {
            bytes: text.as_bytes().to_vec(),
            executable: path.ends_with(".sh"),
        };
        bundle
            .insert(BundlePath::parse(path).unwrap(), file)
            .unwrap();
    }
    meta.platform = "lakehouse".to_owned();
    meta.keep.push(Keep::parse("secrets/").unwrap());
    bundle.seal(meta)
}

/// A temporary folder with the folder of a bundle in it, which does not exist yet.
pub(crate) struct Scene {
    pub(crate) around: TempDir,
    pub(crate) dir: PathBuf,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let around = TempDir::new().unwrap();
        // Other users must be able to look into it.
        fs::set_permissions(around.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let dir = around.path().join("dev");
        Self { around, dir }
    }

    /// Returns a scene where these files were written as a bundle.
    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        let scene = Self::new();
        scene.build(files);
        scene
    }

    /// Writes these files as a bundle, which must succeed.
    pub(crate) fn build(&self, files: &[(&str, &str)]) -> Outcome {
        self.write(files, false).unwrap()
    }

    pub(crate) fn write(&self, files: &[(&str, &str)], force: bool) -> Result<Outcome, WriteError> {
        let outcome = write(&Host::new(), &self.dir, &sealed(files), force);
        assert!(!self.beside().exists(), "nothing is left beside the folder");
        outcome
    }

    /// The folder beside the bundle's folder, where a new bundle is made ready.
    pub(crate) fn beside(&self) -> PathBuf {
        self.around.path().join(".dev.lakewright-new")
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.dir.join(path)
    }

    pub(crate) fn put(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn link(&self, path: &str, leads_to: &str) {
        symlink(leads_to, self.path(path)).unwrap();
    }

    pub(crate) fn folder(&self, path: &str, mode: u32) {
        fs::create_dir_all(self.path(path)).unwrap();
        self.chmod(path, mode);
    }

    pub(crate) fn chmod(&self, path: &str, mode: u32) {
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(mode)).unwrap();
    }

    pub(crate) fn tree(&self) -> Tree {
        tree(&self.dir)
    }

    pub(crate) fn inode(&self, path: &str) -> u64 {
        fs::symlink_metadata(self.path(path)).unwrap().ino()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        fn open(dir: &Path) {
            let _ = fs::set_permissions(dir, fs::Permissions::from_mode(0o755));
            for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    open(&entry.path());
                }
            }
        }
        // Folders that forbid it could not be removed.
        open(self.around.path());
    }
}

/// Returns all that is in a folder. Nothing if there is no folder.
pub(crate) fn tree(dir: &Path) -> Tree {
    fn walk(dir: &Path, prefix: &str, tree: &mut Tree) {
        for entry in fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{prefix}{}", entry.file_name().to_str().unwrap());
            let meta = fs::symlink_metadata(entry.path()).unwrap();
            let mode = meta.mode() & 0o7777;
            let node = if meta.is_symlink() {
                Node::Link(fs::read_link(entry.path()).unwrap())
            } else if meta.is_dir() {
                walk(&entry.path(), &format!("{path}/"), tree);
                Node::Folder(mode)
            } else if meta.is_file() {
                Node::File(fs::read_to_string(entry.path()).unwrap(), mode)
            } else {
                Node::File("special".to_owned(), mode)
            };
            tree.insert(path, node);
        }
    }
    let mut found = Tree::new();
    if dir.exists() {
        walk(dir, "", &mut found);
    }
    found
}

/// Returns what a folder has that only this bundle was ever written to.
pub(crate) fn tree_of(sealed: &Sealed) -> Tree {
    let mut tree = Tree::new();
    for (path, file) in sealed.files() {
        for folder in path.folders() {
            tree.insert(folder.to_owned(), Node::Folder(0o755));
        }
        let text = String::from_utf8(file.bytes.clone()).unwrap();
        let mode = if file.executable { 0o755 } else { 0o644 };
        tree.insert(path.to_string(), Node::File(text, mode));
    }
    tree
}
