#!/usr/bin/env python3
"""Compare every cell's database of a demo with the centre's.

Reads DEMO_DIR/central/kenh.db and DEMO_DIR/cells/*/kenh.db, read-only. Compared are all rows of all synced tables
(kenh_table with is_declared = 1 at the centre), value by value with type and bytes, and the digest of each channel.
Written against the table names alone, so that it shares nothing with the program that it checks.

Exit code: 0 all equal, 1 something differs or is absent, 2 wrong use.
"""

import argparse
import json
import sqlite3
import struct
import sys
import urllib.parse
from pathlib import Path

SHOWN = 5


class Absent(Exception):
    """Something without which nothing can be compared."""


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def typed(kind, value):
    """A value whose equality is type and bytes: 1 and 1.0 differ, and so do 0.0 and -0.0."""
    if isinstance(value, float):
        value = struct.pack(">d", value)
    return (kind, value)


def shown(value):
    kind, content = value
    if kind == "null":
        return "NULL"
    if kind == "real":
        return repr(struct.unpack(">d", content)[0])
    if kind == "integer":
        return str(content)
    if kind == "text":
        return content.decode("utf-8", "backslashreplace")
    return "x'" + content.hex() + "'"


class Node:
    """One database, read in one transaction."""

    def __init__(self, name, path):
        self.name = name
        if not path.is_file():
            raise Absent(f"{path} is absent")
        uri = "file:" + urllib.parse.quote(str(path.resolve())) + "?mode=ro"
        self.database = sqlite3.connect(uri, uri=True, isolation_level=None)
        self.database.text_factory = bytes
        try:
            self.database.execute("BEGIN")
            self.database.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()
        except sqlite3.Error as error:
            raise Absent(f"{path} cannot be read: {error}") from error

    def close(self):
        self.database.close()

    def columns(self, table):
        names = [row[1].decode() for row in self.database.execute(f"PRAGMA table_info({quoted(table)})")]
        if not names:
            raise Absent(f"table {table} is absent")
        return names

    def select(self, table, columns):
        """The rows as lists of typed values."""
        pairs = ", ".join(f"typeof({quoted(name)}), {quoted(name)}" for name in columns)
        for row in self.database.execute(f"SELECT {pairs} FROM {quoted(table)}"):
            yield [typed(row[i].decode(), row[i + 1]) for i in range(0, len(row), 2)]

    def rows(self, table, columns):
        """By id."""
        if "id" not in columns:
            raise Absent(f"{table}.id is absent")
        place = columns.index("id")
        found = {}
        for row in self.select(table, columns):
            if row[place] in found:
                raise Absent(f"{table} has two rows with the id {shown(row[place])}")
            found[row[place]] = row
        return found

    def declared(self):
        """The synced tables: name, constant channel and channel column, where kenh_table says so."""
        columns = self.columns("kenh_table")
        for name in ("name", "is_declared"):
            if name not in columns:
                raise Absent(f"kenh_table.{name} is absent")
        tables = []
        for row in self.select("kenh_table", columns):
            fields = dict(zip(columns, row))
            if fields["is_declared"] == ("integer", 1):
                place = [fields.get(key, ("null", None)) for key in ("channel", "channel_column")]
                tables.append((shown(fields["name"]), *(None if v[0] == "null" else shown(v) for v in place)))
        if not tables:
            raise Absent("kenh_table declares no table")
        return sorted(tables)

    def digests(self):
        columns = self.columns("kenh_channel")
        for name in ("name", "digest"):
            if name not in columns:
                raise Absent(f"kenh_channel.{name} is absent")
        return {shown(name): digest for name, digest in self.select("kenh_channel", ["name", "digest"])}


def is_empty(digest):
    return digest[0] == "null" or (digest[0] == "blob" and not any(digest[1]))


def compare_digests(centre, cell, scoped):
    ours, theirs = centre.digests(), cell.digests()
    if not ours:
        raise Absent("kenh_channel names no channel")
    for name in sorted(set(ours) | set(theirs)):
        one, other = ours.get(name), theirs.get(name)
        if one is None or other is None:
            # A channel that nobody wrote need not be known, and the registry is no channel of rows.
            if is_empty(one or other) or name.startswith("kenh/") or (scoped and other is None):
                continue
            yield f"channel {name} is only at {'the centre' if other is None else cell.name}"
        elif one != other:
            yield f"channel {name}: digest {shown(other)}, the centre has {shown(one)}"


def keep_channels(rows, columns, constant, column, channels):
    if constant is not None:
        return rows if constant in channels else {}
    if column is None or column not in columns:
        return rows
    place = columns.index(column)
    return {key: row for key, row in rows.items() if shown(row[place]) in channels}


def compare_table(centre, cell, table, channels):
    """The number of rows compared, and what differs."""
    name, constant, column = table
    columns, theirs = centre.columns(name), cell.columns(name)
    if set(columns) != set(theirs):
        return 0, [f"{name} has the columns {', '.join(theirs)}, the centre's {', '.join(columns)}"]
    wanted, found = centre.rows(name, columns), cell.rows(name, columns)
    if channels is not None:
        wanted = keep_channels(wanted, columns, constant, column, channels)
    differences = []
    for key in sorted(set(wanted) | set(found), key=shown):
        if key not in found:
            differences.append(f"{name} {shown(key)} is missing")
        elif key not in wanted:
            differences.append(f"{name} {shown(key)} is not at the centre")
        else:
            differences += compare_row(name, key, columns, wanted[key], found[key])
    return len(wanted), differences


def compare_row(table, key, columns, wanted, found):
    for column, one, other in zip(columns, wanted, found):
        if one != other:
            yield (f"{table} {shown(key)} {column}: {other[0]} {shown(other)}, "
                   f"the centre has {one[0]} {shown(one)}")


def compare_cell(centre, cell, tables, scoped):
    compared, differences = 0, []
    channels = None
    try:
        channels = set(cell.digests()) if scoped else None
        differences += compare_digests(centre, cell, scoped)
    except (Absent, sqlite3.Error) as problem:
        differences.append(str(problem))
    for table in tables:
        try:
            count, found = compare_table(centre, cell, table, channels)
            compared += count
            differences += found
        except (Absent, sqlite3.Error) as problem:
            differences.append(str(problem))
    return compared, differences


def check_expected(node, expected):
    for table, key, column, value in expected:
        try:
            columns = node.columns(table)
            if column not in columns:
                raise Absent(f"{table}.{column} is absent")
            hits = [row for row in node.select(table, ["id", column]) if shown(row[0]) == key]
        except (Absent, sqlite3.Error) as problem:
            yield str(problem)
            continue
        if not hits:
            yield f"{table} {key} is missing, expected {column} {value}"
        elif shown(hits[0][1]) != value:
            yield f"{table} {key} {column}: {shown(hits[0][1])}, expected {value}"


def report(name, rows, differences):
    verdict = "equal" if not differences else f"{len(differences)} differences"
    print(f"{name}: {rows} rows compared, {verdict}" if rows is not None else f"{name}: {verdict}")
    for line in differences[:SHOWN]:
        print(f"  {line}")
    if len(differences) > SHOWN:
        print(f"  … and {len(differences) - SHOWN} more")


def check(arguments):
    """What was found at each node, by name."""
    results = {}
    centre = Node("centre", arguments.demo / "central" / "kenh.db")
    tables = centre.declared()
    for name, _, _ in tables:
        centre.columns(name)
    results["centre"] = (None, list(check_expected(centre, arguments.expect)))
    paths = sorted(path for path in (arguments.demo / "cells").glob("*") if path.is_dir())
    if not paths:
        raise Absent(f"{arguments.demo / 'cells'} has no cells")
    for path in paths:
        try:
            cell = Node(path.name, path / "kenh.db")
        except Absent as problem:
            results[path.name] = (0, [str(problem)])
            continue
        rows, differences = compare_cell(centre, cell, tables, arguments.by_channel)
        differences += check_expected(cell, arguments.expect)
        if rows < arguments.min_rows:
            differences.append(f"only {rows} rows were compared, at least {arguments.min_rows} are wanted")
        results[path.name] = (rows, differences)
        cell.close()
    centre.close()
    return results


def read_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("demo", type=Path, metavar="DEMO_DIR", help="has central/kenh.db and cells/*/kenh.db")
    parser.add_argument(
        "--min-rows", type=int, default=1, metavar="N",
        help="fail where fewer of the centre's rows than this were compared with a cell's (default 1)")
    parser.add_argument(
        "--expect", nargs=4, action="append", default=[], metavar=("TABLE", "ID", "COLUMN", "VALUE"),
        help="a value that the centre and every cell must have; NULL, numbers and x'…' as SQL shows them; repeatable")
    parser.add_argument(
        "--by-channel", action="store_true",
        help="compare only rows of channels that the cell's kenh_channel names (for cells that do not read all)")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object instead of lines")
    return parser.parse_args()


def main():
    arguments = read_arguments()
    try:
        results = check(arguments)
    except (Absent, sqlite3.Error) as problem:
        results = {"centre": (None, [str(problem)])}
    good = all(not differences for _, differences in results.values())
    if arguments.json:
        nodes = {name: {"rows": rows, "differences": found} for name, (rows, found) in results.items()}
        print(json.dumps({"equal": good, "nodes": nodes}, ensure_ascii=False, indent=1))
    else:
        for name, (rows, differences) in results.items():
            if rows is not None or differences:
                report(name, rows, differences)
        print("all equal" if good else "NOT EQUAL")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
