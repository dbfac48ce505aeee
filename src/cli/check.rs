//! `lakewright check`: all findings, and nothing written.

use std::path::PathBuf;

use super::{Format, Session, Status};
use crate::diagnostic::{self, Severity, Tally};
use crate::host::HostError;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The topology
    #[arg(default_value = "platform.toml")]
    topology: PathBuf,
    /// Environment to check (can be repeated); all of them unless given
    #[arg(long = "env", short, value_name = "ENV")]
    environments: Vec<String>,
    /// How findings are written
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Fail on warnings too
    #[arg(long)]
    strict: bool,
}

pub(super) fn run(session: &Session<'_>, arguments: &Arguments) -> Result<Status, HostError> {
    let (mut compiler, topology) = session.open(&arguments.topology)?;
    if let Some(topology) = &topology {
        let names: Vec<&str> = if arguments.environments.is_empty() {
            topology.environments()
        } else {
            arguments.environments.iter().map(String::as_str).collect()
        };
        for compiled in compiler.environments(topology, &names, false) {
            compiler.bundle(topology, &compiled);
        }
    }
    diagnostic::arrange(&mut compiler.findings, &compiler.sources);
    let tally = Tally::of(&compiler.findings);
    let failed = tally.errors > 0 || (arguments.strict && tally.warnings > 0);
    if session.quiet {
        compiler
            .findings
            .retain(|finding| finding.severity == Severity::Error);
    }
    let (findings, sources) = (&compiler.findings, &compiler.sources);
    let text = match arguments.format {
        Format::Text => {
            let color = session.color(session.host.prints_to_terminal());
            diagnostic::text::render(findings, sources, color, 120)
        }
        Format::Short => diagnostic::text::render_short(findings, sources),
        Format::Json => diagnostic::json::render(findings, sources),
        Format::Sarif => diagnostic::sarif::render(findings, sources),
        Format::Github => diagnostic::annotations::github(findings, sources),
        Format::Gitlab => diagnostic::annotations::gitlab(findings, sources),
    };
    session.host.print(&text)?;
    if text.is_empty() {
        session.say("Nothing to report.\n")?;
    }
    Ok(if failed { Status::Failed } else { Status::Done })
}
