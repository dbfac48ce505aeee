//! `lakewright secrets`: values for the secrets that a bundle refers to.

use std::path::PathBuf;

use super::{Session, Status};
use crate::bundle::secrets;
use crate::host::HostError;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make the missing secrets of a bundle, into a folder that git ignores; no value is printed or overwritten
    Init {
        /// Folder of the bundle
        folder: PathBuf,
    },
}

pub(super) fn run(session: &Session<'_>, command: &Command) -> Result<Status, HostError> {
    let Command::Init { folder } = command;
    match secrets::init(session.host, folder) {
        Ok(report) => {
            session.say(&report.to_string())?;
            Ok(Status::Done)
        }
        Err(error) => {
            session.host.warn(&format!("error: {error}\n"));
            Ok(Status::Failed)
        }
    }
}
