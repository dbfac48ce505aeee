//! Any old bundle, any new one, any files of the user's, and an end at any step.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use lakewright::bundle::path::BundlePath;
use lakewright::bundle::write::{WriteError, write};
use lakewright::bundle::{Bundle, File, Meta, Sealed};
use lakewright::host::{Fault, Host, Trouble};
use proptest::prelude::*;

use crate::scene::{Node, Scene, Tree};

/// Something that the user does to the folder.
#[derive(Clone, Debug)]
enum Deed {
    File(String, String),
    Link(String),
    Folder(String, u32),
    Edit(usize, String),
    Delete(usize),
}

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec("[abc]", 1..4).prop_map(|parts| parts.join("/"))
}

fn text() -> impl Strategy<Value = String> {
    "[xy]{0,2}"
}

type Files = Vec<(String, String, bool)>;

fn files() -> impl Strategy<Value = Files> {
    prop::collection::vec((path(), text(), any::<bool>()), 0..7)
}

fn sealed(files: &Files) -> Sealed {
    let mut bundle = Bundle::new();
    for (path, text, executable) in files {
        let file = File {
            bytes: text.clone().into_bytes(),
            executable: *executable,
        };
        // Paths that clash are left out.
        let _ = bundle.insert(BundlePath::parse(path).unwrap(), file);
    }
    bundle.seal(Meta::default())
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        4 => (path(), text()).prop_map(|(path, text)| Deed::File(path, text)),
        1 => path().prop_map(Deed::Link),
        2 => (path(), prop_oneof![Just(0o755), Just(0o700), Just(0o500)])
            .prop_map(|(path, mode)| Deed::Folder(path, mode)),
        1 => (0..9usize, text()).prop_map(|(at, text)| Deed::Edit(at, text)),
        1 => (0..9usize).prop_map(Deed::Delete),
    ]
}

/// Does it, if it can be done to the folder as it is, and leaves generated files alone unless they are meant.
fn act(scene: &Scene, old: &Sealed, deed: &Deed) {
    let nth = |at: usize| {
        old.files()
            .nth(at)
            .map(|(path, _)| scene.path(path.as_str()))
    };
    match deed {
        Deed::File(path, text) => {
            let path = scene.path(path);
            if path
                .parent()
                .is_some_and(|around| fs::create_dir_all(around).is_ok())
                && fs::symlink_metadata(&path).is_err()
            {
                let _ = fs::write(path, text);
            }
        }
        Deed::Link(path) => {
            let _ = std::os::unix::fs::symlink("a/b", scene.path(path));
        }
        Deed::Folder(path, mode) => {
            if fs::create_dir_all(scene.path(path)).is_ok() {
                scene.chmod(path, *mode);
            }
        }
        Deed::Edit(at, text) => {
            if let Some(path) = nth(*at).filter(|path| !is_own(path))
                && fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_file())
            {
                fs::write(path, text).unwrap();
            }
        }
        Deed::Delete(at) => {
            if let Some(path) = nth(*at) {
                let _ = fs::remove_file(path);
            }
        }
    }
}

/// Says whether this is the inventory or the checksums: edits of those have tests of their own.
fn is_own(path: &Path) -> bool {
    path.ends_with("bundle.json") || path.ends_with("SHA256SUMS")
}

fn mode(file: &File) -> u32 {
    if file.executable { 0o755 } else { 0o644 }
}

fn folders(bundle: &Sealed) -> BTreeSet<String> {
    bundle
        .files()
        .flat_map(|(path, _)| path.folders().map(str::to_owned))
        .collect()
}

/// Says which files a build has to stop for, and whether force is enough.
fn conflicts(before: &Tree, old: &Sealed, new: &Sealed) -> (BTreeSet<String>, bool) {
    let (old_folders, new_folders) = (folders(old), folders(new));
    let has_inventory = before.contains_key("bundle.json");
    let mut found = BTreeSet::new();
    let mut buried = false;
    for (path, node) in before {
        let was = old.get(path).filter(|_| has_inventory);
        let stands_for =
            |file: &File| matches!(node, Node::File(text, _) if text.as_bytes() == file.bytes);
        let around = path.match_indices('/').map(|(at, _)| &path[..at]);
        let is_buried = around.into_iter().any(|folder| new.get(folder).is_some());
        match node {
            Node::Folder(_) if has_inventory && old_folders.contains(path) => {}
            Node::Folder(_) if new.get(path).is_some() => drop(found.insert(path.clone())),
            Node::File(..) | Node::Link(_) if was.is_some() || new.get(path).is_some() => {
                let is_right = new.get(path).is_some_and(stands_for);
                if !is_right && !was.is_some_and(stands_for) {
                    found.insert(path.clone());
                }
            }
            _ if is_buried => {
                found.insert(path.clone());
                buried = true;
            }
            Node::File(..) | Node::Link(_) if new_folders.contains(path) => {
                found.insert(path.clone());
            }
            _ => {}
        }
    }
    (found, buried)
}

/// Returns what must be in the folder afterwards.
fn expected(before: &Tree, old: &Sealed, new: &Sealed) -> Tree {
    let (old_folders, new_folders) = (folders(old), folders(new));
    let has_inventory = before.contains_key("bundle.json");
    let is_old = |path: &str| has_inventory && old.get(path).is_some();
    let mut after = Tree::new();
    for (path, node) in before {
        let stays = match node {
            _ if new.get(path).is_some() => false,
            Node::Folder(_) => {
                new_folders.contains(path) || !(has_inventory && old_folders.contains(path))
            }
            _ => !is_old(path) && !new_folders.contains(path),
        };
        if stays {
            after.insert(path.clone(), node.clone());
        }
    }
    // Folders of the old bundle stay if something of the user's is in them.
    let inside: Vec<String> = after.keys().cloned().collect();
    for path in inside {
        for (at, _) in path.match_indices('/') {
            if let Some(node @ Node::Folder(_)) = before.get(&path[..at]) {
                after.insert(path[..at].to_owned(), node.clone());
            }
        }
    }
    for folder in new_folders {
        after.entry(folder).or_insert(Node::Folder(0o755));
    }
    for (path, file) in new.files() {
        let text = String::from_utf8(file.bytes.clone()).unwrap();
        after.insert(path.to_string(), Node::File(text, mode(file)));
    }
    after
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_folder_has_the_new_bundle_and_the_users_files(
        old in prop::option::of(files()),
        new in files(),
        deeds in prop::collection::vec(deed(), 0..8),
        at in 0..120u64,
        no_exchange in any::<bool>(),
        no_links in any::<bool>(),
    ) {
        let (old, new) = (old.as_ref().map(sealed), sealed(&new));
        let scene = Scene::new();
        fs::create_dir(&scene.dir).unwrap();
        if let Some(old) = &old {
            write(&Host::new(), &scene.dir, old, false).unwrap();
        }
        let old = old.unwrap_or_else(|| Bundle::new().seal(Meta::default()));
        for deed in &deeds {
            act(&scene, &old, deed);
        }
        let before = scene.tree();
        let after = expected(&before, &old, &new);
        let (stops, buried) = conflicts(&before, &old, &new);
        let buildable = stops.is_empty();

        match write(&Host::with(Trouble { fault: Some((0, Fault::Onwards)), ..Trouble::default() }), &scene.dir, &new, false) {
            Err(WriteError::Conflicts { conflicts, .. }) => {
                let found: BTreeSet<String> = conflicts.into_iter().map(|conflict| conflict.path).collect();
                prop_assert_eq!(found, stops);
            }
            done => prop_assert!(buildable, "{:?} although {:?}", done, stops),
        }
        prop_assert_eq!(&scene.tree(), &before);

        // Killed at some step.
        let trouble = Trouble { fault: Some((at, Fault::Onwards)), no_exchange, no_links };
        let _ = write(&Host::with(trouble), &scene.dir, &new, true);
        let found = scene.tree();
        let is_away = no_exchange && found.is_empty();
        if !no_links && !is_away {
            prop_assert!(found == before || found == after, "{:#?}", found);
        }

        // And again.
        let done = write(&Host::new(), &scene.dir, &new, true);
        prop_assert_eq!(done.is_err(), buried, "{:?}", done);
        prop_assert!(!scene.beside().exists());
        prop_assert_eq!(scene.tree(), if buried { before } else { after });
    }
}
