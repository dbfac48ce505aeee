//! The same input gives the same bytes, wherever and however it is compiled.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test works on files of its own"
)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use lakewright::blueprint::Library;
use support::{SMALL, files, lakewright, program, read, run, scratch, write};

const EXAMPLE: &str = "examples/minimal/platform.toml";

/// A bundle on disk: bytes, and whether each file can be run.
fn on_disk(folder: &Path) -> BTreeMap<String, (Vec<u8>, bool)> {
    files(folder)
        .into_iter()
        .map(|(name, bytes)| {
            let metadata = fs::metadata(folder.join(&name)).expect("a file");
            (name, (bytes, metadata.permissions().mode() & 0o100 != 0))
        })
        .collect()
}

#[test]
fn twice_in_one_process() {
    for example in support::examples() {
        let path = format!("examples/{example}/platform.toml");
        let once = || {
            let mut compiled = support::compile(&path, &read(&path), Library::default());
            let bundles: Vec<_> = compiled.bundles.values().map(support::contents).collect();
            assert!(!bundles.is_empty());
            (compiled.text(), bundles)
        };
        assert!(once() == once(), "{example}");
    }
}

#[test]
fn around_the_program_nothing_matters() {
    let topology = support::root().join(EXAMPLE);
    let compiled = support::compile("platform.toml", &read(EXAMPLE), Library::default());
    let expected = support::contents(&compiled.bundles["dev"]);

    let folder = scratch();
    let elsewhere = folder.path().join("elsewhere");
    write(&elsewhere.join("platform.toml"), read(EXAMPLE));
    let program_path = env!("CARGO_BIN_EXE_lakewright");
    let check = |name: &str, build: &dyn Fn(&Path) -> std::process::Command| {
        let out = folder.path().join(name);
        let done = run(&mut build(&out));
        assert_eq!(done.status, 0, "{name}: {}", done.err);
        let built = on_disk(&out.join("dev"));
        let names =
            |all: &BTreeMap<String, (Vec<u8>, bool)>| all.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&built), names(&expected), "{name}");
        for (file, content) in &expected {
            assert!(built[file] == *content, "{name}: {file} differs");
        }
    };
    let plain = |out: &Path| {
        let mut command = lakewright();
        command.arg("build").arg(&topology).arg("-o").arg(out);
        command
    };
    check("plain", &plain);
    for (name, value) in [
        ("TZ", "Asia/Kathmandu"),
        ("LC_ALL", "tr_TR.UTF-8"),
        ("LANG", "de_DE"),
        ("HOME", "/nonexistent"),
        ("COLUMNS", "20"),
        ("CLICOLOR_FORCE", "1"),
        ("SOURCE_DATE_EPOCH", "1"),
        ("TMPDIR", "/nonexistent"),
    ] {
        check(name, &|out| {
            let mut command = plain(out);
            command.env(name, value);
            command
        });
    }
    for umask in ["000", "077", "022"] {
        check(&format!("umask-{umask}"), &|out| {
            let mut command = program("sh");
            command
                .args([
                    "-c",
                    &format!("umask {umask}; exec \"$0\" build \"$1\" -o \"$2\""),
                ])
                .arg(program_path)
                .arg(&topology)
                .arg(out);
            command
        });
    }
    check("relative", &|out| {
        let mut command = lakewright();
        command.current_dir(topology.parent().expect("a folder"));
        command.arg("build").arg("-o").arg(out);
        command
    });
    check("dotted", &|out| {
        let mut command = lakewright();
        command.current_dir("/");
        let path = format!(
            "{}/../minimal/./platform.toml",
            topology.parent().expect("a folder").display()
        );
        command.arg("build").arg(path).arg("-o").arg(out);
        command
    });
    check("elsewhere", &|out| {
        let mut command = lakewright();
        command.current_dir(&elsewhere);
        command.args(["build", "platform.toml", "-o"]).arg(out);
        command
    });
    // Over what is there already.
    check("plain", &plain);
}

#[test]
fn the_order_of_a_folder_does_not_matter() {
    let blueprint = support::files("blueprints/valkey");
    let names: Vec<&String> = blueprint.keys().collect();
    assert!(names.len() > 3);
    let mut built = Vec::new();
    for turn in 0..names.len() {
        let folder = scratch();
        let own = folder.path().join("own/valkey");
        // Folders list their files in the order of their making on some file systems, by hash on others.
        let mut order = names.clone();
        order.rotate_left(turn);
        if turn % 2 == 1 {
            order.reverse();
        }
        for name in order {
            write(&own.join(name), &blueprint[name]);
        }
        write(&folder.path().join("platform.toml"), SMALL);
        let done = run(lakewright().current_dir(folder.path()).args([
            "--blueprints",
            "own",
            "build",
            "-o",
            "out",
        ]));
        assert_eq!(done.status, 0, "{}", done.err);
        built.push(on_disk(&folder.path().join("out/dev")));
    }
    assert!(built.iter().all(|bundle| *bundle == built[0]));
    // A copy of a built-in blueprint is that blueprint.
    let inside = support::compile("platform.toml", SMALL, Library::default());
    assert!(support::contents(&inside.bundles["dev"]) == built[0]);
}

#[test]
fn a_bundle_says_nothing_of_where_it_was_made() {
    let root = support::root().display().to_string();
    for example in support::examples() {
        let path = support::root().join(format!("examples/{example}/platform.toml"));
        let text = fs::read_to_string(&path).expect("the example");
        let name = path.display().to_string();
        let compiled = support::compile(&name, &text, Library::default());
        for sealed in compiled.bundles.values() {
            for (file, content) in sealed.files() {
                let text = String::from_utf8_lossy(&content.bytes);
                assert!(!text.contains(&root), "{example}: {file:?} names {root}");
            }
        }
    }
}
