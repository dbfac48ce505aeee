//! Flows: the connections that are declared.

use std::collections::BTreeSet;

use super::*;
use crate::blueprint::FAULTY_BLUEPRINT;
use crate::diagnostic::Finding;
use crate::platform::{Edge, Endpoint, Flow, FlowReason, Traces};

impl<'f> Finish<'f, '_, '_> {
    /// Lists the connections that are declared.
    pub(super) fn flows(
        &mut self,
        endpoints: &[Endpoint],
        edge: Option<&Edge>,
        traces: Option<&Traces>,
    ) -> Vec<Flow> {
        let mut flows: BTreeSet<Flow> = self.watching().into_iter().collect();
        let mut findings = Vec::new();
        for (at, all) in self.sized.iter().enumerate() {
            for (position, sized) in all.iter().enumerate() {
                let from = self.first[at] + position;
                for need in self.needs_of(at, sized, &mut Vec::new()) {
                    let binding = &self.bindings[need];
                    flows.extend(
                        self.position(binding.provider, &self.serving[need])
                            .map(|to| Flow {
                                from,
                                to,
                                port: self.provided_port(binding.provider, &binding.provide),
                                reason: FlowReason::Need(binding.need.clone()),
                            }),
                    );
                }
                for peer in &sized.workload.connects {
                    let (key, port) = peer.split_once('.').unwrap_or((peer, ""));
                    let spec = self.drafts[at].blueprint.model.services.get(key);
                    if spec.is_none_or(|service| !service.workload.ports.contains_key(port)) {
                        findings.push(
                            Finding::new(
                                &FAULTY_BLUEPRINT,
                                self.drafts[at].blueprint.place([
                                    sized.table(),
                                    sized.key,
                                    "connects",
                                ]),
                                format!("`{peer}` is no port of a service"),
                            )
                            .help("name a service and its port: \"coordinator.fabric\""),
                        );
                    }
                    flows.extend(self.position(at, key).map(|to| Flow {
                        from,
                        to,
                        port: port.to_owned(),
                        reason: FlowReason::Peer,
                    }));
                }
            }
        }
        if let Some(from) = edge.and_then(|edge| edge.service) {
            flows.extend(endpoints.iter().map(|endpoint| Flow {
                from,
                to: endpoint.service,
                port: endpoint.port.clone(),
                reason: FlowReason::Proxy,
            }));
        }
        if let Some(traces) = traces {
            flows.extend(self.mesh_members(traces).into_iter().map(|from| Flow {
                from,
                to: traces.service,
                port: traces.port.clone(),
                reason: FlowReason::Traces,
            }));
        }
        self.resolver.findings.append(&mut findings);
        flows.into_iter().collect()
    }
}
