//! `lakewright secrets`: values for the secrets that a bundle refers to.

use std::path::PathBuf;

use clap::ValueEnum;

use super::{Session, Status};
use crate::bundle::secrets::{self, SecretsError};
use crate::host::HostError;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make the missing secrets of a bundle, into a folder that git ignores; no value is printed or overwritten
    Init {
        /// Folder of the bundle
        folder: PathBuf,
    },
    /// Give secrets new values, keep the former ones in files beside them, and say what has to be done then
    Rotate {
        /// Folder of the bundle
        folder: PathBuf,
        /// Names of the secrets
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Report secrets that are missing, weak, too old, open to others or read by nothing; no value is printed
    Check {
        /// Folder of the bundle
        folder: PathBuf,
        /// How it is written
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
}

/// How a report is written
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum Format {
    /// For people
    Text,
    /// JSON
    Json,
}

pub(super) fn run(session: &Session<'_>, command: &Command) -> Result<Status, HostError> {
    let done = match command {
        Command::Init { folder } => secrets::init(session.host, folder).map(|report| {
            session.say(&report.to_string())?;
            Ok(Status::Done)
        }),
        Command::Rotate { folder, names } => {
            secrets::rotate(session.host, folder, names).map(|report| {
                session.say(&report.to_string())?;
                Ok(Status::Done)
            })
        }
        Command::Check { folder, format } => secrets::check(session.host, folder)
            .map(|checked| checked_secrets(session, &checked, *format)),
    };
    done.unwrap_or_else(|error: SecretsError| {
        session.host.warn(&format!("error: {error}\n"));
        Ok(Status::Failed)
    })
}

fn checked_secrets(
    session: &Session<'_>,
    checked: &secrets::Checked,
    format: Format,
) -> Result<Status, HostError> {
    match format {
        Format::Json => {
            let text = serde_json::to_string_pretty(checked)
                .expect("a report has text keys and no failing parts");
            session.host.print(&format!("{text}\n"))?;
        }
        Format::Text if checked.problems.is_empty() => session.say(&checked.to_string())?,
        Format::Text => session.host.print(&checked.to_string())?,
    }
    Ok(if checked.problems.is_empty() {
        Status::Done
    } else {
        Status::Failed
    })
}
