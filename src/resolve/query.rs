//! Queries in blueprints and topologies: parsed, confined to the component that they belong to, their metrics known.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::diagnostic::{Finding, Rule, Severity, locate, nearest};
use crate::observe::promql::{self, Query};
use crate::source::{Place, Sources};

/// A query is not PromQL.
pub static PROMQL_ERROR: Rule = Rule {
    code: "promql-error",
    severity: Severity::Error,
    summary: "a query is not PromQL",
    why: "Prometheus refuses a whole file of rules for one query that it cannot parse, and a panel with such a query stays \
          empty.",
    fix: "Correct the query at the place that is underlined.",
    allowable: false,
};

/// A query uses a metric that nothing exports.
pub static UNKNOWN_METRIC: Rule = Rule {
    code: "unknown-metric",
    severity: Severity::Error,
    summary: "a query uses a metric that nothing exports",
    why: "A query for series that do not exist returns nothing: an alert never fires, a panel stays empty, and nobody \
          notices. Blueprints declare in `metrics.toml` what their systems export.",
    fix: "Correct the name. A metric that is missing is declared in `metrics.toml` of the blueprint whose system exports \
          it; one that is exported under a condition is used under the same one.",
    allowable: false,
};

/// Series that Prometheus makes by itself.
const ALWAYS: &[&str] = &[
    "ALERTS",
    "ALERTS_FOR_STATE",
    "scrape_duration_seconds",
    "scrape_samples_post_metric_relabeling",
    "scrape_samples_scraped",
    "scrape_series_added",
    "up",
];

/// A query's text, filled in, and where it comes from.
#[derive(Clone, Debug)]
pub(super) struct Written {
    /// As filled in.
    pub(super) text: String,
    /// As written.
    pub(super) source: String,
    /// Where it stands.
    pub(super) place: Place,
}

impl Written {
    /// Returns the place of a part of the text, as far as that was not filled in.
    fn part(&self, sources: &Sources, part: Range<usize>) -> Place {
        let (text, source) = (self.text.as_bytes(), self.source.as_bytes());
        let same = |(left, right): &(&u8, &u8)| left == right;
        let before = text.iter().zip(source).take_while(same).count();
        let behind = text.iter().rev().zip(source.iter().rev());
        let behind = text.len() - behind.take_while(same).count();
        let part = if part.end <= before {
            part
        } else if part.start >= behind {
            let moved = |at: usize| at + source.len() - text.len();
            moved(part.start)..moved(part.end)
        } else {
            return self.place.clone();
        };
        locate::within(sources, &self.place, &self.source, part)
    }

    /// Parses it.
    ///
    /// # Errors
    /// What is wrong with it, at the part that is.
    pub(super) fn parse(&self, sources: &Sources) -> Result<Query, Box<Finding>> {
        Query::parse(&self.text).map_err(|fault| {
            let end = fault.end.min(self.text.len());
            let place = self.part(sources, fault.start.min(end)..end);
            let filled = (self.text != self.source)
                .then(|| format!("filled in, the query is `{}`", self.text.trim()));
            let finding = Finding::new(&PROMQL_ERROR, place, fault.message);
            Box::new(match filled {
                Some(cause) => finding.cause(cause),
                None => finding,
            })
        })
    }
}

/// Queries whose metrics are looked up once all are known.
#[derive(Debug, Default)]
pub(super) struct Asked(Vec<(Query, Written)>);

impl Asked {
    /// Remembers a query.
    pub(super) fn add(&mut self, query: Query, written: Written) {
        self.0.push((query, written));
    }

    /// Finds the metrics that nothing exports.
    pub(super) fn unknown(&self, sources: &Sources, mut known: BTreeSet<String>) -> Vec<Finding> {
        known.extend(ALWAYS.iter().map(|name| (*name).to_owned()));
        let mut findings = Vec::new();
        for (query, written) in &self.0 {
            for name in query.unknown(&known) {
                let place = promql::place_of(&written.text, &name)
                    .map_or_else(|| written.place.clone(), |part| written.part(sources, part));
                let meant = nearest(&name, known.iter().map(String::as_str));
                let finding = Finding::new(
                    &UNKNOWN_METRIC,
                    place,
                    format!("nothing exports a metric `{name}` here"),
                );
                findings.push(
                    finding
                        .help(
                            "declare it in `metrics.toml` of the blueprint whose system exports it",
                        )
                        .maybe_help(meant.map(|meant| format!("did you mean `{meant}`?"))),
                );
            }
        }
        findings
    }
}
