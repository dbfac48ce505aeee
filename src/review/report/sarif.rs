//! The risks of a review for tools of code review, as SARIF.
//!
//! A risk is shown at the line of the topology or blueprint that brings it. Where only a bundle is known, it is shown at the
//! file of the bundle in which it shows.

use std::collections::BTreeMap;

use super::super::origin::Origin;
use super::super::{Change, EnvironmentReview, Review, Side};
use crate::diagnostic::{Finding, sarif};
use crate::source::{FileId, Place, Sources};

/// Renders the risks of a review. The sides are those that it was made of: they have the texts of the files.
pub fn render<'a>(review: &Review, old: &Side<'a>, new: &Side<'a>) -> String {
    let mut files = Files {
        sources: Sources::default(),
        known: BTreeMap::new(),
    };
    let mut findings = Vec::new();
    for one in &review.environments {
        for (change, risk) in one.risks() {
            let place = files.place(change, one, old, new);
            let mut finding = Finding::new(&risk.danger.rule, place, risk.message.clone())
                .severity(risk.level.severity())
                .help(risk.danger.rule.fix);
            finding.cause = (!change.outcome.reason.is_empty())
                .then(|| format!("{}: {}", change.outcome.effect, change.outcome.reason));
            finding.environment = one.new.clone();
            findings.push(finding);
        }
    }
    sarif::render(&findings, &files.sources)
}

struct Files {
    sources: Sources,
    known: BTreeMap<String, FileId>,
}

impl Files {
    fn place<'a>(
        &mut self,
        change: &Change,
        one: &EnvironmentReview,
        old: &Side<'a>,
        new: &Side<'a>,
    ) -> Place {
        for (origins, side) in [(&change.new_origins, new), (&change.old_origins, old)] {
            let text = |origin: &Origin| {
                let mut all = side.environments.iter();
                all.find_map(|snapshot| snapshot.origins.as_ref()?.text(&origin.file))
            };
            // The topology, if it had a say: blueprints are seldom part of the change.
            let best = origins
                .iter()
                .find(|origin| !origin.file.starts_with("blueprint:"))
                .or(origins.first());
            if let Some(origin) = best
                && let Some((start, end)) = origin.span
                && let Some(text) = text(origin)
            {
                let file = self.file(&origin.file, text);
                return Place::span(file, start..end);
            }
        }
        let file = change.files.first().cloned();
        let name = match (file, &one.new) {
            (Some(file), _) => format!("{}/{file}", new.label.trim_end_matches('/')),
            (None, _) => new.label.clone(),
        };
        let file = self.file(&name, "");
        Place::File { file }
    }

    fn file(&mut self, name: &str, text: &str) -> FileId {
        if let Some(known) = self.known.get(name) {
            return *known;
        }
        let file = self.sources.add(name, text);
        self.known.insert(name.to_owned(), file);
        file
    }
}
