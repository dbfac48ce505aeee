//! Which images are pulled from elsewhere, and by which digest.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Digests by the reference of an image with its tag, as blueprints and topologies write it.
pub type Digests = Arc<BTreeMap<String, String>>;

/// How references of images become those that are deployed.
#[derive(Clone, Default, Debug)]
pub struct Pins {
    /// Beginnings of references, and what stands in their place.
    pub mirrors: BTreeMap<String, String>,
    /// Digests that are known.
    pub digests: Digests,
}

impl Pins {
    /// Returns what is deployed for a reference: from its mirror, with its digest.
    pub fn apply(&self, reference: &str) -> String {
        let mirrored = self.mirror(reference);
        match self.digests.get(reference) {
            Some(digest) if !mirrored.contains('@') => format!("{mirrored}@{digest}"),
            _ => mirrored,
        }
    }

    /// Returns where an image is pulled from. The longest beginning decides.
    pub fn mirror(&self, reference: &str) -> String {
        let fitting = self.mirrors.iter().filter_map(|(prefix, instead)| {
            let rest = reference.strip_prefix(prefix.as_str())?;
            (rest.is_empty() || rest.starts_with(['/', ':', '@']))
                .then_some((prefix, instead, rest))
        });
        fitting.max_by_key(|(prefix, ..)| prefix.len()).map_or_else(
            || reference.to_owned(),
            |(_, instead, rest)| format!("{instead}{rest}"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_get_mirror_and_digest() {
        let digests = [
            ("docker.io/library/x:1", "sha256:aa"),
            ("quay.io/a/b:2", "sha256:bb"),
        ];
        let mirrors = [
            ("docker.io", "mirror.example.com/hub"),
            ("docker.io/library", "mirror.example.com/official"),
        ];
        let texts = |all: &[(&str, &str)]| {
            let all = all
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
            all.collect::<BTreeMap<_, _>>()
        };
        let pins = Pins {
            mirrors: texts(&mirrors),
            digests: Arc::new(texts(&digests)),
        };
        assert_eq!(
            pins.apply("docker.io/library/x:1"),
            "mirror.example.com/official/x:1@sha256:aa"
        );
        assert_eq!(
            pins.apply("docker.io/a/x:1"),
            "mirror.example.com/hub/a/x:1"
        );
        assert_eq!(pins.apply("quay.io/a/b:2"), "quay.io/a/b:2@sha256:bb");
        assert_eq!(pins.apply("docker.iox/b:2"), "docker.iox/b:2");
        assert_eq!(pins.apply("quay.io/a/c@sha256:cc"), "quay.io/a/c@sha256:cc");
    }
}
