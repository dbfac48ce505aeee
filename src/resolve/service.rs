//! Services and jobs: which run, how many, how large, on which ports.

use std::collections::BTreeMap;

use super::collect;
use super::component::{Draft, uses};
use super::trace::{Explained, Trace};
use crate::blueprint::FAULTY_BLUEPRINT;
use crate::blueprint::expression::Names;
use crate::blueprint::model::{self, Workload};
use crate::diagnostic::{Finding, suggest};
use crate::platform::{Managed, Port, Replicas, Resources, member_hosts};
use crate::schema::ILLEGAL_VALUE;
use crate::source::Place;
use crate::terms::{Publish, Target};
use crate::topology::layer::{LayeredService, UNKNOWN_NAME, replicas_value};
use crate::units::{Bytes, MilliCpu};
use crate::value::Value;

/// How much more than its guaranteed share a service may use when nobody else wants it.
const BURST: u64 = 4;

/// A service or job on its way into the platform.
#[derive(Debug)]
pub(super) struct Sized<'d> {
    pub(super) key: &'d str,
    pub(super) name: String,
    pub(super) workload: &'d Workload,
    pub(super) service: Option<&'d model::Service>,
    pub(super) job: Option<&'d model::Job>,
    pub(super) settings: Option<&'d LayeredService>,
    pub(super) place: Place,
    pub(super) replicas: Replicas,
    /// Whether each replica has a DNS name of its own.
    pub(super) members: bool,
    pub(super) resources: Resources,
    pub(super) ports: BTreeMap<String, Port>,
    pub(super) managed: Option<Managed>,
}

impl Sized<'_> {
    /// The DNS name that others reach it by.
    pub(super) fn host(&self) -> &str {
        self.managed
            .as_ref()
            .and_then(|managed| managed.host.as_deref())
            .unwrap_or(&self.name)
    }

    /// Its service account.
    pub(super) fn account(&self) -> &str {
        self.managed
            .as_ref()
            .map_or(&self.name, |managed| &managed.service_account)
    }

    /// The blueprint's table it stands in.
    pub(super) fn table(&self) -> &'static str {
        if self.job.is_some() {
            "jobs"
        } else {
            "services"
        }
    }
}

/// Sizes all services and jobs of a component that run in this environment.
pub(super) fn size<'d>(
    draft: &'d Draft<'_>,
    trace: &mut Trace,
    findings: &mut Vec<Finding>,
) -> Vec<Sized<'d>> {
    let model = &draft.blueprint.model;
    let names = Names::new(&draft.base);
    let mut sized = Vec::new();
    if let Some(layered) = draft.layered {
        let known: Vec<&str> = model.workload_names().collect();
        for (name, settings) in &layered.services {
            if !known.contains(&name.as_str()) {
                findings.push(
                    Finding::new(
                        &UNKNOWN_NAME,
                        settings.place.clone(),
                        format!("`{}` has no service `{name}`", draft.name),
                    )
                    .maybe_help(suggest(name, known.iter().copied()))
                    .component(draft.name.clone()),
                );
            }
        }
        for (name, volume) in &layered.volumes {
            if !model.volumes.contains_key(name) {
                findings.push(
                    Finding::new(
                        &UNKNOWN_NAME,
                        volume.place.clone(),
                        format!("`{}` has no volume `{name}`", draft.name),
                    )
                    .help("it has none: take this out")
                    .maybe_help(suggest(name, model.volumes.keys().map(String::as_str)))
                    .component(draft.name.clone()),
                );
            }
        }
        for (name, image) in &layered.images {
            if !model.images.contains_key(name) {
                findings.push(
                    Finding::new(
                        &UNKNOWN_NAME,
                        image.place.clone(),
                        format!("`{}` has no image `{name}`", draft.name),
                    )
                    .help("it has none: take this out")
                    .maybe_help(suggest(name, model.images.keys().map(String::as_str)))
                    .component(draft.name.clone()),
                );
            }
        }
    }
    let services = model
        .services
        .iter()
        .map(|(key, service)| (key, &service.workload, Some(service), None));
    let jobs = model
        .jobs
        .iter()
        .map(|(key, job)| (key, &job.workload, None, Some(job)));
    for (key, workload, service, job) in services.chain(jobs) {
        let table = if job.is_some() { "jobs" } else { "services" };
        let place = || draft.blueprint.place([table, key, "when"]);
        if !collect::is_wanted(draft, workload)
            || !draft.holds(workload.when.as_ref(), &names, place, findings)
        {
            continue;
        }
        let settings = draft.layered.and_then(|layered| layered.services.get(key));
        let name = match service {
            Some(service) if service.main => draft.name.clone(),
            _ => format!("{}-{}", draft.name, key.replace('_', "-")),
        };
        let replicas = replicas(draft, key, service, settings, &names, trace, findings);
        // None of it is the same as leaving it out.
        if replicas.max == 0 {
            continue;
        }
        let resources = resources(draft, table, key, workload, settings, trace, findings);
        let ports = ports(draft, table, key, workload, &names, findings);
        let managed = service
            .and_then(|service| managed(draft, key, service, &name, &ports, &names, findings));
        sized.push(Sized {
            key,
            name,
            workload,
            service,
            job,
            settings,
            place: draft.blueprint.place([table, key]),
            members: service.is_some_and(|service| {
                // A cluster finds the pods on its machines by itself.
                service.members || service.per_host && !in_cluster(draft)
            }),
            replicas,
            resources,
            ports,
            managed,
        });
    }
    let mut main = sized
        .iter()
        .filter(|sized| sized.service.is_some_and(|service| service.main));
    if let (Some(_), Some(second)) = (main.next(), main.next()) {
        findings.push(Finding::new(
            &FAULTY_BLUEPRINT,
            draft.blueprint.place(["services", second.key, "main"]),
            format!("two services of `{}` are `main`", draft.blueprint.name),
        ));
    }
    sized
}

fn replicas(
    draft: &Draft<'_>,
    key: &str,
    service: Option<&model::Service>,
    settings: Option<&LayeredService>,
    names: &Names<'_>,
    trace: &mut Trace,
    findings: &mut Vec<Finding>,
) -> Replicas {
    let Some(service) = service else {
        if let Some(given) = settings.and_then(|settings| settings.replicas.as_ref()) {
            findings.push(
                Finding::new(
                    &ILLEGAL_VALUE,
                    given.place.clone(),
                    format!("`{key}` of `{}` is a job, and a job runs once", draft.name),
                )
                .help("remove `replicas`")
                .component(draft.name.clone()),
            );
        }
        return Replicas {
            min: 1,
            max: 1,
            place: draft.blueprint.place(["jobs", key]),
        };
    };
    if service.per_host {
        return one_per_host(draft, key, settings, findings);
    }
    let path = || format!("{}.{key}.replicas", draft.name);
    let place = draft.blueprint.place(["services", key, "replicas"]);
    let computed = match &service.replicas {
        None => (1, 1),
        Some(expression) => match expression
            .parsed
            .evaluate(names)
            .map(|value| (replicas_value(&value), value))
        {
            Ok((Some(pair), _)) => pair,
            Ok((None, value)) => {
                findings.push(Finding::new(
                    &FAULTY_BLUEPRINT,
                    place.clone(),
                    format!(
                        "`{}` gives {value}, which is no number of replicas",
                        expression.written
                    ),
                ));
                (1, 1)
            }
            Err(error) => {
                findings.push(Finding::new(
                    &FAULTY_BLUEPRINT,
                    place.clone(),
                    format!("cannot compute `{}`: {error}", expression.written),
                ));
                (1, 1)
            }
        },
    };
    let show = |(min, max): (u64, u64)| {
        if min == max {
            min.to_string()
        } else {
            format!("{min} to {max}")
        }
    };
    let what = match &service.replicas {
        Some(expression) => format!("computed by `{}`", expression.written),
        None => "one, since the blueprint says nothing else".to_owned(),
    };
    if let Some(given) = settings.and_then(|settings| settings.replicas.as_ref()) {
        trace.record(path, || {
            Explained::one(show(given.value), "set", given.place.clone())
                .over(&given.replaced)
                .then(show(computed), what.clone(), place.clone())
        });
        return Replicas {
            min: given.value.0,
            max: given.value.1,
            place: given.place.clone(),
        };
    }
    // What a user set through an option is where findings about the number belong.
    let option = service
        .replicas
        .as_ref()
        .and_then(|expression| {
            expression.parsed.names().iter().find_map(|name| {
                draft
                    .layered?
                    .options
                    .get(name.strip_prefix("options.")?)
                    .cloned()
            })
        })
        .map(|tree| tree.place);
    trace.record(path, || {
        let names = service
            .replicas
            .as_ref()
            .map(|expression| expression.parsed.names())
            .unwrap_or_default();
        Explained::one(show(computed), what, place.clone()).using(uses(
            &draft.name,
            Some(key),
            &names,
        ))
    });
    Replicas {
        min: computed.0,
        max: computed.1,
        place: option.unwrap_or_else(|| {
            if service.replicas.is_some() {
                place
            } else {
                draft.blueprint.place(["services", key])
            }
        }),
    }
}

/// Returns a name of the environment, as the component sees it.
fn of_environment<'d>(draft: &'d Draft<'_>, name: &str) -> Option<&'d Value> {
    match draft.base.get("environment") {
        Some(Value::Table(environment)) => environment.get(name),
        _ => None,
    }
}

/// Says whether a component runs in a cluster: the environment's, or one that another component brings.
fn in_cluster(draft: &Draft<'_>) -> bool {
    of_environment(draft, "namespace").is_some_and(|namespace| *namespace != Value::Null)
}

/// Counts the machines that a service runs on of which there is one on each. Where they are not known it is one, to
/// reckon with.
fn one_per_host(
    draft: &Draft<'_>,
    key: &str,
    settings: Option<&LayeredService>,
    findings: &mut Vec<Finding>,
) -> Replicas {
    if let Some(given) = settings.and_then(|settings| settings.replicas.as_ref()) {
        findings.push(
            Finding::new(
                &ILLEGAL_VALUE,
                given.place.clone(),
                format!("one `{key}` of `{}` runs on each machine", draft.name),
            )
            .help("remove `replicas`")
            .component(draft.name.clone()),
        );
    }
    let hosts = match of_environment(draft, "hosts") {
        Some(Value::List(hosts)) if !draft.guest => hosts.len() as u64,
        _ => 1,
    };
    Replicas {
        min: hosts.max(1),
        max: hosts.max(1),
        place: draft.blueprint.place(["services", key, "per_host"]),
    }
}

fn resources(
    draft: &Draft<'_>,
    table: &str,
    key: &str,
    workload: &Workload,
    settings: Option<&LayeredService>,
    trace: &mut Trace,
    findings: &mut Vec<Finding>,
) -> Resources {
    let Some((tier, spec)) = draft.size.nearest(&workload.resources) else {
        findings.push(
            Finding::new(
                &FAULTY_BLUEPRINT,
                draft.blueprint.place([table, key]),
                format!("`{key}` of `{}` has no resources", draft.blueprint.name),
            )
            .help("say what it takes: resources.small = { cpu = \"250m\", memory = \"512MiB\" }"),
        );
        return Resources {
            memory: Bytes(0),
            cpu: MilliCpu(0),
            cpu_limit: MilliCpu(0),
            place: draft.blueprint.place([table, key]),
        };
    };
    let place = |field: &str| {
        draft
            .blueprint
            .place([table, key, "resources", tier.word(), field])
    };
    let mut number = |field: &str, parsed: Option<u64>| {
        parsed.unwrap_or_else(|| {
            findings.push(Finding::new(
                &FAULTY_BLUEPRINT,
                place(field),
                format!("`{field}` of `{key}` has no unit that is known"),
            ));
            0
        })
    };
    let memory = number("memory", Bytes::parse(&spec.memory).map(|bytes| bytes.0));
    let cpu = number("cpu", MilliCpu::parse(&spec.cpu).map(|cpu| cpu.0));
    let limit = spec
        .cpu_limit
        .as_ref()
        .map(|limit| number("cpu_limit", MilliCpu::parse(limit).map(|cpu| cpu.0)));

    let set_memory = settings.and_then(|settings| settings.memory.as_ref());
    let set_cpu = settings.and_then(|settings| settings.cpu.as_ref());
    let set_limit = settings.and_then(|settings| settings.cpu_limit.as_ref());
    let cpu_value = set_cpu.map_or(MilliCpu(cpu), |set| set.value);
    // A raised share raises the limit too, unless the limit is said.
    let cpu_limit = set_limit.map_or_else(
        || {
            MilliCpu(
                limit
                    .unwrap_or(cpu_value.0.saturating_mul(BURST))
                    .max(cpu_value.0),
            )
        },
        |set| set.value,
    );
    let what = format!("blueprint, size {tier}");
    trace.record(
        || format!("{}.{key}.memory", draft.name),
        || match set_memory {
            Some(set) => Explained::one(set.value, "set", set.place.clone())
                .over(&set.replaced)
                .then(Bytes(memory), what.clone(), place("memory")),
            None => Explained::one(Bytes(memory), what.clone(), place("memory"))
                .using(vec![format!("{}.size", draft.name)]),
        },
    );
    trace.record(
        || format!("{}.{key}.cpu", draft.name),
        || match set_cpu {
            Some(set) => Explained::one(set.value, "set", set.place.clone())
                .over(&set.replaced)
                .then(MilliCpu(cpu), what.clone(), place("cpu")),
            None => Explained::one(MilliCpu(cpu), what.clone(), place("cpu"))
                .using(vec![format!("{}.size", draft.name)]),
        },
    );
    trace.record(
        || format!("{}.{key}.cpu_limit", draft.name),
        || match (set_limit, limit) {
            (Some(set), _) => {
                Explained::one(set.value, "set", set.place.clone()).over(&set.replaced)
            }
            (None, Some(_)) => Explained::one(cpu_limit, what, place("cpu_limit")),
            (None, None) => Explained::one(
                cpu_limit,
                format!("{BURST} times the guaranteed share"),
                place("cpu"),
            )
            .using(vec![format!("{}.{key}.cpu", draft.name)]),
        },
    );
    Resources {
        memory: set_memory.map_or(Bytes(memory), |set| set.value),
        cpu: cpu_value,
        cpu_limit,
        place: set_memory.map_or_else(|| place("memory"), |set| set.place.clone()),
    }
}

fn ports(
    draft: &Draft<'_>,
    table: &str,
    key: &str,
    workload: &Workload,
    names: &Names<'_>,
    findings: &mut Vec<Finding>,
) -> BTreeMap<String, Port> {
    let mut ports = BTreeMap::new();
    for (name, spec) in &workload.ports {
        let place = |field: &str| draft.blueprint.place([table, key, "ports", name, field]);
        let mut number = |field: &str, expression: &model::Expr| {
            let value = expression
                .parsed
                .evaluate(names)
                .map_err(|error| error.to_string());
            let number = value.and_then(|value| {
                value
                    .as_int()
                    .and_then(|number| u16::try_from(number).ok())
                    .filter(|number| *number > 0)
                    .ok_or_else(|| format!("{value} is no port"))
            });
            number.unwrap_or_else(|error| {
                findings.push(Finding::new(
                    &FAULTY_BLUEPRINT,
                    place(field),
                    format!("cannot compute `{}`: {error}", expression.written),
                ));
                0
            })
        };
        let number_of = number("port", &spec.port);
        let listen = spec.listen.as_ref().map(|listen| number("listen", listen));
        let published = spec.publish.is_some()
            && draft.holds(spec.when.as_ref(), names, || place("when"), findings);
        let publish = spec.publish.filter(|_| published);
        let tls =
            spec.tls.is_some() && draft.holds(spec.tls.as_ref(), names, || place("tls"), findings);
        ports.insert(
            name.clone(),
            Port {
                number: number_of,
                protocol: spec.protocol,
                publish,
                listen: match publish {
                    Some(Publish::Tcp | Publish::Host) => Some(listen.unwrap_or(number_of)),
                    _ => None,
                },
                tls,
                mutual: spec.mutual,
                clear: None,
                place: place("port"),
            },
        );
    }
    ports
}

/// Reads who makes the pods of a service, where that is not the bundle.
fn managed(
    draft: &Draft<'_>,
    key: &str,
    service: &model::Service,
    name: &str,
    ports: &BTreeMap<String, Port>,
    names: &Names<'_>,
    findings: &mut Vec<Finding>,
) -> Option<Managed> {
    let spec = service.managed.as_ref()?;
    let place = |field: &str| draft.blueprint.place(["services", key, "managed", field]);
    if !draft.holds(spec.when.as_ref(), names, || place("when"), findings) {
        return None;
    }
    if spec.labels.is_empty() {
        // Nothing selects everything.
        findings.push(
            Finding::new(
                &FAULTY_BLUEPRINT,
                place("labels"),
                format!("the pods of `{key}` bear no label to find them by"),
            )
            .help("name at least one label that no other pod bears"),
        );
    }
    let mut fill = |field: &str, text: &model::Filled| {
        text.parsed.fill_text(names).unwrap_or_else(|error| {
            findings.push(Finding::new(
                &FAULTY_BLUEPRINT,
                place(field),
                format!("cannot fill in `{}`: {error}", text.written),
            ));
            String::new()
        })
    };
    let labels = spec
        .labels
        .iter()
        .map(|(label, text)| (label.clone(), fill("labels", text)))
        .collect();
    let service_account = spec
        .service_account
        .as_ref()
        .map_or_else(|| name.to_owned(), |text| fill("service_account", text));
    let host = spec.host.as_ref().map(|text| fill("host", text));
    let operator = spec.operator.as_ref().map(|operator| {
        let mut numbers = Vec::new();
        for port in &operator.ports {
            match ports.get(port) {
                Some(port) => numbers.push(port.number),
                None => findings.push(
                    Finding::new(
                        &FAULTY_BLUEPRINT,
                        place("operator"),
                        format!("`{port}` is no port of `{key}`"),
                    )
                    .maybe_help(suggest(port, ports.keys().map(String::as_str))),
                ),
            }
        }
        (operator.namespace.clone(), numbers)
    });
    Some(Managed {
        by: spec.by.clone(),
        launched: spec.launched,
        labels,
        service_account,
        host,
        mesh: spec.mesh,
        operator,
    })
}

/// Returns the DNS names of a service's replicas on a target.
pub(super) fn hosts(name: &str, members: bool, replicas: u64, target: Target) -> Vec<String> {
    match (members, target) {
        (true, Target::Kubernetes) => member_hosts(name, replicas).collect(),
        (true, _) if replicas > 1 => (1..=replicas).map(|at| format!("{name}-{at}")).collect(),
        _ => vec![name.to_owned()],
    }
}

/// Returns the first address that a browser opens.
pub(super) fn web_url(urls: &BTreeMap<String, String>) -> Option<String> {
    urls.values().find(|url| url.starts_with("http")).cloned()
}

/// Makes what `services.NAME` stands for in expressions.
pub(super) fn names_of(
    sized: &Sized<'_>,
    target: Target,
    urls: &BTreeMap<String, String>,
) -> Value {
    let members = sized.managed.is_none() && sized.members;
    let host = sized.host();
    let ports = sized
        .ports
        .iter()
        .map(|(name, port)| (name.clone(), Value::from(u64::from(port.number))));
    Value::table([
        ("active", Value::Bool(true)),
        ("host", Value::from(host)),
        (
            "hosts",
            Value::from(hosts(host, members, sized.replicas.min, target)),
        ),
        ("account", Value::from(sized.account())),
        ("replicas", Value::from(sized.replicas.min)),
        ("memory", Value::from(sized.resources.memory.0)),
        ("cpu", Value::from(sized.resources.cpu.0)),
        ("cpus", Value::from(sized.resources.cpu.whole())),
        ("ports", Value::Table(ports.collect())),
        ("url", Value::from(web_url(urls))),
        (
            "urls",
            Value::table(
                urls.iter()
                    .map(|(port, url)| (port.clone(), Value::from(url.as_str()))),
            ),
        ),
    ])
}

/// What `services.NAME` stands for where the service does not run in this environment: what an operator that runs it
/// instead would have to know can still be read.
pub(super) fn inactive(draft: &Draft<'_>, key: &str) -> Value {
    let model = &draft.blueprint.model;
    let job = model.jobs.contains_key(key);
    let workload = match (model.services.get(key), model.jobs.get(key)) {
        (Some(service), _) => &service.workload,
        (None, Some(job)) => &job.workload,
        (None, None) => return Value::Null,
    };
    // Whatever is wrong is reported where the service runs, and by the blueprint's own tests.
    let (mut trace, mut findings) = (Trace::default(), Vec::new());
    let table = if job { "jobs" } else { "services" };
    let settings = draft.layered.and_then(|layered| layered.services.get(key));
    let resources = resources(
        draft,
        table,
        key,
        workload,
        settings,
        &mut trace,
        &mut findings,
    );
    let ports = ports(
        draft,
        table,
        key,
        workload,
        &Names::new(&draft.base),
        &mut findings,
    );
    let ports = ports
        .into_iter()
        .map(|(name, port)| (name, Value::from(u64::from(port.number))));
    Value::table([
        ("active", Value::Bool(false)),
        ("host", Value::Null),
        ("hosts", Value::List(Vec::new())),
        ("account", Value::Null),
        ("replicas", Value::Int(0)),
        ("memory", Value::from(resources.memory.0)),
        ("cpu", Value::from(resources.cpu.0)),
        ("cpus", Value::from(resources.cpu.whole())),
        ("ports", Value::Table(ports.collect())),
        ("url", Value::Null),
        ("urls", Value::Table(BTreeMap::new())),
    ])
}
