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

/// Most bytes of files in one ConfigMap: what it holds may have 1 MiB, keys and all.
const LARGEST: usize = 900 * 1024;

/// The files of a service that are in one ConfigMap.
pub(super) struct Part<'p> {
    /// Name of the ConfigMap: changed content is another object, so that pods are replaced, and one that is rolled back
    /// finds its own again.
    pub(super) name: String,
    /// The files, by their key in it.
    pub(super) files: BTreeMap<String, &'p File>,
}

/// Shares a service's files out among ConfigMaps: one is enough for most.
pub(super) fn parts(service: &Service) -> Vec<Part<'_>> {
    let mut shares: Vec<BTreeMap<String, &File>> = Vec::new();
    let mut room = 0;
    for file in service.files.values() {
        let key = key(file);
        // Several paths may be those of one file.
        if shares.iter().any(|share| share.contains_key(&key)) {
            continue;
        }
        if shares.is_empty() || room < file.content.len() {
            shares.push(BTreeMap::new());
            room = LARGEST;
        }
        room = room.saturating_sub(file.content.len());
        if let Some(share) = shares.last_mut() {
            share.insert(key, file);
        }
    }
    if shares.len() == 1 {
        let name = format!("{}-{}", service.name, digest(service.files.values()));
        let parts = shares.into_iter().map(|files| Part {
            name: name.clone(),
            files,
        });
        return parts.collect();
    }
    let parts = shares.into_iter().zip(1..).map(|(files, number)| Part {
        name: format!(
            "{}-{number}-{}",
            service.name,
            digest(files.values().copied())
        ),
        files,
    });
    parts.collect()
}

fn digest<'f>(files: impl Iterator<Item = &'f File>) -> String {
    let mut all = String::new();
    for file in files {
        let length = file.content.len();
        all.push_str(&format!("{}\0{length}\0{}\0", key(file), file.content));
    }
    short_digest(&all)
}

/// Makes the ConfigMaps of a service's files.
pub(super) fn maps(context: &Context<'_>, service: &Service) -> Vec<Object> {
    if !service.is_ours() {
        return Vec::new();
    }
    let parts = parts(service).into_iter().map(|part| {
        let data = part.files.iter();
        let data = data.map(|(key, file)| (key.clone(), file.content.to_string()));
        Object::new(&ConfigMap {
            metadata: context.meta(part.name, context.service_labels(service)),
            data: Some(data.collect()),
            immutable: Some(true),
            ..ConfigMap::default()
        })
    });
    parts.collect()
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
