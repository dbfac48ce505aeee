//! What a tag stands for, asked of its registry by the OCI distribution API.
//!
//! Source: OCI Distribution Specification 1.1, "Pulling manifests"; OCI Image Specification, "Image Index"; Docker's
//! "Token authentication specification". How requests travel is the caller's affair, so that tests need no network.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Image;
use super::reference::Reference;
use crate::bundle::Digest;

/// Formats of manifests that are understood: indexes first.
const ACCEPTED: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json";

/// A request for a document.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its address.
    pub url: String,
    /// Headers by name.
    pub headers: Vec<(&'static str, String)>,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Response {
    /// Status of HTTP.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The document.
    pub body: Vec<u8>,
}

impl Response {
    fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(own, _)| own == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Why a request has no answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unanswered {
    /// In words.
    pub reason: String,
    /// Whether nobody listens there, or speaks another protocol.
    pub refused: bool,
}

/// Sends a request.
pub type Send<'s> = dyn Fn(&Request) -> Result<Response, Unanswered> + Sync + 's;

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    manifests: Vec<Entry>,
    config: Option<Config>,
}

#[derive(Deserialize)]
struct Config {
    digest: String,
}

#[derive(Deserialize)]
struct Entry {
    digest: String,
    platform: Option<Machine>,
}

#[derive(Deserialize)]
struct Machine {
    os: String,
    architecture: String,
    #[serde(default)]
    variant: Option<String>,
}

impl Machine {
    fn name(&self) -> String {
        let variant = self.variant.as_ref().map(|variant| format!("/{variant}"));
        format!(
            "{}/{}{}",
            self.os,
            self.architecture,
            variant.unwrap_or_default()
        )
    }
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

/// Asks a registry.
pub struct Client<'s> {
    send: &'s Send<'s>,
    reference: Reference,
    basic: Option<String>,
    authorization: Option<String>,
    scheme: &'static str,
}

impl<'s> Client<'s> {
    /// Prepares to ask for an image, with credentials if there are any.
    pub fn new(send: &'s Send<'s>, reference: Reference, basic: Option<String>) -> Self {
        Self {
            send,
            reference,
            basic,
            authorization: None,
            scheme: "https",
        }
    }

    /// Finds out what the tag stands for.
    ///
    /// # Errors
    /// Why the registry does not say, in words.
    pub fn resolve(mut self) -> Result<Image, String> {
        let tag = self.reference.tag.clone();
        let response = self.get(&format!("manifests/{tag}"), ACCEPTED)?;
        let digest = format!("sha256:{}", Digest::of(&response.body));
        if let Some(said) = response.header("docker-content-digest")
            && said != digest
        {
            return Err(format!("the registry says {said}, and sent {digest}"));
        }
        let manifest: Manifest = serde_json::from_slice(&response.body)
            .map_err(|error| format!("the registry sent no manifest: {error}"))?;
        let mut platforms: BTreeMap<String, String> = manifest
            .manifests
            .iter()
            .filter_map(|entry| Some((entry.platform.as_ref()?, &entry.digest)))
            // Attestations lie beside the images, for no platform.
            .filter(|(machine, _)| machine.os != "unknown")
            .map(|(machine, digest)| (machine.name(), digest.clone()))
            .collect();
        if let (true, Some(config)) = (platforms.is_empty(), &manifest.config) {
            let response = self.get(&format!("blobs/{}", config.digest), "*/*")?;
            let machine: Machine = serde_json::from_slice(&response.body)
                .map_err(|error| format!("the image has no platform: {error}"))?;
            platforms.insert(machine.name(), digest.clone());
        }
        if platforms.is_empty() {
            return Err("the manifest names no platform".to_owned());
        }
        Ok(Image { digest, platforms })
    }

    fn get(&mut self, what: &str, accept: &str) -> Result<Response, String> {
        let mut response = self.ask(what, accept)?;
        if response.status == 401 {
            self.log_in(&response)?;
            response = self.ask(what, accept)?;
        }
        match response.status {
            200 => Ok(response),
            401 | 403 => Err(if self.basic.is_some() {
                "the registry refuses the credentials of Docker's configuration".to_owned()
            } else {
                format!(
                    "the registry wants to know who asks: `docker login {}` first",
                    self.reference.registry
                )
            }),
            404 => Err("there is no such image".to_owned()),
            429 => Err("the registry wants fewer requests: log in, or try again later".to_owned()),
            other => Err(format!("the registry answers with status {other}")),
        }
    }

    fn ask(&mut self, what: &str, accept: &str) -> Result<Response, String> {
        let send = |client: &Self| {
            let mut headers = vec![("Accept", accept.to_owned())];
            headers.extend(
                client
                    .authorization
                    .clone()
                    .map(|value| ("Authorization", value)),
            );
            (client.send)(&Request {
                url: format!(
                    "{}://{}/v2/{}/{what}",
                    client.scheme,
                    client.reference.host(),
                    client.reference.repository
                ),
                headers,
            })
        };
        let answer = send(self);
        // A registry on this machine often speaks no TLS; elsewhere that would be somebody else's.
        if let Err(Unanswered { refused: true, .. }) = &answer
            && self.scheme == "https"
            && self.reference.is_local()
        {
            self.scheme = "http";
            if let Ok(response) = send(self) {
                return Ok(response);
            }
        }
        answer.map_err(|unanswered| unanswered.reason)
    }

    /// Does what a refusal asks for.
    fn log_in(&mut self, refusal: &Response) -> Result<(), String> {
        let challenge = refusal.header("www-authenticate").unwrap_or_default();
        let (kind, rest) = challenge.split_once(' ').unwrap_or((challenge, ""));
        if kind.eq_ignore_ascii_case("basic") {
            self.authorization = self.basic.as_ref().map(|basic| format!("Basic {basic}"));
            return Ok(());
        }
        let values = parameters(rest);
        let Some(realm) = values
            .get("realm")
            .filter(|_| kind.eq_ignore_ascii_case("bearer"))
        else {
            return Err(format!(
                "the registry asks for `{}`, which is not known",
                challenge.escape_debug()
            ));
        };
        // Credentials go only where nobody can read them on the way.
        if !realm.starts_with("https://") && !self.reference.is_local() {
            return Err(format!(
                "the registry sends to `{}` for a token, without TLS",
                realm.escape_debug()
            ));
        }
        let scope = format!("repository:{}:pull", self.reference.repository);
        let scope = values.get("scope").unwrap_or(&scope);
        let mut url = format!("{realm}?scope={}", encoded(scope));
        if let Some(service) = values.get("service") {
            url.push_str(&format!("&service={}", encoded(service)));
        }
        let headers = self
            .basic
            .iter()
            .map(|basic| ("Authorization", format!("Basic {basic}")));
        let response = (self.send)(&Request {
            url,
            headers: headers.collect(),
        })
        .map_err(|unanswered| unanswered.reason)?;
        let token: Option<Token> = serde_json::from_slice(&response.body).ok();
        let token = token.and_then(|token| token.token.or(token.access_token));
        match token {
            Some(token) if response.status == 200 => {
                self.authorization = Some(format!("Bearer {token}"));
                Ok(())
            }
            _ => Err(format!(
                "the registry gives no token (status {})",
                response.status
            )),
        }
    }
}

/// Reads `realm="…",service="…"`.
fn parameters(text: &str) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    let mut rest = text.trim();
    while let Some((name, after)) = rest.split_once('=') {
        let (value, after) = match after
            .strip_prefix('"')
            .and_then(|quoted| quoted.split_once('"'))
        {
            Some((value, after)) => (value, after),
            None => after.split_once(',').unwrap_or((after, "")),
        };
        values.insert(name.trim().to_ascii_lowercase(), value.to_owned());
        rest = after.trim_start_matches([',', ' ']);
    }
    values
}

/// Writes a text as part of an address.
fn encoded(text: &str) -> String {
    let mut result = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/:,".contains(&byte) {
            result.push(char::from(byte));
        } else {
            result.push_str(&format!("%{byte:02X}"));
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &str = r#"{"manifests":[{"digest":"sha256:a","platform":{"os":"linux","architecture":"arm64","variant":"v8"}},{"digest":"sha256:b","platform":{"os":"unknown","architecture":"unknown"}}]}"#;

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Result<Response, Unanswered> {
        Ok(Response {
            status,
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            body: body.as_bytes().to_vec(),
        })
    }

    fn resolve(reference: &str, send: &Send<'_>) -> Result<Image, String> {
        Client::new(send, Reference::parse(reference), Some("dTpw".to_owned())).resolve()
    }

    #[test]
    fn a_token_is_fetched_where_one_is_asked_for() {
        let found = resolve("a/b:1", &|request| {
            let authorization = request
                .headers
                .iter()
                .find(|(name, _)| *name == "Authorization");
            match (
                request.url.as_str(),
                authorization.map(|(_, value)| value.as_str()),
            ) {
                ("https://registry-1.docker.io/v2/a/b/manifests/1", None) => answer(
                    401,
                    &[(
                        "www-authenticate",
                        "Bearer realm=\"https://auth.example.com/token\",service=\"r s\",scope=\"repository:a/b:pull\"",
                    )],
                    "",
                ),
                (
                    "https://auth.example.com/token?scope=repository:a/b:pull&service=r%20s",
                    Some("Basic dTpw"),
                ) => answer(200, &[], "{\"token\": \"t\"}"),
                ("https://registry-1.docker.io/v2/a/b/manifests/1", Some("Bearer t")) => {
                    answer(200, &[], INDEX)
                }
                other => panic!("{other:?}"),
            }
        });
        let found = found.expect("an image");
        assert_eq!(
            found.digest,
            format!("sha256:{}", Digest::of(INDEX.as_bytes()))
        );
        assert_eq!(
            found.platforms,
            BTreeMap::from([("linux/arm64/v8".to_owned(), "sha256:a".to_owned())])
        );
    }

    #[test]
    fn an_image_of_one_platform_says_which() {
        let manifest = r#"{"config":{"digest":"sha256:c"},"layers":[]}"#;
        let found = resolve("r.example.com/b:1", &|request| {
            if request.url.ends_with("/blobs/sha256:c") {
                answer(200, &[], r#"{"os":"linux","architecture":"amd64"}"#)
            } else {
                answer(200, &[], manifest)
            }
        });
        assert_eq!(
            found
                .expect("an image")
                .platforms
                .keys()
                .collect::<Vec<_>>(),
            ["linux/amd64"]
        );
    }

    #[test]
    fn what_cannot_be_had_is_said() {
        let refused = |status: u16| {
            resolve("r.example.com/b:1", &|_| answer(status, &[], "")).expect_err("refused")
        };
        assert_eq!(refused(404), "there is no such image");
        assert_eq!(refused(500), "the registry answers with status 500");
        assert!(refused(429).contains("fewer requests"));
        assert!(refused(401).contains("not known"));
        let wrong = resolve("r.example.com/b:1", &|_| {
            answer(200, &[("docker-content-digest", "sha256:0")], INDEX)
        });
        assert!(wrong.expect_err("another digest").contains("and sent"));
        let in_clear = resolve("r.example.com/b:1", &|_| {
            answer(
                401,
                &[(
                    "www-authenticate",
                    "Bearer realm=\"http://r.example.com/t\"",
                )],
                "",
            )
        });
        assert!(in_clear.expect_err("no TLS").contains("without TLS"));
    }

    #[test]
    fn tls_is_given_up_on_this_machine_only() {
        let only_http = |request: &Request| {
            if request.url.starts_with("http://") {
                return answer(200, &[], INDEX);
            }
            Err(Unanswered {
                reason: "refused".to_owned(),
                refused: true,
            })
        };
        assert!(resolve("localhost:5000/b:1", &only_http).is_ok());
        assert_eq!(
            resolve("r.example.com/b:1", &only_http),
            Err("refused".to_owned())
        );
    }
}
