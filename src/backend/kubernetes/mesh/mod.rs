//! The mesh: who is who, who may talk to whom, and how connections are made.
//!
//! Pods prove who they are by the certificate of their service account, and only declared connections are answered. So
//! each is checked twice, by address (NetworkPolicy) and by identity (AuthorizationPolicy), and nothing but ports and
//! identities is looked at, which is the same for databases as for the web.

mod model;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use model::{
    AccessFrom, AccessLogging, AccessRule, AccessTo, AuthorizationPolicy, Condition,
    ConnectionPool, ConsistentHash, Cookie, CookieAttribute, DestinationRule, EntryPort, JwtRule,
    LoadBalancer, Locality, Matching, Mode, Operation, OutlierDetection, PeerAuthentication,
    Provider, RequestAuthentication, ServiceEntry, Sidecar, SidecarEgress, Source, TargetRef,
    TcpPool, Telemetry, Tracing, TrafficPolicy, WorkloadSelector,
};

use super::network_policy::target_port;
use super::object::{Custom, Object, Pairs};
use super::{Context, gateway, tracing};
use crate::platform::Service;

/// API versions of the mesh's objects.
pub(super) const NETWORKING: &str = "networking.istio.io/v1";
pub(super) const SECURITY: &str = "security.istio.io/v1";
const TELEMETRY: &str = "telemetry.istio.io/v1";

/// The name of what holds for all pods of the namespace.
const DEFAULT: &str = "default";

/// The Kubernetes API, as the mesh knows it.
const API_HOST: &str = "default/kubernetes.default.svc.cluster.local";

/// Up to this number of replicas all of them may be put aside at once: the mesh's own tenth would be none.
const FEW_REPLICAS: u64 = 3;

/// Says whether the pods of a service are in the mesh.
pub(super) fn is_member(context: &Context<'_>, service: &Service) -> bool {
    context.cluster.mesh && service.managed.as_ref().is_none_or(|managed| managed.mesh)
}

/// Returns the identity of a service account. The mesh reads `cluster.local` as its own trust domain, whatever its name.
pub(super) fn principal(context: &Context<'_>, account: &str) -> String {
    format!(
        "cluster.local/ns/{}/sa/{account}",
        context.cluster.namespace
    )
}

/// Returns the full name of a Service of the namespace, by which the mesh knows it.
pub(super) fn host(context: &Context<'_>, service: &Service) -> String {
    format!(
        "{}.{}.svc.cluster.local",
        service.host(),
        context.cluster.namespace
    )
}

/// Makes what holds for all pods of the namespace, and what makes hosts outside known.
pub(super) fn platform(context: &Context<'_>) -> Vec<Object> {
    if !context.cluster.mesh {
        return Vec::new();
    }
    let meta = |name: &str| context.meta(name, context.platform_labels());
    let mut objects = vec![
        Custom::object(
            SECURITY,
            "PeerAuthentication",
            meta(DEFAULT),
            PeerAuthentication {
                selector: None,
                mtls: Mode { mode: "STRICT" },
                port_level_mtls: BTreeMap::new(),
            },
        ),
        // One without rules allows nothing, so it refuses what no other allows.
        Custom::object(
            SECURITY,
            "AuthorizationPolicy",
            meta("default-deny"),
            AuthorizationPolicy::default(),
        ),
        Custom::object(
            NETWORKING,
            "Sidecar",
            meta(DEFAULT),
            sidecar(context, None, Vec::new(), false),
        ),
        Custom::object(
            TELEMETRY,
            "Telemetry",
            meta(DEFAULT),
            Telemetry {
                selector: None,
                access_logging: vec![AccessLogging {
                    providers: vec![Provider {
                        name: "envoy".to_owned(),
                    }],
                }],
                tracing: vec![tracing(context)],
            },
        ),
    ];
    objects.extend(outside(context));
    objects
}

/// Says where the mesh reports what passes through it, and how much of it. Where the platform collects no traces, that is
/// chosen for the mesh as a whole (`defaultProviders`).
fn tracing(context: &Context<'_>) -> Tracing {
    match &context.platform.traces {
        Some(traces) => Tracing {
            providers: vec![Provider {
                name: tracing::provider(context),
            }],
            random_sampling_percentage: Some(traces.sampling),
            disable_span_reporting: false,
        },
        None => Tracing {
            providers: Vec::new(),
            random_sampling_percentage: Some(1),
            disable_span_reporting: false,
        },
    }
}

/// Makes each host outside known, once, with all ports that somebody reaches it on.
fn outside(context: &Context<'_>) -> Vec<Object> {
    let mut hosts: BTreeMap<String, BTreeSet<u16>> = BTreeMap::new();
    for service in &context.platform.services {
        for (host, port) in service.egress.iter().flat_map(|egress| &egress.hosts) {
            hosts.entry(host.clone()).or_default().insert(*port);
        }
    }
    hosts
        .into_iter()
        .map(|(host, ports)| {
            let address = host.parse::<Ipv4Addr>().ok();
            let entry = ServiceEntry {
                hosts: vec![entry_host(&host)],
                addresses: address.iter().map(Ipv4Addr::to_string).collect(),
                location: "MESH_EXTERNAL",
                resolution: if address.is_some() { "NONE" } else { "DNS" },
                ports: ports
                    .into_iter()
                    .map(|number| {
                        // Names are told apart in what is sent, addresses on the way.
                        let (name, protocol) = match (number, address) {
                            (80, None) => ("http", "HTTP"),
                            (443, None) => ("tls", "TLS"),
                            _ => ("tcp", "TCP"),
                        };
                        EntryPort {
                            number,
                            name: format!("{name}-{number}"),
                            protocol,
                        }
                    })
                    .collect(),
                export_to: vec!["."],
            };
            let meta = context.meta(host, context.platform_labels());
            Custom::object(NETWORKING, "ServiceEntry", meta, entry)
        })
        .collect()
}

/// Returns the name by which the mesh knows a host outside; an address, which has none, gets one.
fn entry_host(host: &str) -> String {
    match host.parse::<Ipv4Addr>() {
        Ok(address) => format!("{}.address.invalid", address.to_string().replace('.', "-")),
        Err(_) => host.to_owned(),
    }
}

/// Makes what the mesh must know of a service: who may connect to it, how that is done, and what it reaches outside.
pub(super) fn service(context: &Context<'_>, at: usize) -> Vec<Object> {
    let service = context.service(at);
    let mut objects = Vec::new();
    if !context.cluster.mesh {
        return objects;
    }
    let meta = || context.meta(&service.name, context.service_labels(service));
    let selector = || Matching {
        match_labels: context.selector(service),
    };
    let member = is_member(context, service);
    if member {
        let access = access(context, at);
        let open: BTreeMap<u16, Mode> = access
            .iter()
            .filter(|(_, callers)| callers.strangers)
            .map(|(port, _)| (*port, Mode { mode: "PERMISSIVE" }))
            .collect();
        let provider = context.platform.identity.provider.as_ref();
        let claim = provider.map_or("", |provider| &provider.groups_claim);
        let fronted = access.values().any(|callers| callers.front.is_some());
        if let Some(provider) = provider.filter(|_| fronted) {
            let authentication = RequestAuthentication {
                selector: Some(selector()),
                jwt_rules: vec![JwtRule {
                    issuer: provider.issuer.clone(),
                    forward_original_token: true,
                }],
            };
            objects.push(Custom::object(
                SECURITY,
                "RequestAuthentication",
                meta(),
                authentication,
            ));
        }
        if !access.is_empty() {
            let policy = AuthorizationPolicy {
                selector: Some(selector()),
                action: Some("ALLOW"),
                rules: access
                    .into_iter()
                    .flat_map(|rule| access_rules(rule, claim))
                    .collect(),
                ..AuthorizationPolicy::default()
            };
            objects.push(Custom::object(
                SECURITY,
                "AuthorizationPolicy",
                meta(),
                policy,
            ));
        }
        if !open.is_empty() {
            let authentication = PeerAuthentication {
                selector: Some(selector()),
                mtls: Mode { mode: "STRICT" },
                port_level_mtls: open,
            };
            objects.push(Custom::object(
                SECURITY,
                "PeerAuthentication",
                meta(),
                authentication,
            ));
        }
        // Its own spans would be about spans.
        let carries = context
            .platform
            .traces
            .as_ref()
            .is_some_and(|traces| traces.carriers.contains(&service.component));
        if carries {
            let telemetry = Telemetry {
                selector: Some(selector()),
                access_logging: Vec::new(),
                tracing: vec![Tracing {
                    providers: Vec::new(),
                    random_sampling_percentage: None,
                    disable_span_reporting: true,
                }],
            };
            objects.push(Custom::object(TELEMETRY, "Telemetry", meta(), telemetry));
        }
        let hosts = outside_hosts(service);
        let anything = service
            .egress
            .as_ref()
            .is_some_and(|egress| egress.hosts.is_empty());
        if anything || !hosts.is_empty() {
            let sidecar = sidecar(context, Some(context.selector(service)), hosts, anything);
            objects.push(Custom::object(NETWORKING, "Sidecar", meta(), sidecar));
        }
    }
    if context.incoming(at).next().is_some() || !gateway::published(context, at).is_empty() {
        let rule = DestinationRule {
            host: host(context, service),
            traffic_policy: if member {
                traffic_policy(context, at)
            } else {
                // Outside the mesh no sidecar ends a connection: what is not plain is encrypted by the programs.
                TrafficPolicy {
                    connection_pool: None,
                    load_balancer: None,
                    outlier_detection: None,
                    tls: Mode { mode: "DISABLE" },
                }
            },
        };
        objects.push(Custom::object(NETWORKING, "DestinationRule", meta(), rule));
    }
    objects
}

/// Who may connect to a port.
#[derive(Default)]
struct Callers {
    /// Members of the mesh, by their identity.
    principals: BTreeSet<String>,
    /// Whether some of them are outside the mesh and have none. Only the NetworkPolicy tells those from others.
    strangers: bool,
    /// What logs people in before a page, by its identity: it shows who somebody is, and only some groups may.
    front: Option<(String, Vec<String>)>,
}

/// Returns who may connect to each port of a service.
fn access(context: &Context<'_>, at: usize) -> BTreeMap<u16, Callers> {
    let mut access: BTreeMap<u16, Callers> = BTreeMap::new();
    let mut allow = |port: u16, account: Option<&str>| {
        let callers = access.entry(port).or_default();
        match account {
            Some(account) => {
                callers.principals.insert(principal(context, account));
            }
            None => callers.strangers = true,
        }
    };
    let mut fronts = Vec::new();
    for flow in context.incoming(at) {
        let from = context.service(flow.from);
        if let Some(port) = target_port(context, flow) {
            match admitted(context, at, from) {
                Some(groups) => fronts.push((port, principal(context, from.account()), groups)),
                None => allow(port, is_member(context, from).then(|| from.account())),
            }
        }
    }
    let at_gateway = gateway::published(context, at);
    for port in at_gateway
        .into_iter()
        .chain(tracing::gateway_port(context, at))
    {
        allow(port, Some(&gateway::account(context)));
    }
    // Operators run where the cluster's administrators put them: whether in the mesh is not known.
    let managed = context.service(at).managed.as_ref();
    for (namespace, ports) in managed.iter().filter_map(|it| it.operator.as_ref()) {
        for port in ports {
            let callers = access.entry(*port).or_default();
            callers.strangers = true;
            let anybody = format!("cluster.local/ns/{namespace}/*");
            callers.principals.insert(anybody);
        }
    }
    for (port, principal, groups) in fronts {
        access.entry(port).or_default().front = Some((principal, groups));
    }
    access
}

/// Returns the groups that something which logs people in may let through to a page; none where it is no such thing, or
/// nobody outside the platform vouches for who somebody is.
fn admitted(context: &Context<'_>, at: usize, from: &Service) -> Option<Vec<String>> {
    let platform = context.platform;
    platform.identity.provider.as_ref()?;
    let people = platform.component_of(context.service(at)).people.as_ref()?;
    let front = people.front.as_ref()?;
    if *front != platform.component_of(from).name || !is_member(context, from) {
        return None;
    }
    Some(people.admitted.clone()).filter(|groups| !groups.is_empty())
}

/// Makes the rules of a port; `claim` is what lists a person's groups.
fn access_rules((port, mut callers): (u16, Callers), claim: &str) -> Vec<AccessRule> {
    let front = callers.front.take();
    let mut rules = Vec::new();
    if !callers.principals.is_empty() || callers.strangers {
        rules.push(access_rule((port, callers)));
    }
    rules.extend(front.map(|(principal, groups)| {
        let callers = Callers {
            principals: BTreeSet::from([principal]),
            ..Callers::default()
        };
        AccessRule {
            when: vec![Condition {
                key: format!("request.auth.claims[{claim}]"),
                values: groups,
            }],
            ..access_rule((port, callers))
        }
    }));
    rules
}

fn access_rule((port, callers): (u16, Callers)) -> AccessRule {
    let mut from = Vec::new();
    if !callers.principals.is_empty() {
        from.push(AccessFrom {
            source: Source {
                principals: callers.principals,
                ..Source::default()
            },
        });
    }
    if callers.strangers {
        // Without any identity: members of the mesh that are not declared stay out.
        from.push(AccessFrom {
            source: Source {
                not_principals: vec!["*"],
                ..Source::default()
            },
        });
    }
    AccessRule {
        from,
        to: vec![AccessTo {
            operation: Operation {
                ports: vec![port.to_string()],
            },
        }],
        when: Vec::new(),
    }
}

/// Makes the policy of the gateway: everybody may come to its ports, which the namespace's default refuses.
pub(super) fn gateway(context: &Context<'_>) -> Option<Object> {
    if !gateway::exists(context) {
        return None;
    }
    let ports = gateway::listens(context);
    // A gateway of the Gateway API is named by reference: selectors are for pods that are not deployed from it.
    let reference = gateway::reference(context);
    let policy = AuthorizationPolicy {
        selector: reference.is_none().then(|| Matching {
            match_labels: gateway::pods(context),
        }),
        target_refs: reference
            .map(|name| TargetRef {
                group: "gateway.networking.k8s.io",
                kind: "Gateway",
                name,
            })
            .into_iter()
            .collect(),
        action: Some("ALLOW"),
        rules: vec![AccessRule {
            from: Vec::new(),
            to: vec![AccessTo {
                operation: Operation {
                    ports: ports.iter().map(u16::to_string).collect(),
                },
            }],
            when: Vec::new(),
        }],
    };
    let meta = context.meta(gateway::account(context), context.platform_labels());
    Some(Custom::object(
        SECURITY,
        "AuthorizationPolicy",
        meta,
        policy,
    ))
}

/// Returns the hosts beyond the namespace that a service reaches, as sidecars name them.
fn outside_hosts(service: &Service) -> Vec<String> {
    let egress = service.egress.iter().flat_map(|egress| &egress.hosts);
    let mut hosts: BTreeSet<String> = egress
        .map(|(host, _)| format!("./{}", entry_host(host)))
        .collect();
    if service.cluster_api.is_some() {
        hosts.insert(API_HOST.to_owned());
    }
    hosts.into_iter().collect()
}

/// Makes what a sidecar knows: the namespace's own Services, those of the mesh, and the hosts that are given. What it
/// does not know it refuses, unless anything may be reached.
fn sidecar(
    context: &Context<'_>,
    pods: Option<Pairs>,
    hosts: Vec<String>,
    anything: bool,
) -> Sidecar {
    let namespace = &context.cluster.namespace;
    let own = [
        format!("./*.{namespace}.svc.cluster.local"),
        "istio-system/*".to_owned(),
    ];
    Sidecar {
        workload_selector: pods.map(|labels| WorkloadSelector { labels }),
        egress: vec![SidecarEgress {
            hosts: own.into_iter().chain(hosts).collect(),
        }],
        outbound_traffic_policy: Mode {
            mode: if anything {
                "ALLOW_ANY"
            } else {
                "REGISTRY_ONLY"
            },
        },
    }
}

/// Makes how connections to a service of the mesh are spread.
fn traffic_policy(context: &Context<'_>, at: usize) -> TrafficPolicy {
    let service = context.service(at);
    let several = service.replicas.max > 1;
    let endpoints = &context.platform.endpoints;
    let sticky = endpoints
        .iter()
        .any(|endpoint| endpoint.service == at && endpoint.sticky);
    let load_balancer = several.then(|| LoadBalancer {
        // The Gateway API has no settled word for sessions yet; this one serves both APIs.
        consistent_hash: sticky.then(|| ConsistentHash {
            http_cookie: Cookie {
                name: format!("{}-replica", service.name),
                path: "/",
                // As long as the browser is open.
                ttl: "0s",
                attributes: vec![
                    CookieAttribute {
                        name: "HttpOnly",
                        value: None,
                    },
                    CookieAttribute {
                        name: "SameSite",
                        value: Some("Lax"),
                    },
                    CookieAttribute {
                        name: "Secure",
                        value: None,
                    },
                ],
            },
        }),
        // A session stays with its replica from whatever zone the gateway's pod sees it.
        locality_lb_setting: Locality {
            enabled: !sticky,
            failover_priority: if sticky {
                Vec::new()
            } else {
                vec![
                    "topology.kubernetes.io/region",
                    "topology.kubernetes.io/zone",
                ]
            },
        },
    });
    TrafficPolicy {
        connection_pool: Some(ConnectionPool {
            tcp: TcpPool {
                connect_timeout: "5s",
            },
        }),
        load_balancer,
        // Without it, nothing would fail over from one zone to another.
        outlier_detection: several.then_some(OutlierDetection {
            // A replica that answers 500 may be well and its caller wrong, and the same query would put one replica after
            // the other aside. One that cannot be reached, or says so, is not well: that counts, for TCP too.
            consecutive_5xx_errors: 0,
            consecutive_gateway_errors: 5,
            interval: "10s",
            base_ejection_time: "30s",
            max_ejection_percent: if service.replicas.max <= FEW_REPLICAS {
                100
            } else {
                50
            },
        }),
        tls: Mode {
            mode: "ISTIO_MUTUAL",
        },
    }
}
