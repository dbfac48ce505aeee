//! Grok: regular expressions with names for their common parts.
//!
//! The parts are Lakewright's own, a small set that means the same to Oniguruma, which Logstash reads patterns with,
//! and to the engine that reads sample lines here. They bear the names that Logstash has for them, and travel with each
//! pattern, so that what was tried is what runs.

use std::collections::{BTreeMap, BTreeSet};

use fancy_regex::{Regex, RegexBuilder};

use super::LogField;

/// The parts, by name.
pub const PARTS: &[(&str, &str)] = &[
    ("DATA", r".*?"),
    ("GREEDYDATA", r".*"),
    // Also what follows on more lines.
    ("GREEDYMULTILINE", r"(?:.|\n)*"),
    (
        "HTTPDATE",
        r"\d{2}/[A-Z][a-z]{2}/\d{4}:\d{2}:\d{2}:\d{2} [+-]\d{4}",
    ),
    ("INT", r"[+-]?\d+"),
    ("IPORHOST", r"[0-9A-Za-z][0-9A-Za-z.:_-]*|::[0-9A-Fa-f.:]*"),
    ("JAVACLASS", r"[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*"),
    ("LOGLEVEL", r"[A-Za-z]+"),
    ("NOTSPACE", r"\S+"),
    ("NUMBER", r"[+-]?\d+(?:\.\d+)?"),
    ("SIGN", r"[^\w\s]"),
    ("SPACE", r"\s*"),
    (
        "TIMESTAMP_ISO8601",
        r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:[.,]\d+)?(?:Z|[+-]\d{2}:?\d{2})?",
    ),
    ("URIPATH", r#"/[^\s?"]*"#),
    (
        "UUID",
        r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
    ),
    ("WORD", r"\w+"),
];

/// A pattern that was understood.
#[derive(Debug)]
pub struct Grok {
    regex: Regex,
    /// Names of what is kept, in the order of the groups `f0`, `f1`, ….
    fields: Vec<String>,
    /// Names of the parts that it uses.
    pub parts: BTreeSet<&'static str>,
    /// The pattern for Logstash: of the whole text, what is kept under the names of its fields.
    pub written: String,
}

impl Grok {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn compile(pattern: &str) -> Result<Self, String> {
        let mut expression = String::from(r"\A");
        let mut written = String::from(r"\A");
        let mut fields: Vec<String> = Vec::new();
        let mut parts = BTreeSet::new();
        let mut rest = pattern;
        while let Some((before, after)) = rest.split_once("%{") {
            let (inner, after) = after
                .split_once('}')
                .ok_or_else(|| "a `%{` is never closed".to_owned())?;
            let (name, field) = match inner.split_once(':') {
                Some((name, field)) => (name, Some(field)),
                None => (inner, None),
            };
            let (name, part) = PARTS
                .iter()
                .find(|(known, _)| *known == name)
                .ok_or_else(|| unknown(name))?;
            parts.insert(*name);
            expression.push_str(before);
            written.push_str(before);
            match field {
                None => {
                    expression.push_str(&format!("(?:{part})"));
                    written.push_str(&format!("%{{{name}}}"));
                }
                Some(field) if is_name(field) => {
                    if fields.iter().any(|known| known == field) {
                        return Err(format!("`{field}` is kept twice"));
                    }
                    expression.push_str(&format!("(?<f{}>{part})", fields.len()));
                    written.push_str(&format!("%{{{name}:{}}}", reference(field)));
                    fields.push(field.to_owned());
                }
                Some(field) => {
                    return Err(format!(
                        "`{field}` is no name of a field: lower-case letters, digits and `_`"
                    ));
                }
            }
            rest = after;
        }
        expression.push_str(rest);
        written.push_str(rest);
        expression.push_str(r"\z");
        written.push_str(r"\z");
        Ok(Self {
            regex: regex(&expression).map_err(|error| format!("no regular expression: {error}"))?,
            fields,
            parts,
            written,
        })
    }

    /// Reads a text: what is kept of it by name, if it fits.
    pub fn read(&self, text: &str) -> Option<BTreeMap<String, String>> {
        // A pattern that takes too long on a text counts as one that does not fit, as it does in Logstash.
        let captures = self.regex.captures(text).ok().flatten()?;
        let names = self.fields.iter().enumerate();
        let found = names.filter_map(|(at, field)| {
            let found = captures.name(&format!("f{at}"))?.as_str();
            (!found.is_empty()).then(|| (field.clone(), found.to_owned()))
        });
        Some(found.collect())
    }
}

/// Reads a regular expression the way that Ruby does: `^` and `$` are those of lines.
///
/// # Errors
/// What is wrong with it.
pub fn regex(text: &str) -> Result<Regex, String> {
    RegexBuilder::new(text)
        .multi_line(true)
        .build()
        .map_err(|error| error.to_string())
}

/// Returns how Logstash refers to what a pattern keeps: fields that all systems share on their way to their place, others
/// among the attributes.
pub fn reference(field: &str) -> String {
    match LogField::from_word(field) {
        Some(_) => format!("[line][{field}]"),
        None => format!("[attributes][{field}]"),
    }
}

fn unknown(name: &str) -> String {
    let names: Vec<&str> = PARTS.iter().map(|(name, _)| *name).collect();
    format!("there is no `%{{{name}}}`; there are {}", names.join(", "))
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text
            .chars()
            .all(|next| next.is_ascii_lowercase() || next.is_ascii_digit() || next == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_fits_whole_texts_only() {
        let grok = Grok::compile("%{INT:process} %{LOGLEVEL:level}(?: %{NOTSPACE:extra})?")
            .expect("a pattern");
        assert_eq!(grok.read("12 warn!"), None);
        assert_eq!(grok.read("x 12 warn"), None);
        let read = grok.read("12 warn").expect("it fits");
        assert_eq!(read["process"], "12");
        assert_eq!(read.get("extra"), None);
        assert_eq!(
            grok.written,
            r"\A%{INT:[line][process]} %{LOGLEVEL:[line][level]}(?: %{NOTSPACE:[attributes][extra]})?\z"
        );
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for (pattern, reason) in [
            ("%{NOPE}", "there is no `%{NOPE}`"),
            ("%{WORD", "never closed"),
            ("%{WORD:A b}", "no name of a field"),
            ("%{WORD:level} %{WORD:level}", "kept twice"),
            ("(", "no regular expression"),
        ] {
            let error = Grok::compile(pattern).expect_err(pattern);
            assert!(error.contains(reason), "{pattern}: {error}");
        }
    }
}
