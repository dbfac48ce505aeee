//! Where the values of secrets are kept: what an environment says of it, held against what its target has.
//!
//! In comes what the user said, out comes [`Store`]. A store that the target does not have, or that lacks what it
//! needs, is reported where it is said.

use super::trace::{Explained, Trace};
use crate::diagnostic::Finding;
use crate::platform::{RemoteStore, Store};
use crate::schema::{ILLEGAL_VALUE, MISSING_KEY};
use crate::source::Place;
use crate::terms::{SecretStore, StoreKind, Target};
use crate::topology::Layered;
use crate::topology::layer::LayeredSecrets;

/// Returns the stores that a target has; the first is its own.
fn stores(target: Target) -> &'static [SecretStore] {
    match target {
        Target::Compose => &[SecretStore::Files, SecretStore::Sops],
        Target::Swarm => &[SecretStore::External, SecretStore::Sops],
        Target::Kubernetes => &[
            SecretStore::Script,
            SecretStore::ExternalSecrets,
            SecretStore::SealedSecrets,
            SecretStore::Sops,
        ],
    }
}

/// Resolves where an environment keeps the values of secrets.
pub(super) fn resolve(layered: &Layered, trace: &mut Trace, findings: &mut Vec<Finding>) -> Store {
    let given = &layered.secrets;
    let target = layered.target.value;
    let known = stores(target);
    let store = given.store.as_ref().map_or(known[0], |set| set.value);
    trace.record(
        || "secrets.store".to_owned(),
        || match &given.store {
            Some(set) => Explained::one(store, "set", set.place.clone()),
            None => Explained::one(
                store,
                format!("what the store is on {target} unless given"),
                layered.target.place.clone(),
            ),
        },
    );
    if let Some(set) = given.store.as_ref().filter(|_| !known.contains(&store)) {
        let words: Vec<String> = known.iter().map(|one| format!("\"{one}\"")).collect();
        findings.push(
            Finding::new(
                &ILLEGAL_VALUE,
                set.place.clone(),
                format!("{target} has no store `{store}` for secrets"),
            )
            .help(format!("use one of {}", words.join(", "))),
        );
        return Store::Target;
    }
    let misplaced = findings.len();
    report_idle(store, given, findings);
    if findings.len() > misplaced && given.store.is_none() {
        return Store::Target;
    }
    let place = || {
        let set = given.store.as_ref();
        set.map_or_else(|| layered.place.clone(), |set| set.place.clone())
    };
    match store {
        SecretStore::Files | SecretStore::External | SecretStore::Script => Store::Target,
        SecretStore::SealedSecrets => Store::Sealed,
        SecretStore::ExternalSecrets => {
            let Some(name) = &given.name else {
                findings.push(
                    Finding::new(
                        &MISSING_KEY,
                        place(),
                        "the store `external-secrets` has no `name`",
                    )
                    .help(
                        "name the ClusterSecretStore, or the SecretStore with `kind = \"SecretStore\"`: \
                         secrets = { store = \"external-secrets\", name = \"vault\" }",
                    ),
                );
                return Store::Target;
            };
            Store::Remote(RemoteStore {
                name: name.value.clone(),
                kind: given
                    .kind
                    .as_ref()
                    .map_or(StoreKind::Cluster, |kind| kind.value),
                prefix: given
                    .prefix
                    .as_ref()
                    .map_or_else(String::new, |prefix| prefix.value.clone()),
                property: given.property.as_ref().map(|set| set.value.clone()),
                refresh: given.refresh.as_ref().map(|set| set.value),
            })
        }
        SecretStore::Sops => {
            let Some(recipients) = &given.recipients else {
                findings.push(
                    Finding::new(
                        &MISSING_KEY,
                        place(),
                        "the store `sops` has no `recipients`",
                    )
                    .help(
                        "list the public keys of those who may decrypt, as `age-keygen` prints them: \
                         secrets = { store = \"sops\", recipients = [\"age1…\"] }",
                    ),
                );
                return Store::Target;
            };
            Store::Sops(recipients.value.clone())
        }
    }
}

/// Reports what is said of another store than the one that is used.
fn report_idle(store: SecretStore, given: &LayeredSecrets, findings: &mut Vec<Finding>) {
    fn place<T>(set: Option<&crate::topology::Sourced<T>>) -> Option<Place> {
        set.map(|set| set.place.clone())
    }
    let remote = SecretStore::ExternalSecrets;
    for (key, of, place) in [
        ("name", remote, place(given.name.as_ref())),
        ("kind", remote, place(given.kind.as_ref())),
        ("prefix", remote, place(given.prefix.as_ref())),
        ("property", remote, place(given.property.as_ref())),
        ("refresh", remote, place(given.refresh.as_ref())),
        (
            "recipients",
            SecretStore::Sops,
            place(given.recipients.as_ref()),
        ),
    ] {
        if let Some(place) = place.filter(|_| of != store) {
            findings.push(
                Finding::new(
                    &ILLEGAL_VALUE,
                    place,
                    format!("`secrets.{key}` is for the store `{of}`, and this one is `{store}`"),
                )
                .help(format!("take it out, or set `store = \"{of}\"`")),
            );
        }
    }
}
