"""The organisation of one run, and what has to hold whenever everybody has synced."""

import time
from pathlib import Path

from kenh_client.digest import EXISTENCE
from kenh_client.kenh_pb2 import ChannelHead
from kenh_client.log import REGISTRY_CHANNEL
from kenh_client.schema import Schema
from kenh_client.values import Plain, are_equal

from .organisation import HOST, Centre, OtherCell, Program, RealCell
from .results import Results, expect, expect_equal


class World:
    """One centre, one cell of the program's own, and cells of the other client."""

    def __init__(self, binary: Path, folder: Path, results: Results) -> None:
        self.results = results
        self.centre = Centre(binary, folder / "centre")
        self.real = RealCell(binary, folder / "cell")
        self.schema = Schema()

    def start(self) -> None:
        """Serve, and let all cells join."""
        self.centre.start()
        for cell in ("CB1", "CB2", "CB3"):
            self.centre.add_cell(cell)
        self.real.join(f"http://{HOST}:{self.centre.port}", self.centre.code("CB1"))
        self.schema = self.real.schema()
        self.other = OtherCell(self.centre.port, self.schema)
        self.third = OtherCell(self.centre.port, self.schema)
        self.other.join(self.centre.code("CB2"))
        self.third.join(self.centre.code("CB3"))

    def close(self) -> None:
        """End what was started."""
        self.centre.stop()

    def settle(self, *more: OtherCell) -> None:
        """Everybody syncs until everybody has all, then all are compared."""
        others = [self.other, self.third, *more]
        for _ in range(2):
            self.real.sync()
            for cell in others:
                cell.sync()
        self.compare(others)

    def compare(self, others: list[OtherCell], real_reads: bool = True) -> None:
        """Digests equal the centre's in every channel that a cell reads; shown rows equal those of the real tables.

        Each of `others` reads all channels, and so does the real cell unless `real_reads` says otherwise.
        """
        nodes = (self.real, self.centre) if real_reads else (self.centre,)
        status = self.real.json("status")["digests"]
        for cell in others:
            heads = self.heads(cell)
            report = cell.sync()
            expect_equal(report.unequal, [], "unequal channels")
            for channel in cell.store.channels():
                expect_equal(cell.store.digest(channel), heads[channel].digest, f"digest of {channel}")
                if real_reads:
                    expect_equal(status[channel], heads[channel].digest.hex(), f"the real cell's digest of {channel}")
            expect_equal(set(heads) - {REGISTRY_CHANNEL}, cell.store.channels(), "channels")
        for node in nodes:
            for table, rows in node.tables(self.schema.tables).items():
                for cell in others:
                    self.compare_rows(table, rows, cell)
        self.compare_conflicts(others, nodes[0])
        self.results.note(f"{len(heads)} channels and {len(self.schema.tables)} tables are equal")

    def heads(self, cell: OtherCell | None = None) -> dict[str, ChannelHead]:
        """The centre's heads once its merged view stands where its log does."""
        deadline = time.monotonic() + 10
        while True:
            heads = {head.channel: head for head in (cell or self.other).heads()}
            behind = [name for name, head in heads.items() if not head.digest and name != REGISTRY_CHANNEL]
            if not behind:
                return heads
            expect(time.monotonic() < deadline, f"the centre has no digest of {', '.join(behind)}")
            time.sleep(0.02)

    def compare_conflicts(self, others: list[OtherCell], node: Program) -> None:
        """The conflicts that each finds in declared columns of the rows that the tables have."""
        listed = {
            (conflict["table"], conflict["id"], conflict["channel"], conflict.get("column"))
            for conflict in node.json("conflicts")}
        for cell in others:
            shown = {table: cell.store.shown(table) for table in self.schema.tables}
            found = {
                (table, row_id, channel, column)
                for (table, row_id, channel), columns in cell.store.conflicts().items() for column in columns
                if table in shown and row_id in shown[table] and shown[table][row_id][0] == channel
                and column in (EXISTENCE, *self.schema.tables[table].columns)}
            expect_equal(found, listed, "conflicts")

    def compare_rows(self, table: str, rows: dict[Plain, dict[str, Plain]], cell: OtherCell) -> None:
        """One table, value by value."""
        shown = cell.store.shown(table)
        expect_equal(set(shown), set(rows), f"rows of {table}")
        for row_id, (channel, values) in shown.items():
            row = dict(rows[row_id])
            if self.schema.tables[table].channel is None:
                expect_equal(channel, row.pop("channel"), f"channel of {table} {row_id}")
            expect_equal(set(values), set(row), f"columns of {table}")
            for column, value in values.items():
                expect(are_equal(value, row[column]),
                       f"{table} {row_id} {column}: {value!r} here, {row[column]!r} there")
