//! Sample lines: what is read from a line by a `[logs]` table, as the component that gathers logs will read it.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{CONTINUES, LEVEL_WORDS, LogField, LogFormat, Logs, REDACT, Sample, grok};
use crate::terms::LogKind;

/// What stands in place of what must not be kept: what the first group matched, and a word.
const REDACTED: &str = "${1}[redacted]";

/// Reads a line. Fields that only this system has stand beside those that all have, by the names that patterns give them;
/// `kind` is always there.
pub fn read(logs: &Logs, line: &str) -> BTreeMap<String, String> {
    let mut text = line.to_owned();
    for expression in REDACT
        .iter()
        .copied()
        .chain(logs.redact.iter().map(String::as_str))
    {
        if let Ok(regex) = grok::regex(expression) {
            text = regex.replace_all(&text, REDACTED).into_owned();
        }
    }
    let mut kind = logs.kind.unwrap_or(LogKind::Application);
    let mut found = BTreeMap::new();
    let object = match serde_json::from_str::<Json>(&text) {
        Ok(object) if logs.format == LogFormat::Json && object.is_object() => Some(object),
        _ => None,
    };
    if let Some(object) = object {
        let at = |keys: &[String]| {
            let mut keys = keys.iter();
            let end = keys.try_fold(&object, |inner, key| inner.get(key))?;
            match end {
                Json::Null => None,
                Json::String(text) => Some(text.clone()),
                other => Some(other.to_string()),
            }
        };
        for (field, path) in &logs.fields {
            if let Some(value) = at(path.keys()) {
                found.insert(field.word().to_owned(), value);
            }
        }
        let mut rules = logs.kinds.iter();
        let rule = rules
            .find(|rule| at(rule.field.keys()).is_some_and(|value| rule.values.contains(&value)));
        kind = rule.map_or(kind, |rule| rule.kind);
    } else {
        for pattern in &logs.patterns {
            let Ok(grok) = grok::Grok::compile(&pattern.pattern) else {
                continue;
            };
            if let Some(read) = grok.read(&text) {
                found = read;
                kind = pattern.kind.unwrap_or(kind);
                if let Some(level) = pattern.level {
                    found
                        .entry(LogField::Level.word().to_owned())
                        .or_insert_with(|| level.word().to_owned());
                }
                break;
            }
        }
    }
    if let Some(level) = found.get_mut(LogField::Level.word()) {
        let word = level.to_lowercase();
        let own = logs.levels.get(level.as_str()).copied();
        let usual = LEVEL_WORDS.iter().find(|(known, _)| *known == word);
        if let Some(known) = own.or_else(|| usual.map(|(_, level)| *level)) {
            *level = known.word().to_owned();
            if kind == LogKind::Application && known.is_error() {
                kind = LogKind::Error;
            }
        }
    }
    let message = LogField::Message.word().to_owned();
    found.entry(message).or_insert(text);
    found.insert("kind".to_owned(), kind.word().to_owned());
    found
}

/// Says how what is read from a sample differs from what the blueprint says is read from it.
pub fn misread(logs: &Logs, sample: &Sample) -> Vec<String> {
    let found = read(logs, &sample.line);
    let mut wrong = Vec::new();
    for (name, expected) in &sample.fields {
        match found.get(name) {
            Some(value) if value == expected => {}
            Some(value) => wrong.push(format!(
                "`{name}` is read as `{value}`, not as `{expected}`"
            )),
            None => wrong.push(format!("no `{name}` is read from it")),
        }
    }
    if let Some(time) = found.get(LogField::Time.word()) {
        let mut formats = logs.time.iter();
        let reads = |format: &String| {
            let regex = time_format(format).and_then(|expression| grok::regex(&expression));
            regex.is_ok_and(|regex| regex.is_match(time).unwrap_or(false))
        };
        if !formats.any(reads) {
            wrong.push(format!("none of the formats of times reads `{time}`"));
        }
    }
    // Lines that continue another never arrive alone.
    for (at, line) in sample.line.lines().enumerate() {
        let own = logs.continues.iter().map(String::as_str);
        let joins = own.chain([CONTINUES]).any(|expression| {
            grok::regex(expression).is_ok_and(|regex| regex.is_match(line).unwrap_or(false))
        });
        if joins != (at > 0) {
            let says = if joins {
                "continues what is before it"
            } else {
                "continues nothing"
            };
            wrong.push(format!("line {} of it {says}, as `continues` says", at + 1));
        }
    }
    wrong
}

/// Returns the regular expression of the texts that a format of times stands for.
///
/// # Errors
/// A letter that is none of those that are known.
pub fn time_format(format: &str) -> Result<String, String> {
    match format {
        "ISO8601" => {
            return Ok(
                r"\A\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:Z|[+-]\d{2}(?::?\d{2})?)?)?\z".to_owned(),
            );
        }
        "UNIX" => return Ok(r"\A\d+(?:\.\d+)?\z".to_owned()),
        "UNIX_MS" => return Ok(r"\A\d{13}\z".to_owned()),
        _ => {}
    }
    let mut expression = String::from(r"\A");
    let mut rest = format;
    while let Some(first) = rest.chars().next() {
        if let Some(quoted) = rest.strip_prefix('\'') {
            let (literal, after) = quoted
                .split_once('\'')
                .ok_or_else(|| "a quote is never closed".to_owned())?;
            literal
                .chars()
                .for_each(|next| push_literal(&mut expression, next));
            rest = after;
            continue;
        }
        let length = rest.chars().take_while(|next| *next == first).count();
        match (first, length) {
            ('y' | 'Y', 4) => expression.push_str(r"\d{4}"),
            ('M', 3) => expression.push_str("[A-Z][a-z]{2}"),
            ('M' | 'd' | 'H' | 'm' | 's', 2) => expression.push_str(r"\d{2}"),
            ('S', 1..=9) => expression.push_str(&format!(r"\d{{{length}}}")),
            ('Z', 1) => expression.push_str(r"[+-]\d{4}"),
            ('Z', 2) => expression.push_str(r"[+-]\d{2}:\d{2}"),
            _ if first.is_ascii_alphabetic() => {
                return Err(format!(
                    "`{}` stands for no part of a time",
                    &rest[..length]
                ));
            }
            _ => (0..length).for_each(|_| push_literal(&mut expression, first)),
        }
        rest = &rest[first.len_utf8() * length..];
    }
    expression.push_str(r"\z");
    Ok(expression)
}

fn push_literal(expression: &mut String, next: char) {
    if !next.is_alphanumeric() && next != ' ' {
        expression.push('\\');
    }
    expression.push(next);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logs(text: &str) -> Logs {
        toml::from_str(text).expect("a table")
    }

    #[test]
    fn secrets_are_taken_out_of_every_line() {
        for (line, kept) in [
            ("password=abc123 next", "password=[redacted] next"),
            (
                r#"{"db_password": "abc123", "x": 1}"#,
                r#"{"db_password": "[redacted]", "x": 1}"#,
            ),
            (
                r#"{"m":"{\"token\":\"abc\"}"}"#,
                r#"{"m":"{\"token\":\"[redacted]\"}"}"#,
            ),
            (
                "Authorization: Bearer abcdefgh.ijk",
                "Authorization: Bearer [redacted]",
            ),
            (
                "postgresql://me:abc@db:5432/x",
                "postgresql://[redacted]@db:5432/x",
            ),
            ("GET http://minio:9000/a@b", "GET http://minio:9000/a@b"),
            ("the password is wrong", "the password is wrong"),
        ] {
            assert_eq!(read(&Logs::default(), line)["message"], kept, "{line}");
        }
    }

    #[test]
    fn an_error_of_an_application_is_kept_as_an_error() {
        let logs = logs(
            "format = 'json'\nfields = { level = 'lvl' }\nlevels = { LOG = 'info' }\n\
             kinds = [{ field = ['a', 'b'], values = ['x'], kind = 'audit' }]\n\
             patterns = [{ match = 'plain %{WORD:level}' }, { match = '%{WORD:level}' }]",
        );
        for (line, kind, level) in [
            (r#"{"lvl":"ERROR"}"#, "error", Some("error")),
            (r#"{"lvl":"LOG"}"#, "application", Some("info")),
            (r#"{"lvl":"ERROR","a":{"b":"x"}}"#, "audit", Some("error")),
            ("plain fatal", "error", Some("critical")),
            ("warn", "application", Some("warning")),
            ("no pattern for this", "application", None),
        ] {
            let read = read(&logs, line);
            assert_eq!(read["kind"], kind, "{line}");
            assert_eq!(read.get("level").map(String::as_str), level, "{line}");
        }
    }

    #[test]
    fn what_differs_from_a_sample_is_said() {
        let logs = logs(
            "patterns = [{ match = '%{TIMESTAMP_ISO8601:time} %{GREEDYMULTILINE:message}' }]\n\
             time = ['yyyy-MM-dd HH:mm:ss,SSS']\ncontinues = ['^Caused by']",
        );
        let wrong = |line: &str, name: &str, value: &str| {
            misread(
                &logs,
                &Sample {
                    line: line.to_owned(),
                    fields: BTreeMap::from([(name.to_owned(), value.to_owned())]),
                },
            )
        };
        assert_eq!(
            wrong("2026-11-23 02:43:08,123 a", "message", "a"),
            Vec::<String>::new()
        );
        assert_eq!(
            wrong("2026-11-23 02:43:08,123 a\n b", "message", "a\n b"),
            Vec::<String>::new()
        );
        assert_eq!(
            wrong(
                "2026-11-23 02:43:08,123 a\nCaused by b",
                "kind",
                "application"
            ),
            Vec::<String>::new()
        );
        assert_eq!(wrong("2026-11-23 02:43:08,123 a", "message", "b").len(), 1);
        assert_eq!(wrong("2026-11-23 02:43:08,123 a", "level", "b").len(), 1);
        assert_eq!(wrong("2026-11-23 02:43:08.123 a", "message", "a").len(), 1);
        assert_eq!(
            wrong("2026-11-23 02:43:08,123 a\nb", "message", "a\nb").len(),
            1
        );
        assert_eq!(wrong(" a", "message", " a").len(), 1);
    }

    #[test]
    fn formats_of_times_are_understood_or_refused() {
        for (format, text) in [
            ("ISO8601", "2026-11-23T02:43:08.123456Z"),
            ("UNIX_MS", "1795401788123"),
            ("dd/MMM/yyyy:HH:mm:ss Z", "23/Nov/2026:02:43:08 +0000"),
            (
                "yyyy-MM-dd HH:mm:ss.SSS 'UTC'",
                "2026-11-23 02:43:08.123 UTC",
            ),
        ] {
            let regex = grok::regex(&time_format(format).expect(format)).expect(format);
            assert!(regex.is_match(text).expect("matched"), "{format}");
            assert!(!regex.is_match("yesterday").expect("matched"), "{format}");
        }
        assert!(time_format("yyyy-qq").is_err());
        assert!(time_format("HH 'x").is_err());
    }
}
