//! What a bundle's files consist of: objects of a cluster, parts of Compose files, values of other structured files.
//!
//! Texts come in, [`Unit`]s go out. A unit has a name that does not depend on the file it stands in, so that one that
//! moved is still itself. A name that ends in the digest of what it holds counts without it.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::fields::text_at;
use crate::terms::Target;

/// Whose language a unit is written in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Dialect {
    /// An object of a cluster.
    Kubernetes,
    /// A part of a Compose file.
    Compose,
    /// A part of a Swarm stack.
    Swarm,
    /// A file of some program.
    Plain,
}

/// What tells a unit apart.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Key {
    /// Its language.
    pub dialect: Dialect,
    /// The kind of object, the section of a Compose file, or `file`.
    pub kind: String,
    /// API group of an object; empty for the core group and for everything else.
    pub group: String,
    /// Namespace of an object.
    pub namespace: String,
    /// Name, without the digest of its content; the path of a plain file.
    pub name: String,
}

/// A part of a bundle that can be compared on its own.
#[derive(Clone, Debug)]
pub struct Unit {
    /// What tells it apart.
    pub key: Key,
    /// The file that it stands in.
    pub file: String,
    /// Its content.
    pub value: Json,
}

impl Unit {
    /// Says whether its name follows from its content, so that it is never changed in place.
    pub fn is_named_by_content(&self) -> bool {
        text_at(&self.value, &["metadata", "name"]).is_some_and(|name| name != self.key.name)
    }
}

/// The sections of Compose files and stacks.
const SECTIONS: &[(&str, &str)] = &[
    ("services", "service"),
    ("networks", "network"),
    ("volumes", "volume"),
    ("configs", "config"),
    ("secrets", "secret"),
];

/// Letters of a digest at the end of a name.
const DIGEST: usize = 10;

/// Kinds that bundles name by their content.
const NAMED_BY_CONTENT: &[&str] = &["ConfigMap", "Job"];

/// Returns a name without the digest of its content, if it ends in one.
pub fn stem<'n>(kind: &str, name: &'n str) -> &'n str {
    match name.rsplit_once('-') {
        Some((stem, end))
            if NAMED_BY_CONTENT.contains(&kind)
                && end.len() == DIGEST
                && end
                    .bytes()
                    .all(|letter| matches!(letter, b'0'..=b'9' | b'a'..=b'f')) =>
        {
            stem
        }
        _ => name,
    }
}

/// What a file is written in, going by its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// YAML, perhaps several documents.
    Yaml,
    /// JSON.
    Json,
    /// TOML.
    Toml,
    /// Text without structure, or none that is known.
    Text,
}

/// Returns what a file is written in, going by its name.
pub fn format_of(path: &str) -> Format {
    let name = path.rsplit('/').next().unwrap_or(path);
    match name.rsplit_once('.') {
        _ if name == "Kustomization" => Format::Yaml,
        Some((_, "yaml" | "yml")) => Format::Yaml,
        Some((_, "json")) => Format::Json,
        Some((_, "toml")) => Format::Toml,
        _ => Format::Text,
    }
}

/// Reads a structured text. Nothing, where it is none: it is compared as text then.
pub fn parse(format: Format, text: &str) -> Option<Json> {
    match format {
        Format::Yaml => {
            // A bundle of thousands of services is no attack.
            let options = serde_saphyr::options! {
                budget: serde_saphyr::budget! {
                    max_events: 20_000_000,
                    max_nodes: 20_000_000,
                },
            };
            serde_saphyr::from_str_with_options(text, options).ok()
        }
        Format::Json => serde_json::from_str(text).ok(),
        Format::Toml => {
            let value: toml::Value = toml::from_str(text).ok()?;
            serde_json::to_value(value).ok()
        }
        Format::Text => None,
    }
}

/// Returns the documents of a YAML text, without those that are only comments.
fn documents(text: &str) -> impl Iterator<Item = &str> {
    let text = text.strip_prefix("---\n").unwrap_or(text);
    text.split("\n---\n").filter(|document| {
        document
            .lines()
            .any(|line| !line.trim().is_empty() && !line.starts_with('#'))
    })
}

/// The texts of both sides of one file, and what both have, left out.
pub struct Pair {
    /// Units of the old side that differ.
    pub old: Vec<Unit>,
    /// Units of the new side that differ.
    pub new: Vec<Unit>,
}

/// Splits two sides of a file into the units that may differ. Nothing, if the file has no structure.
///
/// A side without the file is empty.
pub fn pair(target: Target, path: &str, old: Option<&str>, new: Option<&str>) -> Option<Pair> {
    let format = format_of(path);
    match format {
        Format::Text => None,
        Format::Yaml => {
            let (mut left, mut right) = (chunks(old), chunks(new));
            // Reading is what takes time, and most of a file is what it was.
            let known: BTreeSet<&String> = right.iter().collect();
            let common = left.iter().filter(|chunk| known.contains(chunk));
            let mut common: BTreeSet<String> = common.cloned().collect();
            let renewed: BTreeSet<&str> = right
                .iter()
                .filter(|chunk| !common.contains(*chunk))
                .filter_map(|chunk| mounted(chunk))
                .collect();
            let reads = |chunk: &String| {
                let mut sources = chunk.lines().filter_map(|line| line.split_once("source: "));
                sources.any(|(_, source)| renewed.contains(source))
            };
            if target == Target::Swarm {
                // A service that reads what changed is touched, though it says what it said.
                common.retain(|chunk| !reads(chunk));
            }
            left.retain(|chunk| !common.contains(chunk));
            right.retain(|chunk| !common.contains(chunk));
            let read = |chunks: &[String]| -> Option<Vec<Unit>> {
                let mut all = Vec::new();
                for chunk in chunks {
                    units(target, path, parse(Format::Yaml, chunk)?, &mut all);
                }
                Some(all)
            };
            Some(Pair {
                old: read(&left)?,
                new: read(&right)?,
            })
        }
        Format::Json | Format::Toml => {
            let read = |text: Option<&str>| -> Option<Vec<Unit>> {
                let mut all = Vec::new();
                if let Some(text) = text {
                    units(target, path, parse(format, text)?, &mut all);
                }
                Some(all)
            };
            Some(Pair {
                old: read(old)?,
                new: read(new)?,
            })
        }
    }
}

/// Returns the name of the config or secret that an entry of a Compose file declares.
fn mounted(chunk: &str) -> Option<&str> {
    let (section, rest) = chunk.split_once('\n')?;
    let declares = matches!(section, "configs:" | "secrets:");
    let name = rest.lines().next()?.trim().strip_suffix(':')?;
    declares.then_some(name)
}

/// Splits YAML into parts that can be read alone: documents, and in a Compose file the entries of its sections.
fn chunks(text: Option<&str>) -> Vec<String> {
    let mut chunks = Vec::new();
    for document in text.into_iter().flat_map(documents) {
        match entries(document) {
            Some(entries) => chunks.extend(entries),
            None => chunks.push(document.to_owned()),
        }
    }
    chunks
}

/// Splits a Compose file as bundles have it. Nothing, if it is none, or uses what reaches across entries.
fn entries(document: &str) -> Option<Vec<String>> {
    let is_header = |line: &str| SECTIONS.iter().any(|(name, _)| line == format!("{name}:"));
    if !document.lines().any(|line| line == "services:") {
        return None;
    }
    let mut found: Vec<String> = Vec::new();
    let mut section: Option<&str> = None;
    for line in document.lines() {
        if line.starts_with('#') {
            continue;
        }
        if line.trim().is_empty() {
            found
                .iter_mut()
                .last()
                .into_iter()
                .for_each(|last| last.push('\n'));
            continue;
        }
        if is_header(line) {
            section = Some(line);
            continue;
        }
        let indent = line.len() - line.trim_start_matches(' ').len();
        match (section, indent) {
            (_, 0) => {
                section = None;
                found.push(format!("{line}\n"));
            }
            (Some(header), 2) if !line.trim_start().starts_with('-') => {
                found.push(format!("{header}\n{line}\n"));
            }
            (_, 1) => return None,
            _ => {
                let last = found.last_mut()?;
                // Anchors and aliases: an entry is not whole without the others.
                let value = line.split_once(": ").map_or(line, |(_, value)| value);
                if value.trim_start().starts_with(['&', '*']) || line.trim() == "<<:" {
                    return None;
                }
                last.push_str(line);
                last.push('\n');
            }
        }
    }
    Some(found)
}

fn units(target: Target, path: &str, value: Json, all: &mut Vec<Unit>) {
    let word = |keys: &[&str]| text_at(&value, keys).unwrap_or_default().to_owned();
    let (version, kind, name) = (
        word(&["apiVersion"]),
        word(&["kind"]),
        word(&["metadata", "name"]),
    );
    if !version.is_empty() && !kind.is_empty() && !name.is_empty() {
        let key = Key {
            dialect: Dialect::Kubernetes,
            group: version
                .split_once('/')
                .map_or("", |(group, _)| group)
                .to_owned(),
            namespace: word(&["metadata", "namespace"]),
            name: stem(&kind, &name).to_owned(),
            kind,
        };
        all.push(Unit {
            key,
            file: path.to_owned(),
            value,
        });
        return;
    }
    let plain = |kind: &str, name: &str| Key {
        dialect: Dialect::Plain,
        kind: kind.to_owned(),
        group: String::new(),
        namespace: String::new(),
        name: name.to_owned(),
    };
    // Only files at the top of a bundle are handed to an engine.
    let is_stack = format_of(path) == Format::Yaml
        && !path.contains('/')
        && value.as_object().is_some_and(|table| {
            let sections = SECTIONS.iter().any(|(name, _)| table.contains_key(*name));
            sections || table.contains_key("name")
        });
    if !is_stack {
        all.push(Unit {
            key: plain("file", path),
            file: path.to_owned(),
            value,
        });
        return;
    }
    // What must run beside a stack is given to Compose.
    let dialect = match target {
        Target::Swarm if path.starts_with("stack") => Dialect::Swarm,
        _ => Dialect::Compose,
    };
    let Json::Object(table) = value else { return };
    for (section, content) in table {
        let known = SECTIONS.iter().find(|(name, _)| *name == section);
        match (known, content) {
            (Some((_, kind)), Json::Object(entries)) => {
                for (name, value) in entries {
                    let mut key = plain(kind, &name);
                    key.dialect = dialect;
                    all.push(Unit {
                        key,
                        file: path.to_owned(),
                        value,
                    });
                }
            }
            (_, content) => {
                let mut key = plain("setting", &section);
                key.dialect = dialect;
                all.push(Unit {
                    key,
                    file: path.to_owned(),
                    value: content,
                });
            }
        }
    }
}
