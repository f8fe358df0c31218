"""What the kill matrix found, as Markdown: steps by victim, the outcome of each."""

import itertools
import statistics


def cell(rows):
    """The outcomes before and after the records; one word when both are the same."""
    told = {row.when: row.said for row in rows}
    return " / ".join(dict.fromkeys(told[when] for when in ("before", "after") if when in told))


def name_of(record):
    """'{"begin":"fence"' is 'begin fence'."""
    return record.translate(str.maketrans(":", " ", '{}"')).strip()


def span(records):
    """Neighbours to whom the same happened, as their first and last."""
    first, last = name_of(records[0]), name_of(records[-1])
    return f"`{first}`" if len(records) == 1 else f"`{first}` … `{last}` ({len(records)})"


def took(rows):
    seconds = [row.seconds for row in rows]
    return f"{statistics.median(seconds):.2f} / {max(seconds):.2f}"


def lines_of(operation, rows, victims):
    by_record = {}
    for row in rows:
        by_record.setdefault(row.record, []).append(row)
    outcomes = [(record, [cell([row for row in of_it if row.victim == victim])
                          for victim in victims]) for record, of_it in by_record.items()]
    for cells, same in itertools.groupby(outcomes, key=lambda pair: pair[1]):
        records = [record for record, _ in same]
        of_them = [row for record in records for row in by_record[record]]
        yield f"| {operation} | {span(records)} | {' | '.join(cells)} | {took(of_them)} |"


def head_of(rows):
    return f"{len(rows)} deaths, {took(rows)} s from the death to the outcome (median / longest)."


def by_victim(rows):
    """A line for what befell one victim, of as many operations and engines as there are."""
    lines = [head_of(rows), "", "| operation | died | records | outcome | s |", "|---" * 5 + "|"]
    for (operation, victim), of_it in itertools.groupby(
            sorted(rows, key=lambda row: (row.operation, row.victim)),
            key=lambda row: (row.operation, row.victim)):
        lines += lines_of(f"{operation} | {victim}", list(of_it), [victim])
    return "\n".join(lines) + "\n"


def of(rows, victims):
    """Where an outcome differs before and after a record, both stand there."""
    lines = [head_of(rows), "",
             f"| operation | records | {' | '.join(victims)} | s |",
             "|---|---" + "|---" * len(victims) + "|---|"]
    for operation, of_it in itertools.groupby(rows, key=lambda row: row.operation):
        lines += lines_of(operation, list(of_it), victims)
    return "\n".join(lines) + "\n"
