//! Logs: what the component that gathers them has to know of every service's lines.

use std::collections::BTreeMap;

use super::*;
use crate::blueprint::FAULTY_BLUEPRINT;
use crate::blueprint::logs::{self, CONTINUES, LEVEL_WORDS, LogField, Logs, REDACT, grok};
use crate::diagnostic::{Finding, suggest};
use crate::terms::LogKind;
use crate::value::Value;

/// What a component provides that gathers the logs of the platform.
pub(super) const CAPABILITY: &str = "logs";

/// What lines are read by of which nothing is known.
static PLAIN: std::sync::LazyLock<Logs> = std::sync::LazyLock::new(Logs::default);

impl Finish<'_, '_, '_> {
    /// Reports what does not hold together in the tables of the blueprints that are put to use.
    pub(super) fn check_logs(&mut self) {
        let mut findings = Vec::new();
        for draft in self.drafts {
            let blueprint = &draft.blueprint;
            let model = &blueprint.model;
            let services = model.services.iter();
            let services = services.map(|(key, service)| ("services", key, &service.workload));
            let jobs = model
                .jobs
                .iter()
                .map(|(key, job)| ("jobs", key, &job.workload));
            for (table, key, workload) in services.chain(jobs) {
                let Some(name) = &workload.logs else { continue };
                if !model.logs.contains_key(name) {
                    findings.push(
                        Finding::new(
                            &FAULTY_BLUEPRINT,
                            blueprint.place([table, key, "logs"]),
                            format!("`[logs]` has no `{name}`"),
                        )
                        .maybe_help(suggest(name, model.logs.keys().map(String::as_str))),
                    );
                }
            }
            // The tests read those of the built-in ones.
            for (name, logs) in model.logs.iter().filter(|_| blueprint.own) {
                for fault in logs::faults(logs) {
                    let keys = ["logs", name].map(str::to_owned).into_iter();
                    findings.push(Finding::new(
                        &FAULTY_BLUEPRINT,
                        blueprint.place(keys.chain(fault.keys)),
                        fault.message,
                    ));
                }
            }
        }
        self.resolver.findings.extend(findings);
    }

    /// Returns what is in scope of the component that gathers logs: `monitoring.logs_of` and its kin.
    pub(super) fn log_names(&self) -> BTreeMap<String, Value> {
        // Services whose lines are read alike are named together: what is made of them stays short.
        let mut alike: Vec<(&str, &Logs, Vec<Value>)> = Vec::new();
        for (draft, sized) in self.drafts.iter().zip(&self.sized) {
            // The engine does not know what runs in a cluster inside a service.
            if draft.guest {
                continue;
            }
            let tables = &draft.blueprint.model.logs;
            let start = alike.len();
            for sized in sized.iter() {
                let name = sized.workload.logs.as_deref().unwrap_or(logs::DEFAULT);
                let logs = tables.get(name).unwrap_or(&PLAIN);
                let service = Value::from(sized.name.as_str());
                let mut known = alike[start..].iter_mut();
                match known.find(|(_, other, _)| std::ptr::eq(*other, logs)) {
                    Some((_, _, services)) => services.push(service),
                    None => alike.push((&draft.name, logs, vec![service])),
                }
            }
        }
        let mut continues: Vec<&str> = alike
            .iter()
            .flat_map(|(_, logs, _)| logs.continues.iter().map(String::as_str))
            .chain([CONTINUES])
            .collect();
        continues.sort_unstable();
        continues.dedup();
        let levels = LEVEL_WORDS.iter();
        BTreeMap::from([
            (
                "logs_of".to_owned(),
                Value::List(
                    alike
                        .into_iter()
                        .map(|(component, logs, services)| reading(component, logs, services))
                        .collect(),
                ),
            ),
            ("log_continues".to_owned(), texts(continues)),
            ("log_redact".to_owned(), texts(REDACT.iter().copied())),
            (
                "log_levels".to_owned(),
                Value::table(levels.map(|(word, level)| (*word, Value::from(level.word())))),
            ),
            (
                "log_kinds".to_owned(),
                texts(LogKind::ALL.iter().map(|kind| kind.word())),
            ),
            (
                "log_fields".to_owned(),
                Value::List(LogField::ALL.iter().map(|field| place_of(*field)).collect()),
            ),
        ])
    }
}

/// Says how the lines of some services are read.
fn reading(component: &str, logs: &Logs, services: Vec<Value>) -> Value {
    let mut definitions = BTreeMap::new();
    let mut patterns = Vec::new();
    for pattern in &logs.patterns {
        // Faults were reported.
        let Ok(grok) = grok::Grok::compile(&pattern.pattern) else {
            continue;
        };
        let parts = grok::PARTS.iter();
        definitions.extend(
            parts
                .filter(|(name, _)| grok.parts.contains(name))
                .map(|(name, part)| ((*name).to_owned(), Value::from(*part))),
        );
        patterns.push(Value::table([
            ("match", Value::from(grok.written)),
            ("kind", Value::from(pattern.kind.map(|kind| kind.word()))),
            (
                "level",
                Value::from(pattern.level.map(|level| level.word())),
            ),
        ]));
    }
    let levels = logs.levels.iter();
    Value::table([
        ("component", Value::from(component)),
        ("services", Value::List(services)),
        ("json", Value::Bool(logs.format == logs::LogFormat::Json)),
        (
            "kind",
            Value::from(logs.kind.unwrap_or(LogKind::Application).word()),
        ),
        (
            "fields",
            Value::List(
                logs.fields
                    .iter()
                    .map(|(field, path)| {
                        Value::table([
                            ("name", Value::from(field.word())),
                            ("from", Value::from(object_path(path))),
                        ])
                    })
                    .collect(),
            ),
        ),
        (
            "kinds",
            Value::List(
                logs.kinds
                    .iter()
                    .map(|rule| {
                        Value::table([
                            ("from", Value::from(object_path(&rule.field))),
                            ("values", Value::from(rule.values.clone())),
                            ("kind", Value::from(rule.kind.word())),
                        ])
                    })
                    .collect(),
            ),
        ),
        ("patterns", Value::List(patterns)),
        ("definitions", Value::Table(definitions)),
        (
            "levels",
            Value::table(levels.map(|(word, level)| (word, Value::from(level.word())))),
        ),
        ("time", Value::from(logs.time.clone())),
        ("redact", Value::from(logs.redact.clone())),
    ])
}

/// Returns how Logstash refers to a key of the object in a line.
fn object_path(path: &logs::KeyPath) -> String {
    let keys = path.keys().iter();
    std::iter::once("[object]".to_owned())
        .chain(keys.map(|key| format!("[{key}]")))
        .collect()
}

fn place_of(field: LogField) -> Value {
    Value::table([
        ("name", Value::from(field.word())),
        (
            "path",
            Value::from(
                field
                    .path()
                    .iter()
                    .map(|key| (*key).to_owned())
                    .collect::<Vec<_>>(),
            ),
        ),
        ("type", Value::from(field.index_type())),
    ])
}

fn texts<'t>(texts: impl IntoIterator<Item = &'t str>) -> Value {
    Value::List(texts.into_iter().map(Value::from).collect())
}
