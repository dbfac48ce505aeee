//! `bootstrap.sh` of a bundle, run with stand-ins for the programs that it calls.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test works on files of its own"
)]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use support::{Run, SMALL, lakewright, program, run, scratch, write};

/// A container engine that writes down what it is told. One service is sick if there is a file `sick`.
const DOCKER: &str = r#"#!/bin/sh
echo "docker $*" >>"${0%/*}/calls"
case "$*" in
  info*MemTotal*) echo 16777216000 ;;
  "compose ps --quiet"*) echo one ;;
  "exec one"*) [ ! -e "${0%/*}/sick" ] ;;
  *) ;;
esac
"#;

/// What makes secrets: the program itself, which writes down too that it was called.
const MAKER: &str = r#"#!/bin/sh
echo "lakewright $*" >>"${0%/*}/calls"
exec "${LAKEWRIGHT}" "$@"
"#;

struct Scene {
    _folder: tempfile::TempDir,
    bundle: PathBuf,
    programs: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let folder = scratch();
        let topology = write(&folder.path().join("platform.toml"), SMALL);
        let out = folder.path().join("out");
        let built = run(lakewright().arg("build").arg(topology).arg("-o").arg(&out));
        assert_eq!(built.status, 0, "{}", built.err);
        let programs = folder.path().join("programs");
        fs::create_dir(&programs).expect("a folder");
        for (name, text) in [("docker", DOCKER), ("lakewright", MAKER)] {
            let path = write(&programs.join(name), text);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a program");
        }
        Self {
            bundle: out.join("dev"),
            programs,
            _folder: folder,
        }
    }

    fn run(&self, arguments: &[&str]) -> Run {
        let path = format!("{}:/usr/bin:/bin", self.programs.display());
        let script: &Path = &self.bundle.join("bootstrap.sh");
        run(program("/bin/sh")
            .arg(script)
            .args(arguments)
            .env("PATH", path)
            .env("LAKEWRIGHT", lakewright().get_program()))
    }

    fn calls(&self) -> String {
        let path = self.programs.join("calls");
        let calls = fs::read_to_string(&path).unwrap_or_default();
        let _ = fs::remove_file(path);
        calls
    }
}

#[test]
fn everything_is_made_started_and_asked() {
    let scene = Scene::new();
    let done = scene.run(&[]);
    assert_eq!(done.status, 0, "{}", done.err);
    assert!(done.err.contains("  valkey: well\n"), "{}", done.err);
    let calls = scene.calls();
    let at = |words: &str| {
        calls
            .find(words)
            .unwrap_or_else(|| panic!("{words}: {calls}"))
    };
    assert!(
        at("lakewright secrets init .") < at("docker compose up --detach"),
        "{calls}"
    );
    assert!(
        at("docker compose up --detach") < at("docker exec one"),
        "{calls}"
    );
    // A second time there is nothing to make.
    assert_eq!(scene.run(&[]).status, 0);
    let calls = scene.calls();
    let makes = |call: &str| call.starts_with("lakewright ");
    assert!(!calls.lines().any(makes), "{calls}");
}

#[test]
fn a_dry_run_changes_nothing() {
    let scene = Scene::new();
    let done = scene.run(&["--dry-run"]);
    assert_eq!(done.status, 0, "{}", done.err);
    let calls = scene.calls();
    assert!(
        calls
            .lines()
            .all(|call| call.starts_with("docker info") || call == "docker compose version"),
        "{calls}"
    );
    assert!(
        done.err.contains("would run: docker compose up --detach"),
        "{}",
        done.err
    );
    assert!(!scene.bundle.join("secrets").exists());
}

#[test]
fn who_is_not_well_is_named() {
    let scene = Scene::new();
    write(&scene.programs.join("sick"), "");
    let done = scene.run(&["--smoke"]);
    assert_eq!(done.status, 1);
    assert!(done.err.contains("  valkey: not well."), "{}", done.err);
    assert!(!scene.calls().contains("compose up"));
    let wrong = scene.run(&["--nothing"]);
    assert_eq!(wrong.status, 2);
    assert!(wrong.err.contains("--help"), "{}", wrong.err);
}

#[test]
fn what_is_missing_is_said_before_anything_is_done() {
    let scene = Scene::new();
    fs::remove_file(scene.programs.join("lakewright")).expect("a program");
    let poor = DOCKER
        .replace("echo 16777216000 ;;", "exit 1 ;;")
        .replace("info*MemTotal*", "info*");
    write(&scene.programs.join("docker"), &poor);
    let done = scene.run(&[]);
    assert_eq!(done.status, 1);
    assert!(
        done.err.contains("missing: the program lakewright"),
        "{}",
        done.err
    );
    assert!(
        done.err.contains("missing: a container engine"),
        "{}",
        done.err
    );
    assert!(!scene.calls().contains("compose up"));
}

/// Every bundle's README says what there is to do, in both languages, and names no file that is not there.
#[test]
fn readmes_say_everything_and_name_what_exists() {
    let words = [
        (
            "en",
            [
                "bootstrap.sh",
                "lakewright verify .",
                "**Roll back.**",
                "docker stack rm|--remove-orphans|delete namespace",
                "Order of start",
                "read by",
                "Addresses",
                "Accounts",
                "```mermaid",
            ],
        ),
        (
            "fr",
            [
                "bootstrap.sh",
                "lakewright verify .",
                "**Revenir en arrière.**",
                "docker stack rm|--remove-orphans|delete namespace",
                "Ordre de démarrage",
                "lu par",
                "Adresses",
                "Comptes",
                "```mermaid",
            ],
        ),
    ];
    let text = support::read("examples/lakehouse/platform.toml");
    for (locale, expected) in words {
        let locale = format!("[platform]\nlocale = \"{locale}\"");
        let compiled = support::compile(
            "platform.toml",
            &text.replacen("[platform]", &locale, 1),
            Default::default(),
        );
        assert_eq!(compiled.bundles.len(), 3);
        for (environment, bundle) in &compiled.bundles {
            let readme = &bundle.get("README.md").expect("a README").bytes;
            let readme = std::str::from_utf8(readme).expect("text");
            for word in expected {
                let found = word.split('|').any(|word| readme.contains(word));
                assert!(found, "{environment}, {locale}: {word}");
            }
            let named = readme
                .split(['`', ' ', '\n', '(', ')', ';', ','])
                .filter_map(|word| {
                    word.strip_prefix("./")
                        .filter(|word| word.ends_with(".sh"))
                        .or_else(|| {
                            Some(word).filter(|word| ["RESTORE.md", "RUNBOOK.md"].contains(word))
                        })
                });
            let named: std::collections::BTreeSet<&str> = named.collect();
            assert!(
                named.contains("RESTORE.md") && named.contains("RUNBOOK.md"),
                "{named:?}"
            );
            for name in named {
                assert!(
                    bundle.get(name).is_some(),
                    "{environment}, {locale}: {name}"
                );
            }
        }
    }
}
