//! Guests: components that run in a cluster which another component brings, on targets that have none.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::platform::{
    AUTHORITY_FILE, AUTHORITY_OBJECT, Cluster, Component, Flow, HostedCluster, Neighbour, Secret,
    Service, StartAfter,
};
use crate::terms::{GatewayApi, Target};
use crate::value::Value;

impl Finish<'_, '_, '_> {
    /// Says whether a component has a service with a cluster in it.
    pub(super) fn brings_cluster(&self, at: usize) -> bool {
        self.host_of(at).is_some()
    }

    /// Returns the position of a component's service with a cluster in it.
    pub(super) fn host_of(&self, at: usize) -> Option<usize> {
        let hosts = |sized: &Sized<'_>| {
            let service = sized.service;
            service.is_some_and(|service| service.hosts_cluster.is_some())
        };
        let position = self.sized[at].iter().position(hosts)?;
        Some(self.first[at] + position)
    }

    /// Returns the cluster in a service, if it has one.
    pub(super) fn hosted(&self, at: usize, sized: &Sized<'_>) -> Option<HostedCluster> {
        let spec = sized.service?.hosts_cluster.as_ref()?;
        let (version, version_place) = &self.drafts[at].version;
        Some(HostedCluster {
            cluster: Cluster {
                // What is no version was reported when names were given out.
                version: super::super::minor_version(version).unwrap_or_default(),
                version_place: version_place.clone(),
                namespace: self.namespace_inside(),
                cloud: None,
                disk_key: None,
                storage_classes: BTreeMap::new(),
                gateway: GatewayApi::Standard,
                tls_secret: String::new(),
                issuer: None,
                group_prefix: String::new(),
                gitops: None,
                mesh: false,
            },
            manifests: spec.manifests.clone(),
            // Known when all flows are.
            outside: Vec::new(),
        })
    }

    fn namespace_inside(&self) -> String {
        self.resolver.layered.platform.value.clone()
    }

    /// Tells a service with a cluster in it what it has to make for those that run there.
    pub(super) fn guests(
        &self,
        host: usize,
        made: &BTreeMap<usize, (Component, Vec<Service>)>,
        secrets: &BTreeMap<String, Secret>,
        flows: &[Flow],
    ) -> Value {
        let guests: Vec<&Service> = made
            .iter()
            .filter(|(at, _)| self.drafts[**at].inside == Some(host))
            .flat_map(|(_, (_, services))| services)
            .filter(|service| service.is_ours())
            .collect();
        let read: BTreeSet<&String> = guests.iter().flat_map(|guest| &guest.secrets).collect();
        let read = read.into_iter().filter_map(|name| secrets.get(name));
        let running = |stateful: bool| -> Vec<String> {
            let guests = guests
                .iter()
                .filter(|guest| guest.kind.keeps_running() && guest.is_stateful() == stateful);
            guests.map(|guest| guest.name.clone()).collect()
        };
        let ports = guests.iter().flat_map(|guest| guest.ports.values());
        let ports: BTreeSet<u16> = ports.map(|port| port.number).collect();
        let ports = ports.first().zip(ports.last());
        let mut mounted: Vec<Value> = read
            .map(|secret| {
                Value::table([
                    ("object", Value::from(secret.object())),
                    ("path", Value::from(Self::secret_path(&secret.name))),
                    ("key", Value::from(secret.key())),
                    ("user", Value::from(secret.user.clone())),
                ])
            })
            .collect();
        if guests.iter().any(|guest| guest.trusts) {
            mounted.push(Value::table([
                ("object", Value::from(AUTHORITY_OBJECT)),
                ("path", Value::from(Self::secret_path(AUTHORITY_FILE))),
                ("key", Value::from(AUTHORITY_FILE)),
                ("user", Value::Null),
            ]));
        }
        Value::table([
            (
                "ports",
                Value::from(ports.map(|(first, last)| format!("{first}-{last}"))),
            ),
            ("namespace", Value::from(self.namespace_inside())),
            ("secrets", Value::List(mounted)),
            ("deployments", Value::from(running(false))),
            ("stateful_sets", Value::from(running(true))),
            ("outside", self.outside(host, flows)),
        ])
    }

    /// Describes what guests connect to outside to templates.
    fn outside(&self, host: usize, flows: &[Flow]) -> Value {
        let described = |neighbour: Neighbour| {
            let used: BTreeSet<&str> = self
                .leaving(host, flows)
                .filter(|flow| flow.to == neighbour.service)
                .map(|flow| flow.port.as_str())
                .collect();
            let ports = self.sized_at(neighbour.service).ports.iter();
            let ports = ports.filter(|(name, _)| used.contains(name.as_str()));
            let ports = ports.map(|(name, port)| {
                Value::table([
                    ("name", Value::from(names::port(name))),
                    ("number", Value::from(u64::from(port.number))),
                    ("protocol", Value::from(port.protocol.word())),
                ])
            });
            Value::table([
                ("name", Value::from(neighbour.name)),
                ("hosts", Value::from(neighbour.hosts)),
                ("ports", Value::List(ports.collect())),
            ])
        };
        let all = self.neighbours(host, flows).into_iter();
        Value::List(all.map(described).collect())
    }

    /// Lists the names of what guests connect to outside, where its addresses come and go.
    fn neighbours(&self, host: usize, flows: &[Flow]) -> Vec<Neighbour> {
        let target = self.resolver.environment.target;
        if target == Target::Compose {
            return Vec::new();
        }
        let reached: BTreeSet<usize> = self.leaving(host, flows).map(|flow| flow.to).collect();
        let mut neighbours = Vec::new();
        for service in reached {
            let sized = self.sized_at(service);
            let name = sized.host();
            // What runs in another cluster is reached through the one service that this is.
            let guest = self.drafts[self.component_at(service)].guest;
            let members = !guest && sized.members;
            let hosts = super::super::service::hosts(name, members, sized.replicas.min, target);
            let mut add = |name: &str, hosts: &[String]| {
                neighbours.push(Neighbour {
                    service,
                    name: name.to_owned(),
                    hosts: hosts.to_vec(),
                });
            };
            add(name, &hosts);
            for member in hosts.iter().filter(|member| *member != name) {
                add(member, std::slice::from_ref(member));
            }
        }
        neighbours
    }

    /// Lists the connections that leave a cluster.
    fn leaving<'x>(&'x self, host: usize, flows: &'x [Flow]) -> impl Iterator<Item = &'x Flow> {
        let inside = move |service: usize| {
            let component = self.component_at(service);
            self.drafts[component].inside == Some(host)
        };
        flows
            .iter()
            .filter(move |flow| inside(flow.from) && !inside(flow.to))
    }

    fn sized_at(&self, service: usize) -> &Sized<'_> {
        let component = self.component_at(service);
        &self.sized[component][service - self.first[component]]
    }

    /// Puts services into the clusters they run in. What they wait for outside, and what waits for them there, is the
    /// business of the service that has the cluster: the target knows no other.
    pub(super) fn move_in(&mut self, services: &mut [Service], flows: &[Flow]) {
        let drafts = self.drafts;
        for cluster in 0..drafts.len() {
            if let Some(host) = self.host_of(cluster)
                && let Some(hosted) = &mut services[host].hosts
            {
                hosted.outside = self.neighbours(cluster, flows);
            }
        }
        let inside: Vec<Option<usize>> = services
            .iter()
            .map(|service| {
                let cluster = drafts[service.component].inside?;
                let host = self.host_of(cluster);
                if host.is_none() {
                    let place = drafts[cluster].blueprint.place(["provides"]);
                    self.report(place, "no service of it has a cluster in it".to_owned());
                }
                host
            })
            .collect();
        let mut brought: BTreeMap<usize, (BTreeSet<StartAfter>, BTreeSet<String>)> =
            BTreeMap::new();
        for (at, service) in services.iter_mut().enumerate() {
            service.inside = inside[at];
            let (own, others): (Vec<StartAfter>, Vec<StartAfter>) =
                std::mem::take(&mut service.start_after)
                    .into_iter()
                    .partition(|after| inside[after.service] == inside[at]);
            let mut waits: BTreeSet<StartAfter> = own.into_iter().collect();
            for mut after in others {
                if let Some(host) = inside[after.service] {
                    after = StartAfter {
                        service: host,
                        completed: false,
                        required: after.required,
                    };
                }
                match inside[at] {
                    None => waits.insert(after),
                    Some(host) => brought.entry(host).or_default().0.insert(after),
                };
            }
            if let Some(host) = inside[at] {
                waits.insert(StartAfter {
                    service: host,
                    completed: false,
                    required: true,
                });
                if service.is_ours() {
                    let secrets = &mut brought.entry(host).or_default().1;
                    secrets.extend(service.secrets.iter().cloned());
                }
            }
            service.start_after = waits.into_iter().collect();
        }
        for (host, (waits, secrets)) in brought {
            let host = &mut services[host];
            let waits = waits
                .into_iter()
                .chain(std::mem::take(&mut host.start_after));
            host.start_after = waits.collect::<BTreeSet<_>>().into_iter().collect();
            let secrets = secrets.into_iter().chain(std::mem::take(&mut host.secrets));
            host.secrets = secrets.collect::<BTreeSet<_>>().into_iter().collect();
        }
    }
}
