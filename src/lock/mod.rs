//! `lakewright.lock`: by which digest each image is deployed, and which blueprints a build was made with.
//!
//! One lock serves all environments: it names images as blueprints and topologies do, before mirrors stand in for their
//! registries. It is read before a topology is resolved, so that digests reach everything that names an image.

pub mod credentials;
pub mod reference;
pub mod registry;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// The name of the file, beside the topology.
pub const FILE_NAME: &str = "lakewright.lock";

/// The version of its format. It rises when an older Lakewright would misread a newer file.
const VERSION: u32 = 1;

/// What a build may be made with.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// Version of this format.
    pub version: u32,
    /// SHA-256 of each blueprint, by name.
    #[serde(default)]
    pub blueprints: BTreeMap<String, String>,
    /// Images by their reference with its tag.
    #[serde(default)]
    pub images: BTreeMap<String, Image>,
}

/// An image as its registry had it.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// Digest of what the tag stands for: that of all platforms together, where there are several.
    pub digest: String,
    /// Digests by platform: `linux/amd64`.
    pub platforms: BTreeMap<String, String>,
}

impl Lock {
    /// Makes an empty lock.
    pub fn new() -> Self {
        Self {
            version: VERSION,
            ..Self::default()
        }
    }

    /// Reads a lock.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let lock: Self = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| {
                text[..span.start.min(text.len())].matches('\n').count() + 1
            });
            let words = error
                .message()
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned();
            format!("line {line}: {words}")
        })?;
        if lock.version != VERSION {
            return Err(format!(
                "its format is {}, and this program knows {VERSION}",
                lock.version
            ));
        }
        let digests = lock
            .images
            .values()
            .flat_map(|image| image.platforms.values().chain([&image.digest]));
        for digest in digests {
            if !reference::is_digest(digest) {
                return Err(format!("`{}` is no digest", digest.escape_debug()));
            }
        }
        Ok(lock)
    }

    /// Writes the lock.
    pub fn text(&self) -> String {
        let body = toml::to_string(self).unwrap_or_default();
        format!("# Made by `lakewright lock`. Commit it beside the topology.\n{body}")
    }

    /// Returns digests by reference.
    pub fn digests(&self) -> BTreeMap<String, String> {
        let images = self.images.iter();
        images
            .map(|(reference, image)| (reference.clone(), image.digest.clone()))
            .collect()
    }

    /// Lists in words how a lock differs from one that was made now.
    pub fn stale(&self, now: &Self) -> Vec<String> {
        let names: BTreeSet<&String> = self.images.keys().chain(now.images.keys()).collect();
        let mut lines = Vec::new();
        for name in names {
            match (self.images.get(name), now.images.get(name)) {
                (None, Some(_)) => lines.push(format!("image {name} is not in it")),
                (Some(_), None) => lines.push(format!("image {name} is used no more")),
                (Some(old), Some(new)) if old.digest != new.digest => lines.push(format!(
                    "image {name} is another one now: {} instead of {}",
                    new.digest, old.digest
                )),
                _ => {}
            }
        }
        lines.extend(self.stale_blueprints(&now.blueprints));
        lines
    }

    /// Lists in words which blueprints are others than those of the lock.
    pub fn stale_blueprints(&self, now: &BTreeMap<String, String>) -> Vec<String> {
        let names: BTreeSet<&String> = self.blueprints.keys().chain(now.keys()).collect();
        let lines =
            names
                .into_iter()
                .filter_map(|name| match (self.blueprints.get(name), now.get(name)) {
                    (None, _) => Some(format!("blueprint {name} is not in it")),
                    (_, None) => Some(format!("blueprint {name} is used no more")),
                    (Some(old), Some(new)) => {
                        (old != new).then(|| format!("blueprint {name} is another one now"))
                    }
                });
        lines.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_read_as_it_was_written() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        let image = Image {
            digest: digest.clone(),
            platforms: BTreeMap::from([("linux/amd64".to_owned(), digest)]),
        };
        let lock = Lock {
            blueprints: BTreeMap::from([("a".to_owned(), "00".to_owned())]),
            images: BTreeMap::from([("docker.io/a/b:1".to_owned(), image)]),
            ..Lock::new()
        };
        assert_eq!(Lock::parse(&lock.text()), Ok(lock.clone()));
        assert!(lock.stale(&lock).is_empty());
        assert_eq!(
            lock.stale(&Lock::new()),
            [
                "image docker.io/a/b:1 is used no more",
                "blueprint a is used no more"
            ]
        );
        assert_eq!(
            Lock::new().stale(&lock),
            [
                "image docker.io/a/b:1 is not in it",
                "blueprint a is not in it"
            ]
        );
        assert!(Lock::parse("version = 2").is_err());
        assert!(Lock::parse("version = 1\n[images.a]\ndigest = 'x'\nplatforms = {}").is_err());
        assert_eq!(
            Lock::parse("version = 1\nimage = 1"),
            Err(
                "line 2: unknown field `image`, expected one of `version`, `blueprints`, `images`"
                    .to_owned()
            )
        );
    }
}
