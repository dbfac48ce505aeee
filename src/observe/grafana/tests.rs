//! Dashboards of a small platform: what they look like, and what holds for all.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::model::Panel as Made;
use super::*;
use crate::observe::promql::Query as PromQl;
use crate::platform::dashboard::{Dashboard as Declared, Panel, Query, Row};
use crate::source::{KeyPath, Place, Sources};
use crate::terms::{OverviewPart, PanelKind};

fn place() -> Place {
    let file = Sources::default().add("dashboard.toml", "");
    Place::value(file, KeyPath::root())
}

fn panel(name: &str, kind: PanelKind, size: (u32, u32)) -> Panel {
    Panel {
        name: name.to_owned(),
        title: format!("Title of {name}"),
        description: Some("What is seen.".to_owned()),
        kind,
        unit: Some("bytes"),
        size,
        min: Some(0.0),
        max: None,
        decimals: None,
        thresholds: vec![(0.5, "orange"), (80.0, "red")],
        overview: None,
        queries: vec![Query {
            expr: "up{component=\"store\"}".to_owned(),
            legend: Some("{{instance}}".to_owned()),
            instant: false,
        }],
        place: place(),
    }
}

fn subject(locale: Locale) -> Subject<'static> {
    Subject {
        platform: "lake",
        environment: "dev",
        locale,
    }
}

fn shown<'a>(component: &'a str, dashboard: Option<&'a Declared>) -> Shown<'a> {
    Shown {
        component,
        blueprint: "store",
        summary: "Keeps things",
        layer: Layer::Storage,
        watched: true,
        dashboard,
    }
}

fn declared(panels: Vec<Panel>) -> Declared {
    Declared {
        title: "Store".to_owned(),
        rows: vec![Row {
            title: "Row".to_owned(),
            panels,
        }],
    }
}

fn text(dashboard: &Dashboard) -> String {
    serde_json::to_string_pretty(&to_value(dashboard)).expect("JSON")
}

#[test]
fn a_dashboard_is_written_as_its_program_reads_it() {
    let dashboard = declared(vec![
        panel("used", PanelKind::TimeSeries, (12, 7)),
        panel("free", PanelKind::Stat, (4, 4)),
    ]);
    let made = subject(Locale::En).dashboard(&shown("store", Some(&dashboard)));
    insta::assert_snapshot!(text(&made.expect("a dashboard")));
}

#[test]
fn an_overview_shows_health_and_what_is_offered_to_it() {
    let mut offered = panel("room", PanelKind::Gauge, (6, 6));
    offered.overview = Some(OverviewPart::Capacity);
    let dashboard = declared(vec![offered, panel("used", PanelKind::TimeSeries, (12, 7))]);
    let all = [shown("archive", None), shown("store", Some(&dashboard))];
    let overview = Overview {
        subject: subject(Locale::Fr),
        shown: &all,
        probed: true,
        place: place(),
    };
    let made = overview.dashboard();
    let lines: Vec<String> = made
        .panels
        .iter()
        .map(|panel| match panel {
            Made::Row(row) => format!("# {} {:?}", row.title, row.grid_pos),
            Made::Panel(panel) => {
                let queries: Vec<&str> = panel.targets.iter().map(|it| it.expr.as_str()).collect();
                format!(
                    "{} {} {:?} {queries:?}",
                    panel.kind, panel.title, panel.grid_pos
                )
            }
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
    for panel in &made.panels {
        if let Made::Panel(panel) = panel {
            for target in &panel.targets {
                assert!(PromQl::parse(&target.expr).is_ok(), "{}", target.expr);
            }
        }
    }
}

#[test]
fn every_kind_of_panel_is_made() {
    for kind in PanelKind::ALL {
        let dashboard = declared(vec![panel("one", *kind, (24, 8))]);
        let made = subject(Locale::En).dashboard(&shown("store", Some(&dashboard)));
        let text = text(&made.expect("a dashboard"));
        assert!(text.contains(&format!("\"type\": \"{kind}\"")), "{text}");
    }
}

#[test]
fn names_that_are_too_long_stay_apart() {
    let long = "a".repeat(38);
    let subject = subject(Locale::En);
    let (one, other) = (
        subject.uid(&format!("{long}b")),
        subject.uid(&format!("{long}c")),
    );
    assert_ne!(one, other);
    for uid in [one, other, subject.uid("store"), subject.overview_uid()] {
        assert!(uid.len() <= LONGEST_UID, "{uid}");
        let legal = |next: char| next.is_ascii_alphanumeric() || next == '-' || next == '_';
        assert!(uid.chars().all(legal), "{uid}");
    }
}

#[test]
fn equal_names_collide() {
    let twice = declared(vec![
        panel("same", PanelKind::Stat, (4, 4)),
        panel("same", PanelKind::Stat, (4, 4)),
    ]);
    assert!(collision(&twice).is_some());
}

proptest! {
    #[test]
    fn panels_never_overlap(
        rows in prop::collection::vec(prop::collection::vec((1_u32..=24, 2_u32..=40), 1..12), 1..6)
    ) {
        let rows = rows.iter().enumerate().map(|(at, sizes)| Row {
            title: format!("Row {at}"),
            panels: sizes
                .iter()
                .enumerate()
                .map(|(number, size)| panel(&format!("p{at}-{number}"), PanelKind::Stat, *size))
                .collect(),
        });
        let dashboard = Declared { title: "Store".to_owned(), rows: rows.collect() };
        prop_assert!(collision(&dashboard).is_none());
        let made = subject(Locale::En).dashboard(&shown("store", Some(&dashboard)));
        let made = made.expect("a dashboard");
        let mut cells = BTreeSet::new();
        let mut ids = BTreeSet::new();
        for panel in &made.panels {
            let (at, id) = match panel {
                Made::Row(row) => (row.grid_pos, row.id),
                Made::Panel(panel) => (panel.grid_pos, panel.id),
            };
            prop_assert!(ids.insert(id));
            prop_assert!(at.x + at.w <= COLUMNS);
            for x in at.x..at.x + at.w {
                for y in at.y..at.y + at.h {
                    prop_assert!(cells.insert((x, y)), "{:?}", at);
                }
            }
        }
    }
}
