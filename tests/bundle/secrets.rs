//! Secrets that are made in a bundle's folder.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;

use lakewright::bundle::Meta;
use lakewright::bundle::inventory::SecretSpec;
use lakewright::bundle::secrets::{SecretsReport, init};
use lakewright::bundle::write::write;
use lakewright::host::{Fault, Host, Trouble};
use lakewright::terms::{SecretKind, Token};

use crate::scene::{Node, Scene, sealed_with};

fn spec(name: &str, kind: SecretKind, length: u32, prefix: Option<&str>) -> SecretSpec {
    SecretSpec {
        name: name.to_owned(),
        kind,
        length,
        prefix: prefix.map(str::to_owned),
        token: None,
        purpose: "to open doors".to_owned(),
        consumers: vec!["door/lock".to_owned()],
    }
}

fn scene(secrets: Vec<SecretSpec>) -> Scene {
    let scene = Scene::new();
    let meta = Meta {
        secrets,
        ..Meta::default()
    };
    write(&Host::new(), &scene.dir, &sealed_with(&[], meta), false).unwrap();
    scene
}

fn four() -> Scene {
    scene(vec![
        spec("password", SecretKind::Alphanumeric, 100, None),
        spec("key", SecretKind::Base64, 42, None),
        spec("token", SecretKind::Hex, 20, Some("tok_")),
        spec("licence", SecretKind::Given, 0, None),
    ])
}

fn init_in(scene: &Scene) -> SecretsReport {
    init(&Host::new(), &scene.dir).unwrap()
}

fn value(scene: &Scene, name: &str) -> String {
    fs::read_to_string(scene.path(&format!("secrets/{name}"))).unwrap()
}

#[test]
fn missing_secrets_are_made() {
    let scene = four();
    let report = init_in(&scene);
    assert_eq!(report.made, ["key", "password", "token"]);
    assert_eq!(
        report.to_give,
        [("licence".to_owned(), "to open doors".to_owned())]
    );
    assert!(report.present.is_empty() && report.warnings.is_empty());

    let password = value(&scene, "password");
    assert_eq!(password.len(), 100);
    assert!(password.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    assert_eq!(value(&scene, "key").len(), 56);
    let token = value(&scene, "token");
    assert_eq!(token.len(), 44);
    assert!(
        token
            .strip_prefix("tok_")
            .unwrap()
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit())
    );

    let mut found = scene.tree();
    found.retain(|path, _| path.starts_with("secrets"));
    let modes: Vec<(&str, u32)> = found
        .iter()
        .map(|(path, node)| match node {
            Node::File(_, mode) | Node::Folder(mode) => (path.as_str(), *mode),
            Node::Link(_) => panic!("{path}"),
        })
        .collect();
    assert_eq!(
        modes,
        [
            ("secrets", 0o700),
            ("secrets/.gitignore", 0o644),
            ("secrets/key", 0o600),
            ("secrets/password", 0o600),
            ("secrets/token", 0o600),
        ]
    );
    assert_eq!(value(&scene, ".gitignore"), "*\n");
    let said = format!("{report}{report:?}");
    for name in ["password", "key", "token"] {
        assert!(!said.contains(&value(&scene, name)));
    }
}

#[test]
fn two_bundles_have_different_secrets() {
    let (one, other) = (four(), four());
    init_in(&one);
    init_in(&other);
    for name in ["password", "key", "token"] {
        assert_ne!(value(&one, name), value(&other, name));
    }
}

#[test]
fn values_that_are_there_stay() {
    let scene = four();
    init_in(&scene);
    let before = scene.tree();
    let host = Host::new();
    let report = init(&host, &scene.dir).unwrap();
    assert_eq!(report.present, ["key", "password", "token"]);
    assert!(report.made.is_empty() && report.warnings.is_empty());
    assert_eq!(host.changes(), 0);
    assert_eq!(scene.tree(), before);
}

#[test]
fn a_build_keeps_the_secrets() {
    let scene = four();
    init_in(&scene);
    let password = value(&scene, "password");
    scene.build(&[("a", "b")]);
    assert_eq!(value(&scene, "password"), password);
    assert_eq!(
        fs::metadata(scene.path("secrets")).unwrap().mode() & 0o7777,
        0o700
    );
}

#[test]
fn poor_secrets_are_warned_of_and_left_alone() {
    let scene = four();
    scene.put("secrets/password", "");
    scene.put("secrets/key", "mine");
    scene.put("secrets/token", "mine");
    scene.chmod("secrets/token", 0o400);
    scene.folder("secrets/licence", 0o700);
    scene.folder("secrets", 0o750);
    let report = init_in(&scene);
    let text = report.to_string();
    let warnings: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("warning: "))
        .collect();
    assert_eq!(
        warnings,
        [
            "`password` is empty",
            "`key` is open to other users (mode 0644)",
            "`secrets/` is open to other users (mode 0750)",
            "`licence` is not a file",
        ]
    );
    assert_eq!(
        (value(&scene, "password"), value(&scene, "key")),
        (String::new(), "mine".to_owned())
    );
}

#[test]
fn a_killed_run_leaves_no_half_secret() {
    let mut at = 0;
    loop {
        let scene = four();
        let host = Host::with(Trouble {
            fault: Some((at, Fault::Onwards)),
            ..Trouble::default()
        });
        let done = init(&host, &scene.dir);
        for (name, length) in [
            ("password", 100),
            ("key", 56),
            ("token", 44),
            (".gitignore", 2),
        ] {
            if scene.path(&format!("secrets/{name}")).exists() {
                assert_eq!(value(&scene, name).len(), length, "{at}");
            }
        }
        init_in(&scene);
        let names = scene
            .tree()
            .into_keys()
            .filter(|path| path.starts_with("secrets/"));
        assert_eq!(
            names.collect::<Vec<_>>(),
            [
                "secrets/.gitignore",
                "secrets/key",
                "secrets/password",
                "secrets/token"
            ],
            "{at}"
        );
        if done.is_ok() {
            break;
        }
        at += 1;
    }
    assert!(at > 10);
}

#[test]
fn many_runs_at_once_agree() {
    for _ in 0..10 {
        let scene = four();
        fs::create_dir(scene.path("secrets")).unwrap();
        scene.chmod("secrets", 0o700);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                // One may clear away what another has not finished, which then says so.
                scope.spawn(|| drop(init(&Host::new(), &scene.dir)));
            }
        });
        init_in(&scene);
        assert_eq!(value(&scene, "password").len(), 100);
        assert_eq!(value(&scene, "token").len(), 44);
    }
}

#[test]
fn secrets_are_not_written_elsewhere() {
    let scene = four();
    let outside = scene.around.path().join("outside");
    fs::create_dir(&outside).unwrap();
    scene.link("secrets", "../outside");
    let error = init(&Host::new(), &scene.dir).unwrap_err().to_string();
    assert!(
        error.ends_with("secrets` is not a folder; secrets are not written through a link"),
        "{error}"
    );
    assert_eq!(fs::read_dir(outside).unwrap().count(), 0);
}

fn check_refused(secrets: Vec<SecretSpec>, expected: &str) {
    let scene = scene(secrets);
    let error = init(&Host::new(), &scene.dir).unwrap_err().to_string();
    assert_eq!(error, expected);
    assert!(!scene.path("secrets").exists());
}

#[test]
fn secrets_that_cannot_be_made_are_refused() {
    let of = |name: &str| vec![spec(name, SecretKind::Hex, 8, None)];
    for name in ["../x", "a/b", "", ".", ".gitignore", "/etc/x", "a\nb"] {
        let expected = format!(
            "a secret cannot be called `{}`: it would not be a plain file in `secrets`",
            name.escape_debug()
        );
        check_refused(of(name), &expected);
    }
    check_refused([of("a"), of("A")].concat(), "two secrets are called `a`");
    check_refused(
        vec![spec("a", SecretKind::Hex, 0, None)],
        "the secret `a` cannot have the length 0: it must be from 1 to 4096",
    );
    for (kind, key) in [
        (SecretKind::Jwt, "../key"),
        (SecretKind::Jwt, "token"),
        (SecretKind::Hex, "key"),
    ] {
        let token = SecretSpec {
            kind,
            ..token("token", key)
        };
        check_refused(
            [of("key"), vec![token]].concat(),
            "the secret `token` cannot be made: a token is signed with another secret, and nothing else is",
        );
    }
}

fn token(name: &str, key: &str) -> SecretSpec {
    SecretSpec {
        token: Some(Token {
            key: key.to_owned(),
            claims: BTreeMap::from([("sub".to_owned(), "reader".to_owned())]),
        }),
        ..spec(name, SecretKind::Jwt, 0, None)
    }
}

#[test]
fn a_token_is_signed_with_another_secret() {
    // The key comes after the token by name, and is made first all the same.
    let scene = scene(vec![
        token("a-token", "key"),
        spec("key", SecretKind::Given, 0, None),
    ]);
    let report = init_in(&scene);
    assert_eq!(report.to_give.len(), 1, "{report:?}");
    assert!(!scene.path("secrets/a-token").exists());

    fs::write(scene.path("secrets/key"), "a key\n").unwrap();
    assert_eq!(init_in(&scene).made, ["a-token"]);
    // By another program, with that key and without the line break.
    assert_eq!(
        value(&scene, "a-token"),
        "eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJyZWFkZXIifQ.0DZredPCYq-MLhBT19GeHa-WUkqGyCNCMYsKTHdKK320B5qquL_w8UT7fNK2pVTT3HzVXhTwNQgBm4DGSj9ASw"
    );
}

#[test]
fn a_folder_without_a_bundle_is_named() {
    let scene = Scene::new();
    let error = init(&Host::new(), &scene.dir).unwrap_err().to_string();
    assert!(error.starts_with("there is no bundle here: `"), "{error}");
}
