//! What collectors get and what follows from them: on a platform of small blueprints, on every target.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test reads files and fails where it must"
)]

mod support;

use std::collections::BTreeMap;

use lakewright::blueprint::{FILE_NAME, Folder, Library};
use lakewright::platform::{FlowReason, Platform, Service};

const ABOUT: &str = r#"
[blueprint]
summary = "Stands for a system"
layer = "operations"
zone = "operations"
license = "Apache-2.0"
facts = { checked = 2026-11-23, sources = ["a test"] }
version = { default = "1.0", tested = ["1"] }

[images.app]
from = "docker.io/library/app"
"#;

/// Scrapes everything.
const SCRAPER: &str = r#"
[services.server]
kind = "stateful"
main = true
image = "app"
ports.http = { port = 9090, protocol = "http" }
files."/etc/scraper.yaml" = { data = "scraper.toml", as = "yaml" }
certificate = { path = "/run/certs", reload = "self" }
metrics.default = { port = "http" }
run_as = { user = 1000 }
resources.small = { cpu = "100m", memory = "128MiB" }

[provides.metrics]
capability = "metrics"
service = "server"
port = "http"
"#;

const SCRAPER_FILE: &str = "scrape_configs = \"${monitoring.scrape_configs}\"\n";

/// Asks whether others answer.
const PROBER: &str = r#"
[services.server]
kind = "stateless"
main = true
for = "metrics"
image = "app"
ports.http = { port = 9115, protocol = "http" }
run_as = { user = 1000 }
resources.small = { cpu = "100m", memory = "32MiB" }

[provides.probes]
capability = "probes"
service = "server"
port = "http"
values = { healthy = "http_200", certificate = "tls_end" }
"#;

/// A system with metrics of its own, behind a token, and an exporter; one instance in three, each with a name.
const STORE: &str = r#"
[services.server]
kind = "stateful"
members = true
main = true
image = "app"
replicas = 3
secrets = ["token", "password"]
ports.sql = { port = 5000, protocol = "tcp" }
ports.http = { port = 5001, protocol = "http", tls = "environment.target != 'kubernetes'", publish = "web", check = "/well" }
ports.page = { port = 5002, protocol = "http", publish = "web", host = "page" }
ports.admin = { port = 5003, protocol = "http", tls = "environment.target != 'kubernetes'" }
probe = { http = "/well", port = "http", with = "curl" }
metrics.default = { port = "http", path = "/v2/metrics", bearer = "token", interval = "90s", params = { set = "${component}" } }
metrics.extra = { port = "page", basic = { user = "reader", password = "password" }, honor_labels = true, labels = { tier = "$gold" } }
metrics.never = { port = "page", when = "environment.name == 'never'" }
run_as = { user = 1000 }
resources.small = { cpu = "100m", memory = "128MiB" }

[services.exporter]
kind = "stateless"
for = "metrics"
image = "app"
replicas = 2
connects = ["server.sql"]
ports.metrics = { port = 9187, protocol = "http" }
metrics.default = { port = "metrics" }
run_as = { user = 1000 }
resources.small = { cpu = "100m", memory = "32MiB" }

[services.shipper]
kind = "stateless"
for = "logs"
image = "app"
run_as = { user = 1000 }
resources.small = { cpu = "100m", memory = "32MiB" }

[secrets.token]
kind = "alphanumeric"
purpose = "read its metrics"

[secrets.password]
kind = "alphanumeric"
user = "reader"
purpose = "read its other metrics"
"#;

/// Looks at machines.
const WATCHER: &str = r#"
[services.watcher]
kind = "stateless"
main = true
for = "metrics"
per_host = true
image = "app"
host_mounts."/host" = { from = "/", why = "its disks are watched" }
ports.metrics = { port = 9100, protocol = "http" }
metrics.default = { port = "metrics" }
run_as = { user = 1000 }
resources.small = { cpu = "100m", memory = "32MiB" }
"#;

/// Publishes what others want published.
const DOOR: &str = r#"
[targets.kubernetes]
unsupported = "a gateway does it there"

[services.door]
kind = "stateless"
main = true
image = "app"
ports.https = { port = 8443, protocol = "http", publish = "host", listen = 443 }
run_as = { user = 1000 }
resources.small = { cpu = "100m", memory = "32MiB" }

[provides.edge]
capability = "edge"
service = "door"
port = "https"
values = { scheme = "https" }
"#;

const TOPOLOGY: &str = r#"
[platform]
name = "lake"
domain = "lake.example"

[components.store]
[components.scraper]
[components.prober]
[components.watcher]
[components.door]

[environments.dev]
target = "compose"
profiles.monitoring = ["scraper", "prober", "watcher"]

[environments.staging]
target = "swarm"
size = "small"
hosts = [{ name = "one", memory = "8GiB", cpus = 4 }, { name = "two", memory = "8GiB", cpus = 4 }]

[environments.prod]
target = "kubernetes"
size = "small"
components.door.enabled = false

[environments.sealed]
target = "compose"
tls = { public = "internal", services = "internal" }

[environments.dark]
target = "compose"
components.scraper.enabled = false
components.prober.enabled = false
"#;

fn library() -> Library {
    let folder = |text: &str| Folder::from([(FILE_NAME.to_owned(), format!("{ABOUT}{text}"))]);
    let mut scraper = folder(SCRAPER);
    scraper.insert("scraper.toml".to_owned(), SCRAPER_FILE.to_owned());
    let own = [
        ("scraper", scraper),
        ("prober", folder(PROBER)),
        ("store", folder(STORE)),
        ("watcher", folder(WATCHER)),
        ("door", folder(DOOR)),
    ];
    let own = own.map(|(name, folder)| (name.to_owned(), (name.to_owned(), folder)));
    Library::new(BTreeMap::from(own))
}

fn platforms() -> (
    BTreeMap<String, Platform>,
    BTreeMap<String, BTreeMap<String, String>>,
) {
    let mut compiled = support::compile("platform.toml", TOPOLOGY, library());
    assert_eq!(compiled.errors(), 0, "{}", compiled.text());
    let bundles = compiled.bundles.iter().map(|(name, sealed)| {
        let files = support::contents(sealed).into_iter();
        let files = files.map(|(path, (bytes, _))| (path, String::from_utf8(bytes).unwrap()));
        (name.clone(), files.collect())
    });
    let bundles = bundles.collect();
    let platforms = compiled.platforms.into_iter();
    let platforms = platforms.map(|platform| (platform.environment.name.clone(), platform));
    (platforms.collect(), bundles)
}

fn service<'p>(platform: &'p Platform, name: &str) -> Option<&'p Service> {
    let mut services = platform.services.iter();
    services.find(|service| service.name == name)
}

/// Connections that looking takes: who to whom, and where.
fn looks(platform: &Platform) -> Vec<String> {
    let name = |at: usize| &platform.services[at].name;
    let flows = platform.flows.iter();
    flows
        .filter(|flow| flow.reason == FlowReason::Metrics)
        .map(|flow| format!("{} -> {}:{}", name(flow.from), name(flow.to), flow.port))
        .collect()
}

#[test]
fn what_is_there_for_collectors_starts_with_them() {
    let (platforms, _) = platforms();
    let dev = &platforms["dev"];
    let profile = |name: &str| service(dev, name).unwrap().profile.clone();
    assert_eq!(profile("store"), None);
    assert_eq!(profile("store-exporter").as_deref(), Some("monitoring"));
    // Nothing collects logs.
    assert!(service(dev, "store-shipper").is_none());
    let dark = &platforms["dark"];
    for name in ["store-exporter", "watcher"] {
        assert!(service(dark, name).is_none(), "{name}");
    }
    assert!(looks(dark).is_empty());
    assert!(service(dark, "store").unwrap().scrapes.is_empty());
    assert!(dark.collectors.metrics.is_none() && dark.probes.is_empty());
}

#[test]
fn collectors_reach_what_they_scrape_and_nothing_else() {
    let (platforms, _) = platforms();
    let outside = [
        "prober -> door:https",
        "scraper -> prober:http",
        "scraper -> store-exporter:metrics",
        "scraper -> store:http",
        "scraper -> store:page",
        "scraper -> watcher:metrics",
    ];
    assert_eq!(looks(&platforms["dev"]), outside);
    assert_eq!(looks(&platforms["staging"]), outside);
    // Without a proxy the services themselves are asked; replicas of what scrapes look at each other.
    let inside = [
        "prober -> store:http",
        "prober -> store:page",
        "scraper -> prober:http",
        "scraper -> scraper:http",
        "scraper -> store-exporter:metrics",
        "scraper -> store:http",
        "scraper -> store:page",
        "scraper -> watcher:metrics",
    ];
    assert_eq!(looks(&platforms["prod"]), inside);
}

#[test]
fn certificates_of_services_are_looked_at_where_there_are_some() {
    let (platforms, bundles) = platforms();
    let asked = "prober -> store:http";
    assert!(looks(&platforms["sealed"]).iter().any(|look| look == asked));
    assert!(looks(&platforms["dev"]).iter().all(|look| look != asked));
    let text = &bundles["sealed"]["scraper/scraper.yaml"];
    let configs = text.split("- job_name: ");
    let certificates: Vec<&str> = configs
        .filter(|config| config.starts_with("certificate\n"))
        .collect();
    insta::assert_snapshot!("collectors_certificates", certificates.join(""));
    assert!(!bundles["dev"]["scraper/scraper.yaml"].contains("job_name: certificate"));
}

#[test]
fn collectors_may_read_what_they_have_to_show() {
    let (platforms, _) = platforms();
    for name in ["dev", "staging", "prod"] {
        let scraper = service(&platforms[name], "scraper").unwrap();
        assert_eq!(scraper.secrets, ["store-password", "store-token"], "{name}");
    }
}

#[test]
fn scrape_configurations() {
    let (_, bundles) = platforms();
    insta::assert_snapshot!("collectors_dev", bundles["dev"]["scraper/scraper.yaml"]);
    insta::assert_snapshot!(
        "collectors_staging",
        bundles["staging"]["scraper/scraper.yaml"]
    );
}

#[test]
fn one_runs_on_each_machine() {
    let (platforms, bundles) = platforms();
    let watcher = service(&platforms["staging"], "watcher").unwrap();
    assert_eq!(watcher.placement, [0, 1]);
    let stack = &bundles["staging"]["stack.yaml"];
    for (number, host) in [(1, "one"), (2, "two")] {
        let service = stack
            .split(&format!("\n  watcher-{number}:\n"))
            .nth(1)
            .unwrap();
        let service = service.split("\n  w").next().unwrap();
        let constraint = format!("node.labels.lake-staging.host == {host}");
        assert!(service.contains(&constraint), "{service}");
        assert!(
            service.contains(
                "type: bind\n      source: /\n      target: /host\n      read_only: true"
            ),
            "{service}"
        );
    }
    let mut manifests = bundles["prod"].values();
    let manifest = manifests
        .find(|text| text.contains("kind: DaemonSet"))
        .unwrap();
    for part in [
        "kind: DaemonSet",
        "path: /\n",
        "mountPropagation: HostToContainer",
        "operator: Exists",
    ] {
        assert!(manifest.contains(part), "{part}\n{manifest}");
    }
    let compose = &bundles["dev"]["compose.yaml"];
    assert!(
        compose.contains("source: /\n      target: /host\n      read_only: true"),
        "{compose}"
    );
}

/// The objects of some kinds in a bundle, in the order of its files.
fn objects(bundle: &BTreeMap<String, String>, kinds: &[&str]) -> String {
    let manifests = bundle
        .iter()
        .filter(|(path, _)| path.starts_with("manifests/"));
    let objects = manifests.flat_map(|(_, text)| text.split("\n---\n"));
    let objects = objects.filter(|object| {
        let mut kinds = kinds.iter();
        kinds.any(|kind| object.contains(&format!("\nkind: {kind}\n")))
    });
    let objects = objects.map(|object| {
        let begin = object.find("apiVersion").unwrap();
        object[begin..].trim_end().to_owned()
    });
    objects.collect::<Vec<_>>().join("\n---\n")
}

#[test]
fn operators_are_told_what_files_say_elsewhere() {
    let (_, bundles) = platforms();
    let kinds = ["ServiceMonitor", "Probe", "PrometheusRule"];
    insta::assert_snapshot!("collectors_prod", objects(&bundles["prod"], &kinds));
    for name in ["dev", "staging"] {
        assert_eq!(objects(&bundles[name], &kinds), "", "{name}");
    }
    // What the objects are of is looked for before they are applied.
    let preflight = &bundles["prod"]["preflight.sh"];
    assert!(preflight.contains("Prometheus operator"), "{preflight}");
}
