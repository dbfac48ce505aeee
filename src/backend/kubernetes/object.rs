//! Objects of a cluster, as values: those of Kubernetes itself come as its published types, those of operators as small
//! types of our own beside the code that makes them.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;

use super::Context;
use crate::platform::{Component, Service};

/// Labels, annotations, selectors.
pub(super) type Pairs = BTreeMap<String, String>;

/// The label that tells services apart: the only one besides `INSTANCE` that selectors use, since they cannot be changed.
const NAME: &str = "app.kubernetes.io/name";
const INSTANCE: &str = "app.kubernetes.io/instance";
const COMPONENT: &str = "app.kubernetes.io/component";
const VERSION: &str = "app.kubernetes.io/version";
const PART_OF: &str = "app.kubernetes.io/part-of";
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
const LAYER: &str = "lakewright/layer";
const ZONE: &str = "lakewright/zone";

/// An object, ready to be written.
#[derive(Clone, Debug)]
pub(super) struct Object {
    /// Its content, keys in the order in which they are written.
    pub(super) json: serde_json::Value,
}

impl Object {
    /// Makes one from a type that knows its API version and kind.
    pub(super) fn new(value: &impl Serialize) -> Self {
        Self {
            json: serde_json::to_value(value).expect("objects have text keys and no failing parts"),
        }
    }

    /// Returns its API version, with its group.
    pub(super) fn api_version(&self) -> &str {
        self.json["apiVersion"].as_str().unwrap_or_default()
    }

    /// Returns its kind.
    pub(super) fn kind(&self) -> &str {
        self.json["kind"].as_str().unwrap_or_default()
    }

    /// Returns its name.
    pub(super) fn name(&self) -> &str {
        self.json["metadata"]["name"].as_str().unwrap_or_default()
    }

    /// Adds an annotation.
    pub(super) fn annotate(&mut self, key: &str, value: &str) {
        self.json["metadata"]["annotations"][key] = value.into();
    }
}

/// An object of an operator or of the mesh: what all of them have in common.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Custom<S> {
    pub(super) api_version: &'static str,
    pub(super) kind: &'static str,
    pub(super) metadata: ObjectMeta,
    pub(super) spec: S,
}

impl<S: Serialize> Custom<S> {
    /// Makes one.
    pub(super) fn object(
        api_version: &'static str,
        kind: &'static str,
        metadata: ObjectMeta,
        spec: S,
    ) -> Object {
        Object::new(&Self {
            api_version,
            kind,
            metadata,
            spec,
        })
    }
}

/// Makes pairs of texts.
pub(super) fn pairs<const N: usize>(all: [(&str, &str); N]) -> Pairs {
    all.into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// Turns a name or version into a legal label value: what is not allowed becomes `-`.
fn label_value(text: &str) -> String {
    let legal: String = text
        .chars()
        .map(|next| {
            if next.is_ascii_alphanumeric() || "._-".contains(next) {
                next
            } else {
                '-'
            }
        })
        .take(63)
        .collect();
    legal
        .trim_matches(|next: char| !next.is_ascii_alphanumeric())
        .to_owned()
}

impl Context<'_> {
    /// Returns the labels by which pods of a service are found; they never change.
    pub(super) fn selector(&self, service: &Service) -> Pairs {
        match &service.managed {
            Some(managed) => managed.labels.clone(),
            None => self.lasting(service),
        }
    }

    /// Returns the labels of what belongs to a service that no change of it changes.
    pub(super) fn lasting(&self, service: &Service) -> Pairs {
        pairs([(NAME, &service.name), (INSTANCE, &self.platform.name)])
    }

    /// Returns the labels of what belongs to the platform as a whole.
    pub(super) fn platform_labels(&self) -> Pairs {
        pairs([
            (INSTANCE, &self.platform.name),
            (PART_OF, &self.platform.name),
            (MANAGED_BY, "lakewright"),
        ])
    }

    /// Returns the labels of what belongs to a component.
    pub(super) fn component_labels(&self, component: &Component) -> Pairs {
        let mut labels = self.platform_labels();
        labels.extend([
            (COMPONENT.to_owned(), component.name.clone()),
            (LAYER.to_owned(), component.layer.to_string()),
            (ZONE.to_owned(), component.zone.to_string()),
        ]);
        labels
    }

    /// Returns the labels of what belongs to a service: pods bear them too.
    pub(super) fn service_labels(&self, service: &Service) -> Pairs {
        let component = self.platform.component_of(service);
        let mut labels = self.component_labels(component);
        labels.insert(NAME.to_owned(), service.name.clone());
        labels.insert(VERSION.to_owned(), label_value(&component.version));
        labels
    }

    /// Makes the metadata of an object in the environment's namespace.
    pub(super) fn meta(&self, name: impl Into<String>, labels: Pairs) -> ObjectMeta {
        ObjectMeta {
            name: Some(name.into()),
            namespace: Some(self.cluster.namespace.clone()),
            labels: Some(labels),
            ..ObjectMeta::default()
        }
    }

    /// Makes the metadata of an object of the cluster itself, whose name must tell platforms apart.
    pub(super) fn cluster_meta(&self, name: impl Into<String>) -> ObjectMeta {
        ObjectMeta {
            name: Some(name.into()),
            labels: Some(self.platform_labels()),
            ..ObjectMeta::default()
        }
    }
}
