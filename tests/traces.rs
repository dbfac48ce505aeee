//! Where traces are collected, who is connected to that, and what the mesh is told, on a platform of small blueprints.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test reads files and fails where it must"
)]

mod support;

use std::collections::BTreeMap;

use lakewright::blueprint::{FILE_NAME, Folder, Library};
use lakewright::platform::{FlowReason, Platform};

const ABOUT: &str = r#"
[blueprint]
summary = "Stands for a system"
layer = "operations"
zone = "operations"
license = "Apache-2.0"
facts = { checked = 2026-11-23, sources = ["a test"] }
version = { default = "1.0", tested = ["1"] }
"#;

/// Takes spans in; nothing in its image can ask whether it is well.
const COLLECTOR: &str = r#"
[images.app]
from = "docker.io/library/app"

[needs.store]
capability = "traces.store"
start = "none"

[provides.otlp]
capability = "otlp"
service = "server"
port = "grpc"
values = { sampling = "${7}" }

[services.server]
kind = "stateless"
main = true
image = "app"
ports.grpc = { port = 4317, protocol = "grpc" }
ports.health = { port = 13133, protocol = "http" }
probe = { http = "/", port = "health", with = "nothing" }
files."/etc/app.yaml" = { data = "app.toml", as = "yaml" }
run_as = { user = 1000 }
resources.small = { cpu = "100m", memory = "128MiB" }
"#;

const FILE: &str = r#"
[written]
[became.empty]
key = "${null}"
[kept]
key = "${1}"
other = "${null}"
"#;

const STORE: &str = r#"
traces = { en = "it is where they lie", fr = "c'est leur place" }

[images.app]
from = "docker.io/library/app"

[provides.store]
capability = "traces.store"
service = "server"
port = "grpc"

[services.server]
kind = "stateless"
main = true
image = "app"
ports.grpc = { port = 4317, protocol = "grpc" }
run_as = { user = 1000 }
resources.small = { cpu = "100m", memory = "128MiB" }
"#;

/// Waits for the collector to start, and sends no spans itself.
const WEB: &str = r#"
traces = { en = "it cannot", fr = "il ne sait pas" }

[images.app]
from = "docker.io/library/app"

[needs.collector]
capability = "otlp"

[services.server]
kind = "stateless"
main = true
image = "app"
ports.http = { port = 8080, protocol = "http", publish = "web" }
run_as = { user = 1000 }
resources.small = { cpu = "100m", memory = "128MiB" }
"#;

/// Added by itself, with a need of its own.
const DOOR: &str = r#"
default_for = ["edge"]

[targets.kubernetes]
unsupported = "a gateway does it there"

[images.app]
from = "docker.io/library/app"

[needs.traces]
capability = "otlp"
optional = true
start = "none"

[provides.edge]
capability = "edge"
service = "server"
port = "http"
values = { scheme = "http" }

[services.server]
kind = "stateless"
main = true
image = "app"
env.COLLECTOR = "${needs.traces == null ? 'none' : needs.traces.host}"
ports.http = { port = 8080, protocol = "http", publish = "host", listen = 80 }
run_as = { user = 1000 }
resources.small = { cpu = "100m", memory = "32MiB" }
"#;

const TOPOLOGY: &str = r#"
[platform]
name = "lake"
domain = "lake.example"

[components.collector]
[components.store]
[components.web]

[environments.dev]
target = "compose"

[environments.prod]
target = "kubernetes"
size = "small"
"#;

fn library() -> Library {
    // What belongs to `[blueprint]` stands first.
    let folder = |text: &str| Folder::from([(FILE_NAME.to_owned(), format!("{ABOUT}{text}"))]);
    let mut collector = folder(COLLECTOR);
    collector.insert("app.toml".to_owned(), FILE.to_owned());
    let own = [
        ("collector", collector),
        ("store", folder(STORE)),
        ("web", folder(WEB)),
        ("nginx", folder(DOOR)),
    ];
    let own = own.map(|(name, folder)| (name.to_owned(), (name.to_owned(), folder)));
    Library::new(BTreeMap::from(own))
}

type Texts = BTreeMap<String, String>;

fn compiled(topology: &str) -> (BTreeMap<String, Platform>, BTreeMap<String, Texts>, String) {
    let mut compiled = support::compile("platform.toml", topology, library());
    let findings = compiled.text();
    let bundles = compiled.bundles.iter().map(|(name, sealed)| {
        let files = support::contents(sealed).into_iter();
        let files = files.map(|(path, (bytes, _))| (path, String::from_utf8(bytes).unwrap()));
        (name.clone(), files.collect())
    });
    let bundles = bundles.collect();
    let platforms = compiled.platforms.into_iter();
    let platforms = platforms.map(|platform| (platform.environment.name.clone(), platform));
    (platforms.collect(), bundles, findings)
}

fn manifest<'b>(bundle: &'b Texts, end: &str) -> &'b str {
    let mut files = bundle.iter();
    let (_, text) = files.find(|(path, _)| path.ends_with(end)).unwrap();
    text
}

#[test]
fn the_mesh_reports_for_all_but_those_that_traces_pass_through() {
    let (platforms, bundles, _) = compiled(TOPOLOGY);
    let prod = &platforms["prod"];
    let name = |at: usize| prod.services[at].name.as_str();
    let reports: Vec<(&str, &str, &str)> = prod
        .flows
        .iter()
        .filter(|flow| flow.reason == FlowReason::Traces)
        .map(|flow| (name(flow.from), name(flow.to), flow.port.as_str()))
        .collect();
    assert_eq!(reports, [("web", "collector", "grpc")]);
    let dev = &platforms["dev"].flows;
    assert!(dev.iter().all(|flow| flow.reason != FlowReason::Traces));

    let bundle = &bundles["prod"];
    let values = &bundle["prerequisites/istio-values.yaml"];
    assert!(
        values.contains(
            "  - name: lake-traces\n    opentelemetry:\n      service: collector.lake.svc.cluster.local\n      port: 4317\n"
        ),
        "{values}"
    );
    let mesh = manifest(bundle, "20-mesh.yaml");
    assert!(
        mesh.contains("- providers:\n    - name: lake-traces\n    randomSamplingPercentage: 7\n"),
        "{mesh}"
    );
    for carrier in ["-collector/10-server.yaml", "-store/10-server.yaml"] {
        let text = manifest(bundle, carrier);
        assert!(text.contains("disableSpanReporting: true"), "{text}");
    }
    assert!(!manifest(bundle, "-web/10-server.yaml").contains("Telemetry"));
    // The gateway, which is none of the services, is let through on both ways, and by the mesh.
    let gateway = manifest(bundle, "00-network-policies.yaml");
    assert!(gateway.contains("port: 4317"), "{gateway}");
    let collector = manifest(bundle, "-collector/10-server.yaml");
    assert_eq!(
        collector.matches("gateway-name: lake").count(),
        1,
        "{collector}"
    );
    assert!(
        collector.contains("cluster.local/ns/lake/sa/lake-istio"),
        "{collector}"
    );
}

#[test]
fn a_proxy_that_was_added_by_itself_is_connected() {
    let (_, bundles, _) = compiled(TOPOLOGY);
    let compose = &bundles["dev"]["compose.yaml"];
    assert!(compose.contains("COLLECTOR: collector"), "{compose}");
}

#[test]
fn an_image_without_a_tool_is_not_asked() {
    let (_, bundles, _) = compiled(TOPOLOGY);
    let compose = &bundles["dev"]["compose.yaml"];
    assert!(!compose.contains("healthcheck"), "{compose}");
    assert!(!compose.contains("service_healthy"), "{compose}");
    assert!(compose.contains("condition: service_started"), "{compose}");
    let collector = manifest(&bundles["prod"], "-collector/10-server.yaml");
    assert!(collector.contains("readinessProbe"), "{collector}");
}

#[test]
fn tables_that_became_empty_are_left_out() {
    let (_, bundles, _) = compiled(TOPOLOGY);
    let text = manifest(&bundles["dev"], "app.yaml");
    let (_, content) = text.split_once('\n').unwrap();
    assert_eq!(content, "kept:\n  key: 1\nwritten: {}\n");
}

#[test]
fn the_readme_says_who_sends_none() {
    let (_, bundles, _) = compiled(TOPOLOGY);
    for name in ["dev", "prod"] {
        let readme = &bundles[name]["README.md"];
        let part = readme.split("## Traces\n").nth(1).unwrap();
        assert!(part.contains("| store | it is where they lie |"), "{part}");
        assert!(part.contains("| web | it cannot |"), "{part}");
    }
}

#[test]
fn two_collectors_are_one_too_many_for_a_mesh() {
    let two = TOPOLOGY.replace(
        "[components.web]",
        "[components.other]\nblueprint = \"collector\"\n[components.web]\nneeds = { collector = \"other\" }",
    );
    let (platforms, _, findings) = compiled(&two);
    assert!(
        findings.contains("error[ambiguous-provider]: the mesh reports to what provides `otlp`"),
        "{findings}"
    );
    assert!(
        findings.contains("only in environment `prod`"),
        "{findings}"
    );
    assert!(!platforms.contains_key("prod"), "{findings}");
}
