//! Certificates, made and renewed by cert-manager: those of an authority of the platform's own, for services that speak
//! TLS by themselves, and that of the public host names.

use std::collections::BTreeSet;

use serde::Serialize;

use super::Context;
use super::object::{Custom, Object};
use crate::platform;
use crate::terms::KeyKind;
use crate::units::Seconds;

const CERT_MANAGER: &str = "cert-manager.io/v1";

/// The platform's authority: its Certificate, the Secret with its key, and the Issuer that signs with it.
const AUTHORITY: &str = "platform-authority";

/// The Issuer that the authority's own certificate comes from.
const SELF_SIGNED: &str = "self-signed";

/// The last part of the authority's time, in which there is a new one.
const AUTHORITY_PART: u64 = 10;

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Issuer {
    #[serde(skip_serializing_if = "Option::is_none")]
    self_signed: Option<SelfSigned>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca: Option<Authority>,
}

#[derive(Serialize)]
struct SelfSigned {}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Authority {
    secret_name: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Certificate {
    secret_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    common_name: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dns_names: Vec<String>,
    #[serde(rename = "isCA", skip_serializing_if = "Option::is_none")]
    is_ca: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    renew_before: Option<String>,
    private_key: PrivateKey,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    usages: Vec<&'static str>,
    issuer_ref: IssuerRef,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PrivateKey {
    algorithm: &'static str,
    size: u32,
    encoding: &'static str,
    rotation_policy: &'static str,
}

impl PrivateKey {
    /// A key of a kind, in the form that Java reads too, and a new one each time.
    fn new(kind: KeyKind) -> Self {
        let (algorithm, size) = match kind {
            KeyKind::EcdsaP256 => ("ECDSA", 256),
            KeyKind::EcdsaP384 => ("ECDSA", 384),
            KeyKind::Rsa3072 => ("RSA", 3072),
            KeyKind::Rsa4096 => ("RSA", 4096),
        };
        Self {
            algorithm,
            size,
            encoding: "PKCS8",
            rotation_policy: "Always",
        }
    }
}

#[derive(Serialize)]
struct IssuerRef {
    group: &'static str,
    kind: &'static str,
    name: String,
}

fn issuer(kind: &'static str, name: &str) -> IssuerRef {
    IssuerRef {
        group: "cert-manager.io",
        kind,
        name: name.to_owned(),
    }
}

/// Returns the name of the Secret that a certificate lies in: `tls.crt`, `tls.key` and `ca.crt`. The public one is the
/// gateway's.
pub(super) fn secret(context: &Context<'_>, certificate: &platform::Certificate) -> String {
    if certificate.public {
        context.cluster.tls_secret.clone()
    } else {
        format!("{}-certificate", certificate.name)
    }
}

/// Writes a time the way cert-manager does.
fn time(time: Seconds) -> String {
    if time.0.is_multiple_of(3600) {
        format!("{}h", time.0 / 3600)
    } else {
        format!("{}s", time.0)
    }
}

/// Makes the platform's authority, if some service has a certificate of it.
pub(super) fn authority(context: &Context<'_>) -> Vec<Object> {
    let certificates = &context.platform.certificates;
    if certificates.iter().all(|certificate| certificate.public) {
        return Vec::new();
    }
    let tls = &context.platform.environment.tls;
    // What it signs must not outlive it.
    let renew_before = Seconds(
        tls.lifetime
            .0
            .max(tls.authority_lifetime.0 / AUTHORITY_PART),
    );
    let meta = |name: &str| context.meta(name, context.platform_labels());
    vec![
        Custom::object(
            CERT_MANAGER,
            "Issuer",
            meta(SELF_SIGNED),
            Issuer {
                self_signed: Some(SelfSigned {}),
                ..Issuer::default()
            },
        ),
        Custom::object(
            CERT_MANAGER,
            "Certificate",
            meta(AUTHORITY),
            Certificate {
                secret_name: AUTHORITY.to_owned(),
                common_name: Some(format!("{} internal authority", context.platform.name)),
                dns_names: Vec::new(),
                is_ca: Some(true),
                duration: Some(time(tls.authority_lifetime)),
                renew_before: Some(time(renew_before)),
                private_key: PrivateKey::new(tls.key),
                usages: Vec::new(),
                issuer_ref: issuer("Issuer", SELF_SIGNED),
            },
        ),
        Custom::object(
            CERT_MANAGER,
            "Issuer",
            meta(AUTHORITY),
            Issuer {
                ca: Some(Authority {
                    secret_name: AUTHORITY,
                }),
                ..Issuer::default()
            },
        ),
    ]
}

/// Makes the certificate of a service, if it has one of its own.
pub(super) fn service(context: &Context<'_>, at: usize) -> Option<Object> {
    let service = context.service(at);
    let certificate = context.platform.certificate_of(service)?;
    if certificate.public {
        return None;
    }
    let namespace = &context.cluster.namespace;
    let dns_names = certificate.names.iter().flat_map(|name| {
        // Names in a cluster have longer forms; a machine's name for itself has none.
        let suffixes: &[&str] = match name.as_str() {
            "localhost" => &[],
            _ => &["", ".svc", ".svc.cluster.local"],
        };
        let full = suffixes
            .iter()
            .map(move |suffix| format!("{name}.{namespace}{suffix}"));
        std::iter::once(name.clone()).chain(full)
    });
    let tls = &context.platform.environment.tls;
    Some(Custom::object(
        CERT_MANAGER,
        "Certificate",
        context.meta(&service.name, context.service_labels(service)),
        Certificate {
            secret_name: secret(context, certificate),
            common_name: None,
            dns_names: dns_names.collect(),
            is_ca: None,
            duration: Some(time(tls.lifetime)),
            renew_before: Some(time(tls.renew_before)),
            private_key: PrivateKey::new(tls.key),
            usages: vec!["digital signature", "server auth", "client auth"],
            issuer_ref: issuer("Issuer", AUTHORITY),
        },
    ))
}

/// Makes the certificate of the public host names, from an issuer that the cluster has. How long it is good is the
/// issuer's choice.
pub(super) fn public(context: &Context<'_>, from: &str, hosts: BTreeSet<&str>) -> Object {
    let tls = &context.platform.environment.tls;
    Custom::object(
        CERT_MANAGER,
        "Certificate",
        context.meta("public", context.platform_labels()),
        Certificate {
            secret_name: context.cluster.tls_secret.clone(),
            common_name: None,
            dns_names: hosts.into_iter().map(str::to_owned).collect(),
            is_ca: None,
            duration: None,
            renew_before: None,
            private_key: PrivateKey::new(tls.key),
            usages: Vec::new(),
            issuer_ref: issuer("ClusterIssuer", from),
        },
    )
}
