//! The last step of resolving: drafts, bindings and sizes become the platform.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::component::{Draft, evaluate_in_order, expressions, uses};
use super::service::{Sized, inactive, names_of};
use super::trace::Explained;
use super::wire::{BINDING_CONFLICT, Binding};
use super::{Resolver, render, service};
use crate::blueprint::FAULTY_BLUEPRINT;
use crate::blueprint::expression::{Expression, Names};
use crate::blueprint::model::{
    self, DataFormat, EgressSpec, EnvSpec, Expr, FileSpec, Filled, MountSpec, NoticeSeverity,
    ProbeTool,
};
use crate::diagnostic::{Finding, suggest};
use crate::names;
use crate::platform::{
    Account, Ask, Build, Component, Content, Edge, Endpoint, EnvValue, File, Flow, FlowReason,
    GoneImage, Image, Jvm, Kind, Mount, Notice, NoticeLevel, Platform, Port, Probe, SCHEDULED,
    ScaleMetric, Secret, Service, StartAfter, Tool, Volume,
};
use crate::source::Place;
use crate::terms::{DiskClass, Protocol, Publish, Size};
use crate::topology::layer::DUPLICATE_NAME;
use crate::units::{Bytes, Seconds};
use crate::value::Value;

/// Folder in which a container finds its secrets.
const SECRETS: &str = "/run/secrets";

/// Times of probes and stops unless a blueprint says others, in seconds.
const STARTUP: Seconds = Seconds(60);
const INTERVAL: Seconds = Seconds(10);
const TIMEOUT: Seconds = Seconds(5);
const RETRIES: u64 = 3;
const GRACE: Seconds = Seconds(30);

/// How long an answer of a web interface may take, in seconds, and how large a request may be, in bytes, unless a
/// blueprint says otherwise: what proxies take for granted too.
const ANSWER_TIME: u64 = 60;
const LARGEST_BODY: u64 = 1 << 20;

/// Length of secrets unless a blueprint says another: more than 190 bits as letters and digits.
const SECRET_LENGTH: u32 = 32;

/// Public addresses by service and port.
type Urls = BTreeMap<String, BTreeMap<String, String>>;

struct Scope {
    /// What all of a component's expressions see, beyond its base.
    names: BTreeMap<String, Value>,
}

/// Makes the platform, as far as that is possible.
pub(super) fn finish(
    resolver: &mut Resolver<'_, '_>,
    bindings: &[Binding],
    edge: Option<(usize, String)>,
) -> Option<Platform> {
    let drafts = std::mem::take(&mut resolver.drafts);
    let platform = Finish::new(resolver, &drafts, bindings, edge).run();
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
}

impl<'f, 'a, 'r> Finish<'f, 'a, 'r> {
    fn new(
        resolver: &'f mut Resolver<'a, 'r>,
        drafts: &'f [Draft<'a>],
        bindings: &'f [Binding],
        edge: Option<(usize, String)>,
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
        }
    }

    fn run(mut self) -> Option<Platform> {
        self.check_names();
        let edge = self.the_edge();
        let (endpoints, urls) = self.endpoints(edge.as_ref());
        let edge_names = match &edge {
            None => Value::Null,
            Some(edge) => Value::table([
                ("scheme", Value::from(edge.scheme.as_str())),
                ("port", Value::from(u64::from(edge.port))),
                (
                    "component",
                    Value::from(self.drafts[self.component_at(edge.service)].name.as_str()),
                ),
            ]),
        };
        let service_names: Vec<Value> = (0..self.drafts.len())
            .map(|at| self.service_names(at, &urls[at]))
            .collect();
        self.bind_values(&service_names, &edge_names);
        let routes = self.routes(&endpoints);

        let mut components = Vec::new();
        let mut services = Vec::new();
        let mut secrets: BTreeMap<String, Secret> = BTreeMap::new();
        for at in 0..self.drafts.len() {
            let mut scope = Scope {
                names: BTreeMap::from([
                    ("services".to_owned(), service_names[at].clone()),
                    ("edge".to_owned(), edge_names.clone()),
                    ("needs".to_owned(), self.needs_names(at)),
                    ("provides".to_owned(), self.provides_names(at)),
                    ("secrets".to_owned(), self.secret_names(at)),
                ]),
            };
            if self
                .edge
                .as_ref()
                .is_some_and(|(component, _)| *component == at)
            {
                scope.names.insert("routes".to_owned(), routes.clone());
            }
            self.vars(at, &mut scope);
            self.own_secrets(at, &scope, &mut secrets);
            let (component, of_component) = self.component(at, &scope, &urls[at]);
            components.push(component);
            services.extend(of_component);
        }
        self.binding_secrets(&mut secrets);
        // Only what somebody reads has to be made.
        let used: BTreeSet<&String> = services
            .iter()
            .flat_map(|service: &Service| &service.secrets)
            .collect();
        secrets.retain(|name, _| used.contains(name));

        let flows = self.flows(&endpoints, edge.as_ref());
        let scheduled = services
            .iter()
            .find(|service| matches!(service.kind, Kind::Scheduled { .. }))
            .map(|service| {
                (
                    SCHEDULED.to_owned(),
                    self.drafts[service.component].place.clone(),
                )
            });
        if let Some(edge) = &edge {
            publish_streams(&mut services[edge.service], &endpoints);
        }
        super::place::place(
            &mut services,
            &self.resolver.environment.hosts,
            self.resolver.environment.target,
        );
        Some(Platform {
            name: self.resolver.layered.platform.value.clone(),
            components,
            services,
            flows,
            secrets: secrets.into_values().collect(),
            endpoints,
            edge,
            licences: super::licences(self.resolver.layered),
            environment: {
                let mut environment = self.resolver.environment.clone();
                environment.profiles.extend(scheduled);
                environment
                    .profiles
                    .sort_by(|left, right| left.0.cmp(&right.0));
                environment
                    .profiles
                    .dedup_by(|left, right| left.0 == right.0);
                environment
            },
        })
    }

    fn report(&mut self, place: Place, message: String) {
        self.resolver
            .findings
            .push(Finding::new(&FAULTY_BLUEPRINT, place, message));
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
            if sized.name.len() > names::LONGEST_LABEL {
                findings.push(
                    Finding::new(
                        &crate::topology::ILLEGAL_NAME,
                        draft.place.clone(),
                        format!(
                            "`{}` is longer than the {} characters of a DNS name",
                            sized.name,
                            names::LONGEST_LABEL
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

    fn the_edge(&mut self) -> Option<Edge> {
        let (component, provide) = self.edge.clone()?;
        let model = &self.drafts[component].blueprint.model.provides[&provide];
        let names = Names::new(&self.drafts[component].base);
        let scheme = model
            .values
            .get("scheme")
            .and_then(|scheme| scheme.parsed.fill_text(&names).ok())
            .unwrap_or_else(|| "http".to_owned());
        let service = self.position(component, &model.service);
        let port = service.and_then(|_| {
            let sized = self.sized[component]
                .iter()
                .find(|sized| sized.key == model.service)?;
            sized.ports.get(&model.port)
        });
        match (service, port) {
            (Some(service), Some(port)) => Some(Edge {
                service,
                scheme,
                port: port.listen.unwrap_or(port.number),
            }),
            _ => {
                let place = self.drafts[component]
                    .blueprint
                    .place(["provides", &provide]);
                self.report(
                    place,
                    format!("`{provide}` names a service or port that does not run"),
                );
                None
            }
        }
    }

    /// Lists what is reached from outside, and each component's public addresses by service and port.
    fn endpoints(&mut self, edge: Option<&Edge>) -> (Vec<Endpoint>, Vec<Urls>) {
        let mut endpoints = Vec::new();
        let mut urls = vec![BTreeMap::new(); self.drafts.len()];
        let locale = self.resolver.environment.locale;
        let domain = self.resolver.environment.domain.clone();
        let Some(edge) = edge else {
            return (endpoints, urls);
        };
        for (at, all) in self.sized.iter().enumerate() {
            let draft = &self.drafts[at];
            for (position, sized) in all.iter().enumerate() {
                for (name, port) in &sized.ports {
                    let spec = &sized.workload.ports[name];
                    let title = spec.title.as_ref().map_or_else(
                        || format!("{} {name}", draft.name),
                        |title| title.get(locale).to_owned(),
                    );
                    let (url, host) = match port.publish {
                        Some(Publish::Web) => {
                            let host =
                                format!("{}.{domain}", spec.host.as_deref().unwrap_or(&draft.name));
                            let standard = matches!(
                                (edge.scheme.as_str(), edge.port),
                                ("http", 80) | ("https", 443)
                            );
                            let port = if standard {
                                String::new()
                            } else {
                                format!(":{}", edge.port)
                            };
                            (format!("{}://{host}{port}", edge.scheme), Some(host))
                        }
                        Some(Publish::Tcp) => (
                            format!("{domain}:{}", port.listen.unwrap_or(port.number)),
                            None,
                        ),
                        _ => continue,
                    };
                    urls[at]
                        .entry(sized.key.to_owned())
                        .or_insert_with(BTreeMap::new)
                        .insert(name.clone(), url.clone());
                    let path = format!("{}.{}.url", draft.name, sized.key);
                    self.resolver.trace.record(
                        || path,
                        || {
                            Explained::one(
                                &url,
                                "from the domain and the proxy's port",
                                port.place.clone(),
                            )
                            .using(vec!["domain".to_owned()])
                        },
                    );
                    endpoints.push(Endpoint {
                        service: self.first[at] + position,
                        port: name.clone(),
                        title,
                        url,
                        host,
                        listen: port.listen,
                        place: draft.place.clone(),
                    });
                }
            }
        }
        endpoints
            .sort_by(|left, right| (&left.url, left.service).cmp(&(&right.url, right.service)));
        (endpoints, urls)
    }

    fn service_names(&self, at: usize, urls: &Urls) -> Value {
        let target = self.resolver.environment.target;
        let model = &self.drafts[at].blueprint.model;
        let none = BTreeMap::new();
        let mut table: BTreeMap<String, Value> = model
            .services
            .keys()
            .chain(model.jobs.keys())
            .map(|key| (key.clone(), inactive(&self.drafts[at], key)))
            .collect();
        for sized in self.sized[at].iter() {
            table.insert(
                sized.key.to_owned(),
                names_of(sized, target, urls.get(sized.key).unwrap_or(&none)),
            );
        }
        Value::Table(table)
    }

    /// Computes what every binding gives its consumer.
    fn bind_values(&mut self, service_names: &[Value], edge: &Value) {
        for binding in self.bindings {
            let provider = &self.drafts[binding.provider];
            let provide = &provider.blueprint.model.provides[&binding.provide];
            let own = BTreeMap::from([
                (
                    "services".to_owned(),
                    service_names[binding.provider].clone(),
                ),
                ("edge".to_owned(), edge.clone()),
                (
                    "binding".to_owned(),
                    Value::table([
                        ("name", Value::from(binding.name(self.drafts))),
                        (
                            "consumer",
                            Value::from(self.drafts[binding.consumer].name.as_str()),
                        ),
                        ("need", Value::from(binding.need.as_str())),
                        ("params", binding.params.clone()),
                    ]),
                ),
            ]);
            let base = Names::new(&provider.base);
            let names = base.with(&own);
            let mut values = BTreeMap::new();
            for (key, text) in &provide.values {
                match text.parsed.fill(&names) {
                    Ok(value) => {
                        values.insert(key.clone(), value);
                    }
                    Err(error) => {
                        let place =
                            provider
                                .blueprint
                                .place(["provides", &binding.provide, "values", key]);
                        self.resolver.findings.push(Finding::new(
                            &FAULTY_BLUEPRINT,
                            place,
                            format!("cannot fill in `{}`: {error}", text.written),
                        ));
                    }
                }
            }
            let sized = self.sized[binding.provider]
                .iter()
                .find(|sized| sized.key == provide.service);
            let port = sized.and_then(|sized| sized.ports.get(&provide.port));
            // Where an operator runs the system, the blueprint says what its host is called.
            if !values.contains_key("host") {
                match (sized, port) {
                    (Some(sized), Some(port)) => {
                        values.insert("host".to_owned(), Value::from(sized.name.as_str()));
                        values.insert("port".to_owned(), Value::from(u64::from(port.number)));
                    }
                    _ => {
                        let place = provider.blueprint.place(["provides", &binding.provide]);
                        self.resolver.findings.push(Finding::new(
                            &FAULTY_BLUEPRINT,
                            place,
                            format!(
                                "`{}` names service `{}` and port `{}`, which do not run on {}",
                                binding.provide,
                                provide.service,
                                provide.port,
                                self.resolver.environment.target
                            ),
                        ));
                    }
                }
            }
            if let Some(spec) = provider
                .blueprint
                .model
                .services
                .get(&provide.service)
                .and_then(|service| service.workload.ports.get(&provide.port))
            {
                values
                    .entry("protocol".to_owned())
                    .or_insert_with(|| Value::from(spec.protocol.word()));
            }
            self.values.push(values);
        }
        self.check_unique();
    }

    fn check_unique(&mut self) {
        let mut findings = Vec::new();
        for provider in 0..self.drafts.len() {
            let mut seen: BTreeMap<(&str, &str, String), usize> = BTreeMap::new();
            for at in &self.by_provider[provider] {
                let binding = &self.bindings[*at];
                for key in &self.drafts[provider].blueprint.model.provides[&binding.provide].unique
                {
                    let Some(value) = self.values[*at].get(key) else {
                        continue;
                    };
                    let Some(other) = seen.insert((&binding.provide, key, value.to_string()), *at)
                    else {
                        continue;
                    };
                    let (consumer, first) = (
                        &self.drafts[binding.consumer],
                        &self.drafts[self.bindings[other].consumer],
                    );
                    findings.push(
                        Finding::new(
                            &BINDING_CONFLICT,
                            consumer.place.clone(),
                            format!(
                                "`{}` and `{}` would share the {key} {value} of `{}`",
                                first.name, consumer.name, self.drafts[provider].name
                            ),
                        )
                        .related(first.place.clone(), "the other one")
                        .component(consumer.name.clone()),
                    );
                }
            }
        }
        self.resolver.findings.extend(findings);
    }

    fn secret_path(name: &str) -> String {
        format!("{SECRETS}/{name}")
    }

    fn needs_names(&mut self, at: usize) -> Value {
        let draft = &self.drafts[at];
        let mut table: BTreeMap<String, Value> = draft
            .blueprint
            .model
            .needs
            .keys()
            .map(|need| (need.clone(), Value::Null))
            .collect();
        for position in &self.by_consumer[at] {
            let binding = &self.bindings[*position];
            let provider = &self.drafts[binding.provider];
            let mut values = self.values[*position].clone();
            values.insert("component".to_owned(), Value::from(provider.name.as_str()));
            values.insert("optional_start".to_owned(), Value::Bool(!binding.required));
            values.insert(
                "secret".to_owned(),
                binding
                    .secret
                    .as_deref()
                    .map_or(Value::Null, |name| Value::from(Self::secret_path(name))),
            );
            let path = format!("{}.needs.{}", draft.name, binding.need);
            let chosen = draft
                .layered
                .and_then(|layered| layered.needs.get(&binding.need));
            self.resolver.trace.record(
                || path,
                || match (chosen, &provider.added_for) {
                    (Some(chosen), _) => {
                        Explained::one(&provider.name, "set", chosen.place.clone())
                            .over(&chosen.replaced)
                    }
                    (None, Some(_)) => Explained::one(
                        &provider.name,
                        "added by itself, because nothing else provides it",
                        draft.blueprint.place(["needs", &binding.need]),
                    ),
                    (None, None) => {
                        Explained::one(&provider.name, "the only provider", provider.place.clone())
                    }
                },
            );
            table.insert(binding.need.clone(), Value::Table(values));
        }
        Value::Table(table)
    }

    fn provides_names(&self, at: usize) -> Value {
        let mut table: BTreeMap<String, Vec<Value>> = self.drafts[at]
            .blueprint
            .model
            .provides
            .keys()
            .map(|provide| (provide.clone(), Vec::new()))
            .collect();
        for position in &self.by_provider[at] {
            let binding = &self.bindings[*position];
            let mut values = self.values[*position].clone();
            values.insert("name".to_owned(), Value::from(binding.name(self.drafts)));
            values.insert(
                "consumer".to_owned(),
                Value::from(self.drafts[binding.consumer].name.as_str()),
            );
            values.insert("need".to_owned(), Value::from(binding.need.as_str()));
            values.insert("params".to_owned(), binding.params.clone());
            values.insert(
                "secret".to_owned(),
                binding
                    .secret
                    .as_deref()
                    .map_or(Value::Null, |name| Value::from(Self::secret_path(name))),
            );
            table
                .entry(binding.provide.clone())
                .or_default()
                .push(Value::Table(values));
        }
        Value::table(table.into_iter().map(|(provide, bindings)| {
            (provide, Value::table([("bindings", Value::List(bindings))]))
        }))
    }

    fn secret_names(&self, at: usize) -> Value {
        let draft = &self.drafts[at];
        Value::table(draft.blueprint.model.secrets.keys().map(|key| {
            (
                key.clone(),
                Value::from(Self::secret_path(&own_secret(&draft.name, key))),
            )
        }))
    }

    /// Lists what the proxy forwards.
    fn routes(&mut self, endpoints: &[Endpoint]) -> Value {
        let mut routes = Vec::new();
        let mut findings = Vec::new();
        for endpoint in endpoints {
            let at = self.component_at(endpoint.service);
            let sized = &self.sized[at][endpoint.service - self.first[at]];
            let spec = &sized.workload.ports[&endpoint.port];
            let port = &sized.ports[&endpoint.port];
            let draft = &self.drafts[at];
            let names = Names::new(&draft.base);
            let place = |field: &str| {
                draft
                    .blueprint
                    .place([sized.table(), sized.key, "ports", &endpoint.port, field])
            };
            let timeout = quantity(
                spec.timeout.as_ref(),
                &names,
                place("timeout"),
                &mut findings,
            );
            let max_body = quantity(
                spec.max_body.as_ref(),
                &names,
                place("max_body"),
                &mut findings,
            );
            let required = self.edge.as_ref().is_none_or(|(edge, _)| {
                let profile = &self.drafts[at].profile;
                profile.is_none() || *profile == self.drafts[*edge].profile
            });
            routes.push(Value::table([
                (
                    "kind",
                    Value::from(if endpoint.host.is_some() {
                        "web"
                    } else {
                        "tcp"
                    }),
                ),
                ("component", Value::from(self.drafts[at].name.as_str())),
                ("service", Value::from(sized.name.as_str())),
                ("host", Value::from(endpoint.host.clone())),
                ("listen", Value::from(endpoint.listen.map(u64::from))),
                ("upstream", Value::from(sized.name.as_str())),
                ("port", Value::from(u64::from(port.number))),
                ("protocol", Value::from(port.protocol.word())),
                ("replicas", Value::from(sized.replicas.min)),
                ("websocket", Value::Bool(spec.websocket)),
                ("timeout", Value::from(timeout.unwrap_or(ANSWER_TIME))),
                ("max_body", Value::from(max_body.unwrap_or(LARGEST_BODY))),
                ("sticky", Value::Bool(spec.sticky)),
                ("check", Value::from(spec.check.clone())),
                ("buffering", Value::Bool(spec.buffering)),
                ("title", Value::from(endpoint.title.as_str())),
                ("url", Value::from(endpoint.url.as_str())),
                ("required", Value::Bool(required)),
            ]));
        }
        self.resolver.findings.append(&mut findings);
        Value::List(routes)
    }

    fn vars(&mut self, at: usize, scope: &mut Scope) {
        let draft = &self.drafts[at];
        if draft.unsupported.is_some() {
            return;
        }
        let expressions = expressions(&draft.blueprint.model.vars);
        let empty = Value::Table(BTreeMap::new());
        scope.names.insert("vars".to_owned(), empty);
        let (trace, findings) = (&mut *self.resolver.trace, &mut self.resolver.findings);
        evaluate_in_order(
            &Names::new(&draft.base),
            &mut scope.names,
            "vars",
            &expressions,
            |name, value, expression, result| {
                let place = draft.blueprint.place(["vars", name]);
                match result {
                    Ok(()) => trace.record(
                        || format!("{}.vars.{name}", draft.name),
                        || {
                            Explained::one(
                                &*value,
                                format!("computed by `{}`", expression.written),
                                place,
                            )
                            .using(uses(
                                &draft.name,
                                None,
                                &expression.parsed.names(),
                            ))
                        },
                    ),
                    Err(error) => {
                        findings.push(Finding::new(
                            &FAULTY_BLUEPRINT,
                            place,
                            format!("cannot compute `{name}`: {error}"),
                        ));
                    }
                }
            },
        );
    }

    fn own_secrets(&mut self, at: usize, scope: &Scope, secrets: &mut BTreeMap<String, Secret>) {
        let draft = &self.drafts[at];
        if draft.unsupported.is_some() {
            return;
        }
        let base = Names::new(&draft.base);
        let names = base.with(&scope.names);
        let mut findings = Vec::new();
        for (key, secret) in &draft.blueprint.model.secrets {
            let place = || draft.blueprint.place(["secrets", key, "when"]);
            if draft.holds(secret.when.as_ref(), &names, place, &mut findings) {
                let name = own_secret(&draft.name, key);
                secrets.insert(
                    name.clone(),
                    Secret {
                        name,
                        kind: secret.kind,
                        length: secret.length.unwrap_or(SECRET_LENGTH),
                        prefix: secret.prefix.clone(),
                        purpose: secret
                            .purpose
                            .get(self.resolver.environment.locale)
                            .to_owned(),
                    },
                );
            }
        }
        self.resolver.findings.append(&mut findings);
    }

    fn binding_secrets(&self, secrets: &mut BTreeMap<String, Secret>) {
        for binding in self.bindings {
            let provide = &self.drafts[binding.provider].blueprint.model.provides[&binding.provide];
            if let (Some(name), Some(spec)) = (&binding.secret, &provide.secret) {
                secrets.insert(
                    name.clone(),
                    Secret {
                        name: name.clone(),
                        kind: spec.kind,
                        length: spec.length.unwrap_or(SECRET_LENGTH),
                        prefix: spec.prefix.clone(),
                        purpose: format!(
                            "{} -> {} ({})",
                            self.drafts[binding.consumer].name,
                            self.drafts[binding.provider].name,
                            provide.capability
                        ),
                    },
                );
            }
        }
    }

    fn component(&mut self, at: usize, scope: &Scope, urls: &Urls) -> (Component, Vec<Service>) {
        let draft = &self.drafts[at];
        let blueprint = &draft.blueprint;
        let model = &blueprint.model;
        let locale = self.resolver.environment.locale;
        let base = Names::new(&draft.base);
        let names = base.with(&scope.names);
        let volumes = self.volumes(at);
        let (images, builds) = self.images(at, &names);
        let context = render::context(&names);
        let mut services = Vec::new();
        for position in 0..self.sized[at].len() {
            services.push(self.service(at, position, &names, &context, &volumes, &images));
        }
        let mut findings = Vec::new();
        let mut notices = Vec::new();
        let mut accounts = Vec::new();
        let mut objects = Vec::new();
        if draft.unsupported.is_none() {
            for (key, notice) in &model.notices {
                let place = || blueprint.place(["notices", key, "when"]);
                if !draft.holds(notice.when.as_ref(), &names, place, &mut findings) {
                    continue;
                }
                notices.push(Notice {
                    name: key.clone(),
                    level: match notice.severity {
                        NoticeSeverity::Note => NoticeLevel::Note,
                        NoticeSeverity::Warning => NoticeLevel::Warning,
                        NoticeSeverity::Error => NoticeLevel::Error,
                    },
                    message: fill(
                        draft,
                        &notice.message,
                        &names,
                        &["notices", key, "message"],
                        &mut findings,
                    ),
                    help: notice.help.clone(),
                    source: notice.source.clone(),
                });
            }
            for (key, account) in &model.accounts {
                let place = || blueprint.place(["accounts", key, "when"]);
                if draft.holds(account.when.as_ref(), &names, place, &mut findings) {
                    accounts.push(Account {
                        user: fill(
                            draft,
                            &account.user,
                            &names,
                            &["accounts", key, "user"],
                            &mut findings,
                        ),
                        secret: account
                            .secret
                            .as_ref()
                            .map(|secret| own_secret(&draft.name, secret)),
                        purpose: account.purpose.get(locale).to_owned(),
                        url: urls.get(&account.service).and_then(service::web_url),
                    });
                }
            }
            for (key, object) in &model.objects {
                let place = || blueprint.place(["objects", key, "when"]);
                if draft.holds(object.when.as_ref(), &names, place, &mut findings) {
                    let origin = blueprint.place(["objects", key, "data"]);
                    let value = render::data_value(
                        self.resolver.sources,
                        blueprint,
                        &object.data,
                        &origin,
                        &names,
                        &mut findings,
                    );
                    objects.extend(value.map(|value| (key.clone(), value)));
                }
            }
        }
        self.resolver.findings.append(&mut findings);
        let record = &mut *self.resolver.trace;
        record.record(
            || format!("{}.size", draft.name),
            || match draft.layered.and_then(|layered| layered.size.as_ref()) {
                Some(set) => {
                    Explained::one(set.value, "set", set.place.clone()).over(&set.replaced)
                }
                None => Explained::one(draft.size, "the environment's", draft.place.clone())
                    .using(vec!["size".to_owned()]),
            },
        );
        let component = Component {
            name: draft.name.clone(),
            place: draft.place.clone(),
            added_for: draft.added_for.clone(),
            blueprint: blueprint.name.clone(),
            version: draft.version.0.clone(),
            version_place: draft.version.1.clone(),
            tested: model.blueprint.version.tested.clone(),
            summary: model.blueprint.summary.get(locale).to_owned(),
            layer: model.blueprint.layer,
            zone: model.blueprint.zone,
            license: draft.license.clone(),
            edition: draft.edition.clone(),
            lacking: draft.lacking.clone(),
            profile: draft.profile.clone(),
            unsupported: draft.unsupported.clone(),
            options: draft.options.clone(),
            typed: draft.typed.clone(),
            notices,
            gone: model
                .gone
                .iter()
                .map(|gone| GoneImage {
                    image: gone.image.clone(),
                    reason: gone.reason.clone(),
                    instead: gone.instead.clone(),
                })
                .collect(),
            notes: model
                .blueprint
                .notes
                .iter()
                .map(|note| note.get(locale).to_owned())
                .collect(),
            accounts,
            volumes: volumes.into_iter().map(|(_, volume)| volume).collect(),
            builds,
            objects,
        };
        (component, services)
    }

    fn volumes(&mut self, at: usize) -> Vec<(&'f str, Volume)> {
        let draft = &self.drafts[at];
        let mut volumes = Vec::new();
        let mounted: BTreeSet<&str> = self.sized[at]
            .iter()
            .flat_map(|sized| sized.workload.volumes.values())
            .map(|mount| match mount {
                MountSpec::Name(name) => name.as_str(),
                MountSpec::Table(table) => table.volume.as_str(),
            })
            .collect();
        for (key, spec) in &draft.blueprint.model.volumes {
            if !mounted.contains(key.as_str()) {
                continue;
            }
            let place = draft.blueprint.place(["volumes", key, "size"]);
            let tier = Size::ALL
                .iter()
                .rev()
                .filter(|tier| **tier <= draft.size)
                .chain(Size::ALL.iter().filter(|tier| **tier > draft.size))
                .find_map(|tier| spec.size.get(tier));
            let default = tier.and_then(|size| Bytes::parse(size));
            let Some(default) = default else {
                self.report(
                    place,
                    format!("volume `{key}` has no size with a known unit"),
                );
                continue;
            };
            let set = draft
                .layered
                .and_then(|layered| layered.volumes.get(key))
                .and_then(|(_, size)| size.as_ref());
            let name = format!("{}-{}", draft.name, key.replace('_', "-"));
            self.resolver.trace.record(
                || format!("{}.volumes.{key}.size", draft.name),
                || match set {
                    Some(set) => Explained::one(set.value, "set", set.place.clone())
                        .over(&set.replaced)
                        .then(
                            default,
                            format!("blueprint, size {}", draft.size),
                            place.clone(),
                        ),
                    None => Explained::one(
                        default,
                        format!("blueprint, size {}", draft.size),
                        place.clone(),
                    ),
                },
            );
            volumes.push((
                key.as_str(),
                Volume {
                    name,
                    key: key.clone(),
                    size: set.map_or(default, |set| set.value),
                    class: spec.class.unwrap_or(DiskClass::Ssd),
                    shared: spec.shared,
                    unsafe_on: spec.unsafe_on.clone(),
                    place: draft.place.clone(),
                },
            ));
        }
        volumes
    }

    /// Resolves a component's images; those that are built come with their folder.
    fn images(&mut self, at: usize, names: &Names<'_>) -> (BTreeMap<&'f str, Image>, Vec<Build>) {
        let draft = &self.drafts[at];
        let blueprint = &draft.blueprint;
        let mut images = BTreeMap::new();
        let mut builds = Vec::new();
        if draft.unsupported.is_some() {
            return (images, builds);
        }
        let mut findings = Vec::new();
        for (key, spec) in &blueprint.model.images {
            let tag = match &spec.tag {
                Some(tag) => fill(draft, tag, names, &["images", key, "tag"], &mut findings),
                None => draft.version.0.clone(),
            };
            let from = format!("{}:{tag}", spec.from);
            let set = draft.layered.and_then(|layered| layered.images.get(key));
            let place = set.map_or_else(
                || blueprint.place(["images", key, "from"]),
                |set| set.place.clone(),
            );
            let mut image = Image {
                reference: set.map_or_else(|| from.clone(), |set| set.value.clone()),
                build: None,
                place: place.clone(),
            };
            self.resolver.trace.record(
                || format!("{}.images.{key}", draft.name),
                || match set {
                    Some(set) => Explained::one(&set.value, "set", set.place.clone())
                        .over(&set.replaced)
                        .then(&from, "blueprint", blueprint.place(["images", key, "from"])),
                    None => Explained::one(&from, "blueprint", place.clone())
                        .using(vec![format!("{}.version", draft.name)]),
                },
            );
            // A user's own image is used as it is, not as a base.
            if let (Some(dockerfile), None) = (&spec.build, set) {
                let own = BTreeMap::from([("image".to_owned(), Value::from(from.as_str()))]);
                let names = names.with(&own);
                let context = render::context(&names);
                let mut files = BTreeMap::new();
                let inputs = std::iter::once((dockerfile, "build"))
                    .chain(spec.context.iter().map(|name| (name, "context")));
                for (name, field) in inputs {
                    let origin = blueprint.place(["images", key, field]);
                    let content = self.resolver.cache.engine.file(
                        self.resolver.sources,
                        blueprint,
                        name,
                        &origin,
                        &context,
                        &mut findings,
                    );
                    let result = name.strip_suffix(".tera").unwrap_or(name).to_owned();
                    files.extend(content.map(|content| (result, content)));
                }
                // The tag follows the content, so that a changed Dockerfile is a new image and an unchanged one is not.
                let mut digest = <sha2::Sha256 as sha2::Digest>::new();
                for (name, content) in &files {
                    sha2::Digest::update(&mut digest, format!("{name}\0{}\0", content.len()));
                    sha2::Digest::update(&mut digest, content.as_bytes());
                }
                let digest = sha2::Digest::finalize(digest);
                let short: String = digest
                    .iter()
                    .take(6)
                    .map(|byte| format!("{byte:02x}"))
                    .collect();
                image.reference = format!(
                    "{}/{}-{}:{}-{short}",
                    self.resolver.layered.platform.value,
                    draft.name,
                    key.replace('_', "-"),
                    draft.version.0
                );
                image.build = Some(builds.len());
                builds.push(Build {
                    image: key.clone(),
                    reference: image.reference.clone(),
                    files,
                });
            }
            images.insert(key.as_str(), image);
        }
        self.resolver.findings.append(&mut findings);
        (images, builds)
    }

    fn service(
        &mut self,
        at: usize,
        position: usize,
        names: &Names<'_>,
        context: &tera::Context,
        volumes: &[(&str, Volume)],
        images: &BTreeMap<&'f str, Image>,
    ) -> Service {
        let draft = &self.drafts[at];
        let blueprint = &draft.blueprint;
        let all = Rc::clone(&self.sized[at]);
        let sized = &all[position];
        let (table, key, workload) = (sized.table(), sized.key, sized.workload);
        let place = |keys: &[&str]| {
            blueprint.place([table, key].iter().chain(keys).copied().map(str::to_owned))
        };
        let mut findings = Vec::new();

        let mut own = BTreeMap::from([
            ("service".to_owned(), Value::from(sized.name.as_str())),
            ("memory".to_owned(), Value::from(sized.resources.memory.0)),
            ("cpu".to_owned(), Value::from(sized.resources.cpu.0)),
            ("cpus".to_owned(), Value::from(sized.resources.cpu.whole())),
            ("replicas".to_owned(), Value::from(sized.replicas.min)),
            (
                "ports".to_owned(),
                Value::table(
                    sized
                        .ports
                        .iter()
                        .map(|(name, port)| (name.clone(), Value::from(u64::from(port.number)))),
                ),
            ),
        ]);
        // Heaps may be computed from the service's variables, and other variables from heaps.
        self.service_vars(draft, sized, names, &mut own, false, &mut findings);
        let (jvm, jvm_names) = self.jvm(draft, sized, names, &own, &mut findings);
        if let Some(jvm_names) = jvm_names {
            own.insert("jvm".to_owned(), jvm_names);
        }
        self.service_vars(draft, sized, names, &mut own, true, &mut findings);
        let names = names.with(&own);

        let needs = self.needs_of(at, sized, &mut findings);
        let secrets = self.secrets_of(at, sized, &needs, &names, &mut findings);
        let env = self.env(draft, sized, &needs, &names, &mut findings);
        let files = self.files(draft, sized, &names, context, &own, &mut findings);
        let mut mounts = BTreeMap::new();
        for (path, spec) in &workload.volumes {
            let (name, read_only) = match spec {
                MountSpec::Name(name) => (name, false),
                MountSpec::Table(table) => (&table.volume, table.read_only),
            };
            match volumes.iter().position(|(key, _)| key == name) {
                Some(volume) => {
                    mounts.insert(path.clone(), Mount { volume, read_only });
                }
                None => findings.push(
                    Finding::new(
                        &FAULTY_BLUEPRINT,
                        place(&["volumes", path]),
                        format!("there is no volume `{name}`"),
                    )
                    .maybe_help(suggest(
                        name,
                        volumes.iter().map(|(key, _)| *key).collect::<Vec<_>>(),
                    )),
                ),
            }
        }
        let image = match images.get(workload.image.as_str()) {
            Some(image) => image.clone(),
            None => {
                findings.push(
                    Finding::new(
                        &FAULTY_BLUEPRINT,
                        place(&["image"]),
                        format!("there is no image `{}`", workload.image),
                    )
                    .maybe_help(suggest(
                        &workload.image,
                        images.keys().copied().collect::<Vec<_>>(),
                    )),
                );
                Image {
                    reference: String::new(),
                    build: None,
                    place: place(&["image"]),
                }
            }
        };
        let list = |field: &str, texts: &Option<Vec<Filled>>, findings: &mut Vec<Finding>| {
            texts.as_ref().map(|texts| {
                texts
                    .iter()
                    .map(|text| fill(draft, text, &names, &[table, key, field], findings))
                    .collect::<Vec<_>>()
            })
        };
        let entrypoint = list("entrypoint", &workload.entrypoint, &mut findings);
        let command = list("command", &workload.command, &mut findings);
        let probe = self.probe(draft, sized, &names, &mut findings);
        let kind = self.kind(draft, sized, &names, &mut findings);
        let seconds = |text: &Option<String>| text.as_deref().and_then(Seconds::parse);
        let start_after = self.start_after(at, sized, &needs, &mut findings);
        let run_as = &workload.run_as;
        let egress = match &workload.egress {
            Some(EgressSpec::Always(why)) => Some(why.clone()),
            Some(EgressSpec::When { why, when }) => draft
                .holds(Some(when), &names, || place(&["egress"]), &mut findings)
                .then(|| why.clone()),
            None => None,
        };
        let mut host_settings = BTreeMap::new();
        for (name, setting) in &workload.host_settings {
            if draft.holds(
                setting.when.as_ref(),
                &names,
                || place(&["host_settings", name]),
                &mut findings,
            ) {
                host_settings.insert(name.clone(), (setting.minimum, setting.reason.clone()));
            }
        }
        let service = Service {
            component: at,
            key: key.to_owned(),
            name: sized.name.clone(),
            place: sized.place.clone(),
            kind,
            replicas: sized.replicas.clone(),
            members: sized.service.is_some_and(|service| service.members),
            single: sized.service.and_then(|service| service.single.clone()),
            scale: sized
                .service
                .and_then(|service| service.scale.as_ref())
                .map(|scale| {
                    let metric = match scale.metric {
                        model::ScaleMetric::Cpu => ScaleMetric::Cpu,
                        model::ScaleMetric::Memory => ScaleMetric::Memory,
                    };
                    (metric, scale.target)
                }),
            image,
            entrypoint,
            command,
            working_dir: workload.working_dir.clone(),
            env,
            files,
            mounts,
            secrets,
            ports: sized.ports.clone(),
            egress,
            start_after,
            probe,
            resources: sized.resources.clone(),
            jvm,
            user: run_as.user.map(|user| (user, run_as.group.unwrap_or(user))),
            root: run_as.root.clone(),
            read_only: run_as.read_only,
            writable: run_as.writable.clone(),
            capabilities: run_as.capabilities.clone(),
            stop_grace: seconds(&workload.stop.grace).unwrap_or(GRACE),
            stop_signal: workload.stop.signal.clone(),
            shm: workload.shm.as_deref().and_then(Bytes::parse),
            ulimits: workload.ulimits.clone(),
            host_settings,
            placement: Vec::new(),
        };
        self.resolver.findings.append(&mut findings);
        service
    }

    fn jvm(
        &mut self,
        draft: &Draft<'_>,
        sized: &Sized<'_>,
        names: &Names<'_>,
        own: &BTreeMap<String, Value>,
        findings: &mut Vec<Finding>,
    ) -> (Option<Jvm>, Option<Value>) {
        let Some(spec) = &sized.workload.jvm else {
            return (None, None);
        };
        let place = |field: &str| {
            draft
                .blueprint
                .place([sized.table(), sized.key, "jvm", field])
        };
        let mut own = own.clone();
        let mut bytes = |field: &str,
                         expression: Option<&Expr>,
                         default: u64,
                         own: &BTreeMap<String, Value>| {
            let Some(expression) = expression else {
                return default;
            };
            let value = expression.parsed.evaluate(&names.with(own));
            let number = value.map_err(|error| error.to_string()).and_then(|value| {
                let number = value.as_int().and_then(|number| u64::try_from(number).ok());
                number.ok_or_else(|| format!("{value} is no size"))
            });
            match number {
                Ok(number) => {
                    self.resolver.trace.record(
                        || format!("{}.{}.jvm.{field}", draft.name, sized.key),
                        || {
                            Explained::one(
                                Bytes(number),
                                format!("computed by `{}`", expression.written),
                                place(field),
                            )
                            .using(uses(
                                &draft.name,
                                Some(sized.key),
                                &expression.parsed.names(),
                            ))
                        },
                    );
                    number
                }
                Err(error) => {
                    findings.push(Finding::new(
                        &FAULTY_BLUEPRINT,
                        place(field),
                        format!("cannot compute `{}`: {error}", expression.written),
                    ));
                    0
                }
            }
        };
        let heap = bytes("heap", Some(&spec.heap), 0, &own);
        own.insert(
            "jvm".to_owned(),
            Value::table([("heap", Value::from(heap))]),
        );
        let direct = bytes("direct", spec.direct.as_ref(), 0, &own);
        let overhead = bytes(
            "overhead",
            spec.overhead.as_ref(),
            sized.resources.memory.0 / 10,
            &own,
        );
        let names = Value::table([("heap", Value::from(heap)), ("direct", Value::from(direct))]);
        let jvm = Jvm {
            heap: Bytes(heap),
            direct: Bytes(direct),
            overhead: Bytes(overhead),
            place: sized.resources.place.clone(),
        };
        (Some(jvm), Some(names))
    }

    fn service_vars(
        &mut self,
        draft: &Draft<'_>,
        sized: &Sized<'_>,
        names: &Names<'_>,
        own: &mut BTreeMap<String, Value>,
        with_jvm: bool,
        findings: &mut Vec<Finding>,
    ) {
        let expressions: BTreeMap<&str, &Expr> = expressions(&sized.workload.vars)
            .into_iter()
            .filter(|(_, expression)| {
                let names = expression.parsed.names();
                names.iter().any(|name| name.starts_with("jvm")) == with_jvm
            })
            .collect();
        if expressions.is_empty() {
            return;
        }
        let inherited = own
            .get("vars")
            .or_else(|| names.get("vars"))
            .cloned()
            .unwrap_or_default();
        own.insert("vars".to_owned(), inherited);
        let trace = &mut *self.resolver.trace;
        evaluate_in_order(
            names,
            own,
            "vars",
            &expressions,
            |name, value, expression, result| {
                let place = draft
                    .blueprint
                    .place([sized.table(), sized.key, "vars", name]);
                match result {
                    Ok(()) => trace.record(
                        || format!("{}.{}.vars.{name}", draft.name, sized.key),
                        || {
                            Explained::one(
                                &*value,
                                format!("computed by `{}`", expression.written),
                                place,
                            )
                            .using(uses(
                                &draft.name,
                                Some(sized.key),
                                &expression.parsed.names(),
                            ))
                        },
                    ),
                    Err(error) => {
                        findings.push(Finding::new(
                            &FAULTY_BLUEPRINT,
                            place,
                            format!("cannot compute `{name}`: {error}"),
                        ));
                    }
                }
            },
        );
    }

    /// Returns the bindings that a service uses.
    fn needs_of(&self, at: usize, sized: &Sized<'_>, findings: &mut Vec<Finding>) -> Vec<usize> {
        let model = &self.drafts[at].blueprint.model;
        if let Some(listed) = &sized.workload.needs {
            for name in listed
                .iter()
                .filter(|name| !model.needs.contains_key(*name))
            {
                findings.push(
                    Finding::new(
                        &FAULTY_BLUEPRINT,
                        self.drafts[at]
                            .blueprint
                            .place([sized.table(), sized.key, "needs"]),
                        format!("there is no need `{name}`"),
                    )
                    .maybe_help(suggest(name, model.needs.keys().map(String::as_str))),
                );
            }
        }
        self.by_consumer[at]
            .iter()
            .copied()
            .filter(|position| {
                let need = &self.bindings[*position].need;
                sized
                    .workload
                    .needs
                    .as_ref()
                    .is_none_or(|listed| listed.contains(need))
            })
            .collect()
    }

    fn secrets_of(
        &self,
        at: usize,
        sized: &Sized<'_>,
        needs: &[usize],
        names: &Names<'_>,
        findings: &mut Vec<Finding>,
    ) -> Vec<String> {
        let draft = &self.drafts[at];
        let model = &draft.blueprint.model;
        let mut secrets: BTreeSet<String> = needs
            .iter()
            .filter_map(|position| self.bindings[*position].secret.clone())
            .collect();
        let place = |field: &str| draft.blueprint.place([sized.table(), sized.key, field]);
        let env_secrets = sized.workload.env.values().filter_map(|spec| match spec {
            EnvSpec::Table(table) => table.secret.as_ref(),
            EnvSpec::Plain(_) => None,
        });
        for key in sized.workload.secrets.iter().chain(env_secrets) {
            match model.secrets.get(key) {
                Some(secret) => {
                    let when = || draft.blueprint.place(["secrets", key, "when"]);
                    if draft.holds(secret.when.as_ref(), names, when, findings) {
                        secrets.insert(own_secret(&draft.name, key));
                    }
                }
                None => findings.push(
                    Finding::new(
                        &FAULTY_BLUEPRINT,
                        place("secrets"),
                        format!("there is no secret `{key}`"),
                    )
                    .maybe_help(suggest(key, model.secrets.keys().map(String::as_str))),
                ),
            }
        }
        for provide in &sized.workload.serves {
            if !model.provides.contains_key(provide) {
                findings.push(
                    Finding::new(
                        &FAULTY_BLUEPRINT,
                        place("serves"),
                        format!("it provides no `{provide}`"),
                    )
                    .maybe_help(suggest(provide, model.provides.keys().map(String::as_str))),
                );
            }
            secrets.extend(
                self.by_provider[at]
                    .iter()
                    .map(|position| &self.bindings[*position])
                    .filter(|binding| binding.provide == *provide)
                    .filter_map(|binding| binding.secret.clone()),
            );
        }
        secrets.into_iter().collect()
    }

    fn env(
        &mut self,
        draft: &Draft<'_>,
        sized: &Sized<'_>,
        needs: &[usize],
        names: &Names<'_>,
        findings: &mut Vec<Finding>,
    ) -> BTreeMap<String, EnvValue> {
        let mut env = BTreeMap::new();
        for (name, spec) in &sized.workload.env {
            let place = || {
                draft
                    .blueprint
                    .place([sized.table(), sized.key, "env", name])
            };
            let keys = [sized.table(), sized.key, "env", name];
            let value = match spec {
                EnvSpec::Plain(text) => EnvValue::Text(fill(draft, text, names, &keys, findings)),
                EnvSpec::Table(table) => {
                    if !draft.holds(table.when.as_ref(), names, place, findings) {
                        continue;
                    }
                    match (&table.value, &table.secret, &table.secret_of) {
                        (Some(text), None, None) => {
                            EnvValue::Text(fill(draft, text, names, &keys, findings))
                        }
                        (None, Some(secret), None) => {
                            EnvValue::Secret(own_secret(&draft.name, secret))
                        }
                        (None, None, Some(need)) => {
                            let secret = needs
                                .iter()
                                .map(|position| &self.bindings[*position])
                                .find(|binding| binding.need == *need)
                                .and_then(|binding| binding.secret.clone());
                            // A need that is not bound has no secret, and the variable does not exist.
                            match secret {
                                Some(secret) => EnvValue::Secret(secret),
                                None => continue,
                            }
                        }
                        _ => {
                            findings.push(
                                Finding::new(
                                    &FAULTY_BLUEPRINT,
                                    place(),
                                    format!("`{name}` is not one value"),
                                )
                                .help("give one of `value`, `secret` and `secret_of`"),
                            );
                            continue;
                        }
                    }
                }
            };
            if let EnvValue::Text(text) = &value {
                self.resolver.trace.record(
                    || format!("{}.{}.env.{name}", draft.name, sized.key),
                    || {
                        let used = match spec {
                            EnvSpec::Plain(filled) => filled.parsed.names(),
                            EnvSpec::Table(table) => table
                                .value
                                .as_ref()
                                .map(|filled| filled.parsed.names())
                                .unwrap_or_default(),
                        };
                        Explained::one(text, "blueprint", place()).using(uses(
                            &draft.name,
                            Some(sized.key),
                            &used,
                        ))
                    },
                );
            }
            env.insert(name.clone(), value);
        }
        for (name, set) in sized
            .settings
            .map(|settings| &settings.env)
            .into_iter()
            .flatten()
        {
            self.resolver.trace.record(
                || format!("{}.{}.env.{name}", draft.name, sized.key),
                || Explained::one(&set.value, "set", set.place.clone()).over(&set.replaced),
            );
            env.insert(name.clone(), EnvValue::Text(set.value.clone()));
        }
        env
    }

    fn files(
        &mut self,
        draft: &Draft<'_>,
        sized: &Sized<'_>,
        names: &Names<'_>,
        context: &tera::Context,
        own: &BTreeMap<String, Value>,
        findings: &mut Vec<Finding>,
    ) -> BTreeMap<String, File> {
        let mut files = BTreeMap::new();
        if sized.workload.files.is_empty() {
            return files;
        }
        // What all services of the component see was converted once.
        let mut context = context.clone();
        render::extend(&mut context, own);
        let blueprint = &draft.blueprint;
        for (path, spec) in &sized.workload.files {
            let origin = blueprint.place([sized.table(), sized.key, "files", path]);
            if !is_container_path(path) {
                findings.push(
                    Finding::new(
                        &FAULTY_BLUEPRINT,
                        origin.clone(),
                        format!("`{path}` is not an absolute path without `..`"),
                    )
                    .help("files in a container are named by their full path there"),
                );
                continue;
            }
            let plain = model::FileTable {
                template: None,
                data: None,
                format: None,
                executable: false,
                when: None,
            };
            let table = match spec {
                FileSpec::Name(name) => &model::FileTable {
                    template: Some(name.clone()),
                    ..plain
                },
                FileSpec::Table(table) => table,
            };
            if !draft.holds(table.when.as_ref(), names, || origin.clone(), findings) {
                continue;
            }
            let (source, content): (&String, Option<Content>) =
                match (&table.template, &table.data, table.format) {
                    (Some(name), None, None) => {
                        let engine = &mut self.resolver.cache.engine;
                        (
                            name,
                            engine.file(
                                self.resolver.sources,
                                blueprint,
                                name,
                                &origin,
                                &context,
                                findings,
                            ),
                        )
                    }
                    (None, Some(name), Some(format)) => (
                        name,
                        render::data(
                            self.resolver.sources,
                            blueprint,
                            name,
                            format,
                            &origin,
                            names,
                            findings,
                        ),
                    ),
                    _ => {
                        findings.push(
                            Finding::new(
                                &FAULTY_BLUEPRINT,
                                origin,
                                format!("`{path}` is not one file"),
                            )
                            .help("give `template`, or `data` with `as`"),
                        );
                        continue;
                    }
                };
            let Some(content) = content else { continue };
            let source = match table.format {
                // A data file is known by what it becomes.
                Some(format) => {
                    let ending = match format {
                        DataFormat::Yaml => "yaml",
                        DataFormat::Json => "json",
                        DataFormat::Toml => "toml",
                        DataFormat::Properties => "properties",
                    };
                    format!(
                        "{}.{ending}",
                        source.strip_suffix(".toml").unwrap_or(source)
                    )
                }
                None => source.strip_suffix(".tera").unwrap_or(source).to_owned(),
            };
            files.insert(
                path.clone(),
                File {
                    source,
                    content,
                    executable: table.executable,
                },
            );
        }
        files
    }

    fn probe(
        &self,
        draft: &Draft<'_>,
        sized: &Sized<'_>,
        names: &Names<'_>,
        findings: &mut Vec<Finding>,
    ) -> Option<Probe> {
        let spec = sized.workload.probe.as_ref()?;
        let place = draft.blueprint.place([sized.table(), sized.key, "probe"]);
        let mut port = |name: Option<&String>| {
            let found = name.and_then(|name| sized.ports.get(name));
            if found.is_none() {
                findings.push(
                    Finding::new(
                        &FAULTY_BLUEPRINT,
                        place.clone(),
                        "the probe names no port of its service",
                    )
                    .maybe_help(
                        name.and_then(|name| suggest(name, sized.ports.keys().map(String::as_str))),
                    ),
                );
            }
            found.map(|port: &Port| port.number)
        };
        let tool = match spec.with {
            Some(ProbeTool::Wget) => Tool::Wget,
            Some(ProbeTool::Bash) => Tool::Bash,
            Some(ProbeTool::Python) => Tool::Python,
            Some(ProbeTool::Curl) | None => Tool::Curl,
        };
        let keys = [sized.table(), sized.key, "probe"];
        let ask = match (&spec.http, &spec.tcp, &spec.exec) {
            (Some(path), None, None) => Ask::Http {
                port: port(spec.port.as_ref())?,
                path: fill(draft, path, names, &keys, findings),
                tool,
            },
            (None, Some(name), None) => Ask::Tcp {
                port: port(Some(name))?,
                tool: if spec.with.is_none() {
                    Tool::Bash
                } else {
                    tool
                },
            },
            (None, None, Some(words)) => Ask::Exec(
                words
                    .iter()
                    .map(|word| fill(draft, word, names, &keys, findings))
                    .collect(),
            ),
            _ => {
                findings.push(
                    Finding::new(
                        &FAULTY_BLUEPRINT,
                        place,
                        "the probe asks more or less than one thing",
                    )
                    .help("give one of `http` with `port`, `tcp` and `exec`"),
                );
                return None;
            }
        };
        let seconds = |text: &Option<String>| text.as_deref().and_then(Seconds::parse);
        Some(Probe {
            ask,
            startup: seconds(&spec.startup).unwrap_or(STARTUP),
            interval: seconds(&spec.interval).unwrap_or(INTERVAL),
            timeout: seconds(&spec.timeout).unwrap_or(TIMEOUT),
            retries: spec.retries.unwrap_or(RETRIES),
        })
    }

    fn kind(
        &self,
        draft: &Draft<'_>,
        sized: &Sized<'_>,
        names: &Names<'_>,
        findings: &mut Vec<Finding>,
    ) -> Kind {
        let place = |field: &str| draft.blueprint.place([sized.table(), sized.key, field]);
        let seconds = |text: Option<&String>, field: &str, findings: &mut Vec<Finding>| {
            quantity(text, names, place(field), findings).map(Seconds)
        };
        match (sized.service, sized.job) {
            (Some(service), _) => match service.kind {
                model::ServiceKind::Stateless => Kind::Stateless,
                model::ServiceKind::Stateful => Kind::Stateful,
            },
            (None, Some(job)) => match &job.schedule {
                Some(schedule) => Kind::Scheduled {
                    schedule: fill(
                        draft,
                        schedule,
                        names,
                        &["jobs", sized.key, "schedule"],
                        findings,
                    ),
                    timeout: seconds(job.timeout.as_ref(), "timeout", findings),
                    deadline: seconds(job.deadline.as_ref(), "deadline", findings),
                },
                None => Kind::Job {
                    timeout: seconds(job.timeout.as_ref(), "timeout", findings),
                },
            },
            (None, None) => Kind::Stateless,
        }
    }

    /// Lists what must be so before a service starts.
    fn start_after(
        &self,
        at: usize,
        sized: &Sized<'_>,
        needs: &[usize],
        findings: &mut Vec<Finding>,
    ) -> Vec<StartAfter> {
        let draft = &self.drafts[at];
        let mut after = BTreeSet::new();
        for position in needs {
            let binding = &self.bindings[*position];
            if !binding.waits {
                continue;
            }
            let provide = &self.drafts[binding.provider].blueprint.model.provides[&binding.provide];
            let others = std::iter::once((&provide.service, false))
                .chain(provide.after.iter().map(|job| (job, true)));
            for (key, completed) in others {
                after.extend(
                    self.position(binding.provider, key)
                        .map(|service| StartAfter {
                            service,
                            completed,
                            required: binding.required,
                        }),
                );
            }
        }
        for key in &sized.workload.after {
            match self.position(at, key) {
                Some(service) => {
                    let completed = self.sized[at]
                        .iter()
                        .any(|other| other.key == key && other.job.is_some());
                    after.insert(StartAfter {
                        service,
                        completed,
                        required: true,
                    });
                }
                // One that does not run here is nothing to wait for; one that does not exist is a mistake.
                None => self.unknown_service(draft, sized, "after", key, findings),
            }
        }
        for other in self.sized[at].iter().filter(|_| sized.service.is_some()) {
            let Some(job) = other.job else { continue };
            if job.before.iter().any(|name| name == sized.key) {
                after.extend(self.position(at, other.key).map(|service| StartAfter {
                    service,
                    completed: true,
                    required: true,
                }));
            }
        }
        if let Some(job) = sized.job {
            for key in &job.before {
                if self.position(at, key).is_none() {
                    self.unknown_service(draft, sized, "before", key, findings);
                }
            }
        }
        after.into_iter().collect()
    }

    fn unknown_service(
        &self,
        draft: &Draft<'_>,
        sized: &Sized<'_>,
        field: &str,
        key: &str,
        findings: &mut Vec<Finding>,
    ) {
        let model = &draft.blueprint.model;
        let known: Vec<&str> = model
            .services
            .keys()
            .chain(model.jobs.keys())
            .map(String::as_str)
            .collect();
        if !known.contains(&key) {
            findings.push(
                Finding::new(
                    &FAULTY_BLUEPRINT,
                    draft.blueprint.place([sized.table(), sized.key, field]),
                    format!("there is no service `{key}`"),
                )
                .maybe_help(suggest(key, known.iter().copied())),
            );
        }
    }

    /// Lists the connections that are declared.
    fn flows(&mut self, endpoints: &[Endpoint], edge: Option<&Edge>) -> Vec<Flow> {
        let mut flows = BTreeSet::new();
        let mut findings = Vec::new();
        for (at, all) in self.sized.iter().enumerate() {
            for (position, sized) in all.iter().enumerate() {
                let from = self.first[at] + position;
                for binding in self
                    .needs_of(at, sized, &mut Vec::new())
                    .into_iter()
                    .map(|at| &self.bindings[at])
                {
                    let provide =
                        &self.drafts[binding.provider].blueprint.model.provides[&binding.provide];
                    flows.extend(self.position(binding.provider, &provide.service).map(|to| {
                        Flow {
                            from,
                            to,
                            port: provide.port.clone(),
                            reason: FlowReason::Need(binding.need.clone()),
                        }
                    }));
                }
                for peer in &sized.workload.connects {
                    let (key, port) = peer.split_once('.').unwrap_or((peer, ""));
                    let spec = self.drafts[at].blueprint.model.services.get(key);
                    if spec.is_none_or(|service| !service.workload.ports.contains_key(port)) {
                        findings.push(
                            Finding::new(
                                &FAULTY_BLUEPRINT,
                                self.drafts[at].blueprint.place([
                                    sized.table(),
                                    sized.key,
                                    "connects",
                                ]),
                                format!("`{peer}` is no port of a service"),
                            )
                            .help("name a service and its port: \"coordinator.fabric\""),
                        );
                    }
                    flows.extend(self.position(at, key).map(|to| Flow {
                        from,
                        to,
                        port: port.to_owned(),
                        reason: FlowReason::Peer,
                    }));
                }
            }
        }
        if let Some(edge) = edge {
            flows.extend(endpoints.iter().map(|endpoint| Flow {
                from: edge.service,
                to: endpoint.service,
                port: endpoint.port.clone(),
                reason: FlowReason::Proxy,
            }));
        }
        self.resolver.findings.append(&mut findings);
        flows.into_iter().collect()
    }
}

/// Adds the ports on which the proxy passes other protocols than the web's on.
fn publish_streams(proxy: &mut Service, endpoints: &[Endpoint]) {
    for endpoint in endpoints {
        if let (None, Some(listen)) = (&endpoint.host, endpoint.listen) {
            proxy.ports.insert(
                format!("stream-{listen}"),
                Port {
                    number: listen,
                    protocol: Protocol::Tcp,
                    publish: Some(Publish::Host),
                    listen: Some(listen),
                    place: endpoint.place.clone(),
                },
            );
        }
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
