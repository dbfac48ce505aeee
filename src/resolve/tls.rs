//! Certificates of an environment: where that of the public host names comes from, and how long they are good.
//!
//! In comes what the user said, out comes [`Tls`]. Times that contradict each other are reported at what the user wrote.

use super::finish::SECRETS;
use super::trace::{Explained, Trace};
use crate::diagnostic::{Finding, suggest};
use crate::platform::{AUTHORITY_FILE, Acme, Tls};
use crate::schema::ILLEGAL_VALUE;
use crate::source::Place;
use crate::terms::{KeyKind, PublicTls, ServicesTls, Target};
use crate::topology::Layered;
use crate::topology::layer::Sourced;
use crate::units::Seconds;
use crate::value::Value;

const DAY: u64 = 86_400;

/// Times unless the environment says others: what clients and auditors accept today, and an authority that outlives the
/// platform's machines.
const LIFETIME: Seconds = Seconds(90 * DAY);
const AUTHORITY_LIFETIME: Seconds = Seconds(3650 * DAY);

/// The last part of a certificate's time, in which it is renewed: long enough to notice that a renewal failed.
const RENEWED_PART: u64 = 3;

/// The longest time that anything is good: dates of certificates end with the year 9999, and programs count in less.
const LONGEST: Seconds = Seconds(36_500 * DAY);

/// Beginnings of kinds of keys that are refused, each with the reason.
const REFUSED: &[(&str, &str)] = &[
    ("dsa", "TLS 1.3 has no DSA"),
    ("ed25519", "browsers refuse certificates with such keys"),
    ("ed448", "browsers refuse certificates with such keys"),
    ("md5", "it is a digest, and forged since 2008"),
    (
        "sha",
        "it is a digest: signatures are made with SHA-256, and with SHA-384 for P-384",
    ),
];

/// The fewest bits of an RSA key that is made: as hard to break as P-256. Source: NIST SP 800-57, part 1, table 2.
const LEAST_RSA: u32 = 3072;

/// Resolves what an environment says of certificates.
pub(super) fn resolve(layered: &Layered, trace: &mut Trace, findings: &mut Vec<Finding>) -> Tls {
    let given = &layered.tls;
    let public = public(layered, trace, findings);
    let services = services(layered, trace, findings);
    let key = key(layered, trace, findings);
    let mut time = |key: &str, set: &Option<Sourced<Seconds>>, (default, why): (Seconds, &str)| {
        trace.record(
            || format!("tls.{key}"),
            || match set {
                Some(set) => Explained::one(show(set.value), "set", set.place.clone()),
                None => Explained::one(show(default), why, layered.place.clone()),
            },
        );
        set.as_ref().map_or(default, |set| set.value)
    };
    let unless_given = "how long it is unless given";
    let lifetime = time("lifetime", &given.lifetime, (LIFETIME, unless_given));
    let renewed = Seconds(lifetime.0 / RENEWED_PART);
    let tls = Tls {
        public,
        public_place: given
            .public
            .as_ref()
            .map_or_else(|| layered.target.place.clone(), |set| set.place.clone()),
        acme: acme(layered, public, findings),
        services,
        key,
        lifetime,
        renew_before: time(
            "renew_before",
            &given.renew_before,
            (renewed, "a third of the lifetime"),
        ),
        authority_lifetime: time(
            "authority_lifetime",
            &given.authority_lifetime,
            (AUTHORITY_LIFETIME, unless_given),
        ),
    };
    check(layered, &tls, findings);
    tls
}

/// The directory of Let's Encrypt, which issues to anybody.
const DIRECTORY: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// The word for programs of the user's that put records into DNS.
const HOOK: &str = "hook";

/// Returns the public authority that is asked, if one is.
fn acme(layered: &Layered, public: Option<PublicTls>, findings: &mut Vec<Finding>) -> Option<Acme> {
    let given = layered.tls.acme.as_ref();
    if public != Some(PublicTls::Acme) {
        findings.extend(given.map(|given| {
            Finding::new(
                &ILLEGAL_VALUE,
                given.place.clone(),
                "an authority is named that nothing is asked of",
            )
            .help("set `public = \"acme\"`, or take `acme` out")
        }));
        return None;
    }
    Some(Acme {
        directory: given
            .and_then(|given| given.directory.clone())
            .unwrap_or_else(|| DIRECTORY.to_owned()),
        email: given.and_then(|given| given.email.clone()),
        plugin: given
            .and_then(|given| given.dns.clone())
            .filter(|dns| dns != HOOK),
    })
}

/// Returns what keys are; what is weak, or cannot be verified by all, is reported with the reason.
fn key(layered: &Layered, trace: &mut Trace, findings: &mut Vec<Finding>) -> KeyKind {
    let given = layered.tls.key.as_ref();
    let key = given
        .and_then(|set| KeyKind::from_word(&set.value))
        .unwrap_or(KeyKind::EcdsaP256);
    if let Some(set) = given.filter(|set| KeyKind::from_word(&set.value).is_none()) {
        let word = set.value.to_lowercase();
        let digits = || {
            word.strip_prefix("rsa")?
                .trim_start_matches('-')
                .parse()
                .ok()
        };
        let weak = digits().filter(|bits: &u32| *bits < LEAST_RSA).map(|bits| {
            format!("RSA of {bits} bits is weaker than what else protects a connection")
        });
        let known = REFUSED.iter().find(|(start, _)| word.starts_with(start));
        let why = weak.or_else(|| known.map(|(_, why)| (*why).to_owned()));
        let all = KeyKind::ALL.iter().map(|key| key.word());
        let finding = Finding::new(
            &ILLEGAL_VALUE,
            set.place.clone(),
            format!("keys of certificates cannot be \"{}\"", set.value),
        );
        findings.push(match why {
            Some(why) => finding.cause(why).help(
                "take it out for `ecdsa-p256`, or choose `ecdsa-p384`, `rsa-3072` or `rsa-4096`",
            ),
            None => finding.maybe_help(suggest(&word, all)),
        });
    }
    trace.record(
        || "tls.key".to_owned(),
        || match given {
            Some(set) => Explained::one(key, "set", set.place.clone()),
            None => Explained::one(key, "unless given", layered.place.clone()),
        },
    );
    key
}

/// Makes what `environment.tls` stands for in expressions.
pub(super) fn names(tls: &Tls) -> Value {
    Value::table([
        ("public", Value::from(tls.public.map(PublicTls::word))),
        ("services", Value::from(tls.services.map(ServicesTls::word))),
        ("authority", Value::from(authority(tls))),
    ])
}

fn public(layered: &Layered, trace: &mut Trace, findings: &mut Vec<Finding>) -> Option<PublicTls> {
    let target = layered.target.value;
    let given = layered.tls.public.as_ref();
    let public = match (target, given) {
        (Target::Kubernetes, None) => return None,
        (Target::Kubernetes, Some(set)) => {
            findings.push(
                Finding::new(
                    &ILLEGAL_VALUE,
                    set.place.clone(),
                    "on Kubernetes the gateway takes the certificate of the public host names from a Secret",
                )
                .help(
                    "take `public` out; `kubernetes.issuer` names the ClusterIssuer that fills the Secret `kubernetes.tls_secret`, \
                     and without an issuer you fill it",
                ),
            );
            return None;
        }
        (_, Some(set)) => set.value,
        (Target::Compose, None) => PublicTls::Off,
        (Target::Swarm, None) => PublicTls::Internal,
    };
    trace.record(
        || "tls.public".to_owned(),
        || match given {
            Some(set) => Explained::one(public, "set", set.place.clone()),
            None => Explained::one(
                public,
                format!("what is public is on {target} unless given"),
                layered.target.place.clone(),
            ),
        },
    );
    Some(public)
}

/// Returns the path of the authority's certificate in services that connect to others by TLS, if they do.
pub(super) fn authority(tls: &Tls) -> Option<String> {
    (tls.services == Some(ServicesTls::Internal)).then(|| format!("{SECRETS}/{AUTHORITY_FILE}"))
}

fn services(
    layered: &Layered,
    trace: &mut Trace,
    findings: &mut Vec<Finding>,
) -> Option<ServicesTls> {
    let given = layered.tls.services.as_ref();
    if layered.target.value == Target::Kubernetes {
        findings.extend(given.map(|set| {
            Finding::new(
                &ILLEGAL_VALUE,
                set.place.clone(),
                "on Kubernetes the mesh encrypts what services say to each other",
            )
            .help("take `services` out: both ends already show certificates of the mesh, which it renews")
        }));
        return None;
    }
    let services = given.map_or(ServicesTls::Off, |set| set.value);
    trace.record(
        || "tls.services".to_owned(),
        || match given {
            Some(set) => Explained::one(services, "set", set.place.clone()),
            None => Explained::one(services, "unless given", layered.place.clone()),
        },
    );
    Some(services)
}

/// Reports times that no certificate can have.
fn check(layered: &Layered, tls: &Tls, findings: &mut Vec<Finding>) {
    let given = &layered.tls;
    let place = |set: &Option<Sourced<Seconds>>| set.as_ref().map(|set| set.place.clone());
    let mut report = |place: Option<Place>, message: String, help: &str| {
        let place = place.unwrap_or_else(|| layered.place.clone());
        findings.push(Finding::new(&ILLEGAL_VALUE, place, message).help(help));
    };
    for (key, set) in [
        ("lifetime", &given.lifetime),
        ("authority_lifetime", &given.authority_lifetime),
    ] {
        let Some(set) = set else { continue };
        let days = set.value.0 > 0 && set.value.0.is_multiple_of(DAY);
        if !days || set.value > LONGEST {
            report(
                Some(set.place.clone()),
                format!("`tls.{key}` is no number of whole days, a hundred years at most"),
                "write it in days: \"90d\"",
            );
        }
    }
    if tls.renew_before >= tls.lifetime {
        report(
            place(&given.renew_before).or_else(|| place(&given.lifetime)),
            format!(
                "certificates are good for {} and renewed {} before their end: each would be renewed as soon as it is made",
                show(tls.lifetime),
                show(tls.renew_before)
            ),
            "renew when a third of the lifetime is left: `lifetime = \"90d\"`, `renew_before = \"30d\"`",
        );
    }
    if tls.authority_lifetime <= tls.lifetime {
        report(
            place(&given.authority_lifetime).or_else(|| place(&given.lifetime)),
            format!(
                "the authority is good for {}, and ends no later than certificates of {} that it issues",
                show(tls.authority_lifetime),
                show(tls.lifetime)
            ),
            "give the authority years: `authority_lifetime = \"3650d\"`",
        );
    }
}

/// Writes a time as people do: in days where it is whole ones.
fn show(time: Seconds) -> String {
    if time.0.is_multiple_of(DAY) {
        format!("{}d", time.0 / DAY)
    } else {
        time.to_string()
    }
}
