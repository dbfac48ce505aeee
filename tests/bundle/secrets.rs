//! Secrets that are made in a bundle's folder.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;

use lakewright::bundle::Meta;
use lakewright::bundle::inventory::SecretSpec;
use lakewright::bundle::secrets::{Checked, SecretsReport, Trouble as Wrong, check, init, rotate};
use lakewright::bundle::write::write;
use lakewright::host::{Fault, Host, Trouble};
use lakewright::terms::{Rotation, RotationWay, SecretKind, Token};

use crate::scene::{Node, Scene, sealed_with};

fn spec(name: &str, kind: SecretKind, length: u32, prefix: Option<&str>) -> SecretSpec {
    SecretSpec {
        name: name.to_owned(),
        kind,
        length,
        alphabet: None,
        prefix: prefix.map(str::to_owned),
        rotation: None,
        version: 1,
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

fn rotated(name: &str, how: RotationWay, every: Option<&str>) -> SecretSpec {
    SecretSpec {
        rotation: Some(Rotation {
            every: every.map(str::to_owned),
            how,
            then: Some("look".to_owned()),
        }),
        ..spec(name, SecretKind::Alphanumeric, 32, None)
    }
}

fn check_in(scene: &Scene) -> Checked {
    check(&Host::new(), &scene.dir).unwrap()
}

fn wrong(scene: &Scene) -> Vec<(String, Wrong)> {
    let problems = check_in(scene).problems.into_iter();
    problems
        .map(|problem| (problem.secret, problem.problem))
        .collect()
}

#[test]
fn a_rotation_keeps_the_former_value_until_the_next() {
    let scene = scene(vec![rotated("password", RotationWay::Job, None)]);
    init_in(&scene);
    let first = value(&scene, "password");
    let names = ["password".to_owned()];
    let report = rotate(&Host::new(), &scene.dir, &names).unwrap();
    let second = value(&scene, "password");
    assert_ne!(first, second);
    assert_eq!(value(&scene, "password.former"), first);
    let said = report.to_string();
    assert!(said.contains("a job tells the system"), "{said}");
    assert!(said.contains("read by: door/lock"), "{said}");
    assert!(!said.contains(&first) && !said.contains(&second));
    assert_eq!(report.rotated[0].version, 2);

    rotate(&Host::new(), &scene.dir, &names).unwrap();
    assert_eq!(value(&scene, "password.former"), second);
    for name in ["password", "password.former"] {
        let mode = fs::metadata(scene.path(&format!("secrets/{name}")))
            .unwrap()
            .mode();
        assert_eq!(mode & 0o7777, 0o600, "{name}");
    }
    assert_eq!(wrong(&scene), []);
}

#[test]
fn a_token_follows_its_key() {
    let scene = scene(vec![
        token("a-token", "key"),
        spec("key", SecretKind::Hex, 16, None),
    ]);
    init_in(&scene);
    let before = value(&scene, "a-token");
    fs::write(scene.path("secrets/key"), "0".repeat(32)).unwrap();
    assert_eq!(wrong(&scene), [("a-token".to_owned(), Wrong::WrongKey)]);
    fs::remove_file(scene.path("secrets/a-token")).unwrap();
    init_in(&scene);

    let report = rotate(&Host::new(), &scene.dir, &["key".to_owned()]).unwrap();
    let names: Vec<&str> = report.rotated.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["key", "a-token"]);
    assert_ne!(value(&scene, "a-token"), before);
    assert_eq!(wrong(&scene), []);
}

#[test]
fn what_must_not_be_rotated_is_refused_and_nothing_changes() {
    let scene = scene(vec![
        rotated("password", RotationWay::Restart, None),
        rotated("cipher", RotationWay::Never, None),
        spec("licence", SecretKind::Given, 0, None),
        spec("key", SecretKind::Hex, 16, None),
        token("a-token", "key"),
        spec("linked", SecretKind::Hex, 16, None),
    ]);
    scene.put("elsewhere", "0123456789abcdef0123456789abcdef");
    init_in(&scene);
    fs::remove_file(scene.path("secrets/linked")).unwrap();
    scene.link("secrets/linked", "../elsewhere");
    let before = scene.tree();
    for (name, expected) in [
        ("cipher", "the secret `cipher` is not rotated: look"),
        (
            "licence",
            "the secret `licence` is not rotated: it comes from elsewhere (to open doors): change it there, then put the new value into its file",
        ),
        (
            "a-token",
            "the secret `a-token` is not rotated: it is signed with `key`, and changes with it",
        ),
        (
            "linked",
            "the secret `linked` is not rotated: its file is a link or something else: whoever looks after the value changes it",
        ),
        (
            "pasword",
            "there is no secret `pasword`; known here: cipher, key, licence, linked, password, a-token",
        ),
    ] {
        let names = ["password".to_owned(), name.to_owned()];
        let error = rotate(&Host::new(), &scene.dir, &names).unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert_eq!(scene.tree(), before, "{name}");
    }
}

#[test]
fn a_killed_rotation_loses_no_value() {
    let mut at = 0;
    loop {
        let scene = scene(vec![rotated("password", RotationWay::Restart, None)]);
        init_in(&scene);
        let old = value(&scene, "password");
        let host = Host::with(Trouble {
            fault: Some((at, Fault::Onwards)),
            ..Trouble::default()
        });
        let done = rotate(&host, &scene.dir, &["password".to_owned()]);
        let now = value(&scene, "password");
        assert_eq!(now.len(), 32, "{at}");
        if now != old {
            assert_eq!(value(&scene, "password.former"), old, "{at}");
        }
        if done.is_ok() {
            assert_ne!(now, old);
            break;
        }
        at += 1;
    }
    assert!(at >= 4, "{at}");
}

#[test]
fn everything_that_can_be_wrong_is_found() {
    let letters = SecretSpec {
        alphabet: Some("0123456789".to_owned()),
        ..spec("digits", SecretKind::Alphanumeric, 12, None)
    };
    let scene = scene(vec![
        letters,
        rotated("aged", RotationWay::Restart, Some("90d")),
        spec("empty", SecretKind::Hex, 8, None),
        spec("folder", SecretKind::Hex, 8, None),
        spec("given", SecretKind::Given, 0, None),
        spec("key", SecretKind::Base64, 32, None),
        spec("missing", SecretKind::Given, 0, None),
        spec("open", SecretKind::Hex, 8, None),
        spec("short", SecretKind::Alphanumeric, 32, None),
        spec("token", SecretKind::Hex, 8, Some("tok_")),
    ]);
    init_in(&scene);
    let digits = value(&scene, "digits");
    assert!(digits.len() == 12 && digits.bytes().all(|byte| byte.is_ascii_digit()));
    for (name, text) in [
        ("digits", "01234567890x"),
        ("empty", ""),
        ("given", "a long enough one\n"),
        ("key", "not base64, but long enough to be it, as it seems"),
        ("short", "abc"),
        ("stranger", "left from earlier"),
        ("token", "0123456789abcdef"),
    ] {
        scene.put(&format!("secrets/{name}"), text);
        scene.chmod(&format!("secrets/{name}"), 0o600);
    }
    scene.chmod("secrets/open", 0o640);
    fs::remove_file(scene.path("secrets/folder")).unwrap();
    scene.folder("secrets/folder", 0o700);
    scene.folder("secrets/tls", 0o700);
    let aged = fs::File::options()
        .write(true)
        .open(scene.path("secrets/aged"))
        .unwrap();
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(91 * 86_400);
    aged.set_modified(long_ago).unwrap();
    let found = wrong(&scene);
    let found: Vec<(&str, Wrong)> = found
        .iter()
        .map(|(name, wrong)| (name.as_str(), *wrong))
        .collect();
    assert_eq!(
        found,
        [
            ("aged", Wrong::TooOld),
            ("digits", Wrong::WrongCharacters),
            ("empty", Wrong::Empty),
            ("folder", Wrong::NotAFile),
            ("given", Wrong::LineBreak),
            ("key", Wrong::WrongCharacters),
            ("missing", Wrong::Missing),
            ("open", Wrong::Open),
            ("short", Wrong::TooShort),
            ("stranger", Wrong::Unknown),
            ("token", Wrong::WrongPrefix),
        ]
    );
    let said = check_in(&scene);
    let json = serde_json::to_string(&said).unwrap();
    for name in ["digits", "open", "aged", "stranger", "short"] {
        let value = value(&scene, name);
        assert!(
            !format!("{said}{json}").contains(&format!("`{value}`")),
            "{name}"
        );
    }
}
