"""One line for each check, and a summary."""

import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kenh_client.client import CentreProblem
from kenh_client.problems import Refused


def expect(condition: object, message: str) -> None:
    """The check that is under way fails unless the condition holds."""
    if not condition:
        raise AssertionError(message)


def expect_equal(found: object, wanted: object, what: str) -> None:
    """The check that is under way fails unless both are equal."""
    expect(found == wanted, f"{what}: found {found!r}, wanted {wanted!r}")


def refusal(what: str, action: Callable[[], object]) -> str:
    """The code with which the client refuses; that it takes it fails the check."""
    try:
        action()
    except Refused as refused:
        return refused.code
    raise AssertionError(f"{what} was taken")


def expect_problem(what: str, action: Callable[[], object], status: int, code: str) -> CentreProblem:
    """The check that is under way fails unless the centre refuses with these."""
    try:
        action()
    except CentreProblem as problem:
        expect_equal((problem.status, problem.code), (status, code), what)
        return problem
    raise AssertionError(f"{what} was taken")


class Results:
    """Counts and prints."""

    def __init__(self, verbose: bool) -> None:
        self.verbose = verbose
        self.passed = 0
        self.failed: list[str] = []
        self._began = time.monotonic()

    @contextmanager
    def check(self, name: str) -> Iterator[None]:
        """One check: it fails by raising."""
        try:
            yield
        except Exception as error:  # A check that cannot even be made has failed, and the others go on.
            self.failed.append(name)
            detail = str(error) if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}"
            print(f"FAIL  {name}: {detail}")
            if self.verbose:
                traceback.print_exc()
        else:
            self.passed += 1
            print(f"ok    {name}")

    def note(self, text: str) -> None:
        """A detail, for --verbose."""
        if self.verbose:
            print(f"      {text}")

    def summary(self) -> int:
        """Print the sum; the exit code."""
        seconds = time.monotonic() - self._began
        print(f"{self.passed} passed, {len(self.failed)} failed, {seconds:.1f} s")
        for name in self.failed:
            print(f"  failed: {name}")
        return 1 if self.failed else 0
