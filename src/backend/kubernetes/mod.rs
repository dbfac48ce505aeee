//! Kubernetes with Istio: a namespace that lets nothing through but the declared connections.
//!
//! In comes a platform, out come objects in folders, in an order in which they can be applied: first what belongs to the
//! cluster, then what holds for the whole namespace, then components, those that others wait for first.

mod object;

use object::Object;

use crate::platform::{Cluster, Flow, Platform, Service};

/// A platform on its way into a bundle.
pub(super) struct Context<'p> {
    pub(super) platform: &'p Platform,
    pub(super) cluster: &'p Cluster,
    /// Flows by the service that connects, and by the one that is connected to: positions in [`Platform::flows`].
    outgoing: Vec<Vec<usize>>,
    incoming: Vec<Vec<usize>>,
}

impl<'p> Context<'p> {
    fn new(platform: &'p Platform, cluster: &'p Cluster) -> Self {
        let mut outgoing = vec![Vec::new(); platform.services.len()];
        let mut incoming = vec![Vec::new(); platform.services.len()];
        for (at, flow) in platform.flows.iter().enumerate() {
            outgoing[flow.from].push(at);
            incoming[flow.to].push(at);
        }
        Self {
            platform,
            cluster,
            outgoing,
            incoming,
        }
    }

    /// Returns the service at a position.
    pub(super) fn service(&self, at: usize) -> &'p Service {
        &self.platform.services[at]
    }

    /// Returns the connections that a service makes.
    pub(super) fn outgoing(&self, at: usize) -> impl Iterator<Item = &'p Flow> {
        self.outgoing[at]
            .iter()
            .map(|flow| &self.platform.flows[*flow])
    }

    /// Returns the connections that a service is reached by.
    pub(super) fn incoming(&self, at: usize) -> impl Iterator<Item = &'p Flow> {
        self.incoming[at]
            .iter()
            .map(|flow| &self.platform.flows[*flow])
    }
}
