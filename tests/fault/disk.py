"""A file system in a file, for power cuts and for full disks."""

import pathlib
import shutil
import subprocess
import time

MAKE = {
    "ext4": ["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0"],
    "xfs": ["mkfs.xfs", "-q", "-f"],
    "btrfs": ["mkfs.btrfs", "-q", "-f"],
}


def can_make(kind):
    """Whether this machine has its mkfs and its kernel has it."""
    return shutil.which(MAKE[kind][0], path="/usr/sbin:/sbin:/usr/bin") is not None


class Disk:
    def __init__(self, image, place, kind="ext4", megabytes=640):
        self.image, self.place = pathlib.Path(image), pathlib.Path(place)
        self.kind, self.megabytes = kind, megabytes
        self.mounted = False

    def make(self):
        with open(self.image, "wb") as file:
            file.truncate(self.megabytes << 20)
        subprocess.run([*MAKE[self.kind], self.image], check=True, capture_output=True)
        return self.mount()

    def mount(self, image=None):
        self.place.mkdir(parents=True, exist_ok=True)
        # Somebody's mount namespace may still hold the one of which this is a copy.
        options = "loop,nouuid" if self.kind == "xfs" else "loop"
        subprocess.run(["mount", "-o", options, image or self.image, self.place], check=True)
        self.mounted = True
        return self

    def unmount(self):
        """A process that has just died may hold it a moment longer."""
        for _ in range(200):
            if not self.mounted:
                return
            if subprocess.run(["umount", self.place], capture_output=True,
                              check=False).returncode == 0:
                self.mounted = False
            else:
                time.sleep(0.02)
        raise TimeoutError(f"{self.place} is still in use")

    def copy_as_if_power_failed(self, to):
        """What the disk has been given so far; nothing of what only memory holds."""
        subprocess.run(["cp", "--sparse=always", "--reflink=auto", self.image, to], check=True)

    def fill(self, leave_kib=0):
        """Takes all of the space but so much, as root and everybody else."""
        path = self.place / "ballast"
        with open(path, "ab", buffering=0) as file:
            for size in (1 << 20, 1 << 16, 1 << 12):
                try:
                    while file.write(b"\xaa" * size) == size:
                        pass
                except OSError:
                    continue
        if leave_kib:
            with open(path, "rb+") as file:
                file.truncate(max(0, path.stat().st_size - leave_kib * 1024))

    def free(self):
        (self.place / "ballast").unlink(missing_ok=True)
