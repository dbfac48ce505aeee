//! `lakewright init`: a topology to begin with, what git ignores, and a file for CI.
//!
//! Nothing is written unless the topology builds without findings and none of the files is there already.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::Serialize;

use super::{Session, Status};
use crate::compile::Compiler;
use crate::diagnostic::{self, Severity};
use crate::host::{HostError, OPEN_TO_ALL, PLAIN_FILE};
use crate::names;
use crate::source::Sources;
use crate::template::render_own;
use crate::terms::{Locale, Target};
use crate::tree::Tree;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Folder that gets the files; it is made if it is missing
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// Name of the platform; the folder's name unless given
    #[arg(long)]
    name: Option<String>,
    /// Systems to deploy, by the names of their blueprints; an object store, a database and dashboards unless given
    #[arg(long, value_name = "BLUEPRINT", value_delimiter = ',')]
    with: Vec<String>,
    /// Environments, each with its target: compose, swarm or kubernetes
    #[arg(
        long = "env",
        short,
        value_name = "NAME=TARGET",
        value_delimiter = ',',
        default_value = "dev=compose"
    )]
    environments: Vec<String>,
    /// Domain of the web interfaces; environments on several machines need one
    #[arg(long)]
    domain: Option<String>,
    /// Language of what bundles show to people
    #[arg(long, value_name = "LANGUAGE", value_parser = ["en", "fr"], default_value = "en")]
    locale: String,
    /// File for CI that is written beside the topology
    #[arg(long, value_enum)]
    ci: Option<Ci>,
    /// Ask nothing, also on a terminal
    #[arg(long, short = 'y')]
    yes: bool,
}

/// What runs checks when a repository changes
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Ci {
    /// GitHub Actions
    Github,
    /// GitLab CI
    Gitlab,
    /// pre-commit
    PreCommit,
    /// Nothing
    None,
}

impl Ci {
    /// Returns where its file belongs, and what is in it.
    fn file(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Github => Some((
                ".github/workflows/lakewright.yaml",
                include_str!("../../examples/ci/github.yaml"),
            )),
            Self::Gitlab => Some((
                ".gitlab-ci.yml",
                include_str!("../../examples/ci/gitlab.yaml"),
            )),
            Self::PreCommit => Some((
                ".pre-commit-config.yaml",
                include_str!("../../examples/ci/pre-commit.yaml"),
            )),
            Self::None => None,
        }
    }
}

/// What is deployed unless something else is asked for: what the smallest example has.
const SMALLEST: &str = include_str!("../../examples/minimal/platform.toml");

/// What git leaves alone.
const IGNORED: &str = include_str!("new/gitignore");

/// How many options of a component are shown.
const OPTIONS_SHOWN: usize = 4;

/// How many machines a new environment on Swarm has: the fewest of which one may be lost.
const MACHINES: usize = 3;

#[derive(Serialize)]
struct Written<'a> {
    name: &'a str,
    domain: Option<&'a str>,
    locale: Option<&'a str>,
    components: Vec<Component>,
    environments: Vec<Environment>,
}

#[derive(Serialize)]
struct Component {
    name: String,
    summary: String,
    options: Vec<ShownOption>,
}

#[derive(Serialize)]
struct ShownOption {
    name: String,
    value: String,
    description: String,
}

#[derive(Serialize)]
struct Environment {
    name: String,
    target: &'static str,
    registry: String,
    hosts: Vec<String>,
}

pub(super) fn run(session: &Session<'_>, arguments: &Arguments) -> Result<Status, HostError> {
    let asks = !arguments.yes && !session.quiet && session.host.can_ask();
    match prepare(session, arguments, asks)? {
        Ok(files) => write(session, &arguments.folder, &files),
        Err(words) => {
            session.host.warn(&words);
            Ok(Status::Failed)
        }
    }
}

/// The files to write, by their path in the folder.
type Files = Vec<(&'static str, String)>;

/// Settles what is written.
///
/// # Errors
/// What is wrong with the answers, as it is printed.
fn prepare(
    session: &Session<'_>,
    arguments: &Arguments,
    asks: bool,
) -> Result<Result<Files, String>, HostError> {
    let ask = |question: &str, given: Option<String>, unless: String| match given {
        Some(given) => Ok(given),
        None if asks => {
            let answer = session.host.ask(&format!("{question} [{unless}]: "))?;
            Ok(if answer.is_empty() { unless } else { answer })
        }
        None => Ok(unless),
    };
    let own = match &session.blueprints {
        Some(folder) => session.read_blueprints(folder)?,
        None => Default::default(),
    };
    let mut compiler = Compiler::new(Sources::default(), crate::blueprint::Library::new(own));

    let name = ask(
        "Name of the platform",
        arguments.name.clone(),
        name_of(session, &arguments.folder)?,
    )?;
    let with = Some(arguments.with.join(",")).filter(|with| !with.is_empty());
    let with = ask("Systems to deploy", with, smallest().join(","))?;
    let mut environments = Vec::new();
    for word in &arguments.environments {
        let target = word
            .split_once('=')
            .and_then(|(name, target)| Some((name, Target::from_word(target)?)));
        let Some((environment, target)) = target else {
            return Ok(Err(format!(
                "error: `{}` is no environment with its target\nhelp: write for example `staging=swarm`; targets are {}\n",
                crate::host::shown(word.as_ref()),
                Target::ALL
                    .iter()
                    .map(|target| target.word())
                    .collect::<Vec<_>>()
                    .join(", ")
            )));
        };
        environments.push((environment.to_owned(), target));
    }
    let needs_domain = environments
        .iter()
        .any(|(_, target)| *target != Target::Compose);
    let mut domain = arguments.domain.clone();
    if needs_domain {
        domain = Some(ask(
            "Domain of the web interfaces",
            domain,
            "data.example.com".to_owned(),
        )?);
    }
    let ci = match arguments.ci {
        Some(ci) => ci,
        None => {
            let answer = ask(
                "CI: github, gitlab, pre-commit or none",
                None,
                "github".to_owned(),
            )?;
            match Ci::from_str(&answer, true) {
                Ok(ci) => ci,
                Err(_) => {
                    return Ok(Err(format!(
                        "error: there is no file for `{}`\nhelp: github, gitlab, pre-commit or none\n",
                        crate::host::shown(answer.as_ref())
                    )));
                }
            }
        }
    };
    for name in std::iter::once(&name).chain(environments.iter().map(|(name, _)| name)) {
        if !names::is_name(name) {
            return Ok(Err(super::illegal_name(name)));
        }
    }
    let components = match components(&mut compiler, &with) {
        Ok(components) => components,
        Err(words) => return Ok(Err(words)),
    };
    let written = Written {
        name: &name,
        domain: domain.as_deref(),
        locale: Some(arguments.locale.as_str()).filter(|locale| *locale != Locale::En.word()),
        components,
        environments: environments
            .iter()
            .map(|(environment, target)| Environment {
                name: environment.clone(),
                target: target.word(),
                registry: format!("registry.example.com/{name}"),
                hosts: (1..=MACHINES)
                    .map(|number| format!("{environment}-{number}"))
                    .collect(),
            })
            .collect(),
    };
    let text = render_own(include_str!("new/platform.toml.tera"), &written) + "\n";
    if let Err(words) = try_out(session, &mut compiler, &text) {
        return Ok(Err(words));
    }
    let mut files = vec![("platform.toml", text), (".gitignore", IGNORED.to_owned())];
    files.extend(ci.file().map(|(path, text)| (path, text.to_owned())));
    Ok(Ok(files))
}

/// Returns what the platform is called unless the user says so: its folder, as far as that is a name.
fn name_of(session: &Session<'_>, folder: &Path) -> Result<String, HostError> {
    let whole = session.host.current_folder()?.join(folder);
    let name = whole
        .components()
        .filter_map(|part| match part {
            std::path::Component::Normal(name) => Some(name.to_string_lossy().to_lowercase()),
            _ => None,
        })
        .next_back();
    Ok(name
        .filter(|name| names::is_name(name))
        .unwrap_or_else(|| "platform".to_owned()))
}

/// Lists the components of the smallest example.
fn smallest() -> Vec<String> {
    let mut sources = Sources::default();
    let file = sources.add("the smallest example", SMALLEST);
    let tree = Tree::parse(&sources, file).ok();
    let components = tree.as_ref().and_then(|tree| tree.get("components"));
    components
        .into_iter()
        .flat_map(Tree::entries)
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// Describes the blueprints of a list of names.
///
/// # Errors
/// A name that no blueprint has, as it is printed.
fn components(compiler: &mut Compiler, with: &str) -> Result<Vec<Component>, String> {
    let mut components = Vec::new();
    for name in with.split([',', ' ']).filter(|name| !name.is_empty()) {
        let (library, sources) = compiler.library();
        let Some(Ok(blueprint)) = library.load(sources, name) else {
            let names = library.names();
            let help = diagnostic::suggest(name, names.iter().map(String::as_str));
            return Err(format!(
                "error: there is no blueprint `{}`\n{}",
                crate::host::shown(name.as_ref()),
                help.map(|help| format!("help: {help}\n"))
                    .unwrap_or_default()
            ));
        };
        let options = &blueprint.model.options;
        // Thresholds are for those who already watch.
        let first = options
            .iter()
            .filter(|(name, _)| !name.starts_with("alert_"));
        let shown = first.filter_map(|(name, option)| {
            let value = option.example.as_ref().or(option.default.as_ref())?;
            Some(ShownOption {
                name: name.clone(),
                value: value.to_string(),
                description: one_line(&option.description),
            })
        });
        components.push(Component {
            name: name.to_owned(),
            summary: one_line(blueprint.model.blueprint.summary.get(Locale::En)),
            options: shown.take(OPTIONS_SHOWN).collect(),
        });
    }
    Ok(components)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Compiles a topology that is about to be written.
///
/// # Errors
/// All that is wrong with it, as it is printed.
fn try_out(session: &Session<'_>, compiler: &mut Compiler, text: &str) -> Result<(), String> {
    let file = compiler.sources.add("platform.toml", text);
    if let Some(topology) = compiler.read(file) {
        for compiled in compiler.environments(&topology, &topology.environments(), false) {
            compiler.bundle(&topology, &compiled);
        }
    }
    diagnostic::arrange(&mut compiler.findings, &compiler.sources);
    compiler
        .findings
        .retain(|finding| finding.severity > Severity::Note);
    if compiler.findings.is_empty() {
        return Ok(());
    }
    let color = session.color(session.host.warns_on_terminal());
    Err(format!(
        "{}error: nothing was written, since the topology would have these findings\n",
        diagnostic::text::render(&compiler.findings, &compiler.sources, color, 120)
    ))
}

/// Writes the files, unless one of them is there.
fn write(session: &Session<'_>, folder: &Path, files: &Files) -> Result<Status, HostError> {
    let host = session.host;
    let mut taken = Vec::new();
    for (path, _) in files {
        if host.look(&folder.join(path))?.is_some() {
            taken.push(format!("`{path}`"));
        }
    }
    let shown = crate::host::shown(folder.as_os_str());
    if !taken.is_empty() {
        host.warn(&format!(
            "error: `{shown}` has {} already\nhelp: nothing is overwritten; choose another folder, or move what is there\n",
            taken.join(", ")
        ));
        return Ok(Status::Failed);
    }
    host.create_folders(folder)?;
    for (path, text) in files {
        let path = folder.join(path);
        if let Some(parent) = path.parent() {
            make_folders(session, folder, parent)?;
        }
        host.write_new(&path, text.as_bytes(), PLAIN_FILE)?;
    }
    let names: Vec<&str> = files.iter().map(|(path, _)| *path).collect();
    let enter = if folder == Path::new(".") {
        String::new()
    } else {
        format!("  cd {shown}\n")
    };
    session.say(&format!(
        "made {} in `{shown}`\nnext:\n{enter}  lakewright build\n  git add .   # the bundles too: their difference is what is reviewed\n",
        names.join(", ")
    ))?;
    Ok(Status::Done)
}

/// Makes the folders between one that exists and one below it.
fn make_folders(session: &Session<'_>, top: &Path, folder: &Path) -> Result<(), HostError> {
    if folder == top || folder.as_os_str().is_empty() || session.host.look(folder)?.is_some() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        make_folders(session, top, parent)?;
    }
    session.host.create_folder(folder, OPEN_TO_ALL).map(drop)
}
