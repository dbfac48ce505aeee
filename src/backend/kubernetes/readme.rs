//! The README of a Kubernetes bundle: what the cluster must have, how to bring the bundle into it and keep it there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde::Serialize;

use super::pod::{is_stateful, owner, volume_name};
use super::{Context, FIRST_COMPONENT, Manifests, availability, gateway, prerequisites};
use crate::backend::readme::{Common, Template, common, engine};
use crate::platform::{Component, Service, Volume};
use crate::terms::{GitOps, PodSecurity};

static TEMPLATE: Template = Template {
    en: LazyLock::new(|| engine(include_str!("../readme/kubernetes.en.hbs"))),
    fr: LazyLock::new(|| engine(include_str!("../readme/kubernetes.fr.hbs"))),
};

#[derive(Serialize)]
struct Readme<'p> {
    #[serde(flatten)]
    common: Common<'p>,
    namespace: &'p str,
    version: u32,
    mesh: bool,
    argo: bool,
    /// The gateway's Service.
    gateway: Option<String>,
    tls_secret: Option<&'p str>,
    issuer: Option<&'p str>,
    needed: Vec<NeededRow>,
    /// Folders of components, by name.
    folders: BTreeMap<&'p str, String>,
    zones: &'p [String],
    availability: Vec<AvailabilityRow<'p>>,
    volumes: Vec<VolumeRow<'p>>,
    exceptions: Vec<ExceptionRow<'p>>,
    example_secret: &'p str,
}

#[derive(Serialize)]
struct NeededRow {
    name: String,
    version: String,
    help: String,
}

#[derive(Serialize)]
struct AvailabilityRow<'p> {
    service: &'p str,
    min: u64,
    /// If load decides.
    max: Option<u64>,
    /// Who makes its pods, if not the bundle.
    by: Option<&'p str>,
    quorum: Option<u64>,
    /// How many a disruption must leave.
    keep: Option<String>,
    /// How many it may take.
    away: Option<String>,
    single: Option<&'p str>,
}

#[derive(Serialize)]
struct VolumeRow<'p> {
    /// Who makes the claims, if not the bundle.
    by: Option<&'p str>,
    first: String,
    last: Option<String>,
    component: &'p str,
    size: String,
    class: Option<String>,
}

/// Something that a service may do beyond the rest: one of the three.
#[derive(Serialize)]
struct ExceptionRow<'p> {
    service: &'p str,
    level: Option<&'static str>,
    api: bool,
    egress: bool,
    hosts: Vec<String>,
    why: &'p str,
}

/// Renders the README.
pub(super) fn render(context: &Context<'_>, manifests: &Manifests) -> String {
    let (platform, cluster) = (context.platform, context.cluster);
    let published = gateway::exists(context);
    let needed = prerequisites::list(context, manifests.objects());
    let folders: BTreeSet<&str> = manifests
        .0
        .iter()
        .map(|manifest| manifest.folder.as_str())
        .collect();
    let data = Readme {
        common: common(platform),
        namespace: &cluster.namespace,
        version: cluster.version,
        mesh: cluster.mesh,
        argo: cluster.gitops == Some(GitOps::ArgoCd),
        gateway: published.then(|| gateway::account(context)),
        tls_secret: published.then_some(cluster.tls_secret.as_str()),
        issuer: cluster.issuer.as_deref(),
        needed: needed
            .into_iter()
            .map(|needed| NeededRow {
                name: needed.name,
                version: needed.version,
                help: needed.help,
            })
            .collect(),
        folders: platform
            .components
            .iter()
            .filter_map(|component| {
                let folder = folders.iter().find(|folder| is_of(folder, component))?;
                Some((component.name.as_str(), (*folder).to_owned()))
            })
            .collect(),
        zones: &platform.environment.zones,
        availability: platform
            .services
            .iter()
            .filter(|service| service.kind.keeps_running())
            .map(|service| availability_row(context, service))
            .collect(),
        volumes: volumes(context),
        exceptions: platform.services.iter().flat_map(exceptions).collect(),
        example_secret: platform
            .secrets
            .first()
            .map_or("name", |secret| secret.name.as_str()),
    };
    TEMPLATE.render(platform, &data)
}

/// Says whether a folder is that of a component: its number, then its name.
fn is_of(folder: &str, component: &Component) -> bool {
    folder.split_once('-').is_some_and(|(number, name)| {
        name == component.name && number.parse().is_ok_and(|at: usize| at >= FIRST_COMPONENT)
    })
}

fn availability_row<'p>(context: &Context<'p>, service: &'p Service) -> AvailabilityRow<'p> {
    let budget = availability::disruption_budget(context, service);
    let bound = |key: &str| {
        let bound = &budget.as_ref()?.json["spec"][key];
        serde_json::from_value::<IntOrString>(bound.clone())
            .ok()
            .map(|bound| match bound {
                IntOrString::Int(count) => count.to_string(),
                IntOrString::String(share) => share,
            })
    };
    AvailabilityRow {
        service: &service.name,
        min: service.replicas.min,
        max: (service.replicas.max > service.replicas.min).then_some(service.replicas.max),
        by: service.managed.as_ref().map(|managed| managed.by.as_str()),
        quorum: (service.quorum > 1).then_some(service.quorum),
        keep: bound("minAvailable"),
        away: bound("maxUnavailable"),
        single: service.single.as_deref(),
    }
}

fn volumes<'p>(context: &Context<'p>) -> Vec<VolumeRow<'p>> {
    let platform = context.platform;
    let mut rows = Vec::new();
    for (at, component) in platform.components.iter().enumerate() {
        for (position, volume) in component.volumes.iter().enumerate() {
            let mounts = |service: &&Service| {
                let mut mounts = service.mounts.values();
                mounts.any(|mount| mount.volume == position)
            };
            let mut shown = false;
            let owned = owner(context, at, position).is_some();
            for service in platform.services_of(at).filter(mounts) {
                if owned && !is_stateful(service) {
                    continue;
                }
                let own = service.is_ours() && is_stateful(service) && !volume.shared;
                // A claim that several services share is one.
                if own || !shown {
                    rows.push(volume_row(context, component, service, volume));
                    shown |= !own;
                }
            }
        }
    }
    rows
}

fn volume_row<'p>(
    context: &Context<'p>,
    component: &'p Component,
    service: &'p Service,
    volume: &'p Volume,
) -> VolumeRow<'p> {
    let claim = |at: u64| format!("{}-{}-{at}", volume_name(&volume.key), service.name);
    let (first, last) = if !is_stateful(service) || volume.shared {
        (volume.name.clone(), None)
    } else {
        let last = service.replicas.max.saturating_sub(1);
        (claim(0), (last > 0).then(|| claim(last)))
    };
    VolumeRow {
        by: service.managed.as_ref().map(|managed| managed.by.as_str()),
        first,
        last,
        component: &component.name,
        size: volume.size.to_string(),
        class: context.cluster.storage_class(volume.class),
    }
}

fn exceptions(service: &Service) -> Vec<ExceptionRow<'_>> {
    let row = |why| ExceptionRow {
        service: &service.name,
        level: None,
        api: false,
        egress: false,
        hosts: Vec::new(),
        why,
    };
    let level = service.pod_security();
    let mut rows = Vec::new();
    if service.is_ours() && level != PodSecurity::Restricted {
        rows.push(ExceptionRow {
            level: Some(level.word()),
            ..row(service.root.as_deref().unwrap_or_default())
        });
    }
    if let Some(api) = &service.cluster_api {
        rows.push(ExceptionRow {
            api: true,
            ..row(&api.why)
        });
    }
    if let Some(egress) = &service.egress {
        let hosts = egress.hosts.iter();
        rows.push(ExceptionRow {
            egress: true,
            hosts: hosts.map(|(host, port)| format!("{host}:{port}")).collect(),
            ..row(&egress.why)
        });
    }
    rows
}
