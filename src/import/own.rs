//! Blueprints for services that no built-in one knows: what can be said of them without guessing.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::values::{component_name, default_of, holds_secret, is_secret, memory, seconds, words};
use super::{Service, UNKNOWN, VARIABLE, Work, table};
use crate::lock::reference::Reference;
use crate::names;
use crate::origin::{Scalar, Step};

/// What becomes of a command, or of a variable, that seems to hold a secret.
const SECRET: &str = "looks like a secret: declare it in the blueprint (`secrets`), so that it is made and handed over as a file";

/// What becomes of folders and files of the machine.
const ON_MACHINE: &str = "is a file or folder of the machine: put files into the blueprint (`files`), data into a volume";

/// What becomes of a user that may do everything.
const AS_ROOT: &str =
    "may do everything in its container: `run_as = { user = 0, root = \"…\" }` wants the reason";

/// What becomes of a service without an image that is known.
const NO_IMAGE: &str = "has no image that is known: build one, and name it";
const LEFT_OUT: &str = "belongs to a service that was left out";

/// What becomes of an image that can be another one tomorrow.
const UNTAGGED: &str = "has no version: choose one (`version.default` in the blueprint)";

/// What becomes of a service that others wait for until it has ended.
const ENDS: &str = "ends by itself: make it a job of what it prepares (`jobs` in the blueprint)";

/// What becomes of an order of start that no connection follows from.
const ORDER: &str =
    "declare in the blueprint what it needs of that one (`needs`): it opens the connection too";

/// What a service becomes that no built-in blueprint knows.
pub(super) struct Own {
    /// Its name in the topology.
    pub(super) name: String,
    /// Whether it listens anywhere, so that others may connect to it.
    pub(super) listens: bool,
    /// Whether others wait until it has ended.
    pub(super) ends: bool,
}

/// A blueprint in the making.
struct Draft<'o> {
    others: &'o BTreeMap<String, Own>,
    server: Table,
    env: Table,
    volumes: Table,
    mounts: Table,
    needs: Table,
    probe: Table,
    resources: Table,
    run_as: Table,
    test: Vec<String>,
}

/// Makes a blueprint of a service that no built-in one knows; none if its image is not known either.
pub(super) fn blueprint<'s>(
    service: &Service<'s>,
    others: &BTreeMap<String, Own>,
    work: &mut Work<'s>,
) -> Option<Table> {
    let image = service
        .one(&["image"])
        .and_then(|image| default_of(work.take(image)));
    let Some(image) = image else {
        for (at, scalar) in service.scalars.iter().copied().enumerate() {
            work.leave(scalar, if at == 0 { NO_IMAGE } else { LEFT_OUT });
        }
        return None;
    };
    let reference = Reference::parse(image.split('@').next().unwrap_or_default());
    if let Some(scalar) = service.one(&["image"]) {
        if image.contains('@') {
            work.leave(scalar, "names a digest: `lakewright lock` keeps those");
        }
        if reference.tag == "latest" {
            work.leave(scalar, UNTAGGED);
        }
        if others.get(&service.name).is_some_and(|own| own.ends) {
            work.leave(scalar, ENDS);
        }
    }
    let mut draft = Draft {
        others,
        server: Table::new(),
        env: Table::new(),
        volumes: Table::new(),
        mounts: Table::new(),
        needs: Table::new(),
        probe: Table::new(),
        resources: Table::new(),
        run_as: Table::new(),
        test: Vec::new(),
    };
    for key in ["command", "entrypoint"] {
        draft.program(service, key, work);
    }
    for scalar in service.scalars.iter().copied() {
        if !work.taken.contains(scalar.path.as_slice()) {
            draft.add(service, scalar, work);
        }
    }
    let name = others.get(&service.name).map_or("", |own| &own.name);
    Some(draft.finish(service, name, &reference))
}

impl Draft<'_> {
    /// Carries over the program that a service runs, as a whole or not at all.
    fn program<'s>(&mut self, service: &Service<'s>, key: &str, work: &mut Work<'s>) {
        let all: Vec<&Scalar> = service.below(key).collect();
        let Some(first) = all.first() else { return };
        let texts = all.iter().map(|scalar| default_of(&scalar.text));
        let texts: Option<Vec<String>> = texts.collect();
        let split = match texts {
            // One text is split as shells do.
            Some(texts) if first.path.len() == 3 => words(&texts.concat()),
            texts => texts,
        };
        let why = match &split {
            Some(split) if split.iter().any(|word| word.contains("${")) => Some(VARIABLE),
            Some(split) if holds_secret(&split.join(" ")) => Some(SECRET),
            Some(_) => None,
            None => Some(VARIABLE),
        };
        for scalar in all {
            match why {
                Some(why) => work.leave(scalar, why),
                None => {
                    work.take(scalar);
                }
            }
        }
        // Nothing in the place of an image's own program is said by leaving it out.
        if let (None, Some(split)) = (why, split)
            && !split.is_empty()
        {
            self.server.insert(key.to_owned(), Value::from(split));
        }
    }

    fn add<'s>(&mut self, service: &Service<'s>, scalar: &'s Scalar, work: &mut Work<'s>) {
        match Service::way(scalar).as_slice() {
            ["environment", "-"] => match scalar.text.split_once('=') {
                Some((variable, value)) => self.variable(work, scalar, variable, value),
                None => work.leave(scalar, VARIABLE),
            },
            ["environment", variable] => self.variable(work, scalar, variable, &scalar.text),
            ["deploy", "resources", "limits", "memory"] | ["mem_limit"] => {
                match memory(&scalar.text) {
                    Some(memory) => {
                        work.take(scalar);
                        self.resources
                            .insert("memory".to_owned(), Value::from(memory));
                    }
                    None => work.leave(scalar, UNKNOWN),
                }
            }
            ["volumes", "-"] => {
                let text = default_of(&scalar.text).unwrap_or_default();
                let mut parts = text.split(':');
                let (source, target) = (parts.next(), parts.next());
                let read_only = parts.any(|mode| mode.split(',').any(|one| one == "ro"));
                self.volume(work, scalar, source, target, read_only);
            }
            ["volumes", "-", "source"] => {
                let beside = |key| service.beside(scalar, key).map(|one| one.text.clone());
                let target = beside("target");
                let is_volume = beside("type").as_deref() == Some("volume");
                let source = is_volume.then_some(scalar.text.as_str());
                let read_only = beside("read_only").as_deref() == Some("true");
                self.volume(work, scalar, source, target.as_deref(), read_only);
            }
            // With their source.
            ["volumes", "-", "type" | "target" | "read_only"]
                if service.beside(scalar, "source").is_some() =>
            {
                work.take(scalar);
            }
            ["healthcheck", ..] => self.health(work, scalar),
            ["depends_on", "-"] => self.need(work, scalar, &scalar.text),
            ["depends_on", other, "condition"] => self.need(work, scalar, other),
            ["user"] => self.user(work, scalar),
            ["working_dir"] => {
                let folder = work.take(scalar);
                self.server
                    .insert("working_dir".to_owned(), Value::from(folder));
            }
            ["read_only"] if scalar.text == "true" => {
                work.take(scalar);
                self.run_as
                    .insert("read_only".to_owned(), Value::from(true));
            }
            ["tmpfs"] | ["tmpfs", "-"] if scalar.text.starts_with('/') => {
                let folder = work.take(scalar).split(':').next().unwrap_or_default();
                let all = self.run_as.entry("writable");
                if let Some(all) = all.or_insert(Value::Array(Vec::new())).as_array_mut() {
                    all.push(Value::from(folder));
                }
            }
            ["stop_grace_period"] => match seconds(&scalar.text) {
                Some(seconds) => {
                    work.take(scalar);
                    let stop = table([("grace", Value::from(format!("{seconds}s")))]);
                    self.server.insert("stop".to_owned(), stop);
                }
                None => work.leave(scalar, UNKNOWN),
            },
            ["ports" | "expose", "-"] if published(&scalar.text).is_none() => {
                work.leave(scalar, "is not one port of TCP");
            }
            ["ports", "-", "protocol"] if scalar.text != "tcp" => {
                work.leave(scalar, "is not one port of TCP");
            }
            ["ports", "-", "host_ip" | "mode" | "name" | "app_protocol"] => {
                work.leave(scalar, UNKNOWN);
            }
            ["container_name" | "restart" | "hostname"] | ["networks" | "ports" | "expose", ..] => {
                work.take(scalar);
            }
            _ => work.leave(scalar, UNKNOWN),
        }
    }

    fn variable<'s>(
        &mut self,
        work: &mut Work<'s>,
        scalar: &'s Scalar,
        variable: &str,
        value: &str,
    ) {
        if is_secret(variable) || holds_secret(value) {
            work.leave(scalar, SECRET);
            return;
        }
        match default_of(value) {
            // Half of a secret in an address is one too.
            Some(value) if !value.contains("${") && !holds_secret(&value) => {
                work.take(scalar);
                self.env.insert(variable.to_owned(), Value::from(value));
            }
            _ => work.leave(scalar, VARIABLE),
        }
    }

    fn volume<'s>(
        &mut self,
        work: &mut Work<'s>,
        scalar: &'s Scalar,
        source: Option<&str>,
        target: Option<&str>,
        read_only: bool,
    ) {
        let (Some(source), Some(target)) = (source, target) else {
            work.leave(scalar, ON_MACHINE);
            return;
        };
        if !names::is_label(&source.to_lowercase().replace(['_', '.'], "-")) {
            work.leave(scalar, ON_MACHINE);
            return;
        }
        work.take(scalar);
        let key = component_name(source);
        let size = table([("small", Value::from("10GiB"))]);
        self.volumes.insert(key.clone(), table([("size", size)]));
        let mount = if read_only {
            table([
                ("volume", Value::from(key)),
                ("read_only", Value::from(true)),
            ])
        } else {
            Value::from(key)
        };
        self.mounts.insert(target.to_owned(), mount);
    }

    fn health<'s>(&mut self, work: &mut Work<'s>, scalar: &'s Scalar) {
        let way = Service::way(scalar);
        let text = default_of(&scalar.text).filter(|text| !text.contains("${"));
        let (Some(text), [_, key, ..]) = (text, way.as_slice()) else {
            work.leave(scalar, VARIABLE);
            return;
        };
        let shell = || ["sh", "-c"].map(str::to_owned).into();
        match (*key, way.len()) {
            ("test", 2) if text != "NONE" => {
                self.test = shell();
                self.test.push(text);
            }
            ("test", _) => match text.as_str() {
                "CMD" | "NONE" => {}
                "CMD-SHELL" => self.test = shell(),
                _ => self.test.push(text),
            },
            ("interval" | "timeout" | "start_period", _) => {
                let Some(seconds) = seconds(&text) else {
                    work.leave(scalar, UNKNOWN);
                    return;
                };
                let name = if *key == "start_period" {
                    "startup"
                } else {
                    key
                };
                self.probe
                    .insert(name.to_owned(), Value::from(format!("{seconds}s")));
            }
            ("retries", _) => match text.parse::<i64>() {
                Ok(retries) if retries > 0 => {
                    self.probe
                        .insert("retries".to_owned(), Value::from(retries));
                }
                _ => {
                    work.leave(scalar, UNKNOWN);
                    return;
                }
            },
            ("disable", _) if text == "true" => {}
            _ => {
                work.leave(scalar, UNKNOWN);
                return;
            }
        }
        work.take(scalar);
    }

    /// Turns an order of start into a connection, where the other is a blueprint of the user's own that listens somewhere.
    fn need<'s>(&mut self, work: &mut Work<'s>, scalar: &'s Scalar, other: &str) {
        let Some(Own { name, .. }) = self.others.get(other).filter(|other| other.listens) else {
            work.leave(scalar, ORDER);
            return;
        };
        work.take(scalar);
        let capability = table([("capability", Value::from(format!("imported.{name}")))]);
        self.needs.insert(name.replace('-', "_"), capability);
    }

    fn user<'s>(&mut self, work: &mut Work<'s>, scalar: &'s Scalar) {
        let text = default_of(&scalar.text).unwrap_or_default();
        let mut numbers = text.split(':').map(str::parse::<u32>);
        match numbers.next() {
            Some(Ok(user)) if user > 0 => {
                work.take(scalar);
                let all = [("user", Some(Ok(user))), ("group", numbers.next())];
                for (key, number) in all {
                    if let Some(Ok(number)) = number {
                        self.run_as
                            .insert(key.to_owned(), Value::from(i64::from(number)));
                    }
                }
            }
            Some(Ok(_)) => work.leave(scalar, AS_ROOT),
            _ if text == "root" => work.leave(scalar, AS_ROOT),
            _ => work.leave(scalar, "is no number: `run_as` wants one"),
        }
    }

    fn finish(mut self, service: &Service<'_>, name: &str, reference: &Reference) -> Table {
        self.server.insert("main".to_owned(), Value::from(true));
        self.server.insert("image".to_owned(), Value::from("app"));
        if !self.test.is_empty() {
            self.probe
                .insert("exec".to_owned(), Value::from(self.test.clone()));
            self.server
                .insert("probe".to_owned(), Value::Table(self.probe));
        }
        let kind = if self.volumes.is_empty() {
            "stateless"
        } else {
            "stateful"
        };
        self.server.insert("kind".to_owned(), Value::from(kind));
        for (key, least) in [("cpu", "100m"), ("memory", "512MiB")] {
            let known = self.resources.entry(key);
            known.or_insert(Value::from(least));
        }
        let small = table([("small", Value::Table(self.resources))]);
        self.server.insert("resources".to_owned(), small);
        let ports = ports(service);
        let listed: Table = ports.iter().map(port).collect();
        for (key, entries) in [
            ("ports", listed),
            ("env", self.env),
            ("volumes", self.mounts),
            ("run_as", self.run_as),
        ] {
            if !entries.is_empty() {
                self.server.insert(key.to_owned(), Value::Table(entries));
            }
        }
        let mut document = Table::new();
        document.insert("blueprint".to_owned(), about(name, &reference.tag));
        let from = format!("{}/{}", reference.registry, reference.repository);
        let images = table([("app", table([("from", Value::from(from))]))]);
        document.insert("images".to_owned(), images);
        let services = table([("server", Value::Table(self.server))]);
        document.insert("services".to_owned(), services);
        for (key, entries) in [("volumes", self.volumes), ("needs", self.needs)] {
            if !entries.is_empty() {
                document.insert(key.to_owned(), Value::Table(entries));
            }
        }
        if let Some((port, _)) = ports.first() {
            let provide = table([
                ("capability", Value::from(format!("imported.{name}"))),
                ("service", Value::from("server")),
                ("port", Value::from(format!("p{port}"))),
            ]);
            document.insert("provides".to_owned(), table([("main", provide)]));
        }
        document
    }
}

/// Says what a blueprint is, as far as a Compose file tells it.
fn about(name: &str, tag: &str) -> Value {
    let version = table([
        ("default", Value::from(tag)),
        ("tested", Value::Array(vec![Value::from(tag)])),
    ]);
    let day = "1970-01-01".parse().map(Value::Datetime);
    let sources = vec![Value::from("imported from a Compose file, not looked up")];
    let facts = table([
        ("checked", day.unwrap_or_else(|_| Value::from(""))),
        ("sources", Value::Array(sources)),
    ]);
    table([
        (
            "summary",
            Value::from(format!("{name}, imported from a Compose file")),
        ),
        ("layer", Value::from("operations")),
        ("zone", Value::from("application")),
        ("license", Value::from("LicenseRef-unknown")),
        ("version", version),
        ("facts", facts),
    ])
}

fn port((port, public): &(u16, Option<u16>)) -> (String, Value) {
    let mut entry = Table::new();
    entry.insert("port".to_owned(), Value::from(i64::from(*port)));
    entry.insert("protocol".to_owned(), Value::from("tcp"));
    if let Some(public) = public {
        entry.insert("publish".to_owned(), Value::from("host"));
        entry.insert("listen".to_owned(), Value::from(i64::from(*public)));
    }
    (format!("p{port}"), Value::Table(entry))
}

/// Lists the ports of containers, each with the public one if it is published.
pub(super) fn ports(service: &Service<'_>) -> Vec<(u16, Option<u16>)> {
    let mut found: BTreeMap<u16, Option<u16>> = BTreeMap::new();
    for scalar in service.scalars.iter().copied() {
        let way = Service::way(scalar);
        match way.as_slice() {
            ["ports", "-"] => {
                if let Some((inner, outer)) = published(&scalar.text) {
                    found.insert(inner, outer.or(Some(inner)));
                }
            }
            ["expose", "-"] => {
                if let Some((port, _)) = published(&scalar.text) {
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

/// Reads a port as Compose writes it: `80`, `8080:80`, `127.0.0.1:8080:80/tcp`; that of the container comes first.
fn published(text: &str) -> Option<(u16, Option<u16>)> {
    let text = default_of(text)?;
    let mut parts = text.trim_end_matches("/tcp").rsplit(':');
    let inner = parts.next()?.parse().ok()?;
    match parts.next() {
        Some(outer) => Some((inner, Some(outer.parse().ok()?))),
        None => Some((inner, None)),
    }
}
