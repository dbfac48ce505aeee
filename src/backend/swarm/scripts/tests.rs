//! What the scripts of a small platform say, line by line where they differ from platform to platform.

use std::collections::BTreeMap;

use crate::backend::swarm::build;
use crate::blueprint::Library;
use crate::compile::Compiler;
use crate::diagnostic::text;
use crate::source::Sources;

/// A store with members, what sets it up, a web interface, and jobs that wait to be told; and a proxy.
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

[secrets.token]
kind = "hex"
length = 32
purpose = "a test"

[volumes.data]
size.small = "1GiB"

[services.store]
kind = "stateful"
image = "app"
replicas = 2
members = true
certificate = { path = "/certificates" }
volumes."/data" = "data"
secrets = ["token"]
ports.api = { port = 9000, protocol = "tcp" }
probe = { exec = ["true"], startup = "60s" }
host_settings."vm.max_map_count" = { minimum = 262144, reason = "it maps files" }
resources.small = { cpu = "50m", memory = "16MiB" }
run_as = { user = 1000 }

[services.cache]
kind = "stateful"
image = "app"
replicas = 2
members = true
update = "together"
resources.small = { cpu = "50m", memory = "16MiB" }

[jobs.setup]
image = "app"
after = ["store"]
timeout = "120s"
resources.small = { cpu = "50m", memory = "16MiB" }

[services.web]
kind = "stateless"
main = true
image = "app"
after = ["setup"]
connects = ["store.api"]
replicas = 2
ports.http = { port = 8080, protocol = "http", publish = "web" }
ports.flight = { port = 32010, protocol = "grpc", publish = "tcp" }
resources.small = { cpu = "50m", memory = "16MiB" }

[jobs.nightly]
image = "app"
schedule = "30 5 * * *"
timeout = "60s"
resources.small = { cpu = "50m", memory = "16MiB" }

[jobs.asked]
image = "app"
on_demand = true
resources.small = { cpu = "50m", memory = "16MiB" }
"#;

const TOPOLOGY: &str = r#"
[platform]
name = "lake"
domain = "data.example.com"

[components.app]

[environments.staging]
target = "swarm"
size = "small"
tls.public = "internal"
hosts = [
  { name = "one", memory = "4GiB", cpus = 2, labels = { disk = "nvme" } },
  { name = "two", memory = "4GiB", cpus = 2 },
]
"#;

/// Returns the text of a file of the bundle.
fn file(path: &str) -> String {
    let folder = BTreeMap::from([("blueprint.toml".to_owned(), BLUEPRINT.to_owned())]);
    let own = BTreeMap::from([("app".to_owned(), ("app".to_owned(), folder))]);
    let mut sources = Sources::default();
    let topology = sources.add("platform.toml", TOPOLOGY);
    let mut compiler = Compiler::new(sources, Library::new(own));
    let compiled = compiler
        .read(topology)
        .map(|topology| compiler.environments(&topology, &["staging"], false))
        .unwrap_or_default();
    let findings = text::render(&compiler.findings, &compiler.sources, false, 120);
    let platform = &compiled.first().expect(&findings).platform;
    let bundle = build(platform).expect("a bundle");
    let file = bundle.get(path).expect("the file");
    String::from_utf8_lossy(&file.bytes).into_owned()
}

/// Returns the lines of a script that begin with one of some words, and those that they go on in.
fn calls(path: &str, words: &[&str]) -> String {
    let text = file(path);
    let mut more = false;
    let lines = text.lines().filter(|line| {
        let first = line.trim_start().split(' ').next().unwrap_or_default();
        let wanted = more || words.contains(&first);
        more = wanted && line.ends_with('\\');
        wanted
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn services_are_deployed_in_waves() {
    insta::assert_snapshot!(calls("deploy.sh", &["wave", "page", "socket"]));
}

#[test]
fn hosts_are_labelled() {
    insta::assert_snapshot!(calls("deploy.sh", &["one", "two"]));
}

#[test]
fn what_hosts_lack_is_looked_for() {
    let words = &["host", "keeps", "image", "setting", "ports="];
    let said = calls("preflight.sh", words);
    insta::assert_snapshot!(said);
}

#[test]
fn secrets_are_called_as_in_the_stack() {
    let script = file("secrets.sh");
    let stack = file("stack.yaml");
    let made = script.lines().filter_map(|line| {
        let name = line.trim_start().strip_prefix("secret ")?;
        name.split_once(" app-")
            .or(name.split_once(" tls/"))
            .map(|(name, _)| name.trim_matches('"'))
    });
    let mut count = 0;
    for name in made {
        assert!(
            stack.contains(&format!("name: {name}\n")),
            "{name}\n{stack}"
        );
        count += 1;
    }
    assert_eq!(count, stack.matches("external: true").count(), "{script}");
}

#[test]
fn jobs_that_wait_to_be_told_can_be_run() {
    let script = file("run.sh");
    assert!(script.contains("app-nightly) limit=60 ;;"), "{script}");
    assert!(script.contains("app-asked) limit=0 ;;"), "{script}");
    let crontab = file("crontab");
    assert!(crontab.contains(" ./run.sh app-nightly "), "{crontab}");
    assert!(!crontab.contains("app-asked"), "{crontab}");
}

/// `deploy.sh` tells the services of `stack.yaml` apart by how their lines begin.
#[test]
fn the_stack_is_laid_out_as_the_scripts_read_it() {
    let stack = file("stack.yaml");
    let inside = stack.split("\nservices:\n").nth(1).expect("services");
    let found: Vec<&str> = inside
        .lines()
        .take_while(|line| line.starts_with(' '))
        .filter(|line| !line.starts_with("   "))
        .collect();
    let names = calls("deploy.sh", &["names='"]);
    for line in &found {
        let name = line.trim().strip_suffix(':').expect("a name alone");
        assert!(names.contains(&format!(" {name} ")), "{name}: {names}");
    }
    assert_eq!(names.split(' ').count(), found.len() + 2, "{names}");
}

#[test]
fn no_template_is_broken() {
    for path in [
        "deploy.sh",
        "preflight.sh",
        "run.sh",
        "secrets.sh",
        "README.md",
    ] {
        let text = file(path);
        assert!(
            !text.to_lowercase().contains("defect of lakewright"),
            "{text}"
        );
        assert!(!text.contains("{%"), "{text}");
    }
}
