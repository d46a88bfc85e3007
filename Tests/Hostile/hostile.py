#!/usr/bin/env python3
"""Sends a real centre what no cell would send, while an honest cell goes on syncing, and prints what came back.

    make hostile REQUESTS=2000 SEED=1

Each request is made from the seed and its number alone: `--only N` sends that one again. Ends with 3 where anything
failed: a status or code that the text does not have for that very request, a receipt that it does not have for a block,
an answer that is not signed, an entry more in the log, a dead or swollen process, files left open, or data that changed.
"""

import argparse
import http.client
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from shots import ROOT, Attacker  # Finds what the second client has.
from scenes import Scenes, too_many_streams

from checks.organisation import HOST, Centre, OtherCell, RealCell, insert
from checks.requests import check_signed
from kenh_client.http_signing import Answer
from kenh_client.kenh_pb2 import VERDICT_HELD_BACK, VERDICT_INVALID, Problem, SyncResponse

# The centre reads a body as a whole: 96 MiB at most, beside what it holds anyway.
MEMORY_BOUND = 256 * 2**20
MIB = 2**20


# Lines that nobody speaks on any more; the oldest are let go.
HELD, HELD_LIMIT = [], 300


def hold(port, shot):
    """Opens a line and leaves it."""
    line = socket.create_connection((HOST, port), timeout=30)
    line.sendall(shot.content)
    HELD.append(line)
    while len(HELD) > HELD_LIMIT:
        HELD.pop(0).close()


def fire(port, shot):
    """The answer, or None where the line was closed without one."""
    with socket.create_connection((HOST, port), timeout=shot.patience) as line:
        try:
            if shot.pause:
                for byte in shot.content:
                    line.sendall(bytes([byte]))
                    time.sleep(shot.pause)
            else:
                line.sendall(shot.content)
            line.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # It may have answered already.
        try:
            response = http.client.HTTPResponse(line, method="HEAD" if shot.content.startswith(b"HEAD ") else "GET")
            response.begin()
            fields = {name.lower(): value for name, value in response.getheaders()}
            # A stream has no end.
            is_stream = fields.get("content-type", "").startswith("text/event-stream")
            return Answer(response.status, fields, b"" if is_stream else response.read())
        except TimeoutError:
            if shot.patience < 30:
                return None
            raise
        except (OSError, http.client.HTTPException):
            return None


def said(answer):
    """Status, and the code of the problem behind it where there is one."""
    if answer is None:
        return "closed"
    if answer.status == 200 or not answer.fields.get("content-type", "").startswith("application/x-protobuf"):
        return str(answer.status)
    return f"{answer.status} {Problem.FromString(answer.body).code}"


def what_is_wrong(port, shot):
    """What the centre said, and what is wrong with that or None."""
    found = []
    if shot.held:
        return "held", hold(port, shot)
    for _ in range(2 if shot.again else 1):
        try:
            answer = fire(port, shot)
        except TimeoutError:
            return "no end", "no answer and no end within 30 s"
        found.append(said(answer))
        if found[-1] not in shot.allowed:
            return found[-1], f"{found[-1]} instead of {' or '.join(sorted(shot.allowed))}: {answer.body[:120] if answer else b''}"
        # What the parser refuses nobody signs, nor a stream.
        is_signed = answer and found[-1] != "400" and not answer.fields.get("content-type", "").startswith("text/event-stream")
        if shot.request and is_signed:
            try:
                check_signed(shot.cell, answer, shot.request)
            except Exception as error:  # pylint: disable=broad-except
                return found[-1], f"{found[-1]}: {error}"
        if shot.verdicts is not None:
            return found[-1], wrong_receipts(SyncResponse.FromString(answer.body), shot.verdicts)
    return found[-1], None if len(set(found)) == 1 else f"the same again: {found}"


def wrong_receipts(response, wanted):
    """Whether blocks that nobody may take got anything but the receipts that the text has for them."""
    if len(response.receipts) != len(wanted):
        return f"{len(response.receipts)} receipts for {len(wanted)} blocks"
    for number, (receipt, codes) in enumerate(zip(response.receipts, wanted)):
        verdict = VERDICT_HELD_BACK if receipt.code == "missing" else VERDICT_INVALID
        if receipt.code not in codes or receipt.verdict != verdict or receipt.HasField("proof"):
            return f"receipt {number}: verdict {receipt.verdict}, {receipt.code} instead of {codes}"
    return None


def memory_and_files(process):
    status = Path(f"/proc/{process}/status").read_text("ascii")
    peak = next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))
    return peak, len(list(Path(f"/proc/{process}/fd").iterdir()))


class Run:
    """One centre, its honest cell, and the attacker."""

    def __init__(self, options, folder):
        self.options = options
        self.centre = Centre(options.kenh, folder / "centre")
        self.honest = RealCell(options.kenh, folder / "cell")
        self.failures, self.seen, self.rows = [], {}, 0
        self.lock, self.next = threading.Lock(), 0

    def prepare(self):
        self.centre.start()
        for code in ("CB1", "CB2", "CB3"):
            self.centre.add_cell(code)
        self.honest.join(f"http://{HOST}:{self.centre.port}", self.centre.code("CB1"))
        cells = [OtherCell(self.centre.port, self.honest.schema()) for _ in range(2)]
        for cell, code in zip(cells, ("CB2", "CB3")):
            cell.join(self.centre.code(code))
        self.write()
        cells[0].sync()
        self.centre.run("central", "device", "revoke", cells[1].client.key.public.hex(), "--reason", "lost")
        [block] = cells[0].seal("plan/KH1", insert("work_item", "BAD", title="x"))
        self.attacker = Attacker(cells[0], cells[1], block.message)
        # It stays with whoever made it: the scenes seal others.
        cells[0].store.blocks.pop(block.hash)
        cells[0].store.own_tips.clear()
        cells[0].store.rows.pop(("work_item", "BAD", "plan/KH1"))
        self.scenes = Scenes(self.centre, cells[0], self.honestly)
        self.scenes.fire = lambda shot: (said(fire(self.centre.port, shot)),)

    def write(self):
        self.rows += 1
        self.honest.sql(f"INSERT INTO work_item(id, channel, title) VALUES('A{self.rows}', 'plan/KH1', 'Việc {self.rows}')")
        self.honest.sync()

    def work(self):
        while True:
            with self.lock:
                number, self.next = self.next, self.next + 1
            if number >= self.options.requests:
                return
            self.play(number)

    def play(self, number):
        name, shot = self.attacker.shot(self.options.seed, number)
        try:
            status, wrong = what_is_wrong(self.centre.port, shot)
        except Exception as error:  # pylint: disable=broad-except
            status, wrong = "failed", repr(error)
        with self.lock:
            self.seen.setdefault(name, Counter())[status] += 1
            if wrong:
                self.failures.append(f"{name} --only {number}: {wrong}")

    def play_scenes(self):
        for scene in self.scenes.all:
            before, rows = self.scenes.entries(), self.rows
            try:
                grown = scene()
                # The honest cell's rows are a block each.
                found = self.scenes.entries() - before - (self.rows - rows)
                if found != grown:
                    raise AssertionError(f"the log grew by {found} entries instead of {grown}")
                verdict = "as the text says"
            except Exception as error:  # pylint: disable=broad-except
                verdict = "failed"
                self.failures.append(f"{scene.__name__}: {error!r}")
            self.seen.setdefault(f"scene {scene.__name__}", Counter())[verdict] += 1
            self.look_after(scene.__name__)

    def look_after(self, what):
        """Whatever was asked: the centre is there, lean, and had no fault of its own."""
        answer = http.client.HTTPConnection(HOST, self.centre.port, timeout=10)
        answer.request("GET", "/healthz")
        response = answer.getresponse()
        if (response.status, response.read().strip()) != (200, b"ok"):
            self.failures.append(f"after {what}: /healthz says {response.status}")
        answer.close()
        peak = memory_and_files(self.centre._server.pid)[0]
        if peak > MEMORY_BOUND:
            self.failures.append(f"after {what}: peak memory {peak}")

    def attack(self):
        if self.options.only is not None:
            return self.play(self.options.only)
        before, rows = self.scenes.entries(), self.rows
        threads = [threading.Thread(target=self.work) for _ in range(8)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            self.honestly()
            time.sleep(0.5)
        self.look_after("single requests")
        grown = self.scenes.entries() - before - (self.rows - rows)
        if grown:
            self.failures.append(f"the log grew by {grown} entries more than the honest cell's rows")

    def honestly(self):
        try:
            self.write()
        except AssertionError as error:
            self.failures.append(f"the honest cell: {error}")

    def judge(self, files):
        server = self.centre._server
        if server.poll() is not None:
            return self.failures.append(f"the centre ended with {server.returncode}: {self.centre.log()[-500:]}")
        self.honestly()
        while HELD:
            HELD.pop().close()
        deadline = time.monotonic() + 70
        # A line on which more came than the centre reads before it refuses is ended after a minute.
        while (found := memory_and_files(server.pid))[1] > files + 4 and time.monotonic() < deadline:
            time.sleep(0.5)
        print(f"peak memory {found[0] / 2**20:.0f} MiB, open files {files} before and {found[1]} after")
        if found[0] > MEMORY_BOUND:
            self.failures.append(f"peak memory {found[0]}")
        if found[1] > files + 4:
            self.failures.append(f"open files {files} before, {found[1]} after")
        wanted = {f"A{number}" for number in range(1, self.rows + 1)}
        for node in (self.honest, self.centre):
            found = {name for name, row in node.rows("work_item").items() if row["channel"] == "plan/KH1"}
            if found != wanted:
                self.failures.append("rows are not those of the honest cell")
        for node in (self.centre, self.honest):
            try:
                node.run("verify")
            except AssertionError as error:
                self.failures.append(str(error))

    def crowd(self, folder):
        """Of one organisation among several, whose share of streams is smaller."""
        (folder / "organisations").mkdir()
        centre = Centre(self.options.kenh, folder / "organisations" / "one")
        centre.run("central", "init", "--name", "One")
        centre.add_cell("CB1")
        centre.serve("--organisations", str(folder / "organisations"))
        verdict = "as the text says"
        try:
            too_many_streams(centre, self.honest.schema(), "/one")
            print(f"peak memory with all streams {memory_and_files(centre._server.pid)[0] / MIB:.0f} MiB")
        except Exception as error:  # pylint: disable=broad-except
            verdict = "failed"
            self.failures.append(f"too_many_streams: {error!r}")
        finally:
            centre.stop()
        self.seen.setdefault("scene too_many_streams", Counter())[verdict] += 1

    def table(self):
        print("\n| request | sent | what was said |\n|---|---|---|")
        for name, seen in sorted(self.seen.items()):
            print(f"| {name} | {seen.total()} | {', '.join(f'{s}: {n}' for s, n in sorted(seen.items()))} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kenh", type=Path, default=ROOT / ".build" / "release" / "kenh")
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int)
    options = parser.parse_args()
    options.kenh = options.kenh.resolve()
    with tempfile.TemporaryDirectory(prefix="kenh-hostile-") as folder:
        run = Run(options, Path(folder))
        try:
            run.prepare()
            files = memory_and_files(run.centre._server.pid)[1]
            began = time.monotonic()
            run.attack()
            seconds = time.monotonic() - began
            if options.only is None:
                run.play_scenes()
            run.judge(files)
        finally:
            run.centre.stop()
        if options.only is None:
            run.crowd(Path(folder))
    run.table()
    for failure in run.failures[:20]:
        print(f"FAILED, seed {options.seed}: {failure}")
    count = sum(seen.total() for name, seen in run.seen.items() if not name.startswith("scene"))
    print(f"{count} requests in {seconds:.0f} s ({count / seconds:.0f} a second), {len(run.failures)} failed")
    return 3 if run.failures else 0


if __name__ == "__main__":
    sys.exit(main())
