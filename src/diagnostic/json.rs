//! Findings for programs, as one JSON document.
//!
//! Every field is always there, `null` if it does not apply, and the order never changes. Lines and columns count from
//! 1, columns in characters; the end is the first character behind the place.

use serde::Serialize;

use super::locate::Locator;
use super::{Finding, Tally};
use crate::source::{Place, Sources};

#[derive(Serialize)]
struct Document<'a> {
    findings: Vec<Entry<'a>>,
    summary: Summary,
}

#[derive(Serialize)]
struct Entry<'a> {
    code: &'a str,
    severity: &'a str,
    message: &'a str,
    #[serde(flatten)]
    location: Location<'a>,
    label: Option<&'a str>,
    cause: Option<&'a str>,
    help: Option<&'a str>,
    environment: Option<&'a str>,
    component: Option<&'a str>,
    related: Vec<Related<'a>>,
}

#[derive(Serialize)]
struct Related<'a> {
    message: &'a str,
    #[serde(flatten)]
    location: Location<'a>,
}

#[derive(Serialize)]
struct Location<'a> {
    file: &'a str,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
    path: Option<String>,
}

#[derive(Serialize)]
struct Summary {
    errors: usize,
    warnings: usize,
    notes: usize,
}

/// Renders findings as a JSON document.
pub fn render(findings: &[Finding], sources: &Sources) -> String {
    let locator = Locator::new(sources);
    let Tally {
        errors,
        warnings,
        notes,
    } = Tally::of(findings);
    print(&Document {
        findings: findings
            .iter()
            .map(|finding| entry(finding, &locator))
            .collect(),
        summary: Summary {
            errors,
            warnings,
            notes,
        },
    })
}

fn entry<'a>(finding: &'a Finding, locator: &Locator<'a>) -> Entry<'a> {
    let related = finding.related.iter().map(|(place, words)| Related {
        message: words,
        location: location(place, locator),
    });
    Entry {
        code: finding.rule.code,
        severity: finding.severity.name(),
        message: &finding.message,
        location: location(&finding.place, locator),
        label: finding.label.as_deref(),
        cause: finding.cause.as_deref(),
        help: finding.help.as_deref(),
        environment: finding.environment.as_deref(),
        component: finding.component.as_deref(),
        related: related.collect(),
    }
}

fn location<'a>(place: &Place, locator: &Locator<'a>) -> Location<'a> {
    let spot = locator.spot(place);
    let path = match place {
        Place::Path { path, .. } => Some(locator.shown(path)).filter(|path| !path.is_empty()),
        Place::Span { .. } | Place::File { .. } => None,
    };
    Location {
        file: spot.file_name,
        line: spot.line,
        column: spot.column,
        end_line: spot.end_line,
        end_column: spot.end_column,
        path,
    }
}

/// Writes a document with a final newline.
///
/// JSON lets DEL and the C1 controls stand as they are, a terminal does not; they can only occur in strings, where an
/// escape means the same.
pub(super) fn print(document: &impl Serialize) -> String {
    let plain = match serde_json::to_string_pretty(document) {
        Ok(plain) => plain,
        // Structs of texts, numbers and lists only: there is nothing in them that JSON cannot say.
        Err(error) => unreachable!("cannot write findings as JSON: {error}"),
    };
    let mut out = String::with_capacity(plain.len() + 1);
    for letter in plain.chars() {
        if matches!(letter, '\u{7f}'..='\u{9f}') {
            out.push_str(&format!("\\u{:04x}", u32::from(letter)));
        } else {
            out.push(letter);
        }
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use proptest::prelude::*;

    use super::*;
    use crate::diagnostic::locate::tests::{path, toml_like};
    use crate::diagnostic::{Rule, Severity};

    static UNKNOWN_KEY: Rule = Rule {
        code: "unknown-key",
        severity: Severity::Error,
        summary: "a key that nothing reads",
        why: "It would be ignored in silence.",
        fix: "Correct or remove it.",
        allowable: false,
    };

    #[test]
    fn all_fields_are_there_in_order() {
        let mut sources = Sources::default();
        let file = sources.add(
            "platform.toml",
            "[[environments.dev.hosts]]\n\"größe\" = 1\n",
        );
        let other = sources.add("blueprint:minio/nginx.conf.tera", "a\nb\n");
        let keys = path("environments.dev.hosts[0].größe");
        let full = Finding::new(&UNKNOWN_KEY, Place::key(file, keys), "unknown key `größe`")
            .label("nobody reads this")
            .related(Place::span(other, 2..3), "this \"b\"")
            .cause("two\nlines")
            .help("did you mean `size`?")
            .component("minio");
        let full = Finding {
            environment: Some("dev".to_owned()),
            ..full
        };
        assert_snapshot!(render(&[full], &sources), @r#"
        {
          "findings": [
            {
              "code": "unknown-key",
              "severity": "error",
              "message": "unknown key `größe`",
              "file": "platform.toml",
              "line": 2,
              "column": 1,
              "end_line": 2,
              "end_column": 8,
              "path": "environments.dev.hosts[0].\"größe\"",
              "label": "nobody reads this",
              "cause": "two\nlines",
              "help": "did you mean `size`?",
              "environment": "dev",
              "component": "minio",
              "related": [
                {
                  "message": "this \"b\"",
                  "file": "blueprint:minio/nginx.conf.tera",
                  "line": 2,
                  "column": 1,
                  "end_line": 2,
                  "end_column": 2,
                  "path": null
                }
              ]
            }
          ],
          "summary": {
            "errors": 1,
            "warnings": 0,
            "notes": 0
          }
        }
        "#);

        let bare = Finding::new(&UNKNOWN_KEY, Place::File { file }, "odd").severity(Severity::Note);
        assert_snapshot!(render(&[bare], &sources), @r#"
        {
          "findings": [
            {
              "code": "unknown-key",
              "severity": "note",
              "message": "odd",
              "file": "platform.toml",
              "line": 1,
              "column": 1,
              "end_line": 1,
              "end_column": 1,
              "path": null,
              "label": null,
              "cause": null,
              "help": null,
              "environment": null,
              "component": null,
              "related": []
            }
          ],
          "summary": {
            "errors": 0,
            "warnings": 0,
            "notes": 1
          }
        }
        "#);
    }

    #[test]
    fn nothing_to_say() {
        assert_snapshot!(render(&[], &Sources::default()), @r#"
        {
          "findings": [],
          "summary": {
            "errors": 0,
            "warnings": 0,
            "notes": 0
          }
        }
        "#);
    }

    proptest! {
        #[test]
        fn what_is_read_back_is_what_was_said(
            text in toml_like(),
            words in toml_like(),
            span in (0_usize..60, 0_usize..60),
        ) {
            let mut sources = Sources::default();
            let file = sources.add(words.clone(), text);
            let place = Place::Span { file, start: span.0, end: span.1 };
            let finding = Finding::new(&UNKNOWN_KEY, place, words.clone()).cause(words.clone());
            let out = render(&[finding], &sources);
            prop_assert!(!out.contains(|letter: char| letter != '\n' && letter.is_control()));
            let read: serde_json::Value = serde_json::from_str(&out).map_err(|error| {
                TestCaseError::fail(error.to_string())
            })?;
            for field in ["file", "message", "cause"] {
                prop_assert_eq!(&read["findings"][0][field], &serde_json::Value::from(words.as_str()));
            }
        }
    }
}
