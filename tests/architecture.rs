//! The shape of the sources: who may use whom, and what stays out of them.

#![allow(clippy::disallowed_methods, reason = "a test reads the sources")]

mod support;

use std::collections::{BTreeMap, BTreeSet};

/// What each module of `src` may use besides itself. The stages are in the order in which data flows; nothing uses what
/// comes after it.
const EDGES: &[(&str, &[&str])] = &[
    // Leaves.
    ("cron", &[]),
    ("names", &[]),
    ("value", &[]),
    ("source", &["value"]),
    ("terms", &[]),
    ("units", &[]),
    ("template", &[]),
    ("host", &[]),
    ("diagnostic", &["source"]),
    // How files are read.
    ("tree", &["diagnostic", "source", "value"]),
    (
        "schema",
        &["cron", "diagnostic", "names", "tree", "units", "value"],
    ),
    // The model that checks and backends see. It knows no stage.
    ("platform", &["names", "source", "terms", "units", "value"]),
    // What a bundle says of the platform it is for.
    (
        "outline",
        &["platform", "source", "terms", "units", "value"],
    ),
    // Formats of those who watch. What it makes is part of files that `resolve` renders.
    (
        "observe",
        &[
            "names", "platform", "source", "template", "terms", "units", "value",
        ],
    ),
    // Stages.
    (
        "topology",
        &[
            "diagnostic",
            "names",
            "schema",
            "source",
            "terms",
            "tree",
            "units",
            "value",
        ],
    ),
    (
        "blueprint",
        &[
            "diagnostic",
            "names",
            "schema",
            "source",
            "terms",
            "tree",
            "units",
            "value",
        ],
    ),
    (
        "resolve",
        &[
            "blueprint",
            "diagnostic",
            "names",
            "observe",
            "platform",
            "schema",
            "source",
            "template",
            "terms",
            "topology",
            "tree",
            "units",
            "value",
        ],
    ),
    // `topology` for the `allow`s that the user wrote.
    (
        "check",
        &[
            "diagnostic",
            "observe",
            "platform",
            "source",
            "terms",
            "topology",
            "units",
        ],
    ),
    ("bundle", &["host", "terms", "units"]),
    ("lock", &["bundle"]),
    ("graph", &["platform", "terms"]),
    (
        "backend",
        &[
            "cron",
            "bundle",
            "diagnostic",
            "graph",
            "names",
            "observe",
            "platform",
            "source",
            "template",
            "terms",
            "units",
            "value",
        ],
    ),
    // `resolve` for its record of where values come from, `platform` for the places of things.
    (
        "review",
        &[
            "bundle",
            "diagnostic",
            "outline",
            "platform",
            "resolve",
            "source",
            "terms",
            "units",
        ],
    ),
    // What lines of bundles come from: beside the stages, for those who ask.
    (
        "origin",
        &[
            "blueprint",
            "bundle",
            "platform",
            "resolve",
            "source",
            "tree",
        ],
    ),
    ("import", &["lock", "names", "origin", "units"]),
    // The whole way, and the command line around it.
    (
        "compile",
        &[
            "backend",
            "blueprint",
            "bundle",
            "check",
            "diagnostic",
            "outline",
            "platform",
            "resolve",
            "source",
            "terms",
            "topology",
        ],
    ),
    (
        "cli",
        &[
            "backend",
            "blueprint",
            "bundle",
            "check",
            "compile",
            "diagnostic",
            "graph",
            "host",
            "import",
            "lock",
            "names",
            "origin",
            "platform",
            "outline",
            "resolve",
            "review",
            "schema",
            "source",
            "template",
            "terms",
            "topology",
            "tree",
        ],
    ),
];

/// All Rust files of `src` with their text, but for those of tests alone.
fn sources() -> BTreeMap<String, String> {
    support::files("src")
        .into_iter()
        .filter(|(name, _)| name.ends_with(".rs") && !name.ends_with("/tests.rs"))
        .map(|(name, bytes)| (name, String::from_utf8(bytes).expect("text")))
        .collect()
}

/// Lines that are neither comments nor tests, with their numbers.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .take_while(|line| line.trim() != "#[cfg(test)]")
        .enumerate()
        .map(|(at, line)| (at + 1, line))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// The first step of every `crate::` path and of every `super::` path that leaves the module.
fn uses(line: &str, depth: usize) -> BTreeSet<String> {
    let up = format!("{}::", vec!["super"; depth].join("::"));
    ["crate::", up.as_str()]
        .into_iter()
        .flat_map(|start| line.split(start).skip(1))
        .flat_map(|rest| {
            // `use crate::{a, b::c}` names several.
            let words = match rest.strip_prefix('{') {
                Some(list) => list.trim_end_matches(['}', ';']).split(',').collect(),
                None => vec![rest],
            };
            words.into_iter().map(|word| {
                word.trim()
                    .chars()
                    .take_while(|next| next.is_alphanumeric() || *next == '_')
                    .collect::<String>()
            })
        })
        .filter(|word| word.starts_with(|first: char| first.is_lowercase()) && word != "super")
        .collect()
}

#[test]
fn modules_use_only_what_they_may() {
    let allowed: BTreeMap<&str, &[&str]> = EDGES.iter().copied().collect();
    for (file, text) in sources() {
        let module = file.split('/').next().unwrap_or_default();
        let module = module.trim_end_matches(".rs").to_owned();
        if ["lib", "main"].contains(&module.as_str()) {
            continue;
        }
        let may = allowed
            .get(module.as_str())
            .unwrap_or_else(|| panic!("src/{file}: add `{module}` to the table of this test"));
        // From `a/b.rs`, `super::super` is the crate; from `a/mod.rs` and `a.rs`, `super` is.
        let depth = file.matches('/').count() + usize::from(!file.ends_with("mod.rs"));
        for (line, words) in code(&text) {
            for other in uses(words, depth)
                .into_iter()
                .filter(|other| *other != module)
            {
                assert!(
                    may.contains(&other.as_str()),
                    "src/{file}:{line}: `{module}` must not use `{other}`"
                );
            }
        }
    }
    for (module, may) in EDGES {
        for other in *may {
            assert!(
                allowed.contains_key(other),
                "the table lets `{module}` use `{other}`, which it does not list"
            );
        }
    }
}

#[test]
fn no_stage_reaches_back() {
    // A module comes after everything it may use: the table has no circle.
    let mut seen = BTreeSet::new();
    for (module, may) in EDGES {
        for other in *may {
            assert!(
                seen.contains(other),
                "`{module}` uses `{other}`, which comes after it"
            );
        }
        assert!(seen.insert(*module), "`{module}` stands twice in the table");
    }
}

#[test]
fn no_system_is_named_in_the_sources() {
    let mut systems = support::names("blueprints");
    // Words of everybody's, which no code could mean the blueprints by.
    systems.retain(|system| system != "containers" && system != "backups");
    assert!(systems.len() > 5);
    for (file, text) in sources() {
        // Quoting is named after the language of the file, the type of a data source after what it asks, a
        // configuration after its format.
        if [
            "template/filters.rs",
            "observe/grafana/mod.rs",
            "resolve/finish/alerts.rs",
        ]
        .contains(&file.as_str())
        {
            continue;
        }
        for (line, words) in code(&text) {
            // Examples in the schema's descriptions are read by people only.
            if words
                .trim_start()
                .starts_with("#[schemars(extend(\"examples\"")
            {
                continue;
            }
            for text in words.split('"').skip(1).step_by(2) {
                let named = text
                    .split(|next: char| !next.is_ascii_alphanumeric() && next != '-')
                    .find(|word| systems.iter().any(|system| system == word));
                assert!(
                    named.is_none(),
                    "src/{file}:{line}: {text:?} names a system; that belongs into its blueprint"
                );
            }
        }
    }
}

#[test]
fn every_file_says_what_it_is() {
    for (file, text) in sources() {
        let first = text.lines().next().unwrap_or_default();
        assert!(
            first
                .strip_prefix("//! ")
                .is_some_and(|words| words.len() > 20),
            "src/{file} begins with no `//!` paragraph"
        );
    }
}

#[test]
fn unfinished_work_stays_out() {
    // Written apart, so that this file is not found by a search for them.
    let words = [
        concat!("to", "do"),
        concat!("fix", "me"),
        concat!("xx", "x"),
        concat!("dbg", "!"),
        concat!("unimple", "mented!"),
    ];
    for folder in ["src", "tests", "blueprints", "examples", "benches"] {
        for (file, bytes) in support::files(folder) {
            let text = String::from_utf8_lossy(&bytes).to_lowercase();
            for (at, line) in text.lines().enumerate() {
                for word in words {
                    let found = line.match_indices(word).any(|(start, _)| {
                        let before = line[..start].chars().next_back();
                        let after = line[start + word.len()..].chars().next();
                        let edge = |next: Option<char>| {
                            next.is_none_or(|next| !next.is_alphanumeric() && next != '_')
                        };
                        edge(before) && edge(after)
                    });
                    assert!(!found, "{folder}/{file}:{}: {word}", at + 1);
                }
            }
        }
    }
}
