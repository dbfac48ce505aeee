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
            "tests/imports/dashboards.yaml",
            "--name",
            "analytics",
            "-o",
        ])
        .arg(&out));
    assert_eq!((done.status, done.err.as_str()), (0, ""));
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
        .args(["import", "compose", "tests/imports/dashboards.yaml", "-o"])
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
        .args(["import", "compose", "tests/imports/dashboards.yaml", "-o"])
        .arg(folder.path().join("new")));
    let text = support::read("tests/imports/dashboards.yaml");
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
            done.out.contains(&format!("dashboards.yaml:{line}: ")),
            "{words}\n{}",
            done.out
        );
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
