//! Exceptions: what linters of manifests would have otherwise, and why it is so. They stand as annotations on the object,
//! where those linters look for them and reviewers see them.

use super::object::Pairs;
use crate::platform::{EnvValue, Service};

/// The least user number that linters take for one that no machine has.
const HIGH_USER: u32 = 10_000;

/// Returns the annotations of a service's workload.
pub(super) fn of(service: &Service) -> Pairs {
    let mut checkov: Vec<(&str, String)> = vec![
        (
            "CKV_K8S_15",
            "tags of releases do not move, and a registry that is down must not stop a restart"
                .to_owned(),
        ),
        ("CKV_K8S_43", "pinned by tag".to_owned()),
    ];
    let mut pairs = Pairs::new();
    if let Some((user, _)) = service.user
        && user < HIGH_USER
    {
        checkov.push((
            "CKV_K8S_40",
            format!("the image's files belong to user {user}"),
        ));
    }
    if let Some(reason) = &service.root {
        checkov.push(("CKV_K8S_23", reason.clone()));
    }
    if !service.read_only {
        let reason = "the image writes into its own folders";
        checkov.push(("CKV_K8S_22", reason.to_owned()));
        pairs.insert(
            "ignore-check.kube-linter.io/no-read-only-root-fs".to_owned(),
            reason.to_owned(),
        );
    }
    let variables = service
        .env
        .values()
        .any(|value| matches!(value, EnvValue::Secret(_) | EnvValue::Made { .. }));
    if variables {
        checkov.push((
            "CKV_K8S_35",
            "the program reads these secrets from its environment only".to_owned(),
        ));
    }
    if let Some(api) = &service.cluster_api {
        checkov.push(("CKV_K8S_38", api.why.clone()));
    }
    pairs.extend(checkov_skips(checkov));
    pairs
}

/// Returns the annotations of a gateway's workload, whose proxy is the mesh's.
pub(super) fn of_gateway() -> Pairs {
    let image = "the mesh puts the image of its proxy here";
    let mut pairs = checkov_skips(vec![
        ("CKV_K8S_14", image.to_owned()),
        (
            "CKV_K8S_40",
            "the number of the proxy's user is the mesh's".to_owned(),
        ),
        ("CKV_K8S_43", image.to_owned()),
    ]);
    pairs.insert(
        "ignore-check.kube-linter.io/latest-tag".to_owned(),
        image.to_owned(),
    );
    pairs
}

fn checkov_skips(mut checks: Vec<(&str, String)>) -> Pairs {
    checks.sort();
    let checks = checks.into_iter().enumerate();
    checks
        .map(|(at, (check, reason))| {
            let annotation = format!("checkov.io/skip{}", at + 1);
            (annotation, format!("{check}={reason}"))
        })
        .collect()
}
