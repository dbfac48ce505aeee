//! A Compose file as a list of scalars, each with its way and its line: anchors and merges are resolved, variables that are known
//! are filled in.

use std::collections::BTreeMap;
use std::rc::Rc;

use granit_parser::{Event, Parser, ScalarStyle};

use crate::origin::{Scalar, Step};

/// How deep a file may nest, and how many values it may have: aliases of aliases grow without end.
const DEEPEST: usize = 64;
const MOST: usize = 100_000;

/// A value with the line it begins at.
struct Node {
    line: usize,
    content: Content,
}

enum Content {
    Nothing,
    Text(String),
    List(Vec<Rc<Node>>),
    /// Keys with their lines.
    Table(Vec<(String, usize, Rc<Node>)>),
}

/// What is open while a file is read.
struct Open {
    node: Node,
    anchor: usize,
    /// The key that the next value belongs to, with its line.
    key: Option<(String, usize)>,
}

/// Lists the scalars of the first document of a Compose file, also empty lists and mappings. What an alias stands for has the
/// line where it is written.
///
/// # Errors
/// What is not YAML, or too much of it, in words.
pub(super) fn read(
    text: &str,
    variables: &BTreeMap<String, String>,
) -> Result<Vec<Scalar>, String> {
    let mut open: Vec<Open> = Vec::new();
    let mut anchors: BTreeMap<usize, Rc<Node>> = BTreeMap::new();
    let mut root = None;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| error.to_string())?;
        let line = span.start.line();
        let (node, anchor) = match event {
            Event::Scalar(value, style, anchor, _) => {
                // A key, unless one waits for its value.
                if let Some(Open {
                    node:
                        Node {
                            content: Content::Table(_),
                            ..
                        },
                    key: key @ None,
                    ..
                }) = open.last_mut()
                {
                    *key = Some((value.into_owned(), line));
                    continue;
                }
                let is_plain = style == ScalarStyle::Plain;
                let content = match value.as_ref() {
                    "" | "~" | "null" | "Null" | "NULL" if is_plain => Content::Nothing,
                    _ => Content::Text(value.into_owned()),
                };
                (Rc::new(Node { line, content }), anchor)
            }
            Event::SequenceStart(_, anchor, _) | Event::MappingStart(_, anchor, _) => {
                if open.len() == DEEPEST {
                    return Err(format!("line {line}: it nests too deeply"));
                }
                let content = if matches!(event, Event::SequenceStart(..)) {
                    Content::List(Vec::new())
                } else {
                    Content::Table(Vec::new())
                };
                open.push(Open {
                    node: Node { line, content },
                    anchor,
                    key: None,
                });
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(done) => (Rc::new(done.node), done.anchor),
                None => continue,
            },
            Event::Alias(anchor) => match anchors.get(&anchor) {
                Some(node) => (node.clone(), 0),
                None => return Err(format!("line {line}: an alias stands for what it is in")),
            },
            Event::DocumentEnd => break,
            _ => continue,
        };
        if anchor > 0 {
            anchors.insert(anchor, node.clone());
        }
        match open.last_mut() {
            None => root = Some(node),
            Some(parent) => match &mut parent.node.content {
                Content::List(items) => items.push(node),
                Content::Table(entries) => {
                    let (key, line) = parent.key.take().unwrap_or_default();
                    entries.push((key, line, node));
                }
                Content::Nothing | Content::Text(_) => {}
            },
        }
    }
    let mut scalars = Vec::new();
    if let Some(root) = root {
        let line = root.line;
        flatten(&root, line, &mut Vec::new(), variables, &mut scalars)?;
    }
    Ok(scalars)
}

/// Returns the entries of a table, with those that it merges in: its own come first and count more.
fn entries(node: &Node) -> Vec<(&str, usize, &Rc<Node>)> {
    let Content::Table(own) = &node.content else {
        return Vec::new();
    };
    let mut all: Vec<(&str, usize, &Rc<Node>)> = own
        .iter()
        .filter(|(key, ..)| key != "<<")
        .map(|(key, line, value)| (key.as_str(), *line, value))
        .collect();
    for (_, _, merged) in own.iter().filter(|(key, ..)| key == "<<") {
        let tables: Vec<&Rc<Node>> = match &merged.content {
            Content::List(items) => items.iter().collect(),
            _ => vec![merged],
        };
        for (key, line, value) in tables.into_iter().flat_map(|table| entries(table)) {
            if all.iter().all(|(known, ..)| *known != key) {
                all.push((key, line, value));
            }
        }
    }
    all
}

fn flatten(
    node: &Node,
    line: usize,
    path: &mut Vec<Step>,
    variables: &BTreeMap<String, String>,
    scalars: &mut Vec<Scalar>,
) -> Result<(), String> {
    // Aliases nest what is written flat.
    if path.len() > DEEPEST || scalars.len() == MOST {
        return Err(format!("line {line}: it is larger than any Compose file"));
    }
    let before = scalars.len();
    let mut text = String::new();
    match &node.content {
        // A variable without a value has that of the shell.
        Content::Nothing => {
            if let [Step::Key(_), Step::Key(_), Step::Key(key), Step::Key(name)] = path.as_slice()
                && key == "environment"
            {
                text = filled(&format!("${{{name}}}"), variables);
            }
        }
        Content::Text(own) => text = filled(own, variables),
        Content::List(items) => {
            for (at, item) in items.iter().enumerate() {
                path.push(Step::Index(at));
                flatten(item, item.line, path, variables, scalars)?;
                path.pop();
            }
        }
        Content::Table(_) => {
            for (key, line, value) in entries(node) {
                path.push(Step::Key(key.to_owned()));
                flatten(value, line, path, variables, scalars)?;
                path.pop();
            }
        }
    }
    if scalars.len() == before {
        scalars.push(Scalar {
            document: 0,
            path: path.clone(),
            text,
            line,
            end: node.line,
            start: node.line,
        });
    }
    Ok(())
}

/// Puts known variables into a text: `${NAME}`, `${NAME:-default}`, `${NAME:?words}`, `$NAME`.
fn filled(text: &str, variables: &BTreeMap<String, String>) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        result.push_str(before);
        let braced = after.strip_prefix('{');
        let name: String = braced
            .unwrap_or(after)
            .chars()
            .take_while(|next| next.is_ascii_alphanumeric() || *next == '_')
            .collect();
        let behind = match braced {
            Some(inner) => inner.split_once('}').map(|(_, behind)| behind),
            None => after.get(name.len()..),
        };
        match (variables.get(&name), behind) {
            (Some(value), Some(behind)) if !name.is_empty() => {
                // What stands in a value is text.
                result.push_str(&value.replace('$', "$$"));
                rest = behind;
            }
            _ => {
                result.push('$');
                // Two of them stand for one: neither begins a name.
                rest = match after.strip_prefix('$') {
                    Some(behind) => {
                        result.push('$');
                        behind
                    }
                    None => after,
                };
            }
        }
    }
    result.push_str(rest);
    result
}

/// Reads the file `.env` beside a Compose file. Values of secrets are left out.
pub(super) fn variables(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().map(str::trim).filter_map(|line| {
        let (name, value) = line.trim_start_matches("export ").split_once('=')?;
        let value = value.trim();
        let quoted = ['"', '\'']
            .iter()
            .find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
        // A comment needs a space before it.
        let plain = value.split(" #").next().unwrap_or_default().trim();
        let name = name.trim();
        (!name.starts_with('#') && !super::values::is_secret(name))
            .then(|| (name.to_owned(), quoted.unwrap_or(plain).to_owned()))
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, variables: &[(&str, &str)]) -> Vec<String> {
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let scalars = read(text, &variables).expect("YAML");
        scalars
            .iter()
            .map(|one| format!("{} {} {:?}", one.line, one.shown(), one.text))
            .collect()
    }

    #[test]
    fn aliases_and_merges_are_resolved() {
        let text = "x-a: &a\n  image: x\n  list: &l [1]\nservices:\n  b:\n    <<: *a\n    image: y\n  c:\n    <<: [*a]\n    ports: *l\n";
        assert_eq!(
            shown(text, &[]),
            [
                "2 x-a.image \"x\"",
                "3 x-a.list[0] \"1\"",
                "7 services.b.image \"y\"",
                "3 services.b.list[0] \"1\"",
                "3 services.c.ports[0] \"1\"",
                "2 services.c.image \"x\"",
                "3 services.c.list[0] \"1\"",
            ]
        );
        assert_eq!(
            shown(
                "services:\n  a:\n    environment: {X: , Y: null, Z: ''}\nvolumes:\n  b:\n",
                &[("Y", "1")]
            ),
            [
                "3 services.a.environment.X \"${X}\"",
                "3 services.a.environment.Y \"1\"",
                "3 services.a.environment.Z \"\"",
                "5 volumes.b \"\"",
            ]
        );
        // Each of ten stands for ten: a few lines would fill the memory.
        let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for at in 1..9 {
            let all = vec![format!("*a{}", at - 1); 10].join(",");
            bomb.push_str(&format!("a{at}: &a{at} [{all}]\n"));
        }
        assert!(read(&bomb, &BTreeMap::new()).is_err());
        assert!(read(&"[".repeat(100_000), &BTreeMap::new()).is_err());
        assert!(read("a: &a\n  b: *a\n", &BTreeMap::new()).is_err());
    }

    #[test]
    fn variables_are_filled_in() {
        let known = [("V", "9.3"), ("P", "a$b")];
        assert_eq!(
            shown("- x:${V}-${V:-1}-$V-${W}-${W:-2}-$$V\n- ${P}\n", &known),
            ["1 [0] \"x:9.3-9.3-9.3-${W}-${W:-2}-$$V\"", "2 [1] \"a$$b\""]
        );
        assert_eq!(
            variables("# c=1\nA=1 # one\nexport B='2 #'\nDB_PASSWORD=x\n\nC=\n"),
            [("A", "1"), ("B", "2 #"), ("C", "")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into()
        );
    }
}
