//! What people have of backups: a script for each thing to do, and a page that says what to do when something is lost.
//!
//! The jobs are services like others. Here are the ways to run them now, which differ by target, and what has to be stopped
//! while data is put back, which follows from the wiring.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde::Serialize;

use super::Files;
use super::docker::instance_names;
use super::kubernetes::controller;
use super::order::depths;
use super::readme::{Template, engine};
use crate::platform::backup::{Copies, IDENTITY_SECRET, Plan, STORE_SECRET};
use crate::platform::{Component, FlowReason, Platform};
use crate::template::header;
use crate::terms::{Scheduler, Target};

static RESTORE: Template = Template {
    en: LazyLock::new(|| engine(include_str!("../readme/restore.en.hbs"))),
    fr: LazyLock::new(|| engine(include_str!("../readme/restore.fr.hbs"))),
};

/// The page that says how everything comes back.
const PAGE: &str = "RESTORE.md";

/// A component of which copies are made.
struct Copied<'p> {
    at: usize,
    component: &'p Component,
    plan: &'p Plan,
    copies: &'p Copies,
}

#[derive(Serialize)]
struct Script<'p> {
    header: String,
    target: &'static str,
    project: String,
    namespace: Option<&'p str>,
    component: &'p str,
    dependents: Vec<String>,
    own: Vec<String>,
    then: &'p [String],
    components: &'p [&'p str],
    drills: Vec<&'p str>,
    restore: bool,
}

/// Adds the scripts and the page, where copies are made.
pub(crate) fn add(platform: &Platform, files: &mut Files) {
    let Some(backup) = &platform.backup else {
        return;
    };
    let order = depths(&needs(platform));
    let mut copied: Vec<Copied<'_>> = platform
        .components
        .iter()
        .enumerate()
        .filter_map(|(at, component)| {
            Some(Copied {
                at,
                component,
                plan: component.backup.as_ref()?,
                copies: component.keeping.copies.as_ref()?,
            })
        })
        .collect();
    if copied.is_empty() {
        return;
    }
    // Those that others need first: a system may put its copy back through them.
    copied.sort_by_key(|copied| (order[copied.at], copied.component.name.as_str()));
    let names: Vec<&str> = copied
        .iter()
        .map(|copied| copied.component.name.as_str())
        .collect();
    let environment = &platform.environment;
    let script = |component, dependents, own, then, restore| Script {
        header: header("the topology"),
        target: environment.target.word(),
        project: environment.project(&platform.name),
        namespace: environment
            .cluster
            .as_ref()
            .map(|cluster| cluster.namespace.as_str()),
        component,
        dependents,
        own,
        then,
        components: &names,
        drills: copied
            .iter()
            .filter(|copied| copied.plan.drill.is_some())
            .map(|copied| copied.component.name.as_str())
            .collect(),
        restore,
    };
    let place = &backup.place;
    let all = script("", Vec::new(), Vec::new(), &[], false);
    files.add_script("backup-job.sh", include_str!("job.sh.tera"), &all, place);
    files.add_script("backup-all.sh", include_str!("all.sh.tera"), &all, place);
    files.add_script(
        "verify-backup.sh",
        include_str!("verify.sh.tera"),
        &all,
        place,
    );
    let all = script("", Vec::new(), Vec::new(), &[], true);
    files.add_script("restore-all.sh", include_str!("all.sh.tera"), &all, place);
    for copied in &copied {
        let name = copied.component.name.as_str();
        let dependents = dependents(platform, copied.at);
        let own = stoppable(platform, copied.copies.stops.iter().copied());
        let data = script(name, dependents, own, &copied.copies.then, false);
        let place = &copied.component.place;
        files.add_script(
            &format!("backup-{name}.sh"),
            include_str!("component.sh.tera"),
            &data,
            place,
        );
        files.add_script(
            &format!("restore-{name}.sh"),
            include_str!("restore.sh.tera"),
            &data,
            place,
        );
    }
    let page = page(platform, &copied);
    files.add(PAGE, RESTORE.render(platform, &page), false, place);
}

/// Returns which components each component needs.
fn needs(platform: &Platform) -> Vec<BTreeSet<usize>> {
    let mut needs = vec![BTreeSet::new(); platform.components.len()];
    for flow in &platform.flows {
        let [from, to] = [flow.from, flow.to].map(|at| platform.services[at].component);
        if from != to && matches!(flow.reason, FlowReason::Need(_)) {
            needs[from].insert(to);
        }
    }
    needs
}

/// Returns what has to be stopped while the data of a component is put back: what uses it by a need. Who only watches, and
/// the proxy, may see it come and go.
fn dependents(platform: &Platform, component: usize) -> Vec<String> {
    let services = &platform.services;
    let users: BTreeSet<usize> = platform
        .flows
        .iter()
        .filter(|flow| services[flow.to].component == component)
        .filter(|flow| services[flow.from].component != component)
        .filter(|flow| matches!(flow.reason, FlowReason::Need(_)))
        .map(|flow| platform.carrier(flow.from))
        .filter(|at| services[*at].kind.keeps_running() && services[*at].is_ours())
        .collect();
    stoppable(platform, users)
}

/// Returns what services are called where they are stopped and started.
fn stoppable(platform: &Platform, services: impl IntoIterator<Item = usize>) -> Vec<String> {
    let names = services.into_iter().flat_map(|at| {
        let service = &platform.services[at];
        match platform.environment.target {
            Target::Kubernetes => vec![format!("{}/{}", controller(service), service.name)],
            // Those are started and stopped by a script of their own.
            Target::Swarm if service.runs_beside() => Vec::new(),
            _ => instance_names(service),
        }
    });
    names.collect()
}

#[derive(Serialize)]
struct Page<'p> {
    platform: &'p str,
    environment: &'p str,
    manager: bool,
    cron: bool,
    timers: bool,
    losses: Vec<Loss<'p>>,
    runbook: bool,
    components: Vec<Row<'p>>,
    elsewhere: Vec<Elsewhere<'p>>,
    left: Vec<Left<'p>>,
    bare: Vec<Bare<'p>>,
    encrypted: bool,
    recipients: &'p [String],
    identity: &'static str,
    store: &'static str,
    offsite: bool,
    bucket: &'p str,
    folder: &'p str,
    endpoint: &'p str,
    access_key: &'p str,
}

#[derive(Serialize)]
struct Row<'p> {
    name: &'p str,
    schedule: &'p str,
    drill: Option<&'p str>,
    days: u64,
    weeks: u64,
    months: u64,
    point: String,
    time: String,
    contents: &'p str,
    quiet: &'p str,
    without: Option<&'p str>,
    stops: Option<String>,
}

#[derive(Serialize)]
struct Loss<'p> {
    what: &'p str,
    steps: &'p str,
}

#[derive(Serialize)]
struct Elsewhere<'p> {
    name: &'p str,
    what: &'p str,
    #[serde(rename = "in")]
    place: &'p str,
}

#[derive(Serialize)]
struct Left<'p> {
    name: &'p str,
    volume: &'p str,
    why: &'p str,
}

#[derive(Serialize)]
struct Bare<'p> {
    name: &'p str,
    volume: &'p str,
}

fn page<'p>(platform: &'p Platform, copied: &[Copied<'p>]) -> Page<'p> {
    let backup = platform.backup.as_ref();
    let offsite = backup.and_then(|backup| backup.offsite.as_ref());
    let recipients = backup.map_or(&[][..], |backup| &backup.recipients);
    let components = &platform.components;
    let is_copied = |name: &str| copied.iter().any(|copied| copied.component.name == name);
    let engine = platform.environment.target != Target::Kubernetes;
    Page {
        platform: &platform.name,
        environment: &platform.environment.name,
        manager: platform.environment.target == Target::Swarm,
        cron: engine && platform.environment.scheduler == Scheduler::Cron,
        timers: engine && platform.environment.scheduler == Scheduler::Systemd,
        losses: components
            .iter()
            .flat_map(|component| &component.keeping.losses)
            .map(|(what, steps)| Loss { what, steps })
            .collect(),
        runbook: platform.collectors.metrics.is_some(),
        components: copied
            .iter()
            .map(|copied| {
                let own = copied.copies.stops.iter().copied();
                let mut stops = stoppable(platform, own);
                stops.extend(dependents(platform, copied.at));
                Row {
                    name: &copied.component.name,
                    schedule: &copied.plan.schedule.0,
                    drill: copied.plan.drill.as_ref().map(|(drill, ..)| drill.as_str()),
                    days: copied.plan.days,
                    weeks: copied.plan.weeks,
                    months: copied.plan.months,
                    point: copied.plan.recovery_point.0.to_string(),
                    time: copied.plan.recovery_time.to_string(),
                    contents: &copied.copies.contents,
                    quiet: &copied.copies.quiet,
                    without: copied.copies.without.as_deref(),
                    stops: (!stops.is_empty()).then(|| stops.join(", ")),
                }
            })
            .collect(),
        elsewhere: components
            .iter()
            .flat_map(|component| {
                let all = component.keeping.elsewhere.iter();
                let kept = all.filter(|(place, _)| is_copied(place));
                kept.map(|(place, what)| Elsewhere {
                    name: &component.name,
                    what,
                    place,
                })
            })
            .collect(),
        left: components
            .iter()
            .flat_map(|component| {
                let volumes = component.volumes.iter();
                volumes.filter_map(|volume| {
                    Some(Left {
                        name: &component.name,
                        volume: &volume.name,
                        why: component.keeping.left.get(&volume.key)?,
                    })
                })
            })
            .collect(),
        bare: components
            .iter()
            .enumerate()
            .flat_map(|(at, component)| {
                let volumes = platform.unkept(at).into_iter();
                volumes.map(|volume| Bare {
                    name: &component.name,
                    volume: &volume.name,
                })
            })
            .collect(),
        encrypted: !recipients.is_empty(),
        recipients,
        identity: IDENTITY_SECRET,
        store: STORE_SECRET,
        offsite: offsite.is_some(),
        bucket: offsite.map_or("", |offsite| &offsite.bucket),
        folder: offsite.map_or("", |offsite| &offsite.folder),
        endpoint: offsite.map_or("", |offsite| &offsite.endpoint),
        access_key: offsite.map_or("", |offsite| &offsite.access_key),
    }
}
