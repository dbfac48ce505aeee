//! References of images: registry, repository, tag.
//!
//! Source: the grammar of distribution/reference, and Docker's rule that a first part without a dot, a colon or the name
//! `localhost` belongs to Docker Hub.

/// A reference, taken apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reference {
    /// The registry as it is written: `docker.io`, `registry.example.com:5000`.
    pub registry: String,
    /// The repository there.
    pub repository: String,
    /// The tag, or the digest if there is one.
    pub tag: String,
}

impl Reference {
    /// Takes a reference apart.
    pub fn parse(text: &str) -> Self {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (text, None),
        };
        let (name, tag) = match name.rsplit_once(':') {
            // A colon before a slash belongs to the registry's port.
            Some((name, tag)) if !tag.contains('/') => (name, tag),
            _ => (name, "latest"),
        };
        let first = name
            .split_once('/')
            .filter(|(first, _)| first.contains(['.', ':']) || *first == "localhost");
        let (registry, repository) = match first {
            Some((registry, repository)) => (registry.to_owned(), repository.to_owned()),
            None => ("docker.io".to_owned(), name.to_owned()),
        };
        let repository = if registry == "docker.io" && !repository.contains('/') {
            format!("library/{repository}")
        } else {
            repository
        };
        Self {
            registry,
            repository,
            tag: digest.unwrap_or(tag).to_owned(),
        }
    }

    /// Returns the host that answers for the registry.
    pub fn host(&self) -> &str {
        match self.registry.as_str() {
            "docker.io" | "index.docker.io" => "registry-1.docker.io",
            other => other,
        }
    }

    /// Says whether the registry is on this machine, where nothing can listen in.
    pub fn is_local(&self) -> bool {
        let host = self
            .registry
            .rsplit_once(':')
            .map_or(&*self.registry, |(host, _)| host);
        host == "localhost" || host.starts_with("127.") || host == "[::1]"
    }
}

/// Says whether a text is a digest: `sha256:` and 64 digits.
pub fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:")
        .is_some_and(|digits| digits.parse::<crate::bundle::Digest>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_taken_apart_as_docker_does() {
        let check = |text: &str, expected: [&str; 3]| {
            let found = Reference::parse(text);
            assert_eq!(
                [found.registry, found.repository, found.tag],
                expected.map(str::to_owned)
            );
        };
        check("busybox", ["docker.io", "library/busybox", "latest"]);
        check("a/b:1", ["docker.io", "a/b", "1"]);
        check("docker.io/library/x:1-a", ["docker.io", "library/x", "1-a"]);
        check("localhost:5000/x", ["localhost:5000", "x", "latest"]);
        check(
            "r.example.com/a/b/c:2@sha256:ff",
            ["r.example.com", "a/b/c", "sha256:ff"],
        );
        assert!(Reference::parse("127.0.0.1:5000/x:1").is_local());
        assert!(!Reference::parse("r.example.com/x:1").is_local());
    }
}
