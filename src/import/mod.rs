//! From a Compose file that somebody has to a topology, and blueprints for what no built-in one knows.
//!
//! In comes the text of a Compose file, out come a topology, blueprints, and everything that was not carried over, with its line.
//! What a built-in blueprint deploys is left to it: its environment, its command, its volumes follow from the topology. What
//! is unknown becomes a blueprint of the user's own, with what can be said of it without guessing.

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

use crate::lock::reference::Reference;
use crate::names;
use crate::origin::{Scalar, Step, scalars};

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
    /// Repositories of its images.
    pub repositories: BTreeSet<String>,
    /// The version that it deploys unless told otherwise.
    pub version: String,
    /// Its only service, or the one that stands for it.
    pub service: Option<String>,
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

    /// Returns the items of a list, or the words of one text.
    fn words(&self, key: &str) -> Option<Vec<String>> {
        if let Some(text) = self.one(&[key]) {
            return Some(text.text.split_whitespace().map(str::to_owned).collect());
        }
        let all: Vec<String> = self
            .scalars
            .iter()
            .filter(|scalar| Self::way(scalar) == [key, "-"])
            .map(|scalar| scalar.text.clone())
            .collect();
        (!all.is_empty()).then_some(all)
    }
}

/// What is being made, with a record of what was taken and what was left.
struct Work<'s> {
    taken: BTreeSet<&'s [Step]>,
    left: Vec<Left>,
}

impl<'s> Work<'s> {
    fn take(&mut self, scalar: &'s Scalar) -> &'s str {
        self.taken.insert(&scalar.path);
        &scalar.text
    }

    fn leave(&mut self, scalar: &'s Scalar, why: &str) {
        self.taken.insert(&scalar.path);
        self.left.push(Left {
            line: scalar.line,
            path: scalar.shown(),
            why: why.to_owned(),
        });
    }
}

/// What is said of a key that nothing here has a word for.
const ALIAS: &str = "repeats what stands elsewhere: write it out, and import again";
const UNKNOWN: &str = "has no counterpart that is sure";
const BY_BLUEPRINT: &str = "is the blueprint's affair: look at its options";
const VARIABLE: &str = "depends on a variable of the shell";

/// Converts a Compose file.
///
/// # Errors
/// A text that is no Compose file, in words.
pub fn import(text: &str, platform: &str, known: &[Known]) -> Result<Imported, String> {
    let all = scalars(text)?;
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
    // What an alias stands for would be missing from its service.
    let aliases = services.iter().flat_map(|service| &service.scalars);
    let aliases: Vec<Left> = aliases
        .filter(|scalar| scalar.text.starts_with('*'))
        .map(|scalar| Left {
            line: scalar.line,
            path: scalar.shown(),
            why: ALIAS.to_owned(),
        })
        .collect();
    if services.is_empty() {
        return Err("it has no `services`".to_owned());
    }
    let mut work = Work {
        taken: BTreeSet::new(),
        left: Vec::new(),
    };
    let mut components = Table::new();
    let mut blueprints = BTreeMap::new();
    // Names of services that become blueprints of the user's own: others may connect to these.
    let own: BTreeSet<&str> = services
        .iter()
        .filter(|service| built_in(service, known).is_none())
        .map(|service| service.name.as_str())
        .collect();
    let own: BTreeMap<String, bool> = own
        .into_iter()
        .map(|name| {
            let service = services.iter().find(|service| service.name == name);
            (
                name.to_owned(),
                service.is_some_and(|service| !ports(service).is_empty()),
            )
        })
        .collect();
    for service in &services {
        let name = component_name(&service.name);
        match built_in(service, known) {
            Some(blueprint) => {
                let table = component(service, blueprint, &name, &mut work);
                components.insert(name, Value::Table(table));
            }
            None => {
                let Some(table) = blueprint(service, &own, &mut work) else {
                    continue;
                };
                blueprints.insert(name.clone(), render(&table));
                components.insert(name, Value::Table(Table::new()));
            }
        }
    }
    // Volumes and networks follow from services; what is said of them besides does not.
    for scalar in &all {
        if work.taken.contains(scalar.path.as_slice()) {
            continue;
        }
        let why = match scalar.path.first() {
            Some(Step::Key(top)) if top == "version" || top == "name" => continue,
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
    let mut topology = Table::new();
    topology.insert(
        "platform".to_owned(),
        table([("name", Value::from(platform))]),
    );
    topology.insert("components".to_owned(), Value::Table(components));
    if !blueprints.is_empty()
        && let Some(Value::Table(platform)) = topology.get_mut("platform")
    {
        platform.insert("blueprints".to_owned(), Value::from("blueprints"));
    }
    let dev = table([("target", Value::from("compose"))]);
    topology.insert("environments".to_owned(), table([("dev", dev)]));
    let is_alias = |left: &Left| {
        let mut aliases = aliases.iter();
        aliases.any(|alias| (alias.line, &alias.path) == (left.line, &left.path))
    };
    work.left.retain(|left| !is_alias(left));
    work.left.extend(aliases);
    work.left.sort();
    Ok(Imported {
        topology: render(&topology),
        blueprints,
        left: work.left,
    })
}

fn table<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Table(
        entries
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
    )
}

fn render(table: &Table) -> String {
    let body = toml::to_string_pretty(table).unwrap_or_default();
    format!("# Imported from a Compose file: read it before it is used.\n\n{body}")
}

/// Makes a legal name of a service's.
fn component_name(name: &str) -> String {
    let mut legal: String = name
        .to_lowercase()
        .chars()
        .map(|next| {
            if next.is_ascii_alphanumeric() {
                next
            } else {
                '-'
            }
        })
        .take(names::LONGEST_NAME)
        .collect();
    legal = legal.trim_matches('-').to_owned();
    if names::is_name(&legal) {
        legal
    } else {
        format!("s-{legal}").trim_end_matches('-').to_owned()
    }
}

fn built_in<'k>(service: &Service<'_>, known: &'k [Known]) -> Option<&'k Known> {
    let image = service.one(&["image"])?;
    let repository = repository(default_of(&image.text).as_deref()?);
    known
        .iter()
        .find(|known| known.repositories.contains(&repository))
}

/// Replaces `${NAME:-default}` by its default; nothing where there is none.
fn default_of(text: &str) -> Option<String> {
    let mut result = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        result.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            result.push('$');
            rest = after;
            continue;
        }
        let (variable, behind) = after.strip_prefix('{')?.split_once('}')?;
        let (_, default) = variable
            .split_once(":-")
            .or_else(|| variable.split_once('-'))?;
        // A default that names another variable says nothing.
        if default.contains('$') {
            return None;
        }
        result.push_str(default);
        rest = behind;
    }
    result.push_str(rest);
    Some(result)
}

/// Carries a service over to a built-in blueprint.
fn component<'s>(service: &Service<'s>, known: &Known, name: &str, work: &mut Work<'s>) -> Table {
    let mut table = Table::new();
    if known.name != name {
        table.insert("blueprint".to_owned(), Value::from(known.name.as_str()));
    }
    for scalar in service.scalars.iter().copied() {
        match Service::way(scalar).as_slice() {
            ["image"] => {
                let image = default_of(work.take(scalar)).unwrap_or_default();
                let tag = Reference::parse(&image).tag;
                if !tag.starts_with(&known.version) {
                    work.leave(
                        scalar,
                        &format!(
                            "{} {} is deployed instead; `version` asks for another",
                            known.name, known.version
                        ),
                    );
                }
            }
            ["deploy", "resources", "limits", "memory"] | ["mem_limit"] => {
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
            ["container_name" | "restart" | "hostname"] | ["depends_on", ..] => {
                work.take(scalar);
            }
            [
                "environment" | "command" | "entrypoint" | "volumes" | "ports" | "healthcheck"
                | "user" | "expose",
                ..,
            ] => {
                work.leave(scalar, BY_BLUEPRINT);
            }
            ["networks", ..] => {
                work.take(scalar);
            }
            _ => work.leave(scalar, UNKNOWN),
        }
    }
    table
}

/// Reads a size as Compose writes it, and writes it as topologies do.
fn memory(text: &str) -> Option<String> {
    let text = default_of(text)?.trim().to_lowercase();
    let digits = text
        .find(|next: char| !next.is_ascii_digit())
        .unwrap_or(text.len());
    let number: u64 = text[..digits].parse().ok()?;
    let unit = match text[digits..].trim_end_matches('b') {
        "k" => "KiB",
        "m" => "MiB",
        "g" => "GiB",
        "" => "B",
        _ => return None,
    };
    Some(format!("{number}{unit}"))
}

/// Lists the ports of containers, each with the public one if it is published.
fn ports(service: &Service<'_>) -> Vec<(u16, Option<u16>)> {
    let mut found: BTreeMap<u16, Option<u16>> = BTreeMap::new();
    for scalar in service.scalars.iter().copied() {
        let way = Service::way(scalar);
        match way.as_slice() {
            ["ports", "-"] => {
                let text = default_of(&scalar.text).unwrap_or_default();
                let text = text.trim_end_matches("/tcp");
                let mut parts = text.rsplit(':');
                let inner = parts.next().and_then(|port| port.parse().ok());
                let outer = parts.next().and_then(|port| port.parse().ok());
                if let Some(inner) = inner {
                    found.insert(inner, outer.or(Some(inner)));
                }
            }
            ["expose", "-"] => {
                if let Ok(port) = scalar.text.parse() {
                    found.entry(port).or_insert(None);
                }
            }
            ["ports", "-", "target"] => {
                if let Ok(port) = scalar.text.parse() {
                    let mut beside = scalar.path.clone();
                    beside.pop();
                    beside.push(Step::Key("published".to_owned()));
                    let outer = service.scalars.iter().find(|one| one.path == beside);
                    found.insert(port, outer.and_then(|outer| outer.text.parse().ok()));
                }
            }
            _ => {}
        }
    }
    found.into_iter().collect()
}

/// Words in names of variables whose values nobody else should read.
const SECRET_WORDS: &[&str] = &[
    "password",
    "passwd",
    "secret",
    "token",
    "apikey",
    "api_key",
    "access_key",
    "private",
];

/// Makes a blueprint of a service that no built-in one knows.
fn blueprint<'s>(
    service: &Service<'s>,
    own: &BTreeMap<String, bool>,
    work: &mut Work<'s>,
) -> Option<Table> {
    let name = component_name(&service.name);
    let image = service
        .one(&["image"])
        .and_then(|image| default_of(work.take(image)));
    let Some(image) = image else {
        let first = *service.scalars.first()?;
        for scalar in service.scalars.iter().copied() {
            work.taken.insert(&scalar.path);
        }
        work.leave(first, "has no image that is known: build one, and name it");
        return None;
    };
    let reference = Reference::parse(image.split('@').next().unwrap_or_default());
    if image.contains('@')
        && let Some(scalar) = service.one(&["image"])
    {
        work.leave(scalar, "names a digest: `lakewright lock` keeps those");
    }
    let mut server = Table::new();
    let mut volumes = Table::new();
    let mut mounts = Table::new();
    let mut env = Table::new();
    let mut needs = Table::new();
    server.insert("main".to_owned(), Value::from(true));
    server.insert("image".to_owned(), Value::from("app"));
    for key in ["command", "entrypoint"] {
        let Some(words) = service.words(key) else {
            continue;
        };
        let plain: Option<Vec<String>> = words.iter().map(|word| default_of(word)).collect();
        for scalar in service
            .scalars
            .iter()
            .copied()
            .filter(|scalar| Service::way(scalar).first() == Some(&key))
        {
            match plain {
                Some(_) => {
                    work.take(scalar);
                }
                None => work.leave(scalar, VARIABLE),
            }
        }
        server.extend(plain.map(|words| (key.to_owned(), Value::from(words))));
    }
    let mut limit = None;
    let mut test: Vec<String> = Vec::new();
    for scalar in service.scalars.iter().copied() {
        if work.taken.contains(scalar.path.as_slice()) {
            continue;
        }
        match Service::way(scalar).as_slice() {
            ["environment", "-"] => match scalar.text.split_once('=') {
                Some((variable, value)) => variable_of(&mut env, work, scalar, variable, value),
                None => work.leave(scalar, VARIABLE),
            },
            ["environment", variable] => {
                variable_of(&mut env, work, scalar, variable, &scalar.text)
            }
            ["deploy", "resources", "limits", "memory"] | ["mem_limit"] => {
                limit = memory(work.take(scalar));
            }
            ["volumes", "-"] => {
                let text = default_of(&scalar.text).unwrap_or_default();
                let mut parts = text.split(':');
                match (parts.next(), parts.next()) {
                    (Some(source), Some(target)) if names::is_label(&source.to_lowercase().replace('_', "-")) => {
                        work.take(scalar);
                        let key = component_name(source);
                        let size = table([("small", Value::from("10GiB"))]);
                        volumes.insert(key.clone(), table([("size", size)]));
                        mounts.insert(target.to_owned(), Value::from(key));
                    }
                    _ => work.leave(scalar, "is a file or folder of the machine: put files into the blueprint (`files`), data into a volume"),
                }
            }
            ["healthcheck", "test"] => {
                test = vec![
                    "sh".to_owned(),
                    "-c".to_owned(),
                    work.take(scalar).to_owned(),
                ]
            }
            ["healthcheck", "test", "-"] => match work.take(scalar) {
                "CMD" | "NONE" => {}
                "CMD-SHELL" => test = vec!["sh".to_owned(), "-c".to_owned()],
                word => test.push(word.to_owned()),
            },
            ["depends_on", "-"] => need(&mut needs, work, scalar, &scalar.text, own),
            ["depends_on", other, "condition"] => need(&mut needs, work, scalar, other, own),
            ["user"] => {
                let user: Option<i64> = scalar
                    .text
                    .split(':')
                    .next()
                    .and_then(|user| user.parse().ok());
                match user {
                    Some(user) if user > 0 => {
                        work.take(scalar);
                        server.insert("run_as".to_owned(), table([("user", Value::from(user))]));
                    }
                    _ => work.leave(scalar, "is no number: `run_as` wants one"),
                }
            }
            ["container_name" | "restart" | "hostname"] | ["networks" | "ports" | "expose", ..] => {
                work.take(scalar);
            }
            _ => work.leave(scalar, UNKNOWN),
        }
    }
    if test.iter().any(|word| word.contains("${")) {
        test.clear();
    }
    let ports = ports(service);
    let listed: Table = ports
        .iter()
        .map(|(port, public)| {
            let mut entry = Table::new();
            entry.insert("port".to_owned(), Value::from(i64::from(*port)));
            entry.insert("protocol".to_owned(), Value::from("tcp"));
            if let Some(public) = public {
                entry.insert("publish".to_owned(), Value::from("host"));
                entry.insert("listen".to_owned(), Value::from(i64::from(*public)));
            }
            (format!("p{port}"), Value::Table(entry))
        })
        .collect();
    let first = ports.first().map(|(port, _)| format!("p{port}"));
    if !test.is_empty() {
        server.insert("probe".to_owned(), table([("exec", Value::from(test))]));
    }
    let kind = if volumes.is_empty() {
        "stateless"
    } else {
        "stateful"
    };
    server.insert("kind".to_owned(), Value::from(kind));
    let memory = limit.unwrap_or_else(|| "512MiB".to_owned());
    let small = table([
        ("cpu", Value::from("100m")),
        ("memory", Value::from(memory)),
    ]);
    server.insert("resources".to_owned(), table([("small", small)]));
    for (key, entries) in [("ports", listed), ("env", env), ("volumes", mounts)] {
        if !entries.is_empty() {
            server.insert(key.to_owned(), Value::Table(entries));
        }
    }
    let from = format!("{}/{}", reference.registry, reference.repository);
    let tag = reference.tag.as_str();
    let version = table([
        ("default", Value::from(tag)),
        ("tested", Value::Array(vec![Value::from(tag)])),
    ]);
    let mut facts = Table::new();
    let day = "1970-01-01".parse().map(Value::Datetime);
    facts.insert(
        "checked".to_owned(),
        day.unwrap_or_else(|_| Value::from("")),
    );
    facts.insert(
        "sources".to_owned(),
        Value::Array(vec![Value::from(
            "imported from a Compose file, not looked up",
        )]),
    );
    let mut document = Table::new();
    document.insert(
        "blueprint".to_owned(),
        table([
            (
                "summary",
                Value::from(format!("{name}, imported from a Compose file")),
            ),
            ("layer", Value::from("operations")),
            ("zone", Value::from("application")),
            ("license", Value::from("LicenseRef-unknown")),
            ("version", version),
            ("facts", Value::Table(facts)),
        ]),
    );
    document.insert(
        "images".to_owned(),
        table([("app", table([("from", Value::from(from))]))]),
    );
    document.insert(
        "services".to_owned(),
        table([("server", Value::Table(server))]),
    );
    if !volumes.is_empty() {
        document.insert("volumes".to_owned(), Value::Table(volumes));
    }
    if !needs.is_empty() {
        document.insert("needs".to_owned(), Value::Table(needs));
    }
    if let Some(port) = first {
        let provide = table([
            ("capability", Value::from(format!("imported.{name}"))),
            ("service", Value::from("server")),
            ("port", Value::from(port)),
        ]);
        document.insert("provides".to_owned(), table([("main", provide)]));
    }
    Some(document)
}

fn variable_of<'s>(
    env: &mut Table,
    work: &mut Work<'s>,
    scalar: &'s Scalar,
    variable: &str,
    value: &str,
) {
    let lower = variable.to_lowercase();
    if SECRET_WORDS.iter().any(|word| lower.contains(word)) {
        work.leave(scalar, "looks like a secret: declare it in the blueprint (`secrets`), so that it is made and handed over as a file");
        return;
    }
    match default_of(value) {
        Some(value) if !value.contains("${") => {
            work.take(scalar);
            env.insert(variable.to_owned(), Value::from(value));
        }
        _ => work.leave(scalar, VARIABLE),
    }
}

/// Turns an order of start into a connection, where the other is a blueprint of the user's own that listens somewhere.
fn need<'s>(
    needs: &mut Table,
    work: &mut Work<'s>,
    scalar: &'s Scalar,
    other: &str,
    own: &BTreeMap<String, bool>,
) {
    if own.get(other) == Some(&true) {
        work.take(scalar);
        let other = component_name(other);
        let capability = table([("capability", Value::from(format!("imported.{other}")))]);
        needs.insert(other.replace('-', "_"), capability);
    } else {
        work.leave(scalar, "declare in the blueprint what it needs of that one (`needs`): it opens the connection too");
    }
}
