//! `lakewright blueprint`: what blueprints there are, what one says, a new one, and whether one holds together.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{Session, Status, illegal_name};
use crate::blueprint::{Blueprint, Library};
use crate::compile::Compiler;
use crate::diagnostic::Tally;
use crate::host::HostError;
use crate::names;
use crate::resolve::option_schema;
use crate::source::Sources;
use crate::terms::Locale;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List all blueprints
    List,
    /// Show what a blueprint deploys, its options and what it needs
    Show {
        /// Name of the blueprint
        name: String,
        /// Print the JSON Schema of its options
        #[arg(long)]
        schema: bool,
    },
    /// Make a new blueprint that builds at once
    New {
        /// Its name
        name: String,
        /// Folder that gets a folder of that name
        #[arg(long, short, value_name = "DIR", default_value = "blueprints")]
        output: PathBuf,
    },
    /// Try a blueprint alone, on every target
    Check {
        /// Folder of the blueprint
        folder: PathBuf,
    },
}

/// The files of a new blueprint, by name.
const NEW: &[(&str, &str)] = &[
    ("blueprint.toml", include_str!("new/blueprint.toml")),
    ("server.conf.tera", include_str!("new/server.conf.tera")),
    ("README.md", include_str!("new/README.md")),
];

pub(super) fn run(session: &Session<'_>, command: &Command) -> Result<Status, HostError> {
    match command {
        Command::List => list(session),
        Command::Show { name, schema } => show(session, name, *schema),
        Command::New { name, output } => new(session, name, output),
        Command::Check { folder } => check(session, folder),
    }
}

fn library(session: &Session<'_>) -> Result<Compiler, HostError> {
    let own = match &session.blueprints {
        Some(folder) => session.read_blueprints(folder)?,
        None => Default::default(),
    };
    Ok(Compiler::new(Sources::default(), Library::new(own)))
}

fn list(session: &Session<'_>) -> Result<Status, HostError> {
    let mut compiler = library(session)?;
    let mut findings = Vec::new();
    let mut rows = Vec::new();
    let (library, sources) = compiler.library();
    for name in library.names() {
        match library.load(sources, &name) {
            Some(Ok(blueprint)) => {
                let about = &blueprint.model.blueprint;
                rows.push((
                    name,
                    about.version.default.clone(),
                    about.summary.get(Locale::En).to_owned(),
                ));
            }
            Some(Err(faults)) => findings.extend(faults),
            None => {}
        }
    }
    let wide = |column: fn(&(String, String, String)) -> &str| {
        rows.iter().map(|row| column(row).len()).max().unwrap_or(0)
    };
    let (first, second) = (wide(|row| &row.0), wide(|row| &row.1));
    let text: String = rows
        .iter()
        .map(|(name, version, summary)| format!("{name:first$}  {version:second$}  {summary}\n"))
        .collect();
    session.host.print(&text)?;
    let failed = session.report(&mut findings, &compiler.sources);
    Ok(if failed { Status::Failed } else { Status::Done })
}

fn show(session: &Session<'_>, name: &str, schema: bool) -> Result<Status, HostError> {
    let mut compiler = library(session)?;
    let (library, sources) = compiler.library();
    match library.load(sources, name) {
        None => {
            let names = library.names();
            let help = crate::diagnostic::suggest(name, names.iter().map(String::as_str));
            session.host.warn(&format!(
                "error: there is no blueprint `{name}`\n{}",
                help.map(|help| format!("help: {help}\n"))
                    .unwrap_or_default()
            ));
            Ok(Status::Failed)
        }
        Some(Err(mut findings)) => {
            session.report(&mut findings, &compiler.sources);
            Ok(Status::Failed)
        }
        Some(Ok(blueprint)) => {
            let text = if schema {
                match option_schema(&blueprint) {
                    Ok(document) => format!(
                        "{}\n",
                        serde_json::to_string_pretty(&document).unwrap_or_default()
                    ),
                    Err(mut findings) => {
                        session.report(&mut findings, &compiler.sources);
                        return Ok(Status::Failed);
                    }
                }
            } else {
                describe(&blueprint)
            };
            session.host.print(&text)?;
            Ok(Status::Done)
        }
    }
}

fn describe(blueprint: &Blueprint) -> String {
    let model = &blueprint.model;
    let about = &model.blueprint;
    let mut text = format!(
        "{}: {}\n\nversion {} (tested: {})\nlicence {}\nlayer {}, zone {}\nfacts of {}: {}\n",
        blueprint.name,
        about.summary.get(Locale::En),
        about.version.default,
        about.version.tested.join(", "),
        about.license,
        about.layer,
        about.zone,
        about.facts.checked,
        about.facts.sources.join("; "),
    );
    if !model.editions.is_empty() {
        text.push_str("\neditions\n");
        for (name, edition) in &model.editions {
            let mark = if edition.default {
                " (used unless another is asked for)"
            } else {
                ""
            };
            text.push_str(&format!(
                "  {name}{mark}: {}\n",
                edition.summary.get(Locale::En)
            ));
        }
    }
    text.push_str("\nservices\n");
    for (name, service) in &model.services {
        let ports: Vec<String> = service
            .workload
            .ports
            .iter()
            .map(|(name, port)| format!("{name} {}", port.port.written))
            .collect();
        text.push_str(&format!("  {name}  {}\n", ports.join(", ")));
    }
    for (name, job) in &model.jobs {
        let when = job
            .schedule
            .as_ref()
            .map_or("at start".to_owned(), |schedule| {
                format!("at {}", schedule.written)
            });
        text.push_str(&format!("  {name}  job, {when}\n"));
    }
    for (title, lines) in [
        (
            "provides",
            model
                .provides
                .iter()
                .map(|(name, provide)| format!("{name}: {}", provide.capability))
                .collect::<Vec<_>>(),
        ),
        (
            "needs",
            model
                .needs
                .iter()
                .map(|(name, need)| {
                    format!(
                        "{name}: {}{}",
                        need.capability,
                        if need.optional { " (optional)" } else { "" }
                    )
                })
                .collect(),
        ),
    ] {
        if !lines.is_empty() {
            text.push_str(&format!("\n{title}\n  {}\n", lines.join("\n  ")));
        }
    }
    text.push_str(&format!("\noptions\n{}", options(blueprint)));
    text
}

fn options(blueprint: &Blueprint) -> String {
    blueprint
        .model
        .options
        .iter()
        .map(|(name, spec)| {
            let default = match (&spec.default, &spec.computed) {
                (Some(default), _) => format!(" (default {default})"),
                (None, Some(by)) => format!(" (default computed: {})", by.written),
                (None, None) => String::new(),
            };
            format!("  {name}{default}\n      {}\n", spec.description)
        })
        .collect()
}

fn new(session: &Session<'_>, name: &str, output: &Path) -> Result<Status, HostError> {
    if !names::is_name(name) {
        session.host.warn(&illegal_name(name));
        return Ok(Status::Failed);
    }
    let folder = output.join(name);
    session.host.create_folders(output)?;
    // Fails when it exists, so nothing is overwritten.
    session
        .host
        .create_folder(&folder, crate::host::OPEN_TO_ALL)?;
    for (file, text) in NEW {
        session.host.write_new(
            &folder.join(file),
            text.replace("NAME", name).as_bytes(),
            crate::host::PLAIN_FILE,
        )?;
    }
    let shown = crate::host::shown(folder.as_os_str());
    session.say(&format!(
        "made `{shown}`\ntry it: lakewright blueprint check {shown}\nuse it: lakewright --blueprints {} build, with [components.{name}] in the topology\n",
        crate::host::shown(output.as_os_str())
    ))?;
    Ok(Status::Done)
}

fn check(session: &Session<'_>, folder: &Path) -> Result<Status, HostError> {
    let folder = session.host.canonical(folder)?;
    let name = folder
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let shown = crate::host::shown(folder.as_os_str());
    let own = [(name.clone(), (shown.clone(), session.read_folder(&folder)?))].into();
    if session
        .host
        .look(&folder.join(crate::blueprint::FILE_NAME))?
        .is_none()
    {
        session.host.warn(&format!(
            "error: `{shown}` has no {}\n",
            crate::blueprint::FILE_NAME
        ));
        return Ok(Status::Failed);
    }
    let mut compiler = Compiler::new(Sources::default(), Library::new(own));
    try_alone(&mut compiler, &name);
    crate::diagnostic::arrange(&mut compiler.findings, &compiler.sources);
    let failed = Tally::of(&compiler.findings).errors > 0;
    session.report(&mut compiler.findings, &compiler.sources);
    if !failed {
        session.say(&format!("`{name}` holds together on every target.\n"))?;
    }
    Ok(if failed { Status::Failed } else { Status::Done })
}

/// Says which component a component's needs mean where several could be meant.
fn choices(compiler: &mut Compiler, components: &[String], name: &str) -> String {
    let (library, sources) = compiler.library();
    let Some(Ok(blueprint)) = library.load(sources, name) else {
        return String::new();
    };
    let mut text = String::new();
    for (need, wanted) in &blueprint.model.needs {
        let mut able = Vec::new();
        for other in components.iter().filter(|other| *other != name) {
            if let Some(Ok(provider)) = library.load(sources, other) {
                let mut provides = provider.model.provides.values();
                if provides.any(|one| one.capability == wanted.capability) {
                    able.push(other);
                }
            }
        }
        if let [first, _, ..] = able.as_slice() {
            text.push_str(&format!("needs.{need} = \"{first}\"\n"));
        }
    }
    text
}

/// Puts a blueprint into a platform of its own on every target, with whatever provides what it needs.
pub fn try_alone(compiler: &mut Compiler, name: &str) {
    let mut components = vec![name.to_owned()];
    let mut at = 0;
    // The first blueprint that provides what is needed does; built-in ones are enough for that.
    while at < components.len() {
        let (library, sources) = compiler.library();
        let needs: Vec<(String, bool)> = match library.load(sources, &components[at]) {
            Some(Ok(blueprint)) => blueprint
                .model
                .needs
                .values()
                .map(|need| (need.capability.clone(), need.optional))
                .collect(),
            Some(Err(findings)) => {
                compiler.findings.extend(findings);
                return;
            }
            None => Vec::new(),
        };
        for (capability, optional) in needs {
            let (library, sources) = compiler.library();
            let mut able = Vec::new();
            let mut provided: BTreeSet<String> = BTreeSet::new();
            for name in library.names() {
                let Some(Ok(blueprint)) = library.load(sources, &name) else {
                    continue;
                };
                let all = blueprint.model.provides.values();
                let all: BTreeSet<String> = all.map(|one| one.capability.clone()).collect();
                if components.contains(&name) {
                    provided.extend(all.iter().cloned());
                }
                if all.contains(&capability) {
                    able.push((name, all));
                }
            }
            if provided.contains(&capability) {
                continue;
            }
            // One that provides what another does here would leave it open which of them is meant.
            let clear = able.iter().find(|(_, all)| all.is_disjoint(&provided));
            let chosen = clear.or(able.first().filter(|_| !optional));
            components.extend(chosen.map(|(name, _)| name.clone()));
        }
        at += 1;
    }
    let tables: String = components
        .iter()
        .map(|name| {
            format!(
                "[components.{name}]\n{}",
                choices(compiler, &components, name)
            )
        })
        .collect();
    let environments: String = crate::terms::Target::ALL
        .iter()
        .map(|target| {
            let registry = "registry = \"registry.example.com/trial\"";
            // A Swarm is planned over its hosts; here it must not matter how large they are.
            let hosts = match target {
                crate::terms::Target::Swarm => {
                    "hosts = [{ name = \"trial\", memory = \"1TiB\", cpus = 256 }]\n"
                }
                _ => "",
            };
            format!("[environments.{target}]\ntarget = \"{target}\"\n{registry}\n{hosts}")
        })
        .collect();
    let text =
        format!("[platform]\nname = \"trial\"\ndomain = \"example.com\"\n{tables}{environments}");
    let file = compiler.sources.add("a topology made for the trial", text);
    if let Some(topology) = compiler.read(file) {
        let names = topology.environments();
        for compiled in compiler.environments(&topology, &names, false) {
            compiler.bundle(&topology, &compiled);
        }
    }
}
