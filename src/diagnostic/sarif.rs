//! Findings for code scanning, as SARIF 2.1.0.
//!
//! What OASIS requires, and what GitHub requires besides (its page "SARIF support for code scanning"): every rule with
//! its three texts, every location with all four numbers of its region. Fingerprints are left to GitHub's upload action,
//! which makes them from the source files. Only the rules that occur are listed.

use std::collections::BTreeMap;

use serde::Serialize;

use super::locate::Locator;
use super::{Finding, Rule, json};
use crate::source::{Place, Sources};

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Log<'a> {
    #[serde(rename = "$schema")]
    schema: &'a str,
    version: &'a str,
    runs: [Run<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'a> {
    tool: Tool<'a>,
    column_kind: &'a str,
    results: Vec<Outcome<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Tool<'a> {
    driver: Driver<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver<'a> {
    name: &'a str,
    rules: Vec<Descriptor<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor<'a> {
    id: &'a str,
    short_description: Message<'a>,
    full_description: Message<'a>,
    help: Message<'a>,
    default_configuration: Configuration<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Configuration<'a> {
    level: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome<'a> {
    rule_id: &'a str,
    rule_index: usize,
    level: &'a str,
    message: Message<'a>,
    locations: [Location<'a>; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related_locations: Vec<Location<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<usize>,
    physical_location: PhysicalLocation,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Message<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: ArtifactLocation,
    region: Region,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactLocation {
    uri: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: usize,
    start_column: usize,
    end_line: usize,
    end_column: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    text: std::borrow::Cow<'a, str>,
}

impl<'a> From<&'a str> for Message<'a> {
    fn from(text: &'a str) -> Self {
        Self { text: text.into() }
    }
}

/// Renders findings as a SARIF log with one run.
pub fn render(findings: &[Finding], sources: &Sources) -> String {
    let locator = Locator::new(sources);
    let rules: BTreeMap<&str, &Rule> = findings
        .iter()
        .map(|finding| (finding.rule.code, finding.rule))
        .collect();
    let indices: BTreeMap<&str, usize> = rules
        .keys()
        .enumerate()
        .map(|(index, code)| (*code, index))
        .collect();
    let results = findings.iter().map(|finding| {
        let index = indices.get(finding.rule.code).copied().unwrap_or_default();
        outcome(finding, index, &locator)
    });
    json::print(&Log {
        schema: SCHEMA,
        version: "2.1.0",
        runs: [Run {
            tool: Tool {
                driver: Driver {
                    name: "lakewright",
                    rules: rules.values().map(|rule| descriptor(rule)).collect(),
                },
            },
            column_kind: "unicodeCodePoints",
            results: results.collect(),
        }],
    })
}

fn descriptor(rule: &Rule) -> Descriptor<'_> {
    Descriptor {
        id: rule.code,
        short_description: rule.summary.into(),
        full_description: rule.why.into(),
        help: rule.fix.into(),
        default_configuration: Configuration {
            level: rule.severity.name(),
        },
    }
}

fn outcome<'a>(finding: &'a Finding, index: usize, locator: &Locator<'_>) -> Outcome<'a> {
    let related = finding
        .related
        .iter()
        .enumerate()
        .map(|(id, (place, words))| {
            let mut location = location(place, locator, Some(words.as_str()));
            location.id = Some(id);
            location
        });
    Outcome {
        rule_id: finding.rule.code,
        rule_index: index,
        level: finding.severity.name(),
        message: message(finding),
        locations: [location(&finding.place, locator, finding.label.as_deref())],
        related_locations: related.collect(),
    }
}

/// The message is all that a viewer is sure to show, so it holds the reason and the way out as well.
fn message(finding: &Finding) -> Message<'_> {
    let parts = [
        Some(finding.message.clone()),
        finding
            .cause
            .as_ref()
            .map(|cause| cause.trim_end().to_owned()),
        finding
            .help
            .as_ref()
            .map(|help| format!("help: {}", help.trim_end())),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    Message {
        text: parts.join("\n\n").into(),
    }
}

fn location<'a>(place: &Place, locator: &Locator<'_>, words: Option<&'a str>) -> Location<'a> {
    let spot = locator.spot(place);
    Location {
        id: None,
        physical_location: PhysicalLocation {
            artifact_location: ArtifactLocation {
                uri: uri(spot.file_name),
            },
            region: Region {
                start_line: spot.line,
                start_column: spot.column,
                end_line: spot.end_line,
                end_column: spot.end_column,
            },
        },
        message: words.map(Message::from),
    }
}

/// Returns a file name as a URI reference (RFC 3986).
///
/// Colons are escaped as well, or `blueprint:superset/x` would name a scheme; GitHub rejects an upload whose schemes
/// differ from that of the checkout.
fn uri(file_name: &str) -> String {
    let relative = file_name.strip_prefix("./").unwrap_or(file_name);
    let mut out = String::new();
    if relative.starts_with('/') {
        out.push_str("file://");
    }
    for byte in relative.bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::diagnostic::Severity;
    use crate::diagnostic::locate::tests::path;

    static UNKNOWN_KEY: Rule = Rule {
        code: "unknown-key",
        severity: Severity::Error,
        summary: "a key that nothing reads",
        why: "It would be ignored in silence.",
        fix: "Correct or remove it.",
        allowable: false,
    };

    static HOST_OVER_BUDGET: Rule = Rule {
        code: "host-over-budget",
        severity: Severity::Warning,
        summary: "a host has less than its services take",
        why: "They would be killed.",
        fix: "Add memory or move services.",
        allowable: true,
    };

    fn log() -> String {
        let mut sources = Sources::default();
        let file = sources.add("./my platform.toml", "größe = \"日\"\nport = 1\n");
        let other = sources.add("blueprint:minio/a.tera", "x\n");
        let unknown = Finding::new(&UNKNOWN_KEY, Place::value(file, path("größe")), "odd `日`")
            .label("this one")
            .cause("because\n")
            .help("remove it\n")
            .related(Place::File { file: other }, "embedded");
        let over = Finding::new(&HOST_OVER_BUDGET, Place::File { file }, "short")
            .severity(Severity::Error);
        render(&[unknown.clone(), over, unknown], &sources)
    }

    #[test]
    fn a_log_with_the_rules_that_occur() {
        assert_snapshot!(log(), @r#"
        {
          "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
          "version": "2.1.0",
          "runs": [
            {
              "tool": {
                "driver": {
                  "name": "lakewright",
                  "rules": [
                    {
                      "id": "host-over-budget",
                      "shortDescription": {
                        "text": "a host has less than its services take"
                      },
                      "fullDescription": {
                        "text": "They would be killed."
                      },
                      "help": {
                        "text": "Add memory or move services."
                      },
                      "defaultConfiguration": {
                        "level": "warning"
                      }
                    },
                    {
                      "id": "unknown-key",
                      "shortDescription": {
                        "text": "a key that nothing reads"
                      },
                      "fullDescription": {
                        "text": "It would be ignored in silence."
                      },
                      "help": {
                        "text": "Correct or remove it."
                      },
                      "defaultConfiguration": {
                        "level": "error"
                      }
                    }
                  ]
                }
              },
              "columnKind": "unicodeCodePoints",
              "results": [
                {
                  "ruleId": "unknown-key",
                  "ruleIndex": 1,
                  "level": "error",
                  "message": {
                    "text": "odd `日`\n\nbecause\n\nhelp: remove it"
                  },
                  "locations": [
                    {
                      "physicalLocation": {
                        "artifactLocation": {
                          "uri": "my%20platform.toml"
                        },
                        "region": {
                          "startLine": 1,
                          "startColumn": 9,
                          "endLine": 1,
                          "endColumn": 12
                        }
                      },
                      "message": {
                        "text": "this one"
                      }
                    }
                  ],
                  "relatedLocations": [
                    {
                      "id": 0,
                      "physicalLocation": {
                        "artifactLocation": {
                          "uri": "blueprint%3Aminio/a.tera"
                        },
                        "region": {
                          "startLine": 1,
                          "startColumn": 1,
                          "endLine": 1,
                          "endColumn": 1
                        }
                      },
                      "message": {
                        "text": "embedded"
                      }
                    }
                  ]
                },
                {
                  "ruleId": "host-over-budget",
                  "ruleIndex": 0,
                  "level": "error",
                  "message": {
                    "text": "short"
                  },
                  "locations": [
                    {
                      "physicalLocation": {
                        "artifactLocation": {
                          "uri": "my%20platform.toml"
                        },
                        "region": {
                          "startLine": 1,
                          "startColumn": 1,
                          "endLine": 1,
                          "endColumn": 1
                        }
                      }
                    }
                  ]
                },
                {
                  "ruleId": "unknown-key",
                  "ruleIndex": 1,
                  "level": "error",
                  "message": {
                    "text": "odd `日`\n\nbecause\n\nhelp: remove it"
                  },
                  "locations": [
                    {
                      "physicalLocation": {
                        "artifactLocation": {
                          "uri": "my%20platform.toml"
                        },
                        "region": {
                          "startLine": 1,
                          "startColumn": 9,
                          "endLine": 1,
                          "endColumn": 12
                        }
                      },
                      "message": {
                        "text": "this one"
                      }
                    }
                  ],
                  "relatedLocations": [
                    {
                      "id": 0,
                      "physicalLocation": {
                        "artifactLocation": {
                          "uri": "blueprint%3Aminio/a.tera"
                        },
                        "region": {
                          "startLine": 1,
                          "startColumn": 1,
                          "endLine": 1,
                          "endColumn": 1
                        }
                      },
                      "message": {
                        "text": "embedded"
                      }
                    }
                  ]
                }
              ]
            }
          ]
        }
        "#);
    }

    #[test]
    fn nothing_to_say() {
        assert_snapshot!(render(&[], &Sources::default()), @r#"
        {
          "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
          "version": "2.1.0",
          "runs": [
            {
              "tool": {
                "driver": {
                  "name": "lakewright",
                  "rules": []
                }
              },
              "columnKind": "unicodeCodePoints",
              "results": []
            }
          ]
        }
        "#);
    }

    /// What GitHub marks as required, but for the fingerprints that its upload action adds.
    #[test]
    fn what_code_scanning_requires_is_there() {
        let log: serde_json::Value = serde_json::from_str(&log()).expect("a document");
        assert_eq!(log["version"], "2.1.0");
        let run = &log["runs"][0];
        let driver = &run["tool"]["driver"];
        assert!(driver["name"].is_string());
        let rules = driver["rules"].as_array().expect("rules");
        for rule in rules {
            for text in ["shortDescription", "fullDescription", "help"] {
                assert!(rule[text]["text"].is_string(), "{text} of {rule}");
            }
        }
        let results = run["results"].as_array().expect("results");
        assert_eq!(results.len(), 3);
        for result in results {
            let index = result["ruleIndex"].as_u64().expect("an index");
            let index = usize::try_from(index).expect("a small index");
            assert_eq!(result["ruleId"], rules[index]["id"]);
            assert!(result["message"]["text"].is_string());
            let place = &result["locations"][0]["physicalLocation"];
            let uri = place["artifactLocation"]["uri"].as_str().expect("a uri");
            assert!(!uri.contains([':', ' ']) && !uri.starts_with('/'), "{uri}");
            for number in ["startLine", "startColumn", "endLine", "endColumn"] {
                assert!(
                    place["region"][number].as_u64() >= Some(1),
                    "{number} of {place}"
                );
            }
        }
    }

    #[test]
    fn file_names_become_uri_references() {
        assert_snapshot!(uri("./platform.toml"), @"platform.toml");
        assert_snapshot!(uri("../a b/größe%.toml"), @"../a%20b/gr%C3%B6%C3%9Fe%25.toml");
        assert_snapshot!(uri("/srv/platform.toml"), @"file:///srv/platform.toml");
        assert_snapshot!(uri("blueprint:minio/a.tera"), @"blueprint%3Aminio/a.tera");
        assert_snapshot!(uri("a?b#c\u{1b}"), @"a%3Fb%23c%1B");
    }
}
