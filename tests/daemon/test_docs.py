"""What the documentation promises: its command lines are good ones, its words are those of the code."""
import pathlib
import re
import shlex

import pytest

from cli_stub import TOP, run

PAGES = ["README.md", "docs/operations.md", "docs/datastores.md", "docs/testing.md"]
SOURCES = [path for folder in ("agent", "datastores") for path in (TOP / folder).rglob("*.c")]


def command_lines(page):
    """What is typed in the page's captured screens, and what it says in `…`."""
    text = (TOP / page).read_text()
    for block in re.findall(r"^```\n(.*?)^```", text, re.M | re.S):
        yield from re.findall(r"^(?:\$ )?dbguestctl (.+?)(?:\s{2,}.*)?$", block, re.M)
    yield from re.findall(r"`dbguestctl ([^`]+)`", text)


@pytest.mark.parametrize("page", PAGES)
def test_command_lines_of_the_documentation_are_good_ones(path, page):
    """Without a daemon they get as far as the socket, or to what would be typed at a terminal."""
    for line in command_lines(page):
        words = shlex.split(line.partition(" < ")[0].partition(" #")[0])
        if words[0].startswith("-"):  # said of any command
            continue
        done = run(path, *words, stdin="secret\n")
        typed = re.search("(password-stdin|--confirm) is missing", done.stderr)
        assert done.returncode in (0, 20) or typed, (line, done.stderr)


def test_readme_shows_help_as_it_is(path):
    shown = re.search(r"^\$ dbguestctl --help\n(.*?)^```", (TOP / "README.md").read_text(),
                      re.M | re.S)[1]
    assert shown.splitlines()[1:] == run(path, "--help").stdout.splitlines()[1:]


def findings():
    """[(severity, reason)] of all that instance.check_upgrade may find."""
    severity = r'"(blocker|warning|note)",\s*"([a-z_]+)"'
    for source in SOURCES:
        text = source.read_text()
        yield from re.findall(rf"finding_add\(\s*findings,\s*{severity}", text)
        yield from re.findall(rf'{{ (?:[A-Z_]+, \w+, )?{severity},\s*"SELECT', text)


def test_every_finding_is_in_the_operations_manual():
    page = (TOP / "docs/operations.md").read_text()
    known = set(findings())
    assert len(known) > 10
    missing = [pair for pair in known if not re.search(rf"\| `{pair[1]}` \| {pair[0]} \|", page)]
    assert not missing


def test_every_reason_is_in_the_operations_manual(path):
    page = (TOP / "docs/operations.md").read_text()
    table = re.findall(r"^\| `(\w+)` \| (\d+) \|", (TOP / "docs/protocol.md").read_text(), re.M)
    assert len(table) == 19
    for reason, number in table:
        assert re.search(rf"^\| {number} \| `{reason}`", page, re.M), reason


def test_links_of_the_documentation_lead_somewhere():
    for page in [*(TOP / "docs").glob("*.md"), TOP / "README.md"]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / pathlib.Path(target)).exists(), (page.name, target)


def test_every_setting_of_the_daemon_is_documented():
    table = (TOP / "agent/daemon/config.c").read_text()
    settings = re.findall(r'^    { "(\w+)", "(\w+)", AT\(', table, re.M)
    assert len(settings) > 15
    operations = (TOP / "docs/operations.md").read_text()
    manual = (TOP / "docs/man/dbguest.conf.5").read_text()
    example = (TOP / "systemd/dbguest.conf.in").read_text()
    for section, name in settings:
        assert f"`{name}`" in operations, name
        assert f".SH [{section}]" in manual and re.search(rf"\b{name}\b", manual), name
        assert f"[{section}]" in example and re.search(rf"^#? ?{name} =", example, re.M), name
