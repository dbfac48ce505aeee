//! The list of declared connections, for programs: what the policies of the bundle allow, from the same platform but on
//! a way of its own, so that tests and auditors can hold one against the other.

use serde::Serialize;

use super::network_policy::GATEWAY_STATUS;
use super::object::Pairs;
use super::{Context, gateway, tracing};
use crate::platform::{FlowReason, Kind, Service};

/// Ends of connections that are no workloads of the bundle.
const GATEWAY: &str = "gateway";
const OUTSIDE: &str = "outside";
const API: &str = "kubernetes-api";
const DNS: &str = "dns";
const MESH: &str = "mesh";

/// Why the mesh connects to what collects traces.
const TRACES: &str = "traces of the mesh";

/// Any workload, as the beginning of connections that all of them may make.
const ANY: &str = "*";

#[derive(Serialize)]
struct FlowList<'p> {
    kubernetes: String,
    namespace: &'p str,
    zones: &'p [String],
    workloads: std::collections::BTreeMap<&'p str, Workload<'p>>,
    flows: Vec<Connection<'p>>,
}

#[derive(Serialize)]
struct Workload<'p> {
    kind: &'static str,
    component: &'p str,
    zone: &'static str,
    labels: Pairs,
    mesh: bool,
    replicas: u64,
    quorum: u64,
}

#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
struct Connection<'p> {
    from: &'p str,
    to: &'p str,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<&'p str>,
    /// None for any port.
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    protocol: &'static str,
    reason: String,
}

fn kind(service: &Service) -> &'static str {
    match (&service.managed, &service.kind) {
        (Some(_), _) => "managed",
        (None, Kind::Job { .. }) => "Job",
        (None, Kind::OnDemand { .. } | Kind::Scheduled { .. }) => "CronJob",
        (None, _) if service.per_host => "DaemonSet",
        (None, _) if super::pod::is_stateful(service) => "StatefulSet",
        (None, _) => "Deployment",
    }
}

/// Renders the list as JSON.
pub(super) fn render(context: &Context<'_>) -> String {
    let platform = context.platform;
    let services = &platform.services;
    let mut flows: Vec<Connection<'_>> = Vec::new();
    for flow in &platform.flows {
        let (from, to) = (&services[flow.from], &services[flow.to]);
        let Some(port) = to.ports.get(&flow.port) else {
            continue;
        };
        flows.push(Connection {
            from: &from.name,
            to: &to.name,
            host: None,
            port: Some(port.number),
            protocol: port.protocol.word(),
            reason: match &flow.reason {
                FlowReason::Need(need) => format!("need {need}"),
                FlowReason::Proxy => "proxy".to_owned(),
                FlowReason::Peer => "peer".to_owned(),
                FlowReason::Metrics => "metrics".to_owned(),
                FlowReason::Traces => TRACES.to_owned(),
            },
        });
    }
    for route in gateway::routes(context) {
        flows.push(Connection {
            from: GATEWAY,
            to: &route.service.name,
            host: None,
            port: Some(route.port),
            protocol: route.protocol.word(),
            reason: route.endpoint.url.clone(),
        });
    }
    if let Some((to, port)) = tracing::gateway_reports(context) {
        flows.push(Connection {
            from: GATEWAY,
            to: &to.name,
            host: None,
            port: Some(port),
            protocol: "grpc",
            reason: TRACES.to_owned(),
        });
    }
    let published = gateway::listens(context).into_iter();
    let published = published.map(|port| (port, "published"));
    let status = gateway::exists(context).then_some((GATEWAY_STATUS, "health, for load balancers"));
    for (port, reason) in published.chain(status) {
        flows.push(Connection {
            from: OUTSIDE,
            to: GATEWAY,
            host: None,
            port: Some(port),
            protocol: "tcp",
            reason: reason.to_owned(),
        });
    }
    for service in services {
        if let Some(egress) = &service.egress {
            let outside = |host, port| Connection {
                from: &service.name,
                to: OUTSIDE,
                host,
                port,
                protocol: "tcp",
                reason: egress.why.clone(),
            };
            if egress.hosts.is_empty() {
                flows.push(outside(None, None));
            }
            let hosts = egress.hosts.iter();
            flows.extend(hosts.map(|(host, port)| outside(Some(host), Some(*port))));
        }
        if let Some(api) = &service.cluster_api {
            flows.push(Connection {
                from: &service.name,
                to: API,
                host: None,
                port: None,
                protocol: "tcp",
                reason: api.why.clone(),
            });
        }
        if let Some((namespace, ports)) = service
            .managed
            .as_ref()
            .and_then(|managed| managed.operator.as_ref())
        {
            flows.extend(ports.iter().map(|port| Connection {
                from: namespace,
                to: &service.name,
                host: None,
                port: Some(*port),
                protocol: "tcp",
                reason: "operator".to_owned(),
            }));
        }
    }
    flows.push(Connection {
        from: ANY,
        to: DNS,
        host: None,
        port: Some(53),
        protocol: "tcp and udp",
        reason: "names".to_owned(),
    });
    if context.cluster.mesh {
        flows.push(Connection {
            from: ANY,
            to: MESH,
            host: None,
            port: Some(15012),
            protocol: "tcp",
            reason: "configuration and certificates of the mesh".to_owned(),
        });
    }
    flows.sort();
    let list = FlowList {
        kubernetes: format!("1.{}", context.cluster.version),
        namespace: &context.cluster.namespace,
        zones: &platform.environment.zones,
        workloads: services
            .iter()
            .map(|service| {
                let component = platform.component_of(service);
                let workload = Workload {
                    kind: kind(service),
                    component: &component.name,
                    zone: component.zone.word(),
                    labels: context.selector(service),
                    mesh: context.cluster.mesh
                        && service.managed.as_ref().is_none_or(|managed| managed.mesh),
                    replicas: service.replicas.min,
                    quorum: service.quorum,
                };
                (service.name.as_str(), workload)
            })
            .collect(),
        flows,
    };
    let mut text =
        serde_json::to_string_pretty(&list).expect("the list has text keys and no failing parts");
    text.push('\n');
    text
}
