//! Validation against JSON Schema, with findings that point into TOML.
//!
//! The schemas of topologies and blueprints are made from Rust types, those of a component's options from its
//! blueprint. All faults of a file are found at once. A leaf beside `tree`.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use schemars::generate::SchemaSettings;
use serde_json::Value as Json;

use crate::diagnostic::{Finding, Rule, Severity, nearest};
use crate::tree::{Node, Tree};
use crate::units::{Bytes, MilliCpu, Seconds};
use crate::value::Value;

/// A key that the schema does not know.
pub static UNKNOWN_KEY: Rule = Rule {
    code: "unknown-key",
    severity: Severity::Error,
    summary: "a key is not known where it stands",
    why: "An unknown key is most often a misspelt one, or one in the wrong table. Ignoring it would silently build \
          something else than what was asked for.",
    fix: "Use the name that the help suggests, or look the table up in the reference page of the topology or the \
          blueprint language. `lakewright blueprint show NAME` lists a component's options.",
    allowable: false,
};

/// A value of the wrong type, or out of its range.
pub static ILLEGAL_VALUE: Rule = Rule {
    code: "illegal-value",
    severity: Severity::Error,
    summary: "a value is of the wrong type, out of range or not one of those allowed",
    why: "Every value is checked where it stands, before anything is made from it.",
    fix: "Write a value of the kind that the message names. Sizes, CPU shares and durations are texts with a unit: \
          \"8GiB\", \"500m\", \"30d\".",
    allowable: false,
};

/// A key that must be there is not.
pub static MISSING_KEY: Rule = Rule {
    code: "missing-key",
    severity: Severity::Error,
    summary: "a key that has no default is missing",
    why: "Some things cannot be guessed: the platform's name, an environment's target, a host's memory.",
    fix: "Add the key that the message names.",
    allowable: false,
};

/// Name, test, and what is expected.
type Format = (&'static str, fn(&str) -> bool, &'static str);

/// Formats of texts that the schemas use, with what each expects.
const FORMATS: &[Format] = &[
    (
        "bytes",
        |text| Bytes::parse(text).is_some(),
        Bytes::EXPECTED,
    ),
    (
        "cpu",
        |text| MilliCpu::parse(text).is_some(),
        MilliCpu::EXPECTED,
    ),
    (
        "duration",
        |text| Seconds::parse(text).is_some(),
        Seconds::EXPECTED,
    ),
    (
        "cron",
        is_cron,
        "a cron expression with five fields, such as \"0 2 * * *\"",
    ),
    (
        "domain",
        crate::names::is_domain,
        "a domain name, such as \"data.example.com\"",
    ),
    (
        "name",
        crate::names::is_name,
        "a name of at most 40 lower-case letters, digits and `-` that starts with a letter",
    ),
    ("folder", is_folder, "a relative folder without `..`"),
    (
        "image-prefix",
        is_image_prefix,
        "the first part of image names, such as \"registry.example.com/lakehouse\"",
    ),
    (
        "url",
        |text| crate::names::parse_url(text).is_some(),
        "a web address, such as \"https://hooks.example.com/alerts\"",
    ),
    (
        "host-port",
        |text| crate::names::parse_host_port(text).is_some(),
        "a host with its port, such as \"smtp.example.com:587\"",
    ),
    (
        "mail-address",
        crate::names::is_mail_address,
        "a mail address, such as \"oncall@example.com\"",
    ),
    (
        "slack-channel",
        is_slack_channel,
        "a Slack channel, such as \"#data-alerts\"",
    ),
    (
        "time-of-day",
        |text| crate::names::parse_time(text).is_some(),
        "a time of day from \"00:00\" to \"24:00\"",
    ),
    (
        "rule-name",
        is_rule_name,
        "a name of letters and digits that starts with a capital, such as \"OrdersStale\"",
    ),
    (
        "rule-duration",
        is_rule_duration,
        "a duration of Prometheus, such as \"30s\", \"10m\" or \"1h30m\"",
    ),
    (
        "age-recipient",
        is_age_recipient,
        "a public key of age, as `age-keygen` prints it: \"age1…\"",
    ),
    (
        "dn",
        crate::names::is_distinguished_name,
        "a distinguished name, such as \"ou=people,dc=example,dc=com\"",
    ),
    (
        "cidr",
        crate::names::is_cidr,
        "a private IPv4 range, such as \"10.213.0.0/16\"",
    ),
];

fn is_cron(text: &str) -> bool {
    // Five fields only: with six, programs disagree on whether the first are seconds.
    crate::cron::Schedule::parse(text).is_some() && text.parse::<croner::Cron>().is_ok()
}

fn is_age_recipient(text: &str) -> bool {
    /// Characters of the data part of bech32.
    const LETTERS: &str = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    text.strip_prefix("age1")
        .is_some_and(|data| data.len() == 58 && data.chars().all(|next| LETTERS.contains(next)))
}

fn is_slack_channel(text: &str) -> bool {
    text.strip_prefix('#').is_some_and(|name| {
        (1..=80).contains(&name.len())
            && name.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte)
            })
    })
}

fn is_rule_name(text: &str) -> bool {
    crate::names::is_alert(text)
}

fn is_rule_duration(text: &str) -> bool {
    crate::units::rule_duration(text).is_some()
}

fn is_image_prefix(text: &str) -> bool {
    text.split('/').all(|part| {
        !part.is_empty()
            && part.starts_with(|next: char| next.is_ascii_alphanumeric())
            && part.ends_with(|next: char| next.is_ascii_alphanumeric())
            && part.chars().all(|next| {
                next.is_ascii_lowercase() || next.is_ascii_digit() || "._-:".contains(next)
            })
    })
}

fn is_folder(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('/')
        && !text.contains('\\')
        && !text.split('/').any(|part| part == "..")
        && !text.contains(|next: char| next.is_control())
}

/// A schema, compiled.
#[derive(Debug)]
pub struct Schema {
    document: Json,
    validator: jsonschema::Validator,
}

impl Schema {
    /// Makes the schema of a Rust type, without references, so that a fault leads straight to its table.
    pub fn of<T: schemars::JsonSchema>() -> Self {
        let mut settings = SchemaSettings::draft2020_12();
        settings.inline_subschemas = true;
        Self::compile(
            settings
                .into_generator()
                .into_root_schema_for::<T>()
                .to_value(),
        )
        .expect("the schema of a type compiles; a test holds every one")
    }

    /// Compiles a schema document.
    ///
    /// # Errors
    /// What is wrong with the document itself.
    pub fn compile(document: Json) -> Result<Self, String> {
        let mut options = jsonschema::options().should_validate_formats(true);
        for (name, test, _) in FORMATS {
            let test = *test;
            options = options.with_format(*name, move |text: &str| test(text));
        }
        let validator = options
            .build(&document)
            .map_err(|error| error.to_string())?;
        Ok(Self {
            document,
            validator,
        })
    }

    /// Finds every fault of a tree.
    pub fn validate(&self, tree: &Tree) -> Vec<Finding> {
        let instance = json(&tree.value());
        let mut findings = Vec::new();
        for error in self.validator.iter_errors(&instance) {
            let place = resolve(tree, error.instance_path().as_str());
            let schema = parent_schema(&self.document, error.schema_path().as_str());
            explain(&error, place, schema, &mut findings);
        }
        findings
    }
}

/// Converts a value to JSON.
pub fn json(value: &Value) -> Json {
    serde_json::to_value(value).unwrap_or(Json::Null)
}

/// Follows a JSON pointer into the tree, as far as it goes.
fn resolve<'a>(tree: &'a Tree, pointer: &str) -> &'a Tree {
    let mut at = tree;
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        let next = match &at.node {
            Node::Table(table) => table.get(&step),
            Node::List(list) => step.parse::<usize>().ok().and_then(|index| list.get(index)),
            Node::Scalar(_) => None,
        };
        match next {
            Some(next) => at = next,
            None => break,
        }
    }
    at
}

/// Returns the schema that holds the keyword a pointer leads to.
fn parent_schema<'a>(document: &'a Json, pointer: &str) -> Option<&'a Json> {
    document.pointer(pointer.rsplit_once('/')?.0)
}

fn explain(
    error: &jsonschema::ValidationError<'_>,
    tree: &Tree,
    schema: Option<&Json>,
    findings: &mut Vec<Finding>,
) {
    let path = tree.path();
    let name = if path.parent().is_none() {
        "the file".to_owned()
    } else {
        format!("`{path}`")
    };
    let found = tree.value();
    let description = schema
        .and_then(|schema| schema["description"].as_str())
        .map(|text| {
            // The first sentence says what it is; the rest is for the reference page.
            text.split_inclusive(". ")
                .next()
                .unwrap_or(text)
                .trim()
                .to_owned()
        });
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let known: Vec<&str> = schema
                .and_then(|schema| schema["properties"].as_object())
                .map(|table| table.keys().map(String::as_str).collect())
                .unwrap_or_default();
            for key in unexpected {
                let place = tree
                    .get(key)
                    .map_or_else(|| tree.place.clone(), Tree::key_place);
                let inside = if path.parent().is_none() {
                    "at the top".to_owned()
                } else {
                    format!("in `{path}`")
                };
                let help = match nearest(key, known.iter().copied()) {
                    Some(meant) => Some(format!("did you mean `{meant}`?")),
                    None if known.is_empty() => None,
                    None => Some(format!(
                        "known here: {}",
                        known
                            .iter()
                            .map(|key| format!("`{key}`"))
                            .collect::<Vec<_>>()
                            .join(", ")
                    )),
                };
                findings.push(
                    Finding::new(&UNKNOWN_KEY, place, format!("unknown key `{key}` {inside}"))
                        .maybe_help(help),
                );
            }
        }
        ValidationErrorKind::Required { property } => {
            let key = property.as_str().unwrap_or_default();
            let help = schema
                .and_then(|schema| schema["properties"][key]["description"].as_str())
                .map(|text| format!("`{key}`: {text}"));
            findings.push(
                Finding::new(
                    &MISSING_KEY,
                    tree.key_place(),
                    format!("{name} has no `{key}`"),
                )
                .maybe_help(help),
            );
        }
        kind => {
            let message = match kind {
                ValidationErrorKind::Type { kind } => {
                    let expected = match schema.and_then(|schema| schema["format"].as_str()) {
                        Some(format) => format_expected(format).to_owned(),
                        None => types(kind),
                    };
                    format!("{name} is {}, expected {expected}", found.kind())
                }
                ValidationErrorKind::Enum { options } => {
                    let all = options.as_array().map(Vec::as_slice).unwrap_or_default();
                    let all: Vec<&str> = all.iter().filter_map(Json::as_str).collect();
                    findings.push(one_of(&name, &found, tree, &all));
                    return;
                }
                ValidationErrorKind::Format { format } => {
                    format!("{name} is {found}, expected {}", format_expected(format))
                }
                ValidationErrorKind::PropertyNames { error } => {
                    let expected = match error.kind() {
                        ValidationErrorKind::Format { format } => {
                            format_expected(format).to_owned()
                        }
                        _ => error.to_string(),
                    };
                    let key = error.instance().as_str().unwrap_or_default();
                    let place = tree
                        .get(key)
                        .map_or_else(|| tree.place.clone(), Tree::key_place);
                    let message =
                        format!("`{key}` is not a legal name in {name}, expected {expected}");
                    findings.push(Finding::new(&ILLEGAL_VALUE, place, message));
                    return;
                }
                ValidationErrorKind::Minimum { limit } => {
                    format!("{name} is {found}, the least is {limit}")
                }
                ValidationErrorKind::Maximum { limit } => {
                    format!("{name} is {found}, the most is {limit}")
                }
                ValidationErrorKind::MinLength { .. } => format!("{name} is too short"),
                ValidationErrorKind::MaxLength { limit } => {
                    format!("{name} is longer than {limit} characters")
                }
                ValidationErrorKind::MinItems { limit: 1 } => format!("{name} is empty"),
                ValidationErrorKind::MinItems { limit } => {
                    format!("{name} needs at least {limit} items")
                }
                ValidationErrorKind::MaxItems { limit } => {
                    format!("{name} has more than {limit} items")
                }
                ValidationErrorKind::UniqueItems => format!("{name} names something twice"),
                ValidationErrorKind::Pattern { pattern } => {
                    format!("{name} is {found}, which does not match `{pattern}`")
                }
                ValidationErrorKind::AnyOf { .. } | ValidationErrorKind::OneOfNotValid { .. } => {
                    let mut choices = Vec::new();
                    if let Some(schema) = schema {
                        expected(schema, &mut choices);
                    }
                    let words: Option<Vec<&str>> = choices
                        .iter()
                        .map(|choice| choice.strip_prefix('"')?.strip_suffix('"'))
                        .collect();
                    if let Some(words) = words {
                        findings.push(one_of(&name, &found, tree, &words));
                        return;
                    }
                    let expected = choices.join(" or ");
                    format!("{name} is {found}, expected {expected}")
                }
                other => format!("{name} is {found}: {} does not hold", other.keyword()),
            };
            let mut finding = Finding::new(&ILLEGAL_VALUE, tree.place.clone(), message);
            finding.cause = description.map(|text| format!("{name}: {text}"));
            findings.push(finding);
        }
    }
}

/// Reports a value that is none of those listed.
fn one_of(name: &str, found: &Value, tree: &Tree, all: &[&str]) -> Finding {
    /// Nobody reads a longer list.
    const SHOWN: usize = 16;
    let shown = all.iter().take(SHOWN);
    let mut listed: Vec<String> = shown.map(|one| format!("\"{one}\"")).collect();
    if all.len() > SHOWN {
        listed.push(format!("… ({} in all)", all.len()));
    }
    let message = format!("{name} is {found}, expected one of {}", listed.join(", "));
    let help = found
        .as_text()
        .and_then(|text| nearest(text, all.iter().copied()))
        .map(|meant| format!("did you mean \"{meant}\"?"));
    Finding::new(&ILLEGAL_VALUE, tree.place.clone(), message).maybe_help(help)
}

/// Says what a schema accepts: its values where they are listed, else its title, format or type.
fn expected(schema: &Json, choices: &mut Vec<String>) {
    let listed = |key: &str| schema[key].as_array();
    if let Some(value) = schema.get("const") {
        choices.push(value.to_string());
    } else if let Some(values) = listed("enum") {
        choices.extend(values.iter().map(Json::to_string));
    } else if let Some(title) = schema["title"].as_str() {
        choices.push(title.to_owned());
    } else if let Some(inner) = listed("anyOf").or_else(|| listed("oneOf")) {
        inner.iter().for_each(|one| expected(one, choices));
    } else if let Some(format) = schema["format"].as_str() {
        choices.push(format_expected(format).to_owned());
    } else if let Some(kind) = schema["type"].as_str().filter(|kind| *kind != "null") {
        choices.push(kind.to_owned());
    }
}

/// Says what a format expects.
fn format_expected(format: &str) -> &str {
    FORMATS
        .iter()
        .find(|(name, ..)| *name == format)
        .map_or(format, |(.., expected)| expected)
}

fn types(kind: &TypeKind) -> String {
    let words = |name: &jsonschema::JsonType| match name {
        jsonschema::JsonType::Array => "a list",
        jsonschema::JsonType::Boolean => "true or false",
        jsonschema::JsonType::Integer => "a whole number",
        jsonschema::JsonType::Null => "nothing",
        jsonschema::JsonType::Number => "a number",
        jsonschema::JsonType::Object => "a table",
        jsonschema::JsonType::String => "a text",
    };
    match kind {
        TypeKind::Single(one) => words(one).to_owned(),
        TypeKind::Multiple(many) => many
            .iter()
            .filter(|one| *one != jsonschema::JsonType::Null)
            .map(|one| words(&one))
            .collect::<Vec<_>>()
            .join(" or "),
    }
}
