//! From Compose files of others to topologies: what is carried over builds, what is not is named with its line.

#![allow(
    clippy::disallowed_methods,
    reason = "a test works on files of its own"
)]

mod support;

use std::fs;

use support::{lakewright, run, scratch, write};

#[test]
fn a_compose_file_becomes_a_topology_that_builds() {
    let folder = scratch();
    let out = folder.path().join("new");
    let done = run(lakewright()
        .args([
            "import",
            "compose",
            "tests/imports/reports.yaml",
            "--name",
            "analytics",
            "-o",
        ])
        .arg(&out));
    assert_eq!((done.status, done.err.as_str()), (0, ""));
    // What has no version is deployed by nobody: it was said, and is refused until one is chosen.
    let refused = run(lakewright().current_dir(&out).arg("build"));
    assert_eq!(refused.status, 1);
    assert!(
        refused.err.contains("error[image-untagged]"),
        "{}",
        refused.err
    );
    let path = out.join("blueprints/front/blueprint.toml");
    let text = fs::read_to_string(&path).expect("a blueprint");
    fs::write(&path, text.replace("\"latest\"", "\"1.4\"")).expect("a blueprint");
    let built = run(lakewright().current_dir(&out).arg("build"));
    assert_eq!(built.status, 0, "{}", built.err);
    let compose = fs::read_to_string(out.join("generated/dev/compose.yaml")).expect("a bundle");
    for word in [
        "registry.example.com/team/reports:2.1",
        "REGION: eu",
        "front-to-reports",
    ] {
        assert!(compose.contains(word), "{word}\n{compose}");
    }
    // A second time nothing is overwritten.
    let again = run(lakewright()
        .args(["import", "compose", "tests/imports/reports.yaml", "-o"])
        .arg(&out));
    assert_eq!(again.status, 1);
    assert!(
        again.err.contains("nothing is overwritten"),
        "{}",
        again.err
    );
}

#[test]
fn every_line_is_carried_over_or_named() {
    let folder = scratch();
    let done = run(lakewright()
        .args(["import", "compose", "tests/imports/reports.yaml", "-o"])
        .arg(folder.path().join("new")));
    let text = support::read("tests/imports/reports.yaml");
    let line_of = |words: &str| {
        text.lines()
            .position(|line| line.contains(words))
            .map_or(0, |at| at + 1)
    };
    // What is lost without a word would be missed too late.
    for words in [
        "DB_PASSWORD",
        "--save",
        "HOME_URL=",
        "API_TOKEN",
        "./settings.yaml",
        "condition:",
        "syslog",
        "/team/front",
        "build: .",
        "driver: local",
        "name: analytics\n",
    ] {
        let line = line_of(words.trim_end());
        let line = if words.ends_with('\n') {
            text.lines().count()
        } else {
            line
        };
        assert!(
            done.out.contains(&format!("reports.yaml:{line}: ")),
            "{words}\n{}",
            done.out
        );
    }
}

/// Compose files of the systems that blueprints deploy, in the shapes that their makers and users publish.
const SHAPES: &[(&str, &str, &[&str])] = &[
    (
        "objects",
        "tests/imports/objects.yaml",
        &["minio", "balancer"],
    ),
    (
        "search",
        "tests/imports/search/compose.yaml",
        &["elasticsearch", "kibana"],
    ),
    (
        "dashboards",
        "tests/imports/dashboards.yaml",
        &["redis", "db", "superset"],
    ),
    (
        "ingestion",
        "tests/imports/ingestion.yaml",
        &["airbyte", "minio", "postgresql"],
    ),
    (
        "lake",
        "tests/imports/lake.yaml",
        &["dremio", "minio", "catalog", "notebook"],
    ),
    (
        "monitoring",
        "tests/imports/monitoring.yaml",
        &[
            "prometheus",
            "alertmanager",
            "machine",
            "cadvisor",
            "grafana",
            // Boards need a database, which the file has not.
            "postgresql",
        ],
    ),
];

#[test]
fn files_in_all_shapes_become_topologies_that_build() {
    for (name, file, components) in SHAPES {
        let folder = scratch();
        let out = folder.path().join("new");
        let done = run(lakewright()
            .args(["import", "compose", file, "--name", name, "-o"])
            .arg(&out));
        assert_eq!((done.status, done.err.as_str()), (0, ""), "{name}");
        let mut said = String::new();
        for (path, bytes) in support::files(&out) {
            let text = String::from_utf8(bytes).expect("text");
            said.push_str(&format!("--- {path}\n{text}\n"));
        }
        let topology: toml::Table = support::read(out.join("platform.toml"))
            .parse()
            .expect("TOML");
        let made = topology["components"].as_table().expect("a table");
        let expected: std::collections::BTreeSet<&str> = components.iter().copied().collect();
        assert_eq!(
            made.keys()
                .map(String::as_str)
                .collect::<std::collections::BTreeSet<_>>(),
            expected
        );
        let left = done.out.split_once("not carried over:\n");
        said.push_str(&format!(
            "--- not carried over\n{}",
            left.map_or("", |(_, left)| left)
        ));
        // Neither a secret nor a part of one gets anywhere.
        for secret in [
            "never-carried-over",
            "reader:secret",
            "local admin password",
        ] {
            assert!(!said.contains(secret), "{name}: {secret}\n{said}");
        }
        let built = run(lakewright().current_dir(&out).args(["build", "--quiet"]));
        assert_eq!((built.status, built.err.as_str()), (0, ""), "{name}");
        insta::assert_snapshot!(format!("imported-{name}"), said);
    }
}

#[test]
fn a_key_that_is_unknown_is_named_wherever_it_stands() {
    let folder = scratch();
    for (name, file, _) in SHAPES {
        let text = support::read(file);
        let lines: Vec<&str> = text.lines().collect();
        let start = lines
            .iter()
            .position(|line| *line == "services:")
            .expect("services");
        let services = (start + 1..lines.len())
            .take_while(|at| lines[*at].is_empty() || lines[*at].starts_with([' ', '#']))
            .filter(|at| lines[*at].starts_with("  ") && !lines[*at].starts_with("   "))
            .filter(|at| lines[*at].ends_with(':'));
        let services: Vec<usize> = services.collect();
        assert!(services.len() > 2, "{name}");
        for at in services {
            let mut changed = lines.clone();
            changed.insert(at + 1, "    unheard_of: 1");
            let path = write(&folder.path().join("compose.yaml"), changed.join("\n"));
            let out = folder.path().join(format!("{name}-{at}"));
            let done = run(lakewright()
                .args(["import", "compose"])
                .arg(&path)
                .arg("-o")
                .arg(&out));
            let expected = format!("compose.yaml:{}: services.", at + 2);
            let mut said = done.out.lines();
            assert!(
                said.any(|line| line.contains(&expected) && line.contains(".unheard_of ")),
                "{expected}\n{}",
                done.out
            );
        }
    }
}

#[test]
fn what_is_no_compose_file_is_refused() {
    let folder = scratch();
    for text in ["", "a: [", "services: 1\n", "- 1\n", "services:\n  a: 1\n"] {
        let file = write(&folder.path().join("compose.yaml"), text);
        let done = run(lakewright()
            .args(["import", "compose"])
            .arg(&file)
            .arg("-o")
            .arg(folder.path().join("new")));
        assert_eq!(done.status, 1, "{text:?}: {}", done.out);
        assert!(done.err.starts_with("error: "), "{}", done.err);
        assert!(!folder.path().join("new").exists());
    }
}
