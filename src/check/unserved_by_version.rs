//! Something that the cluster's version does not have.

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::{EnvValue, Platform};

static RULE: Rule = Rule {
    code: "unserved-by-version",
    severity: Severity::Error,
    summary: "the cluster's version does not serve what a service needs",
    why: "An older cluster ignores a field it does not know, or refuses the object: the service would come up without \
          what its blueprint counts on.",
    fix: "Raise `kubernetes.version` to what the cluster really is, or change the option that needs it.",
    allowable: false,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

/// The first minor version whose pods know the zone they run in.
/// Source: Kubernetes enhancement 4742, on by default since 1.35.
const ZONE_LABELS: u32 = 35;

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    let Some(cluster) = &platform.environment.cluster else {
        return;
    };
    for service in platform.services.iter().filter(|service| service.is_ours()) {
        let zone = service
            .env
            .iter()
            .find(|(_, value)| **value == EnvValue::Zone);
        let Some((name, _)) = zone.filter(|_| cluster.version < ZONE_LABELS) else {
            continue;
        };
        let component = platform.component_of(service);
        findings.push(
            Finding::new(
                &RULE,
                cluster.version_place.clone(),
                format!(
                    "`{}` reads its zone from `{name}`, which Kubernetes tells since 1.{ZONE_LABELS}, not 1.{}",
                    service.name, cluster.version
                ),
            )
            .related(component.place.clone(), "the component")
            .component(component.name.clone()),
        );
    }
}
