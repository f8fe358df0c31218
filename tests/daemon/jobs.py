"""Jobs that the player plays, and where they stand."""

import json

from wait import wait_for


def configure(client, instance="main", **play):
    """A detached job that plays something; more parameters of the call begin with "_"."""
    more = {name[1:]: play.pop(name) for name in list(play) if name[0] == "_"}
    more = {"detach": True} | more
    return client.call("instance.configure", instance=instance, settings=play, **more)["job"]


def state_of(client, job):
    return client.call("job.show", job=job)["state"]


def worker_of(daemon, job):
    path = daemon.open(job) / "pid"
    return wait_for(lambda: path.exists() and json.loads(path.read_text())["pid"])


def at_step(daemon, job, step="one"):
    events = daemon.open(job) / "events"
    wait_for(lambda: events.exists() and f'"{step}"' in events.read_text())
