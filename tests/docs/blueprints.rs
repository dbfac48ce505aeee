//! Pages about blueprints, and the option tables of their READMEs.

use std::fmt::Write as _;
use std::sync::Arc;

use lakewright::blueprint::model::{OptionSpec, Port};
use lakewright::blueprint::{Blueprint, Library};
use lakewright::source::Sources;
use lakewright::terms::{Locale, Size};
use lakewright::value::Value;

pub(crate) fn all() -> Vec<Arc<Blueprint>> {
    let mut library = Library::default();
    let mut sources = Sources::default();
    library
        .names()
        .iter()
        .map(|name| match library.load(&mut sources, name) {
            Some(Ok(blueprint)) => blueprint,
            other => panic!("{name} is faulty: {other:?}"),
        })
        .collect()
}

pub(crate) fn index() -> String {
    let mut text = super::header();
    text.push_str(
        "# Built-in blueprints\n\n\
         What the binary knows how to deploy. `lakewright blueprint show NAME` says the same on the command line; a folder of\n\
         your own adds to these or replaces them. The language they are written in: [blueprint.md](../blueprint.md).\n\n\
         | blueprint | version | what it is | layer | zone | licence | provides |\n\
         | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for blueprint in all() {
        let about = &blueprint.model.blueprint;
        let provides: Vec<String> = blueprint
            .model
            .provides
            .values()
            .map(|provide| format!("`{}`", provide.capability))
            .collect();
        let _ = writeln!(
            text,
            "| [{0}]({0}.md) | {1} | {2} | {3} | {4} | {5} | {6} |",
            blueprint.name,
            about.version.default,
            about.summary.get(Locale::En),
            about.layer,
            about.zone,
            about.license,
            provides.join(", ")
        );
    }
    text
}

pub(crate) fn page(blueprint: &Blueprint) -> String {
    let model = &blueprint.model;
    let about = &model.blueprint;
    let mut text = super::header();
    let _ = write!(
        text,
        "# {}\n\n{}.\n\nDecisions, upgrades and limits: [the blueprint's README](../../../blueprints/{}/README.md).\n\n",
        blueprint.name,
        about.summary.get(Locale::En),
        blueprint.name
    );
    let _ = writeln!(text, "| | |\n| --- | --- |");
    let mut row = |key: &str, value: String| {
        let _ = writeln!(text, "| {key} | {value} |");
    };
    row(
        "version",
        format!(
            "{} (tested: {})",
            about.version.default,
            about.version.tested.join(", ")
        ),
    );
    row("licence", about.license.clone());
    row("layer, zone", format!("{}, {}", about.layer, about.zone));
    if let Some(homepage) = &about.homepage {
        row("homepage", format!("<{homepage}>"));
    }
    if !about.default_for.is_empty() {
        let names: Vec<String> = about
            .default_for
            .iter()
            .map(|name| format!("`{name}`"))
            .collect();
        row(
            "added by itself for",
            format!("{}, when nothing else provides it", names.join(", ")),
        );
    }
    if let Some(why) = &model.requires.cluster {
        row("needs a Kubernetes API", cell(why));
    }
    for (target, support) in &model.targets {
        row(&format!("not on {target}"), cell(&support.unsupported));
    }
    row("facts", format!("looked up on {}", about.facts.checked));

    if !model.editions.is_empty() {
        text.push_str("\n## Editions\n\n| edition | licence | what it is | features |\n| --- | --- | --- | --- |\n");
        for (name, edition) in &model.editions {
            let _ = writeln!(
                text,
                "| `{name}`{} | {} | {} | {} |",
                if edition.default { " (default)" } else { "" },
                edition.license.as_deref().unwrap_or(&about.license),
                cell(edition.summary.get(Locale::En)),
                edition.features.join(", ")
            );
        }
    }
    if !model.features.is_empty() {
        text.push_str("\n## Features\n\n| feature | what it is |\n| --- | --- |\n");
        for (name, feature) in &model.features {
            let _ = writeln!(
                text,
                "| `{name}` | {} |",
                cell(feature.summary.get(Locale::En))
            );
        }
    }
    let _ = write!(text, "\n## Options\n\n{}", options(blueprint));
    services(blueprint, &mut text);
    wiring(blueprint, &mut text);
    volumes(blueprint, &mut text);
    secrets(blueprint, &mut text);
    notices(blueprint, &mut text);
    if !about.facts.sources.is_empty() {
        text.push_str("\n## Where this was looked up\n\n");
        for source in &about.facts.sources {
            let _ = writeln!(text, "- {source}");
        }
    }
    text
}

pub(crate) fn options(blueprint: &Blueprint) -> String {
    let options = &blueprint.model.options;
    if options.is_empty() {
        return "It has no options.\n".to_owned();
    }
    let mut text = "| option | type | default | example | what it does |\n\
                    | --- | --- | --- | --- | --- |\n"
        .to_owned();
    for (name, spec) in options {
        let default = match (&spec.default, &spec.computed) {
            (Some(default), _) => code(&default.to_string()),
            (None, Some(by)) => format!("computed: {}", code(&by.written)),
            (None, None) => "none".to_owned(),
        };
        let example = spec
            .example
            .as_ref()
            .map(|example| code(&example.to_string()))
            .unwrap_or_default();
        let mut what = cell(&spec.description);
        if !spec.features.is_empty() {
            let needs: Vec<String> = spec
                .features
                .iter()
                .map(|(value, feature)| format!("`{value}` the feature `{feature}`"))
                .collect();
            let _ = write!(what, " Needs of the edition: {}.", needs.join(", "));
        }
        let _ = writeln!(
            text,
            "| `{name}` | {} | {default} | {example} | {what} |",
            kind(spec)
        );
    }
    text
}

/// Says what values an option takes.
fn kind(spec: &OptionSpec) -> String {
    let unit = spec
        .unit
        .as_ref()
        .map(|unit| format!(", {unit}"))
        .unwrap_or_default();
    let base = match spec.format.as_deref() {
        Some("bytes") => "size".to_owned(),
        Some("cpu") => "share of processors".to_owned(),
        Some("duration") => "duration".to_owned(),
        Some("cron") => "cron expression".to_owned(),
        Some("domain") => "domain".to_owned(),
        Some("replicas") => "number, or `{ min, max }`".to_owned(),
        Some(other) => other.to_owned(),
        None => plain(&spec.schema),
    };
    format!("{base}{unit}")
}

fn plain(schema: &std::collections::BTreeMap<String, Value>) -> String {
    if let Some(Value::List(all)) = schema.get("enum") {
        let all: Vec<String> = all.iter().map(|one| code(&one.to_string())).collect();
        return all.join(", ");
    }
    let number = |key: &str| schema.get(key).map(Value::to_string);
    match schema.get("type").and_then(Value::as_text) {
        Some("integer") => match (number("minimum"), number("maximum")) {
            (Some(least), Some(most)) => format!("whole number, {least} to {most}"),
            (Some(least), None) => format!("whole number, at least {least}"),
            (None, Some(most)) => format!("whole number, at most {most}"),
            (None, None) => "whole number".to_owned(),
        },
        Some("boolean") => "true or false".to_owned(),
        Some("string") => match schema.get("pattern").and_then(Value::as_text) {
            Some(pattern) => format!("text like {}", code(pattern)),
            None => "text".to_owned(),
        },
        Some("array") => {
            let items = match schema.get("items") {
                Some(Value::Table(items)) => plain(items),
                _ => "anything".to_owned(),
            };
            format!("list of: {items}")
        }
        Some("object") => "table".to_owned(),
        Some("number") => "number".to_owned(),
        _ => "see the schema".to_owned(),
    }
}

fn services(blueprint: &Blueprint, text: &mut String) {
    let model = &blueprint.model;
    text.push_str(
        "\n## Services and jobs\n\n\
         Memory is limit and budget, the share of processors is what is guaranteed.\n\n\
         | name | kind | small | medium | large | runs |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    let workloads = model
        .services
        .iter()
        .map(|(name, service)| {
            let kind = match service.kind {
                lakewright::blueprint::model::ServiceKind::Stateless => "stateless",
                lakewright::blueprint::model::ServiceKind::Stateful => "stateful",
            };
            (name, &service.workload, kind.to_owned())
        })
        .chain(model.jobs.iter().map(|(name, job)| {
            let kind = match &job.schedule {
                Some(at) => format!("job, at {}", code(&at.written)),
                None => "job at start".to_owned(),
            };
            (name, &job.workload, kind)
        }));
    for (name, workload, kind) in workloads {
        let tier = |size: Size| {
            workload
                .resources
                .get(&size)
                .map(|resources| format!("{}, {}", resources.memory, resources.cpu))
                .unwrap_or_default()
        };
        let when = match &workload.when {
            Some(when) => format!("when {}", code(&when.written)),
            None => "always".to_owned(),
        };
        let _ = writeln!(
            text,
            "| `{name}` | {kind} | {} | {} | {} | {when} |",
            tier(Size::Small),
            tier(Size::Medium),
            tier(Size::Large)
        );
    }
    let ports: Vec<(&String, &String, &Port)> = model
        .services
        .iter()
        .map(|(name, service)| (name, &service.workload))
        .chain(model.jobs.iter().map(|(name, job)| (name, &job.workload)))
        .flat_map(|(name, workload)| {
            workload
                .ports
                .iter()
                .map(move |(port, spec)| (name, port, spec))
        })
        .collect();
    if ports.is_empty() {
        return;
    }
    text.push_str(
        "\n## Ports\n\n| service | port | number | protocol | published |\n| --- | --- | --- | --- | --- |\n",
    );
    for (service, name, port) in ports {
        let mut published = match port.publish {
            None => "no".to_owned(),
            Some(how) => format!("`{how}`"),
        };
        if let Some(listen) = &port.listen {
            let _ = write!(published, " on {}", code(&listen.written));
        }
        if let (Some(when), Some(_)) = (&port.when, port.publish) {
            let _ = write!(published, ", when {}", code(&when.written));
        }
        let number = if port.port.written.bytes().all(|byte| byte.is_ascii_digit()) {
            port.port.written.clone()
        } else {
            code(&port.port.written)
        };
        let _ = writeln!(
            text,
            "| `{service}` | `{name}` | {number} | {} | {published} |",
            port.protocol
        );
    }
}

fn wiring(blueprint: &Blueprint, text: &mut String) {
    let model = &blueprint.model;
    if !model.provides.is_empty() {
        text.push_str(
            "\n## Provides\n\n| name | capability | a need may ask for | a consumer gets |\n| --- | --- | --- | --- |\n",
        );
        for (name, provide) in &model.provides {
            let params: Vec<String> = provide.params.iter().map(|key| code(key)).collect();
            let values: Vec<String> = ["host", "port"]
                .into_iter()
                .chain(
                    provide
                        .values
                        .keys()
                        .map(String::as_str)
                        .filter(|key| !matches!(*key, "host" | "port")),
                )
                .chain(provide.secret.as_ref().map(|_| "secret"))
                .map(code)
                .collect();
            let _ = writeln!(
                text,
                "| `{name}` | `{}` | {} | {} |",
                provide.capability,
                params.join(", "),
                values.join(", ")
            );
        }
    }
    if !model.needs.is_empty() {
        text.push_str(
            "\n## Needs\n\n| name | capability | optional | when |\n| --- | --- | --- | --- |\n",
        );
        for (name, need) in &model.needs {
            let when = match &need.when {
                Some(when) => code(&when.written),
                None => "always".to_owned(),
            };
            let _ = writeln!(
                text,
                "| `{name}` | `{}` | {} | {when} |",
                need.capability,
                if need.optional { "yes" } else { "no" }
            );
        }
    }
}

fn volumes(blueprint: &Blueprint, text: &mut String) {
    if blueprint.model.volumes.is_empty() {
        return;
    }
    text.push_str("\n## Volumes\n\n| name | small | medium | large | not on |\n| --- | --- | --- | --- | --- |\n");
    for (name, volume) in &blueprint.model.volumes {
        let tier = |size: Size| volume.size.get(&size).cloned().unwrap_or_default();
        let not_on: Vec<String> = volume
            .unsafe_on
            .iter()
            .map(|(kind, why)| format!("{kind}: {}", cell(why)))
            .collect();
        let _ = writeln!(
            text,
            "| `{name}` | {} | {} | {} | {} |",
            tier(Size::Small),
            tier(Size::Medium),
            tier(Size::Large),
            not_on.join("; ")
        );
    }
}

fn secrets(blueprint: &Blueprint, text: &mut String) {
    if blueprint.model.secrets.is_empty() {
        return;
    }
    text.push_str(
        "\n## Secrets\n\n| name | made as | what it is for | when |\n| --- | --- | --- | --- |\n",
    );
    for (name, secret) in &blueprint.model.secrets {
        let when = match &secret.when {
            Some(when) => code(&when.written),
            None => "always".to_owned(),
        };
        let _ = writeln!(
            text,
            "| `{name}` | {} | {} | {when} |",
            secret.kind,
            cell(secret.purpose.get(Locale::En))
        );
    }
}

fn notices(blueprint: &Blueprint, text: &mut String) {
    if blueprint.model.notices.is_empty() {
        return;
    }
    text.push_str(
        "\n## Notices\n\n\
         What is reported as [blueprint-notice](../findings.md#blueprint-notice).\n\n\
         | severity | what is so | what to do | when |\n| --- | --- | --- | --- |\n",
    );
    for notice in blueprint.model.notices.values() {
        let severity = notice.severity.word();
        let when = match &notice.when {
            Some(when) => code(&when.written),
            None => "always".to_owned(),
        };
        let _ = writeln!(
            text,
            "| {severity} | {} | {} | {when} |",
            cell(&notice.message.written),
            cell(notice.help.as_deref().unwrap_or_default())
        );
    }
}

/// A text inside a table.
pub(crate) fn cell(text: &str) -> String {
    // `<name>` would be taken for HTML.
    let mut out = String::new();
    let mut inside = false;
    for next in text.replace('\n', " ").chars() {
        match next {
            '`' => {
                inside = !inside;
                out.push(next);
            }
            '|' => out.push_str("\\|"),
            '<' if !inside => out.push_str("&lt;"),
            other => out.push(other),
        }
    }
    out
}

/// Code inside a table.
pub(crate) fn code(text: &str) -> String {
    let text = text.replace('|', "\\|");
    if text.contains('`') {
        format!("`` {text} ``")
    } else {
        format!("`{text}`")
    }
}
