//! What Prometheus scrapes, in the words of its configuration file (3.14).

use std::collections::BTreeMap;

use crate::platform::scrape::{Scrape, ScrapeAuth, WebProbe};
use crate::value::Value;

/// A service that is scraped.
#[derive(Debug)]
pub struct Target<'p> {
    /// Name of its component.
    pub component: &'p str,
    /// Its name in the bundle.
    pub service: &'p str,
    /// DNS names that lead to its replicas.
    pub hosts: Vec<String>,
    /// The machines that they run on, in the same order, where there is one on each.
    pub machines: Vec<String>,
    /// How many answer to these names.
    pub found: Found,
    /// Number of the port.
    pub port: u16,
    /// What is scraped there.
    pub scrape: &'p Scrape,
}

/// How many answer to a DNS name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found {
    /// One, always: without an answer it is down.
    Always,
    /// One, or none while it is not meant to run.
    Sometimes,
    /// Several.
    Several,
}

/// What the collector is handed.
#[derive(Debug)]
pub struct Collector {
    /// File with the certificate of the platform's authority, if it has one.
    pub authority: Option<String>,
    /// Folder of the secrets that it may read.
    pub secrets: String,
}

/// How the answers of probes are asked for.
#[derive(Debug)]
pub struct ProbeJob<'p> {
    /// Host and port of the prober.
    pub prober: String,
    /// Path there.
    pub path: &'p str,
    /// What is asked: the component and the service that are meant, and the question.
    pub probes: Vec<(&'p str, &'p str, &'p WebProbe)>,
    /// Where certificates are looked at that services show each other: the service, and the question.
    pub ends: Vec<(&'p str, &'p WebProbe)>,
}

/// The name of the job of all probes.
pub const PROBE: &str = "probe";

/// The name of the job that looks at certificates, and of the label that says whose.
pub const CERTIFICATE: &str = "certificate";

/// How often a name is looked up whose addresses come and go.
const REFRESH: &str = "30s";

/// Makes the list of scrape configurations, sorted by job.
pub fn configs(targets: &[Target<'_>], probes: Option<&ProbeJob<'_>>, by: &Collector) -> Value {
    let mut jobs: BTreeMap<&str, Value> = BTreeMap::new();
    for target in targets {
        jobs.insert(&target.scrape.job, config(target, by));
    }
    if let Some(probes) = probes.filter(|job| !job.probes.is_empty()) {
        let asked = probes.probes.iter().map(|(component, service, probe)| {
            let labels = [("component", *component), ("service", *service)];
            (labels.to_vec(), *probe)
        });
        jobs.insert(PROBE, probe_config(PROBE, probes, asked));
    }
    if let Some(probes) = probes.filter(|job| !job.ends.is_empty()) {
        // Without a component: what its alerts say of a public address is not true of these.
        let ends = probes.ends.iter();
        let asked = ends.map(|(service, probe)| (vec![(CERTIFICATE, *service)], *probe));
        jobs.insert(CERTIFICATE, probe_config(CERTIFICATE, probes, asked));
    }
    Value::List(jobs.into_values().collect())
}

/// Returns the labels that tell where series come from, and those that a blueprint adds.
fn labels(target: &Target<'_>) -> BTreeMap<String, Value> {
    let own = target.scrape.labels.iter();
    let own = own.map(|(name, value)| (name.clone(), Value::from(value.as_str())));
    let mut labels: BTreeMap<String, Value> = own.collect();
    for (name, value) in [("component", target.component), ("service", target.service)] {
        labels.insert(name.to_owned(), Value::from(value));
    }
    labels
}

fn config(target: &Target<'_>, by: &Collector) -> Value {
    let scrape = target.scrape;
    let mut config = BTreeMap::from([
        ("job_name".to_owned(), Value::from(scrape.job.as_str())),
        ("metrics_path".to_owned(), Value::from(scrape.path.as_str())),
    ]);
    let mut add = |key: &str, value: Value| {
        config.insert(key.to_owned(), value);
    };
    if let Some(interval) = scrape.interval {
        add("scrape_interval", Value::from(format!("{}s", interval.0)));
    }
    if !scrape.params.is_empty() {
        add("params", params(&scrape.params));
    }
    if scrape.honor_labels {
        add("honor_labels", Value::Bool(true));
    }
    match &scrape.auth {
        Some(ScrapeAuth::Bearer(secret)) => {
            let file = format!("{}/{secret}", by.secrets);
            add(
                "authorization",
                Value::table([("credentials_file", Value::from(file))]),
            );
        }
        Some(ScrapeAuth::Basic { user, secret }) => {
            let file = format!("{}/{secret}", by.secrets);
            add(
                "basic_auth",
                Value::table([
                    ("username", Value::from(user.as_str())),
                    ("password_file", Value::from(file)),
                ]),
            );
        }
        None => {}
    }
    if scrape.tls {
        add("scheme", Value::from("https"));
        let mut tls = BTreeMap::from([("min_version".to_owned(), Value::from("TLS13"))]);
        let authority = by.authority.as_deref();
        tls.extend(authority.map(|file| ("ca_file".to_owned(), Value::from(file))));
        if target.found != Found::Always {
            // What is found by its address has to show the name all the same.
            tls.insert("server_name".to_owned(), Value::from(target.service));
        }
        add("tls_config", Value::Table(tls));
    }
    match target.found {
        Found::Always => add("static_configs", Value::List(static_configs(target))),
        Found::Sometimes | Found::Several => {
            add(
                "dns_sd_configs",
                Value::List(vec![Value::table([
                    (
                        "names",
                        Value::List(target.hosts.iter().cloned().map(Value::from).collect()),
                    ),
                    ("port", Value::from(u64::from(target.port))),
                    ("refresh_interval", Value::from(REFRESH)),
                    ("type", Value::from("A")),
                ])]),
            );
            add("relabel_configs", Value::List(found_labels(target)));
        }
    }
    Value::Table(config)
}

/// Names each replica, with the machine where one runs on each.
fn static_configs(target: &Target<'_>) -> Vec<Value> {
    let address = |host: &String| Value::from(format!("{host}:{}", target.port));
    let group = |hosts: Vec<Value>, labels: BTreeMap<String, Value>| {
        Value::table([
            ("labels", Value::Table(labels)),
            ("targets", Value::List(hosts)),
        ])
    };
    if target.machines.is_empty() {
        return vec![group(
            target.hosts.iter().map(address).collect(),
            labels(target),
        )];
    }
    let all = target.hosts.iter().zip(&target.machines);
    all.map(|(host, machine)| {
        let mut labels = labels(target);
        labels.insert(HOST.to_owned(), Value::from(machine.as_str()));
        group(vec![address(host)], labels)
    })
    .collect()
}

/// The label that names the machine which a service looks at.
pub const HOST: &str = "host";

/// Gives labels to what is found by its name.
fn found_labels(target: &Target<'_>) -> Vec<Value> {
    let mut labels = labels(target);
    if let Some(machine) = target.machines.first() {
        labels.insert(HOST.to_owned(), Value::from(machine.as_str()));
    }
    if target.found == Found::Sometimes {
        // There is one, so its name says more than the address that it happens to have.
        let host = target.hosts.first().map_or(target.service, String::as_str);
        let instance = format!("{host}:{}", target.port);
        labels.insert("instance".to_owned(), Value::from(instance));
    }
    let labels = labels.into_iter();
    labels
        .map(|(label, value)| {
            // A `$` stands for a part of what was matched.
            let value = value.as_text().unwrap_or_default().replace('$', "$$");
            Value::table([
                ("replacement", Value::from(value)),
                ("target_label", Value::from(label)),
            ])
        })
        .collect()
}

fn params(params: &BTreeMap<String, String>) -> Value {
    let params = params.iter();
    Value::Table(
        params
            .map(|(name, value)| {
                let values = vec![Value::from(value.as_str())];
                (name.clone(), Value::List(values))
            })
            .collect(),
    )
}

/// Labels of a probe's target that become parameters of the question: what name to ask for, how, and where.
const PARAMETERS: [&str; 3] = ["__param_hostname", "__param_module", "__param_target"];

/// Makes a job that tells the prober what to ask, with the labels of each answer.
fn probe_config<'p>(
    name: &str,
    job: &ProbeJob<'p>,
    asked: impl Iterator<Item = (Vec<(&'static str, &'p str)>, &'p WebProbe)>,
) -> Value {
    let targets = asked.map(|(of, probe)| {
        let of = of.into_iter();
        let of = of.map(|(label, value)| (label.to_owned(), Value::from(value)));
        let mut labels: BTreeMap<String, Value> = of.collect();
        labels.insert("instance".to_owned(), Value::from(probe.instance.as_str()));
        let values = [
            probe.host.as_deref(),
            Some(probe.module.as_str()),
            Some(probe.url.as_str()),
        ];
        for (label, value) in PARAMETERS.iter().zip(values) {
            labels.extend(value.map(|value| ((*label).to_owned(), Value::from(value))));
        }
        Value::table([
            ("labels", Value::Table(labels)),
            (
                "targets",
                Value::List(vec![Value::from(job.prober.as_str())]),
            ),
        ])
    });
    Value::table([
        ("job_name", Value::from(name)),
        ("metrics_path", Value::from(job.path)),
        ("static_configs", Value::List(targets.collect())),
    ])
}
