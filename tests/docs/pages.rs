//! Pages about findings and commands.

use std::fmt::Write as _;

use lakewright::review::danger::{Category, DANGERS};

pub(crate) fn findings() -> String {
    let mut text = super::header();
    text.push_str(
        "# Findings\n\n\
         Everything that Lakewright may report, by code. An error stops a build; a warning or a note does not. Notes are shown\n\
         by `lakewright check` only.\n\n\
         A finding that can be allowed is silenced with its code and a reason, for a component, an environment or everywhere:\n\n\
         ```toml\n\
         [components.airbyte]\n\
         allow.needs-cluster = \"ingestion runs in production only\"\n\
         ```\n\n\
         | code | severity | what is wrong | `allow` |\n| --- | --- | --- | --- |\n",
    );
    for rule in lakewright::rules() {
        let _ = writeln!(
            text,
            "| [{0}](#{0}) | {1} | {2} | {3} |",
            rule.code,
            severity(rule),
            rule.summary,
            if rule.allowable { "yes" } else { "no" }
        );
    }
    for rule in lakewright::rules() {
        let allow = if rule.allowable {
            format!("Can be allowed: `allow.{} = \"reason\"`.", rule.code)
        } else {
            "Cannot be allowed.".to_owned()
        };
        let _ = write!(
            text,
            "\n## {}\n\n{}: {}.\n\n{}\n\n**What to do.** {}\n\n{allow}\n",
            rule.code,
            capital(&severity(rule)),
            rule.summary,
            rule.why,
            rule.fix,
        );
    }
    text
}

fn severity(rule: &lakewright::diagnostic::Rule) -> String {
    if rule.code == "blueprint-notice" {
        // The blueprint says which.
        return "note, warning or error".to_owned();
    }
    rule.severity.name().to_owned()
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

pub(crate) fn commands() -> String {
    let mut text = super::header();
    text.push_str(
        "# Commands\n\n\
         Exit status: 0 done, or no difference; 1 errors; 2 differences found (`build --check`, `verify`).\n\n\
         Reports that were asked for go to standard output, findings of other commands to standard error. Output for people\n\
         has colours on a terminal; `NO_COLOR` turns them off, `CLICOLOR_FORCE` on.\n\n",
    );
    text.push_str(lakewright::cli::reference().trim_end());
    text.push('\n');
    // Clap pads some lines on the right.
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    format!("{}\n", lines.join("\n"))
}

/// The dangers that a review knows, by what they are about.
pub(crate) fn dangers() -> String {
    let mut text = String::new();
    for category in Category::ALL {
        let _ = write!(
            text,
            "\n### {}\n\n| code | level | what | why it matters | what to do |\n| --- | --- | --- | --- | --- |\n",
            capital(category.word())
        );
        for danger in DANGERS.iter().filter(|danger| danger.category == *category) {
            let rule = &danger.rule;
            let _ = writeln!(
                text,
                "| `{}` | {} | {} | {} | {} |",
                rule.code, danger.level, rule.summary, rule.why, rule.fix
            );
        }
    }
    text
}

/// What the main README shows of an example and its bundle.
pub(crate) fn excerpts() -> Vec<(&'static str, String)> {
    let bundle = "generated/minimal/dev";
    let compose = super::read(&format!("{bundle}/compose.yaml"));
    let network = "  superset-to-postgresql:";
    let block: Vec<&str> = compose
        .lines()
        .skip_while(|line| *line != network)
        .enumerate()
        .take_while(|(at, line)| *at == 0 || line.starts_with("    "))
        .map(|(_, line)| line)
        .collect();
    let readme = super::read(&format!("{bundle}/README.md"));
    let flows: Vec<&str> = readme
        .lines()
        .skip_while(|line| *line != "## Who may talk to whom")
        .skip(1)
        .take_while(|line| !line.starts_with('#'))
        .filter(|line| line.starts_with('|'))
        .collect();
    assert!(
        block.len() > 2 && flows.len() > 2,
        "{bundle} is not what this page shows any more"
    );
    let sums = super::read(&format!("{bundle}/SHA256SUMS"));
    let files: Vec<&str> = sums
        .lines()
        .filter_map(|line| Some(line.split_once(' ')?.1.trim_start_matches([' ', '*'])))
        .collect();
    vec![
        (
            "topology",
            format!(
                "```toml\n{}```",
                super::read("examples/minimal/platform.toml")
            ),
        ),
        ("files", format!("```text\n{}\n```", tree(&files))),
        (
            "network",
            format!(
                "```yaml\n# {bundle}/compose.yaml\n{}\n```",
                block.join("\n")
            ),
        ),
        ("flows", flows.join("\n")),
    ]
}

/// Lists files by their first folder, each on one line.
fn tree(files: &[&str]) -> String {
    let mut folders: std::collections::BTreeMap<&str, Vec<&str>> = Default::default();
    for file in files {
        let (folder, name) = file.split_once('/').unwrap_or(("", file));
        folders.entry(folder).or_default().push(name);
    }
    let width = folders
        .keys()
        .map(|folder| folder.len() + 1)
        .max()
        .unwrap_or(0);
    folders
        .iter()
        .map(|(folder, names)| {
            let folder = if folder.is_empty() {
                ".".to_owned()
            } else {
                format!("{folder}/")
            };
            format!("{folder:width$}  {}", names.join("  "))
        })
        .collect::<Vec<_>>()
        .join("\n")
}
