"""docs/testing.md names tests that there are, and each test of a rule."""

import pathlib
import re

TOP = pathlib.Path(__file__).resolve().parents[2]
NAMED = re.compile(r"(\w+/test_\w+\.py): (`\w+`(?:, `\w+`)*)")


def named():
    text = (TOP / "docs/testing.md").read_text()
    return {(path, name) for path, names in NAMED.findall(text)
            for name in re.findall(r"`(\w+)`", names)}


def there():
    return {(str(path.relative_to(TOP / "tests")), name)
            for path in TOP.glob("tests/*/test_*.py")
            for name in re.findall(r"^def test_(\w+)", path.read_text(), re.MULTILINE)}


def test_what_the_documentation_names_is_there():
    assert named() and not named() - there()


def test_every_test_of_a_rule_is_named():
    assert not {(path, name) for path, name in there() - named() if re.match(r"c\d\d_", name)}
