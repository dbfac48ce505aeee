//! Rendering: the texts of files that end up in containers and build folders.
//!
//! Templates are Tera, data files are values that are serialised. What a template gives is parsed again where its
//! format is known, so that a broken template never reaches a bundle. Every file begins with a line that says what to
//! change instead of it, where its format has comments.

use std::collections::BTreeMap;
use std::sync::Arc;

use tera::{Context, Tera};

use super::wire::fill_value;
use crate::blueprint::expression::Names;
use crate::blueprint::model::DataFormat;
use crate::blueprint::{Blueprint, FAULTY_BLUEPRINT};
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::Content;
use crate::source::{Place, Sources};
use crate::template::{engine, header, to_yaml};
use crate::tree::Tree;
use crate::value::Value;

/// A template cannot be rendered, or renders to something broken.
pub static TEMPLATE_FAILED: Rule = Rule {
    code: "template-failed",
    severity: Severity::Error,
    summary: "a template of a blueprint cannot be rendered",
    why: "An undefined name, an error in the template or a result that is not valid in its own format would become a \
          broken file in the bundle.",
    fix: "Correct the template at the line shown. The names in scope are listed in the reference page of the blueprint \
          language.",
    allowable: false,
};

/// Templates of all blueprints of a run, compiled once.
#[derive(Default)]
pub(super) struct Engine {
    engines: BTreeMap<String, Result<Tera, ()>>,
}

/// Makes Tera's context from names in scope.
pub(super) fn context(names: &Names<'_>) -> Context {
    let mut context = Context::new();
    for (name, value) in names.all() {
        context.insert(name.to_owned(), value);
    }
    context
}

/// Puts more names in front of those of a context.
pub(super) fn extend(context: &mut Context, names: &BTreeMap<String, Value>) {
    for (name, value) in names {
        context.insert(name.clone(), value);
    }
}

impl Engine {
    /// Renders a file of a blueprint: a template, or a static file as it is.
    pub(super) fn file(
        &mut self,
        sources: &Sources,
        blueprint: &Blueprint,
        name: &str,
        origin: &Place,
        context: &Context,
        findings: &mut Vec<Finding>,
    ) -> Option<Content> {
        let Some(file) = blueprint.files.get(name) else {
            findings.push(
                Finding::new(
                    &FAULTY_BLUEPRINT,
                    origin.clone(),
                    format!("the blueprint has no file `{name}`"),
                )
                .maybe_help(crate::diagnostic::suggest(
                    name,
                    blueprint.files.keys().map(String::as_str),
                ))
                .cause("files are named by their path inside the blueprint's folder"),
            );
            return None;
        };
        let Some(target) = name.strip_suffix(".tera") else {
            return Some(Arc::from(sources.file(*file).text.as_str()));
        };
        let engine = self
            .engines
            .entry(blueprint.name.clone())
            .or_insert_with(|| compile(sources, blueprint, findings))
            .as_ref()
            .ok()?;
        match engine.render(name, context) {
            Ok(text) => {
                let text = with_header(
                    target,
                    &text,
                    &format!("blueprint {}, {name}", blueprint.name),
                );
                if let Err(error) = parse_again(target, &text) {
                    findings.push(
                        Finding::new(
                            &TEMPLATE_FAILED,
                            Place::File { file: *file },
                            format!("`{name}` renders to something that is not valid: {error}"),
                        )
                        .related(origin.clone(), "used here"),
                    );
                    return None;
                }
                Some(Arc::from(text))
            }
            Err(error) => {
                findings
                    .push(failure(blueprint, name, &error).related(origin.clone(), "used here"));
                None
            }
        }
    }
}

/// Serialises a data file of a blueprint.
pub(super) fn data(
    sources: &Sources,
    blueprint: &Blueprint,
    name: &str,
    format: DataFormat,
    origin: &Place,
    names: &Names<'_>,
    findings: &mut Vec<Finding>,
) -> Option<Content> {
    let value = data_value(sources, blueprint, name, origin, names, findings)?;
    serialise(&value, blueprint, name, format, origin, findings)
}

/// Writes a value in the format of a file; `name` is what its first line names.
pub(super) fn serialise(
    value: &Value,
    blueprint: &Blueprint,
    name: &str,
    format: DataFormat,
    origin: &Place,
    findings: &mut Vec<Finding>,
) -> Option<Content> {
    let header = header(&format!("blueprint {}, {name}", blueprint.name));
    let text = match format {
        DataFormat::Yaml => format!("# {header}\n{}", to_yaml(value)),
        DataFormat::Json => {
            let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
            text.push('\n');
            text
        }
        DataFormat::Toml => match toml::to_string(value) {
            Ok(text) => format!("# {header}\n{text}"),
            Err(error) => {
                findings.push(Finding::new(
                    &FAULTY_BLUEPRINT,
                    origin.clone(),
                    format!("`{name}` is not TOML: {error}"),
                ));
                return None;
            }
        },
        DataFormat::Properties => {
            let mut text = format!("# {header}\n");
            properties(value, "", &mut text);
            text
        }
    };
    Some(Arc::from(text))
}

/// Reads a data file of a blueprint and fills its texts in.
pub(super) fn data_value(
    sources: &Sources,
    blueprint: &Blueprint,
    name: &str,
    origin: &Place,
    names: &Names<'_>,
    findings: &mut Vec<Finding>,
) -> Option<Value> {
    let Some(file) = blueprint.files.get(name) else {
        findings.push(
            Finding::new(
                &FAULTY_BLUEPRINT,
                origin.clone(),
                format!("the blueprint has no file `{name}`"),
            )
            .maybe_help(crate::diagnostic::suggest(
                name,
                blueprint.files.keys().map(String::as_str),
            )),
        );
        return None;
    };
    let tree = match Tree::parse(sources, *file) {
        Ok(tree) => tree,
        Err(faults) => {
            findings.extend(faults);
            return None;
        }
    };
    match fill_value(&tree.value(), names) {
        Ok(value) => Some(value),
        Err(error) => {
            findings.push(
                Finding::new(
                    &FAULTY_BLUEPRINT,
                    Place::File { file: *file },
                    format!("cannot fill in {error}"),
                )
                .related(origin.clone(), "used here"),
            );
            None
        }
    }
}

fn properties(value: &Value, prefix: &str, text: &mut String) {
    let Value::Table(table) = value else { return };
    for (key, item) in table {
        let name = if prefix.is_empty() {
            key.clone()
        } else {
            format!("{prefix}.{key}")
        };
        match item {
            Value::Table(_) => properties(item, &name, text),
            Value::List(items) => {
                let items: Vec<String> = items.iter().map(plain).collect();
                text.push_str(&format!("{name} = {}\n", items.join(",")));
            }
            other => text.push_str(&format!("{name} = {}\n", plain(other))),
        }
    }
}

fn plain(value: &Value) -> String {
    match value {
        // A line break would begin another property.
        Value::Text(text) => text.replace('\\', "\\\\").replace('\n', "\\n"),
        other => other.to_string(),
    }
}

fn compile(
    sources: &Sources,
    blueprint: &Blueprint,
    findings: &mut Vec<Finding>,
) -> Result<Tera, ()> {
    let mut tera = engine();
    let templates: Vec<(&str, &str)> = blueprint
        .files
        .iter()
        .filter(|(name, _)| name.ends_with(".tera"))
        .map(|(name, file)| (name.as_str(), sources.file(*file).text.as_str()))
        .collect();
    match tera.add_raw_templates(templates.iter().copied()) {
        Ok(()) => Ok(tera),
        Err(_) => {
            // Alone, each says its own fault.
            for (name, text) in templates {
                if let Err(error) = engine().add_raw_template(name, text) {
                    findings.push(failure(blueprint, name, &error));
                }
            }
            Err(())
        }
    }
}

/// Makes a finding from Tera's error, at the place that it names.
fn failure(blueprint: &Blueprint, name: &str, error: &tera::Error) -> Finding {
    let file = blueprint.files.get(name).copied().unwrap_or(blueprint.file);
    let (place, message) = match error.kind() {
        tera::ErrorKind::SyntaxError(report) | tera::ErrorKind::RenderingError(report) => (
            Place::span(file, report.span().range.clone()),
            report.message().to_owned(),
        ),
        other => (Place::File { file }, other.to_string()),
    };
    let message = message
        .lines()
        .next()
        .unwrap_or_default()
        .trim_end_matches('.')
        .to_owned();
    Finding::new(
        &TEMPLATE_FAILED,
        place,
        format!("`{name}` cannot be rendered: {message}"),
    )
}

/// Puts the do-not-edit line where the format allows one.
fn with_header(name: &str, text: &str, source: &str) -> String {
    let file = name.rsplit('/').next().unwrap_or(name);
    let ending = file.rsplit_once('.').map_or("", |(_, ending)| ending);
    let line = match (file, ending) {
        ("Dockerfile", _)
        | (
            _,
            "conf" | "cfg" | "sh" | "py" | "yaml" | "yml" | "toml" | "options" | "properties"
            | "txt" | "ini",
        ) => {
            format!("# {}\n", header(source))
        }
        (_, "sql") => format!("-- {}\n", header(source)),
        (_, "xml") => format!("<!-- {} -->\n", header(source)),
        _ => return text.to_owned(),
    };
    // A script's first line names its interpreter, an XML file's first line its version.
    let first =
        text.starts_with("#!") || text.starts_with("<?xml") || text.starts_with("# syntax=");
    match text.split_once('\n') {
        Some((top, rest)) if first => format!("{top}\n{line}{rest}"),
        _ => format!("{line}{text}"),
    }
}

/// Parses what a template gave, where its format is known.
fn parse_again(name: &str, text: &str) -> Result<(), String> {
    match name.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "json" => serde_json::from_str::<serde::de::IgnoredAny>(text)
            .map(drop)
            .map_err(|error| error.to_string()),
        "yaml" | "yml" => serde_saphyr::from_str::<Value>(text)
            .map(drop)
            .map_err(|error| error.to_string()),
        "toml" => toml::from_str::<toml::Table>(text)
            .map(drop)
            .map_err(|error| error.message().to_owned()),
        _ => Ok(()),
    }
}
