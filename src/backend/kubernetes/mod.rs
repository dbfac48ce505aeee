//! Kubernetes with Istio: a namespace that lets nothing through but the declared connections.
//!
//! In comes a platform, out come objects in folders, in an order in which they can be applied: first what belongs to the
//! cluster, then what holds for the whole namespace, then components, those that others wait for first. Each folder has a
//! `Kustomization`, under the one of kustomize's names that `kubectl apply -R -f` does not take for an object.

mod availability;
mod certificates;
mod config;
mod embedded;
mod exception;
mod flow_list;
mod gateway;
mod identity;
mod mesh;
mod monitoring;
mod network_policy;
mod object;
mod people;
mod pod;
mod prerequisites;
mod readme;
mod scripts;
mod service;
mod storage;
mod store;
#[cfg(test)]
mod tests;
mod tracing;
mod workload;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Namespace;
use serde::Serialize;

pub(super) use embedded::{Outside, Reached, embedded};
pub(super) use flow_list::controller;
use object::Object;
pub(super) use scripts::telling;

use super::order::Order;
use super::{Files, access, images, matrix};
use crate::bundle::Bundle;
use crate::diagnostic::Finding;
use crate::platform::{Cluster, Endpoint, Flow, Platform, Secret, Service};
use crate::template::{header, to_yaml};
use crate::terms::GitOps;
use crate::value::Value;

/// The folder of all objects. Nothing else that ends like one lies below it.
const MANIFESTS: &str = "manifests";

/// The name kustomize looks for that does not end like an object's.
const KUSTOMIZATION: &str = "Kustomization";

/// Folders of what belongs to no component, and the number of the first component's.
const CLUSTER: &str = "00-cluster";
const PLATFORM: &str = "10-platform";
const FIRST_COMPONENT: usize = 20;

/// The annotation by which Argo CD orders what it applies.
const SYNC_WAVE: &str = "argocd.argoproj.io/sync-wave";

/// Builds the bundle of a platform.
///
/// # Errors
/// Files of blueprints that cannot lie in a bundle.
pub fn build(platform: &Platform) -> Result<Bundle, Vec<Finding>> {
    let mut files = Files::default();
    let Some(cluster) = &platform.environment.cluster else {
        return files.finish();
    };
    let context = Context::new(platform, cluster);
    let manifests = Manifests::new(&context);
    manifests.write(&context, &mut files);
    scripts::add(&context, &manifests, &mut files);
    let readme = readme::render(&context, &manifests);
    files.add("README.md", readme, false, &platform.environment.place);
    let place = &platform.environment.place;
    matrix::add(platform, flow_list::list(&context), &mut files);
    access::add(platform, &mut files);
    files.add_scripts(platform);
    super::alerts::add(platform, &mut files);
    super::backup::add(platform, &mut files);
    super::bootstrap::add(platform, &mut files);
    super::sops::add(platform, &mut files);
    files.ignore_secrets(place);
    images::add(platform, &mut files);
    files.finish()
}

/// A platform on its way into a bundle.
pub(super) struct Context<'p> {
    pub(super) platform: &'p Platform,
    pub(super) cluster: &'p Cluster,
    /// Flows by the service that connects, and by the one that is connected to: positions in [`Platform::flows`].
    outgoing: Vec<Vec<usize>>,
    incoming: Vec<Vec<usize>>,
    /// Endpoints by service: positions in [`Platform::endpoints`].
    published: BTreeMap<usize, Vec<usize>>,
    /// The service that the cluster runs in, and what lies around it; none for a cluster that the environment runs in.
    outside: Option<(usize, &'p Outside)>,
}

impl<'p> Context<'p> {
    fn new(platform: &'p Platform, cluster: &'p Cluster) -> Self {
        let mut outgoing = vec![Vec::new(); platform.services.len()];
        let mut incoming = vec![Vec::new(); platform.services.len()];
        for (at, flow) in platform.flows.iter().enumerate() {
            outgoing[flow.from].push(at);
            incoming[flow.to].push(at);
        }
        let mut published: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (at, endpoint) in platform.endpoints.iter().enumerate() {
            published.entry(endpoint.service).or_default().push(at);
        }
        Self {
            platform,
            cluster,
            outgoing,
            incoming,
            published,
            outside: None,
        }
    }

    /// Says whether the cluster is one of a single machine inside a service.
    pub(super) fn is_embedded(&self) -> bool {
        self.outside.is_some()
    }

    /// Says whether a service runs in this cluster.
    pub(super) fn is_here(&self, at: usize) -> bool {
        self.outside
            .is_none_or(|(host, _)| self.service(at).inside == Some(host))
    }

    /// Returns the service at a position.
    pub(super) fn service(&self, at: usize) -> &'p Service {
        &self.platform.services[at]
    }

    /// Returns the connections that a service makes.
    pub(super) fn outgoing(&self, at: usize) -> impl Iterator<Item = &'p Flow> {
        self.outgoing[at]
            .iter()
            .map(|flow| &self.platform.flows[*flow])
    }

    /// Returns the connections that a service is reached by.
    pub(super) fn incoming(&self, at: usize) -> impl Iterator<Item = &'p Flow> {
        self.incoming[at]
            .iter()
            .map(|flow| &self.platform.flows[*flow])
    }

    /// Returns what of a service is reached through the gateway.
    pub(super) fn endpoints(&self, at: usize) -> impl Iterator<Item = &'p Endpoint> {
        let published = self.published.get(&at).into_iter().flatten();
        published.map(|endpoint| &self.platform.endpoints[*endpoint])
    }

    /// Returns a secret that some service reads.
    pub(super) fn secret(&self, name: &str) -> &'p Secret {
        let secrets = &self.platform.secrets;
        let at = secrets.partition_point(|secret| secret.name.as_str() < name);
        &secrets[at]
    }
}

/// A file of objects.
struct Manifest {
    folder: String,
    file: String,
    /// How many waves of services come before.
    wave: Option<usize>,
    objects: Vec<Object>,
}

/// All files of objects, in the order in which they are applied.
struct Manifests(Vec<Manifest>);

impl Manifests {
    fn new(context: &Context<'_>) -> Self {
        let mut all = Vec::new();
        let mut add = |folder: &str, file: &str, wave: Option<usize>, objects: Vec<Object>| {
            if !objects.is_empty() {
                all.push(Manifest {
                    folder: folder.to_owned(),
                    file: format!("{file}.yaml"),
                    wave,
                    objects,
                });
            }
        };
        add(CLUSTER, "00-namespace", None, vec![namespace(context)]);
        add(
            CLUSTER,
            "10-priority-classes",
            None,
            availability::priority_classes(context),
        );
        add(
            CLUSTER,
            "10-storage-classes",
            None,
            storage::classes(context),
        );

        let mut policies = network_policy::platform(context);
        policies.extend(network_policy::gateway(context));
        add(PLATFORM, "00-network-policies", None, policies);
        add(
            PLATFORM,
            "10-authority",
            None,
            certificates::authority(context),
        );
        add(PLATFORM, "10-secrets", None, store::objects(context));
        add(PLATFORM, "20-mesh", None, mesh::platform(context));
        let mut gateway = gateway::platform(context);
        gateway.extend(mesh::gateway(context));
        add(PLATFORM, "30-gateway", None, gateway);
        add(
            PLATFORM,
            "40-monitoring",
            None,
            monitoring::platform(context),
        );

        add(PLATFORM, "50-people", None, people::roles(context));

        let platform = context.platform;
        let order = Order::new(platform);
        let mut first = 0;
        for (at, component) in platform.components.iter().enumerate() {
            let services: Vec<&Service> = platform.services_of(at).collect();
            let folder = format!(
                "{:02}-{}",
                FIRST_COMPONENT + order.components[at],
                component.name
            );
            let positions = first..first + services.len();
            first = positions.end;
            let wave = positions.clone().map(|at| order.waves[at]).min();
            add(
                &folder,
                "00-claims",
                wave,
                storage::claims(context, component, &services),
            );
            for object in &component.objects {
                let file = format!("00-{}", object.name);
                let object = foreign(context, at, &object.content);
                add(&folder, &file, wave, vec![object]);
            }
            add(
                &folder,
                "00-rules",
                wave,
                monitoring::rules(context, component),
            );
            for at in positions {
                let service = context.service(at);
                let mut objects = identity::objects(context, service);
                objects.extend(config::maps(context, service));
                objects.extend(certificates::service(context, at));
                objects.extend(service::objects(context, service));
                objects.extend(network_policy::service(context, at));
                objects.extend(mesh::service(context, at));
                objects.extend(monitoring::service(context, service));
                objects.extend(workload::object(context, at));
                objects.extend(availability::disruption_budget(context, service));
                objects.extend(availability::autoscaler(context, service));
                let number = 10 * (order.within[at] + 1);
                let file = format!("{number:02}-{}", service.key.replace('_', "-"));
                add(&folder, &file, Some(order.waves[at]), objects);
            }
        }
        all.sort_by(|left, right| (&left.folder, &left.file).cmp(&(&right.folder, &right.file)));
        let mut manifests = Self(all);
        if context.cluster.gitops == Some(GitOps::ArgoCd) {
            manifests.number_for_argo();
        }
        manifests
    }

    /// Returns all objects, in the order in which they are applied.
    fn objects(&self) -> impl Iterator<Item = &Object> {
        self.0.iter().flat_map(|manifest| &manifest.objects)
    }

    /// Tells Argo CD which objects to wait for before it applies others.
    fn number_for_argo(&mut self) {
        for manifest in &mut self.0 {
            let wave = match (manifest.wave, manifest.folder.as_str()) {
                (Some(wave), _) => i64::try_from(wave).unwrap_or(i64::MAX),
                (None, CLUSTER) => -2,
                (None, _) => -1,
            };
            for object in &mut manifest.objects {
                object.annotate(SYNC_WAVE, &wave.to_string());
            }
        }
    }

    fn write(&self, context: &Context<'_>, files: &mut Files) {
        let place = &context.platform.environment.place;
        let mut folders: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for manifest in &self.0 {
            let folder = folders.entry(&manifest.folder).or_default();
            folder.push(manifest.file.clone());
            let path = format!("{MANIFESTS}/{}/{}", manifest.folder, manifest.file);
            files.add(&path, text(&manifest.objects), false, place);
        }
        let mut kustomization = |path: &str, resources: Vec<String>| {
            let content = Kustomization {
                api_version: "kustomize.config.k8s.io/v1beta1",
                kind: "Kustomization",
                resources,
            };
            let text = format!("# {}\n{}", header("the topology"), to_yaml(&content));
            files.add(path, text, false, place);
        };
        for (folder, resources) in &folders {
            let path = format!("{MANIFESTS}/{folder}/{KUSTOMIZATION}");
            kustomization(&path, resources.clone());
        }
        let names = folders.keys().map(|folder| (*folder).to_owned()).collect();
        kustomization(&format!("{MANIFESTS}/{KUSTOMIZATION}"), names);
        kustomization("kustomization.yaml", vec![MANIFESTS.to_owned()]);
    }
}

/// Writes objects into one file.
fn text(objects: &[Object]) -> String {
    let mut text = format!("# {}\n", header("the topology"));
    for (at, object) in objects.iter().enumerate() {
        if at > 0 {
            text.push_str("---\n");
        }
        text.push_str(&to_yaml(&object.json));
    }
    text
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Kustomization {
    api_version: &'static str,
    kind: &'static str,
    resources: Vec<String>,
}

/// Makes the namespace, with the Pod Security Standard that all of its pods meet.
fn namespace(context: &Context<'_>) -> Object {
    let mut metadata = context.cluster_meta(context.cluster.namespace.clone());
    let labels = metadata.labels.get_or_insert_default();
    let level = context
        .platform
        .pod_security(context.outside.map(|(host, _)| host));
    for mode in ["enforce", "audit", "warn"] {
        let label = format!("pod-security.kubernetes.io/{mode}");
        labels.insert(
            format!("{label}-version"),
            format!("v1.{}", context.cluster.version),
        );
        labels.insert(label, level.word().to_owned());
    }
    if context.cluster.mesh {
        labels.insert("istio-injection".to_owned(), "enabled".to_owned());
    }
    Object::new(&Namespace {
        metadata,
        ..Namespace::default()
    })
}

/// Takes an object of an operator over from a blueprint, into the environment's namespace and with its labels.
fn foreign(context: &Context<'_>, component: usize, content: &Value) -> Object {
    let component = &context.platform.components[component];
    let mut object = Object::new(content);
    let mut labels = context.component_labels(component);
    let own = object.json["metadata"]["labels"].as_object();
    labels.extend(own.into_iter().flatten().map(|(label, value)| {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        (label.clone(), value)
    }));
    let metadata = context.meta(object.name(), labels);
    let mut all = Object::new(&metadata).json;
    if let (Some(all), Some(own)) = (all.as_object_mut(), object.json["metadata"].as_object()) {
        let annotations = own.get("annotations");
        all.extend(annotations.map(|annotations| ("annotations".to_owned(), annotations.clone())));
    }
    object.json["metadata"] = all;
    object
}
