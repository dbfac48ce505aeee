//! Values: random ones, and tokens that follow from another secret.

use std::path::Path;

use serde_json::json;
use sha2::{Digest as _, Sha512};

use crate::bundle::inventory::SecretSpec;
use crate::host::{Host, HostError, Plain};
use crate::terms::{SecretKind, Token};

/// Makes a value at random.
pub(super) fn random(host: &Host, spec: &SecretSpec) -> Result<String, HostError> {
    let length = spec.length as usize;
    let mut bytes = vec![0; length];
    let body = match spec.kind {
        SecretKind::Alphanumeric => of_letters(host, alphabet(spec), length)?,
        SecretKind::Base64 => {
            host.random(&mut bytes)?;
            base64(&bytes)
        }
        SecretKind::Hex => {
            host.random(&mut bytes)?;
            hex(&bytes)
        }
        SecretKind::Given | SecretKind::Jwt => String::new(),
    };
    Ok(format!(
        "{}{body}",
        spec.prefix.as_deref().unwrap_or_default()
    ))
}

/// Reads what a token is signed with, as those read it who verify the token: without a last line break.
pub(super) fn key_of(
    host: &Host,
    folder: &Path,
    token: &Token,
) -> Result<Option<Vec<u8>>, HostError> {
    let Plain::File {
        bytes: Some(mut key),
        ..
    } = host.read_plain(&folder.join(&token.key), |_| true)?
    else {
        return Ok(None);
    };
    if key.last() == Some(&b'\n') {
        key.pop();
    }
    Ok((!key.is_empty()).then_some(key))
}

/// Makes a JSON Web Token that never expires, in the compact form (RFC 7515), signed with HMAC and SHA-512.
pub(super) fn signed(token: &Token, key: &[u8]) -> String {
    let header = json!({ "alg": "HS512", "typ": "JWT" });
    let claims = json!(token.claims);
    let text = [header, claims].map(|part| base64url(part.to_string().as_bytes()));
    let text = text.join(".");
    let signature = base64url(&hmac(key, text.as_bytes()));
    format!("{text}.{signature}")
}

/// Authenticates a message with SHA-512 (RFC 2104).
fn hmac(key: &[u8], message: &[u8]) -> [u8; 64] {
    let mut block = [0; 128];
    if key.len() > block.len() {
        block[..64].copy_from_slice(&Sha512::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let padded = |with: u8| block.map(|byte| byte ^ with);
    let inner = Sha512::new()
        .chain_update(padded(0x36))
        .chain_update(message);
    let outer = Sha512::new()
        .chain_update(padded(0x5c))
        .chain_update(inner.finalize());
    outer.finalize().into()
}

/// Encodes bytes for URLs, without padding (RFC 4648, section 5).
fn base64url(bytes: &[u8]) -> String {
    base64(bytes)
        .trim_end_matches('=')
        .replace('+', "-")
        .replace('/', "_")
}

const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Returns the characters that the random part of a secret consists of.
pub(super) fn alphabet(spec: &SecretSpec) -> &str {
    spec.alphabet.as_deref().unwrap_or(LETTERS)
}

fn of_letters(host: &Host, letters: &str, length: usize) -> Result<String, HostError> {
    let mut text = String::with_capacity(length);
    let mut bytes = [0; 64];
    while text.len() < length {
        host.random(&mut bytes)?;
        text.extend(
            bytes
                .into_iter()
                .filter_map(|byte| letter(letters.as_bytes(), byte))
                .take(length - text.len()),
        );
    }
    Ok(text)
}

/// Picks a letter. Bytes above the last multiple of their number are not used: some letters would come up more often.
fn letter(letters: &[u8], byte: u8) -> Option<char> {
    let count = letters.len();
    let at = usize::from(byte);
    (at < 256 / count * count).then(|| char::from(letters[at % count]))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Encodes bytes in the standard alphabet, with padding (RFC 4648, section 4).
pub fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let mut bits = 0;
        for at in 0..3 {
            bits = bits << 8 | usize::from(group.get(at).copied().unwrap_or(0));
        }
        for at in 0..4 {
            text.push(if at <= group.len() {
                char::from(DIGITS[bits >> (18 - 6 * at) & 63])
            } else {
                '='
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[0xfb, 0xef, 0xff]), "++//");
    }

    #[test]
    fn authentication_is_that_of_the_rfc() {
        // RFC 4231, test cases 2 and 6: a short key, and one longer than a block.
        let first = hmac(b"Jefe", b"what do ya want for nothing?");
        assert!(hex(&first).starts_with("164b7a7bfcf819e2e395fbe73b56e0a3"));
        let message = b"Test Using Larger Than Block-Size Key - Hash Key First";
        assert!(hex(&hmac(&[0xaa; 131], message)).starts_with("80b24263c7c1a3ebb71493c1dd7be8b4"));
    }

    #[test]
    fn every_letter_stands_for_as_many_bytes_as_any_other() {
        let mut counts = std::collections::BTreeMap::new();
        for letter in (0..=255).filter_map(|byte| letter(LETTERS.as_bytes(), byte)) {
            *counts.entry(letter).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 62);
        assert!(counts.values().all(|count| *count == 4), "{counts:?}");
    }
}
