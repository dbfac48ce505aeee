//! `lakewright explain`: where a value comes from, and what it overrode.

use std::path::PathBuf;

use super::{Session, Status};
use crate::diagnostic::locate::Locator;
use crate::diagnostic::suggest;
use crate::host::HostError;
use crate::resolve::trace::Trace;
use crate::source::Sources;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The topology, if it is not platform.toml, and the path of a value: ENV.COMPONENT.SERVICE.FIELD; a path that
    /// ends early lists what is below it
    #[arg(required = true, num_args = 1..=2, value_name = "[TOPOLOGY] PATH")]
    words: Vec<String>,
}

/// How far a chain of computed values is followed.
const DEEPEST: usize = 6;

pub(super) fn run(session: &Session<'_>, arguments: &Arguments) -> Result<Status, HostError> {
    let (topology, path) = match arguments.words.as_slice() {
        [path] => (PathBuf::from("platform.toml"), path),
        [topology, path, ..] => (PathBuf::from(topology), path),
        [] => return Ok(Status::Failed),
    };
    let (mut compiler, topology) = session.open(&topology)?;
    let Some(topology) = topology else {
        session.report(&mut compiler.findings, &compiler.sources);
        return Ok(Status::Failed);
    };
    let (environment, rest) = path.split_once('.').unwrap_or((path, ""));
    let compiled = compiler.environments(&topology, &[environment], true);
    let Some(compiled) = compiled.first() else {
        session.report(&mut compiler.findings, &compiler.sources);
        return Ok(Status::Failed);
    };
    match explain(&compiled.trace, environment, rest, &compiler.sources) {
        Ok(text) => {
            session.host.print(&text)?;
            Ok(Status::Done)
        }
        Err(error) => {
            session.host.warn(&format!("error: {error}\n"));
            Ok(Status::Failed)
        }
    }
}

/// Explains one value, or lists what is below a path.
///
/// # Errors
/// A path that leads nowhere, with the nearest one that does.
fn explain(
    trace: &Trace,
    environment: &str,
    path: &str,
    sources: &Sources,
) -> Result<String, String> {
    let locator = Locator::new(sources);
    if trace.get(path).is_some() {
        let mut text = String::new();
        write(trace, environment, path, &locator, 0, &mut text);
        return Ok(text);
    }
    let prefix = if path.is_empty() {
        String::new()
    } else {
        format!("{path}.")
    };
    let below: Vec<String> = trace
        .paths()
        .filter(|known| known.starts_with(&prefix))
        .filter_map(|known| {
            Some(format!(
                "{environment}.{known} = {}\n",
                trace.get(known)?.value
            ))
        })
        .collect();
    if !below.is_empty() {
        return Ok(below.concat());
    }
    let help = suggest(path, trace.paths().collect::<Vec<_>>())
        .filter(|help| help.starts_with("did you mean"));
    let words = format!("`{environment}` has no value `{path}`");
    Err(match help {
        Some(help) => format!("{words}\nhelp: {help}"),
        None => format!("{words}\nhelp: `lakewright explain {environment}` lists all paths"),
    })
}

fn write(
    trace: &Trace,
    environment: &str,
    path: &str,
    locator: &Locator<'_>,
    depth: usize,
    text: &mut String,
) {
    let Some(explained) = trace.get(path) else {
        return;
    };
    let indent = "  ".repeat(depth);
    text.push_str(&format!(
        "{indent}{environment}.{path} = {}\n",
        explained.value
    ));
    for (at, step) in explained.steps.iter().enumerate() {
        let spot = locator.spot(&step.place);
        let place = format!("{}:{}", spot.file_name, spot.line);
        if at == 0 {
            text.push_str(&format!("{indent}  {} ({place})\n", step.what));
        } else if step.value.is_empty() {
            text.push_str(&format!("{indent}  over the {} ({place})\n", step.what));
        } else {
            text.push_str(&format!(
                "{indent}  over {}, {} ({place})\n",
                step.value, step.what
            ));
        }
    }
    if depth < DEEPEST {
        for used in &explained.uses {
            write(trace, environment, used, locator, depth + 1, text);
        }
    }
}
