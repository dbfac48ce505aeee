//! What a build does to a folder, step by step.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;
use std::time::{Duration, SystemTime};

use lakewright::bundle::write::{Changes, Outcome, WriteError, write};
use lakewright::host::{Fault, Host, Trouble};

use crate::scene::{Node, Scene, sealed, tree, tree_of};

const OLD: &[(&str, &str)] = &[
    ("a.yaml", "one"),
    ("config/b.conf", "two"),
    ("run.sh", "three"),
];

/// Checks that a build stops because of these files, and touches nothing; and that force overwrites them.
fn check_conflicts(scene: &Scene, new: &[(&str, &str)], expected: &[&str]) {
    let before = scene.tree();
    let error = scene.write(new, false).unwrap_err();
    assert!(matches!(error, WriteError::Conflicts { .. }), "{error}");
    let text = error.to_string();
    let lines: Vec<&str> = text.lines().skip(1).map(str::trim).collect();
    assert_eq!(lines, expected);
    assert_eq!(scene.tree(), before);
}

fn changes(outcome: Outcome) -> Changes {
    match outcome {
        Outcome::Written(changes) => changes,
        Outcome::Unchanged => panic!("nothing was written"),
    }
}

fn names(paths: &[lakewright::bundle::path::BundlePath]) -> Vec<&str> {
    paths.iter().map(|path| path.as_str()).collect()
}

#[test]
fn a_first_build_makes_exactly_the_files() {
    let scene = Scene::new();
    let made = changes(scene.build(OLD));
    assert_eq!(scene.tree(), tree_of(&sealed(OLD)));
    assert_eq!(
        names(&made.added),
        [
            "SHA256SUMS",
            "a.yaml",
            "bundle.json",
            "config/b.conf",
            "run.sh"
        ]
    );
}

#[test]
fn folders_around_the_bundle_are_made() {
    let mut scene = Scene::new();
    scene.dir = scene.around.path().join("x/y/dev/");
    scene.build(OLD);
    assert_eq!(scene.tree(), tree_of(&sealed(OLD)));
    let beside: Vec<_> = fs::read_dir(scene.around.path().join("x/y"))
        .unwrap()
        .collect();
    assert_eq!(beside.len(), 1);
}

#[test]
fn an_unchanged_build_writes_nothing_at_all() {
    let scene = Scene::with(OLD);
    scene.put("mine/notes.md", "mine");
    let look = || {
        let mut all: Vec<_> = tree(scene.around.path())
            .into_keys()
            .map(|path| scene.around.path().join(path))
            .collect();
        all.push(scene.around.path().to_owned());
        all.into_iter()
            .map(|path| {
                let meta = fs::metadata(&path).unwrap();
                (
                    path,
                    meta.ino(),
                    meta.mtime_nsec(),
                    meta.ctime_nsec(),
                    meta.mode(),
                )
            })
            .collect::<Vec<_>>()
    };
    let before = look();
    let host = Host::new();
    let outcome = write(&host, &scene.dir, &sealed(OLD), false).unwrap();
    assert_eq!(outcome, Outcome::Unchanged);
    assert_eq!(host.changes(), 0);
    assert_eq!(look(), before);
}

#[test]
fn a_changed_build_touches_what_differs() {
    let scene = Scene::with(OLD);
    let kept = scene.inode("config/b.conf");
    let new = [
        ("a.yaml", "uno"),
        ("config/b.conf", "two"),
        ("config/c/d", "four"),
    ];
    let made = changes(scene.build(&new));
    assert_eq!(scene.tree(), tree_of(&sealed(&new)));
    assert_eq!(scene.inode("config/b.conf"), kept);
    assert_eq!(names(&made.added), ["config/c/d"]);
    assert_eq!(
        names(&made.changed),
        ["SHA256SUMS", "a.yaml", "bundle.json"]
    );
    assert_eq!(names(&made.removed), ["run.sh"]);
    assert_eq!(made.unchanged, 1);
}

#[test]
fn stale_folders_go_with_their_last_file() {
    let scene = Scene::with(&[("a/b/c", "1"), ("a/d", "2"), ("e/f", "3")]);
    scene.put("e/mine", "mine");
    scene.build(&[("a/d", "2")]);
    let mut expected = tree_of(&sealed(&[("a/d", "2")]));
    expected.insert("e".to_owned(), Node::Folder(0o755));
    expected.insert("e/mine".to_owned(), Node::File("mine".to_owned(), 0o644));
    assert_eq!(scene.tree(), expected);
}

#[test]
fn what_is_not_generated_stays_as_it_is() {
    let scene = Scene::with(OLD);
    scene.put("notes.md", "mine");
    scene.chmod("notes.md", 0o4640);
    scene.put("secrets/key", "mine");
    scene.chmod("secrets/key", 0o600);
    scene.folder("secrets", 0o700);
    scene.folder("empty/inside", 0o1777);
    scene.folder("closed", 0o500);
    scene.put("config/extra", "mine");
    scene.link("away", "/nowhere/at/all");
    scene.link("config/up", "../..");
    let socket = UnixListener::bind(scene.path("socket")).unwrap();
    scene.chmod("config", 0o750);
    scene.folder(".", 0o2775);
    let before = scene.tree();
    let foreign = [
        "notes.md",
        "secrets/key",
        "config/extra",
        "away",
        "config/up",
        "socket",
    ];
    let inodes: Vec<u64> = foreign.iter().map(|path| scene.inode(path)).collect();

    scene.build(&[("config/b.conf", "dos")]);

    let mut expected = before;
    expected.retain(|path, _| !["a.yaml", "run.sh"].contains(&path.as_str()));
    for (path, node) in tree_of(&sealed(&[("config/b.conf", "dos")])) {
        if path != "config" {
            expected.insert(path, node);
        }
    }
    assert_eq!(scene.tree(), expected);
    assert_eq!(fs::metadata(&scene.dir).unwrap().mode() & 0o7777, 0o2775);
    let after: Vec<u64> = foreign.iter().map(|path| scene.inode(path)).collect();
    assert_eq!(after, inodes, "they are the same files, not copies");
    drop(socket);
}

#[test]
fn a_folder_without_an_inventory_is_the_users() {
    let scene = Scene::new();
    scene.put("old.yaml", "mine");
    scene.put("config/b.conf", "mine");
    check_conflicts(
        &scene,
        OLD,
        &["`config/b.conf` is not a generated file, and has the name of one"],
    );
    // Force does not ask which of the files is newer.
    let late = SystemTime::now() + Duration::from_hours(1);
    let file = fs::File::options()
        .write(true)
        .open(scene.path("config/b.conf"));
    file.unwrap().set_modified(late).unwrap();
    changes(scene.write(OLD, true).unwrap());
    let mut expected = tree_of(&sealed(OLD));
    expected.insert("old.yaml".to_owned(), Node::File("mine".to_owned(), 0o644));
    assert_eq!(scene.tree(), expected);
}

#[test]
fn a_file_of_the_users_that_is_right_already_is_taken_over() {
    let scene = Scene::new();
    scene.put("a.yaml", "one");
    scene.build(OLD);
    assert_eq!(scene.tree(), tree_of(&sealed(OLD)));
}

#[test]
fn edited_files_are_reported_and_left_alone() {
    let new = [("a.yaml", "uno"), ("config/b.conf", "two"), ("x", "")];
    let scene = Scene::with(OLD);
    scene.put("a.yaml", "mine");
    scene.put("config/b.conf", "mine");
    scene.put("run.sh", "mine");
    check_conflicts(
        &scene,
        &new,
        &[
            "`a.yaml` was edited by hand",
            "`config/b.conf` was edited by hand",
            "`run.sh` was edited by hand",
        ],
    );
    let made = changes(scene.write(&new, true).unwrap());
    assert_eq!(made.overwritten.len(), 3);
    assert_eq!(scene.tree(), tree_of(&sealed(&new)));
}

#[test]
fn an_edit_is_found_by_its_contents_not_its_size() {
    let scene = Scene::with(OLD);
    scene.put("a.yaml", "eno");
    check_conflicts(
        &scene,
        &[("a.yaml", "uno")],
        &["`a.yaml` was edited by hand"],
    );
}

#[test]
fn an_edit_that_the_build_would_make_too_is_none() {
    let scene = Scene::with(OLD);
    scene.put("a.yaml", "uno");
    let new = [("a.yaml", "uno")];
    scene.build(&new);
    assert_eq!(scene.tree(), tree_of(&sealed(&new)));
}

#[test]
fn missing_files_and_lost_modes_are_restored() {
    let scene = Scene::with(OLD);
    fs::remove_file(scene.path("a.yaml")).unwrap();
    scene.chmod("run.sh", 0o644);
    scene.chmod("config/b.conf", 0o755);
    let made = changes(scene.build(OLD));
    assert_eq!(names(&made.added), ["a.yaml"]);
    assert_eq!(names(&made.changed), ["config/b.conf", "run.sh"]);
    assert_eq!(scene.tree(), tree_of(&sealed(OLD)));
}

#[test]
fn a_lost_mode_alone_is_restored() {
    let scene = Scene::with(OLD);
    scene.chmod("run.sh", 0o644);
    let made = changes(scene.build(OLD));
    assert_eq!(names(&made.changed), ["run.sh"]);
    assert_eq!(scene.tree(), tree_of(&sealed(OLD)));
}

#[test]
fn an_edited_inventory_does_not_go_unnoticed() {
    let scene = Scene::with(OLD);
    let text = fs::read_to_string(scene.path("bundle.json")).unwrap();
    scene.put("bundle.json", &text.replace("lakehouse", "warehouse"));
    check_conflicts(&scene, OLD, &["`bundle.json` was edited by hand"]);

    scene.put("bundle.json", &format!("<<<<<<< HEAD\n{text}"));
    let error = scene.write(OLD, false).unwrap_err().to_string();
    assert!(
        error.contains("`bundle.json` cannot be used: it is not an inventory"),
        "{error}"
    );
    scene.write(OLD, true).unwrap();
    assert_eq!(scene.tree(), tree_of(&sealed(OLD)));
}

#[test]
fn an_inventory_cannot_lead_out_of_the_folder() {
    let scene = Scene::with(OLD);
    let outside = scene.around.path().join("victim");
    fs::write(&outside, "mine").unwrap();
    let text = fs::read_to_string(scene.path("bundle.json")).unwrap();
    scene.put("bundle.json", &text.replace("run.sh", "../victim"));
    scene.write(&[("b", "")], true).unwrap();
    assert_eq!(fs::read_to_string(outside).unwrap(), "mine");
}

#[test]
fn files_become_folders_and_folders_files() {
    let one = [("a", "1"), ("b/c", "2"), ("b/d/e", "3")];
    let other = [("a/x/y", "4"), ("a/z", "5"), ("b", "6")];
    let scene = Scene::with(&one);
    scene.build(&other);
    assert_eq!(scene.tree(), tree_of(&sealed(&other)));
    scene.build(&one);
    assert_eq!(scene.tree(), tree_of(&sealed(&one)));
}

#[test]
fn files_in_a_folder_that_must_become_a_file_are_never_lost() {
    let scene = Scene::with(&[("b/c", "2")]);
    scene.put("b/mine", "mine");
    scene.put("b/deep/mine", "mine");
    let expected = [
        "`b/deep` is not a generated file, and lies in a folder that must become a generated file",
        "`b/deep/mine` is not a generated file, and lies in a folder that must become a generated file",
        "`b/mine` is not a generated file, and lies in a folder that must become a generated file",
    ];
    check_conflicts(&scene, &[("b", "6")], &expected);
    let before = scene.tree();
    let error = scene.write(&[("b", "6")], true).unwrap_err().to_string();
    assert_eq!(error.lines().count(), 4, "{error}");
    assert_eq!(scene.tree(), before);
}

#[test]
fn an_empty_folder_of_the_users_gives_way_to_force_only() {
    let scene = Scene::with(OLD);
    scene.folder("x", 0o700);
    let expected = ["`x` is not a generated file, and has the name of one"];
    check_conflicts(&scene, &[("x", "1")], &expected);
    scene.write(&[("x", "1")], true).unwrap();
    assert_eq!(scene.tree(), tree_of(&sealed(&[("x", "1")])));
}

#[test]
fn a_file_where_a_folder_must_be_gives_way_to_force_only() {
    let scene = Scene::with(OLD);
    scene.put("x", "mine");
    let expected = ["`x` is not a generated file, and has the name of one"];
    check_conflicts(&scene, &[("x/y", "1")], &expected);
    scene.write(&[("x/y", "1")], true).unwrap();
    assert_eq!(scene.tree(), tree_of(&sealed(&[("x/y", "1")])));
}

#[test]
fn links_are_not_followed_out_of_the_folder() {
    let scene = Scene::with(OLD);
    let outside = scene.around.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("b.conf"), "two").unwrap();
    fs::write(outside.join("a.yaml"), "one").unwrap();
    fs::remove_dir_all(scene.path("config")).unwrap();
    fs::remove_file(scene.path("a.yaml")).unwrap();
    scene.link("config", "../outside");
    scene.link("a.yaml", "../outside/a.yaml");
    check_conflicts(
        &scene,
        OLD,
        &[
            "`a.yaml` was edited by hand",
            "`config` is not a generated file, and has the name of one",
        ],
    );
    scene.write(OLD, true).unwrap();
    assert_eq!(scene.tree(), tree_of(&sealed(OLD)));
    assert_eq!(fs::read_to_string(outside.join("b.conf")).unwrap(), "two");
    assert_eq!(fs::read_to_string(outside.join("a.yaml")).unwrap(), "one");
}

#[test]
fn a_link_to_the_folder_stays_a_link() {
    let mut scene = Scene::with(OLD);
    let real = scene.dir.clone();
    std::os::unix::fs::symlink("dev", scene.around.path().join("link")).unwrap();
    std::os::unix::fs::symlink(".", scene.around.path().join("here")).unwrap();
    for way in ["link", "here/link/", "here/dev/.", "here/./dev/../dev"] {
        scene.dir = scene.around.path().join(way);
        let text = way.to_owned();
        scene.build(&[("a.yaml", &text)]);
        assert_eq!(tree(&real), tree_of(&sealed(&[("a.yaml", &text)])), "{way}");
        let link = fs::symlink_metadata(scene.around.path().join("link")).unwrap();
        assert!(link.is_symlink());
    }
}

#[test]
fn what_is_no_folder_is_refused() {
    let mut scene = Scene::new();
    fs::write(&scene.dir, "mine").unwrap();
    let error = scene.write(OLD, true).unwrap_err().to_string();
    assert!(error.ends_with("dev` is not a folder"), "{error}");
    assert_eq!(fs::read_to_string(&scene.dir).unwrap(), "mine");

    scene.dir = scene.around.path().join("dangling");
    std::os::unix::fs::symlink("nothing", &scene.dir).unwrap();
    let error = scene.write(OLD, true).unwrap_err().to_string();
    assert!(
        error.ends_with("dangling`: No such file or directory"),
        "{error}"
    );

    scene.dir = "/".into();
    let error = scene.write(OLD, true).unwrap_err().to_string();
    assert_eq!(
        error,
        "`/` cannot hold a bundle: it has no folder around it"
    );
}

#[test]
fn two_writers_do_not_meet() {
    let scene = Scene::with(OLD);
    let before = scene.tree();
    let host = Host::new();
    fs::create_dir(scene.beside()).unwrap();
    let lock = host.lock(&scene.beside().join("lock")).unwrap().unwrap();
    let error = write(&host, &scene.dir, &sealed(&[]), false).unwrap_err();
    let expected = format!(
        "another process is writing to `{}` right now; try again when it is done",
        scene.dir.display()
    );
    assert_eq!(error.to_string(), expected);
    assert_eq!(scene.tree(), before);
    drop(lock);
    scene.build(&[]);
}

#[test]
fn many_writers_at_once_leave_one_of_their_bundles() {
    let scene = Scene::with(OLD);
    scene.put("mine", "mine");
    let bundles: Vec<_> = ["1", "2", "3", "4"]
        .map(|text| sealed(&[("a.yaml", text), (text, "")]))
        .into();
    std::thread::scope(|scope| {
        for bundle in &bundles {
            scope.spawn(|| {
                for _ in 0..20 {
                    match write(&Host::new(), &scene.dir, bundle, false) {
                        Ok(_) => {}
                        Err(error) => {
                            assert!(error.to_string().contains("another process"), "{error}")
                        }
                    }
                }
            });
        }
    });
    assert!(!scene.beside().exists());
    let mut found = scene.tree();
    assert_eq!(
        found.remove("mine"),
        Some(Node::File("mine".to_owned(), 0o644))
    );
    assert!(
        bundles.iter().any(|bundle| tree_of(bundle) == found),
        "{found:?}"
    );
}

#[test]
fn errors_name_the_file_in_the_folder() {
    let scene = Scene::new();
    let trouble = Trouble {
        fault: Some((5, Fault::Once)),
        ..Trouble::default()
    };
    let error = write(&Host::with(trouble), &scene.dir, &sealed(OLD), false).unwrap_err();
    let text = error.to_string();
    let names: BTreeSet<&str> = text.split('`').collect();
    assert!(
        names.contains(scene.path("bundle.json").to_str().unwrap()),
        "{text}"
    );
    assert!(
        text.starts_with("cannot write `") && text.ends_with("`: No space left on device"),
        "{text}"
    );
    assert!(!scene.dir.exists() && !scene.beside().exists());
}
