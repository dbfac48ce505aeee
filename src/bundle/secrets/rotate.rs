//! Rotation: new values in the place of old ones, which stay beside them until the next time.

use std::fmt;
use std::path::Path;

use super::value::hex;
use super::{FOLDER, FORMER, PRIVATE_FILE, SecretsError, SecretsReport, UNFINISHED};
use super::{listed, new_value, open_folder};
use crate::bundle::INVENTORY;
use crate::bundle::inventory::SecretSpec;
use crate::host::{Host, HostError, Kind, Plain};
use crate::terms::{RotationWay, SecretKind, SecretStore, Target};

/// What was changed. Names only.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RotationReport {
    /// What the bundle was made for, if that is known here.
    pub target: Option<Target>,
    /// Where values are kept, if not where the target itself keeps them.
    pub store: Option<SecretStore>,
    /// Secrets with a new value, in the order in which they were changed.
    pub rotated: Vec<Rotated>,
}

/// A secret that has a new value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rotated {
    /// Its name.
    pub name: String,
    /// Whether it had a value before.
    pub had_one: bool,
    /// The number that `secret_versions` has to say, where secrets are objects.
    pub version: u32,
    /// What it takes besides, if that is known.
    pub how: Option<RotationWay>,
    /// The steps, for people.
    pub then: Option<String>,
    /// Who reads it.
    pub consumers: Vec<String>,
}

impl fmt::Display for RotationReport {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for one in &self.rotated {
            let name = &one.name;
            if one.had_one {
                writeln!(
                    out,
                    "changed `{name}`; the former value is in `{FOLDER}/{name}{FORMER}`"
                )?;
            } else {
                writeln!(out, "made `{name}`, which had no value")?;
            }
            if !one.consumers.is_empty() {
                writeln!(out, "  read by: {}", one.consumers.join(", "))?;
            }
            if one.how == Some(RotationWay::Job) {
                writeln!(out, "  a job tells the system when it is started again")?;
            }
            if let Some(then) = &one.then {
                writeln!(out, "  to do: {then}")?;
            }
        }
        let versions: Vec<String> = self
            .rotated
            .iter()
            .map(|one| format!("{} = {}", one.name, one.version))
            .collect();
        let versions = versions.join(", ");
        let encrypt = match self.store {
            Some(SecretStore::Sops) => "./sops.sh encrypt, ",
            _ => "",
        };
        let bring = match self.store {
            Some(SecretStore::ExternalSecrets) => {
                "put each value into the store under its new key, see README.md"
            }
            Some(SecretStore::SealedSecrets) => "./seal.sh",
            _ => "./secrets.sh",
        };
        match self.target {
            Some(Target::Compose) => writeln!(
                out,
                "now: {encrypt}docker compose up --detach --force-recreate     # everything reads its secrets when it starts"
            ),
            Some(Target::Swarm) => writeln!(
                out,
                "now: say `secret_versions = {{ {versions} }}` in the environment, build, {encrypt}./deploy.sh"
            ),
            Some(Target::Kubernetes) => writeln!(
                out,
                "now: say `secret_versions = {{ {versions} }}` in the environment, build, {encrypt}{bring}, ./apply.sh"
            ),
            None => Ok(()),
        }
    }
}

/// Gives secrets of the bundle in this folder new values, and the tokens that are signed with them.
///
/// Nothing is changed if one of the names cannot be rotated. A killed run leaves every secret with its old value or with
/// its new one, and the old one beside it.
///
/// # Errors
/// Names that are none, and secrets that come from elsewhere, must stay, or follow from another.
pub fn rotate(host: &Host, dir: &Path, names: &[String]) -> Result<RotationReport, SecretsError> {
    let (specs, (target, store)) = listed(host, &dir.join(INVENTORY))?;
    let folder = dir.join(FOLDER);
    for name in names {
        let spec = specs.iter().find(|spec| spec.name == *name);
        let spec = spec.ok_or_else(|| SecretsError::Unknown {
            name: name.clone(),
            known: specs.iter().map(|spec| spec.name.clone()).collect(),
        })?;
        if let Some(reason) = fixed(host, &folder, spec)? {
            return Err(SecretsError::Fixed {
                name: name.clone(),
                reason,
            });
        }
    }
    open_folder(host, &folder, &mut SecretsReport::default())?;
    // Tokens come after what they are signed with: `listed` sorts them so.
    let chosen = specs.into_iter().filter(|spec| {
        let key = spec.token.as_ref().map(|token| &token.key);
        names.contains(&spec.name) || key.is_some_and(|key| names.contains(key))
    });
    let mut rotated = Vec::new();
    for spec in chosen {
        let Some(value) = new_value(host, &folder, &spec)? else {
            continue;
        };
        let path = folder.join(&spec.name);
        let old = match host.read_plain(&path, |_| true)? {
            Plain::File { bytes, .. } => bytes.filter(|bytes| !bytes.is_empty()),
            Plain::Missing | Plain::Other => None,
        };
        if let Some(old) = &old {
            let former = folder.join(format!("{}{FORMER}", spec.name));
            exchange(host, &former, old)?;
        }
        exchange(host, &path, value.as_bytes())?;
        rotated.push(Rotated {
            name: spec.name,
            had_one: old.is_some(),
            version: spec.version.saturating_add(1),
            how: spec.rotation.as_ref().map(|rotation| rotation.how),
            then: spec.rotation.and_then(|rotation| rotation.then),
            consumers: spec.consumers,
        });
    }
    Ok(RotationReport {
        target,
        store,
        rotated,
    })
}

/// Says why a secret cannot be rotated, if it cannot.
fn fixed(host: &Host, folder: &Path, spec: &SecretSpec) -> Result<Option<String>, HostError> {
    if let Some(token) = &spec.token {
        return Ok(Some(format!(
            "it is signed with `{}`, and changes with it",
            token.key
        )));
    }
    if spec.kind == SecretKind::Given {
        return Ok(Some(format!(
            "it comes from elsewhere ({}): change it there, then put the new value into its file",
            spec.purpose
        )));
    }
    let rotation = spec.rotation.as_ref();
    if let Some(rotation) = rotation.filter(|rotation| rotation.how == RotationWay::Never) {
        let reason = rotation.then.clone();
        return Ok(Some(
            reason.unwrap_or_else(|| "it must stay as it is".to_owned()),
        ));
    }
    Ok(match host.look(&folder.join(&spec.name))? {
        Some(look) if look.kind != Kind::File => Some(
            "its file is a link or something else: whoever looks after the value changes it"
                .to_owned(),
        ),
        _ => None,
    })
}

/// Puts a value in the place of another: readers see the old one or the new one.
fn exchange(host: &Host, path: &Path, bytes: &[u8]) -> Result<(), HostError> {
    let mut suffix = [0; 8];
    host.random(&mut suffix)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let unfinished = path.with_file_name(format!(".{name}-{}{UNFINISHED}", hex(&suffix)));
    let done = host
        .write_new_safely(&unfinished, bytes, PRIVATE_FILE)
        .and_then(|()| host.rename(&unfinished, path));
    if done.is_err() {
        let _ = host.remove_file(&unfinished);
    }
    done.map_err(|error| error.about(path))
}
