//! Names of what a Swarm knows by name alone: configs, secrets, labels of nodes. All of them begin with the stack's, since
//! a Swarm may run several.

use crate::backend::docker::config_name;
use crate::bundle::Digest;
use crate::platform::Secret;

/// The longest name that configs and secrets may have. Source: moby/swarmkit, manager/controlapi/common.go.
pub(super) const LONGEST: usize = 64;

/// Digits of a hash in a name.
pub(super) const HASH: usize = 12;

/// The environment variable that holds the digits of the authority's certificate.
pub(super) const AUTHORITY_VARIABLE: &str = "TLS_AUTHORITY";

/// Names a config after what is in it: nothing can be changed under its name, so a changed file is another config, and
/// rolls those that use it.
pub(super) fn config(project: &str, path: &str, content: &[u8]) -> String {
    let hash = &Digest::of(content).to_string()[..HASH];
    let room = LONGEST.saturating_sub(project.len() + HASH + 2);
    let name = config_name(path);
    // The end of a path says more than its beginning.
    let from = name.len().saturating_sub(room);
    let name = name[from..].trim_start_matches(['-', '.', '_']);
    format!("{project}_{name}-{hash}")
}

/// Names a secret. Its version is part of the name, never anything that follows from its value.
pub(super) fn secret(project: &str, secret: &Secret) -> String {
    format!("{project}_{}", secret.object())
}

/// Returns the environment variable with the digits that tell one certificate of a name from the next.
pub(super) fn certificate_variable(certificate: &str) -> String {
    format!(
        "TLS_{}",
        certificate.to_uppercase().replace(['-', '.'], "_")
    )
}

/// Names the secret with a part of a certificate (`crt` or `key`): after the certificate, which is public, so that a
/// renewed one is another secret. Whoever deploys says the digits.
pub(super) fn certificate(project: &str, certificate: &str, part: &str) -> String {
    let variable = certificate_variable(certificate);
    format!("{project}_tls-{certificate}-{part}-${{{variable}:?deploy with ./deploy.sh}}")
}

/// Names the secret with the authority's certificate.
pub(super) fn authority(project: &str) -> String {
    format!("{project}_tls-authority-${{{AUTHORITY_VARIABLE}:?deploy with ./deploy.sh}}")
}

/// Returns the label of nodes that tells which declared host one is.
pub(super) fn host_label(project: &str) -> String {
    label(project, "host")
}

/// Returns the label that all nodes have which are declared hosts; its value is `true`.
pub(super) fn member_label(project: &str) -> String {
    label(project, "member")
}

/// Returns the label of nodes that stands for one of the topology.
pub(super) fn label(project: &str, name: &str) -> String {
    format!("{project}.{name}")
}

/// Writes what a node's label must be for a service to run there.
pub(super) fn constraint(label: &str, operator: &str, value: &str) -> String {
    format!("node.labels.{label} {operator} {value}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configs_are_named_after_their_content() {
        let name = |content: &[u8]| config("lake-staging", "nginx/nginx.conf", content);
        assert_ne!(name(b"a"), name(b"b"));
        assert_eq!(name(b"a"), name(b"a"));
        assert!(name(b"a").starts_with("lake-staging_nginx_nginx.conf-"));
    }

    #[test]
    fn long_paths_keep_their_ends() {
        let path = format!(
            "{}/superset_config.py",
            "component-with-a-long-name".repeat(3)
        );
        let name = config("lakehouse-staging", &path, b"");
        assert!(name.len() <= LONGEST, "{name}");
        assert!(name.contains("superset_config.py"), "{name}");
    }
}
