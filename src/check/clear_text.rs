//! Connections between machines that nothing encrypts.

use std::collections::BTreeMap;

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::Platform;
use crate::terms::{Encryption, StorageKind};

static RULE: Rule = Rule {
    code: "clear-text",
    severity: Severity::Warning,
    summary: "a connection between machines is not encrypted",
    why: "Whoever is on the network between them reads passwords and data on their way, or changes them. Within one machine \
          nothing passes a network; between machines of a Swarm the network encrypts, in a cluster the mesh.",
    fix: "Put both ends into the mesh, let the port speak TLS, or keep data on local volumes or an NFS server of an encrypted \
          network; where that cannot be, `allow` it with the reason.",
    allowable: true,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    // One finding for each port, whoever connects to it.
    let mut ports: BTreeMap<(usize, &str), Vec<&str>> = BTreeMap::new();
    for flow in &platform.flows {
        if flow.encryption == Encryption::Clear && !platform.is_local(flow) {
            let from = platform.services[flow.from].name.as_str();
            let known = ports.entry((flow.to, &flow.port)).or_default();
            if !known.contains(&from) {
                known.push(from);
            }
        }
    }
    for ((to, port), from) in ports {
        let service = &platform.services[to];
        let component = platform.component_of(service);
        let Some(port) = service.ports.get(port) else {
            continue;
        };
        let mut finding = Finding::new(
            &RULE,
            component.place.clone(),
            format!(
                "`{}` is reached in clear on port {}, by {}",
                service.name,
                port.number,
                from.join(", ")
            ),
        )
        .related(port.place.clone(), "the port")
        .component(component.name.clone());
        if let Some(why) = &port.clear {
            finding = finding.cause(why.clone());
        }
        findings.push(finding);
    }
    let storage = &platform.environment.storage;
    let volumes: Vec<String> = platform
        .volumes_on(StorageKind::Nfs)
        .map(|volume| format!("`{}`", volume.name))
        .collect();
    if let (Some((server, _)), false) = (&storage.nfs, volumes.is_empty()) {
        let volumes = volumes.join(", ");
        let message = format!("what is kept in {volumes} goes to `{server}` in clear, by NFS");
        findings.push(Finding::new(&RULE, storage.place.clone(), message).help(
            "keep them on the hosts, or put the server and the hosts into a network that is encrypted and `allow` it with that reason",
        ));
    }
}
