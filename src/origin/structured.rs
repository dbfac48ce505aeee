//! Structured files as lists of scalars, each with its path and its lines. JSON is read as the YAML that it also is.

use granit_parser::{Event, Parser, ScalarStyle};

/// One step on the way to a scalar.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Step {
    /// The key of a mapping.
    Key(String),
    /// The position in a list.
    Index(usize),
}

/// A scalar that is a value, and where it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scalar {
    /// The document it is in, from 0.
    pub document: usize,
    /// The way to it.
    pub path: Vec<Step>,
    /// Its text, without quotes.
    pub text: String,
    /// The line of its key, or of itself in a list; from 1.
    pub line: usize,
    /// The last line that belongs to it.
    pub end: usize,
    /// The first line of its text.
    pub start: usize,
}

impl Scalar {
    /// Writes the path.
    pub fn shown(&self) -> String {
        shown(&self.path)
    }
}

/// Writes a path: `services.web.image`, `ports[0]`.
pub fn shown(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Key(key) if text.is_empty() => text.push_str(key),
            Step::Key(key) => text.push_str(&format!(".{key}")),
            Step::Index(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

/// Says whether a file of this name is structured.
pub fn is_structured(path: &str) -> bool {
    [".yaml", ".yml", ".json", "/Kustomization"]
        .iter()
        .any(|ending| path.ends_with(ending))
}

/// What is open while a document is read.
enum Open {
    List(usize),
    /// The key that the next value belongs to, with its line.
    Mapping(Option<(String, usize)>),
}

/// Lists the scalars of a text, also empty lists and mappings: these are values too.
///
/// # Errors
/// What is not YAML, in the parser's words.
pub fn scalars(text: &str) -> Result<Vec<Scalar>, String> {
    let mut scalars: Vec<Scalar> = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    let mut document = 0;
    // The number of scalars before each open collection: one that stays empty counts as one itself.
    let mut before: Vec<usize> = Vec::new();
    let mut documents = 0;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| error.to_string())?;
        let (start, end) = (span.start.line(), span.end.line());
        match event {
            Event::DocumentStart(..) => {
                document = documents;
                documents += 1;
            }
            Event::SequenceStart(..) | Event::MappingStart(..) => {
                before.push(scalars.len());
                open.push(if matches!(event, Event::SequenceStart(..)) {
                    Open::List(0)
                } else {
                    Open::Mapping(None)
                });
            }
            Event::SequenceEnd | Event::MappingEnd => {
                open.pop();
                if before.pop() == Some(scalars.len()) {
                    add(&mut scalars, &open, document, String::new(), (start, end));
                }
                advance(&mut open);
            }
            Event::Scalar(value, style, ..) => {
                if let Some(Open::Mapping(key @ None)) = open.last_mut() {
                    *key = Some((value.into_owned(), start));
                } else {
                    // A block ends where the next line begins.
                    let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                    let end = if block && end > start { end - 1 } else { end };
                    add(
                        &mut scalars,
                        &open,
                        document,
                        value.into_owned(),
                        (start, end),
                    );
                    advance(&mut open);
                }
            }
            // What it stands for is said elsewhere; that it is used is said here.
            Event::Alias(..) => {
                let name = span.slice(text).unwrap_or("*").to_owned();
                if let Some(Open::Mapping(key @ None)) = open.last_mut() {
                    *key = Some((name, start));
                } else {
                    add(&mut scalars, &open, document, name, (start, end));
                    advance(&mut open);
                }
            }
            _ => {}
        }
    }
    Ok(scalars)
}

fn add(
    scalars: &mut Vec<Scalar>,
    open: &[Open],
    document: usize,
    text: String,
    (start, end): (usize, usize),
) {
    let path = open
        .iter()
        .map(|open| match open {
            Open::List(index) => Step::Index(*index),
            Open::Mapping(key) => {
                let key = key.as_ref().map(|(key, _)| key.clone());
                Step::Key(key.unwrap_or_default())
            }
        })
        .collect();
    let line = match open.last() {
        Some(Open::Mapping(Some((_, line)))) => *line,
        _ => start,
    };
    scalars.push(Scalar {
        document,
        path,
        text,
        line,
        end: end.max(line),
        start,
    });
}

/// A value is complete: the next one has another place.
fn advance(open: &mut [Open]) {
    match open.last_mut() {
        Some(Open::List(index)) => *index += 1,
        Some(Open::Mapping(key)) => *key = None,
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let scalars = scalars(text).expect("YAML");
        scalars
            .iter()
            .map(|one| {
                format!(
                    "{}:{}-{} {} {:?}",
                    one.document,
                    one.line,
                    one.end,
                    one.shown(),
                    one.text
                )
            })
            .collect()
    }

    #[test]
    fn scalars_know_their_lines() {
        let text = "# c\na:\n  b: [1, {c: x}]\n  d: |\n    one\n    two\n  e: {}\n---\n- z\n- []\n";
        assert_eq!(
            shown(text),
            [
                "0:3-3 a.b[0] \"1\"",
                "0:3-3 a.b[1].c \"x\"",
                "0:4-6 a.d \"one\\ntwo\\n\"",
                "0:7-7 a.e \"\"",
                "1:9-9 [0] \"z\"",
                "1:10-10 [1] \"\"",
            ]
        );
        assert_eq!(
            shown("{\n  \"a\": [\n    1,\n    null\n  ]\n}\n"),
            ["0:3-3 a[0] \"1\"", "0:4-4 a[1] \"null\""]
        );
        assert!(scalars("a: [").is_err());
    }
}
