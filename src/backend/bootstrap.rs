//! `bootstrap.sh`: brings a bundle up from nothing with one command, and asks every service whether it is well.
//!
//! It calls what the bundle has for each step already; what it adds is the order, what must be there before, and the
//! questions at the end.

use serde::Serialize;

use super::Files;
use super::docker::{instances, probe_command};
use super::kubernetes::{controller, telling};
use super::order::Order;
use crate::platform::{Kind, Platform, Service};
use crate::template::header;
use crate::terms::{SecretKind, SecretStore, Target};

/// The name of the script.
pub(crate) const SCRIPT: &str = "bootstrap.sh";

/// The least that is waited for everything to be well, in seconds.
const PATIENCE: u64 = 300;

#[derive(Serialize)]
struct Data {
    header: String,
    target: &'static str,
    project: String,
    namespace: String,
    secrets: Vec<String>,
    /// Files with sealed secrets.
    sealed: Vec<String>,
    given: Vec<Wanted>,
    /// Where values are kept; empty where the target keeps them.
    store: &'static str,
    certificates: bool,
    builds: bool,
    /// Memory of the machine, in MiB, and what to say when it has less.
    memory: u64,
    memory_words: String,
    settings: Vec<Setting>,
    patience: u64,
    /// Services that need not run, between spaces.
    optional: String,
    probes: Vec<Vec<String>>,
    /// Objects of a cluster's operators, each with the condition by which it tells how it is.
    telling: Vec<[String; 2]>,
    count_words: String,
    /// The address that published names lead to, where that is known.
    address: Option<String>,
    endpoints: Vec<Page>,
}

#[derive(Serialize)]
struct Wanted {
    path: String,
    /// The file that is enough instead.
    sealed: Option<String>,
    words: String,
}

#[derive(Serialize)]
struct Setting {
    path: String,
    minimum: i64,
    words: String,
}

#[derive(Serialize)]
struct Page {
    title: String,
    host: String,
    port: u16,
    url: String,
}

/// Adds the script to a bundle.
pub(crate) fn add(platform: &Platform, files: &mut Files) {
    let data = data(platform);
    let place = &platform.environment.place;
    files.add_script(SCRIPT, include_str!("bootstrap.sh.tera"), &data, place);
}

fn data(platform: &Platform) -> Data {
    let environment = &platform.environment;
    let is_given = |kind| kind == SecretKind::Given;
    let store = environment.secrets.word();
    // What an operator takes from a store outside is in no file here.
    let outside = store == Some(SecretStore::ExternalSecrets);
    let secrets = platform.secrets.iter().filter(|_| !outside);
    let probes: Vec<Vec<String>> = platform
        .services
        .iter()
        .filter(|service| service.kind.keeps_running() && service.inside.is_none())
        .flat_map(|service| probes(environment.target, service))
        .collect();
    let telling = match environment.target {
        Target::Kubernetes => telling(platform),
        _ => Vec::new(),
    };
    let count = probes.len() + telling.len();
    let always = |service: &&Service| platform.profile_of(service).is_none();
    let optional: Vec<&str> = platform
        .services
        .iter()
        .filter(|service| !always(service))
        .map(|service| service.name.as_str())
        .collect();
    let docker = environment.target == Target::Compose;
    let memory = environment.hosts.first().filter(|_| docker);
    Data {
        header: header("the topology"),
        target: environment.target.word(),
        project: environment.project(&platform.name),
        namespace: environment
            .cluster
            .as_ref()
            .map(|cluster| cluster.namespace.clone())
            .unwrap_or_default(),
        secrets: secrets
            .clone()
            .filter(|secret| !is_given(secret.kind))
            .map(|secret| secret.name.clone())
            .collect(),
        given: secrets
            .filter(|secret| is_given(secret.kind))
            .map(|secret| Wanted {
                path: format!("secrets/{}", secret.name),
                sealed: environment
                    .secrets
                    .sealed(std::slice::from_ref(secret))
                    .map(|(_, path)| path)
                    .next(),
                words: format!("secrets/{}: {}", secret.name, secret.purpose),
            })
            .collect(),
        sealed: environment
            .secrets
            .sealed(&platform.secrets)
            .map(|(_, path)| path)
            .collect(),
        store: store.map_or("", SecretStore::word),
        // On a cluster its own operator makes them.
        certificates: environment.target != Target::Kubernetes && !platform.certificates.is_empty(),
        builds: platform.components.iter().any(|component| {
            let here = || {
                let mut services = platform.services.iter();
                services.any(|service| {
                    std::ptr::eq(platform.component_of(service), component)
                        && service.inside.is_none()
                })
            };
            !component.builds.is_empty() && here()
        }),
        // The firmware and the kernel keep some of it.
        memory: memory.map_or(0, |host| host.memory.0 / (1 << 20) * 9 / 10),
        memory_words: memory.map_or_else(String::new, |host| {
            format!("memory: this machine should have {}", host.memory)
        }),
        settings: platform
            .services
            .iter()
            .filter(|_| docker)
            .filter(always)
            .flat_map(|service| {
                service
                    .host_settings
                    .iter()
                    .map(|(name, (minimum, _))| Setting {
                        path: format!("/proc/sys/{}", name.replace('.', "/")),
                        minimum: *minimum,
                        words: format!(
                            "a setting of the machine: sudo sysctl -w {name}={minimum}, for {}",
                            service.name
                        ),
                    })
            })
            .collect(),
        patience: patience(platform),
        optional: format!(" {} ", optional.join(" ")),
        probes,
        telling,
        count_words: format!("  {count} would be asked"),
        address: docker.then(|| match environment.bind.as_str() {
            "0.0.0.0" => "127.0.0.1".to_owned(),
            bind => bind.to_owned(),
        }),
        endpoints: platform
            .endpoints
            .iter()
            .filter(|endpoint| always(&&platform.services[endpoint.service]))
            .filter_map(|endpoint| {
                Some(Page {
                    title: endpoint.title.clone(),
                    host: endpoint.host.clone()?,
                    port: platform.edge.as_ref()?.port,
                    url: endpoint.url.clone(),
                })
            })
            .collect(),
    }
}

/// Returns the words that ask a service: for each container on one machine, for all replicas elsewhere.
fn probes(target: Target, service: &Service) -> Vec<Vec<String>> {
    let name = service.name.clone();
    match target {
        Target::Compose => {
            let Some(command) = probe_command(service) else {
                return Vec::new();
            };
            let instances = instances(service).into_iter();
            instances
                .map(|instance| {
                    std::iter::once(instance.name)
                        .chain(command.iter().cloned())
                        .collect()
                })
                .collect()
        }
        Target::Swarm if service.runs_beside() => Vec::new(),
        Target::Swarm => vec![vec![name]],
        Target::Kubernetes if !service.is_ours() => Vec::new(),
        Target::Kubernetes => vec![vec![controller(service), name]],
    }
}

/// Returns for how long a start may take: every wave as long as its slowest.
fn patience(platform: &Platform) -> u64 {
    let waves = Order::new(platform).waves;
    let mut longest: Vec<u64> = Vec::new();
    for (service, wave) in platform.services.iter().zip(waves) {
        let own = match &service.kind {
            Kind::Job { timeout } => timeout.map(|timeout| timeout.0),
            kind if kind.keeps_running() => service.probe.as_ref().map(|probe| probe.startup.0),
            _ => None,
        };
        if longest.len() <= wave {
            longest.resize(wave + 1, 0);
        }
        longest[wave] = longest[wave].max(own.unwrap_or(0));
    }
    longest.iter().sum::<u64>().max(PATIENCE)
}
