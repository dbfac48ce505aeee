//! What every container of every bundle is kept from, and that the bundle says who is not, and why.
//!
//! The manifests are read as a program would read them; what may be otherwise comes from the blueprints, by way of the
//! resolved platform, and is on the page `SECURITY.md`.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test reads files of its own"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use lakewright::blueprint::Library;
use lakewright::platform::{Platform, Service};
use serde_json::Value as Json;
use support::{Compiled, read};

/// Services of the bundle itself, which no blueprint describes, by the beginning of their names, with what they do.
const OWN: &[(&str, &str)] = &[(
    "lakewright-prepare",
    "copies secrets to those who may read them, owned by their users: root, with CHOWN, DAC_OVERRIDE and FOWNER, no network",
)];

/// What a container may, in words, with nothing where it may what all may.
type Faults = BTreeMap<String, BTreeSet<&'static str>>;

/// What a blueprint says that a service may, with its reason.
fn allowed(service: &Service) -> BTreeSet<&'static str> {
    let root = service.user.is_some_and(|(user, _)| user == 0);
    [
        (root, "root"),
        (service.privileged.is_some(), "privileged"),
        (!service.read_only, "writable root"),
        (!service.capabilities.is_empty(), "capabilities"),
    ]
    .into_iter()
    .filter_map(|(is, what)| is.then_some(what))
    .collect()
}

fn is_root(user: Option<&str>) -> bool {
    user.is_none_or(|user| user.split(':').next() == Some("0"))
}

/// Reads a Compose file or a stack.
fn docker(text: &str, swarm: bool, faults: &mut Faults) {
    let file: Json = serde_saphyr::from_str(text).expect("YAML");
    let Some(services) = file["services"].as_object() else {
        return;
    };
    for (name, service) in services {
        let privileged = service["privileged"] == true;
        let options: Vec<&str> = list(&service["security_opt"]);
        let limits = &service["deploy"]["resources"]["limits"];
        let mut add = |is: bool, what| {
            let all = faults.entry(name.clone()).or_default();
            if is {
                all.insert(what);
            }
        };
        add(is_root(service["user"].as_str()), "root");
        add(privileged, "privileged");
        add(service["read_only"] != true, "writable root");
        add(!list(&service["cap_add"]).is_empty(), "capabilities");
        add(
            !privileged && list(&service["cap_drop"]) != ["ALL"],
            "undropped capabilities",
        );
        // A stack has no such key: the engine's own configuration decides, and the page says so.
        add(
            !swarm && !privileged && !options.contains(&"no-new-privileges:true"),
            "new privileges",
        );
        add(
            options.iter().any(|option| option.contains("unconfined")),
            "no filter of system calls",
        );
        for (limit, what) in [
            ("memory", "memory"),
            ("cpus", "processors"),
            ("pids", "processes"),
        ] {
            add(limits[limit].is_null(), what);
        }
        for (key, what) in [
            ("pid", "namespace"),
            ("ipc", "namespace"),
            ("userns_mode", "namespace"),
        ] {
            add(!service[key].is_null(), what);
        }
    }
}

fn list(value: &Json) -> Vec<&str> {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(Json::as_str).collect()
}

/// Reads the objects of a manifest.
fn kubernetes(text: &str, faults: &mut Faults) {
    for document in text.split("\n---\n") {
        let Ok(object) = serde_saphyr::from_str::<Json>(document) else {
            continue;
        };
        let template = match object["kind"].as_str() {
            Some("Deployment" | "StatefulSet" | "DaemonSet" | "Job") => &object["spec"]["template"],
            Some("CronJob") => &object["spec"]["jobTemplate"]["spec"]["template"],
            _ => continue,
        };
        let labels = &template["metadata"]["labels"];
        let name = labels["app.kubernetes.io/name"].as_str();
        let name = name.expect("a pod has the name of its service").to_owned();
        let pod = &template["spec"];
        let of_pod = &pod["securityContext"];
        let containers = ["containers", "initContainers"].map(|key| pod[key].as_array());
        for container in containers.into_iter().flatten().flatten() {
            let own = &container["securityContext"];
            let privileged = own["privileged"] == true;
            let limits = &container["resources"]["limits"];
            let either = |key: &str| {
                if own[key].is_null() {
                    &of_pod[key]
                } else {
                    &own[key]
                }
            };
            let user = either("runAsUser").as_u64().map(|user| user.to_string());
            let mut add = |is: bool, what| {
                let all = faults.entry(name.clone()).or_default();
                if is {
                    all.insert(what);
                }
            };
            add(
                is_root(user.as_deref()) || either("runAsNonRoot") != true,
                "root",
            );
            add(privileged, "privileged");
            add(own["readOnlyRootFilesystem"] != true, "writable root");
            add(
                !list(&own["capabilities"]["add"]).is_empty(),
                "capabilities",
            );
            add(
                !privileged && list(&own["capabilities"]["drop"]) != ["ALL"],
                "undropped capabilities",
            );
            add(
                !privileged && own["allowPrivilegeEscalation"] != false,
                "new privileges",
            );
            add(
                !privileged && either("seccompProfile")["type"] != "RuntimeDefault",
                "no filter of system calls",
            );
            add(limits["memory"].is_null(), "memory");
        }
        for key in ["hostPID", "hostIPC"] {
            if pod[key] == true {
                faults.entry(name.clone()).or_default().insert("namespace");
            }
        }
    }
}

fn look(compiled: &Compiled, platform: &Platform) -> Vec<String> {
    let environment = &platform.environment.name;
    let contents = support::contents(&compiled.bundles[environment]);
    let mut faults = Faults::new();
    for (path, (bytes, _)) in &contents {
        let text = String::from_utf8_lossy(bytes);
        match path.as_str() {
            "compose.yaml" | "beside.yaml" => docker(&text, false, &mut faults),
            "stack.yaml" => docker(&text, true, &mut faults),
            _ if path.starts_with("manifests/") && path.ends_with(".yaml") => {
                kubernetes(&text, &mut faults);
            }
            _ => {}
        }
    }
    assert!(!faults.is_empty(), "{environment}: no container was read");
    let (page, _) = &contents["SECURITY.md"];
    let page = String::from_utf8_lossy(page);
    let mut said = Vec::new();
    for (name, found) in &faults {
        if OWN.iter().any(|(own, _)| name.starts_with(own)) {
            let other = found
                .difference(&BTreeSet::from(["root", "capabilities"]))
                .count();
            if other > 0 {
                said.push(format!("{name}: {found:?}"));
            }
            continue;
        }
        // Members of a cluster are numbered on engines.
        let mut services = platform.services.iter();
        let service = services.find(|service| {
            name == &service.name
                || name
                    .strip_prefix(&format!("{}-", service.name))
                    .is_some_and(|rest| {
                        service.members && rest.bytes().all(|byte| byte.is_ascii_digit())
                    })
        });
        let Some(service) = service else {
            // The gateway's pods are the bundle's, too.
            if !found.is_empty() {
                said.push(format!("{name}: no service of the platform, {found:?}"));
            }
            continue;
        };
        let allowed = allowed(service);
        let wrong: Vec<_> = found.difference(&allowed).collect();
        if !wrong.is_empty() {
            said.push(format!("{name}: {wrong:?}"));
        }
        let reasons = [
            ("root", &service.root),
            ("privileged", &service.privileged),
            ("writable root", &service.writable_root),
        ];
        for (what, why) in reasons.iter().filter(|(what, _)| allowed.contains(what)) {
            match why {
                None => said.push(format!("{name}: {what}, and no reason")),
                Some(why) if !page.contains(why.as_str()) => {
                    said.push(format!("{name}: {what}, and SECURITY.md does not say why"));
                }
                Some(_) => {}
            }
        }
    }
    said
}

#[test]
fn containers_may_no_more_than_they_must() {
    let mut said = Vec::new();
    let mut targets = BTreeSet::new();
    for path in support::topologies() {
        let compiled = support::compile(&path, &read(&path), Library::default());
        for platform in &compiled.platforms {
            if compiled.bundles.contains_key(&platform.environment.name) {
                targets.insert(platform.environment.target);
                let faults = look(&compiled, platform);
                let at = &platform.environment.name;
                said.extend(faults.iter().map(|fault| format!("{path}, {at}: {fault}")));
            }
        }
    }
    assert_eq!(targets.len(), 3, "a target has no bundle");
    assert!(said.is_empty(), "{}", said.join("\n"));
}

#[test]
fn what_is_too_free_is_found() {
    let mut faults = Faults::new();
    docker(
        "services:\n  free:\n    user: \"0\"\n    security_opt: [seccomp=unconfined]\n    cap_add: [SYS_ADMIN]\n    pid: host\n",
        false,
        &mut faults,
    );
    kubernetes(
        "kind: Deployment\nspec:\n  template:\n    metadata:\n      labels: { app.kubernetes.io/name: loose }\n    spec:\n      \
         hostPID: true\n      containers: [{ name: a }]\n",
        &mut faults,
    );
    insta::assert_debug_snapshot!(faults);
}
