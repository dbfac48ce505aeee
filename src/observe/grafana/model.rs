//! Grafana's dashboard format, as far as it is written here: version 42 of its schema, Grafana 13.
//!
//! Source: `@grafana/schema` 13.1.3, raw/dashboard and raw/composable/*/panelcfg. What a field means is said there.

#![allow(missing_docs, reason = "the fields are Grafana's own")]

use std::collections::BTreeMap;

use serde::Serialize;

/// Version of the schema.
pub const SCHEMA_VERSION: u32 = 42;

/// A dashboard.
#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub struct Dashboard {
    pub annotations: Annotations,
    pub description: String,
    pub editable: bool,
    pub graph_tooltip: u32,
    pub links: Vec<Link>,
    pub panels: Vec<Panel>,
    pub refresh: &'static str,
    pub schema_version: u32,
    pub tags: Vec<String>,
    pub templating: Templating,
    pub time: TimeRange,
    pub timezone: &'static str,
    pub title: String,
    pub uid: String,
}

#[derive(Serialize, Debug)]
pub struct Annotations {
    pub list: Vec<Annotation>,
}

/// Marks on graphs: of alerts that fire.
#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub struct Annotation {
    pub datasource: SourceRef,
    pub enable: bool,
    pub expr: String,
    pub hide: bool,
    pub icon_color: &'static str,
    pub name: String,
    pub step: &'static str,
    pub tag_keys: &'static str,
    pub title_format: &'static str,
}

#[derive(Serialize, Debug)]
pub struct TimeRange {
    pub from: &'static str,
    pub to: &'static str,
}

#[derive(Serialize, Debug)]
pub struct Templating {
    pub list: Vec<Variable>,
}

/// A variable that chooses a data source.
#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub struct Variable {
    pub current: VariableOption,
    pub hide: u32,
    pub include_all: bool,
    pub label: String,
    pub multi: bool,
    pub name: &'static str,
    pub options: [VariableOption; 0],
    pub query: &'static str,
    pub refresh: u32,
    pub regex: &'static str,
    pub skip_url_sync: bool,
    #[serde(rename = "type")]
    pub kind: &'static str,
}

#[derive(Serialize, Debug)]
pub struct VariableOption {
    pub text: String,
    pub value: String,
}

/// A link from a dashboard or a panel to others.
#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    pub as_dropdown: bool,
    pub icon: &'static str,
    pub include_vars: bool,
    pub keep_time: bool,
    pub tags: Vec<String>,
    pub target_blank: bool,
    pub title: String,
    pub tooltip: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// What a panel or a query asks.
#[derive(Clone, Serialize, Debug)]
pub struct SourceRef {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub uid: String,
}

/// Where a panel lies.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Debug)]
pub struct GridPos {
    pub h: u32,
    pub w: u32,
    pub x: u32,
    pub y: u32,
}

/// A panel, or the heading of a row.
#[derive(Serialize, Debug)]
#[serde(untagged)]
pub enum Panel {
    Row(RowPanel),
    Panel(Box<DataPanel>),
}

/// The heading of a row. One that is open holds no panels: they follow it.
#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub struct RowPanel {
    pub collapsed: bool,
    pub grid_pos: GridPos,
    pub id: u32,
    pub panels: [(); 0],
    pub title: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
}

#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub struct DataPanel {
    pub datasource: SourceRef,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub field_config: FieldConfigs,
    pub grid_pos: GridPos,
    pub id: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
    pub options: Options,
    pub targets: Vec<Query>,
    pub title: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub transformations: Vec<Transformation>,
    #[serde(rename = "type")]
    pub kind: &'static str,
}

/// A query of Grafana's data source for Prometheus.
#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub struct Query {
    pub datasource: SourceRef,
    pub editor_mode: &'static str,
    pub expr: String,
    pub format: &'static str,
    pub instant: bool,
    pub legend_format: String,
    pub range: bool,
    pub ref_id: String,
}

#[derive(Serialize, Debug)]
pub struct FieldConfigs {
    pub defaults: FieldConfig,
    pub overrides: [(); 0],
}

#[derive(Serialize, Debug, Default)]
#[serde(rename_all = "camelCase")]
pub struct FieldConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub color: Option<FieldColor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom: Option<CustomConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decimals: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<DataLink>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mappings: Vec<Mapping>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_value: Option<String>,
    pub thresholds: Thresholds,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<&'static str>,
}

/// A link from a value.
#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub struct DataLink {
    pub target_blank: bool,
    pub title: String,
    pub url: String,
}

/// Words for values.
#[derive(Serialize, Debug)]
pub struct Mapping {
    pub options: BTreeMap<String, Mapped>,
    #[serde(rename = "type")]
    pub kind: &'static str,
}

#[derive(Serialize, Debug)]
pub struct Mapped {
    pub color: &'static str,
    pub index: u32,
    pub text: String,
}

#[derive(Serialize, Debug)]
pub struct FieldColor {
    pub mode: &'static str,
}

#[derive(Serialize, Debug, Default)]
pub struct Thresholds {
    pub mode: &'static str,
    pub steps: Vec<Step>,
}

/// From which value on there is which colour; the first step begins at minus infinity, which is null.
#[derive(Serialize, Debug)]
pub struct Step {
    pub color: &'static str,
    pub value: Option<f64>,
}

/// How series are drawn.
#[derive(Serialize, Debug)]
#[serde(untagged)]
pub enum CustomConfig {
    #[serde(rename_all = "camelCase")]
    Lines {
        draw_style: &'static str,
        fill_opacity: u32,
        line_width: u32,
        show_points: &'static str,
        thresholds_style: StyleMode,
    },
    #[serde(rename_all = "camelCase")]
    States { fill_opacity: u32, line_width: u32 },
}

#[derive(Serialize, Debug)]
pub struct StyleMode {
    pub mode: &'static str,
}

#[derive(Serialize, Debug)]
pub struct Transformation {
    pub id: &'static str,
    pub options: Transforming,
}

#[derive(Serialize, Debug)]
#[serde(untagged)]
pub enum Transforming {
    Nothing {},
    #[serde(rename_all = "camelCase")]
    Organize {
        exclude_by_name: BTreeMap<&'static str, bool>,
        index_by_name: BTreeMap<String, u32>,
        rename_by_name: BTreeMap<String, String>,
    },
}

/// What a kind of panel can be told.
#[derive(Serialize, Debug)]
#[serde(untagged)]
pub enum Options {
    TimeSeries {
        legend: Legend,
        tooltip: Tooltip,
    },
    #[serde(rename_all = "camelCase")]
    Stat {
        color_mode: &'static str,
        graph_mode: &'static str,
        justify_mode: &'static str,
        orientation: &'static str,
        percent_change_color_mode: &'static str,
        reduce_options: Reduce,
        show_percent_change: bool,
        text_mode: &'static str,
        wide_layout: bool,
    },
    #[serde(rename_all = "camelCase")]
    Gauge {
        bar_shape: &'static str,
        bar_width_factor: f64,
        effects: Effects,
        min_viz_height: u32,
        min_viz_width: u32,
        orientation: &'static str,
        reduce_options: Reduce,
        segment_count: u32,
        segment_spacing: f64,
        shape: &'static str,
        show_threshold_labels: bool,
        show_threshold_markers: bool,
        sizing: &'static str,
    },
    #[serde(rename_all = "camelCase")]
    BarGauge {
        display_mode: &'static str,
        legend: Legend,
        max_viz_height: u32,
        min_viz_height: u32,
        min_viz_width: u32,
        name_placement: &'static str,
        orientation: &'static str,
        reduce_options: Reduce,
        show_unfilled: bool,
        sizing: &'static str,
        value_mode: &'static str,
    },
    #[serde(rename_all = "camelCase")]
    Table {
        cell_height: &'static str,
        frame_index: u32,
        show_header: bool,
    },
    #[serde(rename_all = "camelCase")]
    StateTimeline {
        align_value: &'static str,
        legend: Legend,
        merge_values: bool,
        row_height: f64,
        show_value: &'static str,
        tooltip: Tooltip,
    },
    #[serde(rename_all = "camelCase")]
    Heatmap {
        calculate: bool,
        cell_gap: u32,
        color: HeatmapColor,
        exemplars: Exemplars,
        filter_values: FilterValues,
        legend: HeatmapLegend,
        rows_frame: RowsFrame,
        show_value: &'static str,
        tooltip: HeatmapTooltip,
        y_axis: YAxis,
    },
}

#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub struct Legend {
    pub calcs: Vec<&'static str>,
    pub display_mode: &'static str,
    pub placement: &'static str,
    pub show_legend: bool,
}

#[derive(Serialize, Debug)]
pub struct Tooltip {
    pub mode: &'static str,
    pub sort: &'static str,
}

/// Which of a series' values counts.
#[derive(Serialize, Debug)]
pub struct Reduce {
    pub calcs: [&'static str; 1],
    pub fields: &'static str,
    pub values: bool,
}

#[derive(Serialize, Debug, Default)]
#[serde(rename_all = "camelCase")]
pub struct Effects {
    pub bar_glow: bool,
    pub center_glow: bool,
    pub gradient: bool,
}

#[derive(Serialize, Debug)]
pub struct HeatmapColor {
    pub exponent: f64,
    pub fill: &'static str,
    pub mode: &'static str,
    pub reverse: bool,
    pub scheme: &'static str,
    pub steps: u32,
}

#[derive(Serialize, Debug)]
pub struct Exemplars {
    pub color: &'static str,
}

/// Cells below this value stay empty.
#[derive(Serialize, Debug)]
pub struct FilterValues {
    pub le: f64,
}

#[derive(Serialize, Debug)]
pub struct HeatmapLegend {
    pub show: bool,
}

#[derive(Serialize, Debug)]
pub struct RowsFrame {
    pub layout: &'static str,
}

#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub struct HeatmapTooltip {
    pub mode: &'static str,
    pub show_color_scale: bool,
    pub y_histogram: bool,
}

#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub struct YAxis {
    pub axis_placement: &'static str,
    pub reverse: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<&'static str>,
}
