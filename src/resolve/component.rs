//! Components: blueprint, version, edition and options of each, with defaults applied once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::json;

use super::identity::{self, Ways};
use super::trace::{Explained, Trace};
use crate::blueprint::expression::Names;
use crate::blueprint::model::{Expr, OptionSpec};
use crate::blueprint::{Blueprint, FAULTY_BLUEPRINT};
use crate::diagnostic::{Finding, suggest};
use crate::platform::backup::{Backup, Plan};
use crate::platform::identity::Identity;
use crate::platform::{LackingFeature, Unsupported};
use crate::schema::{ILLEGAL_VALUE, Schema};
use crate::source::Place;
use crate::terms::{Locale, Size, Target};
use crate::topology::backup::LayeredPlan;
use crate::topology::layer::{LayeredComponent, UNKNOWN_NAME, replicas_value};
use crate::units::{Bytes, MilliCpu, Seconds};
use crate::value::Value;

/// A component on its way into the platform.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) layered: Option<&'a LayeredComponent>,
    pub(super) added_for: Option<String>,
    pub(super) blueprint: Arc<Blueprint>,
    pub(super) version: (String, Place),
    pub(super) edition: Option<String>,
    pub(super) license: String,
    pub(super) size: Size,
    pub(super) profile: Option<String>,
    pub(super) unsupported: Option<Unsupported>,
    /// Whether it runs in a cluster that another component brings.
    pub(super) guest: bool,
    /// Position of the component that brings it, once that is known.
    pub(super) inside: Option<usize>,
    pub(super) lacking: Vec<LackingFeature>,
    pub(super) options: BTreeMap<String, Value>,
    /// When copies of it are made, if they are.
    pub(super) backup: Option<Plan>,
    /// How it logs people in.
    pub(super) ways: Ways,
    /// Names every expression of the component may use from the beginning.
    pub(super) base: BTreeMap<String, Value>,
}

impl Draft<'_> {
    /// Evaluates a condition; what is not given holds.
    pub(super) fn holds(
        &self,
        when: Option<&Expr>,
        names: &Names<'_>,
        place: impl FnOnce() -> Place,
        findings: &mut Vec<Finding>,
    ) -> bool {
        let Some(when) = when else { return true };
        match when.parsed.evaluate(names) {
            Ok(Value::Bool(truth)) => truth,
            Ok(other) => {
                findings.push(Finding::new(
                    &FAULTY_BLUEPRINT,
                    place(),
                    format!(
                        "`{}` is {}, expected true or false",
                        when.written,
                        other.kind()
                    ),
                ));
                false
            }
            Err(error) => {
                findings.push(Finding::new(
                    &FAULTY_BLUEPRINT,
                    place(),
                    format!("cannot compute `{}`: {error}", when.written),
                ));
                false
            }
        }
    }
}

/// What of the environment components are made with.
pub(super) struct Surroundings<'s> {
    pub(super) environment: &'s Value,
    pub(super) platform: &'s Value,
    pub(super) monitoring: &'s Value,
    /// How the platform is backed up, and when, if it is.
    pub(super) backup: Option<(&'s Backup, &'s LayeredPlan)>,
    /// Who people are.
    pub(super) identity: &'s Identity,
    pub(super) locale: Locale,
    pub(super) size: Size,
    pub(super) target: Target,
    /// The environment as components see it that run in a cluster which another component brings, if one can.
    pub(super) inside: Option<&'s Value>,
}

/// Makes a component from its blueprint and what the user said of it.
pub(super) fn draft<'a>(
    (name, place): (&str, Place),
    layered: Option<&'a LayeredComponent>,
    blueprint: Arc<Blueprint>,
    around: &Surroundings<'_>,
    schemas: &mut BTreeMap<String, Arc<Schema>>,
    trace: &mut Trace,
    findings: &mut Vec<Finding>,
) -> Draft<'a> {
    let model = &blueprint.model;
    let version_default = blueprint.place(["blueprint", "version", "default"]);
    let version = match layered.and_then(|layered| layered.version.as_ref()) {
        Some(given) => {
            trace.record(
                || format!("{name}.version"),
                || {
                    Explained::one(&given.value, "set", given.place.clone())
                        .over(&given.replaced)
                        .then(
                            &model.blueprint.version.default,
                            "default of the blueprint",
                            version_default.clone(),
                        )
                },
            );
            (given.value.clone(), given.place.clone())
        }
        None => {
            let default = model.blueprint.version.default.clone();
            trace.record(
                || format!("{name}.version"),
                || {
                    Explained::one(
                        &default,
                        "default of the blueprint",
                        version_default.clone(),
                    )
                },
            );
            (default, version_default)
        }
    };
    let (edition, features) = edition(&blueprint, layered, findings);
    let license = edition
        .as_ref()
        .and_then(|edition| model.editions.get(edition)?.license.clone())
        .unwrap_or_else(|| model.blueprint.license.clone());

    let (unsupported, guest) = match (&model.requires.cluster, model.targets.get(&around.target)) {
        (_, Some(support)) => (
            Some(Unsupported {
                reason: support.unsupported.clone(),
                cluster: false,
            }),
            false,
        ),
        (Some(reason), None) if around.target != Target::Kubernetes => {
            let lacking = Unsupported {
                reason: reason.clone(),
                cluster: true,
            };
            (
                Some(lacking).filter(|_| around.inside.is_none()),
                around.inside.is_some(),
            )
        }
        _ => (None, false),
    };
    let environment = around
        .inside
        .filter(|_| guest)
        .unwrap_or(around.environment);
    // What runs in a cluster inside a service keeps its data in others; jobs there would have no clock.
    let copied = blueprint
        .backup
        .as_ref()
        .is_some_and(|backup| backup.copies.is_some() && unsupported.is_none() && !guest);
    let plan = around
        .backup
        .filter(|_| copied)
        .and_then(|(platform, all)| {
            super::backup::plan(platform, all, layered.map(|layered| &layered.backup))
        });
    let ways = identity::ways(around.identity, &blueprint, &features, around.locale);
    let mut base = BTreeMap::from([
        (
            "identity".to_owned(),
            identity::names(around.identity, ways.login),
        ),
        (
            "backup".to_owned(),
            super::backup::names_of(around.backup.map(|(platform, _)| platform), plan.as_ref()),
        ),
        ("component".to_owned(), Value::from(name)),
        ("blueprint".to_owned(), Value::from(blueprint.name.as_str())),
        ("version".to_owned(), Value::from(version.0.as_str())),
        ("edition".to_owned(), Value::from(edition.clone())),
        ("environment".to_owned(), environment.clone()),
        ("platform".to_owned(), around.platform.clone()),
        ("monitoring".to_owned(), around.monitoring.clone()),
    ]);
    let options = options(
        name, &blueprint, layered, &mut base, schemas, trace, findings,
    );
    early_vars(&blueprint, &mut base);
    let lacking = lacking(&blueprint, layered, &options, edition.as_deref(), &features);
    Draft {
        name: name.to_owned(),
        place,
        layered,
        added_for: None,
        version,
        edition,
        license,
        size: layered
            .and_then(|layered| layered.size.as_ref())
            .map_or(around.size, |size| size.value),
        profile: None,
        unsupported,
        guest,
        inside: None,
        lacking,
        options,
        backup: plan,
        ways,
        base,
        blueprint,
    }
}

/// Computes the variables that depend on options and the environment alone, for conditions of services, which are
/// needed before anything else is known. All variables are computed, and their faults reported, once everything is.
fn early_vars(blueprint: &Blueprint, base: &mut BTreeMap<String, Value>) {
    let expressions = expressions(&blueprint.model.vars);
    base.insert("vars".to_owned(), Value::Table(BTreeMap::new()));
    evaluate_in_order(
        &Names::new(&BTreeMap::new()),
        base,
        "vars",
        &expressions,
        |_, _, _, _| {},
    );
    if let Some(Value::Table(vars)) = base.get_mut("vars") {
        vars.retain(|_, value| *value != Value::Null);
    }
}

/// Lists expressions for their evaluation.
pub(super) fn expressions(vars: &BTreeMap<String, Expr>) -> BTreeMap<&str, &Expr> {
    vars.iter()
        .map(|(name, expression)| (name.as_str(), expression))
        .collect()
}

fn edition(
    blueprint: &Blueprint,
    layered: Option<&LayeredComponent>,
    findings: &mut Vec<Finding>,
) -> (Option<String>, Vec<String>) {
    let editions = &blueprint.model.editions;
    let chosen = match layered.and_then(|layered| layered.edition.as_ref()) {
        Some(given) if !editions.contains_key(&given.value) => {
            findings.push(
                Finding::new(
                    &UNKNOWN_NAME,
                    given.place.clone(),
                    format!("`{}` has no edition `{}`", blueprint.name, given.value),
                )
                .help("it comes in one edition only: take this out")
                .maybe_help(suggest(&given.value, editions.keys().map(String::as_str))),
            );
            None
        }
        Some(given) => Some(given.value.clone()),
        None => editions
            .iter()
            .find(|(_, edition)| edition.default)
            .or_else(|| editions.iter().next())
            .map(|(name, _)| name.clone()),
    };
    let features = chosen
        .as_ref()
        .and_then(|name| editions.get(name))
        .map(|edition| edition.features.clone())
        .unwrap_or_default();
    (chosen, features)
}

/// Finds option values that need a feature which the edition lacks.
fn lacking(
    blueprint: &Blueprint,
    layered: Option<&LayeredComponent>,
    options: &BTreeMap<String, Value>,
    edition: Option<&str>,
    features: &[String],
) -> Vec<LackingFeature> {
    let mut lacking = Vec::new();
    if edition.is_none() {
        return lacking;
    }
    for (name, spec) in &blueprint.model.options {
        let value = options.get(name).map(|value| {
            value
                .as_text()
                .map_or_else(|| value.to_string(), str::to_owned)
        });
        let Some((value, feature)) =
            value.and_then(|value| Some((value.clone(), spec.features.get(&value)?)))
        else {
            continue;
        };
        if !features.contains(feature) {
            lacking.push(LackingFeature {
                option: name.clone(),
                value,
                feature: feature.clone(),
                editions: blueprint
                    .model
                    .editions
                    .iter()
                    .filter(|(_, edition)| edition.features.contains(feature))
                    .map(|(name, _)| name.clone())
                    .collect(),
                place: layered
                    .and_then(|layered| layered.options.get(name))
                    .map_or_else(
                        || blueprint.place(["options", name]),
                        |tree| tree.place.clone(),
                    ),
            });
        }
    }
    lacking
}

/// Makes the JSON Schema of a blueprint's options.
///
/// # Errors
/// What is wrong with an option's own schema.
pub fn option_schema(blueprint: &Blueprint) -> Result<serde_json::Value, Vec<Finding>> {
    compiled_options(blueprint).map(|(document, _)| document)
}

fn compiled_options(blueprint: &Blueprint) -> Result<(serde_json::Value, Schema), Vec<Finding>> {
    let properties = blueprint
        .model
        .options
        .iter()
        .map(|(name, spec)| (name.clone(), property(spec)))
        .collect::<serde_json::Map<_, _>>();
    let document = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": format!("options of {}", blueprint.name),
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    });
    match Schema::compile(document.clone()) {
        Ok(schema) => Ok((document, schema)),
        Err(error) => Err(vec![Finding::new(
            &FAULTY_BLUEPRINT,
            blueprint.place(["options"]),
            format!("the options are not JSON Schema: {error}"),
        )]),
    }
}

fn property(spec: &OptionSpec) -> serde_json::Value {
    let mut schema: serde_json::Map<String, serde_json::Value> = spec
        .schema
        .iter()
        .map(|(key, value)| (key.clone(), crate::schema::json(value)))
        .collect();
    schema.insert("description".to_owned(), json!(spec.description));
    if let Some(default) = &spec.default {
        schema.insert("default".to_owned(), crate::schema::json(default));
    }
    if let Some(example) = &spec.example {
        schema.insert("examples".to_owned(), json!([example]));
    }
    match spec.format.as_deref() {
        Some("replicas") => {
            let count = json!({ "type": "integer", "minimum": 0, "maximum": 1000 });
            let range = json!({
                "type": "object", "title": "a table { min, max }", "additionalProperties": false,
                "required": ["min", "max"], "properties": { "min": count, "max": count },
            });
            let mut whole = count.clone();
            whole["title"] = json!("a whole number");
            schema.insert("anyOf".to_owned(), json!([whole, range]));
        }
        Some(format) => {
            schema.insert("type".to_owned(), json!(["string"]));
            if format == "cpu" {
                schema.remove("type");
                schema.insert(
                    "anyOf".to_owned(),
                    json!([
                        { "type": "string", "format": "cpu", "title": "a text such as \"500m\"" },
                        { "type": "number", "minimum": 0, "title": "a number such as 2" },
                    ]),
                );
            } else {
                schema.insert("format".to_owned(), json!(format));
            }
        }
        None => {}
    }
    serde_json::Value::Object(schema)
}

/// Converts an option's value to what expressions see: bytes, millicores, seconds.
fn convert(format: Option<&str>, value: &Value) -> Option<Value> {
    let text = value.as_text();
    match format {
        Some("bytes") => text
            .and_then(Bytes::parse)
            .map(|bytes| Value::from(bytes.0)),
        Some("duration") => text
            .and_then(Seconds::parse)
            .map(|time| Value::from(time.0)),
        Some("cpu") => match value {
            Value::Text(text) => MilliCpu::parse(text),
            other => MilliCpu::parse(&other.to_string()),
        }
        .map(|cpu| Value::from(cpu.0)),
        Some("replicas") => replicas_value(value).map(|(min, max)| match min == max {
            true => Value::from(min),
            false => Value::table([("min", Value::from(min)), ("max", Value::from(max))]),
        }),
        _ => Some(value.clone()),
    }
}

fn options(
    component: &str,
    blueprint: &Blueprint,
    layered: Option<&LayeredComponent>,
    base: &mut BTreeMap<String, Value>,
    schemas: &mut BTreeMap<String, Arc<Schema>>,
    trace: &mut Trace,
    findings: &mut Vec<Finding>,
) -> BTreeMap<String, Value> {
    let specs = &blueprint.model.options;
    let given = layered.map(|layered| &layered.options);
    if let Some(given) = given.filter(|given| given.entries().next().is_some()) {
        let schema = match schemas.get(&blueprint.name) {
            Some(schema) => Some(Arc::clone(schema)),
            None => match compiled_options(blueprint) {
                Ok((_, schema)) => {
                    let schema = Arc::new(schema);
                    schemas.insert(blueprint.name.clone(), Arc::clone(&schema));
                    Some(schema)
                }
                Err(faults) => {
                    findings.extend(faults);
                    None
                }
            },
        };
        if let Some(schema) = schema {
            let faults = schema.validate(given);
            findings.extend(
                faults
                    .into_iter()
                    .map(|finding| finding.component(component)),
            );
        }
    }
    let mut options = BTreeMap::new();
    let mut computed = BTreeMap::new();
    for (name, spec) in specs {
        let format = spec.format.as_deref();
        let default_place = || blueprint.place(["options", name, "default"]);
        if let Some(tree) = given.and_then(|given| given.get(name)) {
            let value = tree.value();
            // Against the schema it was complained about above.
            match convert(format, &value) {
                Some(converted) => {
                    options.insert(name.clone(), converted);
                }
                None if format == Some("replicas") => findings.push(Finding::new(
                    &ILLEGAL_VALUE,
                    tree.place.clone(),
                    format!("`{name}` has more at least than at most"),
                )),
                None => {}
            }
            trace.record(
                || format!("{component}.options.{name}"),
                || {
                    let explained =
                        Explained::one(&value, "set", tree.place.clone()).over(&tree.replaced);
                    match (&spec.default, &spec.computed) {
                        (Some(default), _) => {
                            explained.then(default, "default of the blueprint", default_place())
                        }
                        (None, Some(by)) => explained.then(
                            "",
                            format!("default of the blueprint, computed by `{}`", by.written),
                            blueprint.place(["options", name, "computed"]),
                        ),
                        (None, None) => explained,
                    }
                },
            );
        } else if let Some(default) = &spec.default {
            match convert(format, default) {
                Some(value) => {
                    options.insert(name.clone(), value);
                }
                None => findings.push(Finding::new(
                    &FAULTY_BLUEPRINT,
                    default_place(),
                    format!("the default of `{name}` is {default}, which its own format refuses"),
                )),
            }
            trace.record(
                || format!("{component}.options.{name}"),
                || Explained::one(default, "default of the blueprint", default_place()),
            );
        } else if let Some(expression) = &spec.computed {
            computed.insert(name.as_str(), expression);
        } else {
            options.insert(name.clone(), Value::Null);
        }
    }
    base.insert("options".to_owned(), Value::Table(options));
    evaluate_in_order(
        &Names::new(&BTreeMap::new()),
        base,
        "options",
        &computed,
        |name, value, expression, result| {
            let place = blueprint.place(["options", name, "computed"]);
            match result {
                Ok(()) => {
                    let format = specs.get(name).and_then(|spec| spec.format.as_deref());
                    // A computed default is a number already, or a text as a user would write it.
                    let written = format == Some("replicas") || value.as_text().is_some();
                    if let Some(converted) = written.then(|| convert(format, value)).flatten() {
                        *value = converted;
                    }
                    trace.record(
                        || format!("{component}.options.{name}"),
                        || {
                            Explained::one(
                                &*value,
                                format!(
                                    "default of the blueprint, computed by `{}`",
                                    expression.written
                                ),
                                place,
                            )
                            .using(uses(
                                component,
                                None,
                                &expression.parsed.names(),
                            ))
                        },
                    );
                }
                Err(error) => findings.push(Finding::new(
                    &FAULTY_BLUEPRINT,
                    place,
                    format!("cannot compute the default of `{name}`: {error}"),
                )),
            }
        },
    );
    match base.get("options") {
        Some(Value::Table(options)) => options.clone(),
        _ => BTreeMap::new(),
    }
}

/// Turns names of an expression into the paths that `explain` knows.
pub(super) fn uses(component: &str, service: Option<&str>, names: &[String]) -> Vec<String> {
    names
        .iter()
        .filter_map(|name| {
            let (first, rest) = name.split_once('.').unwrap_or((name, ""));
            let mut parts = rest.split('.');
            match (first, service) {
                ("options" | "vars" | "needs", _) => Some(format!(
                    "{component}.{first}.{}",
                    parts.next().unwrap_or_default()
                )),
                ("environment", _) => Some(match rest {
                    "high" => "availability".to_owned(),
                    other => other.to_owned(),
                }),
                ("platform", _) => Some(format!("platform.{rest}")),
                ("services", _) => Some(format!("{component}.{rest}")),
                ("memory" | "cpu" | "replicas", Some(service)) => {
                    Some(format!("{component}.{service}.{first}"))
                }
                ("cpus", Some(service)) => Some(format!("{component}.{service}.cpu")),
                ("version", _) => Some(format!("{component}.version")),
                _ => None,
            }
        })
        .collect()
}

/// Evaluates expressions that may refer to each other as `<table>.<name>`, each after those it uses, into that table
/// of the scope, in front of the names around it. What cannot be evaluated is reported and stands as nothing.
pub(super) fn evaluate_in_order(
    around: &Names<'_>,
    scope: &mut BTreeMap<String, Value>,
    table: &str,
    expressions: &BTreeMap<&str, &Expr>,
    mut settle: impl FnMut(&str, &mut Value, &Expr, Result<(), String>),
) {
    let mut left: BTreeSet<&str> = expressions.keys().copied().collect();
    while !left.is_empty() {
        let ready: Vec<&str> = left
            .iter()
            .copied()
            .filter(|name| {
                let parsed = &expressions[*name].parsed;
                !parsed.uses(table, |used| left.contains(used))
            })
            .collect();
        let stuck = ready.is_empty();
        let round = if stuck {
            left.iter().copied().collect()
        } else {
            ready
        };
        for name in round {
            let expression = expressions[name];
            let result = if stuck {
                Err("it depends on itself".to_owned())
            } else {
                expression
                    .parsed
                    .evaluate(&around.with(scope))
                    .map_err(|error| error.to_string())
            };
            let (mut value, result) = match result {
                Ok(value) => (value, Ok(())),
                Err(error) => (Value::Null, Err(error)),
            };
            settle(name, &mut value, expression, result);
            if let Some(Value::Table(entries)) = scope.get_mut(table) {
                entries.insert(name.to_owned(), value);
            }
            left.remove(name);
        }
    }
}
