//! Every fault that can be found, with what the user is told about it.
//!
//! `tests/bad/<code>[-<case>].toml` shows one fault, with nothing in it that is not about the fault. Read a new snapshot
//! as the one who made the mistake before accepting it. What cannot be a file here (too large, not text, not readable) is
//! made by the tests below, which run the program itself.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test works on files of its own"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use lakewright::blueprint::{Folder, Library};
use lakewright::check::CHECKS;
use support::{Compiled, SMALL, lakewright, read, run, scratch, write};

/// Compiles a case. Only the blueprints that it names are there, so that others do not turn up in its findings.
fn compile(name: &str) -> Compiled {
    let text = read(format!("tests/bad/{name}"));
    let own: BTreeMap<String, (String, Folder)> = support::names("tests/bad/blueprints")
        .into_iter()
        .filter(|blueprint| {
            text.contains(&format!("[components.{blueprint}]"))
                || text.contains(&format!("blueprint = \"{blueprint}\""))
        })
        .map(|blueprint| {
            let folder = format!("blueprints/{blueprint}");
            let files = support::blueprint_folder(format!("tests/bad/{folder}"));
            (blueprint, (folder, files))
        })
        .collect();
    support::compile(name, &text, Library::new(own))
}

fn cases() -> Vec<String> {
    let mut cases = support::names("tests/bad");
    cases.retain(|name| name.ends_with(".toml"));
    cases
}

/// Every code in the sources: wherever a rule is made, its code stands on the first line of it.
fn codes() -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    for (file, text) in support::files("src") {
        let text = String::from_utf8_lossy(&text).into_owned();
        // Rules of tests are none of the program's.
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        for rule in text.split("Rule = Rule {").skip(1) {
            let code = rule.split('"').nth(1).expect("a rule has a code");
            assert!(codes.insert(code.to_owned()), "{file}: {code} exists twice");
        }
    }
    codes
}

#[test]
fn findings_are_as_the_user_should_read_them() {
    insta::glob!("bad/*.toml", |path| {
        let name = path.file_name().expect("a file").to_string_lossy();
        insta::assert_snapshot!(compile(&name).text());
    });
}

#[test]
fn every_code_has_a_case_and_every_case_finds_its_code() {
    let codes = codes();
    assert!(codes.len() > CHECKS.len(), "{codes:?}");
    for check in CHECKS {
        assert!(codes.contains(check.rule.code), "{}", check.rule.code);
    }
    let mut covered = BTreeSet::new();
    for case in cases() {
        let stem = case.trim_end_matches(".toml");
        // The longest code that the name begins with.
        let code = codes
            .iter()
            .filter(|code| {
                stem == code.as_str()
                    || stem
                        .strip_prefix(code.as_str())
                        .is_some_and(|rest| rest.starts_with('-'))
            })
            .max_by_key(|code| code.len())
            .unwrap_or_else(|| panic!("tests/bad/{case} begins with no code"));
        let found: BTreeSet<&str> = compile(&case)
            .compiler
            .findings
            .iter()
            .map(|finding| finding.rule.code)
            .collect();
        assert!(
            found.contains(code.as_str()),
            "tests/bad/{case} does not find `{code}` but {found:?}"
        );
        covered.insert(code.clone());
    }
    // What is wrong with things that are compared is found in no topology: tests/review.rs has the cases.
    let reviews = read("tests/review.rs");
    covered.extend(
        ["broken-bundle", "not-a-bundle", "unknown-revision"]
            .into_iter()
            .filter(|code| reviews.contains(&format!("(\"{code}\", [")))
            .map(str::to_owned),
    );
    let missing: Vec<&String> = codes.difference(&covered).collect();
    assert!(
        missing.is_empty(),
        "no case in tests/bad finds {missing:?}: add tests/bad/CODE.toml"
    );
}

#[test]
fn every_blueprint_of_the_cases_is_used() {
    let all: String = cases()
        .iter()
        .map(|case| read(format!("tests/bad/{case}")))
        .collect();
    for blueprint in support::names("tests/bad/blueprints") {
        assert!(
            all.contains(&format!("[components.{blueprint}]"))
                || all.contains(&format!("blueprint = \"{blueprint}\"")),
            "no case uses tests/bad/blueprints/{blueprint}"
        );
    }
}

#[test]
fn checks_are_sorted_and_named_after_their_modules() {
    let codes: Vec<&str> = CHECKS.iter().map(|check| check.rule.code).collect();
    let mut modules: Vec<String> = support::names("src/check")
        .into_iter()
        .filter(|name| name != "mod.rs")
        .map(|name| name.trim_end_matches(".rs").replace('_', "-"))
        .collect();
    modules.sort();
    assert_eq!(codes, modules);
}

/// Builds a file that cannot be built: an error that names it, no panic, nothing written.
fn refused(topology: &Path, extra: &[&str]) -> String {
    let out = scratch();
    let output = out.path().join("out");
    let mut command = lakewright();
    command.args(extra).arg("build").arg(topology);
    command.arg("-o").arg(&output);
    let run = run(&mut command);
    assert_eq!(run.status, 1, "{}{}", run.out, run.err);
    assert!(!output.exists(), "something was written");
    assert!(run.err.contains("error"), "{}", run.err);
    run.err
}

/// Likewise, for a topology with these bytes.
fn refused_bytes(bytes: impl AsRef<[u8]>) -> String {
    let folder = scratch();
    refused(
        &write(&folder.path().join("platform.toml"), bytes),
        &["--quiet"],
    )
}

#[test]
fn files_that_are_no_topology_are_refused() {
    let folder = scratch();
    let missing = refused(&folder.path().join("nowhere.toml"), &[]);
    assert!(missing.contains("nowhere.toml"), "{missing}");
    let directory = refused(folder.path(), &[]);
    assert!(directory.contains("folder"), "{directory}");
    let empty = refused_bytes("");
    assert!(empty.contains("has no `platform`"), "{empty}");
    let binary = refused_bytes(b"[platform]\nname = \"\xff\xfe\"\n");
    assert!(binary.contains("UTF-8"), "{binary}");
    let marked = refused_bytes("\u{feff}[platform]\nname = 1\n");
    assert!(marked.contains("platform.toml:2:8"), "{marked}");
    let null = refused_bytes("[platform]\nname = \"a\0b\"\n");
    assert!(null.contains("toml-syntax"), "{null}");
}

#[test]
fn a_file_that_may_not_be_read_is_refused() {
    let folder = scratch();
    let path = write(&folder.path().join("platform.toml"), SMALL);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).expect("a mode");
    // Root reads everything.
    if fs::read(&path).is_err() {
        let error = refused(&path, &[]);
        assert!(error.contains("platform.toml"), "{error}");
    }
}

#[test]
fn what_is_huge_or_deep_is_refused() {
    let long = "x".repeat(20 * 1024 * 1024);
    refused_bytes(format!("[platform]\nname = \"{long}\"\n"));
    refused_bytes(format!("# {long}\n[platform]\nnome = \"a\"\n"));
    refused_bytes("[[a]]\n".repeat(200_000));
    refused_bytes(format!("a = {}{}", "[".repeat(10_000), "]".repeat(10_000)));
    refused_bytes(format!(
        "a = {}1{}",
        "{ b = ".repeat(10_000),
        " }".repeat(10_000)
    ));
    refused_bytes(format!("{}c = 1", "b.".repeat(10_000)));
    refused_bytes(format!("[{}c]", "b.".repeat(10_000)));
    refused_bytes("[".repeat(10_000));
    refused_bytes("a = [".repeat(10_000));
    refused_bytes("\"".repeat(100_000));
}

#[test]
fn deep_expressions_of_a_blueprint_are_refused() {
    let blueprint = read("tests/bad/blueprints/plain/blueprint.toml");
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("!", ""),
        ("min(", ")"),
        ("true ? ", " : 1"),
    ] {
        let deep = format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
        let folder = scratch();
        write(
            &folder.path().join("blueprints/plain/blueprint.toml"),
            format!("{blueprint}replicas = '{deep}'\n"),
        );
        let topology = write(
            &folder.path().join("platform.toml"),
            "[platform]\nname = \"deep\"\nblueprints = \"blueprints\"\n[components.plain]\n[environments.dev]\ntarget = \"compose\"\n",
        );
        let error = refused(&topology, &[]);
        assert!(error.contains("faulty-blueprint"), "{error:.300}");
    }
}

#[test]
fn a_blueprint_cannot_reach_outside_its_folder() {
    let folder = scratch();
    let secret = write(&folder.path().join("outside/secret.conf"), "hidden\n");
    let own = folder.path().join("blueprints/plain");
    let blueprint = read("tests/bad/blueprints/plain/blueprint.toml");
    let topology = write(
        &folder.path().join("platform.toml"),
        "[platform]\nname = \"reach\"\nblueprints = \"blueprints\"\n[components.plain]\n[environments.dev]\ntarget = \"compose\"\n",
    );
    for name in ["../../outside/secret.conf", "/etc/hostname", "link.conf"] {
        write(
            &own.join("blueprint.toml"),
            format!("{blueprint}files.\"/etc/x.conf\" = \"{name}\"\n"),
        );
        let _ = symlink(&secret, own.join("link.conf"));
        let error = refused(&topology, &[]);
        assert!(!error.contains("hidden"), "{error}");
        assert!(error.contains("link.conf"), "{error}");
        fs::remove_file(own.join("link.conf")).expect("the link");
        if name != "link.conf" {
            let error = refused(&topology, &[]);
            assert!(error.contains("the blueprint has no file"), "{error}");
        }
    }
}

#[test]
fn a_blueprint_cannot_write_outside_the_bundle() {
    let blueprint = read("tests/bad/blueprints/plain/blueprint.toml");
    let topology =
        "[platform]\nname = \"a\"\n[components.plain]\n[environments.dev]\ntarget = \"compose\"\n";
    // The path in the container, and the name of the file in the blueprint's folder.
    let bundle = |path: &str, name: &str| {
        let text = format!("{blueprint}files.\"{path}\" = \"{name}\"\n");
        let files = Folder::from([
            ("blueprint.toml".to_owned(), text),
            (name.to_owned(), "1\n".to_owned()),
        ]);
        let own = ("plain".to_owned(), ("plain".to_owned(), files));
        support::compile("platform.toml", topology, Library::new([own].into()))
            .bundles
            .remove("dev")
    };
    let fine = bundle("/etc/x.conf", "x.conf").expect("a bundle");
    assert!(fine.get("plain/x.conf").is_some());
    for (path, name) in [
        ("/../../../etc/x", "x.conf"),
        ("relative/x", "x.conf"),
        ("/a/../../b", "x.conf"),
        ("//x", "x.conf"),
        ("/", "x.conf"),
        ("/nul\\u0000", "x.conf"),
        ("/etc/x.conf", "../x.conf"),
        ("/etc/x.conf", "/x.conf"),
        ("/etc/x.conf", "a/../../x.conf"),
        ("/etc/x.conf", "nul"),
        ("/etc/x.conf", "a:b"),
        ("/etc/x.conf", "x.conf "),
    ] {
        if let Some(sealed) = bundle(path, name) {
            let inside = |path: &Path| {
                path.components()
                    .all(|part| matches!(part, std::path::Component::Normal(_)))
            };
            for (file, _) in sealed.files() {
                assert!(inside(file.as_path()), "{path} {name}: {file:?}");
            }
        }
    }
}

#[test]
fn a_broken_file_of_a_blueprint_is_named() {
    let folder = scratch();
    let own = folder.path().join("blueprints/plain");
    write(
        &own.join("blueprint.toml"),
        read("tests/bad/blueprints/plain/blueprint.toml"),
    );
    write(&own.join("x.bin"), b"\xff\xfe");
    let topology = write(
        &folder.path().join("platform.toml"),
        "[platform]\nname = \"bytes\"\nblueprints = \"blueprints\"\n[components.plain]\n[environments.dev]\ntarget = \"compose\"\n",
    );
    let error = refused(&topology, &[]);
    assert!(
        error.contains("x.bin") && error.contains("UTF-8"),
        "{error}"
    );
    let small = write(&folder.path().join("small.toml"), SMALL);
    let nowhere = refused(&small, &["--blueprints", "/nonexistent"]);
    assert!(nowhere.contains("/nonexistent"), "{nowhere}");
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    let error = refused_bytes("[platform]\nname = \"a\"\n\"\u{1b}[31mred\" = 1\n");
    assert!(!error.contains('\u{1b}'), "{error}");
    let mut command: Command = lakewright();
    let run = run(command.args(["check", "\u{1b}[31m.toml"]));
    assert_eq!(run.status, 1);
    assert!(!run.err.contains('\u{1b}'), "{}", run.err);
}
