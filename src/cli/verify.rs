//! `lakewright verify`: a bundle against its own inventory.

use std::path::PathBuf;

use super::{Session, Status};
use crate::bundle::{archive, compare};
use crate::host::{HostError, Kind};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Folder of the bundle, or its archive
    folder: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(session: &Session<'_>, arguments: &Arguments) -> Result<Status, HostError> {
    let archive = session
        .host
        .look(&arguments.folder)?
        .is_some_and(|look| look.kind == Kind::File);
    let differences = if archive {
        let bytes = session.host.read_bytes(&arguments.folder)?;
        match archive::unpack(&bytes) {
            Ok(files) => archive::verify(&files),
            Err(words) => {
                let shown = crate::host::shown(arguments.folder.as_os_str());
                let words = crate::host::shown(words.as_ref());
                session.host.warn(&format!(
                    "error: `{shown}` is no archive of a bundle: {words}\n"
                ));
                return Ok(Status::Failed);
            }
        }
    } else {
        compare::verify(session.host, &arguments.folder)?
    };
    if arguments.json {
        let text = serde_json::to_string_pretty(&differences).unwrap_or_default();
        session.host.print(&format!("{text}\n"))?;
    } else if differences.is_empty() {
        session.say(&format!(
            "`{}` is as it was built.\n",
            crate::host::shown(arguments.folder.as_os_str())
        ))?;
    } else {
        session.host.print(&compare::render(&differences))?;
    }
    Ok(if differences.is_empty() {
        Status::Done
    } else {
        Status::Differs
    })
}
