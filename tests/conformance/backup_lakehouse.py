"""Backups of Dremio, by the blueprint's own scripts: against a stand-in for its tool, which writes and reads copies as that does, since
Dremio itself cannot be had everywhere."""

import shutil
import sys
import tempfile
from pathlib import Path

from backup_trial import Trial
from report import Report, expect
from toolbox import Toolbox

CONNECT = """
export DREMIO_VERSION=26.0.5 DREMIO_HOME={folder}/dremio DREMIO_DATA={folder}/data DREMIO_HOST=coordinator DREMIO_PORT=9047
export DREMIO_USER=backup DREMIO_PASSWORD_FILE={folder}/password BUCKET=copied FOLDER=copies DIST=dremioS3:///dremio/dremio
export S3_ENDPOINT=store:9000 S3_ACCESS_KEY=dremio S3_SECRET_FILE={folder}/secret
export RCLONE_CONFIG_LAKE_TYPE=alias RCLONE_CONFIG_LAKE_REMOTE={folder}/lake
"""

# The tool: `backup` has the running coordinator write what it has, `restore` fills an empty store. It is that of the coordinator whose
# configuration it is given.
TOOL = '''#!{python}
import os, pathlib, re, shutil, signal, sys
root = pathlib.Path({folder!r})
words = sys.argv[2:]
assert "pass-word" not in " ".join(words), "the password is an argument"
if words and words[0].startswith("@"):
    words = pathlib.Path(words[0][1:]).read_text().splitlines()
given = dict(word.removeprefix("--").split("=", 1) for word in words)
conf = pathlib.Path(os.environ["DREMIO_CONF_DIR"])
text, site = (conf / "dremio.conf").read_text(), (conf / "core-site.xml").read_text()
assert (conf / "logback-admin.xml").exists() and "<value>a&lt;b&amp;c</value>" in site and 'publish-host: "coordinator"' in text
local, dist = re.search(r'local: "(.*?)", dist: "(.*?)"', text).groups()
place = lambda uri: pathlib.Path(uri[7:]) if uri.startswith("file://") else root / "lake" / uri.removeprefix("dremioS3:///")
where = place(given["backupdir"])
if sys.argv[1] == "backup":
    if (given["user"], given["password"]) != ("backup", "pass-word"):
        sys.exit("Status 401 (Unauthorized)")
    where = where / "dremio_backup_2026-11-23_02.00"
    where.mkdir(parents=True)
    for path in (root / "data/db").iterdir():
        (where / f"{{path.name}}_info.json").write_text("{{}}")
        shutil.copy(path, where / f"{{path.name}}_backup.pb")
    shutil.copytree(root / "lake/dremio/dremio/uploads", where / "uploads")
    shutil.copytree(root / "data/security", where / "security")
else:
    db = pathlib.Path(local) / "db"
    if list(db.iterdir()):
        sys.exit("Path must be an empty directory.")
    for path in where.glob("*_info.json"):
        name = path.name.removesuffix("_info.json")
        shutil.copy(where / f"{{name}}_backup.pb", db / name)
        if (root / "cut").exists():
            (root / "cut").unlink()
            os.kill(os.getppid(), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)
    for target, name in ((place(dist), "uploads"), (pathlib.Path(local), "security")):
        shutil.rmtree(target / name, ignore_errors=True)
        shutil.copytree(where / name, target / name)
    if (root / "refuse").exists():
        sys.exit("Restore failed.")
'''


def test_lakehouse(report: Report, tools: Toolbox) -> None:
    """Backups of Dremio: made, tried, put back, and refused when they are not whole."""
    report.test("backup/dremio", lambda: check(tools))


def check(tools: Toolbox) -> None:
    tools.need("age", "age-keygen", "flock", "rclone")
    with tempfile.TemporaryDirectory(prefix="lakewright-lakehouse-") as temporary:
        go(Path(temporary))


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def go(folder: Path) -> None:
    trial = Trial(folder, "dremio", CONNECT.format(folder=folder))
    program, newest = trial.program, trial.newest
    write(folder / "password", "pass-word\n")
    write(folder / "secret", "a<b&c")
    write(folder / "dremio/conf/logback-admin.xml", "")
    write(folder / "dremio/bin/dremio-admin", TOOL.format(python=sys.executable, folder=str(folder)))
    (folder / "dremio/bin/dremio-admin").chmod(0o755)
    data, uploads = folder / "data", folder / "lake/dremio/dremio/uploads"
    tables = {name: f"{name} " * 1000 for name in ("namespace", "users", "wiki")}

    def fill() -> None:
        for name, text in tables.items():
            write(data / "db" / name, text)
        write(data / "security/key", "key of stored credentials")
        write(uploads / "somebody/a table.csv", "1,2\n")

    def same() -> None:
        found = {path.name: path.read_text() for path in (data / "db").iterdir()}
        expect(found == tables, f"the store holds {found.keys()}")
        expect((data / "security/key").read_text() == "key of stored credentials", "the keys are others")
        expect((uploads / "somebody/a table.csv").read_text() == "1,2\n", "what was uploaded is not there")
        left = sorted(path.name for path in data.iterdir())
        expect(left == ["db", "security", "tmp"], f"left behind: {left}")

    fill()
    program("run")
    first = newest()
    expect(not list((folder / "lake/copied").glob("copies/*")), "a copy stays in the bucket")
    copied = b"".join(path.read_bytes() for path in (folder / "backup").rglob("*") if path.is_file())
    expect(b"namespace namespace" not in copied, "the copy is not encrypted")
    said = program("drill")
    expect("3 tables and 1 uploaded files were put back" in said, said)

    # Damaged, and lost altogether.
    write(data / "db/users", "wrong")
    shutil.rmtree(uploads)
    program("restore")
    same()
    shutil.rmtree(data)
    shutil.rmtree(uploads)
    data.mkdir()
    program("restore", first)
    same()

    # Refused by the tool, then cut off: what was there is there again.
    write(folder / "refuse", "")
    program("restore", status=1)
    (folder / "refuse").unlink()
    same()
    write(folder / "cut", "")
    program("restore", status=1)
    expect((data / "db.before").exists(), "it was not cut off in the middle")
    program("restore", first)
    same()

    # What the coordinator does not write completely is no copy.
    kept = newest()
    write(folder / "password", "other")
    expect("401" in program("run", status=1), "a wrong password goes unnoticed")
    write(folder / "password", "pass-word")
    shutil.rmtree(data / "db")
    (data / "db").mkdir()
    expect("the copy has no tables" in program("run", status=1) and newest() == kept, "an empty store is a copy")
    fill()
    program("run")

    # Another version would not read it, and is told before anything is touched.
    (trial.scripts / "connect.sh").write_text(CONNECT.format(folder=folder).replace("26.0.5", "26.1.0"), encoding="utf-8")
    for command in ("restore", "drill"):
        said = program(command, status=1)
        expect("is of Dremio 26.0.5" in said, said)
    same()
