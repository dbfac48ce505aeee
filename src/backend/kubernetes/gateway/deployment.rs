//! The gateway's workload: how many pods, where, with what rights.
//!
//! A gateway of the Gateway API is deployed by the mesh, from a template into which a ConfigMap's parts are merged. For
//! one of the mesh's own API the bundle brings the Deployment, and the mesh puts the proxy into its pods.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec};
use k8s_openapi::api::core::v1::{
    Affinity, Capabilities, ConfigMap, Container, ContainerPort, HTTPGetAction, PodAffinityTerm,
    PodAntiAffinity, PodSecurityContext, PodSpec, PodTemplateSpec, Probe, ResourceRequirements,
    SeccompProfile, SecurityContext, Service, ServiceAccount, ServicePort, ServiceSpec, Sysctl,
    TCPSocketAction, TopologySpreadConstraint, WeightedPodAffinityTerm,
};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::super::network_policy::GATEWAY_STATUS;
use super::super::object::{Object, pairs};
use super::super::{availability, exception, pod};
use super::{Context, account, listens, pods};
use crate::template::to_yaml;
use crate::terms::Availability;

/// The container of the proxy, by the name that the mesh knows it by.
const PROXY: &str = "istio-proxy";

/// What the proxy gets: what the mesh's own charts give it.
const REQUESTS: [(&str, &str); 2] = [("cpu", "100m"), ("memory", "128Mi")];
const LIMITS: [(&str, &str); 2] = [("cpu", "2"), ("memory", "1Gi")];

/// Numeric user and group of the proxy.
const USER: i64 = 1337;

/// Time to end open connections in.
const GRACE: i64 = 60;

fn is_high(context: &Context<'_>) -> bool {
    context.platform.environment.availability == Availability::High
}

fn replicas(context: &Context<'_>) -> i32 {
    if is_high(context) { 2 } else { 1 }
}

fn selector(context: &Context<'_>) -> LabelSelector {
    LabelSelector {
        match_labels: Some(pods(context)),
        ..LabelSelector::default()
    }
}

fn quantities(all: [(&str, &str); 2]) -> BTreeMap<String, Quantity> {
    all.into_iter()
        .map(|(name, amount)| (name.to_owned(), Quantity(amount.to_owned())))
        .collect()
}

fn resources() -> ResourceRequirements {
    ResourceRequirements {
        requests: Some(quantities(REQUESTS)),
        limits: Some(quantities(LIMITS)),
        ..ResourceRequirements::default()
    }
}

/// Keeps pods in the environment's zones, and on machines of their own as far as there are enough.
fn affinity(context: &Context<'_>) -> Affinity {
    Affinity {
        node_affinity: pod::in_zones(context),
        pod_anti_affinity: is_high(context).then(|| PodAntiAffinity {
            preferred_during_scheduling_ignored_during_execution: Some(vec![
                WeightedPodAffinityTerm {
                    weight: 100,
                    pod_affinity_term: PodAffinityTerm {
                        label_selector: Some(selector(context)),
                        topology_key: pod::HOST.to_owned(),
                        ..PodAffinityTerm::default()
                    },
                },
            ]),
            ..PodAntiAffinity::default()
        }),
        ..Affinity::default()
    }
}

/// Spreads pods over zones: both in one would be lost together.
fn spread(context: &Context<'_>) -> TopologySpreadConstraint {
    TopologySpreadConstraint {
        max_skew: 1,
        topology_key: pod::ZONE.to_owned(),
        when_unsatisfiable: "DoNotSchedule".to_owned(),
        label_selector: Some(selector(context)),
        node_taints_policy: Some("Honor".to_owned()),
        match_label_keys: Some(vec!["pod-template-hash".to_owned()]),
        ..TopologySpreadConstraint::default()
    }
}

/// Makes what pods have under both APIs: resources, a place, a rank, and no more system calls than usual.
fn spec(context: &Context<'_>) -> PodSpec {
    let spreads = is_high(context) && context.platform.environment.zones.len() > 1;
    PodSpec {
        containers: vec![Container {
            name: PROXY.to_owned(),
            resources: Some(resources()),
            ..Container::default()
        }],
        affinity: Some(affinity(context)).filter(|affinity| *affinity != Affinity::default()),
        priority_class_name: Some(availability::gateway_priority(context)),
        security_context: Some(PodSecurityContext {
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".to_owned(),
                ..SeccompProfile::default()
            }),
            ..PodSecurityContext::default()
        }),
        termination_grace_period_seconds: Some(GRACE),
        topology_spread_constraints: spreads.then(|| vec![spread(context)]),
        ..PodSpec::default()
    }
}

fn disruption_budget() -> PodDisruptionBudgetSpec {
    PodDisruptionBudgetSpec {
        min_available: Some(IntOrString::Int(1)),
        // A pod that is not well holds nobody up.
        unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
        ..PodDisruptionBudgetSpec::default()
    }
}

/// Returns the name of the ConfigMap with the parts for the mesh's template.
pub(super) fn parameters_name(context: &Context<'_>) -> String {
    format!("{}-gateway", context.platform.name)
}

/// Makes the parts that are merged into what the mesh deploys.
pub(super) fn parameters(context: &Context<'_>) -> Object {
    let deployment = Deployment {
        spec: Some(DeploymentSpec {
            replicas: Some(replicas(context)),
            template: PodTemplateSpec {
                spec: Some(spec(context)),
                ..PodTemplateSpec::default()
            },
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    };
    let mut data = BTreeMap::from([("deployment".to_owned(), to_yaml(&deployment))]);
    if is_high(context) {
        let budget = PodDisruptionBudget {
            spec: Some(disruption_budget()),
            ..PodDisruptionBudget::default()
        };
        data.insert("podDisruptionBudget".to_owned(), to_yaml(&budget));
    }
    Object::new(&ConfigMap {
        metadata: context.meta(parameters_name(context), context.platform_labels()),
        data: Some(data),
        ..ConfigMap::default()
    })
}

/// Makes the workload for a gateway of the mesh's own API.
pub(super) fn workload(context: &Context<'_>) -> Vec<Object> {
    let name = account(context);
    let meta = || context.meta(&name, context.platform_labels());
    let annotated = ObjectMeta {
        annotations: Some(exception::of_gateway()),
        ..meta()
    };
    let mut objects = vec![
        Object::new(&ServiceAccount {
            metadata: meta(),
            automount_service_account_token: Some(false),
            ..ServiceAccount::default()
        }),
        Object::new(&Deployment {
            metadata: annotated,
            spec: Some(DeploymentSpec {
                replicas: Some(replicas(context)),
                selector: selector(context),
                template: template(context, &name),
                ..DeploymentSpec::default()
            }),
            ..Deployment::default()
        }),
        Object::new(&Service {
            metadata: meta(),
            spec: Some(ServiceSpec {
                type_: Some("LoadBalancer".to_owned()),
                selector: Some(pods(context)),
                ports: Some(ports(context)),
                ..ServiceSpec::default()
            }),
            ..Service::default()
        }),
    ];
    if is_high(context) {
        objects.push(Object::new(&PodDisruptionBudget {
            metadata: meta(),
            spec: Some(PodDisruptionBudgetSpec {
                selector: Some(selector(context)),
                ..disruption_budget()
            }),
            ..PodDisruptionBudget::default()
        }));
    }
    objects
}

fn ports(context: &Context<'_>) -> Vec<ServicePort> {
    // Load balancers that ask only one port whether a machine is well ask the first.
    let status = (GATEWAY_STATUS, "status-port".to_owned());
    let listens = listens(context).into_iter();
    std::iter::once(status)
        .chain(listens.map(|port| (port, format!("tcp-{port}"))))
        .map(|(port, name)| ServicePort {
            name: Some(name),
            port: port.into(),
            target_port: Some(IntOrString::Int(port.into())),
            protocol: Some("TCP".to_owned()),
            app_protocol: Some("tcp".to_owned()),
            ..ServicePort::default()
        })
        .collect()
}

fn template(context: &Context<'_>, name: &str) -> PodTemplateSpec {
    let mut labels = context.platform_labels();
    labels.extend(pods(context));
    labels.extend(pairs([
        ("app.kubernetes.io/name", name),
        // What metrics call it, as for a gateway that the mesh deploys: it has no version of its own.
        ("service.istio.io/canonical-revision", "latest"),
        ("sidecar.istio.io/inject", "true"),
    ]));
    let mut spec = spec(context);
    spec.service_account_name = Some(name.to_owned());
    // The proxy gets a token for the mesh's authority by itself.
    spec.automount_service_account_token = Some(false);
    if let Some(security) = &mut spec.security_context {
        security.run_as_non_root = Some(true);
        // Lets it listen on the ports of the web without a capability.
        security.sysctls = Some(vec![Sysctl {
            name: "net.ipv4.ip_unprivileged_port_start".to_owned(),
            value: "0".to_owned(),
        }]);
    }
    for container in &mut spec.containers {
        // The mesh puts its own image and version here.
        container.image = Some("auto".to_owned());
        container.security_context = Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            capabilities: Some(Capabilities {
                drop: Some(vec!["ALL".to_owned()]),
                ..Capabilities::default()
            }),
            privileged: Some(false),
            read_only_root_filesystem: Some(true),
            run_as_group: Some(USER),
            run_as_non_root: Some(true),
            run_as_user: Some(USER),
            ..SecurityContext::default()
        });
        let status = || IntOrString::Int(GATEWAY_STATUS.into());
        container.ports = Some(vec![ContainerPort {
            name: Some("status-port".to_owned()),
            container_port: GATEWAY_STATUS.into(),
            protocol: Some("TCP".to_owned()),
            ..ContainerPort::default()
        }]);
        container.readiness_probe = Some(Probe {
            http_get: Some(HTTPGetAction {
                path: Some("/healthz/ready".to_owned()),
                port: status(),
                ..HTTPGetAction::default()
            }),
            failure_threshold: Some(4),
            period_seconds: Some(15),
            timeout_seconds: Some(3),
            ..Probe::default()
        });
        // One that waits for its configuration is not ready, and no better for a restart.
        container.liveness_probe = Some(Probe {
            tcp_socket: Some(TCPSocketAction {
                port: status(),
                ..TCPSocketAction::default()
            }),
            initial_delay_seconds: Some(30),
            period_seconds: Some(15),
            ..Probe::default()
        });
    }
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(labels),
            annotations: Some(pairs([("inject.istio.io/templates", "gateway")])),
            ..ObjectMeta::default()
        }),
        spec: Some(spec),
    }
}
