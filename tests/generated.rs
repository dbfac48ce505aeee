//! The examples compile to exactly what is committed under `generated/`, file for file.

#![allow(
    clippy::disallowed_methods,
    reason = "a test reads the project's files"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;

use lakewright::backend;
use lakewright::blueprint::Library;

/// What differs between a committed folder and a bundle, one line each.
fn differences(
    folder: &str,
    committed: &BTreeMap<String, (Vec<u8>, bool)>,
    built: &BTreeMap<String, (Vec<u8>, bool)>,
) -> Vec<String> {
    let names: BTreeSet<&String> = committed.keys().chain(built.keys()).collect();
    names
        .into_iter()
        .filter_map(|name| match (committed.get(name), built.get(name)) {
            (Some(_), None) => Some(format!("{folder}/{name} is no longer made")),
            (None, Some(_)) => Some(format!("{folder}/{name} is missing")),
            (Some(old), Some(new)) if old.0 != new.0 => {
                let lines = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let (old, new) = (lines(&old.0), lines(&new.0));
                let at = old
                    .lines()
                    .zip(new.lines())
                    .position(|(old, new)| old != new)
                    .unwrap_or_else(|| old.lines().count().min(new.lines().count()));
                Some(format!(
                    "{folder}/{name}:{}: {:?} is now {:?}",
                    at + 1,
                    old.lines().nth(at).unwrap_or_default(),
                    new.lines().nth(at).unwrap_or_default()
                ))
            }
            (Some(old), Some(new)) if old.1 != new.1 => {
                Some(format!("{folder}/{name} is executable: {}", new.1))
            }
            _ => None,
        })
        .collect()
}

#[test]
fn examples_compile_to_what_is_committed() {
    let examples = support::examples();
    assert!(!examples.is_empty());
    let mut stale = Vec::new();
    for example in &examples {
        let path = format!("examples/{example}/platform.toml");
        let mut compiled = support::compile(&path, &support::read(&path), Library::default());
        assert_eq!(compiled.errors(), 0, "{}", compiled.text());
        let mut expected = BTreeSet::new();
        for platform in &compiled.platforms {
            let environment = &platform.environment;
            if backend::of(environment.target).is_none() {
                continue;
            }
            let folder = format!("generated/{example}/{}", environment.name);
            expected.insert(environment.name.clone());
            let built = support::contents(&compiled.bundles[&environment.name]);
            let committed: BTreeMap<String, (Vec<u8>, bool)> =
                if support::root().join(&folder).exists() {
                    support::files(&folder)
                        .into_iter()
                        .map(|(name, bytes)| {
                            let path = support::root().join(&folder).join(&name);
                            let metadata = path.metadata().expect("a file");
                            let executable = metadata.permissions().mode() & 0o100 != 0;
                            (name, (bytes, executable))
                        })
                        .collect()
                } else {
                    BTreeMap::new()
                };
            stale.extend(differences(&folder, &committed, &built));
        }
        let there: BTreeSet<String> = support::names(format!("generated/{example}"))
            .into_iter()
            .collect();
        stale.extend(
            there
                .difference(&expected)
                .map(|name| format!("generated/{example}/{name} belongs to no environment")),
        );
    }
    stale.extend(
        support::names("generated")
            .into_iter()
            .filter(|name| !examples.contains(name))
            .map(|name| format!("generated/{name} belongs to no example")),
    );
    let names: BTreeSet<&str> = stale
        .iter()
        .filter_map(|line| line.strip_prefix("generated/")?.split('/').next())
        .collect();
    let commands: String = names
        .iter()
        .map(|name| {
            format!(
                "  cargo run --release -- build examples/{name}/platform.toml -o generated/{name}\n"
            )
        })
        .collect();
    assert!(
        stale.is_empty(),
        "generated/ is stale:\n{}\n\nread the difference after\n{commands}",
        stale.join("\n")
    );
}

#[test]
fn differences_are_found_both_ways() {
    let files = |all: &[(&str, &str, bool)]| -> BTreeMap<String, (Vec<u8>, bool)> {
        all.iter()
            .map(|(name, text, run)| ((*name).to_owned(), (text.as_bytes().to_vec(), *run)))
            .collect()
    };
    let old = files(&[
        ("a", "1\n2\n", false),
        ("b", "1\n", false),
        ("c", "1\n", false),
    ]);
    let new = files(&[
        ("a", "1\n3\n", false),
        ("c", "1\n", true),
        ("d", "1\n", false),
    ]);
    assert_eq!(
        differences("f", &old, &new),
        [
            "f/a:2: \"2\" is now \"3\"",
            "f/b is no longer made",
            "f/c is executable: true",
            "f/d is missing"
        ]
    );
    assert!(differences("f", &old, &old).is_empty());
}
