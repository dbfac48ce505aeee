//! PromQL: parsed while the bundle is built, so that a typing error is found at the rule and not in production.
//!
//! The grammar is that of `promql-parser`, which says whether a query is one, but not where it goes wrong; [`Fault`] finds
//! the place out by asking about the query's beginnings. Every selector is given a matcher for the component that the query
//! belongs to, on the tree, which is then printed again: one form for one meaning.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::{Expr, VectorSelector, parse};

use crate::units::rule_duration;

/// The label that says which component a series belongs to.
pub const COMPONENT: &str = "component";

/// The label that is a metric's name.
const NAME: &str = "__name__";

/// What Grafana puts in place of itself, a duration of the same length that nobody writes, so that places stay where they
/// are, and how that is printed.
const VARIABLES: [(&str, &str, &str); 3] = [
    ("$__rate_interval", "000000000097y1ms", "35405d1ms"),
    ("$__interval", "0000098y1ms", "35770d1ms"),
    ("$__range", "0099y1ms", "36135d1ms"),
];

/// Longest query, in words, numbers and signs: trees are walked by recursion, and nobody reads a longer one.
const LONGEST: usize = 600;

/// Deepest nesting of brackets.
const DEEPEST: usize = 64;

/// Most signs in a row.
const SIGNS: usize = 8;

/// Why a text is no query, and which bytes of it are meant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// What is wrong; a lower-case phrase.
    pub message: String,
    /// First byte.
    pub start: usize,
    /// The byte behind the last one.
    pub end: usize,
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

/// A query that was understood.
#[derive(Clone, PartialEq, Debug)]
pub struct Query(Expr);

impl Query {
    /// Parses a query. Grafana's `$__rate_interval`, `$__interval` and `$__range` may stand where durations do.
    ///
    /// # Errors
    /// What is not PromQL, with its place; a query that is too long or too deep to be meant.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let text = with_durations(text);
        let tokens = tokens(&text);
        unreasonable(&text, &tokens)?;
        let tree = parse(&text).map_err(|message| locate(&text, &tokens, message))?;
        Ok(Self(tree))
    }

    /// Gives every selector that does not say which component it means a matcher for this one.
    ///
    /// # Errors
    /// A query that means something else when it is printed: a defect of the parser, never silently in a bundle.
    pub fn of_component(mut self, component: &str) -> Result<Self, Fault> {
        selectors_mut(&mut self.0, &mut |selector| confine(selector, component));
        let printed = self.0.to_string();
        match parse(&printed) {
            Ok(again) if again == self.0 => Ok(self),
            _ => Err(Fault {
                message: format!("cannot be written again; it becomes `{printed}`"),
                start: 0,
                end: usize::MAX,
            }),
        }
    }

    /// Returns the names of the metrics that it uses, sorted; those that are given as a pattern are not among them.
    pub fn metrics(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        self.each_name(&mut |used| {
            if let Used::Name(name) = used {
                found.insert(name.to_owned());
            }
        });
        found
    }

    /// Returns the names and patterns that are no known metric's, sorted.
    pub fn unknown(&self, known: &BTreeSet<String>) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        self.each_name(&mut |used| match used {
            Used::Name(name) if !known.contains(name) => {
                found.insert(name.to_owned());
            }
            Used::Pattern(matcher) if !known.iter().any(|name| matcher.is_match(name)) => {
                found.insert(matcher.value.clone());
            }
            Used::Name(_) | Used::Pattern(_) => {}
        });
        found
    }

    /// Says whether it is about one component alone: whether every selector has a matcher for it and no other.
    pub fn is_about(&self, component: &str) -> bool {
        let mut about = true;
        selectors(&self.0, &mut |selector| {
            let groups = &selector.matchers.or_matchers;
            let all = std::iter::once(&selector.matchers.matchers).filter(|_| groups.is_empty());
            about &= all.chain(groups).all(|group| {
                let mut own = group.iter().filter(|matcher| matcher.name == COMPONENT);
                own.all(|matcher| matcher.op == MatchOp::Equal && matcher.value == component)
            });
        });
        about
    }

    /// Says whether it names one series: a metric and values of labels, nothing else.
    pub fn is_series(&self) -> bool {
        match &self.0 {
            Expr::VectorSelector(selector) => {
                let equal = |matcher: &Matcher| matcher.op == MatchOp::Equal;
                selector.name.is_some()
                    && selector.offset.is_none()
                    && selector.at.is_none()
                    && selector.matchers.or_matchers.is_empty()
                    && selector.matchers.matchers.iter().all(equal)
            }
            _ => false,
        }
    }

    fn each_name(&self, see: &mut impl FnMut(Used<'_>)) {
        selectors(&self.0, &mut |selector| {
            if let Some(name) = &selector.name {
                see(Used::Name(name));
            }
            let matchers = &selector.matchers;
            let all = matchers.matchers.iter();
            for matcher in all.chain(matchers.or_matchers.iter().flatten()) {
                match matcher.op {
                    MatchOp::Equal if matcher.name == NAME => see(Used::Name(&matcher.value)),
                    MatchOp::Re(_) if matcher.name == NAME => see(Used::Pattern(matcher)),
                    _ => {}
                }
            }
        });
    }
}

/// How a query says which metric it means.
enum Used<'q> {
    Name(&'q str),
    Pattern(&'q Matcher),
}

impl fmt::Display for Query {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.0.to_string();
        for (variable, _, printed) in VARIABLES {
            text = text.replace(printed, variable);
        }
        out.write_str(&text)
    }
}

/// Returns where a name or a pattern stands in a query's text.
pub fn place_of(text: &str, name: &str) -> Option<Range<usize>> {
    let quoted = |token: &str| {
        token
            .strip_prefix(['"', '\'', '`'])
            .and_then(|rest| rest.strip_suffix(['"', '\'', '`']))
            .is_some_and(|inner| inner == name)
    };
    let all = tokens(text);
    all.into_iter()
        .find(|token| text[token.clone()] == *name || quoted(&text[token.clone()]))
}

fn confine(selector: &mut VectorSelector, component: &str) {
    let confine = |matchers: &mut Vec<Matcher>| {
        if !matchers.iter().any(|matcher| matcher.name == COMPONENT) {
            matchers.push(Matcher::new(MatchOp::Equal, COMPONENT, component));
            // The order in which they are printed, so that what is printed and parsed is the same tree.
            matchers.sort_by_cached_key(Matcher::to_string);
        }
    };
    let matchers = &mut selector.matchers;
    if matchers.or_matchers.is_empty() {
        confine(&mut matchers.matchers);
    } else {
        matchers.or_matchers.iter_mut().for_each(confine);
    }
}

/// Shows every selector, also those in the parameter of an aggregation.
fn selectors(tree: &Expr, see: &mut impl FnMut(&VectorSelector)) {
    match tree {
        Expr::Aggregate(inner) => {
            if let Some(param) = &inner.param {
                selectors(param, see);
            }
            selectors(&inner.expr, see);
        }
        Expr::Unary(inner) => selectors(&inner.expr, see),
        Expr::Binary(inner) => {
            selectors(&inner.lhs, see);
            selectors(&inner.rhs, see);
        }
        Expr::Paren(inner) => selectors(&inner.expr, see),
        Expr::Subquery(inner) => selectors(&inner.expr, see),
        Expr::Call(inner) => inner.args.args.iter().for_each(|arg| selectors(arg, see)),
        Expr::VectorSelector(selector) => see(selector),
        Expr::MatrixSelector(inner) => see(&inner.vs),
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => {}
    }
}

/// Hands every selector out to be changed. Matchers are put in the order in which they are printed.
fn selectors_mut(tree: &mut Expr, change: &mut impl FnMut(&mut VectorSelector)) {
    match tree {
        Expr::Aggregate(inner) => {
            if let Some(param) = &mut inner.param {
                selectors_mut(param, change);
            }
            selectors_mut(&mut inner.expr, change);
        }
        Expr::Unary(inner) => selectors_mut(&mut inner.expr, change),
        Expr::Binary(inner) => {
            selectors_mut(&mut inner.lhs, change);
            selectors_mut(&mut inner.rhs, change);
        }
        Expr::Paren(inner) => selectors_mut(&mut inner.expr, change),
        Expr::Subquery(inner) => selectors_mut(&mut inner.expr, change),
        Expr::Call(inner) => {
            let args = inner.args.args.iter_mut();
            args.for_each(|arg| selectors_mut(arg, change));
        }
        Expr::VectorSelector(selector) => change(selector),
        Expr::MatrixSelector(inner) => change(&mut inner.vs),
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => {}
    }
}

fn with_durations(text: &str) -> String {
    let mut text = text.to_owned();
    for (variable, duration, _) in VARIABLES {
        text = text.replace(variable, duration);
    }
    text
}

/// Splits a text into what a query is made of: words, numbers, texts in quotes, operators. Anything else is a token of one
/// character; a text without its closing quote goes to the end.
fn tokens(text: &str) -> Vec<Range<usize>> {
    let word = |next: char| next.is_alphanumeric() || matches!(next, '_' | ':' | '.');
    let mut found = Vec::new();
    let mut rest = text.char_indices().peekable();
    while let Some((start, first)) = rest.next() {
        let end_of = |peeked: Option<&(usize, char)>| peeked.map_or(text.len(), |(at, _)| *at);
        match first {
            _ if first.is_whitespace() => continue,
            '#' => {
                while rest.next_if(|(_, next)| *next != '\n').is_some() {}
                continue;
            }
            '"' | '\'' | '`' => {
                let mut escaped = false;
                for (_, next) in rest.by_ref() {
                    if next == first && !escaped {
                        break;
                    }
                    escaped = next == '\\' && !escaped && first != '`';
                }
            }
            _ if word(first) => while rest.next_if(|(_, next)| word(*next)).is_some() {},
            '=' | '!' | '<' | '>' => {
                rest.next_if(|(_, next)| matches!(next, '=' | '~'));
            }
            _ => {}
        }
        found.push(start..end_of(rest.peek()));
    }
    found
}

/// Refuses what the parser or a walk over its tree could not bear.
fn unreasonable(text: &str, tokens: &[Range<usize>]) -> Result<(), Fault> {
    let fault = |message: &str, place: Range<usize>| {
        Err(Fault {
            message: message.to_owned(),
            start: place.start,
            end: place.end,
        })
    };
    if tokens.is_empty() {
        return fault("there is no query", 0..text.len());
    }
    if let Some(token) = tokens.get(LONGEST) {
        return fault("the query has more than 600 words and signs", token.clone());
    }
    let (mut depth, mut signs, mut range) = (0_usize, 0_usize, false);
    for token in tokens {
        let word = &text[token.clone()];
        signs = if matches!(word, "-" | "+") {
            signs + 1
        } else {
            0
        };
        match word {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEEPEST {
            return fault("brackets are nested more than 64 deep", token.clone());
        }
        if signs > SIGNS {
            return fault("there are more than 8 signs in a row", token.clone());
        }
        // Durations as numbers of seconds: few know them, and old servers do not.
        let number = word.starts_with(|next: char| next.is_ascii_digit() || next == '.');
        if range
            && number
            && rule_duration(word.trim_matches(':').trim_start_matches('0')).is_none()
            && !word.contains(':')
        {
            return fault("this is no duration such as `5m`", token.clone());
        }
        range = word == "["
            || word.eq_ignore_ascii_case("offset")
            || (range && matches!(word, "-" | "+" | ":"));
        if word.starts_with(['"', '\''])
            && let Some((_, escaped)) = word.split_once('\\')
            && unusual_escape(escaped)
        {
            return fault(
                "write the character itself, not by its number",
                token.clone(),
            );
        }
    }
    Ok(())
}

/// Says whether a text, from behind its first backslash on, has other escapes than of one known letter.
fn unusual_escape(text: &str) -> bool {
    let mut escaped = true;
    for next in text.chars() {
        if escaped && !"abfnrtv\\'\"".contains(next) {
            return true;
        }
        escaped = !escaped && next == '\\';
    }
    false
}

/// What may complete a beginning inside its innermost bracket, and behind that bracket.
const INSIDE: [&str; 9] = [
    "", " x", "1", "5m", "m", "x=\"x\"", "=\"x\"", "\"x\"", " (x) x",
];
const BEHIND: [&str; 4] = ["", "(x)", " x", "(1) x"];

/// Says how parsing ends for each way to complete a beginning.
fn completions<'t>(
    text: &'t str,
    tokens: &'t [Range<usize>],
) -> impl Iterator<Item = Result<(), String>> + 't {
    let mut open: Vec<&str> = Vec::new();
    for token in tokens {
        match &text[token.clone()] {
            "(" => open.push(")"),
            "[" => open.push("]"),
            "{" => open.push("}"),
            ")" | "]" | "}" => {
                open.pop();
            }
            _ => {}
        }
    }
    let innermost = open.pop().unwrap_or_default();
    let outer: String = open.iter().rev().copied().collect();
    let start = &text[..tokens.last().map_or(0, |token| token.end)];
    INSIDE.iter().flat_map(move |inside| {
        let outer = outer.clone();
        BEHIND.iter().map(move |behind| {
            parse(&format!("{start}{inside}{innermost}{behind}{outer}")).map(drop)
        })
    })
}

/// The parser's words for what its grammar does not know.
const NO_QUERY: &str = "invalid promql query";

/// Finds out which token makes a text no query: the first at which no completion is one.
fn locate(text: &str, tokens: &[Range<usize>], message: String) -> Fault {
    let fault = |message: String, place: &Range<usize>| Fault {
        message,
        start: place.start,
        end: place.end,
    };
    // Faults of the grammar, and of words; whatever else is said is about a text that is well formed.
    let formless = |said: &Result<(), String>| match said {
        Ok(()) => false,
        Err(message) => {
            message == NO_QUERY
                || [
                    "unexpected",
                    "unknown escape",
                    "unterminated",
                    "bad number",
                    "bad duration",
                    "expect duration",
                ]
                .iter()
                .any(|start| message.starts_with(start))
        }
    };
    let begins = |count: usize| {
        count == 0 || completions(text, &tokens[..count]).any(|said| !formless(&said))
    };
    // Whatever begins a query has beginnings that do, too.
    let counts: Vec<usize> = (1..=tokens.len()).collect();
    let good = counts.partition_point(|count| begins(*count));
    let plain = if message == NO_QUERY {
        None
    } else {
        Some(message.trim_end_matches('.').to_owned())
    };
    if let Some(token) = tokens.get(good) {
        let word = &text[token.clone()];
        let vague = |said: &str| said.starts_with("unexpected") || said.starts_with("unclosed");
        let said = match plain {
            Some(said) if said.contains(word) || !vague(&said) => said,
            _ => format!("`{word}` cannot stand here"),
        };
        return fault(said, token);
    }
    if formless(&Err(message.clone())) || message.starts_with("unclosed") {
        let mut open = Vec::new();
        for token in tokens {
            match &text[token.clone()] {
                "(" | "[" | "{" => open.push(token),
                ")" | "]" | "}" => drop(open.pop()),
                _ => {}
            }
        }
        return match (open.pop(), tokens.last()) {
            (Some(token), _) => fault(format!("`{}` is not closed", &text[token.clone()]), token),
            (None, last) => {
                let end = last.map_or(0, |token| token.end);
                let start = last.map_or(0, |token| token.start);
                fault("the query ends too early".to_owned(), &(start..end))
            }
        };
    }
    // A text that is well formed and means nothing: the parser often names what it is about.
    let named = message
        .split('\'')
        .nth(1)
        .and_then(|name| tokens.iter().find(|token| text[(*token).clone()] == *name));
    let token = named.cloned().unwrap_or_else(|| {
        let same = |count: usize| {
            completions(text, &tokens[..count]).any(|said| said.as_ref() == Err(&message))
        };
        let first = counts.iter().find(|count| same(**count));
        match first {
            Some(count) => tokens[count - 1].clone(),
            None => 0..text.len(),
        }
    });
    fault(message, &token)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn confined(text: &str) -> String {
        let query = Query::parse(text).unwrap_or_else(|fault| panic!("{text}: {fault:?}"));
        query
            .of_component("pg")
            .unwrap_or_else(|fault| panic!("{text}: {fault:?}"))
            .to_string()
    }

    #[test]
    fn every_selector_gets_a_component() {
        for (text, expected) in [
            ("pg_up == 0", r#"pg_up{component="pg"} == 0"#),
            (r#"up{component=~".+"} == 0"#, r#"up{component=~".+"} == 0"#),
            (
                r#"sum by (x) (rate(a{b!="c"}[5m])) / on (x) group_left () max(d)"#,
                r#"sum by (x) (rate(a{b!="c",component="pg"}[5m])) / on (x) group_left () max(d{component="pg"})"#,
            ),
            (
                "max_over_time((a > b)[1h:5m]) offset 2m",
                r#"max_over_time((a{component="pg"} > b{component="pg"})[1h:5m]) offset 2m"#,
            ),
            (
                r#"{__name__=~"a_.*"} or {"quoted", b="1"}"#,
                r#"{__name__=~"a_.*",component="pg"} or {__name__="quoted",b="1",component="pg"}"#,
            ),
            (
                r#"a{b="1" or c="2",component="x"}"#,
                r#"a{b="1", component="pg" or c="2", component="x"}"#,
            ),
            (
                "topk(scalar(n), rate(a[$__rate_interval]))",
                r#"topk(scalar(n{component="pg"}), rate(a{component="pg"}[$__rate_interval]))"#,
            ),
            (
                "avg_over_time(a[$__range:$__interval])",
                r#"avg_over_time(a{component="pg"}[$__range:$__interval])"#,
            ),
            ("vector(1)", "vector(1)"),
        ] {
            // An offset belongs to a selector or a subquery.
            if text.contains("offset") {
                let moved = text.replace("(a > b)[1h:5m]) offset 2m", "(a > b)[1h:5m] offset 2m)");
                let expected = expected.replace("[1h:5m]) offset 2m", "[1h:5m] offset 2m)");
                assert_eq!(confined(&moved), expected);
            } else {
                assert_eq!(confined(text), expected);
            }
        }
    }

    #[test]
    fn metrics_are_known_by_name_and_pattern() {
        let query = Query::parse(r#"a / {__name__="b"} + {__name__=~"c|d"} + {__name__=~"e.*"}"#)
            .expect("a query");
        assert_eq!(query.metrics(), ["a", "b"].map(str::to_owned).into());
        let known = ["a", "d"].map(str::to_owned).into();
        assert_eq!(
            query.unknown(&known),
            ["b", "e.*"].map(str::to_owned).into()
        );
        assert_eq!(place_of("a / {__name__=\"b\"}", "b"), Some(14..17));
    }

    #[test]
    fn faults_have_a_place() {
        for (text, word, message) in [
            ("pg_up === 0", "=", "`=` cannot stand here"),
            ("sum(rate(a[5m]) by (x)", "by", "`by` cannot stand here"),
            ("sum(rate(a[5m])", "(", "`(` is not closed"),
            (
                "a{b=c}",
                "",
                "unexpected identifier 'c' in label matching, expected string",
            ),
            ("a{b=\"c}", "\"c}", "unterminated quoted string \""),
            ("rate(a)", "rate", ""),
            ("rat(a[5m])", "rat", "unknown function with name 'rat'"),
            ("a[5]", "5", "this is no duration such as `5m`"),
            ("a[5x]", "5x", "this is no duration such as `5m`"),
            ("a + ", "+", "the query ends too early"),
            ("a b", "b", "`b` cannot stand here"),
            ("sum by (x (a)", "(", "`(` cannot stand here"),
            (
                "1 == 1",
                "",
                "comparisons between scalars must use BOOL modifier",
            ),
            ("", "", "there is no query"),
            ("a ) b", ")", "unexpected right parenthesis ')'"),
            ("a{b=~\"(\"}", "", "illegal regex for ("),
        ] {
            let fault = Query::parse(text).expect_err(text);
            let found = &text[fault.start..fault.end];
            if !message.is_empty() {
                assert_eq!(fault.message, message, "{text}");
            }
            if !word.is_empty() {
                assert_eq!(found, word, "{text}: {fault:?}");
            }
        }
    }

    fn query() -> impl Strategy<Value = String> {
        let name = prop_oneof!["[a-z]{1,4}:[a-z]{1,3}", "z[a-z_]{1,5}"];
        let matchers = prop_oneof![
            Just(String::new()),
            r#"\{l[a-z]?(=|!=|=~|!~)"[a-z\.\|]?x"\}"#,
            r#"\{component="[a-z]{1,3}"\}"#,
            r#"\{a="1" or b="2"\}"#,
        ];
        let leaf = (name, matchers).prop_map(|(name, matchers)| format!("{name}{matchers}"));
        leaf.prop_recursive(5, 24, 3, |inner| {
            prop_oneof![
                inner.clone().prop_map(|of| format!("sum by (x, y) ({of})")),
                inner.clone().prop_map(|of| format!("topk(3, {of})")),
                inner
                    .clone()
                    .prop_map(|of| format!("quantile without (a) (0.95, {of})")),
                inner
                    .clone()
                    .prop_map(|of| format!("max_over_time(({of})[1h30m:5m] offset 1d)")),
                inner.clone().prop_map(|of| format!("-({of}) ^ 2")),
                inner
                    .clone()
                    .prop_map(|of| format!("rate(zq[$__rate_interval]) - {of}")),
                (inner.clone(), inner.clone()).prop_map(|(left, right)| format!(
                    "({left}) / on (a) group_left (b) ({right})"
                )),
                (inner.clone(), inner.clone())
                    .prop_map(|(left, right)| format!("{left} > bool {right}")),
                (inner.clone(), inner)
                    .prop_map(|(left, right)| format!("({left} unless ignoring (a) {right})")),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

        #[test]
        fn a_confined_query_is_one_and_stays_so(text in query()) {
            let once = confined(&text);
            prop_assert_eq!(&confined(&once), &once);
            // Each selector has exactly one word for it.
            let query = Query::parse(&once).expect("what was printed");
            selectors(&query.0, &mut |selector| {
                let groups = &selector.matchers.or_matchers;
                let all = std::iter::once(&selector.matchers.matchers)
                    .filter(|_| groups.is_empty())
                    .chain(groups);
                for group in all {
                    assert_eq!(group.iter().filter(|one| one.name == COMPONENT).count(), 1, "{once}");
                }
            });
            prop_assert_eq!(query.metrics(), Query::parse(&text).expect("a query").metrics());
        }

        #[test]
        fn no_text_makes_it_panic(text in r#"([a-c]{1,3}|[(){}\[\]"'`]|\\|[=!~<>+*/^@-]|[0-9]{1,3}|[0-9](m|s|e9)|by|on|sum|rate|offset| |,|:|\$__interval|é|\PC){0,24}"#) {
            if let Err(fault) = Query::parse(&text) {
                prop_assert!(text.get(fault.start..fault.end).is_some(), "{:?}", fault);
            }
        }

        #[test]
        fn a_part_that_is_left_out_is_found_in_time(text in query(), at in 0.0..1.0_f64) {
            let cut = (text.len() as f64 * at) as usize;
            if let Err(fault) = Query::parse(&text[..cut]) {
                prop_assert!(fault.start <= fault.end && fault.end <= cut, "{:?}", fault);
            }
        }
    }

    #[test]
    fn depth_has_a_limit() {
        let deep = format!("{}a{}", "(".repeat(64), ")".repeat(64));
        assert!(confined(&deep).contains("component"));
        let deeper = format!("({deep})");
        assert!(Query::parse(&deeper).is_err());
        let long = vec!["a"; LONGEST / 2].join("+");
        assert!(confined(&long).len() > long.len());
        assert!(Query::parse(&format!("{long}+a")).is_err());
    }
}
