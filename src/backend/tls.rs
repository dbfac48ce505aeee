//! Certificates of a bundle whose target has nothing that issues them: a script, and what each certificate says.
//!
//! In comes a platform, out come `tls/issue.sh` and the configurations that it hands to OpenSSL. Keys and certificates are
//! made where the bundle is started, beside its secrets, so that the bundle itself stays the same everywhere.

#[cfg(test)]
mod tests;

use serde::Serialize;

use super::Files;
use crate::platform::{Certificate, KEYSTORE_PASSWORD, Platform};
use crate::template::{header, render_own};
use crate::terms::KeyKind;
use crate::units::Seconds;

/// Folder of the keys and certificates in a bundle's folder: the authority's `ca.crt` and `ca.key`, and a folder with
/// `tls.crt` and `tls.key` for each certificate.
pub(crate) const FOLDER: &str = "secrets/tls";

/// The script that makes them.
pub(crate) const SCRIPT: &str = "tls/issue.sh";

const DAY: u64 = 86_400;

/// The longest name that the subject of a certificate may have. Source: RFC 5280, ub-common-name.
const LONGEST_SUBJECT: usize = 64;

#[derive(Serialize)]
struct Issue<'p> {
    header: String,
    folder: &'static str,
    certificates: &'p [Row<'p>],
    issued: Vec<&'p Row<'p>>,
    /// Names of those that are not the user's own.
    renewable: Vec<&'p str>,
    given: bool,
    /// What a public authority is told, if one is asked.
    acme: Option<Asked<'p>>,
    keystores: Vec<&'p str>,
    keystore_password: &'static str,
    key: Key,
    lifetime_days: u64,
    authority_days: u64,
    renew_before: u64,
    renew_days: u64,
}

/// What OpenSSL is told of keys.
#[derive(Serialize)]
struct Key {
    /// Its arguments for a new one.
    new: &'static str,
    /// The digest that signatures are made with, with a key of this kind.
    digest: &'static str,
    /// What a certificate says of it: the algorithm, and the bits.
    shown: &'static str,
    /// What people call it.
    word: &'static str,
}

impl From<KeyKind> for Key {
    fn from(kind: KeyKind) -> Self {
        let (new, digest, shown) = match kind {
            KeyKind::EcdsaP256 => (
                "ec -pkeyopt ec_paramgen_curve:P-256",
                "sha256",
                "id-ecPublicKey 256",
            ),
            KeyKind::EcdsaP384 => (
                "ec -pkeyopt ec_paramgen_curve:P-384",
                "sha384",
                "id-ecPublicKey 384",
            ),
            KeyKind::Rsa3072 => ("rsa:3072", "sha256", "rsaEncryption 3072"),
            KeyKind::Rsa4096 => ("rsa:4096", "sha256", "rsaEncryption 4096"),
        };
        Self {
            new,
            digest,
            shown,
            word: kind.word(),
        }
    }
}

#[derive(Serialize)]
struct Row<'p> {
    name: &'p str,
    names: &'p [String],
    given: bool,
    asked: bool,
}

/// What certbot is told.
#[derive(Serialize)]
struct Asked<'p> {
    directory: &'p str,
    email: Option<&'p str>,
    plugin: Option<&'p str>,
    /// Its arguments for a key.
    key: &'static str,
}

impl<'p> From<&'p Certificate> for Row<'p> {
    fn from(certificate: &'p Certificate) -> Self {
        Self {
            name: &certificate.name,
            names: &certificate.names,
            given: certificate.given && !certificate.asked,
            asked: certificate.asked,
        }
    }
}

/// Adds the script and its configurations to a bundle, if a service has a certificate.
pub(crate) fn add(platform: &Platform, files: &mut Files) {
    if platform.certificates.is_empty() {
        return;
    }
    let place = &platform.environment.place;
    let tls = &platform.environment.tls;
    let rows: Vec<Row<'_>> = platform.certificates.iter().map(Row::from).collect();
    let issued: Vec<&Row<'_>> = rows.iter().filter(|row| !row.given && !row.asked).collect();
    if !issued.is_empty() {
        let mut authority = format!(
            "{} {} internal authority",
            platform.name, platform.environment.name
        );
        authority.truncate(LONGEST_SUBJECT);
        let data = serde_json::json!({ "header": header("the topology"), "authority": authority.trim_end() });
        let text = render_own(include_str!("tls/ca.cnf.tera"), &data);
        files.add("tls/ca.cnf", text, false, place);
    }
    for row in &issued {
        // Names of services and hosts have no character that means something to OpenSSL's configuration.
        let data = serde_json::json!({ "header": header("the topology"), "name": row.name, "names": row.names });
        let text = render_own(include_str!("tls/certificate.cnf.tera"), &data);
        let path = format!("tls/{}.cnf", row.name);
        files.add(&path, text.trim_end().to_owned() + "\n", false, place);
    }
    let data = Issue {
        header: header("the topology"),
        folder: FOLDER,
        given: rows.iter().any(|row| row.given),
        issued,
        renewable: rows
            .iter()
            .filter(|row| !row.given)
            .map(|row| row.name)
            .collect(),
        acme: tls.acme.as_ref().map(|acme| Asked {
            directory: &acme.directory,
            email: acme.email.as_deref(),
            plugin: acme.plugin.as_deref(),
            key: match tls.key {
                KeyKind::EcdsaP256 => "ecdsa --elliptic-curve secp256r1",
                KeyKind::EcdsaP384 => "ecdsa --elliptic-curve secp384r1",
                KeyKind::Rsa3072 => "rsa --rsa-key-size 3072",
                KeyKind::Rsa4096 => "rsa --rsa-key-size 4096",
            },
        }),
        keystores: platform
            .certificates
            .iter()
            .filter(|certificate| certificate.keystore)
            .map(|certificate| certificate.name.as_str())
            .collect(),
        keystore_password: KEYSTORE_PASSWORD,
        key: tls.key.into(),
        certificates: &rows,
        lifetime_days: days(tls.lifetime),
        authority_days: days(tls.authority_lifetime),
        renew_before: tls.renew_before.0,
        renew_days: days(tls.renew_before),
    };
    let text = render_own(include_str!("tls/issue.sh.tera"), &data);
    files.add(SCRIPT, text, true, place);
}

/// Returns a time in days, begun ones too.
pub(crate) fn days(time: Seconds) -> u64 {
    time.0.div_ceil(DAY)
}
