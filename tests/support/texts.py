"""Texts that have broken a database driver somewhere."""

from __future__ import annotations

from typing import Final

NASTY_TEXTS: Final = [
    "",
    " ",
    "trailing blank ",
    "a'b''c",
    'a"b""c',
    "back\\slash \\\\ \\n \\u0041 \\' \\\"",
    "%s %(id)s %% 100%",
    ":id ::text :1",
    "$1 $2 {0} {id}",
    "?",
    "-- comment\n/* comment */;",
    "\t\r\n\x0b\x0c",
    "".join(map(chr, range(1, 32))),
    "\x7f\x80\x9f",
    "Zoë naïve ß \u0130 \u0131",
    "日本語 한국어 العربية עברית",
    "👩‍👩‍👧‍👦 🏳️‍🌈 \U0001d54f",
    "\u2028\u2029\u200b\ufeff\ufffe\uffff",
    "\U0010ffff",
    "e\u0301 != \u00e9",
    "null",
    "true",
    "[1]",
    '{"a": 1}',
    "x" * 70_000,
]
