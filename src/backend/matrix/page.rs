//! `SECURITY.md`: the matrix of connections and the secrets, for people.

use std::sync::LazyLock;

use serde::Serialize;

use super::{Connection, FlowList, ProofKind};
use crate::backend::readme::{self, Template};
use crate::platform::{Platform, Secret};
use crate::terms::{Encryption, Locale, RotationWay, SecretKind, Target};

static TEMPLATE: Template = Template {
    en: LazyLock::new(|| readme::engine(include_str!("../readme/security.en.hbs"))),
    fr: LazyLock::new(|| readme::engine(include_str!("../readme/security.fr.hbs"))),
};

#[derive(Serialize)]
struct Page<'p> {
    platform: &'p str,
    environment: &'p str,
    flows: Vec<Row<'p>>,
    /// What is encrypted by nothing, most exposed first.
    clear: Vec<ClearRow<'p>>,
    /// What is kept, and what encrypts it there.
    kept: Vec<KeptRow>,
    /// Whether the target is Swarm, or Kubernetes: each keeps containers in bounds in its own way.
    swarm: bool,
    kubernetes: bool,
    /// What a container may that others may not.
    exceptions: Vec<ExceptionRow<'p>>,
    secrets: Vec<SecretRow<'p>>,
}

#[derive(Serialize)]
struct KeptRow {
    name: String,
    place: String,
    system: String,
}

#[derive(Serialize)]
struct ExceptionRow<'p> {
    service: &'p str,
    what: String,
    why: Option<&'p str>,
}

#[derive(Serialize)]
struct Row<'p> {
    from: &'p str,
    to: String,
    port: String,
    protocol: &'p str,
    reason: &'p str,
    encryption: &'static str,
    certificate: Option<&'p str>,
    proofs: String,
}

#[derive(Serialize)]
struct ClearRow<'p> {
    to: String,
    port: String,
    from: String,
    local: bool,
    why: Option<&'p str>,
}

#[derive(Serialize)]
struct SecretRow<'p> {
    name: &'p str,
    value: String,
    every: Option<&'p str>,
    how: &'static str,
    then: Option<&'p str>,
}

/// Renders the page.
pub(super) fn render(platform: &Platform, list: &FlowList) -> String {
    let locale = platform.environment.locale;
    let page = Page {
        platform: &platform.name,
        environment: &platform.environment.name,
        flows: list.flows.iter().map(|flow| row(locale, flow)).collect(),
        clear: clear(list),
        kept: kept(platform),
        swarm: platform.environment.target == Target::Swarm,
        kubernetes: platform.environment.target == Target::Kubernetes,
        exceptions: exceptions(platform),
        secrets: platform
            .secrets
            .iter()
            .map(|secret| secret_row(locale, secret))
            .collect(),
    };
    TEMPLATE.render(platform, &page)
}

/// Chooses the word of a language.
fn word(locale: Locale, en: &'static str, fr: &'static str) -> &'static str {
    match locale {
        Locale::En => en,
        Locale::Fr => fr,
    }
}

/// Lists what is kept: volumes, then copies.
fn kept(platform: &Platform) -> Vec<KeptRow> {
    let environment = &platform.environment;
    let word = |en, fr| word(environment.locale, en, fr);
    let nothing = || {
        word(
            "nothing that the bundle knows of",
            "rien que le paquet connaisse",
        )
        .to_owned()
    };
    let volumes = platform
        .components
        .iter()
        .flat_map(|component| &component.volumes);
    let mut rows: Vec<KeptRow> = volumes
        .map(|volume| {
            let own = environment.cluster.as_ref().map(|cluster| {
                let given = cluster.storage_classes.contains_key(&volume.class);
                (cluster.storage_class(volume.class), given)
            });
            let place = match own {
                Some((Some(class), false)) => format!(
                    "{} `{class}`",
                    word(
                        "storage class of the bundle, encrypted:",
                        "classe de stockage du paquet, chiffrée :"
                    )
                ),
                Some((Some(class), true)) => format!(
                    "{} `{class}`",
                    word(
                        "storage class of yours, for you to say:",
                        "classe de stockage à vous, à vous de le dire :"
                    )
                ),
                Some((None, _)) => word(
                    "the cluster's default storage class: unknown",
                    "la classe de stockage par défaut : inconnu",
                )
                .to_owned(),
                None if environment.storage.encrypted => word(
                    "disks that are encrypted, as the topology says",
                    "des disques chiffrés, d'après la topologie",
                )
                .to_owned(),
                None => nothing(),
            };
            KeptRow {
                name: format!("`{}`", volume.name),
                place,
                system: volume.encryption.clone().unwrap_or_default(),
            }
        })
        .collect();
    if let Some(backup) = &platform.backup {
        let recipients = backup.recipients.len();
        rows.push(KeptRow {
            name: word("backups", "sauvegardes").to_owned(),
            place: String::new(),
            system: match recipients {
                0 => nothing(),
                _ => format!(
                    "age, {recipients} {}",
                    word(
                        "recipient(s), before a copy leaves its job",
                        "destinataire(s), avant qu'une copie quitte sa tâche"
                    )
                ),
            },
        });
    }
    rows
}

/// Lists what containers may that others may not.
fn exceptions(platform: &Platform) -> Vec<ExceptionRow<'_>> {
    let locale = platform.environment.locale;
    let word = |en, fr| word(locale, en, fr);
    let mut rows = Vec::new();
    for service in platform
        .services
        .iter()
        .filter(|service| service.managed.is_none())
    {
        let mut add = |what: String, why| {
            rows.push(ExceptionRow {
                service: &service.name,
                what,
                why,
            });
        };
        if service.user.is_some_and(|(user, _)| user == 0) {
            add("root".to_owned(), service.root.as_deref());
        }
        if service.privileged.is_some() {
            add(
                word(
                    "all rights on its machine",
                    "tous les droits sur sa machine",
                )
                .to_owned(),
                service.privileged.as_deref(),
            );
        }
        if !service.read_only {
            add(
                word(
                    "a root file system that can be written",
                    "une racine accessible en écriture",
                )
                .to_owned(),
                service.writable_root.as_deref(),
            );
        }
        if !service.capabilities.is_empty() {
            add(service.capabilities.join(", "), service.root.as_deref());
        }
    }
    rows
}

fn row(locale: Locale, flow: &Connection) -> Row<'_> {
    let word = |en, fr| word(locale, en, fr);
    Row {
        from: &flow.from,
        to: end(flow),
        port: port(flow),
        protocol: &flow.protocol,
        reason: &flow.reason,
        encryption: match (flow.encryption, flow.local) {
            (Some(Encryption::Tls), _) => "TLS",
            (Some(Encryption::Mesh), _) => word("mutual TLS of the mesh", "TLS mutuel du maillage"),
            (Some(Encryption::Overlay), _) => word(
                "IPsec between machines, clear on them",
                "IPsec entre machines, en clair sur elles",
            ),
            (Some(Encryption::Clear), true) => word(
                "clear, within one machine",
                "en clair, à l'intérieur d'une machine",
            ),
            (Some(Encryption::Clear), false) => word("**clear**", "**en clair**"),
            (None, _) => word("the other side's", "celui de l'autre bout"),
        },
        certificate: flow.certificate.as_deref(),
        proofs: proofs(locale, flow),
    }
}

fn end(flow: &Connection) -> String {
    match &flow.host {
        Some(host) => format!("{} ({host})", flow.to),
        None => flow.to.clone(),
    }
}

fn port(flow: &Connection) -> String {
    flow.port
        .map_or_else(|| "*".to_owned(), |port| port.to_string())
}

fn proofs(locale: Locale, flow: &Connection) -> String {
    let words: Vec<String> = flow
        .authentication
        .iter()
        .map(|proof| {
            let kind = match proof.kind {
                ProofKind::Password => word(locale, "password", "mot de passe"),
                ProofKind::Token => word(locale, "token", "jeton"),
                ProofKind::Certificate => word(locale, "certificate", "certificat"),
                ProofKind::Identity => word(locale, "identity", "identité"),
                ProofKind::Login => word(locale, "log-in", "connexion"),
            };
            match &proof.name {
                Some(name) => format!("{kind} `{name}`"),
                None => kind.to_owned(),
            }
        })
        .collect();
    words.join(", ")
}

/// Lists the ports that something reaches in clear, those that are reached from other machines first.
fn clear(list: &FlowList) -> Vec<ClearRow<'_>> {
    let mut rows: Vec<ClearRow<'_>> = Vec::new();
    let mut flows: Vec<&Connection> = list
        .flows
        .iter()
        .filter(|flow| flow.encryption == Some(Encryption::Clear))
        .collect();
    flows.sort_by_key(|flow| (flow.local, end(flow), flow.port));
    for flow in flows {
        let same = rows
            .last_mut()
            .filter(|row| row.local == flow.local && row.to == end(flow) && row.port == port(flow));
        match same {
            Some(row) if row.from.split(", ").any(|from| from == flow.from) => {}
            Some(row) => row.from = format!("{}, {}", row.from, flow.from),
            None => rows.push(ClearRow {
                to: end(flow),
                port: port(flow),
                from: flow.from.clone(),
                local: flow.local,
                why: flow
                    .clear
                    .as_deref()
                    .or_else(|| flow.redirects().then_some(flow.reason.as_str())),
            }),
        }
    }
    rows
}

fn secret_row(locale: Locale, secret: &Secret) -> SecretRow<'_> {
    let word = |en, fr| word(locale, en, fr);
    let length = secret.length;
    let rotation = secret.rotation.as_ref();
    SecretRow {
        name: &secret.name,
        value: match secret.kind {
            SecretKind::Alphanumeric => match &secret.alphabet {
                None => format!(
                    "{length} {}",
                    word("letters and digits", "lettres et chiffres")
                ),
                Some(letters) => format!("{length} × `{letters}`"),
            },
            SecretKind::Base64 => format!("{length} {}, base64", word("bytes", "octets")),
            SecretKind::Hex => format!("{length} {}, hex", word("bytes", "octets")),
            SecretKind::Given => word("yours", "la vôtre").to_owned(),
            SecretKind::Jwt => word("a signed token", "un jeton signé").to_owned(),
        },
        every: rotation.and_then(|rotation| rotation.every.as_deref()),
        how: match rotation.map(|rotation| rotation.how) {
            None if secret.kind == SecretKind::Jwt => {
                word("with what signs it", "avec ce qui le signe")
            }
            None => word("where it comes from", "là d'où elle vient"),
            Some(RotationWay::Restart) => word("a restart", "un redémarrage"),
            Some(RotationWay::Job) => {
                word("a job, then a restart", "une tâche, puis un redémarrage")
            }
            Some(RotationWay::Steps) => {
                word("by hand, then a restart", "à la main, puis un redémarrage")
            }
            Some(RotationWay::Never) => word("must stay", "doit rester"),
        },
        then: rotation.and_then(|rotation| rotation.then.as_deref()),
    }
}
