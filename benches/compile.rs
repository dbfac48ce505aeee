//! How long compiling takes: the examples, and synthetic topologies of up to ten thousand services.
//!
//! Run with `cargo bench`. The counters say how many services are compiled in a second.

#![allow(clippy::disallowed_methods, reason = "a bench reads its own inputs")]

use std::fmt::Write as _;
use std::path::Path;

use divan::Bencher;
use divan::counter::ItemsCount;
use lakewright::backend;
use lakewright::blueprint::Library;
use lakewright::bundle::Sealed;
use lakewright::compile::{Compiled, Compiler};
use lakewright::diagnostic::Severity;
use lakewright::source::Sources;
use lakewright::topology::Topology;

fn main() {
    divan::main();
}

/// Numbers of services of the synthetic topologies. Time has to grow in proportion to them.
const SERVICES: &[usize] = &[10, 100, 1_000, 10_000];

/// A machine on which all of it fits.
const HEAD: &str = r#"[platform]
name = "synthetic"
[allow]
blueprint-notice = "known"
[environments.dev]
target = "compose"
hosts = [{ name = "local", memory = "900TiB", cpus = 100000 }]
"#;

fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples")
        .join(name);
    std::fs::read_to_string(path.join("platform.toml")).expect("the example is there")
}

/// Many small platforms beside each other: each dashboard has a database and a cache of its own.
fn groups(services: usize) -> String {
    let mut text = HEAD.to_owned();
    for at in 0..services.div_ceil(9) {
        let _ = write!(
            text,
            "[components.db-{at}]\nblueprint = \"postgresql\"\n\
             [components.s3-{at}]\nblueprint = \"minio\"\n\
             [components.cache-{at}]\nblueprint = \"valkey\"\n\
             [components.bi-{at}]\nblueprint = \"superset\"\nrow_limit = {}\n\
             needs = {{ metadata = \"db-{at}\", cache = \"cache-{at}\" }}\n",
            1000 + at
        );
    }
    text
}

/// A small system that keeps its data in a database of its own.
const APPLICATION: &str = r#"[blueprint]
summary = "An application"
layer = "presentation"
zone = "application"
license = "Apache-2.0"
homepage = "https://app.example.com"
version = { default = "1.0.0", tested = ["1.0"] }
[blueprint.facts]
checked = 2026-01-01
sources = ["none: it exists in benchmarks only"]
[images.app]
from = "docker.io/example/app"
[needs.data]
capability = "postgresql.database"
params = { database = "${replace(component, '-', '_')}", user = "${replace(component, '-', '_')}" }
[needs.cache]
capability = "redis"
[services.app]
kind = "stateless"
main = true
image = "app"
probe = { tcp = "http" }
run_as = { user = 1000, read_only = true }
ports.http = { port = 8080, protocol = "http" }
env = { DATABASE = "${needs.data.host}:${needs.data.port}/${needs.data.database}", CACHE = "${needs.cache.host}" }
files = { "/etc/app.conf" = "app.conf.tera" }
resources.small = { cpu = "100m", memory = "64MiB" }
"#;

/// One platform with many consumers: every application uses the same database server and the same cache.
fn shared(services: usize) -> String {
    let mut text = HEAD.to_owned();
    text.push_str("[components.postgresql]\n[components.valkey]\n");
    for at in 3..services {
        let _ = write!(text, "[components.app-{at}]\nblueprint = \"application\"\n");
    }
    text
}

/// Reads a topology, with the built-in blueprints and the one of this file.
fn read(text: &str) -> (Compiler, Topology) {
    let files = [
        ("blueprint.toml", APPLICATION),
        ("app.conf.tera", "listen = {{ ports.http }}\n"),
    ];
    let folder = files
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .into();
    let own = [("application".to_owned(), ("application".to_owned(), folder))].into();
    let mut sources = Sources::default();
    let file = sources.add("platform.toml", text);
    let mut compiler = Compiler::new(sources, Library::new(own));
    let topology = compiler.read(file).expect("a topology");
    (compiler, topology)
}

fn resolve(compiler: &mut Compiler, topology: &Topology) -> Vec<Compiled> {
    let compiled = compiler.environments(topology, &topology.environments(), false);
    let faults = compiler.findings.iter();
    let faults: Vec<_> = faults
        .filter(|finding| finding.severity == Severity::Error)
        .collect();
    assert!(faults.is_empty(), "{faults:?}");
    compiled
}

/// The whole way: from the text to hashed bundles.
fn compile(text: &str) -> Vec<Sealed> {
    let (mut compiler, topology) = read(text);
    let compiled = resolve(&mut compiler, &topology);
    compiled
        .iter()
        .filter_map(|environment| compiler.bundle(&topology, environment))
        .collect()
}

/// Counts the services of all environments.
fn services(text: &str) -> ItemsCount {
    let (mut compiler, topology) = read(text);
    let compiled = resolve(&mut compiler, &topology);
    ItemsCount::new(
        compiled
            .iter()
            .map(|one| one.platform.services.len())
            .sum::<usize>(),
    )
}

fn whole(bencher: Bencher<'_, '_>, text: &str) {
    bencher.counter(services(text)).bench(|| compile(text));
}

#[divan::bench(sample_count = 50, args = ["minimal", "lakehouse"])]
fn examples(bencher: Bencher<'_, '_>, name: &str) {
    whole(bencher, &example(name));
}

#[divan::bench(max_time = 10, sample_count = 20, sample_size = 1, args = SERVICES)]
fn synthetic_groups(bencher: Bencher<'_, '_>, count: usize) {
    whole(bencher, &groups(count));
}

#[divan::bench(max_time = 10, sample_count = 20, sample_size = 1, args = SERVICES)]
fn synthetic_shared(bencher: Bencher<'_, '_>, count: usize) {
    whole(bencher, &shared(count));
}

/// The stages, one by one.
mod stages {
    use super::*;

    /// Lakehouse in all environments, and a thousand services.
    const INPUTS: &[&str] = &["lakehouse", "groups"];

    fn input(name: &str) -> String {
        match name {
            "groups" => groups(1_000),
            example => super::example(example),
        }
    }

    #[divan::bench(sample_count = 50, args = INPUTS)]
    fn parse(bencher: Bencher<'_, '_>, name: &str) {
        let text = input(name);
        bencher.counter(services(&text)).bench(|| read(&text));
    }

    /// Blueprints are read on the way.
    #[divan::bench(sample_count = 30, args = INPUTS)]
    fn resolve(bencher: Bencher<'_, '_>, name: &str) {
        let text = input(name);
        bencher
            .counter(services(&text))
            .with_inputs(|| read(&text))
            .bench_local_values(|(mut compiler, topology)| {
                super::resolve(&mut compiler, &topology)
            });
    }

    #[divan::bench(sample_count = 30, args = INPUTS)]
    fn build(bencher: Bencher<'_, '_>, name: &str) {
        let text = input(name);
        let (mut compiler, topology) = read(&text);
        let compiled = super::resolve(&mut compiler, &topology);
        let build = |one: &Compiled| {
            let build = backend::of(one.platform.environment.target)?;
            build(&one.platform).ok()
        };
        bencher
            .counter(services(&text))
            .bench_local(|| compiled.iter().filter_map(build).collect::<Vec<_>>());
    }

    #[divan::bench(sample_count = 30, args = INPUTS)]
    fn seal(bencher: Bencher<'_, '_>, name: &str) {
        let text = input(name);
        let (mut compiler, topology) = read(&text);
        let compiled = super::resolve(&mut compiler, &topology);
        let dev = &compiled[0].platform;
        let build = backend::of(dev.environment.target).expect("a backend");
        let bundle = build(dev).expect("a bundle");
        bencher
            .with_inputs(|| bundle.clone())
            .bench_local_values(|bundle| bundle.seal(lakewright::bundle::Meta::default()));
    }
}

/// Reviews: of the production bundle against one with more of it, and of a thousand services.
mod reviews {
    use std::collections::BTreeMap;

    use lakewright::review::{Options, Side, Snapshot, review};
    use lakewright::terms::Target;

    use super::*;

    type Files = BTreeMap<String, Vec<u8>>;

    fn files(text: &str, environment: &str) -> (Target, Files) {
        let (mut compiler, topology) = read(text);
        let compiled = resolve(&mut compiler, &topology);
        let one = compiled
            .iter()
            .find(|one| one.platform.environment.name == environment)
            .expect("the environment");
        let sealed = compiler.bundle(&topology, one).expect("a bundle");
        let files = sealed
            .files()
            .map(|(path, file)| (path.as_str().to_owned(), file.bytes.clone()))
            .collect();
        (one.platform.environment.target, files)
    }

    fn compare(bencher: Bencher<'_, '_>, environment: &str, old: &str, new: &str) {
        let side = |text: &str| {
            let (target, files) = files(text, environment);
            Side {
                label: String::new(),
                environments: vec![Snapshot::new("bench", environment, target, files)],
            }
        };
        let (old, new) = (side(old), side(new));
        assert!(!review(&old, &new, Options::default()).is_empty());
        bencher.bench_local(|| review(&old, &new, Options::default()));
    }

    /// One option, one size: what a pull request usually has.
    #[divan::bench(sample_count = 30)]
    fn production(bencher: Bencher<'_, '_>) {
        let old = example("lakehouse");
        let new = old.replace(
            "replicas = { min = 3, max = 10 }",
            "replicas = { min = 4, max = 8 }",
        );
        compare(bencher, "prod", &old, &new);
    }

    /// Every service gets another image.
    #[divan::bench(max_time = 10, sample_count = 10, sample_size = 1)]
    fn thousand_services(bencher: Bencher<'_, '_>) {
        let old = shared(1_000);
        let new = old.replace(
            "blueprint = \"application\"\n",
            "blueprint = \"application\"\nversion = \"1.0.1\"\n",
        );
        compare(bencher, "dev", &old, &new);
    }
}
