//! What `verify` and `build --check` say of a folder.

use std::fs;

use lakewright::bundle::compare::{
    Difference, LINES_IN_ALL, LINES_PER_FILE, check, render, verify,
};
use lakewright::host::Host;

use crate::scene::{Scene, sealed};

const FILES: &[(&str, &str)] = &[
    ("a.yaml", "one\ntwo\n"),
    ("config/b.conf", "b\n"),
    ("run.sh", "c\n"),
];

fn check_verify(scene: &Scene, expected: &[&str]) {
    let host = Host::new();
    let before = scene.tree();
    let found = render(&verify(&host, &scene.dir).unwrap());
    assert_eq!(found.lines().collect::<Vec<_>>(), expected);
    assert_eq!(host.changes(), 0);
    assert_eq!(scene.tree(), before);
}

fn check_check(scene: &Scene, new: &[(&str, &str)], expected: &[&str]) -> Vec<Difference> {
    let host = Host::new();
    let before = scene.tree();
    let found = check(&host, &scene.dir, &sealed(new)).unwrap();
    assert_eq!(render(&found).lines().collect::<Vec<_>>(), expected);
    assert_eq!(host.changes(), 0);
    assert_eq!(scene.tree(), before);
    found
}

#[test]
fn a_fresh_bundle_has_no_differences() {
    let scene = Scene::with(FILES);
    scene.put("secrets/deep/key", "mine");
    check_verify(&scene, &[]);
    check_check(&scene, FILES, &[]);
}

#[test]
fn verify_names_every_kind_of_difference() {
    let scene = Scene::with(FILES);
    scene.put("a.yaml", "one\n2wo\n");
    fs::remove_file(scene.path("config/b.conf")).unwrap();
    scene.put("config/mine", "mine");
    scene.put("other/x/y", "mine");
    scene.put("other/z", "mine");
    scene.chmod("run.sh", 0o644);
    scene.put("SHA256SUMS", "");
    check_verify(
        &scene,
        &[
            "`SHA256SUMS` does not match the inventory",
            "`a.yaml` was edited by hand",
            "`config/b.conf` is missing",
            "`config/mine` is not part of the bundle",
            "`other/` is not part of the bundle",
            "`run.sh` should be executable",
        ],
    );
}

#[test]
fn verify_follows_no_links() {
    let scene = Scene::with(FILES);
    fs::rename(scene.path("config"), scene.around.path().join("moved")).unwrap();
    scene.link("config", "../moved");
    fs::rename(scene.path("a.yaml"), scene.around.path().join("a.yaml")).unwrap();
    scene.link("a.yaml", "../a.yaml");
    check_verify(
        &scene,
        &[
            "`a.yaml` was edited by hand",
            "`config` is not part of the bundle",
            "`config/b.conf` is missing",
        ],
    );
}

#[test]
fn verify_needs_an_inventory_that_is_whole() {
    let scene = Scene::with(FILES);
    let text = fs::read_to_string(scene.path("bundle.json")).unwrap();
    scene.put("bundle.json", &text.replace("lakehouse", "warehouse"));
    check_verify(&scene, &["`bundle.json` was edited by hand"]);
    scene.put(
        "bundle.json",
        &text.replace("\"schema\": 1", "\"schema\": 7"),
    );
    check_verify(
        &scene,
        &[
            "`bundle.json` cannot be used: it was made by a newer Lakewright: its format is version 7, known here is 1",
        ],
    );
    fs::remove_file(scene.path("bundle.json")).unwrap();
    check_verify(
        &scene,
        &["`bundle.json` cannot be used: there is no such file"],
    );
    fs::remove_dir_all(&scene.dir).unwrap();
    let error = verify(&Host::new(), &scene.dir).unwrap_err().to_string();
    assert!(
        error.ends_with("dev`: No such file or directory"),
        "{error}"
    );
}

#[test]
fn check_shows_what_a_build_would_do() {
    let scene = Scene::with(&[
        ("a.yaml", "one\ntwo\n"),
        ("config/b.conf", "b\n"),
        ("gone", "x"),
        ("old", "x"),
        ("run.sh", "c\n"),
    ]);
    scene.put("config/b.conf", "mine\n");
    scene.put("gone", "edited");
    scene.put("extra/x", "mine");
    scene.put("new", "mine");
    scene.chmod("run.sh", 0o600);
    let new = [
        ("a.yaml", "one\nzwei\n"),
        ("added", "x"),
        ("config/b.conf", "b\n"),
        ("new", "x"),
        ("run.sh", "c\n"),
    ];
    let found = check_check(
        &scene,
        &new,
        &[
            "`SHA256SUMS` would change",
            "`a.yaml` would change",
            "    --- a/a.yaml",
            "    +++ b/a.yaml",
            "    @@ -1,2 +1,2 @@",
            "     one",
            "    -two",
            "    +zwei",
            "`added` would be added",
            "`bundle.json` would change",
            "`config/b.conf` was edited by hand",
            "    --- a/config/b.conf",
            "    +++ b/config/b.conf",
            "    @@ -1 +1 @@",
            "    -mine",
            "    +b",
            "`extra/` is not part of the bundle",
            "`gone` was edited by hand",
            "`new` is not a generated file, and is in the way of one",
            "`old` would be removed",
            "`run.sh` should be executable",
        ],
    );
    let json = serde_json::to_value(&found).unwrap();
    assert_eq!(json[1]["kind"], "changed");
    assert_eq!(
        json[2],
        serde_json::json!({ "kind": "added", "path": "added" })
    );
}

#[test]
fn check_before_the_first_build_shows_all_files() {
    let scene = Scene::new();
    check_check(
        &scene,
        &[("a", "")],
        &[
            "`SHA256SUMS` would be added",
            "`a` would be added",
            "`bundle.json` would be added",
        ],
    );
    assert!(!scene.dir.exists());
}

#[test]
fn long_and_binary_differences_are_cut_short() {
    let names: Vec<String> = (0..20).map(|at| format!("{at:02}")).collect();
    let long = "x\n".repeat(500);
    let mut old: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    let mut new: Vec<(&str, &str)> = names
        .iter()
        .map(|name| (name.as_str(), long.as_str()))
        .collect();
    old.push(("binary", "a\0b"));
    new.push(("binary", "a\0c"));
    let scene = Scene::with(&old);
    let found = check(&Host::new(), &scene.dir, &sealed(&new)).unwrap();
    let text = render(&found);
    assert!(text.contains("... 443 more lines"), "{text}");
    assert!(
        text.contains("`binary` would change\n`bundle.json`"),
        "{text}"
    );
    let lines = text.lines().filter(|line| line.starts_with("    ")).count();
    assert_eq!(lines, LINES_IN_ALL + names.len());
    let first = text
        .lines()
        .skip(1)
        .take_while(|line| line.starts_with("    "))
        .count();
    assert_eq!(first, LINES_PER_FILE + 1);
}
