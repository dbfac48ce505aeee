//! Names in scope: what expressions and templates of a component may refer to.

use std::collections::BTreeMap;

use super::super::collect;
use super::super::component::{evaluate_in_order, expressions, uses};
use super::super::service::{inactive, names_of};
use super::super::tls;
use super::super::trace::Explained;
use super::super::wire::BINDING_CONFLICT;
use super::secrets::alphabet;
use super::*;
use crate::blueprint::FAULTY_BLUEPRINT;
use crate::blueprint::expression::Names;
use crate::diagnostic::{Finding, suggest};
use crate::platform::Secret;
use crate::platform::identity::{AUTHORITY_SECRET, BIND_SECRET};
use crate::terms::{SecretKind, Target, Token};
use crate::topology::layer::UNKNOWN_NAME;
use crate::value::Value;

impl<'f> Finish<'f, '_, '_> {
    pub(super) fn service_names(&self, at: usize, urls: &Urls) -> Value {
        // Members are named as where they run.
        let target = match self.drafts[at].guest {
            true => Target::Kubernetes,
            false => self.resolver.environment.target,
        };
        let model = &self.drafts[at].blueprint.model;
        let none = BTreeMap::new();
        let mut table: BTreeMap<String, Value> = model
            .workload_names()
            .map(|key| (key.to_owned(), inactive(&self.drafts[at], key)))
            .collect();
        for sized in self.sized[at].iter() {
            table.insert(
                sized.key.to_owned(),
                names_of(sized, target, urls.get(sized.key).unwrap_or(&none)),
            );
        }
        Value::Table(table)
    }

    /// Where people reach a component: the URL of the first page that it publishes, of its main service if that has
    /// one. Null for one without pages.
    fn public_url(&self, at: usize, service_names: &[Value]) -> Value {
        let url = |key: &str| {
            let Value::Table(services) = &service_names[at] else {
                return None;
            };
            let Some(Value::Table(service)) = services.get(key) else {
                return None;
            };
            service
                .get("url")
                .filter(|url| **url != Value::Null)
                .cloned()
        };
        let services = &self.drafts[at].blueprint.model.services;
        let main = services.iter().filter(|(_, service)| service.main);
        let mut all = main.chain(services).map(|(key, _)| key.as_str());
        all.find_map(url).unwrap_or(Value::Null)
    }

    /// Computes what every binding gives its consumer.
    pub(super) fn bind_values(&mut self, service_names: &[Value], edge: &Value) {
        for binding in self.bindings {
            let provider = &self.drafts[binding.provider];
            let provide = &provider.blueprint.model.provides[&binding.provide];
            let mut own = BTreeMap::from([
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
                        ("url", self.public_url(binding.consumer, service_names)),
                    ]),
                ),
            ]);
            if collect::is_collector(provider) {
                let monitoring = self.monitoring_names(binding.provider);
                own.insert("monitoring".to_owned(), Value::Table(monitoring));
            }
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
            let service = fill(
                provider,
                &provide.service,
                &names,
                &["provides", &binding.provide, "service"],
                &mut self.resolver.findings,
            );
            let sized = self.sized[binding.provider]
                .iter()
                .find(|sized| sized.key == service);
            let port_name = self.provided_port(binding.provider, &binding.provide);
            let port = sized.and_then(|sized| sized.ports.get(&port_name));
            // Where an operator runs the system, the blueprint says what its host is called.
            if !values.contains_key("host") {
                match (sized, port) {
                    (Some(sized), Some(port)) => {
                        values.insert("host".to_owned(), Value::from(sized.host()));
                        values.insert("port".to_owned(), Value::from(u64::from(port.number)));
                    }
                    _ => {
                        let place = provider.blueprint.place(["provides", &binding.provide]);
                        self.resolver.findings.push(Finding::new(
                            &FAULTY_BLUEPRINT,
                            place,
                            format!(
                                "`{}` names service `{}` and port `{port_name}`, which do not run on {}",
                                binding.provide,
                                service,
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
                .get(&service)
                .and_then(|service| service.workload.ports.get(&port_name))
            {
                values
                    .entry("protocol".to_owned())
                    .or_insert_with(|| Value::from(spec.protocol.word()));
            }
            let tls = port.is_some_and(|port| port.tls);
            values.entry("tls".to_owned()).or_insert(Value::Bool(tls));
            let authority = tls::authority(&self.resolver.environment.tls);
            values.insert(
                "authority".to_owned(),
                Value::from(authority.filter(|_| tls)),
            );
            self.values.push(values);
            self.serving.push(service);
        }
        self.check_unique();
    }

    pub(super) fn check_unique(&mut self) {
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

    /// Returns what all see as `monitoring`, and what a component that gathers logs sees besides.
    pub(super) fn monitoring_names(&self, at: usize) -> BTreeMap<String, Value> {
        let mut names = match self.drafts[at].base.get("monitoring") {
            Some(Value::Table(names)) => names.clone(),
            _ => BTreeMap::new(),
        };
        if collect::provides(&self.drafts[at], logs::CAPABILITY) {
            names.extend(self.log_names());
        }
        names
    }

    pub(super) fn secret_path(name: &str) -> String {
        format!("{SECRETS}/{name}")
    }

    pub(super) fn needs_names(&mut self, at: usize) -> Value {
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
            values.insert("groups".to_owned(), Value::from(self.admitted(provider)));
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

    pub(super) fn provides_names(&self, at: usize) -> Value {
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

    pub(super) fn secret_names(&self, at: usize) -> Value {
        let draft = &self.drafts[at];
        Value::table(draft.blueprint.model.secrets.keys().map(|key| {
            (
                key.clone(),
                Value::from(Self::secret_path(&own_secret(&draft.name, key))),
            )
        }))
    }

    /// Names the component's own secrets as the target's store knows them, and those of the directory.
    pub(super) fn secret_objects(&self, at: usize) -> Value {
        let draft = &self.drafts[at];
        let own = draft.blueprint.model.secrets.keys();
        let own = own.map(|key| (key.clone(), own_secret(&draft.name, key)));
        // What an operator's pods need to ask the directory.
        let directory = [BIND_SECRET, AUTHORITY_SECRET];
        let directory = directory.map(|name| (name.replace('-', "_"), name.to_owned()));
        Value::table(own.chain(directory).map(|(key, name)| {
            let version = self.secret_version(&name);
            (key, Value::from(crate::platform::versioned(&name, version)))
        }))
    }

    pub(super) fn vars(&mut self, at: usize, scope: &mut Scope<'_>) {
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

    pub(super) fn own_secrets(
        &mut self,
        at: usize,
        scope: &Scope<'_>,
        secrets: &mut BTreeMap<String, Secret>,
    ) {
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
                        alphabet: alphabet(
                            draft,
                            &["secrets", key],
                            (secret.kind, secret.alphabet.as_deref()),
                            &mut findings,
                        ),
                        prefix: secret.prefix.clone(),
                        rotation: self.rotation(
                            draft,
                            &["secrets", key],
                            secret.rotation.as_ref(),
                            &mut findings,
                        ),
                        token: signed(draft, key, secret, &mut findings),
                        user: secret.user.as_ref().map(|user| {
                            fill(
                                draft,
                                user,
                                &names,
                                &["secrets", key, "user"],
                                &mut findings,
                            )
                        }),
                        version: self.secret_version(&own_secret(&draft.name, key)),
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

    pub(super) fn secret_version(&self, name: &str) -> u32 {
        self.resolver
            .layered
            .secret_versions
            .get(name)
            .map_or(1, |version| version.value)
    }

    pub(super) fn binding_secrets(&mut self, secrets: &mut BTreeMap<String, Secret>) {
        let mut findings = Vec::new();
        for (at, binding) in self.bindings.iter().enumerate() {
            let provide = &self.drafts[binding.provider].blueprint.model.provides[&binding.provide];
            if let (Some(name), Some(spec)) = (&binding.secret, &provide.secret) {
                secrets.insert(
                    name.clone(),
                    Secret {
                        name: name.clone(),
                        kind: spec.kind,
                        length: spec.length.unwrap_or(SECRET_LENGTH),
                        alphabet: alphabet(
                            &self.drafts[binding.provider],
                            &["provides", &binding.provide, "secret"],
                            (spec.kind, spec.alphabet.as_deref()),
                            &mut findings,
                        ),
                        prefix: spec.prefix.clone(),
                        rotation: self.rotation(
                            &self.drafts[binding.provider],
                            &["provides", &binding.provide, "secret"],
                            spec.rotation.as_ref(),
                            &mut findings,
                        ),
                        token: None,
                        user: spec.user.as_ref().map(|user| {
                            let provider = &self.drafts[binding.provider];
                            let own = BTreeMap::from([(
                                "values".to_owned(),
                                Value::Table(self.values[at].clone()),
                            )]);
                            let base = Names::new(&provider.base);
                            let keys = ["provides", &binding.provide, "secret", "user"];
                            fill(provider, user, &base.with(&own), &keys, &mut findings)
                        }),
                        version: self.secret_version(name),
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
        self.resolver.findings.append(&mut findings);
    }

    /// Reports versions of secrets that do not exist.
    pub(super) fn check_secret_versions(&mut self, secrets: &BTreeMap<String, Secret>) {
        for (name, version) in &self.resolver.layered.secret_versions {
            if !secrets.contains_key(name) {
                self.resolver.findings.push(
                    Finding::new(
                        &UNKNOWN_NAME,
                        version.place.clone(),
                        format!("there is no secret `{name}`"),
                    )
                    .help("no service of this environment reads any secret: take this out")
                    .maybe_help(suggest(name, secrets.keys().map(String::as_str))),
                );
            }
        }
    }
}

/// Returns what a token of a component says, with the name that its key has in the platform.
fn signed(
    draft: &Draft<'_>,
    key: &str,
    secret: &crate::blueprint::model::Secret,
    findings: &mut Vec<Finding>,
) -> Option<Token> {
    let known = &draft.blueprint.model.secrets;
    let message = match (secret.kind, &secret.token) {
        (SecretKind::Jwt, Some(token)) => match known.get(&token.key) {
            Some(other) if other.kind != SecretKind::Jwt => {
                return Some(Token {
                    key: own_secret(&draft.name, &token.key),
                    claims: token.claims.clone(),
                });
            }
            Some(_) => format!("`{}` is a token itself, and signs none", token.key),
            None => format!("there is no secret `{}`", token.key),
        },
        (SecretKind::Jwt, None) => {
            "a token says in `token` what it is signed with, and what it says".to_owned()
        }
        (_, Some(_)) => "only a secret of the kind `jwt` has a `token`".to_owned(),
        (_, None) => return None,
    };
    let place = draft.blueprint.place(["secrets", key]);
    findings.push(Finding::new(&FAULTY_BLUEPRINT, place, message));
    None
}
