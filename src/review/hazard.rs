//! Finds dangers in the fields of objects and Compose files that changed.
//!
//! A unit before and after comes in, risks go out, each with the path that it is about. Only what got worse is a risk:
//! what was so before is nobody's news.

use serde_json::Value as Json;

use super::danger::*;
use super::effect::{self, Effect, quantity};
use super::fields::{FieldChange, Path, Step, at, shown, text_at};
use super::images;
use super::structure::{Dialect, Unit};
use crate::units::{Seconds, rule_duration};

/// A risk, and the field that it is about; the unit as a whole, if none.
pub(super) type Hazard = (Option<Path>, Risk);

/// A value that differs, down to words and numbers.
struct Leaf<'c> {
    path: Path,
    old: Option<&'c Json>,
    new: Option<&'c Json>,
    /// Whether something around it came as a whole.
    fresh: bool,
}

impl Leaf<'_> {
    fn was(&self, text: &str) -> bool {
        self.old.is_some_and(|value| shown(value) == text)
    }

    fn is(&self, text: &str) -> bool {
        self.new.is_some_and(|value| shown(value) == text)
    }

    fn before(&self) -> String {
        self.old.map(shown).unwrap_or_default()
    }

    fn after(&self) -> String {
        self.new.map(shown).unwrap_or_default()
    }

    fn numbers(&self) -> Option<(u128, u128)> {
        Some((quantity(&shown(self.old?))?, quantity(&shown(self.new?))?))
    }
}

fn leaves<'c>(
    path: &Path,
    old: Option<&'c Json>,
    new: Option<&'c Json>,
    fresh: bool,
    all: &mut Vec<Leaf<'c>>,
) {
    let inner: Vec<(Step, &Json)> = match old.xor(new) {
        Some(Json::Object(table)) => table
            .iter()
            .map(|(key, value)| (Step::Key(key.clone()), value))
            .collect(),
        Some(Json::Array(list)) => list
            .iter()
            .enumerate()
            .map(|(at, value)| {
                let scalar = !value.is_object() && !value.is_array();
                let step = if scalar {
                    Step::Item(shown(value))
                } else {
                    Step::At(at)
                };
                (step, value)
            })
            .collect(),
        _ => Vec::new(),
    };
    if inner.is_empty() || path.0.len() > 60 {
        all.push(Leaf {
            path: path.clone(),
            old,
            new,
            fresh,
        });
    }
    for (step, value) in inner {
        let mut longer = path.clone();
        longer.0.push(step);
        let side = |whole: Option<&Json>| whole.map(|_| value);
        leaves(&longer, side(old), side(new), true, all);
    }
}

fn ends(words: &[&str], end: &[&str]) -> bool {
    words.len() >= end.len()
        && words[words.len() - end.len()..]
            .iter()
            .zip(end)
            .all(|(word, wanted)| *wanted == "*" || word == wanted)
}

fn has(words: &[&str], part: &str) -> bool {
    words.contains(&part)
}

/// Finds what is dangerous about a unit that came, went or changed.
pub(super) fn find(old: Option<&Unit>, new: Option<&Unit>, changes: &[FieldChange]) -> Vec<Hazard> {
    let mut found = Vec::new();
    match (old, new) {
        (Some(old), None) => removed(old, &mut found),
        (None, Some(new)) => {
            let mut all = Vec::new();
            leaves(&Path::default(), None, Some(&new.value), true, &mut all);
            for leaf in &all {
                rights(new, leaf, &mut found);
                exposure(new, leaf, &mut found);
            }
            added(new, &mut found);
        }
        (Some(old), Some(new)) => {
            for change in changes {
                let mut all = Vec::new();
                leaves(
                    &change.path,
                    change.old.as_ref(),
                    change.new.as_ref(),
                    false,
                    &mut all,
                );
                for leaf in &all {
                    rights(new, leaf, &mut found);
                    exposure(new, leaf, &mut found);
                    decline(new, leaf, &mut found);
                }
                parts(old, new, change, &mut found);
            }
            // One that runs at times is suspended where it waits to be told.
            if let Some(first) = changes.first()
                && new.key.kind != "CronJob"
                && is_suspended(old)
                && is_suspended(new)
            {
                let text = format!("{} stays suspended: nothing of this is applied", named(new));
                push(&mut found, &first.path, SUSPENDED.risk(text));
            }
        }
        (None, None) => {}
    }
    found
}

fn is_suspended(unit: &Unit) -> bool {
    unit.value.pointer("/spec/suspend") == Some(&Json::Bool(true))
}

fn named(unit: &Unit) -> String {
    format!("{} `{}`", unit.key.kind, unit.key.name)
}

fn push(found: &mut Vec<Hazard>, path: &Path, risk: Risk) {
    found.push((Some(path.clone()), risk));
}

/// Rights of containers, and of whoever talks to the cluster's API.
fn rights(unit: &Unit, leaf: &Leaf<'_>, found: &mut Vec<Hazard>) {
    let words = leaf.path.words();
    let name = named(unit);
    let turned_on = leaf.is("true") && !leaf.was("true");
    let last = words.last().copied().unwrap_or_default();
    let mut add = |risk: Risk| push(found, &leaf.path, risk);
    match unit.key.dialect {
        Dialect::Kubernetes => {
            if ends(&words, &["securityContext", "privileged"]) && turned_on {
                add(PRIVILEGE_ADDED.risk(format!(
                    "{name} has a container with all rights on its node"
                )));
            } else if last == "allowPrivilegeEscalation" && turned_on {
                add(PRIVILEGE_ADDED.risk(format!("{name} may gain rights while it runs")));
            } else if ends(&words, &["capabilities", "add", "*"]) && leaf.new.is_some() {
                add(PRIVILEGE_ADDED.risk(format!("{name} has the capability {last}")));
            } else if ends(&words, &["capabilities", "drop", "*"]) && leaf.new.is_none() {
                add(PRIVILEGE_ADDED
                    .risk(format!("{name} no longer gives up the capability {last}")));
            } else if (last == "runAsUser" && leaf.is("0"))
                || (last == "runAsNonRoot" && leaf.was("true"))
            {
                add(PRIVILEGE_ADDED.risk(format!("{name} may run as root")));
            } else if last == "readOnlyRootFilesystem" && leaf.was("true") {
                add(PRIVILEGE_ADDED
                    .risk(format!("{name} can change its own files"))
                    .level(Level::Medium));
            } else if ends(&words, &["seccompProfile", "type"])
                && (leaf.is("Unconfined") || leaf.new.is_none())
            {
                add(PRIVILEGE_ADDED.risk(format!("{name} may make any call to the kernel")));
            } else if matches!(last, "hostNetwork" | "hostPID" | "hostIPC") && turned_on {
                add(HOST_ACCESS.risk(format!("{name} shares its node's {}", &last[4..])));
            } else if ends(&words, &["hostPath", "path"]) && leaf.new.is_some() {
                add(HOST_ACCESS.risk(format!("{name} sees {} of its node", leaf.after())));
            } else if last.starts_with("pod-security.kubernetes.io/enforce")
                && !last.ends_with("version")
            {
                const STANDARDS: &[&str] = &["privileged", "baseline", "restricted"];
                let rank = |text: String| {
                    STANDARDS
                        .iter()
                        .position(|known| *known == text)
                        .unwrap_or(0)
                };
                if !leaf.fresh && rank(leaf.after()) < rank(leaf.before()) {
                    add(PRIVILEGE_ADDED.risk(format!("{name} lets pods in that are less confined")));
                }
            } else if last == "automountServiceAccountToken" && turned_on {
                add(ROLE_WIDENED
                    .risk(format!("{name} hands pods a token for the cluster's API"))
                    .level(Level::Medium));
            }
            api_rights(unit, leaf, &words, found);
        }
        Dialect::Compose | Dialect::Swarm if unit.key.kind == "service" => {
            if words == ["privileged"] && turned_on {
                add(PRIVILEGE_ADDED.risk(format!("{name} has all rights on its machine")));
            } else if ends(&words, &["cap_add", "*"]) && leaf.new.is_some() {
                add(PRIVILEGE_ADDED.risk(format!("{name} has the capability {last}")));
            } else if ends(&words, &["cap_drop", "*"]) && leaf.new.is_none() {
                add(PRIVILEGE_ADDED
                    .risk(format!("{name} no longer gives up the capability {last}")));
            } else if words.first() == Some(&"security_opt")
                && (leaf.new.is_none() || leaf.after().contains("unconfined"))
            {
                add(PRIVILEGE_ADDED.risk(format!("{name} is less confined: {}", leaf.path)));
            } else if words == ["user"]
                && (is_root(&leaf.after()) && !(leaf.old.is_some() && is_root(&leaf.before())))
            {
                add(PRIVILEGE_ADDED.risk(format!("{name} may run as root")));
            } else if words == ["read_only"] && leaf.was("true") {
                add(PRIVILEGE_ADDED
                    .risk(format!("{name} can change its own files"))
                    .level(Level::Medium));
            } else if matches!(last, "network_mode" | "pid" | "ipc" | "userns_mode")
                && leaf.is("host")
            {
                add(HOST_ACCESS.risk(format!(
                    "{name} shares its machine's {}",
                    last.trim_end_matches("_mode")
                )));
            } else if words.first() == Some(&"volumes")
                && last == "source"
                && leaf.after().starts_with('/')
            {
                add(HOST_ACCESS.risk(format!("{name} sees {} of its machine", leaf.after())));
            } else if words.first() == Some(&"volumes") && last == "read_only" && leaf.was("true") {
                add(HOST_ACCESS
                    .risk(format!("{name} may write where it could only read"))
                    .level(Level::Medium));
            } else if words.first() == Some(&"devices") && leaf.new.is_some() {
                add(HOST_ACCESS.risk(format!("{name} has the device {}", leaf.after())));
            }
        }
        _ => {}
    }
}

fn is_root(user: &str) -> bool {
    matches!(user.split(':').next(), Some("" | "0" | "root"))
}

fn api_rights(unit: &Unit, leaf: &Leaf<'_>, words: &[&str], found: &mut Vec<Hazard>) {
    let name = named(unit);
    let last = words.last().copied().unwrap_or_default();
    match unit.key.kind.as_str() {
        "Role" | "ClusterRole" if words.first() == Some(&"rules") => {
            let narrower = has(words, "resourceNames");
            if narrower && leaf.new.is_none() && !leaf.fresh {
                push(
                    found,
                    &leaf.path,
                    ROLE_WIDENED.risk(format!("{name} holds for more than `{last}`")),
                );
            } else if leaf.new.is_some() && leaf.old.is_none() && !narrower {
                let risk = if last == "*" {
                    ROLE_WIDENED.risk(format!(
                        "{name} may do anything: a `*` in {}",
                        words.get(2).copied().unwrap_or("its rules")
                    ))
                } else {
                    ROLE_WIDENED
                        .risk(format!(
                            "{name} has one more right: {} {last}",
                            words.get(2).copied().unwrap_or_default()
                        ))
                        .level(Level::Medium)
                };
                push(found, &leaf.path, risk);
            }
        }
        "RoleBinding" | "ClusterRoleBinding" => {
            if words.first() == Some(&"subjects") && leaf.new.is_some() && last == "name" {
                push(
                    found,
                    &leaf.path,
                    ROLE_WIDENED.risk(format!("{name} gives its role to `{}` too", leaf.after())),
                );
            } else if ends(words, &["roleRef", "name"]) && leaf.new.is_some() {
                push(
                    found,
                    &leaf.path,
                    ROLE_WIDENED.risk(format!("{name} gives the role `{}`", leaf.after())),
                );
            }
        }
        _ => {}
    }
}

/// What can be reached, and how well that is protected.
fn exposure(unit: &Unit, leaf: &Leaf<'_>, found: &mut Vec<Hazard>) {
    let words = leaf.path.words();
    let name = named(unit);
    let last = words.last().copied().unwrap_or_default();
    let came = leaf.new.is_some() && leaf.old.is_none();
    let mut add = |risk: Risk| push(found, &leaf.path, risk);
    match (unit.key.dialect, unit.key.kind.as_str()) {
        (Dialect::Kubernetes, "Service") => {
            if words == ["spec", "type"]
                && matches!(leaf.after().as_str(), "LoadBalancer" | "NodePort")
            {
                add(PORT_PUBLISHED.risk(format!(
                    "{name} is reached from outside the cluster ({})",
                    leaf.after()
                )));
            } else if has(&words, "loadBalancerSourceRanges") && leaf.new.is_none() {
                add(BIND_WIDENED.risk(format!("{name} no longer asks where connections come from")));
            } else if has(&words, "externalIPs") && came {
                add(PORT_PUBLISHED.risk(format!("{name} is reached under {}", leaf.after())));
            }
        }
        (
            Dialect::Kubernetes,
            "Ingress" | "HTTPRoute" | "GRPCRoute" | "TLSRoute" | "VirtualService",
        ) => {
            let host = last == "host" && words.first() == Some(&"spec") && has(&words, "rules")
                || ends(&words, &["hostnames", "*"])
                || ends(&words, &["spec", "hosts", "*"]);
            if host && leaf.new.is_some() {
                add(HOST_PUBLISHED.risk(format!("{name} answers for `{}`", leaf.after())));
            }
        }
        (Dialect::Kubernetes, "Gateway") => {
            if (last == "hostname" || ends(&words, &["hosts", "*"])) && leaf.new.is_some() {
                add(HOST_PUBLISHED.risk(format!("{name} answers for `{}`", leaf.after())));
            } else if last == "protocol" && leaf.is("HTTP") && leaf.was("HTTPS") {
                add(TLS_WEAKENED.risk(format!("{name} speaks HTTP where it spoke HTTPS")));
            } else if (ends(&words, &["listeners", "*", "port"])
                || ends(&words, &["servers", "*", "port", "number"])
                || ends(&words, &["listeners", "#", "port"]))
                && leaf.new.is_some()
            {
                add(PORT_PUBLISHED.risk(format!("{name} listens on port {}", leaf.after())));
            }
        }
        (Dialect::Kubernetes, "NetworkPolicy") => {
            let opened = came && (has(&words, "ingress") || has(&words, "egress"));
            if ends(&words, &["ipBlock", "cidr"]) && leaf.after().ends_with("/0") {
                let direction = if has(&words, "egress") {
                    "may reach any address"
                } else {
                    "is reached from any address"
                };
                add(FLOW_ADDED
                    .risk(format!("{name}: what it selects {direction}"))
                    .level(Level::High));
            } else if opened && !leaf.path.words().contains(&"except") {
                add(FLOW_ADDED.risk(format!("{name} allows more: {}", short(&leaf.path))));
            } else if ends(&words, &["policyTypes", "*"]) && leaf.new.is_none() && !leaf.fresh {
                add(POLICY_REMOVED.risk(format!("{name} no longer restricts {last}")));
            }
        }
        (Dialect::Kubernetes, "AuthorizationPolicy") => {
            if words.first() == Some(&"spec")
                && has(&words, "rules")
                && came
                && !words.iter().any(|word| word.starts_with("not"))
            {
                add(FLOW_ADDED.risk(format!(
                    "{name} allows more: {} {}",
                    short(&leaf.path),
                    leaf.after()
                )));
            } else if words == ["spec", "action"] && leaf.was("DENY") {
                add(POLICY_REMOVED.risk(format!("{name} no longer refuses")));
            }
        }
        (Dialect::Kubernetes, "PeerAuthentication") => {
            const MODES: &[&str] = &["DISABLE", "PERMISSIVE", "UNSET", "STRICT"];
            let rank = |text: String| MODES.iter().position(|mode| *mode == text).unwrap_or(2);
            if last == "mode" && leaf.new.is_some() && rank(leaf.after()) < 2 {
                add(TLS_WEAKENED.risk(format!(
                    "{name}: mutual TLS is {}",
                    leaf.after().to_lowercase()
                )));
            } else if last == "mode" && rank(leaf.after()) < rank(leaf.before()) {
                add(TLS_WEAKENED.risk(format!("{name}: mutual TLS is no longer strict")));
            }
        }
        (Dialect::Kubernetes, "ServiceEntry") if ends(&words, &["hosts", "*"]) && came => {
            add(EGRESS_WIDENED.risk(format!("the platform may reach `{}` outside", leaf.after())));
        }
        (Dialect::Kubernetes, "Sidecar")
            if ends(&words, &["outboundTrafficPolicy", "mode"]) && leaf.is("ALLOW_ANY") =>
        {
            add(EGRESS_WIDENED
                .risk(format!("{name} lets pods reach any address"))
                .level(Level::High));
        }
        (Dialect::Kubernetes, _) => {
            if last == "hostPort" && leaf.new.is_some() {
                add(PORT_PUBLISHED.risk(format!("{name} has port {} of its node", leaf.after())));
            } else if last == "sidecar.istio.io/inject" && leaf.is("false") && !leaf.fresh {
                add(TLS_WEAKENED.risk(format!(
                    "{name} leaves the mesh: its connections are plain and unchecked"
                )));
            }
        }
        (Dialect::Compose | Dialect::Swarm, "service") => {
            if words.first() == Some(&"ports") {
                if last == "published" && leaf.new.is_some() {
                    let inside = ports_of(unit).iter().any(|port| {
                        text_at(port, &["host_ip"]) == Some("127.0.0.1")
                            && port.get("published").map(shown) == Some(leaf.after())
                    });
                    let level = if inside { Level::Low } else { Level::High };
                    let to = if inside {
                        "this machine"
                    } else {
                        "everybody who reaches the machine"
                    };
                    add(PORT_PUBLISHED
                        .risk(format!("{name} opens port {} to {to}", leaf.after()))
                        .level(level));
                } else if last == "host_ip" && (leaf.was("127.0.0.1") || leaf.was("::1")) {
                    add(BIND_WIDENED
                        .risk(format!("{name} is no longer bound to this machine alone")));
                } else if leaf.new.is_some() && matches!(leaf.path.0.last(), Some(Step::Item(_))) {
                    add(PORT_PUBLISHED.risk(format!("{name} opens port {}", leaf.after())));
                }
            } else if words.len() == 2
                && words.first() == Some(&"networks")
                && leaf.new.is_some()
                && !leaf.fresh
            {
                add(FLOW_ADDED.risk(format!("{name} joins the network `{}`", words[1])));
            }
        }
        (Dialect::Compose | Dialect::Swarm, "network") => {
            if words == ["internal"] && leaf.was("true") {
                add(EGRESS_WIDENED
                    .risk(format!("{name} leads outside"))
                    .level(Level::High));
            } else if last == "encrypted" && leaf.new.is_none() {
                add(TLS_WEAKENED.risk(format!("{name} is no longer encrypted between hosts")));
            }
        }
        _ => {}
    }
    if !leaf.fresh {
        tls(unit, leaf, &words, found);
    }
}

/// Settings of TLS that many kinds have under the same names.
fn tls(unit: &Unit, leaf: &Leaf<'_>, words: &[&str], found: &mut Vec<Hazard>) {
    let last = words.last().copied().unwrap_or_default().to_lowercase();
    let name = named(unit);
    if last.contains("insecureskipverify") || last == "insecure_skip_verify" {
        if leaf.is("true") {
            push(
                found,
                &leaf.path,
                TLS_WEAKENED.risk(format!("{name} no longer checks certificates")),
            );
        }
    } else if last.contains("min") && last.contains("version") && last.contains("protocol")
        || last == "min_version"
        || last == "minversion"
    {
        if leaf.old.is_some()
            && leaf.after().replace(['_', 'V'], "") < leaf.before().replace(['_', 'V'], "")
        {
            push(
                found,
                &leaf.path,
                TLS_WEAKENED.risk(format!("{name} accepts {} again", leaf.after())),
            );
        }
    } else if unit.key.kind == "DestinationRule"
        && has(words, "tls")
        && last == "mode"
        && leaf.was("ISTIO_MUTUAL")
    {
        push(
            found,
            &leaf.path,
            TLS_WEAKENED.risk(format!("{name}: connections without mutual TLS")),
        );
    } else if unit.key.kind == "Gateway"
        && has(words, "tls")
        && last == "mode"
        && leaf.was("MUTUAL")
    {
        push(
            found,
            &leaf.path,
            TLS_WEAKENED.risk(format!("{name} no longer asks clients for a certificate")),
        );
    }
}

fn ports_of(unit: &Unit) -> &[Json] {
    unit.value
        .get("ports")
        .and_then(Json::as_array)
        .map_or(&[], Vec::as_slice)
}

/// Shortens a path to what people recognise.
fn short(path: &Path) -> String {
    let words = path.words();
    let skipped = words.iter().filter(|word| {
        !matches!(
            **word,
            "spec" | "#" | "podSelector" | "matchLabels" | "source"
        )
    });
    skipped.copied().collect::<Vec<_>>().join(" ")
}

/// What got less: replicas, checks, room, what is kept.
fn decline(unit: &Unit, leaf: &Leaf<'_>, found: &mut Vec<Hazard>) {
    let words = leaf.path.words();
    let name = named(unit);
    let last = words.last().copied().unwrap_or_default();
    let mut add = |risk: Risk| push(found, &leaf.path, risk);
    let counts = matches!(
        words.as_slice(),
        ["spec", "replicas" | "minReplicas" | "instances"] | ["deploy", "replicas"] | ["scale"]
    );
    if counts && leaf.is("0") {
        add(REPLICAS_ZERO.risk(format!("nothing of {name} runs any more")));
    } else if counts && leaf.numbers().is_some_and(|(old, new)| new < old) {
        add(REPLICAS_REDUCED.risk(format!(
            "{name} runs {} times instead of {}",
            leaf.after(),
            leaf.before()
        )));
    } else if words == ["spec", "maxReplicas"] && leaf.numbers().is_some_and(|(old, new)| new < old)
    {
        add(REPLICAS_REDUCED
            .risk(format!(
                "{name} grows to {} at most, not {}",
                leaf.after(),
                leaf.before()
            ))
            .level(Level::Low));
    } else if last == "suspend" {
        if leaf.is("true") {
            add(SUSPENDED.risk(format!("{name} is suspended")));
        } else if leaf.was("true") {
            add(RESUMED.risk(format!(
                "{name} goes on: what has gathered is applied at once"
            )));
        }
    } else if effect::is_shrunk(&FieldChange {
        path: leaf.path.clone(),
        old: leaf.old.cloned(),
        new: leaf.new.cloned(),
    }) {
        add(VOLUME_SHRUNK.risk(format!(
            "a volume of {name} is to shrink from {} to {}",
            leaf.before(),
            leaf.after()
        )));
    } else if matches!(last, "storageClassName" | "storageClass") && leaf.old.is_some() {
        add(VOLUME_EMPTIED.risk(format!(
            "{name} wants its volume on another class of storage"
        )));
    } else if (last.eq_ignore_ascii_case("reclaimPolicy")
        || last == "persistentVolumeReclaimPolicy"
        || matches!(last, "whenDeleted" | "whenScaled"))
        && leaf.was("Retain")
    {
        add(RECLAIM_DELETES.risk(format!("{name} deletes volumes with their claims")));
    } else if last.to_lowercase().contains("retention") && shorter(&leaf.before(), &leaf.after()) {
        add(RETENTION_SHORTENED.risk(format!(
            "{name} keeps {} instead of {}",
            leaf.after(),
            leaf.before()
        )));
    } else if last == "whenUnsatisfiable" && leaf.was("DoNotSchedule") {
        add(SPREAD_REMOVED.risk(format!("{name} may stand in one zone")));
    } else if ends(&words, &["strategy", "type"]) && leaf.is("Recreate") {
        add(UPDATE_AT_ONCE.risk(format!("{name} stops altogether for each update")));
    } else if ends(&words, &["update_config", "parallelism"]) && leaf.is("0") {
        add(UPDATE_AT_ONCE.risk(format!("{name}: all tasks are exchanged at once")));
    } else if unit.key.kind == "PodDisruptionBudget" {
        let grown = leaf.numbers().map(|(old, new)| new > old).or_else(|| {
            let percent = |value: String| value.trim_end_matches('%').parse::<u32>().ok();
            Some(percent(leaf.after())? > percent(leaf.before())?)
        });
        if (last == "maxUnavailable" && grown == Some(true))
            || (last == "minAvailable" && grown == Some(false))
        {
            add(BUDGET_LOOSENED.risk(format!(
                "{name}: {last} is {} instead of {}",
                leaf.after(),
                leaf.before()
            )));
        }
    } else if last == "memory" && has(&words, "limits") {
        if leaf.new.is_none() && leaf.old.is_some() {
            add(LIMIT_REMOVED.risk(format!("{name} may take all memory of its machine")));
        } else if leaf.numbers().is_some_and(|(old, new)| new < old) {
            add(MEMORY_LOWERED.risk(format!(
                "{name} gets {} instead of {}",
                leaf.after(),
                leaf.before()
            )));
        }
    } else if ends(&words, &["randomSamplingPercentage"])
        && leaf.numbers().is_some_and(|(old, new)| new < old)
    {
        add(TRACES_REDUCED.risk(format!(
            "{} % of requests are traced instead of {} %",
            leaf.after(),
            leaf.before()
        )));
    }
    let is_image = match unit.key.dialect {
        Dialect::Kubernetes => last == "image" || last == "imageName",
        Dialect::Compose | Dialect::Swarm => words == ["image"],
        Dialect::Plain => false,
    };
    if is_image && leaf.old.is_some() && leaf.new.is_some() {
        for risk in images::risks(&name, &leaf.before(), &leaf.after()) {
            add(risk);
        }
    }
    if last == "helm.sh/chart" || (last == "version" && has(&words, "chart")) {
        let version = |text: String| {
            text.rsplit_once('-')
                .map_or(text.clone(), |(_, version)| version.to_owned())
        };
        if images::is_major(&version(leaf.before()), &version(leaf.after())) {
            add(VERSION_MAJOR.risk(format!(
                "{name}: chart {} instead of {}",
                leaf.after(),
                leaf.before()
            )));
        }
    }
    alert_rules(leaf, &words, found);
}

/// Rules of Prometheus, wherever they stand.
fn alert_rules(leaf: &Leaf<'_>, words: &[&str], found: &mut Vec<Hazard>) {
    let Some(at) = words.iter().position(|word| *word == "rules") else {
        return;
    };
    let [alert, field @ ..] = &words[at + 1..] else {
        return;
    };
    if words.first() != Some(&"groups") && !has(words, "groups") {
        return;
    }
    match field {
        ["for"] if longer(&leaf.before(), &leaf.after()) => {
            let risk = ALERT_LOOSENED.risk(format!(
                "alert `{alert}` must hold for {} instead of {}",
                leaf.after(),
                none(leaf.before())
            ));
            push(found, &leaf.path, risk);
        }
        ["labels", "severity"]
            if super::alerts::weight(&leaf.after()) < super::alerts::weight(&leaf.before()) =>
        {
            let risk = ALERT_SILENCED.risk(format!(
                "alert `{alert}` is {} instead of {}",
                none(leaf.after()),
                leaf.before()
            ));
            push(found, &leaf.path, risk);
        }
        ["expr"] => {
            if let Some(risk) = super::alerts::expression(alert, &leaf.before(), &leaf.after()) {
                push(found, &leaf.path, risk);
            }
        }
        _ => {}
    }
}

fn none(text: String) -> String {
    if text.is_empty() {
        "nothing".to_owned()
    } else {
        text
    }
}

/// Says whether a time or number got more.
pub(super) fn longer(old: &str, new: &str) -> bool {
    matches!((amount(old), amount(new)), (Some(old), Some(new)) if new > old)
}

/// Says whether a time or number that something is kept for got less.
pub(super) fn shorter(old: &str, new: &str) -> bool {
    matches!((amount(old), amount(new)), (Some(old), Some(new)) if new < old)
}

/// Reads a time, as topologies or as rules write it, or a number. Nothing is none at all.
fn amount(text: &str) -> Option<u128> {
    if text.is_empty() {
        return Some(0);
    }
    let seconds = Seconds::parse(text).map(|time| u128::from(time.0) * 1_000);
    let rule = || rule_duration(text).map(u128::from);
    seconds.or_else(rule).or_else(|| quantity(text))
}

/// Parts that went as a whole.
fn parts(old: &Unit, new: &Unit, change: &FieldChange, found: &mut Vec<Hazard>) {
    let words = change.path.words();
    let name = named(new);
    let gone = change.new.is_none() && change.old.is_some();
    let last = words.last().copied().unwrap_or_default();
    let mut add = |risk: Risk| push(found, &change.path, risk);
    if gone {
        let list_gone = |item: &str| words.iter().rev().take(2).any(|word| *word == item);
        if matches!(last, "readinessProbe" | "livenessProbe" | "healthcheck") {
            add(PROBE_REMOVED.risk(format!(
                "nobody asks any more whether {name} is well ({last})"
            )));
        } else if list_gone("topologySpreadConstraints")
            || has(&words, "podAntiAffinity")
            || last == "affinity"
            || words.starts_with(&["deploy", "placement", "preferences"])
            || ends(&words, &["deploy", "placement"])
            || last == "max_replicas_per_node"
        {
            add(SPREAD_REMOVED.risk(format!(
                "{name} may stand in one place with all its replicas"
            )));
        } else if last == "limits" || last == "resources" {
            add(LIMIT_REMOVED.risk(format!("{name} has no limits any more")));
        } else if last == "tls" {
            add(TLS_WEAKENED.risk(format!("{name} has no TLS any more")));
        } else if last == "securityContext" {
            add(PRIVILEGE_ADDED.risk(format!("{name} is not confined any more")));
        } else if new.key.dialect == Dialect::Kubernetes && matches!(last, "backup" | "backups") {
            add(BACKUP_REMOVED.risk(format!("{name} is no longer backed up")));
        } else if last == "volumeClaimTemplates"
            || (words.len() == 3 && words[1] == "volumeClaimTemplates")
        {
            add(VOLUME_EMPTIED.risk(format!("{name} no longer claims a volume that it had")));
        } else if let Some(at) = words.iter().position(|word| *word == "rules")
            && has(&words, "groups")
            && words.len() == at + 2
            && change
                .old
                .as_ref()
                .is_some_and(|rule| rule.get("alert").is_some())
        {
            add(ALERT_REMOVED.risk(format!("alert `{last}` is gone")));
        } else if words.starts_with(&["security_opt"]) && words.len() == 1 {
            add(PRIVILEGE_ADDED.risk(format!("{name} is less confined")));
        }
    }
    let same_claim = |unit: &Unit| at(&unit.value, &["kind"]).cloned();
    if same_claim(old) == same_claim(new) {
        let outcome = effect::of_field(old, new, change);
        if outcome.effect == Effect::Refused {
            add(IMMUTABLE_FIELD.risk(format!("{name}: {} cannot be changed", change.path)));
        }
        if outcome.effect == Effect::DataAtRisk {
            add(VOLUME_EMPTIED.risk(format!("{name}: {}", outcome.reason)));
        }
    }
}

/// What comes with a unit, beside its fields.
fn added(unit: &Unit, found: &mut Vec<Hazard>) {
    let kind = unit.key.kind.as_str();
    let name = named(unit);
    if unit.key.dialect == Dialect::Kubernetes && kind == "PeerAuthentication" {
        return;
    }
    if is_suspended(unit) {
        found.push((None, SUSPENDED.risk(format!("{name} comes suspended"))));
    }
}

/// What goes with a unit.
fn removed(unit: &Unit, found: &mut Vec<Hazard>) {
    let kind = unit.key.kind.as_str();
    let name = named(unit);
    let mut add = |risk: Risk| found.push((None, risk));
    match unit.key.dialect {
        Dialect::Kubernetes => {
            match kind {
                "StatefulSet" | "PersistentVolumeClaim" | "PersistentVolume" => {
                    add(STORE_REMOVED.risk(format!(
                        "{name} is removed, and with it the way to its data"
                    )));
                }
                "Namespace" => {
                    add(NAMESPACE_REMOVED.risk(format!("{name} is removed with everything in it")))
                }
                "CustomResourceDefinition" => {
                    add(CUSTOM_KIND_REMOVED.risk(format!("{name} is removed with all its objects")));
                }
                "NetworkPolicy" => add(POLICY_REMOVED.risk(format!(
                    "{name} is gone: what it selected is reached by more"
                ))),
                "AuthorizationPolicy" => add(POLICY_REMOVED
                    .risk(format!("{name} is gone: who may call is no longer checked"))),
                "PeerAuthentication" => {
                    add(TLS_WEAKENED
                        .risk(format!("{name} is gone: plain connections may be accepted")))
                }
                "RequestAuthentication" => add(AUTHENTICATION_REMOVED
                    .risk(format!("{name} is gone: tokens are no longer checked"))),
                "PodDisruptionBudget" => {
                    add(BUDGET_LOOSENED
                        .risk(format!("{name} is gone: a drain may take all replicas")))
                }
                "HorizontalPodAutoscaler" => add(AUTOSCALER_REMOVED
                    .risk(format!("{name} is gone: replicas stay as many as they are"))),
                "ServiceMonitor" | "PodMonitor" | "Probe" => {
                    add(SCRAPE_REMOVED.risk(format!("{name} is gone: nothing is measured there")))
                }
                "PrometheusRule" => {
                    for alert in alerts_of(&unit.value) {
                        add(ALERT_REMOVED.risk(format!("alert `{alert}` is gone")));
                    }
                }
                _ if kind.to_lowercase().contains("backup") => {
                    add(BACKUP_REMOVED.risk(format!("{name} is gone: nothing is backed up there")));
                }
                _ if at(&unit.value, &["spec", "storage"]).is_some() => {
                    add(STORE_REMOVED.risk(format!(
                        "{name} is removed, and its operator deletes what it stores"
                    )));
                }
                _ => {}
            }
            let stays =
                !matches!(kind, "Kustomization" | "Namespace") && !unit.is_named_by_content();
            if stays {
                add(LEFT_RUNNING.risk(format!(
                    "{name} stays in the cluster until somebody deletes it"
                )));
            }
        }
        Dialect::Compose | Dialect::Swarm => match kind {
            "volume" => add(STORE_REMOVED.risk(format!(
                "{name} is no longer used; who cleans up deletes it"
            ))),
            "service" => {
                add(LEFT_RUNNING.risk(format!("{name} runs on until orphans are removed")))
            }
            "network" if unit.value.get("internal") == Some(&Json::Bool(true)) => {}
            _ => {}
        },
        Dialect::Plain => {
            for alert in alerts_of(&unit.value) {
                add(ALERT_REMOVED.risk(format!("alert `{alert}` is gone")));
            }
        }
    }
}

fn alerts_of(value: &Json) -> Vec<String> {
    let groups = at(value, &["spec", "groups"]).or_else(|| value.get("groups"));
    let groups = groups.and_then(Json::as_array).into_iter().flatten();
    groups
        .filter_map(|group| group.get("rules")?.as_array())
        .flatten()
        .filter_map(|rule| rule.get("alert")?.as_str())
        .map(str::to_owned)
        .collect()
}
