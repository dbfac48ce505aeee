//! Tracing: where the mesh reports what passes through it.
//!
//! Sidecars report like services, by flows that the platform declares. The gateway is no service of the platform, so what it
//! connects to is found here.

use super::{Context, gateway, mesh};
use crate::platform::Service;

/// Returns what the mesh calls the collector. The name holds for the whole mesh, so it tells namespaces apart.
pub(super) fn provider(context: &Context<'_>) -> String {
    format!("{}-traces", context.cluster.namespace)
}

/// Returns the full name of the collector and its port, as the mesh finds it, if there is one.
pub(super) fn collector(context: &Context<'_>) -> Option<(String, u16)> {
    let (service, port) = receiver(context)?;
    Some((mesh::host(context, service), port))
}

/// Returns where the gateway reports, if there are both.
pub(super) fn gateway_reports<'p>(context: &Context<'p>) -> Option<(&'p Service, u16)> {
    gateway::exists(context)
        .then(|| receiver(context))
        .flatten()
}

/// Returns the port of a service that the gateway reports to.
pub(super) fn gateway_port(context: &Context<'_>, at: usize) -> Option<u16> {
    let traces = context.platform.traces.as_ref()?;
    let (_, port) = gateway_reports(context)?;
    (traces.service == at).then_some(port)
}

fn receiver<'p>(context: &Context<'p>) -> Option<(&'p Service, u16)> {
    let traces = context.platform.traces.as_ref()?;
    let service = context
        .cluster
        .mesh
        .then(|| context.service(traces.service))?;
    Some((service, service.ports.get(&traces.port)?.number))
}
