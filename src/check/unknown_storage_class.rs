//! Volumes on whatever disk the cluster gives.

use std::collections::BTreeSet;

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::Platform;
use crate::terms::DiskClass;

static RULE: Rule = Rule {
    code: "unknown-storage-class",
    severity: Severity::Warning,
    summary: "volumes lie on the cluster's default disks, of which nothing is known",
    why: "Databases want fast disks, and X04 asks for encrypted ones. A cluster's default class is often neither: on AWS \
          it does not encrypt, on Google Cloud it may be a hard disk. The class of a volume cannot be changed later.",
    fix: "Say whose disks they are (`kubernetes.cloud`), or which class of the cluster to use \
          (`kubernetes.storage_classes`).",
    allowable: true,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    let Some(cluster) = &platform.environment.cluster else {
        return;
    };
    let unknown: BTreeSet<DiskClass> = platform
        .components
        .iter()
        .flat_map(|component| &component.volumes)
        .map(|volume| volume.class)
        .filter(|class| cluster.storage_class(*class).is_none())
        .collect();
    for class in unknown {
        findings.push(
            Finding::new(
                &RULE,
                platform.environment.target_place.clone(),
                format!("volumes on `{class}` disks lie on the cluster's default storage class"),
            )
            .help(format!(
                "add `kubernetes.cloud = \"aws\"`, or `kubernetes.storage_classes = {{ {class} = \"NAME\" }}`, to the environment"
            )),
        );
    }
}
