//! `sops.sh`: keeps the values of a bundle's secrets in files that git may hold, where the environment asks for that.
//!
//! It works beside the target's own way: what it decrypts are the files that the target's scripts read.

use serde::Serialize;

use super::Files;
use crate::platform::{Platform, Store};
use crate::template::header;

#[derive(Serialize)]
struct Data<'p> {
    header: String,
    /// As sops takes them.
    recipients: String,
    secrets: Vec<&'p str>,
}

/// Adds the script to a bundle, if values are kept so.
pub(crate) fn add(platform: &Platform, files: &mut Files) {
    let Store::Sops(recipients) = &platform.environment.secrets else {
        return;
    };
    if platform.secrets.is_empty() {
        return;
    }
    let secrets = platform.secrets.iter();
    let data = Data {
        header: header("the topology"),
        recipients: recipients.join(","),
        secrets: secrets.map(|secret| secret.name.as_str()).collect(),
    };
    let place = &platform.environment.place;
    files.add_script("sops.sh", include_str!("sops.sh.tera"), &data, place);
}
