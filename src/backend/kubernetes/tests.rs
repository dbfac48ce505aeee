//! What the objects look like, on a small platform.

use std::collections::BTreeMap;

use super::*;
use crate::blueprint::Library;
use crate::compile::Compiler;
use crate::diagnostic::text;
use crate::source::Sources;
use crate::template::to_yaml;

/// A store that an operator runs, a cluster that has a certificate, a web interface that asks
/// both of them, and pods that are launched at run time.
const BLUEPRINT: &str = r#"
[blueprint]
summary = "Stands for several systems"
layer = "operations"
zone = "application"
license = "Apache-2.0"
version = { default = "1.0", tested = ["1"] }
facts = { checked = 2026-11-22, sources = ["a test"] }

[images.app]
from = "docker.io/library/app"

[services.database]
kind = "stateful"
image = "app"
managed = { by = "an operator", labels = { "example.com/cluster" = "main" }, service_account = "main", host = "database-rw", operator = { namespace = "operators", ports = ["status"] } }
ports.sql = { port = 5432, protocol = "tcp" }
ports.status = { port = 8000, protocol = "http" }
resources.small = { cpu = "100m", memory = "64MiB" }

[services.nodes]
kind = "stateful"
image = "app"
replicas = 3
members = true
certificate = { path = "/certificates" }
connects = ["nodes.peers"]
ports.api = { port = 9200, protocol = "http" }
ports.peers = { port = 9300, protocol = "tcp" }
ports.flight = { port = 32010, protocol = "grpc", publish = "tcp" }
ports.wire = { port = 31010, protocol = "tcp", publish = "tcp" }
resources.small = { cpu = "100m", memory = "64MiB" }

[services.web]
kind = "stateless"
image = "app"
replicas = 5
connects = ["database.sql", "nodes.api"]
cluster_api = { why = "it launches pods", rules = [{ groups = [""], resources = ["pods"], verbs = ["create"] }] }
egress = { why = "mail and a catalogue", hosts = ["catalogue.example.com:443", "192.0.2.7:587"] }
ports.http = { port = 8088, protocol = "http", publish = "web", sticky = true, timeout = "90s" }
resources.small = { cpu = "100m", memory = "64MiB" }

[services.launched]
kind = "stateless"
image = "app"
connects = ["nodes.api"]
managed = { by = "web", launched = true, labels = { "example.com/launched" = "true" }, mesh = false }
egress = "sources are anywhere"
resources.small = { cpu = "100m", memory = "64MiB" }

[services.idle]
kind = "stateless"
image = "app"
resources.small = { cpu = "100m", memory = "64MiB" }
"#;

const TOPOLOGY: &str = r#"
[platform]
name = "lake"
domain = "data.example.com"

[components.app]

[environments.prod]
target = "kubernetes"
size = "small"
availability = "high"
zones = ["a", "b", "c"]
kubernetes.issuer = "public"
"#;

fn platform(folder: BTreeMap<String, String>, topology: &str) -> Platform {
    let (platform, findings) = compile(folder, topology);
    platform.expect(&findings)
}

/// The platform that a blueprint and a topology make, if they do, and what is found.
fn compile(folder: BTreeMap<String, String>, topology: &str) -> (Option<Platform>, String) {
    let library = Library::new(BTreeMap::from([(
        "app".to_owned(),
        ("app".to_owned(), folder),
    )]));
    let mut sources = Sources::default();
    let file = sources.add("platform.toml", topology);
    let mut compiler = Compiler::new(sources, library);
    let compiled = compiler
        .read(file)
        .map(|topology| compiler.environments(&topology, &["prod"], false))
        .unwrap_or_default();
    let findings = text::render(&compiler.findings, &compiler.sources, false, 120);
    let platform = compiled.into_iter().next();
    (platform.map(|compiled| compiled.platform), findings)
}

/// What a part of the backend makes of a topology.
fn made(topology: &str, part: impl Fn(&Context<'_>) -> Vec<Object>) -> String {
    made_of(&example(topology), part)
}

/// The small platform of a topology.
fn example(topology: &str) -> Platform {
    let folder = BTreeMap::from([("blueprint.toml".to_owned(), BLUEPRINT.to_owned())]);
    platform(folder, topology)
}

/// What a part of the backend makes of a platform, as a file would show it, without labels: they are all alike.
fn made_of(platform: &Platform, part: impl Fn(&Context<'_>) -> Vec<Object>) -> String {
    let cluster = platform.environment.cluster.as_ref().expect("a cluster");
    let context = Context::new(platform, cluster);
    let objects = part(&context).into_iter().map(|mut object| {
        if let Some(metadata) = object.json["metadata"].as_object_mut() {
            metadata.shift_remove("labels");
        }
        to_yaml(&object.json)
    });
    objects.collect::<Vec<_>>().join("---\n")
}

fn of_services<'c>(
    context: &'c Context<'_>,
    part: impl Fn(usize) -> Vec<Object> + 'c,
) -> impl Iterator<Item = Object> + 'c {
    (0..context.platform.services.len()).flat_map(part)
}

#[test]
fn network_policies() {
    let text = made(TOPOLOGY, |context| {
        let mut objects = network_policy::platform(context);
        objects.extend(network_policy::gateway(context));
        objects.extend(of_services(context, |at| {
            network_policy::service(context, at).into_iter().collect()
        }));
        objects
    });
    insta::assert_snapshot!(text);
}

#[test]
fn the_mesh() {
    let text = made(TOPOLOGY, |context| {
        let mut objects = mesh::platform(context);
        objects.extend(mesh::gateway(context));
        objects.extend(of_services(context, |at| mesh::service(context, at)));
        objects
    });
    insta::assert_snapshot!(text);
}

#[test]
fn the_gateway() {
    let text = made(TOPOLOGY, gateway::platform);
    insta::assert_snapshot!(text);
}

#[test]
fn the_gateway_of_the_mesh() {
    let topology = format!("{TOPOLOGY}kubernetes.gateway = \"istio\"\n");
    let text = made(&topology, gateway::platform);
    insta::assert_snapshot!(text);
}

#[test]
fn certificates() {
    let text = made(TOPOLOGY, |context| {
        let mut objects = certificates::authority(context);
        objects.extend(of_services(context, |at| {
            certificates::service(context, at).into_iter().collect()
        }));
        objects
    });
    insta::assert_snapshot!(text);
}

#[test]
fn certificates_are_as_was_asked() {
    let topology = format!(
        "{TOPOLOGY}tls = {{ key = \"rsa-3072\", lifetime = \"10d\", authority_lifetime = \"50d\" }}\n"
    );
    let text = made(&topology, |context| {
        let mut objects = certificates::authority(context);
        objects.extend(of_services(context, |at| {
            certificates::service(context, at).into_iter().collect()
        }));
        objects
    });
    // The authority is renewed while it still outlives what it signs.
    for line in [
        "duration: 1200h",
        "renewBefore: 240h",
        "duration: 240h",
        "renewBefore: 80h",
        "  algorithm: RSA",
        "  size: 3072",
    ] {
        assert!(text.contains(&format!("  {line}\n")), "{line}: {text}");
    }
}

#[test]
fn without_a_mesh_there_is_nothing_of_it() {
    let mut platform = example(TOPOLOGY);
    if let Some(cluster) = &mut platform.environment.cluster {
        cluster.mesh = false;
    }
    let text = made_of(&platform, |context| {
        let mut objects = mesh::platform(context);
        objects.extend(mesh::gateway(context));
        objects.extend(gateway::platform(context));
        objects.extend(of_services(context, |at| mesh::service(context, at)));
        objects.extend(network_policy::gateway(context));
        objects
    });
    assert_eq!(text, "");
    let policies = made_of(&platform, network_policy::platform);
    assert!(!policies.contains("istio"), "{policies}");
}

/// What runs: a store with a volume, a web interface that load scales, a job, a scheduled one.
const WORKLOADS: &str = r#"
[blueprint]
summary = "Stands for a system"
layer = "presentation"
zone = "application"
license = "Apache-2.0"
version = { default = "1.0", tested = ["1"] }
facts = { checked = 2026-11-22, sources = ["a test"] }

[images.app]
from = "docker.io/library/app"

[secrets.key]
kind = "hex"
purpose = "signs things"

[secrets.password]
kind = "hex"
user = "admin"
purpose = "lets the administrator in"

[volumes.data]
size.small = "5GiB"

[services.store]
kind = "stateful"
members = true
replicas = 3
quorum = "2"
image = "app"
command = ["serve", "$(pwd)"]
secrets = ["key", "password"]
volumes."/data" = "data"
ports.api = { port = 9200, protocol = "http" }
probe = { http = "/ready", port = "api", live = { tcp = "api" }, startup = "60s", interval = "10s" }
resources.small = { cpu = "100m", memory = "64MiB" }
run_as = { user = 1000, group = 0, read_only = true, writable = ["/tmp"] }

[services.web]
kind = "stateless"
image = "app"
replicas = "options.replicas"
scale = { metric = "cpu", target = 70 }
connects = ["store.api"]
env = { ZONE = { zone = true }, KEY = { secret = "key" }, MADE = { made = { name = "made-${component}", key = "token" } } }
files = { "/etc/app.conf" = "app.conf.tera", "/opt/start.sh" = { template = "start.sh.tera", executable = true } }
ports.http = { port = 8088, protocol = "http", publish = "web" }
resources.small = { cpu = "100m", memory = "64MiB" }
run_as = { user = 1000 }

[options.replicas]
format = "replicas"
default = { min = 2, max = 5 }
description = "How many run."

[jobs.init]
image = "app"
before = ["web"]
timeout = "10min"
resources.small = { cpu = "100m", memory = "64MiB" }
run_as = { user = 1000, read_only = true }

[jobs.nightly]
image = "app"
schedule = "0 2 * * *"
resources.small = { cpu = "100m", memory = "64MiB" }
run_as = { user = 1000, read_only = true }
"#;

/// The platform of [`WORKLOADS`] and what else its blueprint says.
fn running(more: &str, files: &[(&str, &str)]) -> Platform {
    let blueprint = format!("{WORKLOADS}{more}");
    let folder = [
        ("blueprint.toml", blueprint.as_str()),
        ("app.conf.tera", "listen {{ ports.http }}\n"),
        ("start.sh.tera", "#!/bin/sh\nexec app\n"),
    ];
    let folder = folder.iter().chain(files);
    let folder = folder.map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let topology = format!("{TOPOLOGY}secret_versions = {{ app-key = 2 }}\n");
    let topology = topology.replace(
        "kubernetes.issuer",
        "kubernetes.cloud = \"gcp\"\nkubernetes.issuer",
    );
    platform(folder.collect(), &topology)
}

#[test]
fn files_that_are_too_large_for_one_object_are_shared_out() {
    let names = ["a", "b", "c", "d"];
    let files = names.map(|name| format!("files.\"/etc/{name}.txt\" = \"{name}.static\"\n"));
    let blueprint = BLUEPRINT.replace(
        "[services.idle]\n",
        &format!("[services.idle]\n{}", files.concat()),
    );
    let mut folder = BTreeMap::from([("blueprint.toml".to_owned(), blueprint)]);
    for name in names {
        folder.insert(format!("{name}.static"), name.repeat(400 * 1024));
    }
    let platform = platform(folder, TOPOLOGY);
    let cluster = platform.environment.cluster.as_ref().expect("a cluster");
    let context = Context::new(&platform, cluster);
    let services = platform.services.iter();
    let at = services
        .enumerate()
        .find(|(_, service)| service.key == "idle");
    let (at, service) = at.expect("the service");
    let mut made = BTreeMap::new();
    for object in config::maps(&context, service) {
        let data = object.json["data"].as_object().expect("its data").clone();
        let bytes: usize = data
            .values()
            .filter_map(|text| text.as_str())
            .map(str::len)
            .sum();
        assert!(bytes < 1024 * 1024, "{bytes}");
        made.insert(
            object.json["metadata"]["name"].clone().to_string(),
            data.len(),
        );
    }
    assert_eq!(made.values().sum::<usize>(), names.len());
    assert_eq!(made.len(), 2);
    let workload = workload::object(&context, at).expect("a workload");
    let text = workload.json.to_string();
    for name in made.keys() {
        assert!(text.contains(name.as_str()), "{name}: {text}");
    }
}

fn workloads(part: impl Fn(&Context<'_>, usize) -> Vec<Object>) -> String {
    made_of(&running("", &[]), |context| {
        of_services(context, |at| part(context, at)).collect()
    })
}

#[test]
fn sets_deployments_and_jobs() {
    insta::assert_snapshot!(workloads(|context, at| {
        workload::object(context, at).into_iter().collect()
    }));
}

#[test]
fn what_a_service_needs_beside_its_workload() {
    insta::assert_snapshot!(workloads(|context, at| {
        let service = context.service(at);
        let mut objects = identity::objects(context, service);
        objects.extend(config::maps(context, service));
        objects.extend(service::objects(context, service));
        objects.extend(availability::disruption_budget(context, service));
        objects.extend(availability::autoscaler(context, service));
        objects
    }));
}

#[test]
fn what_belongs_to_the_cluster() {
    insta::assert_snapshot!(workloads(|context, at| {
        if at > 0 {
            return Vec::new();
        }
        let mut objects = vec![namespace(context)];
        objects.extend(availability::priority_classes(context));
        objects.extend(storage::classes(context));
        objects
    }));
}

/// An object of an operator, which says when it is up.
const OPERATED: &str = r#"
[objects.thing]
data = "thing.toml"
ready = "Ready"

[operators."things.example.com"]
name = "Thing operator"
version = "2.1"
help = "https://example.com/things"
labels = { app = "thing-operator" }
"#;
const THING: &str = "apiVersion = \"things.example.com/v1\"\nkind = \"Thing\"\nmetadata = { name = \"thing\" }\nspec = { password = \"${secret_objects.password}\" }\n";

/// What a script does once its functions are defined.
fn script(name: &str, begin: &str) -> String {
    let platform = running(OPERATED, &[("thing.toml", THING)]);
    let bundle = build(&platform).expect("a bundle");
    let file = bundle.get(name).expect("a script");
    assert!(file.executable);
    let text = String::from_utf8(file.bytes.clone()).expect("text");
    let at = text.find(begin).expect("where its work begins");
    text[at..].to_owned()
}

#[test]
fn what_is_applied_is_waited_for() {
    insta::assert_snapshot!(script("apply.sh", "if [ -n \"${preflight}\" ]"));
}

#[test]
fn what_a_cluster_must_have_is_looked_for() {
    insta::assert_snapshot!(script("preflight.sh", "# --- operators"));
}

#[test]
fn secrets_are_made_from_files() {
    insta::assert_snapshot!(script("secrets.sh", "# Usage: secret OBJECT"));
}

#[test]
fn objects_of_no_known_operator_are_a_fault() {
    let folder = BTreeMap::from([
        (
            "blueprint.toml".to_owned(),
            format!("{WORKLOADS}[objects.thing]\ndata = \"thing.toml\"\n"),
        ),
        ("app.conf.tera".to_owned(), String::new()),
        ("start.sh.tera".to_owned(), String::new()),
        ("thing.toml".to_owned(), THING.to_owned()),
    ]);
    let (_, findings) = compile(folder, TOPOLOGY);
    assert!(
        findings.contains("no operator is declared for the API group `things.example.com`"),
        "{findings}"
    );
}
