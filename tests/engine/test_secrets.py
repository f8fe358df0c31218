"""A password that went through is nowhere to be found afterwards."""
import os
import pathlib
import threading

import pytest
from conftest import create

SECRETS = [f"s3cret-{i}-Zq7xW" for i in range(5)]


def watch(found, ending):
    """Looks at every process's command line and environment all the while."""
    while not ending.is_set():
        for kind in ("cmdline", "environ"):
            for path in pathlib.Path("/proc").glob(f"[0-9]*/{kind}"):
                try:
                    text = path.read_bytes()
                except OSError:
                    continue
                found.update(f"{path}: {secret}" for secret in SECRETS if secret.encode() in text)


def files_with_secrets(*folders):
    for folder in folders:
        for path in pathlib.Path(folder).rglob("*"):
            if path.is_symlink() or not path.is_file():
                continue
            text = path.read_bytes()
            yield from (f"{path}: {secret}" for secret in SECRETS if secret.encode() in text)


def test_passwords_leave_no_trace(daemon, shop, old, datastore, tmp_path):
    quiet = f"quiet-{datastore}"
    found, ending = set(), threading.Event()
    watcher = threading.Thread(target=watch, args=(found, ending), daemon=True)
    watcher.start()
    try:
        create(daemon, shop, old, instance=quiet, port=shop.port + 80)
        daemon.call("user.create", instance=quiet, name="u1", password=SECRETS[0])
        daemon.call("user.create", instance=quiet,
                    users=[{"name": "u2", "password": SECRETS[1]}])
        daemon.call("user.set_password", instance=quiet, name="u1", password=SECRETS[2])
        daemon.call("root.enable", instance=quiet, password=SECRETS[3])
        job = daemon.call("user.create", instance=quiet, name="u3", password=SECRETS[4],
                          detach=True, idempotency_key=f"{datastore}-k")["job"]
        assert daemon.call("job.wait", job=job)["outcome"] == "ok"
        for name in ("u1", "u2"):  # an error's text must not carry it either
            with pytest.raises(Exception) as failure:
                daemon.call("user.create", instance=quiet, name=name, password=SECRETS[0])
            assert not [secret for secret in SECRETS if secret in str(failure.value)]
        daemon.call("backup.create", instance=quiet)
    finally:
        ending.set()
        watcher.join(30)
    os.sync()
    assert sorted(found) == []
    # engines keep hashes only; logs, journals, requests, results and sockets' folders hold nothing
    assert list(files_with_secrets(daemon.state, daemon.run, daemon.folder)) == []
