//! What holds for every topology, tried on random ones: nothing panics, the same input gives the same bundles, and a
//! bundle that is made refers to nothing that is not in it.
//!
//! The random numbers are the same in every run; `PROPTEST_CASES=10000 cargo test --release --test properties` looks
//! further.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test reads the project's files"
)]

mod support;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use lakewright::blueprint::{Blueprint, Library};
use lakewright::diagnostic::{self, locate::Locator};
use lakewright::platform::Platform;
use lakewright::source::Sources;
use lakewright::terms::Target;
use proptest::collection::vec;
use proptest::prelude::{Strategy, any};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use serde_json::Value as Json;
use support::{Compiled, compile, contents, read};

/// Runs a property on random inputs, the same in every run.
fn hold<S: Strategy>(
    cases: u32,
    strategy: &S,
    test: impl Fn(S::Value) -> Result<(), TestCaseError>,
) {
    let mut config = Config {
        failure_persistence: None,
        max_shrink_iters: 20,
        ..Config::default()
    };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = cases;
    }
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    if let Err(error) = TestRunner::new_with_rng(config, random).run(strategy, test) {
        panic!("{error}");
    }
}

/// Numbers to decide with. When they run out all are zero, the calmest choice: shrinking leads to less.
#[derive(Debug)]
struct Dice {
    numbers: Vec<u32>,
    at: usize,
}

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        let number = self.numbers.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        number as usize % limit.max(1)
    }

    /// Says yes once in so many times.
    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == times - 1
    }

    fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

fn dice() -> impl Strategy<Value = Dice> {
    vec(any::<u32>(), 0..600).prop_map(|numbers| Dice { numbers, at: 0 })
}

/// What nobody should write, and somebody will.
const GARBAGE: &[&str] = &[
    "true",
    "-1",
    "0",
    "9223372036854775807",
    "1.5",
    "nan",
    "2026-11-22",
    "[]",
    "{}",
    "[1, \"a\", [true]]",
    "{ a = { b = [] } }",
    "\"\"",
    "\" \"",
    "\"\\u0000\"",
    "\"\\u202e\\u200b\"",
    "\"${options.x}\"",
    "\"{{ x }} {% x %}\"",
    "\"a\\nb\"",
    "\"'\\\"`$(id)$X%s\\\\\"",
    "\"../../x\"",
    "\"/\"",
    "\"99999999999999999999TiB\"",
    "\"0B\"",
    "\"-5m\"",
    "\"* * * * *\"",
    "\"日本語 größe\"",
];

/// A random topology: of the blueprints there are, with settings they have. A wild one is seldom without faults.
fn topology(dice: &mut Dice, blueprints: &[Blueprint], wild: bool) -> String {
    let mut components: Vec<(String, &Blueprint)> = Vec::new();
    let provides = |blueprint: &Blueprint, capability: &str| {
        let mut all = blueprint.model.provides.values();
        all.any(|provide| provide.capability == capability)
    };
    for blueprint in blueprints {
        let mut count = *dice.pick(&[0, 0, 1, 1, 1, 2]);
        if !wild {
            // Two of a kind would want the same names of their provider, and nobody says which of two proxies it is.
            let alone = !blueprint.model.needs.is_empty() || provides(blueprint, "edge");
            let proxy = provides(blueprint, "edge")
                && components.iter().any(|(_, other)| provides(other, "edge"));
            count = count.min(if proxy {
                0
            } else if alone {
                1
            } else {
                2
            });
        }
        for number in 0..count {
            let name = match (number, dice.below(3)) {
                (0, 0 | 1) => blueprint.name.clone(),
                (_, 2) => format!("c{}", components.len()),
                _ => format!("{}-{}", blueprint.name, components.len()),
            };
            components.push((name, blueprint));
        }
    }
    let mut at = 0;
    while !wild && at < components.len() {
        for need in components[at]
            .1
            .model
            .needs
            .values()
            .filter(|need| !need.optional)
        {
            let able = |blueprint: &&Blueprint| provides(blueprint, &need.capability);
            if !components.iter().any(|(_, blueprint)| able(blueprint))
                && let Some(blueprint) = blueprints.iter().find(able)
            {
                components.push((format!("p{}", components.len()), blueprint));
            }
        }
        at += 1;
    }
    let mut text = "[platform]\nname = \"random\"\ndomain = \"data.example.com\"\n".to_owned();
    if dice.once_in(4) {
        text.push_str("locale = \"fr\"\n");
    }
    if wild && dice.once_in(8) {
        text.push_str(&format!(
            "{} = {}\n",
            dice.pick(&["name", "licences", "x"]),
            dice.pick(GARBAGE)
        ));
    }
    for (name, blueprint) in &components {
        text.push_str(&format!(
            "\n[components.{name}]\nblueprint = \"{}\"\n",
            blueprint.name
        ));
        for (need, spec) in &blueprint.model.needs {
            let able: Vec<&String> = components
                .iter()
                .filter(|(other, blueprint)| other != name && provides(blueprint, &spec.capability))
                .map(|(other, _)| other)
                .collect();
            if able.len() > 1 && !(wild && dice.once_in(4)) {
                text.push_str(&format!("needs.{need} = \"{}\"\n", dice.pick(&able)));
            } else if wild && dice.once_in(8) {
                text.push_str(&format!("needs.{need} = {}\n", dice.pick(GARBAGE)));
            }
        }
        settings(dice, blueprint, wild, &mut text);
    }
    for number in 0..=dice.below(3) {
        let target = dice.pick(Target::ALL);
        text.push_str(&format!(
            "\n[environments.e{number}]\ntarget = \"{target}\"\n"
        ));
        if *target != Target::Compose {
            text.push_str("registry = \"registry.example.com/random\"\n");
        }
        if *target == Target::Kubernetes {
            let zones = dice.pick(&["[]", "[\"a\"]", "[\"a\", \"b\"]", "[\"a\", \"b\", \"c\"]"]);
            text.push_str(&format!("zones = {zones}\n"));
            let proxies = components
                .iter()
                .filter(|(_, blueprint)| !wild && provides(blueprint, "edge"));
            for (name, _) in proxies {
                text.push_str(&format!("components.{name}.enabled = false\n"));
            }
            for (key, values) in [
                ("version", &["1.33", "1.35", "1.37"][..]),
                ("cloud", &["aws", "gcp", "azure"]),
                ("gateway", &["gateway-api", "istio"]),
                ("gitops", &["argocd"]),
                ("issuer", &["public"]),
            ] {
                if dice.once_in(2) {
                    let value = dice.pick(values);
                    text.push_str(&format!("kubernetes.{key} = \"{value}\"\n"));
                }
            }
        }
        if dice.once_in(3) {
            text.push_str(&format!(
                "size = \"{}\"\n",
                dice.pick(&["small", "medium", "large"])
            ));
        }
        if dice.once_in(3) {
            text.push_str("availability = \"high\"\n");
        }
        // A Swarm is planned over hosts, and most of these should carry what is there.
        let least = usize::from(*target == Target::Swarm);
        let hosts: Vec<String> = (0..least + dice.below(4))
            .map(|at| {
                let memory = if *target == Target::Swarm && !wild {
                    "16TiB"
                } else {
                    dice.pick(&["64GiB", "1TiB", "8GiB", "512MiB", "1B"])
                };
                let cpus = if memory == "16TiB" {
                    "16000"
                } else {
                    dice.pick(&["4", "0.5", "\"100m\"", "64"])
                };
                let count = if dice.once_in(5) { ", count = 3" } else { "" };
                format!("{{ name = \"h{at}\", memory = \"{memory}\", cpus = {cpus}{count} }}")
            })
            .collect();
        if !hosts.is_empty() {
            text.push_str(&format!("hosts = [{}]\n", hosts.join(", ")));
        }
        if wild && dice.once_in(6) {
            let key = dice.pick(&[
                "network", "bind", "zones", "keep", "storage", "profiles", "domain",
            ]);
            text.push_str(&format!("{key} = {}\n", dice.pick(GARBAGE)));
        }
        let free: Vec<&String> = components
            .iter()
            .filter(|(_, blueprint)| wild || blueprint.model.provides.is_empty())
            .map(|(name, _)| name)
            .collect();
        if !free.is_empty() && dice.once_in(3) {
            text.push_str(&format!("profiles.later = [\"{}\"]\n", dice.pick(&free)));
        }
        if !components.is_empty() && dice.once_in(3) {
            let (name, blueprint) = dice.pick(&components);
            // Said already, where it may have been.
            if provides(blueprint, "edge") {
                continue;
            }
            text.push_str(&format!("[environments.e{number}.components.{name}]\n"));
            if dice.once_in(4) {
                text.push_str("enabled = false\n");
            }
            settings(dice, blueprint, wild, &mut text);
        }
    }
    text
}

/// Settings of one component.
fn settings(dice: &mut Dice, blueprint: &Blueprint, wild: bool, text: &mut String) {
    let model = &blueprint.model;
    if dice.once_in(8) {
        text.push_str("version = \"0.0.1\"\n");
    }
    if dice.once_in(8) {
        text.push_str("size = \"large\"\n");
    }
    for (name, spec) in &model.options {
        if !dice.once_in(6) {
            continue;
        }
        let words = match spec.schema.get("enum") {
            Some(lakewright::value::Value::List(words)) => words.clone(),
            _ => Vec::new(),
        };
        let value = if wild && dice.once_in(2) {
            (*dice.pick(GARBAGE)).to_owned()
        } else if !words.is_empty() {
            dice.pick(&words).to_string()
        } else {
            match spec.schema.get("type").and_then(|kind| kind.as_text()) {
                Some("boolean") => dice.pick(&["true", "false"]).to_string(),
                Some("integer") => {
                    let bound = |key: &str| spec.schema.get(key).map(ToString::to_string);
                    let default = spec.default.as_ref().map(ToString::to_string);
                    let values = [default, bound("minimum"), bound("maximum")];
                    let values: Vec<String> = values.into_iter().flatten().collect();
                    if values.is_empty() {
                        continue;
                    }
                    dice.pick(&values).clone()
                }
                _ => match spec.default.as_ref().or(spec.example.as_ref()) {
                    Some(value) => value.to_string(),
                    None => continue,
                },
            }
        };
        text.push_str(&format!("{name} = {value}\n"));
    }
    let services: Vec<&String> = model.services.keys().chain(model.jobs.keys()).collect();
    if dice.once_in(3) && !services.is_empty() {
        let service = *dice.pick(&services);
        for (key, values) in [
            (
                "replicas",
                &["2", "1", "0", "7", "{ min = 2, max = 5 }"][..],
            ),
            ("memory", &["\"2GiB\"", "\"64MiB\"", "\"1B\"", "\"100TiB\""]),
            ("cpu", &["1", "\"50m\"", "0.001", "1000"]),
            ("env", &["{ X = \"a$b ${c}\" }", "{ \"A B\" = \"x\\ny\" }"]),
        ] {
            // A job runs once, and says so.
            let refused = key == "replicas" && model.jobs.contains_key(service) && !wild;
            if dice.once_in(3) && !refused {
                let value = if wild {
                    *dice.pick(GARBAGE)
                } else {
                    *dice.pick(values)
                };
                text.push_str(&format!("services.{service}.{key} = {value}\n"));
            }
        }
    }
}

const WATCHERS: [&str; 13] = [
    "alertmanager",
    "blackbox",
    "containers",
    "filebeat",
    "grafana",
    "jaeger",
    "kibana",
    "kube-state-metrics",
    "logstash",
    "node-exporter",
    "otel-collector",
    "prometheus",
    "zipkin",
];

fn blueprints() -> Vec<Blueprint> {
    let mut library = Library::default();
    let mut sources = Sources::default();
    let load = |name: String| match library.load(&mut sources, &name) {
        Some(Ok(blueprint)) => blueprint,
        _ => panic!("{name} does not load"),
    };
    // Those who watch look at everything, which makes a case ten times as long; `collectors` and `dashboards` test them.
    let mut names = Library::default().names();
    names.retain(|name| !WATCHERS.contains(&name.as_str()));
    let loaded: Vec<_> = names.into_iter().map(load).collect();
    drop(library);
    let mut blueprints: Vec<Blueprint> = loaded
        .into_iter()
        .map(|blueprint| std::sync::Arc::try_unwrap(blueprint).expect("the only one"))
        .collect();
    // What stands before pages of those has nothing to stand before.
    let provided: BTreeSet<String> = blueprints
        .iter()
        .flat_map(|blueprint| blueprint.model.provides.values())
        .map(|provide| provide.capability.clone())
        .collect();
    blueprints.retain(|blueprint| {
        let mut needs = blueprint.model.needs.values();
        needs.all(|need| need.optional || provided.contains(&need.capability))
    });
    blueprints
}

/// The files of a bundle: bytes, and whether each can be run.
type Files = BTreeMap<String, (Vec<u8>, bool)>;

/// What a compilation says and makes, to compare it with another.
fn outcome(compiled: &mut Compiled) -> (String, BTreeMap<String, Files>) {
    let bundles = compiled
        .bundles
        .iter()
        .map(|(name, sealed)| (name.clone(), contents(sealed)))
        .collect();
    (compiled.text(), bundles)
}

/// Findings lie inside their files and can be written in every format.
fn findings_hold(compiled: &Compiled) {
    let (findings, sources) = (&compiled.compiler.findings, &compiled.compiler.sources);
    let locator = Locator::new(sources);
    for finding in findings {
        let related = finding.related.iter().map(|(place, _)| place);
        for place in std::iter::once(&finding.place).chain(related) {
            let spot = locator.spot(place);
            assert!(spot.text.get(spot.span.clone()).is_some(), "{finding:?}");
            assert!(spot.line >= 1 && spot.column >= 1, "{finding:?}");
            assert!(spot.line <= spot.text.lines().count() + 1, "{finding:?}");
        }
        assert!(
            !finding.message.is_empty() && !finding.message.contains('\n'),
            "{finding:?}"
        );
    }
    for text in [
        diagnostic::json::render(findings, sources),
        diagnostic::sarif::render(findings, sources),
    ] {
        serde_json::from_str::<Json>(&text).expect("JSON");
    }
    let short = diagnostic::text::render_short(findings, sources);
    assert_eq!(short.lines().count(), findings.len(), "{short}");
}

/// A platform refers to nothing that it does not have, and takes no more than there is.
fn platform_holds(platform: &Platform) {
    let secrets: BTreeSet<&str> = platform.secrets.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(
        secrets.len(),
        platform.secrets.len(),
        "secrets have one name each"
    );
    let mut names = BTreeSet::new();
    for (at, service) in platform.services.iter().enumerate() {
        assert!(
            names.insert(&service.name),
            "two services are called {}",
            service.name
        );
        assert!(service.component < platform.components.len());
        for after in &service.start_after {
            assert!(after.service < platform.services.len() && after.service != at);
        }
        for secret in &service.secrets {
            assert!(
                secrets.contains(secret.as_str()),
                "{}: {secret}",
                service.name
            );
        }
        for mount in service.mounts.values() {
            assert!(mount.volume < platform.component_of(service).volumes.len());
        }
        for on in &service.placement {
            assert!(*on < platform.environment.hosts.len());
        }
        assert!(
            service.replicas.min <= service.replicas.max,
            "{}",
            service.name
        );
        assert!(service.resources.memory.0 > 0, "{}", service.name);
    }
    for flow in &platform.flows {
        assert!(flow.from < platform.services.len());
        assert!(
            platform.services[flow.to].ports.contains_key(&flow.port),
            "{flow:?}"
        );
    }
    for (at, host) in platform.environment.hosts.iter().enumerate() {
        // Summed up without the help of the check: what always runs here.
        let running = platform.services.iter().filter(|service| {
            service.kind.keeps_running() && platform.profile_of(service).is_none()
        });
        let (mut memory, mut cpu) = (0, 0);
        for service in running {
            let here = service.placement.iter().filter(|on| **on == at).count() as u64;
            memory += here * service.resources.memory.0;
            cpu += here * service.resources.cpu.0;
        }
        assert!(
            memory <= host.memory_budget().0,
            "{} is over its memory",
            host.name
        );
        assert!(
            cpu <= host.cpu_budget().0,
            "{} is over its processors",
            host.name
        );
    }
}

/// The names under a key of the Compose file.
fn defined(compose: &Json, key: &str) -> BTreeSet<String> {
    compose[key]
        .as_object()
        .map(|table| table.keys().cloned().collect())
        .unwrap_or_default()
}

/// A list of names, or of tables that say them under a key; or the keys of a table.
fn named(list: &Json, key: &str) -> Vec<String> {
    match list {
        Json::Array(items) => items
            .iter()
            .filter_map(|item| item.as_str().or_else(|| item[key].as_str()))
            .map(str::to_owned)
            .collect(),
        Json::Object(table) => table.keys().cloned().collect(),
        _ => Vec::new(),
    }
}

/// A bundle refers to nothing that is not in it, whatever its target.
fn bundle_holds(bundle: &Files) {
    if bundle.contains_key("compose.yaml") {
        compose_holds(bundle, "compose.yaml");
    } else if bundle.contains_key("stack.yaml") {
        compose_holds(bundle, "stack.yaml");
    } else {
        manifests_hold(bundle);
    }
}

/// The pairs of texts under a key of an object.
fn pairs(object: &Json, pointer: &str) -> BTreeMap<String, String> {
    let table = object.pointer(pointer).and_then(Json::as_object);
    table
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect()
}

fn text<'o>(object: &'o Json, pointer: &str) -> &'o str {
    object
        .pointer(pointer)
        .and_then(Json::as_str)
        .unwrap_or_default()
}

/// Every object that any object names, in the strings under some keys.
fn references<'o>(object: &'o Json, found: &mut Vec<(&'static str, &'o str)>) {
    match object {
        Json::Array(items) => items.iter().for_each(|item| references(item, found)),
        Json::Object(table) => {
            for (key, value) in table {
                match (key.as_str(), value) {
                    ("serviceAccountName", Json::String(name)) => {
                        found.push(("ServiceAccount", name));
                    }
                    ("claimName", Json::String(name)) => {
                        found.push(("PersistentVolumeClaim", name));
                    }
                    ("priorityClassName", Json::String(name)) => {
                        found.push(("PriorityClass", name))
                    }
                    ("configMap", Json::Object(map)) => {
                        let name = map.get("name").and_then(Json::as_str);
                        found.extend(name.map(|name| ("ConfigMap", name)));
                    }
                    _ => {}
                }
                references(value, found);
            }
        }
        _ => {}
    }
}

/// Objects have names of their own and refer to each other; selectors find pods; the network policies allow the listed
/// connections and no others.
fn manifests_hold(bundle: &Files) {
    let mut objects: Vec<Json> = Vec::new();
    for (path, (bytes, _)) in bundle {
        if path.starts_with("manifests/") && path.ends_with(".yaml") {
            let content = std::str::from_utf8(bytes).expect("text");
            for document in content.split("\n---\n") {
                objects.push(serde_saphyr::from_str(document).expect("YAML"));
            }
        }
    }
    let mut names = BTreeSet::new();
    for object in &objects {
        let (kind, name) = (text(object, "/kind"), text(object, "/metadata/name"));
        assert!(!kind.is_empty() && !name.is_empty(), "{object}");
        assert!(name.len() <= 63, "{kind} {name}");
        let own = names.insert((text(object, "/apiVersion"), kind, name));
        assert!(own, "two objects are {kind} {name}");
    }
    // A set makes the claims of its pods, of which there is at least the first.
    let claims: Vec<String> = objects
        .iter()
        .flat_map(|object| {
            let templates = object.pointer("/spec/volumeClaimTemplates");
            let templates = templates.and_then(Json::as_array).into_iter().flatten();
            let claim = |template| text(template, "/metadata/name");
            templates.map(move |one| format!("{}-{}-0", claim(one), text(object, "/metadata/name")))
        })
        .collect();
    let known: BTreeSet<(&str, &str)> = names
        .iter()
        .map(|(_, kind, name)| (*kind, *name))
        .chain(
            claims
                .iter()
                .map(|claim| ("PersistentVolumeClaim", claim.as_str())),
        )
        .collect();
    let mut pods: Vec<BTreeMap<String, String>> = Vec::new();
    for object in &objects {
        let mut found = Vec::new();
        references(object, &mut found);
        for reference in found {
            assert!(
                known.contains(&reference),
                "{reference:?} is not in the bundle"
            );
        }
        for template in ["/spec/template", "/spec/jobTemplate/spec/template"] {
            let labels = pairs(object, &format!("{template}/metadata/labels"));
            if !labels.is_empty() {
                for (key, value) in pairs(object, "/spec/selector/matchLabels") {
                    assert_eq!(labels.get(&key), Some(&value), "{object}");
                }
                pods.push(labels);
            }
        }
    }
    let (_, list) = bundle
        .iter()
        .find(|(path, _)| *path == "flows.json")
        .expect("a list of flows");
    let list: Json = serde_json::from_slice(&list.0).expect("JSON");
    let mut workloads: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for (name, workload) in list["workloads"].as_object().expect("workloads") {
        workloads.insert(name.clone(), pairs(workload, "/labels"));
    }
    let matches = |selector: &BTreeMap<String, String>, labels: &BTreeMap<String, String>| {
        selector
            .iter()
            .all(|(key, value)| labels.get(key) == Some(value))
    };
    for object in objects
        .iter()
        .filter(|object| text(object, "/kind") == "Service")
    {
        let selector = pairs(object, "/spec/selector");
        // Pods that an operator makes are known by what the list of flows says of them.
        let mut known = pods.iter().chain(workloads.values());
        let found = known.any(|labels| matches(&selector, labels));
        assert!(
            found,
            "nothing is behind {}",
            text(object, "/metadata/name")
        );
    }
    // Who may connect to whom on which port: as the egress of one and the ingress of the other say.
    let mut allowed: [BTreeSet<(String, String, u64)>; 2] = Default::default();
    let policies = objects
        .iter()
        .filter(|object| text(object, "/kind") == "NetworkPolicy");
    for policy in policies {
        let selector = pairs(policy, "/spec/podSelector/matchLabels");
        if selector.is_empty() {
            continue;
        }
        let own: Vec<&String> = workloads
            .iter()
            .filter(|(_, labels)| matches(&selector, labels))
            .map(|(name, _)| name)
            .collect();
        for (way, (direction, peers)) in [("egress", "to"), ("ingress", "from")].iter().enumerate()
        {
            let rules = policy["spec"][direction].as_array();
            for rule in rules.into_iter().flatten() {
                let peers = rule[peers].as_array();
                let peers = peers.into_iter().flatten().filter(|peer| {
                    peer.get("namespaceSelector").is_none() && peer.get("podSelector").is_some()
                });
                for peer in peers {
                    let selector = pairs(peer, "/podSelector/matchLabels");
                    let others = workloads
                        .iter()
                        .filter(|(_, labels)| matches(&selector, labels));
                    for ((other, _), port) in others.flat_map(|other| {
                        let ports = rule["ports"].as_array();
                        ports.into_iter().flatten().map(move |port| (other, port))
                    }) {
                        let port = port["port"].as_u64().expect("a number");
                        for own in &own {
                            let pair = if way == 0 {
                                ((*own).clone(), other.clone(), port)
                            } else {
                                (other.clone(), (*own).clone(), port)
                            };
                            allowed[way].insert(pair);
                        }
                    }
                }
            }
        }
    }
    let declared: BTreeSet<(String, String, u64)> = list["flows"]
        .as_array()
        .expect("flows")
        .iter()
        .map(|flow| {
            let end = |key: &str| flow[key].as_str().unwrap_or_default().to_owned();
            (end("from"), end("to"), flow["port"].as_u64().unwrap_or(0))
        })
        .filter(|(from, to, _)| workloads.contains_key(from) && workloads.contains_key(to))
        .collect();
    assert_eq!(
        allowed[0], declared,
        "what policies let out, and what is declared"
    );
    assert_eq!(
        allowed[1], declared,
        "what policies let in, and what is declared"
    );
}

/// A Compose file or a stack uses what it defines, and defines what it uses.
fn compose_holds(bundle: &Files, file: &str) {
    let text = std::str::from_utf8(&bundle[file].0).expect("text");
    let compose: Json = serde_saphyr::from_str(text).expect("YAML");
    let services = compose["services"].as_object().expect("services");
    let mut used: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut published = BTreeSet::new();
    for (name, service) in services {
        for other in named(&service["depends_on"], "service") {
            assert!(services.contains_key(&other), "{name} waits for {other}");
            assert_ne!(*name, other);
        }
        for (key, list) in [
            ("networks", "name"),
            ("configs", "source"),
            ("secrets", "source"),
        ] {
            used.entry(key)
                .or_default()
                .extend(named(&service[key], list));
        }
        for mount in service["volumes"].as_array().into_iter().flatten() {
            // One without a name goes with its task.
            if let (true, Some(source)) = (mount["type"] == "volume", mount["source"].as_str()) {
                used.entry("volumes").or_default().insert(source.to_owned());
            }
        }
        let ports = service["ports"].as_array().into_iter().flatten();
        for port in ports {
            let port = port["published"].to_string();
            assert!(
                published.insert(port.clone()),
                "{name}: port {port} is published twice"
            );
        }
    }
    for key in ["networks", "configs", "secrets", "volumes"] {
        let used = used.remove(key).unwrap_or_default();
        assert_eq!(used, defined(&compose, key), "{key}");
    }
    for config in compose["configs"].as_object().into_iter().flatten() {
        if let Some(file) = config.1["file"].as_str() {
            let file = file.trim_start_matches("./");
            assert!(
                bundle.contains_key(file),
                "{}: there is no {file}",
                config.0
            );
        }
    }
    let subnets: Vec<String> = compose["networks"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(_, network)| network["ipam"]["config"][0]["subnet"].to_string())
        .collect();
    let different: BTreeSet<&String> = subnets.iter().collect();
    assert_eq!(
        subnets.len(),
        different.len(),
        "two networks have one subnet"
    );
}

/// What a bundle of each target has, and no other.
const MARKS: [&str; 3] = ["compose.yaml", "stack.yaml", "kustomization.yaml"];

/// Returns how many bundles were made, in the order of [`MARKS`].
fn topologies_hold(cases: u32, wild: bool) -> [usize; 3] {
    let blueprints = blueprints();
    let made = Cell::new([0; 3]);
    hold(
        cases,
        &dice().prop_map(|mut dice| topology(&mut dice, &blueprints, wild)),
        |text| {
            let mut compiled = compile("platform.toml", &text, Library::default());
            let first = outcome(&mut compiled);
            for bundle in first.1.values() {
                bundle_holds(bundle);
                let mut counts = made.get();
                for (count, mark) in counts.iter_mut().zip(MARKS) {
                    *count += usize::from(bundle.contains_key(mark));
                }
                made.set(counts);
            }
            let mut again = compile("platform.toml", &text, Library::default());
            assert!(first == outcome(&mut again), "two compilations differ");
            Ok(())
        },
    );
    made.get()
}

#[test]
fn random_topologies_hold() {
    let made = topologies_hold(64, false);
    // Otherwise nothing was tried but the findings.
    assert!(
        made.iter().all(|made| *made > 0),
        "{made:?} bundles were made"
    );
}

#[test]
fn wild_topologies_hold() {
    topologies_hold(16, true);
}

/// Cuts a text into words, spaces and signs.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let word = |next: char| next.is_alphanumeric() || next == '_';
        let length = if word(first) {
            rest.find(|next| !word(next)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (token, after) = rest.split_at(length);
        tokens.push(token);
        rest = after;
    }
    tokens
}

#[test]
fn mutated_topologies_hold() {
    let texts: Vec<String> = support::examples()
        .into_iter()
        .map(|name| read(format!("examples/{name}/platform.toml")))
        .collect();
    hold(48, &dice(), |mut dice| {
        let text = dice.pick(&texts).clone();
        let mut words: Vec<&str> = tokens(&text);
        let all = words.clone();
        for _ in 0..=dice.below(3) {
            let at = dice.below(words.len());
            match dice.below(6) {
                0 => drop(words.remove(at)),
                1 => words.insert(at, words[at]),
                2 => words[at] = *dice.pick(&all),
                3 => {
                    words[at] =
                        *dice.pick(&["\"", "[", "]", "=", "\n", "\u{feff}", "\r", "é", ".", "#"])
                }
                4 => words[at] = *dice.pick(GARBAGE),
                _ => words.truncate(at.max(1)),
            }
        }
        let text = words.concat();
        let mut compiled = compile("platform.toml", &text, Library::default());
        compiled.text();
        findings_hold(&compiled);
        for platform in &compiled.platforms {
            platform_holds(platform);
        }
        for sealed in compiled.bundles.values() {
            bundle_holds(&contents(sealed));
        }
        Ok(())
    });
}

/// What is where in a topology of many services with data.
fn placements(services: usize) -> BTreeMap<String, Vec<usize>> {
    let mut text = String::from(
        "[platform]\nname = \"spread\"\ndomain = \"example.org\"\n[environments.staging]\ntarget = \"swarm\"\n\
         registry = \"registry.example.com/spread\"\n\
         hosts = [{ name = \"h\", memory = \"64GiB\", cpus = 64, count = 5 }]\n",
    );
    for number in 0..services {
        text.push_str(&format!("[components.v{number}]\nblueprint = \"valkey\"\n"));
    }
    let mut compiled = compile("platform.toml", &text, Library::default());
    assert_eq!(compiled.errors(), 0, "{}", compiled.text());
    let services = compiled.platforms[0].services.iter();
    services
        .map(|service| (service.name.clone(), service.placement.clone()))
        .collect()
}

#[test]
fn one_more_service_moves_few_others() {
    let before = placements(40);
    let after = placements(41);
    let moved = before
        .iter()
        .filter(|(name, hosts)| after[*name] != **hosts)
        .count();
    assert!(moved <= 2, "{moved} of 40 moved");
    let mut counts = [0_usize; 5];
    for host in before.values().flatten() {
        counts[*host] += 1;
    }
    assert!(
        counts.iter().all(|count| (4..=12).contains(count)),
        "{counts:?}: not spread over the hosts"
    );
}
