//! Findings for people: the line itself, underlined, with the reasons and the way out below it.
//!
//! Everything that comes from a user's file may hold control characters; they are made visible here, so that a file
//! cannot drive the terminal of the one who checks it.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};

use super::locate::{Locator, Spot, without_mark};
use super::{Finding, Severity, Tally};
use crate::source::{FileId, KeyPath, Place, Segment, Sources};

/// Where the codes are explained, from the root of the project.
const EXPLANATIONS: &str = "docs/reference/findings.md";

/// Below this, lines would be cut until nothing is left to read.
const NARROWEST: usize = 40;

/// Places of one file that are at most this many lines apart are shown together.
const NEAR: usize = 40;

/// Renders findings with their source lines, and a last line that counts them; nothing if there are none.
///
/// Source lines are cut to `width` columns; words are not, because tables in them would fall apart. A finding that has
/// no help of its own gets that of its rule, the first of its kind only.
pub fn render(findings: &[Finding], sources: &Sources, color: bool, width: usize) -> String {
    if findings.is_empty() {
        return String::new();
    }
    let renderer = if color {
        Renderer::styled()
    } else {
        Renderer::plain()
    }
    .term_width(width.max(NARROWEST));
    let locator = Locator::new(sources);
    let mut out = String::new();
    let mut advised = BTreeSet::new();
    for finding in findings {
        let help = finding
            .help
            .as_deref()
            .or_else(|| {
                advised
                    .insert(finding.rule.code)
                    .then_some(finding.rule.fix)
            })
            .filter(|help| !help.is_empty());
        // Empty lines of a cause come back indented.
        for line in renderer.render(&[group(finding, help, &locator)]).lines() {
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out.push('\n');
    }
    out.push_str(&summary(Tally::of(findings)));
    out.push('\n');
    out
}

/// Renders one line per finding, `file:line:column: error[code]: message`, as editors and `grep` want it.
pub fn render_short(findings: &[Finding], sources: &Sources) -> String {
    let locator = Locator::new(sources);
    let mut out = String::new();
    for finding in findings {
        let spot = locator.spot(&finding.place);
        let _ = writeln!(
            out,
            "{}:{}:{}: {}[{}]: {}",
            clean_line(spot.file_name),
            spot.line,
            spot.column,
            finding.severity.name(),
            finding.rule.code,
            clean_line(&finding.message),
        );
    }
    out
}

fn group<'a>(finding: &'a Finding, help: Option<&str>, locator: &Locator<'a>) -> Group<'a> {
    let level = match finding.severity {
        Severity::Note => Level::NOTE,
        Severity::Warning => Level::WARNING,
        Severity::Error => Level::ERROR,
    };
    let mut elements: Vec<Element<'_>> = Vec::new();
    let mut views: Vec<View<'_>> = Vec::new();
    let mut notes = Vec::new();

    let spot = locator.spot(&finding.place);
    if spot.whole {
        elements.push(Origin::path(clean_line(spot.file_name)).into());
        notes.extend(finding.label.as_deref().map(clean));
    } else {
        let label = finding.label.as_deref();
        views.push(View::new(
            finding.place.file(),
            &spot,
            AnnotationKind::Primary,
            label,
        ));
    }
    for (place, words) in &finding.related {
        let spot = locator.spot(place);
        if spot.whole {
            notes.push(format!("{}: {}", clean_line(spot.file_name), clean(words)));
        } else if !views
            .iter_mut()
            .any(|view| view.take(place.file(), &spot, words))
        {
            views.push(View::new(
                place.file(),
                &spot,
                AnnotationKind::Context,
                Some(words),
            ));
        }
    }
    elements.extend(views.iter().map(View::snippet));

    notes.extend(finding.cause.as_deref().map(clean));
    if let Some(environment) = &finding.environment
        && !names(&finding.place, environment)
    {
        notes.push(format!("only in environment `{}`", clean_line(environment)));
    }
    elements.extend(
        notes
            .into_iter()
            .map(|note| Level::NOTE.message(note).into()),
    );
    elements.extend(
        help.iter()
            .map(|help| Level::HELP.message(clean(help)).into()),
    );

    level
        .primary_title(clean_line(&finding.message))
        .id(finding.rule.code)
        .elements(elements)
}

/// Says whether a place's own path names the environment, so that saying it again would be noise.
fn names(place: &Place, environment: &str) -> bool {
    let Place::Path { path, .. } = place else {
        return false;
    };
    let is_it = |segment: &&Segment| matches!(segment, Segment::Key(key) if key == environment);
    KeyPath::segments(path).iter().any(is_it)
}

/// Neighbouring lines of one file, with everything that is underlined in them.
struct View<'a> {
    file: FileId,
    file_name: &'a str,
    text: &'a str,
    /// Bytes of the text that are not shown.
    hidden: &'a [Range<usize>],
    /// The first line of the view.
    line: usize,
    last_line: usize,
    /// The bytes of the view: whole lines with their newlines.
    bytes: Range<usize>,
    marks: Vec<Mark<'a>>,
}

struct Mark<'a> {
    kind: AnnotationKind,
    span: Range<usize>,
    label: Option<&'a str>,
}

impl<'a> View<'a> {
    fn new(file: FileId, spot: &Spot<'a>, kind: AnnotationKind, label: Option<&'a str>) -> Self {
        let on_line = spot.text[spot.span.clone()].lines().next();
        let length = on_line.unwrap_or_default().len();
        Self {
            file,
            file_name: spot.file_name,
            text: spot.text,
            hidden: spot.hidden,
            line: spot.line,
            last_line: spot.line,
            bytes: line_of(spot),
            marks: vec![Mark {
                kind,
                span: spot.span.start..spot.span.start + length,
                label,
            }],
        }
    }

    /// Takes a related place into this view if it lies near enough.
    fn take(&mut self, file: FileId, spot: &Spot<'a>, words: &'a str) -> bool {
        let first = self.line.min(spot.line);
        let last = self.last_line.max(spot.line);
        let mut other = Self::new(file, spot, AnnotationKind::Context, Some(words));
        let apart = file != self.file || last - first > NEAR;
        if apart || self.is_behind_the_text() || other.is_behind_the_text() {
            return false;
        }
        self.marks.append(&mut other.marks);
        self.bytes = self.bytes.start.min(other.bytes.start)..self.bytes.end.max(other.bytes.end);
        (self.line, self.last_line) = (first, last);
        true
    }

    /// Says whether this is the empty line behind the last newline, which the renderer knows only when it is alone.
    fn is_behind_the_text(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Only the lines of the view are handed over: the renderer reads all that it gets, for every finding anew.
    fn snippet(&self) -> Element<'a> {
        let start = self.bytes.start;
        let shown =
            |end: usize| clean_source(&without(self.text, start..end, self.hidden)).into_owned();
        let cleaned_length = |end: usize| shown(end).len();
        let annotations = self.marks.iter().map(|mark| {
            let span = cleaned_length(mark.span.start)..cleaned_length(mark.span.end);
            mark.kind.span(span).label(mark.label.map(clean_line))
        });
        Snippet::source(shown(self.bytes.end))
            .path(clean_line(self.file_name))
            .line_start(self.line)
            .annotations(annotations)
            .into()
    }
}

/// Returns the bytes of the line that a spot starts in, with its newline but without a byte order mark.
fn line_of(spot: &Spot<'_>) -> Range<usize> {
    let (before, after) = spot.text.split_at(spot.span.start);
    let start = match before.rfind('\n') {
        Some(newline) => newline + 1,
        None => before.len() - without_mark(before).len(),
    };
    let rest = after.split_inclusive('\n').next().unwrap_or_default();
    start..spot.span.start + rest.len()
}

fn summary(tally: Tally) -> String {
    let counts = [
        (tally.errors, "error"),
        (tally.warnings, "warning"),
        (tally.notes, "note"),
    ];
    let counts: Vec<String> = counts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}{}", if count == 1 { "" } else { "s" }))
        .collect();
    format!("{}; explained in {EXPLANATIONS}", counts.join(", "))
}

/// Returns what to show for a character that is invisible or moves the cursor.
///
/// One character for one, so that columns stay right. Besides the C0 controls these are the C1 controls, of which
/// U+009B alone starts an escape sequence, and what hides or reorders text.
fn stand_in(letter: char) -> Option<char> {
    match letter {
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(letter)),
        '\u{7f}' => Some('\u{2421}'),
        '\u{80}'..='\u{9f}'
        | '\u{61c}'
        | '\u{200b}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}' => Some(char::REPLACEMENT_CHARACTER),
        _ => None,
    }
}

fn replace(text: &str, keep: impl Fn(char) -> bool) -> Cow<'_, str> {
    let shown = |letter: char| {
        let hidden = if keep(letter) { None } else { stand_in(letter) };
        hidden.unwrap_or(letter)
    };
    if text.chars().all(|letter| shown(letter) == letter) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.chars().map(shown).collect())
    }
}

/// Makes words safe that must stay on one line.
fn clean_line(text: &str) -> Cow<'_, str> {
    replace(text, |_| false)
}

/// Makes words safe that may have several lines.
fn clean(text: &str) -> String {
    let text = text.trim_end().replace("\r\n", "\n").replace('\t', "    ");
    replace(&text, |letter| letter == '\n').into_owned()
}

/// Returns a part of a text with a `*` for every character that is not shown, but for quotes around it.
fn without<'t>(text: &'t str, part: Range<usize>, hidden: &[Range<usize>]) -> Cow<'t, str> {
    let touches = |span: &&Range<usize>| span.start < part.end && part.start < span.end;
    let spans: Vec<&Range<usize>> = hidden.iter().filter(touches).collect();
    if spans.is_empty() {
        return Cow::Borrowed(&text[part]);
    }
    let is_hidden = |at: usize| spans.iter().any(|span| span.contains(&at));
    let shown = text[part.clone()].char_indices().map(|(at, letter)| {
        let is_kept = matches!(letter, '\n' | '\r' | '"' | '\'');
        if !is_kept && is_hidden(part.start + at) {
            '*'
        } else {
            letter
        }
    });
    Cow::Owned(shown.collect())
}

/// Makes source lines safe; their newlines and tabs are the renderer's to deal with.
fn clean_source(text: &str) -> Cow<'_, str> {
    replace(text, |letter| matches!(letter, '\n' | '\r' | '\t'))
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use proptest::prelude::*;

    use super::*;
    use crate::diagnostic::Rule;
    use crate::diagnostic::locate::tests::{path, toml_like};

    static UNKNOWN_KEY: Rule = Rule {
        code: "unknown-key",
        severity: Severity::Error,
        summary: "a key that nothing reads",
        why: "It would be ignored in silence.",
        fix: "",
        allowable: false,
    };

    static HOST_OVER_BUDGET: Rule = Rule {
        code: "host-over-budget",
        severity: Severity::Warning,
        summary: "a host has less than its services take",
        why: "They would be killed.",
        fix: "",
        allowable: true,
    };

    fn unknown_key(place: Place, message: &str) -> Finding {
        Finding::new(&UNKNOWN_KEY, place, message)
    }

    /// Renders findings about one file, without the line that counts them.
    fn one(text: &str, make: impl Fn(FileId) -> Finding) -> String {
        let mut sources = Sources::default();
        let file = sources.add("platform.toml", text);
        let out = render(&[make(file)], &sources, false, 100);
        let (finding, _) = out.rsplit_once("\n\n").unwrap_or_default();
        finding.to_owned()
    }

    #[test]
    fn everything_a_finding_can_say() {
        let text = "[platform]\nname = \"lake\"\n\n[environments.dev]\nhosts = [{ name = \"local\", memory = \"8GiB\" }]\n";
        let mut sources = Sources::default();
        let file = sources.add("platform.toml", text);
        let blueprint = sources.add(
            "blueprint:dremio/blueprint.toml",
            "[resources]\nmemory = \"6GiB\"\n",
        );
        let memory = path("environments.dev.hosts[0].memory");
        let over = Finding::new(&HOST_OVER_BUDGET, Place::value(file, memory), "host `local` is 2 GiB short")
            .label("8 GiB here")
            .related(Place::value(file, path("platform.name")), "the platform")
            .related(Place::value(blueprint, path("resources.memory")), "most of it")
            .related(Place::File { file: blueprint }, "embedded")
            .cause("its services take 10 GiB:\n\nservice      memory\ndremio       6 GiB\npostgresql   4 GiB\n")
            .help("give it memory, or move services:\n`memory = \"10GiB\"`");
        let over = Finding {
            environment: Some("staging".to_owned()),
            ..over
        };
        let unknown = unknown_key(
            Place::key(file, path("platform.name")),
            "unknown key `name`",
        );
        let note = Finding::new(&HOST_OVER_BUDGET, Place::File { file }, "no host is named")
            .severity(Severity::Note)
            .label("the file has no hosts");
        let findings = [over, unknown.clone(), unknown, note];
        assert_snapshot!(render(&findings, &sources, false, 100), @r#"
        warning[host-over-budget]: host `local` is 2 GiB short
         --> platform.toml:5:37
          |
        2 | name = "lake"
          |        ------ the platform
        ...
        5 | hosts = [{ name = "local", memory = "8GiB" }]
          |                                     ^^^^^^ 8 GiB here
          |
         ::: blueprint:dremio/blueprint.toml:2:10
          |
        2 | memory = "6GiB"
          |          ------ most of it
          |
          = note: blueprint:dremio/blueprint.toml: embedded
          = note: its services take 10 GiB:

                  service      memory
                  dremio       6 GiB
                  postgresql   4 GiB
          = note: only in environment `staging`
          = help: give it memory, or move services:
                  `memory = "10GiB"`

        error[unknown-key]: unknown key `name`
         --> platform.toml:2:1
          |
        2 | name = "lake"
          | ^^^^

        error[unknown-key]: unknown key `name`
         --> platform.toml:2:1
          |
        2 | name = "lake"
          | ^^^^

        note[host-over-budget]: no host is named
        --> platform.toml
         = note: the file has no hosts

        2 errors, 1 warning, 1 note; explained in docs/reference/findings.md
        "#);
        assert_snapshot!(render_short(&findings, &sources), @"
        platform.toml:5:37: warning[host-over-budget]: host `local` is 2 GiB short
        platform.toml:2:1: error[unknown-key]: unknown key `name`
        platform.toml:2:1: error[unknown-key]: unknown key `name`
        platform.toml:1:1: note[host-over-budget]: no host is named
        ");
    }

    #[test]
    fn nothing_to_say() {
        assert_eq!(render(&[], &Sources::default(), false, 100), "");
        assert_eq!(render_short(&[], &Sources::default()), "");
    }

    #[test]
    fn the_first_of_a_kind_without_help_gets_that_of_its_rule() {
        static ADVISED: Rule = Rule {
            code: "advised",
            severity: Severity::Error,
            summary: "something is wrong",
            why: "It would fail.",
            fix: "Put it right.",
            allowable: false,
        };
        let mut sources = Sources::default();
        let file = sources.add("x.toml", "a = 1\n");
        let finding = |message: &str| Finding::new(&ADVISED, Place::File { file }, message);
        let findings = [
            finding("one").help("take this out"),
            finding("two"),
            finding("three"),
        ];
        let text = render(&findings, &sources, false, 100);
        assert_eq!(text.matches("Put it right.").count(), 1, "{text}");
        let (before, after) = text.split_once("Put it right.").expect("the advice");
        assert!(before.contains("two") && after.contains("three"), "{text}");
    }

    #[test]
    fn counts_are_in_singular_and_plural() {
        let tally = |errors, warnings, notes| {
            summary(Tally {
                errors,
                warnings,
                notes,
            })
        };
        assert_snapshot!(tally(1, 0, 0), @"1 error; explained in docs/reference/findings.md");
        assert_snapshot!(tally(2, 1, 3), @"2 errors, 1 warning, 3 notes; explained in docs/reference/findings.md");
    }

    #[test]
    fn an_environment_that_the_path_names_is_not_said_again() {
        let text = "[environments.dev]\ntarget = 1\n[components.minio]\n";
        let in_dev = |keys: &'static str| {
            one(text, |file| Finding {
                environment: Some("dev".to_owned()),
                ..unknown_key(Place::value(file, path(keys)), "odd")
            })
        };
        assert_snapshot!(in_dev("environments.dev.target"), @"
        error[unknown-key]: odd
         --> platform.toml:2:10
          |
        2 | target = 1
          |          ^
        ");
        assert_snapshot!(in_dev("components.minio"), @"
        error[unknown-key]: odd
         --> platform.toml:3:2
          |
        3 | [components.minio]
          |  ^^^^^^^^^^^^^^^^
          |
          = note: only in environment `dev`
        ");
    }

    #[test]
    fn several_places_on_one_line() {
        let text = "scale = { min = 9, max = 3 }\n";
        let out = one(text, |file| {
            unknown_key(
                Place::value(file, path("scale.min")),
                "more at least than at most",
            )
            .label("at least")
            .related(Place::value(file, path("scale.max")), "at most")
            .related(Place::key(file, path("scale")), "in here")
        });
        assert_snapshot!(out, @"
        error[unknown-key]: more at least than at most
         --> platform.toml:1:17
          |
        1 | scale = { min = 9, max = 3 }
          | -----           ^        - at most
          | |               |
          | in here         at least
        ");
    }

    #[test]
    fn places_far_apart_in_one_file() {
        let text = format!("first = 1\n{}last = 2\n", "# more\n".repeat(100));
        let out = one(&text, |file| {
            unknown_key(Place::key(file, path("last")), "twice")
                .label("here")
                .related(Place::key(file, path("first")), "and here")
        });
        assert_snapshot!(out, @"
        error[unknown-key]: twice
           --> platform.toml:102:1
            |
        102 | last = 2
            | ^^^^ here
            |
           ::: platform.toml:1:1
            |
          1 | first = 1
            | ----- and here
        ");
    }

    #[test]
    fn wide_and_combining_characters_and_tabs() {
        let text = "\tx = { '日本' = \"e\u{301}e\u{301}\", \"größe\" = 5 }\n";
        let wide = one(text, |file| {
            unknown_key(Place::key(file, path("x.日本")), "wide")
        });
        assert_snapshot!(wide, @r#"
        error[unknown-key]: wide
         --> platform.toml:1:8
          |
        1 |     x = { '日本' = "éé", "größe" = 5 }
          |           ^^^^^^
        "#);
        let combining = one(text, |file| {
            unknown_key(Place::value(file, path("x.日本")), "combining")
        });
        assert_snapshot!(combining, @r#"
        error[unknown-key]: combining
         --> platform.toml:1:15
          |
        1 |     x = { '日本' = "éé", "größe" = 5 }
          |                    ^^^^
        "#);
        let behind = one(text, |file| {
            unknown_key(Place::value(file, path("x.größe")), "behind")
        });
        assert_snapshot!(behind, @r#"
        error[unknown-key]: behind
         --> platform.toml:1:33
          |
        1 |     x = { '日本' = "éé", "größe" = 5 }
          |                                    ^
        "#);
    }

    #[test]
    fn a_byte_order_mark_and_line_endings_of_windows() {
        let text = "\u{feff}a = 1\r\nb = 2\r\n";
        let out = one(text, |file| {
            unknown_key(Place::key(file, path("a")), "odd")
                .related(Place::value(file, path("b")), "see here")
        });
        assert_snapshot!(out, @"
        error[unknown-key]: odd
         --> platform.toml:1:1
          |
        1 | a = 1
          | ^
        2 | b = 2
          |     - see here
        ");
    }

    #[test]
    fn the_end_of_a_file() {
        let out = one("a = 1\nb = ", |file| {
            unknown_key(Place::span(file, 10..10), "no value").label("here")
        });
        assert_snapshot!(out, @"
        error[unknown-key]: no value
         --> platform.toml:2:5
          |
        2 | b =
          |     ^ here
        ");
        let out = one("a = 1\n", |file| {
            unknown_key(Place::span(file, 6..6), "too short").label("here")
        });
        assert_snapshot!(out, @"
        error[unknown-key]: too short
         --> platform.toml:2:1
          |
        2 |
          | ^ here
        ");
    }

    #[test]
    fn empty_lines_keep_their_numbers_beside_others() {
        let beside_first = |text: &str, at: usize| {
            one(text, |file| {
                unknown_key(Place::span(file, at..at), "empty")
                    .related(Place::span(file, 0..1), "first")
            })
        };
        assert_snapshot!(beside_first("a = 1\n\n\n", 6), @"
        error[unknown-key]: empty
         --> platform.toml:2:1
          |
        1 | a = 1
          | - first
        2 |
          | ^
        ");
        assert_snapshot!(beside_first("a = 1\n\n", 7), @"
        error[unknown-key]: empty
         --> platform.toml:3:1
          |
        3 |
          | ^
          |
         ::: platform.toml:1:1
          |
        1 | a = 1
          | - first
        ");
    }

    #[test]
    fn an_empty_file() {
        let by_path = one("", |file| {
            unknown_key(Place::value(file, path("platform")), "no `platform`").help("add it")
        });
        assert_snapshot!(by_path, @"
        error[unknown-key]: no `platform`
        --> platform.toml
         = help: add it
        ");
        let by_bytes = one("", |file| {
            unknown_key(Place::span(file, 0..0), "nothing here").label("empty")
        });
        assert_snapshot!(by_bytes, @"
        error[unknown-key]: nothing here
         --> platform.toml:1:1
          |
        1 |
          | ^ empty
        ");
    }

    #[test]
    fn only_the_first_line_of_a_span_is_underlined() {
        let out = one("{% if x %}\n{{ y }}\n", |file| {
            unknown_key(Place::span(file, 3..19), "never closed")
        });
        assert_snapshot!(out, @"
        error[unknown-key]: never closed
         --> platform.toml:1:4
          |
        1 | {% if x %}
          |    ^^^^^^^
        ");
    }

    #[test]
    fn long_lines_are_cut() {
        let text = format!(
            "a = \"{}\"\nb = [{}7]\n",
            "x".repeat(300),
            "1, ".repeat(100)
        );
        let out = one(&text, |file| {
            unknown_key(Place::value(file, path("b[100]")), "odd").label("here")
        });
        assert_snapshot!(out, @"
        error[unknown-key]: odd
         --> platform.toml:2:306
          |
        2 | ...1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 7]
          |                                              ^ here
        ");
    }

    #[test]
    fn control_characters_are_shown() {
        let evil = "\u{1b}[2J\u{9b}31m\u{202e}\u{7}\u{200b}";
        let mut sources = Sources::default();
        let file = sources.add(
            format!("{evil}\n.toml"),
            format!("{evil} = \"{evil}\" # end\r\n"),
        );
        let finding = unknown_key(Place::span(file, 20..25), &format!("message {evil}\nmore"))
            .label(format!("label {evil}\nmore"))
            .related(Place::span(file, 0..1), format!("related {evil}"))
            .related(Place::File { file }, format!("file {evil}"))
            .cause(format!("a\tb\r\n{evil}\r"))
            .help(format!("help {evil}"));
        let finding = Finding {
            environment: Some(evil.to_owned()),
            ..finding
        };
        let out = render(std::slice::from_ref(&finding), &sources, false, 100);
        assert_snapshot!(out, @r#"
        error[unknown-key]: message ␛[2J�31m�␇�␊more
         --> ␛[2J�31m�␇�␊.toml:1:16
          |
        1 | ␛[2J�31m�␇� = "␛[2J�31m�␇�" # end
          | -              ^^^^ label ␛[2J�31m�␇�␊more
          | |
          | related ␛[2J�31m�␇�
          |
          = note: ␛[2J�31m�␇�␊.toml: file ␛[2J�31m�␇�
          = note: a    b
                  ␛[2J�31m�␇�
          = note: only in environment `␛[2J�31m�␇�`
          = help: help ␛[2J�31m�␇�

        1 error; explained in docs/reference/findings.md
        "#);
        assert_snapshot!(render_short(&[finding], &sources), @"␛[2J�31m�␇�␊.toml:1:16: error[unknown-key]: message ␛[2J�31m�␇�␊more");
    }

    #[test]
    fn color_changes_nothing_but_color() {
        let mut sources = Sources::default();
        let file = sources.add("platform.toml", "name = 1\n");
        let findings = [unknown_key(Place::key(file, path("name")), "odd")
            .label("here")
            .cause("because")
            .help("so")];
        let colored = render(&findings, &sources, true, 100);
        let mut plain = String::new();
        for (at, piece) in colored.split("\u{1b}[").enumerate() {
            plain.push_str(if at == 0 {
                piece
            } else {
                piece.split_once('m').map_or(piece, |(_, text)| text)
            });
        }
        assert_ne!(colored, plain);
        assert_eq!(plain, render(&findings, &sources, false, 100));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn any_text_renders_without_control_characters(
            text in toml_like(),
            words in toml_like(),
            spans in prop::collection::vec((0_usize..60, 0_usize..60), 1..5),
            width in 0_usize..120,
        ) {
            let mut sources = Sources::default();
            let file = sources.add("x.toml", text);
            let place = |(start, end)| Place::span(file, Range { start, end });
            let mut finding = unknown_key(place(spans[0]), &words).label(words.as_str()).cause(words.as_str());
            for span in &spans[1..] {
                finding = finding.related(place(*span), words.as_str());
            }
            let out = render(std::slice::from_ref(&finding), &sources, false, width);
            prop_assert!(!out.contains(|letter: char| letter != '\n' && letter.is_control()));
            let spot = Locator::new(&sources).spot(&finding.place);
            let origin = format!("--> x.toml:{}:{}\n", spot.line, spot.column);
            prop_assert!(out.contains(&origin), "{out}\n{origin}");
            prop_assert_eq!(render_short(&[finding], &sources).lines().count(), 1);
        }
    }
}
