//! Findings where a change is reviewed: GitHub's workflow commands and GitLab's Code Quality report.
//!
//! GitHub reads annotations from the lines that a job prints; GitLab reads a file. Sources: GitHub Docs, "Workflow
//! commands for GitHub Actions"; GitLab Docs, "Code Quality", "Code Quality report format".

use serde::Serialize;

use super::locate::Locator;
use super::{Finding, Severity, json};
use crate::source::{Place, Sources};

/// Renders findings as workflow commands of GitHub Actions, one line each.
pub fn github(findings: &[Finding], sources: &Sources) -> String {
    let locator = Locator::new(sources);
    let mut text = String::new();
    for finding in findings {
        let spot = locator.spot(&finding.place);
        let level = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "notice",
        };
        let mut place = format!("file={},line={}", property(spot.file_name), spot.line);
        if spot.line == spot.end_line && !spot.whole {
            place.push_str(&format!(
                ",col={},endColumn={}",
                spot.column, spot.end_column
            ));
        }
        text.push_str(&format!(
            "::{level} {place},title={}::{}\n",
            property(finding.rule.code),
            data(&words(finding))
        ));
    }
    text
}

/// Says what a finding says, in several lines.
fn words(finding: &Finding) -> String {
    let mut words = finding.message.clone();
    if let Some(cause) = &finding.cause {
        words.push_str(&format!("\n{cause}"));
    }
    if let Some(help) = &finding.help {
        words.push_str(&format!("\nhelp: {help}"));
    }
    words
}

/// Escapes the text of a workflow command.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// Escapes the value of a workflow command's property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[derive(Serialize)]
struct Issue<'a> {
    description: String,
    check_name: &'a str,
    fingerprint: String,
    severity: &'static str,
    location: Location<'a>,
}

#[derive(Serialize)]
struct Location<'a> {
    path: &'a str,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: usize,
    end: usize,
}

/// Renders findings as a Code Quality report of GitLab.
pub fn gitlab(findings: &[Finding], sources: &Sources) -> String {
    let locator = Locator::new(sources);
    let issues: Vec<Issue<'_>> = findings
        .iter()
        .map(|finding| {
            let spot = locator.spot(&finding.place);
            Issue {
                description: words(finding),
                check_name: finding.rule.code,
                fingerprint: fingerprint(finding, spot.file_name),
                severity: match finding.severity {
                    Severity::Error => "critical",
                    Severity::Warning => "minor",
                    Severity::Note => "info",
                },
                location: Location {
                    path: spot.file_name,
                    lines: Lines {
                        begin: spot.line,
                        end: spot.end_line,
                    },
                },
            }
        })
        .collect();
    json::print(&issues)
}

/// Tells a finding from others, also when lines above it come and go: the two reports of a merge request are compared.
fn fingerprint(finding: &Finding, file: &str) -> String {
    use sha2::{Digest, Sha256};
    let path = match &finding.place {
        Place::Path { path, .. } => path.to_string(),
        Place::Span { .. } | Place::File { .. } => String::new(),
    };
    let parts = [
        finding.rule.code,
        file,
        &path,
        &finding.message,
        finding.environment.as_deref().unwrap_or_default(),
        finding.component.as_deref().unwrap_or_default(),
    ];
    let digest = Sha256::digest(parts.join("\0").as_bytes());
    digest[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
