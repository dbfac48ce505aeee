//! The overview of a platform: whether its layers are well, what fires, how much room is left, whether data flows.
//!
//! Health is what Prometheus knows of every target; the rest are panels that components offer to it.

use std::collections::BTreeMap;

use super::model::{Dashboard, DataLink, FieldConfig, Mapped, Mapping, Panel, Transforming};
use super::{LONGEST_UID, Layout, Shown, Subject, id, panel};
use crate::platform::dashboard::{self, Query};
use crate::source::Place;
use crate::terms::{Layer, OverviewPart, PanelKind};

/// What the overview is made from.
#[derive(Debug)]
pub struct Overview<'a> {
    /// Whose it is.
    pub subject: Subject<'a>,
    /// All components.
    pub shown: &'a [Shown<'a>],
    /// Whether addresses are probed from outside of what answers.
    pub probed: bool,
    /// A place for what stands nowhere.
    pub place: Place,
}

/// Lines of small numbers, and of everything else.
const LOW: u32 = 4;
const HIGH: u32 = 8;

impl Overview<'_> {
    /// Makes the dashboard.
    pub fn dashboard(&self) -> Dashboard {
        let subject = self.subject;
        let mut layout = Layout::default();
        self.alerts(&mut layout);
        self.layers(&mut layout);
        for part in OverviewPart::ALL {
            self.part(*part, &mut layout);
        }
        let title = format!(
            "{} {}: {}",
            subject.platform,
            subject.environment,
            subject.say("overview", "vue d'ensemble")
        );
        Dashboard {
            annotations: subject.annotations(""),
            description: subject
                .say(
                    "The whole platform: alerts, layers, capacity, pipelines.",
                    "Toute la plateforme : alertes, couches, capacité, pipelines.",
                )
                .to_owned(),
            links: vec![subject.link_to_all()],
            panels: layout.panels,
            tags: vec![subject.platform.to_owned()],
            title,
            uid: subject.overview_uid(),
            ..subject.empty()
        }
    }

    /// A panel of the overview itself.
    fn panel(
        &self,
        name: &str,
        title: (&str, &str),
        description: (&str, &str),
    ) -> dashboard::Panel {
        dashboard::Panel {
            name: name.to_owned(),
            title: self.subject.say(title.0, title.1).to_owned(),
            description: Some(self.subject.say(description.0, description.1).to_owned()),
            kind: PanelKind::Stat,
            unit: None,
            size: (4, LOW),
            min: None,
            max: None,
            decimals: None,
            thresholds: Vec::new(),
            overview: None,
            queries: Vec::new(),
            place: self.place.clone(),
        }
    }

    fn alerts(&self, layout: &mut Layout) {
        layout.row("row alerts", self.subject.say("Alerts", "Alertes"));
        let firing = |severity: &str| {
            now(&format!(
                "count(ALERTS{{alertstate=\"firing\",severity=\"{severity}\"}}) or vector(0)"
            ))
        };
        add(
            layout,
            &dashboard::Panel {
                thresholds: vec![(1.0, "red")],
                queries: vec![firing("critical")],
                ..self.panel(
                    "alerts-critical",
                    ("Critical alerts", "Alertes critiques"),
                    (
                        "Alerts that need somebody now. 0 is good.",
                        "Alertes qui demandent une intervention immédiate. 0 est bon.",
                    ),
                )
            },
        );
        add(
            layout,
            &dashboard::Panel {
                thresholds: vec![(1.0, "orange")],
                queries: vec![firing("warning")],
                ..self.panel(
                    "alerts-warning",
                    ("Warnings", "Avertissements"),
                    (
                        "Alerts for working hours.",
                        "Alertes pour les heures ouvrées.",
                    ),
                )
            },
        );
        add(
            layout,
            &dashboard::Panel {
                thresholds: vec![(1.0, "red")],
                queries: vec![now("count(up == 0) or vector(0)")],
                ..self.panel(
                    "targets-down",
                    ("Targets down", "Cibles injoignables"),
                    (
                        "What does not answer when it is asked for its metrics.",
                        "Ce qui ne répond pas quand ses métriques sont demandées.",
                    ),
                )
            },
        );
        let table = dashboard::Panel {
            kind: PanelKind::Table,
            size: (12, LOW),
            queries: vec![now(
                "ALERTS{alertstate=\"firing\",severity=~\"critical|warning\"}",
            )],
            ..self.panel(
                "alerts",
                ("Alerts that fire", "Alertes en cours"),
                (
                    "Each alert that fires, and whose it is. The runbook says what to do.",
                    "Chaque alerte en cours et son responsable. Le runbook dit quoi faire.",
                ),
            )
        };
        let at = layout.place(table.size);
        let mut table = panel::make(&table, id(&table.name), at);
        for transformation in &mut table.transformations {
            if let Transforming::Organize {
                exclude_by_name,
                index_by_name,
                ..
            } = &mut transformation.options
            {
                exclude_by_name.extend([("Value", true), ("alertstate", true)]);
                let order = ["severity", "component", "owner", "alertname"];
                *index_by_name = order
                    .iter()
                    .map(|name| (*name).to_owned())
                    .zip(0..)
                    .collect();
            }
        }
        table.field_config.defaults.no_value =
            Some(self.subject.say("No alert", "Aucune alerte").to_owned());
        layout.panels.push(Panel::Panel(Box::new(table)));
    }

    /// One panel for each layer that has something to show: which of its components are up.
    fn layers(&self, layout: &mut Layout) {
        let mut by_layer: BTreeMap<Layer, Vec<&str>> = BTreeMap::new();
        for shown in self.shown.iter().filter(|shown| shown.watched) {
            let of_layer = by_layer.entry(shown.layer).or_default();
            of_layer.push(shown.component);
        }
        if by_layer.is_empty() {
            return;
        }
        layout.row("row layers", self.subject.say("Layers", "Couches"));
        for (layer, components) in &by_layer {
            let health = dashboard::Panel {
                size: (8, LOW),
                thresholds: Vec::new(),
                queries: vec![Query {
                    legend: Some("{{component}}".to_owned()),
                    ..now(&format!(
                        "min by (component) (up{{component=~\"{}\"}})",
                        components.join("|")
                    ))
                }],
                ..self.panel(
                    &format!("layer-{layer}"),
                    self.layer(*layer),
                    (
                        "Down as soon as one target of the component does not answer. A click leads to its dashboard.",
                        "En panne dès qu'une cible du composant ne répond pas. Un clic mène à son tableau de bord.",
                    ),
                )
            };
            self.health(layout, &health, true);
        }
        if self.probed {
            let probes = dashboard::Panel {
                kind: PanelKind::StateTimeline,
                size: (24, HIGH),
                queries: vec![Query {
                    expr: "min by (component) (probe_success)".to_owned(),
                    legend: Some("{{component}}".to_owned()),
                    instant: false,
                }],
                ..self.panel(
                    "probes",
                    ("Answers to users", "Réponses aux utilisateurs"),
                    (
                        "Whether the public addresses answer as users reach them.",
                        "Si les adresses publiques répondent comme les utilisateurs les atteignent.",
                    ),
                )
            };
            self.health(layout, &probes, false);
        }
    }

    /// Adds a panel whose values are 0 and 1.
    fn health(&self, layout: &mut Layout, declared: &dashboard::Panel, links: bool) {
        let at = layout.place(declared.size);
        let mut made = panel::make(declared, id(&declared.name), at);
        let mapped = |text: &str, color: &'static str, index: u32| Mapped {
            color,
            index,
            text: text.to_owned(),
        };
        let down = mapped(self.subject.say("down", "en panne"), "red", 0);
        let up = mapped(self.subject.say("up", "en marche"), "green", 1);
        made.field_config.defaults = FieldConfig {
            mappings: vec![Mapping {
                options: BTreeMap::from([("0".to_owned(), down), ("1".to_owned(), up)]),
                kind: "value",
            }],
            ..made.field_config.defaults
        };
        // A uid that was shortened does not follow from the name.
        let longest = self.shown.iter().map(|shown| shown.component.len());
        let longest = longest.max().unwrap_or_default() + self.subject.platform.len() + 1;
        if links && longest <= LONGEST_UID {
            made.field_config.defaults.links = vec![DataLink {
                target_blank: false,
                title: self.subject.say("Dashboard", "Tableau de bord").to_owned(),
                url: format!("/d/{}-${{__field.labels.component}}", self.subject.platform),
            }];
        }
        layout.panels.push(Panel::Panel(Box::new(made)));
    }

    /// Panels that components offer to the overview.
    fn part(&self, part: OverviewPart, layout: &mut Layout) {
        let mut begun = false;
        for shown in self.shown {
            let Some(declared) = shown.dashboard else {
                continue;
            };
            let panels = declared.rows.iter().flat_map(|row| &row.panels);
            for offered in panels.filter(|panel| panel.overview == Some(part)) {
                if !begun {
                    layout.row(&format!("row {part}"), self.part_title(part));
                    begun = true;
                }
                let panel = dashboard::Panel {
                    name: format!("{} {}", shown.component, offered.name),
                    title: format!("{}: {}", declared.title, offered.title),
                    ..offered.clone()
                };
                add(layout, &panel);
            }
        }
    }

    fn part_title(&self, part: OverviewPart) -> &'static str {
        match part {
            OverviewPart::Services => self.subject.say("Services", "Services"),
            OverviewPart::Capacity => self.subject.say("Capacity", "Capacité"),
            OverviewPart::Pipelines => self.subject.say("Pipelines", "Pipelines"),
        }
    }

    fn layer(&self, layer: Layer) -> (&'static str, &'static str) {
        match layer {
            Layer::Ingestion => ("Ingestion", "Ingestion"),
            Layer::Storage => ("Storage", "Stockage"),
            Layer::Transformation => ("Transformation", "Transformation"),
            Layer::Semantic => ("Semantic layer", "Couche sémantique"),
            Layer::Presentation => ("Presentation", "Présentation"),
            Layer::Edge => ("Edge", "Accès"),
            Layer::Operations => ("Operations", "Exploitation"),
        }
    }
}

/// A query for the last value.
fn now(expr: &str) -> Query {
    Query {
        expr: expr.to_owned(),
        legend: None,
        instant: true,
    }
}

fn add(layout: &mut Layout, declared: &dashboard::Panel) {
    let at = layout.place(declared.size);
    let made = panel::make(declared, id(&declared.name), at);
    layout.panels.push(Panel::Panel(Box::new(made)));
}
