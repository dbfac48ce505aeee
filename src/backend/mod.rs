//! Backends: code that turns a platform into the files of one target. Pure functions; writing is another stage.

mod access;
mod alerts;
mod backup;
mod bootstrap;
pub mod compose;
mod docker;
pub(crate) mod images;
pub mod kubernetes;
pub mod matrix;
mod order;
pub mod readme;
mod sops;
pub mod subnets;
pub mod swarm;
pub(crate) mod tls;

use serde::Serialize;

use crate::bundle::{Bundle, BundlePath, File};
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::Platform;
use crate::source::Place;
use crate::template::render_own;
use crate::terms::Target;

/// A file of a blueprint cannot lie in a bundle.
pub static ILLEGAL_PATH: Rule = Rule {
    code: "illegal-path",
    severity: Severity::Error,
    summary: "a file cannot lie in a bundle",
    why: "A bundle is a folder that must be the same on every machine: no path leaves it, no two names differ in upper \
          and lower case only, none has characters that some file system refuses.",
    fix: "Rename the file in the blueprint's folder.",
    allowable: false,
};

/// What a backend does: builds all files of an environment, or says which of them cannot be.
pub type Build = fn(&Platform) -> Result<Bundle, Vec<Finding>>;

/// The backends there are, by target.
pub const BACKENDS: &[(Target, Build)] = &[
    (Target::Compose, compose::build),
    (Target::Swarm, swarm::build),
    (Target::Kubernetes, kubernetes::build),
];

/// Returns the backend of a target, if there is one.
pub fn of(target: Target) -> Option<Build> {
    BACKENDS
        .iter()
        .find(|(known, _)| *known == target)
        .map(|(_, build)| *build)
}

/// Returns the images that a target's own parts run, besides those of components.
pub fn own_images(target: Target) -> &'static [&'static str] {
    match target {
        Target::Compose | Target::Swarm => &[docker::PREPARE_IMAGE],
        Target::Kubernetes => &[],
    }
}

/// Returns the names of all environments' targets that have a backend.
pub fn targets() -> Vec<&'static str> {
    BACKENDS.iter().map(|(target, _)| target.word()).collect()
}

/// A bundle that is being filled, and what did not fit.
#[derive(Default)]
pub(crate) struct Files {
    bundle: Bundle,
    findings: Vec<Finding>,
}

impl Files {
    /// Adds a file; one that cannot be added is reported at the place it comes from.
    pub(crate) fn add(
        &mut self,
        path: &str,
        text: impl Into<Vec<u8>>,
        executable: bool,
        place: &Place,
    ) {
        let file = File {
            bytes: text.into(),
            executable,
        };
        let added = BundlePath::parse(path)
            .map_err(|error| error.to_string())
            .and_then(|path| {
                self.bundle
                    .insert(path, file)
                    .map_err(|error| error.to_string())
            });
        if let Err(error) = added {
            self.findings
                .push(Finding::new(&ILLEGAL_PATH, place.clone(), error));
        }
    }

    /// Adds a script of Lakewright's own, rendered from its template.
    pub(crate) fn add_script(
        &mut self,
        path: &str,
        template: &str,
        data: &impl Serialize,
        place: &Place,
    ) {
        // Sections that a bundle does not have leave empty lines.
        let mut text = render_own(template, data).trim_end().to_owned();
        while text.contains("\n\n\n") {
            text = text.replace("\n\n\n", "\n\n");
        }
        self.add(path, text + "\n", true, place);
    }

    /// Adds the scripts that components bring for people.
    pub(crate) fn add_scripts(&mut self, platform: &Platform) {
        for component in &platform.components {
            for (name, text) in &component.scripts {
                let path = format!("{}/{name}", component.name);
                self.add(&path, text.as_bytes(), true, &component.place);
            }
        }
    }

    /// Keeps git from taking the secrets that are made beside the bundle's own files.
    pub(crate) fn ignore_secrets(&mut self, place: &Place) {
        let text = format!("# {}\n/secrets/\n", crate::template::header("the topology"));
        self.add(".gitignore", text, false, place);
    }

    /// Takes in a finding that keeps the bundle from being made.
    pub(crate) fn report(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Returns the bundle, or everything that did not fit.
    pub(crate) fn finish(self) -> Result<Bundle, Vec<Finding>> {
        if self.findings.is_empty() {
            Ok(self.bundle)
        } else {
            Err(self.findings)
        }
    }
}
