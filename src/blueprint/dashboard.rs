//! `dashboard.toml` as written, read into types: what people look at to see how a system does.
//!
//! It stands beside `blueprint.toml` and uses metrics that blueprints declare, nothing else. `resolve` fills its texts in,
//! `observe` makes a dashboard of it.

use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::Deserialize;

use super::model::{Expr, Filled, Words};
use crate::schema::Schema;
use crate::terms::{OverviewPart, PanelKind};

/// The name of the file.
pub const FILE_NAME: &str = "dashboard.toml";

/// Its schema.
pub static SCHEMA: LazyLock<Schema> = LazyLock::new(Schema::of::<Dashboard>);

/// Columns of a dashboard.
pub const COLUMNS: u32 = 24;

/// A dashboard of one system.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Lakewright dashboard")]
pub struct Dashboard {
    /// What it is called.
    pub title: Words,
    /// Groups of panels, from top to bottom.
    #[schemars(length(min = 1))]
    pub rows: Vec<Row>,
}

/// A group of panels.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// What it is called.
    pub title: Words,
    /// From left to right, as many as fit beside each other, then below.
    #[schemars(length(min = 1))]
    pub panels: Vec<Panel>,
}

/// A panel.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Panel {
    /// Its name in this dashboard: lower-case letters, digits, `-` and `_`. It stays when the title changes.
    #[schemars(regex(pattern = r"^[a-z][a-z0-9_-]*$"), length(max = 60))]
    pub name: String,
    /// What it is called.
    pub title: Words,
    /// What is seen in it, and what is good or bad, where the title does not say it all.
    pub description: Option<Words>,
    /// How it shows its series.
    #[serde(rename = "type")]
    pub kind: PanelKind,
    /// Unit of the values, in the words of the program that shows them: `bytes`, `s`, `percentunit`, `reqps`; a plain
    /// number unless given.
    pub unit: Option<Unit>,
    /// Columns of 24.
    #[serde(default = "width")]
    #[schemars(range(min = 1, max = 24))]
    pub width: u32,
    /// Lines, of about 30 pixels each.
    #[serde(default = "height")]
    #[schemars(range(min = 2, max = 40))]
    pub height: u32,
    /// Least value of the axis: a number, or a text with `${}` that gives one.
    pub min: Option<Amount>,
    /// Most value of the axis: likewise.
    pub max: Option<Amount>,
    /// Digits behind the point.
    #[schemars(range(max = 9))]
    pub decimals: Option<u32>,
    /// From which values on it has which colour; green below the first.
    #[serde(default)]
    pub thresholds: Vec<Threshold>,
    /// Leave it out when this is false.
    pub when: Option<Expr>,
    /// The part of the platform's overview that it also appears in.
    pub overview: Option<OverviewPart>,
    /// What it shows.
    #[schemars(length(min = 1, max = 26))]
    pub queries: Vec<Query>,
}

fn width() -> u32 {
    8
}

fn height() -> u32 {
    7
}

/// A value from which on there is another colour.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// A number, or a text with `${}` that gives one.
    pub value: Amount,
    /// A colour.
    pub color: Color,
}

/// A number, or a text with `${}` that gives one.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Amount {
    /// A number.
    #[schemars(title = "a number")]
    Number(f64),
    /// A text that gives one.
    #[schemars(title = "a text with ${expression}")]
    Text(Filled),
}

/// A query.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// PromQL. `${expression}` is filled in first; `$__rate_interval` is the range that fits what is shown.
    pub expr: Filled,
    /// What a series is called: a text with `{{label}}`; all of its labels unless given.
    pub legend: Option<Filled>,
    /// Whether only the last values matter. They do in tables.
    #[serde(default)]
    pub instant: bool,
}

/// Defines an enum of words that another program knows.
macro_rules! foreign_words {
    ($(#[$meta:meta])* $name:ident { $($word:literal)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub struct $name(&'static str);

        impl $name {
            const ALL: &'static [&'static str] = &[$($word),+];

            /// Returns the word.
            pub fn word(self) -> &'static str {
                self.0
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = String::deserialize(deserializer)?;
                let known = Self::ALL.iter().find(|known| **known == word);
                known
                    .map(|known| Self(known))
                    .ok_or_else(|| serde::de::Error::unknown_variant(&word, Self::ALL))
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "enum": Self::ALL })
            }
        }
    };
}

foreign_words! {
    /// A unit. Source: Grafana 13, packages/grafana-data/src/valueFormats/categories.ts.
    Unit {
        "short" "none" "percent" "percentunit" "bytes" "Bps" "s" "ms" "dtdurations" "reqps" "ops" "iops" "eps" "rowsps"
        "bool_yes_no" "dateTimeFromNow" "sishort" "string" "locale" "bool" "bool_on_off" "bits" "decbits" "decbytes"
        "deckbytes" "decmbytes" "decgbytes" "dectbytes" "kbytes" "mbytes" "gbytes" "tbytes" "pps" "bps" "binBps"
        "binbps" "KBs" "KiBs" "MBs" "MiBs" "GBs" "GiBs" "cps" "rps" "wps" "mps" "recps" "cpm" "opm" "reqpm" "rpm" "wpm"
        "epm" "hertz" "rotrpm" "ns" "µs" "m" "h" "d" "dtdurationms" "dthms" "dtdhms" "timeticks" "dateTimeAsIso"
        "dateTimeAsIsoNoDateIfToday" "dateTimeAsLocal"
    }
}

foreign_words! {
    /// A colour. Source: Grafana 13, packages/grafana-data/src/themes/createVisualizationColors.ts.
    Color {
        "green" "yellow" "orange" "red" "blue" "purple" "dark-green" "dark-yellow" "dark-orange" "dark-red" "dark-blue"
        "dark-purple" "semi-dark-green" "semi-dark-yellow" "semi-dark-orange" "semi-dark-red" "semi-dark-blue"
        "semi-dark-purple" "light-green" "light-yellow" "light-orange" "light-red" "light-blue" "light-purple"
        "super-light-green" "super-light-yellow" "super-light-orange" "super-light-red" "super-light-blue"
        "super-light-purple" "text" "transparent"
    }
}
