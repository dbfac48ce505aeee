//! Lines of a rendered file beside the lines of the template it was made from.

use std::ops::Range;

use similar::{DiffTag, TextDiff};

/// Tells texts apart, well enough to keep what was worked out for each.
pub(super) fn fingerprint(text: &str) -> u64 {
    // FNV-1a.
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Returns, for each line of a rendered text, the line of its template: the same one, or the likest of those that stand in its
/// place.
pub(super) fn align(template: &str, rendered: &str) -> Vec<usize> {
    let (old, new): (Vec<&str>, Vec<&str>) =
        (template.lines().collect(), rendered.lines().collect());
    let diff = TextDiff::from_slices(&old, &new);
    let mut lines = vec![0; new.len()];
    for change in diff.ops() {
        let (from, to) = (change.old_range(), change.new_range());
        if change.tag() == DiffTag::Equal {
            for (line, origin) in to.zip(from) {
                lines[line] = origin;
            }
            continue;
        }
        // What a loop writes may stand in the place of no line: then it follows the lines around.
        let around = if from.is_empty() {
            from.start.saturating_sub(1)..(from.end + 1).min(old.len())
        } else {
            from
        };
        for line in to {
            let best = around
                .clone()
                .max_by_key(|at| (alike(old[*at].trim(), new[line].trim()), usize::MAX - at));
            lines[line] = best.unwrap_or(0);
        }
    }
    lines
}

/// Says how many letters two lines begin and end with together.
fn alike(one: &str, other: &str) -> usize {
    let same = |(left, right): &(char, char)| left == right;
    let start = one.chars().zip(other.chars()).take_while(same).count();
    let end = one
        .chars()
        .rev()
        .zip(other.chars().rev())
        .take_while(same)
        .count();
    start + end
}

/// Returns the bytes of a line, without its end.
pub(super) fn span(text: &str, line: usize) -> Option<Range<usize>> {
    let mut start = 0;
    for (at, whole) in text.split_inclusive('\n').enumerate() {
        if at == line {
            return Some(start..start + whole.trim_end().len());
        }
        start += whole.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_find_their_template() {
        let template =
            "# top\nport = {{ port }}\n{% for x in all %}\nname = {{ x }}\n{% endfor %}\nend = 1\n";
        let rendered = "# top\nport = 80\nname = a\nname = b\nend = 1\n";
        assert_eq!(align(template, rendered), [0, 1, 3, 3, 5]);
        assert_eq!(span(template, 1), Some(6..23));
        assert_eq!(span("a", 1), None);
    }
}
