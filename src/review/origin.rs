//! Where a value comes from: the line of the topology or blueprint that brought it.
//!
//! Where the topology is at hand, what resolution recorded says so (`resolve::trace`); a value that was computed leads on to
//! those that it was computed from and that differ. Where there is only a bundle, its outline names the file and the key.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::fields::text_at;
use super::{Change, Snapshot};
use crate::diagnostic::locate::Locator;
use crate::platform::Platform;
use crate::resolve::trace::Trace;
use crate::source::{Place, Segment, Sources};

/// A place that a value comes from.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Origin {
    /// The file.
    pub file: String,
    /// The line, from 1; none, where only the key is known.
    pub line: Option<usize>,
    /// First byte and the one behind the last, where the line is known.
    pub span: Option<(usize, usize)>,
    /// The key in the file.
    pub key: String,
    /// What it is: `set`, `default of the blueprint`.
    pub what: String,
    /// Whether it stands in one environment's part of the topology.
    pub declared: bool,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(out, "{}:{line}", self.file)?,
            None => write!(out, "{}", self.file)?,
        }
        if !self.key.is_empty() {
            write!(out, " {}", self.key)?;
        }
        if !self.what.is_empty() {
            write!(out, " ({})", self.what)?;
        }
        Ok(())
    }
}

/// What is known of where the values of one environment come from.
pub struct Origins<'a> {
    trace: &'a Trace,
    sources: &'a Sources,
    locator: Locator<'a>,
    things: BTreeMap<String, Place>,
}

/// How far a chain of computed values is followed.
const DEEPEST: usize = 8;

impl<'a> Origins<'a> {
    /// Makes the origins of a platform.
    pub fn new(platform: &Platform, trace: &'a Trace, sources: &'a Sources) -> Self {
        let mut things = BTreeMap::new();
        let mut add = |path: String, place: &Place| {
            things.insert(path, place.clone());
        };
        add("environment".to_owned(), &platform.environment.place);
        for host in &platform.environment.hosts {
            add(format!("hosts.{}", host.name), &host.place);
        }
        for component in &platform.components {
            let name = &component.name;
            add(name.clone(), &component.place);
            add(format!("{name}.version"), &component.version_place);
            for volume in &component.volumes {
                add(format!("{name}.volumes.{}", volume.key), &volume.place);
            }
            if let Some(plan) = &component.backup {
                add(format!("{name}.backup"), &plan.schedule.1);
                add(format!("{name}.backup.retention"), &plan.retention_place);
                add(
                    format!("{name}.backup.recovery_point"),
                    &plan.recovery_point.1,
                );
                if let Some((.., place)) = &plan.drill {
                    add(format!("{name}.backup.drill"), place);
                }
                if let Some(whole) = &platform.backup {
                    add(format!("{name}.backup.recipients"), &whole.place);
                    if let Some(offsite) = &whole.offsite {
                        add(format!("{name}.backup.offsite"), &offsite.place);
                    }
                }
            }
            for alert in &component.rules.alerts {
                add(format!("{name}.alerts.{}", alert.name), &alert.place);
            }
        }
        for alert in &platform.own_alerts {
            add(format!("alerts.{}", alert.name), &alert.place);
        }
        for service in &platform.services {
            let component = &platform.component_of(service).name;
            let path = format!("{component}.{}", service.key);
            add(format!("{path}.replicas"), &service.replicas.place);
            add(format!("{path}.image"), &service.image.place);
            add(format!("{path}.memory"), &service.resources.place);
            add(path, &service.place);
        }
        Self {
            trace,
            sources,
            locator: Locator::new(sources),
            things,
        }
    }

    /// Returns the text of a file by the name that origins give it.
    pub fn text(&self, file: &str) -> Option<&str> {
        self.sources.named(file).map(|file| file.text.as_str())
    }

    fn origin(&self, place: &Place, what: &str) -> Origin {
        let spot = self.locator.spot(place);
        let (key, declared) = match place {
            Place::Path { path, .. } => {
                let first = path.segments().first().map(|segment| (*segment).clone());
                let declared = first == Some(Segment::Key("environments".to_owned()));
                (path.to_string(), declared)
            }
            _ => (String::new(), false),
        };
        Origin {
            file: spot.file_name.to_owned(),
            line: Some(spot.line),
            span: Some((spot.span.start, spot.span.end)),
            key,
            what: what.to_owned(),
            declared,
        }
    }

    /// Returns where a value comes from; of a computed one, also what it was computed from and that differs on the other
    /// side.
    fn of(&self, path: &str, other: Option<&Origins<'_>>) -> Vec<Origin> {
        let mut found = Vec::new();
        let mut seen = BTreeSet::new();
        self.follow(path, other, 0, &mut seen, &mut found);
        found
    }

    fn follow(
        &self,
        path: &str,
        other: Option<&Origins<'_>>,
        depth: usize,
        seen: &mut BTreeSet<String>,
        found: &mut Vec<Origin>,
    ) {
        if depth > DEEPEST || !seen.insert(path.to_owned()) {
            return;
        }
        let Some(explained) = self.trace.get(path) else {
            return;
        };
        // What the same value was computed from on the other side is no cause.
        let differs = |path: &str| {
            let here = self.trace.get(path).map(|one| &one.value);
            match other {
                Some(other) => other.trace.get(path).map(|one| &one.value) != here,
                None => false,
            }
        };
        for used in explained.uses.iter().filter(|used| differs(used)) {
            self.follow(used, other, depth + 1, seen, found);
        }
        if let Some(step) = explained.steps.first() {
            let origin = self.origin(&step.place, &step.what);
            if !found.contains(&origin) {
                found.push(origin);
            }
        }
    }

    fn thing(&self, path: &str) -> Option<Origin> {
        self.things.get(path).map(|place| self.origin(place, ""))
    }
}

/// Sets where both values of a change come from.
pub(super) fn find(change: &mut Change, old: &Snapshot<'_>, new: &Snapshot<'_>) {
    let side = |here: &Snapshot<'_>, there: &Snapshot<'_>, name: &str| -> Vec<Origin> {
        let paths = paths(change, here, name);
        if let Some(origins) = &here.origins {
            let mut found = paths
                .iter()
                .find_map(|path| {
                    let found = origins.of(path, there.origins.as_ref());
                    let thing = || origins.thing(path).map(|origin| vec![origin]);
                    if found.is_empty() {
                        thing()
                    } else {
                        Some(found)
                    }
                })
                .unwrap_or_default();
            // Where nothing but blueprints had a say, the topology asked for them.
            if found
                .iter()
                .all(|origin| origin.file.starts_with("blueprint:"))
            {
                let component = change
                    .component
                    .as_deref()
                    .and_then(|name| origins.thing(name));
                let asked = component.or_else(|| origins.thing("environment"));
                // That an environment exists declares nothing about the value.
                found.extend(asked.map(|origin| Origin {
                    declared: false,
                    ..origin
                }));
            }
            return found;
        }
        outlined(change, here, name).into_iter().collect()
    };
    let before = match &change.act {
        super::Act::Renamed { from } => from.clone(),
        _ => change.name.clone(),
    };
    let was = !matches!(change.act, super::Act::Added);
    let is = !matches!(change.act, super::Act::Removed);
    let old_origins = if was {
        side(old, new, &before)
    } else {
        Vec::new()
    };
    let new_origins = if is {
        side(new, old, &change.name)
    } else {
        Vec::new()
    };
    change.old_origins = old_origins;
    change.new_origins = new_origins;
}

/// Returns the paths under which resolution may have recorded what a change is about, the nearest first.
fn paths(change: &Change, here: &Snapshot<'_>, name: &str) -> Vec<String> {
    let outline = here.outline.as_ref();
    let entry = |section: &str, name: &str, key: &str| {
        let entry = outline?.get(section)?.get(name)?;
        text_at(entry, &[key]).map(str::to_owned)
    };
    let words: Vec<String> = change.path.words().into_iter().map(str::to_owned).collect();
    let first = words.first().map(String::as_str).unwrap_or_default();
    let field = words.join(".");
    let of_service = |service: &str| {
        let component = entry("services", service, "component")?;
        let key = entry("services", service, "key")?;
        Some(format!("{component}.{key}"))
    };
    let mut paths = Vec::new();
    match change.noun.as_str() {
        "component" => {
            paths.push(format!("{name}.{field}"));
            paths.push(format!("{name}.{first}"));
            if first == "options"
                && let Some(option) = words.get(1)
            {
                paths.push(format!("{name}.options.{option}"));
            }
            paths.push(name.to_owned());
        }
        "service" => {
            if let Some(base) = of_service(name) {
                paths.push(format!("{base}.{field}"));
                paths.push(format!("{base}.{first}"));
                paths.push(base);
            }
        }
        "volume" => {
            if let (Some(component), Some(key)) = (
                entry("volumes", name, "component"),
                entry("volumes", name, "key"),
            ) {
                paths.push(format!("{component}.volumes.{key}.{field}"));
                paths.push(format!("{component}.volumes.{key}"));
            }
        }
        "backup" => {
            paths.push(format!("{name}.backup.{first}"));
            paths.push(format!("{name}.backup"));
            paths.push(name.to_owned());
        }
        "flow" => {
            let ends = (
                entry("flows", name, "from"),
                entry("flows", name, "to"),
                entry("flows", name, "reason"),
            );
            if let (Some(from), Some(to), Some(reason)) = ends {
                if let Some(component) = entry("services", &from, "component") {
                    let needs = reason
                        .split(", ")
                        .map(|need| format!("{component}.needs.{need}"));
                    paths.extend(needs);
                }
                paths.extend(of_service(&from));
                paths.extend(of_service(&to));
            }
        }
        "endpoint" => {
            if let Some(base) =
                entry("endpoints", name, "service").and_then(|service| of_service(&service))
            {
                paths.push(format!("{base}.url"));
                paths.push(base);
            }
        }
        "alert" => {
            if let Some((component, alert)) = name.split_once('/') {
                let key = if first == "hold" { "for" } else { first };
                paths.push(format!("{component}.alerts.{alert}.{key}"));
                paths.push(format!("{component}.alerts.{alert}"));
                paths.push(format!("alerts.{alert}"));
            }
        }
        "host" | "room" => {
            paths.push(format!("hosts.{name}.{first}"));
            paths.push(format!("hosts.{name}"));
        }
        "environment" => {
            paths.push(field.clone());
            paths.push("environment".to_owned());
        }
        "policies" => {
            paths.push(match first {
                "secret_store" => "secrets.store".to_owned(),
                "disks_encrypted" => "storage.encrypted".to_owned(),
                _ => field.replacen("tls_", "tls.", 1),
            });
            paths.push("environment".to_owned());
        }
        "identity" => {
            paths.push(format!("identity.{field}"));
            // A group is part of its role.
            paths.extend(words.get(1).map(|part| format!("identity.{first}.{part}")));
            paths.push("environment".to_owned());
        }
        "accepted" => {
            paths.push(format!("accepted.{first}"));
            paths.push("environment".to_owned());
        }
        _ => {
            // A field of a file: what its service says of the same, else the service.
            let base = change.service.as_deref().and_then(of_service);
            if let Some(base) = base {
                let variable = words
                    .iter()
                    .position(|word| word == "env" || word == "environment");
                if let Some(variable) = variable.and_then(|at| words.get(at + 1)) {
                    paths.push(format!("{base}.env.{variable}"));
                }
                paths.push(base);
            }
            paths.extend(change.component.clone());
        }
    }
    paths
}

/// Returns what the outline of a bundle says of where a thing stands.
fn outlined(change: &Change, here: &Snapshot<'_>, name: &str) -> Option<Origin> {
    let outline = here.outline.as_ref()?;
    let from = |section: &str, name: &str| {
        let entry: &Json = outline.get(section)?.get(name)?;
        text_at(entry, &["from"]).map(str::to_owned)
    };
    let own = match change.noun.as_str() {
        "component" => from("components", name),
        "service" => from("services", name),
        "volume" => from("volumes", name),
        "backup" => from("backups", name),
        "endpoint" => from("endpoints", name),
        "alert" => from("alerts", name),
        "flow" => {
            let end = text_at(outline.get("flows")?.get(name)?, &["from"])?;
            from("services", end)
        }
        _ => None,
    };
    let text = own
        .or_else(|| from("services", change.service.as_deref()?))
        .or_else(|| from("components", change.component.as_deref()?))?;
    let (file, key) = text.split_once(": ").unwrap_or((&text, ""));
    Some(Origin {
        file: file.to_owned(),
        line: None,
        span: None,
        key: key.to_owned(),
        what: String::new(),
        declared: key.starts_with("environments."),
    })
}

/// Says whether a difference is one that the topology declares: some value behind it stands in one environment's part.
pub(super) fn is_declared(change: &Change) -> bool {
    let all = change.old_origins.iter().chain(&change.new_origins);
    all.into_iter().any(|origin| origin.declared)
}
