//! The cluster inside a service: objects of the components that run there, on targets that have no cluster.
//!
//! It is one machine without a mesh and without a gateway. What runs in it reaches services outside by their names, each
//! at an address that the target gives it, and is reached at ports of the machine that the cluster is.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use k8s_openapi::api::core::v1::{Service as KubeService, ServicePort, ServiceSpec};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::object::Object;
use super::{Context, config, identity, network_policy, service, storage, workload};
use super::{foreign, namespace, text};
use crate::backend::order::Order;
use crate::names;
use crate::platform::{Flow, Platform, Service};
use crate::terms::Publish;

/// What lies around a cluster.
#[derive(Default)]
pub(in crate::backend) struct Outside {
    /// The services that something in the cluster connects to, by position.
    pub(in crate::backend) reached: BTreeMap<usize, Reached>,
    /// Ranges that connections come from, by the service that connects and the one it connects to.
    pub(in crate::backend) sources: BTreeMap<(usize, usize), String>,
}

/// A service outside a cluster.
#[derive(Default)]
pub(in crate::backend) struct Reached {
    /// Its names, each with its address. Without one the service that has the cluster finds out by itself.
    pub(in crate::backend) names: Vec<(String, Option<Ipv4Addr>)>,
    /// Ranges in which all of its addresses are.
    pub(in crate::backend) ranges: Vec<String>,
}

impl Outside {
    /// Returns the ranges of a connection's end that is outside.
    pub(super) fn ranges(&self, flow: &Flow, end: usize) -> impl Iterator<Item = String> {
        let (source, reached) = if end == flow.from {
            (self.sources.get(&(flow.from, flow.to)), None)
        } else {
            (None, self.reached.get(&end))
        };
        let ranges = reached.into_iter().flat_map(|reached| &reached.ranges);
        source.into_iter().chain(ranges).cloned()
    }
}

/// Makes the objects of everything that runs in a service's cluster: names of files without their ending, and texts.
///
/// The names never change: the cluster takes away what is gone from a file, but not what was in a file that is gone.
pub(in crate::backend) fn embedded(
    platform: &Platform,
    host: usize,
    outside: &Outside,
) -> Vec<(String, String)> {
    let Some(hosted) = &platform.services[host].hosts else {
        return Vec::new();
    };
    let context = Context {
        outside: Some((host, outside)),
        ..Context::new(platform, &hosted.cluster)
    };
    let mut files = vec![
        ("00-namespace".to_owned(), vec![namespace(&context)]),
        (
            "10-network-policies".to_owned(),
            network_policy::platform(&context),
        ),
        ("20-outside".to_owned(), neighbours(&context, outside)),
    ];
    let order = Order::new(platform);
    let mut guests: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (at, service) in platform.guests(host) {
        guests.entry(service.component).or_default().push(at);
    }
    for (component, mut services) in guests {
        services.sort_by_key(|at| order.within[*at]);
        let of_component: Vec<&Service> = services.iter().map(|at| context.service(*at)).collect();
        let content = &platform.components[component];
        let mut objects = storage::claims(&context, content, &of_component);
        for object in &content.objects {
            objects.push(foreign(&context, component, &object.content));
        }
        for at in services {
            let service = context.service(at);
            objects.extend(identity::objects(&context, service));
            objects.extend(config::maps(&context, service));
            objects.extend(service::objects(&context, service));
            objects.extend(entrance(&context, at));
            objects.extend(network_policy::service(&context, at));
            objects.extend(workload::object(&context, at));
        }
        files.push((format!("30-{}", content.name), objects));
    }
    files.retain(|(_, objects)| !objects.is_empty());
    files
        .into_iter()
        .map(|(name, objects)| (name, text(&objects)))
        .collect()
}

/// Makes names in the cluster for services outside: a Service that selects no pods, and where it leads if that is known.
fn neighbours(context: &Context<'_>, outside: &Outside) -> Vec<Object> {
    let mut objects = Vec::new();
    for (at, reached) in &outside.reached {
        let service = context.service(*at);
        let used: BTreeSet<&str> = context
            .incoming(*at)
            .filter(|flow| context.is_here(flow.from))
            .map(|flow| flow.port.as_str())
            .collect();
        let ports = || {
            let ports = service.ports.iter();
            ports.filter(|(name, _)| used.contains(name.as_str()))
        };
        for (name, address) in &reached.names {
            let mut labels = context.platform_labels();
            objects.push(Object::new(&KubeService {
                metadata: context.meta(name, labels.clone()),
                spec: Some(ServiceSpec {
                    // Its name leads to the address itself: nothing has to be translated on the way.
                    cluster_ip: Some("None".to_owned()),
                    ports: Some(
                        ports()
                            .map(|(name, port)| service::port(name, port))
                            .collect(),
                    ),
                    ..ServiceSpec::default()
                }),
                ..KubeService::default()
            }));
            let Some(address) = address else {
                continue;
            };
            labels.insert("kubernetes.io/service-name".to_owned(), name.clone());
            labels.insert(
                "endpointslice.kubernetes.io/managed-by".to_owned(),
                "lakewright".to_owned(),
            );
            objects.push(Object::new(&EndpointSlice {
                metadata: context.meta(name, labels),
                address_type: "IPv4".to_owned(),
                endpoints: vec![Endpoint {
                    addresses: vec![address.to_string()],
                    conditions: Some(EndpointConditions {
                        ready: Some(true),
                        ..EndpointConditions::default()
                    }),
                    ..Endpoint::default()
                }],
                ports: Some(
                    ports()
                        .map(|(name, port)| EndpointPort {
                            name: Some(names::port(name)),
                            port: Some(i32::from(port.number)),
                            protocol: Some("TCP".to_owned()),
                            app_protocol: Some(port.protocol.word().to_owned()),
                        })
                        .collect(),
                ),
            }));
        }
    }
    objects
}

/// Opens the ports of a service that are reached from outside, under their own numbers on the machine.
fn entrance(context: &Context<'_>, at: usize) -> Option<Object> {
    let service = context.service(at);
    let reached: BTreeSet<&str> = context
        .incoming(at)
        .filter(|flow| !context.is_here(flow.from))
        .map(|flow| flow.port.as_str())
        .collect();
    let ports: Vec<ServicePort> = service
        .ports
        .iter()
        .filter(|(name, port)| {
            reached.contains(name.as_str()) || port.publish == Some(Publish::Host)
        })
        .map(|(name, port)| ServicePort {
            node_port: Some(i32::from(port.number)),
            target_port: Some(IntOrString::String(names::port(name))),
            ..service::port(name, port)
        })
        .collect();
    (!ports.is_empty()).then(|| {
        Object::new(&KubeService {
            metadata: context.meta(
                format!("{}-outside", service.name),
                context.service_labels(service),
            ),
            spec: Some(ServiceSpec {
                type_: Some("NodePort".to_owned()),
                // Policies see who really connects.
                external_traffic_policy: Some("Local".to_owned()),
                selector: Some(context.selector(service)),
                ports: Some(ports),
                ..ServiceSpec::default()
            }),
            ..KubeService::default()
        })
    })
}
