//! Dashboards: what blueprints declare, with its texts filled in and its queries read.

use super::super::query::{Asked, PROMQL_ERROR, Written};
use super::*;
use crate::blueprint::FAULTY_BLUEPRINT;
use crate::blueprint::dashboard::{Amount, FILE_NAME, Panel};
use crate::blueprint::expression::Names;
use crate::diagnostic::Finding;
use crate::observe::grafana::{self, Overview, Shown, Subject};
use crate::platform::dashboard;
use crate::source::{FileId, KeyPath, Place, Sources};
use crate::terms::Locale;
use crate::value::Value;

/// What a panel is read with.
struct Reading<'n> {
    file: FileId,
    component: &'n str,
    names: &'n Names<'n>,
    locale: Locale,
    sources: &'n Sources,
    asked: &'n mut Asked,
    findings: Vec<Finding>,
}

impl Finish<'_, '_, '_> {
    /// Fills a component's dashboard in, if its blueprint has one that shows anything here.
    pub(super) fn dashboard_of(
        &mut self,
        at: usize,
        scope: &Scope<'_>,
    ) -> Option<dashboard::Dashboard> {
        let draft = &self.drafts[at];
        let declared = draft.blueprint.dashboard.as_ref()?;
        let file = *draft.blueprint.files.get(FILE_NAME)?;
        if draft.unsupported.is_some() {
            return None;
        }
        let base = Names::new(&draft.base);
        let names = base.with(&scope.names);
        let mut reading = Reading {
            file,
            component: &draft.name,
            names: &names,
            locale: self.resolver.environment.locale,
            sources: self.resolver.sources,
            asked: &mut self.asked,
            findings: Vec::new(),
        };
        let mut rows = Vec::new();
        for (row_at, row) in declared.rows.iter().enumerate() {
            let path = KeyPath::of(["rows"]).index(row_at).key("panels");
            let mut panels = Vec::new();
            for (panel_at, panel) in row.panels.iter().enumerate() {
                let path = path.index(panel_at);
                let place = || Place::value(file, path.key("when"));
                let when = panel.when.as_ref();
                if draft.holds(when, &names, place, &mut reading.findings) {
                    panels.push(reading.panel(panel, &path));
                }
            }
            if !panels.is_empty() {
                rows.push(dashboard::Row {
                    title: row.title.get(reading.locale).to_owned(),
                    panels,
                });
            }
        }
        let dashboard = dashboard::Dashboard {
            title: declared.title.get(reading.locale).to_owned(),
            rows,
        };
        if let Some((other, panel)) = grafana::collision(&dashboard) {
            let message = format!("panels `{other}` and `{}` cannot be told apart", panel.name);
            reading.findings.push(
                Finding::new(&FAULTY_BLUEPRINT, panel.place.clone(), message)
                    .help("give each panel of a dashboard a name of its own"),
            );
        }
        let mut findings = reading.findings;
        self.resolver.findings.append(&mut findings);
        (!dashboard.rows.is_empty()).then_some(dashboard)
    }

    /// Makes the files of all dashboards: a table by their name.
    pub(super) fn dashboard_files(&self) -> Value {
        let environment = &self.resolver.environment;
        let subject = Subject {
            platform: &self.resolver.layered.platform.value,
            environment: &environment.name,
            locale: environment.locale,
        };
        let running = (0..self.drafts.len()).filter(|at| self.drafts[*at].unsupported.is_none());
        let shown: Vec<Shown<'_>> = running
            .map(|at| {
                let draft = &self.drafts[at];
                let services = self.first[at]..self.first[at] + self.sized[at].len();
                let mut targets = self.watched.scrapes[services].iter();
                Shown {
                    component: &draft.name,
                    blueprint: &draft.blueprint.name,
                    summary: draft
                        .blueprint
                        .model
                        .blueprint
                        .summary
                        .get(environment.locale),
                    layer: draft.blueprint.model.blueprint.layer,
                    watched: targets.any(|scrapes| !scrapes.is_empty()),
                    dashboard: self.dashboards[at].as_ref(),
                }
            })
            .collect();
        let overview = Overview {
            subject,
            shown: &shown,
            probed: !self.watched.probes.is_empty(),
            place: environment.place.clone(),
        };
        let all = shown.iter().filter_map(|shown| {
            let dashboard = subject.dashboard(shown)?;
            Some((shown.component.to_owned(), grafana::to_value(&dashboard)))
        });
        let overview = grafana::to_value(&overview.dashboard());
        Value::table(all.chain([(grafana::OVERVIEW.to_owned(), overview)]))
    }
}

impl Reading<'_> {
    fn report(&mut self, path: &KeyPath, message: String) {
        let place = Place::value(self.file, path.clone());
        let finding = Finding::new(&FAULTY_BLUEPRINT, place, message);
        self.findings.push(finding.component(self.component));
    }

    fn fill(&mut self, text: &Filled, path: &KeyPath) -> String {
        text.parsed.fill_text(self.names).unwrap_or_else(|error| {
            self.report(path, format!("cannot fill in `{}`: {error}", text.written));
            String::new()
        })
    }

    /// Reads a query, and makes it one about the component.
    fn query(&mut self, query: &Filled, path: &KeyPath) -> String {
        let before = self.findings.len();
        let text = self.fill(query, path);
        if self.findings.len() > before {
            return text;
        }
        let written = Written {
            text,
            source: query.written.clone(),
            place: Place::value(self.file, path.clone()),
        };
        let asked = written.parse(self.sources).and_then(|query| {
            query.of_component(self.component).map_err(|fault| {
                Box::new(Finding::new(
                    &PROMQL_ERROR,
                    written.place.clone(),
                    fault.message,
                ))
            })
        });
        match asked {
            Ok(query) => {
                let printed = query.to_string();
                self.asked.add(query, written);
                printed
            }
            Err(finding) => {
                self.findings.push(finding.component(self.component));
                written.text
            }
        }
    }

    fn amount(&mut self, amount: &Amount, path: &KeyPath) -> Option<f64> {
        let text = match amount {
            Amount::Number(number) => return Some(*number),
            Amount::Text(text) => text,
        };
        match text.parsed.fill(self.names) {
            // Numbers of users, and texts that hold one: a percentage such as "99.5".
            Ok(Value::Int(number)) => number.to_string().parse().ok(),
            Ok(Value::Float(number)) => Some(number),
            Ok(Value::Text(written)) if written.parse::<f64>().is_ok_and(f64::is_finite) => {
                written.parse().ok()
            }
            Ok(other) => {
                let found = other.kind();
                self.report(path, format!("`{}` is {found}, not a number", text.written));
                None
            }
            Err(error) => {
                let fault = format!("cannot fill in `{}`: {error}", text.written);
                self.report(path, fault);
                None
            }
        }
    }

    fn panel(&mut self, panel: &Panel, path: &KeyPath) -> dashboard::Panel {
        let mut thresholds = Vec::new();
        for (at, threshold) in panel.thresholds.iter().enumerate() {
            let path = path.key("thresholds").index(at).key("value");
            if let Some(value) = self.amount(&threshold.value, &path) {
                if thresholds.last().is_some_and(|(last, _)| value <= *last) {
                    let fault = "thresholds must stand in order, the least first".to_owned();
                    self.report(&path, fault);
                }
                thresholds.push((value, threshold.color.word()));
            }
        }
        let limit = |reading: &mut Self, amount: &Option<Amount>, key: &str| {
            reading.amount(amount.as_ref()?, &path.key(key))
        };
        let queries = panel.queries.iter().enumerate();
        let queries = queries.map(|(at, query)| {
            let path = path.key("queries").index(at);
            dashboard::Query {
                expr: self.query(&query.expr, &path.key("expr")),
                legend: query
                    .legend
                    .as_ref()
                    .map(|legend| self.fill(legend, &path.key("legend"))),
                instant: query.instant,
            }
        });
        dashboard::Panel {
            queries: queries.collect(),
            name: panel.name.clone(),
            title: panel.title.get(self.locale).to_owned(),
            description: panel
                .description
                .as_ref()
                .map(|words| words.get(self.locale).to_owned()),
            kind: panel.kind,
            unit: panel.unit.map(|unit| unit.word()),
            size: (panel.width, panel.height),
            min: limit(self, &panel.min, "min"),
            max: limit(self, &panel.max, "max"),
            decimals: panel.decimals,
            thresholds,
            overview: panel.overview,
            place: Place::value(self.file, path.key("name")),
        }
    }
}
