//! Rules: what a component exports, what is computed from it and when somebody is told, with all names filled in.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::super::query::{Asked, PROMQL_ERROR, Written};
use super::super::trace::Explained;
use super::*;
use crate::blueprint::FAULTY_BLUEPRINT;
use crate::blueprint::expression::{Names, Text};
use crate::blueprint::model::{Expr, Filled};
use crate::blueprint::monitoring::{self, ALERTS_FILE, FilledWords, METRICS_FILE};
use crate::diagnostic::{Finding, suggest};
use crate::observe;
use crate::observe::promql::Query;
use crate::observe::rules::All;
use crate::observe::slo::{self, Budget, SPEEDS, WINDOWS};
use crate::platform::rules::{Alert, Case, Metric, Record, Rules};
use crate::source::{KeyPath, Sources};
use crate::terms::Locale;
use crate::topology::layer::{Sourced, UNKNOWN_NAME};
use crate::units::rule_duration;
use crate::value::Value;

/// Time from one value of a case to the next unless it says another.
const CASE_INTERVAL: &str = "1m";

/// How long a state must last of which nobody says so.
const AT_ONCE: &str = "0s";

/// The name that stands for the window in queries of objectives.
const WINDOW: &str = "window";

impl Finish<'_, '_, '_> {
    /// Resolves what a component says of its metrics and alerts.
    pub(super) fn rules_of(&mut self, at: usize, scope: &Scope<'_>) -> Rules {
        let draft = &self.drafts[at];
        if draft.unsupported.is_some() {
            return Rules::default();
        }
        let base = Names::new(&draft.base);
        let names = base.with(&scope.names);
        let mut reader = Reader {
            draft,
            names,
            locale: self.resolver.environment.locale,
            sources: self.resolver.sources,
            asked: &mut self.asked,
            findings: Vec::new(),
        };
        let mut rules = reader.rules();
        let mut findings = reader.findings;
        self.change_alerts(draft, &mut rules, &mut findings);
        self.resolver.findings.append(&mut findings);
        rules
    }

    /// Changes alerts as the user says, and takes out those that the user does not want.
    fn change_alerts(&mut self, draft: &Draft<'_>, rules: &mut Rules, findings: &mut Vec<Finding>) {
        let none = BTreeMap::new();
        let settings = draft.layered.map_or(&none, |layered| &layered.alerts);
        for (name, setting) in settings {
            // One that does not exist under the conditions of this environment exists under others.
            let declared = draft.blueprint.alerts.alerts.contains_key(name);
            if !declared && !rules.alerts.iter().any(|alert| alert.name == *name) {
                let known = rules.alerts.iter().map(|alert| alert.name.as_str());
                findings.push(
                    Finding::new(
                        &UNKNOWN_NAME,
                        setting.place.clone(),
                        format!("`{}` has no alert `{name}`", draft.name),
                    )
                    .help("its blueprint declares none: take this out")
                    .maybe_help(suggest(name, known)),
                );
            }
        }
        rules.alerts.retain_mut(|alert| {
            let setting = settings.get(&alert.name);
            let enabled = setting.and_then(|setting| setting.enabled.as_ref());
            if enabled.is_some_and(|enabled| !enabled.value) {
                return false;
            }
            let path = |key: &str| format!("{}.alerts.{}.{key}", draft.name, alert.name);
            let trace = &mut self.resolver.trace;
            let severity = setting.and_then(|setting| setting.severity.as_ref());
            trace.record(
                || path("severity"),
                || explained(severity, alert.severity.word(), &alert.place),
            );
            let hold = setting.and_then(|setting| setting.hold.as_ref());
            let own = alert.hold.as_deref().unwrap_or(AT_ONCE);
            trace.record(|| path("for"), || explained(hold, own, &alert.place));
            if let Some(severity) = severity {
                alert.severity = severity.value;
            }
            if let Some(hold) = hold {
                // With more patience it may not fire any more when it did, with less it may when it did not.
                let (old, new) = (rule_duration(own), rule_duration(&hold.value));
                alert.cases.retain(|case| match new.cmp(&old) {
                    Ordering::Less => case.firing > 0,
                    Ordering::Equal => true,
                    Ordering::Greater => case.firing == 0,
                });
                alert.hold = Some(hold.value.clone());
            }
            true
        });
    }

    /// Reports queries for metrics that nothing exports.
    pub(super) fn check_metrics(&mut self) {
        let mut known = BTreeSet::new();
        for rules in &self.rules {
            known.extend(rules.records.iter().map(|record| record.name.clone()));
            for (name, metric) in rules.metrics.values().flatten() {
                known.extend(metric.series(name));
            }
        }
        let findings = self.asked.unknown(self.resolver.sources, known);
        self.resolver.findings.extend(findings);
    }

    /// Resolves the user's own alerts.
    pub(super) fn alerts_of_the_user(&mut self) -> Vec<Alert> {
        let mut alerts = Vec::new();
        let mut findings = Vec::new();
        for rule in &self.alerting.rules {
            let written = Written {
                text: rule.expr.clone(),
                source: rule.expr.clone(),
                place: rule.expr_place.clone(),
            };
            let query = written.parse(self.resolver.sources).and_then(|query| {
                self.asked.add(query.clone(), written);
                match &rule.component {
                    None => Ok(query),
                    Some(component) => query.of_component(component).map_err(|fault| {
                        let place = rule.expr_place.clone();
                        Box::new(Finding::new(&PROMQL_ERROR, place, fault.message))
                    }),
                }
            });
            let query = match query {
                Ok(query) => query,
                Err(finding) => {
                    findings.push(*finding);
                    continue;
                }
            };
            let mut labels = BTreeMap::new();
            let component = rule.component.clone();
            labels.extend(component.map(|name| (observe::promql::COMPONENT.to_owned(), name)));
            let owner = rule
                .component
                .as_ref()
                .and_then(|name| self.alerting.owner(name));
            labels.extend(owner.map(|owner| ("owner".to_owned(), owner.to_owned())));
            alerts.push(Alert {
                name: rule.name.clone(),
                expr: query.to_string(),
                own: false,
                hold: Some(rule.hold.clone()),
                keep_firing_for: None,
                severity: rule.severity,
                labels,
                summary: rule.summary.clone(),
                description: rule.description.as_ref().map(|(text, _)| text.clone()),
                runbook: rule.runbook.clone().unwrap_or_default(),
                cases: Vec::new(),
                place: rule.place.clone(),
            });
        }
        self.resolver.findings.append(&mut findings);
        alerts
    }

    /// Returns the rule files of all components, as values.
    pub(super) fn rule_files(&self) -> Value {
        let drafts = self.drafts.iter().map(|draft| draft.name.as_str());
        let all = All {
            components: drafts.zip(&self.rules).collect(),
            own: &self.own_alerts,
            alerting: &self.alerting,
        };
        observe::value(&all.files())
    }
}

/// Reads the files of one blueprint with all names in scope.
struct Reader<'r> {
    draft: &'r Draft<'r>,
    names: Names<'r>,
    locale: Locale,
    sources: &'r Sources,
    asked: &'r mut Asked,
    findings: Vec<Finding>,
}

impl Reader<'_> {
    fn rules(&mut self) -> Rules {
        let blueprint = &self.draft.blueprint;
        let mut rules = Rules::default();
        for (set, metrics) in blueprint.metrics.iter() {
            for (name, metric) in metrics {
                let path = KeyPath::of([set, name, "when"]);
                if self.holds(metric.when.as_ref(), METRICS_FILE, path) {
                    let of_set = rules.metrics.entry(set.clone()).or_default();
                    of_set.insert(name.clone(), declared(metric));
                }
            }
        }
        for (name, record) in &blueprint.alerts.records {
            let path = KeyPath::of(["records", name]);
            if self.holds(record.when.as_ref(), ALERTS_FILE, path.key("when")) {
                rules.records.extend(self.record(name, record, &path));
            }
        }
        for (name, alert) in &blueprint.alerts.alerts {
            let path = KeyPath::of(["alerts", name]);
            if self.holds(alert.when.as_ref(), ALERTS_FILE, path.key("when")) {
                rules.alerts.extend(self.alert(name, alert, &path));
            }
        }
        for (name, slo) in &blueprint.alerts.slos {
            let path = KeyPath::of(["slos", name]);
            if self.holds(slo.when.as_ref(), ALERTS_FILE, path.key("when")) {
                self.slo(name, slo, &path, &mut rules);
            }
        }
        rules
            .records
            .sort_by(|left, right| left.name.cmp(&right.name));
        rules
            .alerts
            .sort_by(|left, right| left.name.cmp(&right.name));
        rules
    }

    fn place(&self, path: &KeyPath) -> Place {
        let blueprint = &self.draft.blueprint;
        let file = blueprint.files.get(ALERTS_FILE).copied();
        Place::value(file.unwrap_or(blueprint.file), path.clone())
    }

    fn report(&mut self, place: Place, message: String) {
        self.findings
            .push(Finding::new(&FAULTY_BLUEPRINT, place, message));
    }

    fn holds(&mut self, when: Option<&Expr>, file: &str, path: KeyPath) -> bool {
        let blueprint = &self.draft.blueprint;
        let file = blueprint.files.get(file).copied().unwrap_or(blueprint.file);
        let place = || Place::value(file, path);
        self.draft
            .holds(when, &self.names, place, &mut self.findings)
    }

    fn text(&mut self, text: &Filled, path: &KeyPath) -> Option<String> {
        match text.parsed.fill_text(&self.names) {
            Ok(filled) => Some(filled),
            Err(error) => {
                let fault = format!("cannot fill in `{}`: {error}", text.written);
                self.report(self.place(path), fault);
                None
            }
        }
    }

    fn words(&mut self, words: &FilledWords, path: &KeyPath) -> Option<String> {
        let path = match words.key(self.locale) {
            Some(key) => &path.key(key),
            None => path,
        };
        let text = self.text(words.get(self.locale), path)?;
        Some(text.trim().to_owned())
    }

    fn labels(
        &mut self,
        labels: &BTreeMap<String, Filled>,
        path: &KeyPath,
    ) -> BTreeMap<String, String> {
        let path = path.key("labels");
        let filled = labels.iter().filter_map(|(name, text)| {
            let place = path.key(name);
            if !names::is_metric(name) || name.contains(':') {
                self.report(self.place(&place), format!("`{name}` is no label's name"));
            }
            Some((name.clone(), self.text(text, &place)?))
        });
        filled.collect()
    }

    fn duration(&mut self, text: &Filled, path: &KeyPath) -> Option<String> {
        let filled = self.text(text, path)?;
        if rule_duration(&filled).is_none() {
            let fault = format!("`{filled}` is no duration of Prometheus, such as `10m`");
            self.report(self.place(path), fault);
            return None;
        }
        Some(filled)
    }

    /// Fills a query in, parses it and confines it to the component.
    fn query(&mut self, text: &Filled, path: &KeyPath, names: &Names<'_>) -> Option<Query> {
        let place = self.place(path);
        let filled = match text.parsed.fill_text(names) {
            Ok(filled) => filled,
            Err(error) => {
                let fault = format!("cannot fill in `{}`: {error}", text.written);
                self.report(place, fault);
                return None;
            }
        };
        let written = Written {
            text: filled,
            source: text.written.clone(),
            place: place.clone(),
        };
        let parsed = written.parse(self.sources).and_then(|query| {
            self.asked.add(query.clone(), written);
            let confined = query.of_component(&self.draft.name);
            confined
                .map_err(|fault| Box::new(Finding::new(&FAULTY_BLUEPRINT, place, fault.message)))
        });
        match parsed {
            Ok(query) => Some(query),
            Err(finding) => {
                self.findings.push(*finding);
                None
            }
        }
    }

    fn record(
        &mut self,
        name: &str,
        record: &monitoring::Record,
        path: &KeyPath,
    ) -> Option<Record> {
        let names = self.names;
        let query = self.query(&record.expr, &path.key("expr"), &names);
        let labels = self.labels(&record.labels, path);
        Some(self.recorded(name.to_owned(), &query?, labels))
    }

    /// Makes a record that others find by the component, unless it is about several.
    fn recorded(
        &self,
        name: String,
        query: &Query,
        mut labels: BTreeMap<String, String>,
    ) -> Record {
        let component = &self.draft.name;
        if query.is_about(component) {
            labels
                .entry(observe::promql::COMPONENT.to_owned())
                .or_insert_with(|| component.clone());
        }
        Record {
            name,
            expr: query.to_string(),
            labels,
        }
    }

    fn alert(&mut self, name: &str, alert: &monitoring::Alert, path: &KeyPath) -> Option<Alert> {
        let names = self.names;
        let query = self.query(&alert.expr, &path.key("expr"), &names);
        let hold = alert.hold.as_ref();
        let keep = alert.keep_firing_for.as_ref();
        let hold = hold.and_then(|text| self.duration(text, &path.key("for")));
        let keep = keep.and_then(|text| self.duration(text, &path.key("keep_firing_for")));
        let labels = self.labels(&alert.labels, path);
        let summary = self.words(&alert.summary, &path.key("summary"));
        let description = self.words(&alert.description, &path.key("description"));
        let runbook = self.words(&alert.runbook, &path.key("runbook"));
        let mut cases = Vec::new();
        for (at, case) in alert.fires.iter().enumerate() {
            let path = path.key("fires").index(at);
            let (series, interval) = (&case.series, case.interval.as_ref());
            cases.extend(self.case(series, &case.at, interval, case.count, &path));
        }
        for (at, case) in alert.silent.iter().enumerate() {
            let path = path.key("silent").index(at);
            let (series, interval) = (&case.series, case.interval.as_ref());
            cases.extend(self.case(series, &case.at, interval, 0, &path));
        }
        let query = query?;
        let summary = summary?;
        if summary.contains('\n') {
            let place = self.place(&path.key("summary"));
            self.report(place, "a summary has one line".to_owned());
        }
        Some(Alert {
            name: name.to_owned(),
            expr: query.to_string(),
            own: query.is_about(&self.draft.name),
            hold,
            keep_firing_for: keep,
            severity: alert.severity,
            labels,
            summary,
            description: Some(description?),
            runbook: runbook?,
            cases,
            place: self.place(path),
        })
    }

    fn case(
        &mut self,
        series: &BTreeMap<String, Filled>,
        at: &Filled,
        interval: Option<&Filled>,
        firing: u64,
        path: &KeyPath,
    ) -> Option<Case> {
        let mut confined = BTreeMap::new();
        for (name, values) in series {
            let place = path.key("series").key(name);
            let values = self.text(values, &place);
            confined.extend(self.series(name, &place).zip(values));
        }
        let at = self.duration(at, &path.key("at"));
        let interval = match interval {
            None => Some(CASE_INTERVAL.to_owned()),
            Some(interval) => self.duration(interval, &path.key("interval")),
        };
        Some(Case {
            series: confined,
            interval: interval?,
            at: at?,
            firing,
        })
    }

    /// Reads the name of a series in a case, which is of this component unless it says otherwise.
    fn series(&mut self, name: &str, path: &KeyPath) -> Option<String> {
        let filled = Text::parse(name).and_then(|text| text.fill_text(&self.names));
        let place = Place::key(self.place(path).file(), path.clone());
        let fault = match filled {
            Err(error) => error.to_string(),
            Ok(text) => match Query::parse(&text) {
                Err(fault) => fault.message,
                Ok(query) if !query.is_series() => "it is more than one series".to_owned(),
                Ok(query) => match query.of_component(&self.draft.name) {
                    Ok(query) => return Some(query.to_string()),
                    Err(fault) => fault.message,
                },
            },
        };
        self.report(place, format!("`{name}` is no series: {fault}"));
        None
    }

    /// Makes the records and alerts of an objective.
    fn slo(&mut self, name: &str, slo: &monitoring::Slo, path: &KeyPath, rules: &mut Rules) {
        let objective = self.text(&slo.objective, &path.key("objective"));
        let labels = self.labels(&slo.labels, path);
        let summary = self.words(&slo.summary, &path.key("summary"));
        let description = self.words(&slo.description, &path.key("description"));
        let runbook = self.words(&slo.runbook, &path.key("runbook"));
        for window in WINDOWS {
            let own = BTreeMap::from([(WINDOW.to_owned(), Value::from(window))]);
            let outer = self.names;
            let names = outer.with(&own);
            let errors = self.query(&slo.errors, &path.key("errors"), &names);
            let total = self.query(&slo.total, &path.key("total"), &names);
            let Some((errors, total)) = errors.zip(total) else {
                // The same would be said of every window.
                return;
            };
            match Query::parse(&format!("({errors}) / ({total})")) {
                Ok(ratio) => {
                    let record = self.recorded(slo::record(name, window), &ratio, BTreeMap::new());
                    rules.records.push(record);
                }
                Err(fault) => return self.report(self.place(path), fault.message),
            }
        }
        let (Some(objective), Some(summary), Some(description), Some(runbook)) =
            (objective, summary, description, runbook)
        else {
            return;
        };
        let Some(budget) = Budget::of(&objective) else {
            let fault = format!(
                "`{objective}` is no percentage between 0 and 100 with at most three digits behind the point"
            );
            return self.report(self.place(&path.key("objective")), fault);
        };
        let component = &self.draft.name;
        rules.records.push(Record {
            name: slo::objective_record(name),
            expr: format!("vector({})", budget.objective()),
            labels: BTreeMap::from([(observe::promql::COMPONENT.to_owned(), component.clone())]),
        });
        for speed in &SPEEDS {
            let Some(condition) = speed.condition(name, budget) else {
                continue;
            };
            let query = Query::parse(&condition).and_then(|query| query.of_component(component));
            let alert = format!(
                "{}{}{}",
                names::camel_case(&self.draft.blueprint.name),
                names::camel_case(name),
                speed.suffix
            );
            match query {
                Ok(query) => rules.alerts.push(Alert {
                    name: alert,
                    expr: query.to_string(),
                    own: true,
                    hold: Some(speed.hold.to_owned()),
                    keep_firing_for: None,
                    severity: speed.severity,
                    labels: labels.clone(),
                    summary: summary.clone(),
                    description: Some(description.clone()),
                    runbook: runbook.clone(),
                    cases: speed.cases(name, component, budget),
                    place: self.place(path),
                }),
                Err(fault) => self.report(self.place(path), fault.message),
            }
        }
    }
}

fn explained<T: ToString>(set: Option<&Sourced<T>>, own: &str, place: &Place) -> Explained {
    let by = "what the blueprint says";
    match set {
        Some(set) => Explained::one(set.value.to_string(), "set", set.place.clone())
            .over(&set.replaced)
            .then(own, by, place.clone()),
        None => Explained::one(own, by, place.clone()),
    }
}

fn declared(metric: &monitoring::Metric) -> Metric {
    Metric {
        kind: metric.kind,
        help: metric.help.clone(),
        unit: metric.unit.clone(),
        labels: metric.labels.clone(),
    }
}
