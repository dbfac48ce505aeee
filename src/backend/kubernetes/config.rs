//! Configuration: files as ConfigMaps whose names follow from their content, and secrets by name only.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::ConfigMap;

use super::Context;
use super::object::Object;
use crate::bundle::Digest;
use crate::platform::{EnvValue, File, Secret, Service};

/// Characters of a digest that names bear: 40 bits tell the versions of one file apart.
const SHORT: usize = 10;

/// Returns the beginning of a text's digest.
pub(super) fn short_digest(text: &str) -> String {
    Digest::of(text.as_bytes()).to_string()[..SHORT].to_owned()
}

/// Returns the key of a file in its ConfigMap.
pub(super) fn key(file: &File) -> String {
    file.source.replace('/', "_")
}

/// Names the ConfigMap of a service: changed content is another object, so that pods are replaced, and one that is
/// rolled back finds its own again.
pub(super) fn name(service: &Service) -> String {
    let mut all = String::new();
    for file in service.files.values() {
        all.push_str(&format!(
            "{}\0{}\0{}\0",
            key(file),
            file.content.len(),
            file.content
        ));
    }
    format!("{}-{}", service.name, short_digest(&all))
}

/// Makes the ConfigMap of a service's files, if it has any.
pub(super) fn map(context: &Context<'_>, service: &Service) -> Option<Object> {
    if service.files.is_empty() || !service.is_ours() {
        return None;
    }
    let data: BTreeMap<String, String> = service
        .files
        .values()
        .map(|file| (key(file), file.content.to_string()))
        .collect();
    Some(Object::new(&ConfigMap {
        metadata: context.meta(name(service), context.service_labels(service)),
        data: Some(data),
        immutable: Some(true),
        ..ConfigMap::default()
    }))
}

/// Returns the key of a secret's value in its object.
pub(super) fn value_key(secret: &Secret) -> &'static str {
    secret.key()
}

/// Lists the secrets that a service reads as files: those that it does not get as variables.
pub(super) fn mounted_secrets(service: &Service) -> Vec<&str> {
    let variables: BTreeSet<&str> = service
        .env
        .values()
        .filter_map(|value| match value {
            EnvValue::Secret(name) => Some(name.as_str()),
            _ => None,
        })
        .collect();
    service
        .secrets
        .iter()
        .map(String::as_str)
        .filter(|name| !variables.contains(name))
        .collect()
}
