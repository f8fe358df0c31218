"""Programs of a version's tree, started by a worker that has threads."""

from scene import ground, made  # noqa: F401

TIMES = 5


def load(ground, library):
    """Into every worker from now on."""
    wrapper = ground.libexec / "fake"
    path = ground.build / "tests/fault" / f"{library}.so"
    wrapper.write_text(wrapper.read_text().replace("LD_PRELOAD=", f"LD_PRELOAD={path}:"))


def test_tool_starts_whatever_another_thread_has_locked(ground):
    load(ground, "threads")
    for _ in range(TIMES):
        assert ground.outcome(ground.submit("backup.verify", backup="good")) == "ok"
