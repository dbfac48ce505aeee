//! Names and their limits. A leaf: it knows no stage.
//!
//! Names of platforms, environments, components and what they consist of end up in DNS labels, container names, volume
//! and secret names of all targets, so one rule fits all of them: lower-case letters, digits and `-`, beginning with a
//! letter, not ending with `-`. Their length leaves room for suffixes within Kubernetes' 63 and Docker's 64 characters.

/// The longest name a user may give: `<component>-<service>` must fit into a DNS label of 63 characters, with the room
/// that Kubernetes needs for the suffixes of the pods it makes (10 for jobs, 17 for deployments).
pub const LONGEST_NAME: usize = 40;

/// The longest DNS label (RFC 1035).
pub const LONGEST_LABEL: usize = 63;

/// Says whether a text is a legal name: `superset`, `data-lake2`.
pub fn is_name(text: &str) -> bool {
    text.len() <= LONGEST_NAME
        && is_label(text)
        && text.starts_with(|first: char| first.is_ascii_lowercase())
}

/// Says whether a text is a DNS label in lower case.
pub fn is_label(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= LONGEST_LABEL
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Says whether a text is a domain name: labels with dots, at most 200 characters so that a host name fits before it.
pub fn is_domain(text: &str) -> bool {
    text.len() <= 200 && !text.is_empty() && text.split('.').all(is_label)
}

/// Says whether a text is a range of private IPv4 addresses (RFC 1918) with no bits behind its prefix.
pub fn is_cidr(text: &str) -> bool {
    parse_cidr(text).is_some()
}

/// Parses a range of private IPv4 addresses: its first address and the length of its prefix, 8 to 24.
pub fn parse_cidr(text: &str) -> Option<(u32, u32)> {
    let (address, prefix) = text.split_once('/')?;
    let address: std::net::Ipv4Addr = address.parse().ok()?;
    let prefix: u32 = prefix
        .parse()
        .ok()
        .filter(|prefix| (8..=24).contains(prefix))?;
    let bits = u32::from(address);
    (address.is_private() && bits.trailing_zeros() >= 32 - prefix).then_some((bits, prefix))
}

/// Says whether a text is a metric's name in Prometheus; those with `:` are recorded.
pub fn is_metric(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || matches!(first, '_' | ':'))
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':'))
}

/// Says whether a text is an alert's name: `PostgresqlDown`.
pub fn is_alert(text: &str) -> bool {
    text.len() <= 100
        && text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Writes a name in words that begin with capitals: `DataLake` for `data-lake`.
pub fn camel_case(name: &str) -> String {
    let words = name.split(['-', '_']);
    words
        .flat_map(|word| {
            let mut letters = word.chars();
            let first = letters.next().map(|first| first.to_ascii_uppercase());
            first.into_iter().chain(letters)
        })
        .collect()
}

/// Names a port as Kubernetes lets one be called: in at most 15 characters.
pub fn port(name: &str) -> String {
    let short: String = name.replace('_', "-").chars().take(15).collect();
    short.trim_end_matches('-').to_owned()
}

/// Parses a host with a port: `smtp.example.com:587`. The host is a domain name or an IPv4 address.
pub fn parse_host_port(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    let port: u16 = port.parse().ok().filter(|port| digits && *port > 0)?;
    is_domain(host).then_some((host, port))
}

/// Says whether a text is a mail address that is one on every server: no quotes, no comments, one `@`.
pub fn is_mail_address(text: &str) -> bool {
    let local = |part: &str| {
        part.len() <= 64
            && part.split('.').all(|word| {
                !word.is_empty()
                    && word.bytes().all(|byte| {
                        byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte)
                    })
            })
    };
    text.split_once('@')
        .is_some_and(|(name, domain)| local(name) && is_domain(&domain.to_ascii_lowercase()))
}

/// Parses a web address as far as connections to it go: scheme, host and port.
pub fn parse_url(text: &str) -> Option<(&str, &str, u16)> {
    let (scheme, rest) = text.split_once("://")?;
    let default = match scheme {
        "https" => 443,
        "http" => 80,
        _ => return None,
    };
    if text.contains(|next: char| {
        next.is_control() || next.is_whitespace() || "\"'<>\\`".contains(next)
    }) {
        return None;
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = &rest[..end];
    let authority = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    if authority.contains(':') {
        let (host, port) = parse_host_port(authority)?;
        return Some((scheme, host, port));
    }
    is_domain(authority).then_some((scheme, authority, default))
}

/// Parses a time of day, `06:30`, into minutes since midnight; `24:00` is the end of a day.
pub fn parse_time(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |text: &str, most: u16| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse()
            .ok()
            .filter(|number: &u16| digits && *number <= most)
    };
    let time = number(hours, 24)? * 60 + number(minutes, 59)?;
    (time <= 24 * 60).then_some(time)
}

/// The names of the time zones of the IANA's database (release 2026), with those that older releases used.
pub static TIME_ZONES: &str = include_str!("zones.txt");

/// Says whether a text is a distinguished name of a directory (RFC 4514): `attribute=value`, separated by commas.
pub fn is_distinguished_name(text: &str) -> bool {
    let mut parts = Vec::new();
    let mut part = String::new();
    let mut escaped = false;
    for next in text.chars() {
        if next == ',' && !escaped {
            parts.push(std::mem::take(&mut part));
        } else {
            part.push(next);
        }
        escaped = next == '\\' && !escaped;
    }
    parts.push(part);
    parts.iter().all(|part| {
        part.split_once('=').is_some_and(|(attribute, value)| {
            let attribute = attribute.trim_start();
            attribute.starts_with(|first: char| first.is_ascii_alphabetic())
                && attribute
                    .chars()
                    .all(|next| next.is_ascii_alphanumeric() || next == '-')
                && !value.trim().is_empty()
                && !value.chars().any(|next| next.is_control())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_every_target() {
        for good in ["a", "superset", "data-lake2", &"x".repeat(40)] {
            assert!(is_name(good), "{good}");
        }
        for bad in [
            "",
            "2fast",
            "-a",
            "a-",
            "A",
            "a_b",
            "a.b",
            "é",
            &"x".repeat(41),
        ] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn domains_and_ranges() {
        assert!(is_distinguished_name(
            "cn=Data\\, Team,ou=groups, dc=example,dc=com"
        ));
        for wrong in [
            "",
            "lake-admins",
            "cn=,dc=com",
            "cn=a,,dc=com",
            "c n=a",
            "cn=a\n,dc=com",
        ] {
            assert!(!is_distinguished_name(wrong), "{wrong}");
        }
        assert!(is_domain("data.example.com") && is_domain("localhost"));
        assert!(!is_domain("data..example") && !is_domain("-a.b") && !is_domain("https://a"));
        assert_eq!(parse_cidr("10.213.0.0/16"), Some((0x0ad5_0000, 16)));
        for bad in [
            "8.8.0.0/16",
            "10.213.0.1/16",
            "10.0.0.0/30",
            "10.0.0.0",
            "x/16",
        ] {
            assert!(!is_cidr(bad), "{bad}");
        }
    }

    #[test]
    fn addresses_and_times() {
        assert_eq!(
            parse_host_port("smtp.example.com:587"),
            Some(("smtp.example.com", 587))
        );
        for bad in [
            "smtp.example.com",
            ":25",
            "a:0",
            "a:70000",
            "a:+5",
            "a b:25",
        ] {
            assert_eq!(parse_host_port(bad), None, "{bad}");
        }
        for good in ["on.call@example.com", "dba+alerts@Example.COM"] {
            assert!(is_mail_address(good), "{good}");
        }
        for bad in [
            "",
            "example.com",
            "a@",
            "@b",
            "a@b@c",
            "a b@c.d",
            "x\n@a.b",
            ".a@b.c",
            "<a@b.c>",
        ] {
            assert!(!is_mail_address(bad), "{bad}");
        }
        assert_eq!(
            parse_url("https://hooks.example.com/a?b"),
            Some(("https", "hooks.example.com", 443))
        );
        assert_eq!(parse_url("http://u:p@a:8080"), Some(("http", "a", 8080)));
        for bad in [
            "example.com",
            "ftp://a",
            "https://",
            "https://a b",
            "https:///x",
            "https://a:x/",
        ] {
            assert_eq!(parse_url(bad), None, "{bad}");
        }
        assert_eq!(parse_time("06:30"), Some(390));
        assert_eq!(parse_time("24:00"), Some(1440));
        for bad in ["25:00", "24:01", "6:30", "06:60", "0630", "+6:30", "06:3"] {
            assert_eq!(parse_time(bad), None, "{bad}");
        }
    }

    #[test]
    fn time_zones_are_sorted_and_known() {
        let zones: Vec<&str> = TIME_ZONES.lines().collect();
        assert!(zones.is_sorted() && zones.len() > 500);
        assert!(
            ["UTC", "Europe/Paris", "Asia/Kolkata"]
                .iter()
                .all(|zone| zones.contains(zone))
        );
    }
}
