//! From a Compose file that somebody has to a topology, and blueprints for what no built-in one knows.
//!
//! In comes the text of a Compose file, out come a topology, blueprints, and everything that was not carried over, with its line.
//! What a built-in blueprint deploys is left to it: its environment, its command, its volumes follow from the topology. What
//! is unknown becomes a blueprint of the user's own, with what can be said of it without guessing.

mod document;
mod own;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

use crate::lock::reference::Reference;
use crate::origin::{Scalar, Step, shown};

use own::{Own, blueprint, ports};
use values::{component_name, default_of, memory, words};

/// What becomes of a Compose file.
#[derive(Debug)]
pub struct Imported {
    /// The topology.
    pub topology: String,
    /// Blueprints of the user's own: texts of `blueprint.toml` by name.
    pub blueprints: BTreeMap<String, String>,
    /// What was not carried over, by line.
    pub left: Vec<Left>,
}

/// Something that was not carried over.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Left {
    /// Its line in the file.
    pub line: usize,
    /// The way to it.
    pub path: String,
    /// Why, or what to do.
    pub why: String,
}

/// A built-in blueprint, as far as an image tells it.
#[derive(Clone, Debug)]
pub struct Known {
    /// Its name.
    pub name: String,
    /// Repositories of the image of its main service, also under other names.
    pub repositories: BTreeSet<String>,
    /// Repositories of its other images.
    pub helpers: BTreeSet<String>,
    /// The version that it deploys unless told otherwise.
    pub version: String,
    /// Dotted prefixes of versions that it was tried with.
    pub tested: Vec<String>,
    /// Its only service, or the one that stands for it.
    pub service: Option<String>,
    /// Capabilities that it cannot do without.
    pub needs: BTreeSet<String>,
    /// Capabilities that it has for others.
    pub provides: BTreeSet<String>,
}

impl Known {
    /// Returns the version that an image's tag stands for, if the blueprint was tried with it.
    fn version_of(&self, tag: &str) -> Option<String> {
        let begins = |long: &str, short: &str| {
            long.strip_prefix(short)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        // What follows a version says how its image is made.
        let plain = tag.split_once('-').map_or(tag, |(plain, _)| plain);
        let plain = plain.strip_prefix('v').unwrap_or(plain);
        // A part of it leaves the rest open.
        if tag == self.version || begins(&self.version, plain) {
            return Some(self.version.clone());
        }
        let tested = self.tested.iter().any(|tested| begins(plain, tested));
        tested.then(|| plain.to_owned())
    }
}

/// Returns the full name of an image's repository, without its registry where that is Docker's.
pub fn repository(image: &str) -> String {
    let reference = Reference::parse(image);
    match reference.registry.as_str() {
        "docker.io" => reference.repository,
        registry => format!("{registry}/{}", reference.repository),
    }
}

/// One service of a Compose file.
struct Service<'s> {
    name: String,
    scalars: Vec<&'s Scalar>,
}

impl<'s> Service<'s> {
    /// Returns the steps below the service, as words.
    fn way(scalar: &Scalar) -> Vec<&str> {
        scalar.path[2..]
            .iter()
            .map(|step| match step {
                Step::Key(key) => key.as_str(),
                Step::Index(_) => "-",
            })
            .collect()
    }

    fn one(&self, way: &[&str]) -> Option<&'s Scalar> {
        self.scalars
            .iter()
            .copied()
            .find(|scalar| Self::way(scalar) == way)
    }

    /// Returns the scalars below a key.
    fn below(&self, key: &str) -> impl Iterator<Item = &'s Scalar> {
        let own = move |scalar: &&Scalar| Self::way(scalar).first() == Some(&key);
        self.scalars.iter().copied().filter(own)
    }

    /// Returns the scalar that stands beside another in a table.
    fn beside(&self, scalar: &Scalar, key: &str) -> Option<&'s Scalar> {
        let (_, table) = scalar.path.split_last()?;
        let is = |one: &&Scalar| {
            one.path
                .split_last()
                .is_some_and(|(last, before)| before == table && *last == Step::Key(key.to_owned()))
        };
        self.scalars.iter().copied().find(is)
    }

    /// Says whether it runs a shell in the place of the system: it prepares something, or waits.
    fn is_script(&self) -> bool {
        let program = ["entrypoint", "command"].into_iter().find_map(|key| {
            let first = self.below(key).next()?;
            words(&first.text)?.into_iter().next()
        });
        program.is_some_and(|program| {
            let name = program.rsplit('/').next().unwrap_or_default();
            ["sh", "bash"].contains(&name) || name.ends_with(".sh")
        })
    }
}

/// What is being made, with a record of what was taken and what was left.
struct Work<'s> {
    taken: BTreeSet<&'s [Step]>,
    left: BTreeMap<(usize, String), Vec<&'s [Step]>>,
}

impl<'s> Work<'s> {
    fn take(&mut self, scalar: &'s Scalar) -> &'s str {
        self.taken.insert(&scalar.path);
        &scalar.text
    }

    fn leave(&mut self, scalar: &'s Scalar, why: &str) {
        self.taken.insert(&scalar.path);
        let key = (scalar.line, why.to_owned());
        self.left.entry(key).or_default().push(&scalar.path);
    }

    /// Lists what was left: once what stands in one line and has one reason.
    fn left(self) -> Vec<Left> {
        let lines = self.left.into_iter();
        lines
            .map(|((line, why), paths)| {
                let first = paths.first().copied().unwrap_or_default();
                let same = |at: usize| paths.iter().all(|path| path.get(at) == first.get(at));
                let common = (0..first.len()).take_while(|at| same(*at)).count();
                // What they have in common says enough if it is more than their service.
                let path = if common > 2 || paths.len() == 1 {
                    shown(&first[..common])
                } else {
                    format!("{} (and {} more)", shown(first), paths.len() - 1)
                };
                Left { line, path, why }
            })
            .collect()
    }
}

/// What is said of a key that nothing here has a word for.
const UNKNOWN: &str = "has no counterpart that is sure";
const BY_BLUEPRINT: &str = "is the blueprint's affair: look at its options";
const VARIABLE: &str = "depends on a variable of the shell";

/// Converts a Compose file. `environment` is the text of the file `.env` beside it.
///
/// # Errors
/// A text that is no Compose file, in words.
pub fn import(
    text: &str,
    environment: &str,
    platform: &str,
    known: &[Known],
) -> Result<Imported, String> {
    let all = document::read(text, &document::variables(environment))?;
    let mut services: Vec<Service<'_>> = Vec::new();
    for scalar in &all {
        let [Step::Key(top), Step::Key(name), _, ..] = scalar.path.as_slice() else {
            continue;
        };
        if top == "services" {
            match services.last_mut().filter(|service| service.name == *name) {
                Some(service) => service.scalars.push(scalar),
                None => services.push(Service {
                    name: name.clone(),
                    scalars: vec![scalar],
                }),
            }
        }
    }
    if services.is_empty() {
        return Err("it has no `services`".to_owned());
    }
    let (groups, unknown) = grouped(&services, known);
    let scalars = services.iter().flat_map(|service| &service.scalars);
    let ending: BTreeSet<&str> = scalars
        .filter(|scalar| scalar.text == "service_completed_successfully")
        .filter_map(|scalar| match Service::way(scalar).as_slice() {
            ["depends_on", other, "condition"] => Some(*other),
            _ => None,
        })
        .collect();
    // A blueprint of the user's own that is called like a built-in one would stand in its place.
    let taken: BTreeSet<String> = known.iter().map(|known| known.name.clone()).collect();
    let mut used = taken.clone();
    let mut own = BTreeMap::new();
    for service in &unknown {
        let name = unused(&mut used, &service.name);
        let listens = !ports(service).is_empty();
        let ends = ending.contains(service.name.as_str());
        own.insert(
            service.name.clone(),
            Own {
                name,
                listens,
                ends,
            },
        );
    }
    used.retain(|name| !taken.contains(name));
    let mut work = Work {
        taken: BTreeSet::new(),
        left: BTreeMap::new(),
    };
    let mut components = Table::new();
    let mut blueprints = BTreeMap::new();
    for Group { known, members } in &groups {
        let name = match members.as_slice() {
            [only] => &only.name,
            _ => &known.name,
        };
        let name = unused(&mut used, name);
        let table = component(members, known, &name, &mut work);
        components.insert(name, Value::Table(table));
    }
    for known in lacking(&groups, known) {
        let name = unused(&mut used, &known.name);
        let mut table = Table::new();
        if name != known.name {
            table.insert("blueprint".to_owned(), Value::from(known.name.as_str()));
        }
        components.insert(name, Value::Table(table));
    }
    for service in &unknown {
        if let Some(table) = blueprint(service, &own, &mut work) {
            let name = own[&service.name].name.clone();
            blueprints.insert(name.clone(), render(&table));
            components.insert(name, Value::Table(Table::new()));
        }
    }
    // Volumes and networks follow from services; what is said of them besides does not.
    for scalar in &all {
        if work.taken.contains(scalar.path.as_slice()) {
            continue;
        }
        let why = match scalar.path.first() {
            Some(Step::Key(top)) if top == "version" || top == "name" => continue,
            // A place to write down what others refer to.
            Some(Step::Key(top)) if top.starts_with("x-") => continue,
            Some(Step::Key(top)) if top == "networks" => {
                "each declared connection gets a network of its own"
            }
            Some(Step::Key(top))
                if top == "volumes" && scalar.path.len() == 2 && scalar.text.is_empty() =>
            {
                continue;
            }
            _ => UNKNOWN,
        };
        work.leave(scalar, why);
    }
    let mut about = Table::from_iter([("name".to_owned(), Value::from(platform))]);
    if !blueprints.is_empty() {
        about.insert("blueprints".to_owned(), Value::from("blueprints"));
    }
    let dev = table([("target", Value::from("compose"))]);
    let mut topology = HEADER.to_owned();
    for (key, part) in [
        ("platform", Value::Table(about)),
        ("components", Value::Table(components)),
        ("environments", table([("dev", dev)])),
    ] {
        topology.push('\n');
        topology.push_str(&body(&Table::from_iter([(key.to_owned(), part)])));
    }
    Ok(Imported {
        topology,
        blueprints,
        left: work.left(),
    })
}

/// Services that are one component together.
struct Group<'g, 's> {
    known: &'g Known,
    members: Vec<&'g Service<'s>>,
}

/// Tells services that a built-in blueprint deploys, those of one system together, from all others.
fn grouped<'g, 's>(
    services: &'g [Service<'s>],
    known: &'g [Known],
) -> (Vec<Group<'g, 's>>, Vec<&'g Service<'s>>) {
    let mut groups: Vec<Group<'_, '_>> = Vec::new();
    let mut unknown = Vec::new();
    for service in services {
        let Some((known, is_main)) = built_in(service, known) else {
            unknown.push(service);
            continue;
        };
        let together = |group: &&mut Group<'_, '_>| {
            group.known.name == known.name
                && group.members.iter().any(|member| {
                    let other_is_main = built_in(member, std::slice::from_ref(known))
                        .is_some_and(|(_, is_main)| is_main);
                    !is_main || !other_is_main || are_one(member, service)
                })
        };
        match groups.iter_mut().find(together) {
            Some(group) => group.members.push(service),
            None => groups.push(Group {
                known,
                members: vec![service],
            }),
        }
    }
    for group in &mut groups {
        // The one that stands for the system comes first.
        group.members.sort_by_key(|member| member.is_script());
    }
    // A helper alone makes no system.
    let (groups, helpers): (Vec<_>, Vec<_>) = groups.into_iter().partition(|group| {
        let one = std::slice::from_ref(group.known);
        let mut members = group.members.iter();
        members.any(|member| built_in(member, one).is_some_and(|(_, is_main)| is_main))
    });
    unknown.extend(helpers.into_iter().flat_map(|group| group.members));
    (groups, unknown)
}

/// Lists blueprints for what the others need and nobody has: a system may bring a database of its own along.
fn lacking<'k>(groups: &[Group<'k, '_>], known: &'k [Known]) -> Vec<&'k Known> {
    let mut all: Vec<&Known> = groups.iter().map(|group| group.known).collect();
    let mut at = 0;
    while let Some(one) = all.get(at).copied() {
        for need in &one.needs {
            if all.iter().all(|other| !other.provides.contains(need)) {
                all.extend(known.iter().find(|other| other.provides.contains(need)));
            }
        }
        at += 1;
    }
    all.split_off(groups.len())
}

/// Says whether two services with the same image are parts of one system: members of a cluster, or helpers of the other.
fn are_one(one: &Service<'_>, other: &Service<'_>) -> bool {
    let stem = |service: &Service<'_>| -> String {
        let name = service
            .name
            .trim_end_matches(|next: char| next.is_ascii_digit());
        name.trim_end_matches(['-', '_']).to_owned()
    };
    let begins = |long: &str, short: &str| {
        long.strip_prefix(short)
            .is_some_and(|rest| rest.starts_with(['-', '_']))
    };
    stem(one) == stem(other)
        || begins(&one.name, &other.name)
        || begins(&other.name, &one.name)
        || one.is_script()
        || other.is_script()
}

/// Returns a legal name that nothing has yet.
fn unused(used: &mut BTreeSet<String>, name: &str) -> String {
    let name = component_name(name);
    let mut free = name.clone();
    let mut number = 2;
    while !used.insert(free.clone()) {
        free = format!("{name}-{number}");
        number += 1;
    }
    free
}

fn table<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Table(
        entries
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
    )
}

/// The first line of what is made.
const HEADER: &str = "# Imported from a Compose file: read it before it is used.\n";

fn render(table: &Table) -> String {
    format!("{HEADER}\n{}", body(table))
}

fn body(table: &Table) -> String {
    toml::to_string_pretty(table).unwrap_or_default()
}

/// Returns the blueprint that deploys a service's image, and whether that is its main one.
fn built_in<'k>(service: &Service<'_>, known: &'k [Known]) -> Option<(&'k Known, bool)> {
    let image = service.one(&["image"])?;
    let image = default_of(&image.text).unwrap_or_else(|| image.text.clone());
    // A tag that depends on a variable hides no name.
    let repository = repository(image.split("${").next()?.trim_end_matches(':'));
    let main = known
        .iter()
        .find(|known| known.repositories.contains(&repository));
    main.map(|known| (known, true)).or_else(|| {
        let helper = known
            .iter()
            .find(|known| known.helpers.contains(&repository));
        helper.map(|known| (known, false))
    })
}

/// Carries services over to a built-in blueprint: the first one stands for the system.
fn component<'s>(
    members: &[&Service<'s>],
    known: &Known,
    name: &str,
    work: &mut Work<'s>,
) -> Table {
    let mut table = Table::new();
    if known.name != name {
        table.insert("blueprint".to_owned(), Value::from(known.name.as_str()));
    }
    let part = format!("is a part of the component `{name}`: its options say how many there are");
    for (at, service) in members.iter().enumerate() {
        let is_first = at == 0;
        for scalar in service.scalars.iter().copied() {
            match Service::way(scalar).as_slice() {
                ["image"] if !is_first => work.leave(scalar, &part),
                ["image"] => {
                    let image = default_of(work.take(scalar));
                    let tag = image.map(|image| Reference::parse(&image).tag);
                    match tag.and_then(|tag| known.version_of(&tag)) {
                        Some(version) if version == known.version => {}
                        Some(version) => {
                            table.insert("version".to_owned(), Value::from(version));
                        }
                        None => {
                            let words = format!(
                                "{} {} is deployed instead: its blueprint was tried with {}",
                                known.name,
                                known.version,
                                known.tested.join(", ")
                            );
                            work.leave(scalar, &words);
                        }
                    }
                }
                ["deploy", "resources", "limits", "memory"] | ["mem_limit"] if is_first => {
                    match (&known.service, memory(&scalar.text)) {
                        (Some(service), Some(memory)) => {
                            work.take(scalar);
                            let inner = self::table([("memory", Value::from(memory))]);
                            table.insert(
                                "services".to_owned(),
                                self::table([(service.as_str(), inner)]),
                            );
                        }
                        _ => work.leave(scalar, UNKNOWN),
                    }
                }
                ["container_name" | "restart" | "hostname"] | ["depends_on" | "networks", ..] => {
                    work.take(scalar);
                }
                [
                    "environment" | "env_file" | "command" | "entrypoint" | "volumes" | "ports"
                    | "healthcheck" | "user" | "expose" | "ulimits" | "secrets" | "configs",
                    ..,
                ] => work.leave(scalar, BY_BLUEPRINT),
                _ => work.leave(scalar, UNKNOWN),
            }
        }
    }
    table
}
