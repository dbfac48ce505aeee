//! The built-in blueprints: each holds together by itself, says what it must, and is put to use somewhere.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test reads the project's files"
)]

mod support;

use std::collections::BTreeSet;
use std::io::Write;
use std::process::Stdio;
use std::sync::Arc;

use lakewright::blueprint::logs::LogFormat;
use lakewright::blueprint::model::{FileSpec, Workload};
use lakewright::blueprint::monitoring::{ALERTS_FILE, FilledWords, METRICS_FILE};
use lakewright::blueprint::{Blueprint, Library, SCHEMA, backup, dashboard, identity};
use lakewright::cli::try_alone;
use lakewright::compile::Compiler;
use lakewright::diagnostic::{self, Severity};
use lakewright::platform::FlowReason;
use lakewright::resolve::option_schema;
use lakewright::schema::Schema;
use lakewright::source::{Place, Sources};
use lakewright::terms::{Locale, Target};
use lakewright::tree::Tree;
use lakewright::value::Value;
use support::{lakewright, read, run, scratch, write};

fn names() -> Vec<String> {
    let names = support::names("blueprints");
    assert!(names.len() > 5, "{names:?}");
    names
}

fn load(name: &str) -> (Arc<Blueprint>, Sources) {
    let mut sources = Sources::default();
    let loaded = Library::default().load(&mut sources, name);
    let blueprint = loaded
        .unwrap_or_else(|| panic!("{name} is not embedded"))
        .unwrap_or_else(|findings| {
            panic!(
                "{}",
                diagnostic::text::render(&findings, &sources, false, 120)
            )
        });
    (blueprint, sources)
}

fn workloads(blueprint: &Blueprint) -> impl Iterator<Item = (&str, &Workload)> {
    let model = &blueprint.model;
    let services = model.services.iter().map(|(name, it)| (name, &it.workload));
    let jobs = model.jobs.iter().map(|(name, it)| (name, &it.workload));
    services.chain(jobs).map(|(name, it)| (name.as_str(), it))
}

#[test]
fn all_folders_are_embedded() {
    assert_eq!(Library::default().names(), names());
    for name in names() {
        let (blueprint, _) = load(&name);
        let mut embedded: Vec<String> = blueprint.files.keys().cloned().collect();
        // The compiler's own, given to all that are backed up.
        embedded.retain(|file| file != backup::PROGRAM && file != backup::MIRROR);
        embedded.push("blueprint.toml".to_owned());
        embedded.sort();
        let there: Vec<String> = support::files(format!("blueprints/{name}"))
            .into_keys()
            .collect();
        assert_eq!(embedded, there, "{name}");
    }
}

#[test]
fn blueprints_pass_their_schema() {
    for name in names() {
        let path = format!("blueprints/{name}/blueprint.toml");
        let mut sources = Sources::default();
        let file = sources.add(path.as_str(), read(&path));
        let tree = Tree::parse(&sources, file).expect("TOML");
        let findings = SCHEMA.validate(&tree);
        let text = diagnostic::text::render(&findings, &sources, false, 120);
        assert!(findings.is_empty(), "{text}");
    }
}

#[test]
fn options_are_described_and_their_defaults_are_legal() {
    for name in names() {
        let (blueprint, _) = load(&name);
        let document = option_schema(&blueprint).expect("a schema of the options");
        let schema = Schema::compile(document).expect("a schema that compiles");
        for (option, spec) in &blueprint.model.options {
            let at = format!("{name}: option `{option}`");
            let words = spec.description.trim();
            assert!(words.len() > 10, "{at} has no description");
            assert!(words.ends_with('.'), "{at}: {words:?} is no sentence");
            assert!(
                spec.default.is_none() || spec.computed.is_none(),
                "{at} has two defaults"
            );
            for value in spec.default.iter().chain(&spec.example) {
                if *value == Value::Null {
                    continue;
                }
                let text = toml::to_string(&Value::table([(option.as_str(), value.clone())]))
                    .expect("a value that TOML has");
                let mut sources = Sources::default();
                let file = sources.add(format!("{name}.toml"), text);
                let tree = Tree::parse(&sources, file).expect("TOML");
                let findings = schema.validate(&tree);
                let text = diagnostic::text::render(&findings, &sources, false, 120);
                assert!(findings.is_empty(), "{at}: {text}");
            }
        }
    }
}

#[test]
fn licences_are_spdx() {
    for name in names() {
        let (blueprint, _) = load(&name);
        let model = &blueprint.model;
        let own = [&model.blueprint.license];
        let editions = model.editions.values().filter_map(|it| it.license.as_ref());
        for licence in own.into_iter().chain(editions) {
            let parsed = spdx::Expression::parse(licence);
            assert!(parsed.is_ok(), "{name}: {licence}: {:?}", parsed.err());
        }
    }
}

#[test]
fn facts_have_a_date_and_sources() {
    for name in names() {
        let (blueprint, _) = load(&name);
        let about = &blueprint.model.blueprint;
        assert!(about.facts.checked.to_string().starts_with("20"), "{name}");
        assert!(!about.facts.sources.is_empty(), "{name} names no source");
        assert!(!about.version.tested.is_empty(), "{name} was never tried");
        assert!(
            about
                .version
                .tested
                .iter()
                .any(|prefix| about.version.default.starts_with(prefix)),
            "{name}: the default version is not a tested one"
        );
        for locale in [Locale::En, Locale::Fr] {
            assert!(!about.summary.get(locale).is_empty(), "{name}");
        }
        let title = read(format!("blueprints/{name}/README.md"));
        assert!(title.starts_with("# "), "{name}: README.md has no title");
    }
}

#[test]
fn every_file_is_used_and_every_file_named_exists() {
    for name in names() {
        let (blueprint, sources) = load(&name);
        let mut named: BTreeSet<&str> = BTreeSet::new();
        for (_, workload) in workloads(&blueprint) {
            for spec in workload.files.values() {
                match spec {
                    FileSpec::Name(file) => named.extend([file.as_str()]),
                    FileSpec::Table(table) => {
                        named.extend(table.template.iter().chain(&table.data).map(String::as_str));
                    }
                }
            }
        }
        for image in blueprint.model.images.values() {
            named.extend(image.build.iter().chain(&image.context).map(String::as_str));
        }
        let objects = blueprint.model.objects.values();
        named.extend(objects.map(|object| object.data.as_str()));
        let scripts = blueprint.model.scripts.values();
        named.extend(scripts.map(|script| script.template.as_str()));
        // Read by their names.
        let beside = [METRICS_FILE, ALERTS_FILE, dashboard::FILE_NAME];
        named.extend(
            beside
                .into_iter()
                .filter(|file| blueprint.files.contains_key(*file)),
        );
        let readme = read(format!("blueprints/{name}/README.md"));
        for file in &named {
            assert!(
                blueprint.files.contains_key(*file),
                "{name}: there is no {file}"
            );
        }
        // Found by their names.
        named.extend([
            METRICS_FILE,
            ALERTS_FILE,
            "dashboard.toml",
            backup::FILE_NAME,
            identity::FILE_NAME,
            backup::PROGRAM,
        ]);
        for file in blueprint.files.keys().filter(|file| *file != "README.md") {
            // A template may also be part of another.
            let part = blueprint.files.iter().any(|(other, id)| {
                other.ends_with(".tera") && sources.file(*id).text.contains(&format!("\"{file}\""))
            });
            assert!(
                named.contains(file.as_str()) || part || readme.contains(&format!("`{file}`")),
                "{name}: nothing uses {file}"
            );
        }
    }
}

#[test]
fn each_resolves_alone_on_every_target() {
    for name in names() {
        let mut compiler = Compiler::new(Sources::default(), Library::default());
        try_alone(&mut compiler, &name);
        compiler
            .findings
            .retain(|finding| finding.severity == Severity::Error);
        // What cannot run on a target says so itself.
        compiler
            .findings
            .retain(|finding| finding.rule.code != "unsupported-target");
        let text = diagnostic::text::render(&compiler.findings, &compiler.sources, false, 120);
        assert!(compiler.findings.is_empty(), "{name}: {text}");
    }
    assert_eq!(Target::ALL.len(), 3);
}

/// A pooler or a router is the only way, except for who asks for the direct one.
#[test]
fn dependents_reach_what_stands_in_front_of_a_server() {
    for (path, expected) in [
        (
            "tests/topologies/replication.toml",
            &[("superset", "router")][..],
        ),
        (
            "tests/topologies/kubernetes.toml",
            &[
                ("airbyte", "server"),
                ("dremio", "pooler"),
                ("superset", "pooler"),
            ],
        ),
    ] {
        let compiled = support::compile(path, &read(path), Library::default());
        for platform in &compiled.platforms {
            let component = |service: usize| {
                let service = &platform.services[service];
                platform.component_of(service).name.as_str()
            };
            let mut found = BTreeSet::new();
            for flow in &platform.flows {
                // Who watches looks at each of them.
                let depends = matches!(flow.reason, FlowReason::Need(_));
                if depends && component(flow.to) == "postgresql" {
                    let to = platform.services[flow.to].key.as_str();
                    found.insert((component(flow.from), to));
                }
            }
            assert_eq!(found, expected.iter().copied().collect(), "{path}");
        }
    }
}

#[test]
fn topologies_compile_and_every_blueprint_is_in_one() {
    let mut used = BTreeSet::new();
    for path in support::topologies() {
        let mut compiled = support::compile(&path, &read(&path), Library::default());
        assert_eq!(compiled.errors(), 0, "{}", compiled.text());
        for platform in &compiled.platforms {
            used.extend(platform.components.iter().map(|it| it.blueprint.clone()));
        }
    }
    let unused: Vec<String> = names()
        .into_iter()
        .filter(|name| !used.contains(name))
        .collect();
    assert!(
        unused.is_empty(),
        "no topology in examples/ or tests/topologies/ uses {unused:?}"
    );
}

#[test]
fn rendered_scripts_are_shell() {
    if support::program("sh").arg("-c").arg(":").status().is_err() {
        return;
    }
    let mut seen = BTreeSet::new();
    for path in support::topologies() {
        let compiled = support::compile(&path, &read(&path), Library::default());
        for platform in &compiled.platforms {
            for service in &platform.services {
                for (target, file) in &service.files {
                    let is_shell = target.ends_with(".sh")
                        || file.content.starts_with("#!/bin/sh")
                        || file.content.starts_with("#!/usr/bin/env sh");
                    if is_shell && seen.insert(file.content.to_string()) {
                        is_shell_script(
                            &format!("{path}: {} {target}", service.name),
                            &file.content,
                        );
                    }
                }
            }
        }
        for (environment, sealed) in &compiled.bundles {
            for (name, file) in sealed.files() {
                if file.bytes.starts_with(b"#!/bin/sh") {
                    let text = String::from_utf8_lossy(&file.bytes);
                    is_shell_script(&format!("{path}: {environment}/{name}"), &text);
                }
            }
        }
    }
    assert!(seen.len() > 5, "{}", seen.len());
}

/// Whoever restores follows the page word by word: what it calls must be there.
#[test]
fn pages_about_restores_call_scripts_that_exist() {
    let mut called = BTreeSet::new();
    for path in support::topologies() {
        let compiled = support::compile(&path, &read(&path), Library::default());
        for (environment, sealed) in &compiled.bundles {
            let Some(page) = sealed.get("RESTORE.md") else {
                continue;
            };
            let page = String::from_utf8_lossy(&page.bytes).into_owned();
            let blocks = page.split("```sh\n").skip(1);
            for line in blocks.flat_map(|block| block.split("```").next().unwrap_or("").lines()) {
                let mut words = line.split(' ');
                let script = words.next().unwrap_or_default();
                // What looks at the platform itself.
                if line.trim().is_empty() || matches!(script, "docker" | "kubectl") {
                    continue;
                }
                if script == "sh" {
                    let name = words.next().unwrap_or_default();
                    assert!(sealed.get(name).is_some(), "{path}: {environment}: {line}");
                    continue;
                }
                let name = script.strip_prefix("./").unwrap_or_else(|| {
                    panic!("{path}: {environment}: no script of the bundle: {line}")
                });
                let file = sealed.get(name);
                let file = file.unwrap_or_else(|| panic!("{path}: {environment}: no {name}"));
                assert!(file.executable, "{name}");
                called.insert(name.to_owned());
            }
            // All scripts of the page's kind are on it.
            for (name, _) in sealed.files() {
                let name = name.to_string();
                if name.starts_with("backup-") || name.starts_with("restore-") {
                    assert!(called.contains(&name) || name == "backup-job.sh", "{name}");
                }
            }
        }
    }
    assert!(called.len() > 5, "{called:?}");
}

/// Lets the shell itself read a script, without running it.
fn is_shell_script(name: &str, text: &str) {
    let first = text.lines().next().unwrap_or_default();
    let shell = if first.contains("bash") { "bash" } else { "sh" };
    let mut child = support::program(shell)
        .arg("-n")
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a shell");
    let mut input = child.stdin.take().expect("its input");
    // A shell that gives up early closes its input.
    let _ = input.write_all(text.as_bytes());
    drop(input);
    let output = child.wait_with_output().expect("its end");
    assert!(
        output.status.success(),
        "{name}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_new_blueprint_builds_at_once() {
    let folder = scratch();
    let blueprints = folder.path().join("blueprints");
    let made = run(lakewright()
        .args(["blueprint", "new", "my-system", "-o"])
        .arg(&blueprints));
    assert_eq!(made.status, 0, "{}", made.err);
    let alone = run(lakewright()
        .args(["blueprint", "check"])
        .arg(blueprints.join("my-system")));
    assert_eq!(alone.status, 0, "{}", alone.err);
    let topology = write(
        &folder.path().join("platform.toml"),
        "[platform]\nname = \"new\"\nblueprints = \"blueprints\"\n[components.my-system]\n[environments.dev]\ntarget = \"compose\"\n",
    );
    let out = folder.path().join("out");
    let built = run(lakewright().arg("build").arg(&topology).arg("-o").arg(&out));
    assert_eq!(built.status, 0, "{}", built.err);
    assert!(out.join("dev/compose.yaml").exists());

    // Nothing is overwritten, and no name leads elsewhere.
    let again = run(lakewright()
        .args(["blueprint", "new", "my-system", "-o"])
        .arg(&blueprints));
    assert_eq!(again.status, 1);
    let escape = run(lakewright()
        .args(["blueprint", "new", "../elsewhere", "-o"])
        .arg(&blueprints));
    assert_eq!(escape.status, 1);
    assert!(!folder.path().join("elsewhere").exists());
}

#[test]
fn places_of_a_blueprint_are_found_in_its_file() {
    // Every key of every blueprint leads to its own bytes.
    for name in names() {
        let (blueprint, sources) = load(&name);
        let locator = lakewright::diagnostic::locate::Locator::new(&sources);
        for option in blueprint.model.options.keys() {
            let place = blueprint.place(["options", option]);
            let Place::Path { file, path, .. } = place else {
                panic!("{name}: {option} has no path");
            };
            let spot = locator.spot(&Place::key(file, path));
            assert!(
                spot.text[spot.span.clone()].contains(option.as_str()),
                "{name} {option}"
            );
        }
    }
}

#[test]
fn alerts_are_tried_and_said_in_both_languages() {
    let mut count = 0;
    for name in names() {
        let (blueprint, _) = load(&name);
        for (metric, declared) in blueprint.metrics.values().flatten() {
            let help = declared.help.trim();
            assert!(help.len() > 3, "{name}: {metric} has no help");
        }
        let alerts = &blueprint.alerts;
        // What an exporter is about comes first in its name; an alert is about one of several.
        let system = name.split('-').next().unwrap_or_default();
        let system = system.trim_end_matches('s');
        let mut provides = blueprint.model.provides.values();
        let watches =
            provides.any(|provide| ["alerts", "metrics"].contains(&provide.capability.as_str()));
        let mut texts = Vec::new();
        for (alert, declared) in &alerts.alerts {
            count += 1;
            // What watches over everything has alerts about everything.
            assert!(
                watches || alert.to_lowercase().starts_with(system),
                "{name}: {alert} does not begin with the system's name"
            );
            // What is loaded has cases; the bundle's own tests run them.
            assert!(!declared.fires.is_empty(), "{name}: {alert} never fires");
            assert!(
                !declared.silent.is_empty(),
                "{name}: {alert} is never silent"
            );
            for case in &declared.fires {
                assert!(
                    !case.series.is_empty(),
                    "{name}: {alert} fires without series"
                );
            }
            texts.push((alert, &declared.summary));
            texts.push((alert, &declared.description));
            texts.push((alert, &declared.runbook));
        }
        for (slo, declared) in &alerts.slos {
            texts.push((slo, &declared.summary));
            texts.push((slo, &declared.description));
            texts.push((slo, &declared.runbook));
        }
        for (of, words) in texts {
            let FilledWords::Both { en, fr } = words else {
                panic!("{name}: {of} says something in one language only: {words:?}");
            };
            for text in [en, fr] {
                assert!(text.written.trim().len() > 5, "{name}: {of} says nothing");
            }
            assert_ne!(en, fr, "{name}: {of} is not translated");
        }
    }
    assert!(count > 20, "{count} alerts");
}

#[test]
fn lines_of_logs_are_read_as_their_samples_say() {
    let mut systems = 0;
    for name in names() {
        let (blueprint, _) = load(&name);
        systems += usize::from(!blueprint.model.logs.is_empty());
        for (table, logs) in &blueprint.model.logs {
            let at = format!("{name}: [logs.{table}]");
            let faults = lakewright::blueprint::logs::faults(logs);
            assert!(faults.is_empty(), "{at}: {faults:#?}");
            // What no sample is read by was never tried.
            let count = |wanted: &dyn Fn(&str) -> bool| {
                let lines = logs.samples.iter().filter(|sample| wanted(&sample.line));
                lines.count()
            };
            if logs.format == LogFormat::Json {
                assert!(
                    count(&|line| line.starts_with('{')) > 0,
                    "{at} has no JSON sample"
                );
            }
            let texts = count(&|line| !line.starts_with('{'));
            assert!(
                texts > 0 || logs.patterns.is_empty(),
                "{at} has no sample for its patterns"
            );
        }
        for (service, workload) in workloads(&blueprint) {
            let named = workload.logs.as_ref();
            assert!(
                named.is_none_or(|named| blueprint.model.logs.contains_key(named)),
                "{name}: {service}"
            );
        }
    }
    assert!(systems > 10, "{systems}");
}
