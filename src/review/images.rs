//! Images: what their names say of where they come from, and which version they are.

use super::danger::{
    IMAGE_CHANGED, IMAGE_DOWNGRADED, IMAGE_MAJOR, IMAGE_UNPINNED, Level, REGISTRY_CHANGED, Risk,
};

/// The parts of a reference.
struct Reference<'i> {
    repository: &'i str,
    tag: &'i str,
    digest: &'i str,
}

fn split(image: &str) -> Reference<'_> {
    let (rest, digest) = image.split_once('@').unwrap_or((image, ""));
    // A colon before the last slash belongs to the registry's port.
    let at = rest.rfind('/').map_or(0, |slash| slash);
    match rest[at..].find(':') {
        Some(colon) => Reference {
            repository: &rest[..at + colon],
            tag: &rest[at + colon + 1..],
            digest,
        },
        None => Reference {
            repository: rest,
            tag: "",
            digest,
        },
    }
}

/// Returns the numbers that a version begins with; nothing, if it begins with none.
fn numbers(version: &str) -> Vec<u64> {
    let version = version.trim_start_matches(['v', 'V']);
    let end = version
        .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
        .unwrap_or(version.len());
    let parts = version[..end]
        .split('.')
        .map_while(|part| part.parse().ok());
    parts.collect()
}

/// Says whether the first number of two versions differs. A date, a digest or a word is no version.
pub(super) fn is_major(old: &str, new: &str) -> bool {
    let (one, other) = (numbers(old), numbers(new));
    // Versions below one and years count by their second number, or not at all.
    let version = |numbers: &[u64]| !numbers.is_empty() && numbers[0] < 2_000;
    version(&one) && version(&other) && one[0] != other[0]
}

/// Says whether a version comes before another.
pub(super) fn is_older(old: &str, new: &str) -> bool {
    let (one, other) = (numbers(old), numbers(new));
    !one.is_empty() && !other.is_empty() && other < one
}

/// Returns the risks of running one image in place of another.
pub(super) fn risks(who: &str, old: &str, new: &str) -> Vec<Risk> {
    let (one, other) = (split(old), split(new));
    let mut risks = Vec::new();
    if one.repository != other.repository {
        let risk = format!(
            "{who} runs `{}` in place of `{}`",
            other.repository, one.repository
        );
        risks.push(REGISTRY_CHANGED.risk(risk));
    }
    let pinned = |reference: &Reference<'_>| {
        !reference.digest.is_empty() || !matches!(reference.tag, "" | "latest")
    };
    if pinned(&one) && !pinned(&other) {
        risks.push(IMAGE_UNPINNED.risk(format!("{who} runs whatever `{new}` is at the time")));
    } else if !one.digest.is_empty() && other.digest.is_empty() {
        let risk = format!("{who} is no longer pinned to a digest");
        risks.push(IMAGE_UNPINNED.risk(risk));
    }
    if one.repository == other.repository || same_name(&one, &other) {
        if is_older(one.tag, other.tag) {
            let risk = format!("{who} goes back from {} to {}", one.tag, other.tag);
            risks.push(IMAGE_DOWNGRADED.risk(risk));
        } else if is_major(one.tag, other.tag) {
            let risk = format!("{who} goes from {} to {}", one.tag, other.tag);
            risks.push(IMAGE_MAJOR.risk(risk));
        }
    }
    if risks.is_empty() && old != new {
        let risk = if one.tag == other.tag {
            IMAGE_CHANGED
                .risk(format!("{who} runs another image under the same tag"))
                .level(Level::Medium)
        } else {
            IMAGE_CHANGED.risk(format!("{who} goes from {} to {}", one.tag, other.tag))
        };
        risks.push(risk);
    }
    risks
}

fn same_name(one: &Reference<'_>, other: &Reference<'_>) -> bool {
    one.repository.rsplit('/').next() == other.repository.rsplit('/').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(old: &str, new: &str, expected: &[&str]) {
        let found = risks("x", old, new);
        let codes: Vec<&str> = found.iter().map(Risk::code).collect();
        assert_eq!(codes, expected, "{old} {new}");
    }

    #[test]
    fn names_of_images_say_what_changes() {
        check("a/b:1.2.3", "a/b:1.3.0", &["image-changed"]);
        check("a/b:1.2.3", "a/b:2.0", &["image-major"]);
        check("a/b:v2.1", "a/b:v1.9", &["image-downgraded"]);
        check("a/b:1", "c/b:1", &["registry-changed"]);
        check(
            "localhost:5000/a:1",
            "localhost:5000/a",
            &["image-unpinned"],
        );
        check("a/b:1@sha256:00", "a/b:1", &["image-unpinned"]);
        check("a/b:1@sha256:00", "a/b:1@sha256:11", &["image-changed"]);
        check(
            "a/b:RELEASE.2026-01-01",
            "a/b:RELEASE.2026-02-01",
            &["image-changed"],
        );
        check("a/b:2025.1", "a/b:2026.1", &["image-changed"]);
        check("a/b:17.1-trixie", "a/b:18.0-trixie", &["image-major"]);
    }
}
