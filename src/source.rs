//! Files the compiler reads, and places in them.
//!
//! Everything that is read (topology, blueprints, templates) is kept here under a [`FileId`]. A value remembers only
//! the file and the key path it came from ([`Place`]); the bytes to underline are looked up when a finding is rendered,
//! so that the models carry no spans. This module knows no stage.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A file in [`Sources`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FileId(u32);

impl FileId {
    /// Returns the position among the files, from zero.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A file that was read: the name people know it by, and its text.
#[derive(Debug)]
pub struct SourceFile {
    /// The path as the user gave it, or `blueprint:NAME/FILE` for an embedded one.
    pub name: String,
    /// The whole text.
    pub text: String,
    /// Bytes of it that are never shown: secrets.
    pub hidden: Vec<Range<usize>>,
}

/// All files of one run.
#[derive(Debug, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
    /// Words that are never shown, the longest first.
    hidden: Vec<String>,
}

/// What is shown in place of hidden words.
const HIDDEN: &str = "***";

/// Words that are shorter are hidden only where they are quoted: they may be parts of others.
const SHORT: usize = 8;

impl Sources {
    /// Adds a file and returns its id.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> FileId {
        let id = FileId(u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        self.files.push(SourceFile {
            name: name.into(),
            text: text.into(),
            hidden: Vec::new(),
        });
        id
    }

    /// Hides what stands somewhere in a file, and the words that it says, from all that is shown.
    pub fn hide(&mut self, file: FileId, span: Range<usize>, words: &str) {
        self.files[file.index()].hidden.push(span);
        // As findings show it, where it has line breaks.
        let quoted = crate::value::Value::from(words).to_string();
        let inner = quoted.trim_matches('"');
        for words in [words, inner].into_iter().filter(|words| !words.is_empty()) {
            self.hidden.push(words.to_owned());
        }
        self.hidden
            .sort_by_key(|words| std::cmp::Reverse(words.len()));
        self.hidden.dedup();
    }

    /// Returns words without those that are hidden.
    pub fn redacted(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for words in &self.hidden {
            if words.len() >= SHORT {
                text = text.replace(words, HIDDEN);
            } else {
                for quote in ['"', '`', '\''] {
                    let shown = format!("{quote}{words}{quote}");
                    text = text.replace(&shown, &format!("{quote}{HIDDEN}{quote}"));
                }
            }
        }
        text
    }

    /// Says whether something is hidden.
    pub fn hides(&self) -> bool {
        !self.hidden.is_empty()
    }

    /// Returns a file.
    pub fn file(&self, id: FileId) -> &SourceFile {
        &self.files[id.index()]
    }

    /// Returns a file by its name; the first, if several have it.
    pub fn named(&self, name: &str) -> Option<&SourceFile> {
        self.files.iter().find(|file| file.name == name)
    }

    /// Returns the number of files; ids run from zero to it.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Says whether no file was read yet.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

/// One step of a key path.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Segment {
    /// A key of a table.
    Key(String),
    /// A position in a list, from zero.
    Index(usize),
}

#[derive(PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
struct Node {
    parent: KeyPath,
    segment: Segment,
}

/// The way to a value from the root of its file: `environments.dev.hosts[0].memory`.
///
/// Paths share their beginnings, so one per value is cheap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct KeyPath(Option<Arc<Node>>);

impl KeyPath {
    /// The path of the whole file.
    pub fn root() -> Self {
        Self(None)
    }

    /// Returns the path from the root along these keys.
    pub fn of<I: IntoIterator<Item = S>, S: Into<String>>(keys: I) -> Self {
        keys.into_iter()
            .fold(Self::root(), |path, key| path.key(key))
    }

    /// Returns this path, one key further.
    pub fn key(&self, key: impl Into<String>) -> Self {
        Self(Some(Arc::new(Node {
            parent: self.clone(),
            segment: Segment::Key(key.into()),
        })))
    }

    /// Returns this path, one list position further.
    pub fn index(&self, index: usize) -> Self {
        Self(Some(Arc::new(Node {
            parent: self.clone(),
            segment: Segment::Index(index),
        })))
    }

    /// Returns the steps, outermost first.
    pub fn segments(&self) -> Vec<&Segment> {
        let mut steps = Vec::new();
        let mut at = self;
        while let Some(node) = &at.0 {
            steps.push(&node.segment);
            at = &node.parent;
        }
        steps.reverse();
        steps
    }

    /// Returns the path without its last step, or nothing for the root.
    pub fn parent(&self) -> Option<&KeyPath> {
        self.0.as_ref().map(|node| &node.parent)
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, segment) in self.segments().into_iter().enumerate() {
            match segment {
                Segment::Key(key) => {
                    if at > 0 {
                        out.write_str(".")?;
                    }
                    let bare = !key.is_empty()
                        && key.bytes().all(|byte| {
                            byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
                        });
                    if bare {
                        out.write_str(key)?;
                    } else {
                        crate::value::write_quoted(out, key)?;
                    }
                }
                Segment::Index(index) => write!(out, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// What of a place is meant: the whole entry's key, or its value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Part {
    /// The key itself, for findings about a name.
    Key,
    /// The value, for findings about what was given.
    Value,
}

/// Somewhere in a file: by key path, or by bytes where the file has no keys.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Place {
    /// A key of a TOML file, or its value.
    Path {
        /// The file.
        file: FileId,
        /// The way to the value.
        path: KeyPath,
        /// The key or the value.
        part: Part,
    },
    /// A range of bytes, for templates and for files that do not parse.
    Span {
        /// The file.
        file: FileId,
        /// First byte.
        start: usize,
        /// The byte behind the last one.
        end: usize,
    },
    /// The file as a whole.
    File {
        /// The file.
        file: FileId,
    },
}

impl Place {
    /// The value at a path.
    pub fn value(file: FileId, path: KeyPath) -> Self {
        Self::Path {
            file,
            path,
            part: Part::Value,
        }
    }

    /// The key of what stands here, where it has one.
    pub fn of_key(&self) -> Self {
        match self {
            Self::Path { file, path, .. } => Self::key(*file, path.clone()),
            other => other.clone(),
        }
    }

    /// The key at a path.
    pub fn key(file: FileId, path: KeyPath) -> Self {
        Self::Path {
            file,
            path,
            part: Part::Key,
        }
    }

    /// A range of bytes.
    pub fn span(file: FileId, span: Range<usize>) -> Self {
        Self::Span {
            file,
            start: span.start,
            end: span.end,
        }
    }

    /// Returns the file.
    pub fn file(&self) -> FileId {
        match self {
            Self::Path { file, .. } | Self::Span { file, .. } | Self::File { file } => *file,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_written_as_toml_keys() {
        let path = KeyPath::of(["environments", "dev"])
            .key("hosts")
            .index(0)
            .key("größe")
            .key("a.b")
            .key("")
            .key("\"\\\n\t\u{1b}\u{9b}");
        assert_eq!(
            path.to_string(),
            r#"environments.dev.hosts[0]."größe"."a.b".""."\"\\\n\t\u001B\u009B""#
        );
        assert_eq!(KeyPath::root().to_string(), "");
    }

    #[test]
    fn written_keys_are_read_back_by_toml() {
        for key in [
            "größe",
            "a.b",
            "",
            " ",
            "\"\\\n\t\r\u{1b}\u{9b}\u{7f}",
            "日本",
        ] {
            let text = format!("{} = 1", KeyPath::of([key]));
            let table: toml::Table = toml::from_str(&text).expect("a key and a value");
            assert_eq!(table.keys().collect::<Vec<_>>(), [key], "{text}");
        }
    }
}
