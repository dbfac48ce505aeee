//! The rules of `rules.toml`, and how a way to a scalar fits one.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::structured::Step;

/// All rules, by kind of file.
#[derive(Deserialize)]
pub(super) struct Rules {
    /// Compose files and stacks.
    pub(super) docker: Vec<Rule>,
    /// Kubernetes objects.
    pub(super) kubernetes: Vec<Rule>,
    /// Single files at the top of a bundle, by name.
    pub(super) files: BTreeMap<String, Vec<Rule>>,
}

/// What made the scalars at some way.
#[derive(Deserialize)]
pub(super) struct Rule {
    /// The way, with wildcards.
    pub(super) at: Vec<String>,
    /// What is tried, one after the other.
    pub(super) from: Vec<String>,
}

/// The rules of this program.
pub(super) static RULES: LazyLock<Rules> = LazyLock::new(|| {
    toml::from_str(include_str!("rules.toml")).expect("the program's own rules; a test reads them")
});

/// Says whether a path fits a pattern, and what its names stand for.
pub(super) fn fit(pattern: &[String], path: &[Step]) -> Option<BTreeMap<String, String>> {
    let Some((first, rest)) = pattern.split_first() else {
        return path.is_empty().then(BTreeMap::new);
    };
    if first == "**" {
        return (0..=path.len()).find_map(|skipped| fit(rest, &path[skipped..]));
    }
    let (step, after) = path.split_first()?;
    let mut names = fit(rest, after)?;
    if first == "*" {
        return Some(names);
    }
    let Step::Key(key) = step else { return None };
    match first
        .strip_prefix('{')
        .and_then(|name| name.strip_suffix('}'))
    {
        Some(name) => {
            names.insert(name.to_owned(), key.clone());
            Some(names)
        }
        None => (first == key).then_some(names),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_can_be_reached() {
        // A rule behind one that takes everything would never decide.
        let others = RULES.files.values();
        for table in [&RULES.docker, &RULES.kubernetes].into_iter().chain(others) {
            for (at, rule) in table.iter().enumerate() {
                let path: Vec<Step> = rule
                    .at
                    .iter()
                    .map(|step| match step.as_str() {
                        "*" => Step::Index(0),
                        other => Step::Key(other.to_owned()),
                    })
                    .collect();
                let first = table.iter().position(|rule| fit(&rule.at, &path).is_some());
                assert_eq!(first, Some(at), "{:?}", rule.at);
                assert!(!rule.from.is_empty());
            }
        }
    }

    #[test]
    fn patterns_fit_ways() {
        let pattern: Vec<String> = ["a", "{x}", "**", "z"].map(str::to_owned).into();
        let key = |key: &str| Step::Key(key.to_owned());
        let names = fit(&pattern, &[key("a"), key("b"), Step::Index(1), key("z")]);
        assert_eq!(
            names,
            Some(BTreeMap::from([("x".to_owned(), "b".to_owned())]))
        );
        assert_eq!(fit(&pattern, &[key("a"), Step::Index(0), key("z")]), None);
        assert_eq!(fit(&pattern, &[key("a"), key("b")]), None);
    }
}
