//! What the matrix of connections has on Kubernetes beside what it has everywhere: the gateway, the API, the mesh and
//! operators; and the labels by which policies find pods.

use super::network_policy::GATEWAY_STATUS;
use super::{Context, gateway, tracing};
use crate::backend::matrix::{self, Connection, FlowList, OUTSIDE, Proof, ProofKind, TRACES};
use crate::platform::{Kind, Service};
use crate::terms::Encryption;

/// Ends of connections that are no workloads of the bundle.
const GATEWAY: &str = "gateway";
const API: &str = "kubernetes-api";
const DNS: &str = "dns";
const MESH: &str = "mesh";

/// Any workload, as the beginning of connections that all of them may make.
const ANY: &str = "*";

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

/// Returns what `kubectl` calls the kind of what keeps a service running.
pub(in crate::backend) fn controller(service: &Service) -> String {
    kind(service).to_ascii_lowercase()
}

/// Makes the list.
pub(super) fn list(context: &Context<'_>) -> FlowList {
    let platform = context.platform;
    let mut list = matrix::common(platform, kind);
    list.kubernetes = Some(format!("1.{}", context.cluster.version));
    list.namespace = Some(context.cluster.namespace.clone());
    for service in &platform.services {
        if let Some(workload) = list.workloads.get_mut(&service.name) {
            workload.labels = context.selector(service);
            workload.mesh = in_mesh(context, service);
        }
    }
    let flows = &mut list.flows;
    flows.extend(through_gateway(context));
    for service in &platform.services {
        if let Some(api) = &service.cluster_api {
            let mut flow = Connection::new(&service.name, API, "tcp", &api.why);
            flow.encryption = Some(Encryption::Tls);
            flow.authentication = vec![Proof::new(ProofKind::Token, service.account())];
            flows.push(flow);
        }
        if let Some((namespace, ports)) = service
            .managed
            .as_ref()
            .and_then(|managed| managed.operator.as_ref())
        {
            flows.extend(ports.iter().map(|number| {
                let mut flow = Connection::new(namespace, &service.name, "tcp", "operator");
                flow.port = Some(*number);
                let mut ports = service.ports.values();
                let tls = ports.any(|port| port.number == *number && port.tls);
                // What an operator speaks with what it made is its own affair where the blueprint does not say it.
                flow.encryption = tls.then_some(Encryption::Tls);
                flow
            }));
        }
    }
    let mut names = Connection::new(ANY, DNS, "tcp and udp", "names");
    names.port = Some(53);
    names.encryption = Some(Encryption::Clear);
    flows.push(names);
    if context.cluster.mesh {
        let reason = "configuration and certificates of the mesh";
        let mut flow = Connection::new(ANY, MESH, "tcp", reason);
        flow.port = Some(15012);
        flow.encryption = Some(Encryption::Tls);
        flow.authentication = vec![Proof {
            kind: ProofKind::Token,
            name: None,
        }];
        flows.push(flow);
    }
    flows.sort();
    list
}

/// Says whether a service's pods are in the mesh.
fn in_mesh(context: &Context<'_>, service: &Service) -> bool {
    context.cluster.mesh && service.managed.as_ref().is_none_or(|managed| managed.mesh)
}

/// Lists what comes to the gateway, and what it passes on.
fn through_gateway(context: &Context<'_>) -> Vec<Connection> {
    let mut flows = Vec::new();
    let identity = || Proof::new(ProofKind::Identity, &gateway::account(context));
    for route in gateway::routes(context) {
        let mut flow = Connection::new(
            GATEWAY,
            &route.service.name,
            route.protocol.word(),
            &route.endpoint.url,
        );
        flow.port = Some(route.port);
        let ports = &route.service.ports;
        let meshed = in_mesh(context, route.service);
        flow.encryption = Some(if meshed {
            Encryption::Mesh
        } else if ports.get(&route.endpoint.port).is_some_and(|port| port.tls) {
            Encryption::Tls
        } else {
            Encryption::Clear
        });
        if meshed {
            flow.authentication.push(identity());
        }
        if !context
            .platform
            .component_of(route.service)
            .accounts
            .is_empty()
        {
            flow.authentication.push(Proof::login());
        }
        flows.push(flow);
    }
    if let Some((to, port)) = tracing::gateway_reports(context) {
        let mut flow = Connection::new(GATEWAY, &to.name, "grpc", TRACES);
        flow.port = Some(port);
        flow.encryption = Some(Encryption::Mesh);
        flow.authentication = vec![identity()];
        flows.push(flow);
    }
    for port in gateway::listens(context) {
        let mut flow = Connection::new(OUTSIDE, GATEWAY, "tcp", "published");
        flow.port = Some(port);
        if port == gateway::HTTP {
            flow.reason = "sends browsers on to HTTPS".to_owned();
            flow.encryption = Some(Encryption::Clear);
        } else {
            flow.encryption = Some(Encryption::Tls);
            flow.certificate = Some(context.cluster.tls_secret.clone());
            flow.authentication = vec![Proof::login()];
        }
        flows.push(flow);
    }
    if gateway::exists(context) {
        let mut flow = Connection::new(OUTSIDE, GATEWAY, "tcp", "health, for load balancers");
        flow.port = Some(GATEWAY_STATUS);
        flow.encryption = Some(Encryption::Clear);
        flows.push(flow);
    }
    flows
}
