//! Traces: where they are collected, and whom the mesh reports for.
//!
//! Systems that can trace say so with a need. The mesh traces for all, and is no system: it finds the collector by what that
//! provides.

use super::super::wire::AMBIGUOUS_PROVIDER;
use super::*;
use crate::diagnostic::Finding;
use crate::platform::Traces;

/// What a component provides that takes spans in, as OTLP over gRPC.
const COLLECTOR: &str = "otlp";

/// What a component provides that takes spans from a collector.
const STORE: &str = "traces.store";

/// The value of a provide that says how many traces are kept, in percent.
const SAMPLING: &str = "sampling";

impl Finish<'_, '_, '_> {
    /// Finds the component that collects traces.
    pub(super) fn traces(&mut self) -> Option<Traces> {
        let found = self.providers(COLLECTOR);
        let (component, provide) = found.first()?.clone();
        let draft = &self.drafts[component];
        if let (Some((other, _)), true) = (found.get(1), self.has_mesh()) {
            let other = &self.drafts[*other];
            self.resolver.findings.push(
                Finding::new(
                    &AMBIGUOUS_PROVIDER,
                    other.place.clone(),
                    format!(
                        "the mesh reports to what provides `{COLLECTOR}`, which both `{}` and `{}` do",
                        draft.name, other.name
                    ),
                )
                .related(draft.place.clone(), "the other one")
                .help("take one of them out of this environment"),
            );
        }
        let spec = &draft.blueprint.model.provides[&provide];
        let names = Names::new(&draft.base);
        let key = fill(
            draft,
            &spec.service,
            &names,
            &["provides", &provide, "service"],
            &mut self.resolver.findings,
        );
        let service = self.position(component, &key)?;
        let sampling = spec.values.get(SAMPLING).and_then(|text| {
            let filled = text.parsed.fill(&names).ok()?;
            filled
                .as_int()
                .and_then(|number| u64::try_from(number).ok())
        });
        let carriers = self
            .providers(STORE)
            .into_iter()
            .map(|(store, _)| store)
            .chain([component])
            .collect();
        Some(Traces {
            service,
            port: self.provided_port(component, &provide),
            sampling: sampling.unwrap_or(100),
            carriers,
        })
    }

    /// Lists the services whose sidecars report: all that are in the mesh, but for those that traces pass through.
    pub(super) fn mesh_members(&self, traces: &Traces) -> Vec<usize> {
        let mut members = Vec::new();
        if !self.has_mesh() {
            return members;
        }
        for (at, all) in self.sized.iter().enumerate() {
            if traces.carriers.contains(&at) {
                continue;
            }
            for (position, sized) in all.iter().enumerate() {
                if sized.managed.as_ref().is_none_or(|managed| managed.mesh) {
                    members.push(self.first[at] + position);
                }
            }
        }
        members
    }

    fn has_mesh(&self) -> bool {
        let cluster = self.resolver.environment.cluster.as_ref();
        cluster.is_some_and(|cluster| cluster.mesh)
    }

    /// Lists the components that provide something here, each with the name of the provide.
    fn providers(&self, capability: &str) -> Vec<(usize, String)> {
        let drafts = self.drafts.iter().enumerate();
        drafts
            .filter(|(_, draft)| draft.unsupported.is_none())
            .flat_map(|(at, draft)| {
                let provides = draft.blueprint.model.provides.iter();
                provides
                    .filter(|(_, provide)| provide.capability == capability)
                    .map(move |(name, _)| (at, name.clone()))
            })
            .collect()
    }
}
