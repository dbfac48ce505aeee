//! What is compared: turns operands into environments in memory, from bundles, topologies and git revisions.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::super::Session;
use super::git::{self, Revision};
use crate::blueprint::{FILE_NAME, Folder, Library};
use crate::bundle::inventory::Inventory;
use crate::bundle::{CHECKSUMS, INVENTORY};
use crate::compile::{Compiled, Compiler};
use crate::diagnostic::{Finding, Rule, Severity, Tally, suggest};
use crate::host::{HostError, Kind};
use crate::review::origin::Origins;
use crate::review::{Side, Snapshot};
use crate::source::{Place, Sources};
use crate::terms::Target;

/// What is to be compared is no bundle.
pub static NOT_A_BUNDLE: Rule = Rule {
    code: "not-a-bundle",
    severity: Severity::Error,
    summary: "what is to be compared is neither a bundle nor a topology",
    why: "A bundle is known by its `bundle.json`; a folder of bundles has folders with one. Anything else could be compared \
          line by line only, which says nothing of effects and risks.",
    fix: "Name a folder that `lakewright build` wrote, the folder around it, or a topology.",
    allowable: false,
};

/// A bundle lacks files of its own.
pub static BROKEN_BUNDLE: Rule = Rule {
    code: "broken-bundle",
    severity: Severity::Error,
    summary: "a bundle is not whole",
    why: "Its inventory lists files that are not there, or cannot be read. What is missing would look as if it had been removed.",
    fix: "Build it again, or take the whole folder.",
    allowable: false,
};

/// There is no such revision.
pub static UNKNOWN_REVISION: Rule = Rule {
    code: "unknown-revision",
    severity: Severity::Error,
    summary: "what is to be compared is neither a path nor a revision",
    why: "An operand that is no path is taken for a git revision of the repository around the current folder.",
    fix: "Correct the path or the revision; in a shallow clone, fetch what is compared with.",
    allowable: false,
};

/// What the user wrote.
#[derive(Clone, Debug)]
pub(super) struct Operand(String);

impl Operand {
    pub(super) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// One side, as far as it was found.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    label: String,
    place: Where,
    /// Environments that are asked for; all, if empty.
    environments: Vec<String>,
}

#[derive(Clone, Debug)]
enum Where {
    /// A path on this machine.
    Here(PathBuf),
    /// A path in a revision.
    Revision(Revision, String),
}

/// What was read for both sides.
#[derive(Default)]
pub(super) struct Sides {
    /// Findings about what is compared.
    pub(super) findings: Vec<Finding>,
    /// Names that findings are about.
    pub(super) sources: Sources,
}

impl Sides {
    /// Reports something about an operand.
    fn refuse(&mut self, rule: &'static Rule, name: &str, message: String, help: Option<String>) {
        let file = self.sources.add(name, String::new());
        let finding = Finding::new(rule, Place::File { file }, message).maybe_help(help);
        self.findings.push(finding);
    }
}

/// One side, read and compiled.
pub(super) enum Loaded {
    /// From bundles.
    Bundles(String, Vec<Bundle>),
    /// From a topology.
    Topology(
        String,
        Box<Compiler>,
        Vec<(Compiled, BTreeMap<String, Vec<u8>>)>,
    ),
}

/// A bundle that was read.
pub(super) struct Bundle {
    platform: String,
    environment: String,
    target: Target,
    files: BTreeMap<String, Vec<u8>>,
}

impl Loaded {
    /// Returns it as one side of a review.
    pub(super) fn side(&self) -> Side<'_> {
        match self {
            Self::Bundles(label, bundles) => Side {
                label: label.clone(),
                environments: bundles
                    .iter()
                    .map(|one| {
                        Snapshot::new(
                            &one.platform,
                            &one.environment,
                            one.target,
                            one.files.clone(),
                        )
                    })
                    .collect(),
            },
            Self::Topology(label, compiler, environments) => Side {
                label: label.clone(),
                environments: environments
                    .iter()
                    .map(|(compiled, files)| {
                        let platform = &compiled.platform;
                        let origins = Origins::new(platform, &compiled.trace, &compiler.sources);
                        let environment = &platform.environment;
                        Snapshot::new(
                            &platform.name,
                            &environment.name,
                            environment.target,
                            files.clone(),
                        )
                        .with_origins(origins)
                    })
                    .collect(),
            },
        }
    }
}

/// The topology that is meant when nobody names one, and the folder of bundles.
const TOPOLOGY: &str = "platform.toml";
const BUNDLES: &str = "generated";

/// Finds out what is to be compared with what.
pub(super) fn plan(
    session: &Session<'_>,
    operands: &[Operand],
    path: Option<&Path>,
    environments: &[String],
    sides: &mut Sides,
) -> Result<Option<(Plan, Plan)>, HostError> {
    let all = environments.to_vec();
    let here = |path: &Path| Plan {
        label: crate::host::shown(path.as_os_str()),
        place: Where::Here(path.to_owned()),
        environments: all.clone(),
    };
    let default = path.map_or_else(|| PathBuf::from(TOPOLOGY), Path::to_owned);
    // One thing, and two environments of it.
    let parity = |plan: Plan| {
        let of = |at: usize| Plan {
            label: format!("{} {}", plan.label, environments[at]),
            environments: vec![environments[at].clone()],
            ..plan.clone()
        };
        (of(0), of(1))
    };
    match operands {
        [] if environments.len() == 2 => Ok(Some(parity(here(&default)))),
        [one] if environments.len() == 2 && exists(session, &one.0)? => {
            Ok(Some(parity(here(Path::new(&one.0)))))
        }
        [one, other]
            if exists(session, &one.0)? || exists(session, &other.0)? || !one.0.contains("..") =>
        {
            let one = operand(session, one, path, environments, sides)?;
            let other = operand(session, other, path, environments, sides)?;
            Ok(one.zip(other))
        }
        [one] if !exists(session, &one.0)? => range(session, one, path, environments, sides),
        _ => {
            let name = operands
                .first()
                .map_or_else(|| "diff".to_owned(), |one| one.0.clone());
            sides.refuse(
                &UNKNOWN_REVISION,
                &name,
                "nothing to compare it with".to_owned(),
                Some(
                    "name two bundles or topologies, one git revision, or two environments with -e"
                        .to_owned(),
                ),
            );
            Ok(None)
        }
    }
}

fn exists(session: &Session<'_>, text: &str) -> Result<bool, HostError> {
    Ok(session.host.look(Path::new(text))?.is_some())
}

/// Reads a range of revisions: `REV` against what is here, `OLD..NEW`, `OLD...NEW`.
fn range(
    session: &Session<'_>,
    one: &Operand,
    path: Option<&Path>,
    environments: &[String],
    sides: &mut Sides,
) -> Result<Option<(Plan, Plan)>, HostError> {
    let text = one.0.as_str();
    // A path behind a colon belongs to the revision before it.
    let (old, new, parted) = match (text.split_once("..."), text.split_once("..")) {
        (Some((old, new)), _) => (old, Some(new), true),
        (None, Some((old, new))) => (old, Some(new), false),
        (None, None) => (text, None, false),
    };
    let head = |name: &str| {
        if name.is_empty() {
            "HEAD".to_owned()
        } else {
            name.to_owned()
        }
    };
    let Some(new) = new else {
        let Some(old) = operand(session, one, path, environments, sides)? else {
            return Ok(None);
        };
        // The same path as it is now.
        let path = match &old.place {
            Where::Here(path) => path.clone(),
            Where::Revision(_, path) => PathBuf::from(path),
        };
        let now = Plan {
            label: format!("{} now", crate::host::shown(path.as_os_str())),
            place: Where::Here(path),
            environments: environments.to_vec(),
        };
        return Ok(Some((old, now)));
    };
    let (Some(mut from), Some(to)) = (
        operand(session, &Operand(head(old)), path, environments, sides)?,
        operand(session, &Operand(head(new)), path, environments, sides)?,
    ) else {
        return Ok(None);
    };
    if parted && let (Where::Revision(one, _), Where::Revision(other, _)) = (&from.place, &to.place)
    {
        match git::merge_base(session.host, one, other) {
            Ok(base) => {
                if let Where::Revision(revision, _) = &mut from.place {
                    *revision = base;
                }
                from.label = format!("{} (where it parts from {})", from.label, to.label);
            }
            Err(error) => {
                sides.refuse(
                    &UNKNOWN_REVISION,
                    text,
                    "the two revisions have nothing in common".to_owned(),
                    Some(error.to_string()),
                );
                return Ok(None);
            }
        }
    }
    Ok(Some((from, to)))
}

/// Finds out what one operand is.
fn operand(
    session: &Session<'_>,
    one: &Operand,
    path: Option<&Path>,
    environments: &[String],
    sides: &mut Sides,
) -> Result<Option<Plan>, HostError> {
    let text = one.0.as_str();
    if exists(session, text)? {
        return Ok(Some(Plan {
            label: text.to_owned(),
            place: Where::Here(PathBuf::from(text)),
            environments: environments.to_vec(),
        }));
    }
    let (name, inner) = match text.split_once(':') {
        Some((name, inner)) => (name, Some(inner.to_owned())),
        None => (text, None),
    };
    let revision = match git::revision(session.host, name) {
        Ok(revision) => revision,
        Err(error) => {
            let near = near(session, text)?;
            let help = near.unwrap_or_else(|| format!("git says: {}", error.source));
            let message = format!("`{text}` is neither a path nor a git revision");
            sides.refuse(&UNKNOWN_REVISION, text, message, Some(help));
            return Ok(None);
        }
    };
    let inner = match inner.or_else(|| path.map(|path| crate::host::shown(path.as_os_str()))) {
        Some(inner) => inner,
        None if git::files(session.host, &revision, TOPOLOGY)?.is_empty() => BUNDLES.to_owned(),
        None => TOPOLOGY.to_owned(),
    };
    Ok(Some(Plan {
        label: format!("{name}:{inner}"),
        place: Where::Revision(revision, inner),
        environments: environments.to_vec(),
    }))
}

/// Finds a path that may have been meant.
fn near(session: &Session<'_>, text: &str) -> Result<Option<String>, HostError> {
    let path = Path::new(text);
    let folder = path.parent().unwrap_or(Path::new(""));
    if session
        .host
        .look(folder)?
        .is_none_or(|look| look.kind != Kind::Folder)
        && folder != Path::new("")
    {
        return Ok(None);
    }
    let names: Vec<String> = session
        .host
        .list(folder)?
        .into_iter()
        .map(|entry| crate::host::shown(folder.join(entry.name).as_os_str()))
        .collect();
    let help = suggest(text, names.iter().map(String::as_str));
    Ok(help.filter(|help| help.starts_with("did you mean")))
}

/// Reads one side. Nothing, if there is something wrong with it, which is in the findings then.
pub(super) fn load(
    session: &Session<'_>,
    plan: &Plan,
    sides: &mut Sides,
) -> Result<Option<Loaded>, HostError> {
    match &plan.place {
        Where::Here(path) => {
            let is_folder = session
                .host
                .canonical(path)
                .ok()
                .and_then(|path| session.host.look(&path).ok().flatten())
                .is_some_and(|look| look.kind == Kind::Folder);
            if !is_folder {
                let (compiler, topology) = session.open(path)?;
                return Ok(compile(plan, compiler, topology, sides));
            }
            let mut bundles = Vec::new();
            if session.host.look(&path.join(INVENTORY))?.is_some() {
                bundles.push(from_disk(session, path, sides)?);
            } else {
                for entry in session.host.list(path)? {
                    let folder = path.join(&entry.name);
                    if entry.kind == Kind::Folder
                        && session.host.look(&folder.join(INVENTORY))?.is_some()
                    {
                        bundles.push(from_disk(session, &folder, sides)?);
                    }
                }
            }
            Ok(chosen(plan, bundles, sides))
        }
        Where::Revision(revision, path) => {
            if path.ends_with(".toml") {
                return from_revision(session, plan, revision, path, sides);
            }
            let path = path.strip_prefix("./").unwrap_or(path).to_owned();
            let files = git::files(
                session.host,
                revision,
                if path.is_empty() { "." } else { &path },
            )?;
            let prefix = if matches!(path.as_str(), "" | ".") {
                String::new()
            } else {
                format!("{}/", path.trim_end_matches('/'))
            };
            let mut folders: BTreeMap<String, BTreeMap<String, Vec<u8>>> = BTreeMap::new();
            let roots: Vec<String> = files
                .keys()
                .filter_map(|name| name.strip_suffix(INVENTORY))
                // The folder itself, or one below it: no bundle lies in another.
                .filter(|root| {
                    root.strip_prefix(&prefix)
                        .is_some_and(|rest| rest.matches('/').count() <= 1)
                })
                .map(str::to_owned)
                .collect();
            for (name, bytes) in files {
                if let Some(root) = roots
                    .iter()
                    .filter(|root| name.starts_with(root.as_str()))
                    .min_by_key(|root| root.len())
                {
                    let inner = name[root.len()..].to_owned();
                    folders
                        .entry(root.clone())
                        .or_default()
                        .insert(inner, bytes);
                }
            }
            let mut bundles = Vec::new();
            for (root, files) in folders {
                let name = format!("{}:{}", revision.name, root.trim_end_matches('/'));
                bundles.push(bundle(&name, files, sides));
            }
            Ok(chosen(plan, bundles, sides))
        }
    }
}

/// Takes the environments that are asked for.
fn chosen(plan: &Plan, bundles: Vec<Option<Bundle>>, sides: &mut Sides) -> Option<Loaded> {
    if bundles.is_empty() {
        let message = format!("`{}` is no bundle, and has none in it", plan.label);
        sides.refuse(&NOT_A_BUNDLE, &plan.label, message, None);
        return None;
    }
    let mut bundles: Vec<Bundle> = bundles.into_iter().collect::<Option<_>>()?;
    let known: Vec<String> = bundles.iter().map(|one| one.environment.clone()).collect();
    for name in &plan.environments {
        if !known.contains(name) {
            let message = format!("`{}` has no environment `{name}`", plan.label);
            let help = suggest(name, known.iter().map(String::as_str).collect::<Vec<_>>());
            sides.refuse(&NOT_A_BUNDLE, &plan.label, message, help);
            return None;
        }
    }
    if !plan.environments.is_empty() {
        bundles.retain(|one| plan.environments.contains(&one.environment));
    }
    Some(Loaded::Bundles(plan.label.clone(), bundles))
}

/// Reads the files that a bundle's inventory lists.
fn from_disk(
    session: &Session<'_>,
    folder: &Path,
    sides: &mut Sides,
) -> Result<Option<Bundle>, HostError> {
    let name = crate::host::shown(folder.as_os_str());
    let text = session.host.read_bytes(&folder.join(INVENTORY))?;
    let mut files = BTreeMap::from([(INVENTORY.to_owned(), text.clone())]);
    if let Ok(inventory) = Inventory::parse(&text) {
        let listed = inventory.files.iter().map(|file| file.path.as_str());
        for path in listed.chain([CHECKSUMS]) {
            let file = folder.join(path);
            if session
                .host
                .look(&file)?
                .is_some_and(|look| look.kind == Kind::File)
            {
                files.insert(path.to_owned(), session.host.read_bytes(&file)?);
            }
        }
    }
    Ok(bundle(&name, files, sides))
}

/// Makes a bundle of its files, if it is whole.
fn bundle(name: &str, mut files: BTreeMap<String, Vec<u8>>, sides: &mut Sides) -> Option<Bundle> {
    let text = files.get(INVENTORY)?;
    let inventory = match Inventory::parse(text) {
        Ok(inventory) => inventory,
        Err(error) => {
            let message = format!("`{name}/{INVENTORY}` cannot be used: {error}");
            sides.refuse(&BROKEN_BUNDLE, name, message, None);
            return None;
        }
    };
    let missing: Vec<&str> = inventory
        .files
        .iter()
        .map(|file| file.path.as_str())
        .filter(|path| !files.contains_key(*path))
        .collect();
    if !missing.is_empty() {
        let shown: Vec<String> = missing
            .iter()
            .take(3)
            .map(|path| format!("`{path}`"))
            .collect();
        let more = missing.len().saturating_sub(3);
        let and = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        let message = format!("`{name}` is not whole: {}{and} missing", shown.join(", "));
        sides.refuse(&BROKEN_BUNDLE, name, message, None);
        return None;
    }
    let Some(target) = Target::from_word(&inventory.target) else {
        let message = format!(
            "`{name}` is for `{}`, which is not known here",
            inventory.target
        );
        sides.refuse(&BROKEN_BUNDLE, name, message, None);
        return None;
    };
    // What the user keeps beside is no part of it.
    let listed = inventory.by_path();
    files.retain(|path, _| {
        listed.contains_key(path.as_str()) || path == INVENTORY || path == CHECKSUMS
    });
    Some(Bundle {
        platform: inventory.platform.clone(),
        environment: inventory.environment.clone(),
        target,
        files,
    })
}

/// Compiles a topology of a revision, with the blueprints that lie beside it there.
fn from_revision(
    session: &Session<'_>,
    plan: &Plan,
    revision: &Revision,
    path: &str,
    sides: &mut Sides,
) -> Result<Option<Loaded>, HostError> {
    let mut files = git::files(session.host, revision, path)?;
    // Git may name it another way: without `./`, or as seen from the current folder.
    let Some(bytes) = files
        .remove(path)
        .or_else(|| files.pop_first().map(|(_, bytes)| bytes))
    else {
        let message = format!("`{}` has no `{path}`", revision.name);
        sides.refuse(&UNKNOWN_REVISION, &plan.label, message, None);
        return Ok(None);
    };
    let mut sources = Sources::default();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let file = sources.add(path, text);
    let mut compiler = Compiler::new(sources, Library::default());
    let topology = compiler.read(file);
    let named = topology
        .as_ref()
        .and_then(|topology| topology.tree.at(&["platform", "blueprints"])?.text())
        .map(|folder| {
            Path::new(path)
                .parent()
                .unwrap_or(Path::new(""))
                .join(folder)
        });
    let mut own: BTreeMap<String, (String, Folder)> = BTreeMap::new();
    if let Some(folder) = named {
        let folder = crate::host::shown(folder.as_os_str());
        let prefix = format!("{}/", folder.trim_end_matches('/'));
        for (name, bytes) in git::files(session.host, revision, &folder)? {
            let Some((blueprint, inner)) = name
                .strip_prefix(&prefix)
                .and_then(|rest| rest.split_once('/'))
            else {
                continue;
            };
            let entry = own
                .entry(blueprint.to_owned())
                .or_insert_with(|| (format!("{prefix}{blueprint}"), Folder::new()));
            entry.1.insert(
                inner.to_owned(),
                String::from_utf8_lossy(&bytes).into_owned(),
            );
        }
        own.retain(|_, (_, folder)| folder.contains_key(FILE_NAME));
    }
    // A folder on the command line is the last word here too.
    if let Some(folder) = &session.blueprints {
        own.extend(session.read_blueprints(folder)?);
    }
    compiler.set_library(Library::new(own));
    Ok(compile(plan, compiler, topology, sides))
}

/// Compiles the environments that are asked for.
fn compile(
    plan: &Plan,
    mut compiler: Compiler,
    topology: Option<crate::topology::Topology>,
    sides: &mut Sides,
) -> Option<Loaded> {
    let mut environments = Vec::new();
    if let Some(topology) = &topology {
        let names: Vec<&str> = if plan.environments.is_empty() {
            topology.environments()
        } else {
            plan.environments.iter().map(String::as_str).collect()
        };
        for compiled in compiler.environments(topology, &names, true) {
            if let Some(sealed) = compiler.bundle(topology, &compiled) {
                let files = sealed
                    .files()
                    .map(|(path, file)| (path.as_str().to_owned(), file.bytes.clone()))
                    .collect();
                environments.push((compiled, files));
            }
        }
    }
    if topology.is_none() || Tally::of(&compiler.findings).errors > 0 {
        // Errors are about files of this side: they bring their own sources.
        compiler
            .findings
            .retain(|finding| finding.severity == Severity::Error);
        std::mem::swap(&mut sides.findings, &mut compiler.findings);
        std::mem::swap(&mut sides.sources, &mut compiler.sources);
        return None;
    }
    Some(Loaded::Topology(
        plan.label.clone(),
        Box::new(compiler),
        environments,
    ))
}
