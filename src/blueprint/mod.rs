//! Blueprints: how systems are deployed, as data.
//!
//! In come the folders embedded in the binary and the user's own, out come [`Blueprint`]s: typed, with the text of
//! every file beside them. What a blueprint says is evaluated in `resolve`; this stage knows no topology.

pub mod backup;
pub mod dashboard;
pub mod expression;
pub mod identity;
pub mod logs;
pub mod model;
pub mod monitoring;
pub mod scrape;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, OnceLock};

use include_dir::{Dir, include_dir};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::diagnostic::{Finding, Rule, Severity};
use crate::schema::Schema;
use crate::source::{FileId, KeyPath, Place, Sources};
use crate::tree::Tree;

static BUILT_IN: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/blueprints");

/// The schema of blueprint files.
pub static SCHEMA: LazyLock<Schema> = LazyLock::new(Schema::of::<model::Blueprint>);

/// A blueprint does not hold together.
pub static FAULTY_BLUEPRINT: Rule = Rule {
    code: "faulty-blueprint",
    severity: Severity::Error,
    summary: "a blueprint does not hold together",
    why: "A blueprint refers to its own services, ports, images, volumes, secrets and files by name, and computes \
          values with expressions and templates. What does not exist or cannot be computed cannot be deployed.",
    fix: "Correct the blueprint at the place shown; `lakewright blueprint check DIR` tries it alone. If the blueprint \
          is a built-in one, this is a defect of Lakewright.",
    allowable: false,
};

/// The name of the file that makes a folder a blueprint.
pub const FILE_NAME: &str = "blueprint.toml";

/// The file for those who read a blueprint, not for those who deploy it.
const README: &str = "README.md";

/// A blueprint and its files.
#[derive(Debug)]
pub struct Blueprint {
    /// Its name: that of its folder.
    pub name: String,
    /// What it says.
    pub model: model::Blueprint,
    /// `blueprint.toml`.
    pub file: FileId,
    /// `metrics.toml`: what it exports.
    pub metrics: monitoring::Metrics,
    /// `alerts.toml`: when somebody is told.
    pub alerts: monitoring::Alerts,
    /// `dashboard.toml`: what people look at.
    pub dashboard: Option<dashboard::Dashboard>,
    /// `backup.toml`: how it is backed up.
    pub backup: Option<backup::Backup>,
    /// `identity.toml`: how it knows people.
    pub identity: Option<identity::Identity>,
    /// All other files, by their path in the folder.
    pub files: BTreeMap<String, FileId>,
    /// SHA-256 over the names and contents of all files but the README, in hexadecimal.
    pub digest: String,
    /// Whether it comes from the user's folder.
    pub own: bool,
}

impl Blueprint {
    /// Returns the place of a value in `blueprint.toml`.
    pub fn place<I: IntoIterator<Item = S>, S: Into<String>>(&self, keys: I) -> Place {
        Place::value(self.file, KeyPath::of(keys))
    }

    /// Returns the place of a value in one of its other files; in `blueprint.toml`, if it has no such file.
    pub fn place_in<I: IntoIterator<Item = S>, S: Into<String>>(
        &self,
        file: &str,
        keys: I,
    ) -> Place {
        let file = self.files.get(file).copied().unwrap_or(self.file);
        Place::value(file, KeyPath::of(keys))
    }
}

/// Text files of a folder by their path in it.
pub type Folder = BTreeMap<String, String>;

/// All blueprints there are: built-in ones, and the user's own in front of them.
#[derive(Debug, Default)]
pub struct Library {
    own: BTreeMap<String, (String, Folder)>,
    loaded: BTreeMap<String, Result<Arc<Blueprint>, ()>>,
    default_for: OnceLock<BTreeMap<String, Vec<String>>>,
}

impl Library {
    /// Makes a library with the user's blueprints: the path they are known by, and their files, by name.
    pub fn new(own: BTreeMap<String, (String, Folder)>) -> Self {
        Self {
            own,
            ..Self::default()
        }
    }

    /// Returns the names of all blueprints, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = BUILT_IN
            .dirs()
            .filter_map(|folder| folder.path().file_name()?.to_str())
            .map(str::to_owned)
            .chain(self.own.keys().cloned())
            .collect();
        names.sort();
        names.dedup();
        names
    }

    /// Loads a blueprint, once.
    ///
    /// # Errors
    /// Every fault of its file, at the first call; nothing at later ones. `None` when there is no such blueprint.
    pub fn load(
        &mut self,
        sources: &mut Sources,
        name: &str,
    ) -> Option<Result<Arc<Blueprint>, Vec<Finding>>> {
        if let Some(known) = self.loaded.get(name) {
            return Some(known.clone().map_err(|()| Vec::new()));
        }
        let result = match self.own.get(name) {
            Some((path, folder)) => read(
                sources,
                name,
                path,
                folder
                    .iter()
                    .map(|(path, text)| (path.as_str(), text.as_str())),
                true,
            ),
            None => {
                let folder = BUILT_IN.get_dir(name)?;
                let mut files = Vec::new();
                collect(folder, &mut files);
                let prefix = format!("{name}/");
                let files = files
                    .into_iter()
                    .map(|(path, text)| (path.trim_start_matches(prefix.as_str()).to_owned(), text))
                    .collect::<Vec<_>>();
                read(
                    sources,
                    name,
                    &format!("blueprint:{name}"),
                    files.iter().map(|(path, text)| (path.as_str(), *text)),
                    false,
                )
            }
        };
        let result = result.map(Arc::new);
        self.loaded
            .insert(name.to_owned(), result.clone().map_err(|_| ()));
        Some(result)
    }

    /// Returns the names of the blueprints that are added by themselves for a capability.
    pub fn default_for(&self, capability: &str) -> &[String] {
        /// What is read of every blueprint to find out.
        #[derive(Deserialize)]
        struct Head {
            blueprint: About,
        }
        #[derive(Deserialize)]
        struct About {
            #[serde(default)]
            default_for: Vec<String>,
        }
        self.default_for
            .get_or_init(|| {
                let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
                for name in self.names() {
                    let text = match self.own.get(&name) {
                        Some((_, folder)) => folder.get(FILE_NAME).map(String::as_str),
                        None => BUILT_IN
                            .get_file(format!("{name}/{FILE_NAME}"))
                            .and_then(|file| file.contents_utf8()),
                    };
                    // Only blueprints that mention the key are worth parsing for it.
                    let head = text
                        .filter(|text| text.contains("default_for"))
                        .and_then(|text| toml::from_str::<Head>(text).ok());
                    for capability in head.into_iter().flat_map(|head| head.blueprint.default_for) {
                        found.entry(capability).or_default().push(name.clone());
                    }
                }
                found
            })
            .get(capability)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }
}

fn collect<'a>(folder: &'a Dir<'a>, files: &mut Vec<(&'a str, &'a str)>) {
    for file in folder.files() {
        if let (Some(path), Some(text)) = (file.path().to_str(), file.contents_utf8()) {
            files.push((path, text));
        }
    }
    folder.dirs().for_each(|inner| collect(inner, files));
}

fn read<'a>(
    sources: &mut Sources,
    name: &str,
    path: &str,
    files: impl Iterator<Item = (&'a str, &'a str)>,
    own: bool,
) -> Result<Blueprint, Vec<Finding>> {
    let files: BTreeMap<&str, &str> = files.collect();
    let mut digest = Sha256::new();
    // What people read beside a blueprint makes no difference to what it deploys.
    for (file, text) in files.iter().filter(|(file, _)| **file != README) {
        digest.update((file.len() as u64).to_be_bytes());
        digest.update(file);
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text);
    }
    let mut ids = BTreeMap::new();
    let text = files.get(FILE_NAME).copied().unwrap_or_default();
    let file = sources.add(format!("{path}/{FILE_NAME}"), text);
    for (other, text) in files.iter().filter(|(other, _)| **other != FILE_NAME) {
        ids.insert(
            (*other).to_owned(),
            sources.add(format!("{path}/{other}"), *text),
        );
    }
    let mut model = typed::<model::Blueprint>(sources, file, &SCHEMA, own)?;
    let mut findings = Vec::new();
    let backup = beside(sources, &ids, backup::FILE_NAME, &backup::SCHEMA, own).map(|read| {
        let (file, backup) = read?;
        let faults = backup::faults(&backup, &model, file);
        if faults.is_empty() {
            Ok(Some(backup))
        } else {
            Err(faults)
        }
    });
    let backup: Option<backup::Backup> = or_report(backup, &mut findings);
    if let Some(backup) = &backup {
        backup::expand(backup, &mut model);
        // What it shares with others are files of the blueprint all the same, and so part of what it deploys.
        for (name, text) in backup.shared() {
            digest.update(text);
            let id = sources.add(format!("{path}/{name}"), text);
            ids.insert(name.to_owned(), id);
        }
    }
    let metrics = beside(
        sources,
        &ids,
        monitoring::METRICS_FILE,
        &monitoring::METRICS_SCHEMA,
        own,
    )
    .map(|read| read.and_then(|(file, metrics)| monitoring::metrics(metrics, file)));
    let alerts = beside(
        sources,
        &ids,
        monitoring::ALERTS_FILE,
        &monitoring::ALERTS_SCHEMA,
        own,
    )
    .map(|read| read.and_then(|(file, alerts)| monitoring::alerts(alerts, file)));
    let dashboard = beside(sources, &ids, dashboard::FILE_NAME, &dashboard::SCHEMA, own)
        .map(|read| read.map(|(_, dashboard)| Some(dashboard)));
    let identity = beside(sources, &ids, identity::FILE_NAME, &identity::SCHEMA, own).map(|read| {
        let (file, identity) = read?;
        let faults = identity::faults(&identity, &model, file);
        if faults.is_empty() {
            Ok(Some(identity))
        } else {
            Err(faults)
        }
    });
    let identity = or_report(identity, &mut findings);
    let metrics = or_report(metrics, &mut findings);
    let alerts = or_report(alerts, &mut findings);
    let dashboard = or_report(dashboard, &mut findings);
    if !findings.is_empty() {
        return Err(findings);
    }
    Ok(Blueprint {
        name: name.to_owned(),
        model,
        file,
        metrics,
        alerts,
        dashboard,
        backup,
        identity,
        files: ids,
        digest: digest
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
        own,
    })
}

/// Reads a file of a blueprint into types.
///
/// # Errors
/// Every fault of it.
fn typed<T: DeserializeOwned>(
    sources: &Sources,
    file: FileId,
    schema: &Schema,
    own: bool,
) -> Result<T, Vec<Finding>> {
    let parsed = toml::from_str::<T>(&sources.file(file).text);
    // Types alone would pass unknown keys of services and say the first fault only.
    if own || parsed.is_err() {
        let tree = Tree::parse(sources, file)?;
        let findings = schema.validate(&tree);
        if !findings.is_empty() {
            return Err(findings);
        }
    }
    parsed.map_err(|error| {
        let place = error
            .span()
            .map_or(Place::File { file }, |span| Place::span(file, span));
        vec![Finding::new(
            &FAULTY_BLUEPRINT,
            place,
            error.message().to_owned(),
        )]
    })
}

/// Reads a file that a blueprint may have beside its own.
fn beside<T: DeserializeOwned>(
    sources: &Sources,
    files: &BTreeMap<String, FileId>,
    name: &str,
    schema: &Schema,
    own: bool,
) -> Option<Result<(FileId, T), Vec<Finding>>> {
    let file = *files.get(name)?;
    Some(typed(sources, file, schema, own).map(|read| (file, read)))
}

/// Returns what was read, or nothing of it and reports why.
fn or_report<T: Default>(read: Option<Result<T, Vec<Finding>>>, findings: &mut Vec<Finding>) -> T {
    match read {
        None => T::default(),
        Some(Ok(read)) => read,
        Some(Err(faults)) => {
            findings.extend(faults);
            T::default()
        }
    }
}
