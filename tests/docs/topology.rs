//! The keys of a topology, read from its schema.

use std::fmt::Write as _;

use lakewright::schema::Schema;
use lakewright::source::Sources;
use lakewright::topology::written::Topology;
use lakewright::tree::Tree;
use lakewright::value::Value;
use serde_json::Value as Json;

use super::blueprints::{cell, code};

/// The tables of a topology: heading, where its schema is, and what is said before its keys.
const TABLES: &[(&str, &str, &str)] = &[
    ("The top of the file", "", ""),
    (
        "[platform]",
        "/properties/platform",
        "What all environments share.",
    ),
    (
        "[platform.licences]",
        "/properties/platform/properties/licences",
        "What it refuses or does not accept becomes the finding [licence-refused](findings.md#licence-refused).",
    ),
    (
        "[components.NAME]",
        "/properties/components/additionalProperties",
        "Options of the component's blueprint stand beside these keys; [the blueprints' pages](blueprints/README.md) list \
         them. `[environments.NAME.components.NAME]` takes the same keys and is laid over this table: see \
         [merging.md](merging.md). `unset` has a meaning there only.",
    ),
    (
        "[components.NAME.services.SERVICE]",
        "/properties/components/additionalProperties/properties/services/additionalProperties",
        "`SERVICE` is a service or job of the blueprint.",
    ),
    (
        "[components.NAME.volumes.VOLUME]",
        "/properties/components/additionalProperties/properties/volumes/additionalProperties",
        "`VOLUME` is a volume of the blueprint.",
    ),
    (
        "[alerting]",
        "/properties/alerting",
        "What it means and how it is put to use: [alerting.md](../alerting.md). `[environments.NAME.alerting]` takes the same \
         keys and is laid over this table: see [merging.md](merging.md). `unset` has a meaning there only.",
    ),
    (
        "[alerting.mail]",
        "/properties/alerting/properties/mail",
        "",
    ),
    (
        "[alerting.receivers.NAME]",
        "/properties/alerting/properties/receivers/additionalProperties",
        "At least one of them.",
    ),
    (
        "[[alerting.routes]]",
        "/properties/alerting/properties/routes/items",
        "",
    ),
    (
        "[alerting.quiet_hours.NAME]",
        "/properties/alerting/properties/quiet_hours/additionalProperties",
        "Whole days unless `from` or `to` is given.",
    ),
    (
        "[alerting.heartbeat]",
        "/properties/alerting/properties/heartbeat",
        "",
    ),
    (
        "[alerting.rules.NAME]",
        "/properties/alerting/properties/rules/additionalProperties",
        "`NAME` begins with a capital: `OrdersStale`.",
    ),
    (
        "[backup]",
        "/properties/backup",
        "How copies are made and put back: [backup.md](../backup.md). `[environments.NAME.backup]` takes the same keys and is \
         laid over this table: see [merging.md](merging.md). `unset` has a meaning there only.",
    ),
    (
        "[backup.retention]",
        "/properties/backup/properties/retention",
        "",
    ),
    (
        "[backup.offsite]",
        "/properties/backup/properties/offsite",
        "`endpoint`, `bucket` and `access_key` are needed.",
    ),
    (
        "[components.NAME.backup]",
        "/properties/components/additionalProperties/properties/backup",
        "What is not said here, `[backup]` says.",
    ),
    (
        "[identity]",
        "/properties/identity",
        "Who people are, and what they may do: [identity.md](../identity.md). `[environments.NAME.identity]` takes the same keys \
         and is laid over this table: see [merging.md](merging.md). `unset` has a meaning there only.",
    ),
    (
        "[identity.ldap]",
        "/properties/identity/properties/ldap",
        "`server`, `users` and `groups` are needed.",
    ),
    (
        "[identity.oidc]",
        "/properties/identity/properties/oidc",
        "`issuer` is needed.",
    ),
    (
        "[identity.roles]",
        "/properties/identity/properties/roles",
        "What each role is in a system, the bundle's ACCESS.md says.",
    ),
    (
        "[environments.NAME]",
        "/properties/environments/additionalProperties",
        "",
    ),
    (
        "[[environments.NAME.hosts]]",
        "/properties/environments/additionalProperties/properties/hosts/items",
        "Without hosts there is no budget to fit into. Compose runs on one machine: more than one is a finding.",
    ),
    (
        "[environments.NAME.hosts.reserve]",
        "/properties/environments/additionalProperties/properties/hosts/items/properties/reserve",
        "Of one machine, not of a pool.",
    ),
    (
        "[environments.NAME.storage]",
        "/properties/environments/additionalProperties/properties/storage",
        "`server` and `path` are needed for `nfs`.",
    ),
    (
        "[environments.NAME.secrets]",
        "/properties/environments/additionalProperties/properties/secrets",
        "Which store for which target, and what there is to do: [secrets.md](../secrets.md).",
    ),
    (
        "[environments.NAME.tls]",
        "/properties/environments/additionalProperties/properties/tls",
        "How certificates are made, handed out and renewed: [tls.md](../tls.md).",
    ),
];

/// What holds where a key is left out, where the schema cannot say it: table, key, words.
const OTHERWISE: &[(&str, &str, &str)] = &[
    (
        "[platform]",
        "domain",
        "`localhost` on compose, else it must be given",
    ),
    ("[platform.licences]", "refuse", "none are refused"),
    ("[platform.licences]", "accept", "all are accepted"),
    ("[components.NAME]", "blueprint", "the component's name"),
    ("[components.NAME]", "version", "the blueprint's"),
    ("[components.NAME]", "edition", "the blueprint's"),
    ("[components.NAME]", "size", "the environment's"),
    (
        "[components.NAME]",
        "profile",
        "that of the environment's `profiles`",
    ),
    ("[components.NAME]", "needs", "the only provider there is"),
    ("[components.NAME]", "images", "the blueprint's"),
    ("[components.NAME]", "services", "the blueprint's"),
    ("[components.NAME]", "volumes", "the blueprint's"),
    (
        "[components.NAME.services.SERVICE]",
        "replicas",
        "the blueprint's",
    ),
    (
        "[components.NAME.services.SERVICE]",
        "memory",
        "the blueprint's, by size",
    ),
    (
        "[components.NAME.services.SERVICE]",
        "cpu",
        "the blueprint's, by size",
    ),
    (
        "[components.NAME.services.SERVICE]",
        "cpu_limit",
        "the blueprint's, else four times `cpu`",
    ),
    (
        "[components.NAME.volumes.VOLUME]",
        "size",
        "the blueprint's, by size",
    ),
    (
        "[environments.NAME]",
        "size",
        "`small` on compose, `medium` on swarm, `large` on kubernetes",
    ),
    (
        "[environments.NAME]",
        "domain",
        "`localhost` on compose, else the platform's",
    ),
    (
        "[environments.NAME]",
        "bind",
        "`127.0.0.1` on compose, else `0.0.0.0`",
    ),
    ("[environments.NAME]", "storage", "local"),
    (
        "[environments.NAME.secrets]",
        "store",
        "`files` on compose, `external` on swarm, `script` on kubernetes",
    ),
    ("[environments.NAME.secrets]", "property", "the whole entry"),
    ("[environments.NAME.secrets]", "refresh", "never"),
    (
        "[environments.NAME.tls]",
        "public",
        "`off` on compose, `internal` on swarm",
    ),
    (
        "[environments.NAME.tls]",
        "renew_before",
        "a third of `lifetime`",
    ),
    ("[[environments.NAME.hosts]]", "reserve", "an eighth"),
    ("[environments.NAME.hosts.reserve]", "memory", "an eighth"),
    ("[environments.NAME.hosts.reserve]", "cpus", "an eighth"),
];

fn document() -> Json {
    let mut settings = schemars::generate::SchemaSettings::draft2020_12();
    settings.inline_subschemas = true;
    settings
        .into_generator()
        .into_root_schema_for::<Topology>()
        .to_value()
}

/// A schema that may be left out is one of two things, or has two types; what counts is the one that is not nothing.
fn given(schema: &Json) -> &Json {
    schema["anyOf"]
        .as_array()
        .filter(|all| all.len() == 2 && all.iter().any(|one| one["type"] == "null"))
        .and_then(|all| all.iter().find(|one| one["type"] != "null"))
        .unwrap_or(schema)
}

fn find<'j>(document: &'j Json, pointer: &str) -> &'j Json {
    pointer
        .split('/')
        .skip(1)
        .fold(given(document), |at, step| given(&at[step]))
}

pub(crate) fn keys() -> String {
    let document = document();
    for (table, key, _) in OTHERWISE {
        let known = TABLES
            .iter()
            .find(|(heading, ..)| heading == table)
            .is_some_and(|(_, pointer, _)| find(&document, pointer)["properties"][key].is_object());
        assert!(known, "{table} has no `{key}` any more");
    }
    let mut text = String::new();
    for (heading, pointer, about) in TABLES {
        let schema = find(&document, pointer);
        let properties = schema["properties"]
            .as_object()
            .unwrap_or_else(|| panic!("{heading} has keys"));
        let _ = write!(text, "\n## {heading}\n\n");
        if !about.is_empty() {
            let _ = write!(text, "{about}\n\n");
        }
        text.push_str(
            "| key | type | default | example | what it is |\n| --- | --- | --- | --- | --- |\n",
        );
        let required: Vec<&str> = schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Json::as_str)
            .collect();
        for (key, property) in properties {
            let description = property["description"].as_str().unwrap_or_default();
            let default = match &property["default"] {
                Json::Null if required.contains(&key.as_str()) => "must be given".to_owned(),
                Json::Null => OTHERWISE
                    .iter()
                    .find(|(table, name, _)| (*table, *name) == (*heading, key.as_str()))
                    .map_or("none", |(.., words)| words)
                    .to_owned(),
                Json::Object(none) if none.is_empty() => "none".to_owned(),
                default => code(&toml_of(default)),
            };
            let example = match &property["examples"][0] {
                Json::Null => String::new(),
                example => {
                    hold_example(heading, key, property, example);
                    code(&format!("{key} = {}", toml_of(example)))
                }
            };
            let _ = writeln!(
                text,
                "| `{key}` | {} | {default} | {example} | {} |",
                kind(property),
                cell(description)
            );
        }
    }
    text
}

/// An example must be what its own schema accepts.
fn hold_example(heading: &str, key: &str, property: &Json, example: &Json) {
    let document = serde_json::json!({ "type": "object", "properties": { key: property } });
    let schema = Schema::compile(document).expect("a part of a schema is one");
    let mut sources = Sources::default();
    let file = sources.add("example", format!("{key} = {}\n", toml_of(example)));
    let tree = Tree::parse(&sources, file).expect("examples are TOML");
    let faults = schema.validate(&tree);
    assert!(
        faults.is_empty(),
        "the example of `{key}` in {heading}: {faults:?}"
    );
}

fn toml_of(value: &Json) -> String {
    fn convert(value: &Json) -> Value {
        match value {
            Json::Null => Value::Null,
            Json::Bool(truth) => Value::Bool(*truth),
            Json::Number(number) => number
                .as_i64()
                .map_or_else(|| Value::Float(number.as_f64().unwrap_or(0.0)), Value::Int),
            Json::String(text) => Value::Text(text.clone()),
            Json::Array(items) => Value::List(items.iter().map(convert).collect()),
            Json::Object(table) => Value::table(
                table
                    .iter()
                    .map(|(key, value)| (key.clone(), convert(value))),
            ),
        }
    }
    convert(value).to_string()
}

fn kind(schema: &Json) -> String {
    let schema = given(schema);
    let words = |all: &[Json]| -> Vec<String> {
        all.iter()
            .filter_map(|one| one["const"].as_str().or_else(|| one.as_str()))
            .map(|word| code(&format!("{word:?}")))
            .collect()
    };
    for choices in ["enum", "oneOf", "anyOf"] {
        if let Some(all) = schema[choices].as_array() {
            let found = words(all);
            if !found.is_empty() {
                return found.join(", ");
            }
            let titles: Vec<&str> = all
                .iter()
                .filter(|one| one["type"] != "null")
                .map(|one| one["title"].as_str().unwrap_or("?"))
                .collect();
            return titles.join(", or ");
        }
    }
    let kind = match &schema["type"] {
        Json::String(kind) => kind.as_str(),
        Json::Array(all) => all
            .iter()
            .filter_map(Json::as_str)
            .find(|kind| *kind != "null")
            .unwrap_or_default(),
        _ => "",
    };
    let whole = |least: &Json, most: &Json| match (least.as_i64(), most.as_i64()) {
        (Some(least), Some(most)) => format!("whole number, {least} to {most}"),
        _ => "whole number".to_owned(),
    };
    match (kind, schema["format"].as_str()) {
        (_, Some("bytes")) => "size".to_owned(),
        (_, Some("cpu")) => "share of processors".to_owned(),
        (_, Some("cidr")) => "range of private addresses".to_owned(),
        (_, Some("name" | "domain" | "folder")) => {
            schema["format"].as_str().unwrap_or_default().to_owned()
        }
        ("string", _) => "text".to_owned(),
        ("boolean", _) => "true or false".to_owned(),
        ("integer", _) => whole(&schema["minimum"], &schema["maximum"]),
        ("array", _) => match &schema["items"] {
            items if items["properties"].is_object() => "list of tables".to_owned(),
            items => format!("list of: {}", kind_of_items(items)),
        },
        ("object", _) if schema["additionalProperties"].is_object() => {
            let inner = given(&schema["additionalProperties"]);
            if inner["properties"].is_object() {
                "tables by name".to_owned()
            } else {
                format!("table: name = {}", kind_of_items(inner))
            }
        }
        ("object", _) => "table".to_owned(),
        _ => "see the schema".to_owned(),
    }
}

fn kind_of_items(schema: &Json) -> String {
    self::kind(schema)
}
