//! Builds that end at any of their steps: killed, or stopped by an error.

use std::fs;
use std::process::Command;

use lakewright::bundle::Sealed;
use lakewright::bundle::write::{WriteError, write};
use lakewright::host::{Fault, Host, Trouble};

use crate::scene::{Node, Scene, Tree, sealed, tree, tree_of};

const OLD: &[(&str, &str)] = &[
    ("a.yaml", "one"),
    ("config/b.conf", "two"),
    ("file", "three"),
    ("folder/x", "four"),
    ("run.sh", "five"),
    ("same/one", "six"),
    ("stale/deep/y", "seven"),
];
const NEW: &[(&str, &str)] = &[
    ("a.yaml", "uno"),
    ("config/b.conf", "two"),
    ("file/z", "three"),
    ("folder", "four"),
    ("new/deep/w", "eight"),
    ("run.sh", "cinque"),
    ("same/one", "six"),
];
const FOREIGN: &[&str] = &[
    "away",
    "config/extra",
    "data",
    "data/deep",
    "data/deep/row",
    "empty",
    "notes.md",
    "secrets",
    "secrets/key",
];

/// Returns the folder of the old bundle, with files of the user's.
fn scene() -> Scene {
    let scene = Scene::with(OLD);
    scene.put("config/extra", "mine");
    scene.put("data/deep/row", "mine");
    scene.put("notes.md", "mine");
    scene.put("secrets/key", "mine");
    scene.chmod("secrets/key", 0o600);
    scene.folder("secrets", 0o700);
    scene.folder("empty", 0o750);
    scene.link("away", "/nowhere");
    scene
}

fn foreign(tree: &Tree) -> Tree {
    let mut tree = tree.clone();
    tree.retain(|path, _| FOREIGN.contains(&path.as_str()));
    tree
}

fn generated(tree: &Tree) -> Tree {
    let mut tree = tree.clone();
    tree.retain(|path, _| !FOREIGN.contains(&path.as_str()));
    tree
}

/// Checks a folder right after a build was killed, and after another build.
fn check_killed(scene: &Scene, before: &Tree, trouble: &Trouble) {
    let found = scene.tree();
    let (old, new) = (tree_of(&sealed(OLD)), tree_of(&sealed(NEW)));
    let is_away = trouble.no_exchange && found.is_empty();
    assert!(
        is_away || generated(&found) == old || generated(&found) == new,
        "{trouble:?}: {found:#?}"
    );
    // What cannot have two names is for a moment beside the folder.
    if !trouble.no_links && !is_away {
        assert_eq!(foreign(&found), foreign(before), "{trouble:?}");
    }
    let inode = |path: &str| {
        fs::symlink_metadata(scene.path(path))
            .map(|_| scene.inode(path))
            .ok()
    };
    let key = inode("secrets/key");
    scene.build(NEW);
    let after = scene.tree();
    assert_eq!(generated(&after), new, "{trouble:?}");
    assert_eq!(foreign(&after), foreign(before), "{trouble:?}");
    assert!(key.is_none() || key == inode("secrets/key"), "{trouble:?}");
}

fn troubles() -> [Trouble; 4] {
    [(false, false), (true, false), (false, true), (true, true)].map(|(no_exchange, no_links)| {
        Trouble {
            fault: None,
            no_exchange,
            no_links,
        }
    })
}

fn steps(trouble: &Trouble) -> u64 {
    let scene = scene();
    let host = Host::with(trouble.clone());
    write(&host, &scene.dir, &sealed(NEW), false).unwrap();
    assert!(host.changes() > 40);
    host.changes()
}

#[test]
fn builds_without_the_help_of_the_file_system_do_the_same() {
    for trouble in troubles() {
        let scene = scene();
        let before = scene.tree();
        write(
            &Host::with(trouble.clone()),
            &scene.dir,
            &sealed(NEW),
            false,
        )
        .unwrap();
        assert!(!scene.beside().exists(), "{trouble:?}");
        let after = scene.tree();
        assert_eq!(generated(&after), tree_of(&sealed(NEW)), "{trouble:?}");
        assert_eq!(foreign(&after), foreign(&before), "{trouble:?}");
    }
}

#[test]
fn a_build_whose_disk_goes_away_leaves_either_bundle() {
    for trouble in troubles() {
        for at in 0..steps(&trouble) {
            let scene = scene();
            let before = scene.tree();
            let trouble = Trouble {
                fault: Some((at, Fault::Onwards)),
                ..trouble.clone()
            };
            let _ = write(
                &Host::with(trouble.clone()),
                &scene.dir,
                &sealed(NEW),
                false,
            );
            check_killed(&scene, &before, &trouble);
        }
    }
}

#[test]
fn a_build_that_fails_leaves_the_old_bundle() {
    for trouble in troubles() {
        for at in 0..steps(&trouble) {
            let scene = scene();
            let before = scene.tree();
            let trouble = Trouble {
                fault: Some((at, Fault::Once)),
                ..trouble.clone()
            };
            let host = Host::with(trouble.clone());
            match write(&host, &scene.dir, &sealed(NEW), false) {
                Ok(_) | Err(WriteError::Leftover(_)) => {
                    assert_eq!(
                        generated(&scene.tree()),
                        tree_of(&sealed(NEW)),
                        "{trouble:?}"
                    );
                }
                Err(error) => {
                    assert_eq!(scene.tree(), before, "{trouble:?}: {error}");
                    assert!(!scene.beside().exists(), "{trouble:?}: {error}");
                }
            }
            check_killed(&scene, &before, &trouble);
        }
    }
}

#[test]
fn a_killed_first_build_leaves_nothing_or_all() {
    for at in 0.. {
        let scene = Scene::new();
        let host = Host::with(Trouble {
            fault: Some((at, Fault::Onwards)),
            ..Trouble::default()
        });
        let done = write(&host, &scene.dir, &sealed(NEW), false).is_ok();
        let found = scene.tree();
        assert!(
            found.is_empty() || found == tree_of(&sealed(NEW)),
            "{at}: {found:#?}"
        );
        scene.build(NEW);
        assert_eq!(scene.tree(), tree_of(&sealed(NEW)));
        if done && at >= host.changes() {
            break;
        }
    }
}

#[test]
fn the_repair_of_a_killed_build_may_be_killed_too() {
    let trouble = |at| Trouble {
        fault: Some((at, Fault::Onwards)),
        no_links: true,
        ..Trouble::default()
    };
    for first in (0..steps(&trouble(u64::MAX))).step_by(7) {
        for second in 0.. {
            let scene = scene();
            let before = scene.tree();
            let _ = write(&Host::with(trouble(first)), &scene.dir, &sealed(NEW), false);
            let host = Host::with(trouble(second));
            let _ = write(&host, &scene.dir, &sealed(OLD), false);
            let last = host.changes() <= second;
            scene.build(NEW);
            let after = scene.tree();
            assert_eq!(generated(&after), tree_of(&sealed(NEW)), "{first} {second}");
            assert_eq!(foreign(&after), foreign(&before), "{first} {second}");
            if last {
                break;
            }
        }
    }
}

#[test]
fn what_the_user_adds_after_a_killed_build_stays() {
    for at in 0..steps(&Trouble::default()) {
        let scene = scene();
        let trouble = Trouble {
            fault: Some((at, Fault::Onwards)),
            ..Trouble::default()
        };
        let _ = write(&Host::with(trouble), &scene.dir, &sealed(NEW), false);
        // As editors save: a new file takes the name.
        scene.put("notes.tmp", "newer");
        fs::rename(scene.path("notes.tmp"), scene.path("notes.md")).unwrap();
        scene.put("data/added", "newer");
        fs::remove_file(scene.path("config/extra")).unwrap();
        scene.build(NEW);
        let after = scene.tree();
        assert_eq!(
            after["notes.md"],
            Node::File("newer".to_owned(), 0o644),
            "{at}"
        );
        assert_eq!(
            after["data/added"],
            Node::File("newer".to_owned(), 0o644),
            "{at}"
        );
    }
}

/// Set for a copy of this program that is to write to a folder and to be aborted at a step.
const CHILD: &str = "LAKEWRIGHT_TEST_ABORT";

/// Not a test of its own: what the copy does.
#[test]
fn child() {
    let Ok(order) = std::env::var(CHILD) else {
        return;
    };
    let (at, dir) = order.split_once(' ').unwrap();
    let trouble = Trouble {
        fault: Some((at.parse().unwrap(), Fault::Abort)),
        ..Trouble::default()
    };
    write(&Host::with(trouble), dir.as_ref(), &sealed(NEW), false).unwrap();
}

#[test]
fn a_build_that_is_aborted_leaves_either_bundle() {
    let mut found = Vec::new();
    for at in 0..=steps(&Trouble::default()) {
        let scene = scene();
        let before = scene.tree();
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["kill::child", "--exact"])
            .env(CHILD, format!("{at} {}", scene.dir.display()))
            .output()
            .unwrap();
        assert_eq!(
            output.status.success(),
            at == steps(&Trouble::default()),
            "{at}"
        );
        found.push(generated(&scene.tree()) == tree_of(&sealed(NEW)));
        check_killed(&scene, &before, &Trouble::default());
    }
    let old = found.iter().take_while(|is_new| !**is_new).count();
    assert!(
        old > 20 && found[old..].iter().all(|is_new| *is_new),
        "{found:?}"
    );
    assert!(
        found.len() > old + 10,
        "some were killed after the exchange: {found:?}"
    );
}

/// A tree that never was in place must not be taken for the old bundle.
#[test]
fn an_unfinished_tree_is_not_moved_into_the_folder() {
    let scene = scene();
    let before = scene.tree();
    let staged: Sealed = sealed(NEW);
    let trouble = Trouble {
        fault: Some((20, Fault::Onwards)),
        ..Trouble::default()
    };
    write(&Host::with(trouble), &scene.dir, &staged, false).unwrap_err();
    assert!(!tree(&scene.beside()).is_empty());
    scene.build(OLD);
    assert_eq!(scene.tree(), before);
}
