//! Secrets that an operator makes: of a store outside, by an object for each that names its key there and no value.
//!
//! Their names, keys and types are those of the Secrets that a script makes, so that nothing that reads them knows the
//! difference.

use serde::Serialize;

use super::object::{Custom, Object, Pairs, pairs};
use super::{Context, config};
use crate::platform::{RemoteStore, Secret, Store};
use crate::units::Seconds;

const EXTERNAL_SECRETS: &str = "external-secrets.io/v1";

/// The group and kind of the objects, as kubectl finds them.
pub(super) const KIND: &str = "ExternalSecret";

/// Where the operator that opens sealed files has its API: group, version and kind. Source: bitnami-labs/sealed-secrets
/// v0.40.0, helm/sealed-secrets/crds.
pub(super) const SEALED: (&str, &str, &str) = ("bitnami.com", "v1alpha1", "SealedSecret");

/// Source: external-secrets v1.3.2, config/crds/bases/external-secrets.io_externalsecrets.yaml.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExternalSecret {
    refresh_policy: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_interval: Option<String>,
    secret_store_ref: StoreRef,
    target: Target,
    data: Vec<Entry>,
}

#[derive(Serialize)]
struct StoreRef {
    kind: &'static str,
    name: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Target {
    name: String,
    creation_policy: &'static str,
    deletion_policy: &'static str,
    immutable: bool,
    template: Template,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Template {
    engine_version: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    metadata: TemplateMeta,
    data: Pairs,
}

#[derive(Serialize)]
struct TemplateMeta {
    labels: Pairs,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    secret_key: &'static str,
    remote_ref: RemoteRef,
}

#[derive(Serialize)]
struct RemoteRef {
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    property: Option<String>,
}

/// Makes the objects that have the platform's Secrets made of a store outside, if that is where values are.
pub(super) fn objects(context: &Context<'_>) -> Vec<Object> {
    let Store::Remote(store) = &context.platform.environment.secrets else {
        return Vec::new();
    };
    let secrets = context.platform.secrets.iter();
    secrets
        .map(|secret| external(context, store, secret))
        .collect()
}

fn external(context: &Context<'_>, store: &RemoteStore, secret: &Secret) -> Object {
    let key = config::value_key(secret);
    let value = format!("{{{{ .{key} }}}}");
    let mut data = pairs([(key, &value)]);
    if let Some(user) = &secret.user {
        data.insert("username".to_owned(), user.clone());
    }
    let (refresh_policy, refresh_interval) = match store.refresh {
        Some(refresh) => ("Periodic", Some(interval(refresh))),
        None => ("CreatedOnce", None),
    };
    Custom::object(
        EXTERNAL_SECRETS,
        KIND,
        context.meta(secret.object(), context.platform_labels()),
        ExternalSecret {
            refresh_policy,
            refresh_interval,
            secret_store_ref: StoreRef {
                kind: store.kind.word(),
                name: store.name.clone(),
            },
            target: Target {
                name: secret.object(),
                creation_policy: "Owner",
                // What runs keeps what it has when the store loses an entry.
                deletion_policy: "Retain",
                immutable: store.refresh.is_none(),
                template: Template {
                    engine_version: "v2",
                    kind: match secret.user {
                        Some(_) => "kubernetes.io/basic-auth",
                        None => "Opaque",
                    },
                    metadata: TemplateMeta {
                        labels: context.platform_labels(),
                    },
                    data,
                },
            },
            data: vec![Entry {
                secret_key: key,
                remote_ref: RemoteRef {
                    key: store.key(secret),
                    property: store.property.clone(),
                },
            }],
        },
    )
}

/// Writes a time as Go does.
fn interval(time: Seconds) -> String {
    format!("{}s", time.0)
}
