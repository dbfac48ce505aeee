//! Every scalar of every structured file of the examples' bundles is answered for: which lines made it so.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test reads the project's files, and says what it counted"
)]

mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use lakewright::blueprint::Library;
use lakewright::compile::Compiler;
use lakewright::origin::{Origins, Precision, is_structured, scalars};
use lakewright::source::Sources;
use support::{lakewright, read, run};

#[test]
fn every_scalar_is_answered_for() {
    let mut report = String::new();
    for example in support::examples() {
        let mut sources = Sources::default();
        let file = sources.add(
            "platform.toml",
            read(format!("examples/{example}/platform.toml")),
        );
        let mut compiler = Compiler::new(sources, Library::default());
        let topology = compiler.read(file).expect("a topology");
        let compiled = compiler.environments(&topology, &topology.environments(), true);
        for one in &compiled {
            let platform = &one.platform;
            let sealed = compiler.bundle(&topology, one).expect("a bundle");
            let (library, sources) = compiler.library();
            let blueprints = platform
                .components
                .iter()
                .map(|component| {
                    let name = &component.blueprint;
                    let loaded = library.load(sources, name).expect("known").expect("sound");
                    (name.clone(), loaded)
                })
                .collect();
            let origins = Origins::new(
                platform,
                &one.trace,
                &compiler.sources,
                file,
                blueprints,
                &sealed,
            );
            let mut counts: BTreeMap<Precision, usize> = BTreeMap::new();
            let mut vague: BTreeMap<String, usize> = BTreeMap::new();
            let mut files = 0;
            for (path, content) in sealed
                .files()
                .filter(|(path, _)| is_structured(path.as_str()))
            {
                files += 1;
                let text = String::from_utf8(content.bytes.clone()).expect("text");
                let all = scalars(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
                assert!(!all.is_empty(), "{path} holds nothing");
                let file = origins.file(path.as_str(), &text, &all);
                for scalar in &all {
                    let origin = origins.of(&file, scalar, scalar.line);
                    assert!(
                        !origin.places.is_empty(),
                        "{path}:{}: {}",
                        scalar.line,
                        scalar.shown()
                    );
                    *counts.entry(origin.precision).or_default() += 1;
                    if origin.precision == Precision::Whole {
                        let first = path.as_str().split('/').next().unwrap_or_default();
                        *vague.entry(first.to_owned()).or_default() += 1;
                    }
                }
            }
            let total: usize = counts.values().sum();
            let count = |precision| counts.get(&precision).copied().unwrap_or(0);
            // Whole answers are true, but say little: they must stay the smaller part.
            assert!(
                count(Precision::Whole) * 2 < total,
                "{example}: {counts:?} {vague:?}"
            );
            let _ = writeln!(
                report,
                "{example}/{}: {files} files, {total} scalars: {} from a line, {} from a table, {} as a whole ({})",
                platform.environment.name,
                count(Precision::Exact),
                count(Precision::Part),
                count(Precision::Whole),
                vague
                    .iter()
                    .map(|(file, count)| format!("{file} {count}"))
                    .collect::<Vec<_>>()
                    .join(", "),
            );
        }
    }
    // Read it when it changes: what is answered as a whole should not become more.
    println!("{report}");
}

#[test]
fn lines_of_bundles_are_explained() {
    let text = read("generated/lakehouse/dev/compose.yaml");
    let line_of = |start: &str, below: &str| {
        let service = text
            .lines()
            .position(|line| line == start)
            .expect("a service");
        let rest = text.lines().skip(service);
        service
            + 1
            + rest
                .take_while(|line| {
                    line.trim_start() != below && !line.trim_start().starts_with(below)
                })
                .count()
    };
    let mut said = String::new();
    for place in [
        format!(
            "generated/lakehouse/dev/compose.yaml:{}",
            line_of("  superset-web:", "image:")
        ),
        format!(
            "generated/lakehouse/dev/compose.yaml:{}",
            line_of("  superset-web:", "memory:")
        ),
        format!(
            "generated/lakehouse/dev/compose.yaml:{}",
            line_of("  superset-web:", "- superset-to-postgresql")
        ),
        format!(
            "generated/lakehouse/dev/compose.yaml:{}",
            line_of("  superset-web:", "cap_drop:")
        ),
        "generated/lakehouse/dev/prometheus/rules/valkey.yaml:20:7".to_owned(),
        "generated/lakehouse/dev/prometheus/prometheus.yaml:4".to_owned(),
        "generated/lakehouse/dev/superset/gunicorn.conf.py:8".to_owned(),
        "generated/lakehouse/prod/manifests/21-superset/20-web.yaml:42".to_owned(),
        "generated/lakehouse/dev/grafana/dashboards/valkey.json:200".to_owned(),
    ] {
        let run = run(lakewright().args(["explain", "examples/lakehouse/platform.toml", &place]));
        let _ = write!(said, "$ explain {place}\n{}{}\n", run.out, run.err);
        assert_eq!(run.status, 0, "{place}: {}", run.err);
    }
    // The lines themselves change with the bundles.
    for words in [
        "made from blueprint:superset/blueprint.toml:",
        "dev.superset.web.memory = ",
        "dev.superset.needs.",
        "belongs to blueprint:superset/blueprint.toml:",
        "made from blueprint:valkey/alerts.toml:",
        "made from blueprint:prometheus/prometheus.toml:",
        "made from blueprint:superset/gunicorn.conf.py.tera:",
        "follows from blueprint:valkey/dashboard.toml:",
    ] {
        assert!(said.contains(words), "{words}\n{said}");
    }
}

#[test]
fn lines_that_are_none_are_refused() {
    let folder = support::scratch();
    let alone = support::write(&folder.path().join("alone.yaml"), "a: 1\n");
    let mut said = String::new();
    for place in [
        format!("{}:1", alone.display()),
        // One that does not change with every blueprint.
        "generated/lakehouse/dev/valkey/health.sh:999999".to_owned(),
        "generated/minimal/dev/compose.yaml:5".to_owned(),
    ] {
        let run = run(lakewright().args(["explain", "examples/lakehouse/platform.toml", &place]));
        assert_eq!(run.status, 1);
        let shown = run
            .err
            .replace(&folder.path().display().to_string(), "FOLDER");
        said.push_str(&shown);
    }
    insta::assert_snapshot!("lines-refused", said);
}
