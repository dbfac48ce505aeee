//! `lakewright lock`: what every image stands for today, written down.
//!
//! Registries are asked through `curl`: it knows the machine's certificates and proxies, and brings TLS along, which would
//! otherwise be a third of what has to be compiled here.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::{Session, Status};
use crate::backend;
use crate::bundle::Sealed;
use crate::compile::Compiler;
use crate::diagnostic::Tally;
use crate::host::{Host, HostError};
use crate::lock::credentials::Configuration;
use crate::lock::reference::Reference;
use crate::lock::registry::{Client, Request, Response, Unanswered};
use crate::lock::{FILE_NAME, Image, Lock};
use crate::platform::Environment;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The topology
    #[arg(default_value = "platform.toml")]
    topology: PathBuf,
    /// Write nothing; say what is stale, and exit with 2 if anything is
    #[arg(long)]
    check: bool,
    /// Ask no registry: only hold against the lock which images and blueprints there are
    #[arg(long, requires = "check")]
    offline: bool,
}

/// How many registries are asked at the same time.
const AT_ONCE: usize = 6;

/// How often a request is sent that gets no answer, and how long to wait before the next.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(400);

pub(super) fn run(session: &Session<'_>, arguments: &Arguments) -> Result<Status, HostError> {
    let (mut compiler, topology) = session.open(&arguments.topology)?;
    let Some(topology) = topology else {
        session.report(&mut compiler.findings, &compiler.sources);
        return Ok(Status::Failed);
    };
    let compiled = compiler.environments(&topology, &topology.environments(), false);
    let mut bundles: Vec<(&Environment, Sealed)> = Vec::new();
    for one in &compiled {
        let sealed = compiler.bundle(&topology, one);
        bundles.extend(sealed.map(|sealed| (&one.platform.environment, sealed)));
    }
    let failed = Tally::of(&compiler.findings).errors > 0;
    compiler
        .findings
        .retain(|finding| finding.severity == crate::diagnostic::Severity::Error);
    session.report(&mut compiler.findings, &compiler.sources);
    if failed {
        return Ok(Status::Failed);
    }
    let images = images(&compiler, &bundles);
    let path = arguments.topology.with_file_name(FILE_NAME);
    let shown = crate::host::shown(path.as_os_str());
    let old = session.read_lock(&arguments.topology)?;
    let mut now = Lock {
        blueprints: blueprints(&bundles),
        ..Lock::new()
    };
    if arguments.offline {
        let known = old.as_ref().map(|old| &old.images);
        now.images = images
            .into_keys()
            .map(|name| {
                let image = known.and_then(|known| known.get(&name)).cloned();
                (name, image.unwrap_or_default())
            })
            .collect();
    } else {
        let (found, failed) = resolve(session, &images)?;
        if !failed.is_empty() {
            let count = failed.len();
            session.host.warn(&failed.concat());
            session.host.warn(&format!(
                "error: {count} of {} images could not be resolved; `{shown}` was left as it is\n",
                images.len()
            ));
            return Ok(Status::Failed);
        }
        now.images = found;
    }
    if arguments.check {
        let stale = old.unwrap_or_else(Lock::new).stale(&now);
        if stale.is_empty() {
            session.say(&format!("`{shown}` is up to date.\n"))?;
            return Ok(Status::Done);
        }
        let lines: String = stale.iter().map(|line| format!("  {line}\n")).collect();
        session
            .host
            .print(&format!("`{shown}` is stale:\n{lines}"))?;
        return Ok(Status::Differs);
    }
    if old.as_ref() == Some(&now) {
        session.say(&format!("`{shown}` is up to date.\n"))?;
    } else {
        session.host.replace(&path, now.text().as_bytes())?;
        session.say(&format!(
            "`{shown}`: {} images, {} blueprints.\n",
            now.images.len(),
            now.blueprints.len()
        ))?;
    }
    Ok(Status::Done)
}

/// Returns all images that bundles name, by their reference, with where they are pulled from.
pub(super) fn images(
    compiler: &Compiler,
    bundles: &[(&Environment, Sealed)],
) -> BTreeMap<String, String> {
    let mut images = BTreeMap::new();
    for (environment, sealed) in bundles {
        let texts: Vec<_> = sealed
            .files()
            .map(|(_, file)| String::from_utf8_lossy(&file.bytes))
            .collect();
        let own = backend::own_images(environment.target).iter().copied();
        for image in compiler.images().iter().map(String::as_str).chain(own) {
            let pulled = environment.pins.mirror(image);
            // Blueprints know images that only some platforms use. What has a digest of its own needs no other.
            if !image.contains('@') && texts.iter().any(|text| names(text, &pulled)) {
                images.insert(image.to_owned(), pulled);
            }
        }
    }
    images
}

/// Says whether a text names an image with this tag, and not one with a longer tag.
fn names(text: &str, image: &str) -> bool {
    let in_tag = |next: u8| next.is_ascii_alphanumeric() || b"._-".contains(&next);
    text.match_indices(image).any(|(at, _)| {
        let next = text.as_bytes().get(at + image.len());
        !next.is_some_and(|next| in_tag(*next))
    })
}

/// Returns the digests of all blueprints that bundles were made with.
pub(super) fn blueprints(bundles: &[(&Environment, Sealed)]) -> BTreeMap<String, String> {
    let inputs = bundles
        .iter()
        .flat_map(|(_, sealed)| &sealed.inventory().inputs);
    inputs
        .filter_map(|input| {
            let name = input.name.strip_prefix("blueprint ")?;
            Some((name.to_owned(), input.sha256.to_string()))
        })
        .collect()
}

/// What was found, and what was not, in words.
type Resolved = (BTreeMap<String, Image>, Vec<String>);

/// Asks registries for all images, several at a time.
fn resolve(
    session: &Session<'_>,
    images: &BTreeMap<String, String>,
) -> Result<Resolved, HostError> {
    let host = session.host;
    let configuration = configuration(host)?;
    let wanted: Vec<(&String, &String)> = images.iter().collect();
    let next = AtomicUsize::new(0);
    let done: Mutex<BTreeMap<&String, Result<Image, String>>> = Mutex::default();
    let shows = !session.quiet && host.warns_on_terminal();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(wanted.len()) {
            scope.spawn(|| {
                while let Some((name, pulled)) = wanted.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let reference = Reference::parse(pulled);
                    let basic =
                        configuration.basic(&reference, |helper, key| ask(host, helper, key));
                    let send = |request: &Request| fetch(host, request);
                    let result = Client::new(&send, reference, basic).resolve();
                    if let Ok(mut done) = done.lock() {
                        done.insert(name, result);
                        if shows {
                            host.warn(&format!("\r{} of {} images", done.len(), wanted.len()));
                        }
                    }
                }
            });
        }
    });
    if shows {
        host.warn("\n");
    }
    let mut found = BTreeMap::new();
    let mut failed = Vec::new();
    for (name, result) in done.into_inner().unwrap_or_default() {
        match result {
            Ok(image) => {
                found.insert(name.clone(), image);
            }
            Err(words) => {
                let pulled = images.get(name).filter(|pulled| *pulled != name);
                let from = pulled.map(|pulled| format!(" (from {pulled})"));
                failed.push(format!(
                    "error: {name}{}: {}\n",
                    from.unwrap_or_default(),
                    crate::host::shown(words.trim().as_ref())
                ));
            }
        }
    }
    Ok((found, failed))
}

/// Reads Docker's configuration, where there is one.
fn configuration(host: &Host) -> Result<Configuration, HostError> {
    let folder = host
        .variable("DOCKER_CONFIG")
        .map(PathBuf::from)
        .or_else(|| Some(Path::new(&host.variable("HOME")?).join(".docker")));
    let Some(path) = folder.map(|folder| folder.join("config.json")) else {
        return Ok(Configuration::default());
    };
    if host.look(&path)?.is_none() {
        return Ok(Configuration::default());
    }
    Configuration::parse(&host.read_text(&path)?).map_err(|words| HostError {
        act: "use",
        path,
        source: std::io::Error::other(words),
    })
}

/// Asks a helper of Docker's for credentials.
fn ask(host: &Host, helper: &str, registry: &str) -> Option<String> {
    let program = format!("docker-credential-{helper}");
    let arguments = ["get".as_ref()];
    let said = host.run(&program, &arguments, Path::new(""), registry.as_bytes());
    String::from_utf8(said.ok()?).ok()
}

/// Statuses of `curl`: no connection, no proper answer, no TLS.
const REFUSED: &[i32] = &[7, 35, 52, 56];
/// Likewise: what may be better the next time.
const PASSING: &[i32] = &[5, 6, 7, 18, 28, 35, 52, 55, 56, 92];

/// Fetches a document with `curl`.
fn fetch(host: &Host, request: &Request) -> Result<Response, Unanswered> {
    let mut tries = 1;
    loop {
        let answer = fetch_once(host, request);
        let passing = match &answer {
            Ok(response) => response.status >= 500,
            Err((code, _)) => PASSING.contains(code) && *code != 7,
        };
        if !passing || tries == TRIES {
            return answer.map_err(|(_, unanswered)| unanswered);
        }
        std::thread::sleep(PAUSE * tries);
        tries += 1;
    }
}

fn fetch_once(host: &Host, request: &Request) -> Result<Response, (i32, Unanswered)> {
    // Not on the command line, which everybody on the machine can read.
    let quoted = |text: &str| {
        let text: String = text.chars().filter(|next| !next.is_control()).collect();
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    };
    let mut configuration = format!("url = {}\n", quoted(&request.url));
    for (name, value) in &request.headers {
        configuration.push_str(&format!(
            "header = {}\n",
            quoted(&format!("{name}: {value}"))
        ));
    }
    let arguments = [
        "--silent",
        "--show-error",
        "--include",
        "--suppress-connect-headers",
        "--location",
        "--max-redirs",
        "5",
        "--proto",
        "=https,http",
        "--proto-redir",
        "=https",
        "--connect-timeout",
        "15",
        "--max-time",
        "60",
        "--config",
        "-",
    ];
    let ran = host
        .attempt(
            "curl",
            &arguments.map(OsStr::new),
            Path::new(""),
            configuration.as_bytes(),
        )
        .map_err(|error| {
            let reason = format!("{error}; registries are asked through it");
            (
                0,
                Unanswered {
                    reason,
                    refused: false,
                },
            )
        })?;
    if ran.status != Some(0) {
        let code = ran.status.unwrap_or_default();
        let words = ran.err.trim().trim_start_matches("curl: ").to_owned();
        let refused = REFUSED.contains(&code);
        return Err((
            code,
            Unanswered {
                reason: words,
                refused,
            },
        ));
    }
    parse(&ran.out).ok_or_else(|| {
        let reason = "the answer is no HTTP".to_owned();
        (
            0,
            Unanswered {
                reason,
                refused: true,
            },
        )
    })
}

/// Takes apart what `curl` prints: the headers of each response on the way, then the last one's body.
fn parse(bytes: &[u8]) -> Option<Response> {
    let mut rest = bytes;
    let mut last = None;
    while rest.starts_with(b"HTTP/") {
        let end = rest.windows(4).position(|four| four == b"\r\n\r\n")?;
        last = Some(&rest[..end]);
        rest = &rest[end + 4..];
    }
    let text = String::from_utf8_lossy(last?);
    let mut lines = text.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines.filter_map(|line| line.split_once(':'));
    Some(Response {
        status,
        headers: headers
            .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
            .collect(),
        body: rest.to_vec(),
    })
}
