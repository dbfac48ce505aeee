//! What runs beside the stack: services that need all rights on their machine, which Swarm gives to none.
//!
//! They are a Compose project on one declared host, in the stack's own networks, and a script that brings it up.

use serde::Serialize;

use super::names;
use crate::backend::docker::instance_names;
use crate::backend::docker::wiring::Wiring;
use crate::backend::{Files, compose, tls};
use crate::platform::{KEYSTORE_FILE, Platform, Service};
use crate::template::header;

/// The Compose file.
pub(super) const FILE: &str = "beside.yaml";

/// The script that runs it.
pub(super) const SCRIPT: &str = "beside.sh";

/// Seconds that it may take beyond what services say of themselves: images are pulled.
const ROOM: u64 = 600;

#[derive(Serialize)]
struct Script {
    header: String,
    project: String,
    stack: String,
    /// The label of nodes that says which declared host one is, and its value.
    label: String,
    host: String,
    /// What keeps running.
    services: Vec<String>,
    networks: Vec<String>,
    files: Vec<String>,
    secrets: Vec<String>,
    /// Secrets that may be missing.
    optional: Vec<String>,
    seconds: u64,
}

/// Says on which host something runs beside the stack, if anything does.
pub(super) fn host(platform: &Platform) -> Option<&str> {
    let mut services = platform.services.iter();
    let host = *services
        .find(|service| service.runs_beside())?
        .placement
        .first()?;
    let host = platform.environment.hosts.get(host)?;
    Some(&host.name)
}

/// Adds the Compose file and its script to a bundle, if anything runs beside the stack.
pub(super) fn add(platform: &Platform, wiring: &Wiring, stack: &str, files: &mut Files) {
    let Some(host) = host(platform) else {
        return;
    };
    let project = format!("{stack}-beside");
    let made = compose::beside(
        platform,
        wiring,
        (&project, FILE),
        Service::runs_beside,
        files,
    );
    let services = || {
        platform
            .services
            .iter()
            .filter(|service| service.runs_beside())
    };
    let startup = services().filter_map(|service| Some(service.probe.as_ref()?.startup.0));
    let (secrets, optional) = secrets(platform);
    let data = Script {
        header: header("the topology"),
        project,
        stack: stack.to_owned(),
        label: names::host_label(stack),
        host: host.to_owned(),
        services: services()
            .filter(|service| service.kind.keeps_running())
            .flat_map(instance_names)
            .collect(),
        networks: made.networks,
        files: made.files,
        secrets,
        optional,
        seconds: startup.max().unwrap_or_default() + ROOM,
    };
    let place = &platform.environment.place;
    files.add_script(SCRIPT, include_str!("beside.sh.tera"), &data, place);
}

/// Lists the files of secrets and certificates that are read, and those that may be missing.
fn secrets(platform: &Platform) -> (Vec<String>, Vec<String>) {
    let services: Vec<&Service> = platform
        .services
        .iter()
        .filter(|service| service.runs_beside())
        .collect();
    let read = services.iter().flat_map(|service| &service.secrets);
    let read: std::collections::BTreeSet<&String> = read.collect();
    let mut needed: Vec<String> = read
        .into_iter()
        .map(|name| format!("secrets/{name}"))
        .collect();
    let mut optional = Vec::new();
    let certificates = services
        .iter()
        .filter_map(|service| platform.certificate_of(service));
    for certificate in certificates {
        let own = |file: &str| format!("{}/{}/{file}", tls::FOLDER, certificate.name);
        needed.extend([own("tls.crt"), own("tls.key")]);
        needed.extend(certificate.keystore.then(|| own(KEYSTORE_FILE)));
        if certificate.given {
            optional.push(own("ca.crt"));
        } else {
            needed.push(format!("{}/ca.crt", tls::FOLDER));
        }
    }
    if services.iter().any(|service| service.trusts) {
        needed.push(format!("{}/ca.crt", tls::FOLDER));
    }
    needed.sort();
    needed.dedup();
    (needed, optional)
}
