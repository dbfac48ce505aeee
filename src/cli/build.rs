//! `lakewright build`: compile, then write or compare.

use std::path::PathBuf;

use super::{Session, Status};
use crate::backend;
use crate::bundle::Sealed;
use crate::bundle::compare;
use crate::bundle::write::{Outcome, write};
use crate::compile::Compiler;
use crate::diagnostic::Tally;
use crate::host::HostError;
use crate::lock::Lock;
use crate::platform::Environment;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The topology
    #[arg(default_value = "platform.toml")]
    topology: PathBuf,
    /// Environment to build (can be repeated); all of them unless given
    #[arg(long = "env", short, value_name = "ENV")]
    environments: Vec<String>,
    /// Folder that gets a folder for each environment
    #[arg(long, short, value_name = "DIR", default_value = "generated")]
    output: PathBuf,
    /// Write nothing; show what a build would change, and exit with 2 if that is anything
    #[arg(long)]
    check: bool,
    /// Refuse what is not in lakewright.lock, which lies beside the topology
    #[arg(long)]
    locked: bool,
    /// Overwrite generated files that were edited by hand
    #[arg(long, conflicts_with = "check")]
    force: bool,
}

pub(super) fn run(session: &Session<'_>, arguments: &Arguments) -> Result<Status, HostError> {
    let (mut compiler, topology) = session.open(&arguments.topology)?;
    let Some(topology) = topology else {
        session.report(&mut compiler.findings, &compiler.sources);
        return Ok(Status::Failed);
    };
    let names: Vec<&str> = if arguments.environments.is_empty() {
        topology.environments()
    } else {
        arguments.environments.iter().map(String::as_str).collect()
    };
    let compiled = compiler.environments(&topology, &names, false);
    let mut bundles: Vec<(&Environment, Sealed)> = Vec::new();
    let mut without = Vec::new();
    for one in &compiled {
        let environment = &one.platform.environment;
        if backend::of(environment.target).is_none() {
            without.push((environment.name.clone(), environment.target));
        } else if let Some(sealed) = compiler.bundle(&topology, one) {
            bundles.push((environment, sealed));
        }
    }
    if arguments.locked && Tally::of(&compiler.findings).errors == 0 {
        let missing = unlocked(session, arguments, &compiler, &bundles)?;
        if !missing.is_empty() {
            session.report(&mut compiler.findings, &compiler.sources);
            session.host.warn(&format!(
                "error: this build is not the one that is locked\n  {}\nhelp: `lakewright lock` writes the lock anew; review what changes\n",
                missing.join("\n  ")
            ));
            return Ok(Status::Failed);
        }
    }
    // Nothing is written unless everything that was asked for can be.
    if session.report(&mut compiler.findings, &compiler.sources) {
        return Ok(Status::Failed);
    }
    for (name, target) in &without {
        let words = format!(
            "`{name}` was checked only: there is no backend for {target} yet, only for {}.\n",
            backend::targets().join(", ")
        );
        if arguments.environments.contains(name) {
            session.host.warn(&format!("error: {words}"));
            return Ok(Status::Failed);
        }
        session.say(&words)?;
    }
    let mut status = Status::Done;
    for (environment, sealed) in &bundles {
        let folder = arguments.output.join(&environment.name);
        let shown = crate::host::shown(folder.as_os_str());
        if arguments.check {
            match compare::check(session.host, &folder, sealed) {
                Ok(differences) if differences.is_empty() => {
                    session.say(&format!("`{shown}` is up to date.\n"))?
                }
                Ok(differences) => {
                    session.host.print(&format!(
                        "`{shown}` is not what the topology gives:\n{}",
                        compare::render(&differences)
                    ))?;
                    status = Status::Differs;
                }
                Err(error) => {
                    session.host.warn(&format!("error: {error}\n"));
                    return Ok(Status::Failed);
                }
            }
            continue;
        }
        match write(session.host, &folder, sealed, arguments.force) {
            Ok(Outcome::Unchanged) => session.say(&format!("`{shown}` is up to date.\n"))?,
            Ok(Outcome::Written(changes)) => session.say(&format!(
                "`{shown}`: {} files added, {} changed, {} removed, {} left as they are.\n",
                changes.added.len(),
                changes.changed.len(),
                changes.removed.len(),
                changes.unchanged
            ))?,
            Err(error) => {
                session.host.warn(&format!("error: {error}\n"));
                return Ok(Status::Failed);
            }
        }
    }
    Ok(status)
}

/// Lists in words what a build has that the lock has not.
fn unlocked(
    session: &Session<'_>,
    arguments: &Arguments,
    compiler: &Compiler,
    bundles: &[(&Environment, Sealed)],
) -> Result<Vec<String>, HostError> {
    let Some(lock) = session.read_lock(&arguments.topology)? else {
        return Ok(vec![format!("there is no {}", crate::lock::FILE_NAME)]);
    };
    let mut lines: Vec<String> = super::lock::images(compiler, bundles)
        .keys()
        .filter(|image| !lock.images.contains_key(*image))
        .map(|image| format!("image {image} is not in it"))
        .collect();
    let now = super::lock::blueprints(bundles);
    // Other environments may use more.
    let known = lock
        .blueprints
        .into_iter()
        .filter(|(name, _)| now.contains_key(name));
    let lock = Lock {
        blueprints: known.collect(),
        ..Lock::new()
    };
    lines.extend(lock.stale_blueprints(&now));
    Ok(lines)
}
