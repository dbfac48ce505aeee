//! An image without a tag.

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::Platform;

static RULE: Rule = Rule {
    code: "image-untagged",
    severity: Severity::Error,
    summary: "an image has no tag, or one that moves",
    why: "Without a tag, and with `latest`, what runs depends on the day it was pulled: two machines of one environment \
          differ, and a restart can be an upgrade that nobody decided.",
    fix: "Name a version, or a digest: `name:1.2.3`, `name@sha256:...`.",
    allowable: true,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    for service in &platform.services {
        let reference = &service.image.reference;
        let (_, version) = split(reference);
        if version.is_none_or(|version| version == "latest") {
            findings.push(
                Finding::new(
                    &RULE,
                    service.image.place.clone(),
                    format!("the image `{reference}` has no fixed version"),
                )
                .help(format!("add one: \"{}:1.2.3\"", split(reference).0))
                .component(platform.component_of(service).name.clone()),
            );
        }
    }
}

/// Splits a reference into its repository and its tag or digest.
pub(super) fn split(reference: &str) -> (&str, Option<&str>) {
    if let Some((repository, digest)) = reference.split_once('@') {
        return (split(repository).0, Some(digest));
    }
    match reference.rsplit_once(':') {
        // A colon before a slash belongs to the registry's port.
        Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
        _ => (reference, None),
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn references_are_split_where_docker_does() {
        assert_eq!(split("a/b:1"), ("a/b", Some("1")));
        assert_eq!(split("host:5000/a/b"), ("host:5000/a/b", None));
        assert_eq!(
            split("host:5000/a:2@sha256:ff"),
            ("host:5000/a", Some("sha256:ff"))
        );
    }
}
