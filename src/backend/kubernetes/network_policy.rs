//! NetworkPolicies: nothing passes but the declared connections, the names' server and the mesh's control plane.
//!
//! Policies of a namespace add up, so each service has one of its own beside three for all pods. Their ports are those
//! of pods, as numbers; in a mesh too, since a sidecar takes over connections without changing their port.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use k8s_openapi::api::networking::v1::{
    IPBlock, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer,
    NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::object::{Object, Pairs, pairs};
use super::{Context, gateway, tracing};
use crate::platform::{Flow, Service};
use crate::terms::Publish;

/// The label that Kubernetes gives each namespace.
const NAMESPACE: &str = "kubernetes.io/metadata.name";

/// The label with which a pod stays out of the mesh.
const INJECT: &str = "sidecar.istio.io/inject";

/// Where certificates and configuration of the mesh come from.
const CONTROL_PLANE: u16 = 15012;

/// Where load balancers ask a gateway whether it is ready.
pub(super) const GATEWAY_STATUS: u16 = 15021;

/// Ports of the Kubernetes API: that of its Service, and the one behind it, which is what counts once the address is
/// translated.
const API_PORTS: [u16; 2] = [443, 6443];

const EVERYWHERE: &str = "0.0.0.0/0";

/// Link-local addresses (RFC 3927): clouds answer there with credentials of the machine.
const LINK_LOCAL: &str = "169.254.0.0/16";

/// Addresses that are not the internet's (RFC 1918, RFC 6598, RFC 3927).
const PRIVATE: [&str; 5] = [
    "10.0.0.0/8",
    "100.64.0.0/10",
    LINK_LOCAL,
    "172.16.0.0/12",
    "192.168.0.0/16",
];

/// Who may be at the other end.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Peer {
    /// Pods of the namespace with these labels.
    Pods(Pairs),
    /// Pods of another namespace with these labels; all of them, if none are given.
    Namespace(String, Pairs),
    /// Addresses: a range, and what is left out of it.
    Addresses(String, &'static [&'static str]),
}

impl Peer {
    /// Any address, but for those of the cloud's own services.
    fn anything() -> Self {
        Self::Addresses(EVERYWHERE.to_owned(), &[LINK_LOCAL])
    }

    /// A host outside. Policies know no names, so one that is given by its name may be any public address.
    fn host(host: &str) -> Self {
        match host.parse::<Ipv4Addr>() {
            Ok(address) => Self::Addresses(format!("{address}/32"), &[]),
            Err(_) => Self::Addresses(EVERYWHERE.to_owned(), &PRIVATE),
        }
    }
}

impl From<Peer> for NetworkPolicyPeer {
    fn from(peer: Peer) -> Self {
        match peer {
            Peer::Pods(labels) => Self {
                pod_selector: Some(with_labels(labels)),
                ..Self::default()
            },
            Peer::Namespace(name, labels) => Self {
                namespace_selector: Some(with_labels(pairs([(NAMESPACE, &name)]))),
                pod_selector: (!labels.is_empty()).then(|| with_labels(labels)),
                ..Self::default()
            },
            Peer::Addresses(cidr, except) => Self {
                ip_block: Some(IPBlock {
                    cidr,
                    except: (!except.is_empty())
                        .then(|| except.iter().map(|&range| range.to_owned()).collect()),
                }),
                ..Self::default()
            },
        }
    }
}

/// Who may be at the other end, by the port where the connection is accepted; none stands for all ports.
#[derive(Default)]
struct Allowed(BTreeMap<Option<u16>, BTreeSet<Peer>>);

impl Allowed {
    fn add(&mut self, port: impl Into<Option<u16>>, peer: Peer) {
        self.0.entry(port.into()).or_default().insert(peer);
    }

    fn add_all(&mut self, port: u16, peers: Vec<Peer>) {
        let known = self.0.entry(Some(port)).or_default();
        known.extend(peers);
    }

    /// Returns one rule for each port.
    fn rules<R>(
        self,
        rule: fn(Option<Vec<NetworkPolicyPort>>, Option<Vec<NetworkPolicyPeer>>) -> R,
    ) -> Option<Vec<R>> {
        let rules: Vec<R> = self
            .0
            .into_iter()
            .map(|(port, peers)| {
                let ports = port.map(|number| vec![port_of(number, "TCP")]);
                rule(ports, Some(peers.into_iter().map(Into::into).collect()))
            })
            .collect();
        (!rules.is_empty()).then_some(rules)
    }
}

fn with_labels(labels: Pairs) -> LabelSelector {
    LabelSelector {
        match_labels: Some(labels),
        ..LabelSelector::default()
    }
}

fn port_of(number: u16, protocol: &str) -> NetworkPolicyPort {
    NetworkPolicyPort {
        port: Some(IntOrString::Int(number.into())),
        protocol: Some(protocol.to_owned()),
        ..NetworkPolicyPort::default()
    }
}

/// The mesh's control plane, wherever pods of the mesh run.
fn control_plane() -> Peer {
    Peer::Namespace("istio-system".to_owned(), pairs([("app", "istiod")]))
}

fn ingress_rules(allowed: Allowed) -> Option<Vec<NetworkPolicyIngressRule>> {
    allowed.rules(|ports, from| NetworkPolicyIngressRule { from, ports })
}

fn egress_rules(allowed: Allowed) -> Option<Vec<NetworkPolicyEgressRule>> {
    allowed.rules(|ports, to| NetworkPolicyEgressRule { ports, to })
}

fn policy(context: &Context<'_>, name: &str, labels: Pairs, spec: NetworkPolicySpec) -> Object {
    Object::new(&NetworkPolicy {
        metadata: context.meta(name, labels),
        spec: Some(spec),
    })
}

/// Makes a policy for both directions.
fn both_ways(
    context: &Context<'_>,
    name: &str,
    labels: Pairs,
    pods: LabelSelector,
    ingress: Allowed,
    egress: Allowed,
) -> Object {
    let spec = NetworkPolicySpec {
        pod_selector: Some(pods),
        policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
        ingress: ingress_rules(ingress),
        egress: egress_rules(egress),
    };
    policy(context, name, labels, spec)
}

/// Makes what holds for all pods: nothing is allowed but what every pod needs.
pub(super) fn platform(context: &Context<'_>) -> Vec<Object> {
    let labels = context.platform_labels();
    let mut objects = vec![
        both_ways(
            context,
            "default-deny",
            labels.clone(),
            LabelSelector::default(),
            Allowed::default(),
            Allowed::default(),
        ),
        policy(
            context,
            "allow-dns",
            labels.clone(),
            NetworkPolicySpec {
                pod_selector: Some(LabelSelector::default()),
                policy_types: Some(vec!["Egress".to_owned()]),
                egress: Some(vec![NetworkPolicyEgressRule {
                    ports: Some(vec![port_of(53, "TCP"), port_of(53, "UDP")]),
                    to: Some(vec![
                        Peer::Namespace("kube-system".to_owned(), pairs([("k8s-app", "kube-dns")]))
                            .into(),
                    ]),
                }]),
                ..NetworkPolicySpec::default()
            },
        ),
    ];
    if context.cluster.mesh {
        let mut egress = Allowed::default();
        egress.add(CONTROL_PLANE, control_plane());
        let spec = NetworkPolicySpec {
            // Pods outside the mesh bear the label that keeps them there; those inside need none.
            pod_selector: Some(LabelSelector {
                match_expressions: Some(vec![LabelSelectorRequirement {
                    key: INJECT.to_owned(),
                    operator: "NotIn".to_owned(),
                    values: Some(vec!["false".to_owned()]),
                }]),
                ..LabelSelector::default()
            }),
            policy_types: Some(vec!["Egress".to_owned()]),
            egress: egress_rules(egress),
            ..NetworkPolicySpec::default()
        };
        objects.push(policy(context, "allow-mesh", labels, spec));
    }
    objects
}

/// Makes the policy of a service, if it may connect to anything or be connected to.
pub(super) fn service(context: &Context<'_>, at: usize) -> Option<Object> {
    let service = context.service(at);
    let ingress = ingress(context, at, service);
    let egress = egress(context, at, service);
    if ingress.0.is_empty() && egress.0.is_empty() {
        return None;
    }
    Some(both_ways(
        context,
        &service.name,
        context.service_labels(service),
        with_labels(context.selector(service)),
        ingress,
        egress,
    ))
}

fn ingress(context: &Context<'_>, at: usize, service: &Service) -> Allowed {
    let mut allowed = Allowed::default();
    for flow in context.incoming(at) {
        if let Some(port) = target_port(context, flow) {
            allowed.add_all(port, peers(context, flow, flow.from));
        }
    }
    if gateway::exists(context) {
        for port in gateway::published(context, at) {
            allowed.add(port, Peer::Pods(gateway::pods(context)));
        }
        if let Some(port) = tracing::gateway_port(context, at) {
            allowed.add(port, Peer::Pods(gateway::pods(context)));
        }
    } else if !context.cluster.mesh {
        // A proxy of the platform's own takes in what comes from outside.
        for port in service.ports.values() {
            if port.publish == Some(Publish::Host) {
                allowed.add(port.number, Peer::Addresses(EVERYWHERE.to_owned(), &[]));
            }
        }
    }
    if let Some(managed) = &service.managed
        && let Some((namespace, ports)) = &managed.operator
    {
        for port in ports {
            allowed.add(*port, Peer::Namespace(namespace.clone(), Pairs::new()));
        }
    }
    allowed
}

/// Returns who one end of a connection is: pods of a service, or addresses of one outside the cluster.
fn peers(context: &Context<'_>, flow: &Flow, end: usize) -> Vec<Peer> {
    match context.outside {
        Some((_, outside)) if !context.is_here(end) => {
            let ranges = outside.ranges(flow, end);
            ranges.map(|range| Peer::Addresses(range, &[])).collect()
        }
        _ => vec![Peer::Pods(context.selector(context.service(end)))],
    }
}

fn egress(context: &Context<'_>, at: usize, service: &Service) -> Allowed {
    let mut allowed = Allowed::default();
    for flow in context.outgoing(at) {
        if let Some(port) = target_port(context, flow) {
            allowed.add_all(port, peers(context, flow, flow.to));
        }
    }
    if let Some(egress) = &service.egress {
        for (host, port) in &egress.hosts {
            allowed.add(*port, Peer::host(host));
        }
        if egress.hosts.is_empty() {
            // What is read from stands in private networks too.
            allowed.add(None, Peer::anything());
        }
    }
    if service.cluster_api.is_some() {
        // The API server is no pod, so nothing but addresses can stand for it.
        for port in API_PORTS {
            allowed.add(port, Peer::anything());
        }
    }
    allowed
}

/// Returns the number of the port where a connection is accepted.
pub(super) fn target_port(context: &Context<'_>, flow: &Flow) -> Option<u16> {
    let port = context.service(flow.to).ports.get(&flow.port)?;
    Some(port.number)
}

/// Makes the policy of the gateway, if there is one.
pub(super) fn gateway(context: &Context<'_>) -> Option<Object> {
    if !gateway::exists(context) {
        return None;
    }
    let mut ingress = Allowed::default();
    for port in gateway::listens(context)
        .into_iter()
        .chain([GATEWAY_STATUS])
    {
        ingress.add(port, Peer::Addresses(EVERYWHERE.to_owned(), &[]));
    }
    let mut egress = Allowed::default();
    // A gateway that the mesh deploys bears the label of pods without a sidecar: it is a proxy itself.
    egress.add(CONTROL_PLANE, control_plane());
    for route in gateway::routes(context) {
        egress.add(route.port, Peer::Pods(context.selector(route.service)));
    }
    if let Some((collector, port)) = tracing::gateway_reports(context) {
        egress.add(port, Peer::Pods(context.selector(collector)));
    }
    Some(both_ways(
        context,
        &gateway::account(context),
        context.platform_labels(),
        with_labels(gateway::pods(context)),
        ingress,
        egress,
    ))
}
