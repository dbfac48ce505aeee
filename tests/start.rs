//! How a platform begins: a new topology, another environment, a picture of it.

#![allow(
    clippy::disallowed_methods,
    reason = "a test works on files of its own"
)]

mod support;

use std::fs;
use std::path::Path;

use lakewright::blueprint::Library;
use lakewright::graph::Graph;
use support::{Run, lakewright, read, run, scratch, write};

const LAKEHOUSE: &str = "examples/lakehouse/platform.toml";

fn init(folder: &Path, arguments: &[&str]) -> Run {
    run(lakewright().arg("init").arg(folder).args(arguments))
}

#[test]
fn a_new_topology_builds_without_findings() {
    let scratch = scratch();
    for (at, more) in [
        &[][..],
        &["--ci", "gitlab", "--locale", "fr"],
        &["--ci", "none", "--name", "lake", "--with", "postgresql"],
        &[
            "--ci",
            "pre-commit",
            "--env",
            "dev=compose,staging=swarm,prod=kubernetes",
            "--domain",
            "data.example.org",
        ],
    ]
    .iter()
    .enumerate()
    {
        let folder = scratch.path().join(format!("new-{at}/deep"));
        let made = init(&folder, more);
        assert_eq!((made.status, made.err.as_str()), (0, ""), "{more:?}");
        let topology = folder.join("platform.toml");
        let checked = run(lakewright().args(["check", "--strict"]).arg(&topology));
        assert_eq!(checked.status, 0, "{}", checked.out);
        assert!(!checked.out.contains("warning"), "{}", checked.out);
        let built = run(lakewright()
            .arg("build")
            .arg(&topology)
            .arg("-o")
            .arg(folder.join("generated")));
        assert_eq!((built.status, built.err.as_str()), (0, ""));
        assert!(folder.join(".gitignore").is_file());
    }
    let named =
        fs::read_to_string(scratch.path().join("new-0/deep/platform.toml")).expect("a file");
    assert!(named.contains("name = \"deep\""), "{named}");
    let ci = scratch
        .path()
        .join("new-0/deep/.github/workflows/lakewright.yaml");
    assert_eq!(
        fs::read_to_string(ci).expect("the file for CI"),
        read("examples/ci/github.yaml")
    );
    assert!(!scratch.path().join("new-2/deep/.github").exists());
    insta::assert_snapshot!(
        "init",
        fs::read_to_string(scratch.path().join("new-3/deep/platform.toml")).expect("a file")
    );
}

#[test]
fn every_system_can_be_the_beginning() {
    let scratch = scratch();
    for name in Library::default().names() {
        let made = init(
            &scratch.path().join(&name),
            &["--with", &name, "--ci", "none"],
        );
        // What only runs on a cluster, or has to be told more, is refused as a whole.
        if made.status != 0 {
            assert!(
                made.err.contains("nothing was written"),
                "{name}: {}",
                made.err
            );
            assert!(!scratch.path().join(&name).exists());
        }
    }
}

#[test]
fn init_overwrites_nothing() {
    let scratch = scratch();
    write(&scratch.path().join(".gitignore"), "mine\n");
    let refused = init(scratch.path(), &["--ci", "github"]);
    assert_eq!(refused.status, 1);
    assert!(
        refused.err.contains("has `.gitignore` already"),
        "{}",
        refused.err
    );
    assert_eq!(support::files(scratch.path()).len(), 1);
}

#[test]
fn what_init_does_not_understand_it_says() {
    let scratch = scratch();
    let mut said = String::new();
    for arguments in [
        &["--with", "postgres"][..],
        &["--env", "prod"],
        &["--env", "prod=nomad"],
        &["--env", "Prod=compose"],
        &["--name", "My Lake"],
        &["--domain", "not a domain", "--env", "prod=kubernetes"],
    ] {
        let refused = init(scratch.path(), arguments);
        assert_eq!(refused.status, 1, "{arguments:?}");
        said.push_str(&format!(
            "$ init {}\n{}\n",
            arguments.join(" "),
            refused.err
        ));
    }
    assert!(support::files(scratch.path()).is_empty());
    insta::assert_snapshot!("init-refused", said);
}

#[test]
fn an_environment_begins_as_a_copy() {
    let scratch = scratch();
    let path = write(&scratch.path().join("platform.toml"), read(LAKEHOUSE));
    let add = |name: &str, from: &str| {
        run(lakewright()
            .current_dir(scratch.path())
            .args(["env", "add", name, "--from", from]))
    };
    let added = add("qa", "staging");
    assert_eq!(added.status, 0, "{}", added.err);
    insta::assert_snapshot!("env-add", added.out);
    let after = fs::read_to_string(&path).expect("the topology");
    let mut lines = after.lines();
    let kept = read(LAKEHOUSE);
    assert!(
        kept.lines().all(|old| lines.any(|new| new == old)),
        "{after}"
    );
    let mut compiled = support::compile("platform.toml", &after, Library::default());
    assert_eq!(compiled.errors(), 0, "{}", compiled.text());
    assert!(compiled.bundles.contains_key("qa"));

    // A second time, from nowhere, under no name: nothing changes.
    let mut said = String::new();
    for (name, from) in [("qa", "staging"), ("qa2", "stagin"), ("Q A", "staging")] {
        let refused = add(name, from);
        assert_eq!(refused.status, 1);
        said.push_str(&refused.err);
    }
    assert_eq!(fs::read_to_string(&path).expect("the topology"), after);
    insta::assert_snapshot!("env-add-refused", said);
}

#[test]
fn every_environment_of_the_examples_has_its_picture() {
    for example in support::examples() {
        let path = format!("examples/{example}/platform.toml");
        let compiled = support::compile(&path, &read(&path), Library::default());
        for platform in &compiled.platforms {
            let graph = Graph::of(platform);
            let name = format!("{example}-{}", platform.environment.name);
            // All that run are in it, and all that connect.
            for component in platform
                .components
                .iter()
                .filter(|component| component.unsupported.is_none())
            {
                let known = graph.nodes.iter().any(|node| node.name == component.name);
                assert!(known, "{name}: {}", component.name);
            }
            assert!(platform.flows.iter().all(|flow| {
                let end = |at: usize| platform.component_of(&platform.services[at]).name.clone();
                let (from, to) = (end(flow.from), end(flow.to));
                let is = |at: usize, name: &str| graph.nodes[at].name == name;
                matches!(flow.reason, lakewright::platform::FlowReason::Traces)
                    || from == to
                    || graph
                        .edges
                        .iter()
                        .any(|edge| is(edge.from, &from) && is(edge.to, &to))
            }));
            insta::assert_snapshot!(
                format!("graph-{name}"),
                format!("{}\n{}", graph.mermaid(), graph.dot())
            );
            let svg = graph.svg();
            assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
            insta::assert_snapshot!(format!("picture-{name}"), svg);
        }
    }
}

#[test]
fn a_picture_of_nothing_is_refused() {
    let refused = run(lakewright().args(["graph", LAKEHOUSE, "-e", "nowhere"]));
    assert_eq!(refused.status, 1);
    assert!(refused.err.contains("nowhere"), "{}", refused.err);
}
