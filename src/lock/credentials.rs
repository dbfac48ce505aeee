//! Whom registries know: what `docker login` left in Docker's configuration.
//!
//! Source: Docker's documentation, "docker login", "Credential stores" and "Credential helpers".

use serde::Deserialize;
use std::collections::BTreeMap;

use super::reference::Reference;
use crate::bundle::secrets::base64;

/// Docker's configuration, as far as it is about credentials.
#[derive(Clone, Default, Debug, Deserialize)]
pub struct Configuration {
    #[serde(default)]
    auths: BTreeMap<String, Auth>,
    #[serde(default, rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
    #[serde(default, rename = "credsStore")]
    store: Option<String>,
}

#[derive(Clone, Default, Debug, Deserialize)]
struct Auth {
    /// `user:password`, encoded.
    #[serde(default)]
    auth: Option<String>,
}

/// What a helper answers.
#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "Username")]
    user: String,
    #[serde(rename = "Secret")]
    secret: String,
}

impl Configuration {
    /// Reads a configuration.
    ///
    /// # Errors
    /// What is no JSON, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    /// Returns the names that a registry may have in a configuration.
    fn keys(reference: &Reference) -> Vec<String> {
        let registry = &reference.registry;
        let mut keys = vec![
            registry.clone(),
            format!("https://{registry}"),
            format!("https://{registry}/v1/"),
        ];
        if registry == "docker.io" {
            keys.push("https://index.docker.io/v1/".to_owned());
            keys.push("index.docker.io".to_owned());
        }
        keys
    }

    /// Returns credentials for a registry as HTTP's basic authentication has them, without its first word.
    ///
    /// `ask` runs a helper with a registry's name and returns what it prints; nothing, if it knows none.
    pub fn basic(
        &self,
        reference: &Reference,
        ask: impl Fn(&str, &str) -> Option<String>,
    ) -> Option<String> {
        let keys = Self::keys(reference);
        let helper = keys
            .iter()
            .find_map(|key| Some((key, self.helpers.get(key)?)));
        let stored = self.store.as_ref().and_then(|store| {
            let key = keys.iter().find(|key| self.auths.contains_key(*key))?;
            Some((key, store))
        });
        if let Some((key, helper)) = helper.or(stored) {
            let answer: Answer = serde_json::from_str(&ask(helper, key)?).ok()?;
            return Some(base64(
                format!("{}:{}", answer.user, answer.secret).as_bytes(),
            ));
        }
        keys.iter()
            .find_map(|key| self.auths.get(key)?.auth.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_come_from_where_docker_keeps_them() {
        let text = r#"{"auths": {"r.example.com": {"auth": "dTpw"}, "https://index.docker.io/v1/": {}}, "credHelpers": {"gcr.example.com": "gcr"}, "credsStore": "desktop", "other": 1}"#;
        let configuration = Configuration::parse(text).expect("JSON");
        let ask = |helper: &str, key: &str| {
            Some(format!(
                "{{\"ServerURL\": \"{key}\", \"Username\": \"{helper}\", \"Secret\": \"s\"}}"
            ))
        };
        let basic = |text: &str| configuration.basic(&Reference::parse(text), ask);
        assert_eq!(basic("gcr.example.com/x:1"), Some(base64(b"gcr:s")));
        assert_eq!(basic("x:1"), Some(base64(b"desktop:s")));
        assert_eq!(basic("nowhere.example.com/x:1"), None);
        let plain = Configuration::parse(r#"{"auths": {"r.example.com": {"auth": "dTpw"}}}"#);
        let none = |_: &str, _: &str| None;
        let found = plain
            .expect("JSON")
            .basic(&Reference::parse("r.example.com/x:1"), none);
        assert_eq!(found.as_deref(), Some("dTpw"));
        assert!(Configuration::parse("[").is_err());
    }
}
