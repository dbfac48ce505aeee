//! What Compose and Swarm share: both describe containers to the same engine.
//!
//! Instances of services, files and their names, networks of connections, health checks, units. Each backend writes them
//! in its own dialect.

pub(crate) mod clock;
pub(crate) mod timers;
pub(crate) mod wiring;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_saphyr::FlowSeq;

use crate::platform::{Ask, File, Flow, Platform, Service};
use crate::terms::ProbeTool;
use crate::units::{Bytes, Seconds};

/// Most processes and threads of a container: far above what any service has, far below what stops a machine.
pub(crate) const PIDS: u64 = 4096;

/// The image of what hands out secrets and volumes: a shell, and tools that know numeric owners.
pub(crate) const PREPARE_IMAGE: &str = "docker.io/library/busybox:1.37.0";

/// The network through which the proxy is reached from outside.
pub(crate) const EDGE_NETWORK: &str = "edge";

/// What the helpers of a bundle belong to, in place of a component.
pub(crate) const LAKEWRIGHT: &str = "lakewright";

/// A short list that is read as one line.
pub(crate) type Words = FlowSeq<Vec<String>>;

#[derive(Serialize)]
pub(crate) struct Healthcheck {
    pub(crate) test: Words,
    pub(crate) interval: String,
    pub(crate) timeout: String,
    pub(crate) retries: u64,
    pub(crate) start_period: String,
}

#[derive(Default, Serialize)]
pub(crate) struct Logging {
    pub(crate) driver: &'static str,
    pub(crate) options: BTreeMap<&'static str, String>,
}

/// One container of a service that has several with names of their own, or the service itself.
pub(crate) struct Instance {
    /// Its name.
    pub(crate) name: String,
    /// Its number, counted from 1, if there are several.
    pub(crate) number: Option<u64>,
}

impl Instance {
    /// Names its volume.
    pub(crate) fn volume(&self, shared: bool, volume: &str) -> String {
        match self.number {
            Some(number) if !shared => format!("{volume}-{number}"),
            _ => volume.to_owned(),
        }
    }
}

pub(crate) fn instances(service: &Service) -> Vec<Instance> {
    if service.members && service.replicas.min > 1 {
        return (1..=service.replicas.min)
            .map(|number| Instance {
                name: format!("{}-{number}", service.name),
                number: Some(number),
            })
            .collect();
    }
    vec![Instance {
        name: service.name.clone(),
        number: None,
    }]
}

/// Names the containers of a service as they are asked for.
pub(crate) fn instance_names(service: &Service) -> Vec<String> {
    let instances = instances(service).into_iter();
    instances.map(|instance| instance.name).collect()
}

pub(crate) fn key<'p>(service: &'p Service, file: &'p File) -> (usize, &'p str, &'p str) {
    (
        service.component,
        service.key.as_str(),
        file.source.as_str(),
    )
}

/// Chooses a path in the bundle for every file: services of a component share a file that is the same for all.
pub(crate) fn file_paths(platform: &Platform) -> BTreeMap<(usize, &str, &str), String> {
    let mut contents: BTreeMap<(usize, &str), BTreeSet<(&str, bool)>> = BTreeMap::new();
    for service in &platform.services {
        for file in service.files.values() {
            contents
                .entry((service.component, &file.source))
                .or_default()
                .insert((&file.content, file.executable));
        }
    }
    let mut paths = BTreeMap::new();
    for service in &platform.services {
        let component = &platform.component_of(service).name;
        for file in service.files.values() {
            let same = contents[&(service.component, file.source.as_str())].len() == 1;
            let path = if same {
                format!("{component}/{}", file.source)
            } else {
                format!("{component}/{}/{}", service.key, file.source)
            };
            paths.insert(key(service, file), path);
        }
    }
    paths
}

/// Names a config after its path; what Compose does not allow in a name becomes `_`.
pub(crate) fn config_name(path: &str) -> String {
    path.chars()
        .map(|next| {
            if next.is_ascii_alphanumeric() || matches!(next, '.' | '-') {
                next
            } else {
                '_'
            }
        })
        .collect()
}

/// Returns the name of the network of a connection, and what it is for.
pub(crate) fn network_of(platform: &Platform, flow: &Flow) -> (String, String) {
    let name_of = |service: usize| &platform.component_of(&platform.services[service]).name;
    let (from, to) = (name_of(flow.from), name_of(flow.to));
    if from == to {
        (format!("{from}-internal"), format!("inside {from}"))
    } else {
        (format!("{from}-to-{to}"), format!("{from} to {to}"))
    }
}

/// Writes a size in the units of Docker, where M is 1024 x 1024 bytes.
pub(crate) fn docker_size(size: Bytes) -> String {
    if size.0.is_multiple_of(Bytes::MIB) {
        format!("{}M", size.mib())
    } else {
        format!("{}", size.0)
    }
}

/// Writes a duration the way Docker reads one.
pub(crate) fn docker_time(time: Seconds) -> String {
    format!("{}s", time.0)
}

/// Doubles every `$`, which Compose would otherwise take for one of its own variables.
pub(crate) fn literal(text: &str) -> String {
    text.replace('$', "$$")
}

pub(crate) fn literals(texts: &[String]) -> Words {
    FlowSeq(texts.iter().map(|text| literal(text)).collect())
}

pub(crate) fn words(texts: &[&str]) -> Words {
    FlowSeq(texts.iter().map(|text| (*text).to_owned()).collect())
}

/// Says where the lines of a service go: to files on its host, each with a tag that tells whoever gathers them whose it
/// is. The engine fills the container's name in.
pub(crate) fn logging(platform: &Platform, component: &str, service: &str) -> Logging {
    let project = platform.environment.project(&platform.name);
    Logging {
        driver: "json-file",
        options: BTreeMap::from([
            // Without a limit a talkative service fills the disk.
            ("max-file", "3".to_owned()),
            ("max-size", "10m".to_owned()),
            (
                "tag",
                format!("{project}/{component}/{service}/{{{{.Name}}}}"),
            ),
        ]),
    }
}

pub(crate) fn tmpfs(service: &Service, path: &str) -> String {
    // Java unpacks native libraries into its scratch folder and loads them from there.
    let exec = if service.jvm.is_some() { "exec," } else { "" };
    match service.user {
        Some((user, group)) => format!("{path}:{exec}mode=0700,uid={user},gid={group}"),
        None => format!("{path}:{exec}mode=1777"),
    }
}

/// Makes the health check of a service, if its image has something to ask with.
pub(crate) fn healthcheck(service: &Service) -> Option<Healthcheck> {
    let probe = service.probe.as_ref()?;
    let mut test = vec!["CMD".to_owned()];
    test.extend(probe_command(service)?);
    Some(Healthcheck {
        test: literals(&test),
        interval: docker_time(probe.interval),
        timeout: docker_time(probe.timeout),
        retries: probe.retries,
        start_period: docker_time(probe.startup),
    })
}

/// Returns what is run in a container to tell whether it is well, if its image can run something.
pub(crate) fn probe_command(service: &Service) -> Option<Vec<String>> {
    let probe = service.probe.as_ref()?;
    let words =
        |words: &[&str]| -> Vec<String> { words.iter().map(|word| (*word).to_owned()).collect() };
    let seconds = probe.timeout.0.to_string();
    Some(match &probe.ask {
        Ask::Exec(program) => program.clone(),
        Ask::Http {
            path,
            port,
            tls: true,
            tool,
        } => {
            let folder = service.certificate.as_ref();
            let folder = folder.map_or("", |used| used.path.as_str());
            let (authority, url) = (
                format!("{folder}/ca.crt"),
                format!("https://localhost:{port}{path}"),
            );
            match tool {
                ProbeTool::Curl => {
                    let mut command = curl(&seconds, &url);
                    command.extend(words(&["--cacert", &authority]));
                    command
                }
                ProbeTool::Python => {
                    let script = format!(
                        "import ssl, urllib.request; urllib.request.urlopen('{url}', timeout={seconds}, context=ssl.create_default_context(cafile='{authority}'))"
                    );
                    words(&["python3", "-c", &script])
                }
                // Neither of them speaks TLS 1.3: what listens is taken for well.
                ProbeTool::Wget => {
                    let script = format!("exec nc -w {seconds} 127.0.0.1 {port} </dev/null");
                    words(&["sh", "-c", &script])
                }
                ProbeTool::Bash => {
                    words(&["bash", "-c", &format!("exec 3<>/dev/tcp/127.0.0.1/{port}")])
                }
                ProbeTool::Nothing => return None,
            }
        }
        Ask::Http {
            path,
            port,
            tls: false,
            tool,
        } => {
            let url = format!("http://127.0.0.1:{port}{path}");
            match tool {
                ProbeTool::Curl => curl(&seconds, &url),
                ProbeTool::Wget => words(&["wget", "-q", "-O", "/dev/null", "-T", &seconds, &url]),
                ProbeTool::Bash => {
                    let script = format!(
                        "exec 3<>/dev/tcp/127.0.0.1/{port} && printf 'GET {path} HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3 && IFS= read -r line <&3 && [[ $line == *' 200 '* ]]"
                    );
                    words(&["bash", "-c", &script])
                }
                ProbeTool::Python => {
                    let script = format!(
                        "import urllib.request; urllib.request.urlopen('{url}', timeout={seconds})"
                    );
                    words(&["python3", "-c", &script])
                }
                ProbeTool::Nothing => return None,
            }
        }
        Ask::Tcp { port, tool } => match tool {
            ProbeTool::Python => {
                let script = format!(
                    "import socket; socket.create_connection(('127.0.0.1', {port}), {seconds})"
                );
                words(&["python3", "-c", &script])
            }
            ProbeTool::Nothing => return None,
            ProbeTool::Curl | ProbeTool::Wget | ProbeTool::Bash => {
                words(&["bash", "-c", &format!("exec 3<>/dev/tcp/127.0.0.1/{port}")])
            }
        },
    })
}

/// Asks with curl; only what is 200 to 399 is well.
fn curl(seconds: &str, url: &str) -> Vec<String> {
    let words = [
        "curl",
        "--fail",
        "--silent",
        "--show-error",
        "--output",
        "/dev/null",
        "--max-time",
        seconds,
        url,
    ];
    words.map(str::to_owned).to_vec()
}
