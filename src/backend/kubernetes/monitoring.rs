//! Monitoring: what the Prometheus operator's custom resources say of scrapes, probes and rules.
//!
//! They are made only where a component collects metrics. What comes of them bears the same labels as on the other targets,
//! since the same rules and dashboards read it: the operator's own labels are taken off again.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    SecretKeySelector, Service as KubeService, ServicePort, ServiceSpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde::Serialize;

use super::object::{Custom, Object, Pairs};
use super::{Context, mesh, service};
use crate::names;
use crate::observe::rules::{All, Group};
use crate::observe::scrape::{HOST, PROBE};
use crate::platform::scrape::{Scrape, ScrapeAuth, WebProbe};
use crate::platform::{Component, Service, members_of};

/// The API version of the operator's objects.
const V1: &str = "monitoring.coreos.com/v1";

/// What the collector calls scrapes of members of the mesh: it shows them the certificates that its sidecar writes.
const MESH_CLASS: &str = "mesh";

/// Labels that the operator gives every series, and no other target does.
const FOREIGN: &str = "container|endpoint|namespace|pod";

/// How people name a connection that is encrypted, and one that is not.
const HTTPS: &str = "https";
const HTTP: &str = "http";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ServiceMonitor {
    #[serde(skip_serializing_if = "Option::is_none")]
    scrape_class: Option<&'static str>,
    selector: Matching,
    endpoints: Vec<Endpoint>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Matching {
    match_labels: Pairs,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Endpoint {
    port: String,
    path: String,
    scheme: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    interval: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    params: BTreeMap<String, Vec<String>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    honor_labels: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization: Option<Authorization>,
    #[serde(skip_serializing_if = "Option::is_none")]
    basic_auth: Option<BasicAuth>,
    relabelings: Vec<Relabeling>,
}

/// A token, of the type `Bearer`.
#[derive(Serialize)]
struct Authorization {
    credentials: SecretKeySelector,
}

#[derive(Serialize)]
struct BasicAuth {
    username: SecretKeySelector,
    password: SecretKeySelector,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Probe {
    job_name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    scrape_class: Option<&'static str>,
    module: String,
    prober: Prober,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    params: Vec<Param>,
    targets: Targets,
}

#[derive(Serialize)]
struct Prober {
    url: String,
    path: String,
    scheme: &'static str,
}

#[derive(Serialize)]
struct Param {
    name: &'static str,
    values: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Targets {
    static_config: StaticConfig,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StaticConfig {
    #[serde(rename = "static")]
    targets: Vec<String>,
    labels: Pairs,
    relabeling_configs: Vec<Relabeling>,
}

#[derive(Serialize)]
struct PrometheusRule {
    groups: Vec<Group>,
}

/// What is done to the labels of what was found.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Relabeling {
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    source_labels: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    regex: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replacement: Option<String>,
}

impl Relabeling {
    /// Gives a label a value.
    fn set(label: &str, value: &str) -> Self {
        Self {
            target_label: Some(label.to_owned()),
            // A `$` stands for a part of what was matched.
            replacement: Some(value.replace('$', "$$")),
            ..Self::default()
        }
    }

    /// Gives a label a value that another is part of, as `$1`.
    fn from(source: &'static str, label: &str, value: String) -> Self {
        Self {
            source_labels: vec![source],
            target_label: Some(label.to_owned()),
            replacement: Some(value),
            ..Self::default()
        }
    }
}

/// Says whether something in this cluster scrapes.
fn is_watched(context: &Context<'_>) -> bool {
    context.platform.collectors.metrics.is_some() && !context.is_embedded()
}

/// Makes what tells the collector to scrape a service, if it is scraped.
pub(super) fn service(context: &Context<'_>, service: &Service) -> Vec<Object> {
    if !is_watched(context) || service.scrapes.is_empty() {
        return Vec::new();
    }
    let found_as = found_as(service);
    let mut objects = Vec::new();
    if !service.is_ours() {
        objects.push(own_name(context, service, &found_as));
    }
    let endpoints = service
        .scrapes
        .iter()
        .map(|scrape| endpoint(context, service, scrape, &found_as));
    let monitor = ServiceMonitor {
        scrape_class: mesh::is_member(context, service).then_some(MESH_CLASS),
        selector: Matching {
            match_labels: context.lasting(service),
        },
        endpoints: endpoints.collect(),
    };
    let meta = context.meta(&service.name, context.service_labels(service));
    objects.push(Custom::object(V1, "ServiceMonitor", meta, monitor));
    objects
}

/// Returns the name of the Service that leads to what is scraped.
fn found_as(service: &Service) -> String {
    if service.is_ours() {
        service.name.clone()
    } else {
        format!("{}-metrics", service.name)
    }
}

/// Makes the Service by which pods are found that somebody else makes: what that calls its own is not known.
fn own_name(context: &Context<'_>, service: &Service, name: &str) -> Object {
    let scraped = |name: &&String| {
        let mut scrapes = service.scrapes.iter();
        scrapes.any(|scrape| scrape.port == **name)
    };
    let ports = service.ports.iter().filter(|(name, _)| scraped(name));
    let ports: Vec<ServicePort> = ports
        .map(|(name, port)| ServicePort {
            target_port: Some(IntOrString::Int(port.number.into())),
            ..service::port(name, port)
        })
        .collect();
    Object::new(&KubeService {
        metadata: context.meta(name, context.service_labels(service)),
        spec: Some(ServiceSpec {
            selector: Some(context.selector(service)),
            ports: Some(ports),
            cluster_ip: Some("None".to_owned()),
            ..ServiceSpec::default()
        }),
        ..KubeService::default()
    })
}

fn endpoint(context: &Context<'_>, service: &Service, scrape: &Scrape, found_as: &str) -> Endpoint {
    let key = |secret: &str, key: &str| SecretKeySelector {
        name: context.secret(secret).object(),
        key: key.to_owned(),
        optional: None,
    };
    let value = |secret: &str| key(secret, context.secret(secret).key());
    let (authorization, basic_auth) = match &scrape.auth {
        Some(ScrapeAuth::Bearer(secret)) => (
            Some(Authorization {
                credentials: value(secret),
            }),
            None,
        ),
        Some(ScrapeAuth::Basic { secret, .. }) => (
            None,
            Some(BasicAuth {
                username: key(secret, "username"),
                password: value(secret),
            }),
        ),
        None => (None, None),
    };
    // Between members of the mesh the sidecars encrypt, whatever the program does.
    let encrypted = mesh::is_member(context, service) || scrape.tls;
    Endpoint {
        port: names::port(&scrape.port),
        path: scrape.path.clone(),
        scheme: if encrypted { HTTPS } else { HTTP },
        interval: scrape.interval.map(|time| format!("{}s", time.0)),
        params: scrape
            .params
            .iter()
            .map(|(name, value)| (name.clone(), vec![value.clone()]))
            .collect(),
        honor_labels: scrape.honor_labels,
        authorization,
        basic_auth,
        relabelings: relabelings(context, service, scrape, found_as),
    }
}

/// Gives what is found the labels that it bears on every target.
fn relabelings(
    context: &Context<'_>,
    service: &Service,
    scrape: &Scrape,
    found_as: &str,
) -> Vec<Relabeling> {
    let port = service
        .ports
        .get(&scrape.port)
        .map_or(0, |port| port.number);
    let mut all = Vec::new();
    if service.members && service.is_ours() {
        // Members have a Service more, with the same labels.
        all.push(Relabeling {
            action: Some("keep"),
            source_labels: vec!["__meta_kubernetes_service_name"],
            regex: Some(found_as.to_owned()),
            ..Relabeling::default()
        });
    }
    let component = context.platform.component_of(service);
    all.push(Relabeling::set("component", &component.name));
    all.push(Relabeling::set("service", &service.name));
    all.push(Relabeling::set("job", &scrape.job));
    let pod = "__meta_kubernetes_pod_name";
    let node = "__meta_kubernetes_pod_node_name";
    if service.per_host {
        all.push(Relabeling::from(node, HOST, "$1".to_owned()));
        all.push(Relabeling::from(node, "instance", format!("$1:{port}")));
    } else if service.members && service.is_ours() {
        let members = members_of(&service.name);
        let name = format!("$1.{members}:{port}");
        all.push(Relabeling::from(pod, "instance", name));
    } else if service.replicas.max > 1 {
        all.push(Relabeling::from(pod, "instance", format!("$1:{port}")));
    } else {
        let name = format!("{}:{port}", service.host());
        all.push(Relabeling::set("instance", &name));
    }
    let own = scrape.labels.iter();
    all.extend(own.map(|(label, value)| Relabeling::set(label, value)));
    all.push(Relabeling {
        action: Some("labeldrop"),
        regex: Some(FOREIGN.to_owned()),
        ..Relabeling::default()
    });
    all
}

/// Makes what tells the collector what to ask from outside, and the user's own rules.
pub(super) fn platform(context: &Context<'_>) -> Vec<Object> {
    if !is_watched(context) {
        return Vec::new();
    }
    let components = &context.platform.components;
    let of_component = |name: &str| components.iter().any(|component| component.name == name);
    let files = All::of(context.platform).files();
    let own = files.into_iter().filter(|(name, _)| !of_component(name));
    let rules = own.map(|(name, file)| {
        let meta = context.meta(name, context.platform_labels());
        rule(meta, file.groups)
    });
    probes(context).into_iter().chain(rules).collect()
}

/// Makes the rules of a component.
pub(super) fn rules(context: &Context<'_>, component: &Component) -> Vec<Object> {
    if !is_watched(context) {
        return Vec::new();
    }
    let mut files = All::of(context.platform).files();
    let file = files.remove(&component.name);
    let meta = || context.meta(&component.name, context.component_labels(component));
    file.into_iter()
        .map(|file| rule(meta(), file.groups))
        .collect()
}

fn rule(meta: ObjectMeta, groups: Vec<Group>) -> Object {
    Custom::object(V1, "PrometheusRule", meta, PrometheusRule { groups })
}

fn probes(context: &Context<'_>) -> Vec<Object> {
    let platform = context.platform;
    let Some(prober) = &platform.collectors.probes else {
        return Vec::new();
    };
    let by = context.service(prober.service);
    let Some(port) = by.ports.get(&prober.port) else {
        return Vec::new();
    };
    let member = mesh::is_member(context, by);
    let name = |probe: &WebProbe| {
        let service = context.service(probe.service);
        format!("{}-{}", service.name, names::port(&probe.port))
    };
    let probes = platform.probes.iter().map(|probe| {
        let service = context.service(probe.service);
        let component = platform.component_of(service);
        let labels = [
            ("component", component.name.as_str()),
            ("service", service.name.as_str()),
        ];
        let spec = Probe {
            job_name: PROBE,
            scrape_class: member.then_some(MESH_CLASS),
            module: probe.module.clone(),
            prober: Prober {
                url: format!("{}:{}", by.host(), port.number),
                path: prober.path.clone(),
                scheme: if member { HTTPS } else { HTTP },
            },
            params: probe
                .host
                .iter()
                .map(|host| Param {
                    name: "hostname",
                    values: vec![host.clone()],
                })
                .collect(),
            targets: Targets {
                static_config: StaticConfig {
                    targets: vec![probe.url.clone()],
                    labels: super::object::pairs(labels),
                    relabeling_configs: vec![
                        Relabeling::set("instance", &probe.instance),
                        Relabeling {
                            action: Some("labeldrop"),
                            regex: Some("namespace".to_owned()),
                            ..Relabeling::default()
                        },
                    ],
                },
            },
        };
        let meta = context.meta(name(probe), context.service_labels(service));
        Custom::object(V1, "Probe", meta, spec)
    });
    probes.collect()
}
