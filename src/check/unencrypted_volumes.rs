//! Data on disks of which nobody says that they are encrypted.

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::Platform;
use crate::terms::Target;

static RULE: Rule = Rule {
    code: "unencrypted-volumes",
    severity: Severity::Warning,
    summary: "data lies on disks of which nobody says that they are encrypted",
    why: "Whoever gets at a disk that was thrown away, sent in for repair or copied reads what is on it. Hosts of Compose and \
          Swarm have the disks that they have: a bundle can neither encrypt them nor see whether they are.",
    fix: "Put the engine's folder on an encrypted disk (LUKS, or what whoever rents the machines out offers) and say so: \
          `storage.encrypted = true`. Where that cannot be, `allow` it with the reason.",
    allowable: true,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    let environment = &platform.environment;
    // A cluster has storage classes; what serves one machine only is somebody's own.
    if environment.target == Target::Kubernetes
        || platform.is_on_this_machine()
        || environment.storage.encrypted
    {
        return;
    }
    let components = platform.components.iter();
    let volumes = components.flat_map(|component| &component.volumes);
    let open = volumes.filter(|volume| volume.encryption.is_none());
    let open: Vec<String> = open.map(|volume| format!("`{}`", volume.name)).collect();
    if open.is_empty() {
        return;
    }
    findings.push(
        Finding::new(
            &RULE,
            environment.storage.place.clone(),
            format!(
                "nobody says that the disks are encrypted that {} lie{} on",
                open.join(", "),
                if open.len() == 1 { "s" } else { "" }
            ),
        )
        .help("encrypt them, and add `storage.encrypted = true` to the environment"),
    );
}
