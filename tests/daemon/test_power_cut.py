"""The power fails at a record of the journal: what the disk has by then is copied, mounted in place
of the disk, and a new daemon recovers on it. SIGKILL never finds a missing sync; this does."""

import os
import subprocess

import pytest

import matrix
from disk import Disk, can_make
from ground import BUILD, Ground

HOW = os.environ.get("DBGUEST_MATRIX", "")
BY_NAME = {operation.name: operation for operation in matrix.OPERATIONS}
NAMES = ["upgrade", "upgrade, migrated", "create", "backup.create", "backup.restore", "version.pull",
         "delete"]
# Besides "all"; an owner that is not durable shows at create, and on btrfs only.
PLAYED = {
    "": {"ext4": NAMES, "xfs": ["upgrade", "upgrade, migrated"],
         "btrfs": ["upgrade", "create"]},
    "quick": {"ext4": ["upgrade"], "xfs": ["upgrade"], "btrfs": ["create"]},
}
# Where a sync that is missing would show.
TELLING = ('{"commit"', '{"opening"', '{"end"', '{"begin":"use"', '{"begin":"start"',
           '{"begin":"publish"', '{"begin":"initialize"', '{"begin":"restore"')


class Powered(Ground):
    """All that is to survive lies on a disk of its own."""

    def __init__(self, build, number, kind):
        super().__init__(build, number)
        self.disk = Disk(self.top / "image", self.top / "disk", kind)
        self.state = self.top / "disk/state"
        self.versions_dir, self.backups = self.top / "disk/versions", self.top / "disk/backups"
        self.whole = self.top / "whole"

    def make(self):
        self.top.mkdir()
        self.disk.make()
        super().make()
        self.disk.unmount()
        self.disk.copy_as_if_power_failed(self.whole)

    def _keep(self, place):
        pass  # the image is the template

    def reset(self, versions=False):
        self.disk.unmount()
        self.put_in(self.whole)
        self._empty()

    def put_in(self, image):
        # A file of its own each time: a loop device that lets go late must not be met again.
        self.disk.image.unlink()
        self.serial += 1
        self.disk.image = self.top / f"image-{self.serial}"
        subprocess.run(["cp", "--sparse=always", "--reflink=auto", image, self.disk.image],
                       check=True)
        self.disk.mount()

    def cut_power(self):
        """And a boot: what was in memory is gone, the run folder and the rules too."""
        self.disk.copy_as_if_power_failed(self.top / "cut")
        self.down()
        self.disk.unmount()
        self.put_in(self.top / "cut")
        self._empty()

    def remove(self):
        self.down()
        self.disk.unmount()
        super().remove()


@pytest.fixture(scope="module", params=["ext4", "xfs", "btrfs"])
def powered(request):
    if not can_make(request.param):
        pytest.skip(f"this machine lacks mkfs.{request.param}")
    ground = Powered(BUILD, 6, request.param)
    try:
        ground.make()
        yield ground
    finally:
        ground.remove()


def play(ground, case, when, record, old, new):
    case.begin()
    ground.rule((when, "stop", record))
    job = case.submit()
    ground.await_rules(job, stop=True)
    acknowledged = set(case.counter.acknowledged) if case.counter else set()
    ground.cut_power()
    case.stop_counter()
    if case.counter:
        case.counter.acknowledged = acknowledged
    ground.up()
    try:
        outcome = ground.outcome(job)
    except Exception as error:
        raise AssertionError(f"{job} is lost: {error}") from error
    case.judge(outcome, old, new)
    return outcome


@pytest.mark.parametrize("name", NAMES)
def test_power_fails_at_each_record(powered, name):
    if HOW != "all" and name not in PLAYED[HOW][powered.disk.kind]:
        pytest.skip("on this file system only by a larger DBGUEST_MATRIX")
    case = matrix.Case(powered, BY_NAME[name])
    said, patterns = case.dry_run()
    assert said == "ok"
    old, new = case.before, case.after
    chosen = [record for record in patterns if HOW == "all" or record.startswith(TELLING)]
    wrong = []
    for record in chosen:
        for when in ("written", "after") if not record.startswith('{"done') else ("after",):
            try:
                play(powered, case, when, record, old, new)
            except (AssertionError, TimeoutError) as error:
                wrong.append(f"{record} {when}: {type(error).__name__} {error}")
    assert not wrong, "\n".join(wrong)
