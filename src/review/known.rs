//! What changing a field does: a table for each target. `effect` looks up here, and knows the exceptions.

use super::effect::Effect::{
    self, DataAtRisk, None as Nothing, Recreate, Refused, Reload, RollingRestart,
};

/// A line of a table: kinds, the beginning of a path, what happens, why. The first line that fits counts.
///
/// Kinds are separated by spaces; `*` is any. In a path, `*` is any one step.
pub(super) struct Line(
    pub(super) &'static str,
    pub(super) &'static str,
    pub(super) Effect,
    pub(super) &'static str,
);

/// Fields of a cluster's objects.
pub(super) const KUBERNETES: &[Line] = &[
    Line(
        "*",
        "apiVersion",
        Nothing,
        "another version of the same API",
    ),
    Line(
        "*",
        "metadata.labels",
        Nothing,
        "labels of the object itself; nothing restarts",
    ),
    Line(
        "*",
        "metadata.annotations",
        Nothing,
        "annotations of the object itself; nothing restarts",
    ),
    Line(
        "StatefulSet",
        "spec.volumeClaimTemplates",
        Refused,
        "claims of a StatefulSet are immutable: delete it with --cascade=orphan, change the claims, apply again",
    ),
    Line(
        "StatefulSet",
        "spec.replicas",
        Nothing,
        "replicas come or go, the others stay",
    ),
    Line(
        "StatefulSet",
        "spec.template",
        RollingRestart,
        "the pods' template changes",
    ),
    Line(
        "StatefulSet",
        "spec.updateStrategy",
        Nothing,
        "holds from the next change on",
    ),
    Line(
        "StatefulSet",
        "spec.minReadySeconds",
        Nothing,
        "holds from the next change on",
    ),
    Line(
        "StatefulSet",
        "spec.ordinals",
        Nothing,
        "holds from the next change on",
    ),
    Line(
        "StatefulSet",
        "spec.revisionHistoryLimit",
        Nothing,
        "holds from the next change on",
    ),
    Line(
        "StatefulSet",
        "spec.persistentVolumeClaimRetentionPolicy",
        Nothing,
        "holds from the next change on",
    ),
    Line(
        "StatefulSet",
        "spec",
        Refused,
        "this field of a StatefulSet is immutable: delete it with --cascade=orphan and apply again",
    ),
    Line(
        "Deployment DaemonSet ReplicaSet",
        "spec.selector",
        Refused,
        "a selector is immutable: delete the object and apply again",
    ),
    Line(
        "Deployment ReplicaSet",
        "spec.replicas",
        Nothing,
        "replicas come or go, the others stay",
    ),
    Line(
        "Deployment DaemonSet",
        "spec.template",
        RollingRestart,
        "the pods' template changes",
    ),
    Line(
        "Deployment DaemonSet ReplicaSet",
        "spec",
        Nothing,
        "holds from the next change on",
    ),
    Line(
        "Job",
        "spec.selector",
        Refused,
        "a selector is immutable: delete the Job and apply again",
    ),
    Line(
        "Job",
        "spec.template",
        Refused,
        "the template of a Job is immutable: delete the Job and apply again",
    ),
    Line(
        "Job",
        "spec.completionMode",
        Refused,
        "immutable: delete the Job and apply again",
    ),
    Line(
        "Job",
        "spec.completions",
        Refused,
        "immutable: delete the Job and apply again",
    ),
    Line(
        "Job",
        "spec.podFailurePolicy",
        Refused,
        "immutable: delete the Job and apply again",
    ),
    Line(
        "Job",
        "spec.successPolicy",
        Refused,
        "immutable: delete the Job and apply again",
    ),
    Line(
        "Job",
        "spec.backoffLimitPerIndex",
        Refused,
        "immutable: delete the Job and apply again",
    ),
    Line("Job", "spec", Nothing, "the run goes on with it"),
    Line("CronJob", "spec", Nothing, "holds from the next run on"),
    Line(
        "Pod",
        "spec",
        Refused,
        "nearly all of a pod is immutable: delete it and apply again",
    ),
    Line(
        "PersistentVolumeClaim",
        "spec.resources",
        Reload,
        "the volume grows while it is used, if its storage class allows that",
    ),
    Line(
        "PersistentVolumeClaim",
        "spec.volumeAttributesClassName",
        Reload,
        "the volume changes while it is used",
    ),
    Line(
        "PersistentVolumeClaim",
        "spec",
        Refused,
        "the specification of a claim is immutable: its data must be copied to a new one",
    ),
    Line(
        "PersistentVolume",
        "spec.persistentVolumeReclaimPolicy",
        Nothing,
        "holds when the claim goes",
    ),
    Line(
        "PersistentVolume",
        "spec",
        Refused,
        "where a volume lies is immutable",
    ),
    Line(
        "StorageClass",
        "provisioner",
        Refused,
        "immutable: delete the class and apply again; volumes keep what they were made with",
    ),
    Line(
        "StorageClass",
        "parameters",
        Refused,
        "immutable: delete the class and apply again; volumes keep what they were made with",
    ),
    Line(
        "StorageClass",
        "reclaimPolicy",
        Refused,
        "immutable: delete the class and apply again; volumes keep what they were made with",
    ),
    Line(
        "StorageClass",
        "volumeBindingMode",
        Refused,
        "immutable: delete the class and apply again",
    ),
    Line("StorageClass", "*", Nothing, "holds for new volumes"),
    Line(
        "PriorityClass",
        "value",
        Refused,
        "immutable: delete the class and apply again",
    ),
    Line(
        "PriorityClass",
        "preemptionPolicy",
        Refused,
        "immutable: delete the class and apply again",
    ),
    Line(
        "RoleBinding ClusterRoleBinding",
        "roleRef",
        Refused,
        "the role of a binding is immutable: delete the binding and apply again",
    ),
    Line(
        "Service",
        "spec.clusterIP",
        Refused,
        "the address of a Service is immutable: delete it and apply again",
    ),
    Line(
        "Service",
        "spec.clusterIPs",
        Refused,
        "the addresses of a Service are immutable: delete it and apply again",
    ),
    Line(
        "Service",
        "spec.loadBalancerClass",
        Refused,
        "immutable while the type stays",
    ),
    Line(
        "Service",
        "spec.healthCheckNodePort",
        Refused,
        "immutable while the type stays",
    ),
    Line(
        "Service",
        "spec",
        Reload,
        "connections go to other ends from then on",
    ),
    Line(
        "Secret",
        "type",
        Refused,
        "the type of a Secret is immutable: delete it and apply again",
    ),
    Line(
        "ConfigMap Secret",
        "immutable",
        Refused,
        "what is immutable stays so: delete the object and apply again",
    ),
    Line(
        "ConfigMap Secret",
        "data",
        Reload,
        "mounted files follow within a minute or two; variables do not",
    ),
    Line(
        "ConfigMap Secret",
        "stringData",
        Reload,
        "mounted files follow within a minute or two; variables do not",
    ),
    Line(
        "IngressClass",
        "spec.controller",
        Refused,
        "immutable: delete the class and apply again",
    ),
    Line(
        "CustomResourceDefinition",
        "spec.scope",
        Refused,
        "immutable: all its objects would have to go first",
    ),
    Line(
        "CustomResourceDefinition",
        "spec.names",
        Refused,
        "immutable: all its objects would have to go first",
    ),
    Line(
        "Namespace ServiceAccount Role ClusterRole RoleBinding ClusterRoleBinding",
        "*",
        Reload,
        "holds for requests and pods from then on",
    ),
    Line(
        "PodDisruptionBudget HorizontalPodAutoscaler",
        "*",
        Nothing,
        "holds from the next eviction or measurement on",
    ),
    Line(
        "PrometheusRule ServiceMonitor PodMonitor Probe ScrapeConfig AlertmanagerConfig",
        "*",
        Reload,
        "the operator hands it to the server, which reads it again",
    ),
    Line(
        "NetworkPolicy AuthorizationPolicy PeerAuthentication RequestAuthentication Sidecar Telemetry ServiceEntry DestinationRule VirtualService Gateway HTTPRoute TCPRoute GRPCRoute TLSRoute EnvoyFilter BackendTLSPolicy",
        "*",
        Reload,
        "proxies and the network follow within seconds",
    ),
    Line(
        "Certificate Issuer ClusterIssuer",
        "*",
        Reload,
        "cert-manager issues again where it must",
    ),
    Line("Kustomization", "*", Nothing, "a list of files"),
    Line(
        "*",
        "*",
        RollingRestart,
        "its operator decides what to exchange",
    ),
];

/// Parts of a Compose file. Compose creates a container again when the hash of its service changes; that leaves out how
/// many there are, what it waits for, and its profiles.
pub(super) const COMPOSE: &[Line] = &[
    Line(
        "service",
        "deploy.replicas",
        Nothing,
        "containers come or go, the others stay",
    ),
    Line(
        "service",
        "scale",
        Nothing,
        "containers come or go, the others stay",
    ),
    Line(
        "service",
        "depends_on",
        Nothing,
        "holds from the next start on",
    ),
    Line(
        "service",
        "profiles",
        Nothing,
        "holds from the next start on",
    ),
    Line(
        "service",
        "pull_policy",
        Nothing,
        "holds from the next start on",
    ),
    Line("service", "build", Nothing, "holds from the next build on"),
    Line(
        "service",
        "*",
        Recreate,
        "Compose stops the container and makes a new one",
    ),
    Line(
        "network",
        "*",
        Recreate,
        "Compose removes the network and makes it again: every container on it stops",
    ),
    Line("volume", "labels", Nothing, "labels of the volume itself"),
    Line(
        "volume",
        "*",
        DataAtRisk,
        "Compose offers to make the volume again, which deletes what is in it",
    ),
    Line(
        "config secret",
        "*",
        Recreate,
        "containers that mount it are made again",
    ),
    Line(
        "setting",
        "name",
        DataAtRisk,
        "another project: everything starts anew beside the old, with empty volumes",
    ),
    Line(
        "setting",
        "*",
        Recreate,
        "Compose reads it at the next start",
    ),
];

/// Parts of a Swarm stack. A service's tasks are exchanged when their own specification changes.
pub(super) const SWARM: &[Line] = &[
    Line(
        "service",
        "deploy.replicas",
        Nothing,
        "tasks come or go, the others stay",
    ),
    Line(
        "service",
        "deploy.mode",
        Refused,
        "the mode of a service cannot be changed: remove the service and deploy again",
    ),
    Line(
        "service",
        "deploy.labels",
        Nothing,
        "labels of the service; tasks do not have them",
    ),
    Line(
        "service",
        "deploy.update_config",
        Nothing,
        "holds from the next update on",
    ),
    Line(
        "service",
        "deploy.rollback_config",
        Nothing,
        "holds from the next rollback on",
    ),
    Line(
        "service",
        "deploy.endpoint_mode",
        Reload,
        "names lead elsewhere from then on",
    ),
    Line(
        "service",
        "depends_on",
        Nothing,
        "Swarm knows no order of starts",
    ),
    Line(
        "service",
        "*",
        RollingRestart,
        "the tasks' specification changes",
    ),
    Line(
        "network",
        "*",
        Refused,
        "a deployment leaves a network that exists as it is: remove the stack's services from it first",
    ),
    Line("volume", "labels", Nothing, "labels of the volume itself"),
    Line(
        "volume",
        "*",
        Refused,
        "a volume keeps what it was first made with, on every host: copy the data and remove it there",
    ),
    Line(
        "config secret",
        "name",
        RollingRestart,
        "a new one under a new name; the services that read it follow",
    ),
    Line(
        "config secret",
        "file",
        Nothing,
        "the same content from another file",
    ),
    Line(
        "config secret",
        "*",
        Refused,
        "what is in a config cannot be changed: it needs a new name",
    ),
    Line("setting", "*", Nothing, "read at deployment only"),
];
