//! Dashboards in Grafana's format, made from what components declare.
//!
//! The same input gives the same text: a panel's number follows from its name, not from its position, so that a panel that
//! is added, moved or taken out changes its own lines only.

pub mod model;
mod overview;
mod panel;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

pub use overview::Overview;

use self::model::{
    Annotation, Annotations, Dashboard, GridPos, Link, Panel, RowPanel, SCHEMA_VERSION, SourceRef,
    Templating, TimeRange, Variable, VariableOption,
};
use crate::platform::dashboard;
use crate::terms::{Layer, Locale};
use crate::value::Value;

/// The type of the data source that dashboards ask.
pub const SOURCE_TYPE: &str = "prometheus";

/// The uid under which a blueprint that provides dashboards has to provision it.
pub const SOURCE_UID: &str = "metrics";

/// The variable that every panel asks through.
const SOURCE_VARIABLE: &str = "datasource";

/// The name of the overview's file: before all others, and no component's.
pub const OVERVIEW: &str = "00-overview";

/// Columns of a dashboard.
const COLUMNS: u32 = 24;

/// Most characters of a uid.
const LONGEST_UID: usize = 40;

/// What all dashboards of an environment have in common.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Name of the platform.
    pub platform: &'a str,
    /// Name of the environment.
    pub environment: &'a str,
    /// Language of what people read.
    pub locale: Locale,
}

/// A component, as dashboards see it.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// Its name.
    pub component: &'a str,
    /// Name of its blueprint.
    pub blueprint: &'a str,
    /// One line.
    pub summary: &'a str,
    /// Layer of the platform.
    pub layer: Layer,
    /// Whether any of its services is scraped.
    pub watched: bool,
    /// What it declares to look at.
    pub dashboard: Option<&'a dashboard::Dashboard>,
}

impl Subject<'_> {
    /// Chooses between the languages.
    fn say<'w>(&self, en: &'w str, fr: &'w str) -> &'w str {
        match self.locale {
            Locale::En => en,
            Locale::Fr => fr,
        }
    }

    /// Returns the uid of the overview.
    pub fn overview_uid(&self) -> String {
        short_uid(self.platform.to_owned())
    }

    /// Returns the uid of a component's dashboard.
    pub fn uid(&self, component: &str) -> String {
        short_uid(format!("{}-{component}", self.platform))
    }

    /// Makes the dashboard of a component, if it declares one.
    pub fn dashboard(&self, shown: &Shown<'_>) -> Option<Dashboard> {
        let declared = shown.dashboard?;
        let mut layout = Layout::default();
        for row in &declared.rows {
            // A row is known by what it begins with: its title depends on the language.
            let first = row.panels.first().map_or("", |panel| panel.name.as_str());
            layout.row(&format!("row {first}"), &row.title);
            for panel in &row.panels {
                let at = layout.place(panel.size);
                let made = panel::make(panel, id(&panel.name), at);
                layout.panels.push(Panel::Panel(Box::new(made)));
            }
        }
        let mut title = declared.title.clone();
        if shown.component != shown.blueprint {
            // Titles in a folder are unique, and one blueprint may serve several components.
            title = format!("{title} ({})", shown.component);
        }
        Some(Dashboard {
            annotations: self.annotations(&format!("component=\"{}\"", shown.component)),
            description: shown.summary.to_owned(),
            links: vec![self.link_to_overview(), self.link_to_all()],
            panels: layout.panels,
            tags: vec![self.platform.to_owned(), shown.layer.word().to_owned()],
            title,
            uid: self.uid(shown.component),
            ..self.empty()
        })
    }

    /// Makes a dashboard without panels.
    fn empty(&self) -> Dashboard {
        Dashboard {
            annotations: Annotations { list: Vec::new() },
            description: String::new(),
            editable: true,
            graph_tooltip: 1,
            links: Vec::new(),
            panels: Vec::new(),
            refresh: "1m",
            schema_version: SCHEMA_VERSION,
            tags: Vec::new(),
            templating: Templating {
                list: vec![Variable {
                    current: VariableOption {
                        text: SOURCE_UID.to_owned(),
                        value: SOURCE_UID.to_owned(),
                    },
                    // Where there is one only, nobody has to choose.
                    hide: 2,
                    include_all: false,
                    label: self.say("Data source", "Source de données").to_owned(),
                    multi: false,
                    name: SOURCE_VARIABLE,
                    options: [],
                    query: SOURCE_TYPE,
                    refresh: 1,
                    regex: "",
                    skip_url_sync: false,
                    kind: "datasource",
                }],
            },
            time: TimeRange {
                from: "now-6h",
                to: "now",
            },
            timezone: "browser",
            title: String::new(),
            uid: String::new(),
        }
    }

    /// Marks when alerts fired.
    fn annotations(&self, matchers: &str) -> Annotations {
        let comma = if matchers.is_empty() { "" } else { "," };
        Annotations {
            list: vec![Annotation {
                datasource: source(),
                enable: true,
                expr: format!(
                    "ALERTS{{alertstate=\"firing\",severity!=\"info\"{comma}{matchers}}}"
                ),
                hide: false,
                icon_color: "red",
                name: self.say("Alerts", "Alertes").to_owned(),
                step: "60s",
                tag_keys: "severity,component",
                title_format: "{{alertname}}",
            }],
        }
    }

    fn link_to_overview(&self) -> Link {
        Link {
            as_dropdown: false,
            icon: "dashboard",
            include_vars: false,
            keep_time: true,
            tags: Vec::new(),
            target_blank: false,
            title: self.say("Overview", "Vue d'ensemble").to_owned(),
            tooltip: String::new(),
            kind: "link",
            url: Some(format!("/d/{}", self.overview_uid())),
        }
    }

    fn link_to_all(&self) -> Link {
        Link {
            as_dropdown: true,
            icon: "external link",
            include_vars: false,
            keep_time: true,
            tags: vec![self.platform.to_owned()],
            target_blank: false,
            title: self.say("Dashboards", "Tableaux de bord").to_owned(),
            tooltip: String::new(),
            kind: "dashboards",
            url: None,
        }
    }
}

/// What every panel asks.
fn source() -> SourceRef {
    SourceRef {
        kind: SOURCE_TYPE,
        uid: format!("${{{SOURCE_VARIABLE}}}"),
    }
}

/// Returns the number of a panel: it follows from its name.
pub fn id(name: &str) -> u32 {
    let digest = Sha256::digest(name.as_bytes());
    let number = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
    // Grafana's numbers are positive and signed.
    (number >> 1).max(1)
}

/// Shortens a uid that is too long; what tells it from others stays.
fn short_uid(uid: String) -> String {
    if uid.len() <= LONGEST_UID {
        return uid;
    }
    let digest = format!("{:08x}", id(&uid));
    let kept = uid[..LONGEST_UID - digest.len() - 1].trim_end_matches('-');
    format!("{kept}-{digest}")
}

/// Lays panels out from left to right and from top to bottom.
#[derive(Default)]
struct Layout {
    panels: Vec<Panel>,
    /// Where the next panel begins.
    x: u32,
    y: u32,
    /// Lines of the highest panel beside it.
    lines: u32,
}

impl Layout {
    /// Begins a row.
    fn row(&mut self, name: &str, title: &str) {
        self.y += self.lines;
        (self.x, self.lines) = (0, 0);
        self.panels.push(Panel::Row(RowPanel {
            collapsed: false,
            grid_pos: GridPos {
                h: 1,
                w: COLUMNS,
                x: 0,
                y: self.y,
            },
            id: id(name),
            panels: [],
            title: title.to_owned(),
            kind: "row",
        }));
        self.y += 1;
    }

    /// Returns where a panel lies.
    fn place(&mut self, (width, height): (u32, u32)) -> GridPos {
        let width = width.clamp(1, COLUMNS);
        if self.x + width > COLUMNS {
            self.y += self.lines;
            (self.x, self.lines) = (0, 0);
        }
        let at = GridPos {
            h: height,
            w: width,
            x: self.x,
            y: self.y,
        };
        self.x += width;
        self.lines = self.lines.max(height);
        at
    }
}

/// Converts a dashboard to a value, for files.
pub fn to_value(dashboard: &Dashboard) -> Value {
    plain(super::value(dashboard))
}

/// Writes numbers without a fraction as whole ones.
fn plain(value: Value) -> Value {
    /// Beyond this, not every whole number is one of these.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Float(number) if number.fract() == 0.0 && number.abs() < EXACT =>
        {
            #[allow(clippy::cast_possible_truncation, reason = "whole, and small enough")]
            Value::Int(number as i64)
        }
        Value::List(items) => Value::List(items.into_iter().map(plain).collect()),
        Value::Table(table) => Value::Table(
            table
                .into_iter()
                .map(|(key, item)| (key, plain(item)))
                .collect::<BTreeMap<_, _>>(),
        ),
        other => other,
    }
}

/// Returns two panels of a dashboard whose names give the same number, or are the same.
pub fn collision(dashboard: &dashboard::Dashboard) -> Option<(&str, &dashboard::Panel)> {
    let mut seen: BTreeMap<u32, &str> = BTreeMap::new();
    for row in &dashboard.rows {
        let first = row.panels.first().map_or("", |panel| panel.name.as_str());
        seen.entry(id(&format!("row {first}"))).or_insert("");
    }
    let panels = dashboard.rows.iter().flat_map(|row| &row.panels);
    for panel in panels {
        if let Some(other) = seen.insert(id(&panel.name), &panel.name) {
            return Some((other, panel));
        }
    }
    None
}
