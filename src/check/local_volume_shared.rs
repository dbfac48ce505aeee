//! One volume for replicas on different hosts, which lies on each of them.

use std::collections::BTreeSet;

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::Platform;
use crate::terms::Target;

static RULE: Rule = Rule {
    code: "local-volume-shared",
    severity: Severity::Error,
    summary: "replicas on different hosts share a volume that lies on each host",
    why: "A local volume is a folder of its host: what one replica writes, one on another host does not see. A replica that \
          is started elsewhere finds an empty folder.",
    fix: "Put the volume on a server (`storage = \"nfs\"`), or run one replica.",
    allowable: true,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    if platform.environment.target != Target::Swarm {
        return;
    }
    for (at, component) in platform.components.iter().enumerate() {
        for (position, volume) in component.volumes.iter().enumerate() {
            if !volume.is_local() {
                continue;
            }
            let mut hosts = BTreeSet::new();
            for service in platform.services_of(at) {
                let mut mounts = service.mounts.values();
                // Members have volumes of their own, unless it is one for all.
                let own = service.members && !volume.shared;
                let inside = service.inside.is_some();
                if !own && !inside && mounts.any(|mount| mount.volume == position) {
                    hosts.extend(service.placement.iter().copied());
                }
            }
            if hosts.len() < 2 {
                continue;
            }
            let names: Vec<&str> = hosts
                .iter()
                .map(|host| platform.environment.hosts[*host].name.as_str())
                .collect();
            findings.push(
                Finding::new(
                    &RULE,
                    component.place.clone(),
                    format!(
                        "`{}` of `{}` would be a folder of its own on each of {}",
                        volume.key,
                        component.name,
                        names.join(", ")
                    ),
                )
                .related(volume.storage.1.clone(), "where volumes lie")
                .component(component.name.clone()),
            );
        }
    }
}
