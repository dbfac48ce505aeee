//! Collectors: components that take something from the whole platform, without anybody who names them.
//!
//! Which there are is known before any component is made, because conditions of services depend on it. So none is ever
//! added by itself, and of those that reach into everything there is one at most.

use std::collections::BTreeMap;

use super::component::Draft;
use super::wire::AMBIGUOUS_PROVIDER;
use super::{Resolver, brings_nothing};
use crate::blueprint::FAULTY_BLUEPRINT;
use crate::blueprint::model::Workload;
use crate::diagnostic::Finding;
use crate::terms::Collected;
use crate::value::Value;

/// Names in `monitoring`, each with the capability that a component provides where it is true.
const SIGNALS: &[(&str, &str)] = &[
    ("alerts", "alerts"),
    ("dashboards", "dashboards"),
    ("logs", "logs"),
    ("metrics", "metrics"),
    ("probes", "probes"),
    ("traces", "otlp"),
];

/// Capabilities of what reaches into everything: two would do all of it twice.
const ALONE: &[&str] = &["logs", "metrics", "probes"];

/// Returns the capability of what collects something.
fn capability(collected: Collected) -> &'static str {
    let word = collected.word();
    let mut signals = SIGNALS.iter();
    signals
        .find(|(name, _)| *name == word)
        .map_or(word, |(_, capability)| capability)
}

/// Says whether a component does something for the whole platform in this environment.
pub(super) fn provides(draft: &Draft<'_>, capability: &str) -> bool {
    let mut all = draft.blueprint.model.provides.values();
    draft.unsupported.is_none() && all.any(|provide| provide.capability == capability)
}

/// Says whether a component has to know everything else before it is made.
pub(super) fn is_collector(draft: &Draft<'_>) -> bool {
    let mut signals = SIGNALS.iter();
    signals.any(|(_, capability)| provides(draft, capability))
}

/// Returns the position of the component that provides a capability to the whole platform, if there is one.
pub(super) fn collector(drafts: &[Draft<'_>], capability: &str) -> Option<usize> {
    drafts.iter().position(|draft| provides(draft, capability))
}

/// Says whether what a service is there for is collected here.
pub(super) fn is_wanted(draft: &Draft<'_>, workload: &Workload) -> bool {
    let Some(purpose) = workload.purpose else {
        return true;
    };
    let Some(Value::Table(monitoring)) = draft.base.get("monitoring") else {
        return false;
    };
    monitoring.get(purpose.word()) == Some(&Value::Bool(true))
}

/// Returns the profile that a service starts with, if not always: the component's own, else that of what collects the
/// thing which the service is there for.
pub(super) fn profile_of(
    drafts: &[Draft<'_>],
    component: usize,
    workload: &Workload,
) -> Option<String> {
    let own = drafts[component].profile.clone();
    own.or_else(|| {
        let collector = collector(drafts, capability(workload.purpose?))?;
        drafts[collector].profile.clone()
    })
}

impl Resolver<'_, '_> {
    /// Finds out what is collected here: what expressions see as `monitoring`.
    pub(super) fn look_for_collectors(&mut self) -> Value {
        let target = self.environment.target;
        let mut found: BTreeMap<&str, bool> = SIGNALS
            .iter()
            .map(|(_, capability)| (*capability, false))
            .collect();
        for component in self.layered.components.values() {
            let blueprint = match self.library.load(self.sources, &component.blueprint.value) {
                Some(Ok(blueprint)) => blueprint,
                // What is wrong with one is said once.
                Some(Err(findings)) => {
                    self.findings.extend(findings);
                    continue;
                }
                None => continue,
            };
            if brings_nothing(&blueprint, target, self.names_inside.is_some()) {
                continue;
            }
            for provide in blueprint.model.provides.values() {
                if let Some(known) = found.get_mut(provide.capability.as_str()) {
                    *known = true;
                }
            }
        }
        let names = SIGNALS.iter();
        Value::table(names.map(|(name, capability)| (*name, Value::Bool(found[capability]))))
    }

    /// Reports what would be collected twice, and collectors that came too late.
    pub(super) fn check_collectors(&mut self) {
        for capability in ALONE {
            let mut all = self
                .drafts
                .iter()
                .filter(|draft| provides(draft, capability));
            let Some(first) = all.next() else { continue };
            for other in all {
                self.findings.push(
                    Finding::new(
                        &AMBIGUOUS_PROVIDER,
                        other.place.clone(),
                        format!(
                            "`{}` and `{}` both collect `{capability}` from the whole platform",
                            first.name, other.name
                        ),
                    )
                    .help("keep one of them: enabled = false in the other")
                    .related(first.place.clone(), "the other one")
                    .component(other.name.clone()),
                );
            }
        }
        for draft in self.drafts.iter().filter(|draft| draft.added_for.is_some()) {
            if let Some((_, capability)) = SIGNALS
                .iter()
                .find(|(_, capability)| provides(draft, capability))
            {
                self.findings.push(
                    Finding::new(
                        &FAULTY_BLUEPRINT,
                        draft.blueprint.place(["blueprint", "default_for"]),
                        format!(
                            "`{}` provides `{capability}`, and is added when it is too late for that",
                            draft.name
                        ),
                    )
                    .help("take out `default_for`: what conditions depend on must be asked for"),
                );
            }
        }
    }
}
