//! One panel: how its series are drawn follows from its kind.

use std::collections::BTreeMap;

use super::model::{
    CustomConfig, DataPanel, Effects, Exemplars, FieldColor, FieldConfig, FieldConfigs,
    FilterValues, GridPos, HeatmapColor, HeatmapLegend, HeatmapTooltip, Legend, Options, Query,
    Reduce, RowsFrame, Step, StyleMode, Thresholds, Tooltip, Transformation, Transforming, YAxis,
};
use super::source;
use crate::platform::dashboard;
use crate::terms::PanelKind;

/// Columns that a table does not show: when it was asked, and what is the same in all of its rows.
const HIDDEN: &[&str] = &["Time", "__name__", "environment", "job", "platform"];

/// Makes a panel.
pub(super) fn make(panel: &dashboard::Panel, id: u32, at: GridPos) -> DataPanel {
    DataPanel {
        datasource: source(),
        description: panel.description.clone(),
        field_config: FieldConfigs {
            defaults: FieldConfig {
                color: color(panel.kind),
                custom: custom(panel),
                decimals: panel.decimals,
                max: panel.max,
                min: panel.min,
                thresholds: thresholds(&panel.thresholds),
                unit: panel.unit,
                ..FieldConfig::default()
            },
            overrides: [],
        },
        grid_pos: at,
        id,
        links: Vec::new(),
        options: options(panel),
        targets: panel
            .queries
            .iter()
            .zip('A'..='Z')
            .map(|(query, letter)| target(panel.kind, query, letter))
            .collect(),
        title: panel.title.clone(),
        transformations: transformations(panel),
        kind: panel.kind.word(),
    }
}

fn target(kind: PanelKind, query: &dashboard::Query, letter: char) -> Query {
    // A table has one row for each series, not for each point in time.
    let instant = query.instant || kind == PanelKind::Table;
    Query {
        datasource: source(),
        editor_mode: "code",
        expr: query.expr.clone(),
        format: match kind {
            PanelKind::Table => "table",
            PanelKind::Heatmap => "heatmap",
            _ => "time_series",
        },
        instant,
        legend_format: match (&query.legend, kind) {
            (Some(legend), _) => legend.clone(),
            // The bounds of the buckets.
            (None, PanelKind::Heatmap) => "{{le}}".to_owned(),
            (None, _) => "__auto".to_owned(),
        },
        range: !instant,
        ref_id: letter.to_string(),
    }
}

/// Colours from green upwards.
pub(super) fn thresholds(declared: &[(f64, &'static str)]) -> Thresholds {
    let base = Step {
        color: "green",
        value: None,
    };
    let steps = declared.iter().map(|(value, color)| Step {
        color,
        value: Some(*value),
    });
    Thresholds {
        mode: "absolute",
        steps: std::iter::once(base).chain(steps).collect(),
    }
}

fn color(kind: PanelKind) -> Option<FieldColor> {
    let mode = match kind {
        PanelKind::TimeSeries => "palette-classic",
        PanelKind::Heatmap => return None,
        _ => "thresholds",
    };
    Some(FieldColor { mode })
}

fn custom(panel: &dashboard::Panel) -> Option<CustomConfig> {
    match panel.kind {
        PanelKind::TimeSeries => Some(CustomConfig::Lines {
            draw_style: "line",
            fill_opacity: 10,
            line_width: 1,
            show_points: "never",
            thresholds_style: StyleMode {
                mode: if panel.thresholds.is_empty() {
                    "off"
                } else {
                    "dashed"
                },
            },
        }),
        PanelKind::StateTimeline => Some(CustomConfig::States {
            fill_opacity: 70,
            line_width: 0,
        }),
        _ => None,
    }
}

fn transformations(panel: &dashboard::Panel) -> Vec<Transformation> {
    if panel.kind != PanelKind::Table {
        return Vec::new();
    }
    let mut hidden: BTreeMap<&str, bool> = HIDDEN.iter().map(|name| (*name, true)).collect();
    let mut renamed = BTreeMap::new();
    for (query, letter) in panel.queries.iter().zip('A'..='Z') {
        let column = match panel.queries.len() {
            1 => "Value".to_owned(),
            _ => format!("Value #{letter}"),
        };
        // A column's heading is its query's legend: rows have their labels as columns.
        if let Some(legend) = &query.legend {
            renamed.insert(column, legend.clone());
        }
    }
    hidden.retain(|name, _| !renamed.contains_key(*name));
    let organize = Transformation {
        id: "organize",
        options: Transforming::Organize {
            exclude_by_name: hidden,
            index_by_name: BTreeMap::new(),
            rename_by_name: renamed,
        },
    };
    if panel.queries.len() == 1 {
        return vec![organize];
    }
    // Rows of several queries with the same labels are one row.
    let merge = Transformation {
        id: "merge",
        options: Transforming::Nothing {},
    };
    vec![merge, organize]
}

/// The last value of each series.
fn last() -> Reduce {
    Reduce {
        calcs: ["lastNotNull"],
        fields: "",
        values: false,
    }
}

fn options(panel: &dashboard::Panel) -> Options {
    let legend = |calcs: &[&'static str]| Legend {
        calcs: calcs.to_vec(),
        display_mode: if calcs.is_empty() { "list" } else { "table" },
        placement: "bottom",
        show_legend: true,
    };
    match panel.kind {
        PanelKind::TimeSeries => Options::TimeSeries {
            legend: legend(&["lastNotNull", "max"]),
            tooltip: Tooltip {
                mode: "multi",
                sort: "desc",
            },
        },
        PanelKind::Stat => Options::Stat {
            color_mode: "value",
            graph_mode: if panel.queries.iter().all(|query| query.instant) {
                "none"
            } else {
                "area"
            },
            justify_mode: "auto",
            orientation: "auto",
            percent_change_color_mode: "standard",
            reduce_options: last(),
            show_percent_change: false,
            text_mode: "auto",
            wide_layout: true,
        },
        PanelKind::Gauge => Options::Gauge {
            bar_shape: "flat",
            bar_width_factor: 0.5,
            effects: Effects::default(),
            min_viz_height: 75,
            min_viz_width: 75,
            orientation: "auto",
            reduce_options: last(),
            segment_count: 1,
            segment_spacing: 0.3,
            shape: "gauge",
            show_threshold_labels: false,
            show_threshold_markers: true,
            sizing: "auto",
        },
        PanelKind::BarGauge => Options::BarGauge {
            display_mode: "basic",
            legend: Legend {
                show_legend: false,
                ..legend(&[])
            },
            max_viz_height: 300,
            min_viz_height: 16,
            min_viz_width: 8,
            name_placement: "auto",
            orientation: "horizontal",
            reduce_options: last(),
            show_unfilled: true,
            sizing: "auto",
            value_mode: "color",
        },
        PanelKind::Table => Options::Table {
            cell_height: "sm",
            frame_index: 0,
            show_header: true,
        },
        PanelKind::StateTimeline => Options::StateTimeline {
            align_value: "left",
            legend: legend(&[]),
            merge_values: true,
            row_height: 0.9,
            show_value: "auto",
            tooltip: Tooltip {
                mode: "single",
                sort: "none",
            },
        },
        PanelKind::Heatmap => Options::Heatmap {
            calculate: false,
            cell_gap: 1,
            color: HeatmapColor {
                exponent: 0.5,
                fill: "dark-orange",
                mode: "scheme",
                reverse: false,
                scheme: "Oranges",
                steps: 64,
            },
            exemplars: Exemplars {
                color: "rgba(255,0,255,0.7)",
            },
            filter_values: FilterValues { le: 1e-9 },
            legend: HeatmapLegend { show: true },
            rows_frame: RowsFrame { layout: "auto" },
            show_value: "never",
            tooltip: HeatmapTooltip {
                mode: "single",
                show_color_scale: true,
                y_histogram: false,
            },
            y_axis: YAxis {
                axis_placement: "left",
                reverse: false,
                unit: panel.unit,
            },
        },
    }
}
