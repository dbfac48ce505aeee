"""Secrets in every store that a bundle can be made for: objects of operators, files that are sealed, files that SOPS encrypts."""

import base64
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from kubernetes import kubeconform, objects
from report import Report, expect
from toolbox import HERE, PATH, Toolbox, run

TOPOLOGY = HERE / "stores/platform.toml"

# The recipient that the topology names; nobody here has its private key.
RECIPIENT = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"

EXTERNAL = ("external", "refreshed")
SOPS = ("dev", "staging", "sops")
TESTS = ("objects", "scripts", "seal", "sops", "kubeconform", "shellcheck", "gitleaks")

Value = dict[str, bytes]


def inventory(bundle: Path) -> list[dict]:
    return json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))["secrets"]


def referred(entry: object) -> set[tuple[str, str]]:
    """The Secrets that an object refers to, each with a key: by variables and by files."""
    found = set()
    if isinstance(entry, dict):
        if isinstance(reference := entry.get("secretKeyRef"), dict):
            found.add((reference["name"], reference["key"]))
        if isinstance(projected := entry.get("secret"), dict) and "items" in projected:
            found |= {(projected["name"], item["key"]) for item in projected["items"]}
        for value in entry.values():
            found |= referred(value)
    elif isinstance(entry, list):
        for value in entry:
            found |= referred(value)
    return found


def external_objects(tools: Toolbox, bundle: Path) -> None:
    """There is one for each secret, under the names and with the keys that pods ask for; and no other Secret is asked for."""
    everything = objects(tools, bundle)
    made = {entry["spec"]["target"]["name"]: entry for entry in everything if entry["kind"] == "ExternalSecret"}
    expect(len(made) == len(inventory(bundle)), f"{len(made)} objects for {len(inventory(bundle))} secrets")
    keys = {(name, key) for name, entry in made.items() for key in entry["spec"]["target"]["template"]["data"]}
    wanted = {pair for entry in everything for pair in referred(entry) if not pair[0].endswith("-certificate")}
    expect(wanted and wanted <= keys, f"nothing makes {sorted(wanted - keys)}")
    remote = [entry["spec"]["data"][0]["remoteRef"]["key"] for entry in made.values()]
    expect(len(set(remote)) == len(remote), "two secrets have one key in the store")
    for name, entry in made.items():
        expect(entry["metadata"]["name"] == name, f"{name} is made by {entry['metadata']['name']}")
        lasting = entry["spec"]["target"]["immutable"]
        expect(lasting == (entry["spec"]["refreshPolicy"] == "CreatedOnce"), f"{name} is refreshed and cannot be changed")
    expect(not list(bundle.glob("secrets.sh")) and not list(bundle.glob("seal.sh")), "there is a script for Secrets")


def says_what_is_missing(bundle: Path) -> None:
    """No text of the bundle speaks of a script that it does not have."""
    said = []
    for path in sorted(path for path in bundle.rglob("*") if path.is_file()):
        text = path.read_text(encoding="utf-8", errors="replace")
        for script in ("secrets.sh", "seal.sh", "sops.sh"):
            if f"./{script}" in text and not (bundle / script).exists():
                said.append(f"{path.relative_to(bundle)} speaks of {script}")
    expect(not said, "\n".join(said))


def programs(tools: Toolbox, folder: Path, *names: str) -> dict[str, str]:
    """An environment in which these are found, and no others of theirs."""
    place = folder / "programs"
    place.mkdir()
    for name in names:
        (place / name).symlink_to(tools.path(name))
    return {"PATH": f"{place}{os.pathsep}{PATH}", "HOME": str(folder)}


def script(bundle: Path, environment: dict[str, str], *words: str, status: int = 0) -> str:
    result: subprocess.CompletedProcess = run([bundle / words[0], *words[1:]], cwd=bundle, env=environment, check=False, merge=True)
    expect(result.returncode == status, f"{' '.join(words)}: exit status {result.returncode}\n{result.stdout}")
    for path in (bundle / "secrets").glob("[!.]*"):
        expect(path.read_text(encoding="utf-8") not in result.stdout, f"{words[0]} prints {path.name}")
    return result.stdout


def values(bundle: Path) -> Value:
    return {path.name: path.read_bytes() for path in (bundle / "secrets").glob("[!.]*")}


def give(compiler: Callable, bundle: Path) -> Value:
    compiler("secrets", "init", bundle)
    for secret in inventory(bundle):
        if secret["kind"] == "given":
            (bundle / "secrets" / secret["name"]).write_text(f"given to {secret['name']}", encoding="utf-8")
    return values(bundle)


def seals(tools: Toolbox, compiler: Callable, bundle: Path, folder: Path) -> None:
    """What is sealed is an object as its operator defines it, opens to the Secret that a script would make, and stays."""
    environment = programs(tools, folder, "kubectl", "kubeseal")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    words = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=sealed")
    run([tools.path("openssl"), *words, "-keyout", key, "-out", certificate])
    given = give(compiler, bundle)
    script(bundle, environment, "seal.sh", "--cert", str(certificate))
    sealed = {path.name: path.read_bytes() for path in (bundle / "sealed").iterdir()}
    expect(len(sealed) == len(given), f"{len(sealed)} files for {len(given)} secrets")
    # By the definitions of kinds that the bundle's other objects are read by.
    for path in (bundle / "sealed").iterdir():
        shutil.copy(path, bundle / "manifests" / f"sealed-{path.name}")
    kubeconform(tools, bundle)
    for path in (bundle / "manifests").glob("sealed-*"):
        path.unlink()
    for secret in inventory(bundle):
        name = f"{secret['name']}-v{secret.get('version', 1)}"
        argv = [tools.path("kubeseal"), "--recovery-unseal", "--recovery-private-key", key]
        opened = json.loads(run(argv, input=sealed[f"{name}.yaml"].decode()).stdout)
        value = opened["data"].get("password") or opened["data"].get("value")
        expect(base64.b64decode(value) == given[secret["name"]], f"{name} opens to something else")
        expect(opened["metadata"]["name"] == name and opened["immutable"], f"{name} is not what pods refer to")
    script(bundle, environment, "seal.sh", "--cert", str(certificate))
    again = {path.name: path.read_bytes() for path in (bundle / "sealed").iterdir()}
    expect(again == sealed, "seals again what is sealed")
    # They are the user's, and no difference from what was built.
    compiler("verify", bundle)
    lost = bundle / "sealed" / sorted(sealed)[0]
    lost.unlink()
    shutil.rmtree(bundle / "secrets")
    script(bundle, environment, "seal.sh", "--cert", str(certificate), status=1)
    expect(not lost.exists() and not list((bundle / "sealed").glob(".*")), "leaves something unfinished")


def encrypts(tools: Toolbox, compiler: Callable, bundle: Path, folder: Path) -> None:
    """What is encrypted holds no value, and whoever has a key of a recipient gets the same values back."""
    environment = programs(tools, folder, "sops")
    key = folder / "key.txt"
    run([tools.path("age-keygen"), "-o", key], merge=True)
    public = run([tools.path("age-keygen"), "-y", key]).stdout.strip()
    path = bundle / "sops.sh"
    path.write_text(path.read_text(encoding="utf-8").replace(RECIPIENT, public), encoding="utf-8")
    # A configuration of somebody else's, which decides nothing here.
    (folder / ".sops.yaml").write_text("creation_rules:\n  - path_regex: nothing\n    age: nobody\n", encoding="utf-8")
    given = give(compiler, bundle)
    script(bundle, environment, "sops.sh", "encrypt")
    encrypted = {path.name: path.read_bytes() for path in (bundle / "encrypted").iterdir()}
    expect(set(encrypted) == {f"{name}.json" for name in given}, f"encrypted: {sorted(encrypted)}")
    for name, text in encrypted.items():
        forms = (value for one in given.values() for value in (one, base64.b64encode(one)))
        expect(not any(form in text for form in forms), f"{name} has a value in it")
    script(bundle, environment, "sops.sh", "check", status=1)  # without a key
    environment["SOPS_AGE_KEY_FILE"] = str(key)
    script(bundle, environment, "sops.sh", "check")
    shutil.rmtree(bundle / "secrets")
    script(bundle, environment, "sops.sh", "decrypt")
    expect(values(bundle) == given, "decrypts to something else")
    modes = {path.stat().st_mode & 0o777 for path in (bundle / "secrets").glob("[!.]*")}
    expect(modes == {0o600}, f"others may read what was decrypted: {modes}")
    script(bundle, environment, "sops.sh", "encrypt")
    again = {path.name: path.read_bytes() for path in (bundle / "encrypted").iterdir()}
    expect(again == encrypted, "encrypts again what was decrypted")
    changed = bundle / "secrets" / sorted(given)[0]
    changed.write_text("another value than before", encoding="utf-8")
    script(bundle, environment, "sops.sh", "check", status=1)
    script(bundle, environment, "sops.sh", "decrypt", status=1)
    expect(changed.read_text(encoding="utf-8") == "another value than before", "loses a value that was not encrypted")
    script(bundle, environment, "sops.sh", "decrypt", "--force")
    expect(values(bundle) == given, "does not put back what it was forced to")


def test_stores(report: Report, tools: Toolbox, compiler: Callable, check_bundle: Callable) -> None:
    names = (*EXTERNAL, "sealed", *SOPS)
    if not any(report.wants(f"stores/{name}/{test}") for name in names for test in TESTS):
        return
    with tempfile.TemporaryDirectory(prefix="lakewright-stores-") as temporary:
        built = Path(temporary) / "stores"
        if not report.test("stores/build", lambda: compiler("build", TOPOLOGY, "-o", built), always=True):
            return
        for name in names:
            bundle = built / name
            check_bundle(report, tools, f"stores/{name}", bundle)
            report.test(f"stores/{name}/scripts", lambda bundle=bundle: says_what_is_missing(bundle))
            if (bundle / "manifests").is_dir():
                report.test(f"stores/{name}/kubeconform", lambda bundle=bundle: kubeconform(tools, bundle))

        def apart(run_test: Callable, bundle: Path) -> None:
            with tempfile.TemporaryDirectory(prefix="lakewright-store-") as folder:
                copy = Path(folder) / bundle.name
                shutil.copytree(bundle, copy)
                run_test(tools, compiler, copy, Path(folder))

        for name in EXTERNAL:
            report.test(f"stores/{name}/objects", lambda name=name: external_objects(tools, built / name))
        report.test("stores/sealed/seal", lambda: apart(seals, built / "sealed"))
        for name in SOPS:
            report.test(f"stores/{name}/sops", lambda name=name: apart(encrypts, built / name))
