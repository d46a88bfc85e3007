#!/usr/bin/env python3
"""A new cell joins a channel of many rows with a snapshot while another cell goes on writing and syncing.

    make load-join ROWS=1000000

Real processes on the loopback. Prints how long each part took and what the busy cell's syncs took meanwhile, and ends
with 1 where anybody's rows or digests are not everybody's.
"""

import argparse
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HOST = "127.0.0.1"


class Run:
    """Homes in a folder, and the centre that serves one of them."""

    def __init__(self, binary: Path, folder: Path) -> None:
        self.binary, self.folder = binary, folder
        self.server: subprocess.Popen | None = None

    def kenh(self, home: str, *arguments: str, typed: str = "") -> str:
        """What a command prints; its failure ends the run. Where the store is in use it tries again, as it is told to."""
        until = time.monotonic() + 600
        while True:
            done = subprocess.run(
                [self.binary, *arguments, "--home", self.folder / home], input=typed, capture_output=True, text=True,
                check=False)
            if "in use by another program" not in done.stderr or time.monotonic() > until:
                break
        if done.returncode != 0:
            raise SystemExit(f"kenh {' '.join(arguments)}: {done.stderr}")
        return done.stdout

    def sql(self, home: str, script: str) -> str:
        """As another program would."""
        return subprocess.run(
            ["sqlite3", "-bail", "-cmd", ".timeout 20000", self.folder / home / "kenh.db", script], check=True,
            capture_output=True, text=True).stdout.strip()

    def serve(self) -> str:
        """On a free port; the address."""
        port_file = self.folder / "port"
        self.server = subprocess.Popen(
            [self.binary, "central", "serve", "--home", self.folder / "centre", "--port", "0", "--port-file", port_file],
            stderr=(self.folder / "centre.log").open("w"))
        while not (port_file.exists() and port_file.read_text().endswith("\n")):
            time.sleep(0.05)
        return f"http://{HOST}:{port_file.read_text().strip()}"

    def join(self, cell: str, address: str) -> None:
        """Enter and join."""
        self.kenh("centre", "central", "cell", "add", cell)
        code = self.kenh("centre", "central", "device", "add", cell).splitlines()[0]
        self.kenh(cell, "join", address, typed=code + "\n")

    def digest(self, home: str, channel: str) -> str:
        """Of the merged state."""
        return json.loads(self.kenh(home, "status", "--json"))["digests"].get(channel, "")

    def peak(self) -> int:
        """Of the centre's memory, in MB."""
        status = Path(f"/proc/{self.server.pid}/status").read_text("ascii")
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) // 1024


def timed(name: str, body) -> float:
    """Say how long it took."""
    began = time.monotonic()
    body()
    seconds = time.monotonic() - began
    print(f"| {name} | {seconds:.1f} s |", flush=True)
    return seconds


def main() -> int:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kenh", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kenh-join-") as folder:
        run = Run(options.kenh.resolve(), Path(folder))
        run.kenh("centre", "central", "init")
        address = run.serve()
        try:
            return play(run, address, options.rows)
        finally:
            run.server.send_signal(signal.SIGTERM)
            run.server.wait()


def play(run: Run, address: str, rows: int) -> int:
    """Write, make the snapshot, join beside a busy cell, compare."""
    for cell in ("CB1", "CB2"):
        run.join(cell, address)
    print(f"| {rows} rows in one channel | |\n|---|---|")
    timed("written by plain SQL", lambda: run.sql("CB1", f"""
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
        INSERT INTO work_item(id, channel, title, unit, due, weight)
        SELECT printf('W%07d', i), 'plan/KH1', 'Việc số ' || i, 'CB' || (i % 50), '2026-12-01', i % 7 FROM n"""))
    timed("sent and merged at the centre", lambda: (run.kenh("CB1", "sync"), run.kenh("centre", "sync")))
    timed("the snapshot is made", lambda: run.kenh("centre", "central", "snapshot", "make", "plan/KH1"))
    timed("a cell that was there takes all blocks", lambda: run.kenh("CB2", "sync"))
    waits: list[float] = []
    over = threading.Event()

    def busy() -> None:
        while not over.is_set():
            run.sql("CB2", f"INSERT INTO work_item(id, channel, title) VALUES('B{len(waits)}', 'plan/KH2', 'busy')")
            began = time.monotonic()
            run.kenh("CB2", "sync")
            waits.append(time.monotonic() - began)

    run.join("CB3", address)
    thread = threading.Thread(target=busy)
    thread.start()
    seconds = timed("a new cell joins with the snapshot", lambda: run.kenh("CB3", "sync"))
    over.set()
    thread.join()
    print(f"| rows a second | {rows / seconds:,.0f} |")
    print(f"| syncs of a busy cell meanwhile, median and longest | {len(waits)}: {statistics.median(waits):.2f} s, "
          f"{max(waits):.2f} s |")
    print(f"| the centre's memory at its peak | {run.peak()} MB |")
    heads = int(run.sql("CB3", "SELECT count(*) FROM kenh_block WHERE length(body) = 0"))
    for _ in range(2):
        for home in ("CB2", "CB3", "centre"):
            run.kenh(home, "sync")
    counts = {home: run.sql(home, "SELECT count(*) FROM work_item WHERE channel = 'plan/KH1'")
              for home in ("CB1", "CB3", "centre")}
    digests = {run.digest(home, "plan/KH1") for home in ("CB1", "CB3", "centre")}
    good = heads > 0 and set(counts.values()) == {str(rows)} and len(digests) == 1
    print(f"| rows and digests | {'equal' if good else f'NOT equal: {counts} {digests}, {heads} heads'} |")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
