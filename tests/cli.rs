//! The command line as a whole: exit statuses, what is printed where, and what is left on disk.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test works on files of its own"
)]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use support::{Run, SMALL, lakewright, program, read, run, scratch, write};

const EXAMPLE: &str = "examples/minimal/platform.toml";
const LAKEHOUSE: &str = "examples/lakehouse/platform.toml";
const BAD: &str = "tests/bad/unknown-key.toml";

fn go(arguments: &[&str]) -> Run {
    run(lakewright().args(arguments))
}

fn built(folder: &Path) -> std::path::PathBuf {
    let topology = write(&folder.join("platform.toml"), SMALL);
    let out = folder.join("out");
    let done = run(lakewright().arg("build").arg(topology).arg("-o").arg(&out));
    assert_eq!(done.status, 0, "{}", done.err);
    out.join("dev")
}

#[test]
fn check_ends_with_0_or_1() {
    let fine = go(&["check", EXAMPLE]);
    assert_eq!(fine.status, 0, "{}", fine.out);
    assert_eq!(fine.err, "");
    let bad = go(&["check", BAD]);
    assert_eq!(bad.status, 1);
    assert!(bad.out.contains("error[unknown-key]"), "{}", bad.out);
    assert_eq!(bad.err, "");
    // Warnings count when they are asked to.
    let warned = go(&[
        "check",
        "tests/bad/untested-version.toml",
        "--blueprints",
        "tests/bad/blueprints",
    ]);
    assert_eq!(warned.status, 0, "{}", warned.out);
    let strict = go(&[
        "check",
        "--strict",
        "tests/bad/untested-version.toml",
        "--blueprints",
        "tests/bad/blueprints",
    ]);
    assert_eq!(strict.status, 1);
}

#[test]
fn findings_are_json_and_sarif_too() {
    let json = go(&["check", BAD, "--format", "json"]);
    assert_eq!(json.status, 1);
    let value: serde_json::Value = serde_json::from_str(&json.out).expect("JSON");
    assert!(value.to_string().contains("unknown-key"));
    let sarif = go(&["check", BAD, "--format", "sarif"]);
    let value: serde_json::Value = serde_json::from_str(&sarif.out).expect("JSON");
    assert_eq!(value["version"], "2.1.0");
    assert_eq!(value["runs"][0]["results"][0]["ruleId"], "unknown-key");
    // Nothing found is a document too.
    let folder = scratch();
    let fine = write(&folder.path().join("platform.toml"), SMALL);
    for format in ["json", "sarif"] {
        let run = run(lakewright()
            .arg("check")
            .arg(&fine)
            .args(["--format", format]));
        serde_json::from_str::<serde_json::Value>(&run.out).expect("JSON");
    }
    let short = go(&["check", BAD, "--format", "short"]);
    let first = short.out.lines().next().unwrap_or_default();
    assert!(
        first.starts_with(&format!("{BAD}:1:1: error[unknown-key]: ")),
        "{first}"
    );
}

#[test]
fn quiet_says_errors_only() {
    let folder = scratch();
    let topology = write(&folder.path().join("platform.toml"), SMALL);
    let out = folder.path().join("out");
    let run_build = || {
        run(lakewright()
            .arg("-q")
            .arg("build")
            .arg(&topology)
            .arg("-o")
            .arg(&out))
    };
    for _ in 0..2 {
        let quiet = run_build();
        assert_eq!(
            (quiet.status, quiet.out.as_str(), quiet.err.as_str()),
            (0, "", "")
        );
    }
    let verified = run(lakewright()
        .args(["--quiet", "verify"])
        .arg(out.join("dev")));
    assert_eq!((verified.status, verified.out.as_str()), (0, ""));
    let fine = go(&["-q", "check", EXAMPLE]);
    assert_eq!(
        (fine.status, fine.out.as_str(), fine.err.as_str()),
        (0, "", "")
    );
    let bad = go(&["-q", "check", BAD]);
    assert!(bad.status == 1 && bad.out.contains("error["), "{}", bad.out);
}

#[test]
fn build_check_and_verify_end_with_2_on_differences() {
    let folder = scratch();
    let bundle = built(folder.path());
    let topology = folder.path().join("platform.toml");
    let check = || {
        run(lakewright()
            .arg("build")
            .arg("--check")
            .arg(&topology)
            .arg("-o")
            .arg(folder.path().join("out")))
    };
    let verify = || run(lakewright().arg("verify").arg(&bundle));
    assert_eq!((check().status, verify().status), (0, 0));

    // Edited by hand: both say so, and a build does not overwrite it.
    let file = bundle.join("compose.yaml");
    let before = fs::read(&file).expect("the file");
    write(&file, "edited: true\n");
    let (checked, verified) = (check(), verify());
    assert_eq!((checked.status, verified.status), (2, 2));
    assert!(checked.out.contains("compose.yaml") && verified.out.contains("compose.yaml"));
    let rebuild = |force: bool| {
        let mut command = lakewright();
        command
            .arg("build")
            .arg(&topology)
            .arg("-o")
            .arg(folder.path().join("out"));
        if force {
            command.arg("--force");
        }
        run(&mut command)
    };
    let refused = rebuild(false);
    assert_eq!(refused.status, 1, "{}", refused.out);
    assert!(refused.err.contains("compose.yaml"), "{}", refused.err);
    assert_eq!(fs::read(&file).expect("the file"), b"edited: true\n");
    assert_eq!(rebuild(true).status, 0);
    assert_eq!(fs::read(&file).expect("the file"), before);

    // Stale: the topology changed, the bundle is still what was built.
    write(&topology, SMALL.replace("\"small\"", "\"other\""));
    assert_eq!((check().status, verify().status), (2, 0));
    assert_eq!(
        fs::read(&file).expect("the file"),
        before,
        "--check writes nothing"
    );
}

#[test]
fn one_bad_environment_leaves_all_untouched() {
    let folder = scratch();
    let topology = write(
        &folder.path().join("platform.toml"),
        format!(
            "{SMALL}[environments.other]\ntarget = \"compose\"\nhosts = [{{ name = \"a\", memory = \"1MiB\", cpus = 1 }}]\n"
        ),
    );
    let out = folder.path().join("out");
    let all = run(lakewright().arg("build").arg(&topology).arg("-o").arg(&out));
    assert_eq!(all.status, 1, "{}", all.out);
    assert!(!out.exists());
    let one = run(lakewright()
        .args(["build", "-e", "dev"])
        .arg(&topology)
        .arg("-o")
        .arg(&out));
    assert_eq!(one.status, 0, "{}", one.err);
    assert!(out.join("dev").exists() && !out.join("other").exists());
    let unknown = run(lakewright()
        .args(["build", "-e", "dve"])
        .arg(&topology)
        .arg("-o")
        .arg(&out));
    assert_eq!(unknown.status, 1);
    assert!(
        unknown.err.contains("did you mean `dev`?"),
        "{}",
        unknown.err
    );
}

#[test]
fn arguments_that_do_not_exist_end_with_1() {
    for arguments in [
        &["biuld"][..],
        &["build", "--chek"],
        &["check", "--format", "xml"],
        &[],
    ] {
        let run = go(arguments);
        assert_eq!(run.status, 1, "{arguments:?}");
        assert!(!run.err.is_empty() && run.out.is_empty(), "{arguments:?}");
    }
    assert_eq!(go(&["--help"]).status, 0);
    assert!(go(&["--version"]).out.starts_with("lakewright "));
}

#[test]
fn a_value_is_explained() {
    let run = go(&["explain", LAKEHOUSE, "dev.superset.web.replicas"]);
    assert_eq!(run.status, 0, "{}", run.err);
    insta::assert_snapshot!(run.out);
    let layered = go(&["explain", LAKEHOUSE, "prod.elasticsearch.options.nodes"]);
    assert_eq!(layered.status, 0, "{}", layered.err);
    insta::assert_snapshot!("a_layered_value_is_explained", layered.out);
}

#[test]
fn an_unknown_path_is_corrected() {
    let near = go(&["explain", LAKEHOUSE, "dev.superset.web.replica"]);
    assert_eq!(near.status, 1);
    insta::assert_snapshot!(near.err, @r"
    error: `dev` has no value `superset.web.replica`
    help: did you mean `superset.web.replicas`?
    ");
    let far = go(&["explain", LAKEHOUSE, "dev.nothing.like.it"]);
    assert!(
        far.status == 1 && far.err.contains("lakewright explain"),
        "{}",
        far.err
    );
    let environment = go(&["explain", LAKEHOUSE, "devv"]);
    assert!(
        environment.err.contains("did you mean `dev`?"),
        "{}",
        environment.err
    );
    // A path that ends early lists what is below it.
    let list = go(&["explain", LAKEHOUSE, "dev.superset.web"]);
    assert!(list.out.lines().count() > 3, "{}", list.out);
    assert!(
        list.out
            .lines()
            .all(|line| line.starts_with("dev.superset.web."))
    );
}

#[test]
fn blueprints_are_listed_and_shown() {
    let list = go(&["blueprint", "list"]);
    assert_eq!(list.status, 0);
    for name in support::names("blueprints") {
        assert!(
            list.out
                .lines()
                .any(|line| line.split(' ').next() == Some(&name)),
            "{name}"
        );
        let show = go(&["blueprint", "show", &name]);
        assert_eq!(show.status, 0, "{}", show.err);
        assert!(show.out.starts_with(&format!("{name}: ")), "{}", show.out);
        let schema = go(&["blueprint", "show", &name, "--schema"]);
        serde_json::from_str::<serde_json::Value>(&schema.out).expect("JSON");
    }
    let unknown = go(&["blueprint", "show", "postgres"]);
    assert_eq!(unknown.status, 1);
    assert!(
        unknown.err.contains("did you mean `postgresql`?"),
        "{}",
        unknown.err
    );
}

#[test]
fn schemas_are_those_committed() {
    for name in ["topology", "blueprint", "bundle"] {
        let run = go(&["schema", name]);
        let value: serde_json::Value = serde_json::from_str(&run.out).expect("JSON");
        assert!(value["title"].is_string());
        let path = format!("schemas/{name}.schema.json");
        if support::root().join(&path).exists() {
            assert!(run.out == read(&path), "{path} is stale");
        }
    }
}

#[test]
fn completions_and_the_manual_are_printed() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = go(&["completions", shell]);
        assert!(run.status == 0 && run.out.contains("lakewright"), "{shell}");
    }
    let man = go(&["man"]);
    assert_eq!(man.status, 0);
    assert!(man.out.contains(".TH lakewright"));
    assert!(man.out.contains("blueprint"));
}

#[test]
fn a_closed_pipe_is_no_panic() {
    let line = format!(
        "{} explain {LAKEHOUSE} dev | head -n 1",
        env!("CARGO_BIN_EXE_lakewright")
    );
    let run = run(program("sh").arg("-c").arg(line));
    assert_eq!((run.status, run.err.as_str()), (0, ""));
    assert_eq!(run.out.lines().count(), 1);
}

#[test]
fn secrets_are_made_once_and_never_shown() {
    let folder = scratch();
    let bundle = built(folder.path());
    let init = || run(lakewright().args(["secrets", "init"]).arg(&bundle));
    let first = init();
    assert_eq!(first.status, 0, "{}", first.err);
    let secrets = bundle.join("secrets");
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&secrets), 0o700);
    let made_files = || {
        let mut made = support::files(&secrets);
        assert!(made.remove(".gitignore").is_some(), "git ignores them");
        made
    };
    let made = made_files();
    assert!(!made.is_empty());
    for (name, value) in &made {
        assert_eq!(mode(&secrets.join(name)), 0o600, "{name}");
        let value = String::from_utf8_lossy(value);
        assert!(value.trim().len() >= 16, "{name}");
        assert!(!first.out.contains(value.trim()) && !first.err.contains(value.trim()));
    }
    let second = init();
    assert_eq!(second.status, 0, "{}", second.err);
    assert!(made_files() == made, "a second run leaves them as they are");
    // They belong to the user: neither a check nor a build minds them, and git ignores them.
    assert_eq!(run(lakewright().arg("verify").arg(&bundle)).status, 0);
    built(folder.path());
    assert!(made_files() == made);
    let ignored = fs::read_to_string(bundle.join(".gitignore")).expect("the file");
    assert!(ignored.contains("secrets"), "{ignored}");
    // One that is gone is made again, the others stay.
    let name = made.keys().next().expect("one");
    fs::remove_file(secrets.join(name)).expect("the secret");
    assert_eq!(init().status, 0);
    let again = made_files();
    assert!(again.len() == made.len() && again[name] != made[name]);
}
