//! The gateway in the Gateway API: a listener for each public host name and each port of its own, and a route on each.

use serde::Serialize;

use super::super::object::{Custom, Object, Pairs};
use super::{CLASS, Context, HTTP, PLAIN, Route, deployment};
use crate::terms::Protocol;
use crate::units::Seconds;

const GATEWAY_API: &str = "gateway.networking.k8s.io/v1";

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

pub(super) fn gateway(context: &Context<'_>, routes: &[Route<'_>]) -> Object {
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
pub(super) fn redirect(context: &Context<'_>, routes: &[Route<'_>]) -> Option<Object> {
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

pub(super) fn route(context: &Context<'_>, route: &Route<'_>) -> Object {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_at_most_five_digits() {
        let written = [0, 1, 90, 3_600, 100_000, u64::MAX].map(|time| duration(Seconds(time)));
        assert_eq!(
            written,
            ["0s", "1s", "1m30s", "1h", "27h46m40s", "99999h15s"]
        );
    }
}
