//! Who is told of which alerts: Alertmanager's configuration as it is made of the example in docs/alerting.md.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test reads files and fails where it must"
)]

mod support;

use std::collections::BTreeMap;

use lakewright::blueprint::Library;
use lakewright::terms::AlertSeverity;
use support::{Compiled, contents, read};

/// Compiles the page's example, with something added at its end.
fn compile(added: &str) -> Compiled {
    let page = read("docs/alerting.md");
    let example = page.split("```toml\n").nth(1).expect("an example");
    let example = example.split("```").next().expect("its end");
    let text = format!("{example}\n{added}");
    support::compile("platform.toml", &text, Library::new(BTreeMap::new()))
}

/// The configuration of an environment.
fn configuration(compiled: &Compiled, environment: &str) -> String {
    let bundle = compiled.bundles.get(environment).expect("a bundle");
    let files = contents(bundle);
    let (bytes, _) = &files["alertmanager/alertmanager.yaml"];
    String::from_utf8(bytes.clone()).expect("text")
}

#[test]
fn the_example_becomes_a_configuration() {
    let compiled = compile("");
    insta::assert_snapshot!(configuration(&compiled, "prod"));
}

#[test]
fn an_environment_lays_its_table_over_the_platforms() {
    let mut compiled = compile("");
    let findings = compiled.text();
    assert!(!findings.contains("warning["), "{findings}");
    let prod = configuration(&compiled, "prod");
    let staging = configuration(&compiled, "staging");
    for (word, in_prod, in_staging) in [
        ("oncall@example.com", true, false),
        ("channel: \"#data-oncall\"", true, false),
        ("channel: \"#data-staging\"", false, true),
        ("alertmanager-heartbeat-url", true, false),
        ("dba@example.com", true, true),
        ("location: Europe/Paris", true, true),
    ] {
        assert_eq!(prod.contains(word), in_prod, "{word}\n{prod}");
        assert_eq!(staging.contains(word), in_staging, "{word}\n{staging}");
    }
}

#[test]
fn secrets_are_those_that_receivers_need() {
    let compiled = compile("");
    let names = |environment: &str| -> Vec<String> {
        let platform = compiled
            .platforms
            .iter()
            .find(|platform| platform.environment.name == environment);
        let secrets = &platform.expect("a platform").secrets;
        let names = secrets.iter().map(|secret| secret.name.clone());
        names
            .filter(|name| name.starts_with("alertmanager-"))
            .collect()
    };
    assert_eq!(
        names("prod"),
        [
            "alertmanager-heartbeat-url",
            "alertmanager-mail-password",
            "alertmanager-slack-default",
            "alertmanager-slack-oncall",
        ]
    );
    assert!(!names("staging").contains(&"alertmanager-heartbeat-url".to_owned()));
    let service = compiled.platforms[0]
        .services
        .iter()
        .find(|service| service.name == "alertmanager")
        .expect("the service");
    let read: Vec<&String> = service
        .secrets
        .iter()
        .filter(|name| name.starts_with("alertmanager-"))
        .collect();
    assert_eq!(read.len(), 4);
    let hosts: Vec<&str> = service
        .egress
        .iter()
        .flat_map(|egress| &egress.hosts)
        .map(|(host, _)| host.as_str())
        .collect();
    // The address of the heartbeat is a secret, so anything may be reached.
    assert!(hosts.is_empty(), "{hosts:?}");
}

#[test]
fn where_messages_go_is_all_that_is_reached() {
    let compiled = compile("");
    let staging = compiled
        .platforms
        .iter()
        .find(|platform| platform.environment.name == "staging")
        .expect("staging");
    let service = staging
        .services
        .iter()
        .find(|service| service.name == "alertmanager")
        .expect("the service");
    let hosts = &service.egress.as_ref().expect("a way out").hosts;
    assert_eq!(
        hosts,
        &[
            ("hooks.slack.com".to_owned(), 443),
            ("smtp.example.com".to_owned(), 587),
            ("tickets.example.com".to_owned(), 443),
        ]
    );
}

#[test]
fn everybody_is_told_whom_a_route_names() {
    let compiled = compile("");
    let alerting = &compiled.platforms[0].alerting;
    let told = |component: &str, severity| -> Vec<&str> {
        let positions = alerting.told(component, severity);
        positions
            .iter()
            .map(|at| alerting.receivers[*at].name.as_str())
            .collect()
    };
    assert_eq!(
        told("postgresql", AlertSeverity::Critical),
        ["dba", "oncall"]
    );
    assert_eq!(told("postgresql", AlertSeverity::Warning), ["dba"]);
    assert_eq!(told("superset", AlertSeverity::Critical), ["oncall"]);
    assert_eq!(told("superset", AlertSeverity::Warning), ["default"]);
    assert_eq!(told("superset", AlertSeverity::Info), [""; 0]);
}
