//! Workloads: services and jobs with everything their containers get.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::super::collect;
use super::super::component::{Draft, evaluate_in_order, expressions, uses};
use super::super::service::Sized;
use super::super::trace::Explained;
use super::*;
use crate::blueprint::FAULTY_BLUEPRINT;
use crate::blueprint::expression::Names;
use crate::blueprint::model::{
    self, EgressSpec, EgressTable, EnvSpec, Expr, Filled, MountSpec, UpdateOrder,
};
use crate::diagnostic::{Finding, suggest};
use crate::platform::{
    AUTHORITY, ApiRule, Ask, CertificateUse, ClusterApi, Egress, EnvValue, Image, Jvm, Kind, Mount,
    PUBLIC, Port, Probe, Reload, Service, StartAfter, Volume,
};
use crate::terms::ProbeTool;
use crate::units::{Bytes, Seconds};
use crate::value::Value;

/// What a probe asks, as written.
struct Asked<'b> {
    http: Option<&'b Filled>,
    port: Option<&'b String>,
    tcp: Option<&'b String>,
    exec: Option<&'b [Filled]>,
    with: Option<ProbeTool>,
}

impl<'f> Finish<'f, '_, '_> {
    pub(super) fn service(
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
                None if blueprint.model.volumes.contains_key(name) => {}
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
                    .filter(|text| !matches!(text.parsed.fill(&names), Ok(Value::Null)))
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
        let egress = self.egress(draft, sized, &names, &mut findings);
        // A cluster inside a service has no authority that would issue any.
        let certificate = workload.certificate.as_ref().filter(|_| !draft.guest);
        let certificate = certificate.filter(|spec| {
            let place = || place(&["certificate", "when"]);
            draft.holds(spec.when.as_ref(), &names, place, &mut findings)
        });
        if certificate.is_some_and(|spec| !spec.public)
            && [AUTHORITY, PUBLIC].contains(&sized.name.as_str())
        {
            findings.push(
                Finding::new(
                    &DUPLICATE_NAME,
                    draft.place.clone(),
                    format!(
                        "the certificate of `{}` would be called like another one of the platform",
                        sized.name
                    ),
                )
                .help("rename the component"),
            );
        }
        if let Some(spec) = certificate
            && !is_container_path(&spec.path)
        {
            findings.push(
                Finding::new(
                    &FAULTY_BLUEPRINT,
                    place(&["certificate", "path"]),
                    format!("`{}` is not an absolute path without `..`", spec.path),
                )
                .help("a certificate lies in a folder that is named by its full path"),
            );
        }
        for name in certificate.iter().flat_map(|spec| &spec.names) {
            if !draft.blueprint.model.services.contains_key(name) {
                let fault = format!("`{name}` is no service");
                findings.push(Finding::new(
                    &FAULTY_BLUEPRINT,
                    place(&["certificate", "names"]),
                    fault,
                ));
            }
        }
        let host_mounts = self.host_mounts(draft, sized, &names, &mut findings);
        let quorum = sized.service.and_then(|service| service.quorum.as_ref());
        let quorum = quorum.map_or(1, |quorum| {
            let place = place(&["quorum"]);
            quantity(Some(&quorum.written), &names, place, &mut findings).unwrap_or(1)
        });
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
            profile: collect::profile_of(self.drafts, at, workload),
            backup: workload.backup,
            replicas: sized.replicas.clone(),
            members: sized.managed.is_none() && sized.members,
            managed: sized.managed.clone(),
            quorum,
            single: sized.service.and_then(|service| service.single.clone()),
            scale: sized
                .service
                .and_then(|service| service.scale.as_ref())
                .map(|scale| (scale.metric, scale.target)),
            image,
            entrypoint,
            command,
            working_dir: workload.working_dir.clone(),
            env,
            files,
            mounts,
            secrets,
            ports: self.ports(sized),
            scrapes: self.watched.scrapes[self.first[at] + position].clone(),
            per_host: sized.service.is_some_and(|service| service.per_host),
            host_mounts,
            egress,
            hosts: self.hosted(at, sized),
            inside: None,
            cluster_api: workload.cluster_api.as_ref().map(|spec| ClusterApi {
                why: spec.why.clone(),
                rules: spec
                    .rules
                    .iter()
                    .map(|rule| ApiRule {
                        groups: rule.groups.clone(),
                        resources: rule.resources.clone(),
                        names: rule
                            .names
                            .iter()
                            .map(|name| {
                                fill(
                                    draft,
                                    name,
                                    &names,
                                    &[table, key, "cluster_api"],
                                    &mut findings,
                                )
                            })
                            .collect(),
                        verbs: rule.verbs.clone(),
                    })
                    .collect(),
            }),
            certificate: certificate.map(|spec| CertificateUse {
                name: if spec.public { PUBLIC } else { &sized.name }.to_owned(),
                path: spec.path.clone(),
                keystore: spec.keystore && !spec.public,
                reload: match spec.reload.as_deref() {
                    None => Reload::Restart,
                    Some("self") => Reload::Itself,
                    Some(signal) => Reload::Signal(signal.to_owned()),
                },
            }),
            trusts: self.trusting.contains(&(self.first[at] + position)),
            start_after,
            probe,
            resources: sized.resources.clone(),
            jvm,
            user: run_as.user.map(|user| (user, run_as.group.unwrap_or(user))),
            root: run_as.root.clone(),
            privileged: run_as.privileged.clone(),
            read_only: run_as.read_only,
            writable_root: run_as.writable_root.clone(),
            writable: run_as.writable.clone(),
            capabilities: run_as.capabilities.clone(),
            stop_grace: seconds(&workload.stop.grace).unwrap_or(GRACE),
            stop_signal: workload.stop.signal.clone(),
            shm: workload.shm.as_deref().and_then(Bytes::parse),
            ulimits: workload.ulimits.clone(),
            host_settings,
            update_together: sized
                .service
                .is_some_and(|service| service.update == UpdateOrder::Together),
            host_labels: sized
                .settings
                .into_iter()
                .flat_map(|settings| &settings.host_labels)
                .map(|(name, label)| (name.clone(), (label.value.clone(), label.place.clone())))
                .collect(),
            placement: Vec::new(),
        };
        self.resolver.findings.append(&mut findings);
        service
    }

    /// Returns the ports of a service, with what people are told of those that cannot be encrypted.
    fn ports(&self, sized: &Sized<'_>) -> BTreeMap<String, Port> {
        let locale = self.resolver.environment.locale;
        let mut ports = sized.ports.clone();
        for (name, port) in &mut ports {
            let why = sized.workload.ports[name].clear.as_ref();
            port.clear = why
                .filter(|_| !port.tls)
                .map(|why| why.get(locale).to_owned());
        }
        ports
    }

    fn egress(
        &self,
        draft: &Draft<'_>,
        sized: &Sized<'_>,
        names: &Names<'_>,
        findings: &mut Vec<Finding>,
    ) -> Option<Egress> {
        let keys = [sized.table(), sized.key, "egress"];
        let place = || draft.blueprint.place(keys);
        let EgressTable { why, when, hosts } = match sized.workload.egress.as_ref()? {
            EgressSpec::Always(why) => {
                return Some(Egress {
                    why: why.clone(),
                    hosts: Vec::new(),
                });
            }
            EgressSpec::Table(table) => table,
        };
        if !draft.holds(when.as_ref(), names, place, findings) {
            return None;
        }
        let mut known = Vec::new();
        let mut written = Vec::new();
        for host in hosts {
            match host.parsed.fill(names) {
                Ok(Value::List(all)) => {
                    written.extend(all.iter().filter_map(Value::as_text).map(str::to_owned));
                }
                _ => written.push(fill(draft, host, names, &keys, findings)),
            }
        }
        for text in written {
            let parsed = text
                .rsplit_once(':')
                .and_then(|(host, port)| Some((host.to_owned(), port.parse::<u16>().ok()?)));
            match parsed.filter(|(host, port)| *port > 0 && crate::names::is_domain(host)) {
                Some(parsed) => known.push(parsed),
                None => findings.push(
                    Finding::new(
                        &FAULTY_BLUEPRINT,
                        place(),
                        format!("`{text}` is no host with a port"),
                    )
                    .help("name both: \"connectors.example.com:443\""),
                ),
            }
        }
        Some(Egress {
            why: why.clone(),
            hosts: known,
        })
    }

    pub(super) fn jvm(
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

    pub(super) fn service_vars(
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
    pub(super) fn needs_of(
        &self,
        at: usize,
        sized: &Sized<'_>,
        findings: &mut Vec<Finding>,
    ) -> Vec<usize> {
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

    pub(super) fn secrets_of(
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
        // What scrapes has to show what it is asked for.
        if self.watched.collectors.metrics == self.position(at, sized.key) {
            let scrapes = self.watched.scrapes.iter().flatten();
            let auths = scrapes.filter_map(|scrape| scrape.auth.as_ref());
            secrets.extend(auths.map(|auth| auth.secret().to_owned()));
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
        secrets.extend(self.alerting_secrets(at, sized));
        secrets.extend(self.backup_secrets(sized));
        secrets.extend(self.identity_secrets(draft, sized));
        secrets.into_iter().collect()
    }

    pub(super) fn env(
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
                        (None, None, None) if table.zone => self.zone(),
                        (None, None, None) if table.made.is_some() => {
                            let Some(made) = &table.made else { continue };
                            EnvValue::Made {
                                secret: fill(draft, &made.name, names, &keys, findings),
                                key: made.key.clone(),
                            }
                        }
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
                                .help(
                                    "give one of `value`, `secret`, `secret_of`, `made` and `zone`",
                                ),
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

    /// The zone that a replica runs in: the cluster says, or it is where the only host stands.
    fn zone(&self) -> EnvValue {
        let environment = &self.resolver.environment;
        if environment.cluster.is_some() {
            return EnvValue::Zone;
        }
        let zone = match environment.hosts.as_slice() {
            [one] => one.zone.clone(),
            _ => None,
        };
        EnvValue::Text(zone.unwrap_or_default())
    }

    pub(super) fn probe(
        &self,
        draft: &Draft<'_>,
        sized: &Sized<'_>,
        names: &Names<'_>,
        findings: &mut Vec<Finding>,
    ) -> Option<Probe> {
        let spec = sized.workload.probe.as_ref()?;
        let asked = Asked {
            http: spec.http.as_ref(),
            port: spec.port.as_ref(),
            tcp: spec.tcp.as_ref(),
            exec: spec.exec.as_deref(),
            with: spec.with,
        };
        let ask = self.ask(draft, sized, &asked, names, findings)?;
        let live = match &spec.live {
            None => ask.clone(),
            Some(live) => {
                let asked = Asked {
                    http: live.http.as_ref(),
                    port: live.port.as_ref(),
                    tcp: live.tcp.as_ref(),
                    exec: live.exec.as_deref(),
                    with: spec.with,
                };
                self.ask(draft, sized, &asked, names, findings)?
            }
        };
        let seconds = |text: &Option<String>| text.as_deref().and_then(Seconds::parse);
        Some(Probe {
            ask,
            live,
            startup: seconds(&spec.startup).unwrap_or(STARTUP),
            interval: seconds(&spec.interval).unwrap_or(INTERVAL),
            timeout: seconds(&spec.timeout).unwrap_or(TIMEOUT),
            retries: spec.retries.unwrap_or(RETRIES),
        })
    }

    fn ask(
        &self,
        draft: &Draft<'_>,
        sized: &Sized<'_>,
        asked: &Asked<'_>,
        names: &Names<'_>,
        findings: &mut Vec<Finding>,
    ) -> Option<Ask> {
        let keys = [sized.table(), sized.key, "probe"];
        let place = || draft.blueprint.place(keys);
        let port = |name: Option<&String>, findings: &mut Vec<Finding>| {
            let found = name.and_then(|name| sized.ports.get(name));
            if found.is_none() {
                findings.push(
                    Finding::new(
                        &FAULTY_BLUEPRINT,
                        place(),
                        "the probe names no port of its service",
                    )
                    .maybe_help(
                        name.and_then(|name| suggest(name, sized.ports.keys().map(String::as_str))),
                    ),
                );
            }
            found
        };
        match (asked.http, asked.tcp, asked.exec) {
            (Some(path), None, None) => {
                let port = port(asked.port, findings)?;
                Some(Ask::Http {
                    port: port.number,
                    path: fill(draft, path, names, &keys, findings),
                    tls: port.tls,
                    tool: asked.with.unwrap_or(ProbeTool::Curl),
                })
            }
            (None, Some(name), None) => Some(Ask::Tcp {
                port: port(Some(name), findings)?.number,
                tool: asked.with.unwrap_or(ProbeTool::Bash),
            }),
            (None, None, Some(words)) => Some(Ask::Exec(
                words
                    .iter()
                    .map(|word| fill(draft, word, names, &keys, findings))
                    .collect(),
            )),
            _ => {
                findings.push(
                    Finding::new(
                        &FAULTY_BLUEPRINT,
                        place(),
                        "the probe asks more or less than one thing",
                    )
                    .help("give one of `http` with `port`, `tcp` and `exec`"),
                );
                None
            }
        }
    }

    pub(super) fn kind(
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
                None if job.on_demand => Kind::OnDemand {
                    timeout: seconds(job.timeout.as_ref(), "timeout", findings),
                },
                None => Kind::Job {
                    timeout: seconds(job.timeout.as_ref(), "timeout", findings),
                },
            },
            (None, None) => Kind::Stateless,
        }
    }

    /// Lists what must be so before a service starts.
    pub(super) fn start_after(
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
            let others = std::iter::once((&self.serving[*position], false))
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

    pub(super) fn unknown_service(
        &self,
        draft: &Draft<'_>,
        sized: &Sized<'_>,
        field: &str,
        key: &str,
        findings: &mut Vec<Finding>,
    ) {
        let model = &draft.blueprint.model;
        let known: Vec<&str> = model.workload_names().collect();
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
}
