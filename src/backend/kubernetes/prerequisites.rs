//! Prerequisites: what a cluster must have before the bundle is applied.
//!
//! What the target itself needs stands here; what the objects of a blueprint need stands in the blueprint.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::object::Object;
use super::{Context, store, tracing};
use crate::platform::Store;
use crate::template::{header, to_yaml};

/// Something that a cluster must have for a bundle of this target.
struct Known {
    name: &'static str,
    /// API groups that it serves.
    groups: &'static [&'static str],
    /// The least version.
    version: &'static str,
    help: &'static str,
    told_by: ToldBy<&'static str>,
}

/// How the version of an operator is told.
#[derive(Clone, Debug)]
pub(super) enum ToldBy<T> {
    /// The tag of the image of the Deployment that bears these labels.
    Deployment(T),
    /// The annotation of a CustomResourceDefinition.
    Annotation(T, T),
    /// It cannot be.
    Nothing,
}

const MESH: &str = "Istio";

const SEALED: &str = "Sealed Secrets";

/// What bundles of this target need. Labels of Deployments: the charts istiod 1.30 and cert-manager 1.21.
const KNOWN: &[Known] = &[
    // The first whose `tlsDefaults` bind the listeners of gateways, for which the Gateway API has no word. Source: Istio
    // 1.30, release notes.
    Known {
        name: MESH,
        groups: &[
            "networking.istio.io",
            "security.istio.io",
            "telemetry.istio.io",
        ],
        version: "1.30",
        help: "https://istio.io/latest/docs/setup/install/helm (charts base, cni and istiod), with prerequisites/istio-values.yaml for istiod",
        told_by: ToldBy::Deployment("app=istiod"),
    },
    // The first whose standard channel has TCPRoute. Source: kubernetes-sigs/gateway-api v1.6.1, config/crd/standard.
    Known {
        name: "Gateway API",
        groups: &["gateway.networking.k8s.io"],
        version: "1.6",
        help: "kubectl apply --server-side --filename=https://github.com/kubernetes-sigs/gateway-api/releases/download/v1.6.1/standard-install.yaml",
        told_by: ToldBy::Annotation(
            "gateways.gateway.networking.k8s.io",
            "gateway.networking.k8s.io/bundle-version",
        ),
    },
    Known {
        name: "cert-manager",
        groups: &["cert-manager.io"],
        version: "1.21",
        help: "https://cert-manager.io/docs/installation/helm, with crds.enabled=true",
        told_by: ToldBy::Deployment(
            "app.kubernetes.io/name=cert-manager,app.kubernetes.io/component=controller",
        ),
    },
    // The first whose targets can be told when they are refreshed and never change; labels of its chart.
    Known {
        name: "External Secrets Operator",
        groups: &["external-secrets.io"],
        version: "1.0",
        help: "https://external-secrets.io/latest/introduction/getting-started (chart external-secrets)",
        told_by: ToldBy::Deployment("app.kubernetes.io/name=external-secrets"),
    },
    // The first that keeps `immutable` of what it opens. Its objects are made by seal.sh.
    Known {
        name: SEALED,
        groups: &[store::SEALED.0],
        version: "0.18",
        help: "https://github.com/bitnami-labs/sealed-secrets (chart sealed-secrets)",
        told_by: ToldBy::Deployment("app.kubernetes.io/name=sealed-secrets"),
    },
    // What the objects were made for.
    Known {
        name: "Prometheus operator",
        groups: &["monitoring.coreos.com"],
        version: "0.93",
        help: "https://prometheus-operator.dev/docs/getting-started/installation, or its Helm chart prometheus-community/kube-prometheus-stack",
        told_by: ToldBy::Deployment("app.kubernetes.io/name=prometheus-operator"),
    },
];

/// Conditions of the target's own kinds that say that an object is up: group, kind, condition.
const CONDITIONS: &[(&str, &str, &str)] = &[
    ("cert-manager.io", "Certificate", "Ready"),
    ("external-secrets.io", store::KIND, "Ready"),
    ("gateway.networking.k8s.io", "Gateway", "Programmed"),
];

/// Something that a cluster must have for this bundle.
#[derive(Debug)]
pub(super) struct Needed {
    pub(super) name: String,
    /// The least version.
    pub(super) version: String,
    /// Where it is installed from, or how.
    pub(super) help: String,
    /// Kinds of it that the bundle has, by API version.
    pub(super) apis: BTreeMap<String, BTreeSet<String>>,
    pub(super) told_by: ToldBy<String>,
}

/// Returns the API group of an object; the core one is empty.
pub(super) fn group(object: &Object) -> &str {
    object
        .api_version()
        .split_once('/')
        .map_or("", |(group, _)| group)
}

/// Returns the condition of an object of the target's own that says that it is up, if its kind has one.
pub(super) fn condition(object: &Object) -> Option<&'static str> {
    CONDITIONS
        .iter()
        .find(|(known, kind, _)| *known == group(object) && *kind == object.kind())
        .map(|(_, _, condition)| *condition)
}

/// Lists what a cluster must have for some objects, sorted by name.
pub(super) fn list<'o>(
    context: &Context<'_>,
    objects: impl Iterator<Item = &'o Object>,
) -> Vec<Needed> {
    let mut by_group: BTreeMap<&str, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for object in objects {
        by_group
            .entry(group(object))
            .or_default()
            .entry(object.api_version().to_owned())
            .or_default()
            .insert(object.kind().to_owned());
    }
    let (group, version, kind) = store::SEALED;
    if context.platform.environment.secrets == Store::Sealed {
        let kinds = BTreeSet::from([kind.to_owned()]);
        let apis = BTreeMap::from([(format!("{group}/{version}"), kinds)]);
        by_group.insert(group, apis);
    }
    let mut needed: BTreeMap<String, Needed> = BTreeMap::new();
    for known in KNOWN {
        let apis: BTreeMap<_, _> = known
            .groups
            .iter()
            .filter_map(|group| by_group.get(group))
            .flat_map(|apis| apis.clone())
            .collect();
        // Pods are in the mesh whether or not the bundle has objects of its own for it.
        if apis.is_empty() && !(known.name == MESH && context.cluster.mesh) {
            continue;
        }
        let told_by = match known.told_by {
            ToldBy::Deployment(labels) => ToldBy::Deployment(labels.to_owned()),
            ToldBy::Annotation(definition, key) => {
                ToldBy::Annotation(definition.to_owned(), key.to_owned())
            }
            ToldBy::Nothing => ToldBy::Nothing,
        };
        needed.insert(
            known.name.to_owned(),
            Needed {
                name: known.name.to_owned(),
                version: known.version.to_owned(),
                help: known.help.to_owned(),
                apis,
                told_by,
            },
        );
    }
    for component in &context.platform.components {
        for (group, operator) in &component.operators {
            let labels: Vec<String> = operator
                .labels
                .iter()
                .map(|(label, value)| format!("{label}={value}"))
                .collect();
            let entry = needed
                .entry(operator.name.clone())
                .or_insert_with(|| Needed {
                    name: operator.name.clone(),
                    version: operator.version.clone(),
                    help: operator.help.clone(),
                    apis: BTreeMap::new(),
                    told_by: if labels.is_empty() {
                        ToldBy::Nothing
                    } else {
                        ToldBy::Deployment(labels.join(","))
                    },
                });
            entry
                .apis
                .extend(by_group.get(group.as_str()).cloned().unwrap_or_default());
        }
    }
    needed.into_values().collect()
}

/// Values of the chart istiod. Sources: istio/istio 1.30, manifests/charts/istio-control/istio-discovery; istio/api 1.30,
/// mesh/v1alpha1.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct IstiodValues {
    cni: Enabled,
    env: BTreeMap<&'static str, &'static str>,
    global: Global,
    mesh_config: MeshConfig,
}

#[derive(Serialize)]
struct Enabled {
    enabled: bool,
}

#[derive(Serialize)]
struct Global {
    proxy: Proxy,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Proxy {
    seccomp_profile: SeccompProfile,
}

#[derive(Serialize)]
struct SeccompProfile {
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MeshConfig {
    access_log_file: &'static str,
    enable_prometheus_merge: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    extension_providers: Vec<ExtensionProvider>,
    #[serde(rename = "meshMTLS")]
    mesh_mtls: Tls,
    tls_defaults: Tls,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Tls {
    min_protocol_version: &'static str,
}

/// Something outside the mesh's own programs that it works with.
#[derive(Serialize)]
struct ExtensionProvider {
    name: String,
    opentelemetry: OpenTelemetry,
}

#[derive(Serialize)]
struct OpenTelemetry {
    service: String,
    port: u16,
}

/// Renders the values of the mesh's control plane that the bundle relies on.
pub(super) fn mesh_values(context: &Context<'_>) -> String {
    let tls = || Tls {
        min_protocol_version: "TLSV1_3",
    };
    let values = IstiodValues {
        // Without it the proxy's own init container needs rights that Pod Security refuses.
        cni: Enabled { enabled: true },
        // A job's pod ends when its proxy is one; said, since what is found out may change with the version.
        env: [("ENABLE_NATIVE_SIDECARS", "true")].into(),
        global: Global {
            proxy: Proxy {
                seccomp_profile: SeccompProfile {
                    kind: "RuntimeDefault",
                },
            },
        },
        mesh_config: MeshConfig {
            access_log_file: "/dev/stdout",
            enable_prometheus_merge: true,
            extension_providers: tracing::collector(context)
                .into_iter()
                .map(|(service, port)| ExtensionProvider {
                    name: tracing::provider(context),
                    opentelemetry: OpenTelemetry { service, port },
                })
                .collect(),
            mesh_mtls: tls(),
            tls_defaults: tls(),
        },
    };
    format!("# {}\n{}", header("the topology"), to_yaml(&values))
}
