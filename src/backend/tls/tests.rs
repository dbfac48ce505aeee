//! Which certificates there are, and what the script is told of them, on a small platform.

use std::collections::BTreeMap;

use super::add;
use crate::backend::Files;
use crate::blueprint::Library;
use crate::bundle::Bundle;
use crate::compile::Compiler;
use crate::diagnostic::text;
use crate::platform::Platform;
use crate::source::Sources;
use crate::terms::Encryption;

const ABOUT: &str = r#"
[blueprint]
summary = "Stands for a system"
layer = "operations"
zone = "application"
license = "Apache-2.0"
version = { default = "1.0", tested = ["1"] }
facts = { checked = 2026-11-22, sources = ["a test"] }

[images.app]
from = "docker.io/library/app"
"#;

/// A cluster whose members speak TLS among themselves, with a web interface.
const STORE: &str = r#"
[services.node]
kind = "stateful"
members = true
main = true
replicas = 3
image = "app"
certificate = { path = "/certificates", reload = "self" }
ports.http = { port = 80, protocol = "http", publish = "web", tls = "environment.tls.services == 'internal'", clear = "it is too old" }
resources.small = { cpu = "100m", memory = "64MiB" }
"#;

/// A proxy, which needs a certificate only if it speaks TLS.
const DOOR: &str = r#"
[vars]
tls = "(environment.tls.public ?? 'off') != 'off'"

[services.proxy]
kind = "stateless"
main = true
image = "app"
certificate = { path = "/run/tls", public = true, reload = "HUP", when = "vars.tls" }
ports.http = { port = 8080, protocol = "http", publish = "host" }
ports.https = { port = 8443, protocol = "http", publish = "host", when = "vars.tls" }
resources.small = { cpu = "100m", memory = "64MiB" }

[provides.edge]
capability = "edge"
service = "proxy"
port = "${vars.tls ? 'https' : 'http'}"
values = { scheme = "${vars.tls ? 'https' : 'http'}" }
"#;

/// Resolves the platform for a target, with further lines in its environment.
fn platform(target: &str, more: &str) -> Platform {
    platform_with(target, more, STORE)
}

/// Resolves it with another store.
fn platform_with(target: &str, more: &str, store: &str) -> Platform {
    let own = [("door", DOOR), ("store", store)].map(|(name, text)| {
        let folder = BTreeMap::from([("blueprint.toml".to_owned(), format!("{ABOUT}{text}"))]);
        (name.to_owned(), (name.to_owned(), folder))
    });
    let mut sources = Sources::default();
    let topology = format!(
        "[platform]\nname = \"lake\"\ndomain = \"data.example.org\"\n[components.door]\n[components.store]\n\
         [environments.here]\ntarget = \"{target}\"\n\
         hosts = [{{ name = \"one\", memory = \"8GiB\", cpus = 4 }}]\n{more}"
    );
    let topology = sources.add("platform.toml", topology);
    let mut compiler = Compiler::new(sources, Library::new(BTreeMap::from(own)));
    let compiled = compiler
        .read(topology)
        .map(|topology| compiler.environments(&topology, &["here"], false))
        .unwrap_or_default();
    let findings = text::render(&compiler.findings, &compiler.sources, false, 120);
    compiled.into_iter().next().expect(&findings).platform
}

fn files(platform: &Platform) -> Bundle {
    let mut files = Files::default();
    add(platform, &mut files);
    files.finish().expect("a bundle")
}

fn file(bundle: &Bundle, path: &str) -> String {
    let file = bundle.get(path).expect("the file");
    String::from_utf8_lossy(&file.bytes).into_owned()
}

#[test]
fn names_follow_the_target() {
    let mut shown = String::new();
    for target in ["compose", "swarm", "kubernetes"] {
        let platform = platform(target, "");
        shown.push_str(&format!("{target}\n"));
        for certificate in &platform.certificates {
            let services = certificate.services.iter();
            let services: Vec<&str> = services
                .map(|at| platform.services[*at].name.as_str())
                .collect();
            shown.push_str(&format!(
                "  {}: {} ({})\n",
                certificate.name,
                certificate.names.join(" "),
                services.join(" ")
            ));
        }
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn the_way_in_is_named_by_its_port() {
    let url = |more| platform("compose", more).endpoints[0].url.clone();
    assert_eq!(url(""), "http://store.localhost:8080");
    assert_eq!(
        url("tls.public = \"internal\""),
        "https://store.localhost:8443"
    );
}

#[test]
fn flows_say_what_encrypts_them() {
    let between = |target, more| {
        let platform = platform(target, more);
        let store = platform.services.iter().find(|one| one.name == "store");
        let why = store.and_then(|store| store.ports["http"].clear.clone());
        let flows = platform.flows.iter();
        let all: Vec<Encryption> = flows.map(|flow| flow.encryption).collect();
        (all, why)
    };
    let why = || Some("it is too old".to_owned());
    assert_eq!(between("compose", ""), (vec![Encryption::Clear], why()));
    assert_eq!(between("swarm", ""), (vec![Encryption::Overlay], why()));
    for target in ["compose", "swarm"] {
        assert_eq!(
            between(target, "tls.services = \"internal\""),
            (vec![Encryption::Tls], None)
        );
    }
}

#[test]
fn who_connects_by_tls_is_handed_the_authority() {
    for (more, handed) in [("", &[][..]), ("tls.services = \"internal\"", &["door"])] {
        let platform = platform("swarm", more);
        let trusting = platform.services.iter().filter(|service| service.trusts);
        let trusting: Vec<&str> = trusting.map(|service| service.name.as_str()).collect();
        assert_eq!(trusting, handed);
    }
}

#[test]
fn a_certificate_bears_the_names_of_what_passes_on_to_it() {
    let passing = STORE.replace(
        "reload = \"self\"",
        "reload = \"self\", names = [\"gate\", \"absent\"], keystore = true",
    ) + r#"
[services.gate]
kind = "stateless"
image = "app"
resources.small = { cpu = "100m", memory = "64MiB" }

[services.absent]
kind = "stateless"
when = "false"
image = "app"
resources.small = { cpu = "100m", memory = "64MiB" }
"#;
    let platform = platform_with("swarm", "", &passing);
    let names = &platform.certificates[1].names;
    let all = "store tasks.store store-1 store-2 store-3 store-gate tasks.store-gate localhost";
    assert_eq!(names.join(" "), all);
    let script = file(&files(&platform), "tls/issue.sh");
    assert!(
        script.contains("pkcs12 -export") && script.contains("    store) ;;"),
        "{script}"
    );
}

#[test]
fn the_script_is_told_names_and_times() {
    let more = "domain = \"data.example.org\"\n\
                tls = { public = \"own\", lifetime = \"10d\", renew_before = \"36h\", authority_lifetime = \"100d\" }";
    let bundle = files(&platform("compose", more));
    let script = file(&bundle, "tls/issue.sh");
    let told = script.lines().filter(|line| {
        ["issue ", "look ", "renew_before=", "lifetime="]
            .iter()
            .any(|start| line.starts_with(start))
            || line.contains("-days ")
    });
    let told: Vec<&str> = told.map(str::trim).collect();
    insta::assert_snapshot!("told", told.join("\n"));
    insta::assert_snapshot!("configuration", file(&bundle, "tls/store.cnf"));
    assert!(bundle.get("tls/public.cnf").is_none());
}

#[test]
fn keys_are_what_was_asked_for() {
    for (key, new, shown) in [
        (
            "ecdsa-p256",
            "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -sha256",
            "id-ecPublicKey 256",
        ),
        (
            "ecdsa-p384",
            "-newkey ec -pkeyopt ec_paramgen_curve:P-384 -noenc -sha384",
            "id-ecPublicKey 384",
        ),
        (
            "rsa-3072",
            "-newkey rsa:3072 -noenc -sha256",
            "rsaEncryption 3072",
        ),
        (
            "rsa-4096",
            "-newkey rsa:4096 -noenc -sha256",
            "rsaEncryption 4096",
        ),
    ] {
        let bundle = files(&platform(
            "compose",
            &format!("tls = {{ public = \"internal\", key = \"{key}\" }}"),
        ));
        let script = file(&bundle, "tls/issue.sh");
        // The authority's, and that of each certificate.
        assert_eq!(script.matches(new).count(), 2, "{key}: {script}");
        assert!(
            script.contains(&format!("!= '{shown}' ]")),
            "{key}: {script}"
        );
    }
}

#[test]
fn without_certificates_there_is_no_script() {
    let mut platform = platform("compose", "");
    platform.certificates.clear();
    assert!(files(&platform).get("tls/issue.sh").is_none());
}
