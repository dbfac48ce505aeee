//! A picture of the platform with what changes in it: layers as columns, components as boxes, connections as lines. SVG.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::Value as Json;

use super::super::effect::Effect;
use super::super::fields::text_at;
use super::super::{Act, EnvironmentReview};
use crate::terms::Layer;

/// Sizes, in pixels.
const WIDTH: usize = 190;
const HEIGHT: usize = 34;
const GAP: usize = 16;
const COLUMN: usize = 250;
const TOP: usize = 54;
const LEFT: usize = 20;

/// What happens to a thing in the picture.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Same,
    Changed,
    Hurt,
    Added,
    Removed,
}

impl State {
    fn class(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Changed => "changed",
            Self::Hurt => "hurt",
            Self::Added => "added",
            Self::Removed => "removed",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Same => "as it was",
            Self::Changed => "changed",
            Self::Hurt => "stops, is refused, or risks data",
            Self::Added => "new",
            Self::Removed => "gone",
        }
    }
}

/// Draws the platform of an environment; nothing, if its outline is not known.
pub(super) fn draw(one: &EnvironmentReview) -> Option<String> {
    let (old, new) = (one.outlines.0.as_ref(), one.outlines.1.as_ref());
    new.or(old)?;
    let mut layers: BTreeMap<String, Layer> = BTreeMap::new();
    for outline in [old, new].into_iter().flatten() {
        let table = outline.get("components").and_then(Json::as_object);
        for (name, component) in table.into_iter().flatten() {
            let layer = text_at(component, &["layer"]).and_then(Layer::from_word);
            layers.insert(name.clone(), layer.unwrap_or(Layer::Operations));
        }
    }
    let states = states(one, &layers);
    let flows = flows(old, new);
    let columns: Vec<(Layer, Vec<&String>)> = Layer::ALL
        .iter()
        .map(|layer| {
            let of = layers.iter().filter(|(_, known)| *known == layer);
            (*layer, of.map(|(name, _)| name).collect::<Vec<_>>())
        })
        .filter(|(_, names)| !names.is_empty())
        .collect();
    let mut spots: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let tallest = columns.iter().map(|(_, names)| names.len()).max()?;
    for (column, (_, names)) in columns.iter().enumerate() {
        let free = (tallest - names.len()) * (HEIGHT + GAP) / 2;
        for (row, name) in names.iter().enumerate() {
            let at = (LEFT + column * COLUMN, TOP + free + row * (HEIGHT + GAP));
            spots.insert(name, at);
        }
    }
    // Lines within the last column bend beyond it.
    let width = LEFT * 4 + (columns.len() - 1) * COLUMN + WIDTH;
    let height = TOP + tallest * (HEIGHT + GAP) + 20;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         role=\"img\" aria-label=\"Components and their connections\">\n"
    );
    for (column, (layer, _)) in columns.iter().enumerate() {
        let x = LEFT + column * COLUMN + WIDTH / 2;
        let _ = writeln!(
            svg,
            "<text class=\"layer\" x=\"{x}\" y=\"28\">{layer}</text>"
        );
    }
    for ((from, to), state) in &flows {
        let (Some(one), Some(other)) = (spots.get(from.as_str()), spots.get(to.as_str())) else {
            continue;
        };
        let _ = writeln!(
            svg,
            "<path class=\"flow {}\" d=\"{}\"><title>{} to {}: {}</title></path>",
            state.class(),
            curve(*one, *other),
            escape(from),
            escape(to),
            state.word()
        );
    }
    for (name, (x, y)) in &spots {
        let state = states.get(*name).copied().unwrap_or(State::Same);
        let _ = writeln!(
            svg,
            "<g class=\"{}\"><title>{}: {}</title><rect x=\"{x}\" y=\"{y}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"6\"/>\
             <text x=\"{}\" y=\"{}\">{}</text></g>",
            state.class(),
            escape(name),
            state.word(),
            x + WIDTH / 2,
            y + HEIGHT / 2 + 5,
            escape(&shorten(name))
        );
    }
    svg.push_str("</svg>\n");
    Some(svg)
}

/// Draws a line from one box to another: between columns from side to side, within one around the left.
fn curve((x, y): (usize, usize), (to_x, to_y): (usize, usize)) -> String {
    let middle = HEIGHT / 2;
    let (start_y, end_y) = (y + middle, to_y + middle);
    let (start_x, end_x, bend, back) = if x < to_x {
        (x + WIDTH, to_x, x + WIDTH + 30, to_x - 30)
    } else if x > to_x {
        (x, to_x + WIDTH, x - 30, to_x + WIDTH + 30)
    } else {
        (x + WIDTH, to_x + WIDTH, x + WIDTH + 40, to_x + WIDTH + 40)
    };
    format!("M{start_x} {start_y} C{bend} {start_y} {back} {end_y} {end_x} {end_y}")
}

fn shorten(name: &str) -> String {
    const LONGEST: usize = 24;
    if name.chars().count() <= LONGEST {
        return name.to_owned();
    }
    let short: String = name.chars().take(LONGEST - 1).collect();
    format!("{short}\u{2026}")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn states(one: &EnvironmentReview, layers: &BTreeMap<String, Layer>) -> BTreeMap<String, State> {
    let mut states: BTreeMap<String, State> = BTreeMap::new();
    for change in &one.changes {
        let name = change
            .component
            .clone()
            .filter(|name| layers.contains_key(name));
        let Some(name) = name else { continue };
        let state = match (&change.act, change.noun.as_str(), change.outcome.effect) {
            (Act::Added, "component", _) => State::Added,
            (Act::Removed, "component", _) => State::Removed,
            (_, _, Effect::Recreate | Effect::Refused | Effect::DataAtRisk) => State::Hurt,
            _ => State::Changed,
        };
        let known = states.entry(name).or_insert(state);
        *known = (*known).max(state);
    }
    states
}

/// Returns the connections between components, with what happens to each.
fn flows(old: Option<&Json>, new: Option<&Json>) -> BTreeMap<(String, String), State> {
    let of = |outline: Option<&Json>| -> BTreeSet<(String, String)> {
        let component = |service: &str| {
            let service = outline?.get("services")?.get(service)?;
            text_at(service, &["component"]).map(str::to_owned)
        };
        let table = outline.and_then(|outline| outline.get("flows")?.as_object());
        table
            .into_iter()
            .flatten()
            .filter_map(|(_, flow)| {
                let from = component(text_at(flow, &["from"])?)?;
                let to = component(text_at(flow, &["to"])?)?;
                (from != to).then_some((from, to))
            })
            .collect()
    };
    let (one, other) = (of(old), of(new));
    one.union(&other)
        .map(|flow| {
            let state = match (one.contains(flow), other.contains(flow)) {
                (true, false) => State::Removed,
                (false, true) => State::Added,
                _ => State::Same,
            };
            (flow.clone(), state)
        })
        .collect()
}
