//! What `lakewright diff` says: of bundles, of topologies, of revisions; what is dangerous, and what a report looks like.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test works on files of its own"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use lakewright::blueprint::Library;
use lakewright::outline::OUTLINE;
use lakewright::review::danger::{DANGERS, Level};
use lakewright::review::effect::Effect;
use lakewright::review::{Act, Change, Options, Review, Side, Snapshot, report, review};
use lakewright::terms::Target;
use proptest::prelude::{Strategy, any};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::Value as Json;
use support::{SMALL, compile, lakewright, run, scratch, write};

type Files = BTreeMap<String, Vec<u8>>;

fn side(label: &str, target: Target, files: Files) -> Side<'static> {
    Side {
        label: label.to_owned(),
        environments: vec![Snapshot::new("lake", "dev", target, files)],
    }
}

/// Reviews two sets of files without an outline.
fn of_files(target: Target, old: Files, new: Files) -> Review {
    let (old, new) = (side("old", target, old), side("new", target, new));
    review(&old, &new, Options::default())
}

/// Reviews one file; an empty text is none.
fn of_texts(target: Target, path: &str, old: &str, new: &str) -> Review {
    let files = |text: &str| -> Files {
        let file = (!text.is_empty()).then(|| (path.to_owned(), text.as_bytes().to_vec()));
        file.into_iter().collect()
    };
    of_files(target, files(old), files(new))
}

fn codes(review: &Review) -> BTreeSet<&'static str> {
    review.risks().map(|risk| risk.code()).collect()
}

/// Compiles a topology into the files of each environment.
fn bundles(topology: &str) -> BTreeMap<String, (Target, Files)> {
    let mut compiled = compile("platform.toml", topology, Library::default());
    assert_eq!(compiled.errors(), 0, "{}", compiled.text());
    compiled
        .platforms
        .iter()
        .filter_map(|platform| {
            let name = platform.environment.name.clone();
            let sealed = compiled.bundles.get(&name)?;
            let files = sealed
                .files()
                .map(|(path, file)| (path.as_str().to_owned(), file.bytes.clone()))
                .collect();
            Some((name, (platform.environment.target, files)))
        })
        .collect()
}

/// Reviews two topologies, as bundles.
fn of_topologies(old: &str, new: &str) -> Review {
    let side = |label: &str, topology: &str| Side {
        label: label.to_owned(),
        environments: bundles(topology)
            .into_iter()
            .map(|(name, (target, files))| Snapshot::new("lake", &name, target, files))
            .collect(),
    };
    review(&side("old", old), &side("new", new), Options::default())
}

fn changes(review: &Review) -> Vec<&Change> {
    let all = review.environments.iter();
    all.flat_map(|one| &one.changes).collect()
}

const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: lake}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    spec:
      containers:
      - name: web
        image: registry.example.com/web:1.4.0
        securityContext: {privileged: false}
";

const STATEFUL: &str = "\
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: lake}
spec:
  replicas: 1
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {resources: {requests: {storage: 20Gi}}}
";

const CLAIM: &str = "\
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: lake}
spec: {resources: {requests: {storage: 20Gi}}}
";

const ROLE: &str = "\
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: lake}
rules:
- apiGroups: ['']
  resources: [configmaps]
  verbs: [get]
";

const RELEASE: &str = "\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: app, namespace: lake, labels: {helm.sh/chart: app-1.2.3}}
spec:
  suspend: false
  values: {a: 1}
";

fn named(kind: &str, version: &str) -> String {
    format!(
        "apiVersion: {version}\nkind: {kind}\nmetadata: {{name: x, namespace: lake}}\nspec: {{}}\n"
    )
}

/// A danger: what a well-known tool for reviews of clusters calls it, what it is here, and a change that brings it.
struct Case {
    rule: &'static str,
    target: Target,
    old: String,
    new: String,
    code: &'static str,
}

fn kubernetes(rule: &'static str, old: &str, new: &str, code: &'static str) -> Case {
    Case {
        rule,
        target: Target::Kubernetes,
        old: old.to_owned(),
        new: new.to_owned(),
        code,
    }
}

/// What konflate 0.x warns of (its README and CHANGELOG of 2026): 17 rules. `suspended-parent` and `not-pruned` are about the
/// tool that applies; here, what is removed is said to stay, since no script of a bundle deletes it.
fn known_elsewhere() -> Vec<Case> {
    let many = |image: &str| -> String {
        let one = |at: usize| {
            let text = DEPLOYMENT.replace("name: web,", &format!("name: web-{at},"));
            text.replace(
                "metadata: {",
                &format!("metadata: {{labels: {{app.kubernetes.io/name: web-{at}}}, "),
            )
            .replace("1.4.0", image)
        };
        (0..12).map(one).collect::<Vec<_>>().join("---\n")
    };
    vec![
        kubernetes("removed-statefulset", STATEFUL, "", "store-removed"),
        kubernetes("removed-pvc", CLAIM, "", "store-removed"),
        kubernetes(
            "removed-namespace",
            &named("Namespace", "v1"),
            "",
            "namespace-removed",
        ),
        kubernetes(
            "removed-crd",
            &named("CustomResourceDefinition", "apiextensions.k8s.io/v1"),
            "",
            "custom-kind-removed",
        ),
        kubernetes(
            "removed-networkpolicy",
            &named("NetworkPolicy", "networking.k8s.io/v1"),
            "",
            "policy-removed",
        ),
        kubernetes(
            "privileged",
            DEPLOYMENT,
            &DEPLOYMENT.replace("privileged: false", "privileged: true"),
            "privilege-added",
        ),
        kubernetes(
            "replicas-zero",
            DEPLOYMENT,
            &DEPLOYMENT.replace("replicas: 2", "replicas: 0"),
            "replicas-zero",
        ),
        kubernetes(
            "rbac-widened",
            ROLE,
            &ROLE.replace("[get]", "[get, '*']"),
            "role-widened",
        ),
        kubernetes(
            "immutable-field",
            STATEFUL,
            &STATEFUL.replace("20Gi", "40Gi"),
            "immutable-field",
        ),
        kubernetes(
            "pvc-shrink",
            CLAIM,
            &CLAIM.replace("20Gi", "10Gi"),
            "volume-shrunk",
        ),
        kubernetes(
            "suspends",
            RELEASE,
            &RELEASE.replace("suspend: false", "suspend: true"),
            "suspended",
        ),
        kubernetes(
            "resumes",
            &RELEASE.replace("suspend: false", "suspend: true"),
            RELEASE,
            "resumed",
        ),
        kubernetes(
            "suspended-parent",
            &RELEASE.replace("suspend: false", "suspend: true"),
            &RELEASE
                .replace("suspend: false", "suspend: true")
                .replace("a: 1", "a: 2"),
            "suspended",
        ),
        kubernetes("not-pruned", DEPLOYMENT, "", "left-running"),
        kubernetes(
            "large-changeset",
            &many("1.4.0"),
            &many("1.5.0"),
            "wide-change",
        ),
        kubernetes(
            "major-chart-bump",
            RELEASE,
            &RELEASE.replace("app-1.2.3", "app-2.0.0"),
            "version-major",
        ),
        kubernetes(
            "major-image-bump",
            DEPLOYMENT,
            &DEPLOYMENT.replace("1.4.0", "2.0.0"),
            "image-major",
        ),
    ]
}

const STACK: &str = "\
services:
  web:
    image: registry.example.com/web:1.4.0
    user: \"1000:1000\"
    read_only: true
    cap_drop: [ALL]
    ports:
    - {target: 80, published: \"8080\", host_ip: 127.0.0.1}
    volumes:
    - {type: volume, source: data, target: /data}
    healthcheck: {test: [CMD, \"true\"]}
    deploy:
      replicas: 2
      resources: {limits: {memory: 256M}}
      update_config: {parallelism: 1}
    networks: [inner]
networks:
  inner: {internal: true, driver_opts: {encrypted: \"\"}}
volumes:
  data: {}
";

/// The same and more dangers where there is no cluster.
fn on_engines() -> Vec<Case> {
    let both = |rule: &'static str, from: &str, to: &str, code: &'static str| {
        assert!(STACK.contains(from), "{rule}: {from}");
        [Target::Compose, Target::Swarm].map(|target| Case {
            rule,
            target,
            old: STACK.to_owned(),
            new: STACK.replace(from, to),
            code,
        })
    };
    [
        both(
            "a volume that goes",
            "volumes:\n  data: {}\n",
            "",
            "store-removed",
        ),
        both(
            "all rights",
            "    read_only: true\n",
            "    read_only: true\n    privileged: true\n",
            "privilege-added",
        ),
        both(
            "a capability",
            "    cap_drop: [ALL]\n",
            "    cap_drop: [ALL]\n    cap_add: [SYS_ADMIN]\n",
            "privilege-added",
        ),
        both("root", "\"1000:1000\"", "\"0:0\"", "privilege-added"),
        both(
            "the engine's socket",
            "source: data, target: /data",
            "source: /var/run/docker.sock, target: /data",
            "host-access",
        ),
        both(
            "nothing runs",
            "replicas: 2",
            "replicas: 0",
            "replicas-zero",
        ),
        both(
            "less runs",
            "replicas: 2",
            "replicas: 1",
            "replicas-reduced",
        ),
        both("a major version", "1.4.0", "2.0.0", "image-major"),
        both("an older version", "1.4.0", "1.3.0", "image-downgraded"),
        both("any version", "web:1.4.0", "web:latest", "image-unpinned"),
        both(
            "another registry",
            "registry.example.com",
            "elsewhere.example.com",
            "registry-changed",
        ),
        both("a port for all", ", host_ip: 127.0.0.1", "", "bind-widened"),
        both(
            "another port",
            "published: \"8080\", host_ip: 127.0.0.1",
            "published: \"9090\"",
            "port-published",
        ),
        both(
            "a way out",
            "internal: true",
            "internal: false",
            "egress-widened",
        ),
        both(
            "plain connections",
            ", driver_opts: {encrypted: \"\"}",
            "",
            "tls-weakened",
        ),
        both(
            "one more network",
            "networks: [inner]",
            "networks: [inner, other]",
            "flow-added",
        ),
        both(
            "no check",
            "    healthcheck: {test: [CMD, \"true\"]}\n",
            "",
            "probe-removed",
        ),
        both(
            "no limit",
            "      resources: {limits: {memory: 256M}}\n",
            "",
            "limit-removed",
        ),
        both("less memory", "256M", "128M", "memory-lowered"),
        both(
            "all at once",
            "parallelism: 1",
            "parallelism: 0",
            "update-at-once",
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn of_case(case: &Case) -> Review {
    let path = match case.target {
        Target::Kubernetes => "manifests/x.yaml",
        Target::Swarm => "stack.yaml",
        Target::Compose => "compose.yaml",
    };
    of_texts(case.target, path, &case.old, &case.new)
}

#[test]
fn what_others_warn_of_is_recognised() {
    let cases = known_elsewhere();
    assert_eq!(
        cases
            .iter()
            .map(|case| case.rule)
            .collect::<BTreeSet<_>>()
            .len(),
        17
    );
    for case in cases.iter().chain(&on_engines()) {
        let review = of_case(case);
        assert!(
            codes(&review).contains(case.code),
            "{} on {}: {:?}",
            case.rule,
            case.target,
            codes(&review)
        );
    }
}

#[test]
fn the_way_back_is_no_danger() {
    // What is dangerous in one direction must not be called so in the other.
    for case in known_elsewhere().iter().chain(&on_engines()) {
        let one_way = [
            "immutable-field",
            "volume-shrunk",
            "suspended",
            "image-major",
            "version-major",
            "wide-change",
            "registry-changed",
        ];
        if one_way.contains(&case.code) || case.new.is_empty() {
            continue;
        }
        let back = Case {
            rule: case.rule,
            target: case.target,
            old: case.new.clone(),
            new: case.old.clone(),
            code: case.code,
        };
        let review = of_case(&back);
        if case.rule == "another port" {
            continue;
        }
        assert!(
            !codes(&review).contains(case.code),
            "{} on {}",
            case.rule,
            case.target
        );
    }
}

#[test]
fn dangers_are_sorted_and_said_in_full() {
    let codes: Vec<&str> = DANGERS.iter().map(|danger| danger.rule.code).collect();
    let mut sorted = codes.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(codes, sorted);
    for danger in DANGERS {
        let rule = &danger.rule;
        assert!(
            rule.why.ends_with('.') && rule.fix.ends_with('.'),
            "{}",
            rule.code
        );
        assert!(!rule.summary.ends_with('.'), "{}", rule.code);
    }
}

#[track_caller]
fn check_effect(target: Target, old: &str, new: &str, expected: &[(&str, Effect)]) {
    let path = match target {
        Target::Kubernetes => "manifests/x.yaml",
        Target::Swarm => "stack.yaml",
        Target::Compose => "compose.yaml",
    };
    let review = of_texts(target, path, old, new);
    let found: Vec<(String, Effect)> = changes(&review)
        .iter()
        .map(|change| (change.field.clone(), change.outcome.effect))
        .collect();
    let expected: Vec<(String, Effect)> = expected
        .iter()
        .map(|(field, effect)| ((*field).to_owned(), *effect))
        .collect();
    assert_eq!(found, expected);
    for change in changes(&review) {
        assert!(!change.outcome.reason.is_empty(), "{}", change.field);
    }
}

#[test]
fn fields_have_the_effect_that_they_have_on_each_target() {
    use Effect::{DataAtRisk, None, Recreate, Refused, RollingRestart};
    let kubernetes = Target::Kubernetes;
    check_effect(
        kubernetes,
        DEPLOYMENT,
        &DEPLOYMENT.replace("1.4.0", "1.4.1"),
        &[("spec.template.spec.containers[web].image", RollingRestart)],
    );
    check_effect(
        kubernetes,
        DEPLOYMENT,
        &DEPLOYMENT.replace("replicas: 2", "replicas: 3"),
        &[("spec.replicas", None)],
    );
    check_effect(
        kubernetes,
        DEPLOYMENT,
        &DEPLOYMENT.replace("matchLabels: {app: web}", "matchLabels: {app: other}"),
        &[("spec.selector.matchLabels.app", Refused)],
    );
    let at_once = DEPLOYMENT.replace(
        "  replicas: 2",
        "  strategy: {type: Recreate}\n  replicas: 2",
    );
    check_effect(
        kubernetes,
        &at_once,
        &at_once.replace("1.4.0", "1.4.1"),
        &[("spec.template.spec.containers[web].image", Recreate)],
    );
    check_effect(
        kubernetes,
        STATEFUL,
        &STATEFUL.replace("20Gi", "40Gi"),
        &[(
            "spec.volumeClaimTemplates[0].spec.resources.requests.storage",
            Refused,
        )],
    );
    check_effect(
        kubernetes,
        CLAIM,
        &CLAIM.replace("20Gi", "10Gi"),
        &[("spec.resources.requests.storage", Refused)],
    );
    check_effect(
        kubernetes,
        CLAIM,
        &CLAIM.replace("20Gi", "30Gi"),
        &[("spec.resources.requests.storage", Effect::Reload)],
    );
    check_effect(kubernetes, CLAIM, "", &[("", DataAtRisk)]);
    check_effect(
        Target::Compose,
        STACK,
        &STACK.replace("256M", "512M"),
        &[("deploy.resources.limits.memory", Recreate)],
    );
    check_effect(
        Target::Compose,
        STACK,
        &STACK.replace("replicas: 2", "replicas: 3"),
        &[("deploy.replicas", None)],
    );
    check_effect(
        Target::Compose,
        STACK,
        &STACK.replace("data: {}", "data: {driver: other}"),
        &[("driver", DataAtRisk)],
    );
    check_effect(
        Target::Swarm,
        STACK,
        &STACK.replace("256M", "512M"),
        &[("deploy.resources.limits.memory", RollingRestart)],
    );
    check_effect(
        Target::Swarm,
        STACK,
        &STACK.replace("internal: true", "internal: false"),
        &[("internal", Refused)],
    );
    let together = STACK.replace("parallelism: 1", "parallelism: 0");
    check_effect(
        Target::Swarm,
        &together,
        &together.replace("256M", "512M"),
        &[("deploy.resources.limits.memory", Recreate)],
    );
}

#[test]
fn a_name_with_another_digest_is_the_same_thing() {
    let map = |digest: &str, text: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: web-{digest}, namespace: lake}}\nimmutable: true\ndata:\n  a.conf: |\n    {text}\n    end\n"
        )
    };
    let review = of_texts(
        Target::Kubernetes,
        "manifests/x.yaml",
        &map("0123456789", "old"),
        &map("abcdef0123", "new"),
    );
    let found = changes(&review);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (found[0].field.as_str(), found[0].outcome.effect),
        ("data[\"a.conf\"]", Effect::RollingRestart)
    );
    assert!(
        found[0]
            .lines
            .as_deref()
            .is_some_and(|lines| lines.contains("-old\n+new\n"))
    );
}

#[test]
fn what_moved_or_was_renamed_is_one_change() {
    // To another file: none at all.
    let files = |path: &str| Files::from([(path.to_owned(), DEPLOYMENT.as_bytes().to_vec())]);
    let review = of_files(
        Target::Kubernetes,
        files("manifests/20-a/x.yaml"),
        files("manifests/21-a/y.yaml"),
    );
    assert!(review.is_empty(), "{:?}", changes(&review));
    // To another name.
    let review = of_texts(
        Target::Kubernetes,
        "manifests/x.yaml",
        DEPLOYMENT,
        &DEPLOYMENT.replace("name: web,", "name: front,"),
    );
    let found = changes(&review);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        found[0].act,
        Act::Renamed {
            from: "web".to_owned()
        }
    );
    // A text, and a few lines of it.
    let text = |end: &str| {
        format!("{}{end}\n", "one\ntwo\nthree\nfour\nfive\nsix\n".repeat(3)).into_bytes()
    };
    let review = of_files(
        Target::Compose,
        Files::from([("web/a.conf".to_owned(), text("old"))]),
        Files::from([("front/a.conf".to_owned(), text("new"))]),
    );
    let found = changes(&review);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        found[0].act,
        Act::Renamed {
            from: "web/a.conf".to_owned()
        }
    );
    assert!(
        found[0]
            .lines
            .as_deref()
            .is_some_and(|lines| lines.contains("+new"))
    );
}

#[test]
fn order_and_formatting_are_no_change() {
    let other = "\
# A comment.
kind: Deployment
apiVersion: apps/v1
metadata:
  namespace: \"lake\"
  name: 'web'
spec:
  template: {spec: {containers: [{image: registry.example.com/web:1.4.0, name: web, securityContext: {privileged: false}}]}}
  selector:
    matchLabels:
      app: web
  replicas: 2
";
    let review = of_texts(Target::Kubernetes, "manifests/x.yaml", DEPLOYMENT, other);
    assert!(review.is_empty(), "{:?}", changes(&review));
}

/// A platform of a few components, for changes that stay readable.
const PLATFORM: &str = "\
[platform]
name = \"lake\"

[allow]
blueprint-notice = \"known\"

[components.postgresql]
[components.superset]
[components.valkey]

[environments.dev]
target = \"compose\"
hosts = [{ name = \"local\", memory = \"8GiB\", cpus = 4 }]
";

#[test]
fn a_platform_does_not_differ_from_itself() {
    let review = of_topologies(PLATFORM, PLATFORM);
    assert!(review.is_empty(), "{:?}", changes(&review));
    // A comment changes the digest of an input, and nothing else.
    let review = of_topologies(PLATFORM, &format!("# Hello.\n{PLATFORM}"));
    assert!(review.is_empty(), "{:?}", changes(&review));
}

#[test]
fn every_bundle_has_an_outline_without_lines_or_paths() {
    for (name, (_, files)) in bundles(PLATFORM) {
        let text = String::from_utf8(files[OUTLINE].clone()).expect("text");
        let outline: Json = serde_json::from_str(&text).expect("JSON");
        assert_eq!(outline["name"], name);
        let root = support::root().to_string_lossy().into_owned();
        assert!(!text.contains(&root), "a path of this machine");
        assert_eq!(
            outline["components"]["superset"]["from"],
            "platform.toml: components.superset"
        );
    }
}

/// How it is backed up, far more carefully than a development environment needs.
const BACKED_UP: &str = "
[backup]
schedule = \"0 * * * *\"
drill = \"30 5 * * 0\"
retention = { days = 30, weeks = 8 }
recipients = [\"age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p\"]

[backup.offsite]
endpoint = \"https://s3.example.com\"
bucket = \"copies\"
access_key = \"backup\"
";

/// Makes sure that of these dangers a change brings just one, or none.
#[track_caller]
fn check_danger(dangers: &[&str], old: &str, new: &str, expected: Option<&str>) {
    let found: Vec<&str> = codes(&of_topologies(old, new))
        .into_iter()
        .filter(|code| dangers.contains(code))
        .collect();
    assert_eq!(found, Vec::from_iter(expected), "{old}\n{new}");
}

#[test]
fn less_of_backups_is_dangerous_and_more_is_not() {
    let before = format!("{PLATFORM}{BACKED_UP}");
    let dangers = [
        "backup-rarer",
        "backup-removed",
        "restore-untested",
        "retention-shortened",
    ];
    let (rarer, kept, sent) = ("0 * * * *", "days = 30", "[backup.offsite]");
    let tried = "\"30 5 * * 0\"";
    let offsite = before.find(sent).expect("a store off site");
    for (after, code) in [
        (before.replace(rarer, "0 2 * * *"), "backup-rarer"),
        (before.replace(tried, "false"), "restore-untested"),
        (before.replace(kept, "days = 7"), "retention-shortened"),
        (before[..offsite].to_owned(), "backup-removed"),
        (PLATFORM.to_owned(), "backup-removed"),
    ] {
        check_danger(&dangers, &before, &after, Some(code));
        check_danger(&dangers, &after, &before, None);
    }
    // The line of the topology that did it is named, on both sides.
    let review = of_topologies(&before, &before.replace(kept, "days = 7"));
    let change = changes(&review)
        .into_iter()
        .find(|change| change.noun == "backup")
        .expect("a change of backups");
    assert_eq!(change.old.as_deref(), Some("30"));
    assert_eq!(change.new.as_deref(), Some("7"));
}

/// Who people are, and what they may do.
const PEOPLE: &str = "
[identity]
kind = \"oidc\"

[identity.oidc]
issuer = \"https://id.example.com/realms/lake\"

[identity.ldap]
server = \"ldaps://ldap.example.com\"
users = \"ou=people,dc=example,dc=com\"
groups = \"ou=groups,dc=example,dc=com\"
user_filter = \"(objectClass=person)\"

[identity.groups]
admins = \"cn=admins,ou=groups,dc=example,dc=com\"
staff = \"cn=staff,ou=groups,dc=example,dc=com\"

[identity.roles]
admin = [\"admins\"]
viewer = [\"staff\"]
";

#[test]
fn who_lets_more_people_in_is_told() {
    let before = format!("{PLATFORM}{PEOPLE}");
    let directory = before.replace("\"oidc\"", "\"ldap\"");
    // Of the last, a client's secret that went with the login is no case.
    let dangers = [
        "identity-moved",
        "login-local",
        "role-granted",
        "authentication-removed",
    ];
    let (admins, staff) = ("admin = [\"admins\"]", "viewer = [\"staff\"]");
    // One way, and back.
    for (old, new, there, back) in [
        (
            &before,
            before.replace(staff, "viewer = [\"admins\", \"staff\"]"),
            Some("role-granted"),
            None,
        ),
        (
            &before,
            before.replace(staff, &format!("engineer = [\"staff\"]\n{staff}")),
            Some("role-granted"),
            None,
        ),
        (
            &before,
            before.replace(admins, "admin = [\"staff\"]"),
            Some("role-granted"),
            Some("role-granted"),
        ),
        (
            &before,
            before.replace("/realms/lake", "/realms/other"),
            Some("identity-moved"),
            Some("identity-moved"),
        ),
        (
            &before,
            before.replace("\"oidc\"", "\"local\""),
            Some("login-local"),
            Some("role-granted"),
        ),
        (
            &before,
            directory.clone(),
            Some("identity-moved"),
            Some("identity-moved"),
        ),
        (
            &directory,
            directory.replace("ldap.example.com", "ldap.example.org"),
            Some("identity-moved"),
            Some("identity-moved"),
        ),
        (
            &directory,
            directory.replace("user_filter = \"(objectClass=person)\"\n", ""),
            Some("identity-moved"),
            None,
        ),
    ] {
        check_danger(&dangers, old, &new, there);
        check_danger(&dangers, &new, old, back);
    }
    // Administrators weigh more, and the line is named that made them.
    let review = of_topologies(
        &before,
        &before.replace(admins, "admin = [\"admins\", \"staff\"]"),
    );
    let risks: Vec<_> = review
        .risks()
        .filter(|risk| risk.code() == "role-granted")
        .collect();
    assert_eq!(risks.len(), 1);
    assert_eq!(risks[0].level, Level::High);
    assert_eq!(
        risks[0].message,
        "members of `cn=staff,ou=groups,dc=example,dc=com` are admin in every system"
    );
}

#[test]
fn what_is_accepted_or_kept_less_well_is_told() {
    let dangers = [
        "disk-in-clear",
        "finding-accepted",
        "secrets-moved",
        "tls-weakened",
    ];
    let open = format!("{PLATFORM}bind = \"0.0.0.0\"\n");
    let accepting = open.replace("[allow]\n", "[allow]\npublic-in-clear = \"a laptop\"\n");
    check_danger(&dangers, &open, &accepting, Some("finding-accepted"));
    check_danger(&dangers, &accepting, &open, None);
    // Another reason is no news.
    check_danger(
        &dangers,
        &accepting,
        &accepting.replace("a laptop", "at home"),
        None,
    );
    let encrypted = format!("{PLATFORM}storage = {{ kind = \"local\", encrypted = true }}\n");
    check_danger(&dangers, &encrypted, PLATFORM, Some("disk-in-clear"));
    check_danger(&dangers, PLATFORM, &encrypted, None);
    let sops = format!(
        "{PLATFORM}secrets = {{ store = \"sops\", recipients = [\"age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p\"] }}\n"
    );
    check_danger(&dangers, PLATFORM, &sops, Some("secrets-moved"));
    check_danger(&dangers, &sops, PLATFORM, Some("secrets-moved"));
}

#[test]
fn one_connection_in_clear_is_told() {
    let topology = format!("{PLATFORM}tls = {{ services = \"internal\" }}\n");
    let (target, files) = bundles(&topology).remove("dev").expect("a bundle");
    let mut weaker = files.clone();
    let text = std::str::from_utf8(&files[OUTLINE]).expect("text");
    let changed = text.replacen("\"encryption\": \"tls\"", "\"encryption\": \"clear\"", 1);
    weaker.insert(OUTLINE.to_owned(), changed.into_bytes());
    let there = of_files(target, files.clone(), weaker.clone());
    assert_eq!(Vec::from_iter(codes(&there)), ["tls-weakened"]);
    let back = of_files(target, weaker, files);
    assert!(codes(&back).is_empty() && !back.is_empty());
}

#[test]
fn jobs_that_wait_and_files_that_are_renamed_are_told_apart() {
    use Effect::{None, Recreate, RollingRestart};
    let waiting = STACK.replace("replicas: 2", "replicas: 0");
    check_effect(
        Target::Swarm,
        &waiting,
        &waiting.replace("256M", "512M"),
        &[("deploy.resources.limits.memory", None)],
    );
    for (profile, effect) in [("on-demand", None), ("search", Recreate)] {
        let job = format!(
            "services:\n  job:\n    image: registry.example.com/web:1.4.0\n    restart: 'no'\n    profiles: [{profile}]\n    mem_limit: 1g\n"
        );
        check_effect(
            Target::Compose,
            &job,
            &job.replace("1g", "2g"),
            &[("mem_limit", effect)],
        );
    }
    // The service says what it said; its tasks are exchanged all the same.
    let stack = |name: &str| {
        format!(
            "services:\n  web:\n    image: registry.example.com/web:1.4.0\n    configs:\n    - source: settings\n      target: /etc/web.conf\n    deploy:\n      labels: {{lakewright.component: web, lakewright.service: web}}\nconfigs:\n  settings:\n    name: {name}\n    file: ./web.conf\n"
        )
    };
    let review = of_texts(
        Target::Swarm,
        "stack.yaml",
        &stack("settings-1"),
        &stack("settings-2"),
    );
    let touched: Vec<_> = review.environments[0]
        .services
        .iter()
        .map(|one| (one.name.as_str(), one.outcome.effect))
        .collect();
    assert_eq!(touched, [("web", RollingRestart)]);
}

/// What changes in the snapshots: memory, an option, one component less.
fn changed() -> String {
    PLATFORM
        .replace("[components.superset]\n", "[components.superset]\nrow_limit = 1000\n[components.superset.services.web]\nmemory = \"640MiB\"\n")
        .replace("memory = \"8GiB\"", "memory = \"12GiB\"")
}

#[test]
fn reports_say_what_changed() {
    let review = of_topologies(PLATFORM, &changed());
    insta::assert_snapshot!("text", report::text::render(&review, false));
    insta::assert_snapshot!("markdown", report::markdown::render(&review));
    insta::assert_snapshot!("json", report::json::render(&review));
    let html = report::html::render(&review);
    assert!(
        html.contains("<svg") && html.contains("superset") && !html.contains("Defect"),
        "{html}"
    );
    assert!(
        !html.contains("<script") && !html.contains("http://")
            || html.contains("http://www.w3.org/2000/svg")
    );
}

#[test]
fn a_report_in_html_escapes_what_it_shows() {
    let review = of_texts(
        Target::Compose,
        "web/a.conf",
        "x\n",
        "<script>alert(1)</script>&\"\n",
    );
    let html = report::html::render(&review);
    assert!(!html.contains("<script>"), "{html}");
    assert!(
        html.contains("&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;"),
        "{html}"
    );
}

#[test]
fn a_review_and_its_reverse_mirror_each_other() {
    let (old, new) = (
        PLATFORM.to_owned(),
        changed().replace("[components.valkey]\n", "[components.minio]\n"),
    );
    mirror(&of_topologies(&old, &new), &of_topologies(&new, &old));
}

fn mirror(there: &Review, back: &Review) {
    type Row = (
        String,
        String,
        String,
        String,
        Option<String>,
        Option<String>,
    );
    let rows = |review: &Review, turned: bool| -> Vec<Row> {
        // What is renamed is said under its new name, which is the old one on the way back.
        let renamed: BTreeMap<(String, String), String> = changes(review)
            .into_iter()
            .filter_map(|change| match &change.act {
                Act::Renamed { from } if turned => {
                    Some(((change.noun.clone(), change.name.clone()), from.clone()))
                }
                _ => None,
            })
            .collect();
        let mut rows: Vec<Row> = changes(review)
            .into_iter()
            // Growth is a danger, and shrinking none.
            .filter(|change| !matches!(change.noun.as_str(), "total" | "room"))
            .map(|change| {
                let (name, act) = match (&change.act, turned) {
                    (Act::Added, true) => (change.name.clone(), "removed".to_owned()),
                    (Act::Removed, true) => (change.name.clone(), "added".to_owned()),
                    (Act::Renamed { from }, true) => (from.clone(), format!("was {}", change.name)),
                    (Act::Renamed { from }, false) => (change.name.clone(), format!("was {from}")),
                    (act, _) => {
                        let known = renamed.get(&(change.noun.clone(), change.name.clone()));
                        let name = known.unwrap_or(&change.name).clone();
                        (name, act.word().to_owned())
                    }
                };
                let (old, new) = (change.old.clone(), change.new.clone());
                let (old, new) = if turned { (new, old) } else { (old, new) };
                (
                    change.noun.clone(),
                    name,
                    act,
                    change.field.clone(),
                    old,
                    new,
                )
            })
            .collect();
        rows.sort();
        rows
    };
    assert_eq!(rows(there, false), rows(back, true));
}

/// Runs a property on random inputs, the same in every run.
fn hold<S: Strategy>(cases: u32, strategy: &S, test: impl Fn(S::Value)) {
    let config = Config {
        failure_persistence: None,
        cases,
        ..Config::default()
    };
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, random);
    let done = runner.run(strategy, |value| {
        test(value);
        Ok(())
    });
    if let Err(error) = done {
        panic!("{error}");
    }
}

/// Changes some lines of a file: numbers, words, whole lines.
fn disturbed(text: &str, dice: &[u32]) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for pair in dice.chunks_exact(2) {
        if lines.is_empty() {
            break;
        }
        let at = pair[0] as usize % lines.len();
        match pair[1] % 4 {
            0 => drop(lines.remove(at)),
            1 => lines[at] = lines[at].replace(|letter: char| letter.is_ascii_digit(), "7"),
            2 => lines[at].push_str("-x"),
            _ => {
                let line = lines[at].clone();
                lines.insert(at, line);
            }
        }
    }
    lines.join("\n") + "\n"
}

#[test]
fn any_two_states_can_be_compared_both_ways() {
    let known = bundles(PLATFORM);
    let (target, files) = &known["dev"];
    let paths: Vec<&String> = files.keys().filter(|path| *path != OUTLINE).collect();
    let dice = proptest::collection::vec(any::<u32>(), 2..24);
    hold(48, &dice, |dice| {
        let mut other = files.clone();
        for pair in dice.chunks_exact(2) {
            let path = paths[pair[0] as usize % paths.len()];
            let text = String::from_utf8_lossy(&other[path]).into_owned();
            other.insert(path.clone(), disturbed(&text, pair).into_bytes());
        }
        let there = of_files(*target, files.clone(), other.clone());
        let back = of_files(*target, other.clone(), files.clone());
        // Lines that differ are shown from old to new: the rest mirrors.
        mirror(&there, &back);
        assert!(of_files(*target, other.clone(), other).is_empty());
    });
}

#[test]
fn markdown_stays_below_what_forges_take() {
    let lines = proptest::collection::vec(any::<u32>(), 0..60);
    hold(24, &lines, |dice| {
        let mut old = Files::new();
        let mut new = Files::new();
        for (at, number) in dice.iter().enumerate() {
            let length = *number as usize % 30_000;
            // Names and texts that would break out of any markup.
            let name = format!(
                "web/{at}-{}`|<b>@x.conf",
                "n".repeat(*number as usize % 200)
            );
            old.insert(name.clone(), vec![b'a'; length]);
            new.insert(
                name,
                format!(
                    "{}\n```\n{}",
                    "`é|\n".repeat(length / 7),
                    "b".repeat(length)
                )
                .into_bytes(),
            );
            let manifest = |replicas: u32| {
                DEPLOYMENT
                    .replace("name: web,", &format!("name: web-{at},"))
                    .replace("replicas: 2", &format!("replicas: {replicas}"))
            };
            old.insert(
                format!("manifests/{at}.yaml"),
                manifest(at as u32 + 1).into_bytes(),
            );
            new.insert(format!("manifests/{at}.yaml"), manifest(0).into_bytes());
        }
        let text = report::markdown::render(&of_files(Target::Kubernetes, old, new));
        assert!(
            text.len() < report::markdown::LARGEST,
            "{} bytes",
            text.len()
        );
        assert_eq!(
            text.matches("<details>").count(),
            text.matches("</details>").count()
        );
    });
}

#[test]
fn an_environment_may_come_or_go() {
    let two = format!(
        "{PLATFORM}\n[environments.other]\ntarget = \"compose\"\nhosts = [{{ name = \"local\", memory = \"8GiB\", cpus = 4 }}]\n[environments.third]\ntarget = \"compose\"\nhosts = [{{ name = \"local\", memory = \"8GiB\", cpus = 4 }}]\n"
    );
    let without = two
        .split("[environments.third]")
        .next()
        .expect("a part")
        .to_owned();
    let review = of_topologies(&two, &without);
    let found = changes(&review);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (found[0].noun.as_str(), &found[0].act),
        ("environment", &Act::Removed)
    );
    assert!(review.has(Some(Level::High), None));
    assert_eq!(changes(&of_topologies(&without, &two)).len(), 1);
}

fn diff(folder: &Path, arguments: &[&str]) -> support::Run {
    run(lakewright().current_dir(folder).arg("diff").args(arguments))
}

fn build(folder: &Path, output: &str) {
    let built = run(lakewright()
        .current_dir(folder)
        .args(["-q", "build", "-o", output]));
    assert_eq!(built.status, 0, "{}", built.err);
}

#[test]
fn folders_topologies_and_environments_are_compared() {
    let folder = scratch();
    let at = folder.path();
    write(&at.join("platform.toml"), SMALL);
    build(at, "one");
    build(at, "two");
    let same = diff(at, &["one", "two", "--exit-code"]);
    assert_eq!(
        (same.status, same.out.as_str()),
        (0, "small/dev: no difference\n"),
        "{}",
        same.err
    );
    write(
        &at.join("new.toml"),
        SMALL.replace(
            "[components.valkey]",
            "[components.valkey]\nservices.server.memory = \"256MiB\"",
        ),
    );
    for (old, new) in [
        ("one", "new.toml"),
        ("one/dev", "new.toml"),
        ("platform.toml", "new.toml"),
    ] {
        let found = diff(at, &[old, new, "--exit-code"]);
        assert_eq!(found.status, 2, "{old} {new}: {}{}", found.out, found.err);
        assert!(found.out.contains("memory: "), "{}", found.out);
        assert!(
            found.out.contains("new.toml:5 "),
            "the line that brought it: {}",
            found.out
        );
    }
    // A gate that nothing reaches, and one that something does.
    let calm = diff(at, &["one", "new.toml", "--fail-on", "exposure"]);
    assert_eq!(calm.status, 0, "{}", calm.out);
    let gate = diff(at, &["new.toml", "one", "--fail-on", "low"]);
    assert_eq!(gate.status, 2, "{}", gate.out);
    let wrong = diff(at, &["one", "new.toml", "--fail-on", "everything"]);
    assert!(
        wrong.status == 1
            && wrong
                .err
                .contains("known here: low, medium, high, exposure"),
        "{}",
        wrong.err
    );
    // Into a file.
    let page = diff(
        at,
        &["one", "new.toml", "--format", "html", "-o", "out/page.html"],
    );
    assert_eq!((page.status, page.out.as_str()), (0, ""), "{}", page.err);
    assert!(
        std::fs::read_to_string(at.join("out/page.html"))
            .expect("a page")
            .starts_with("<!DOCTYPE html>")
    );
    // Risks at the lines that bring them.
    let sarif = diff(at, &["new.toml", "platform.toml", "--format", "sarif"]);
    let log: Json = serde_json::from_str(&sarif.out).expect("JSON");
    let result = &log["runs"][0]["results"][0];
    assert_eq!(result["ruleId"], "memory-lowered");
    assert_eq!(
        result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
        "platform.toml"
    );
}

#[test]
fn parity_leaves_out_what_is_declared_if_asked() {
    let folder = scratch();
    let at = folder.path();
    let two = format!(
        "{SMALL}\n[environments.dev.components.valkey.services.server]\nmemory = \"256MiB\"\n[environments.test]\ntarget = \"compose\"\n"
    );
    write(&at.join("platform.toml"), two);
    let found = diff(at, &["-e", "dev", "-e", "test", "--exit-code"]);
    assert_eq!(found.status, 2, "{}{}", found.out, found.err);
    assert!(found.out.contains("memory: 256MiB -> "), "{}", found.out);
    let left = diff(
        at,
        &[
            "-e",
            "dev",
            "-e",
            "test",
            "--exit-code",
            "--ignore-declared",
        ],
    );
    assert_eq!(left.status, 0, "{}", left.out);
    assert!(
        left.out.contains("that the topology declares"),
        "{}",
        left.out
    );
}

fn git(folder: &Path, arguments: &[&str]) {
    let done = run(Command::new("git")
        .current_dir(folder)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .args([
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@example.com",
            "-c",
            "init.defaultBranch=main",
        ])
        .args(arguments));
    assert_eq!(done.status, 0, "git {arguments:?}: {}", done.err);
}

#[test]
fn revisions_are_compared_without_a_checkout() {
    let folder = scratch();
    let at = folder.path();
    git(at, &["init", "--quiet"]);
    write(&at.join("platform.toml"), SMALL);
    build(at, "generated");
    git(at, &["add", "."]);
    git(at, &["commit", "--quiet", "-m", "one"]);
    let bigger = SMALL.replace(
        "[components.valkey]",
        "[components.valkey]\nservices.server.memory = \"256MiB\"",
    );
    write(&at.join("platform.toml"), &bigger);
    let working = diff(at, &["HEAD"]);
    assert!(
        working.status == 0 && working.out.contains("-> 256MiB"),
        "{}{}",
        working.out,
        working.err
    );
    build(at, "generated");
    git(at, &["checkout", "--quiet", "-b", "side"]);
    git(at, &["commit", "--quiet", "-a", "-m", "two"]);
    for range in [
        "HEAD~1",
        "HEAD~1..HEAD",
        "main...",
        "main..",
        "HEAD~1:generated",
        "HEAD~1:generated/dev",
        "main...side",
    ] {
        let found = diff(at, &[range]);
        assert!(
            found.status == 0 && found.out.contains("-> 256MiB"),
            "{range}: {}{}",
            found.out,
            found.err
        );
    }
    let found = diff(at, &["--path", "generated", "main", "side"]);
    assert!(
        found.out.contains("-> 256MiB"),
        "{}{}",
        found.out,
        found.err
    );
    let nothing = diff(at, &["HEAD", "--exit-code"]);
    assert_eq!(nothing.status, 0, "{}", nothing.out);
    // From a folder inside the repository.
    std::fs::create_dir(at.join("inner")).expect("a folder");
    let found = diff(&at.join("inner"), &["main", "--path", "../platform.toml"]);
    assert!(
        found.out.contains("-> 256MiB"),
        "{}{}",
        found.out,
        found.err
    );
}

/// What cannot be compared, by the code of the finding.
fn refused(code: &str, folder: &Path, arguments: &[&str]) -> String {
    let found = diff(folder, arguments);
    assert_eq!(found.status, 1, "{code}: {}{}", found.out, found.err);
    assert!(
        found.err.contains(&format!("error[{code}]")),
        "{code}: {}",
        found.err
    );
    found.err
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let folder = scratch();
    let at = folder.path();
    write(&at.join("platform.toml"), SMALL);
    build(at, "whole");
    std::fs::create_dir(at.join("empty")).expect("a folder");
    build(at, "half");
    std::fs::remove_file(at.join("half/dev/compose.yaml")).expect("a file");
    build(at, "spoilt");
    write(&at.join("spoilt/dev/bundle.json"), "{");
    let mut text = String::new();
    for (code, arguments) in [
        ("not-a-bundle", ["whole", "empty"]),
        ("broken-bundle", ["half", "whole"]),
        ("broken-bundle", ["whole", "spoilt"]),
        ("unknown-revision", ["whole", "hole"]),
        ("unknown-revision", ["nowhere", "whole"]),
    ] {
        text.push_str(&refused(code, at, &arguments));
    }
    text.push_str(&refused("unknown-revision", at, &["whole"]));
    text.push_str(&refused(
        "not-a-bundle",
        at,
        &["whole", "whole", "-e", "prod"],
    ));
    // What git says differs from version to version.
    let text: String = text
        .lines()
        .filter(|line| !line.contains("git says"))
        .map(|line| format!("{line}\n"))
        .collect();
    insta::assert_snapshot!("refused", text);
}
