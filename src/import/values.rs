//! Values of Compose files: names, variables, sizes, times, and what looks like a secret.

use crate::names;
use crate::units::Bytes;

/// Makes a legal name of a service's.
pub(super) fn component_name(name: &str) -> String {
    let mut legal: String = name
        .to_lowercase()
        .chars()
        .map(|next| {
            if next.is_ascii_alphanumeric() {
                next
            } else {
                '-'
            }
        })
        .take(names::LONGEST_NAME)
        .collect();
    legal = legal.trim_matches('-').to_owned();
    if names::is_name(&legal) {
        legal
    } else {
        format!("s-{legal}").trim_end_matches('-').to_owned()
    }
}

/// Replaces `${NAME:-default}` by its default; nothing where there is none.
pub(super) fn default_of(text: &str) -> Option<String> {
    let mut result = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        result.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            result.push('$');
            rest = after;
            continue;
        }
        let (variable, behind) = after.strip_prefix('{')?.split_once('}')?;
        let (_, default) = variable
            .split_once(":-")
            .or_else(|| variable.split_once('-'))?;
        // A default that names another variable says nothing.
        if default.contains('$') {
            return None;
        }
        result.push_str(default);
        rest = behind;
    }
    result.push_str(rest);
    Some(result)
}

/// Reads a size as Compose writes it, and writes it as topologies do.
pub(super) fn memory(text: &str) -> Option<String> {
    let text = default_of(text)?.trim().to_lowercase();
    let digits = text
        .find(|next: char| !next.is_ascii_digit())
        .unwrap_or(text.len());
    let number: u64 = text[..digits].parse().ok()?;
    let unit = match text[digits..].trim_end_matches('b') {
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        "" => 1,
        _ => return None,
    };
    Some(Bytes(number.checked_mul(unit)?).to_string())
}

/// Words in names of variables whose values nobody else should read.
const SECRET_WORDS: &[&str] = &[
    "password",
    "passwd",
    "secret",
    "token",
    "apikey",
    "api_key",
    "access_key",
    "private",
];

/// Says whether the name of a variable is that of a secret.
pub(super) fn is_secret(name: &str) -> bool {
    let lower = name.to_lowercase();
    SECRET_WORDS.iter().any(|word| lower.contains(word))
}

/// Says whether a text seems to hold a secret: `--password x`, `postgresql://user:password@host/`.
pub(super) fn holds_secret(text: &str) -> bool {
    let in_address = || {
        let (_, rest) = text.split_once("://")?;
        let (user, _) = rest.split(['/', ' ']).next()?.split_once('@')?;
        user.contains(':').then_some(())
    };
    in_address().is_some()
        || text.split_whitespace().any(|word| {
            let lower = word.to_lowercase();
            word.starts_with('-')
                && SECRET_WORDS
                    .iter()
                    .chain(&["pass", "pwd"])
                    .any(|word| lower.contains(word))
        })
}

/// Splits a command as shells do; nothing, where a quote does not end.
pub(super) fn words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut letters = text.chars();
    while let Some(next) = letters.next() {
        match (quote, next) {
            (Some(open), next) if open == next => quote = None,
            (Some('\''), next) => word.get_or_insert_default().push(next),
            (_, '\\') => word.get_or_insert_default().push(letters.next()?),
            (Some(_), next) => word.get_or_insert_default().push(next),
            (None, '\'' | '"') => {
                quote = Some(next);
                word.get_or_insert_default();
            }
            (None, next) if next.is_whitespace() => words.extend(word.take()),
            (None, next) => word.get_or_insert_default().push(next),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

/// Reads a time as Compose writes it, `1m30s`, in seconds.
pub(super) fn seconds(text: &str) -> Option<u64> {
    let mut total = 0_u64;
    let mut number = String::new();
    let mut letters = text.trim().chars().peekable();
    while let Some(next) = letters.next() {
        if next.is_ascii_digit() {
            number.push(next);
            continue;
        }
        let factor = match next {
            'h' => 3600,
            'm' if letters.peek() == Some(&'s') => return None,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(factor)?)?;
        number.clear();
    }
    (number.is_empty() && total > 0).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_compose_does() {
        assert_eq!(default_of("a${X:-b}$$"), Some("ab$".to_owned()));
        assert_eq!(default_of("${X}"), None);
        assert_eq!(memory("1g").as_deref(), Some("1GiB"));
        assert_eq!(memory("512mb").as_deref(), Some("512MiB"));
        assert_eq!(memory("1073741824").as_deref(), Some("1GiB"));
        assert_eq!(memory("1.5g"), None);
        assert_eq!(seconds("1m30s"), Some(90));
        assert_eq!(seconds("500ms"), None);
        assert_eq!(seconds("10"), None);
        assert_eq!(component_name("My_App.1"), "my-app-1");
        let split = words(r#"serve --at ":9001"  'a "b"' "" x\ y"#);
        let split = split.expect("words");
        assert_eq!(split, ["serve", "--at", ":9001", "a \"b\"", "", "x y"]);
        assert_eq!(words("a 'b"), None);
        assert_eq!(component_name("01db"), "s-01db");
    }

    #[test]
    fn secrets_are_noticed() {
        for text in [
            "serve --password x",
            "postgresql://me:it@db/x",
            "--requirepass=x",
        ] {
            assert!(holds_secret(text), "{text}");
        }
        for text in [
            "server /data --console-address :9001",
            "https://db:9200",
            "http://a/b@c:d",
        ] {
            assert!(!holds_secret(text), "{text}");
        }
        assert!(is_secret("DB_PASSWORD") && !is_secret("DB_HOST"));
    }
}
