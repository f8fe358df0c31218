"""The main job on three real engines, and a step to the next major release, as tables."""
import argparse
import pathlib
import os
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from daemon import Daemon, build_folder  # noqa: E402
from shop import PASSWORD, SHOPS, Prober  # noqa: E402

# The suite alone holds one release; with its security updates there is a newer one.
SOURCES = {
    "postgresql": ("apt:bookworm", "apt:bookworm,bookworm-security"),
    "mariadb": ("apt:bookworm", "apt:bookworm,bookworm-security"),
    "redis": ("apt:bookworm", "apt:trixie"),
}
# Another major release, with another C library under it.
MAJORS = {"postgresql": "apt:trixie,trixie-security", "mariadb": "apt:trixie"}
HEADINGS = ("DATASTORE", "BEFORE", "AFTER", "ROWS BEFORE", "ROWS AFTER", "BACKUP", "RATE",
            "RESTORE", "NO CONNECTION")
MAJOR_HEADINGS = ("DATASTORE", "FROM", "TO", "DATA BY", "ROWS", "EXPECTED", "OUTAGE",
                  "NO CONNECTION")


def say(text):
    print(text, flush=True)


def present(daemon, datastore, source):
    started = time.monotonic()
    row = daemon.call("version.pull", datastore=datastore, source=source)
    how = "was there" if row["present_before"] else f"pulled in {time.monotonic() - started:.0f} s"
    say(f"  version.pull {source}: {row['version']} {how}")
    return row["version"]


def create(daemon, shop, version):
    user = {"name": "anna", "password": PASSWORD, "access": "all"}
    more = {}
    if shop.database:
        more["databases"] = [{"name": shop.database}]
        user["databases"] = [shop.database]
    daemon.call("instance.create", instance=shop.datastore, datastore=shop.datastore,
                version=version, port=shop.port, users=[user], **more)
    say(f"  instance.create on port {shop.port}, with database and user")


def run(daemon, datastore):
    old_source, new_source = SOURCES[datastore]
    shop = SHOPS[datastore]()
    say(f"{datastore}")
    old = present(daemon, datastore, old_source)
    create(daemon, shop, old)
    shop.load()
    before = shop.count()
    say(f"  {before} rows put in")
    backup = daemon.call("backup.create", instance=datastore)
    say(f"  backup.create: {backup['raw_bytes'] >> 20} -> {backup['size_bytes'] >> 20} MiB "
        f"in {backup['took_s']} s")
    with Prober(shop) as prober:
        new = present(daemon, datastore, new_source)
        expected = daemon.call("instance.check_upgrade", instance=datastore, version=new)
        upgraded = daemon.call("instance.upgrade", instance=datastore, version=new)
        time.sleep(0.5)
    after = shop.count()
    say(f"  instance.upgrade {old} -> {new}: outage {upgraded['outage_s']} s "
        f"({expected['expected_outage_s']} s expected), proved "
        + ", ".join(f"{count} {what}" for what, count in upgraded["proved"].items()))
    assert after == before, f"{before} rows before, {after} after"

    verified = daemon.call("backup.verify", backup=backup["backup"])
    second = f"{datastore}2"
    started = time.monotonic()
    daemon.call("backup.restore", backup=backup["backup"], instance=second, port=shop.port + 20)
    restore_s = time.monotonic() - started
    restored = type(shop)(port=shop.port + 20).count()
    assert restored == before, f"{before} rows backed up, {restored} restored"
    say(f"  backup.verify: good, {verified['restore_s']} s; backup.restore into {second}: "
        f"{restored} rows, with the backup's users")
    rate = backup["raw_bytes"] / max(backup["took_s"], 0.001) / (1 << 20)
    return (datastore, old, new, before, after,
            f"{backup['size_bytes'] / (1 << 20):.1f} MiB", f"{rate:.0f} MiB/s",
            f"{restore_s:.2f} s", f"{prober.longest_gap_s:.2f} s")


def run_major(daemon, datastore):
    shop = SHOPS[datastore]()
    say(f"{datastore}, to another major release")
    new = present(daemon, datastore, MAJORS[datastore])
    before = shop.count()
    with Prober(shop) as prober:
        checked = daemon.call("instance.check_upgrade", instance=datastore, version=new)
        upgraded = daemon.call("instance.upgrade", instance=datastore, version=new)
        time.sleep(0.5)
    assert shop.count() == before, f"{before} rows before, {shop.count()} after"
    say("  proved " + ", ".join(f"{count} {what}" for what, count in upgraded["proved"].items()))
    return (datastore, upgraded["from_version"], new, checked["safepoint"], before,
            f"{checked['expected_outage_s']:.1f} s", f"{upgraded['outage_s']:.1f} s",
            f"{prober.longest_gap_s:.1f} s")


def print_table(headings, lines):
    cells = [headings] + [tuple(str(cell) for cell in line) for line in lines]
    widths = [max(len(row[i]) for row in cells) for i in range(len(headings))]
    for row in cells:
        print("  ".join(cell.rjust(width) if i > 2 else cell.ljust(width)
                        for i, (cell, width) in enumerate(zip(row, widths))).rstrip())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the daemon and engines running")
    arguments = parser.parse_args()
    cache = pathlib.Path(os.environ.get("DBGUEST_TEST_CACHE", "/var/cache/dbguest"))
    cache.mkdir(parents=True, exist_ok=True)
    daemon = Daemon(versions=cache / "versions").start()
    try:
        lines = [run(daemon, datastore) for datastore in SOURCES]
        majors = [run_major(daemon, datastore) for datastore in MAJORS]
        print()
        print_table(HEADINGS, lines)
        print()
        print_table(MAJOR_HEADINGS, majors)
    except BaseException:
        daemon.close()
        raise
    if not arguments.keep:
        daemon.close()
        return
    ctl = build_folder() / "agent/cli/dbguestctl"
    print(f"\nstill running; talk to it: DBGUEST_SOCKET={daemon.socket} {ctl} instance list\n"
          f"password of anna: {PASSWORD}\n"
          f"end it: {sys.executable} {pathlib.Path(__file__).parent}/end {daemon.folder}")


if __name__ == "__main__":
    main()
