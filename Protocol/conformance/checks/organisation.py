"""The program under test: a centre and a cell in a temporary folder, and cells of the other client."""

import copy
import json
import secrets
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from kenh_client.body import ADD, DELETE, INSERT, UPDATE
from kenh_client.client import CentreClient, Enrolment, wall_clock
from kenh_client.enrolment import EnrolmentCode
from kenh_client.keys import SigningKey
from kenh_client.kenh_pb2 import ChannelHead, SyncRequest, SyncResponse
from kenh_client.merge import ColumnRule
from kenh_client.schema import Schema, TableRule
from kenh_client.store import Edit, Store, StoredBlock
from kenh_client.sync import Report, Sync
from kenh_client.values import Plain, Value

from .results import expect

HOST = "127.0.0.1"


class Program:
    """Runs the command with a home."""

    def __init__(self, binary: Path, home: Path) -> None:
        self.binary = binary
        self.home = home

    def command(self, *arguments: str) -> list[str]:
        """The command line."""
        return [str(self.binary), *arguments, "--home", str(self.home)]

    def run(self, *arguments: str, typed: str = "") -> str:
        """What it prints; a failure of it is an error."""
        done = subprocess.run(self.command(*arguments), input=typed, capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise AssertionError(f"kenh {' '.join(arguments)} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def json(self, *arguments: str) -> Any:
        """What it prints, read."""
        return json.loads(self.run(*arguments, "--json"))

    def sql(self, script: str) -> None:
        """Edit the tables as any tool may."""
        with closing(self._database()) as database:
            database.executescript(f"BEGIN IMMEDIATE; {script}; COMMIT")

    def rows(self, table: str) -> dict[Plain, dict[str, Plain]]:
        """A table's rows by id."""
        return self.tables([table])[table]

    def tables(self, tables: Iterable[str]) -> dict[str, dict[Plain, dict[str, Plain]]]:
        """The rows of tables by id, as of one moment."""
        found: dict[str, dict[Plain, dict[str, Plain]]] = {}
        with closing(self._database()) as database:
            database.execute("BEGIN")
            for table in tables:
                cursor = database.execute(f'SELECT * FROM "{table}"')
                names = [column[0] for column in cursor.description]
                rows = [dict(zip(names, row)) for row in cursor]
                found[table] = {row.pop("id"): row for row in rows}
        return found

    def schema(self) -> Schema:
        """The declared tables, as the store's own tables and its list of tables say."""
        schema = Schema()
        with closing(self._database()) as database:
            declared = database.execute(
                "SELECT name, id_type, channel, channel_column FROM kenh_table WHERE is_declared = 1").fetchall()
            for name, id_type, channel, channel_column in declared:
                columns = {}
                for _, column, kind, _, default, _ in database.execute(f'PRAGMA table_info("{name}")').fetchall():
                    if column not in ("id", channel_column):
                        value = database.execute(f"SELECT {default}").fetchone()[0] if default else None
                        columns[column] = ColumnRule(kind, value)
                schema.tables[name] = TableRule(name, columns, id_type == "text", channel)
        return schema

    def _database(self) -> sqlite3.Connection:
        return sqlite3.connect(self.home / "kenh.db", timeout=20, isolation_level=None)


class Centre(Program):
    """The real centre, served on a free port of the loopback."""

    def __init__(self, binary: Path, home: Path) -> None:
        super().__init__(binary, home)
        self.port = 0
        # All that it ever had while these checks gave it another, also those that it forgot.
        self.keys: dict[bytes, SigningKey] = {}
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Make it where there is none yet, and serve, on the same port as before."""
        if not self.home.exists():
            self.run("central", "init", "--name", "Conformance")
        self.serve("--home", str(self.home))

    def serve(self, *which: str) -> None:
        """Serve this home, or several, on the same port as before."""
        port_file = self.home.parent / "port"
        port_file.unlink(missing_ok=True)
        with open(self.home.parent / "centre.log", "ab") as log:
            self._server = subprocess.Popen(
                [str(self.binary), "central", "serve", *which, "--host", HOST, "--port", str(self.port), "--port-file",
                 str(port_file)], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while not (port_file.exists() and port_file.read_text().endswith("\n")):
            if self._server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the centre does not serve: {self.log()}")
            time.sleep(0.01)
        self.port = int(port_file.read_text())

    def stop(self) -> None:
        """End it."""
        if self._server and self._server.poll() is None:
            self._server.send_signal(signal.SIGTERM)
            try:
                self._server.wait(10)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()
        self._server = None

    def log(self) -> str:
        """What it wrote to its standard error."""
        return (self.home.parent / "centre.log").read_text("utf-8", "replace")

    def serving_key(self) -> SigningKey:
        """Its key, to say what an honest centre does not."""
        return SigningKey(bytes.fromhex((self.home / "keys" / "serving.key").read_text("ascii").split()[0]))

    def root_key(self) -> SigningKey:
        """The organisation's, which these checks do not take off line."""
        return SigningKey(bytes.fromhex(self._root_file.read_text("ascii").split()[0]))

    @property
    def _root_file(self) -> Path:
        return self.home / "keys" / "root.key"

    def rotate(self) -> None:
        """Give it another key."""
        old = self.serving_key()
        self.run("central", "key", "rotate", "--root-key", str(self._root_file))
        self.keys |= {key.public: key for key in (old, self.serving_key())}

    def add_cell(self, code: str) -> None:
        """Enter a cell."""
        self.run("central", "cell", "add", code)

    def code(self, cell: str) -> str:
        """A one-time code for a device of the cell."""
        return self.json("central", "device", "add", cell)["code"]


class RealCell(Program):
    """A cell of the program's own."""

    def join(self, url: str, code: str) -> None:
        """Join the organisation."""
        self.run("join", url, typed=code + "\n")

    def sync(self) -> dict[str, Any]:
        """Sync once."""
        return self.json("sync")


class OtherCell:
    """A device of the other client."""

    def __init__(self, port: int, schema: Schema, prefix: str = "") -> None:
        self.client = CentreClient(HOST, port, SigningKey(), prefix=prefix)
        self.schema = schema
        self.replica = secrets.token_bytes(16)
        self.enrolment: Enrolment | None = None
        self.store: Store | None = None
        # Whether it begins channels with snapshots where there are any.
        self.takes_snapshots = False

    def join(self, code: str) -> Enrolment:
        """Enrol, and make a store."""
        self.enrolment = self.client.enrol(EnrolmentCode.read(code), self.replica, "the other client")
        self.store = Store(self.client.key, self.enrolment.organisation, self.replica, self.schema)
        return self.enrolment

    def replace_key(self, key: SigningKey, replica: bytes) -> Enrolment:
        """Put another key in the place of this device's, which seals nothing from here on."""
        expect(not self.store.unsent(), "something is unsent that the old key signed")
        old, client = self.client.key, copy.copy(self.client)
        client.key = key
        enrolment = client.replace_key(old, replica, "the other client, anew")
        self.client = client
        self.store.change_key(key, replica)
        return enrolment

    def sync(self, down_limit_bytes: int = 0) -> Report:
        """Sync once."""
        return Sync(self.store, self.client, down_limit_bytes, self.takes_snapshots).run()

    def copy(self) -> "OtherCell":
        """A copy of the installation, as of a restored disk."""
        return copy.deepcopy(self)

    def heads(self) -> list[ChannelHead]:
        """The centre's heads, all from the beginning; nothing is sent or taken."""
        request = SyncRequest(protocol=1, replica=self.store.replica, down_limit_bytes=1)
        return list(self.client.post("/v1/sync", request, SyncResponse).heads)

    def upload(self, *sent: StoredBlock) -> SyncResponse:
        """Send just these blocks, and take nothing."""
        request = SyncRequest(protocol=1, replica=self.store.replica, down_limit_bytes=1)
        request.blocks.extend(block.message for block in sent)
        return self.client.post("/v1/sync", request, SyncResponse)

    def seal(self, channel: str, *edits: Edit, later_ms: int = 0, **options: Any) -> list[StoredBlock]:
        """Write, by the wall clock or so much later."""
        return self.store.seal(channel, edits, wall_clock() + later_ms, **options)


def insert(table: str, row_id: str | bytes, **values: Value) -> Edit:
    """An insert."""
    return Edit(INSERT, table, row_id, values)


def update(table: str, row_id: str | bytes, **values: Value) -> Edit:
    """An update of these columns."""
    return Edit(UPDATE, table, row_id, values)


def delete(table: str, row_id: str | bytes) -> Edit:
    """A deletion."""
    return Edit(DELETE, table, row_id)


def add(table: str, row_id: str | bytes, **values: Value) -> Edit:
    """An addition to a counter."""
    return Edit(ADD, table, row_id, values)
