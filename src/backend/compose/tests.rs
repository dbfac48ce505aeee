//! What a cluster inside a service looks like, on a small platform.

use std::collections::BTreeMap;

use crate::backend;
use crate::blueprint::Library;
use crate::compile::Compiler;
use crate::diagnostic::text;
use crate::source::Sources;

const ABOUT: &str = r#"
[blueprint]
summary = "Stands for a system"
layer = "operations"
zone = "application"
license = "Apache-2.0"
facts = { checked = 2026-11-22, sources = ["a test"] }
"#;

/// A service with a cluster in it.
const HOST: &str = r#"
[blueprint.version]
default = "1.36.4"
tested = ["1.36"]

[images.app]
from = "docker.io/library/host"

[services.machine]
kind = "stateful"
main = true
image = "app"
hosts_cluster = { manifests = "/manifests" }
command = ["${guests.namespace}", "${guests.ports}"]
egress = "pulls images"
ports.api = { port = 6443, protocol = "tcp" }
resources.small = { cpu = "100m", memory = "512MiB" }
run_as = { user = 0, root = "it runs containers", privileged = "it runs containers" }

[provides.kubernetes]
capability = "kubernetes"
service = "machine"
port = "api"
"#;

/// What runs in it: reaches a store outside, and is reached by a reader there.
const GUEST: &str = r#"
[blueprint.version]
default = "1.0"
tested = ["1"]

[requires]
cluster = "it launches pods"

[images.app]
from = "docker.io/library/guest"

[services.server]
kind = "stateless"
main = true
image = "app"
replicas = 2
command = ["${environment.target}", "${environment.kubernetes}", "${needs.store.host}"]
env.PASSWORD = { secret_of = "store" }
ports.http = { port = 8080, protocol = "http" }
ports.status = { port = 9000, protocol = "http" }
connects = ["helper.wire"]
resources.small = { cpu = "100m", memory = "128MiB" }
run_as = { user = 1000 }

[services.helper]
kind = "stateless"
image = "app"
needs = []
ports.wire = { port = 7000, protocol = "tcp" }
resources.small = { cpu = "100m", memory = "64MiB" }
run_as = { user = 1000 }

[needs.store]
capability = "store"

[provides.page]
capability = "page"
service = "server"
port = "http"
"#;

const STORE: &str = r#"
[blueprint.version]
default = "1.0"
tested = ["1"]

[images.app]
from = "docker.io/library/store"

[services.server]
kind = "stateful"
members = true
main = true
image = "app"
serves = ["store"]
ports.sql = { port = 5432, protocol = "tcp" }
probe = { exec = ["true"] }
resources.small = { cpu = "100m", memory = "64MiB" }

[provides.store]
capability = "store"
service = "server"
port = "sql"
secret = { kind = "alphanumeric", user = "reader" }
"#;

const READER: &str = r#"
[blueprint.version]
default = "1.0"
tested = ["1"]

[images.app]
from = "docker.io/library/reader"

[services.server]
kind = "stateless"
main = true
image = "app"
resources.small = { cpu = "100m", memory = "64MiB" }

[needs.page]
capability = "page"
"#;

const TOPOLOGY: &str = r#"
[platform]
name = "lake"

[components.guest]
[components.host]
[components.reader]
[components.store]

[environments.dev]
target = "compose"

[environments.staging]
target = "swarm"
domain = "data.example.com"
components.store.services.server.replicas = 2
hosts = [
    { name = "one", memory = "4GiB", cpus = 4 },
    { name = "two", memory = "4GiB", cpus = 4 },
]
"#;

/// Returns the text of a file of the bundle for Compose.
fn file(path: &str) -> String {
    file_of("dev", path)
}

/// Returns the text of a file of an environment's bundle.
fn file_of(environment: &str, path: &str) -> String {
    let own = [
        ("guest", GUEST),
        ("host", HOST),
        ("reader", READER),
        ("store", STORE),
    ];
    let own = own.map(|(name, text)| {
        let folder = BTreeMap::from([("blueprint.toml".to_owned(), format!("{ABOUT}{text}"))]);
        (name.to_owned(), (name.to_owned(), folder))
    });
    let mut sources = Sources::default();
    let topology = sources.add("platform.toml", TOPOLOGY);
    let mut compiler = Compiler::new(sources, Library::new(BTreeMap::from(own)));
    let compiled = compiler
        .read(topology)
        .map(|topology| compiler.environments(&topology, &[environment], false))
        .unwrap_or_default();
    let findings = text::render(&compiler.findings, &compiler.sources, false, 120);
    let platform = &compiled.first().expect(&findings).platform;
    let build = backend::of(platform.environment.target).expect("a backend");
    let bundle = build(platform).expect("a bundle");
    let file = bundle.get(path).expect("the file");
    String::from_utf8_lossy(&file.bytes).into_owned()
}

/// Returns objects of some kinds, without their labels.
fn objects(path: &str, kinds: &[&str]) -> String {
    objects_of("dev", path, kinds)
}

fn objects_of(environment: &str, path: &str, kinds: &[&str]) -> String {
    let text = file_of(environment, path);
    let objects = text.split("---\n").filter(|object| {
        let mut lines = object.lines();
        lines.any(|line| {
            line.strip_prefix("kind: ")
                .is_some_and(|kind| kinds.contains(&kind))
        })
    });
    let labels = |line: &&str| !line.contains("lakewright") && !line.starts_with('#');
    let objects = objects.map(|object| {
        let lines: Vec<&str> = object.lines().filter(labels).collect();
        lines.join("\n")
    });
    objects.collect::<Vec<_>>().join("\n---\n")
}

#[test]
fn names_in_a_cluster_for_what_lies_outside() {
    insta::assert_snapshot!(objects(
        "host/manifests/20-outside.yaml",
        &["Service", "EndpointSlice"]
    ));
}

#[test]
fn the_border_of_a_cluster() {
    insta::assert_snapshot!(objects(
        "host/manifests/30-guest.yaml",
        &["Service", "NetworkPolicy"]
    ));
}

#[test]
fn workloads_in_a_cluster() {
    insta::assert_snapshot!(objects("host/manifests/30-guest.yaml", &["Deployment"]));
}

#[test]
fn a_service_stands_for_what_runs_in_its_cluster() {
    let text = file("compose.yaml");
    let mut shown = String::new();
    let mut wanted = false;
    for line in text.lines() {
        if line.starts_with("  ") && !line.starts_with("   ") {
            wanted = matches!(line, "  host:" | "  reader:" | "  store:");
        } else if !line.starts_with(' ') {
            wanted = false;
        }
        if wanted {
            shown.push_str(line);
            shown.push('\n');
        }
    }
    assert!(!text.contains("\n  guest:\n"), "{text}");
    insta::assert_snapshot!(shown);
}

#[test]
fn what_needs_all_rights_runs_beside_a_stack() {
    insta::assert_snapshot!(file_of("staging", "beside.yaml"));
    let stack = file_of("staging", "stack.yaml");
    assert!(!stack.contains("privileged"), "{stack}");
    // A network that leads to what runs beside may be joined, one that leads nowhere else is not the stack's.
    let networks = stack.split("\nnetworks:\n").nth(1).unwrap_or_default();
    let network = |name: &str| {
        let after = networks.split(&format!("  {name}:\n")).nth(1)?;
        let lines = after.lines().take_while(|line| line.starts_with("    "));
        Some(lines.collect::<Vec<_>>().join("\n"))
    };
    let joined = network("guest-to-store").expect("the network");
    assert!(joined.contains("attachable: true"), "{joined}");
    assert_eq!(network("host-egress"), None);
}

#[test]
fn a_cluster_beside_a_stack_finds_addresses_by_itself() {
    insta::assert_snapshot!(objects_of(
        "staging",
        "host/manifests/20-outside.yaml",
        &["Service", "EndpointSlice"]
    ));
}

#[test]
fn the_border_of_a_cluster_beside_a_stack() {
    insta::assert_snapshot!(objects_of(
        "staging",
        "host/manifests/30-guest.yaml",
        &["NetworkPolicy"]
    ));
}
