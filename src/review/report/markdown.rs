//! A review for a pull request: Markdown that stays below what forges take.
//!
//! Summary and risks come first. What does not fit is left out from the end, and said to be.

use super::super::{Act, Change, EnvironmentReview, Layer, Review};
use super::{Group, causes, count, effect, folded, followers, groups, headline, values};

/// The most letters, and bytes, that a report has. GitHub takes 65 536 characters in a comment.
pub const LARGEST: usize = 60_000;

/// Room that is kept for the note that something was left out, in bytes.
const NOTE: usize = 400;

/// Risks that are listed for one environment.
const RISKS: usize = 100;

/// Lines of one text's difference that are shown.
const LINES: usize = 30;

/// Letters of one value or name that are shown.
const LONGEST: usize = 160;

/// Names that are listed where many have the same change.
const NAMES: usize = 8;

/// Fills a text up to a size, whole blocks at a time.
struct Page {
    out: String,
    room: usize,
    left_out: usize,
}

impl Page {
    /// Adds a block, unless it does not fit any more.
    fn add(&mut self, block: &str) -> bool {
        if block.len() > self.room {
            self.left_out += 1;
            return false;
        }
        self.room -= block.len();
        self.out.push_str(block);
        true
    }
}

/// Renders a review.
pub fn render(review: &Review) -> String {
    let mut page = Page {
        out: String::new(),
        room: LARGEST - NOTE,
        left_out: 0,
    };
    page.add(&format!(
        "## {} to {}\n\n",
        code(&review.old),
        code(&review.new)
    ));
    if review.is_empty() {
        page.add("No difference.\n");
    }
    // Everybody's summary and risks stand before anybody's details.
    for one in &review.environments {
        summary(one, &mut page);
    }
    for one in &review.environments {
        details(one, &mut page);
    }
    if page.left_out > 0 {
        let note = format!(
            "\n*{} left out, to stay below {LARGEST} characters: the JSON and HTML reports have all of it.*\n",
            count(page.left_out, "part")
        );
        page.out.push_str(&note);
    }
    page.out
}

fn summary(one: &EnvironmentReview, page: &mut Page) {
    page.add(&format!(
        "**{}**: {}.\n\n",
        text(&one.title()),
        text(&headline(one))
    ));
    let risks = one.risks();
    if !risks.is_empty() {
        let mut table =
            "| risk | about | what | why it matters |\n| --- | --- | --- | --- |\n".to_owned();
        for (_, risk) in risks.iter().take(RISKS) {
            let row = format!(
                "| {} | {} | {} | {} |\n",
                risk.level,
                risk.category(),
                cell(&risk.message),
                cell(risk.danger.rule.why)
            );
            if table.len() + row.len() > page.room / 2 {
                break;
            }
            table.push_str(&row);
        }
        let shown = table.lines().count() - 2;
        if shown < risks.len() {
            table.push_str(&format!("| | | and {} more | |\n", risks.len() - shown));
        }
        page.add(&format!("{table}\n"));
    }
    if !one.services.is_empty() {
        let mut list = String::new();
        for service in &one.services {
            let row = format!(
                "| {} | {} | {} |\n",
                code_cell(&service.name),
                service.outcome.effect,
                cell(&service.outcome.reason)
            );
            if list.len() + row.len() > page.room / 3 {
                list.push_str("| ... | | |\n");
                break;
            }
            list.push_str(&row);
        }
        page.add(&format!(
            "<details><summary>{} touched</summary>\n\n| service | effect | why |\n| --- | --- | --- |\n{list}\n</details>\n\n",
            count(one.services.len(), "service")
        ));
    }
}

fn details(one: &EnvironmentReview, page: &mut Page) {
    let groups = groups(one);
    for (layer, title) in [
        (Layer::Platform, "the platform"),
        (Layer::Resource, "objects"),
        (Layer::File, "files"),
    ] {
        let of_layer: Vec<Vec<&Group<'_>>> = folded(&groups)
            .into_iter()
            .filter(|group| group[0].layer == layer)
            .collect();
        if of_layer.is_empty() {
            continue;
        }
        let open = format!(
            "<details><summary>{}: {} of {title}</summary>\n\n",
            text(&one.title()),
            count(
                of_layer
                    .iter()
                    .flatten()
                    .map(|group| group.changes.len())
                    .sum(),
                "change"
            )
        );
        let close = "\n</details>\n\n";
        // A block that is opened is closed, whatever fits between.
        if page.room < open.len() + close.len() + NOTE {
            page.left_out += of_layer.len();
            continue;
        }
        page.add(&open);
        page.room -= close.len();
        for group in of_layer {
            page.add(&thing(&group, one.parity));
        }
        page.room += close.len();
        page.add(close);
    }
    if let Some(followers) = followers(one) {
        page.add(&format!("{}\n\n", text(&followers)));
    }
}

fn thing(alike: &[&Group<'_>], parity: bool) -> String {
    let group = alike[0];
    let first = group.changes[0];
    let names: Vec<String> = alike
        .iter()
        .take(NAMES)
        .map(|group| code(group.name))
        .collect();
    let mut block = format!(
        "- {} **{}** {}",
        first.act.sign(),
        text(group.noun),
        names.join(", ")
    );
    if alike.len() > NAMES {
        block.push_str(&format!(" and {} more", alike.len() - NAMES));
    }
    if let Act::Renamed { from } = &first.act {
        block.push_str(&format!(" (was {})", code(from)));
    }
    if first.field.is_empty() && !values(first).is_empty() {
        block.push_str(&format!(": {}", code(&values(first))));
    }
    block.push('\n');
    for change in &group.changes {
        field(change, parity, &mut block);
    }
    block
}

fn field(change: &Change, parity: bool, block: &mut String) {
    let mut parts = Vec::new();
    if !change.field.is_empty() {
        parts.push(format!(
            "{}: {}",
            code(&change.field),
            code(&values(change))
        ));
    }
    if !parity {
        parts.push(text(&effect(change)));
    }
    parts.extend(causes(change).iter().map(|cause| text(cause)));
    if !parts.is_empty() {
        block.push_str(&format!("  - {}\n", parts.join("; ")));
    }
    if let Some(lines) = &change.lines {
        let shown: Vec<&str> = lines.lines().take(LINES).collect();
        // A fence that no line of the text ends.
        let ticks = shown.iter().map(|line| ticks(line)).max().unwrap_or(0);
        let fence = "`".repeat(3.max(ticks + 1));
        block.push_str(&format!("\n    {fence}diff\n"));
        for line in &shown {
            let short: String = line
                .chars()
                .filter(|letter| !letter.is_control() || *letter == '\t')
                .take(LONGEST)
                .collect();
            block.push_str(&format!("    {short}\n"));
        }
        let more = lines.lines().count() - shown.len();
        if more > 0 {
            block.push_str(&format!("    ... {more} more lines\n"));
        }
        block.push_str(&format!("    {fence}\n\n"));
    }
}

/// Returns the length of the longest run of backticks.
fn ticks(text: &str) -> usize {
    text.split(|letter| letter != '`')
        .map(str::len)
        .max()
        .unwrap_or(0)
}

fn cut(text: &str) -> String {
    let clean: String = text
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    if clean.chars().count() <= LONGEST {
        return clean;
    }
    let short: String = clean.chars().take(LONGEST).collect();
    format!("{short}...")
}

/// Escapes what Markdown or a forge would read as more than text: markup, mentions, references.
fn text(text: &str) -> String {
    let mut out = String::new();
    for letter in cut(text).chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '@' => out.push_str("&#64;"),
            '#' => out.push_str("&#35;"),
            '\\' | '*' | '_' | '[' | ']' | '|' | '~' | '`' => {
                out.push('\\');
                out.push(letter);
            }
            _ => out.push(letter),
        }
    }
    out
}

/// Writes words of Lakewright's own in a table, with names in backticks as code.
fn cell(words: &str) -> String {
    let words = cut(words);
    let parts: Vec<&str> = words.split('`').collect();
    // A name with a backtick in it: nobody knows what is a name then.
    if parts.len().is_multiple_of(2) {
        return text(&words);
    }
    let parts = parts.iter().enumerate();
    parts
        .map(|(at, part)| {
            if at % 2 == 0 {
                text(part)
            } else {
                code_cell(part)
            }
        })
        .collect()
}

/// Writes a code span that no backtick in it ends.
fn code(words: &str) -> String {
    let words = cut(words);
    let fence = "`".repeat(ticks(&words) + 1);
    let pad = if words.starts_with('`') || words.ends_with('`') {
        " "
    } else {
        ""
    };
    if words.is_empty() {
        return String::new();
    }
    format!("{fence}{pad}{words}{pad}{fence}")
}

fn code_cell(words: &str) -> String {
    code(words).replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_value_is_read_as_markup() {
        assert_eq!(
            text("<b> @team #12 a|b `x` *y*"),
            "&lt;b&gt; &#64;team &#35;12 a\\|b \\`x\\` \\*y\\*"
        );
        assert_eq!(code("a`b"), "``a`b``");
        assert_eq!(code("`"), "`` ` ``");
    }
}
