//! Paths inside a bundle: relative, spelled in one way only, and good on every file system people check bundles out on.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

/// The longest path, in bytes: the shortest limit of the systems that a bundle is copied to (macOS).
pub const PATH_LIMIT: usize = 1024;

/// The longest name of a file or folder, in bytes (Linux, and most others).
pub const SEGMENT_LIMIT: usize = 255;

/// Names that Windows keeps for devices, whatever ending they have.
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];

/// The path of a file in a bundle: `config/nginx.conf`.
///
/// Sorts by bytes, so that the order is the same everywhere.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct BundlePath(Box<str>);

/// The rule that a path breaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PathRule {
    /// It is empty.
    Empty,
    /// It starts with `/`.
    Absolute,
    /// It has an empty part: `a//b`, or a `/` at the end.
    EmptyPart,
    /// It has `.` or `..` as a part.
    Dots,
    /// It has a backslash, or a character that Windows refuses in names.
    Character(char),
    /// A part ends with a space or a dot, which Windows drops.
    Ending,
    /// A part is the name of a device on Windows, such as `nul` or `com1.txt`.
    Device,
    /// A part is longer than [`SEGMENT_LIMIT`].
    LongPart,
    /// The whole is longer than [`PATH_LIMIT`].
    Long,
}

/// A text that cannot be a path in a bundle.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PathError {
    /// The text.
    pub path: String,
    /// The rule it breaks.
    pub rule: PathRule,
}

impl fmt::Display for PathError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "`{}` cannot be a path in a bundle: ",
            self.path.escape_debug()
        )?;
        match self.rule {
            PathRule::Empty => out.write_str("it is empty"),
            PathRule::Absolute => out.write_str("it is absolute"),
            PathRule::EmptyPart => out.write_str("it has an empty part"),
            PathRule::Dots => out.write_str("`.` and `..` may not be parts of it"),
            PathRule::Character(letter) => {
                write!(
                    out,
                    "the character `{}` is not allowed in it",
                    letter.escape_debug()
                )
            }
            PathRule::Ending => out.write_str("a part of it ends with a space or a dot"),
            PathRule::Device => out.write_str("a part of it is the name of a device on Windows"),
            PathRule::LongPart => {
                write!(out, "a part of it is longer than {SEGMENT_LIMIT} bytes")
            }
            PathRule::Long => write!(out, "it is longer than {PATH_LIMIT} bytes"),
        }
    }
}

impl std::error::Error for PathError {}

impl BundlePath {
    /// Parses a path, or says which rule it breaks.
    ///
    /// ```
    /// use lakewright::bundle::path::BundlePath;
    /// assert_eq!(BundlePath::parse("config/nginx.conf").unwrap().name(), "nginx.conf");
    /// assert!(BundlePath::parse("../nginx.conf").is_err());
    /// ```
    pub fn parse(text: &str) -> Result<Self, PathError> {
        match broken_rule(text) {
            None => Ok(Self(text.into())),
            Some(rule) => Err(PathError {
                path: text.to_owned(),
                rule,
            }),
        }
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the path as the file system takes it, below the bundle's folder.
    pub fn as_path(&self) -> &Path {
        Path::new(&*self.0)
    }

    /// Returns the last part.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// Returns the folders that the file lies in, outermost first, as paths: `a`, `a/b` for `a/b/c`.
    pub fn folders(&self) -> impl Iterator<Item = &str> {
        self.0.match_indices('/').map(|(at, _)| &self.0[..at])
    }
}

fn broken_rule(text: &str) -> Option<PathRule> {
    if text.is_empty() {
        return Some(PathRule::Empty);
    }
    if text.len() > PATH_LIMIT {
        return Some(PathRule::Long);
    }
    if text.starts_with('/') {
        return Some(PathRule::Absolute);
    }
    let refused = |letter: char| letter.is_control() || r#"\:*?"<>|"#.contains(letter);
    if let Some(letter) = text.chars().find(|letter| refused(*letter)) {
        return Some(PathRule::Character(letter));
    }
    text.split('/').find_map(|part| match part {
        "" => Some(PathRule::EmptyPart),
        "." | ".." => Some(PathRule::Dots),
        _ if part.len() > SEGMENT_LIMIT => Some(PathRule::LongPart),
        _ if part.ends_with([' ', '.']) => Some(PathRule::Ending),
        _ if is_device(part) => Some(PathRule::Device),
        _ => None,
    })
}

fn is_device(part: &str) -> bool {
    let stem = part.split('.').next().unwrap_or_default().trim_end();
    let stem = stem.to_ascii_lowercase();
    let numbered = stem
        .strip_prefix("com")
        .or_else(|| stem.strip_prefix("lpt"));
    DEVICES.contains(&stem.as_str())
        || numbered.is_some_and(|digit| digit.len() == 1 && digit.as_bytes()[0].is_ascii_digit())
}

impl fmt::Display for BundlePath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl fmt::Debug for BundlePath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, out)
    }
}

impl Borrow<str> for BundlePath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for BundlePath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        Self::parse(text)
    }
}

impl<'de> Deserialize<'de> for BundlePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for BundlePath {
    fn schema_name() -> Cow<'static, str> {
        "BundlePath".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The path of a file in the bundle: relative, with `/`, without `.` and `..`.",
            "type": "string",
            "minLength": 1,
            "maxLength": PATH_LIMIT,
            "pattern": "^(?!/)(?!(.*/)?\\.{1,2}(/|$))(?!.*//)[^\\\\]*[^/\\\\]$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<PathRule>) {
        let found = BundlePath::parse(text).err().map(|error| error.rule);
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn ordinary_paths_are_taken_as_they_are() {
        for text in [
            "a",
            "a/b/c.yaml",
            ".env",
            "a/...b",
            "-",
            "grüße/ß",
            "a b/c",
            "console/nullable/com10/com",
            "@x/{y}$z",
        ] {
            check(text, None);
        }
        check(&"a".repeat(255), None);
        check(&format!("{}b", "a/".repeat(511)), None);
    }

    #[test]
    fn each_rule_is_named() {
        check("", Some(PathRule::Empty));
        check("/", Some(PathRule::Absolute));
        check("/etc/passwd", Some(PathRule::Absolute));
        check("a//b", Some(PathRule::EmptyPart));
        check("a/", Some(PathRule::EmptyPart));
        check(".", Some(PathRule::Dots));
        check("a/./b", Some(PathRule::Dots));
        check("..", Some(PathRule::Dots));
        check("a/..", Some(PathRule::Dots));
        check("a\\b", Some(PathRule::Character('\\')));
        check("c:", Some(PathRule::Character(':')));
        check("a\0", Some(PathRule::Character('\0')));
        check("a\nb", Some(PathRule::Character('\n')));
        check("a\u{85}b", Some(PathRule::Character('\u{85}')));
        check("a./b", Some(PathRule::Ending));
        check("a ", Some(PathRule::Ending));
        check("x/NUL", Some(PathRule::Device));
        check("Com1.txt", Some(PathRule::Device));
        check("aux .d/x", Some(PathRule::Device));
        check(&"a".repeat(256), Some(PathRule::LongPart));
        check(&format!("{}bb", "a/".repeat(512)), Some(PathRule::Long));
    }

    #[test]
    fn order_is_by_bytes() {
        let mut paths: Vec<BundlePath> = ["b", "a/b", "a-b", "B", "a"]
            .iter()
            .filter_map(|text| BundlePath::parse(text).ok())
            .collect();
        paths.sort();
        let texts: Vec<&str> = paths.iter().map(BundlePath::as_str).collect();
        assert_eq!(texts, ["B", "a", "a-b", "a/b", "b"]);
    }

    #[test]
    fn folders_come_outermost_first() {
        let path = BundlePath::parse("a/b/c").expect("a good path");
        assert_eq!(path.folders().collect::<Vec<_>>(), ["a", "a/b"]);
        assert_eq!(path.name(), "c");
    }
}
