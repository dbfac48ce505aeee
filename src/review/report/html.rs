//! A review for a browser: one page that needs nothing else, with a picture of the platform.

use std::sync::LazyLock;

use handlebars::Handlebars;
use serde::Serialize;

use super::super::{Act, EnvironmentReview, Layer, Review};
use super::{
    Group, categories, causes, effect, folded, followers, graph, groups, headline, values,
};

static PAGE: LazyLock<Handlebars<'static>> = LazyLock::new(|| {
    let mut handlebars = Handlebars::new();
    handlebars.set_strict_mode(true);
    handlebars
        .register_template_string(TEMPLATE, include_str!("page.html.hbs"))
        .expect("the page's own template; a test renders it");
    handlebars
});

const TEMPLATE: &str = "page";

#[derive(Serialize)]
struct Page<'r> {
    old: &'r str,
    new: &'r str,
    environments: Vec<Environment>,
}

#[derive(Serialize)]
struct Environment {
    title: String,
    headline: String,
    /// Drawn by `graph`, which escapes names itself.
    picture: Option<String>,
    categories: Vec<CategoryRow>,
    risks: Vec<RiskRow>,
    services: Vec<ServiceRow>,
    layers: Vec<LayerPart>,
    followers: Option<String>,
}

#[derive(Serialize)]
struct CategoryRow {
    category: &'static str,
    high: usize,
    medium: usize,
    low: usize,
}

#[derive(Serialize)]
struct RiskRow {
    level: &'static str,
    category: &'static str,
    message: String,
    code: &'static str,
    why: &'static str,
    fix: &'static str,
}

#[derive(Serialize)]
struct ServiceRow {
    name: String,
    effect: &'static str,
    class: String,
    reason: String,
}

#[derive(Serialize)]
struct LayerPart {
    title: &'static str,
    count: usize,
    things: Vec<Thing>,
}

#[derive(Serialize)]
struct Thing {
    sign: String,
    act: &'static str,
    noun: String,
    names: String,
    was: Option<String>,
    what: String,
    fields: Vec<Field>,
}

#[derive(Serialize)]
struct Field {
    field: String,
    values: String,
    effect: Option<String>,
    class: String,
    causes: Vec<String>,
    files: String,
    lines: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    class: &'static str,
    text: String,
}

/// Renders a review.
pub fn render(review: &Review) -> String {
    let page = Page {
        old: &review.old,
        new: &review.new,
        environments: review.environments.iter().map(environment).collect(),
    };
    PAGE.render(TEMPLATE, &page)
        .unwrap_or_else(|error| format!("Defect of lakewright: {error}\n"))
}

fn environment(one: &EnvironmentReview) -> Environment {
    let groups = groups(one);
    let layers = [
        (Layer::Platform, "Platform"),
        (Layer::Resource, "Objects"),
        (Layer::File, "Files"),
    ];
    Environment {
        title: one.title(),
        headline: headline(one),
        picture: graph::draw(one),
        categories: categories(one)
            .into_iter()
            .map(|(category, [high, medium, low])| CategoryRow {
                category: category.word(),
                high,
                medium,
                low,
            })
            .collect(),
        risks: one
            .risks()
            .into_iter()
            .map(|(_, risk)| RiskRow {
                level: risk.level.word(),
                category: risk.category().word(),
                message: risk.message.clone(),
                code: risk.code(),
                why: risk.danger.rule.why,
                fix: risk.danger.rule.fix,
            })
            .collect(),
        services: one
            .services
            .iter()
            .map(|service| ServiceRow {
                name: service.name.clone(),
                effect: service.outcome.effect.word(),
                class: service.outcome.effect.word().replace(' ', "-"),
                reason: service.outcome.reason.clone(),
            })
            .collect(),
        layers: layers
            .into_iter()
            .map(|(layer, title)| {
                let things: Vec<Thing> = folded(&groups)
                    .into_iter()
                    .filter(|group| group[0].layer == layer)
                    .map(|group| thing(&group, one.parity))
                    .collect();
                LayerPart {
                    title,
                    count: things.len(),
                    things,
                }
            })
            .filter(|part| part.count > 0)
            .collect(),
        followers: followers(one),
    }
}

fn thing(alike: &[&Group<'_>], parity: bool) -> Thing {
    let group = alike[0];
    let first = group.changes[0];
    let names: Vec<&str> = alike.iter().map(|group| group.name).collect();
    Thing {
        sign: first.act.sign().to_string(),
        act: first.act.word(),
        noun: group.noun.to_owned(),
        names: names.join(", "),
        was: match &first.act {
            Act::Renamed { from } => Some(from.clone()),
            _ => None,
        },
        what: if first.field.is_empty() {
            values(first)
        } else {
            String::new()
        },
        fields: group
            .changes
            .iter()
            .map(|change| Field {
                field: change.field.clone(),
                values: if change.field.is_empty() {
                    String::new()
                } else {
                    values(change)
                },
                effect: (!parity).then(|| effect(change)),
                class: change.outcome.effect.word().replace(' ', "-"),
                causes: causes(change),
                files: change.files.iter().cloned().collect::<Vec<_>>().join(", "),
                lines: change
                    .lines
                    .iter()
                    .flat_map(|lines| lines.lines())
                    .map(|line| Line {
                        class: match line.chars().next() {
                            Some('+') => "plus",
                            Some('-') => "minus",
                            Some('@') => "at",
                            _ => "",
                        },
                        text: line.to_owned(),
                    })
                    .collect(),
            })
            .collect(),
    }
}
