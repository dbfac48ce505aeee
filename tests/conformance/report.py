"""What a test is, how its outcome is told, and the words tests use to fail or to be skipped."""

import json
import os
import time
import traceback
from collections.abc import Callable
from pathlib import Path


class Failure(Exception):
    """The thing under test is wrong; the message says how."""


class Missing(Exception):
    """A tool is missing and cannot be installed here."""

    def __init__(self, tool: str, why: str = ""):
        super().__init__(tool, why)
        self.tool = tool
        self.why = why


def expect(condition: object, message: str) -> None:
    """Fails the test with `message` unless `condition` holds."""
    if not condition:
        raise Failure(message)


class Report:
    """Runs tests one after the other and prints one line for each."""

    def __init__(self, only: list[str]):
        self.only = only
        self.passed = self.failed = self.skipped = 0
        # In continuous integration nothing may be silently left out.
        self.strict = os.environ.get("CI", "").lower() in ("true", "1")

    def wants(self, name: str) -> bool:
        return not self.only or any(part in name for part in self.only)

    def test(self, name: str, function: Callable[[], object], *, always: bool = False) -> bool:
        """Runs one test; true when it passed. `always`: others need it, so it runs even when only some are wanted."""
        if not always and not self.wants(name):
            return False
        start = time.monotonic()
        detail = ""
        try:
            function()
            outcome = "ok"
        except Missing as missing:
            outcome = "FAILED" if self.strict else f"skipped: {missing.tool}"
            detail = f"{missing.tool} is missing: {missing.why}" if missing.why else f"{missing.tool} is missing"
        except Failure as failure:
            outcome, detail = "FAILED", str(failure)
        except Exception:  # a broken test is a failed test, and the rest still runs
            outcome, detail = "FAILED", traceback.format_exc()
        if outcome == "ok":
            self.passed += 1
        elif outcome == "FAILED":
            self.failed += 1
        else:
            self.skipped += 1
        seconds = time.monotonic() - start
        lines = [f"{name}: {outcome}" + (f" ({seconds:.0f} s)" if seconds >= 1 else "")]
        lines += [f"    {line}" for line in detail.splitlines()]
        # At once: another run may print beside this one.
        print("\n".join(lines), flush=True)
        return outcome == "ok"

    def add(self, tally: Path) -> None:
        """What another run has counted; one that ended before it counted is a failure."""
        counted = json.loads(tally.read_text(encoding="utf-8")) if tally.exists() else [0, 1, 0]
        self.passed, self.failed, self.skipped = map(sum, zip((self.passed, self.failed, self.skipped), counted, strict=True))

    def finish(self, tally: Path | None = None) -> int:
        """The exit status. What was counted goes to `tally`, for whoever adds it up, else it is printed."""
        if tally is not None:
            tally.write_text(json.dumps([self.passed, self.failed, self.skipped]), encoding="utf-8")
            return 0
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped")
        return 1 if self.failed or not self.passed else 0
