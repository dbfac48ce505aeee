//! Docker Swarm: a few machines, encrypted overlay networks, services that are placed by their budgets.
//!
//! In comes a platform, out come `stack.yaml` and what it mounts. The stack format is a dialect of its own: what it has no
//! word for is done by the scripts of the bundle (order of start, images) or another way (volumes that belong to their
//! users, shared memory), and never written where it would be ignored.

mod beside;
mod model;
mod names;
mod network;
mod scripts;
mod service;
mod storage;

use std::collections::BTreeMap;

use model::{Config, External, Stack};

use super::Files;
use super::docker::wiring::Wiring;
use super::docker::{Instance, config_name, file_paths, instances, key};
use crate::bundle::Bundle;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::budget::load;
use crate::platform::{Certificate, KEYSTORE_FILE, Platform, Service};
use crate::source::Place;
use crate::template::{header, to_yaml};

/// A file is too large for a Swarm to keep, or its name too long.
pub static UNKEPT: Rule = Rule {
    code: "unkept-by-swarm",
    severity: Severity::Error,
    summary: "a Swarm cannot keep a file or secret",
    why: "Swarm keeps files and secrets itself and hands them to tasks: files of less than 1000 KiB, under names of at \
          most 64 characters.",
    fix: "Make the file smaller, or the name of the platform, the environment or the component shorter.",
    allowable: false,
};

/// The largest file that a Swarm keeps, in bytes. Source: moby/swarmkit, manager/controlapi/config.go.
const LARGEST: usize = 1000 * 1024;

/// Builds the bundle of a platform.
///
/// # Errors
/// Files that cannot lie in a bundle, or that a Swarm cannot keep.
pub fn build(platform: &Platform) -> Result<Bundle, Vec<Finding>> {
    let plan = Plan::new(platform);
    let project = plan.project.as_str();
    let paths = file_paths(platform);
    // Each host that runs a task of a network has an address in it too, and so has each task that is about to be exchanged.
    let wiring = Wiring::new(platform, platform.environment.hosts.len() as u64);
    let mut parts = Parts {
        project: project.to_owned(),
        files: Files::default(),
        stack: Stack {
            services: BTreeMap::new(),
            networks: network::definitions(platform, &wiring),
            volumes: BTreeMap::new(),
            configs: BTreeMap::new(),
            secrets: BTreeMap::new(),
        },
    };
    for (at, service) in platform.services.iter().enumerate() {
        if service.inside.is_some() || service.runs_beside() {
            continue;
        }
        let component = platform.component_of(service);
        for file in service.files.values() {
            let path = &paths[&key(service, file)];
            parts.file(
                path,
                file.content.as_bytes(),
                file.executable,
                &service.place,
            );
        }
        for instance in instances(service) {
            for (name, volume, _, _) in storage::of(platform, service, &instance) {
                let made = storage::definition(platform, project, &component.name, &name, volume);
                parts.stack.volumes.insert(name, made);
            }
            let made = service::make(&plan, &wiring, at, &instance, &paths);
            parts.stack.services.insert(instance.name, made);
        }
    }
    storage::prepare(platform, project, &mut parts);
    network::add_nowhere(&mut parts.stack);
    parts.secrets(platform);
    let Parts {
        mut files, stack, ..
    } = parts;
    beside::add(platform, &wiring, project, &mut files);
    let place = &platform.environment.place;
    let text = format!("# {}\n{}", header("the topology"), to_yaml(&stack));
    files.add("stack.yaml", text, false, place);
    scripts::add(&plan, &stack, &mut files);
    super::tls::add(platform, &mut files);
    let readme = super::readme::swarm::render(platform, project);
    files.add("README.md", readme, false, place);
    super::matrix::add(platform, super::matrix::docker(platform), &mut files);
    super::access::add(platform, &mut files);
    files.add_scripts(platform);
    super::alerts::add(platform, &mut files);
    super::backup::add(platform, &mut files);
    super::bootstrap::add(platform, &mut files);
    super::sops::add(platform, &mut files);
    files.ignore_secrets(place);
    files.finish()
}

/// Lists the services that the stack consists of.
fn stack_services(platform: &Platform) -> impl Iterator<Item = &Service> {
    let services = platform.services.iter();
    services.filter(|service| service.inside.is_none() && !service.runs_beside())
}

/// Lists the secrets that a certificate consists of, each with the name of its file in a container.
fn certificate_parts(certificate: &Certificate) -> Vec<(String, &'static str)> {
    let name = &certificate.name;
    let mut parts = vec![
        (format!("tls-{name}-crt"), "tls.crt"),
        (format!("tls-{name}-key"), "tls.key"),
    ];
    if certificate.keystore {
        parts.push((format!("tls-{name}-p12"), KEYSTORE_FILE));
    }
    if !certificate.given {
        parts.push((AUTHORITY.to_owned(), "ca.crt"));
    }
    parts
}

/// What the authority's certificate is called among the secrets of the stack.
const AUTHORITY: &str = "tls-authority";

/// Where everything goes.
struct Plan<'p> {
    platform: &'p Platform,
    /// Name of the stack.
    project: String,
    /// Memory and processors that are left on each host, in bytes and millicores.
    left: Vec<(u64, u64)>,
}

impl<'p> Plan<'p> {
    fn new(platform: &'p Platform) -> Self {
        let profiles = std::collections::BTreeSet::new();
        let left = (0..platform.environment.hosts.len())
            .map(|host| load(platform, host, &profiles).left())
            .collect();
        Self {
            platform,
            project: platform.environment.project(&platform.name),
            left,
        }
    }

    /// Returns the host that a task must run on: the one with its data, or that which has its ports.
    fn pinned(&self, service: &Service, instance: &Instance) -> Option<usize> {
        let number = instance.number.map_or(0, |number| number - 1);
        let host = service
            .placement
            .get(usize::try_from(number).ok()?)
            .copied();
        let keeps = self.platform.keeps_local_data(service);
        let only = service.replicas.min == 1 && service.has_host_ports();
        host.filter(|_| keeps || only || service.per_host)
    }

    /// Says whether some host has room for one more task of a service.
    fn has_room(&self, service: &Service) -> bool {
        let (memory, cpu) = (service.resources.memory.0, service.resources.cpu.0);
        let mut left = self.left.iter();
        left.any(|(free_memory, free_cpu)| *free_memory >= memory && *free_cpu >= cpu)
    }
}

/// A bundle that is being filled.
struct Parts {
    project: String,
    files: Files,
    stack: Stack,
}

impl Parts {
    /// Adds a file that tasks have.
    fn file(&mut self, path: &str, content: &[u8], executable: bool, place: &Place) {
        let key = config_name(path);
        if self.stack.configs.contains_key(&key) {
            return;
        }
        if content.len() >= LARGEST {
            self.files.report(Finding::new(
                &UNKEPT,
                place.clone(),
                format!(
                    "`{path}` has {} bytes, and {LARGEST} are too many",
                    content.len()
                ),
            ));
        }
        let config = Config {
            name: names::config(&self.project, path, content),
            file: format!("./{path}"),
        };
        self.stack.configs.insert(key, config);
        self.files.add(path, content, executable, place);
    }

    /// Lists the secrets that services read.
    fn secrets(&mut self, platform: &Platform) {
        let read: std::collections::BTreeSet<&String> = stack_services(platform)
            .flat_map(|service| &service.secrets)
            .collect();
        for secret in &platform.secrets {
            if !read.contains(&secret.name) {
                continue;
            }
            let name = names::secret(&self.project, secret);
            if name.len() > names::LONGEST {
                self.files.report(Finding::new(
                    &UNKEPT,
                    platform.environment.place.clone(),
                    format!(
                        "the name `{name}` is longer than {} characters",
                        names::LONGEST
                    ),
                ));
            }
            self.external(secret.name.clone(), name);
        }
        if stack_services(platform).any(|service| service.trusts) {
            self.external(AUTHORITY.to_owned(), names::authority(&self.project));
        }
        for certificate in &platform.certificates {
            let mut users = certificate.services.iter();
            if !users.any(|at| !platform.services[*at].runs_beside()) {
                continue;
            }
            for (key, file) in certificate_parts(certificate) {
                let name = if key == AUTHORITY {
                    names::authority(&self.project)
                } else {
                    let part = file.trim_start_matches("tls.");
                    names::certificate(&self.project, &certificate.name, part)
                };
                self.external(key, name);
            }
        }
    }

    fn external(&mut self, key: String, name: String) {
        let external = External {
            name,
            external: true,
        };
        self.stack.secrets.insert(key, external);
    }
}
