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
        self.passed = self.skipped = 0
        # What was printed of each, to be said again at the end.
        self.failures: list[str] = []
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
        seconds = time.monotonic() - start
        lines = [f"{name}: {outcome}" + (f" ({seconds:.0f} s)" if seconds >= 1 else "")]
        lines += [f"    {line}" for line in detail.splitlines()]
        told = "\n".join(lines)
        if outcome == "ok":
            self.passed += 1
        elif outcome == "FAILED":
            self.failures.append(told)
        else:
            self.skipped += 1
        # At once: another run may print beside this one.
        print(told, flush=True)
        return outcome == "ok"

    def add(self, tally: Path) -> None:
        """What another run has counted; one that ended before it counted is a failure."""
        unfinished = {"passed": 0, "failures": ["the tests that need no engine: ended before their end"], "skipped": 0}
        counted = json.loads(tally.read_text(encoding="utf-8")) if tally.exists() else unfinished
        self.passed += counted["passed"]
        self.failures += counted["failures"]
        self.skipped += counted["skipped"]

    def finish(self, tally: Path | None = None) -> int:
        """The exit status. What was counted goes to `tally`, for whoever adds it up, else it is printed, after the
        failures once more: in a long log that is cut, the end is what is left."""
        if tally is not None:
            counted = {"passed": self.passed, "failures": self.failures, "skipped": self.skipped}
            tally.write_text(json.dumps(counted), encoding="utf-8")
            return 0
        failed = len(self.failures)
        if failed:
            print("\nfailures:", *self.failures, sep="\n")
        print(f"{self.passed} passed, {failed} failed, {self.skipped} skipped")
        return 1 if failed or not self.passed else 0
