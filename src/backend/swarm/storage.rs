//! Volumes: on the host of their task, or on a server; and the jobs that make them their users' own.

use std::collections::{BTreeMap, BTreeSet};

use serde_saphyr::{DoubleQuoted, FlowSeq};

use super::model::{
    ConfigMount, Deploy, Limits, Mount, NoCopy, Placement, Reservations, Resources, RestartPolicy,
    Service, Volume,
};
use super::{Parts, names, network, service};
use crate::backend::docker::{self, Instance, instances, logging, words};
use crate::bundle::Digest;
use crate::platform::{self, Platform};
use crate::template::{header, render_own};

/// How volumes on a server are mounted: writes wait for the server rather than getting lost, reading leaves no trace.
const NFS_OPTIONS: &str = "nfsvers=4.2,rw,hard,timeo=600,retrans=2,noatime";

/// The script that makes volumes their users' own.
const SCRIPT: &str = "prepare/own.sh";

/// The name of the jobs that run it: one for each host, and one for the server.
const PREPARE: &str = "lakewright-prepare";

/// The volume that is the server's whole folder.
const ROOT: &str = "nfs-root";

/// Returns what volumes on a server are mounted with.
pub(super) fn nfs_options(server: &str) -> String {
    format!("addr={server},{NFS_OPTIONS}")
}

/// Returns the volumes of one instance of a service, by the name that they have in the stack.
pub(super) fn of<'p>(
    platform: &'p Platform,
    service: &'p platform::Service,
    instance: &Instance,
) -> Vec<(String, &'p platform::Volume, &'p str, bool)> {
    let component = platform.component_of(service);
    let mounts = service.mounts.iter();
    mounts
        .map(|(path, mount)| {
            let volume = &component.volumes[mount.volume];
            let name = instance.volume(volume.shared, &volume.name);
            (name, volume, path.as_str(), mount.read_only)
        })
        .collect()
}

/// Defines a volume.
pub(super) fn definition(
    platform: &Platform,
    project: &str,
    component: &str,
    name: &str,
    volume: &platform::Volume,
) -> Volume {
    let labels = BTreeMap::from([
        ("lakewright.component", component.to_owned()),
        ("lakewright.volume", volume.key.clone()),
    ]);
    match &platform.environment.storage.nfs {
        Some((server, path)) if !volume.is_local() => on_server(
            project,
            server,
            &format!("{path}/{project}/{name}"),
            name,
            labels,
        ),
        _ => Volume {
            name: None,
            driver: None,
            driver_opts: BTreeMap::new(),
            labels,
        },
    }
}

/// Defines a volume on a server. What it is mounted with is fixed when a host first makes it, so it is part of its name.
fn on_server(
    project: &str,
    server: &str,
    folder: &str,
    name: &str,
    labels: BTreeMap<&'static str, String>,
) -> Volume {
    let options = nfs_options(server);
    let device = format!(":{folder}");
    let hash = Digest::of(format!("{options}\0{device}").as_bytes()).to_string();
    Volume {
        name: Some(format!("{project}_{name}-{}", &hash[..8])),
        driver: Some("local"),
        driver_opts: BTreeMap::from([
            ("device", device),
            ("o", options),
            ("type", "nfs".to_owned()),
        ]),
        labels,
    }
}

/// Adds the jobs that make volumes their users' own: a new one belongs to root.
pub(super) fn prepare(platform: &Platform, project: &str, parts: &mut Parts) {
    let mut by_host: BTreeMap<usize, BTreeMap<String, String>> = BTreeMap::new();
    let mut on_server: BTreeMap<String, String> = BTreeMap::new();
    for service in super::stack_services(platform) {
        let (user, group) = service.user.unwrap_or((0, 0));
        for (at, instance) in instances(service).iter().enumerate() {
            for (name, volume, _, read_only) in of(platform, service, instance) {
                let owner = format!("{user}:{group}");
                if read_only {
                    continue;
                }
                if !volume.is_local() {
                    on_server.insert(name, owner);
                } else if service.user.is_some() {
                    let host = service.placement.get(at).or(service.placement.first());
                    by_host
                        .entry(host.copied().unwrap_or_default())
                        .or_default()
                        .insert(name, owner);
                }
            }
        }
    }
    if by_host.is_empty() && on_server.is_empty() {
        return;
    }
    let data = serde_json::json!({ "header": header("the topology") });
    let text = render_own(include_str!("own.sh.tera"), &data);
    parts.file(SCRIPT, text.as_bytes(), true, &platform.environment.place);
    for (host, volumes) in by_host {
        let host = &platform.environment.hosts[host].name;
        let mounts = volumes.keys().map(|name| mount(name, name)).collect();
        let constraint = names::constraint(&names::host_label(project), "==", host);
        let job = job(platform, mounts, &volumes, constraint);
        parts
            .stack
            .services
            .insert(format!("{PREPARE}-{host}"), job);
    }
    if let (Some((server, path)), false) = (&platform.environment.storage.nfs, on_server.is_empty())
    {
        let labels = BTreeMap::from([("lakewright.volume", ROOT.to_owned())]);
        let root = self::on_server(project, server, path, ROOT, labels);
        parts.stack.volumes.insert(ROOT.to_owned(), root);
        let folders: BTreeMap<String, String> = on_server
            .into_iter()
            .map(|(name, owner)| (format!("{ROOT}/{project}/{name}"), owner))
            .collect();
        let constraint = names::constraint(&names::member_label(project), "==", "true");
        let job = job(platform, vec![mount(ROOT, ROOT)], &folders, constraint);
        parts
            .stack
            .services
            .insert(format!("{PREPARE}-{ROOT}"), job);
    }
}

fn mount(name: &str, folder: &str) -> Mount {
    Mount {
        kind: "volume",
        source: Some(name.to_owned()),
        target: format!("/volumes/{folder}"),
        volume: Some(NoCopy { nocopy: true }),
        ..Mount::default()
    }
}

/// Makes a job that gives folders to users: `folder=user:group`.
fn job(
    platform: &Platform,
    volumes: Vec<Mount>,
    owners: &BTreeMap<String, String>,
    constraint: String,
) -> Service {
    let mut shown: BTreeSet<String> = BTreeSet::new();
    shown.extend(
        owners
            .iter()
            .map(|(folder, owner)| format!("/volumes/{folder}={owner}")),
    );
    Service {
        image: docker::PREPARE_IMAGE.to_owned(),
        entrypoint: Some(words(&["/bin/sh", "/own.sh"])),
        command: Some(FlowSeq(shown.into_iter().collect())),
        user: Some(DoubleQuoted("0:0".to_owned())),
        networks: network::nowhere(),
        configs: vec![ConfigMount {
            source: docker::config_name(SCRIPT),
            target: "/own.sh".to_owned(),
            mode: service::EXECUTABLE,
        }],
        volumes,
        read_only: true,
        cap_drop: Some(words(&["ALL"])),
        cap_add: Some(words(&["CHOWN", "DAC_OVERRIDE", "FOWNER"])),
        deploy: Deploy {
            mode: Some(service::JOB),
            endpoint_mode: service::ENDPOINT_MODE,
            labels: BTreeMap::from([("lakewright.service", PREPARE.to_owned())]),
            placement: Placement {
                constraints: vec![constraint],
                ..Placement::default()
            },
            resources: Resources {
                limits: Limits {
                    cpus: "0.5".to_owned(),
                    memory: "32M".to_owned(),
                    pids: 64,
                },
                reservations: Reservations {
                    cpus: "0.05".to_owned(),
                    memory: "32M".to_owned(),
                },
            },
            restart_policy: RestartPolicy {
                condition: "on-failure",
                delay: Some("5s"),
            },
            ..Deploy::default()
        },
        logging: logging(platform, docker::LAKEWRIGHT, PREPARE),
        ..Service::default()
    }
}
