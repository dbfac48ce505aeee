"""A backup's own scripts, tried where their system is a stand-in: the program that makes copies and what it is told."""

import shutil
from pathlib import Path

from report import expect
from toolbox import PATH, run

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "src/blueprint/backup"


class Trial:
    """The scripts of a blueprint in a folder of their own, with another way to reach what they copy."""

    def __init__(self, folder: Path, blueprint: str, connect: str):
        self.folder = folder
        self.scripts = folder / "scripts"
        self.scripts.mkdir()
        for source in [*PROGRAM.glob("*.sh"), *(ROOT / "blueprints" / blueprint / "backup").glob("*.sh")]:
            shutil.copy(source, self.scripts)
        (self.scripts / "connect.sh").write_text(connect, encoding="utf-8")
        identity = folder / "identity"
        run(["age-keygen", "-o", identity])
        self.environment = {
            "PATH": PATH, "HOME": str(folder), "TMPDIR": str(folder), "BACKUP_COMPONENT": blueprint, "BACKUP_FOLDER": str(folder / "backup"),
            "BACKUP_SCRIPTS": str(self.scripts), "BACKUP_KEEP_DAYS": "7", "BACKUP_KEEP_WEEKS": "1", "BACKUP_KEEP_MONTHS": "1",
            "BACKUP_RECIPIENTS": run(["age-keygen", "-y", identity]).stdout.strip(), "BACKUP_IDENTITY": str(identity),
        }  # fmt: skip

    def program(self, *words: str, status: int = 0) -> str:
        """What the program says; it must end with this status."""
        result = run(["sh", self.scripts / "backup.sh", *words], check=False, merge=True, env=self.environment, timeout=120)
        expect(result.returncode == status, f"{' '.join(words)}: exit status {result.returncode}, not {status}\n{result.stdout}")
        return result.stdout

    def newest(self) -> str:
        return self.program("newest").strip()
