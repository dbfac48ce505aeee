//! Availability: which pods go first, how many may be taken away at a time, how many run under load.

use k8s_openapi::api::autoscaling::v2::{
    ContainerResourceMetricSource, CrossVersionObjectReference, HorizontalPodAutoscaler,
    HorizontalPodAutoscalerSpec, MetricSpec, MetricTarget,
};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::api::scheduling::v1::PriorityClass;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::Context;
use super::object::Object;
use super::pod::is_stateful;
use crate::platform::Service;
use crate::terms::Zone;

/// Classes of pods by what they are worth when there is no room for all: data first, then what people use, then what
/// can be run later. A class, its value, whether it pushes others out, and what it is for.
const PRIORITIES: &[(&str, i32, bool, &str)] = &[
    (
        "data",
        100_000,
        true,
        "Stores: everything else waits for them.",
    ),
    (
        "service",
        50_000,
        true,
        "What people and other services call.",
    ),
    ("batch", 1_000, false, "Jobs: they can be run later."),
];

/// Returns the name of a service's priority class.
pub(super) fn priority(context: &Context<'_>, service: &Service) -> String {
    let class = if !service.kind.keeps_running() {
        "batch"
    } else if context.platform.component_of(service).zone == Zone::Data {
        "data"
    } else {
        "service"
    };
    priority_name(context, class)
}

/// Returns the name of the gateway's priority class.
pub(super) fn gateway_priority(context: &Context<'_>) -> String {
    priority_name(context, "service")
}

fn priority_name(context: &Context<'_>, class: &str) -> String {
    format!("{}-{class}", context.cluster.namespace)
}

/// Makes the priority classes.
pub(super) fn priority_classes(context: &Context<'_>) -> Vec<Object> {
    PRIORITIES
        .iter()
        .map(|(class, value, pushes, purpose)| {
            Object::new(&PriorityClass {
                metadata: context.cluster_meta(priority_name(context, class)),
                value: *value,
                preemption_policy: (!pushes).then(|| "Never".to_owned()),
                description: Some((*purpose).to_owned()),
                ..PriorityClass::default()
            })
        })
        .collect()
}

/// Makes the budget of pods that may be taken away on purpose; none where there is only one.
///
/// What has a quorum keeps it. Of the rest, as many may go at a time as the loss of one zone takes.
pub(super) fn disruption_budget(context: &Context<'_>, service: &Service) -> Option<Object> {
    // One on each machine goes with it.
    let alone = service.replicas.max < 2 || service.per_host;
    if !service.is_ours() || !service.kind.keeps_running() || alone {
        return None;
    }
    let number = |count: u64| IntOrString::Int(i32::try_from(count).unwrap_or(i32::MAX));
    let zones = context.platform.environment.zones.len();
    let (min_available, max_unavailable) = if service.quorum > 1 {
        (Some(number(service.quorum)), None)
    } else if zones > 1 {
        // A share, since load decides how many there are. Kubernetes rounds up.
        (None, Some(IntOrString::String(format!("{}%", 100 / zones))))
    } else {
        (None, Some(number(1)))
    };
    Some(Object::new(&PodDisruptionBudget {
        metadata: context.meta(&service.name, context.service_labels(service)),
        spec: Some(PodDisruptionBudgetSpec {
            selector: Some(LabelSelector {
                match_labels: Some(context.selector(service)),
                ..LabelSelector::default()
            }),
            min_available,
            max_unavailable,
            // A pod that is not well anyway must not keep a machine from being emptied.
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
        }),
        ..PodDisruptionBudget::default()
    }))
}

/// Says whether load decides how many replicas run.
pub(super) fn is_scaled(service: &Service) -> bool {
    // A cluster inside a service has the room for the least, and nothing that measures.
    service.scale.is_some()
        && service.replicas.max > service.replicas.min
        && service.inside.is_none()
}

/// Makes the autoscaler of a service, if load decides how many replicas run.
pub(super) fn autoscaler(context: &Context<'_>, service: &Service) -> Option<Object> {
    let (metric, target) = service.scale.filter(|_| is_scaled(service))?;
    let number = |count: u64| i32::try_from(count).unwrap_or(i32::MAX);
    Some(Object::new(&HorizontalPodAutoscaler {
        metadata: context.meta(&service.name, context.service_labels(service)),
        spec: Some(HorizontalPodAutoscalerSpec {
            scale_target_ref: CrossVersionObjectReference {
                api_version: Some("apps/v1".to_owned()),
                kind: if is_stateful(service) {
                    "StatefulSet"
                } else {
                    "Deployment"
                }
                .to_owned(),
                name: service.name.clone(),
            },
            min_replicas: Some(number(service.replicas.min)),
            max_replicas: number(service.replicas.max),
            // Of the container alone: the mesh's proxy beside it would water the share down.
            metrics: Some(vec![MetricSpec {
                type_: "ContainerResource".to_owned(),
                container_resource: Some(ContainerResourceMetricSource {
                    container: service.key.replace('_', "-"),
                    name: metric.word().to_owned(),
                    target: MetricTarget {
                        type_: "Utilization".to_owned(),
                        average_utilization: Some(number(target)),
                        ..MetricTarget::default()
                    },
                }),
                ..MetricSpec::default()
            }]),
            ..HorizontalPodAutoscalerSpec::default()
        }),
        ..HorizontalPodAutoscaler::default()
    }))
}
