//! Values of secrets: in no bundle, whatever is built, and in no output, wherever a user typed one.

#![allow(
    clippy::disallowed_methods,
    reason = "a test works on files of its own"
)]

mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use lakewright::blueprint::Library;
use lakewright::bundle::secrets::base64;
use support::{Run, lakewright, read, run, scratch, write};

/// Files of a bundle: contents, and whether they are programs.
type Contents = BTreeMap<String, (Vec<u8>, bool)>;

/// What a value may look like in a file: as it is, and as programs write it.
fn forms(value: &[u8]) -> Vec<Vec<u8>> {
    let mut hex = String::new();
    let mut url = String::new();
    for byte in value {
        let _ = write!(hex, "{byte:02x}");
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            url.push(char::from(*byte));
        } else {
            let _ = write!(url, "%{byte:02X}");
        }
    }
    let coded = base64(value);
    let bare = coded.trim_end_matches('=').to_owned();
    let safe = bare.replace('+', "-").replace('/', "_");
    let mut forms = vec![value.to_vec()];
    forms.extend([hex.to_uppercase(), hex, url, safe, bare].map(String::into_bytes));
    forms.sort();
    forms.dedup();
    forms
}

/// Looks for values in a text, in all of their forms; returns the names of those that are there.
fn found<'s>(text: &[u8], secrets: &'s BTreeMap<String, Vec<u8>>) -> Vec<&'s str> {
    let text = String::from_utf8_lossy(text);
    let holds = |value: &[u8]| {
        let mut forms = forms(value).into_iter();
        forms.any(|form| text.contains(String::from_utf8_lossy(&form).as_ref()))
    };
    let secrets = secrets.iter().filter(|(_, value)| holds(value));
    secrets.map(|(name, _)| name.as_str()).collect()
}

#[test]
fn the_scanner_finds_every_form() {
    let value = b"k3Qz8Vw1/Rt6+Yp0Lm5?Nc2Xb7".to_vec();
    let secrets = BTreeMap::from([("it".to_owned(), value.clone())]);
    for form in forms(&value) {
        let text = [b"before ".as_slice(), &form, b" behind"].concat();
        assert_eq!(found(&text, &secrets), ["it"], "{form:?}");
    }
    assert!(forms(&value).len() >= 5);
    assert!(found(b"k3Qz8Vw1 /Rt6+Yp0Lm5?Nc2Xb7", &secrets).is_empty());
}

/// Every topology that there is, built where its secrets lie: neither the bundles nor what the program says repeats a
/// value.
#[test]
fn no_bundle_has_the_value_of_a_secret() {
    let stores = ["tests/conformance/stores/platform.toml".to_owned()];
    for topology in support::topologies().into_iter().chain(stores) {
        let folder = scratch();
        let out = folder.path();
        let build = || run(lakewright().args(["build", &topology, "-o"]).arg(out));
        let first = build();
        assert_eq!(first.status, 0, "{topology}: {}", first.err);
        let mut said = first.out + &first.err;
        let mut environments = BTreeMap::new();
        for name in support::names(out) {
            let bundle = out.join(&name);
            let init = run(lakewright().args(["secrets", "init"]).arg(&bundle));
            assert_eq!(init.status, 0, "{topology}: {}", init.err);
            said += &(init.out + &init.err);
            give(&bundle);
            environments.insert(name, secrets_of(&bundle));
        }
        // Where the values lie already, they could get in.
        let again = build();
        assert_eq!(again.status, 0, "{topology}: {}", again.err);
        said += &(again.out + &again.err);
        for (name, secrets) in &environments {
            let bundle = out.join(name);
            for command in [&["verify"][..], &["secrets", "check"]] {
                let checked = run(lakewright().args(command).arg(&bundle));
                said += &(checked.out + &checked.err);
            }
            let mut files = support::files(&bundle);
            files.retain(|path, _| !path.starts_with("secrets/"));
            assert!(files.len() > 5, "{topology}: {name}");
            for (path, bytes) in &files {
                let found = found(bytes, secrets);
                assert!(found.is_empty(), "{topology}: {name}/{path} has {found:?}");
            }
            assert!(found(said.as_bytes(), secrets).is_empty(), "{topology}");
        }
    }
}

fn read_bytes(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Puts values into place that come from elsewhere.
fn give(bundle: &Path) {
    let inventory: serde_json::Value =
        serde_json::from_slice(&read_bytes(&bundle.join("bundle.json"))).expect("an inventory");
    for secret in inventory["secrets"].as_array().into_iter().flatten() {
        let name = secret["name"].as_str().expect("a name");
        let path = bundle.join("secrets").join(name);
        if !path.exists() {
            write(&path, format!("given-{name}-k3Qz8Vw1Rt6Yp0Lm5"));
        }
    }
}

fn secrets_of(bundle: &Path) -> BTreeMap<String, Vec<u8>> {
    let folder = bundle.join("secrets");
    if !folder.exists() {
        return BTreeMap::new();
    }
    let mut secrets = support::files(&folder);
    secrets.retain(|name, _| name != ".gitignore");
    assert!(secrets.values().all(|value| value.len() >= 8));
    secrets
}

/// Whatever the store: pods ask for the same Secrets, and what others make of values is the user's.
#[test]
fn stores_change_nothing_that_pods_see() {
    let topology = |store: &str| {
        format!(
            "[platform]\nname = \"small\"\ndomain = \"small.example.com\"\n\n[components.valkey]\n\n\
             [environments.prod]\ntarget = \"kubernetes\"\nsecret_versions = {{ valkey-health = 3 }}\n{store}"
        )
    };
    let bundle = |store: &str| {
        let mut compiled = support::compile("platform.toml", &topology(store), Library::default());
        assert_eq!(compiled.errors(), 0, "{}", compiled.text());
        support::contents(&compiled.bundles["prod"])
    };
    let manifests = |files: &Contents| -> Contents {
        let files = files.iter();
        let files = files.filter(|(path, _)| path.starts_with("manifests/"));
        let files = files.filter(|(path, _)| !path.contains("10-platform/"));
        files
            .map(|(path, file)| (path.clone(), file.clone()))
            .collect()
    };
    let own = bundle("");
    assert!(own.contains_key("secrets.sh"));
    // The inventory has the digest of the topology.
    let without_inventory = |mut files: Contents| {
        files.retain(|path, _| path != "bundle.json" && path != "SHA256SUMS");
        files
    };
    let said = bundle("secrets.store = \"script\"\n");
    assert_eq!(without_inventory(own.clone()), without_inventory(said));
    let age = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    for (store, script, kept) in [
        (
            "{ store = \"sealed-secrets\" }".to_owned(),
            "seal.sh",
            "\"sealed/\"",
        ),
        (
            format!("{{ store = \"sops\", recipients = [\"{age}\"] }}"),
            "sops.sh",
            "\"encrypted/\"",
        ),
        (
            "{ store = \"external-secrets\", name = \"vault\" }".to_owned(),
            "apply.sh",
            "\"secrets/\"",
        ),
    ] {
        let files = bundle(&format!("secrets = {store}\n"));
        assert_eq!(manifests(&own), manifests(&files), "{store}");
        assert!(files.contains_key(script), "{store}");
        let inventory = String::from_utf8_lossy(&files["bundle.json"].0).into_owned();
        assert!(inventory.contains(kept), "{store}: {inventory}");
        let objects = files.get("manifests/10-platform/10-secrets.yaml");
        assert_eq!(objects.is_some(), store.contains("external"), "{store}");
        if let Some((text, _)) = objects {
            insta::assert_snapshot!(String::from_utf8_lossy(text));
        }
    }
}

/// What no output may repeat.
const VALUE: &str = "k3Qz8Vw1Rt6Yp0Lm5Nc2Xb7Hd4Jf9Gs2Aq";

/// Places that a secret can be typed into: what is added to the topology, the table it is added to, and what is found
/// there. `VALUE` stands for the value.
const PLACES: &[(&str, &str, &str)] = &[
    (
        "components.valkey",
        "services.server.env.PASSWORD = 'VALUE'",
        "secret-in-clear",
    ),
    (
        "components.valkey",
        "services.server.env.X = 'redis://u:VALUE@h/0'",
        "secret-in-clear",
    ),
    (
        "components.valkey",
        "services.server.env.X = '--auth-token=VALUE'",
        "secret-in-clear",
    ),
    (
        "components.valkey",
        "services.server.env.SIGNING_KEY = 'VALUE'",
        "secret-in-clear",
    ),
    (
        "components.valkey",
        "services.server.env.X = 'ghp_VALUE'",
        "secret-in-clear",
    ),
    (
        "components.valkey",
        "services.server.env.ghp_VALUE = 'x'",
        "secret-in-clear",
    ),
    (
        "components.valkey",
        "admin_password = 'VALUE'",
        "secret-in-clear",
    ),
    (
        "components.valkey",
        "accounts = [{ name = 'a', password = 'VALUE' }]",
        "secret-in-clear",
    ),
    (
        "components.valkey",
        "password = { value = 'VALUE' }",
        "secret-in-clear",
    ),
    (
        "components.valkey",
        "images = { server = 'glpat-VALUE' }",
        "secret-in-clear",
    ),
    (
        "components.valkey",
        "version = 'xoxb-VALUE'",
        "secret-in-clear",
    ),
    (
        "components.valkey",
        "allow = { image-untagged = 'it is sk_live_VALUE' }",
        "secret-in-clear",
    ),
    (
        "components.valkey",
        "services.server.host_labels = { disk = 'npm_VALUE' }",
        "secret-in-clear",
    ),
    (
        "components.valkey",
        "unset = ['ghp_VALUE']",
        "secret-in-clear",
    ),
    ("platform", "domain = 'ghp_VALUE'", "secret-in-clear"),
    ("platform", "password = 'VALUE'", "secret-in-clear"),
    ("platform", "locale = 'ghp_VALUE'", "secret-in-clear"),
    (
        "environments.dev",
        "registry = 'https://u:VALUE@registry.example.com'",
        "secret-in-clear",
    ),
    ("environments.dev", "bind = 'ghp_VALUE'", "secret-in-clear"),
    (
        "environments.dev",
        "mirrors = { 'docker.io' = 'https://u:VALUE@m' }",
        "secret-in-clear",
    ),
    (
        "environments.dev",
        "secrets = { store = 'files', value = 'ghp_VALUE' }",
        "secret-in-clear",
    ),
    (
        "environments.dev",
        "secrets = { password = 'VALUE' }",
        "secret-in-clear",
    ),
    (
        "environments.dev",
        "hosts = [{ name = 'a', memory = 'ghp_VALUE', cpus = 1 }]",
        "secret-in-clear",
    ),
    (
        "environments.dev",
        "keep = ['ghp_VALUE']",
        "secret-in-clear",
    ),
    (
        "environments.dev",
        "kubernetes = { tls_secret = 'ghp_VALUE' }",
        "secret-in-clear",
    ),
    (
        "environments.dev",
        "# formerly redis://u:VALUE@h/0",
        "secret-in-clear",
    ),
    (
        "environments.dev",
        "size = 'small' # ghp_VALUE",
        "secret-in-clear",
    ),
    (
        "alerting",
        "heartbeat = { url = 'https://u:VALUE@watch.example.com' }",
        "secret-in-clear",
    ),
    (
        "alerting",
        "mail = { server = 'm:587', from = 'a@b.c', password = 'VALUE' }",
        "secret-in-clear",
    ),
    (
        "alerting.receivers.default",
        "webhook = 'https://hooks.slack.com/services/T/B/VALUE'",
        "secret-in-clear",
    ),
    (
        "alerting.rules.Odd",
        "expr = 'up{x=\"ghp_VALUE\"} == 0'\nsummary = 'odd'",
        "secret-in-clear",
    ),
    (
        "alerting.rules.Odd",
        "expr = 'up == 0'\nsummary = 'odd'\nrunbook = 'psql password=VALUE'",
        "secret-in-clear",
    ),
    (
        "alerting.rules.Odd",
        "expr = 'up == 0'\nsummary = 'odd'\ndescription = 'eyJVALUE.eyJVALUE.VALUE'",
        "secret-in-clear",
    ),
    (
        "backup.offsite",
        "endpoint = 'https://u:VALUE@s3.example.com'",
        "secret-in-clear",
    ),
    ("backup.offsite", "secret_key = 'VALUE'", "secret-in-clear"),
    (
        "backup",
        "recipients = ['AGE-SECRET-KEY-1QQQQQQQQVALUE']",
        "secret-in-clear",
    ),
    (
        "backup",
        "key = '''\n-----BEGIN PRIVATE KEY-----\nVALUE\n-----END PRIVATE KEY-----\n'''",
        "secret-in-clear",
    ),
    // What is no TOML cannot be looked at, but its line would be shown.
    ("components.valkey", "admin_password = VALUE", "toml-syntax"),
    (
        "components.valkey",
        "services.server.env.PASSWORD = \"VALUE",
        "toml-syntax",
    ),
    ("components.valkey", "x = ghp_VALUE", "toml-syntax"),
];

#[test]
fn what_was_typed_in_the_wrong_place_is_found_and_never_shown() {
    for (table, typed, code) in PLACES {
        let folder = scratch();
        let mut tables = vec!["platform", "components.valkey", "environments.dev"];
        if !tables.contains(table) {
            tables.push(table);
        }
        let mut text = String::new();
        for name in tables {
            let _ = writeln!(text, "[{name}]");
            text += match name {
                "platform" => "name = 'small'\n",
                "environments.dev" => "target = 'compose'\n",
                _ => "",
            };
            if name == *table {
                let _ = writeln!(text, "{}", typed.replace("VALUE", VALUE));
            }
        }
        let topology = write(&folder.path().join("platform.toml"), &text);
        let out = folder.path().join("out");
        let mut runs: BTreeMap<String, Run> = BTreeMap::new();
        for format in ["text", "short", "json", "sarif", "gitlab", "github"] {
            let checked = run(lakewright()
                .arg("check")
                .arg(&topology)
                .args(["--format", format]));
            runs.insert(format!("check --format {format}"), checked);
        }
        let built = run(lakewright().arg("build").arg(&topology).arg("-o").arg(&out));
        assert_eq!(built.status, 1, "{typed}: {}{}", built.out, built.err);
        assert!(
            built.err.contains(&format!("[{code}]")),
            "{typed}: {}",
            built.err
        );
        runs.insert("build".to_owned(), built);
        let explained = run(lakewright().arg("explain").arg(&topology).arg("dev"));
        runs.insert("explain".to_owned(), explained);
        for (command, run) in &runs {
            let said = format!("{}{}", run.out, run.err);
            assert!(!said.contains(VALUE), "{command}: {typed}: {said}");
            assert!(
                !said.contains(&VALUE.to_lowercase()),
                "{command}: {typed}: {said}"
            );
        }
        assert!(!out.exists(), "{typed}: something was written");
    }
}

/// One that is accepted is built: who allows it says that it is none.
#[test]
fn an_accepted_text_is_built() {
    let folder = scratch();
    let text = read("tests/bad/secret-in-clear.toml").replace(
        "[components.plain]",
        "[components.valkey]\nallow.secret-in-clear = \"a stand-in\"",
    );
    let topology = write(&folder.path().join("platform.toml"), text);
    let out = folder.path().join("out");
    let built = run(lakewright().arg("build").arg(&topology).arg("-o").arg(&out));
    assert_eq!(built.status, 0, "{}", built.err);
}
