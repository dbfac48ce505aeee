//! The last step of resolving: drafts, bindings and sizes become the platform.

mod alerts;
mod assemble;
mod backups;
mod certificates;
mod dashboard;
mod files;
mod flows;
mod guests;
mod identity;
mod logs;
mod publish;
mod rules;
mod scope;
mod scrapes;
mod secrets;
mod traces;
mod workload;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::alerting::ALERTS;
use super::component::Draft;
use super::query::Asked;
use super::service::Sized;
use super::wire::Binding;
use super::{Resolver, collect, service};
use scrapes::Watched;

use crate::blueprint::FAULTY_BLUEPRINT;
use crate::blueprint::expression::{Expression, Names};
use crate::blueprint::model::Filled;
use crate::diagnostic::Finding;
use crate::names;
use crate::platform::alerting::Alerting;
use crate::platform::dashboard::Dashboard;
use crate::platform::rules::{Alert, Rules};
use crate::platform::{Component, Kind, Platform, Profile, SCHEDULED, Secret, Service, Volume};
use crate::source::Place;
use crate::topology::layer::DUPLICATE_NAME;
use crate::units::{Bytes, Seconds};
use crate::value::Value;

/// Folder in which a container finds its secrets.
pub(super) const SECRETS: &str = "/run/secrets";

/// Times of probes and stops unless a blueprint says others, in seconds.
const STARTUP: Seconds = Seconds(60);
const INTERVAL: Seconds = Seconds(10);
const TIMEOUT: Seconds = Seconds(5);
const RETRIES: u64 = 3;
const GRACE: Seconds = Seconds(30);

/// How long an answer of a web interface may take, and how large a request may be, unless a blueprint says otherwise:
/// what proxies take for granted too.
const ANSWER_TIME: Seconds = Seconds(60);
const LARGEST_BODY: Bytes = Bytes(Bytes::MIB);

/// Length of secrets unless a blueprint says another: more than 190 bits as letters and digits.
const SECRET_LENGTH: u32 = 32;

/// Public addresses by service and port.
type Urls = BTreeMap<String, BTreeMap<String, String>>;

struct Scope<'f> {
    /// What all of a component's expressions see, beyond its base.
    names: BTreeMap<String, Value>,
    /// The component's volumes, by their keys.
    volumes: Vec<(&'f str, Volume)>,
}

/// Makes the platform, as far as that is possible.
pub(super) fn finish(
    resolver: &mut Resolver<'_, '_>,
    bindings: &[Binding],
    edge: Option<(usize, String)>,
    alerting: Alerting,
) -> Option<Platform> {
    let drafts = std::mem::take(&mut resolver.drafts);
    let platform = Finish::new(resolver, &drafts, bindings, edge, alerting).run();
    resolver.drafts = drafts;
    platform
}

struct Finish<'f, 'a, 'r> {
    resolver: &'f mut Resolver<'a, 'r>,
    drafts: &'f [Draft<'a>],
    bindings: &'f [Binding],
    /// Bindings by consumer and by provider, as positions.
    by_consumer: Vec<Vec<usize>>,
    by_provider: Vec<Vec<usize>>,
    edge: Option<(usize, String)>,
    /// Sized services of each draft, and the position of the first among all.
    sized: Vec<Rc<Vec<Sized<'f>>>>,
    first: Vec<usize>,
    /// What each binding gives its consumer.
    values: Vec<BTreeMap<String, Value>>,
    /// The key of the service that each binding leads to.
    serving: Vec<String>,
    /// Positions of the services that are handed the authority's certificate.
    trusting: BTreeSet<usize>,
    /// What is looked at, and by whom.
    watched: Watched,
    /// Metrics and rules of each component, once they are known.
    rules: Vec<Rules>,
    /// What people look at to see how each component does.
    dashboards: Vec<Option<Dashboard>>,
    /// Queries whose metrics are to be known.
    asked: Asked,
    /// Alerts of the user's own.
    own_alerts: Vec<Alert>,
    /// Who is told of alerts, and the position of the service that tells.
    alerting: Alerting,
    teller: Option<usize>,
}

impl<'f, 'a, 'r> Finish<'f, 'a, 'r> {
    fn new(
        resolver: &'f mut Resolver<'a, 'r>,
        drafts: &'f [Draft<'a>],
        bindings: &'f [Binding],
        edge: Option<(usize, String)>,
        alerting: Alerting,
    ) -> Self {
        let mut by_consumer = vec![Vec::new(); drafts.len()];
        let mut by_provider = vec![Vec::new(); drafts.len()];
        for (at, binding) in bindings.iter().enumerate() {
            by_consumer[binding.consumer].push(at);
            by_provider[binding.provider].push(at);
        }
        let mut sized = Vec::new();
        let mut first = Vec::new();
        let mut count = 0;
        for draft in drafts {
            let of_draft = if draft.unsupported.is_some() {
                Vec::new()
            } else {
                service::size(draft, resolver.trace, &mut resolver.findings)
            };
            first.push(count);
            count += of_draft.len();
            sized.push(Rc::new(of_draft));
        }
        Self {
            resolver,
            drafts,
            bindings,
            by_consumer,
            by_provider,
            edge,
            sized,
            first,
            values: Vec::new(),
            serving: Vec::new(),
            trusting: BTreeSet::new(),
            watched: Watched::default(),
            rules: vec![Rules::default(); drafts.len()],
            own_alerts: Vec::new(),
            dashboards: vec![None; drafts.len()],
            asked: Asked::default(),
            alerting,
            teller: None,
        }
    }

    fn run(mut self) -> Option<Platform> {
        self.check_names();
        self.check_logs();
        let edge = self.the_edge();
        let (endpoints, urls) = self.endpoints(edge.as_ref());
        let edge_names = match &edge {
            None => Value::Null,
            Some(edge) => Value::table([
                ("scheme", Value::from(edge.scheme.as_str())),
                ("port", Value::from(u64::from(edge.port))),
                (
                    "component",
                    Value::from(
                        edge.service
                            .map(|service| self.drafts[self.component_at(service)].name.clone()),
                    ),
                ),
            ]),
        };
        let service_names: Vec<Value> = (0..self.drafts.len())
            .map(|at| self.service_names(at, &urls[at]))
            .collect();
        self.bind_values(&service_names, &edge_names);
        let routes = self.routes(&endpoints);
        self.teller = self.server(ALERTS).map(|(service, ..)| service);
        self.watched = self.watch(&service_names, &edge_names, &endpoints, edge.as_ref());
        let traces = self.traces();
        let flows = self.flows(&endpoints, edge.as_ref(), traces.as_ref());
        self.trusting = self.trusting(&flows);

        let mut made: BTreeMap<usize, (Component, Vec<Service>)> = BTreeMap::new();
        let mut secrets: BTreeMap<String, Secret> = BTreeMap::new();
        self.binding_secrets(&mut secrets);
        self.declare_alerting_secrets(&mut secrets);
        self.declare_backup_secrets(&mut secrets);
        self.declare_identity_secrets(&mut secrets);
        // What brings a cluster has to know what runs in it, what collects has to know everything.
        let (collectors, others): (Vec<usize>, Vec<usize>) =
            (0..self.drafts.len()).partition(|at| collect::is_collector(&self.drafts[*at]));
        let (hosts, others): (Vec<usize>, Vec<usize>) =
            others.into_iter().partition(|at| self.brings_cluster(*at));
        for at in others.into_iter().chain(hosts) {
            let mut names = self.names_of(at, &service_names[at], &edge_names);
            if self.edge.as_ref().is_some_and(|(edge, _)| *edge == at) {
                names.insert("routes".to_owned(), routes.clone());
            }
            if self.brings_cluster(at) {
                let guests = self.guests(at, &made, &secrets, &flows);
                names.insert("guests".to_owned(), guests);
            }
            let scope = self.scope(at, names, &mut secrets);
            self.rules[at] = self.rules_of(at, &scope);
            self.dashboards[at] = self.dashboard_of(at, &scope);
            made.insert(at, self.component(at, &scope, &urls[at]));
        }
        let scopes: Vec<(usize, Scope<'_>)> = collectors
            .into_iter()
            .map(|at| {
                let names = self.names_of(at, &service_names[at], &edge_names);
                let scope = self.scope(at, names, &mut secrets);
                self.rules[at] = self.rules_of(at, &scope);
                self.dashboards[at] = self.dashboard_of(at, &scope);
                (at, scope)
            })
            .collect();
        self.own_alerts = self.alerts_of_the_user();
        self.check_metrics();
        for (at, mut scope) in scopes {
            let monitoring = self.monitoring(at);
            scope.names.insert("monitoring".to_owned(), monitoring);
            made.insert(at, self.component(at, &scope, &urls[at]));
        }
        let (components, services): (Vec<Component>, Vec<Vec<Service>>) =
            made.into_values().unzip();
        let mut services: Vec<Service> = services.into_iter().flatten().collect();
        self.move_in(&mut services, &flows);
        // Only what somebody reads has to be made.
        let used: BTreeSet<&String> = services
            .iter()
            .flat_map(|service: &Service| &service.secrets)
            .collect();
        let keys: BTreeSet<String> = secrets
            .values()
            .filter(|secret| used.contains(&secret.name))
            .filter_map(|secret| secret.token.as_ref().map(|token| token.key.clone()))
            .collect();
        secrets.retain(|name, _| used.contains(name) || keys.contains(name));
        self.check_secret_versions(&secrets);

        let scheduled = services
            .iter()
            .find(|service| matches!(service.kind, Kind::Scheduled { .. }))
            .map(|service| Profile {
                name: SCHEDULED.to_owned(),
                place: self.drafts[service.component].place.clone(),
                stops: Vec::new(),
            });
        if let Some(service) = edge.as_ref().and_then(|edge| edge.service) {
            publish::publish_streams(&mut services[service], &endpoints);
        }
        super::place::place(
            &mut services,
            &self.resolver.environment.hosts,
            self.resolver.environment.target,
        );
        let certificates = self.certificates(&services, &endpoints);
        if certificates.iter().all(|certificate| certificate.given) {
            // Where nothing is issued there is no authority.
            for service in &mut services {
                service.trusts = false;
            }
        }
        Some(Platform {
            name: self.resolver.layered.platform.value.clone(),
            components,
            services,
            flows,
            secrets: secrets.into_values().collect(),
            certificates,
            endpoints,
            edge,
            collectors: self.watched.collectors.clone(),
            probes: self.watched.probes.clone(),
            traces,
            licences: super::licences(self.resolver.layered),
            alerting: self.alerting,
            own_alerts: self.own_alerts,
            backup: self.resolver.backup.clone(),
            identity: self.resolver.identity.clone(),
            environment: {
                let mut environment = self.resolver.environment.clone();
                environment.profiles.extend(scheduled);
                environment
                    .profiles
                    .sort_by(|left, right| left.name.cmp(&right.name));
                environment
                    .profiles
                    .dedup_by(|left, right| left.name == right.name);
                environment
            },
        })
    }

    /// Returns what all of a component's expressions see, beyond its base and what is special about it.
    fn names_of(&mut self, at: usize, services: &Value, edge: &Value) -> BTreeMap<String, Value> {
        BTreeMap::from([
            ("services".to_owned(), services.clone()),
            ("edge".to_owned(), edge.clone()),
            ("needs".to_owned(), self.needs_names(at)),
            ("provides".to_owned(), self.provides_names(at)),
            ("secrets".to_owned(), self.secret_names(at)),
            ("secret_objects".to_owned(), self.secret_objects(at)),
        ])
    }

    /// Makes a component's scope: its variables are computed, its secrets known.
    fn scope(
        &mut self,
        at: usize,
        names: BTreeMap<String, Value>,
        secrets: &mut BTreeMap<String, Secret>,
    ) -> Scope<'f> {
        let volumes = self.volumes(at);
        let mut scope = Scope { names, volumes };
        let seen = self.volume_names(&scope.volumes);
        scope.names.insert("volumes".to_owned(), seen);
        self.vars(at, &mut scope);
        self.own_secrets(at, &scope, secrets);
        scope
    }

    fn report(&mut self, place: Place, message: String) {
        self.resolver
            .findings
            .push(Finding::new(&FAULTY_BLUEPRINT, place, message));
    }

    /// Returns the name of the port that a component provides something on. One that cannot be filled in is no port's name.
    fn provided_port(&self, component: usize, provide: &str) -> String {
        let draft = &self.drafts[component];
        let port = &draft.blueprint.model.provides[provide].port;
        let filled = port.parsed.fill_text(&Names::new(&draft.base));
        filled.unwrap_or_else(|_| port.written.clone())
    }

    fn component_at(&self, service: usize) -> usize {
        self.first.partition_point(|first| *first <= service) - 1
    }

    /// Returns the position of a component's service among all.
    fn position(&self, component: usize, key: &str) -> Option<usize> {
        self.sized[component]
            .iter()
            .position(|sized| sized.key == key)
            .map(|at| self.first[component] + at)
    }

    /// Returns how long a service's name may be: Kubernetes adds to those of sets and jobs, in labels of 63 characters.
    fn longest_name(&self, draft: &Draft<'_>, sized: &Sized<'_>) -> usize {
        /// Room for a hyphen and the hash of a revision, a job or a run.
        const ADDED: usize = 11;
        let deployment = sized.service.is_some_and(|service| {
            service.kind == crate::blueprint::model::ServiceKind::Stateless && !service.members
        });
        let cluster = self.resolver.environment.cluster.is_some() || draft.guest;
        if cluster && sized.managed.is_none() && !deployment {
            names::LONGEST_LABEL - ADDED
        } else {
            names::LONGEST_LABEL
        }
    }

    fn check_names(&mut self) {
        let mut seen: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
        let mut findings = Vec::new();
        for (at, sized) in self
            .sized
            .iter()
            .enumerate()
            .flat_map(|(at, all)| all.iter().map(move |sized| (at, sized)))
        {
            let draft = &self.drafts[at];
            let longest = self.longest_name(draft, sized);
            if sized.name.len() > longest {
                findings.push(
                    Finding::new(
                        &crate::topology::ILLEGAL_NAME,
                        draft.place.clone(),
                        format!(
                            "`{}` is longer than the {longest} characters that {}",
                            sized.name,
                            if longest == names::LONGEST_LABEL {
                                "a DNS name may have"
                            } else {
                                "are left beside what the target adds to it"
                            }
                        ),
                    )
                    .help("give the component a shorter name"),
                );
            }
            if let Some((other, _)) = seen.insert(&sized.name, (at, sized.key)) {
                findings.push(
                    Finding::new(
                        &DUPLICATE_NAME,
                        draft.place.clone(),
                        format!(
                            "two services are called `{}`: one of `{}`, one of `{}`",
                            sized.name, self.drafts[other].name, draft.name
                        ),
                    )
                    .related(self.drafts[other].place.clone(), "the other component")
                    .help("rename one of the components"),
                );
            }
        }
        self.resolver.findings.extend(findings);
    }
}

/// Reads a quantity that is written with its unit, or as an expression in seconds or bytes.
fn quantity(
    written: Option<&String>,
    names: &Names<'_>,
    place: Place,
    findings: &mut Vec<Finding>,
) -> Option<u64> {
    let written = written?;
    if let Some(number) = crate::units::literal(written) {
        return Some(number);
    }
    let number = Expression::parse(written)
        .and_then(|expression| expression.evaluate(names))
        .map_err(|error| error.to_string())
        .and_then(|value| {
            let number = value.as_int().and_then(|number| u64::try_from(number).ok());
            number.ok_or_else(|| format!("{value} is no quantity"))
        });
    match number {
        Ok(number) => Some(number),
        Err(error) => {
            findings.push(Finding::new(
                &FAULTY_BLUEPRINT,
                place,
                format!("cannot compute `{written}`: {error}"),
            ));
            None
        }
    }
}

fn own_secret(component: &str, key: &str) -> String {
    format!("{component}-{}", key.replace('_', "-"))
}

fn is_container_path(path: &str) -> bool {
    path.starts_with('/')
        && path.len() > 1
        && !path.ends_with('/')
        && path
            .split('/')
            .skip(1)
            .all(|part| !part.is_empty() && part != "." && part != "..")
        && !path.contains(|next: char| next.is_control() || next == ':')
}

/// Fills a text of a blueprint in; what cannot be filled in is reported and stands as nothing.
fn fill(
    draft: &Draft<'_>,
    text: &Filled,
    names: &Names<'_>,
    keys: &[&str],
    findings: &mut Vec<Finding>,
) -> String {
    text.parsed.fill_text(names).unwrap_or_else(|error| {
        findings.push(Finding::new(
            &FAULTY_BLUEPRINT,
            draft.blueprint.place(keys.iter().copied()),
            format!("cannot fill in `{}`: {error}", text.written),
        ));
        String::new()
    })
}
