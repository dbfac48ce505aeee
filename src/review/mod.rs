//! Reviews: what changes from one bundle to another, what that does to what runs, and what is dangerous about it.
//!
//! Two sides come in, each with one or several environments as files in memory, a [`Review`] goes out, which `report`
//! writes. What changes is said on three levels: the platform itself (`meaning`, from the outlines), objects and fields
//! (`structure`, `fields`), and text for files without structure. A field that only says again what was said of the
//! platform (`claim`) adds its effect there, and is not said twice. Nothing here reads a disk or runs a program.

mod alerts;
mod alike;
mod claim;
pub mod danger;
pub mod effect;
pub mod fields;
mod hazard;
mod images;
mod known;
mod meaning;
pub mod origin;
pub mod report;
mod room;
pub mod structure;
mod units;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use crate::outline::OUTLINE;
use crate::terms::Target;
use danger::{Category, Level, Risk, WIDE_CHANGE};
use effect::{Effect, Outcome};
use fields::Path;
use origin::{Origin, Origins};
pub use room::Totals;

/// One environment of a side: the files of its bundle, and what is known of where they come from.
pub struct Snapshot<'a> {
    /// Name of the platform.
    pub platform: String,
    /// Name of the environment.
    pub environment: String,
    /// What it compiles to.
    pub target: Target,
    /// All files, by path.
    pub files: BTreeMap<String, Vec<u8>>,
    /// The outline, if the bundle has one.
    pub outline: Option<Json>,
    /// Where values come from, if the topology is at hand.
    pub origins: Option<Origins<'a>>,
}

impl<'a> Snapshot<'a> {
    /// Makes a snapshot of a bundle's files. The outline is read from them.
    pub fn new(
        platform: &str,
        environment: &str,
        target: Target,
        files: BTreeMap<String, Vec<u8>>,
    ) -> Self {
        let outline = files
            .get(OUTLINE)
            .and_then(|bytes| serde_json::from_slice(bytes).ok());
        Self {
            platform: platform.to_owned(),
            environment: environment.to_owned(),
            target,
            files,
            outline,
            origins: None,
        }
    }

    /// Sets where values come from.
    #[must_use]
    pub fn with_origins(mut self, origins: Origins<'a>) -> Self {
        self.origins = Some(origins);
        self
    }

    fn text(&self, path: &str) -> Option<&str> {
        std::str::from_utf8(self.files.get(path)?).ok()
    }
}

/// One side of a comparison.
pub struct Side<'a> {
    /// What the user calls it.
    pub label: String,
    /// Its environments, by name.
    pub environments: Vec<Snapshot<'a>>,
}

/// How to compare.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// Leave out differences that the topology declares for one of the environments.
    pub ignore_declared: bool,
}

/// What level a change is said on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Layer {
    /// The platform itself.
    Platform,
    /// An object or a part of a file with structure.
    Resource,
    /// A file without structure.
    File,
}

impl Layer {
    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Resource => "resource",
            Self::File => "file",
        }
    }
}

/// What happened.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Act {
    /// It came.
    Added,
    /// It went.
    Removed,
    /// It has another name.
    Renamed {
        /// The name it had.
        from: String,
    },
    /// It differs.
    Changed,
}

impl Act {
    /// Returns the word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Renamed { .. } => "renamed",
            Self::Changed => "changed",
        }
    }

    /// Returns the sign for it.
    pub fn sign(&self) -> char {
        match self {
            Self::Added => '+',
            Self::Removed => '-',
            Self::Renamed { .. } => '>',
            Self::Changed => '~',
        }
    }
}

/// One change.
#[derive(Clone, Debug)]
pub struct Change {
    /// What level it is said on.
    pub layer: Layer,
    /// What is changed: `service`, `Deployment`, `file`.
    pub noun: String,
    /// Its name.
    pub name: String,
    /// What happened to it.
    pub act: Act,
    /// The field that differs, if not all of it.
    pub field: String,
    /// The way to that field.
    pub path: Path,
    /// What it was.
    pub old: Option<String>,
    /// What it is.
    pub new: Option<String>,
    /// The component that it belongs to.
    pub component: Option<String>,
    /// The service that it belongs to.
    pub service: Option<String>,
    /// What it does.
    pub outcome: Outcome,
    /// What is dangerous about it, the worst first.
    pub risks: Vec<Risk>,
    /// Where the old value comes from, the deciding place first.
    pub old_origins: Vec<Origin>,
    /// Where the new value comes from, the deciding place first.
    pub new_origins: Vec<Origin>,
    /// Files in which it shows.
    pub files: BTreeSet<String>,
    /// Changed lines, for texts.
    pub lines: Option<String>,
    /// Whether it only follows from another change that is said: a digest in a label, a script that names everything.
    pub follows: bool,
}

impl Change {
    fn new(layer: Layer, noun: &str, name: &str) -> Self {
        Self {
            layer,
            noun: noun.to_owned(),
            name: name.to_owned(),
            act: Act::Changed,
            field: String::new(),
            path: Path::default(),
            old: None,
            new: None,
            component: None,
            service: None,
            outcome: Outcome::default(),
            risks: Vec::new(),
            old_origins: Vec::new(),
            new_origins: Vec::new(),
            files: BTreeSet::new(),
            lines: None,
            follows: false,
        }
    }

    /// Returns how bad the worst of its risks is.
    pub fn level(&self) -> Option<Level> {
        self.risks.iter().map(|risk| risk.level).max()
    }

    fn absorb(&mut self, other: Change) {
        self.outcome = self.outcome.clone().max(other.outcome);
        self.files.extend(other.files);
        self.risks.extend(other.risks);
    }

    /// Keeps one risk of each kind: the worst, and the first said of those.
    fn tidy(&mut self) {
        let mut kept: Vec<Risk> = Vec::new();
        for risk in self.risks.drain(..) {
            match kept.iter_mut().find(|known| known.code() == risk.code()) {
                Some(known) if known.level >= risk.level => {}
                Some(known) => *known = risk,
                None => kept.push(risk),
            }
        }
        kept.sort_by_key(|risk| std::cmp::Reverse(risk.level));
        self.risks = kept;
    }
}

/// What happens to one service, all changes taken together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServiceEffect {
    /// The service.
    pub name: String,
    /// The worst that happens to it.
    pub outcome: Outcome,
}

/// The review of one environment.
#[derive(Debug)]
pub struct EnvironmentReview {
    /// Name of the platform.
    pub platform: String,
    /// The old environment's name; none, if it is new.
    pub old: Option<String>,
    /// The new environment's name; none, if it is gone.
    pub new: Option<String>,
    /// The targets of both, the same if there is only one.
    pub targets: (Target, Target),
    /// Whether two environments are compared with each other, rather than two states of one.
    pub parity: bool,
    /// What changes, sorted.
    pub changes: Vec<Change>,
    /// What happens to services that are touched, the worst first.
    pub services: Vec<ServiceEffect>,
    /// What the platform takes, before and after, if both are known.
    pub totals: Option<(Totals, Totals)>,
    /// The outlines of both, for pictures.
    pub outlines: (Option<Json>, Option<Json>),
    /// How many differences were left out because the topology declares them.
    pub declared: usize,
}

impl EnvironmentReview {
    /// Returns the name under which it is shown.
    pub fn title(&self) -> String {
        match (&self.old, &self.new) {
            (Some(old), Some(new)) if old == new => format!("{}/{new}", self.platform),
            (Some(old), Some(new)) => format!("{}/{old} and {new}", self.platform),
            (old, new) => {
                let name = new.as_ref().or(old.as_ref()).map_or("", String::as_str);
                format!("{}/{name}", self.platform)
            }
        }
    }

    /// Returns the changes that do not only follow from others.
    pub fn said(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| !change.follows)
    }

    /// Returns all risks with the change that brings each, the worst first.
    pub fn risks(&self) -> Vec<(&Change, &Risk)> {
        let mut risks: Vec<(&Change, &Risk)> = self
            .changes
            .iter()
            .flat_map(|change| change.risks.iter().map(move |risk| (change, risk)))
            .collect();
        risks.sort_by_key(|(_, risk)| (std::cmp::Reverse(risk.level), risk.category()));
        risks
    }

    /// Counts changes by effect, the worst first, without those that have none of it.
    pub fn effects(&self) -> Vec<(Effect, usize)> {
        let count = |effect| {
            let of = self.said().filter(|change| change.outcome.effect == effect);
            (effect, of.count())
        };
        let all = Effect::ALL.iter().map(|effect| count(*effect));
        all.filter(|(_, count)| *count > 0).collect()
    }
}

/// A review.
#[derive(Debug)]
pub struct Review {
    /// What the old side is called.
    pub old: String,
    /// What the new side is called.
    pub new: String,
    /// The environments, by name.
    pub environments: Vec<EnvironmentReview>,
}

impl Review {
    /// Says whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.environments.iter().all(|one| one.changes.is_empty())
    }

    /// Returns the number of changes that do not only follow from others.
    pub fn len(&self) -> usize {
        self.environments.iter().map(|one| one.said().count()).sum()
    }

    /// Returns all risks.
    pub fn risks(&self) -> impl Iterator<Item = &Risk> {
        let changes = self.environments.iter().flat_map(|one| &one.changes);
        changes.flat_map(|change| &change.risks)
    }

    /// Says whether a risk is at least so bad, or is about this.
    pub fn has(&self, level: Option<Level>, category: Option<Category>) -> bool {
        self.risks().any(|risk| {
            level.is_some_and(|level| risk.level >= level) || category == Some(risk.category())
        })
    }
}

/// Compares two sides. Environments are paired by name; where each side has one alone, with each other.
pub fn review<'a>(old: &Side<'a>, new: &Side<'a>, options: Options) -> Review {
    let mut environments = Vec::new();
    match (old.environments.as_slice(), new.environments.as_slice()) {
        ([one], [other]) => environments.push(compare(one, other, options)),
        (ones, others) => {
            let names: BTreeSet<(&str, &str)> = ones
                .iter()
                .chain(others)
                .map(|one| (one.platform.as_str(), one.environment.as_str()))
                .collect();
            for (platform, name) in names {
                let find = |all: &'_ [Snapshot<'_>]| {
                    all.iter()
                        .position(|one| one.environment == name && one.platform == platform)
                };
                match (find(ones), find(others)) {
                    (Some(one), Some(other)) => {
                        environments.push(compare(&ones[one], &others[other], options));
                    }
                    (Some(one), None) => environments.push(alone(&ones[one], false)),
                    (None, Some(other)) => environments.push(alone(&others[other], true)),
                    (None, None) => {}
                }
            }
        }
    }
    Review {
        old: old.label.clone(),
        new: new.label.clone(),
        environments,
    }
}

/// An environment that is on one side only is one change.
fn alone(one: &Snapshot<'_>, is_new: bool) -> EnvironmentReview {
    let mut change = Change::new(Layer::Platform, "environment", &one.environment);
    let what = Some(format!("{} files for {}", one.files.len(), one.target));
    if is_new {
        change.act = Act::Added;
        change.new = what;
        change.outcome.reason = "it starts beside what runs".to_owned();
    } else {
        change.act = Act::Removed;
        change.old = what;
        change.outcome = Outcome::new(
            Effect::DataAtRisk,
            "nothing makes, watches or backs it up any more",
        );
        let risk =
            danger::STORE_REMOVED.risk(format!("environment `{}` is removed", one.environment));
        change.risks.push(risk);
    }
    EnvironmentReview {
        platform: one.platform.clone(),
        old: (!is_new).then(|| one.environment.clone()),
        new: is_new.then(|| one.environment.clone()),
        targets: (one.target, one.target),
        parity: false,
        changes: vec![change],
        services: Vec::new(),
        totals: None,
        outlines: (None, None),
        declared: 0,
    }
}

/// Part of all services that makes a change a wide one, in percent, and how many they must be.
const WIDE: (usize, usize) = (50, 10);

fn compare(old: &Snapshot<'_>, new: &Snapshot<'_>, options: Options) -> EnvironmentReview {
    let parity = old.environment != new.environment;
    let mut changes = match (&old.outline, &new.outline) {
        (Some(one), Some(other)) => {
            let mut changes = meaning::compare(one, other);
            if !parity {
                changes.extend(room::compare(one, other));
            }
            changes
        }
        _ => Vec::new(),
    };
    for change in &mut changes {
        claim::attribute(change, old.outline.as_ref(), new.outline.as_ref());
    }
    let mut services = Vec::new();
    // Two environments differ in every file; what can be compared of them is the platform.
    if parity {
        for change in &mut changes {
            change.risks.clear();
        }
        if old.target != new.target {
            // A cluster places its pods itself.
            changes.retain(|change| change.path.words().first() != Some(&"placement"));
        }
    } else {
        let found = units::compare(old, new);
        services = touched(&found, old, new);
        changes = claim::fold(changes, found, new.target);
        wide(&mut changes, &services, new);
    }
    for change in &mut changes {
        change.tidy();
        origin::find(change, old, new);
    }
    claim::restated(&mut changes);
    let all = changes.len();
    if options.ignore_declared {
        changes.retain(|change| !origin::is_declared(change));
    }
    let declared = all - changes.len();
    changes.sort_by(|one, other| key(one).cmp(&key(other)));
    let totals = match (&old.outline, &new.outline) {
        (Some(one), Some(other)) => Some((room::totals(one), room::totals(other))),
        _ => None,
    };
    EnvironmentReview {
        platform: new.platform.clone(),
        old: Some(old.environment.clone()),
        new: Some(new.environment.clone()),
        targets: (old.target, new.target),
        parity,
        changes,
        services,
        totals,
        outlines: (old.outline.clone(), new.outline.clone()),
        declared,
    }
}

fn key(change: &Change) -> (Layer, usize, &str, &str, &str, &Act, &Path) {
    /// The order in which people ask.
    const NOUNS: &[&str] = &[
        "environment",
        "policies",
        "identity",
        "accepted",
        "host",
        "room",
        "total",
        "component",
        "service",
        "flow",
        "endpoint",
        "volume",
        "backup",
        "certificate",
        "secret",
        "operator",
        "alert",
        "alerting",
    ];
    let noun = NOUNS.iter().position(|noun| *noun == change.noun);
    // A rename is said before what else changed about the same thing.
    (
        change.layer,
        noun.unwrap_or(NOUNS.len()),
        &change.noun,
        &change.name,
        if change.field.is_empty() { "" } else { "x" },
        &change.act,
        &change.path,
    )
}

/// Says what happens to each service, from all that was found about it.
fn touched(found: &[units::Found], old: &Snapshot<'_>, new: &Snapshot<'_>) -> Vec<ServiceEffect> {
    let known = |outline: &Option<Json>, name: &str| {
        outline
            .as_ref()
            .is_some_and(|outline| fields::at(outline, &["services", name]).is_some())
    };
    let mut worst: BTreeMap<&str, &Outcome> = BTreeMap::new();
    for one in found {
        let Some(service) = &one.change.service else {
            continue;
        };
        // One that comes or goes is not touched: it starts, or ends.
        if old.outline.is_some() && !(known(&old.outline, service) && known(&new.outline, service))
        {
            continue;
        }
        if one.change.outcome.effect == Effect::None {
            continue;
        }
        let known = worst.entry(service).or_insert(&one.change.outcome);
        *known = (*known).max(&one.change.outcome);
    }
    let mut services: Vec<ServiceEffect> = worst
        .into_iter()
        .map(|(name, outcome)| ServiceEffect {
            name: name.to_owned(),
            outcome: outcome.clone(),
        })
        .collect();
    services.sort_by(|one, other| {
        other
            .outcome
            .effect
            .cmp(&one.outcome.effect)
            .then_with(|| one.name.cmp(&other.name))
    });
    services
}

/// Adds the danger of many restarts at once.
fn wide(changes: &mut Vec<Change>, services: &[ServiceEffect], new: &Snapshot<'_>) {
    let restarted = services
        .iter()
        .filter(|one| one.outcome.effect >= Effect::RollingRestart)
        .count();
    let all = new
        .outline
        .as_ref()
        .and_then(|outline| {
            outline
                .get("services")?
                .as_object()
                .map(serde_json::Map::len)
        })
        .unwrap_or(restarted);
    let (percent, least) = WIDE;
    if restarted >= least && restarted * 100 >= all * percent {
        let mut change = Change::new(Layer::Platform, "total", "restarts");
        change.new = Some(format!("{restarted} of {all} services"));
        change
            .risks
            .push(WIDE_CHANGE.risk(format!("{restarted} of {all} services restart")));
        changes.push(change);
    }
}
