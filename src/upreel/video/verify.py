"""Checking an output against its source: what `upreel upscale` promises to keep."""

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Check", "VerifyReport", "verify"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One property that was compared.

    Attributes:
        name: what was compared.
        passed: whether it was kept.
        detail: one line with the values.
    """

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifyReport:
    """The result of `verify`: all checks in order."""

    source: str
    output: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)


def verify(source: str | Path, output: str | Path) -> VerifyReport:
    """Compare `output` with `source`.

    Raises:
        ProbeError: one of them cannot be read as video.
    """
