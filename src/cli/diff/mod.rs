//! `lakewright diff`: what changes from one bundle, topology, revision or environment to another.

mod git;
mod load;

use std::path::PathBuf;

use clap::ValueEnum;

use super::{Session, Status};
use crate::host::HostError;
use crate::review::danger::{Category, Level};
use crate::review::{Options, Review, report, review};
use load::{Operand, Sides};

pub use load::{BROKEN_BUNDLE, NOT_A_BUNDLE, UNKNOWN_REVISION};

/// How a review is written
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Format {
    /// For people on a terminal
    Text,
    /// For pull requests: always below 60 000 characters
    Markdown,
    /// For programs
    Json,
    /// The risks alone, as SARIF 2.1.0, for code review tools
    Sarif,
    /// One page with a picture, for browsers
    Html,
}

/// What makes a run fail: a level of risks, or what they are about
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Threshold {
    level: Option<Level>,
    category: Option<Category>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// What was, and what is: each a bundle, a folder of bundles, a topology, or a git revision (REV, REV:PATH). A
    /// revision alone is compared with the working tree; OLD..NEW and OLD...NEW are as git has them
    #[arg(value_name = "OLD [NEW]", num_args = 0..=2)]
    operands: Vec<String>,
    /// Environment to compare (can be repeated); all of them unless given. With one topology or folder, two environments
    /// are compared with each other
    #[arg(long = "env", short, value_name = "ENV")]
    environments: Vec<String>,
    /// What to compare of revisions: a topology, a bundle, or a folder of bundles; platform.toml or generated unless given
    #[arg(long, value_name = "PATH")]
    path: Option<PathBuf>,
    /// How the review is written
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Write the review into a file instead of printing it
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Leave out differences that the topology declares for an environment
    #[arg(long)]
    ignore_declared: bool,
    /// Exit with 2 if there is a risk of this level or above, or about this (can be repeated)
    #[arg(long, value_name = "RISK", value_parser = threshold)]
    fail_on: Vec<Threshold>,
    /// Exit with 2 if there is any difference
    #[arg(long)]
    exit_code: bool,
}

fn threshold(text: &str) -> Result<Threshold, String> {
    let level = Level::from_str(text, true).ok();
    let category = Category::from_str(text, true).ok();
    if level.is_none() && category.is_none() {
        let levels = Level::value_variants().iter().map(|level| level.word());
        let categories = Category::ALL.iter().map(|category| category.word());
        let all: Vec<String> = levels
            .chain(categories)
            .map(|word| word.replace(' ', "-"))
            .collect();
        return Err(format!("known here: {}", all.join(", ")));
    }
    Ok(Threshold { level, category })
}

pub(super) fn run(session: &Session<'_>, arguments: &Arguments) -> Result<Status, HostError> {
    let operands: Vec<Operand> = arguments
        .operands
        .iter()
        .map(|text| Operand::new(text))
        .collect();
    let mut sides = Sides::default();
    let plan = load::plan(
        session,
        &operands,
        arguments.path.as_deref(),
        &arguments.environments,
        &mut sides,
    )?;
    let Some((old, new)) = plan else {
        session.report(&mut sides.findings, &sides.sources);
        return Ok(Status::Failed);
    };
    let (Some(old), Some(new)) = (
        load::load(session, &old, &mut sides)?,
        load::load(session, &new, &mut sides)?,
    ) else {
        session.report(&mut sides.findings, &sides.sources);
        return Ok(Status::Failed);
    };
    // Notes about what is compared, not of it.
    session.report(&mut sides.findings, &sides.sources);
    let options = Options {
        ignore_declared: arguments.ignore_declared,
    };
    let (old, new) = (old.side(), new.side());
    let review = review(&old, &new, options);
    let text = match arguments.format {
        Format::Text => {
            let color =
                arguments.output.is_none() && session.color(session.host.prints_to_terminal());
            report::text::render(&review, color)
        }
        Format::Markdown => report::markdown::render(&review),
        Format::Json => report::json::render(&review),
        Format::Sarif => report::sarif::render(&review, &old, &new),
        Format::Html => report::html::render(&review),
    };
    match &arguments.output {
        Some(path) => {
            if let Some(folder) = path.parent() {
                session.host.create_folders(folder)?;
            }
            session.host.replace(path, text.as_bytes())?;
        }
        None => session.host.print(&text)?,
    }
    Ok(status(arguments, &review))
}

fn status(arguments: &Arguments, review: &Review) -> Status {
    let gate = arguments
        .fail_on
        .iter()
        .any(|threshold| review.has(threshold.level, threshold.category));
    if gate || (arguments.exit_code && !review.is_empty()) {
        Status::Differs
    } else {
        Status::Done
    }
}
