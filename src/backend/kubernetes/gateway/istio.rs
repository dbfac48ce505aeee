//! The gateway in the mesh's own API: a server for the web and for each port of its own, and a VirtualService behind each.

use serde::Serialize;

use super::super::mesh::{self, NETWORKING};
use super::super::object::{Custom, Object, Pairs};
use super::{Context, HTTP, HTTPS, PLAIN, Route, pods};
use crate::terms::Protocol;

#[derive(Serialize)]
struct Gateway {
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

pub(super) fn gateway(context: &Context<'_>, routes: &[Route<'_>]) -> Object {
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
        Gateway {
            selector: pods(context),
            servers,
        },
    )
}

pub(super) fn virtual_service(context: &Context<'_>, route: &Route<'_>) -> Object {
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
