//! What runs beside a Swarm's stack: the scripts are run, with stand-ins for the engine and its name server.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test runs scripts on files of its own"
)]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use lakewright::blueprint::Library;
use tempfile::TempDir;

const TOPOLOGY: &str = r#"
[platform]
name = "lake"
domain = "data.example.com"

[components.airbyte]
[components.minio]
[components.postgresql]

[environments.staging]
target = "swarm"
size = "small"
availability = "high"
registry = "registry.example.com/lake"
components.airbyte.max_syncs = 1
hosts = [
    { name = "one", memory = "16GiB", cpus = 8 },
    { name = "two", memory = "16GiB", cpus = 8 },
    { name = "three", memory = "16GiB", cpus = 8 },
]
"#;

/// Answers as the engine's name server does: from a file with a line for each name, in another order every time.
const NSLOOKUP: &str = r#"#!/bin/sh
[ "$1" = -type=a ] || exit 2
[ ! -e "$STATE/silent" ] || { echo ';; connection timed out; no servers could be reached'; exit 1; }
printf 'Server:\t\t127.0.0.11\nAddress:\t127.0.0.11:53\n\n'
addresses=$(sed -n "s/^${2%.} //p" "$STATE/names")
[ -n "$addresses" ] || { echo "** server can't find $2: NXDOMAIN"; exit 1; }
printf 'Non-authoritative answer:\n'
if [ -e "$STATE/turned" ]; then rm "$STATE/turned"; else touch "$STATE/turned"; addresses=$(echo "$addresses" | tr ' ' '\n' | sort -r); fi
for address in $addresses; do printf 'Name:\t%s\nAddress: %s\n' "$2" "$address"; done
"#;

/// Answers as an engine does that is a manager and the host `$HOST_LABEL`; writes down what it is told to do.
const DOCKER: &str = r#"#!/bin/sh
echo "$*" >> "$STATE/calls"
case "$*" in
  *ControlAvailable*) echo "${MANAGER:-true}" ;;
  *NodeID*) echo node1 ;;
  'node inspect'*) echo "$HOST_LABEL" ;;
  'network inspect'*) [ ! -e "$STATE/undeployed" ] ;;
  *'ps --all --quiet'*) echo c0ffee ;;
  inspect*) if [ -e "$STATE/asked" ]; then echo running healthy; else touch "$STATE/asked"; echo running starting; fi ;;
  *) ;;
esac
"#;

/// Stands for the way to another machine, which is this one.
const SSH: &str = r#"#!/bin/sh
echo "$1" >> "$STATE/machines"
shift
exec sh -c "$*"
"#;

/// A bundle in a folder of its own, with programs that stand for others.
struct Trial {
    folder: TempDir,
}

impl Trial {
    fn new() -> Self {
        let mut compiled = support::compile("platform.toml", TOPOLOGY, Library::default());
        assert_eq!(compiled.errors(), 0, "{}", compiled.text());
        let trial = Self {
            folder: TempDir::new().unwrap(),
        };
        for (path, (bytes, executable)) in support::contents(&compiled.bundles["staging"]) {
            trial.write(&format!("bundle/{path}"), bytes, executable);
        }
        trial.write("programs/nslookup", NSLOOKUP, true);
        trial.write("programs/docker", DOCKER, true);
        trial.write("programs/ssh", SSH, true);
        trial
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, path: &str, text: impl AsRef<[u8]>, executable: bool) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        let mode = if executable { 0o755 } else { 0o644 };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path().join(path)).unwrap_or_default()
    }

    fn run(&self, script: &str, words: &[&str], environment: &[(&str, &str)]) -> Output {
        let programs = self.path().join("programs");
        support::program("/bin/sh")
            .arg(self.path().join(script))
            .args(words)
            .env("PATH", format!("{}:/usr/bin:/bin", programs.display()))
            .env("STATE", self.path())
            .env("HOST_LABEL", self.host())
            .envs(environment.iter().copied())
            .output()
            .unwrap()
    }

    /// The host that the script is for.
    fn host(&self) -> String {
        let text = self.read("bundle/beside.sh");
        let host = text.lines().find_map(|line| line.strip_prefix("host="));
        host.unwrap().to_owned()
    }

    /// Makes all secrets that are read.
    fn secrets(&self) {
        let text = self.read("bundle/beside.sh");
        let paths = text.lines().filter(|line| line.starts_with("secrets/"));
        for path in paths {
            self.write(&format!("bundle/{path}"), "value", false);
        }
        self.write("bundle/secrets/of-another", "value", false);
    }

    /// Looks up once what lies outside the cluster, and returns what it is told then.
    fn look(&self) -> String {
        let text = self.read("bundle/k3s/outside.sh");
        let text = text.replace("/var/lib/rancher/k3s", &self.path().display().to_string());
        self.write("outside.sh", text, true);
        fs::create_dir_all(self.path().join("server/manifests")).unwrap();
        let output = self.run("outside.sh", &[], &[]);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        self.read("server/manifests/25-addresses.yaml")
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The addresses of a name among the objects.
fn addresses(objects: &str, name: &str) -> Vec<String> {
    let line = format!("  name: {name}\n");
    let object = objects
        .split("---\n")
        .find(|object| object.contains(&line))
        .unwrap_or_else(|| panic!("{name}: {objects}"));
    let addresses = object.lines();
    addresses
        .filter_map(|line| line.strip_prefix("  - addresses: [\"")?.strip_suffix("\"]"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn names_in_the_cluster_follow_the_tasks_outside() {
    let trial = Trial::new();
    let nobody = trial.look();
    assert_eq!(addresses(&nobody, "minio-1"), [""; 0]);
    assert!(nobody.contains("endpoints: []"), "{nobody}");
    let names = "minio-1 10.0.0.1\nminio-2 10.0.0.2\nminio-3 10.0.0.3\nminio-4 10.0.0.4\npostgresql-router 10.0.1.9 10.0.1.7\n";
    trial.write("names", names, false);
    let first = trial.look();
    assert_eq!(addresses(&first, "minio-1"), ["10.0.0.1"]);
    assert_eq!(
        addresses(&first, "postgresql-router"),
        ["10.0.1.7", "10.0.1.9"]
    );
    assert!(first.contains("ports: [{ name: sql, port: 5432, protocol: TCP, appProtocol: tcp }]"));
    let members = addresses(&first, "minio");
    assert!(members.len() > 1, "{members:?}");
    // Every Service that selects no pods has its addresses here.
    let services = trial.read("bundle/k3s/manifests/20-outside.yaml");
    let services = services.lines().filter(|line| line.starts_with("  name: "));
    for service in services {
        assert!(first.contains(&format!("{service}\n")), "{service}");
    }

    // Another order of the answers is no change.
    let file = trial.path().join("server/manifests/25-addresses.yaml");
    let inode = |path: &Path| std::os::unix::fs::MetadataExt::ino(&fs::metadata(path).unwrap());
    let before = inode(&file);
    assert_eq!(trial.look(), first);
    assert_eq!(inode(&file), before);

    trial.write("names", names.replace("10.0.0.1\n", "10.0.0.77\n"), false);
    assert_eq!(addresses(&trial.look(), "minio-1"), ["10.0.0.77"]);

    // What was right once is better than nothing, also after a new start of the cluster.
    trial.write("silent", "", false);
    fs::remove_dir_all(trial.path().join("server")).unwrap();
    let silent = trial.look();
    assert_eq!(addresses(&silent, "minio-1"), ["10.0.0.77"]);
    assert_eq!(
        addresses(&silent, "postgresql-router"),
        ["10.0.1.7", "10.0.1.9"]
    );
}

#[test]
fn it_starts_on_its_host_only_and_waits() {
    let trial = Trial::new();
    let missing = trial.run("bundle/beside.sh", &["up"], &[]);
    assert!(
        said(&missing).contains("lakewright secrets init"),
        "{}",
        said(&missing)
    );
    trial.secrets();

    let elsewhere = trial.run("bundle/beside.sh", &["up"], &[("HOST_LABEL", "other")]);
    assert_eq!(elsewhere.status.code(), Some(1));
    assert!(
        said(&elsewhere).contains("this machine is other"),
        "{}",
        said(&elsewhere)
    );
    let worker = trial.run("bundle/beside.sh", &["up"], &[("MANAGER", "false")]);
    assert!(said(&worker).contains("--here"), "{}", said(&worker));

    trial.write("undeployed", "", false);
    let early = trial.run("bundle/beside.sh", &["up"], &[]);
    assert_eq!(early.status.code(), Some(1));
    assert!(said(&early).contains("./deploy.sh"), "{}", said(&early));
    fs::remove_file(trial.path().join("undeployed")).unwrap();
    assert!(!trial.read("calls").contains(" up "));

    for words in [&["up"][..], &["up", "--here"]] {
        let up = trial.run("bundle/beside.sh", words, &[]);
        assert!(up.status.success(), "{}", said(&up));
        assert!(
            said(&up).contains("lake-staging-beside is up"),
            "{}",
            said(&up)
        );
    }
    assert!(
        trial
            .read("calls")
            .contains("--project-name lake-staging-beside up --detach")
    );
}

#[test]
fn another_machine_gets_what_it_needs_and_no_more() {
    let trial = Trial::new();
    trial.secrets();
    let there = trial.path().join("there");
    let there = there.to_str().unwrap();
    let words = ["up", "--ssh", "root@two", "--folder", there];
    for _ in 0..2 {
        let up = trial.run("bundle/beside.sh", &words, &[]);
        assert!(up.status.success(), "{}", said(&up));
    }
    assert!(
        trial
            .read("machines")
            .lines()
            .all(|line| line == "root@two")
    );
    assert!(trial.read("calls").contains("up --detach"));
    let copied = support::files(there);
    assert!(copied.contains_key("beside.yaml"));
    assert!(copied.contains_key("k3s/manifests/20-outside.yaml"));
    assert!(copied.keys().any(|path| path.starts_with("secrets/")));
    assert!(!copied.contains_key("secrets/of-another"));
    assert!(!copied.contains_key("stack.yaml"));
    let compose = trial.read("bundle/beside.yaml");
    let mounted = compose
        .lines()
        .filter_map(|line| line.strip_prefix("    file: ./"));
    for path in mounted {
        assert!(copied.contains_key(path), "{path}");
    }

    // A whole bundle there keeps its secrets.
    trial.write("there/stack.yaml", "", false);
    let refused = trial.run("bundle/beside.sh", &words, &[]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(trial.path().join("there/secrets").exists());
}
