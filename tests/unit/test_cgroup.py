"""CPU quotas and memory limits from recorded texts of machines and containers."""

from __future__ import annotations

from pathlib import Path

import pytest

from lodger.processes.cgroup import (
    cpu_quota,
    memory_limit,
    parse_bytes,
    parse_membership,
    parse_mounts,
    parse_quota,
    parse_throttled,
)
from lodger.worker.executors.throttle import LEAST, next_share

V2 = "1047 1034 0:26 {root} /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw,nsdelegate"
V1_CPU = (
    "652 651 0:29 {root} /sys/fs/cgroup/cpu,cpuacct ro,nosuid,relatime master:9 - cgroup cgroup rw,cpu,cpuacct\n"
    "660 651 0:32 {root} /sys/fs/cgroup/memory ro,nosuid,relatime master:12 - cgroup cgroup rw,memory\n"
    "661 651 0:33 {root} /sys/fs/cgroup/systemd ro,nosuid,relatime master:13 - cgroup cgroup rw,xattr,name=systemd"
)
OTHERS = "22 28 0:21 / /sys rw,nosuid shared:7 - sysfs sysfs rw\n30 28 0:2 / /odd\\040place rw - tmpfs  rw,mode=755\n"


class Machine:
    """A /proc/self and a /sys/fs/cgroup in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.proc = folder / "proc"
        self.proc.mkdir()

    def tell(self, membership: str, mounts: str) -> None:
        (self.proc / "cgroup").write_text(membership)
        (self.proc / "mountinfo").write_text(OTHERS + mounts.replace("/sys/fs", f"{self._folder}/sys/fs") + "\n")

    def put(self, path: str, text: str) -> None:
        file = self._folder / "sys/fs/cgroup" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")

    def found(self) -> tuple[float | None, int | None]:
        return cpu_quota(self.proc), memory_limit(self.proc)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_container_of_version_2_sees_its_own_group_as_the_root(machine: Machine) -> None:
    """Docker and Kubernetes today."""
    machine.tell("0::/\n", V2.format(root="/"))
    machine.put("cpu.max", "150000 100000")
    machine.put("memory.max", "536870912")
    assert machine.found() == (1.5, 512 * 2**20)


def test_without_limits_there_are_none(machine: Machine) -> None:
    machine.tell("0::/\n", V2.format(root="/"))
    machine.put("cpu.max", "max 100000")
    machine.put("memory.max", "max")
    assert machine.found() == (None, None)


def test_the_tightest_of_all_groups_above_counts(machine: Machine) -> None:
    """A unit of systemd's, in a slice with a smaller quota, and a machine's root without files.

    Fails when only the own group is asked, or only the outermost.
    """
    machine.tell("0::/shop.slice/web.service\n", V2.format(root="/"))
    machine.put("shop.slice/web.service/cpu.max", "max 100000")
    machine.put("shop.slice/web.service/memory.max", "1073741824")
    machine.put("shop.slice/cpu.max", "50000 100000")
    machine.put("shop.slice/memory.max", "2147483648")
    assert machine.found() == (0.5, 2**30)


def test_a_container_of_version_1_has_a_tree_per_controller(machine: Machine) -> None:
    """Its tree begins at its own group: only what is behind that in the path is there.

    Fails when the root of the mount is not taken off the path.
    """
    told = "5:cpu,cpuacct:/docker/4f1/web\n9:memory:/docker/4f1\n0::/docker/4f1\n"
    machine.tell(told, V1_CPU.format(root="/docker/4f1"))
    machine.put("cpu,cpuacct/web/cpu.cfs_quota_us", "250000")
    machine.put("cpu,cpuacct/web/cpu.cfs_period_us", "100000")
    machine.put("cpu,cpuacct/cpu.cfs_quota_us", "-1")
    machine.put("memory/memory.limit_in_bytes", "268435456")
    assert machine.found() == (2.5, 256 * 2**20)


def test_version_1_says_none_in_its_own_way(machine: Machine) -> None:
    machine.tell("5:cpu,cpuacct:/\n9:memory:/\n", V1_CPU.format(root="/"))
    machine.put("cpu,cpuacct/cpu.cfs_quota_us", "-1")
    machine.put("cpu,cpuacct/cpu.cfs_period_us", "100000")
    machine.put("memory/memory.limit_in_bytes", "9223372036854771712")
    assert machine.found() == (None, None)


@pytest.mark.parametrize("told", ["/docker/4f1", "/../../kubepods/pod7"])
def test_a_path_that_is_not_there_ends_at_the_root_of_the_mount(machine: Machine, told: str) -> None:
    """Without a namespace of its own a container is told the host's path, though its tree begins at its own group."""
    machine.tell(f"5:cpu,cpuacct:{told}\n", V1_CPU.format(root="/"))
    machine.put("cpu,cpuacct/cpu.cfs_quota_us", "50000")
    machine.put("cpu,cpuacct/cpu.cfs_period_us", "100000")
    assert machine.found()[0] == 0.5


def test_a_machine_with_both_versions_is_asked_where_the_controller_is(machine: Machine) -> None:
    machine.tell("1:cpu,cpuacct:/web\n0::/web\n", f"{V1_CPU.format(root='/')}\n{V2.format(root='/')}")
    machine.put("cpu,cpuacct/web/cpu.cfs_quota_us", "100000")
    machine.put("cpu,cpuacct/web/cpu.cfs_period_us", "50000")
    machine.put("web/memory.max", "1048576")
    assert machine.found() == (2.0, 2**20)


def test_where_there_is_no_proc_there_is_no_limit(tmp_path: Path) -> None:
    """MacOS."""
    assert cpu_quota(tmp_path / "none") is None
    assert memory_limit(tmp_path / "none") is None


@pytest.mark.parametrize("text", ["", "\n", "garbage", "0::", "a:b", "1 2 3 - cgroup2", " - "])
def test_texts_that_nobody_expects_do_no_harm(machine: Machine, text: str) -> None:
    """A worker must start wherever it is. Fails with unpacking instead of matching."""
    parse_membership(text)
    parse_mounts(text)
    machine.tell(text, text)
    assert machine.found() == (None, None)


@pytest.mark.parametrize(
    ("text", "cpus"),
    [
        ("200000 100000", 2.0),
        ("1000 1000000", 0.001),
        ("max 100000", None),
        ("-1 100000", None),
        ("", None),
        ("100000", None),
        ("100000 0", None),
        ("x y", None),
    ],
)
def test_a_quota_is_read(text: str, cpus: float | None) -> None:
    assert parse_quota(text) == cpus


@pytest.mark.parametrize(
    ("text", "limit"),
    [("536870912\n", 536870912), ("max\n", None), ("9223372036854771712\n", None), ("", None), ("-1", None)],
)
def test_a_limit_is_read(text: str, limit: int | None) -> None:
    assert parse_bytes(text) == limit


@pytest.mark.parametrize(
    ("text", "periods"),
    [
        ("nr_periods 70\nnr_throttled 12\nthrottled_time 9\n", 12),
        ("usage_usec 5\nnr_periods 0\nnr_throttled 0\n", 0),
        ("usage_usec 5\n", 0),
        ("", 0),
    ],
)
def test_throttled_periods_of_both_versions(text: str, periods: int) -> None:
    assert parse_throttled(text) == periods


def test_the_share_of_jobs_goes_down_fast_and_comes_back_slowly() -> None:
    shares = [1.0]
    while shares[-1] > LEAST:
        shares.append(next_share(shares[-1], was_throttled=True))
    assert len(shares) == 8
    while shares[-1] < 1:
        shares.append(next_share(shares[-1], was_throttled=False))
    assert len(shares) == 26
