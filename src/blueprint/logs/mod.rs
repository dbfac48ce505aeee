//! What services write to their logs: the `[logs.NAME]` tables of a blueprint.
//!
//! A blueprint says once how its lines are read. The component that gathers logs turns that into its own configuration
//! with what `resolve` puts in scope, and [`sample`] reads the blueprint's sample lines the same way, so that a pattern
//! that misses its line is found here and not in a search that finds nothing.

pub mod grok;
pub mod sample;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::terms::{LogKind, LogLevel};

/// The table that holds for every service and job that names no other.
pub const DEFAULT: &str = "default";

/// How lines are read that a service writes to its standard output and error.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Logs {
    /// Whether lines are JSON objects. Lines that are none are read by the patterns all the same.
    #[serde(default)]
    pub format: LogFormat,
    /// Kind of the lines, unless a pattern or a rule says another.
    pub kind: Option<LogKind>,
    /// Where a JSON object has what: the name of its key, or a list of names that lead into it.
    #[serde(default)]
    pub fields: BTreeMap<LogField, KeyPath>,
    /// Kinds of JSON objects by the value that a key has; the first that fits counts.
    #[serde(default)]
    pub kinds: Vec<KindRule>,
    /// Grok patterns of whole lines that are no JSON; the first that fits counts.
    #[serde(default)]
    pub patterns: Vec<Pattern>,
    /// What the system's own words for levels mean, where they are not the usual ones.
    #[serde(default)]
    pub levels: BTreeMap<String, LogLevel>,
    /// Formats of times, as Logstash's `date` filter has them: `ISO8601`, `UNIX`, `UNIX_MS`, or letters; in UTC.
    #[serde(default)]
    pub time: Vec<String>,
    /// Regular expressions of lines that belong to the line before, beside those that begin with a space or a tab; without
    /// looking around.
    #[serde(default)]
    pub continues: Vec<String>,
    /// Regular expressions of what must not be kept, beside what is taken out of every line. What a first group in one
    /// matches stays.
    #[serde(default)]
    pub redact: Vec<String>,
    /// Lines as the system writes them, and what is read from them.
    #[serde(default)]
    pub samples: Vec<Sample>,
}

/// Format of the lines of a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum LogFormat {
    /// Plain text.
    #[default]
    Text,
    /// One JSON object in each line.
    Json,
}

/// A key of a JSON object, or the keys that lead into it.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum KeyPath {
    /// A key of the object itself; dots mean nothing in it.
    #[schemars(title = "a text")]
    Key(String),
    /// A key in an object in the object.
    #[schemars(title = "a list of texts")]
    Path(Vec<String>),
}

impl KeyPath {
    /// Returns the keys, from the outermost on.
    pub fn keys(&self) -> &[String] {
        match self {
            Self::Key(key) => std::slice::from_ref(key),
            Self::Path(keys) => keys,
        }
    }
}

/// What kind a JSON object is when one of its keys has one of some values.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KindRule {
    /// The key.
    pub field: KeyPath,
    /// Its values.
    pub values: Vec<String>,
    /// The kind.
    pub kind: LogKind,
}

/// A grok pattern of a whole line.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pattern {
    /// The pattern: `%{NAME}`, or `%{NAME:field}` to keep what it matches.
    #[serde(rename = "match")]
    pub pattern: String,
    /// Kind of the lines that fit.
    pub kind: Option<LogKind>,
    /// Level of the lines that fit, where they do not say it themselves.
    pub level: Option<LogLevel>,
}

/// A line as the system writes it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// The line; several, where others continue it.
    pub line: String,
    /// What is read from it, by name: at least this. `kind` is one of the names.
    pub fields: BTreeMap<String, String>,
}

/// Defines [`LogField`]: the word in blueprints, the field of the Elastic Common Schema, its type there.
macro_rules! fields {
    ($($(#[$doc:meta])* $variant:ident = $word:literal, $path:expr, $kind:literal;)+) => {
        /// A field that means the same for every system.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Deserialize, JsonSchema)]
        #[schemars(inline)]
        pub enum LogField {
            $($(#[$doc])* #[serde(rename = $word)] $variant,)+
        }

        impl LogField {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Returns the word that stands for it in blueprints.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// Returns the path of the field of the Elastic Common Schema.
            pub fn path(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &$path,)+ }
            }

            /// Returns the field's type in an index of Elasticsearch.
            pub fn index_type(self) -> &'static str {
                match self { $(Self::$variant => $kind,)+ }
            }
        }
    };
}

fields! {
    /// When.
    Time = "time", ["@timestamp"], "date";
    /// How bad.
    Level = "level", ["log", "level"], "keyword";
    /// What happened, in words.
    Message = "message", ["message"], "match_only_text";
    /// Part of the program that says it.
    Logger = "logger", ["log", "logger"], "keyword";
    /// Number of the process.
    Process = "process", ["process", "pid"], "long";
    /// Name of the thread.
    Thread = "thread", ["process", "thread", "name"], "keyword";
    /// Who asks: address or host name.
    Client = "client", ["client", "address"], "keyword";
    /// The user on whose behalf.
    User = "user", ["user", "name"], "keyword";
    /// What is done.
    Action = "action", ["event", "action"], "keyword";
    /// How that ended.
    Outcome = "outcome", ["event", "outcome"], "keyword";
    /// How long it took, in milliseconds.
    DurationMs = "duration_ms", ["event", "duration_ms"], "double";
    /// Host name that was asked for.
    Host = "host", ["url", "domain"], "keyword";
    /// Path that was asked for.
    Path = "path", ["url", "path"], "keyword";
    /// HTTP method.
    Method = "method", ["http", "request", "method"], "keyword";
    /// Identifier of an HTTP request.
    Request = "request", ["http", "request", "id"], "keyword";
    /// Bytes that were received.
    BytesIn = "bytes_in", ["http", "request", "bytes"], "long";
    /// Bytes that were sent.
    BytesOut = "bytes_out", ["http", "response", "bytes"], "long";
    /// HTTP status.
    Status = "status", ["http", "response", "status_code"], "long";
    /// Program of an HTTP client.
    Agent = "agent", ["user_agent", "original"], "keyword";
    /// Identifier of a trace.
    Trace = "trace", ["trace", "id"], "keyword";
    /// Identifier of a span in it.
    Span = "span", ["span", "id"], "keyword";
    /// What went wrong, in words.
    Error = "error", ["error", "message"], "match_only_text";
    /// What went wrong, as a class.
    ErrorType = "error_type", ["error", "type"], "keyword";
    /// Where it went wrong.
    Stack = "stack", ["error", "stack_trace"], "match_only_text";
}

impl LogField {
    /// Returns the field that a word stands for.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|field| field.word() == word)
    }
}

/// Words that programs have for levels, in lower case, and what they mean.
pub const LEVEL_WORDS: &[(&str, LogLevel)] = &[
    ("alert", LogLevel::Critical),
    ("crit", LogLevel::Critical),
    ("critical", LogLevel::Critical),
    ("debug", LogLevel::Debug),
    ("emerg", LogLevel::Critical),
    ("emergency", LogLevel::Critical),
    ("err", LogLevel::Error),
    ("error", LogLevel::Error),
    ("fatal", LogLevel::Critical),
    ("info", LogLevel::Info),
    ("information", LogLevel::Info),
    ("notice", LogLevel::Notice),
    ("panic", LogLevel::Critical),
    ("severe", LogLevel::Error),
    ("trace", LogLevel::Trace),
    ("warn", LogLevel::Warning),
    ("warning", LogLevel::Warning),
];

/// What is taken out of every line, whoever wrote it: what matches, but for what its first group matches.
///
/// Values that follow a telling name, what authorises a request, and credentials in addresses.
pub const REDACT: &[&str] = &[
    // \x22 is a double quote: a pipeline of Logstash cannot hold both kinds.
    r"(?i)((?:password|passwd|secret|token|access_?key|api_?key)(?:_key|_hash)?[\\\x22']{0,3}\s*[:=]\s*[\\\x22']{0,3})[^\s\\\x22',;&)}]+",
    r"(?i)(\b(?:bearer|basic) )[\w.~+/=-]{8,}",
    r"(://)[^\s/@:]*:[^\s/@]+(?=@)",
];

/// What continues the line before, whoever wrote it.
pub const CONTINUES: &str = r"^\s+\S";

/// A fault of a `[logs]` table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// Keys below the table that lead to it.
    pub keys: Vec<String>,
    /// What is wrong.
    pub message: String,
}

/// Reads a table's patterns and samples, and says what is wrong with them.
pub fn faults(logs: &Logs) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut report = |keys: &[&str], message: String| {
        faults.push(Fault {
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            message,
        });
    };
    for (at, pattern) in logs.patterns.iter().enumerate() {
        if let Err(error) = grok::Grok::compile(&pattern.pattern) {
            report(&["patterns", &at.to_string(), "match"], error);
        }
    }
    for (list, texts) in [("continues", &logs.continues), ("redact", &logs.redact)] {
        for (at, text) in texts.iter().enumerate() {
            let at = at.to_string();
            if let Err(error) = grok::regex(text) {
                report(&[list, &at], format!("no regular expression: {error}"));
            }
            // What joins lines knows regular languages only.
            if list == "continues"
                && ["(?=", "(?!", "(?<", "(?>"]
                    .iter()
                    .any(|it| text.contains(it))
            {
                report(
                    &[list, &at],
                    "what joins lines cannot look around".to_owned(),
                );
            }
        }
    }
    for (at, format) in logs.time.iter().enumerate() {
        if let Err(error) = sample::time_format(format) {
            report(&["time", &at.to_string()], error);
        }
    }
    if !faults.is_empty() {
        return faults;
    }
    for (at, sample) in logs.samples.iter().enumerate() {
        for message in sample::misread(logs, sample) {
            faults.push(Fault {
                keys: vec!["samples".to_owned(), at.to_string()],
                message,
            });
        }
    }
    faults
}
