//! The whole way, from a topology's text to sealed bundles in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::backend;
use crate::blueprint::Library;
use crate::bundle::inventory::{Input, Keep, SecretSpec};
use crate::bundle::{BundlePath, Digest, File, Meta, Sealed};
use crate::check;
use crate::diagnostic::{Finding, Severity};
use crate::outline::{self, Accepted, OUTLINE};
use crate::platform::Platform;
use crate::platform::pins::Digests;
use crate::resolve::trace::{Explained, Trace};
use crate::resolve::{self, Cache};
use crate::source::{FileId, Place, Sources};
use crate::topology::layer::{Allow, layer};
use crate::topology::{self, Topology};

/// A compilation: what was read, and what was found.
pub struct Compiler {
    /// All files that were read.
    pub sources: Sources,
    /// All findings so far.
    pub findings: Vec<Finding>,
    library: Library,
    cache: Cache,
}

/// One environment, resolved and checked.
#[derive(Debug)]
pub struct Compiled {
    /// The platform.
    pub platform: Platform,
    /// Where its values come from, if that was asked for.
    pub trace: Trace,
    /// Findings that are accepted in it, by what an outline calls them.
    pub accepted: BTreeMap<String, Accepted>,
}

/// Describes an accepted finding, with what an outline calls it, and records where it is accepted.
fn accepted(allow: &Allow, severity: Severity, trace: &mut Trace) -> (String, Accepted) {
    let key = match &allow.component {
        Some(component) => format!("{component}/{}", allow.code),
        None => allow.code.clone(),
    };
    trace.record(
        || format!("accepted.{key}"),
        || Explained::one(&allow.reason, "set", allow.place.clone()),
    );
    let accepted = Accepted {
        severity: severity.name().to_owned(),
        reason: allow.reason.clone(),
    };
    (key, accepted)
}

impl Compiler {
    /// Starts with a library of blueprints.
    pub fn new(sources: Sources, library: Library) -> Self {
        Self {
            sources,
            findings: Vec::new(),
            library,
            cache: Cache::default(),
        }
    }

    /// Replaces the library, once it is known where the user's blueprints lie.
    pub fn set_library(&mut self, library: Library) {
        self.library = library;
    }

    /// Returns the library of blueprints, and the files read so far.
    pub fn library(&mut self) -> (&mut Library, &mut Sources) {
        (&mut self.library, &mut self.sources)
    }

    /// Sets the digests that images are deployed by.
    pub fn set_digests(&mut self, digests: Digests) {
        self.cache.digests = digests;
    }

    /// Returns the images that the components of all environments that were resolved could use, by their reference.
    pub fn images(&self) -> &BTreeSet<String> {
        &self.cache.images
    }

    /// Reads a topology.
    pub fn read(&mut self, file: FileId) -> Option<Topology> {
        match topology::parse(&mut self.sources, file) {
            Ok(topology) => Some(topology),
            Err(findings) => {
                self.findings.extend(findings);
                None
            }
        }
    }

    /// Resolves and checks environments; those with errors are left out. `explain` records where values come from.
    pub fn environments(
        &mut self,
        topology: &Topology,
        names: &[&str],
        explain: bool,
    ) -> Vec<Compiled> {
        let mut compiled = Vec::new();
        let mut allows: BTreeMap<Place, (Allow, bool)> = BTreeMap::new();
        for name in names {
            let of_it = |finding: &&Finding| {
                let environment = finding.environment.as_deref();
                environment.is_none_or(|environment| environment == *name)
            };
            let mut secrets: Vec<Finding> =
                topology.secrets.iter().filter(of_it).cloned().collect();
            let layered = match layer(topology, name) {
                Ok(layered) => layered,
                Err(findings) => {
                    self.findings.extend(findings);
                    self.findings.extend(secrets);
                    continue;
                }
            };
            let mut used = BTreeMap::new();
            check::apply_allows(&mut secrets, &layered.allow, &mut used);
            let mut trace = if explain {
                Trace::recording()
            } else {
                Trace::default()
            };
            let resolved = resolve::resolve(
                &layered,
                &mut self.library,
                &mut self.sources,
                &mut self.cache,
                &mut trace,
            );
            let platform = match resolved {
                Ok(platform) => platform,
                Err(findings) => {
                    self.findings.extend(findings);
                    self.findings.extend(secrets);
                    continue;
                }
            };
            let mut findings = check::check(&platform);
            findings.extend(secrets);
            check::apply_allows(&mut findings, &layered.allow, &mut used);
            for (at, allow) in layered.allow.iter().enumerate() {
                // One that stands for all environments is used when it is in one of them.
                let (_, known) = allows
                    .entry(allow.place.clone())
                    .or_insert_with(|| (allow.clone(), false));
                *known |= used.contains_key(&at);
            }
            let accepted: BTreeMap<String, Accepted> = used
                .iter()
                .map(|(at, severity)| accepted(&layered.allow[*at], *severity, &mut trace))
                .collect();
            let broken = findings
                .iter()
                .any(|finding| finding.severity == Severity::Error);
            self.findings.extend(findings);
            if !broken {
                compiled.push(Compiled {
                    platform,
                    trace,
                    accepted,
                });
            }
        }
        // Whether an `allow` is of use is known only when every environment was looked at.
        if names.len() == topology.environments().len() && compiled.len() == names.len() {
            let unused = allows.values().filter(|(_, used)| !used);
            self.findings
                .extend(unused.map(|(allow, _)| check::unused_allow(allow)));
        }
        compiled
    }

    /// Builds and seals the bundle of an environment, if its target has a backend and nothing is wrong with it.
    pub fn bundle(&mut self, topology: &Topology, compiled: &Compiled) -> Option<Sealed> {
        let platform = &compiled.platform;
        let build = backend::of(platform.environment.target)?;
        match build(platform) {
            Ok(mut bundle) => {
                let meta = self.meta(topology, platform);
                let outline = outline::outline(platform, &compiled.accepted, &|place| {
                    self.key(topology, place)
                });
                let path = BundlePath::parse(OUTLINE).expect("`platform.json` is a path");
                // Components have folders, and their names have no dots: nothing else is called so.
                if let Err(error) = bundle.insert(path, File::plain(outline.to_json())) {
                    let place = platform.environment.place.clone();
                    let clash = Finding::new(&backend::ILLEGAL_PATH, place, error.to_string());
                    self.findings.push(clash);
                    return None;
                }
                Some(bundle.seal(meta))
            }
            Err(findings) => {
                self.findings.extend(findings);
                None
            }
        }
    }

    /// Names a place by its file and the key in it, the same on any machine.
    fn key(&self, topology: &Topology, place: &Place) -> String {
        let name = &self.sources.file(place.file()).name;
        let mut steps = name.rsplit(['/', ':']);
        let last = steps.next().unwrap_or_default();
        let file = match steps.next() {
            Some(folder) if place.file() != topology.file => format!("{folder}/{last}"),
            _ => last.to_owned(),
        };
        match place {
            Place::Path { path, .. } => format!("{file}: {path}"),
            Place::Span { .. } | Place::File { .. } => file,
        }
    }

    fn meta(&mut self, topology: &Topology, platform: &Platform) -> Meta {
        let file = self.sources.file(topology.file);
        // Only the name: where the topology lies differs from machine to machine.
        let name = Path::new(&file.name)
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        let mut inputs = vec![Input {
            name: name.unwrap_or_default(),
            sha256: Digest::of(file.text.as_bytes()),
        }];
        let used: BTreeSet<&str> = platform
            .components
            .iter()
            .map(|component| component.blueprint.as_str())
            .collect();
        for name in used {
            if let Some(Ok(blueprint)) = self.library.load(&mut self.sources, name)
                && let Ok(sha256) = blueprint.digest.parse()
            {
                inputs.push(Input {
                    name: format!("blueprint {name}"),
                    sha256,
                });
            }
        }
        let mut consumers: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for service in &platform.services {
            for secret in &service.secrets {
                consumers
                    .entry(secret)
                    .or_default()
                    .push(service.name.clone());
            }
        }
        let encrypted = platform.environment.secrets.folder();
        let encrypted = encrypted.map(|folder| format!("{folder}/"));
        let keep = std::iter::once("secrets/")
            .chain(encrypted.as_deref())
            .chain(platform.environment.keep.iter().map(String::as_str));
        Meta {
            platform: platform.name.clone(),
            environment: platform.environment.name.clone(),
            target: platform.environment.target.to_string(),
            store: platform.environment.secrets.word(),
            inputs,
            // What is not a path was refused by the topology's schema.
            keep: keep.filter_map(|path| Keep::parse(path).ok()).collect(),
            secrets: platform
                .secrets
                .iter()
                .map(|secret| SecretSpec {
                    name: secret.name.clone(),
                    kind: secret.kind,
                    length: secret.length,
                    alphabet: secret.alphabet.clone(),
                    prefix: secret.prefix.clone(),
                    token: secret.token.clone(),
                    rotation: secret.rotation.clone(),
                    version: secret.version,
                    purpose: secret.purpose.clone(),
                    consumers: consumers.remove(secret.name.as_str()).unwrap_or_default(),
                })
                .collect(),
        }
    }
}
