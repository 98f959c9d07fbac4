"""What the check saw, as a table: one line per expectation."""

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Line:
    step: str
    expected: str
    seen: str
    ok: bool


@dataclass
class Report:
    lines: list[Line] = field(default_factory=list)

    def add(self, step: str, expected: str, seen: str, *, ok: bool | None = None) -> None:
        """Note one expectation; without `ok` it is met when both texts are the same."""
        self.lines.append(Line(step=step, expected=expected, seen=seen, ok=expected == seen if ok is None else ok))

    @property
    def ok(self) -> bool:
        return bool(self.lines) and all(line.ok for line in self.lines)

    def table(self) -> str:
        rows = [("ok", "step", "expected", "seen")]
        rows += [("yes" if line.ok else "NO", line.step, line.expected, line.seen) for line in self.lines]
        # What was seen comes last and stays as long as it is: an error's text may be of any length.
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        return "\n".join("  ".join([*map(str.ljust, row, widths), row[3]]) for row in rows)

    def summary(self) -> str:
        wrong = sum(not line.ok for line in self.lines)
        return f"{len(self.lines)} expectations, {f'{wrong} not' if wrong else 'all'} met"
