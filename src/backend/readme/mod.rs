//! The README of a bundle: what a person needs to start it, reach it and understand it.
//!
//! Rendered with Handlebars, one template per target and language. What all targets say is gathered here; what only one
//! says is gathered beside its template, or in its backend.

pub mod compose;
pub mod swarm;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use handlebars::Handlebars;
use serde::Serialize;

use super::order::Order;
use crate::graph::Graph;
use crate::platform::{Component, FlowReason, Kind, Platform, Store};
use crate::terms::{Locale, Scheduler, SecretKind};

/// A template in all languages, compiled when first used: that takes as long as everything else that is done for a small
/// platform.
pub(crate) struct Template {
    /// English.
    pub(crate) en: LazyLock<Handlebars<'static>>,
    /// French.
    pub(crate) fr: LazyLock<Handlebars<'static>>,
}

impl Template {
    /// Renders the README of a platform in its language.
    pub(crate) fn render(&self, platform: &Platform, data: &impl Serialize) -> String {
        let engine = match platform.environment.locale {
            Locale::En => &*self.en,
            Locale::Fr => &*self.fr,
        };
        engine
            .render(TEMPLATE, data)
            .unwrap_or_else(|error| format!("Defect of lakewright: {error}\n"))
    }
}

/// The name of the one template that an engine has.
const TEMPLATE: &str = "readme";

/// Compiles a template of Lakewright's own.
pub(crate) fn engine(template: &str) -> Handlebars<'static> {
    let mut handlebars = Handlebars::new();
    handlebars.set_strict_mode(true);
    handlebars.register_escape_fn(markdown);
    handlebars
        .register_template_string(TEMPLATE, template)
        .expect("a template of Lakewright's own; a test renders every one");
    handlebars
}

/// Escapes what Markdown would read as HTML or as the end of a table's cell; code spans keep working.
fn markdown(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('|', "\\|")
}

/// What the README of every target has.
#[derive(Serialize)]
pub(crate) struct Common<'p> {
    platform: &'p str,
    environment: &'p str,
    /// The platform as a Mermaid flowchart.
    graph: String,
    components: Vec<ComponentRow<'p>>,
    left_out: Vec<LeftOut<'p>>,
    host_settings: Vec<SettingRow<'p>>,
    builds: bool,
    given: Vec<SecretRow<'p>>,
    secrets: usize,
    /// The store of secrets outside, if values are there.
    remote: Option<RemotePart<'p>>,
    /// Whether values are in files that only the cluster can open.
    sealed: bool,
    /// Whether values are in files that SOPS encrypts.
    sops: bool,
    /// Every secret, with who reads it.
    readers: Vec<ReaderRow<'p>>,
    /// Whether copies are made.
    copies: bool,
    /// Whether alerts are watched, so that there is a runbook.
    runbook: bool,
    stages: Vec<StageRow<'p>>,
    endpoints: Vec<EndpointRow<'p>>,
    accounts: Vec<AccountRow<'p>>,
    scheduled: Vec<ScheduledRow<'p>>,
    /// Whether cron starts some of these.
    cron: bool,
    /// Whether systemd does.
    timers: bool,
    /// Whether copies are made of what the platform keeps.
    backups: bool,
    flows: Vec<FlowRow<'p>>,
    traces: Option<TracesPart<'p>>,
    notes: Vec<NotesRow<'p>>,
    has_profiles: bool,
}

#[derive(Serialize)]
struct ComponentRow<'p> {
    name: &'p str,
    summary: &'p str,
    version: &'p str,
    layer: &'static str,
    zone: &'static str,
    license: &'p str,
    profile: Option<&'p str>,
    added_for: Option<&'p str>,
}

#[derive(Serialize)]
struct LeftOut<'p> {
    name: &'p str,
    reason: &'p str,
}

#[derive(Serialize)]
struct SettingRow<'p> {
    name: &'p str,
    minimum: i64,
    reason: &'p str,
    service: &'p str,
}

#[derive(Serialize)]
struct SecretRow<'p> {
    name: &'p str,
    purpose: &'p str,
}

/// A store of secrets outside.
#[derive(Serialize)]
struct RemotePart<'p> {
    kind: &'static str,
    name: &'p str,
    property: Option<&'p str>,
    refresh: Option<String>,
    /// The key of each secret.
    keys: BTreeMap<&'p str, String>,
}

#[derive(Serialize)]
struct ReaderRow<'p> {
    secret: &'p str,
    services: String,
}

#[derive(Serialize)]
struct StageRow<'p> {
    number: usize,
    services: Vec<&'p str>,
}

#[derive(Serialize)]
struct EndpointRow<'p> {
    title: &'p str,
    url: &'p str,
    web: bool,
    profile: Option<&'p str>,
}

#[derive(Serialize)]
struct AccountRow<'p> {
    component: &'p str,
    user: &'p str,
    secret: Option<&'p str>,
    purpose: &'p str,
    url: Option<&'p str>,
}

#[derive(Serialize)]
struct ScheduledRow<'p> {
    service: &'p str,
    /// None of those that run only when they are told to.
    schedule: Option<&'p str>,
    /// The service whose cluster it runs in, and its namespace there.
    host: Option<&'p str>,
    inside: Option<&'p str>,
}

#[derive(PartialEq, Eq, Serialize)]
struct FlowRow<'p> {
    from: &'p str,
    to: &'p str,
    port: u16,
    protocol: &'static str,
}

/// Where traces are collected, and who sends none.
#[derive(Serialize)]
struct TracesPart<'p> {
    collector: &'p str,
    silent: Vec<SilentRow<'p>>,
}

#[derive(Serialize)]
struct SilentRow<'p> {
    component: &'p str,
    why: &'p str,
}

#[derive(Serialize)]
struct NotesRow<'p> {
    component: &'p str,
    notes: Vec<&'p str>,
}

/// Gathers what the README of every target has.
pub(crate) fn common(platform: &Platform) -> Common<'_> {
    let profile = |service| platform.profile_of(service);
    let clock = platform
        .services
        .iter()
        .any(|service| matches!(service.kind, Kind::Scheduled { .. }));
    let here = |at: usize| platform.components[at].unsupported.is_none();
    let components = platform
        .components
        .iter()
        .enumerate()
        .filter(|(at, _)| here(*at));
    Common {
        platform: &platform.name,
        environment: &platform.environment.name,
        graph: Graph::of(platform).mermaid(),
        components: components
            .clone()
            .map(|(_, component)| ComponentRow {
                name: &component.name,
                summary: &component.summary,
                version: &component.version,
                layer: component.layer.word(),
                zone: component.zone.word(),
                license: &component.license,
                profile: profile_of(platform, component),
                added_for: component.added_for.as_deref(),
            })
            .collect(),
        left_out: platform
            .components
            .iter()
            .filter_map(|component| {
                Some(LeftOut {
                    name: &component.name,
                    reason: &component.unsupported.as_ref()?.reason,
                })
            })
            .collect(),
        host_settings: platform
            .services
            .iter()
            .flat_map(|service| {
                service
                    .host_settings
                    .iter()
                    .map(|(name, (minimum, reason))| SettingRow {
                        name,
                        minimum: *minimum,
                        reason,
                        service: &service.name,
                    })
            })
            .collect(),
        builds: platform
            .components
            .iter()
            .enumerate()
            .any(|(at, component)| !component.builds.is_empty() && !is_guest(platform, at)),
        given: platform
            .secrets
            .iter()
            .filter(|secret| secret.kind == SecretKind::Given)
            .map(|secret| SecretRow {
                name: &secret.name,
                purpose: &secret.purpose,
            })
            .collect(),
        secrets: platform.secrets.len(),
        remote: match &platform.environment.secrets {
            Store::Remote(store) => Some(RemotePart {
                kind: store.kind.word(),
                name: &store.name,
                property: store.property.as_deref(),
                refresh: store.refresh.map(|refresh| refresh.to_string()),
                keys: platform
                    .secrets
                    .iter()
                    .map(|secret| (secret.name.as_str(), store.key(secret)))
                    .collect(),
            }),
            Store::Target | Store::Sealed | Store::Sops(_) => None,
        },
        sealed: platform.environment.secrets == Store::Sealed,
        sops: matches!(platform.environment.secrets, Store::Sops(_)),
        readers: platform
            .secrets
            .iter()
            .map(|secret| {
                let readers = platform.services.iter();
                let readers = readers.filter(|service| service.secrets.contains(&secret.name));
                let names: Vec<&str> = readers.map(|service| service.name.as_str()).collect();
                ReaderRow {
                    secret: &secret.name,
                    services: names.join(", "),
                }
            })
            .collect(),
        copies: platform.backup.is_some()
            && platform
                .components
                .iter()
                .any(|component| component.backup.is_some()),
        runbook: platform.collectors.metrics.is_some(),
        stages: stages(platform),
        endpoints: platform
            .endpoints
            .iter()
            .map(|endpoint| EndpointRow {
                title: &endpoint.title,
                url: &endpoint.url,
                web: endpoint.host.is_some(),
                profile: profile(&platform.services[endpoint.service]),
            })
            .collect(),
        accounts: components
            .clone()
            .flat_map(|(_, component)| {
                component.accounts.iter().map(|account| AccountRow {
                    component: &component.name,
                    user: &account.user,
                    secret: account.secret.as_deref(),
                    purpose: &account.purpose,
                    url: account.url.as_deref(),
                })
            })
            .collect(),
        scheduled: platform
            .services
            .iter()
            .filter(|service| service.kind.waits_to_be_told())
            .map(|service| {
                let host = service.inside.map(|host| &platform.services[host]);
                let hosted = host.and_then(|host| host.hosts.as_ref());
                ScheduledRow {
                    service: &service.name,
                    schedule: match &service.kind {
                        Kind::Scheduled { schedule, .. } => Some(schedule),
                        _ => None,
                    },
                    host: host.map(|host| host.name.as_str()),
                    inside: hosted.map(|hosted| hosted.cluster.namespace.as_str()),
                }
            })
            .collect(),
        cron: clock && platform.environment.scheduler == Scheduler::Cron,
        timers: clock && platform.environment.scheduler == Scheduler::Systemd,
        backups: platform
            .services
            .iter()
            .any(|service| service.backup.is_some()),
        flows: flows(platform),
        traces: platform.traces.as_ref().map(|traces| TracesPart {
            collector: &platform.services[traces.service].name,
            silent: components
                .clone()
                .filter_map(|(_, component)| {
                    Some(SilentRow {
                        component: &component.name,
                        why: component.no_traces.as_deref()?,
                    })
                })
                .collect(),
        }),
        notes: components
            .filter(|(_, component)| !component.notes.is_empty())
            .map(|(_, component)| NotesRow {
                component: &component.name,
                notes: component.notes.iter().map(String::as_str).collect(),
            })
            .collect(),
        has_profiles: !platform.environment.profiles.is_empty(),
    }
}

/// Says whether a component runs in a cluster inside a service.
fn is_guest(platform: &Platform, component: usize) -> bool {
    let mut services = platform.services_of(component);
    services.any(|service| service.inside.is_some())
}

/// Lists who may talk to whom, once: several needs may lead to the same port.
fn flows(platform: &Platform) -> Vec<FlowRow<'_>> {
    let flows = platform.flows.iter();
    let mut rows: Vec<FlowRow<'_>> = flows
        .filter(|flow| !matches!(flow.reason, FlowReason::Peer | FlowReason::Traces))
        .filter_map(|flow| {
            let (from, to) = (&platform.services[flow.from], &platform.services[flow.to]);
            let port = to.ports.get(&flow.port)?;
            Some(FlowRow {
                from: &from.name,
                to: &to.name,
                port: port.number,
                protocol: port.protocol.word(),
            })
        })
        .collect();
    rows.dedup();
    rows
}

/// Returns the profile of a component: its own, or that of its services where all are in one.
fn profile_of<'p>(platform: &'p Platform, component: &'p Component) -> Option<&'p str> {
    let at = platform
        .components
        .iter()
        .position(|other| std::ptr::eq(other, component))?;
    let mut profiles = platform
        .services_of(at)
        .map(|service| platform.profile_of(service));
    let first = profiles.next()?;
    profiles.all(|profile| profile == first).then_some(first)?
}

/// Groups services by the stage in which they can start: each waits for some of an earlier one.
fn stages(platform: &Platform) -> Vec<StageRow<'_>> {
    let waves = Order::new(platform).waves;
    let mut rows: Vec<StageRow<'_>> = Vec::new();
    for (at, service) in platform.services.iter().enumerate() {
        // A cluster inside a service starts everything in it at once.
        if service.kind.waits_to_be_told() || service.inside.is_some() {
            continue;
        }
        let stage = waves[at];
        while rows.len() <= stage {
            let number = rows.len() + 1;
            rows.push(StageRow {
                number,
                services: Vec::new(),
            });
        }
        rows[stage].services.push(&service.name);
    }
    for row in &mut rows {
        row.services.sort_unstable();
    }
    rows
}
