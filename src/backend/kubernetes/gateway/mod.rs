//! The gateway: what lets the outside in, over TLS, to the published ports and nowhere else.
//!
//! It is described in the Gateway API, from which the mesh deploys it, or in the mesh's own API, where the bundle brings
//! the workload. Either way it runs in the platform's namespace, beside the certificate that it shows and under the
//! same policies, with an identity of its own.

mod deployment;
mod istio;
mod standard;

use std::collections::BTreeSet;

use super::object::{Object, Pairs, pairs};
use super::{Context, certificates};
use crate::platform::{Endpoint, Service};
use crate::terms::{GatewayApi, Protocol};

/// The mesh's class of gateways.
const CLASS: &str = "istio";

/// The ports of the web.
pub(super) const HTTP: u16 = 80;
const HTTPS: u16 = 443;

/// The listener that sends browsers on to HTTPS.
const PLAIN: &str = "http";

/// What the gateway passes on, to where.
pub(super) struct Route<'p> {
    pub(super) endpoint: &'p Endpoint,
    pub(super) service: &'p Service,
    /// The port of the service.
    pub(super) port: u16,
    /// What is spoken there.
    pub(super) protocol: Protocol,
}

impl Route<'_> {
    /// Returns the port that the outside comes to.
    fn listen(&self) -> u16 {
        if self.endpoint.host.is_some() {
            HTTPS
        } else {
            self.endpoint.listen.unwrap_or(self.port)
        }
    }

    fn is_web(&self) -> bool {
        self.endpoint.host.is_some()
    }

    /// Returns a name that no other has.
    fn name(&self) -> String {
        let port = self.endpoint.port.replace('_', "-");
        format!("{}-{port}", self.service.name)
    }

    /// Returns the host name that the outside asks for.
    fn host<'s>(&'s self, context: &Context<'s>) -> &'s str {
        let domain = &context.platform.environment.domain;
        self.endpoint.host.as_ref().unwrap_or(domain)
    }
}

/// Says whether there is a gateway: where there is a mesh, and something to let in to.
pub(super) fn exists(context: &Context<'_>) -> bool {
    context.cluster.mesh
        && context.platform.edge.is_some()
        && !context.platform.endpoints.is_empty()
}

/// Returns the name of the gateway's service account, which is that of its Deployment and Service too.
pub(super) fn account(context: &Context<'_>) -> String {
    match context.cluster.gateway {
        // The mesh names what it deploys after the Gateway and its class.
        GatewayApi::Standard => format!("{}-{CLASS}", context.platform.name),
        GatewayApi::Istio => format!("{}-gateway", context.platform.name),
    }
}

/// Returns the labels by which the gateway's pods are found.
pub(super) fn pods(context: &Context<'_>) -> Pairs {
    match context.cluster.gateway {
        GatewayApi::Standard => pairs([(
            "gateway.networking.k8s.io/gateway-name",
            &context.platform.name,
        )]),
        GatewayApi::Istio => pairs([("istio", &account(context))]),
    }
}

/// Returns the name of the Gateway where policies refer to it by name, rather than by its pods.
pub(super) fn reference(context: &Context<'_>) -> Option<String> {
    (context.cluster.gateway == GatewayApi::Standard).then(|| context.platform.name.clone())
}

/// Lists what the gateway passes on, in the order of the endpoints.
pub(super) fn routes<'p>(context: &Context<'p>) -> Vec<Route<'p>> {
    if !exists(context) {
        return Vec::new();
    }
    let endpoints = &context.platform.endpoints;
    endpoints
        .iter()
        .filter_map(|endpoint| {
            let service = context.service(endpoint.service);
            let port = service.ports.get(&endpoint.port)?;
            Some(Route {
                endpoint,
                service,
                port: port.number,
                protocol: port.protocol,
            })
        })
        .collect()
}

/// Returns the ports of a service that the gateway passes something on to.
pub(super) fn published(context: &Context<'_>, at: usize) -> BTreeSet<u16> {
    let ports = &context.service(at).ports;
    context
        .endpoints(at)
        .filter(|_| exists(context))
        .filter_map(|endpoint| Some(ports.get(&endpoint.port)?.number))
        .collect()
}

/// Returns the ports that the outside comes to.
pub(super) fn listens(context: &Context<'_>) -> BTreeSet<u16> {
    let routes = routes(context);
    let plain = routes.iter().any(Route::is_web).then_some(HTTP);
    routes.iter().map(Route::listen).chain(plain).collect()
}

/// Makes the gateway with its routes and certificate, if there is one.
pub(super) fn platform(context: &Context<'_>) -> Vec<Object> {
    let routes = routes(context);
    if routes.is_empty() {
        return Vec::new();
    }
    let mut objects = Vec::new();
    if let Some(issuer) = &context.cluster.issuer {
        let hosts: BTreeSet<&str> = routes.iter().map(|route| route.host(context)).collect();
        objects.push(certificates::public(context, issuer, hosts));
    }
    match context.cluster.gateway {
        GatewayApi::Standard => {
            objects.push(deployment::parameters(context));
            objects.push(standard::gateway(context, &routes));
            objects.extend(standard::redirect(context, &routes));
            objects.extend(routes.iter().map(|route| standard::route(context, route)));
        }
        GatewayApi::Istio => {
            objects.extend(deployment::workload(context));
            objects.push(istio::gateway(context, &routes));
            objects.extend(
                routes
                    .iter()
                    .map(|route| istio::virtual_service(context, route)),
            );
        }
    }
    objects
}
