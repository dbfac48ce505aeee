//! Every dashboard of every topology: what the program that shows it takes for granted.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test reads files and fails where it must"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use lakewright::blueprint::Library;
use lakewright::blueprint::dashboard::{FILE_NAME, SCHEMA};
use lakewright::diagnostic;
use lakewright::observe::promql::Query;
use lakewright::platform::Platform;
use lakewright::source::Sources;
use lakewright::tree::Tree;
use serde_json::Value;
use support::read;

/// A file of Swarm may have 500 kB.
const LARGEST: usize = 500_000;

/// The files of a platform's services whose paths have this part, by path.
fn files<'p>(platform: &'p Platform, part: &str) -> BTreeMap<&'p str, &'p str> {
    let services = platform.services.iter();
    let files = services.flat_map(|service| &service.files);
    let files = files.filter(|(path, _)| path.contains(part));
    files
        .map(|(path, file)| (path.as_str(), &*file.content))
        .collect()
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no text at {pointer} of {value}"))
}

#[test]
fn dashboards_hold_together() {
    let mut seen = BTreeSet::new();
    for path in support::topologies() {
        let compiled = support::compile(&path, &read(&path), Library::default());
        for platform in &compiled.platforms {
            let at = format!("{path}, {}", platform.environment.name);
            let found = files(platform, "/dashboards/");
            let dashboards: BTreeMap<&str, Value> = found
                .iter()
                .filter(|(path, _)| path.ends_with(".json"))
                .map(|(path, text)| (*path, serde_json::from_str(text).expect("JSON")))
                .collect();
            if dashboards.is_empty() {
                continue;
            }
            seen.insert(platform.environment.target);
            for (path, text) in &found {
                assert!(
                    text.len() < LARGEST,
                    "{at}: {path} has {} bytes",
                    text.len()
                );
            }
            let sources = sources(platform);
            for field in ["/uid", "/title"] {
                let all: BTreeSet<&str> = dashboards.values().map(|it| text(it, field)).collect();
                assert_eq!(all.len(), dashboards.len(), "{at}: {field} {all:?}");
            }
            let declaring = platform.components.iter();
            let declaring = declaring.filter(|component| component.dashboard.is_some());
            assert_eq!(dashboards.len(), declaring.count() + 1, "{at}");
            for (path, dashboard) in &dashboards {
                holds_together(&format!("{at}: {path}"), dashboard, &sources);
            }
        }
    }
    assert_eq!(seen.len(), 3, "not every target shows dashboards: {seen:?}");
}

/// The uids of the data sources that are provisioned.
fn sources(platform: &Platform) -> BTreeSet<String> {
    let mut uids = BTreeSet::new();
    for (path, text) in files(platform, "/provisioning/datasources/") {
        let value: Value =
            serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{path}: {error}"));
        let sources = value["datasources"].as_array().expect("data sources");
        for source in sources {
            assert!(uids.insert(text_of(source, "uid")), "{path}");
        }
    }
    uids
}

fn text_of(value: &Value, key: &str) -> String {
    text(value, &format!("/{key}")).to_owned()
}

fn holds_together(at: &str, dashboard: &Value, sources: &BTreeSet<String>) {
    let uid = text(dashboard, "/uid");
    assert!(uid.len() <= 40, "{at}: {uid}");
    let chosen = text(dashboard, "/templating/list/0/current/value");
    assert!(
        sources.contains(chosen),
        "{at}: no data source `{chosen}` in {sources:?}"
    );
    let variable = format!("${{{}}}", text(dashboard, "/templating/list/0/name"));
    let panels = dashboard["panels"].as_array().expect("panels");
    let (mut ids, mut cells) = (BTreeSet::new(), BTreeSet::new());
    for panel in panels {
        let title = text(panel, "/title");
        let id = panel["id"].as_i64().expect("a number");
        assert!(
            (1..=i64::from(i32::MAX)).contains(&id),
            "{at}, {title}: {id}"
        );
        assert!(ids.insert(id), "{at}, {title}: {id} is there twice");
        let side = |key: &str| panel["gridPos"][key].as_u64().expect("a number");
        assert!(side("x") + side("w") <= 24, "{at}, {title}: too far right");
        for x in side("x")..side("x") + side("w") {
            for y in side("y")..side("y") + side("h") {
                assert!(cells.insert((x, y)), "{at}, {title}: lies over another");
            }
        }
        if panel["type"] == "row" {
            continue;
        }
        assert_eq!(text(panel, "/datasource/uid"), variable, "{at}, {title}");
        let targets = panel["targets"].as_array().expect("queries");
        assert!(!targets.is_empty(), "{at}, {title}");
        let mut letters = BTreeSet::new();
        for target in targets {
            assert!(letters.insert(text(target, "/refId")), "{at}, {title}");
            assert_eq!(text(target, "/datasource/uid"), variable, "{at}, {title}");
            let query = text(target, "/expr");
            assert!(Query::parse(query).is_ok(), "{at}, {title}: {query}");
        }
    }
    assert!(ids.len() > 1, "{at} shows nothing");
}

#[test]
fn dashboards_of_blueprints_fit_their_schema() {
    let mut count = 0;
    for name in support::names("blueprints") {
        let path = format!("blueprints/{name}/{FILE_NAME}");
        if !support::root().join(&path).exists() {
            continue;
        }
        count += 1;
        let mut sources = Sources::default();
        let file = sources.add(path.as_str(), read(&path));
        let tree = Tree::parse(&sources, file).expect("TOML");
        let findings = SCHEMA.validate(&tree);
        let text = diagnostic::text::render(&findings, &sources, false, 120);
        assert!(findings.is_empty(), "{text}");
    }
    assert!(count > 5, "{count}");
}
