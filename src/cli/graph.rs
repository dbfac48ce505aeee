//! `lakewright graph`: an environment as a picture.

use std::path::PathBuf;

use super::{Session, Status};
use crate::graph::Graph;
use crate::host::HostError;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The topology
    #[arg(default_value = "platform.toml")]
    topology: PathBuf,
    /// The environment
    #[arg(long = "env", short, value_name = "ENV")]
    environment: String,
    /// How it is written
    #[arg(long, value_enum, default_value = "mermaid")]
    format: Format,
}

/// How a graph is written
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
enum Format {
    /// A flowchart that Markdown can hold
    Mermaid,
    /// For Graphviz
    Dot,
    /// A picture
    Svg,
}

pub(super) fn run(session: &Session<'_>, arguments: &Arguments) -> Result<Status, HostError> {
    let (mut compiler, topology) = session.open(&arguments.topology)?;
    let compiled = topology.as_ref().and_then(|topology| {
        let all = compiler.environments(topology, &[&arguments.environment], false);
        all.into_iter().next()
    });
    let Some(compiled) = compiled else {
        session.report(&mut compiler.findings, &compiler.sources);
        return Ok(Status::Failed);
    };
    let graph = Graph::of(&compiled.platform);
    session.host.print(&match arguments.format {
        Format::Mermaid => graph.mermaid(),
        Format::Dot => graph.dot(),
        Format::Svg => graph.svg(),
    })?;
    Ok(Status::Done)
}
