//! The inventory of a bundle: what it was made from, what is in it, and what in its folder belongs to the user.
//!
//! It is written as `bundle.json`. Unknown fields are read over, so that an older Lakewright can still tell which files
//! of a newer one are generated.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::digest::Digest;
use super::path::{BundlePath, PathError};
use crate::terms::{Rotation, SecretKind, SecretStore, Token};

/// The version of the format. It rises when an older Lakewright would misread a newer file.
pub const SCHEMA: u32 = 1;

/// What a bundle consists of, and what it was made from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Inventory {
    /// Version of this format.
    pub schema: u32,
    /// The program that made the bundle.
    pub generator: Generator,
    /// Name of the platform.
    pub platform: String,
    /// Name of the environment.
    pub environment: String,
    /// What the environment was compiled to: `compose`, `swarm` or `kubernetes`.
    pub target: String,
    /// Where the values of secrets are kept, if not where the target itself keeps them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<SecretStore>,
    /// What the bundle was made from, sorted by name.
    pub inputs: Vec<Input>,
    /// Files and folders in the bundle's folder that belong to the user. They are never written, nor missed in a
    /// comparison.
    pub keep: Vec<Keep>,
    /// Secrets that the bundle refers to, sorted by name. No values.
    pub secrets: Vec<SecretSpec>,
    /// All generated files, sorted by path, without this file and `SHA256SUMS`.
    pub files: Vec<Listed>,
}

/// A program and its version.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Generator {
    /// Name of the program.
    pub name: String,
    /// Its version.
    pub version: String,
}

impl Generator {
    /// Returns this program.
    pub fn this() -> Self {
        Self {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// Something that a bundle was made from.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Input {
    /// The file as the topology names it, or `blueprint:NAME` for a blueprint.
    pub name: String,
    /// SHA-256 of its bytes.
    pub sha256: Digest,
}

/// A generated file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Listed {
    /// Where it lies in the bundle.
    pub path: BundlePath,
    /// SHA-256 of its bytes.
    pub sha256: Digest,
    /// Its size in bytes.
    pub bytes: u64,
    /// Whether it is a program.
    pub executable: bool,
}

/// A secret that a bundle refers to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SecretSpec {
    /// Its name, and the name of its file in `secrets/`.
    pub name: String,
    /// How a value is made.
    pub kind: SecretKind,
    /// How long it is: characters if alphanumeric, otherwise bytes before they are encoded. Of no meaning if given.
    pub length: u32,
    /// The characters that it consists of, if others than letters and digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alphabet: Option<String>,
    /// Put before the value, and part of the secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// What it says and what it is signed with, if it is a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Token>,
    /// How often it is changed, and what that takes, where the blueprint says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,
    /// How often it was changed, beginning with 1: part of its name where secrets are objects.
    #[serde(default = "first", skip_serializing_if = "is_first")]
    pub version: u32,
    /// What it protects, in a few words.
    pub purpose: String,
    /// The services that read it.
    pub consumers: Vec<String>,
}

fn first() -> u32 {
    1
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_first(version: &u32) -> bool {
    *version == 1
}

/// A file or folder of the user's: `notes.md`, or `secrets/` with everything in it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Keep {
    path: BundlePath,
    folder: bool,
}

impl Keep {
    /// Parses a path; a `/` at the end makes it a folder.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let folder = text.len() > 1 && text.ends_with('/');
        let bare = if folder {
            &text[..text.len() - 1]
        } else {
            text
        };
        let path = BundlePath::parse(bare)?;
        Ok(Self { path, folder })
    }

    /// Says whether a path is this file, or is or lies in this folder.
    pub fn covers(&self, path: &str) -> bool {
        match path.strip_prefix(self.path.as_str()) {
            Some("") => true,
            Some(rest) => self.folder && rest.starts_with('/'),
            None => false,
        }
    }

    /// Says whether this lies in a folder.
    pub(super) fn lies_in(&self, folder: &str) -> bool {
        self.path.folders().any(|around| around == folder)
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}{}", self.path, if self.folder { "/" } else { "" })
    }
}

impl Serialize for Keep {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Keep {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Keep {
    fn schema_name() -> Cow<'static, str> {
        "Keep".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A file of the user's, or a folder if it ends with `/`.",
            "type": "string",
            "minLength": 1,
        })
    }
}

/// Why a `bundle.json` says nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum InventoryError {
    /// It is no inventory.
    Malformed(String),
    /// It is of a later format.
    Newer {
        /// The version of its format.
        schema: u32,
    },
}

impl fmt::Display for InventoryError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(reason) => write!(out, "it is not an inventory: {reason}"),
            Self::Newer { schema } => write!(
                out,
                "it was made by a newer Lakewright: its format is version {schema}, known here is {SCHEMA}"
            ),
        }
    }
}

impl std::error::Error for InventoryError {}

impl Inventory {
    /// Reads the text of a `bundle.json`.
    pub fn parse(text: &[u8]) -> Result<Self, InventoryError> {
        #[derive(Deserialize)]
        struct Version {
            schema: u32,
        }
        let malformed = |error: serde_json::Error| InventoryError::Malformed(error.to_string());
        let Version { schema } = serde_json::from_slice(text).map_err(malformed)?;
        if schema > SCHEMA {
            return Err(InventoryError::Newer { schema });
        }
        serde_json::from_slice(text).map_err(malformed)
    }

    /// Returns the text of `bundle.json`.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self)
            .expect("an inventory has string keys and plain values only");
        text.push('\n');
        text
    }

    /// Returns the generated files by path.
    pub fn by_path(&self) -> BTreeMap<&str, &Listed> {
        self.files
            .iter()
            .map(|file| (file.path.as_str(), file))
            .collect()
    }

    /// Says whether a path belongs to the user.
    pub fn keeps(&self, path: &str) -> bool {
        self.keep.iter().any(|keep| keep.covers(path))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use super::*;

    const SAMPLE: &str = r#"{
  "schema": 1,
  "generator": {
    "name": "lakewright",
    "version": "0.1.0"
  },
  "platform": "lakehouse",
  "environment": "dev",
  "target": "compose",
  "inputs": [
    {
      "name": "platform.toml",
      "sha256": "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
    }
  ],
  "keep": [
    "secrets/"
  ],
  "secrets": [
    {
      "name": "minio-root-password",
      "kind": "alphanumeric",
      "length": 32,
      "purpose": "MinIO's first user",
      "consumers": [
        "minio/server"
      ]
    }
  ],
  "files": [
    {
      "path": "compose.yaml",
      "sha256": "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb",
      "bytes": 1,
      "executable": false
    }
  ]
}
"#;

    #[test]
    fn what_is_read_is_written_again() {
        assert_eq!(
            Inventory::parse(SAMPLE.as_bytes()).unwrap().to_json(),
            SAMPLE
        );
    }

    fn check(from: &str, to: &str, expected: &str) {
        assert!(SAMPLE.contains(from), "{from}");
        let text = SAMPLE.replacen(from, to, 1);
        let error = Inventory::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn a_path_that_leaves_the_bundle_is_refused() {
        check(
            "compose.yaml",
            "../compose.yaml",
            "`.` and `..` may not be parts",
        );
        check("compose.yaml", "/etc/passwd", "it is absolute");
        check("secrets/", "../", "`.` and `..` may not be parts");
    }

    #[test]
    fn a_later_format_is_named() {
        check(
            "\"schema\": 1",
            "\"schema\": 2",
            "format is version 2, known here is 1",
        );
        check(
            "\"schema\": 1",
            "\"schema\": \"x\"",
            "it is not an inventory",
        );
    }

    #[test]
    fn unknown_fields_are_read_over() {
        let text = SAMPLE.replace("\"bytes\": 1,", "\"bytes\": 1, \"owner\": \"x\",");
        assert!(Inventory::parse(text.as_bytes()).is_ok());
    }

    #[test]
    fn a_folder_of_the_users_covers_what_is_in_it() {
        let folder = Keep::parse("secrets/").unwrap();
        assert!(folder.covers("secrets") && folder.covers("secrets/a/b"));
        assert!(!folder.covers("secrets.txt") && !folder.covers("a/secrets"));
        let file = Keep::parse("notes.md").unwrap();
        assert!(file.covers("notes.md") && !file.covers("notes.md/a"));
        assert!(
            Keep::parse("/").is_err() && Keep::parse("a//").is_err() && Keep::parse("").is_err()
        );
    }

    #[test]
    fn every_field_is_documented_in_the_schema() {
        fn walk(value: &serde_json::Value, at: &str) {
            if let Some(fields) = value
                .get("properties")
                .and_then(|fields| fields.as_object())
            {
                for (name, field) in fields {
                    assert!(field.get("description").is_some(), "{at}.{name}");
                }
            }
            if let Some(parts) = value.get("$defs").and_then(|parts| parts.as_object()) {
                for (name, part) in parts {
                    assert!(part.get("description").is_some(), "{name}");
                    walk(part, name);
                }
            }
        }
        walk(schemars::schema_for!(Inventory).as_value(), "");
    }
}
