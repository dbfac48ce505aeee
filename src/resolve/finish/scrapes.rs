//! What is looked at from outside: endpoints with metrics, web interfaces, folders of machines; and by whom.

use std::collections::BTreeMap;

use super::super::collect;
use super::super::component::Draft;
use super::super::service::{Sized, hosts};
use super::super::tls;
use super::*;
use crate::blueprint::FAULTY_BLUEPRINT;
use crate::blueprint::expression::Names;
use crate::blueprint::model::Filled;
use crate::blueprint::scrape::MetricsEndpoint;
use crate::diagnostic::{Finding, suggest};
use crate::observe::scrape::{Collector, Found, ProbeJob, Target as ScrapeTarget, configs};
use crate::platform::scrape::{Collectors, Prober, Scrape, ScrapeAuth, WebProbe};
use crate::platform::{Edge, Endpoint, Flow, FlowReason, HostMount, Port};
use crate::source::Place;
use crate::terms::{Protocol, Publish, ServicesTls};
use crate::units::Seconds;
use crate::value::Value;

/// The path of metrics unless a blueprint says another.
const PATH: &str = "/metrics";

/// What an endpoint and a set of metrics are called where there is one.
const DEFAULT: &str = "default";

/// The path at which a prober is told what to ask, unless it says another; and its ways of asking. Certificates are looked
/// at only by one that says how.
const PROBE_PATH: &str = "/probe";
const HEALTHY: &str = "healthy";
const REACHABLE: &str = "reachable";
const CERTIFICATE: &str = "certificate";

/// The authority's certificate in the folder of a service's own.
const OWN_AUTHORITY: &str = "ca.crt";

/// The capability of what shows dashboards.
const DASHBOARDS: &str = "dashboards";

/// What a machine is called of which nobody said the name.
const THIS_MACHINE: &str = "localhost";

/// What is looked at, and by whom.
#[derive(Default)]
pub(super) struct Watched {
    pub(super) collectors: Collectors,
    /// Endpoints, by position of their service.
    pub(super) scrapes: Vec<Vec<Scrape>>,
    pub(super) probes: Vec<WebProbe>,
    /// Questions how long certificates last that services show each other.
    pub(super) ends: Vec<WebProbe>,
}

impl Finish<'_, '_, '_> {
    /// Finds out what is looked at.
    pub(super) fn watch(
        &mut self,
        service_names: &[Value],
        edge_names: &Value,
        endpoints: &[Endpoint],
        edge: Option<&Edge>,
    ) -> Watched {
        let metrics = self.server("metrics");
        let prober = self.server("probes");
        let mut findings = Vec::new();
        let mut scrapes = Vec::new();
        for (at, all) in self.sized.iter().enumerate() {
            let draft = &self.drafts[at];
            let own = BTreeMap::from([
                ("services".to_owned(), service_names[at].clone()),
                ("edge".to_owned(), edge_names.clone()),
            ]);
            let base = Names::new(&draft.base);
            let names = base.with(&own);
            for sized in all.iter() {
                let endpoints = sized.service.iter().flat_map(|service| &service.metrics);
                let of_service = endpoints.filter_map(|(name, spec)| {
                    let scrape = scrape(draft, sized, (name, spec), &names, &mut findings)?;
                    metrics.is_some().then_some(scrape)
                });
                scrapes.push(of_service.collect());
            }
        }
        self.resolver.findings.append(&mut findings);
        let (probes, ends) = match &prober {
            Some((_, _, values)) if metrics.is_some() => {
                let value = |key: &'static str| values.get(key).map_or(key, String::as_str);
                let probes = self.probes((value(HEALTHY), value(REACHABLE)), endpoints, edge);
                let ends = values.get(CERTIFICATE).map(|module| self.ends(module));
                (probes, ends.unwrap_or_default())
            }
            _ => (Vec::new(), Vec::new()),
        };
        let collectors = Collectors {
            metrics: metrics.map(|(service, _, _)| service),
            probes: prober.map(|(service, port, values)| Prober {
                service,
                port,
                path: values
                    .get("path")
                    .map_or(PROBE_PATH, String::as_str)
                    .to_owned(),
            }),
        };
        Watched {
            collectors,
            scrapes,
            probes,
            ends,
        }
    }

    /// Returns the service of what collects something, its port and what else its provide says.
    pub(super) fn server(
        &mut self,
        capability: &str,
    ) -> Option<(usize, String, BTreeMap<String, String>)> {
        let component = collect::collector(self.drafts, capability)?;
        let draft = &self.drafts[component];
        let provides = &draft.blueprint.model.provides;
        let (name, provide) = provides
            .iter()
            .find(|(_, provide)| provide.capability == capability)?;
        let names = Names::new(&draft.base);
        let key = provide.service.parsed.fill_text(&names).unwrap_or_default();
        let port = self.provided_port(component, name);
        let sized = self.sized[component].iter().find(|sized| sized.key == key);
        let services = &draft.blueprint.model.services;
        if sized.is_none() && services.contains_key(&key) {
            // It has nothing to do here.
            return None;
        }
        if sized.is_none_or(|sized| !sized.ports.contains_key(&port)) {
            let place = draft.blueprint.place(["provides", name]);
            self.report(
                place,
                format!("`{name}` names a service or port that does not run"),
            );
            return None;
        }
        let values = provide.values.iter().filter_map(|(key, text)| {
            let text = text.parsed.fill_text(&names).ok()?;
            Some((key.clone(), text))
        });
        let values = values.collect();
        Some((self.position(component, &key)?, port, values))
    }

    /// Lists what is asked from outside: web interfaces through the proxy, or where the target has a gateway itself,
    /// the services that it leads to. A path that must answer 200 is asked for in another way than one that must answer.
    fn probes(
        &self,
        (healthy, reachable): (&str, &str),
        endpoints: &[Endpoint],
        edge: Option<&Edge>,
    ) -> Vec<WebProbe> {
        let mut probes = Vec::new();
        for endpoint in endpoints {
            // One that is not meant to run cannot be told from one that fails.
            let (Some(host), false) = (&endpoint.host, self.comes_and_goes(endpoint.service))
            else {
                continue;
            };
            let (at, sized) = self.sized_of(endpoint.service);
            let spec = &sized.workload.ports[&endpoint.port];
            let check = spec.check.as_deref();
            let path = check.unwrap_or("/");
            let (asked, port, scheme) = match edge.and_then(|edge| Some((edge.service?, edge))) {
                Some((proxy, edge)) => match self.edge_port() {
                    Some(port) => (proxy, port, edge.scheme.as_str()),
                    None => continue,
                },
                None => (endpoint.service, endpoint.port.clone(), "http"),
            };
            let (_, asked_sized) = self.sized_of(asked);
            let number = asked_sized.ports[&port].number;
            if self.drafts[at].guest && asked == endpoint.service {
                continue;
            }
            probes.push(WebProbe {
                service: endpoint.service,
                asked,
                port,
                url: format!("{scheme}://{}:{number}{path}", asked_sized.host()),
                host: (asked != endpoint.service).then(|| host.clone()),
                module: match check {
                    Some(_) => healthy,
                    None => reachable,
                }
                .to_owned(),
                instance: endpoint.url.clone(),
            });
        }
        probes
    }

    /// Lists where certificates of the platform's authority are shown to its own services: one port of each service, at
    /// which TLS begins at once and nobody has to show another certificate. What issues them renews all of them in one run.
    fn ends(&self, module: &str) -> Vec<WebProbe> {
        let mut ends = Vec::new();
        if self.resolver.environment.tls.services != Some(ServicesTls::Internal) {
            return ends;
        }
        for (at, all) in self.sized.iter().enumerate() {
            for (position, sized) in all.iter().enumerate() {
                let service = self.first[at] + position;
                if self.drafts[at].guest || self.comes_and_goes(service) {
                    continue;
                }
                // The protocols of databases have a word of their own before TLS.
                let shows = |port: &Port| {
                    port.tls
                        && !port.mutual
                        && port.protocol != Protocol::Tcp
                        && port.publish != Some(Publish::Host)
                };
                let mut shown = sized.ports.iter().filter(|(_, port)| shows(port));
                // Not every port is listened on; the one that tells whether it is well is.
                let asked = sized.workload.probe.as_ref();
                let asked = asked.and_then(|probe| probe.port.as_deref().or(probe.tcp.as_deref()));
                let well = asked.and_then(|name| sized.ports.get_key_value(name));
                let shown = well
                    .filter(|(_, port)| shows(port))
                    .or_else(|| shown.next());
                ends.extend(shown.map(|(name, port)| {
                    let address = format!("{}:{}", sized.host(), port.number);
                    WebProbe {
                        service,
                        asked: service,
                        port: name.clone(),
                        url: address.clone(),
                        host: None,
                        module: module.to_owned(),
                        instance: address,
                    }
                }));
            }
        }
        ends
    }

    /// Returns the name of the proxy's port.
    fn edge_port(&self) -> Option<String> {
        let (component, provide) = self.edge.as_ref()?;
        Some(self.provided_port(*component, provide))
    }

    pub(super) fn sized_of(&self, service: usize) -> (usize, &Sized<'_>) {
        let at = self.component_at(service);
        (at, &self.sized[at][service - self.first[at]])
    }

    /// Says whether a service is not always meant to run while the collector of metrics does.
    fn comes_and_goes(&self, service: usize) -> bool {
        let (at, sized) = self.sized_of(service);
        let profile = collect::profile_of(self.drafts, at, sized.workload);
        let collector = collect::collector(self.drafts, "metrics")
            .and_then(|collector| self.drafts[collector].profile.clone());
        let mut profiles = self.resolver.environment.profiles.iter();
        profile.is_some() && profile != collector
            || profiles.any(|profile| profile.stops.contains(&at))
    }

    /// Lists the connections that looking takes.
    pub(super) fn watching(&self) -> Vec<Flow> {
        let mut flows = Vec::new();
        let Some(collector) = self.watched.collectors.metrics else {
            return flows;
        };
        let mut add = |from: usize, to: usize, port: &str| {
            flows.push(self.flow(from, to, port, FlowReason::Metrics));
        };
        // Replicas of a collector look at each other, but only a cluster sends them out for that.
        let cluster = self.resolver.environment.cluster.is_some();
        for (service, scrapes) in self.watched.scrapes.iter().enumerate() {
            for scrape in scrapes.iter().filter(|_| service != collector || cluster) {
                add(collector, service, &scrape.port);
            }
        }
        if let Some(prober) = &self.watched.collectors.probes {
            for probe in self.watched.probes.iter().chain(&self.watched.ends) {
                add(collector, prober.service, &prober.port);
                add(prober.service, probe.asked, &probe.port);
            }
        }
        flows
    }

    /// Returns what a collector sees as `monitoring`: beside what is there, what it has to do.
    pub(super) fn monitoring(&self, at: usize) -> Value {
        let mut names = self.monitoring_names(at);
        let collector = self.watched.collectors.metrics;
        if let Some(collector) = collector.filter(|service| self.component_at(*service) == at) {
            names.insert("scrape_configs".to_owned(), self.scrape_configs(collector));
            names.insert("rule_files".to_owned(), self.rule_files());
        }
        if self
            .teller
            .is_some_and(|service| self.component_at(service) == at)
        {
            self.alerting_names(at, &mut names);
        }
        if collect::collector(self.drafts, DASHBOARDS) == Some(at) {
            names.insert("dashboard_files".to_owned(), self.dashboard_files());
        }
        Value::Table(names)
    }

    fn scrape_configs(&self, collector: usize) -> Value {
        let (_, sized) = self.sized_of(collector);
        let own = sized.workload.certificate.as_ref();
        let own = own.map(|spec| format!("{}/{OWN_AUTHORITY}", spec.path));
        let by = Collector {
            authority: own.or_else(|| tls::authority(&self.resolver.environment.tls)),
            secrets: SECRETS.to_owned(),
        };
        let mut targets = Vec::new();
        for (service, scrapes) in self.watched.scrapes.iter().enumerate() {
            let (at, sized) = self.sized_of(service);
            let draft = &self.drafts[at];
            let environment = &self.resolver.environment;
            // What runs in a cluster inside a service is reached through the one that this is.
            let members = sized.members && !draft.guest;
            let replicas = sized.replicas.min;
            let found = if self.comes_and_goes(service) {
                Found::Sometimes
            } else if members || draft.guest || sized.replicas.max == 1 {
                Found::Always
            } else {
                Found::Several
            };
            let machines = match sized.service.is_some_and(|service| service.per_host) {
                true if environment.hosts.is_empty() => vec![THIS_MACHINE.to_owned()],
                true => {
                    let hosts = environment.hosts.iter();
                    hosts.map(|host| host.name.clone()).collect()
                }
                false => Vec::new(),
            };
            targets.extend(scrapes.iter().map(|scrape| ScrapeTarget {
                component: &draft.name,
                service: &sized.name,
                hosts: hosts(sized.host(), members, replicas, environment.target),
                machines: machines.clone(),
                found,
                port: sized.ports[&scrape.port].number,
                scrape,
            }));
        }
        let job = self.watched.collectors.probes.as_ref().map(|prober| {
            let (_, sized) = self.sized_of(prober.service);
            let probes = self.watched.probes.iter().map(|probe| {
                let (at, sized) = self.sized_of(probe.service);
                (self.drafts[at].name.as_str(), sized.name.as_str(), probe)
            });
            let ends = self.watched.ends.iter().map(|probe| {
                let (_, sized) = self.sized_of(probe.service);
                (sized.name.as_str(), probe)
            });
            ProbeJob {
                ends: ends.collect(),
                prober: format!("{}:{}", sized.host(), sized.ports[&prober.port].number),
                path: &prober.path,
                probes: probes.collect(),
            }
        });
        configs(&targets, job.as_ref(), &by)
    }

    /// Lists the folders of its machine that a service sees.
    pub(super) fn host_mounts(
        &self,
        draft: &Draft<'_>,
        sized: &Sized<'_>,
        names: &Names<'_>,
        findings: &mut Vec<Finding>,
    ) -> BTreeMap<String, HostMount> {
        let mut mounts = BTreeMap::new();
        for (path, spec) in sized
            .service
            .iter()
            .flat_map(|service| &service.host_mounts)
        {
            let place = || {
                draft
                    .blueprint
                    .place([sized.table(), sized.key, "host_mounts", path])
            };
            if !draft.holds(spec.when.as_ref(), names, place, findings) {
                continue;
            }
            let keys = [sized.table(), sized.key, "host_mounts", path];
            let from = fill(draft, &spec.from, names, &keys, findings);
            for path in [path, &from] {
                if path != "/" && !is_container_path(path) {
                    findings.push(
                        Finding::new(
                            &FAULTY_BLUEPRINT,
                            place(),
                            format!("`{path}` is not an absolute path without `..`"),
                        )
                        .help("folders of a machine are named by their full path"),
                    );
                }
            }
            let mount = HostMount {
                from,
                why: spec.why.clone(),
                read_only: spec.read_only,
            };
            mounts.insert(path.clone(), mount);
        }
        mounts
    }
}

/// Reads an endpoint; none where its condition does not hold, or it is at fault.
fn scrape(
    draft: &Draft<'_>,
    sized: &Sized<'_>,
    (name, spec): (&String, &MetricsEndpoint),
    names: &Names<'_>,
    findings: &mut Vec<Finding>,
) -> Option<Scrape> {
    let table = ["services", sized.key, "metrics", name];
    let place = |field: &str| draft.blueprint.place(table.into_iter().chain([field]));
    if !draft.holds(spec.when.as_ref(), names, || place("when"), findings) {
        return None;
    }
    let mut fault = |place: Place, message: String, help: Option<String>| {
        findings.push(Finding::new(&FAULTY_BLUEPRINT, place, message).maybe_help(help));
    };
    match sized.ports.get(&spec.port) {
        None => {
            fault(
                place("port"),
                format!("`{}` is no port of `{}`", spec.port, sized.key),
                suggest(&spec.port, sized.ports.keys().map(String::as_str)),
            );
            return None;
        }
        Some(port) if port.protocol != Protocol::Http => fault(
            place("port"),
            format!(
                "`{}` speaks {}, and metrics are read over http",
                spec.port, port.protocol
            ),
            None,
        ),
        Some(_) => {}
    }
    if let Some(basic) = &spec.basic
        && let Some(secret) = draft.blueprint.model.secrets.get(&basic.password)
        && secret.user.is_none()
    {
        fault(
            place("basic"),
            format!(
                "the secret `{}` does not say whose password it is",
                basic.password
            ),
            Some(
                "give it a `user`: where secrets are objects, both are read from there".to_owned(),
            ),
        );
    }
    let mut secret = |key: &String, field: &str| {
        let known = &draft.blueprint.model.secrets;
        if !known.contains_key(key) {
            fault(
                place(field),
                format!("there is no secret `{key}`"),
                suggest(key, known.keys().map(String::as_str)),
            );
        }
        own_secret(&draft.name, key)
    };
    let bearer = spec.bearer.as_ref().map(|key| secret(key, "bearer"));
    let basic = spec.basic.as_ref();
    let basic = basic.map(|basic| (&basic.user, secret(&basic.password, "basic")));
    let mut filled = |text: &Filled, field: &str| {
        let keys: Vec<&str> = table.into_iter().chain([field]).collect();
        fill(draft, text, names, &keys, findings)
    };
    let auth = match (bearer, basic) {
        (Some(secret), None) => Some(ScrapeAuth::Bearer(secret)),
        (None, Some((user, secret))) => Some(ScrapeAuth::Basic {
            user: filled(user, "basic"),
            secret,
        }),
        (None, None) => None,
        (Some(_), Some(_)) => {
            findings.push(
                Finding::new(
                    &FAULTY_BLUEPRINT,
                    place("basic"),
                    format!("`{name}` is shown a token and a password"),
                )
                .help("give one of `bearer` and `basic`"),
            );
            return None;
        }
    };
    let path = spec.path.as_ref();
    let path = path.map_or_else(|| PATH.to_owned(), |path| filled(path, "path"));
    let interval = spec.interval.as_ref().map(|text| filled(text, "interval"));
    let list = |texts: &BTreeMap<String, Filled>,
                field: &str,
                filled: &mut dyn FnMut(&Filled, &str) -> String| {
        let texts = texts.iter();
        texts
            .map(|(key, text)| (key.clone(), filled(text, field)))
            .collect::<BTreeMap<String, String>>()
    };
    let params = list(&spec.params, "params", &mut filled);
    let labels = list(&spec.labels, "labels", &mut filled);
    let interval = interval.and_then(|text| {
        let parsed = Seconds::parse(&text).filter(|time| time.0 > 0);
        if parsed.is_none() {
            findings.push(Finding::new(
                &FAULTY_BLUEPRINT,
                place("interval"),
                format!("`{text}` is no duration"),
            ));
        }
        parsed
    });
    Some(Scrape {
        endpoint: name.clone(),
        job: match name.as_str() {
            DEFAULT => sized.name.clone(),
            other => format!("{}-{other}", sized.name),
        },
        port: spec.port.clone(),
        path,
        set: spec.set.clone().unwrap_or_else(|| DEFAULT.to_owned()),
        interval,
        params,
        auth,
        tls: sized.ports.get(&spec.port).is_some_and(|port| port.tls),
        honor_labels: spec.honor_labels,
        labels,
        place: place("port"),
    })
}
