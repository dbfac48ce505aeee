//! Wiring: which component provides what another needs.
//!
//! By default when there is one provider, by name when there are several; helpers such as a cache or a proxy are added
//! when nothing provides what they do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::component::Draft;
use super::{CLUSTER, EDGE, Resolver};
use crate::blueprint::FAULTY_BLUEPRINT;
use crate::blueprint::expression::{Names, Text};
use crate::blueprint::model::{Need, NeedStart};
use crate::diagnostic::{Finding, Rule, Severity, suggest};
use crate::source::Place;
use crate::topology::layer::UNKNOWN_NAME;
use crate::value::Value;

/// Nothing provides what a component needs.
pub static MISSING_PROVIDER: Rule = Rule {
    code: "missing-provider",
    severity: Severity::Error,
    summary: "nothing provides what a component needs",
    why: "A component names capabilities, such as a database or a bucket, rather than other components. Without a \
          provider there is no host, no user and no secret to connect with.",
    fix: "Add a component that provides the capability; the help names the blueprints that do.",
    allowable: false,
};

/// Several components provide what one needs.
pub static AMBIGUOUS_PROVIDER: Rule = Rule {
    code: "ambiguous-provider",
    severity: Severity::Error,
    summary: "several components provide what one needs",
    why: "With one provider the wiring is clear; with several a guess could put data into the wrong database.",
    fix: "Name the provider in the component that needs it: `needs = { metadata = \"postgresql\" }`.",
    allowable: false,
};

/// A component always starts, but what it needs does not.
pub static PROVIDER_IN_PROFILE: Rule = Rule {
    code: "provider-in-profile",
    severity: Severity::Error,
    summary: "a component starts without its provider",
    why: "A profile starts only when it is asked for. A component that starts without it could never become ready.",
    fix: "Put the component into the same profile, or take its provider out of it.",
    allowable: false,
};

/// Two consumers would get the same thing.
pub static BINDING_CONFLICT: Rule = Rule {
    code: "binding-conflict",
    severity: Severity::Error,
    summary: "two components would share what must be their own",
    why: "Each consumer has a user, a database or a key of its own, so that access can be told apart and taken back.",
    fix: "Give one of the components another name for it, in its options.",
    allowable: false,
};

/// A need, bound.
#[derive(Clone, Debug)]
pub(super) struct Binding {
    /// Position of the consumer's draft.
    pub(super) consumer: usize,
    /// Name of the need.
    pub(super) need: String,
    /// Position of the provider's draft.
    pub(super) provider: usize,
    /// Name of the provide.
    pub(super) provide: String,
    /// What the consumer asks for.
    pub(super) params: Value,
    /// Whether the consumer waits for the provider.
    pub(super) waits: bool,
    /// Whether the provider always runs when the consumer does.
    pub(super) required: bool,
    /// Name of the secret made for it.
    pub(super) secret: Option<String>,
}

impl Binding {
    /// Its name: consumer and need.
    pub(super) fn name(&self, drafts: &[Draft<'_>]) -> String {
        format!(
            "{}-{}",
            drafts[self.consumer].name,
            self.need.replace('_', "-")
        )
    }
}

impl<'a> Resolver<'a, '_> {
    /// Binds the needs of all components, adding helpers on the way.
    pub(super) fn wire(&mut self) -> Vec<Binding> {
        let mut bindings = Vec::new();
        self.wire_from(0, &mut bindings);
        self.profiles_of_helpers(&bindings);
        self.check_clusters();
        bindings
    }

    /// Binds the needs of the component at a position and of all after it.
    pub(super) fn wire_from(&mut self, first: usize, bindings: &mut Vec<Binding>) {
        let mut providers = self.index();
        let mut at = first;
        // Helpers that are added have needs of their own: the list grows while it is walked.
        while at < self.drafts.len() {
            self.check_choices(at);
            if self.drafts[at].unsupported.is_none() {
                let blueprint = Arc::clone(&self.drafts[at].blueprint);
                for (name, need) in &blueprint.model.needs {
                    if let Some(binding) = self.bind(at, name, need, &mut providers) {
                        bindings.push(binding);
                    }
                }
                if self.drafts[at].guest {
                    let cluster = self.provider(at, CLUSTER, CLUSTER, false, &mut providers);
                    self.drafts[at].inside = cluster.map(|(provider, _)| provider);
                }
            }
            at += 1;
        }
    }

    /// Starts helpers that serve nothing but one profile with that profile.
    fn profiles_of_helpers(&mut self, bindings: &[Binding]) {
        // Those that were added last first: they were added for helpers that were added before.
        for helper in (0..self.drafts.len()).rev() {
            if self.drafts[helper].added_for.is_none() {
                continue;
            }
            let consumers = bindings
                .iter()
                .filter(|binding| binding.provider == helper)
                .map(|binding| binding.consumer);
            let guests =
                (0..self.drafts.len()).filter(|at| self.drafts[*at].inside == Some(helper));
            let mut profiles: BTreeSet<Option<String>> = consumers
                .chain(guests)
                .map(|at| self.drafts[at].profile.clone())
                .collect();
            if let (Some(only), true) = (profiles.pop_first(), profiles.is_empty()) {
                self.drafts[helper].profile = only;
            }
        }
    }

    /// Reports components whose cluster starts only with a profile that they are not in.
    fn check_clusters(&mut self) {
        for at in 0..self.drafts.len() {
            let draft = &self.drafts[at];
            let Some(cluster) = draft
                .inside
                .filter(|cluster| !self.starts_with(at, *cluster))
            else {
                continue;
            };
            let cluster = &self.drafts[cluster];
            let profile = cluster.profile.clone().unwrap_or_default();
            self.findings.push(
                Finding::new(
                    &PROVIDER_IN_PROFILE,
                    self.profile_place(&cluster.name),
                    format!(
                        "`{}` runs in `{}`, which starts only with the profile `{profile}`",
                        draft.name, cluster.name
                    ),
                )
                .related(draft.place.clone(), "starts without it")
                .component(cluster.name.clone()),
            );
        }
    }

    /// Reports chosen providers of needs that a component does not have.
    fn check_choices(&mut self, at: usize) {
        let draft = &self.drafts[at];
        let known: Vec<&str> = draft
            .blueprint
            .model
            .needs
            .keys()
            .map(String::as_str)
            .chain([EDGE])
            .chain(draft.guest.then_some(CLUSTER))
            .collect();
        for (need, choice) in draft.layered.iter().flat_map(|layered| &layered.needs) {
            if !known.contains(&need.as_str()) {
                self.findings.push(
                    Finding::new(
                        &UNKNOWN_NAME,
                        choice.place.clone(),
                        format!("`{}` has no need `{need}`", draft.name),
                    )
                    .maybe_help(suggest(need, known.iter().copied()))
                    .component(draft.name.clone()),
                );
            }
        }
    }

    /// Lists the supported components' provides by capability.
    pub(super) fn index(&mut self) -> BTreeMap<String, Vec<(usize, String)>> {
        let mut providers = BTreeMap::new();
        for at in 0..self.drafts.len() {
            self.index_one(at, &mut providers);
        }
        providers
    }

    fn index_one(&mut self, at: usize, providers: &mut BTreeMap<String, Vec<(usize, String)>>) {
        let draft = &self.drafts[at];
        if draft.unsupported.is_some() {
            return;
        }
        for (name, provide) in &draft.blueprint.model.provides {
            providers
                .entry(provide.capability.clone())
                .or_default()
                .push((at, name.clone()));
        }
    }

    /// Finds the provider of a capability for a component, adding a helper if there is one for it.
    pub(super) fn provider(
        &mut self,
        at: usize,
        name: &str,
        capability: &str,
        optional: bool,
        providers: &mut BTreeMap<String, Vec<(usize, String)>>,
    ) -> Option<(usize, String)> {
        let consumer = self.drafts[at].name.clone();
        let choice = self.drafts[at]
            .layered
            .and_then(|layered| layered.needs.get(name));
        let others = || {
            let all = providers.get(capability).into_iter().flatten();
            all.filter(|(provider, _)| *provider != at)
        };
        let need_place = match choice {
            Some(choice) => choice.place.clone(),
            None => self.drafts[at].place.clone(),
        };
        match choice.map(|choice| choice.value.as_deref()) {
            Some(None) if optional => return None,
            Some(None) => {
                self.findings.push(
                    Finding::new(
                        &MISSING_PROVIDER,
                        need_place,
                        format!("`{consumer}` cannot do without `{name}`"),
                    )
                    .component(consumer)
                    .cause(format!("it needs `{capability}`, and that is not optional")),
                );
                return None;
            }
            Some(Some(chosen)) => {
                let found = self.provide_of(chosen, at, capability);
                if found.is_none() {
                    let able: Vec<&str> = others()
                        .map(|(at, _)| self.drafts[*at].name.as_str())
                        .collect();
                    let known = self.drafts.iter().any(|draft| draft.name == chosen);
                    let message = if known {
                        format!(
                            "`{chosen}` does not provide `{capability}`, which `{consumer}` needs as `{name}`"
                        )
                    } else {
                        format!(
                            "there is no component `{chosen}` that `{consumer}` could get `{name}` from"
                        )
                    };
                    let help = if able.is_empty() {
                        format!("no component here provides `{capability}`")
                    } else {
                        suggest(chosen, able).unwrap_or_default()
                    };
                    let finding = Finding::new(&UNKNOWN_NAME, need_place, message)
                        .help(help)
                        .component(consumer.clone());
                    self.findings.push(finding);
                }
                return found;
            }
            None => {}
        }
        // More than two are of interest only where they are an error.
        let first = others().next().cloned();
        match (first, others().nth(1).is_some()) {
            (Some(one), false) => Some(one),
            (None, _) if optional => None,
            (None, _) => {
                if let Some(added) = self.add_helper(at, capability, &need_place) {
                    self.index_one(added, providers);
                    return providers
                        .get(capability)
                        .into_iter()
                        .flatten()
                        .find(|(provider, _)| *provider == added)
                        .cloned();
                }
                self.report_missing(at, name, capability, need_place);
                None
            }
            (Some((first, _)), true) => {
                let several: Vec<usize> = others().map(|(provider, _)| *provider).collect();
                let names: Vec<String> = several
                    .iter()
                    .map(|provider| format!("`{}`", self.drafts[*provider].name))
                    .collect();
                let first = &self.drafts[first].name;
                let mut finding = Finding::new(
                    &AMBIGUOUS_PROVIDER,
                    need_place,
                    format!(
                        "`{consumer}` needs `{capability}`, which {} provide",
                        names.join(" and ")
                    ),
                )
                .help(format!("choose one: needs = {{ {name} = \"{first}\" }}"))
                .component(consumer);
                for provider in several {
                    finding = finding.related(self.drafts[provider].place.clone(), "provides it");
                }
                self.findings.push(finding);
                None
            }
        }
    }

    /// Returns what a component chosen by its name provides of a capability.
    fn provide_of(
        &self,
        chosen: &str,
        consumer: usize,
        capability: &str,
    ) -> Option<(usize, String)> {
        let at = *self.by_name.get(chosen)?;
        let draft = &self.drafts[at];
        let able = at != consumer && draft.unsupported.is_none();
        let mut provides = draft.blueprint.model.provides.iter();
        let (name, _) = provides.find(|(_, provide)| able && provide.capability == capability)?;
        Some((at, name.clone()))
    }

    fn report_missing(&mut self, at: usize, name: &str, capability: &str, place: Place) {
        let consumer = self.drafts[at].name.clone();
        let able = self.blueprints_for(capability);
        // A provider that is there but cannot run here is the likelier cause.
        let disabled = self.drafts.iter().find(|draft| {
            draft.unsupported.is_some()
                && draft
                    .blueprint
                    .model
                    .provides
                    .values()
                    .any(|provide| provide.capability == capability)
        });
        let cause = match disabled {
            Some(draft) => format!(
                "`{}` provides it, but cannot run on {}: {}",
                draft.name,
                self.layered.target.value,
                draft
                    .unsupported
                    .as_ref()
                    .map(|why| why.reason.as_str())
                    .unwrap_or_default()
            ),
            None => format!("`{}` needs it as `{name}`", self.drafts[at].blueprint.name),
        };
        let help = match able.as_slice() {
            [] => "no blueprint provides it; a blueprint of your own can".to_owned(),
            [one] => format!("add a component: [components.{one}]"),
            several => format!("add one of these components: {}", several.join(", ")),
        };
        self.findings.push(
            Finding::new(
                &MISSING_PROVIDER,
                place,
                format!("nothing provides `{capability}`, which `{consumer}` needs"),
            )
            .cause(cause)
            .help(help)
            .component(consumer),
        );
    }

    fn bind(
        &mut self,
        at: usize,
        name: &str,
        need: &Need,
        providers: &mut BTreeMap<String, Vec<(usize, String)>>,
    ) -> Option<Binding> {
        let (provider, provide) = {
            let draft = &self.drafts[at];
            let names = Names::new(&draft.base);
            let mut findings = Vec::new();
            let place = || draft.blueprint.place(["needs", name, "when"]);
            let wanted = draft.holds(need.when.as_ref(), &names, place, &mut findings);
            self.findings.append(&mut findings);
            if !wanted {
                return None;
            }
            self.provider(at, name, &need.capability, need.optional, providers)?
        };
        let consumer = &self.drafts[at];
        let place = consumer.blueprint.place(["needs", name, "params"]);
        let params = match fill_value(
            &Value::Table(need.params.clone()),
            &Names::new(&consumer.base),
        ) {
            Ok(params) => params,
            Err(error) => {
                self.findings.push(Finding::new(
                    &FAULTY_BLUEPRINT,
                    place,
                    format!("cannot fill in `{name}`: {error}"),
                ));
                return None;
            }
        };
        let model = &self.drafts[provider].blueprint.model.provides[&provide];
        for key in need.params.keys().filter(|key| !model.params.contains(key)) {
            self.findings.push(
                Finding::new(
                    &FAULTY_BLUEPRINT,
                    consumer.blueprint.place(["needs", name, "params", key]),
                    format!(
                        "`{}` takes no `{key}` for `{}`",
                        self.drafts[provider].name, need.capability
                    ),
                )
                .maybe_help(suggest(key, model.params.iter().map(String::as_str))),
            );
        }
        let required = self.starts_with(at, provider);
        if !required && !need.optional && need.start == NeedStart::Healthy {
            let provider = &self.drafts[provider];
            let profile = provider.profile.clone().unwrap_or_default();
            self.findings.push(
                Finding::new(
                    &PROVIDER_IN_PROFILE,
                    self.profile_place(&provider.name),
                    format!(
                        "`{}` needs `{}`, which starts only with the profile `{profile}`",
                        consumer.name, provider.name
                    ),
                )
                .related(consumer.place.clone(), "starts without it")
                .component(provider.name.clone()),
            );
        }
        let secret = model.secret.as_ref().map(|_| {
            format!(
                "{}-{}-{}",
                self.drafts[provider].name,
                consumer.name,
                name.replace('_', "-")
            )
        });
        Some(Binding {
            consumer: at,
            need: name.to_owned(),
            provider,
            provide,
            params,
            waits: need.start == NeedStart::Healthy,
            required,
            secret,
        })
    }

    /// Says whether the provider runs whenever the consumer does.
    pub(super) fn starts_with(&self, consumer: usize, provider: usize) -> bool {
        let provider = &self.drafts[provider].profile;
        provider.is_none() || *provider == self.drafts[consumer].profile
    }

    /// Finds the components that profiles stop, and reports those that something which keeps running needs.
    pub(super) fn stops(&mut self, bindings: &[Binding]) {
        for (at, profile) in self.layered.profiles.iter().enumerate() {
            let mut stopped: BTreeMap<usize, &Place> = BTreeMap::new();
            for name in &profile.stop {
                match self.by_name.get(&name.value) {
                    Some(component) => {
                        stopped.insert(*component, &name.place);
                    }
                    None => {
                        let known = self.drafts.iter().map(|draft| draft.name.as_str());
                        self.findings.push(
                            Finding::new(
                                &UNKNOWN_NAME,
                                name.place.clone(),
                                format!("there is no component `{}`", name.value),
                            )
                            .maybe_help(suggest(&name.value, known)),
                        );
                    }
                }
            }
            for binding in bindings {
                let consumer = &self.drafts[binding.consumer];
                let need = &consumer.blueprint.model.needs[&binding.need];
                let runs = !stopped.contains_key(&binding.consumer)
                    && consumer
                        .profile
                        .as_ref()
                        .is_none_or(|own| *own == profile.name);
                let Some(place) = stopped.get(&binding.provider).filter(|_| runs) else {
                    continue;
                };
                if !need.optional && need.start == NeedStart::Healthy {
                    self.findings.push(
                        Finding::new(
                            &PROVIDER_IN_PROFILE,
                            (*place).clone(),
                            format!(
                                "`{}` is stopped for the profile `{}`, and `{}`, which needs it, is not",
                                self.drafts[binding.provider].name, profile.name, consumer.name
                            ),
                        )
                        .related(consumer.place.clone(), "needs it")
                        .component(consumer.name.clone()),
                    );
                }
            }
            if let Some(profile) = self.environment.profiles.get_mut(at) {
                profile.stops = stopped.into_keys().collect();
            }
        }
    }

    /// Returns the place that put a component into its profile.
    fn profile_place(&self, name: &str) -> Place {
        self.layered
            .profiles
            .iter()
            .flat_map(|profile| &profile.start)
            .find(|member| member.value == name)
            .map(|member| member.place.clone())
            .or_else(|| {
                Some(
                    self.layered
                        .components
                        .get(name)?
                        .profile
                        .as_ref()?
                        .place
                        .clone(),
                )
            })
            .unwrap_or_else(|| self.layered.place.clone())
    }
}

/// Says whether nothing is left of what was written. What was written empty means something; what became empty does not.
fn is_gone(filled: &Value, written: &Value) -> bool {
    let emptied = match (filled, written) {
        (Value::List(now), Value::List(before)) => now.is_empty() && !before.is_empty(),
        _ => filled.is_empty_table() && !written.is_empty_table(),
    };
    *filled == Value::Null || emptied
}

/// Fills in every text of a value. What comes out as nothing is left out of tables and lists.
pub(super) fn fill_value(value: &Value, names: &Names<'_>) -> Result<Value, String> {
    Ok(match value {
        Value::Text(text) if text.contains("${") => Text::parse(text)
            .and_then(|text| text.fill(names))
            .map_err(|error| format!("`{text}`: {error}"))?,
        Value::List(items) => {
            let mut filled = Vec::new();
            for written in items {
                let item = fill_value(written, names)?;
                if !is_gone(&item, written) {
                    filled.push(item);
                }
            }
            Value::List(filled)
        }
        Value::Table(table) => {
            let mut filled = BTreeMap::new();
            for (key, written) in table {
                let item = fill_value(written, names)?;
                if !is_gone(&item, written) {
                    filled.insert(key.clone(), item);
                }
            }
            Value::Table(filled)
        }
        other => other.clone(),
    })
}
