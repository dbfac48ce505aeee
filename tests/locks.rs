//! What a build is made with and what it becomes: the lock, and archives.

#![allow(
    clippy::disallowed_methods,
    reason = "a test works on files of its own"
)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use lakewright::lock::{Image, Lock};
use support::{Run, SMALL, lakewright, run, scratch, write};

fn go(folder: &Path, arguments: &[&str]) -> Run {
    run(lakewright().current_dir(folder).args(arguments))
}

/// A folder with a topology, and a lock that was made from what a check misses: with digests of the test's own.
fn locked() -> (tempfile::TempDir, Lock) {
    let folder = scratch();
    write(&folder.path().join("platform.toml"), SMALL);
    let listed = go(folder.path(), &["lock", "--check", "--offline"]);
    assert_eq!(listed.status, 2, "{}", listed.err);
    let names = listed
        .out
        .lines()
        .filter_map(|line| line.trim().strip_prefix("image "));
    let images: BTreeMap<String, Image> = names
        .filter_map(|line| line.strip_suffix(" is not in it"))
        .enumerate()
        .map(|(at, name)| {
            let digest = format!("sha256:{:064x}", at + 1);
            let platforms = BTreeMap::from([("linux/amd64".to_owned(), digest.clone())]);
            (name.to_owned(), Image { digest, platforms })
        })
        .collect();
    assert!(images.len() >= 2, "{}", listed.out);
    let compiled = support::compile("platform.toml", SMALL, Default::default());
    let inputs = compiled.bundles["dev"].inventory().inputs.iter();
    let blueprints = inputs
        .filter_map(|input| {
            let name = input.name.strip_prefix("blueprint ")?;
            Some((name.to_owned(), input.sha256.to_string()))
        })
        .collect();
    let lock = Lock {
        images,
        blueprints,
        ..Lock::new()
    };
    write(&folder.path().join("lakewright.lock"), lock.text());
    (folder, lock)
}

#[test]
fn a_locked_build_deploys_digests() {
    let (folder, lock) = locked();
    let built = go(folder.path(), &["build", "--locked"]);
    assert_eq!((built.status, built.err.as_str()), (0, ""));
    let compose =
        fs::read_to_string(folder.path().join("generated/dev/compose.yaml")).expect("a bundle");
    for (name, image) in &lock.images {
        assert!(
            compose.contains(&format!("image: {name}@{}\n", image.digest)),
            "{name}\n{compose}"
        );
    }
    // The lock counts without the flag too: what is built does not depend on how.
    let checked = go(folder.path(), &["build", "--check"]);
    assert_eq!(checked.status, 0, "{}", checked.out);
    assert_eq!(
        go(folder.path(), &["lock", "--check", "--offline"]).status,
        0
    );
}

#[test]
fn what_is_not_locked_is_refused() {
    let (folder, mut lock) = locked();
    let path = folder.path().join("lakewright.lock");
    let first = lock.images.keys().next().cloned().expect("an image");
    lock.images.remove(&first);
    for digest in lock.blueprints.values_mut() {
        *digest = "0".repeat(64);
    }
    write(&path, lock.text());
    let mut said = String::new();
    let mut refuse = |arguments: &[&str], status: i32| {
        let refused = go(folder.path(), arguments);
        assert_eq!(refused.status, status, "{}{}", refused.out, refused.err);
        said.push_str(&format!(
            "$ {}\n{}{}\n",
            arguments.join(" "),
            refused.out,
            refused.err
        ));
    };
    refuse(&["build", "--locked"], 1);
    refuse(&["lock", "--check", "--offline"], 2);
    write(&path, "version = 1\nimages = 3\n");
    refuse(&["check"], 1);
    write(&path, "version = 7\n");
    refuse(&["build"], 1);
    fs::remove_file(&path).expect("a lock");
    refuse(&["build", "--locked"], 1);
    refuse(&["lock", "--offline"], 1);
    assert!(!folder.path().join("generated").exists());
    for words in [
        "error: this build is not the one that is locked\n",
        &format!("  image {first} is not in it\n"),
        "  blueprint valkey is another one now\n",
        "help: `lakewright lock` writes the lock anew",
        "its format is 7, and this program knows 1",
        "there is no lakewright.lock",
    ] {
        assert!(said.contains(words), "{words}\n{said}");
    }
}

#[test]
fn mirrors_stand_in_for_registries() {
    let (folder, lock) = locked();
    let mirrored = format!("{SMALL}mirrors = {{ \"docker.io\" = \"mirror.example.com/hub\" }}\n");
    write(&folder.path().join("platform.toml"), &mirrored);
    let built = go(folder.path(), &["build", "--locked"]);
    assert_eq!(built.status, 0, "{}", built.err);
    let compose =
        fs::read_to_string(folder.path().join("generated/dev/compose.yaml")).expect("a bundle");
    for (name, image) in &lock.images {
        let pulled = name.replace("docker.io/", "mirror.example.com/hub/");
        assert!(
            compose.contains(&format!("image: {pulled}@{}\n", image.digest)),
            "{name}"
        );
    }
}

#[test]
fn an_archive_is_the_same_everywhere_and_can_be_verified() {
    let (folder, lock) = locked();
    for output in ["one", "deep/other"] {
        let made = go(
            folder.path(),
            &["archive", "dev", "--output", output, "--oci"],
        );
        assert_eq!((made.status, made.err.as_str()), (0, ""));
    }
    let one = support::files(folder.path().join("one"));
    assert_eq!(one, support::files(folder.path().join("deep/other")));
    // What was left half written is written again.
    let blob = one.keys().find(|name| name.contains("/blobs/"));
    write(&folder.path().join("one").join(blob.expect("a blob")), "");
    let again = ["archive", "dev", "--output", "one", "--oci"];
    assert_eq!(go(folder.path(), &again).status, 0);
    assert_eq!(one, support::files(folder.path().join("one")));
    let text = |name: &str| String::from_utf8(one[name].clone()).expect("text");
    let sbom: serde_json::Value =
        serde_json::from_str(&text("small-dev.sbom.cdx.json")).expect("JSON");
    let components = sbom["components"].as_array().expect("a list");
    for (name, image) in &lock.images {
        let hex = image.digest.trim_start_matches("sha256:");
        let known = components.iter().any(|one| {
            name.starts_with(one["name"].as_str().unwrap_or("-"))
                && one["hashes"][0]["content"] == hex
        });
        assert!(known, "{name}: {sbom}");
    }
    let provenance: serde_json::Value =
        serde_json::from_str(&text("small-dev.provenance.json")).expect("JSON");
    let archive = lakewright::bundle::Digest::of(&one["small-dev.tar.zst"]).to_string();
    assert_eq!(provenance["subject"][0]["digest"]["sha256"], archive);
    // Every blob of the layout has the name of its digest, and is referred to.
    let index = text("small-dev.oci/index.json");
    let blobs = one.iter().filter_map(|(name, bytes)| {
        Some((name.strip_prefix("small-dev.oci/blobs/sha256/")?, bytes))
    });
    for (name, bytes) in blobs {
        assert_eq!(name, lakewright::bundle::Digest::of(bytes).to_string());
    }
    assert_eq!(index.matches("sha256:").count(), 3);

    let verified = go(folder.path(), &["verify", "one/small-dev.tar.zst"]);
    assert_eq!((verified.status, verified.err.as_str()), (0, ""));
    // Real programs read it too, where there are some.
    let path = folder.path().join("one/small-dev.tar.zst");
    let listed = support::program("tar")
        .arg("--list")
        .arg("--file")
        .arg(&path)
        .output();
    if let Ok(listed) = listed
        && listed.status.success()
    {
        let names = String::from_utf8_lossy(&listed.stdout).into_owned();
        assert!(
            names.lines().any(|name| name == "small-dev/compose.yaml"),
            "{names}"
        );
    }
    let mut broken = one["small-dev.tar.zst"].clone();
    broken.truncate(broken.len() / 2);
    fs::write(folder.path().join("broken.tar.zst"), broken).expect("a file");
    let refused = go(folder.path(), &["verify", "broken.tar.zst"]);
    assert_eq!(refused.status, 1);
    assert!(
        refused.err.contains("is no archive of a bundle"),
        "{}",
        refused.err
    );
}
