//! The matrix of connections: what may talk to what, who proves what to whom, and what encrypts it.
//!
//! In comes a platform, out come `flows.json`, for programs and auditors, and `SECURITY.md`, for people. The list follows
//! from the platform on a way of its own, not from what a backend writes, so that one can be held against the other. A
//! backend adds what only its target has.

mod page;

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Files;
use crate::platform::scrape::ScrapeAuth;
use crate::platform::{Certificate, Door, Flow, FlowReason, Kind, PUBLIC, Platform, Service};
use crate::terms::{Encryption, StorageKind};

/// The name of the list in a bundle.
pub const FILE: &str = "flows.json";

/// The name of the page.
const PAGE: &str = "SECURITY.md";

/// The version of the format. It rises when a program that reads an older one would misread it.
pub const SCHEMA: u32 = 1;

/// Ends of connections that are no workloads of the bundle.
pub(super) const OUTSIDE: &str = "outside";
const MACHINES: &str = "machines";

/// The port of an NFS server.
const NFS: u16 = 2049;

/// The port of HTTPS: whatever is reached there speaks TLS.
const HTTPS: u16 = 443;

/// Everything that may talk to what, and how that is protected.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FlowList {
    /// Version of this format.
    pub schema: u32,
    /// Name of the platform.
    pub platform: String,
    /// Name of the environment.
    pub environment: String,
    /// What the bundle was made for: `compose`, `swarm` or `kubernetes`.
    pub target: String,
    /// Version of Kubernetes: `1.36`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<String>,
    /// Namespace, on Kubernetes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Zones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub zones: Vec<String>,
    /// What runs, by name.
    pub workloads: BTreeMap<String, Workload>,
    /// All connections that are allowed, sorted.
    pub flows: Vec<Connection>,
}

/// Something that runs.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Workload {
    /// What it is: a kind of Kubernetes, `managed` where an operator makes its pods, or `service`, `job`, `scheduled`.
    pub kind: String,
    /// Its component.
    pub component: String,
    /// The zone of the network that it stands in.
    pub zone: String,
    /// The labels by which its pods are found.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Whether it is in the mesh.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mesh: bool,
    /// The least replicas.
    pub replicas: u64,
    /// How many of them must run for it to work.
    pub quorum: u64,
}

/// A connection that is allowed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Connection {
    /// Who connects: a workload, `gateway`, `outside`, `machines` (the hosts themselves), a namespace, or `*` for all.
    pub from: String,
    /// What is connected to: a workload, `gateway`, `outside`, `kubernetes-api`, `dns` or `mesh`.
    pub to: String,
    /// The host outside, if one is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The port; any, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// What is spoken.
    pub protocol: String,
    /// Why it is allowed.
    pub reason: String,
    /// What encrypts it: `tls`, `mesh` (mutual TLS of the mesh), `overlay` (the network between machines) or `clear`; absent
    /// where that is decided outside of the platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,
    /// The certificate that is shown by what is connected to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// Whether it never leaves one machine.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub local: bool,
    /// Why it is not encrypted, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clear: Option<String>,
    /// What whoever connects proves its identity with: one of them where there are several, nothing if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authentication: Vec<Proof>,
}

/// What whoever connects shows.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Proof {
    /// What it is.
    pub kind: ProofKind,
    /// Name of the secret, of the certificate, or of the identity in the mesh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// What an identity is proved with.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum ProofKind {
    /// A password or key.
    Password,
    /// A token.
    Token,
    /// A certificate.
    Certificate,
    /// The identity that the mesh gives a workload.
    Identity,
    /// What people or programs outside log in with.
    Login,
}

impl Proof {
    /// Makes one.
    pub(super) fn new(kind: ProofKind, name: &str) -> Self {
        Self {
            kind,
            name: Some(name.to_owned()),
        }
    }

    /// The log-in of whoever comes from outside.
    pub(super) fn login() -> Self {
        Self {
            kind: ProofKind::Login,
            name: None,
        }
    }
}

impl Connection {
    /// Says whether nothing but a redirection to HTTPS is answered.
    fn redirects(&self) -> bool {
        self.reason == REDIRECT
    }

    /// Makes one of which nothing is known but its ends.
    pub(super) fn new(from: &str, to: &str, protocol: &str, reason: &str) -> Self {
        Self {
            from: from.to_owned(),
            to: to.to_owned(),
            host: None,
            port: None,
            protocol: protocol.to_owned(),
            reason: reason.to_owned(),
            encryption: None,
            certificate: None,
            local: false,
            clear: None,
            authentication: Vec::new(),
        }
    }
}

/// Adds the list of a platform and its page to a bundle.
pub(super) fn add(platform: &Platform, list: FlowList, files: &mut Files) {
    let place = &platform.environment.place;
    let mut text =
        serde_json::to_string_pretty(&list).expect("the list has text keys and no failing parts");
    text.push('\n');
    files.add(FILE, text, false, place);
    files.add(PAGE, page::render(platform, &list), false, place);
}

/// Why a port of the proxy is open on which nothing but a redirection is answered.
const REDIRECT: &str = "sends browsers on to HTTPS";

/// Makes the list of a platform on an engine.
pub(super) fn docker(platform: &Platform) -> FlowList {
    let mut list = common(platform, |service| match service.kind {
        Kind::Stateless | Kind::Stateful => "service",
        Kind::Job { .. } | Kind::OnDemand { .. } => "job",
        Kind::Scheduled { .. } => "scheduled",
    });
    let here = platform.is_on_this_machine();
    for service in &platform.services {
        for port in service.ports.values() {
            let Some((listen, door)) = platform.door(port) else {
                continue;
            };
            let mut flow =
                Connection::new(OUTSIDE, &service.name, port.protocol.word(), "published");
            flow.port = Some(listen);
            flow.local = here;
            match door {
                Door::Redirect => flow.reason = REDIRECT.to_owned(),
                Door::Tls | Door::Clear => flow.authentication = vec![Proof::login()],
            }
            flow.encryption = Some(match door {
                Door::Tls => Encryption::Tls,
                Door::Redirect | Door::Clear => Encryption::Clear,
            });
            flow.certificate = (door == Door::Tls).then(|| PUBLIC.to_owned());
            list.flows.push(flow);
        }
    }
    if let Some((server, _)) = &platform.environment.storage.nfs {
        let volumes: BTreeSet<&str> = platform
            .volumes_on(StorageKind::Nfs)
            .map(|volume| volume.name.as_str())
            .collect();
        if !volumes.is_empty() {
            let volumes: Vec<&str> = volumes.into_iter().collect();
            let reason = format!("volumes {}", volumes.join(", "));
            let mut flow = Connection::new(MACHINES, OUTSIDE, "nfs", &reason);
            flow.host = Some(server.clone());
            flow.port = Some(NFS);
            flow.encryption = Some(Encryption::Clear);
            list.flows.push(flow);
        }
    }
    list.flows.sort();
    list
}

/// Makes what the list of any target has: workloads, and the connections between them and to the outside.
pub(super) fn common(platform: &Platform, kind: impl Fn(&Service) -> &'static str) -> FlowList {
    let environment = &platform.environment;
    let services = &platform.services;
    let workloads = services.iter().map(|service| {
        let component = platform.component_of(service);
        let workload = Workload {
            kind: kind(service).to_owned(),
            component: component.name.clone(),
            zone: component.zone.word().to_owned(),
            labels: BTreeMap::new(),
            mesh: false,
            replicas: service.replicas.min,
            quorum: service.quorum,
        };
        (service.name.clone(), workload)
    });
    let dependents = platform
        .flows
        .iter()
        .filter_map(|flow| flow.secret.as_deref())
        .collect();
    let mut flows: Vec<Connection> = platform
        .flows
        .iter()
        .filter_map(|flow| between(platform, flow, &dependents))
        .collect();
    for service in services {
        let Some(egress) = &service.egress else {
            continue;
        };
        let outside = Connection::new(&service.name, OUTSIDE, "tcp", &egress.why);
        if egress.hosts.is_empty() {
            flows.push(outside.clone());
        }
        flows.extend(egress.hosts.iter().map(|(host, port)| Connection {
            host: Some(host.clone()),
            port: Some(*port),
            encryption: (*port == HTTPS).then_some(Encryption::Tls),
            ..outside.clone()
        }));
    }
    FlowList {
        schema: SCHEMA,
        platform: platform.name.clone(),
        environment: environment.name.clone(),
        target: environment.target.word().to_owned(),
        kubernetes: None,
        namespace: None,
        zones: environment.zones.clone(),
        workloads: workloads.collect(),
        flows,
    }
}

/// Describes a connection between two services; none to a port that is not there. `dependents` are the secrets of needs.
fn between(platform: &Platform, flow: &Flow, dependents: &BTreeSet<&str>) -> Option<Connection> {
    let (from, to) = (&platform.services[flow.from], &platform.services[flow.to]);
    let port = to.ports.get(&flow.port)?;
    let reason = match &flow.reason {
        FlowReason::Need(need) => format!("need {need}"),
        FlowReason::Proxy => "proxy".to_owned(),
        FlowReason::Peer => "peer".to_owned(),
        FlowReason::Metrics => "metrics".to_owned(),
        FlowReason::Traces => TRACES.to_owned(),
    };
    let mut connection = Connection::new(&from.name, &to.name, port.protocol.word(), &reason);
    connection.port = Some(port.number);
    connection.encryption = Some(flow.encryption);
    connection.local = platform.is_local(flow);
    if flow.encryption == Encryption::Tls {
        let certificate: Option<&Certificate> = platform.certificate_of(to);
        connection.certificate = certificate.map(|certificate| certificate.name.clone());
    }
    if flow.encryption == Encryption::Clear {
        connection.clear = port.clear.clone();
    }
    connection.authentication = proofs(platform, flow, dependents);
    Some(connection)
}

/// Why the mesh connects to what collects traces.
pub(super) const TRACES: &str = "traces of the mesh";

/// Lists what whoever connects shows to whom it connects to.
fn proofs(platform: &Platform, flow: &Flow, dependents: &BTreeSet<&str>) -> Vec<Proof> {
    let (from, to) = (&platform.services[flow.from], &platform.services[flow.to]);
    let mutual = to.ports.get(&flow.port).is_some_and(|port| port.mutual);
    let mut proofs = BTreeSet::new();
    if flow.encryption == Encryption::Mesh {
        proofs.insert(Proof::new(ProofKind::Identity, from.account()));
    }
    if mutual && flow.encryption == Encryption::Tls {
        let certificate = platform.certificate_of(from);
        proofs.extend(
            certificate.map(|certificate| Proof::new(ProofKind::Certificate, &certificate.name)),
        );
    }
    match &flow.reason {
        FlowReason::Need(_) => {
            proofs.extend(
                flow.secret
                    .iter()
                    .map(|secret| Proof::new(ProofKind::Password, secret)),
            );
        }
        FlowReason::Proxy => {
            // The proxy shows nothing of its own: it hands on what whoever comes from outside shows.
            if !platform.component_of(to).accounts.is_empty() {
                proofs.insert(Proof::login());
            }
        }
        FlowReason::Peer if mutual => {}
        FlowReason::Peer => {
            // Passwords of users of the component's own; those of its dependents are handed out, not shown.
            let own = format!("{}-", platform.component_of(from).name);
            let shown = platform.secrets.iter().filter(|secret| {
                secret.user.is_some()
                    && secret.name.starts_with(&own)
                    && from.secrets.contains(&secret.name)
                    && !dependents.contains(secret.name.as_str())
            });
            proofs.extend(shown.map(|secret| Proof::new(ProofKind::Password, &secret.name)));
        }
        // What asks whether something answers shows nothing.
        FlowReason::Metrics if platform.collectors.metrics != Some(flow.from) => {}
        FlowReason::Metrics => {
            let scrapes = to.scrapes.iter().filter(|scrape| scrape.port == flow.port);
            proofs.extend(scrapes.filter_map(|scrape| match scrape.auth.as_ref()? {
                ScrapeAuth::Bearer(secret) => Some(Proof::new(ProofKind::Token, secret)),
                ScrapeAuth::Basic { secret, .. } => Some(Proof::new(ProofKind::Password, secret)),
            }));
        }
        FlowReason::Traces => {}
    }
    proofs.into_iter().collect()
}
