//! Turns the place of a finding into bytes, lines and columns.
//!
//! A [`Place`] comes in, a [`Spot`] goes out. Key paths are looked up in the file's own TOML, which is parsed with
//! recovery once and only if asked for, so that findings about a file with syntax errors still point somewhere. What is
//! underlined stays short: a table is stood for by the keys of its header, a value of several lines by its first line
//! or its key.

use std::cell::OnceCell;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::source::{FileId, KeyPath, Part, Place, Segment, Sources};

const BYTE_ORDER_MARK: char = '\u{feff}';

/// A place, looked up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Spot<'a> {
    /// The name of the file.
    pub file_name: &'a str,
    /// The whole text of the file.
    pub text: &'a str,
    /// Bytes of it that are not shown.
    pub hidden: &'a [Range<usize>],
    /// The bytes meant: inside of `text`, on character boundaries, empty between two characters.
    pub span: Range<usize>,
    /// The line the span starts in, from 1.
    pub line: usize,
    /// The character the span starts at, from 1; a byte order mark is not counted, a tab is one character.
    pub column: usize,
    /// The line of the first character behind the span.
    pub end_line: usize,
    /// The column of the first character behind the span.
    pub end_column: usize,
    /// Whether the file as a whole is meant, so that nothing is to be underlined.
    pub whole: bool,
}

/// Looks up places; parses each file at most once.
pub struct Locator<'a> {
    sources: &'a Sources,
    files: Vec<File<'a>>,
}

/// What was worked out about a file so far.
#[derive(Default)]
struct File<'a> {
    line_starts: OnceCell<Vec<usize>>,
    table: OnceCell<DeTable<'a>>,
}

impl<'a> Locator<'a> {
    /// Makes a locator for these files; nothing is parsed yet.
    pub fn new(sources: &'a Sources) -> Self {
        Self {
            sources,
            files: (0..sources.len()).map(|_| File::default()).collect(),
        }
    }

    /// Looks up a place.
    ///
    /// A path that the file does not have (a default, a missing key) is taken for the longest part of it that the file
    /// has; if there is none, for the file as a whole.
    pub fn spot(&self, place: &Place) -> Spot<'a> {
        let id = place.file();
        let text = self.sources.file(id).text.as_str();
        let found = match place {
            Place::File { .. } => None,
            Place::Span { start, end, .. } => Some(*start..*end),
            Place::Path { path, part, .. } => find(text, self.table(id), path, *part),
        };
        let whole = found.is_none();
        let span = clamp(text, found.unwrap_or(0..0));
        let (line, column) = self.position(id, span.start);
        let (end_line, end_column) = self.position(id, span.end);
        Spot {
            file_name: &self.sources.file(id).name,
            text,
            hidden: &self.sources.file(id).hidden,
            span,
            line,
            column,
            end_line,
            end_column,
            whole,
        }
    }

    /// Writes a key path without words that are hidden.
    pub fn shown(&self, path: &KeyPath) -> String {
        self.sources.redacted(&path.to_string())
    }

    fn table(&self, id: FileId) -> &DeTable<'a> {
        self.files[id.index()].table.get_or_init(|| {
            let text = self.sources.file(id).text.as_str();
            DeTable::parse_recoverable(text).0.into_inner()
        })
    }

    fn position(&self, id: FileId, offset: usize) -> (usize, usize) {
        let text = self.sources.file(id).text.as_str();
        let starts = self.files[id.index()].line_starts.get_or_init(|| {
            let behind_newlines = text.match_indices('\n').map(|(at, _)| at + 1);
            std::iter::once(0).chain(behind_newlines).collect()
        });
        let line = starts.partition_point(|start| *start <= offset);
        let start = starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let before = text.get(start..offset).unwrap_or_default();
        let before = if start == 0 {
            without_mark(before)
        } else {
            before
        };
        (line, before.chars().count() + 1)
    }
}

/// Returns a text without its byte order mark, which only one may be.
pub(super) fn without_mark(text: &str) -> &str {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)
}

/// Moves a span into the text and onto character boundaries.
///
/// It also leaves the byte order mark and the middle of a CRLF alone, where no caret can stand.
fn clamp(text: &str, span: Range<usize>) -> Range<usize> {
    let first = text.len() - without_mark(text).len();
    let snap = |at: usize| {
        let at = text.floor_char_boundary(at.min(text.len())).max(first);
        let splits_newline = text[..at].ends_with('\r') && text[at..].starts_with('\n');
        if splits_newline { at - 1 } else { at }
    };
    let start = snap(span.start);
    start..snap(span.end).max(start)
}

/// Finds a path, or the longest existing part of it.
fn find(text: &str, root: &DeTable<'_>, path: &KeyPath, part: Part) -> Option<Range<usize>> {
    let mut table = Some(root);
    let mut list = None;
    let mut best = None;
    let segments = path.segments();
    for (at, segment) in segments.iter().enumerate() {
        let (key, value) = match segment {
            Segment::Key(key) => match table.and_then(|table| table.get_key_value(key.as_str())) {
                Some((key, value)) => (Some(key.span()), value),
                None => return best,
            },
            Segment::Index(index) => {
                match list.and_then(|list: &[Spanned<DeValue<'_>>]| list.get(*index)) {
                    Some(value) => (None, value),
                    None => return best,
                }
            }
        };
        let is_last = at + 1 == segments.len();
        best = match key {
            Some(key) if !is_last || part == Part::Key => Some(key),
            key => Some(short(text, value, key)),
        };
        table = value.get_ref().as_table();
        list = value.get_ref().as_array().map(|list| &**list);
    }
    best
}

/// Returns the place of a part of a text that is a value: bytes of `written`, the text. Where the file has it in other
/// characters (escapes), the value's own place.
pub fn within(sources: &Sources, place: &Place, written: &str, part: Range<usize>) -> Place {
    let Place::Path { file, path, .. } = place else {
        return place.clone();
    };
    let text = sources.file(*file).text.as_str();
    let root = DeTable::parse_recoverable(text).0.into_inner();
    let raw = value_at(&root, path).map(Spanned::span);
    let start = raw.and_then(|raw| Some(raw.start + text.get(raw)?.find(written)?));
    match start {
        Some(start) => Place::span(*file, start + part.start..start + part.end),
        None => place.clone(),
    }
}

fn value_at<'t, 'a>(root: &'t DeTable<'a>, path: &KeyPath) -> Option<&'t Spanned<DeValue<'a>>> {
    let mut found: Option<&Spanned<DeValue<'_>>> = None;
    for segment in path.segments() {
        found = Some(match (segment, found.map(Spanned::get_ref)) {
            (Segment::Key(key), None) => root.get(key.as_str())?,
            (Segment::Key(key), Some(value)) => value.as_table()?.get(key.as_str())?,
            (Segment::Index(index), value) => value?.as_array()?.get(*index)?,
        });
    }
    found
}

/// Chooses what to underline for a value: little, and on one line.
fn short(text: &str, value: &Spanned<DeValue<'_>>, key: Option<Range<usize>>) -> Range<usize> {
    let span = clamp(text, value.span());
    let all = &text[span.clone()];
    let line = all.lines().next().unwrap_or_default();
    let is_header = match value.get_ref() {
        DeValue::Table(_) => line.starts_with('['),
        // The parser gives a list of tables the header of the first one; an element of a written list lies inside it.
        DeValue::Array(list) => list
            .first()
            .is_some_and(|first| first.span() == value.span()),
        _ => false,
    };
    let (skipped, meant) = if is_header {
        let keys = line.trim_start_matches('[').trim_start();
        (
            line.len() - keys.len(),
            keys.trim_end_matches(']').trim_end(),
        )
    } else {
        (0, line.trim_end())
    };
    // An opening bracket or quote alone does not say which value is meant; its key does.
    let says_something = if all.len() > line.len() {
        meant.contains(char::is_alphanumeric)
    } else {
        !meant.is_empty()
    };
    match key {
        Some(key) if !says_something => key,
        _ => span.start + skipped..span.start + skipped + meant.len(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    /// Reads `a.b[0]`, with quotes around keys that need them.
    pub(in crate::diagnostic) fn path(text: &str) -> KeyPath {
        let mut path = KeyPath::root();
        let mut rest = text;
        while !rest.is_empty() {
            rest = rest.strip_prefix('.').unwrap_or(rest);
            if let Some(quoted) = rest.strip_prefix('"') {
                let (key, behind) = quoted.split_once('"').unwrap();
                (path, rest) = (path.key(key), behind);
            } else if let Some(number) = rest.strip_prefix('[') {
                let (number, behind) = number.split_once(']').unwrap();
                (path, rest) = (path.index(number.parse().unwrap()), behind);
            } else {
                let end = rest.find(['.', '[']).unwrap_or(rest.len());
                (path, rest) = (path.key(&rest[..end]), &rest[end..]);
            }
        }
        path
    }

    /// Says what is underlined, as `line:column..line:column text`.
    fn underlined(text: &str, place: impl Fn(FileId) -> Place) -> String {
        let mut sources = Sources::default();
        let file = sources.add("platform.toml", text);
        let spot = Locator::new(&sources).spot(&place(file));
        let Spot {
            line,
            column,
            end_line,
            end_column,
            span,
            whole,
            ..
        } = spot;
        let meant = if whole { "(whole file)" } else { &text[span] };
        format!("{line}:{column}..{end_line}:{end_column} {meant}")
    }

    fn value(text: &str, keys: &str) -> String {
        underlined(text, |file| Place::value(file, path(keys)))
    }

    fn key(text: &str, keys: &str) -> String {
        underlined(text, |file| Place::key(file, path(keys)))
    }

    fn span(text: &str, span: Range<usize>) -> String {
        underlined(text, |file| Place::span(file, span.clone()))
    }

    #[test]
    fn keys_and_values() {
        let text = "[platform]\nname = \"lake\"\nport = 5432 # default\n";
        assert_eq!(value(text, "platform.name"), "2:8..2:14 \"lake\"");
        assert_eq!(key(text, "platform.name"), "2:1..2:5 name");
        assert_eq!(value(text, "platform.port"), "3:8..3:12 5432");
    }

    #[test]
    fn a_table_is_stood_for_by_its_header() {
        let text = "[a]\nx = 1\n[ environments . dev ] # here\ny = 2\n";
        assert_eq!(value(text, "a"), "1:2..1:3 a");
        assert_eq!(key(text, "a"), "1:2..1:3 a");
        assert_eq!(
            value(text, "environments.dev"),
            "3:3..3:21 environments . dev"
        );
        assert_eq!(key(text, "environments.dev"), "3:18..3:21 dev");
        assert_eq!(value(text, "environments"), "3:3..3:15 environments");
    }

    #[test]
    fn a_table_that_only_its_children_name_is_found_in_the_first_of_them() {
        let text = "[a.b.c]\n[a.b.d]\n[e]\nf.g.h = 1\nf.g.i = 2\n";
        assert_eq!(value(text, "a.b"), "1:4..1:5 b");
        assert_eq!(value(text, "e.f.g"), "4:3..4:4 g");
        assert_eq!(value(text, "e.f.g.i"), "5:9..5:10 2");
        // A header of its own, even later in the file, is better.
        assert_eq!(value("[a.b]\n[a]\nx = 1\n", "a"), "2:2..2:3 a");
    }

    #[test]
    fn deep_dotted_keys() {
        let text = "a.b.\"c.d\".e.f.'g h' = [1, { i.j = true }]\n";
        assert_eq!(key(text, "a.b.\"c.d\".e"), "1:11..1:12 e");
        assert_eq!(key(text, "a.b.\"c.d\""), "1:5..1:10 \"c.d\"");
        assert_eq!(
            value(text, "a.b.\"c.d\".e.f.\"g h\"[1].i.j"),
            "1:35..1:39 true"
        );
    }

    #[test]
    fn inline_tables() {
        let text = "scale = { min = 3, max = { soft = 5 } }\n";
        assert_eq!(value(text, "scale.max.soft"), "1:35..1:36 5");
        assert_eq!(key(text, "scale.max"), "1:20..1:23 max");
        assert_eq!(value(text, "scale.max"), "1:26..1:38 { soft = 5 }");
    }

    #[test]
    fn elements_of_lists_of_tables() {
        let text = "[[environments.dev.hosts]]\nname = \"a\"\n\n[[environments.dev.hosts]]\nname = \"b\"\n\
                    [environments.dev.hosts.labels]\nrack = 1\n";
        let hosts = "environments.dev.hosts";
        let first = format!("1:3..1:25 {hosts}");
        let second = format!("4:3..4:25 {hosts}");
        assert_eq!(value(text, hosts), first);
        assert_eq!(key(text, hosts), "1:20..1:25 hosts");
        assert_eq!(value(text, &format!("{hosts}[0]")), first);
        assert_eq!(value(text, &format!("{hosts}[1]")), second);
        assert_eq!(key(text, &format!("{hosts}[1]")), second);
        assert_eq!(value(text, &format!("{hosts}[1].name")), "5:8..5:11 \"b\"");
        assert_eq!(
            value(text, &format!("{hosts}[1].labels.rack")),
            "7:8..7:9 1"
        );
    }

    #[test]
    fn elements_of_written_lists() {
        let text = "zones = [\"a\", [[1], 2], { x = 1 }]\n";
        assert_eq!(value(text, "zones[0]"), "1:10..1:13 \"a\"");
        assert_eq!(value(text, "zones[1]"), "1:15..1:23 [[1], 2]");
        assert_eq!(value(text, "zones[1][0][0]"), "1:17..1:18 1");
        assert_eq!(value(text, "zones[2].x"), "1:31..1:32 1");
        assert_eq!(
            value(text, "zones"),
            "1:9..1:35 [\"a\", [[1], 2], { x = 1 }]"
        );
        assert_eq!(value("a = [[]]\n", "a"), "1:5..1:9 [[]]");
    }

    #[test]
    fn values_of_several_lines_are_cut_to_the_first_or_to_the_key() {
        let text = "args = [\n  1,\n]\nzones = [\"a\",\n  \"b\"]\nscript = \"\"\"\nset -e\n\"\"\"\nlist = [\n {\n x = 1 }]\n";
        assert_eq!(value(text, "args"), "1:1..1:5 args");
        assert_eq!(value(text, "args[0]"), "2:3..2:4 1");
        assert_eq!(value(text, "zones"), "4:9..4:14 [\"a\",");
        assert_eq!(value(text, "script"), "6:1..6:7 script");
        assert_eq!(value(text, "list[0]"), "10:2..10:3 {");
    }

    #[test]
    fn what_is_missing_is_found_at_what_contains_it() {
        let text =
            "[environments.dev]\ntarget = \"compose\"\n[[environments.dev.hosts]]\nname = \"a\"\n";
        assert_eq!(value(text, "environments.dev.zones"), "1:15..1:18 dev");
        assert_eq!(key(text, "environments.dev.zones.x.y"), "1:15..1:18 dev");
        assert_eq!(value(text, "environments.dev.target.x"), "2:1..2:7 target");
        assert_eq!(
            value(text, "environments.dev.hosts[0].memory"),
            "3:3..3:25 environments.dev.hosts"
        );
        assert_eq!(value(text, "environments.dev.hosts[7]"), "3:20..3:25 hosts");
        assert_eq!(value(text, "environments[0]"), "1:2..1:14 environments");
        assert_eq!(value(text, "platform.name"), "1:1..1:1 (whole file)");
        assert_eq!(value(text, ""), "1:1..1:1 (whole file)");
    }

    #[test]
    fn an_empty_file_has_a_first_line() {
        assert_eq!(value("", "platform.name"), "1:1..1:1 (whole file)");
        assert_eq!(span("", 0..0), "1:1..1:1 ");
        assert_eq!(span("", 3..9), "1:1..1:1 ");
        assert_eq!(
            underlined("a = 1\n", |file| Place::File { file }),
            "1:1..1:1 (whole file)"
        );
    }

    #[test]
    fn columns_count_characters() {
        assert_eq!(value("\"größe\" = 1\n", "größe"), "1:11..1:12 1");
        assert_eq!(
            value("x = { '日本' = \"e\u{301}\" } # x", "x.日本"),
            "1:14..1:18 \"e\u{301}\""
        );
        assert_eq!(value("\tx\t= 2\n", "x"), "1:6..1:7 2");
    }

    #[test]
    fn a_byte_order_mark_is_no_column() {
        let text = "\u{feff}name = 1\nport = 2\n";
        assert_eq!(key(text, "name"), "1:1..1:5 name");
        assert_eq!(value(text, "name"), "1:8..1:9 1");
        assert_eq!(value(text, "port"), "2:8..2:9 2");
        assert_eq!(value(text, "x"), "1:1..1:1 (whole file)");
        assert_eq!(span(text, 0..7), "1:1..1:5 name");
        assert_eq!(span("\u{feff}", 0..3), "1:1..1:1 ");
    }

    #[test]
    fn line_endings_of_windows() {
        let text = "[a]\r\nx = 1\r\nlist = [\"b\",\r\n 2]\r\n";
        assert_eq!(value(text, "a"), "1:2..1:3 a");
        assert_eq!(value(text, "a.x"), "2:5..2:6 1");
        assert_eq!(value(text, "a.list"), "3:8..3:13 [\"b\",");
        // Nothing stands between the two characters of a line's end.
        assert_eq!(span(text, 4..4), "1:4..1:4 ");
    }

    #[test]
    fn the_end_of_a_file() {
        assert_eq!(span("a = ", 4..4), "1:5..1:5 ");
        assert_eq!(span("a = 1\n", 6..6), "2:1..2:1 ");
        assert_eq!(span("a = 1\n", 4..99), "1:5..2:1 1\n");
        assert_eq!(value("a = 1\nb = 22", "b"), "2:5..2:7 22");
    }

    #[test]
    fn spans_that_do_not_fit_are_moved() {
        assert_eq!(span("x = 'ö'", 6..7), "1:6..1:7 ö");
        assert_eq!(span("x = 1", Range { start: 4, end: 2 }), "1:5..1:5 ");
    }

    #[test]
    fn files_that_do_not_parse() {
        let text = "[a]\nx = \ny = 2\n[b]\nz = 3 4\n";
        assert_eq!(key(text, "a.x"), "2:1..2:2 x");
        assert_eq!(value(text, "a.x"), "2:1..2:2 x");
        assert_eq!(value(text, "a.y"), "3:5..3:6 2");
        assert_eq!(key(text, "b.z"), "5:1..5:2 z");
        assert_eq!(key("a = 1\na = 2\n", "a"), "1:1..1:2 a");
    }

    #[test]
    fn bottomless_files() {
        for (open, close) in [("[", "]"), ("{ a = ", "}"), ("a.", "")] {
            let text = format!("x = 1\na = {}1{}\n", open.repeat(5000), close.repeat(5000));
            assert_eq!(value(&text, "x"), "1:5..1:6 1");
            let dotted = format!("x = 1\n{}b = 1\n", open.repeat(5000));
            assert_eq!(value(&dotted, "x"), "1:5..1:6 1");
        }
    }

    #[test]
    fn each_file_is_its_own() {
        let mut sources = Sources::default();
        let first = sources.add("a.toml", "x = 1\n");
        let second = sources.add("b.toml", "\nx = 1\n");
        let locator = Locator::new(&sources);
        let spots = [first, second, first].map(|file| {
            let spot = locator.spot(&Place::value(file, path("x")));
            (spot.file_name, spot.line)
        });
        assert_eq!(spots, [("a.toml", 1), ("b.toml", 2), ("a.toml", 1)]);
    }

    /// Pieces that, strung together, come close to TOML and to what breaks its readers.
    pub(in crate::diagnostic) fn toml_like() -> impl Strategy<Value = String> {
        let pieces = prop::sample::select(vec![
            "a",
            "b",
            "\"c d\"",
            "'e'",
            "ö",
            "日",
            ".",
            ".",
            " = ",
            " = ",
            "\n",
            "\n",
            "\r\n",
            "\n[",
            "]",
            "\n[[",
            "]]",
            "{ ",
            " }",
            "[",
            ", ",
            "1",
            "\"x\"",
            "\"\"\"",
            "'''",
            "true",
            "# ",
            "\t",
            " ",
            "\u{feff}",
            "\r",
            "\0",
            "e\u{301}",
            "\u{1b}[31m",
            "\u{9b}",
            "\\u12",
            "1979-05-27",
            "\u{202e}",
            "\u{200d}",
        ]);
        prop_oneof![
            4 => prop::collection::vec(pieces, 0..40).prop_map(|pieces| pieces.concat()),
            1 => any::<String>(),
        ]
    }

    fn any_path() -> impl Strategy<Value = KeyPath> {
        let key = prop::sample::select(vec!["a", "b", "c d", "e", "ö", "日", "", "1", "true"]);
        let segment = prop_oneof![
            2 => key.prop_map(|key| Segment::Key(key.to_owned())),
            1 => (0_usize..3).prop_map(Segment::Index),
        ];
        prop::collection::vec(segment, 0..5).prop_map(|segments| {
            let longer = |path: KeyPath, segment| match segment {
                Segment::Key(key) => path.key(key),
                Segment::Index(index) => path.index(index),
            };
            segments.into_iter().fold(KeyPath::root(), longer)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn spots_lie_in_the_text(
            text in toml_like(),
            path in any_path(),
            start in 0_usize..60,
            end in 0_usize..60,
        ) {
            let mut sources = Sources::default();
            let file = sources.add("x.toml", text.clone());
            let locator = Locator::new(&sources);
            let places = [
                (Place::key(file, path.clone()), true),
                (Place::value(file, path), true),
                (Place::span(file, Range { start, end }), false),
                (Place::File { file }, true),
            ];
            for (place, is_short) in places {
                let spot = locator.spot(&place);
                let inside = text.get(spot.span.clone());
                prop_assert!(inside.is_some());
                prop_assert!(!is_short || !inside.unwrap_or_default().contains('\n'));
                prop_assert!((spot.line, spot.column) <= (spot.end_line, spot.end_column));
                prop_assert!(spot.column >= 1);
                let line = text.split('\n').nth(spot.line - 1);
                prop_assert!(line.is_some_and(|line| spot.column <= line.chars().count() + 1));
            }
        }
    }
}
