//! Where the lines of a bundle come from: which lines of the topology or of a blueprint made them so.
//!
//! Backends do not carry places: what they write follows from the platform by fixed rules, and the rules are said here once
//! more, as data (`rules.toml`): which key of a backend's file shows which value of the platform. Files that a blueprint brings are
//! held against what they were made from, line by line. An answer says how exact it is.

mod aligned;
mod follow;
mod rules;
mod structured;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

pub use structured::{Scalar, Step, is_structured, scalars, shown};

use crate::blueprint::{Blueprint, FILE_NAME};
use crate::bundle::Sealed;
use crate::platform::{Component, Platform, Service};
use crate::resolve::trace::Trace;
use crate::source::{FileId, KeyPath, Place, Segment, Sources};
use crate::tree::Tree;

/// How exactly it is known where something comes from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Precision {
    /// The value itself, or the line that it was made from.
    Exact,
    /// The table that it follows from: a probe, a connection, a volume.
    Part,
    /// The service, component or file that it belongs to: every other of its kind has the like.
    Whole,
}

/// Where something comes from.
#[derive(Clone, Debug)]
pub struct Origin {
    /// How exactly that is known.
    pub precision: Precision,
    /// Where it stands, what decides first.
    pub places: Vec<Place>,
    /// The path of the settled value that it shows, for `explain`.
    pub value: Option<String>,
}

impl Origin {
    fn new(precision: Precision, place: Place) -> Self {
        Self {
            precision,
            places: vec![place],
            value: None,
        }
    }
}

/// A structured file, prepared for questions about its scalars.
pub struct File<'f> {
    path: &'f str,
    text: &'f str,
    /// The file of a blueprint that it was made from.
    source: Option<(Arc<Blueprint>, String)>,
    by_path: BTreeMap<(usize, &'f [Step]), &'f Scalar>,
}

impl File<'_> {
    /// Returns the text of a key below a way.
    fn below(&self, document: usize, way: &[Step], key: &str) -> Option<&str> {
        let mut path = way.to_vec();
        path.push(Step::Key(key.to_owned()));
        let scalar = self.by_path.get(&(document, path.as_slice()))?;
        Some(&scalar.text)
    }
}

/// What is needed to say where lines come from.
pub struct Origins<'a> {
    platform: &'a Platform,
    trace: &'a Trace,
    sources: &'a Sources,
    topology: FileId,
    /// Blueprints by name.
    blueprints: BTreeMap<String, Arc<Blueprint>>,
    bundle: &'a Sealed,
    trees: RefCell<BTreeMap<FileId, Option<Tree>>>,
    aligned: RefCell<BTreeMap<(FileId, u64), Vec<usize>>>,
}

/// What a scalar is about.
#[derive(Clone, Copy, Default)]
struct Subject<'a> {
    service: Option<&'a Service>,
    component: Option<&'a Component>,
}

impl<'a> Origins<'a> {
    /// Prepares the answers about one environment.
    pub fn new(
        platform: &'a Platform,
        trace: &'a Trace,
        sources: &'a Sources,
        topology: FileId,
        blueprints: BTreeMap<String, Arc<Blueprint>>,
        bundle: &'a Sealed,
    ) -> Self {
        Self {
            platform,
            trace,
            sources,
            topology,
            blueprints,
            bundle,
            trees: RefCell::default(),
            aligned: RefCell::default(),
        }
    }

    /// Prepares the answers about a structured file.
    pub fn file<'f>(&self, path: &'f str, text: &'f str, scalars: &'f [Scalar]) -> File<'f> {
        let at = |scalar: &'f Scalar| ((scalar.document, scalar.path.as_slice()), scalar);
        File {
            path,
            text,
            source: self.source(path, text),
            by_path: scalars.iter().map(at).collect(),
        }
    }

    /// Says where a scalar of a structured file comes from. `line` is one of those that belong to it.
    pub fn of(&self, file: &File<'_>, scalar: &Scalar, line: usize) -> Origin {
        self.by_alert(file, scalar)
            .or_else(|| self.by_dashboard(file, scalar))
            .or_else(|| {
                let (blueprint, name) = file.source.as_ref()?;
                Some(self.in_file(blueprint, name, file.text, line, Some(scalar)))
            })
            .or_else(|| self.by_config_map(file, scalar, line))
            .unwrap_or_else(|| self.by_rules(file, scalar))
    }

    /// Says where a line of a file without structure comes from.
    pub fn of_line(&self, path: &str, text: &str, line: usize) -> Origin {
        match self.source(path, text) {
            Some((blueprint, file)) => self.in_file(&blueprint, &file, text, line, None),
            None => self.whole(self.subject_of(&self.file(path, text, &[]), None)),
        }
    }

    // --- files of blueprints

    /// Finds the file of a blueprint that a file was made from: it says so at its top, or is one of a service's.
    fn source(&self, path: &str, text: &str) -> Option<(Arc<Blueprint>, String)> {
        let said = text.lines().take(3).find_map(|line| {
            let (_, said) = line.split_once("Made by lakewright from blueprint ")?;
            let (name, rest) = said.split_once(", ")?;
            let (file, _) = rest.split_once(". Change that")?;
            Some((name, file))
        });
        if let Some((name, file)) = said {
            return Some((self.blueprints.get(name)?.clone(), file.to_owned()));
        }
        for service in &self.platform.services {
            let mut files = service.files.values();
            if let Some(file) = files.find(|file| *file.content == *text) {
                return self.file_of(self.platform.component_of(service), &file.source);
            }
        }
        let name = path.rsplit('/').next().unwrap_or_default();
        for component in &self.platform.components {
            let mut files = component.builds.iter().flat_map(|build| &build.files);
            let found = files
                .find(|(own, content)| ***content == *text && own.rsplit('/').next() == Some(name));
            if let Some((file, _)) = found {
                return self.file_of(component, file);
            }
        }
        None
    }

    /// Finds a file of a component's blueprint by the name that it has in bundles.
    fn file_of(&self, component: &Component, source: &str) -> Option<(Arc<Blueprint>, String)> {
        let blueprint = self.blueprints.get(&component.blueprint)?;
        let stem = source.rsplit_once('.').map_or(source, |(stem, _)| stem);
        let end = format!("/{source}");
        let found = [
            source.to_owned(),
            format!("{source}.tera"),
            format!("{stem}.toml"),
        ];
        let exact = found
            .into_iter()
            .find(|name| blueprint.files.contains_key(name));
        let below = || {
            let mut names = blueprint.files.keys();
            names
                .find(|name| name.trim_end_matches(".tera").ends_with(&end))
                .cloned()
        };
        let name = exact.or_else(below).unwrap_or_else(|| FILE_NAME.to_owned());
        Some((blueprint.clone(), name))
    }

    fn in_file(
        &self,
        blueprint: &Blueprint,
        name: &str,
        text: &str,
        line: usize,
        scalar: Option<&Scalar>,
    ) -> Origin {
        let Some(file) = blueprint.files.get(name).copied() else {
            return Origin::new(
                Precision::Whole,
                Place::File {
                    file: blueprint.file,
                },
            );
        };
        if name.ends_with(".toml") {
            let Some(scalar) = scalar else {
                return Origin::new(Precision::Whole, Place::File { file });
            };
            // A data file has the keys of what it becomes.
            let path = keys(&scalar.path);
            let known = self.depth(file, &path);
            let precision = match known {
                0 => Precision::Whole,
                depth if depth == path.segments().len() => Precision::Exact,
                _ => Precision::Part,
            };
            return Origin::new(precision, Place::value(file, path));
        }
        let source = &self.sources.file(file).text;
        let lines = {
            let key = (file, aligned::fingerprint(text));
            let mut cache = self.aligned.borrow_mut();
            let known = cache
                .entry(key)
                .or_insert_with(|| aligned::align(source, text));
            known.get(line.saturating_sub(1)).copied()
        };
        match lines.and_then(|at| aligned::span(source, at)) {
            Some(span) => Origin::new(Precision::Exact, Place::span(file, span)),
            None => Origin::new(Precision::Whole, Place::File { file }),
        }
    }

    /// Says how many steps of a path a TOML file has.
    fn depth(&self, file: FileId, path: &KeyPath) -> usize {
        let mut trees = self.trees.borrow_mut();
        let tree = trees
            .entry(file)
            .or_insert_with(|| Tree::parse(self.sources, file).ok());
        let mut at = tree.as_ref();
        let mut depth = 0;
        for segment in path.segments() {
            at = at.and_then(|tree| match segment {
                Segment::Key(key) => tree.get(key),
                Segment::Index(index) => tree.items().get(*index),
            });
            if at.is_none() {
                break;
            }
            depth += 1;
        }
        depth
    }

    // --- alerts and dashboards

    /// Finds the alert that a scalar belongs to: rules, their tests, objects of operators all name it.
    fn by_alert(&self, file: &File<'_>, scalar: &Scalar) -> Option<Origin> {
        let is_rules = file.path.contains("rules") || file.path.contains("alerts/");
        if !is_rules || file.path.ends_with(".json") {
            return None;
        }
        for length in (1..=scalar.path.len()).rev() {
            let prefix = &scalar.path[..length];
            let names = ["alert", "alertname", "name"]
                .into_iter()
                .filter_map(|key| file.below(scalar.document, prefix, key));
            for name in names {
                let word = name.split(' ').next().unwrap_or_default();
                let Some(alert) = self.alert_named(word) else {
                    continue;
                };
                // `expr`, `for`, `annotations.summary`: the alert's own keys.
                let key = scalar.path.iter().rev().find_map(|step| match step {
                    Step::Key(key) => Some(key.as_str()),
                    Step::Index(_) => None,
                });
                return self.alert_part(alert, key.unwrap_or_default());
            }
        }
        None
    }

    /// Finds the panel of a dashboard that a scalar belongs to, by its title.
    fn by_dashboard(&self, file: &File<'_>, scalar: &Scalar) -> Option<Origin> {
        if !file.path.contains("dashboards/") {
            return None;
        }
        let name = file.path.rsplit('/').next()?.strip_suffix(".json")?;
        let own = |component: &&Component| component.name == name;
        let known = self
            .platform
            .components
            .iter()
            .any(|component| own(&component));
        let dashboards: Vec<_> = self
            .platform
            .components
            .iter()
            .filter(|component| !known || own(component))
            .filter_map(|component| component.dashboard.as_ref())
            .collect();
        for length in (1..=scalar.path.len()).rev() {
            let prefix = &scalar.path[..length];
            let Some(title) = file.below(scalar.document, prefix, "title") else {
                continue;
            };
            let mut rows = dashboards.iter().flat_map(|dashboard| &dashboard.rows);
            let panel = rows.find_map(|row| {
                let mut panels = row.panels.iter();
                panels.find(|panel| panel.title == title)
            });
            if let Some(panel) = panel {
                return Some(Origin::new(Precision::Part, panel.place.clone()));
            }
        }
        let component = self.platform.components.iter().find(own)?;
        let blueprint = self.blueprints.get(&component.blueprint)?;
        let file = blueprint.files.get("dashboard.toml").copied();
        let file = file.unwrap_or(blueprint.file);
        Some(Origin::new(Precision::Whole, Place::File { file }))
    }

    /// Looks into a ConfigMap: its values are files.
    fn by_config_map(&self, file: &File<'_>, scalar: &Scalar, line: usize) -> Option<Origin> {
        let is_map = file.below(scalar.document, &[], "kind") == Some("ConfigMap");
        let [Step::Key(data), Step::Key(name)] = scalar.path.as_slice() else {
            return None;
        };
        if !is_map || data != "data" {
            return None;
        }
        let (blueprint, name) = self.source(&name.replace('_', "/"), &scalar.text)?;
        // The text ends where the scalar does.
        let lines = scalar.text.lines().count();
        let first = (scalar.end + 1).saturating_sub(lines);
        let line = (line + 1).saturating_sub(first).max(1);
        Some(self.in_file(&blueprint, &name, &scalar.text, line, None))
    }

    // --- what backends write

    fn by_rules(&self, file: &File<'_>, scalar: &Scalar) -> Origin {
        let path = file.path;
        let docker = ["compose.yaml", "stack.yaml", "beside.yaml"].contains(&path);
        let table = if docker {
            rules::RULES.docker.as_slice()
        } else if path.contains("manifests/") || path.contains("prerequisites/") {
            &rules::RULES.kubernetes
        } else {
            rules::RULES.files.get(path).map_or(&[][..], Vec::as_slice)
        };
        let named = table
            .iter()
            .find_map(|rule| Some((rule, rules::fit(&rule.at, &scalar.path)?)));
        let mut subject = self.subject_of(file, Some(scalar));
        if let Some((rule, mut names)) = named {
            subject = self.subject_from(&names).unwrap_or(subject);
            // What an entry of a list says of itself.
            if let Some(at) = rule.at.iter().position(|step| step == "*") {
                for key in ["name", "path", "from", "to"] {
                    let said = file.below(scalar.document, &scalar.path[..=at], key);
                    names.extend(said.map(|said| (key.to_owned(), said.to_owned())));
                }
            }
            if let Some(variable) = variable(file, scalar) {
                names.insert("env".to_owned(), variable);
            }
            // In a list the text itself says what it is about.
            let listed = match scalar.path.last() {
                Some(Step::Index(_)) => Some(scalar.text.as_str()),
                _ => None,
            };
            for from in &rule.from {
                if let Some(origin) = self.follow(from, &names, subject, listed) {
                    return origin;
                }
            }
        }
        self.whole(subject)
    }

    // --- what a scalar is about

    fn of_service<'s>(&'s self, service: &'s Service) -> Subject<'s> {
        Subject {
            service: Some(service),
            component: Some(self.platform.component_of(service)),
        }
    }

    /// Finds the service of this name, or one whose replicas are numbered.
    fn subject_named(&self, name: &str) -> Option<Subject<'_>> {
        let numbered = name
            .rsplit_once('-')
            .filter(|(_, number)| number.bytes().all(|byte| byte.is_ascii_digit()))
            .map_or(name, |(service, _)| service);
        let mut services = self.platform.services.iter();
        let service = services.find(|service| service.name == name || service.name == numbered)?;
        Some(self.of_service(service))
    }

    /// Finds what a document is about: its labels and name say so, or the folder that its file lies in.
    fn subject_of(&self, file: &File<'_>, scalar: Option<&Scalar>) -> Subject<'_> {
        let value = |keys: &[&str]| {
            let (last, before) = keys.split_last()?;
            let before: Vec<Step> = before
                .iter()
                .map(|key| Step::Key((*key).to_owned()))
                .collect();
            file.below(scalar?.document, &before, last)
        };
        let by_label = value(&["metadata", "labels", "app.kubernetes.io/name"]);
        let by_name = value(&["metadata", "name"]);
        if let Some(subject) = by_label
            .into_iter()
            .chain(by_name)
            .find_map(|name| self.subject_named(name))
        {
            return subject;
        }
        // `flows.json` and the inventory name services and secrets as keys or values.
        let near = scalar.into_iter().flat_map(|scalar| &scalar.path);
        let mut near = near.filter_map(|step| match step {
            Step::Key(key) => self.subject_named(key),
            Step::Index(_) => None,
        });
        if let Some(subject) = near.next() {
            return subject;
        }
        let label = value(&["metadata", "labels", "app.kubernetes.io/component"]);
        let labelled = label.and_then(|name| self.component_named(name));
        Subject {
            service: None,
            component: labelled.or_else(|| self.component_of_path(file.path)),
        }
    }

    /// Finds what the names on a way to a scalar are about.
    fn subject_from(&self, names: &BTreeMap<String, String>) -> Option<Subject<'_>> {
        if let Some(name) = names.get("service") {
            return self.subject_named(name);
        }
        if let Some((service, _)) = names.get("endpoint").and_then(|name| name.split_once('/')) {
            return self.subject_named(service);
        }
        let volume = names.get("volume").and_then(|name| {
            let mut all = self.platform.components.iter();
            all.find(|one| one.volumes.iter().any(|volume| volume.name == *name))
        });
        let named = || self.component_named(names.get("component")?);
        Some(Subject {
            service: None,
            component: Some(volume.or_else(named)?),
        })
    }

    fn component_named(&self, name: &str) -> Option<&Component> {
        let mut all = self.platform.components.iter();
        all.find(|component| component.name == name)
    }

    /// Finds the component that a file is about: its name or that of a folder says so.
    fn component_of_path(&self, path: &str) -> Option<&Component> {
        let mut names = path.split('/').rev().flat_map(|part| {
            let part = part.split_once('.').map_or(part, |(stem, _)| stem);
            let numbered = part
                .split_once('-')
                .filter(|(number, _)| number.bytes().all(|byte| byte.is_ascii_digit()))
                .map(|(_, rest)| rest);
            numbered.into_iter().chain([part])
        });
        names.find_map(|name| self.component_named(name))
    }

    /// The last resort: whatever it belongs to.
    fn whole(&self, subject: Subject<'_>) -> Origin {
        let place = match (subject.service, subject.component) {
            (Some(service), _) => &service.place,
            (None, Some(component)) => &component.place,
            (None, None) => &self.platform.environment.place,
        };
        Origin::new(Precision::Whole, place.clone())
    }
}

/// Returns the name of the variable that a scalar belongs to, in a list of variables.
fn variable(file: &File<'_>, scalar: &Scalar) -> Option<String> {
    let env = Step::Key("env".to_owned());
    let at = scalar.path.iter().position(|step| *step == env)?;
    let name = file.below(scalar.document, scalar.path.get(..at + 2)?, "name")?;
    Some(name.to_owned())
}

fn keys(path: &[Step]) -> KeyPath {
    path.iter().fold(KeyPath::root(), |path, step| match step {
        Step::Key(key) => path.key(key.clone()),
        Step::Index(index) => path.index(*index),
    })
}
