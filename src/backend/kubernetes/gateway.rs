//! The gateway: what lets the outside in, over TLS, to the published ports and nowhere else.
//!
//! It is described in the Gateway API, from which the mesh deploys it, or in the mesh's own API, where the bundle brings
//! the workload. Either way it runs in the platform's namespace, beside the certificate that it shows and under the
//! same policies, with an identity of its own.

mod deployment;

use std::collections::BTreeSet;

use serde::Serialize;

use super::mesh::{self, NETWORKING};
use super::object::{Custom, Object, Pairs, pairs};
use super::{Context, certificates};
use crate::platform::{Endpoint, Service};
use crate::terms::{GatewayApi, Protocol};
use crate::units::Seconds;

const GATEWAY_API: &str = "gateway.networking.k8s.io/v1";

/// The mesh's class of gateways.
const CLASS: &str = "istio";

/// The ports of the web.
const HTTP: u16 = 80;
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
    protocol: Protocol,
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
            objects.push(standard_gateway(context, &routes));
            objects.extend(redirect(context, &routes));
            objects.extend(routes.iter().map(|route| standard_route(context, route)));
        }
        GatewayApi::Istio => {
            objects.extend(deployment::workload(context));
            objects.push(istio_gateway(context, &routes));
            objects.extend(routes.iter().map(|route| virtual_service(context, route)));
        }
    }
    objects
}

// --- the Gateway API

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Gateway {
    gateway_class_name: &'static str,
    infrastructure: Infrastructure,
    listeners: Vec<Listener>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Infrastructure {
    labels: Pairs,
    parameters_ref: Reference,
}

#[derive(Serialize)]
struct Reference {
    group: &'static str,
    kind: &'static str,
    name: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listener {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hostname: Option<String>,
    port: u16,
    protocol: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<ListenerTls>,
    allowed_routes: AllowedRoutes,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListenerTls {
    mode: &'static str,
    certificate_refs: Vec<Reference>,
}

#[derive(Serialize)]
struct AllowedRoutes {
    namespaces: Namespaces,
}

#[derive(Serialize)]
struct Namespaces {
    from: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StandardRoute {
    parent_refs: Vec<Parent>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hostnames: Vec<String>,
    rules: Vec<RouteRule>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Parent {
    name: String,
    section_name: String,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct RouteRule {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    filters: Vec<Filter>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    backend_refs: Vec<Backend>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeouts: Option<Timeouts>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    r#type: &'static str,
    request_redirect: Redirect,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Redirect {
    scheme: &'static str,
    status_code: u16,
}

#[derive(Serialize)]
struct Backend {
    name: String,
    port: u16,
}

#[derive(Serialize)]
struct Timeouts {
    request: String,
}

fn listener(context: &Context<'_>, name: String, port: u16, protocol: &'static str) -> Listener {
    let tls = (protocol != "HTTP").then(|| ListenerTls {
        // Which versions of TLS are spoken is not said here: the API has no word for it. The mesh's own setting for
        // all of its gateways, `tlsDefaults.minProtocolVersion`, is a prerequisite of the bundle.
        mode: "Terminate",
        certificate_refs: vec![Reference {
            group: "",
            kind: "Secret",
            name: context.cluster.tls_secret.clone(),
        }],
    });
    Listener {
        name,
        hostname: None,
        port,
        protocol,
        tls,
        allowed_routes: AllowedRoutes {
            namespaces: Namespaces { from: "Same" },
        },
    }
}

/// Returns the listener that a route hangs on: that of its host name, or one of its own.
fn section(route: &Route<'_>) -> String {
    match &route.endpoint.host {
        Some(host) => host.clone(),
        None => route.name(),
    }
}

fn standard_gateway(context: &Context<'_>, routes: &[Route<'_>]) -> Object {
    let mut listeners = Vec::new();
    if routes.iter().any(Route::is_web) {
        listeners.push(listener(context, PLAIN.to_owned(), HTTP, "HTTP"));
    }
    listeners.extend(routes.iter().map(|route| {
        let tls = route.protocol == Protocol::Tcp && !route.is_web();
        let protocol = if tls { "TLS" } else { "HTTPS" };
        Listener {
            // Not every client that speaks TLS names the host it wants.
            hostname: (!tls).then(|| route.host(context).to_owned()),
            ..listener(context, section(route), route.listen(), protocol)
        }
    }));
    Custom::object(
        GATEWAY_API,
        "Gateway",
        context.meta(&context.platform.name, context.platform_labels()),
        Gateway {
            gateway_class_name: CLASS,
            infrastructure: Infrastructure {
                labels: context.platform_labels(),
                parameters_ref: Reference {
                    group: "",
                    kind: "ConfigMap",
                    name: deployment::parameters_name(context),
                },
            },
            listeners,
        },
    )
}

/// Makes what sends browsers on to HTTPS.
fn redirect(context: &Context<'_>, routes: &[Route<'_>]) -> Option<Object> {
    if !routes.iter().any(Route::is_web) {
        return None;
    }
    Some(Custom::object(
        GATEWAY_API,
        "HTTPRoute",
        context.meta(
            format!("{}-redirect", context.platform.name),
            context.platform_labels(),
        ),
        StandardRoute {
            parent_refs: vec![parent(context, PLAIN.to_owned())],
            hostnames: Vec::new(),
            rules: vec![RouteRule {
                filters: vec![Filter {
                    r#type: "RequestRedirect",
                    request_redirect: Redirect {
                        scheme: "https",
                        status_code: 301,
                    },
                }],
                ..RouteRule::default()
            }],
        },
    ))
}

fn parent(context: &Context<'_>, section_name: String) -> Parent {
    Parent {
        name: context.platform.name.clone(),
        section_name,
    }
}

fn standard_route(context: &Context<'_>, route: &Route<'_>) -> Object {
    let (kind, timeouts) = match route.protocol {
        Protocol::Tcp if !route.is_web() => ("TCPRoute", None),
        // Streams last as long as their answer is long; the API has no timeout for them.
        Protocol::Grpc => ("GRPCRoute", None),
        Protocol::Tcp | Protocol::Http => {
            let request = duration(route.endpoint.timeout);
            ("HTTPRoute", Some(Timeouts { request }))
        }
    };
    let hostnames = match kind {
        "TCPRoute" => Vec::new(),
        _ => vec![route.host(context).to_owned()],
    };
    Custom::object(
        GATEWAY_API,
        kind,
        context.meta(route.name(), context.service_labels(route.service)),
        StandardRoute {
            parent_refs: vec![parent(context, section(route))],
            hostnames,
            rules: vec![RouteRule {
                backend_refs: vec![Backend {
                    name: route.service.host().to_owned(),
                    port: route.port,
                }],
                timeouts,
                ..RouteRule::default()
            }],
        },
    )
}

/// Writes a span of time as the Gateway API does (GEP-2257): whole hours, minutes and seconds, five digits at most each.
fn duration(time: Seconds) -> String {
    let (hours, minutes, seconds) = (time.0 / 3_600, time.0 / 60 % 60, time.0 % 60);
    let parts = [(hours.min(99_999), "h"), (minutes, "m"), (seconds, "s")];
    let text: String = parts
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, unit)| format!("{number}{unit}"))
        .collect();
    if text.is_empty() {
        "0s".to_owned()
    } else {
        text
    }
}

// --- the mesh's own API

#[derive(Serialize)]
struct IstioGateway {
    selector: Pairs,
    servers: Vec<Server>,
}

#[derive(Serialize)]
struct Server {
    port: ServerPort,
    hosts: Vec<String>,
    tls: ServerTls,
}

#[derive(Serialize)]
struct ServerPort {
    number: u16,
    name: String,
    protocol: &'static str,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct ServerTls {
    #[serde(skip_serializing_if = "Option::is_none")]
    https_redirect: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_protocol_version: Option<&'static str>,
}

#[derive(Serialize)]
struct VirtualService {
    hosts: Vec<String>,
    gateways: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    http: Vec<VirtualRoute>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tcp: Vec<VirtualRoute>,
}

#[derive(Serialize)]
struct VirtualRoute {
    r#match: Vec<Match>,
    route: Vec<Weighted>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<String>,
}

#[derive(Serialize)]
struct Match {
    port: u16,
}

#[derive(Serialize)]
struct Weighted {
    destination: Destination,
}

#[derive(Serialize)]
struct Destination {
    host: String,
    port: DestinationPort,
}

#[derive(Serialize)]
struct DestinationPort {
    number: u16,
}

fn istio_gateway(context: &Context<'_>, routes: &[Route<'_>]) -> Object {
    let tls = || ServerTls {
        mode: Some("SIMPLE"),
        credential_name: Some(context.cluster.tls_secret.clone()),
        min_protocol_version: Some("TLSV1_3"),
        ..ServerTls::default()
    };
    let web: Vec<String> = routes
        .iter()
        .filter_map(|route| route.endpoint.host.clone())
        .collect();
    let mut servers = Vec::new();
    if !web.is_empty() {
        servers.push(Server {
            port: ServerPort {
                number: HTTP,
                name: PLAIN.to_owned(),
                protocol: "HTTP",
            },
            hosts: web.clone(),
            tls: ServerTls {
                https_redirect: Some(true),
                ..ServerTls::default()
            },
        });
        servers.push(Server {
            port: ServerPort {
                number: HTTPS,
                name: "https".to_owned(),
                protocol: "HTTPS",
            },
            hosts: web,
            tls: tls(),
        });
    }
    for route in routes.iter().filter(|route| !route.is_web()) {
        // Not every client that speaks TLS names the host it wants.
        let (protocol, host) = match route.protocol {
            Protocol::Tcp => ("TLS", "*"),
            Protocol::Http | Protocol::Grpc => ("HTTPS", route.host(context)),
        };
        servers.push(Server {
            port: ServerPort {
                number: route.listen(),
                name: route.name(),
                protocol,
            },
            hosts: vec![host.to_owned()],
            tls: tls(),
        });
    }
    Custom::object(
        NETWORKING,
        "Gateway",
        context.meta(&context.platform.name, context.platform_labels()),
        IstioGateway {
            selector: pods(context),
            servers,
        },
    )
}

fn virtual_service(context: &Context<'_>, route: &Route<'_>) -> Object {
    let passed = |timeout: Option<String>| VirtualRoute {
        r#match: vec![Match {
            port: route.listen(),
        }],
        route: vec![Weighted {
            destination: Destination {
                host: mesh::host(context, route.service),
                port: DestinationPort { number: route.port },
            },
        }],
        timeout,
    };
    let (http, tcp) = match route.protocol {
        Protocol::Tcp if !route.is_web() => (Vec::new(), vec![passed(None)]),
        // Streams last as long as their answer is long.
        Protocol::Grpc => (vec![passed(None)], Vec::new()),
        Protocol::Tcp | Protocol::Http => {
            let timeout = format!("{}s", route.endpoint.timeout.0);
            (vec![passed(Some(timeout))], Vec::new())
        }
    };
    Custom::object(
        NETWORKING,
        "VirtualService",
        context.meta(route.name(), context.service_labels(route.service)),
        VirtualService {
            hosts: vec![route.host(context).to_owned()],
            gateways: vec![context.platform.name.clone()],
            http,
            tcp,
        },
    )
}
