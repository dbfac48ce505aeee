//! The command line: one file for each command.
//!
//! Arguments come in, an exit status goes out: 0 done or no difference, 1 errors, 2 differences found. Reports go to
//! standard output when they are what was asked for, findings of other commands to standard error.

mod archive;
mod blueprint;
mod build;
mod check;
mod diff;
mod env;
mod explain;
mod graph;
mod import;
mod init;
mod lock;
mod schema;
mod secrets;
mod verify;

pub use diff::{BROKEN_BUNDLE, NOT_A_BUNDLE, UNKNOWN_REVISION};
pub use schema::{Document, SCHEMAS};

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use blueprint::try_alone;

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};

use crate::blueprint::{Folder, Library};
use crate::compile::Compiler;
use crate::diagnostic::{self, Finding, Severity, Tally};
use crate::host::{Host, HostError, Kind};
use crate::lock::Lock;
use crate::names;
use crate::source::Sources;
use crate::topology::Topology;

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// Done, or no difference.
    Done,
    /// Errors.
    Failed,
    /// Differences were found.
    Differs,
}

impl Status {
    /// Returns the number that the operating system gets.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Differs => 2,
        }
    }
}

/// Compile one TOML topology of a data platform into complete deployment bundles
#[derive(Debug, Parser)]
#[command(
    name = "lakewright",
    version,
    max_term_width = 100,
    disable_help_subcommand = true
)]
struct Arguments {
    /// Print nothing but errors
    #[arg(long, short, global = true)]
    quiet: bool,
    /// Folder with blueprints that are added to the built-in ones or replace them
    #[arg(long, global = true, value_name = "DIR")]
    blueprints: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Compile environments into bundles
    Build(build::Arguments),
    /// Report everything that is wrong with a topology, and write nothing
    Check(check::Arguments),
    /// Say what changes from one bundle, topology or revision to another, what that does, and what is dangerous
    Diff(diff::Arguments),
    /// Compare a bundle with its own inventory
    Verify(verify::Arguments),
    /// Pack a bundle into one file, with what it is made of and how
    Archive(archive::Arguments),
    /// Say where a value comes from
    Explain(explain::Arguments),
    /// Draw an environment: layers, zones, hosts and who connects to whom
    Graph(graph::Arguments),
    /// Make a topology to begin with, what git ignores, and a file for CI
    Init(init::Arguments),
    /// Change which environments a topology has
    #[command(subcommand)]
    Env(env::Command),
    /// Make a topology of what others have
    #[command(subcommand)]
    Import(import::Command),
    /// Write down the digests of all images, and which blueprints there are
    Lock(lock::Arguments),
    /// Make, change and look at the secrets of a bundle
    #[command(subcommand)]
    Secrets(secrets::Command),
    /// List, show, make and check blueprints
    #[command(subcommand)]
    Blueprint(blueprint::Command),
    /// Print a JSON Schema
    Schema(schema::Arguments),
    /// Print a script that completes commands in a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// How findings are written
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One line each
    Short,
    /// JSON
    Json,
    /// SARIF 2.1.0, for code review tools
    Sarif,
    /// Annotations of GitHub Actions
    Github,
    /// Code Quality report of GitLab
    Gitlab,
}

/// What all commands need.
struct Session<'h> {
    host: &'h Host,
    quiet: bool,
    blueprints: Option<PathBuf>,
}

/// Runs a command line; the first argument is the program's own name.
pub fn run(host: &Host, arguments: Vec<OsString>) -> Status {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let text = error.render();
            if error.use_stderr() {
                host.warn(&text.to_string());
                return Status::Failed;
            }
            let _ = host.print(&text.to_string());
            return Status::Done;
        }
    };
    let session = Session {
        host,
        quiet: arguments.quiet,
        blueprints: arguments.blueprints,
    };
    let result = match arguments.command {
        Command::Build(arguments) => build::run(&session, &arguments),
        Command::Check(arguments) => check::run(&session, &arguments),
        Command::Diff(arguments) => diff::run(&session, &arguments),
        Command::Verify(arguments) => verify::run(&session, &arguments),
        Command::Archive(arguments) => archive::run(&session, &arguments),
        Command::Explain(arguments) => explain::run(&session, &arguments),
        Command::Graph(arguments) => graph::run(&session, &arguments),
        Command::Init(arguments) => init::run(&session, &arguments),
        Command::Env(command) => env::run(&session, &command),
        Command::Import(command) => import::run(&session, &command),
        Command::Lock(arguments) => lock::run(&session, &arguments),
        Command::Secrets(command) => secrets::run(&session, &command),
        Command::Blueprint(command) => blueprint::run(&session, &command),
        Command::Schema(arguments) => schema::run(&session, &arguments),
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "lakewright", &mut text);
            host.print(&String::from_utf8_lossy(&text))
                .map(|()| Status::Done)
        }
        Command::Man => man(host),
    };
    result.unwrap_or_else(|error| {
        host.warn(&format!("error: {error}\n"));
        Status::Failed
    })
}

fn man(host: &Host) -> Result<Status, HostError> {
    let mut text = Vec::new();
    let mut pages = vec![Arguments::command()];
    while let Some(page) = pages.pop() {
        // Writing into memory cannot fail.
        let _ = clap_mangen::Man::new(page.clone()).render(&mut text);
        let name = page.get_name().to_owned();
        let mut inner: Vec<clap::Command> = page
            .get_subcommands()
            .map(|command| {
                command
                    .clone()
                    .name(format!("{name}-{}", command.get_name()))
            })
            .collect();
        inner.reverse();
        pages.extend(inner);
    }
    host.print(&String::from_utf8_lossy(&text))
        .map(|()| Status::Done)
}

impl Session<'_> {
    /// Reads a topology and the blueprints it brings. What is wrong is in the compiler's findings.
    fn open(&self, path: &Path) -> Result<(Compiler, Option<Topology>), HostError> {
        let mut sources = Sources::default();
        let text = self.host.read_text(path)?;
        let file = sources.add(crate::host::shown(path.as_os_str()), text);
        let mut compiler = Compiler::new(sources, Library::default());
        let topology = compiler.read(file);
        // A folder on the command line is the last word; that of the topology lies beside it.
        let mut own = BTreeMap::new();
        let named = topology
            .as_ref()
            .and_then(|topology| topology.tree.at(&["platform", "blueprints"])?.text())
            .map(|folder| path.parent().unwrap_or(Path::new("")).join(folder));
        for folder in named.iter().chain(&self.blueprints) {
            own.extend(self.read_blueprints(folder)?);
        }
        compiler.set_library(Library::new(own));
        if let Some(lock) = self.read_lock(path)? {
            compiler.set_digests(Arc::new(lock.digests()));
        }
        Ok((compiler, topology))
    }

    /// Reads the lock beside a topology, if there is one.
    fn read_lock(&self, topology: &Path) -> Result<Option<Lock>, HostError> {
        let path = topology.with_file_name(crate::lock::FILE_NAME);
        if self.host.look(&path)?.is_none() {
            return Ok(None);
        }
        let text = self.host.read_text(&path)?;
        Lock::parse(&text).map(Some).map_err(|words| HostError {
            act: "use",
            path,
            source: std::io::Error::other(words),
        })
    }

    /// Reads all blueprints of a folder.
    fn read_blueprints(
        &self,
        folder: &Path,
    ) -> Result<BTreeMap<String, (String, Folder)>, HostError> {
        let mut blueprints = BTreeMap::new();
        for entry in self.host.list(folder)? {
            let name = entry.name.to_string_lossy().into_owned();
            let path = folder.join(&entry.name);
            if entry.kind == Kind::Folder
                && self
                    .host
                    .look(&path.join(crate::blueprint::FILE_NAME))?
                    .is_some()
            {
                blueprints.insert(
                    name,
                    (
                        crate::host::shown(path.as_os_str()),
                        self.read_folder(&path)?,
                    ),
                );
            }
        }
        Ok(blueprints)
    }

    /// Reads all text files of a folder. Links are not followed: a blueprint is what lies in its folder.
    fn read_folder(&self, folder: &Path) -> Result<Folder, HostError> {
        let mut files = Folder::new();
        let mut folders = vec![(folder.to_owned(), String::new())];
        while let Some((at, prefix)) = folders.pop() {
            for entry in self.host.list(&at)? {
                let path = at.join(&entry.name);
                let name = format!("{prefix}{}", entry.name.to_string_lossy());
                match entry.kind {
                    Kind::Folder => folders.push((path, format!("{name}/"))),
                    Kind::File => {
                        files.insert(name, self.host.read_text(&path)?);
                    }
                    Kind::Symlink | Kind::Special => {
                        return Err(HostError {
                            act: "use",
                            path,
                            source: std::io::Error::other(
                                "a blueprint has files and folders only, no links or devices",
                            ),
                        });
                    }
                }
            }
        }
        Ok(files)
    }

    /// Says whether output for people has colours. `NO_COLOR` and `CLICOLOR_FORCE` decide before the terminal does.
    fn color(&self, terminal: bool) -> bool {
        let set = |name| {
            self.host
                .variable(name)
                .is_some_and(|value| !value.is_empty())
        };
        !set("NO_COLOR") && (terminal || set("CLICOLOR_FORCE"))
    }

    /// Says what was found, on standard error, and whether there are errors.
    fn report(&self, findings: &mut Vec<Finding>, sources: &Sources) -> bool {
        diagnostic::arrange(findings, sources);
        let failed = Tally::of(findings).errors > 0;
        // Notes are for `check`, which is asked for them.
        let least = if self.quiet {
            Severity::Error
        } else {
            Severity::Warning
        };
        findings.retain(|finding| finding.severity >= least);
        let color = self.color(self.host.warns_on_terminal());
        self.host
            .warn(&diagnostic::text::render(findings, sources, color, 120));
        failed
    }

    /// Says something to people who did not ask for quiet.
    fn say(&self, text: &str) -> Result<(), HostError> {
        if self.quiet {
            Ok(())
        } else {
            self.host.print(text)
        }
    }
}

/// Says that a name cannot be one.
fn illegal_name(name: &str) -> String {
    format!(
        "error: `{}` is not a legal name\nhelp: use at most {} lower-case letters, digits and `-`, beginning with a letter\n",
        name.escape_debug(),
        names::LONGEST_NAME
    )
}

/// Parses a command line without running it; the first argument is the program's own name. Holds documentation to it.
///
/// # Errors
/// What is wrong with it, as the program would say.
pub fn parse(arguments: &[&str]) -> Result<(), String> {
    Arguments::try_parse_from(arguments)
        .map(|_| ())
        .map_err(|error| error.to_string())
}

/// Lists every command with its help, for the reference page.
pub fn reference() -> String {
    fn walk(command: &clap::Command, path: &str, text: &mut String) {
        let mut command = command.clone().term_width(100).bin_name(path.to_owned());
        text.push_str(&format!(
            "## `{path}`\n\n```text\n{}```\n\n",
            command.render_long_help()
        ));
        for inner in command.get_subcommands() {
            walk(inner, &format!("{path} {}", inner.get_name()), text);
        }
    }
    let mut text = String::new();
    walk(&Arguments::command(), "lakewright", &mut text);
    text
}
