//! Certificates, made and renewed by cert-manager: those of an authority of the platform's own, for services that speak
//! TLS by themselves, and that of the public host names.

use std::collections::BTreeSet;

use serde::Serialize;

use super::Context;
use super::object::{Custom, Object};
use crate::platform::{Service, member_hosts};

const CERT_MANAGER: &str = "cert-manager.io/v1";

/// The platform's authority: its Certificate, the Secret with its key, and the Issuer that signs with it.
const AUTHORITY: &str = "platform-authority";

/// The Issuer that the authority's own certificate comes from.
const SELF_SIGNED: &str = "self-signed";

/// How long the authority's certificate is good, and how long before its end there is a new one: ten years and one.
const AUTHORITY_TIME: (&str, &str) = ("87600h", "8760h");

/// The same for what it signs: ninety days and thirty.
const TIME: (&str, &str) = ("2160h", "720h");

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
    duration: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    renew_before: Option<&'static str>,
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
    /// A key on the curve P-256, which all clients know, in the form that Java reads too, and a new one each time.
    const NEW: Self = Self {
        algorithm: "ECDSA",
        size: 256,
        encoding: "PKCS8",
        rotation_policy: "Always",
    };
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

/// Returns the name of the Secret that a service's certificate lies in: `tls.crt`, `tls.key` and `ca.crt`.
pub(super) fn secret(service: &Service) -> String {
    format!("{}-certificate", service.name)
}

/// Makes the platform's authority, if some service has a certificate of it.
pub(super) fn platform(context: &Context<'_>) -> Vec<Object> {
    let services = &context.platform.services;
    if services.iter().all(|service| service.certificate.is_none()) {
        return Vec::new();
    }
    let meta = |name: &str| context.meta(name, context.platform_labels());
    let (duration, renew_before) = AUTHORITY_TIME;
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
                duration: Some(duration),
                renew_before: Some(renew_before),
                private_key: PrivateKey::NEW,
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

/// Makes the certificate of a service, if it has one.
pub(super) fn service(context: &Context<'_>, at: usize) -> Option<Object> {
    let service = context.service(at);
    service.certificate.as_ref()?;
    let namespace = &context.cluster.namespace;
    let hosts = std::iter::once(service.host().to_owned()).chain(
        service
            .members
            .then(|| member_hosts(&service.name, service.replicas.max))
            .into_iter()
            .flatten(),
    );
    let mut dns_names: Vec<String> = hosts
        .flat_map(|host| {
            let full = ["", ".svc", ".svc.cluster.local"]
                .map(|suffix| format!("{host}.{namespace}{suffix}"));
            std::iter::once(host).chain(full)
        })
        .collect();
    dns_names.push("localhost".to_owned());
    let (duration, renew_before) = TIME;
    Some(Custom::object(
        CERT_MANAGER,
        "Certificate",
        context.meta(&service.name, context.service_labels(service)),
        Certificate {
            secret_name: secret(service),
            common_name: None,
            dns_names,
            is_ca: None,
            duration: Some(duration),
            renew_before: Some(renew_before),
            private_key: PrivateKey::NEW,
            usages: vec!["digital signature", "server auth", "client auth"],
            issuer_ref: issuer("Issuer", AUTHORITY),
        },
    ))
}

/// Makes the certificate of the public host names, from an issuer that the cluster has. How long it is good is the
/// issuer's choice.
pub(super) fn public(context: &Context<'_>, from: &str, hosts: BTreeSet<&str>) -> Object {
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
            private_key: PrivateKey::NEW,
            usages: Vec::new(),
            issuer_ref: issuer("ClusterIssuer", from),
        },
    )
}
