//! A review for programs, as one JSON document. Every field is always there, `null` if it does not apply.

use schemars::JsonSchema;
use serde::Serialize;

use super::super::danger::{Category, Level};
use super::super::effect::Effect;
use super::super::origin::Origin;
use super::super::{Act, Review};
use super::{categories, levels};

/// The version of the format. It rises when a program that reads an older one would misread it.
pub const SCHEMA: u32 = 1;

/// A review of two bundles, topologies or revisions.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Document {
    /// Version of this format.
    schema: u32,
    /// What the old side is called.
    old: String,
    /// What the new side is called.
    new: String,
    /// How bad the worst risk of all is.
    worst: Option<Level>,
    /// The environments that were compared.
    environments: Vec<Environment>,
}

/// The review of one environment.
#[derive(Debug, Serialize, JsonSchema)]
struct Environment {
    /// Name of the platform.
    platform: String,
    /// Name of the environment before; none, if it is new.
    old: Option<String>,
    /// Name of the environment after; none, if it is gone.
    new: Option<String>,
    /// What the environment compiles to.
    target: String,
    /// Whether two environments are compared with each other, rather than two states of one.
    parity: bool,
    /// How many changes, effects and risks there are.
    summary: Summary,
    /// What happens to the services that are touched, the worst first.
    services: Vec<Service>,
    /// All changes.
    changes: Vec<Change>,
}

/// How many changes, effects and risks there are.
#[derive(Debug, Serialize, JsonSchema)]
struct Summary {
    /// Changes.
    changes: usize,
    /// Differences that were left out, since the topology declares them.
    declared: usize,
    /// Changes by effect, the worst first.
    effects: Vec<EffectCount>,
    /// Risks by level, the worst first.
    levels: Vec<LevelCount>,
    /// Risks by what they are about.
    categories: Vec<CategoryCount>,
}

/// How many changes have an effect.
#[derive(Debug, Serialize, JsonSchema)]
struct EffectCount {
    /// The effect.
    effect: Effect,
    /// How many.
    count: usize,
}

/// How many risks are of a level.
#[derive(Debug, Serialize, JsonSchema)]
struct LevelCount {
    /// The level.
    level: Level,
    /// How many.
    count: usize,
}

/// How many risks are about something.
#[derive(Debug, Serialize, JsonSchema)]
struct CategoryCount {
    /// What they are about.
    category: Category,
    /// How many.
    count: usize,
}

/// What happens to a service.
#[derive(Debug, Serialize, JsonSchema)]
struct Service {
    /// Its name.
    name: String,
    /// The worst that happens.
    effect: Effect,
    /// Why.
    reason: String,
}

/// One change.
#[derive(Debug, Serialize, JsonSchema)]
struct Change {
    /// `platform`, `resource` or `file`.
    layer: &'static str,
    /// What is changed: `service`, `Deployment`, `file`.
    kind: String,
    /// Its name.
    name: String,
    /// The name it had, if that is what changed.
    was: Option<String>,
    /// `added`, `removed`, `renamed` or `changed`.
    act: &'static str,
    /// The field that differs, if not all of it.
    field: Option<String>,
    /// What it was.
    old: Option<String>,
    /// What it is.
    new: Option<String>,
    /// The component that it belongs to.
    component: Option<String>,
    /// The service that it belongs to.
    service: Option<String>,
    /// What it does.
    effect: Effect,
    /// Why it does that.
    reason: String,
    /// What is dangerous about it, the worst first.
    risks: Vec<Risk>,
    /// Where the old value comes from, the deciding place first.
    old_origins: Vec<Place>,
    /// Where the new value comes from, the deciding place first.
    new_origins: Vec<Place>,
    /// Files of the bundle in which it shows.
    files: Vec<String>,
    /// Changed lines in unified format, for texts.
    diff: Option<String>,
    /// Whether it only follows from another change.
    follows: bool,
}

/// What is dangerous about a change.
#[derive(Debug, Serialize, JsonSchema)]
struct Risk {
    /// Code of the danger.
    code: &'static str,
    /// What it is about.
    category: Category,
    /// How bad it is here.
    level: Level,
    /// What is so.
    message: String,
    /// What to do.
    help: &'static str,
}

/// Where a value comes from.
#[derive(Debug, Serialize, JsonSchema)]
struct Place {
    /// The file.
    file: String,
    /// The line, from 1; none, where only the key is known.
    line: Option<usize>,
    /// The key in the file.
    key: String,
    /// What it is.
    what: String,
}

impl From<&Origin> for Place {
    fn from(origin: &Origin) -> Self {
        Self {
            file: origin.file.clone(),
            line: origin.line,
            key: origin.key.clone(),
            what: origin.what.clone(),
        }
    }
}

/// Renders a review.
pub fn render(review: &Review) -> String {
    let document = document(review);
    let text = serde_json::to_string_pretty(&document);
    text.expect("a review has string keys and plain values only") + "\n"
}

fn document(review: &Review) -> Document {
    Document {
        schema: SCHEMA,
        old: review.old.clone(),
        new: review.new.clone(),
        worst: review.risks().map(|risk| risk.level).max(),
        environments: review
            .environments
            .iter()
            .map(|one| Environment {
                platform: one.platform.clone(),
                old: one.old.clone(),
                new: one.new.clone(),
                target: one.targets.1.to_string(),
                parity: one.parity,
                summary: Summary {
                    changes: one.changes.len(),
                    declared: one.declared,
                    effects: one
                        .effects()
                        .into_iter()
                        .map(|(effect, count)| EffectCount { effect, count })
                        .collect(),
                    levels: levels(one)
                        .into_iter()
                        .map(|(level, count)| LevelCount { level, count })
                        .collect(),
                    categories: categories(one)
                        .into_iter()
                        .map(|(category, counts)| CategoryCount {
                            category,
                            count: counts.iter().sum(),
                        })
                        .collect(),
                },
                services: one
                    .services
                    .iter()
                    .map(|service| Service {
                        name: service.name.clone(),
                        effect: service.outcome.effect,
                        reason: service.outcome.reason.clone(),
                    })
                    .collect(),
                changes: one.changes.iter().map(change).collect(),
            })
            .collect(),
    }
}

fn change(one: &super::super::Change) -> Change {
    Change {
        layer: one.layer.word(),
        kind: one.noun.clone(),
        name: one.name.clone(),
        was: match &one.act {
            Act::Renamed { from } => Some(from.clone()),
            _ => None,
        },
        act: one.act.word(),
        field: (!one.field.is_empty()).then(|| one.field.clone()),
        old: one.old.clone(),
        new: one.new.clone(),
        component: one.component.clone(),
        service: one.service.clone(),
        effect: one.outcome.effect,
        reason: one.outcome.reason.clone(),
        risks: one
            .risks
            .iter()
            .map(|risk| Risk {
                code: risk.code(),
                category: risk.category(),
                level: risk.level,
                message: risk.message.clone(),
                help: risk.danger.rule.fix,
            })
            .collect(),
        old_origins: one.old_origins.iter().map(Place::from).collect(),
        new_origins: one.new_origins.iter().map(Place::from).collect(),
        files: one.files.iter().cloned().collect(),
        diff: one.lines.clone(),
        follows: one.follows,
    }
}
