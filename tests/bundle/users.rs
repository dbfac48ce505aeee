//! Folders and files that belong to other users, or may not be written to.
//!
//! Most of it can only be tried by the system's administrator, who can make files for others; elsewhere those tests
//! pass without doing anything.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use lakewright::bundle::compare::{render, verify};
use lakewright::bundle::write::write;
use lakewright::host::{Fault, Host, Trouble};

use crate::scene::{Scene, sealed, tree_of};

const OLD: &[(&str, &str)] = &[("a.yaml", "one"), ("config/b.conf", "two")];
const NEW: &[(&str, &str)] = &[("a.yaml", "uno"), ("config/c.conf", "three")];
const CHILD: &str = "LAKEWRIGHT_TEST_USER";
/// Set for another user whose builds are killed again and again before one succeeds.
const KILLED: &str = "LAKEWRIGHT_TEST_KILLED";
const NOBODY: u32 = 65534;

/// Not a test of its own: what another user does.
#[test]
fn child() {
    let Ok(dir) = std::env::var(CHILD) else {
        return;
    };
    let dir = Path::new(&dir);
    for at in (0..).take_while(|_| std::env::var(KILLED).is_ok()) {
        let host = Host::with(Trouble {
            fault: Some((at, Fault::Onwards)),
            ..Trouble::default()
        });
        if write(&host, dir, &sealed(NEW), false).is_ok() {
            break;
        }
        write(&Host::new(), dir, &sealed(OLD), false).unwrap();
    }
    if let Err(error) = write(&Host::new(), dir, &sealed(NEW), false) {
        panic!("{error}");
    }
    let differences = verify(&Host::new(), dir).unwrap();
    assert_eq!(render(&differences), "");
}

/// Says whether this process may do anything: what it makes is then the administrator's.
fn is_administrator() -> bool {
    let made = tempfile::TempDir::new().unwrap();
    fs::metadata(made.path()).unwrap().uid() == 0
}

/// Writes the new bundle as a user without rights. Returns what the error says.
fn write_as_nobody(scene: &Scene) -> Result<(), String> {
    run_as_nobody(scene, false)
}

fn run_as_nobody(scene: &Scene, killed: bool) -> Result<(), String> {
    // The user must be able to start the program, wherever it was built.
    let program = scene.around.path().join("program");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", "umask 077; exec \"$0\" users::child --exact"])
        .arg(&program)
        .env(CHILD, &scene.dir);
    if killed {
        command.env(KILLED, "");
    }
    if is_administrator() {
        command.uid(NOBODY).gid(NOBODY);
    }
    let output = command.output().unwrap();
    fs::remove_file(program).unwrap();
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn give(scene: &Scene, paths: &[&str]) {
    chown(scene.around.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    for path in paths {
        chown(scene.path(path), Some(NOBODY), Some(NOBODY)).unwrap();
    }
}

const ALL: &[&str] = &[
    "",
    "a.yaml",
    "config",
    "config/b.conf",
    "bundle.json",
    "SHA256SUMS",
];

#[test]
fn modes_do_not_depend_on_the_umask() {
    let scene = Scene::new();
    if is_administrator() {
        chown(scene.around.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    write_as_nobody(&scene).unwrap();
    assert_eq!(scene.tree(), tree_of(&sealed(NEW)));
    assert_eq!(fs::metadata(&scene.dir).unwrap().mode() & 0o7777, 0o755);
}

#[test]
fn a_folder_that_may_not_be_written_to_is_named() {
    let scene = Scene::with(OLD);
    let before = scene.tree();
    scene.folder("..", 0o555);
    // Where the program has to lie is not what is tried here.
    let error = if is_administrator() {
        write_as_nobody(&scene).unwrap_err()
    } else {
        write(&Host::new(), &scene.dir, &sealed(NEW), false)
            .unwrap_err()
            .to_string()
    };
    let expected = format!(
        "cannot create `{}`: Permission denied",
        scene.beside().display()
    );
    assert!(error.contains(&expected), "{error}");
    assert_eq!(scene.tree(), before);
    scene.folder("..", 0o755);
}

#[test]
fn what_cannot_be_linked_is_moved() {
    let scene = Scene::with(OLD);
    if !is_administrator() {
        return;
    }
    scene.put("secrets/root.key", "mine");
    scene.chmod("secrets/root.key", 0o600);
    give(&scene, ALL);
    give(&scene, &["secrets"]);
    let inode = scene.inode("secrets/root.key");
    write_as_nobody(&scene).unwrap();
    assert_eq!(scene.inode("secrets/root.key"), inode);
    let meta = fs::metadata(scene.path("secrets/root.key")).unwrap();
    assert_eq!((meta.uid(), meta.mode() & 0o777), (0, 0o600));
    assert!(!scene.path("config/b.conf").exists() && !scene.beside().exists());

    // Only what is not kept for the user has to be readable.
    chown(scene.path("secrets"), Some(0), Some(0)).unwrap();
    scene.folder("secrets", 0o700);
    write_as_nobody(&scene).unwrap();
}

#[test]
fn folders_that_nobody_may_add_to_stay_so() {
    let scene = Scene::with(OLD);
    if !is_administrator() {
        return;
    }
    scene.put("secrets/closed/deep/key", "mine");
    give(&scene, ALL);
    give(
        &scene,
        &["secrets", "secrets/closed", "secrets/closed/deep"],
    );
    give(&scene, &["secrets/closed/deep/key"]);
    scene.folder("secrets/closed/deep", 0o500);
    scene.folder("secrets/closed", 0o500);
    let before = scene.tree();
    run_as_nobody(&scene, true).unwrap();
    let mut after = scene.tree();
    after.retain(|path, _| path.starts_with("secrets"));
    let mut expected = before;
    expected.retain(|path, _| path.starts_with("secrets"));
    assert_eq!(after, expected);
    assert!(!scene.beside().exists());
}

#[test]
fn a_folder_that_cannot_be_moved_stops_the_build() {
    let scene = Scene::with(OLD);
    if !is_administrator() {
        return;
    }
    scene.put("root.key", "mine");
    scene.chmod("root.key", 0o600);
    scene.put("zdata/row", "mine");
    scene.folder("zdata", 0o700);
    give(&scene, ALL);
    let before = scene.tree();
    let error = write_as_nobody(&scene).unwrap_err();
    let expected = format!(
        "cannot move `{}`: Permission denied",
        scene.path("zdata").display()
    );
    assert!(error.contains(&expected), "{error}");
    assert_eq!(scene.tree(), before);
    assert!(!scene.beside().exists());
}

#[test]
fn the_administrator_leaves_folders_to_their_owners() {
    let scene = Scene::with(OLD);
    if !is_administrator() {
        return;
    }
    scene.put("data/row", "mine");
    scene.folder("data", 0o2770);
    chown(scene.path("data"), Some(999), Some(998)).unwrap();
    scene.folder("data", 0o2770);
    scene.build(NEW);
    let meta = fs::metadata(scene.path("data")).unwrap();
    assert_eq!(
        (meta.uid(), meta.gid(), meta.mode() & 0o7777),
        (999, 998, 0o2770)
    );
}
