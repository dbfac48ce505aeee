//! What people have of the rules beside those that Prometheus reads: tests that can be run, and a runbook.
//!
//! Only where something evaluates the rules; elsewhere they would promise what nobody does.

use std::sync::LazyLock;

use serde::Serialize;

use super::Files;
use super::docker::{file_paths, key};
use super::readme::{Template, engine};
use crate::observe::rules::{All, RuleFile};
use crate::observe::runbook::{FILE, readable, sections};
use crate::observe::{cases, value};
use crate::platform::{Content, Platform};
use crate::template::{header, to_yaml};
use crate::terms::AlertSeverity;

static RUNBOOK: Template = Template {
    en: LazyLock::new(|| engine(include_str!("readme/runbook.en.hbs"))),
    fr: LazyLock::new(|| engine(include_str!("readme/runbook.fr.hbs"))),
};

/// The folder of tests, and the way back from it.
const TESTS: &str = "alerts/tests";
const BACK: &str = "../..";

/// Adds the tests of all rules and the runbook.
pub(crate) fn add(platform: &Platform, files: &mut Files) {
    if platform.collectors.metrics.is_none() {
        return;
    }
    let all = All::of(platform);
    let rule_files = all.files();
    for component in &platform.components {
        let Some(rules) = rule_files.get(&component.name) else {
            continue;
        };
        let own = format!("alerts/rules/{}.yaml", component.name);
        let mounted = mounted(platform, rules);
        let path = mounted.as_deref().unwrap_or(&own);
        let Some(tests) = cases::file(&component.rules, format!("{BACK}/{path}")) else {
            continue;
        };
        let source = format!("blueprint {}, alerts.toml", component.blueprint);
        if mounted.is_none() {
            let text = format!("# {}\n{}", header(&source), to_yaml(&value(rules)));
            files.add(&own, text, false, &component.place);
        }
        let text = format!("# {}\n{}", header(&source), to_yaml(&tests));
        let path = format!("{TESTS}/{}.yaml", component.name);
        files.add(&path, text, false, &component.place);
    }
    if let Some(text) = runbook(platform, &all) {
        files.add(FILE, text, false, &platform.environment.place);
    }
}

/// Returns the path of the file of these rules that a service of the engine reads, if one does.
fn mounted(platform: &Platform, rules: &RuleFile) -> Option<String> {
    if platform.environment.cluster.is_some() {
        return None;
    }
    let text = to_yaml(&value(rules));
    let paths = file_paths(platform);
    let same = |content: &Content| {
        content
            .split_once('\n')
            .is_some_and(|(_, rest)| rest == text)
    };
    platform.services.iter().find_map(|service| {
        let mut files = service.files.values();
        let file = files.find(|file| same(&file.content))?;
        paths.get(&key(service, file)).cloned()
    })
}

#[derive(Serialize)]
struct Runbook<'p> {
    platform: &'p str,
    environment: &'p str,
    parts: Vec<Part<'p>>,
}

#[derive(Serialize)]
struct Part<'p> {
    /// None of the user's own alerts.
    component: Option<&'p str>,
    summary: Option<&'p str>,
    owner: Option<&'p str>,
    alerts: Vec<Row<'p>>,
}

#[derive(Serialize)]
struct Row<'p> {
    heading: String,
    anchor: String,
    summary: String,
    description: Option<String>,
    critical: bool,
    info: bool,
    hold: Option<&'p str>,
    expr: &'p str,
    runbook: &'p str,
}

fn runbook(platform: &Platform, all: &All<'_>) -> Option<String> {
    let mut parts: Vec<Part<'_>> = Vec::new();
    for section in sections(all) {
        let alert = section.alert;
        let row = Row {
            anchor: section.anchor(),
            summary: readable(&alert.summary),
            description: alert.description.as_deref().map(readable),
            critical: alert.severity == AlertSeverity::Critical,
            info: alert.severity == AlertSeverity::Info,
            hold: alert.hold.as_deref(),
            expr: &alert.expr,
            runbook: alert.runbook.trim(),
            heading: section.heading,
        };
        match parts.last_mut() {
            Some(part) if part.component == section.component => part.alerts.push(row),
            _ => {
                let mut components = platform.components.iter();
                let component =
                    components.find(|component| Some(component.name.as_str()) == section.component);
                parts.push(Part {
                    component: section.component,
                    summary: component.map(|component| component.summary.as_str()),
                    owner: section
                        .component
                        .and_then(|component| platform.alerting.owner(component)),
                    alerts: vec![row],
                });
            }
        }
    }
    let runbook = Runbook {
        platform: &platform.name,
        environment: &platform.environment.name,
        parts,
    };
    (!runbook.parts.is_empty()).then(|| RUNBOOK.render(platform, &runbook))
}
