//! People: who reads what is needed to know them, what the mesh and the cluster let groups do, and what pages say of it.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test reads the project's files and fails where it must"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use lakewright::blueprint::Library;
use serde_json::Value as Json;
use support::{Compiled, compile, contents, read};

fn topology(name: &str) -> Compiled {
    let text = read(format!("tests/topologies/{name}.toml"));
    compile(name, &text, Library::default())
}

/// The objects of a bundle for a cluster, by kind and name.
fn objects(compiled: &Compiled, environment: &str) -> BTreeMap<(String, String), Json> {
    let mut objects = BTreeMap::new();
    for (path, (bytes, _)) in contents(&compiled.bundles[environment]) {
        if path.starts_with("manifests/") && path.ends_with(".yaml") {
            let text = String::from_utf8(bytes).unwrap();
            for text in text.split("\n---\n") {
                let object: Json = serde_saphyr::from_str(text).unwrap();
                let word = |value: &Json| value.as_str().unwrap_or_default().to_owned();
                let key = (word(&object["kind"]), word(&object["metadata"]["name"]));
                objects.insert(key, object);
            }
        }
    }
    objects
}

fn of<'o>(objects: &'o BTreeMap<(String, String), Json>, kind: &str, name: &str) -> &'o Json {
    objects
        .get(&(kind.to_owned(), name.to_owned()))
        .unwrap_or_else(|| panic!("there is no {kind} {name}"))
}

#[test]
fn only_who_asks_the_directory_can_read_its_account() {
    let compiled = topology("people");
    let named = |name: &str| {
        let mut all = compiled.platforms.iter();
        all.find(|platform| platform.environment.name == name)
            .unwrap()
    };
    let platform = named("dev");
    let readers = |secret: &str| -> BTreeSet<&str> {
        let services = platform.services.iter();
        let reading = services.filter(|service| service.secrets.iter().any(|it| it == secret));
        reading.map(|service| service.name.as_str()).collect()
    };
    let asking = BTreeSet::from(["grafana", "superset-web"]);
    assert_eq!(readers("identity-bind"), asking);
    assert!(readers("identity-authority").is_superset(&asking));
    // Where people log in at a provider, there is no such account.
    let platform = named("provider");
    let names: Vec<&str> = platform.secrets.iter().map(|it| it.name.as_str()).collect();
    assert!(!names.contains(&"identity-bind"), "{names:?}");
}

#[test]
fn a_page_behind_a_login_asks_for_a_group_that_it_admits() {
    let objects = objects(&topology("identity"), "prod");
    let jaeger = objects
        .keys()
        .find(|(kind, name)| kind == "RequestAuthentication" && name.starts_with("jaeger"));
    let name = &jaeger.expect("the page asks for a token").1;
    let asked = of(&objects, "RequestAuthentication", name);
    assert_eq!(
        asked["spec"]["jwtRules"][0]["issuer"],
        "https://login.example.org/realms/lake"
    );
    let policy = of(&objects, "AuthorizationPolicy", name);
    let rules = policy["spec"]["rules"].as_array().unwrap();
    let from = |rule: &Json, who: &str| {
        let text = rule["from"].to_string();
        text.contains(&format!("/sa/{who}\""))
    };
    let front: Vec<&Json> = rules.iter().filter(|rule| from(rule, "traces")).collect();
    assert!(!front.is_empty(), "{rules:?}");
    for rule in front {
        assert_eq!(rule["when"][0]["key"], "request.auth.claims[roles]");
        let values = serde_json::json!(["lake-admin", "lake-engineer"]);
        assert_eq!(rule["when"][0]["values"], values, "{rule}");
    }
    // What is no page has no such rule.
    let others = objects.iter().filter(|((kind, other), object)| {
        kind == "AuthorizationPolicy"
            && object.to_string().contains("request.auth")
            && other != name
    });
    let others: BTreeSet<&str> = others.map(|((_, name), _)| name.as_str()).collect();
    assert!(
        others
            .iter()
            .all(|name| ["prometheus", "alertmanager", "zipkin"].contains(name)),
        "{others:?}"
    );
}

#[test]
fn groups_have_roles_in_the_cluster_and_nobody_makes_workloads_but_admins() {
    let objects = objects(&topology("identity"), "prod");
    let bound: BTreeSet<(String, String, String)> = objects
        .iter()
        .filter(|((kind, name), _)| kind == "RoleBinding" && name.starts_with("people-"))
        .map(|(_, object)| {
            let word = |value: &Json| value.as_str().unwrap().to_owned();
            let subject = &object["subjects"][0];
            assert_eq!(subject["kind"], "Group");
            (
                word(&subject["name"]),
                word(&object["roleRef"]["kind"]),
                word(&object["roleRef"]["name"]),
            )
        })
        .collect();
    let wanted = [
        ("oidc:lake-admin", "ClusterRole", "admin"),
        ("oidc:lake-analyst", "ClusterRole", "view"),
        ("oidc:lake-engineer", "ClusterRole", "view"),
        ("oidc:lake-engineer", "Role", "people-operate"),
    ];
    let wanted =
        wanted.map(|(group, kind, role)| (group.to_owned(), kind.to_owned(), role.to_owned()));
    assert_eq!(bound, BTreeSet::from(wanted));
    let operate = of(&objects, "Role", "people-operate")["rules"].to_string();
    for word in ["create", "secrets", "\"*\"", "jobs", "exec"] {
        assert!(!operate.contains(word), "{word}: {operate}");
    }
}

#[test]
fn a_page_says_who_may_do_what() {
    for (name, environment) in [("people", "dev"), ("identity", "dev")] {
        let bundle = contents(&topology(name).bundles[environment]);
        let page = String::from_utf8(bundle["ACCESS.md"].0.clone()).unwrap();
        insta::with_settings!({ omit_expression => true }, {
            insta::assert_snapshot!(format!("access-{name}"), page);
        });
    }
}
