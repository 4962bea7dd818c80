"""What the server counts, as JSON and in Prometheus' text format."""

from collections import Counter
from dataclasses import dataclass, field

__all__ = ["Metrics", "prometheus"]


@dataclass(slots=True)
class Metrics:
    """Counters, changed on the event loop's thread alone.

    Attributes:
        answers: by status.
        bytes_sent: of files and segments.
        failures: pieces that could not be made.
    """

    answers: Counter[int] = field(default_factory=Counter[int])
    bytes_sent: int = 0
    failures: int = 0

    def count_answer(self, status: int) -> None:
        """Count an answer."""
        self.answers[status] += 1

    def count_bytes(self, count: int) -> None:
        """Count bytes that were sent."""
        self.bytes_sent += count


def prometheus(values: dict[str, float], answers: dict[str, int]) -> str:
    """Metrics as Prometheus reads them.

    Args:
        values: by name; those that end in ``_total`` are counters, others gauges.
        answers: by status.

    Example:
        >>> print(prometheus({"titles": 3}, {}), end="")
        # TYPE upreel_titles gauge
        upreel_titles 3
    """
    lines: list[str] = []
    for name, value in values.items():
        kind = "counter" if name.endswith("_total") else "gauge"
        lines += [f"# TYPE upreel_{name} {kind}", f"upreel_{name} {value:.15g}"]
    if answers:
        lines.append("# TYPE upreel_answers_total counter")
        lines += [
            f'upreel_answers_total{{status="{status}"}} {count}'
            for status, count in sorted(answers.items())
        ]
    return "\n".join([*lines, ""])
