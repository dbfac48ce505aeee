//! Changes a topology's text without touching the rest of it: `lakewright env add`.
//!
//! The text is cut at its own statements, by a lexer's spans, and put together again with more in it. Comments, order and
//! spelling stay what they are. What comes out is read again and held against what was meant.

use std::ops::Range;

use toml_parser::Source;
use toml_parser::parser::{Event, EventKind, parse_document};

/// Why an environment cannot be added.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EditError {
    /// There is no environment to begin with.
    Unknown,
    /// There is such an environment already.
    Exists,
    /// It stands in a table on one line, into which no other text can be laid.
    Inline,
    /// The text that would come out does not mean what it should.
    Unsure,
}

/// A header or a key with its value, and where it stands.
struct Statement {
    /// The whole path of keys, with that of the header it stands under.
    path: Vec<String>,
    /// The keys that are written here, each with its bytes.
    keys: Vec<(String, Range<usize>)>,
    /// Whether it is a header.
    header: bool,
    /// From the start of its first line to behind its last line break.
    lines: Range<usize>,
}

/// Copies an environment under another name, behind the one it is a copy of.
///
/// # Errors
/// An environment that is missing or there already, or is written in a way that has no room for a copy.
pub fn copy_environment(text: &str, from: &str, name: &str) -> Result<String, EditError> {
    let before: toml::Table = toml::from_str(text).map_err(|_| EditError::Unsure)?;
    let all = before.get("environments").and_then(toml::Value::as_table);
    let Some(copied) = all.and_then(|all| all.get(from)) else {
        return Err(EditError::Unknown);
    };
    if all.is_some_and(|all| all.contains_key(name)) {
        return Err(EditError::Exists);
    }
    let statements = statements(text);
    let of_from = |path: &[String]| path.len() >= 2 && path[0] == "environments" && path[1] == from;
    if !statements.iter().any(|one| of_from(&one.path)) {
        return Err(EditError::Inline);
    }
    let line_end = if text.contains("\r\n") { "\r\n" } else { "\n" };

    // Where text goes in, and what.
    let mut insertions: Vec<(usize, String)> = Vec::new();

    // Keys like `staging.target` under `[environments]`: their copies follow the last of them.
    let mut run: Option<(usize, String)> = None;
    let mut inside = false;
    for statement in &statements {
        if statement.header {
            insertions.extend(run.take());
            inside = of_from(&statement.path);
        } else if !inside && of_from(&statement.path) {
            let (_, lines) = run.get_or_insert_with(|| (0, String::new()));
            lines.push_str(&with_line_end(&renamed(text, statement, name), line_end));
            if let Some((end, _)) = &mut run {
                *end = statement.lines.end;
            }
        }
    }
    insertions.extend(run.take());

    // Tables of their own: from the comment above a header to that above the next.
    let starts: Vec<usize> = statements
        .iter()
        .filter(|statement| statement.header)
        .map(|statement| above(text, statement.lines.start))
        .collect();
    let headers: Vec<&Statement> = statements.iter().filter(|one| one.header).collect();
    let mut copy = String::new();
    let mut end = None;
    for (at, header) in headers.iter().enumerate() {
        if !of_from(&header.path) {
            continue;
        }
        let stop = starts.get(at + 1).copied().unwrap_or(text.len());
        // What stands above the first is about the environment that is copied.
        let start = if end.is_none() {
            header.lines.start
        } else {
            starts[at]
        };
        let (_, key) = &header.keys[1];
        let section = &text[start..stop];
        copy.push_str(&section[..key.start - start]);
        copy.push_str(name);
        copy.push_str(&section[key.end - start..]);
        end = Some(start + section.trim_end().len());
    }
    if let Some(end) = end {
        let words = format!("# --- {name}: begun as a copy of {from}");
        let copy = copy.trim_end();
        insertions.push((end, format!("{line_end}{line_end}{words}{line_end}{copy}")));
    }

    insertions.sort();
    let mut result = String::with_capacity(text.len() * 2);
    let mut at = 0;
    for (place, more) in insertions {
        result.push_str(&text[at..place]);
        // The last line of a file may lack its end.
        if place == text.len() && !result.is_empty() && !more.starts_with(line_end) {
            result = with_line_end(&result, line_end);
        }
        result.push_str(&more);
        at = place;
    }
    result.push_str(&text[at..]);

    // A way of writing that this does not know must not become another meaning.
    let mut after: toml::Table = toml::from_str(&result).map_err(|_| EditError::Unsure)?;
    let added = after
        .get_mut("environments")
        .and_then(toml::Value::as_table_mut)
        .and_then(|all| all.remove(name));
    if added.as_ref() != Some(copied) || after != before {
        return Err(EditError::Unsure);
    }
    Ok(result)
}

/// Returns a statement's lines with the environment's name replaced.
fn renamed(text: &str, statement: &Statement, name: &str) -> String {
    let lines = &text[statement.lines.clone()];
    // The name is the second key of the path; a header may have brought the first.
    let brought = statement.path.len() - statement.keys.len();
    let Some((_, key)) = statement.keys.get(1_usize.saturating_sub(brought)) else {
        return lines.to_owned();
    };
    let start = statement.lines.start;
    format!(
        "{}{name}{}",
        &lines[..key.start - start],
        &lines[key.end - start..]
    )
}

fn with_line_end(text: &str, line_end: &str) -> String {
    if text.ends_with('\n') {
        text.to_owned()
    } else {
        format!("{text}{line_end}")
    }
}

/// Returns where the comments begin that stand directly above a line.
fn above(text: &str, line: usize) -> usize {
    let mut start = line;
    while start > 0 {
        let before = text[..start - 1].rfind('\n').map_or(0, |at| at + 1);
        if !text[before..start].trim_start().starts_with('#') {
            break;
        }
        start = before;
    }
    start
}

/// Lists the headers and keys of a text that is TOML.
fn statements(text: &str) -> Vec<Statement> {
    let source = Source::new(text);
    let tokens: Vec<_> = source.lex().collect();
    let mut events: Vec<Event> = Vec::new();
    parse_document(&tokens, &mut |event| events.push(event), &mut ());

    let line_start = |at: usize| text[..at].rfind('\n').map_or(0, |at| at + 1);
    let line_end = |at: usize| text[at..].find('\n').map_or(text.len(), |end| at + end + 1);
    let mut statements: Vec<Statement> = Vec::new();
    let mut header: Vec<String> = Vec::new();
    let mut keys: Vec<(String, Range<usize>)> = Vec::new();
    let mut start = 0;
    let mut depth = 0_usize;
    let mut in_value = false;
    for event in &events {
        let span = event.span();
        let bytes = span.start()..span.end();
        match event.kind() {
            EventKind::StdTableOpen | EventKind::ArrayTableOpen => {
                start = line_start(bytes.start);
                keys.clear();
            }
            EventKind::StdTableClose | EventKind::ArrayTableClose => {
                header = keys.iter().map(|(key, _)| key.clone()).collect();
                statements.push(Statement {
                    path: header.clone(),
                    keys: std::mem::take(&mut keys),
                    header: true,
                    lines: start..line_end(bytes.end),
                });
            }
            EventKind::SimpleKey if depth == 0 && !in_value => {
                if keys.is_empty() {
                    start = start.max(line_start(bytes.start));
                }
                let mut key = String::new();
                if let Some(raw) = source.get(event) {
                    raw.decode_key(&mut key, &mut ());
                }
                keys.push((key, bytes));
            }
            EventKind::KeyValSep if depth == 0 => in_value = true,
            EventKind::InlineTableOpen | EventKind::ArrayOpen => depth += 1,
            EventKind::InlineTableClose | EventKind::ArrayClose => depth = depth.saturating_sub(1),
            _ => {}
        }
        let ended = match event.kind() {
            EventKind::InlineTableClose | EventKind::ArrayClose | EventKind::Scalar => depth == 0,
            _ => false,
        };
        if in_value && ended {
            in_value = false;
            let mut path = header.clone();
            path.extend(keys.iter().map(|(key, _)| key.clone()));
            statements.push(Statement {
                path,
                keys: std::mem::take(&mut keys),
                header: false,
                lines: start..line_end(span.end()),
            });
        }
    }
    statements
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn copy(text: &str) -> String {
        copy_environment(text, "staging", "qa").expect("a copy")
    }

    #[test]
    fn tables_are_copied_with_their_comments_and_the_rest_stays() {
        let text = "\
[platform] # first
name = 'lake'

# --- staging: three machines
[environments.staging]
target = \"swarm\" # as in production
hosts = [
  # the first
  { name = \"a\" },
]

# small here
[environments.staging.components.x]
size = \"small\"

# --- production
[environments.prod]
target = \"kubernetes\"
";
        assert_eq!(
            copy(text),
            "\
[platform] # first
name = 'lake'

# --- staging: three machines
[environments.staging]
target = \"swarm\" # as in production
hosts = [
  # the first
  { name = \"a\" },
]

# small here
[environments.staging.components.x]
size = \"small\"

# --- qa: begun as a copy of staging
[environments.qa]
target = \"swarm\" # as in production
hosts = [
  # the first
  { name = \"a\" },
]

# small here
[environments.qa.components.x]
size = \"small\"

# --- production
[environments.prod]
target = \"kubernetes\"
"
        );
    }

    #[test]
    fn every_way_of_writing_a_table_is_known() {
        for text in [
            "[environments]\nstaging.target = 'swarm'\nstaging.size = 'small'\nprod.target = 'x'\n",
            "environments.staging.target = 'swarm'\n[a]\n",
            "[environments]\nstaging = { target = 'swarm', hosts = [{ name = 'a' }] }",
            "[environments.staging]\ntarget = 'swarm'\n[[environments.staging.hosts]]\nname = 'a'\n[[environments.staging.hosts]]\nname = 'b'",
            "[environments.\"staging\"]\r\ntarget = 'swarm'\r\n\r\n[z]\r\n",
            "[ environments . 'staging' ]\ntarget = '''\n[environments.staging]\n'''\n[environments.prod]\n",
            "[environments.staging.components.x]\na = 1\n[b]\n[environments.staging]\ntarget = 'swarm'\n",
            "[environments.staging]\n[environments]\nstaging.a.b = 1\n[environments.prod]",
            "[environments]\n[environments.staging]",
        ] {
            // Some are no TOML: then there is nothing to copy.
            if toml::from_str::<toml::Table>(text).is_ok() {
                let after = copy(text);
                let alone = after.replace("\r\n", "").contains('\n');
                assert!(!(text.contains('\r') && alone), "{after:?}");
            }
        }
    }

    #[test]
    fn what_has_no_room_is_refused() {
        let check = |text, from, name| copy_environment(text, from, name).expect_err("refused");
        let text = "[environments.staging]\n[environments.qa]\n";
        assert_eq!(check(text, "staging", "qa"), EditError::Exists);
        assert_eq!(check(text, "dev", "new"), EditError::Unknown);
        assert_eq!(check("a = 1", "dev", "new"), EditError::Unknown);
        let inline = "environments = { staging = { target = 'swarm' } }\n";
        assert_eq!(check(inline, "staging", "new"), EditError::Inline);
        assert_eq!(check("a = ", "staging", "new"), EditError::Unsure);
    }

    proptest! {
        /// Whatever stands around it: a copy is exactly a copy, and all old lines are there in their order.
        #[test]
        fn old_lines_stay(parts in proptest::collection::vec(0_usize..8, 1..12)) {
            let pieces = [
                "[environments.staging.components.a]\nx = 1\n",
                "\n# a comment\n",
                "[environments.staging.components.b] # c\ny = [\n  1,\n  # two\n  2,\n]\n",
                "[[environments.staging.hosts]]\nname = 'h'\n",
                "\n\n[platform]\nname = \"[environments.staging]\"\n",
                "[environments.prod]\n# nothing\n",
                "[components.x]\n",
                "[environments.staging]\ntarget = \"\"\"\n# no comment\n\"\"\"\n",
            ];
            let text: String = parts.iter().map(|at| pieces[*at]).collect();
            if let Ok(after) = copy_environment(&text, "staging", "qa") {
                let mut lines = after.lines();
                for old in text.lines() {
                    prop_assert!(lines.any(|line| line == old), "{old:?} is missing in\n{after}");
                }
            }
        }
    }
}
