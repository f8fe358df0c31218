"""SIGKILL of worker, daemon, engine or all at once, before and after every record of every
operation's journal, each undo and each recovery too (CRASH.md, "How it is tested").

    DBGUEST_MATRIX=all      every victim at every place; otherwise the victims take turns
    DBGUEST_MATRIX=quick    one place in 27
    DBGUEST_MATRIX_TABLE    where the table goes, as Markdown
"""

import multiprocessing
import os
import pathlib
import signal
import sys
import traceback

import pytest

import ground
import matrix
import table

HOW = os.environ.get("DBGUEST_MATRIX", "")
EVERY = {"all": 1, "quick": 28 - 1}.get(HOW, 5)  # prime to four victims and two sides
ALL = matrix.OPERATIONS + matrix.RECOVERIES
TABLE = os.environ.get("DBGUEST_MATRIX_TABLE")

here = None  # of a process of the pool: its ground


def begin(numbers):
    """In each process: a ground of its own, which goes with the process."""
    global here
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    made = ground.Ground(ground.BUILD, numbers.get())
    multiprocessing.util.Finalize(None, made.remove, exitpriority=10)
    try:
        made.make()
        here = made
    except Exception as error:  # the pool would try for ever: each case says it instead
        here = error


def run(index):
    """The rows, or what went wrong as text: not every exception can be handed to another process,
    and a pool that meets such a one waits for ever."""
    operation = ALL[index]
    if isinstance(here, Exception):
        return f"no ground: {here!r}"
    victims = ("all",) if operation.deaths and HOW != "all" else matrix.VICTIMS
    try:
        return matrix.run_operation(here, operation, victims, every=EVERY, offset=index)
    except Exception:
        return traceback.format_exc()


@pytest.fixture(scope="module")
def played(request):
    """The rows of each operation that is asked for; two grounds side by side do not meet."""
    wanted = [item.callspec.params["index"] for item in request.session.items
              if item.originalname == "test_old_or_new_whoever_dies_at"]
    context = multiprocessing.get_context("spawn")
    numbers = context.Queue()
    for number in range(2):
        numbers.put(number)
    pool = context.Pool(2, begin, (numbers,))
    rows = {index: pool.apply_async(run, (index,)) for index in wanted}
    yield rows
    pool.close()
    pool.join()


seen = []


@pytest.mark.parametrize("index", range(len(ALL)), ids=[operation.name for operation in ALL])
def test_old_or_new_whoever_dies_at(played, index):
    rows = played[index].get(1800)
    assert not isinstance(rows, str), rows
    seen.extend(rows)
    if TABLE:  # each time: who stops it half way has half of the table
        pathlib.Path(TABLE).write_text(table.of(seen, matrix.VICTIMS))
    wrong = [row for row in rows if row.said.startswith("WRONG")]
    assert not wrong, "\n" + "\n".join(" | ".join(row[:5]) for row in wrong)
