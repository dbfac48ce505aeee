//! Flows: the connections that are declared.

use std::collections::BTreeSet;

use super::*;
use crate::blueprint::FAULTY_BLUEPRINT;
use crate::diagnostic::Finding;
use crate::platform::{Edge, Endpoint, Flow, FlowReason, Traces};
use crate::terms::{Encryption, Target};

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
                    let port = self.provided_port(binding.provider, &binding.provide);
                    let to = self.position(binding.provider, &self.serving[need]);
                    let reason = FlowReason::Need(binding.need.clone());
                    flows.extend(to.map(|to| Flow {
                        secret: binding.secret.clone(),
                        ..self.flow(from, to, &port, reason)
                    }));
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
                    let to = self.position(at, key);
                    flows.extend(to.map(|to| self.flow(from, to, port, FlowReason::Peer)));
                }
            }
        }
        if let Some(from) = edge.and_then(|edge| edge.service) {
            flows.extend(endpoints.iter().map(|endpoint| {
                self.flow(from, endpoint.service, &endpoint.port, FlowReason::Proxy)
            }));
        }
        if let Some(traces) = traces {
            let members = self.mesh_members(traces).into_iter();
            flows.extend(
                members
                    .map(|from| self.flow(from, traces.service, &traces.port, FlowReason::Traces)),
            );
        }
        self.resolver.findings.append(&mut findings);
        flows.into_iter().collect()
    }

    /// Makes a flow between two services, by their positions.
    pub(super) fn flow(&self, from: usize, to: usize, port: &str, reason: FlowReason) -> Flow {
        Flow {
            from,
            to,
            port: port.to_owned(),
            reason,
            encryption: self.encryption(from, to, port),
            secret: None,
        }
    }

    /// Says what encrypts a connection.
    fn encryption(&self, from: usize, to: usize, port: &str) -> Encryption {
        let environment = &self.resolver.environment;
        let [inside, other] = [from, to].map(|at| self.drafts[self.component_at(at)].inside);
        let [from, to] = [from, to].map(|at| self.sized_of(at).1);
        let in_mesh = |sized: &Sized<'_>| sized.managed.as_ref().is_none_or(|managed| managed.mesh);
        let mesh = environment
            .cluster
            .as_ref()
            .is_some_and(|cluster| cluster.mesh);
        if to.ports.get(port).is_some_and(|port| port.tls) {
            Encryption::Tls
        } else if mesh && in_mesh(from) && in_mesh(to) {
            Encryption::Mesh
        } else if environment.target == Target::Swarm && (inside.is_none() || inside != other) {
            // Within a cluster inside a service there is no network of the Swarm between both ends.
            Encryption::Overlay
        } else {
            Encryption::Clear
        }
    }
}
