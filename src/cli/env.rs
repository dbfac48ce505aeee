//! `lakewright env add`: another environment, as a copy of one that is there.

use std::path::PathBuf;

use super::{Session, Status, illegal_name};
use crate::diagnostic::locate::Locator;
use crate::diagnostic::{self, Tally};
use crate::host::HostError;
use crate::names;
use crate::source::{KeyPath, Place};
use crate::topology::edit::{EditError, copy_environment};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Add an environment that begins as a copy of another
    Add {
        /// Its name
        name: String,
        /// The environment it begins as a copy of
        #[arg(long, value_name = "ENV")]
        from: String,
        /// The topology, which is changed in place
        #[arg(default_value = "platform.toml")]
        topology: PathBuf,
    },
}

/// Keys that two environments seldom share.
const OWN: &[&str] = &[
    "domain",
    "hosts",
    "registry",
    "zones",
    "network",
    "kubernetes",
    "storage",
];

pub(super) fn run(session: &Session<'_>, command: &Command) -> Result<Status, HostError> {
    let Command::Add {
        name,
        from,
        topology,
    } = command;
    if !names::is_name(name) {
        session.host.warn(&illegal_name(name));
        return Ok(Status::Failed);
    }
    let (mut compiler, read) = session.open(topology)?;
    let Some(read) = read else {
        session.report(&mut compiler.findings, &compiler.sources);
        return Ok(Status::Failed);
    };
    let shown = crate::host::shown(topology.as_os_str());
    let text = &compiler.sources.file(read.file).text;
    let text = match copy_environment(text, from, name) {
        Ok(text) => text,
        Err(error) => {
            let words = match error {
                EditError::Unknown => {
                    let help = diagnostic::suggest(from, read.environments());
                    let help = help.map(|help| format!("\nhelp: {help}"));
                    format!(
                        "`{shown}` has no environment `{}`{}",
                        crate::host::shown(from.as_ref()),
                        help.unwrap_or_default()
                    )
                }
                EditError::Exists => format!("`{shown}` has an environment `{name}` already"),
                EditError::Inline => format!(
                    "`environments` is written as a table on one line, which has no room for another\n\
                     help: write it as `[environments.{from}]`"
                ),
                EditError::Unsure => format!(
                    "`{from}` is written in a way that cannot be copied safely\n\
                     help: write it as one table `[environments.{from}]`, with others below it"
                ),
            };
            session.host.warn(&format!("error: {words}\n"));
            return Ok(Status::Failed);
        }
    };

    // What would not build is not written either.
    let file = compiler.sources.add(shown.clone(), text.clone());
    let Some(new) = compiler.read(file) else {
        session.report(&mut compiler.findings, &compiler.sources);
        return Ok(Status::Failed);
    };
    for compiled in compiler.environments(&new, &[name], false) {
        compiler.bundle(&new, &compiled);
    }
    let failed = Tally::of(&compiler.findings).errors > 0;
    session.report(&mut compiler.findings, &compiler.sources);
    if failed {
        session
            .host
            .warn(&format!("error: `{shown}` was left as it is\n"));
        return Ok(Status::Failed);
    }
    let path = session.host.canonical(topology)?;
    session
        .host
        .replace(&path, text.as_bytes())
        .map_err(|error| error.about(topology))?;

    let locator = Locator::new(&compiler.sources);
    let own: Vec<String> = OWN
        .iter()
        .filter(|key| new.tree.at(&["environments", name, key]).is_some())
        .map(|key| {
            let path = KeyPath::of(["environments", name.as_str(), key]);
            let line = locator.spot(&Place::key(file, path)).line;
            format!("  {shown}:{line}: {key}\n")
        })
        .collect();
    session.say(&format!(
        "`{shown}` has the environment `{name}` now, a copy of `{from}`\n"
    ))?;
    if !own.is_empty() {
        session.say(&format!(
            "what it should have of its own:\n{}",
            own.concat()
        ))?;
    }
    Ok(Status::Done)
}
