//! TOML with a place for every value: what topologies and blueprints are read into. A leaf beside `source`.
//!
//! A [`Tree`] is validated, merged and read; it keeps, for every value, where it stands and what it replaced.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostic::{Finding, Rule, Severity};
use crate::source::{FileId, KeyPath, Place, Sources};
use crate::value::Value;

/// The text is not TOML.
pub static TOML_SYNTAX: Rule = Rule {
    code: "toml-syntax",
    severity: Severity::Error,
    summary: "a file is not valid TOML",
    why: "Nothing can be read from a file whose structure is unclear, so this comes before every other finding of it.",
    fix: "Correct the underlined text. A value that is a text needs quotes; a table header stands alone on its line; \
          a key may be defined once.",
    allowable: false,
};

/// A value, where it stands, and the values it replaced.
#[derive(Clone, Debug)]
pub struct Tree {
    /// What it is.
    pub node: Node,
    /// Where it stands.
    pub place: Place,
    /// What a layer below said, nearest first.
    pub replaced: Vec<(Place, Value)>,
}

/// The kinds of values.
#[derive(Clone, Debug)]
pub enum Node {
    /// Anything but a list or a table.
    Scalar(Value),
    /// A list.
    List(Vec<Tree>),
    /// A table, sorted by key.
    Table(BTreeMap<String, Tree>),
}

impl Tree {
    /// Makes an empty table.
    pub fn empty(place: Place) -> Self {
        Self {
            node: Node::Table(BTreeMap::new()),
            place,
            replaced: Vec::new(),
        }
    }

    /// Reads a TOML file.
    ///
    /// # Errors
    /// All syntax errors of the file, as findings.
    pub fn parse(sources: &Sources, file: FileId) -> Result<Self, Vec<Finding>> {
        let text = &sources.file(file).text;
        let (table, errors) = DeTable::parse_recoverable(text);
        if errors.is_empty() {
            return Ok(from_table(table.get_ref(), file, KeyPath::root()));
        }
        Err(errors
            .into_iter()
            .map(|error| {
                let place = error
                    .span()
                    .map_or(Place::File { file }, |span| Place::span(file, span));
                Finding::new(
                    &TOML_SYNTAX,
                    place,
                    error
                        .message()
                        .lines()
                        .next()
                        .unwrap_or("not TOML")
                        .to_owned(),
                )
            })
            .collect())
    }

    /// Returns the entries of a table; a value that is none has none.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Tree)> {
        let table = match &self.node {
            Node::Table(table) => Some(table),
            _ => None,
        };
        table
            .into_iter()
            .flatten()
            .map(|(key, value)| (key.as_str(), value))
    }

    /// Returns the items of a list; a value that is none has none.
    pub fn items(&self) -> &[Tree] {
        match &self.node {
            Node::List(list) => list,
            _ => &[],
        }
    }

    /// Returns an entry of a table.
    pub fn get(&self, key: &str) -> Option<&Tree> {
        match &self.node {
            Node::Table(table) => table.get(key),
            _ => None,
        }
    }

    /// Returns the value some keys down.
    pub fn at(&self, keys: &[&str]) -> Option<&Tree> {
        keys.iter().try_fold(self, |tree, key| tree.get(key))
    }

    /// Returns the text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match &self.node {
            Node::Scalar(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Returns the value without its places.
    pub fn value(&self) -> Value {
        match &self.node {
            Node::Scalar(value) => value.clone(),
            Node::List(list) => Value::List(list.iter().map(Tree::value).collect()),
            Node::Table(table) => Value::Table(
                table
                    .iter()
                    .map(|(key, item)| (key.clone(), item.value()))
                    .collect(),
            ),
        }
    }

    /// Returns the place of the key, for findings about the name rather than the value.
    pub fn key_place(&self) -> Place {
        self.place.of_key()
    }

    /// Returns the key path, or the root for a place without one.
    pub fn path(&self) -> KeyPath {
        match &self.place {
            Place::Path { path, .. } => path.clone(),
            _ => KeyPath::root(),
        }
    }

    /// Lays another tree over this one: tables merge key by key, everything else is replaced, and the keys that a
    /// table of the upper layer lists under `unset` are taken out of the lower one first.
    ///
    /// Returns the places of `unset` entries that name nothing, each with the name.
    pub fn overlay(&mut self, upper: &Tree) -> Vec<(Place, String)> {
        let mut dangling = Vec::new();
        self.lay(upper, &mut dangling);
        dangling
    }

    fn lay(&mut self, upper: &Tree, dangling: &mut Vec<(Place, String)>) {
        if let (Node::Table(lower), Node::Table(above)) = (&mut self.node, &upper.node) {
            for item in above.get("unset").map(Tree::items).unwrap_or_default() {
                let Some(name) = item.text() else { continue };
                let mut keys: Vec<&str> = name.split('.').collect();
                let last = keys.pop().unwrap_or_default();
                let owner = keys.into_iter().try_fold(&mut *lower, |table, key| {
                    match table.get_mut(key).map(|tree| &mut tree.node) {
                        Some(Node::Table(inner)) => Some(inner),
                        _ => None,
                    }
                });
                if owner.and_then(|table| table.remove(last)).is_none() {
                    dangling.push((item.place.clone(), name.to_owned()));
                }
            }
            for (key, value) in above.iter().filter(|(key, _)| *key != "unset") {
                match lower.get_mut(key) {
                    Some(existing) => existing.lay(value, dangling),
                    None => {
                        lower.insert(key.clone(), value.clone());
                    }
                }
            }
            // Findings about a merged table belong to the layer that spoke last.
            self.place = upper.place.clone();
            return;
        }
        let mut replaced = vec![(self.place.clone(), self.value())];
        replaced.append(&mut self.replaced);
        *self = upper.clone();
        self.replaced = replaced;
    }
}

fn from_table(table: &DeTable<'_>, file: FileId, path: KeyPath) -> Tree {
    let entries = table
        .iter()
        .map(|(key, value)| {
            let key = key.get_ref().to_string();
            let at = path.key(key.clone());
            (key, from_value(value, file, at))
        })
        .collect();
    Tree {
        node: Node::Table(entries),
        place: Place::value(file, path),
        replaced: Vec::new(),
    }
}

fn from_value(value: &Spanned<DeValue<'_>>, file: FileId, path: KeyPath) -> Tree {
    let scalar = match value.get_ref() {
        DeValue::Table(table) => return from_table(table, file, path),
        DeValue::Array(array) => {
            let items = array
                .iter()
                .enumerate()
                .map(|(at, item)| from_value(item, file, path.index(at)))
                .collect();
            return Tree {
                node: Node::List(items),
                place: Place::value(file, path),
                replaced: Vec::new(),
            };
        }
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Boolean(truth) => Value::Bool(*truth),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| Value::Text(number.as_str().to_owned()), Value::Int),
        DeValue::Float(number) => number
            .as_str()
            .parse()
            .map_or_else(|_| Value::Text(number.as_str().to_owned()), Value::Float),
        DeValue::Datetime(when) => Value::Text(when.to_string()),
    };
    Tree {
        node: Node::Scalar(scalar),
        place: Place::value(file, path),
        replaced: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(sources: &mut Sources, text: &str) -> Tree {
        let file = sources.add("platform.toml", text);
        Tree::parse(sources, file).expect("valid TOML")
    }

    #[test]
    fn tables_merge_and_the_rest_is_replaced() {
        let mut sources = Sources::default();
        let mut lower = tree(
            &mut sources,
            "a = 1\nlist = [1, 2]\n[t]\nx = 1\ny = 2\n[t.deep]\nz = 1\n",
        );
        let upper = tree(
            &mut sources,
            "list = [3]\n[t]\nx = 9\nunset = ['y', 'deep.z', 'gone']\n",
        );
        let dangling = lower.overlay(&upper);
        assert_eq!(
            lower.value().to_string(),
            "{ a = 1, list = [3], t = { deep = {}, x = 9 } }"
        );
        assert_eq!(dangling.len(), 1);
        assert_eq!(dangling[0].1, "gone");
        let x = lower.at(&["t", "x"]).expect("kept");
        assert_eq!(x.replaced.len(), 1);
        assert_eq!(x.replaced[0].1, Value::Int(1));
    }

    #[test]
    fn all_syntax_errors_come_together() {
        let mut sources = Sources::default();
        let file = sources.add("platform.toml", "a = \nb = 1\nb = 2\n");
        let findings = Tree::parse(&sources, file).expect_err("invalid");
        assert!(findings.len() >= 2, "{findings:?}");
    }

    #[test]
    fn numbers_of_all_bases_are_whole() {
        let mut sources = Sources::default();
        assert_eq!(
            tree(&mut sources, "a = 0xff\nb = 1_000\nc = 0.5")
                .value()
                .to_string(),
            "{ a = 255, b = 1000, c = 0.5 }"
        );
    }
}
