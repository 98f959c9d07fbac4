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
        rows = [("step", "expected", "seen", "ok")]
        rows += [(line.step, line.expected, line.seen, "yes" if line.ok else "NO") for line in self.lines]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        rows.insert(1, tuple("-" * width for width in widths))  # type: ignore[arg-type] # four of them
        return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)

    def summary(self) -> str:
        wrong = sum(not line.ok for line in self.lines)
        return f"{len(self.lines)} expectations, {f'{wrong} not' if wrong else 'all'} met"
