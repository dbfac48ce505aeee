//! Dashboards as blueprints declare them, filled in: which panels there are, and what they ask.

use crate::source::Place;
use crate::terms::{OverviewPart, PanelKind};

/// What people look at to see how a component does.
#[derive(Clone, PartialEq, Debug)]
pub struct Dashboard {
    /// What it is called, in the environment's language.
    pub title: String,
    /// Groups of panels, from top to bottom; none is empty.
    pub rows: Vec<Row>,
}

/// A group of panels.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    /// What it is called.
    pub title: String,
    /// From left to right, then down.
    pub panels: Vec<Panel>,
}

/// A panel.
#[derive(Clone, PartialEq, Debug)]
pub struct Panel {
    /// Its name in the dashboard, which no other panel has.
    pub name: String,
    /// What it is called.
    pub title: String,
    /// What is seen in it, if there is more to say than the title does.
    pub description: Option<String>,
    /// How it shows its series.
    pub kind: PanelKind,
    /// Unit of the values, if they have one.
    pub unit: Option<&'static str>,
    /// Columns of 24, and lines.
    pub size: (u32, u32),
    /// Least value of the axis, if it is fixed.
    pub min: Option<f64>,
    /// Most value of the axis, if it is fixed.
    pub max: Option<f64>,
    /// Digits behind the point.
    pub decimals: Option<u32>,
    /// From which values on it has which colour, least first.
    pub thresholds: Vec<(f64, &'static str)>,
    /// The part of the platform's overview that it also appears in.
    pub overview: Option<OverviewPart>,
    /// What it shows.
    pub queries: Vec<Query>,
    /// Where it comes from.
    pub place: Place,
}

/// A query.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Query {
    /// PromQL, about the component's own series where it did not say of which.
    pub expr: String,
    /// What a series is called; all of its labels unless given.
    pub legend: Option<String>,
    /// Whether only the last values matter.
    pub instant: bool,
}
