//! Compares the files of two bundles: units by their keys, files without structure by their lines.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use similar::TextDiff;

use super::effect::{self, Outcome};
use super::fields::{self, at, shown, text_at};
use super::structure::{Dialect, Format, Key, Unit, format_of, pair, parse};
use super::{Act, Change, Layer, Snapshot, alike, hazard};
use crate::bundle::{CHECKSUMS, INVENTORY};
use crate::outline::OUTLINE;

/// A change that was found in files.
#[derive(Debug)]
pub(super) struct Found {
    /// The change.
    pub(super) change: Change,
    /// Whose language it is in.
    pub(super) dialect: Dialect,
    /// Whether it only follows from another change: a digest in a name, a label with a version.
    pub(super) derived: bool,
}

/// Files that say again what others say.
const SILENT: &[&str] = &[INVENTORY, CHECKSUMS, OUTLINE, "flows.json"];

/// Letters of a value that are shown.
const LONGEST: usize = 300;

/// Lines of one file's difference that are kept.
const LINES: usize = 400;

/// Largest text whose lines are compared, in bytes.
const LARGEST: usize = 1024 * 1024;

/// Share of equal lines from which a file under another name is taken for the same.
const ALIKE: f32 = 0.7;

/// Compares the files of two snapshots.
pub(super) fn compare(old: &Snapshot<'_>, new: &Snapshot<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    let (mut ones, mut others) = (Vec::new(), Vec::new());
    let mut texts = Vec::new();
    let paths: BTreeSet<&String> = old.files.keys().chain(new.files.keys()).collect();
    for path in paths {
        let (one, other) = (old.files.get(path), new.files.get(path));
        if one == other || SILENT.contains(&path.as_str()) {
            continue;
        }
        let readable = |snapshot: &Snapshot<'_>, bytes: Option<&Vec<u8>>| {
            bytes.is_none() || snapshot.text(path).is_some()
        };
        let pair = if readable(old, one) && readable(new, other) {
            pair(new.target, path, old.text(path), new.text(path))
        } else {
            None
        };
        match pair {
            Some(pair) => {
                ones.extend(pair.old);
                others.extend(pair.new);
            }
            None => texts.push(path.as_str()),
        }
    }
    units(ones, others, &mut found);
    files(old, new, &texts, &mut found);
    follow(&mut found);
    name_services(&mut found, old, new);
    found
}

/// Names services of engines as the outline does: members of one are services of their own in a stack.
fn name_services(found: &mut [Found], old: &Snapshot<'_>, new: &Snapshot<'_>) {
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for outline in [&old.outline, &new.outline].into_iter().flatten() {
        let table = outline.get("services").and_then(Json::as_object);
        for (name, service) in table.into_iter().flatten() {
            let word = |key: &str| text_at(service, &[key]).unwrap_or_default();
            names.insert(
                format!("{}/{}", word("component"), word("key")),
                name.clone(),
            );
        }
    }
    for one in found {
        if matches!(one.dialect, Dialect::Compose | Dialect::Swarm)
            && let Some(service) = &mut one.change.service
        {
            let known = names.get(service).unwrap_or(&one.change.name);
            *service = known.clone();
        }
    }
}

fn units(ones: Vec<Unit>, others: Vec<Unit>, found: &mut Vec<Found>) {
    let table = |units: Vec<Unit>| -> BTreeMap<Key, Unit> {
        units
            .into_iter()
            .map(|unit| (unit.key.clone(), unit))
            .collect()
    };
    let (mut ones, mut others) = (table(ones), table(others));
    readers(&ones, &others, found);
    let keys: BTreeSet<Key> = ones.keys().cloned().collect();
    for key in keys {
        if others.contains_key(&key)
            && let (Some(old), Some(new)) = (ones.remove(&key), others.remove(&key))
        {
            changed(&old, &new, None, found);
        }
    }
    for (before, after) in renamed(&ones, &others) {
        if let (Some(old), Some(new)) = (ones.remove(&before), others.remove(&after)) {
            changed(&old, &new, Some(&before.name), found);
        }
    }
    for old in ones.values() {
        let mut one = whole(old);
        one.act = Act::Removed;
        one.old = Some(summary(old));
        one.outcome = effect::of_removed(old);
        one.risks = hazard::find(Some(old), None, &[])
            .into_iter()
            .map(|(_, risk)| risk)
            .collect();
        push(found, old, one);
    }
    for new in others.values() {
        let mut one = whole(new);
        one.act = Act::Added;
        one.new = Some(summary(new));
        one.outcome = effect::of_added(new);
        one.risks = hazard::find(None, Some(new), &[])
            .into_iter()
            .map(|(_, risk)| risk)
            .collect();
        push(found, new, one);
    }
}

/// Tasks of a Swarm are exchanged when a config or secret that they read gets another name, which their service does not show.
fn readers(ones: &BTreeMap<Key, Unit>, others: &BTreeMap<Key, Unit>, found: &mut Vec<Found>) {
    let both = || {
        others
            .iter()
            .filter_map(|(key, new)| Some((ones.get(key)?, new)))
    };
    let swarm = || both().filter(|(_, new)| new.key.dialect == Dialect::Swarm);
    let renewed: BTreeSet<(&str, &str)> = swarm()
        .filter(|(old, new)| {
            matches!(new.key.kind.as_str(), "config" | "secret")
                && old.value.get("name") != new.value.get("name")
        })
        .map(|(_, new)| (new.key.kind.as_str(), new.key.name.as_str()))
        .collect();
    for (old, new) in swarm().filter(|(_, new)| new.key.kind == "service") {
        let reads = |kind: &'static str, list: &str| {
            let all = new.value.get(list).and_then(Json::as_array);
            all.into_iter().flatten().any(|one| {
                let source = text_at(one, &["source"]).or_else(|| one.as_str());
                source.is_some_and(|source| renewed.contains(&(kind, source)))
            })
        };
        if (reads("config", "configs") || reads("secret", "secrets")) && !effect::waits(old) {
            let mut one = whole(new);
            one.field = "configs".to_owned();
            one.outcome = Outcome::new(
                effect::Effect::RollingRestart,
                "a file that it reads comes under a new name",
            );
            push(found, new, one);
            if let Some(last) = found.last_mut() {
                last.derived = true;
            }
        }
    }
}

/// Pairs units that have other names on both sides, but are alike.
fn renamed(ones: &BTreeMap<Key, Unit>, others: &BTreeMap<Key, Unit>) -> Vec<(Key, Key)> {
    let kind = |key: &Key| (key.dialect, key.kind.clone(), key.group.clone());
    let mut kinds: BTreeMap<_, [Vec<&Key>; 2]> = BTreeMap::new();
    for (side, units) in [ones, others].into_iter().enumerate() {
        for key in units.keys() {
            kinds.entry(kind(key)).or_default()[side].push(key);
        }
    }
    let mut found = Vec::new();
    for [gone, come] in kinds.values() {
        let name = |key: &Key| format!("{}/{}", key.namespace, key.name);
        let by_name = |keys: &[&Key]| -> BTreeMap<String, Key> {
            keys.iter().map(|key| (name(key), (*key).clone())).collect()
        };
        let (left, right) = (by_name(gone), by_name(come));
        let (mut one, mut other): (Vec<&String>, Vec<&String>) =
            (left.keys().collect(), right.keys().collect());
        let pairs = alike::pairs(&mut one, &mut other, |before, after| {
            let (before, after) = (&left[before], &right[after]);
            likeness(&ones[before], &others[after])
        });
        for (before, after) in pairs {
            found.push((left[&before].clone(), right[&after].clone()));
        }
    }
    found
}

/// Says how alike two units are, in percent of their fields. What is too small says nothing.
fn likeness(old: &Unit, new: &Unit) -> usize {
    const LEAST: usize = 5;
    let size = count(&old.value).max(count(&new.value));
    if size < LEAST {
        return if old.value == new.value && size > 1 {
            100
        } else {
            0
        };
    }
    let different = fields::compare(&old.value, &new.value)
        .iter()
        .filter(|field| {
            !alike::follows(field, &old.key.name, &new.key.name) && !is_derived(field, old, new)
        })
        .map(|field| {
            let count_one = |value: &Option<Json>| value.as_ref().map_or(0, count);
            count_one(&field.old).max(count_one(&field.new))
        })
        .sum::<usize>();
    100 * size.saturating_sub(different) / size
}

fn count(value: &Json) -> usize {
    match value {
        Json::Object(table) => table.values().map(count).sum::<usize>().max(1),
        Json::Array(list) => list.iter().map(count).sum::<usize>().max(1),
        _ => 1,
    }
}

fn whole(unit: &Unit) -> Change {
    let layer = if unit.key.dialect == Dialect::Plain {
        Layer::File
    } else {
        Layer::Resource
    };
    let mut change = Change::new(layer, &unit.key.kind, &unit.key.name);
    change.files.insert(unit.file.clone());
    let (component, service) = owner(unit);
    change.component = component;
    change.service = service;
    change
}

/// Returns the component and the service that a unit says it belongs to.
fn owner(unit: &Unit) -> (Option<String>, Option<String>) {
    let value = &unit.value;
    let label = |keys: &[&str]| text_at(value, keys).map(str::to_owned);
    match unit.key.dialect {
        Dialect::Kubernetes => {
            let of = |name: &str| label(&["metadata", "labels", name]);
            (
                of("app.kubernetes.io/component"),
                of("app.kubernetes.io/name"),
            )
        }
        Dialect::Compose | Dialect::Swarm => {
            let of = |name: &str| {
                label(&["labels", name]).or_else(|| label(&["deploy", "labels", name]))
            };
            let component = of("lakewright.component");
            // The outline knows what that is called.
            let service = match (&component, of("lakewright.service")) {
                (Some(component), Some(key)) if unit.key.kind == "service" => {
                    Some(format!("{component}/{key}"))
                }
                _ => None,
            };
            (component, service)
        }
        Dialect::Plain => {
            let folder = unit
                .file
                .split_once('/')
                .map(|(folder, _)| folder.to_owned());
            (folder, None)
        }
    }
}

fn summary(unit: &Unit) -> String {
    let value = &unit.value;
    let image = text_at(value, &["image"]).map(str::to_owned).or_else(|| {
        let containers = at(value, &["spec", "template", "spec", "containers"])?;
        containers
            .as_array()?
            .first()?
            .get("image")?
            .as_str()
            .map(str::to_owned)
    });
    image.unwrap_or_default()
}

fn push(found: &mut Vec<Found>, unit: &Unit, change: Change) {
    found.push(Found {
        change,
        dialect: unit.key.dialect,
        derived: unit.key.kind == "Kustomization" && unit.key.dialect == Dialect::Kubernetes
            || unit.file.ends_with("Kustomization"),
    });
}

fn changed(old: &Unit, new: &Unit, renamed_from: Option<&str>, found: &mut Vec<Found>) {
    let mut all = fields::compare(&old.value, &new.value);
    // The name follows from the content, or is what the rename says.
    all.retain(|field| {
        let words = field.path.words();
        words != ["metadata", "name"] || !(new.is_named_by_content() || renamed_from.is_some())
    });
    if let Some(from) = renamed_from {
        all.retain(|field| !alike::follows(field, from, &new.key.name));
        let mut one = whole(new);
        one.act = Act::Renamed {
            from: from.to_owned(),
        };
        one.outcome = effect::of_renamed(new);
        if one.outcome.effect == effect::Effect::DataAtRisk {
            let risk = format!(
                "{} `{from}` is `{}` now, and begins empty",
                new.key.kind, new.key.name
            );
            one.risks.push(super::danger::VOLUME_EMPTIED.risk(risk));
        }
        one.files.insert(old.file.clone());
        push(found, new, one);
    }
    let hazards = hazard::find(Some(old), Some(new), &all);
    for field in nested(all) {
        let mut one = whole(new);
        one.field = field.path.to_string();
        one.outcome = if renamed_from.is_some() {
            Outcome::default()
        } else {
            effect::of_field(old, new, &field)
        };
        one.risks = hazards
            .iter()
            .filter(|(path, _)| {
                path.as_ref()
                    .is_some_and(|path| path.0.starts_with(&field.path.0))
            })
            .map(|(_, risk)| risk.clone())
            .collect();
        let derived = is_derived(&field, old, new);
        (one.old, one.new, one.lines) = sides(&field);
        one.path = field.path;
        push(found, new, one);
        if let Some(last) = found.last_mut() {
            last.derived |= derived;
        }
    }
}

/// Looks into texts that are themselves structured: a dashboard in a ConfigMap.
fn nested(all: Vec<fields::FieldChange>) -> Vec<fields::FieldChange> {
    let mut flat = Vec::new();
    for field in all {
        let name = field
            .path
            .words()
            .last()
            .map(|word| (*word).to_owned())
            .unwrap_or_default();
        let format = format_of(&name);
        let read = |value: &Option<Json>| parse(format, value.as_ref()?.as_str()?);
        match (format, read(&field.old), read(&field.new)) {
            (Format::Json | Format::Yaml | Format::Toml, Some(old), Some(new)) => {
                for inner in fields::compare(&old, &new) {
                    let mut path = field.path.clone();
                    path.0.extend(inner.path.0);
                    flat.push(fields::FieldChange { path, ..inner });
                }
            }
            _ => flat.push(field),
        }
    }
    flat
}

/// Says whether a field only follows from others that are compared too.
fn is_derived(field: &fields::FieldChange, old: &Unit, new: &Unit) -> bool {
    let words = field.path.words();
    let last = words.last().copied().unwrap_or_default();
    if last == "app.kubernetes.io/version"
        || last == "lakewright.files"
        || last == "checksum/config"
    {
        return true;
    }
    if old.key.kind == "config" && words == ["name"] {
        return true;
    }
    // A reference to an object that is named by its content.
    let stem = |value: &Option<Json>| {
        let text = shown(value.as_ref()?);
        let stem = super::structure::stem("ConfigMap", &text).to_owned();
        (stem != text).then_some(stem)
    };
    last == "name"
        && words.contains(&"configMap")
        && matches!((stem(&field.old), stem(&field.new)), (Some(one), Some(other)) if one == other)
        && new.key.dialect == Dialect::Kubernetes
}

/// Returns what both sides say, short; texts of several lines as the lines that differ.
fn sides(field: &fields::FieldChange) -> (Option<String>, Option<String>, Option<String>) {
    let text = |value: &Option<Json>| value.as_ref().map(shown);
    let (old, new) = (text(&field.old), text(&field.new));
    let many = |text: &Option<String>| {
        text.as_ref()
            .is_some_and(|text| text.trim_end().contains('\n'))
    };
    if many(&old) || many(&new) {
        let lines = lines(
            old.as_deref().unwrap_or_default(),
            new.as_deref().unwrap_or_default(),
        );
        let count =
            |text: Option<String>| text.map(|text| format!("{} lines", text.lines().count()));
        return (count(old), count(new), Some(lines));
    }
    (old.map(cut), new.map(cut), None)
}

fn cut(text: String) -> String {
    if text.chars().count() <= LONGEST {
        return text;
    }
    let short: String = text.chars().take(LONGEST).collect();
    format!("{short}...")
}

/// Returns the lines that differ, with three around them.
fn lines(old: &str, new: &str) -> String {
    if old.len() > LARGEST || new.len() > LARGEST {
        return String::new();
    }
    let diff = TextDiff::from_lines(old, new)
        .unified_diff()
        .context_radius(3)
        .to_string();
    let count = diff.lines().count();
    if count <= LINES {
        return diff;
    }
    let short: String = diff.split_inclusive('\n').take(LINES).collect();
    format!("{short}... {} more lines\n", count - LINES)
}

/// Compares files without structure.
fn files(old: &Snapshot<'_>, new: &Snapshot<'_>, paths: &[&str], found: &mut Vec<Found>) {
    let mut gone: Vec<&str> = paths
        .iter()
        .copied()
        .filter(|path| !new.files.contains_key(*path))
        .collect();
    let mut come: Vec<&str> = paths
        .iter()
        .copied()
        .filter(|path| !old.files.contains_key(*path))
        .collect();
    let mut add = |path: &str,
                   act: Act,
                   before: Option<&str>,
                   after: Option<&str>,
                   moved_from: Option<&str>| {
        let mut change = Change::new(Layer::File, "file", path);
        change.act = act;
        change.files.insert(path.to_owned());
        change.files.extend(moved_from.map(str::to_owned));
        let steps: Vec<&str> = path.split('/').collect();
        change.component = match steps.as_slice() {
            ["images", image, ..] => image
                .rsplit_once('-')
                .map(|(component, _)| component.to_owned()),
            [component, _, ..] => Some((*component).to_owned()),
            _ => None,
        };
        let one = before.and_then(|path| old.text(path));
        let other = after.and_then(|path| new.text(path));
        let readable = (before.is_none() || one.is_some()) && (after.is_none() || other.is_some());
        if readable && one != other {
            change.lines = Some(lines(one.unwrap_or_default(), other.unwrap_or_default()));
        }
        change.outcome.reason = if path.contains('/') {
            "no service reads it as it is".to_owned()
        } else {
            "read by people, or run by them".to_owned()
        };
        found.push(Found {
            change,
            dialect: Dialect::Plain,
            // What stands at the top names everything that there is.
            derived: !path.contains('/'),
        });
    };
    for (before, after) in moved(old, new, &gone, &come) {
        add(
            &after,
            Act::Renamed {
                from: before.clone(),
            },
            Some(&before),
            Some(&after),
            Some(&before),
        );
        gone.retain(|path| *path != before);
        come.retain(|path| *path != after);
    }
    for path in paths {
        if gone.contains(path) {
            add(path, Act::Removed, Some(path), None, None);
        } else if come.contains(path) {
            add(path, Act::Added, None, Some(path), None);
        } else if old.files.contains_key(*path) && new.files.contains_key(*path) {
            add(path, Act::Changed, Some(path), Some(path), None);
        }
    }
}

/// Pairs files that are alike, but lie elsewhere.
fn moved(
    old: &Snapshot<'_>,
    new: &Snapshot<'_>,
    gone: &[&str],
    come: &[&str],
) -> Vec<(String, String)> {
    let owned =
        |paths: &[&str]| -> Vec<String> { paths.iter().map(|path| (*path).to_owned()).collect() };
    let (left, right) = (owned(gone), owned(come));
    let (mut one, mut other): (Vec<&String>, Vec<&String>) =
        (left.iter().collect(), right.iter().collect());
    alike::pairs(&mut one, &mut other, |before, after| {
        let (Some(old), Some(new)) = (old.text(before), new.text(after)) else {
            return 0;
        };
        if old == new && !old.is_empty() {
            return 100;
        }
        let last = |path: &str| path.rsplit('/').next().map(str::to_owned);
        let (less, more) = (old.len().min(new.len()), old.len().max(new.len()));
        let likely = last(before) == last(after) && less * 2 > more && more < LARGEST / 8;
        let alike = likely && TextDiff::from_lines(old, new).ratio() >= ALIKE;
        if alike { 90 } else { 0 }
    })
}

/// Gives files the effect on the services that read them: those whose content's digest changed.
fn follow(found: &mut [Found]) {
    let mut readers: BTreeMap<String, Outcome> = BTreeMap::new();
    for one in found.iter() {
        let words = one.change.path.words();
        let is_digest = words.last() == Some(&"lakewright.files")
            || (one.change.noun == "config" && words == ["name"]);
        if !is_digest {
            continue;
        }
        let component = one.change.component.clone().or_else(|| {
            // A stack's config is called after the folder and the file.
            one.change
                .name
                .split_once('_')
                .map(|(component, _)| component.to_owned())
        });
        if let Some(component) = component {
            let known = readers.entry(component).or_default();
            let outcome = Outcome::new(
                one.change.outcome.effect,
                match one.change.outcome.effect {
                    effect::Effect::Recreate => "what mounts it is made again",
                    _ => {
                        "a new config under a new name; what mounts it is exchanged one after the other"
                    }
                },
            );
            *known = known.clone().max(outcome);
        }
    }
    for one in found.iter_mut() {
        let is_file = one.change.layer == Layer::File && one.dialect == Dialect::Plain;
        let component = one.change.component.as_ref();
        if is_file && let Some(outcome) = component.and_then(|component| readers.get(component)) {
            one.change.outcome = outcome.clone();
        }
    }
}
