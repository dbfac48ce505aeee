//! Compares two outlines: what changes about the platform itself, whatever it is written as.
//!
//! Each section of an outline is a table by name, so that what is compared is a matter of data (`SECTIONS`). Dangers that
//! only the whole shows (room, quorum, who is told of an alert) are found here; those of single fields, in `hazard`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::alerts::{expression, weight};
use super::alike::{follows, pairs};
use super::danger::*;
use super::fields::{self, FieldChange, Path, Step, at, shown, text_at};
use super::hazard::{longer, shorter};
use super::{Act, Change, Layer, images};
use crate::terms::{Encryption, Role};
use crate::units::{Bytes, MilliCpu};

/// A section of an outline.
struct Section {
    /// Its key.
    key: &'static str,
    /// What one entry is called.
    noun: &'static str,
    /// Whether an entry that goes and one that comes may be the same under another name.
    renames: bool,
}

const SECTIONS: &[Section] = &[
    Section {
        key: "components",
        noun: "component",
        renames: true,
    },
    Section {
        key: "services",
        noun: "service",
        renames: true,
    },
    Section {
        key: "flows",
        noun: "flow",
        renames: false,
    },
    Section {
        key: "endpoints",
        noun: "endpoint",
        renames: false,
    },
    Section {
        key: "volumes",
        noun: "volume",
        renames: true,
    },
    Section {
        key: "backups",
        noun: "backup",
        renames: true,
    },
    Section {
        key: "secrets",
        noun: "secret",
        renames: false,
    },
    Section {
        key: "certificates",
        noun: "certificate",
        renames: false,
    },
    Section {
        key: "alerts",
        noun: "alert",
        renames: true,
    },
    Section {
        key: "operators",
        noun: "operator",
        renames: false,
    },
    Section {
        key: "hosts",
        noun: "host",
        renames: true,
    },
];

/// Parts of an outline that are one thing, compared by their fields.
const SINGLES: &[(&str, &str)] = &[
    ("environment", "environment"),
    ("alerting", "alerting"),
    ("identity", "identity"),
    ("accepted", "accepted"),
    ("policies", "policies"),
];

/// Fields that say where something stands, or that follow from others.
const SILENT: &[&str] = &["from", "component", "key"];

/// Compares two outlines.
pub(super) fn compare(old: &Json, new: &Json) -> Vec<Change> {
    let empty = Json::Object(serde_json::Map::new());
    let mut changes = Vec::new();
    for section in SECTIONS {
        let table = |outline: &Json| outline.get(section.key).cloned().unwrap_or(empty.clone());
        entries(section, &table(old), &table(new), &mut changes);
    }
    for (key, noun) in SINGLES {
        let part = |outline: &Json| outline.get(*key).cloned().unwrap_or(empty.clone());
        for change in fields::compare(&part(old), &part(new)) {
            changes.push(field_change(noun, "", change));
        }
    }
    for change in &mut changes {
        judge(old, new, change);
    }
    changes
}

fn entries(section: &Section, old: &Json, new: &Json, changes: &mut Vec<Change>) {
    let (Json::Object(one), Json::Object(other)) = (old, new) else {
        return;
    };
    let mut gone: Vec<&String> = one.keys().filter(|key| !other.contains_key(*key)).collect();
    let mut come: Vec<&String> = other.keys().filter(|key| !one.contains_key(*key)).collect();
    if section.renames {
        for (before, after) in pairs(&mut gone, &mut come, |before, after| {
            likeness(section, before, &one[before], after, &other[after])
        }) {
            let mut change = Change::new(Layer::Platform, section.noun, &after);
            change.act = Act::Renamed {
                from: before.clone(),
            };
            changes.push(change);
            let (old, new) = (&one[&before], &other[&after]);
            for field in fields::compare(old, new) {
                if !is_silent(&field.path) && !follows(&field, &before, &after) {
                    changes.push(field_change(section.noun, &after, field));
                }
            }
        }
    }
    for name in gone {
        let mut change = Change::new(Layer::Platform, section.noun, name);
        change.act = Act::Removed;
        change.old = Some(summary(section.noun, &one[name]));
        changes.push(change);
    }
    for name in come {
        let mut change = Change::new(Layer::Platform, section.noun, name);
        change.act = Act::Added;
        change.new = Some(summary(section.noun, &other[name]));
        changes.push(change);
    }
    for (name, before) in one {
        let Some(after) = other.get(name).filter(|after| *after != before) else {
            continue;
        };
        for field in fields::compare(before, after) {
            if !is_silent(&field.path) {
                changes.push(field_change(section.noun, name, field));
            }
        }
    }
}

/// Says how alike two entries are, in percent of their fields; what only repeats the name counts as equal.
fn likeness(section: &Section, before: &str, old: &Json, after: &str, new: &Json) -> usize {
    let must = match section.noun {
        "component" => Some("blueprint"),
        "service" => Some("key"),
        "volume" => Some("key"),
        "alert" => Some("expr"),
        _ => None,
    };
    if must.is_some_and(|key| old.get(key) != new.get(key)) {
        return 0;
    }
    let count = count(old).max(count(new)).max(1);
    let different = fields::compare(old, new)
        .iter()
        .filter(|field| !is_silent(&field.path) && !follows(field, before, after))
        .count();
    100 * count.saturating_sub(different) / count
}

fn count(value: &Json) -> usize {
    match value {
        Json::Object(table) => table.values().map(count).sum(),
        Json::Array(list) => list.iter().map(count).sum(),
        _ => 1,
    }
}

fn is_silent(path: &Path) -> bool {
    matches!(path.0.as_slice(), [Step::Key(key)] if SILENT.contains(&key.as_str()))
        || matches!(path.0.as_slice(), [Step::Key(one), ..] if one.ends_with("_taken"))
}

fn field_change(noun: &str, name: &str, field: FieldChange) -> Change {
    let mut change = Change::new(Layer::Platform, noun, name);
    change.act = Act::Changed;
    change.field = field.path.to_string();
    change.path = field.path;
    change.old = field.old.as_ref().map(shown);
    change.new = field.new.as_ref().map(shown);
    change
}

/// Describes an entry in a few words.
fn summary(noun: &str, entry: &Json) -> String {
    let word = |key: &str| entry.get(key).map(shown).unwrap_or_default();
    match noun {
        "component" => format!("{} {}", word("blueprint"), word("version")),
        "service" => {
            let replicas = at(entry, &["replicas", "min"])
                .map(shown)
                .unwrap_or_default();
            format!(
                "{}, {replicas} x {}, {}",
                word("kind"),
                word("memory"),
                word("image")
            )
        }
        "flow" => format!(
            "port {} ({}), for {}",
            word("port"),
            word("protocol"),
            word("reason")
        ),
        "endpoint" => word("url"),
        "volume" => format!("{} on {} {}", word("size"), word("storage"), word("class")),
        "secret" => word("purpose"),
        "alert" => format!("{}: {}", word("severity"), word("expr")),
        "host" => format!("{} memory, {} processors", word("memory"), word("cpu")),
        "operator" => format!("{} {}", word("name"), word("version")),
        "certificate" => {
            let names = entry
                .get("names")
                .and_then(Json::as_array)
                .into_iter()
                .flatten();
            names.map(shown).collect::<Vec<_>>().join(", ")
        }
        _ => String::new(),
    }
}

/// Finds what is dangerous about a change.
fn judge(old: &Json, new: &Json, change: &mut Change) {
    let name = change.name.clone();
    let entry = |outline: &'_ Json, section: &str| at(outline, &[section, &name]).cloned();
    let (before, after) = (
        change.old.clone().unwrap_or_default(),
        change.new.clone().unwrap_or_default(),
    );
    let words: Vec<String> = change.path.words().into_iter().map(str::to_owned).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut risks = Vec::new();
    match (change.noun.as_str(), &change.act) {
        ("component", Act::Changed) => {
            component(&name, &words, &before, &after, (old, new), &mut risks);
        }
        ("service", Act::Changed) => service(&name, &words, &before, &after, old, new, &mut risks),
        ("service", Act::Removed) => {
            let kind = entry(old, "services");
            if kind.as_ref().and_then(|entry| text_at(entry, &["kind"])) == Some("stateful") {
                risks.push(
                    STORE_REMOVED.risk(format!("service `{name}` is removed, and it stores data")),
                );
            }
        }
        ("flow", Act::Added) => {
            let entry = entry(new, "flows").unwrap_or_default();
            let end = |key: &str| text_at(&entry, &[key]).unwrap_or_default().to_owned();
            // A service that is new itself is judged as a whole.
            let known = |service: &str| at(old, &["services", service]).is_some();
            let level = if known(&end("from")) && known(&end("to")) {
                Level::Medium
            } else {
                Level::Low
            };
            risks.push(
                FLOW_ADDED
                    .risk(format!(
                        "`{}` may connect to `{}` on port {}",
                        end("from"),
                        end("to"),
                        at(&entry, &["port"]).map(shown).unwrap_or_default()
                    ))
                    .level(level),
            );
        }
        ("flow", Act::Changed) if words == ["encryption"] => {
            let words = (
                Encryption::from_word(&before),
                Encryption::from_word(&after),
            );
            // What weakens all connections is said once, of the whole.
            let whole = [
                ["environment", "target"].as_slice(),
                &["environment", "kubernetes", "mesh"],
                &["policies", "tls_services"],
            ];
            if matches!(words, (Some(was), Some(is)) if was < is)
                && whole.iter().all(|keys| at(old, keys) == at(new, keys))
            {
                risks.push(
                    TLS_WEAKENED.risk(format!("`{name}` is {after}; it was encrypted by {before}")),
                );
            }
        }
        ("endpoint", Act::Added) => {
            risks.push(HOST_PUBLISHED.risk(format!("`{after}` is newly public")))
        }
        ("endpoint", Act::Changed) if words == ["url"] => {
            if before.starts_with("https:") && after.starts_with("http:") {
                risks.push(TLS_WEAKENED.risk(format!("`{after}` is plain; it was `{before}`")));
            } else {
                risks.push(HOST_PUBLISHED.risk(format!("`{after}` is newly public")));
            }
        }
        ("volume", Act::Removed) => {
            risks.push(STORE_REMOVED.risk(format!("volume `{name}` is removed")))
        }
        ("volume", Act::Renamed { from }) => {
            risks.push(
                VOLUME_EMPTIED.risk(format!("volume `{from}` is `{name}` now, and begins empty")),
            );
        }
        ("volume", Act::Changed) => {
            match words.as_slice() {
                // Engines know no sizes of volumes: there it is a number to plan with.
                ["size"]
                    if shorter_bytes(&before, &after)
                        && text_at(new, &["environment", "target"]) == Some("kubernetes") =>
                {
                    risks.push(VOLUME_SHRUNK.risk(format!(
                        "volume `{name}` is to shrink from {before} to {after}"
                    )));
                }
                ["class" | "storage"] => {
                    risks.push(VOLUME_EMPTIED.risk(format!("volume `{name}` lies on {after} instead of {before}, and begins empty there")));
                }
                _ => {}
            }
        }
        ("backup", Act::Removed) => {
            risks.push(BACKUP_REMOVED.risk(format!("`{name}` is no longer backed up")))
        }
        ("backup", Act::Changed) => backup(&name, &words, &before, &after, &mut risks),
        ("alert", Act::Removed) => {
            // One that goes with what it is about is nobody's loss.
            let component = name.split('/').next().unwrap_or_default();
            let stays = at(new, &["components", component]).is_some();
            let level = if stays { Level::High } else { Level::Low };
            risks.push(
                ALERT_REMOVED
                    .risk(format!("alert `{name}` is gone"))
                    .level(level),
            );
        }
        ("alert", Act::Changed) => match words.as_slice() {
            ["severity"] if weight(&after) < weight(&before) => {
                risks.push(
                    ALERT_SILENCED.risk(format!("alert `{name}` is {after} instead of {before}")),
                );
            }
            ["hold"] if longer(&before, &after) => {
                risks.push(ALERT_LOOSENED.risk(format!(
                    "alert `{name}` must hold for {after} instead of {}",
                    or_none(&before)
                )));
            }
            ["expr"] => risks.extend(expression(&name, &before, &after)),
            ["told", who] if change.new.is_none() => {
                let alone = at(new, &["alerts", &name, "told"])
                    .and_then(Json::as_array)
                    .is_none_or(Vec::is_empty);
                let level = if alone { Level::High } else { Level::Medium };
                risks.push(
                    ALERT_SILENCED
                        .risk(format!("`{who}` is no longer told of alert `{name}`"))
                        .level(level),
                );
            }
            ["told"] if change.new.is_none() => {
                risks.push(
                    ALERT_SILENCED
                        .risk(format!("nobody is told of alert `{name}` any more"))
                        .level(Level::High),
                );
            }
            _ => {}
        },
        ("operator", Act::Changed) if words == ["version"] && images::is_major(&before, &after) => {
            risks.push(VERSION_MAJOR.risk(format!(
                "operator `{name}` must be {after}, it was {before}"
            )));
        }
        ("host", Act::Removed) => risks.push(ZONE_LOST.risk(format!("host `{name}` is gone"))),
        ("host", Act::Changed)
            if matches!(words.as_slice(), ["memory" | "cpu"])
                && (shorter_bytes(&before, &after) || less_cpu(&before, &after)) =>
        {
            risks.push(
                ZONE_LOST
                    .risk(format!(
                        "host `{name}` has {after} of {} instead of {before}",
                        words[0]
                    ))
                    .level(Level::Low),
            );
        }
        ("certificate", Act::Removed) => {
            let services = at(old, &["certificates", &name, "services"]).and_then(Json::as_array);
            let stay = services.is_some_and(|list| {
                list.iter().any(|service| {
                    service
                        .as_str()
                        .is_some_and(|service| at(new, &["services", service]).is_some())
                })
            });
            if stay {
                risks.push(TLS_WEAKENED.risk(format!(
                    "certificate `{name}` is gone, and what used it stays"
                )));
            }
        }
        ("identity", Act::Changed) => identity(&words, &before, &after, old, new, &mut risks),
        ("accepted", Act::Changed)
            if change.old.is_none() || matches!(words[..], [_, "severity"]) =>
        {
            risks.extend(words.first().map(|code| accepted(code, new)));
        }
        ("environment" | "alerting" | "policies", Act::Changed) => {
            whole(&change.noun, &words, &change.old, &change.new, &mut risks);
        }
        _ => {}
    }
    change.risks.extend(risks);
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "nothing" } else { text }
}

fn or_usual(text: &str) -> &str {
    if text.is_empty() {
        "the target's own place"
    } else {
        text
    }
}

fn shorter_bytes(old: &str, new: &str) -> bool {
    matches!((Bytes::parse(old), Bytes::parse(new)), (Some(old), Some(new)) if new < old)
}

fn less_cpu(old: &str, new: &str) -> bool {
    matches!((MilliCpu::parse(old), MilliCpu::parse(new)), (Some(old), Some(new)) if new < old)
}

fn component(
    name: &str,
    words: &[&str],
    old: &str,
    new: &str,
    (before, outline): (&Json, &Json),
    risks: &mut Vec<Risk>,
) {
    match words {
        ["login"] if new == "nobody" => risks.push(AUTHENTICATION_REMOVED.risk(format!(
            "component `{name}` asks nobody any more who they are"
        ))),
        // Where all systems do, it is said once, of the whole.
        ["login"] if new == LOCAL && text_at(outline, LOGIN) == text_at(before, LOGIN) => {
            risks.push(LOGIN_LOCAL.risk(format!(
                "component `{name}` has accounts of its own; people logged in by {old}"
            )));
        }
        ["front"] if new.is_empty() => risks.push(AUTHENTICATION_REMOVED.risk(format!(
            "`{old}` no longer stands before component `{name}`"
        ))),
        ["version"] => {
            if images::is_older(old, new) {
                risks.push(
                    IMAGE_DOWNGRADED
                        .risk(format!("component `{name}` goes back from {old} to {new}")),
                );
            } else if images::is_major(old, new) {
                risks.push(
                    VERSION_MAJOR.risk(format!("component `{name}` goes from {old} to {new}")),
                );
            } else {
                risks.push(
                    IMAGE_CHANGED.risk(format!("component `{name}` goes from {old} to {new}")),
                );
            }
        }
        ["license"] => risks.push(LICENCE_CHANGED.risk(format!(
            "component `{name}` is under {new} instead of {old}"
        ))),
        ["accounts", user] if new.is_empty() && !old.is_empty() => {
            risks.push(LOGIN_REMOVED.risk(format!(
                "component `{name}` has no account `{user}` any more"
            )));
        }
        ["options", option, ..] => {
            let option_words = option.to_lowercase();
            let off = matches!(
                new,
                "false" | "none" | "off" | "disabled" | "anonymous" | ""
            );
            let is = |parts: &[&str]| parts.iter().any(|part| option_words.contains(part));
            if off && is(&["auth", "login", "password", "oidc", "oauth", "ldap", "saml"]) {
                risks.push(AUTHENTICATION_REMOVED.risk(format!(
                    "component `{name}`: {option} is {} instead of {old}",
                    or_none(new)
                )));
            } else if off && is(&["tls", "encrypt", "sse", "https"]) {
                risks.push(TLS_WEAKENED.risk(format!(
                    "component `{name}`: {option} is {} instead of {old}",
                    or_none(new)
                )));
            } else if off && is(&["backup", "snapshot", "versioning", "mirror"]) {
                risks.push(BACKUP_REMOVED.risk(format!(
                    "component `{name}`: {option} is {} instead of {old}",
                    or_none(new)
                )));
            } else if is(&["retention", "keep"]) && shorter(old, new) {
                risks.push(RETENTION_SHORTENED.risk(format!(
                    "component `{name}`: {option} is {new} instead of {old}"
                )));
            } else if is(&["anonymous"]) && new == "true" {
                risks.push(
                    AUTHENTICATION_REMOVED
                        .risk(format!("component `{name}` lets people in without a login")),
                );
            }
        }
        ["blueprint"] => {
            let stores = outline
                .get("volumes")
                .and_then(Json::as_object)
                .is_some_and(|volumes| {
                    volumes
                        .values()
                        .any(|volume| text_at(volume, &["component"]) == Some(name))
                });
            if stores {
                risks.push(VOLUME_EMPTIED.risk(format!("component `{name}` is another system, which cannot read what the old one stored")));
            }
        }
        _ => {}
    }
}

fn service(
    name: &str,
    words: &[&str],
    old: &str,
    new: &str,
    before: &Json,
    after: &Json,
    risks: &mut Vec<Risk>,
) {
    let number = |text: &str| text.parse::<u64>().ok();
    let entry = at(after, &["services", name]).cloned().unwrap_or_default();
    match words {
        ["replicas", bound] => {
            let (Some(least), Some(now)) = (number(old), number(new)) else {
                return;
            };
            let quorum = entry.get("quorum").and_then(Json::as_u64).unwrap_or(1);
            if *bound == "min" && now == 0 {
                risks
                    .push(REPLICAS_ZERO.risk(format!("nothing of service `{name}` runs any more")));
            } else if *bound == "min" && now < quorum {
                risks.push(QUORUM_LOST.risk(format!(
                    "service `{name}` runs {now} times, and needs {quorum} to work"
                )));
            } else if now < least {
                let level = if *bound == "max" {
                    Level::Low
                } else {
                    Level::Medium
                };
                risks.push(
                    REPLICAS_REDUCED
                        .risk(format!(
                            "service `{name}` runs {now} times {}, not {least}",
                            if *bound == "max" {
                                "at most"
                            } else {
                                "at least"
                            }
                        ))
                        .level(level),
                );
            }
        }
        ["scale"] if new.is_empty() => risks
            .push(AUTOSCALER_REMOVED.risk(format!("service `{name}` no longer follows the load"))),
        ["kind"] => {
            risks.push(KIND_CHANGED.risk(format!("service `{name}` is {new}, it was {old}")))
        }
        ["image"] => risks.extend(images::risks(&format!("service `{name}`"), old, new)),
        ["memory"] if shorter_bytes(old, new) => {
            risks
                .push(MEMORY_LOWERED.risk(format!("service `{name}` gets {new} instead of {old}")));
        }
        ["probe"] if new.is_empty() => risks.push(PROBE_REMOVED.risk(format!(
            "nobody asks any more whether service `{name}` is well"
        ))),
        ["ports", port, "publish"] | ["ports", port] if !new.is_empty() => {
            let published = at(&entry, &["ports", port, "publish"]).map(shown);
            if published.as_deref() == Some("host") {
                risks.push(PORT_PUBLISHED.risk(format!(
                    "service `{name}` opens its port `{port}` on the host"
                )));
            }
        }
        ["secrets", secret] => {
            if old.is_empty() {
                risks.push(
                    SECRET_READ.risk(format!("service `{name}` may read the secret `{secret}`")),
                );
            } else {
                lost_login(name, secret, before, after, risks);
            }
        }
        ["certificate"] if new.is_empty() => {
            risks.push(TLS_WEAKENED.risk(format!("service `{name}` has no certificate any more")))
        }
        ["egress", host] if old.is_empty() => {
            let level = if *host == "anything" {
                Level::High
            } else {
                Level::Medium
            };
            risks.push(
                EGRESS_WIDENED
                    .risk(format!("service `{name}` may reach {host} outside"))
                    .level(level),
            );
        }
        ["egress"] if !new.is_empty() && old.is_empty() => {
            risks.push(EGRESS_WIDENED.risk(format!("service `{name}` may reach {new} outside")));
        }
        ["cluster_api", right] if old.is_empty() => {
            let all = right.contains('*') || right.contains("secrets");
            let level = if all { Level::High } else { Level::Medium };
            risks.push(
                ROLE_WIDENED
                    .risk(format!("service `{name}` may {right}"))
                    .level(level),
            );
        }
        ["cluster_api"] if !new.is_empty() => {
            risks.push(ROLE_WIDENED.risk(format!("service `{name}` talks to the cluster's API")))
        }
        ["privileged"] if new == "true" => risks
            .push(PRIVILEGE_ADDED.risk(format!("service `{name}` has all rights on its machine"))),
        ["read_only"] if new != "true" => {
            risks.push(
                PRIVILEGE_ADDED
                    .risk(format!("service `{name}` can change its own files"))
                    .level(Level::Medium),
            );
        }
        ["capabilities", which] if old.is_empty() => {
            risks.push(PRIVILEGE_ADDED.risk(format!("service `{name}` has the capability {which}")))
        }
        ["user"] if new.is_empty() || new.starts_with("0:") => {
            risks.push(PRIVILEGE_ADDED.risk(format!("service `{name}` may run as root")))
        }
        ["host_folders", path] if !new.is_empty() => risks.push(HOST_ACCESS.risk(format!(
            "service `{name}` sees {new} of its machine at {path}"
        ))),
        ["scrapes", what] if new.is_empty() => risks
            .push(SCRAPE_REMOVED.risk(format!("service `{name}` is no longer measured at {what}"))),
        ["scrapes"] if new.is_empty() => {
            risks.push(SCRAPE_REMOVED.risk(format!("service `{name}` is no longer measured")))
        }
        ["placement", ..] => {
            let hosts = |outline: &Json| {
                let list = at(outline, &["services", name, "placement"])
                    .and_then(Json::as_array)
                    .cloned()
                    .unwrap_or_default();
                list.iter().map(shown).collect::<BTreeSet<_>>()
            };
            let (one, other) = (hosts(before), hosts(after));
            let kept = at(after, &["services", name, "volumes"]).is_some();
            if !old.is_empty() && new.is_empty() && kept && one.len() <= other.len() {
                risks.push(VOLUME_EMPTIED.risk(format!(
                    "service `{name}` leaves the host `{old}`, and its volume stays there"
                )));
            } else if other.len() < one.len() {
                risks.push(SPREAD_REMOVED.risk(format!(
                    "service `{name}` stands on {} hosts instead of {}",
                    other.len(),
                    one.len()
                )));
            }
        }
        ["update_together"] if new == "true" => risks.push(UPDATE_AT_ONCE.risk(format!(
            "members of service `{name}` are exchanged all at once"
        ))),
        ["schedule"] if new.is_empty() => {
            risks.push(SUSPENDED.risk(format!("service `{name}` no longer runs by itself")))
        }
        _ => {}
    }
}

/// Says whether a service may read a secret.
fn reads(outline: &Json, service: &str, secret: &str) -> bool {
    let secrets = at(outline, &["services", service, "secrets"]).and_then(Json::as_array);
    secrets.is_some_and(|secrets| secrets.iter().any(|one| one == secret))
}

/// A secret that is no longer read, while the connection that it protected stays.
fn lost_login(name: &str, secret: &str, before: &Json, after: &Json, risks: &mut Vec<Risk>) {
    let from_here = |flow: &&Json| text_at(flow, &["from"]) == Some(name);
    let flows = |outline: &Json| -> BTreeMap<String, Json> {
        let table = outline.get("flows").and_then(Json::as_object);
        let all = table.into_iter().flatten();
        all.filter(|(_, flow)| from_here(flow))
            .map(|(key, flow)| (key.clone(), flow.clone()))
            .collect()
    };
    let kept = flows(before);
    let still = flows(after);
    let component = |service: &str| text_at(before, &["services", service, "component"]);
    let leads = kept.iter().any(|(key, flow)| {
        let to = text_at(flow, &["to"]).unwrap_or_default();
        let of_it = component(to).is_some_and(|component| secret.starts_with(component));
        // Within a component any secret begins with its name: this is one for the connection if the other end has it too.
        let other = component(to) != component(name) || reads(before, to, secret);
        still.contains_key(key) && of_it && other
    });
    if leads {
        risks.push(AUTHENTICATION_REMOVED.risk(format!(
            "service `{name}` connects without the secret `{secret}`"
        )));
    }
}

fn backup(name: &str, words: &[&str], old: &str, new: &str, risks: &mut Vec<Risk>) {
    match words {
        ["retention", unit] if shorter(old, new) => risks.push(RETENTION_SHORTENED.risk(format!(
            "copies of `{name}` are kept of {new} {unit} instead of {old}"
        ))),
        ["interval"] if longer(old, new) => risks.push(BACKUP_RARER.risk(format!(
            "up to {new} pass from one copy of `{name}` to the next, not {old}"
        ))),
        ["recovery_point"] if longer(old, new) => risks.push(BACKUP_RARER.risk(format!(
            "up to {new} of `{name}` may be lost, not {old}"
        ))),
        ["drill"] if new.is_empty() => risks.push(RESTORE_UNTESTED.risk(format!(
            "nobody tries any more whether copies of `{name}` can be put back"
        ))),
        ["offsite"] if new.is_empty() => risks.push(BACKUP_REMOVED.risk(format!(
            "copies of `{name}` are no longer sent to {old}: they are lost with what they were made of"
        ))),
        ["volumes", volume] if new.is_empty() => risks.push(
            BACKUP_REMOVED.risk(format!("the volume `{volume}` of `{name}` is no longer copied")),
        ),
        ["recipients", ..] if new.is_empty() => risks.push(RESTORE_UNTESTED.risk(format!(
            "new copies of `{name}` cannot be read with the key of {old}"
        ))),
        _ => {}
    }
}

/// Where an outline says how people log in.
const LOGIN: &[&str] = &["identity", "kind"];

/// The word for accounts that systems keep themselves.
const LOCAL: &str = "local";

fn identity(
    words: &[&str],
    old: &str,
    new: &str,
    before: &Json,
    after: &Json,
    risks: &mut Vec<Risk>,
) {
    match words {
        ["kind"] if new == LOCAL => risks.push(LOGIN_LOCAL.risk(format!(
            "systems have accounts of their own; people logged in by {old}"
        ))),
        ["kind"] if !matches!(old, "" | LOCAL) => {
            risks.push(IDENTITY_MOVED.risk(format!("people log in by {new} instead of {old}")));
        }
        ["oidc", "issuer"] | ["ldap", "server"] if !old.is_empty() && !new.is_empty() => {
            risks.push(IDENTITY_MOVED.risk(format!(
                "`{new}` says who people are, not `{old}`"
            )));
        }
        ["ldap", part] if !old.is_empty() => risks.push(
            IDENTITY_MOVED
                .risk(format!(
                    "other entries of the directory are people, or their groups: {part} is {} instead of {old}",
                    or_none(new)
                ))
                .level(Level::Medium),
        ),
        ["roles", role, group] if old.is_empty() => risks.push(granted(role, group)),
        // All at once: a role, or every one.
        ["roles", rest @ ..] if !new.is_empty() => {
            let roles = at(after, &["identity", "roles"]).and_then(Json::as_object);
            let given = roles.into_iter().flatten();
            let given = given.filter(|(role, _)| rest.is_empty() || rest == [role.as_str()]);
            for (role, groups) in given {
                let held = at(before, &["identity", "roles", role]).and_then(Json::as_array);
                let fresh = groups.as_array().into_iter().flatten();
                let fresh = fresh.filter(|group| held.is_none_or(|held| !held.contains(group)));
                risks.extend(fresh.map(|group| granted(role, &shown(group))));
            }
        }
        _ => {}
    }
}

fn granted(role: &str, group: &str) -> Risk {
    let risk = ROLE_GRANTED.risk(format!("members of `{group}` are {role} in every system"));
    if role == Role::Admin.to_string() {
        risk.level(Level::High)
    } else {
        risk
    }
}

fn accepted(code: &str, outline: &Json) -> Risk {
    let entry = |key: &str| text_at(outline, &["accepted", code, key]).unwrap_or_default();
    let level = match entry("severity") {
        "error" => Level::High,
        "warning" => Level::Medium,
        _ => Level::Low,
    };
    FINDING_ACCEPTED
        .risk(format!("`{code}` is accepted: {}", entry("reason")))
        .level(level)
}

fn whole(
    noun: &str,
    words: &[&str],
    old: &Option<String>,
    new: &Option<String>,
    risks: &mut Vec<Risk>,
) {
    let (before, after) = (
        old.as_deref().unwrap_or_default(),
        new.as_deref().unwrap_or_default(),
    );
    match (noun, words) {
        ("environment", ["bind"]) if before.starts_with("127.") || before == "::1" => {
            risks.push(BIND_WIDENED.risk(format!(
                "published ports are bound to {after} instead of {before}"
            )));
        }
        ("environment", ["scheme"]) if after == "http" => {
            risks.push(TLS_WEAKENED.risk("web interfaces are reached over plain HTTP"));
        }
        ("environment", ["kubernetes", "mesh"]) if after != "true" => {
            risks.push(
                TLS_WEAKENED.risk("pods leave the mesh: no mutual TLS, no check of who calls"),
            );
        }
        ("environment", ["kubernetes", "namespace"]) => {
            risks.push(NAMESPACE_REMOVED.risk(format!(
                "everything moves from the namespace `{before}` to `{after}`, with empty volumes"
            )));
        }
        ("environment", ["zones", zone]) if new.is_none() => {
            risks.push(ZONE_LOST.risk(format!("nothing runs in the zone `{zone}` any more")))
        }
        ("environment", ["availability"]) if after == "single" => {
            risks.push(REPLICAS_REDUCED.risk("the environment need not survive losses any more"));
        }
        ("environment", ["target"]) => risks.push(
            KIND_CHANGED
                .risk(format!(
                    "the environment moves from {before} to {after}: everything starts anew"
                ))
                .level(Level::High),
        ),
        ("environment", ["storage"]) => risks.push(VOLUME_EMPTIED.risk(format!(
            "volumes lie on {after} instead of {before}, and begin empty there"
        ))),
        ("environment", ["trace_percent"]) if shorter(before, after) || new.is_none() => {
            risks.push(TRACES_REDUCED.risk(format!(
                "{} % of requests are traced instead of {before} %",
                if new.is_none() { "0" } else { after }
            )));
        }
        ("environment", ["registry"]) if !before.is_empty() => {
            risks.push(REGISTRY_CHANGED.risk(format!(
                "built images come from `{}` instead of `{before}`",
                or_none(after)
            )))
        }
        ("alerting", ["receivers", who, ..]) if new.is_none() => risks.push(ALERT_SILENCED.risk(
            format!("receiver `{who}` is told in fewer ways, or not at all"),
        )),
        ("alerting", ["receivers"]) if new.is_none() => risks.push(
            ALERT_SILENCED
                .risk("nobody is told of alerts any more")
                .level(Level::High),
        ),
        ("alerting", ["quiet_hours", ..]) if new.is_some() => {
            risks.push(QUIET_HOURS_ADDED.risk(format!("quiet hours are {after}")))
        }
        ("alerting", ["heartbeat"]) if new.is_none() => risks
            .push(ALERT_SILENCED.risk("nobody notices any more when the alerting itself is down")),
        ("alerting", ["sender" | "watcher"]) if new.is_none() => risks.push(
            ALERT_SILENCED
                .risk(format!("`{before}` is gone: nobody is told of anything"))
                .level(Level::High),
        ),
        ("alerting", ["probes", url]) if new.is_none() => {
            risks.push(SCRAPE_REMOVED.risk(format!("nobody asks any more whether {url} answers")))
        }
        ("policies", ["licenses_refused", license]) if new.is_none() => {
            risks.push(TRUST_WIDENED.risk(format!("{license} is no longer refused")))
        }
        ("policies", ["licenses_accepted"]) if new.is_none() => {
            risks.push(TRUST_WIDENED.risk("any licence is accepted"))
        }
        ("policies", ["licenses_accepted", license]) if new.is_some() => {
            risks.push(TRUST_WIDENED.risk(format!("{license} is accepted")))
        }
        ("policies", ["tls_public"]) if matches!(after, "off" | "") => {
            risks.push(TLS_WEAKENED.risk("public host names have no certificate any more"))
        }
        ("policies", ["tls_services"]) if matches!(after, "off" | "") => {
            risks.push(TLS_WEAKENED.risk("services speak in clear among themselves"))
        }
        ("policies", ["secret_store"]) => risks.push(SECRETS_MOVED.risk(format!(
            "secrets are kept in {} instead of {}",
            or_usual(after),
            or_usual(before)
        ))),
        ("policies", ["disks_encrypted"]) if after != "true" => {
            risks.push(DISK_IN_CLEAR.risk("nobody says any more that disks are encrypted"));
        }
        ("policies", ["tls_lifetime"]) if shorter(after, before) => {
            risks.push(
                TLS_WEAKENED
                    .risk(format!(
                        "certificates are good for {after} instead of {before}"
                    ))
                    .level(Level::Low),
            );
        }
        ("policies", ["pod_security"]) => {
            const STANDARDS: &[&str] = &["privileged", "baseline", "restricted"];
            let rank = |text: &str| STANDARDS.iter().position(|known| *known == text);
            if rank(after) < rank(before) {
                risks.push(PRIVILEGE_ADDED.risk(format!(
                    "pods must only meet the standard `{after}`, not `{before}`"
                )));
            }
        }
        _ => {}
    }
}
