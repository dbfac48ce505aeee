//! Makes an outline of a platform.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};

use super::{
    Accepted, Alert, Alerting, Backup, Certificate, Component, Directory, Endpoint, Environment,
    Flow, Host, Identity, Kubernetes, Operator, Outline, Policies, Port, Profile, Provider,
    Replicas, Retention, SCHEMA, Secret, Service, Volume,
};
use crate::platform::alerting::{Address, Pulse, QuietHours, Receiver};
use crate::platform::{self, Ask, FlowReason, Kind, Platform, budget};
use crate::source::Place;
use crate::terms::{KeyKind, Login, Role, Target};
use crate::units::{Bytes, MilliCpu};
use crate::value::Value;

/// Letters of an option's text that are written out.
const LONGEST: usize = 200;

/// Makes the outline of a platform in which these findings are accepted. `name` says what to call a place: a file and a key
/// in it, the same on any machine.
pub fn outline(
    platform: &Platform,
    accepted: &BTreeMap<String, Accepted>,
    name: &dyn Fn(&Place) -> String,
) -> Outline {
    let named = |at: usize| platform.services[at].name.clone();
    Outline {
        schema: SCHEMA,
        platform: platform.name.clone(),
        name: platform.environment.name.clone(),
        environment: environment(platform),
        hosts: hosts(platform),
        components: platform
            .components
            .iter()
            .map(|one| (one.name.clone(), component(one, name)))
            .collect(),
        services: platform
            .services
            .iter()
            .map(|one| (one.name.clone(), service(platform, one, name)))
            .collect(),
        flows: flows(platform),
        endpoints: platform
            .endpoints
            .iter()
            .map(|one| {
                let key = format!("{}/{}", named(one.service), one.port);
                let endpoint = Endpoint {
                    url: one.url.clone(),
                    service: named(one.service),
                    port: one.port.clone(),
                    title: one.title.clone(),
                    timeout: one.timeout.to_string(),
                    from: name(&one.place),
                };
                (key, endpoint)
            })
            .collect(),
        volumes: platform
            .components
            .iter()
            .flat_map(|component| component.volumes.iter().map(move |one| (component, one)))
            .map(|(component, one)| {
                let volume = Volume {
                    component: component.name.clone(),
                    key: one.key.clone(),
                    size: one.size.to_string(),
                    class: one.class.to_string(),
                    storage: one.storage.0.to_string(),
                    shared: one.shared,
                    from: name(&one.place),
                };
                (one.name.clone(), volume)
            })
            .collect(),
        backups: backups(platform, name),
        secrets: platform
            .secrets
            .iter()
            .map(|one| {
                let secret = Secret {
                    kind: one.kind.to_string(),
                    version: one.version,
                    purpose: one.purpose.clone(),
                };
                (one.name.clone(), secret)
            })
            .collect(),
        certificates: platform
            .certificates
            .iter()
            .map(|one| {
                let certificate = Certificate {
                    names: one.names.clone(),
                    given: one.given,
                    services: one.services.iter().map(|at| named(*at)).collect(),
                };
                (one.name.clone(), certificate)
            })
            .collect(),
        alerts: alerts(platform, name),
        alerting: alerting(platform),
        operators: platform
            .components
            .iter()
            .flat_map(|component| &component.operators)
            .map(|(group, one)| {
                let operator = Operator {
                    name: one.name.clone(),
                    version: one.version.clone(),
                };
                (group.clone(), operator)
            })
            .collect(),
        identity: identity(&platform.identity),
        accepted: accepted.clone(),
        policies: policies(platform),
    }
}

fn identity(one: &platform::identity::Identity) -> Identity {
    let roles = Role::ALL.iter().map(|role| {
        let groups: BTreeSet<&str> = one.groups_of(*role).collect();
        let groups: Vec<String> = groups.into_iter().map(str::to_owned).collect();
        (role.to_string(), groups)
    });
    Identity {
        kind: one.kind.to_string(),
        ldap: one.directory.as_ref().map(|directory| Directory {
            server: format!("{}:{}", directory.host, directory.port),
            users: directory.users.clone(),
            user_filter: directory.user_filter.clone(),
            groups: directory.groups.clone(),
        }),
        oidc: one.provider.as_ref().map(|provider| Provider {
            issuer: provider.issuer.clone(),
        }),
        // Groups are those of a directory or of a provider.
        roles: roles
            .filter(|(_, groups)| one.kind != Login::Local && !groups.is_empty())
            .collect(),
    }
}

fn environment(platform: &Platform) -> Environment {
    let environment = &platform.environment;
    let component = |at: &usize| platform.components[*at].name.clone();
    Environment {
        target: environment.target.to_string(),
        size: environment.size.to_string(),
        availability: environment.availability.to_string(),
        domain: environment.domain.clone(),
        locale: environment.locale.to_string(),
        bind: environment.bind.clone(),
        zones: environment.zones.clone(),
        storage: environment.storage.kind.to_string(),
        registry: environment.registry.clone(),
        scheme: platform.edge.as_ref().map(|edge| edge.scheme.clone()),
        profiles: environment
            .profiles
            .iter()
            .map(|one| {
                let starts = platform.components.iter();
                let profile = Profile {
                    starts: starts
                        .filter(|component| component.profile.as_ref() == Some(&one.name))
                        .map(|component| component.name.clone())
                        .collect(),
                    stops: one.stops.iter().map(component).collect(),
                };
                (one.name.clone(), profile)
            })
            .collect(),
        kubernetes: environment.cluster.as_ref().map(|cluster| Kubernetes {
            version: format!("1.{}", cluster.version),
            namespace: cluster.namespace.clone(),
            cloud: cluster.cloud.map(|cloud| cloud.to_string()),
            gateway: cluster.gateway.to_string(),
            mesh: cluster.mesh,
            issuer: cluster.issuer.clone(),
            gitops: cluster.gitops.map(|tool| tool.to_string()),
        }),
        trace_percent: platform.traces.as_ref().map(|traces| traces.sampling),
    }
}

fn hosts(platform: &Platform) -> BTreeMap<String, Host> {
    let sets = budget::sets(platform);
    let hosts = platform.environment.hosts.iter().enumerate();
    hosts
        .map(|(at, host)| {
            let mut memory = Bytes(0);
            let mut cpu = MilliCpu(0);
            for set in &sets {
                let load = budget::load(platform, at, set);
                memory = memory.max(load.memory);
                cpu = cpu.max(load.cpu);
            }
            let outlined = Host {
                zone: host.zone.clone(),
                memory: host.memory_budget().to_string(),
                cpu: host.cpu_budget().to_string(),
                memory_taken: memory.to_string(),
                cpu_taken: cpu.to_string(),
            };
            (host.name.clone(), outlined)
        })
        .collect()
}

fn component(one: &platform::Component, name: &dyn Fn(&Place) -> String) -> Component {
    Component {
        blueprint: one.blueprint.clone(),
        version: one.version.clone(),
        edition: one.edition.clone(),
        license: one.license.clone(),
        layer: one.layer.to_string(),
        zone: one.zone.to_string(),
        profile: one.profile.clone(),
        options: one
            .options
            .iter()
            .filter(|(_, value)| **value != Value::Null && !value.is_empty_table())
            .map(|(key, value)| (key.clone(), shortened(value)))
            .collect(),
        accounts: one
            .accounts
            .iter()
            .map(|account| {
                let secret = account.secret.clone().unwrap_or_default();
                (account.user.clone(), secret)
            })
            .collect(),
        login: one.people.as_ref().map(|people| {
            if one.asks_nobody() && people.front.is_none() {
                "nobody".to_owned()
            } else {
                people.login.to_string()
            }
        }),
        front: one.people.as_ref().and_then(|people| people.front.clone()),
        from: name(&one.place),
    }
}

/// Returns a value with long texts in it replaced by their digests: that they changed is all that is asked of them.
fn shortened(value: &Value) -> Value {
    match value {
        Value::Text(text) if text.chars().count() > LONGEST => {
            let digest: String = Sha256::digest(text.as_bytes())
                .iter()
                .take(8)
                .map(|byte| format!("{byte:02x}"))
                .collect();
            Value::Text(format!("{} letters, sha256:{digest}", text.chars().count()))
        }
        Value::List(list) => Value::List(list.iter().map(shortened).collect()),
        Value::Table(table) => Value::Table(
            table
                .iter()
                .map(|(key, value)| (key.clone(), shortened(value)))
                .collect(),
        ),
        other => other.clone(),
    }
}

fn service(
    platform: &Platform,
    one: &platform::Service,
    name: &dyn Fn(&Place) -> String,
) -> Service {
    let component = platform.component_of(one);
    let (kind, schedule) = match &one.kind {
        Kind::Stateless => ("stateless", None),
        Kind::Stateful => ("stateful", None),
        Kind::Job { .. } => ("job", None),
        Kind::OnDemand { .. } => ("on demand", None),
        Kind::Scheduled { schedule, .. } => ("scheduled", Some(schedule.clone())),
    };
    Service {
        component: component.name.clone(),
        key: one.key.clone(),
        kind: kind.to_owned(),
        schedule,
        profile: one.profile.clone(),
        replicas: Replicas {
            min: one.replicas.min,
            max: one.replicas.max,
        },
        scale: one
            .scale
            .map(|(metric, percent)| format!("{metric} {percent}%")),
        quorum: one.quorum,
        image: one.image.reference.clone(),
        memory: one.resources.memory.to_string(),
        cpu: one.resources.cpu.to_string(),
        cpu_limit: one.resources.cpu_limit.to_string(),
        probe: one.probe.as_ref().map(|probe| {
            let word = match probe.ask {
                Ask::Http { .. } => "http",
                Ask::Tcp { .. } => "tcp",
                Ask::Exec(_) => "exec",
            };
            word.to_owned()
        }),
        managed_by: one.managed.as_ref().map(|managed| managed.by.clone()),
        inside: one.inside.map(|at| platform.services[at].name.clone()),
        ports: one
            .ports
            .iter()
            .map(|(key, port)| {
                let outlined = Port {
                    number: port.number,
                    protocol: port.protocol.to_string(),
                    publish: port.publish.map(|how| how.to_string()),
                    listen: port.listen,
                };
                (key.clone(), outlined)
            })
            .collect(),
        volumes: one
            .mounts
            .iter()
            .map(|(path, mount)| (path.clone(), component.volumes[mount.volume].name.clone()))
            .collect(),
        host_folders: one
            .host_mounts
            .iter()
            .map(|(path, mount)| {
                let how = if mount.read_only {
                    "read-only"
                } else {
                    "writable"
                };
                (path.clone(), format!("{} {how}", mount.from))
            })
            .collect(),
        secrets: one.secrets.clone(),
        certificate: one.certificate.as_ref().map(|used| used.name.clone()),
        egress: one.egress.as_ref().map_or_else(Vec::new, |egress| {
            if egress.hosts.is_empty() {
                vec!["anything".to_owned()]
            } else {
                let hosts = egress.hosts.iter();
                let mut hosts: Vec<String> =
                    hosts.map(|(host, port)| format!("{host}:{port}")).collect();
                hosts.sort();
                hosts
            }
        }),
        cluster_api: cluster_api(one),
        user: one.user.map(|(user, group)| format!("{user}:{group}")),
        privileged: one.privileged.is_some(),
        read_only: one.read_only,
        capabilities: one.capabilities.clone(),
        scrapes: one
            .scrapes
            .iter()
            .map(|scrape| format!("{} {}", scrape.port, scrape.path))
            .collect(),
        placement: one
            .placement
            .iter()
            .map(|at| platform.environment.hosts[*at].name.clone())
            .collect(),
        update_together: one.update_together,
        from: name(&one.place),
    }
}

/// Writes every right on its own, so that one more is one more line.
fn cluster_api(one: &platform::Service) -> Vec<String> {
    let mut rights = BTreeSet::new();
    for rule in one.cluster_api.iter().flat_map(|api| &api.rules) {
        let names = if rule.names.is_empty() {
            String::new()
        } else {
            format!(" {}", rule.names.join(", "))
        };
        for group in &rule.groups {
            for resource in &rule.resources {
                let kind = if group.is_empty() {
                    resource.clone()
                } else {
                    format!("{group}/{resource}")
                };
                rights.extend(
                    rule.verbs
                        .iter()
                        .map(|verb| format!("{verb} {kind}{names}")),
                );
            }
        }
    }
    rights.into_iter().collect()
}

fn flows(platform: &Platform) -> BTreeMap<String, Flow> {
    let mut flows: BTreeMap<String, Flow> = BTreeMap::new();
    for flow in &platform.flows {
        let (from, to) = (&platform.services[flow.from], &platform.services[flow.to]);
        let port = to.ports.get(&flow.port);
        let reason = match &flow.reason {
            FlowReason::Need(need) => need.as_str(),
            FlowReason::Proxy => "proxy",
            FlowReason::Peer => "peer",
            FlowReason::Metrics => "metrics",
            FlowReason::Traces => "traces",
        };
        // Several needs may lead to one port: it is one connection, with several reasons.
        let known = flows
            .entry(format!("{} to {}/{}", from.name, to.name, flow.port))
            .or_insert_with(|| Flow {
                from: from.name.clone(),
                to: to.name.clone(),
                port: port.map_or(0, |port| port.number),
                protocol: port.map_or_else(String::new, |port| port.protocol.to_string()),
                reason: String::new(),
                encryption: flow.encryption.to_string(),
            });
        if !known.reason.is_empty() {
            known.reason.push_str(", ");
        }
        known.reason.push_str(reason);
    }
    flows
}

fn backups(platform: &Platform, name: &dyn Fn(&Place) -> String) -> BTreeMap<String, Backup> {
    let whole = platform.backup.as_ref();
    let offsite = whole.and_then(|whole| whole.offsite.as_ref());
    platform
        .components
        .iter()
        .filter_map(|component| {
            let plan = component.backup.as_ref()?;
            let copies = component.keeping.copies.as_ref();
            let backup = Backup {
                schedule: plan.schedule.0.clone(),
                interval: plan.interval.to_string(),
                drill: plan.drill.as_ref().map(|(schedule, ..)| schedule.clone()),
                retention: Retention {
                    days: plan.days,
                    weeks: plan.weeks,
                    months: plan.months,
                },
                recovery_point: plan.recovery_point.0.to_string(),
                recovery_time: plan.recovery_time.to_string(),
                volumes: copies.map_or_else(Vec::new, |copies| copies.covers.clone()),
                offsite: offsite.map(|to| format!("{}/{}/{}", to.endpoint, to.bucket, to.folder)),
                recipients: whole.map_or_else(Vec::new, |whole| whole.recipients.clone()),
                from: name(&plan.schedule.1),
            };
            Some((component.name.clone(), backup))
        })
        .collect()
}

fn alerts(platform: &Platform, name: &dyn Fn(&Place) -> String) -> BTreeMap<String, Alert> {
    let alerting = &platform.alerting;
    let receivers = |told: Vec<usize>| -> Vec<String> {
        let names = told.iter();
        names
            .map(|at| alerting.receivers[*at].name.clone())
            .collect()
    };
    let of = |component: &str, alert: &platform::rules::Alert| {
        let told = if alerting.sender.is_some() {
            receivers(alerting.told(component, alert.severity))
        } else {
            Vec::new()
        };
        Alert {
            expr: alert.expr.clone(),
            hold: alert.hold.clone(),
            severity: alert.severity.to_string(),
            told,
            from: name(&alert.place),
        }
    };
    let mut alerts = BTreeMap::new();
    for component in &platform.components {
        for alert in &component.rules.alerts {
            let key = format!("{}/{}", component.name, alert.name);
            alerts.insert(key, of(&component.name, alert));
        }
    }
    for alert in &platform.own_alerts {
        let component = alert.labels.get(platform::alerting::COMPONENT_LABEL);
        let component = component.map_or("platform", String::as_str);
        alerts.insert(format!("{component}/{}", alert.name), of(component, alert));
    }
    alerts
}

fn alerting(platform: &Platform) -> Alerting {
    let alerting = &platform.alerting;
    Alerting {
        watcher: alerting.watcher.clone(),
        sender: alerting.sender.clone(),
        receivers: alerting
            .receivers
            .iter()
            .map(|receiver| (receiver.name.clone(), ways(receiver)))
            .collect(),
        quiet_hours: alerting
            .quiet_hours
            .iter()
            .map(|quiet| (quiet.name.clone(), hours(quiet)))
            .collect(),
        heartbeat: alerting.heartbeat.as_ref().map(|heartbeat| {
            let to = match &heartbeat.to {
                Pulse::Receiver(at) => alerting.receivers[*at].name.clone(),
                Pulse::Address(address) => shown(address),
            };
            format!("every {} to {to}", heartbeat.interval)
        }),
        probes: platform
            .probes
            .iter()
            .map(|probe| probe.url.clone())
            .collect(),
    }
}

fn shown(address: &Address) -> String {
    match address {
        Address::Known(url) => url.clone(),
        Address::Secret => "a secret address".to_owned(),
    }
}

fn ways(receiver: &Receiver) -> Vec<String> {
    let mail = receiver.email.iter().map(|to| format!("mail {to}"));
    let slack = receiver.slack.iter().map(|to| format!("slack {to}"));
    let webhook = receiver.webhook.iter();
    let webhook = webhook.map(|to| format!("webhook {}", shown(to)));
    mail.chain(slack).chain(webhook).collect()
}

fn hours(quiet: &QuietHours) -> String {
    let time = |minutes: u16| format!("{:02}:{:02}", minutes / 60, minutes % 60);
    let days: Vec<String> = quiet.days.iter().map(ToString::to_string).collect();
    format!(
        "{} {} to {} {}",
        days.join(", "),
        time(quiet.from),
        time(quiet.to),
        quiet.zone
    )
}

fn policies(platform: &Platform) -> Policies {
    let tls = &platform.environment.tls;
    Policies {
        licenses_refused: platform
            .licences
            .refused
            .iter()
            .map(|(license, _)| license.clone())
            .collect(),
        licenses_accepted: platform.licences.accepted.clone(),
        tls_public: tls.public.map(|public| public.to_string()),
        tls_services: tls.services.map(|services| services.to_string()),
        tls_key: (tls.key != KeyKind::EcdsaP256).then(|| tls.key.to_string()),
        secret_store: platform
            .environment
            .secrets
            .word()
            .map(|store| store.to_string()),
        disks_encrypted: platform.environment.storage.encrypted,
        tls_lifetime: tls.lifetime.to_string(),
        tls_renew_before: tls.renew_before.to_string(),
        pod_security: (platform.environment.target == Target::Kubernetes)
            .then(|| platform.pod_security(None).to_string()),
    }
}
