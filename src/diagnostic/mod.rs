//! Findings: what any stage has to say to the user, and the rules they come from.
//!
//! Stages make [`Finding`]s; the `text`, `json`, `sarif` and `annotations` modules render them, all from the same
//! struct. A finding names places by key path; [`locate`] turns them into bytes, lines and columns. This module depends
//! on `source` only.

pub mod annotations;
pub mod json;
pub mod locate;
pub mod sarif;
pub mod text;

use crate::source::Place;

/// How bad a finding is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Severity {
    /// Something to know; nothing is wrong.
    Note,
    /// Works, but the user would want to know; a build goes on.
    Warning,
    /// Cannot work; nothing is written.
    Error,
}

impl Severity {
    /// Returns the word for it, which is also SARIF's.
    pub fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// How many findings there are of each severity.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// The number of errors.
    pub errors: usize,
    /// The number of warnings.
    pub warnings: usize,
    /// The number of notes.
    pub notes: usize,
}

impl Tally {
    /// Counts these findings.
    pub fn of(findings: &[Finding]) -> Self {
        let count = |severity| {
            findings
                .iter()
                .filter(|finding| finding.severity == severity)
                .count()
        };
        Self {
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
            notes: count(Severity::Note),
        }
    }
}

/// What a finding's code means: the page that documents it is made from this.
#[derive(Debug)]
pub struct Rule {
    /// Words in kebab case that name the fault.
    pub code: &'static str,
    /// How bad it is unless the finding says otherwise.
    pub severity: Severity,
    /// One line: what is wrong.
    pub summary: &'static str,
    /// Why it matters, in plain words.
    pub why: &'static str,
    /// What to do.
    pub fix: &'static str,
    /// Whether `allow` may silence it.
    pub allowable: bool,
}

/// One thing to say, at one place.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The rule it comes from.
    pub rule: &'static Rule,
    /// How bad it is.
    pub severity: Severity,
    /// Lower-case phrase that names the thing; understandable alone on one line.
    pub message: String,
    /// Where.
    pub place: Place,
    /// A few words under the underlined text.
    pub label: Option<String>,
    /// Other places that have to do with it, each with its own words.
    pub related: Vec<(Place, String)>,
    /// Why it is so; may have several lines, and a table.
    pub cause: Option<String>,
    /// What to do.
    pub help: Option<String>,
    /// The environment it was found in, if in one only.
    pub environment: Option<String>,
    /// The component it is about, if it is about one.
    pub component: Option<String>,
}

impl Finding {
    /// Makes a finding with the rule's own severity and no details.
    pub fn new(rule: &'static Rule, place: Place, message: impl Into<String>) -> Self {
        Self {
            rule,
            severity: rule.severity,
            message: message.into(),
            place,
            label: None,
            related: Vec::new(),
            cause: None,
            help: None,
            environment: None,
            component: None,
        }
    }

    /// Sets the words under the underlined text.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Sets why it is so.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Sets what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Sets what to do, if there is something to say.
    #[must_use]
    pub fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }

    /// Adds another place.
    #[must_use]
    pub fn related(mut self, place: Place, words: impl Into<String>) -> Self {
        self.related.push((place, words.into()));
        self
    }

    /// Sets the severity.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// Sets the component it is about.
    #[must_use]
    pub fn component(mut self, name: impl Into<String>) -> Self {
        self.component = Some(name.into());
        self
    }
}

/// Sorts findings by file, place and code, and drops repetitions.
///
/// A finding that several environments share is said once, without an environment. Words that look like secrets are
/// taken out.
pub fn arrange(findings: &mut Vec<Finding>, sources: &crate::source::Sources) {
    if sources.hides() {
        for finding in findings.iter_mut() {
            redact(finding, sources);
        }
    }
    let locator = locate::Locator::new(sources);
    findings.sort_by_cached_key(|finding| {
        let spot = locator.spot(&finding.place);
        (
            spot.file_name.to_owned(),
            spot.span.start,
            finding.rule.code,
            finding.message.clone(),
            finding.environment.clone(),
        )
    });
    let mut kept: Vec<Finding> = Vec::with_capacity(findings.len());
    for finding in findings.drain(..) {
        if let Some(last) = kept.last_mut()
            && last.rule.code == finding.rule.code
            && last.place == finding.place
            && last.message == finding.message
        {
            if last.environment != finding.environment {
                last.environment = None;
            }
            continue;
        }
        kept.push(finding);
    }
    *findings = kept;
}

fn redact(finding: &mut Finding, sources: &crate::source::Sources) {
    let words = [
        Some(&mut finding.message),
        finding.label.as_mut(),
        finding.cause.as_mut(),
        finding.help.as_mut(),
    ];
    let related = finding.related.iter_mut().map(|(_, words)| words);
    for words in words.into_iter().flatten().chain(related) {
        *words = sources.redacted(words);
    }
}

/// Finds the nearest known name, for "did you mean".
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        // A name that shares no letter with another was not meant to be it.
        .filter(|(distance, candidate)| {
            let shorter = candidate.len().min(name.len());
            *distance <= 1 + shorter / 4 && *distance < shorter
        })
        .min()
        .map(|(_, candidate)| candidate)
}

/// Says what was meant, or what there is: the help of a finding about an unknown name.
pub fn suggest<'a>(name: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Option<String> {
    if let Some(meant) = nearest(name, known.clone()) {
        return Some(format!("did you mean `{meant}`?"));
    }
    let all: Vec<String> = known.into_iter().map(|name| format!("`{name}`")).collect();
    (!all.is_empty()).then(|| format!("known here: {}", all.join(", ")))
}
