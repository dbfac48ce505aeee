//! Holds the documentation to the code.
//!
//! Pages and schemas that are generated are compared with what the code gives now; `LAKEWRIGHT_UPDATE=1 cargo test
//! --test docs` writes them. What is written by hand is held to the code where that can be: examples are compiled,
//! commands are parsed.

#![allow(
    clippy::disallowed_methods,
    reason = "tests read the repository itself; `host` is what the program reads with"
)]

mod blueprints;
mod pages;
mod topology;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use lakewright::blueprint::Library;
use lakewright::cli;
use lakewright::compile::Compiler;
use lakewright::diagnostic::{self, Severity};
use lakewright::source::Sources;
use lakewright::tree::Tree;

const UPDATE: &str = "LAKEWRIGHT_UPDATE=1 cargo test --test docs";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_default()
}

/// The first line of every generated page.
fn header() -> String {
    format!("<!-- Generated from the code by `{UPDATE}`. Change the code, not this page. -->\n")
}

/// Writes what changed if asked to, else fails and names the command that does.
fn hold(files: BTreeMap<String, String>) {
    let stale: Vec<(String, String)> = files
        .into_iter()
        .filter(|(path, text)| read(path) != *text)
        .collect();
    if std::env::var_os("LAKEWRIGHT_UPDATE").is_some() {
        for (path, text) in &stale {
            let path = root().join(path);
            fs::create_dir_all(path.parent().expect("a file in a folder")).expect("makes folder");
            fs::write(&path, text).expect("writes page");
        }
        return;
    }
    let names: Vec<&str> = stale.iter().map(|(path, _)| path.as_str()).collect();
    assert!(
        stale.is_empty(),
        "not what the code gives: {}\n{}\nrun: {UPDATE}",
        names.join(", "),
        stale.first().map_or_else(String::new, |(path, text)| {
            first_difference(&read(path), text)
        })
    );
}

fn first_difference(old: &str, new: &str) -> String {
    let at = old
        .lines()
        .zip(new.lines())
        .take_while(|(old, new)| old == new)
        .count();
    let line = |text: &str| text.lines().nth(at).unwrap_or("(nothing)").to_owned();
    format!("line {}:\n- {}\n+ {}", at + 1, line(old), line(new))
}

/// Puts a text between the markers of a page.
fn fill(page: &str, name: &str, text: &str) -> String {
    let (open, close) = (format!("<!-- {name} -->"), format!("<!-- /{name} -->"));
    let start = page
        .find(&open)
        .unwrap_or_else(|| panic!("the page has no {open}"))
        + open.len();
    let end = start
        + page[start..]
            .find(&close)
            .unwrap_or_else(|| panic!("the page has no {close}"));
    format!("{}\n{}\n{}", &page[..start], text.trim_end(), &page[end..])
}

#[test]
fn schemas_are_those_of_the_code() {
    hold(
        cli::SCHEMAS
            .iter()
            .map(|(name, document)| (format!("schemas/{name}.schema.json"), document()))
            .collect(),
    );
}

#[test]
fn pages_are_those_of_the_code() {
    let topology = "docs/reference/topology.md";
    let diff = "docs/reference/diff.md";
    let mut readme = read("README.md");
    for (name, text) in pages::excerpts() {
        readme = fill(&readme, name, &text);
    }
    hold(BTreeMap::from([
        ("README.md".to_owned(), readme),
        ("docs/reference/findings.md".to_owned(), pages::findings()),
        ("docs/reference/commands.md".to_owned(), pages::commands()),
        (
            topology.to_owned(),
            fill(&read(topology), "keys", &topology::keys()),
        ),
        (
            diff.to_owned(),
            fill(&read(diff), "dangers", &pages::dangers()),
        ),
    ]));
}

#[test]
fn blueprints_are_described_as_they_are() {
    let mut files = BTreeMap::from([(
        "docs/reference/blueprints/README.md".to_owned(),
        blueprints::index(),
    )]);
    for blueprint in blueprints::all() {
        let readme = format!("blueprints/{}/README.md", blueprint.name);
        let table = blueprints::options(&blueprint);
        files.insert(readme.clone(), fill(&read(&readme), "options", &table));
        files.insert(
            format!("docs/reference/blueprints/{}.md", blueprint.name),
            blueprints::page(&blueprint),
        );
    }
    let known: BTreeSet<String> = files.keys().cloned().collect();
    hold(files);
    let folder = root().join("docs/reference/blueprints");
    for entry in fs::read_dir(folder).expect("the folder of the pages") {
        let name = entry.expect("a page").file_name();
        let path = format!("docs/reference/blueprints/{}", name.to_string_lossy());
        assert!(
            known.contains(&path),
            "{path} is of no blueprint: remove it"
        );
    }
}

fn source_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the sources") {
        let path = entry.expect("a source file").path();
        if path.is_dir() {
            source_files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_rule_is_listed_once() {
    let codes: Vec<&str> = lakewright::rules().iter().map(|rule| rule.code).collect();
    assert!(
        codes.is_sorted_by(|one, next| one < next),
        "sorted and unique: {codes:?}"
    );
    let mut files = Vec::new();
    source_files(&root().join("src"), &mut files);
    let mut written = BTreeSet::new();
    for file in &files {
        let text = fs::read_to_string(file).expect("a source file");
        // Tests have rules of their own.
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        for rule in text.split(": Rule = Rule {").skip(1) {
            let code = rule.split('"').nth(1).unwrap_or_default().to_owned();
            assert!(
                written.insert(code.clone()),
                "two rules have the code {code}"
            );
        }
    }
    let listed: BTreeSet<String> = codes.iter().map(|code| (*code).to_owned()).collect();
    assert_eq!(written, listed, "`lakewright::rules()` lists every rule");
}

#[test]
fn rules_explain_themselves() {
    for rule in lakewright::rules() {
        let code = rule.code;
        assert!(
            code.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'-'),
            "{code} is in kebab case"
        );
        assert!(
            !rule.summary.ends_with('.') && !rule.summary.contains('\n'),
            "{code}: a phrase on one line"
        );
        for text in [rule.why, rule.fix] {
            assert!(
                text.ends_with('.') && text.len() > 10 && !text.contains("  "),
                "{code}: whole sentences, not {text:?}"
            );
        }
    }
}

/// Every page that people read.
fn hand_written() -> Vec<String> {
    let mut pages: Vec<String> = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"]
        .map(str::to_owned)
        .to_vec();
    pages.extend(
        ["topology", "merging", "blueprint", "findings", "commands"]
            .map(|name| format!("docs/reference/{name}.md")),
    );
    for entry in fs::read_dir(root().join("docs")).expect("the folder of the pages") {
        let name = entry.expect("a page").file_name();
        let name = name.to_string_lossy();
        if Path::new(&*name).extension().is_some_and(|it| it == "md") {
            pages.push(format!("docs/{name}"));
        }
    }
    pages.sort();
    pages
}

/// Returns the fenced blocks of a language, each with the number of its first line.
fn blocks(page: &str, language: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut open: Option<(usize, bool, String)> = None;
    for (at, line) in page.lines().enumerate() {
        if let Some(info) = line.strip_prefix("```") {
            open = match open.take() {
                Some((start, wanted, text)) => {
                    if wanted {
                        found.push((start, text));
                    }
                    None
                }
                None => Some((at + 2, info == language, String::new())),
            };
        } else if let Some((_, _, text)) = &mut open {
            text.push_str(line);
            text.push('\n');
        }
    }
    found
}

#[test]
fn complete_topologies_of_the_pages_compile() {
    let mut complete = 0;
    for page in hand_written() {
        for (line, text) in blocks(&read(&page), "toml") {
            assert!(
                toml::from_str::<toml::Table>(&text).is_ok(),
                "{page}:{line} is not TOML"
            );
            if !text.starts_with("# complete") {
                continue;
            }
            complete += 1;
            let mut sources = Sources::default();
            let file = sources.add(format!("{page}:{line}"), text);
            let mut compiler = Compiler::new(sources, Library::default());
            if let Some(topology) = compiler.read(file) {
                let names = topology.environments();
                for compiled in compiler.environments(&topology, &names, false) {
                    compiler.bundle(&topology, &compiled);
                }
            }
            compiler
                .findings
                .retain(|finding| finding.severity == Severity::Error);
            assert!(
                compiler.findings.is_empty(),
                "{}",
                diagnostic::text::render(&compiler.findings, &compiler.sources, false, 120)
            );
        }
    }
    assert!(
        complete > 0,
        "no topology of the pages is marked `# complete`"
    );
}

#[test]
fn commands_of_the_pages_exist() {
    let mut parsed = 0;
    for page in hand_written() {
        let text = read(&page);
        let lines = ["sh", "console"]
            .iter()
            .flat_map(|language| blocks(&text, language))
            .flat_map(|(_, block)| block.lines().map(str::to_owned).collect::<Vec<_>>());
        for line in lines {
            let line = line.trim_start_matches("$ ");
            let line = line.split(" #").next().unwrap_or_default();
            let words: Vec<&str> = line.split_whitespace().collect();
            let arguments = match words.as_slice() {
                ["lakewright", rest @ ..] => rest,
                ["cargo", "run", "--release", "--", rest @ ..] => rest,
                _ => continue,
            };
            let whole: Vec<&str> = std::iter::once("lakewright")
                .chain(arguments.iter().copied())
                .collect();
            if let Err(error) = cli::parse(&whole) {
                panic!("{page}: `{line}`\n{error}");
            }
            parsed += 1;
        }
    }
    assert!(parsed > 5, "the pages show commands");
}

#[test]
fn links_of_the_pages_lead_somewhere() {
    let mut pages = hand_written();
    for blueprint in blueprints::all() {
        pages.push(format!("docs/reference/blueprints/{}.md", blueprint.name));
        pages.push(format!("blueprints/{}/README.md", blueprint.name));
    }
    pages.push("docs/reference/blueprints/README.md".to_owned());
    for page in pages {
        let text = read(&page);
        assert!(!text.is_empty(), "{page} is missing");
        let folder = Path::new(&page).parent().unwrap_or(Path::new(""));
        // What stands between backticks is code, in which brackets are no links.
        let prose: String = text.split('`').step_by(2).collect();
        for link in prose.split("](").skip(1) {
            let link = link.split(')').next().unwrap_or_default();
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() {
                root().join(&page)
            } else {
                root().join(folder).join(file)
            };
            assert!(target.exists(), "{page} links to {link}");
            if !anchor.is_empty() {
                let target = fs::read_to_string(&target).unwrap_or_default();
                let known = target
                    .lines()
                    .filter_map(|line| line.strip_prefix('#'))
                    .map(|line| anchor_of(line.trim_start_matches('#').trim()))
                    .any(|known| known == anchor);
                assert!(known, "{page} links to {link}, which has no such heading");
            }
        }
    }
}

/// The anchor that GitHub gives a heading.
fn anchor_of(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter(|next| next.is_alphanumeric() || matches!(next, '-' | '_' | ' '))
        .map(|next| if next == ' ' { '-' } else { next })
        .collect()
}

#[test]
fn examples_name_their_schema() {
    for (folder, file, schema) in [
        ("examples", "platform.toml", "topology"),
        ("blueprints", "blueprint.toml", "blueprint"),
    ] {
        for entry in fs::read_dir(root().join(folder)).expect("a folder") {
            let path = entry.expect("an entry").path().join(file);
            // Beside the examples of topologies lie some of other things.
            if folder == "examples" && !path.exists() {
                continue;
            }
            let text = fs::read_to_string(&path).expect("a file");
            let first = text.lines().next().unwrap_or_default();
            let expected = format!("#:schema ../../schemas/{schema}.schema.json");
            assert_eq!(first, expected, "{}", path.display());
        }
    }
}

#[test]
fn built_in_blueprints_fit_their_schema() {
    let mut sources = Sources::default();
    let mut findings = Vec::new();
    for blueprint in blueprints::all() {
        let path = format!("blueprints/{}/blueprint.toml", blueprint.name);
        let text = read(&path);
        let file = sources.add(path, text);
        let tree = Tree::parse(&sources, file).expect("TOML");
        findings.extend(lakewright::blueprint::SCHEMA.validate(&tree));
    }
    assert!(
        findings.is_empty(),
        "{}",
        diagnostic::text::render(&findings, &sources, false, 120)
    );
}

#[test]
fn readmes_of_bundles_say_the_same_in_every_language() {
    let expressions = |name: &str| -> Vec<Vec<String>> {
        read(&format!("src/backend/readme/{name}.hbs"))
            .lines()
            .map(|line| {
                line.split("{{")
                    .skip(1)
                    .filter_map(|part| part.split("}}").next())
                    .map(str::to_owned)
                    .collect()
            })
            .collect()
    };
    for target in ["compose", "kubernetes", "security", "swarm"] {
        let english = expressions(&format!("{target}.en"));
        let french = expressions(&format!("{target}.fr"));
        for (at, (en, fr)) in english.iter().zip(&french).enumerate() {
            // Word order differs between languages, what is said does not.
            let sorted = |line: &Vec<String>| {
                let mut line = line.clone();
                line.sort();
                line
            };
            assert_eq!(sorted(en), sorted(fr), "{target}, line {}", at + 1);
        }
        assert_eq!(english.len(), french.len(), "{target}: line by line");
    }
}
