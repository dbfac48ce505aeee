//! `lakewright verify`: a bundle against its own inventory.

use std::path::PathBuf;

use super::{Session, Status};
use crate::bundle::compare;
use crate::host::HostError;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Folder of the bundle
    folder: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(session: &Session<'_>, arguments: &Arguments) -> Result<Status, HostError> {
    let differences = compare::verify(session.host, &arguments.folder)?;
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
