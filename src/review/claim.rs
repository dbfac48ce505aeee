//! Which fields of files only say again what was said of the platform.
//!
//! A change of the platform claims the fields in which it shows: they add their effect and their risks to it, and are not
//! said on their own. What nobody claims is said as it is.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::effect::Outcome;
use super::fields::{at, text_at};
use super::origin::Origin;
use super::units::Found;
use super::{Act, Change};
use crate::terms::Target;

/// Fields of a service in an outline, and the parts of paths in which each shows. `*` is any one step.
const FIELDS: &[(&str, &[&str])] = &[
    (
        "replicas",
        &[
            "spec.replicas",
            "spec.minReplicas",
            "spec.maxReplicas",
            "spec.instances",
            "deploy.replicas",
            "scale",
        ],
    ),
    (
        "scale",
        &["spec.metrics", "spec.minReplicas", "spec.maxReplicas"],
    ),
    ("quorum", &["spec.maxUnavailable", "spec.minAvailable"]),
    (
        "image",
        &[
            "containers.*.image",
            "initContainers.*.image",
            "=image",
            "imageName",
        ],
    ),
    (
        "memory",
        &["limits.memory", "requests.memory", "reservations.memory"],
    ),
    ("cpu", &["requests.cpu", "reservations.cpus"]),
    ("cpu_limit", &["limits.cpu", "limits.cpus"]),
    ("schedule", &["spec.schedule"]),
    (
        "probe",
        &[
            "livenessProbe",
            "readinessProbe",
            "startupProbe",
            "=healthcheck",
        ],
    ),
    ("ports", &["containers.*.ports", "spec.ports", "=ports"]),
    (
        "volumes",
        &["volumeMounts", "volumeClaimTemplates", "=volumes"],
    ),
    (
        "host_folders",
        &[
            "hostPath",
            "volumeMounts",
            "=volumes",
            "template.spec.volumes",
        ],
    ),
    (
        "secrets",
        &[
            "template.spec.volumes",
            "sources",
            "secretKeyRef",
            "=secrets",
        ],
    ),
    (
        "certificate",
        &["template.spec.volumes", "=secrets", "=volumes"],
    ),
    (
        "user",
        &[
            "runAsUser",
            "runAsGroup",
            "fsGroup",
            "runAsNonRoot",
            "=user",
            "=tmpfs",
        ],
    ),
    ("privileged", &["securityContext.privileged", "=privileged"]),
    ("read_only", &["readOnlyRootFilesystem", "=read_only"]),
    ("capabilities", &["capabilities.add", "=cap_add"]),
    ("placement", &["placement.constraints", "nodeSelector"]),
    (
        "update_together",
        &[
            "updateStrategy",
            "deploy.update_config",
            "podManagementPolicy",
        ],
    ),
    ("profile", &["=profiles"]),
];

/// Says whether the words of a path have a part.
fn shows(words: &[&str], part: &str) -> bool {
    let (start, part) = match part.strip_prefix('=') {
        Some(part) => (true, part),
        None => (false, part),
    };
    let steps: Vec<&str> = part.split('.').collect();
    let mut windows = words.windows(steps.len());
    let fits = |window: &[&str]| {
        steps
            .iter()
            .zip(window)
            .all(|(step, word)| *step == "*" || step == word)
    };
    if start {
        words.len() >= steps.len() && fits(&words[..steps.len()])
    } else {
        windows.any(fits)
    }
}

/// Says which component and service a change of the platform is about.
pub(super) fn attribute(change: &mut Change, old: Option<&Json>, new: Option<&Json>) {
    let entry = |section: &str| {
        let find = |outline: Option<&Json>| at(outline?, &[section, &change.name]).cloned();
        find(new).or_else(|| find(old))
    };
    let text = |entry: &Option<Json>, key: &str| {
        entry
            .as_ref()
            .and_then(|entry| text_at(entry, &[key]))
            .map(str::to_owned)
    };
    match change.noun.as_str() {
        "component" => change.component = Some(change.name.clone()),
        "service" => {
            change.component = text(&entry("services"), "component");
            change.service = Some(change.name.clone());
        }
        "volume" => change.component = text(&entry("volumes"), "component"),
        "endpoint" => change.service = text(&entry("endpoints"), "service"),
        "alert" => {
            change.component = change
                .name
                .split_once('/')
                .map(|(component, _)| component.to_owned())
        }
        _ => {}
    }
}

/// Folds what was found in files into the changes of the platform, and returns all that is to be said.
pub(super) fn fold(mut changes: Vec<Change>, found: Vec<Found>, target: Target) -> Vec<Change> {
    let index = Index::of(&changes);
    let mut rest: Vec<Found> = Vec::new();
    for one in found {
        match index.claimant(&changes, &one, target) {
            Some(at) => changes[at].absorb(one.change),
            None => rest.push(one),
        }
    }
    raise(&mut changes, &rest);
    // What follows from something else is told apart, if that something is said.
    let mut said: BTreeSet<&str> = BTreeSet::new();
    for change in changes.iter().chain(
        rest.iter()
            .filter(|one| !one.derived)
            .map(|one| &one.change),
    ) {
        said.extend(change.component.as_deref());
        said.extend(change.service.as_deref());
    }
    let anything = !changes.is_empty() || rest.iter().any(|one| !one.derived);
    let repeated: Vec<bool> = rest
        .iter()
        .map(|one| {
            let owners = [
                one.change.service.as_deref(),
                one.change.component.as_deref(),
            ];
            let mut owners = owners.into_iter().flatten().peekable();
            let of_nobody = owners.peek().is_none() && anything;
            one.derived && (of_nobody || owners.any(|owner| said.contains(owner)))
        })
        .collect();
    for (mut one, follows) in rest.into_iter().zip(repeated) {
        one.change.follows = follows;
        changes.push(one.change);
    }
    changes
}

/// Gives changes of a component's options the effect that its files and digests have: that is where options show.
fn raise(changes: &mut [Change], rest: &[Found]) {
    let mut worst: BTreeMap<&str, &Outcome> = BTreeMap::new();
    for one in rest {
        let shows = one.derived
            || matches!(
                one.change.noun.as_str(),
                "ConfigMap" | "Secret" | "config" | "file"
            );
        if let Some(component) = one.change.component.as_deref().filter(|_| shows) {
            let known = worst.entry(component).or_insert(&one.change.outcome);
            *known = (*known).max(&one.change.outcome);
        }
    }
    for change in changes {
        let is_setting = change.noun == "component" && change.act == Act::Changed;
        if is_setting
            && let Some(outcome) = worst.get(change.name.as_str())
            && change.outcome.effect < outcome.effect
        {
            change.outcome = (*outcome).clone();
        }
    }
}

/// Marks options that only say what a change of a service or volume says, from the same line.
pub(super) fn restated(changes: &mut [Change]) {
    let line = |change: &Change| {
        let place = |list: &[Origin]| {
            list.first()
                .map(|origin| (origin.file.clone(), origin.span))
        };
        let both = (place(&change.old_origins), place(&change.new_origins));
        (both.0.is_some() && both.1.is_some()).then_some(both)
    };
    let known: BTreeSet<_> = changes
        .iter()
        .filter(|change| matches!(change.noun.as_str(), "service" | "volume"))
        .filter_map(line)
        .collect();
    for change in changes {
        let is_option = change.noun == "component" && root(change) == "options";
        change.follows |= is_option && line(change).is_some_and(|line| known.contains(&line));
    }
}

/// Changes of the platform by what they are about.
struct Index {
    /// Services that came or went as a whole.
    services: BTreeMap<String, usize>,
    /// Components likewise.
    components: BTreeMap<String, usize>,
    /// Fields of services that changed.
    fields: BTreeMap<String, Vec<usize>>,
    /// Connections by the services at their ends.
    flows: BTreeMap<String, Vec<usize>>,
    /// Volumes.
    volumes: BTreeMap<String, Vec<usize>>,
    /// Alerts by their names.
    alerts: BTreeMap<String, Vec<usize>>,
    /// Versions of components.
    versions: BTreeMap<String, usize>,
    /// Addresses, by service.
    endpoints: BTreeMap<String, Vec<usize>>,
    /// Certificates by the services that have them.
    certificates: BTreeMap<String, usize>,
}

impl Index {
    fn of(changes: &[Change]) -> Self {
        let mut index = Self {
            services: BTreeMap::new(),
            components: BTreeMap::new(),
            fields: BTreeMap::new(),
            flows: BTreeMap::new(),
            volumes: BTreeMap::new(),
            alerts: BTreeMap::new(),
            versions: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            certificates: BTreeMap::new(),
        };
        for (at, change) in changes.iter().enumerate() {
            let name = change.name.clone();
            match (change.noun.as_str(), &change.act) {
                ("service", Act::Added | Act::Removed) => drop(index.services.insert(name, at)),
                ("service", Act::Renamed { from }) => {
                    index.services.insert(name, at);
                    index.services.insert(from.clone(), at);
                }
                ("service", Act::Changed) => index.fields.entry(name).or_default().push(at),
                ("component", Act::Added | Act::Removed) => drop(index.components.insert(name, at)),
                ("component", Act::Changed) if change.field == "version" => {
                    index.versions.insert(name, at);
                }
                ("flow", Act::Added | Act::Removed) => {
                    let Some((from, rest)) = name.split_once(" to ") else {
                        continue;
                    };
                    let to = rest.rsplit_once('/').map_or(rest, |(to, _)| to);
                    for end in [from, to] {
                        index.flows.entry(end.to_owned()).or_default().push(at);
                    }
                }
                ("volume", act) => {
                    if let Act::Renamed { from } = act {
                        index.volumes.entry(from.clone()).or_default().push(at);
                    }
                    index.volumes.entry(name).or_default().push(at);
                }
                ("alert", _) => {
                    let alert = name.rsplit('/').next().unwrap_or(&name).to_owned();
                    index.alerts.entry(alert).or_default().push(at);
                }
                ("endpoint", _) => {
                    let service = name.split('/').next().unwrap_or(&name).to_owned();
                    index.endpoints.entry(service).or_default().push(at);
                }
                ("certificate", _) => drop(index.certificates.insert(name, at)),
                _ => {}
            }
        }
        index
    }

    /// Returns the position of the change that a field shows, if one does.
    fn claimant(&self, changes: &[Change], found: &Found, target: Target) -> Option<usize> {
        let change = &found.change;
        let words = change.path.words();
        let service = change.service.as_deref();
        let component = change.component.as_deref();
        let whole = service.and_then(|service| self.services.get(service));
        if let Some(at) =
            whole.or_else(|| component.and_then(|component| self.components.get(component)))
        {
            // The effect of what comes or goes is not that of a change.
            return Some(*at);
        }
        if let Some(at) = self.alert(changes, change, &words) {
            return Some(at);
        }
        if let Some(at) = self.volume(change, &words) {
            return Some(at);
        }
        if let Some(at) = service.and_then(|service| self.field(changes, service, &words, change)) {
            return Some(at);
        }
        if let Some(at) = self.flow(changes, change, &words, target) {
            return Some(at);
        }
        if matches!(change.noun.as_str(), "Certificate") {
            return self.certificates.get(&change.name).copied();
        }
        if matches!(
            change.noun.as_str(),
            "HTTPRoute" | "VirtualService" | "Ingress" | "TCPRoute"
        ) {
            let list = service.and_then(|service| self.endpoints.get(service));
            return list.and_then(|list| list.first().copied());
        }
        let is_version = words.last() == Some(&"app.kubernetes.io/version");
        component
            .filter(|_| is_version)
            .and_then(|component| self.versions.get(component).copied())
    }

    fn field(
        &self,
        changes: &[Change],
        service: &str,
        words: &[&str],
        change: &Change,
    ) -> Option<usize> {
        let list = self.fields.get(service)?;
        if change.act != Act::Changed {
            // Objects that come or go with a field: a budget with the replicas, a role with the rights.
            let field = match change.noun.as_str() {
                "PodDisruptionBudget" => "replicas",
                "HorizontalPodAutoscaler" => "replicas",
                "Role" | "RoleBinding" => "cluster_api",
                "ServiceEntry" => "egress",
                "ServiceMonitor" | "PodMonitor" => "scrapes",
                "Certificate" => "certificate",
                "PersistentVolumeClaim" => "volumes",
                _ => return None,
            };
            return list.iter().copied().find(|at| root(&changes[*at]) == field);
        }
        let by_kind = match change.noun.as_str() {
            "Role" => Some("cluster_api"),
            "ServiceMonitor" => Some("scrapes"),
            _ => None,
        };
        let candidates = list.iter().copied().filter(|at| {
            let field = root(&changes[*at]);
            by_kind == Some(field)
                || FIELDS.iter().any(|(known, parts)| {
                    *known == field && parts.iter().any(|part| shows(words, part))
                })
        });
        // Of several entries of one field, the one that the path names.
        let mut all: Vec<usize> = candidates.collect();
        all.sort_by_key(|at| {
            let last = changes[*at]
                .path
                .words()
                .last()
                .map(|word| (*word).to_owned())
                .unwrap_or_default();
            let named = words.iter().any(|word| word.to_lowercase().contains(&last))
                || change.new.as_deref().is_some_and(|new| new.contains(&last))
                || change.old.as_deref().is_some_and(|old| old.contains(&last));
            !named
        });
        all.first().copied()
    }

    fn volume(&self, change: &Change, words: &[&str]) -> Option<usize> {
        if self.volumes.is_empty() {
            return None;
        }
        let direct = match change.noun.as_str() {
            "PersistentVolumeClaim" | "volume" => self.volumes.get(&change.name).or_else(|| {
                // Members of one service have volumes of their own.
                let (stem, number) = change.name.rsplit_once('-')?;
                number.parse::<u32>().ok()?;
                self.volumes.get(stem)
            }),
            _ => None,
        };
        if let Some(list) = direct {
            return list.first().copied();
        }
        let component = change.component.as_deref()?;
        let at = words
            .iter()
            .position(|word| *word == "volumeClaimTemplates")?;
        let claim = words.get(at + 1)?;
        let names = [format!("{component}-{claim}"), (*claim).to_owned()];
        names
            .iter()
            .find_map(|name| self.volumes.get(name)?.first().copied())
    }

    fn alert(&self, changes: &[Change], change: &Change, words: &[&str]) -> Option<usize> {
        if self.alerts.is_empty() {
            return None;
        }
        let is_rule = change.noun == "PrometheusRule"
            || change
                .files
                .iter()
                .any(|file| file.contains("rules/") || file.starts_with("alerts/"));
        if !is_rule {
            return None;
        }
        let list = words.iter().find_map(|word| self.alerts.get(*word))?;
        let last = words.last().copied().unwrap_or_default();
        let field = match last {
            "for" => "hold",
            other => other,
        };
        let named = list.iter().copied().find(|at| changes[*at].field == field);
        named.or_else(|| list.first().copied())
    }

    fn flow(
        &self,
        changes: &[Change],
        change: &Change,
        words: &[&str],
        target: Target,
    ) -> Option<usize> {
        if self.flows.is_empty() {
            return None;
        }
        let is_network = |name: &str| {
            // The network of a connection is called after the components at its ends.
            let (from, to) = name.split_once("-to-")?;
            self.flows.iter().find_map(|(_, list)| {
                list.iter().copied().find(|at| {
                    let Some((one, rest)) = changes[*at].name.split_once(" to ") else {
                        return false;
                    };
                    one.starts_with(from) && rest.starts_with(to)
                })
            })
        };
        match target {
            Target::Kubernetes => {
                let policy = matches!(
                    change.noun.as_str(),
                    "NetworkPolicy" | "AuthorizationPolicy" | "DestinationRule" | "Sidecar"
                );
                if !policy {
                    return None;
                }
                let service = change.service.as_deref().or(Some(change.name.as_str()))?;
                let list = self.flows.get(service)?;
                let text = [change.old.as_deref(), change.new.as_deref()]
                    .into_iter()
                    .flatten()
                    .collect::<String>();
                // The one whose other end the field names; without a name, any of this service.
                let names_other = |at: &usize| {
                    let name = &changes[*at].name;
                    let mut ends = name
                        .split([' ', '/'])
                        .filter(|end| *end != service && *end != "to");
                    ends.any(|end| {
                        text.contains(end) || words.iter().any(|word| word.contains(end))
                    })
                };
                list.iter()
                    .copied()
                    .find(|at| names_other(at))
                    .or_else(|| list.first().copied())
            }
            Target::Compose | Target::Swarm => match change.noun.as_str() {
                "network" => is_network(&change.name),
                "service" if words.first() == Some(&"networks") => is_network(words.get(1)?),
                "service" if words.first() == Some(&"depends_on") => {
                    let list = self.flows.get(change.service.as_deref()?)?;
                    let other = words.get(1)?;
                    list.iter()
                        .copied()
                        .find(|at| changes[*at].name.contains(other))
                }
                _ => None,
            },
        }
    }
}

/// Returns the first step of the field that a change of the platform is about.
fn root(change: &Change) -> &str {
    change.path.words().first().copied().unwrap_or_default()
}

/// Returns what several changes of one thing have in common, for reports that fold them.
pub(super) fn pattern(change: &Change) -> [String; 5] {
    [
        change.noun.clone(),
        change.field.clone(),
        change.old.clone().unwrap_or_default(),
        change.new.clone().unwrap_or_default(),
        change.lines.clone().unwrap_or_default(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_paths_are_found_anywhere_or_at_the_start() {
        let words = ["spec", "template", "spec", "containers", "web", "image"];
        assert!(shows(&words, "containers.*.image"));
        assert!(!shows(&words, "=image"));
        assert!(shows(&["image"], "=image"));
        assert!(!shows(&["spec"], "spec.replicas"));
    }

    #[test]
    fn every_field_is_one_of_an_outline() {
        let outline = schemars::schema_for!(crate::outline::Service);
        for (field, _) in FIELDS {
            assert!(
                at(outline.as_value(), &["properties", field]).is_some(),
                "{field}"
            );
        }
    }
}
