#!/usr/bin/env python3
"""Records a small organisation as this version leaves it: its homes, what cells and centre said to each other, an audit
file, and what has to come of it. Every later version has to read all of that; see README.md.

    Tests/Recorded/record.py --kenh .build/release/kenh --version 0.3
"""

import argparse
import base64
import http.client
import http.server
import json
import shutil
import signal
import subprocess
import tarfile
import tempfile
import threading
import time
from pathlib import Path

HOST = "127.0.0.1"
HOMES = ("centre", "CB1", "CB2")


class Recorder:
    """Passes requests on to the centre and keeps them with their answers."""

    def __init__(self) -> None:
        self.target = 0
        self.exchanges: list[dict] = []
        recorder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                """Nothing is to be said."""

            def handle_one(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                connection = http.client.HTTPConnection(HOST, recorder.target, timeout=30)
                connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    connection.putheader(name, value)
                connection.endheaders(body)
                answer = connection.getresponse()
                content = answer.read()
                connection.close()
                recorder.exchanges.append({
                    "method": self.command, "path": self.path, "headers": list(self.headers.items()),
                    "body": base64.b64encode(body).decode(), "status": answer.status,
                    "answerHeaders": answer.getheaders(), "answer": base64.b64encode(content).decode()})
                self.send_response_only(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("content-length", "transfer-encoding"):
                        self.send_header(name, value)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = handle_one

        self.server = http.server.ThreadingHTTPServer((HOST, 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://{HOST}:{self.server.server_address[1]}"


class Organisation:
    """Homes in a folder."""

    def __init__(self, binary: Path, folder: Path, recorder: Recorder) -> None:
        self.binary, self.folder, self.recorder = binary, folder, recorder
        self._server: subprocess.Popen | None = None

    def kenh(self, home: str, *arguments: str, typed: str = "") -> str:
        """Run a command; its failure is an error."""
        done = subprocess.run(
            [self.binary, *arguments, "--home", self.folder / home], input=typed, capture_output=True, text=True,
            timeout=120)
        if done.returncode != 0:
            raise SystemExit(f"kenh {' '.join(arguments)}: {done.stderr}")
        return done.stdout

    def sql(self, home: str, script: str) -> None:
        """As another program would."""
        subprocess.run(["sqlite3", "-bail", self.folder / home / "kenh.db", script], check=True)

    def serve(self) -> None:
        """On a free port."""
        port_file = self.folder / "port"
        port_file.unlink(missing_ok=True)
        self._server = subprocess.Popen(
            [self.binary, "central", "serve", "--home", self.folder / "centre", "--port", "0", "--port-file", port_file],
            stderr=subprocess.DEVNULL)
        while not (port_file.exists() and port_file.read_text().endswith("\n")):
            if self._server.poll() is not None:
                raise SystemExit("the centre does not serve")
            time.sleep(0.05)
        self.recorder.target = int(port_file.read_text())

    def stop(self) -> None:
        """Until its files are closed."""
        if self._server:
            self._server.send_signal(signal.SIGTERM)
            self._server.wait(30)

    def sync(self, *homes: str) -> None:
        """Twice, so that everybody has everything."""
        for _ in range(2):
            for home in homes or HOMES[1:]:
                self.kenh(home, "sync")
            self.kenh("centre", "sync")


def play(organisation: Organisation) -> None:
    """A little of everything that a store, a log or a request can have."""
    o = organisation
    o.kenh("centre", "central", "init", "--name", "Đảng bộ Trường")
    for cell in HOMES[1:]:
        o.kenh("centre", "central", "cell", "add", cell, "--name", f"Chi bộ {cell[-1]}")
    o.serve()
    for cell in HOMES[1:]:
        code = o.kenh("centre", "central", "device", "add", cell).splitlines()[0]
        o.kenh(cell, "join", o.recorder.address, typed=code + "\n")
    for number in range(1, 9):
        o.sql("CB1", f"INSERT INTO work_item(id, channel, title, weight, contact) "
                     f"VALUES('W{number}', 'plan/KH1', 'Việc {number}', {number}.5, 'số {number}')")
    o.sync()
    # A conflict, a deletion that meets an edit, counters, and rows of several channels.
    o.sql("CB1", "UPDATE work_item SET title = 'của một' WHERE id = 'W1'; DELETE FROM work_item WHERE id = 'W2'")
    o.sql("CB2", "UPDATE work_item SET title = 'của hai' WHERE id IN ('W1', 'W2')")
    o.sql("CB2", "INSERT INTO progress_entry(id, channel, item, value, note) VALUES('P1', 'plan/KH1', 'W1', 0.5, 'nửa')")
    o.sql("CB2", "INSERT INTO work_item(id, channel, title) VALUES('X1', 'plan/KH2', 'khác')")
    o.sync()
    # Rights, and what is struck.
    o.kenh("centre", "central", "grant", "CB2", "plan/KH3", "--role", "reader")
    o.sql("CB1", "INSERT INTO work_item(id, channel, title) VALUES('Y1', 'plan/KH3', 'được phép')")
    o.sql("CB2", "INSERT INTO work_item(id, channel, title) VALUES('Y2', 'plan/KH3', 'không được phép')")
    o.sync()
    # An attachment, an erasure, a final deletion, a snapshot, an archive, and new keys.
    (o.folder / "note.txt").write_text("đính kèm\n", "utf-8")
    o.kenh("CB1", "attach", str(o.folder / "note.txt"), "--to", "work_item:W3")
    o.sync()
    o.kenh("centre", "central", "erase", "work_item:W4", "--reason", "asked", "--yes")
    o.sql("CB1", "DELETE FROM work_item WHERE id = 'W5'")
    o.sync()
    o.kenh("centre", "central", "deletion", "settle")
    o.sync()
    o.kenh("centre", "central", "deletion", "settle")
    o.sync()
    o.kenh("centre", "central", "snapshot", "make", "plan/KH1")
    o.kenh("centre", "central", "archive", "make", "plan/KH1", "--age", "0")
    o.kenh("centre", "central", "key", "rotate", "--root-key", str(o.folder / "centre" / "keys" / "root.key"))
    o.sql("CB1", "INSERT INTO work_item(id, channel, title) VALUES('W9', 'plan/KH1', 'sau khóa mới')")
    o.sync()


def expected(organisation: Organisation) -> dict:
    """What has to come of it."""
    o = organisation
    found = {}
    for home in HOMES:
        status = json.loads(o.kenh(home, "status", "--json"))
        tables = {}
        for table in ("work_item", "progress_entry", "attachment"):
            rows = subprocess.run(
                ["sqlite3", "-json", o.folder / home / "kenh.db", f"SELECT * FROM {table} ORDER BY id"], check=True,
                capture_output=True, text=True).stdout
            tables[table] = json.loads(rows or "[]")
        found[home] = {
            "digests": status["digests"], "tables": tables,
            "conflicts": len(json.loads(o.kenh(home, "conflicts", "--json"))),
            "rejected": len(json.loads(o.kenh(home, "rejected", "--json")))}
    return found


def main() -> None:
    """Record, and put everything in its place."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kenh", type=Path, required=True)
    parser.add_argument("--version", required=True, help="names the folder")
    arguments = parser.parse_args()
    target = Path(__file__).parent / arguments.version
    if target.exists():
        raise SystemExit(f"{target} is there: what was recorded is never made anew")
    with tempfile.TemporaryDirectory(prefix="kenh-record-") as folder:
        organisation = Organisation(arguments.kenh.resolve(), Path(folder), Recorder())
        try:
            play(organisation)
        finally:
            organisation.stop()
        for home in HOMES:
            organisation.kenh(home, "verify", "--deep")
        organisation.kenh("centre", "audit", "export", f"{folder}/log.audit")
        target.mkdir(parents=True)
        shutil.copy(f"{folder}/log.audit", target / "log.audit")
        (target / "expected.json").write_text(
            json.dumps(expected(organisation), indent=1, ensure_ascii=False, sort_keys=True) + "\n", "utf-8")
        (target / "exchange.json").write_text(json.dumps(organisation.recorder.exchanges, indent=0) + "\n")
        with tarfile.open(target / "homes.tar.gz", "w:gz") as archive:
            for home in HOMES:
                archive.add(Path(folder) / home, home)
    print(f"recorded {len(organisation.recorder.exchanges)} exchanges in {target}")


if __name__ == "__main__":
    main()
