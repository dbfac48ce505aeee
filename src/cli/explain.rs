//! `lakewright explain`: where a value comes from, and what it overrode; or where a line of a bundle comes from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Session, Status};
use crate::blueprint::Blueprint;
use crate::bundle::INVENTORY;
use crate::bundle::inventory::Inventory;
use crate::compile::{Compiled, Compiler};
use crate::diagnostic::locate::Locator;
use crate::diagnostic::suggest;
use crate::host::HostError;
use crate::origin::{Origin, Origins, Precision, is_structured, scalars};
use crate::resolve::trace::Trace;
use crate::source::Sources;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The topology, if it is not platform.toml, and the path of a value: ENV.COMPONENT.SERVICE.FIELD; a path that
    /// ends early lists what is below it. Or a line of a bundle: FILE:LINE
    #[arg(required = true, num_args = 1..=2, value_name = "[TOPOLOGY] PATH|FILE:LINE")]
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
    if let Some((file, line)) = line_of(path)
        && session.host.look(&file)?.is_some()
    {
        return explain_line(session, &topology, &file, line);
    }
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

/// Reads `FILE:LINE` or `FILE:LINE:COLUMN`.
fn line_of(word: &str) -> Option<(PathBuf, usize)> {
    let number = |text: &str| text.parse::<usize>().ok().filter(|line| *line > 0);
    let (file, last) = word.rsplit_once(':')?;
    match file.rsplit_once(':') {
        Some((file, line)) if number(line).is_some() => Some((file.into(), number(line)?)),
        _ => Some((file.into(), number(last)?)),
    }
}

/// Says where a line of a bundle comes from.
fn explain_line(
    session: &Session<'_>,
    topology: &Path,
    file: &Path,
    line: usize,
) -> Result<Status, HostError> {
    let host = session.host;
    let shown = crate::host::shown(file.as_os_str());
    let fail = |words: String| {
        host.warn(&format!("error: {words}\n"));
        Ok(Status::Failed)
    };
    let real = host.canonical(file)?;
    let mut folder = real.parent();
    while let Some(at) = folder
        && host.look(&at.join(INVENTORY))?.is_none()
    {
        folder = at.parent();
    }
    let Some(folder) = folder else {
        return fail(format!(
            "`{shown}` lies in no bundle\nhelp: a bundle has a file `{INVENTORY}` at its top"
        ));
    };
    let Ok(inventory) = Inventory::parse(host.read_text(&folder.join(INVENTORY))?.as_bytes())
    else {
        return fail(format!(
            "the `{INVENTORY}` of this bundle cannot be read\nhelp: `lakewright verify` says more"
        ));
    };
    let path = real.strip_prefix(folder).unwrap_or(&real);
    let path = path.to_string_lossy().into_owned();
    let text = host.read_text(file)?;

    let (mut compiler, read) = session.open(topology)?;
    let Some(read) = read else {
        session.report(&mut compiler.findings, &compiler.sources);
        return Ok(Status::Failed);
    };
    let environment = inventory.environment.as_str();
    let compiled = compiler.environments(&read, &[environment], true);
    let sealed = compiled
        .first()
        .and_then(|compiled| compiler.bundle(&read, compiled));
    let (Some(compiled), Some(sealed)) = (compiled.first(), sealed) else {
        session.report(&mut compiler.findings, &compiler.sources);
        return Ok(Status::Failed);
    };
    match sealed.get(&path) {
        None => {
            return fail(format!(
                "`{shown}` is none of the files that the topology gives"
            ));
        }
        Some(built) if built.bytes != text.as_bytes() => {
            return fail(format!(
                "`{shown}` is not what the topology gives\nhelp: build again, or name the topology that it was made from"
            ));
        }
        Some(_) => {}
    }
    let count = text.lines().count();
    if line > count {
        return fail(format!("`{shown}` has {count} lines"));
    }
    let blueprints = blueprints(&mut compiler, compiled);
    let origins = Origins::new(
        &compiled.platform,
        &compiled.trace,
        &compiler.sources,
        read.file,
        blueprints,
        &sealed,
    );
    let locator = Locator::new(&compiler.sources);
    let mut out = String::new();
    let all = if is_structured(&path) {
        scalars(&text).unwrap_or_default()
    } else {
        Vec::new()
    };
    let mut here: Vec<_> = all
        .iter()
        .filter(|scalar| (scalar.line..=scalar.end).contains(&line))
        .collect();
    if here.is_empty() {
        // A line that only opens something is explained by the first thing in it.
        here.extend(all.iter().find(|scalar| scalar.line > line));
    }
    let file = origins.file(&path, &text, &all);
    for scalar in &here {
        let origin = origins.of(&file, scalar, line);
        let value = scalar.text.lines().next().unwrap_or_default();
        out.push_str(&format!(
            "{shown}:{}  {} = {value}\n",
            scalar.line,
            scalar.shown()
        ));
        write_origin(&origin, compiled, environment, &locator, &mut out);
    }
    if here.is_empty() {
        let origin = origins.of_line(&path, &text, line);
        let words = text.lines().nth(line - 1).unwrap_or_default().trim();
        out.push_str(&format!("{shown}:{line}  {words}\n"));
        write_origin(&origin, compiled, environment, &locator, &mut out);
    }
    host.print(&out)?;
    Ok(Status::Done)
}

/// Returns the blueprints of a platform's components, by name.
fn blueprints(compiler: &mut Compiler, compiled: &Compiled) -> BTreeMap<String, Arc<Blueprint>> {
    let (library, sources) = compiler.library();
    let components = compiled.platform.components.iter();
    components
        .filter_map(|component| {
            let blueprint = library.load(sources, &component.blueprint)?.ok()?;
            Some((component.blueprint.clone(), blueprint))
        })
        .collect()
}

/// Writes where something comes from, with the line itself.
fn write_origin(
    origin: &Origin,
    compiled: &Compiled,
    environment: &str,
    locator: &Locator<'_>,
    text: &mut String,
) {
    if let Some(path) = &origin.value {
        write(&compiled.trace, environment, path, locator, 1, text);
        return;
    }
    let how = match origin.precision {
        Precision::Exact => "made from",
        Precision::Part => "follows from",
        Precision::Whole => "belongs to",
    };
    for place in &origin.places {
        let spot = locator.spot(place);
        text.push_str(&format!("  {how} {}:{}\n", spot.file_name, spot.line));
        let line = spot.text.lines().nth(spot.line.saturating_sub(1));
        if let Some(line) = line
            .map(str::trim)
            .filter(|line| !line.is_empty() && !spot.whole)
        {
            let short: String = line.chars().take(160).collect();
            text.push_str(&format!("      {short}\n"));
        }
    }
}
