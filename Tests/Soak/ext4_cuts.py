#!/usr/bin/env python3
"""Cuts the power of a real ext4 file system under a cell or a centre at work, and counts what was acknowledged and is
gone afterwards.

The file system lies in a loop image. EXT4_IOC_SHUTDOWN without a log flush stops it dead: what was not on the disk by
then is lost, as when the plug is pulled. Needs root, Linux and e2fsprogs. Uses nothing of Kenh's but the command.

    sudo Tests/Soak/ext4_cuts.py .build/release/kenh --cuts 50
    sudo Tests/Soak/ext4_cuts.py .build/release/kenh --cuts 20 --prove     must find losses: the writer asks for no syncs
"""

import argparse
import fcntl
import json
import os
import random
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile
import threading
import time

EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2


class Disk:
    """A file system of its own that can lose its power."""

    def __init__(self, folder, name):
        self.image = os.path.join(folder, name + ".img")
        self.path = os.path.join(folder, name)
        os.mkdir(self.path)
        with open(self.image, "wb") as file:
            file.truncate(192 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", self.image], check=True)
        self.mount()

    def mount(self):
        subprocess.run(["mount", "-o", "loop", self.image, self.path], check=True)

    def cut(self):
        handle = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(handle)

    def unmount(self):
        for _ in range(100):
            if subprocess.run(["umount", self.path], stderr=subprocess.DEVNULL).returncode == 0:
                return
            time.sleep(0.05)
        raise SystemExit(f"{self.path} cannot be unmounted")

    def restart(self):
        self.unmount()
        self.mount()


class Writer(threading.Thread):
    """Commits one row after another into a cell's table and notes which were acknowledged."""

    def __init__(self, path, prefix, synchronous):
        super().__init__()
        self.path, self.prefix, self.synchronous = path, prefix, synchronous
        self.acknowledged = []
        self.ending = False

    def run(self):
        connection = sqlite3.connect(self.path, timeout=20, isolation_level=None)
        try:
            connection.execute(f"PRAGMA synchronous={self.synchronous}")
            number = 0
            while not self.ending:
                name = f"{self.prefix}/{number}"
                connection.execute(
                    "INSERT INTO work_item(id, channel, title) VALUES(?, 'plan/P', ?)", (name, "Việc " + name))
                self.acknowledged.append(name)
                number += 1
        except sqlite3.Error:
            pass
        finally:
            connection.close()


class Cuts:
    def __init__(self, options, folder):
        self.kenh, self.random = os.path.abspath(options.kenh), random.Random(options.seed)
        self.synchronous = "OFF" if options.prove else "EXTRA"
        self.server = None
        self.lost, self.acknowledged, self.cuts = 0, 0, {"cell": 0, "centre": 0}
        self.disks = {name: Disk(folder, name) for name in ("cell", "centre")}
        self.homes = {name: os.path.join(disk.path, "home") for name, disk in self.disks.items()}
        self.folder = folder
        self.run("central", "init", "--name", "Soak", home="centre")
        self.run("central", "cell", "add", "CB1", "--name", "One", home="centre")
        code = json.loads(self.run("central", "device", "add", "CB1", "--json", home="centre"))["code"]
        self.serve()
        self.run("join", f"http://127.0.0.1:{self.port}", home="cell", input=code + "\n")

    def run(self, *arguments, home, input="", check=True):
        done = subprocess.run(
            [self.kenh, *arguments, "--home", self.homes[home]], input=input, text=True, capture_output=True)
        if check and done.returncode != 0:
            raise SystemExit(f"kenh {' '.join(arguments)}: exit {done.returncode}\n{done.stderr}")
        return done.stdout if check else done.returncode

    def serve(self):
        port_file = os.path.join(self.folder, "port")
        if os.path.exists(port_file):
            os.remove(port_file)
        self.server = subprocess.Popen(
            [self.kenh, "central", "serve", "--port", str(getattr(self, "port", 0)), "--port-file", port_file, "--home",
             self.homes["centre"]], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        for _ in range(400):
            if os.path.exists(port_file) and open(port_file).read().endswith("\n"):
                self.port = int(open(port_file).read())
                return
            time.sleep(0.02)
        raise SystemExit("the centre does not serve")

    def stop(self):
        if self.server:
            self.server.send_signal(signal.SIGKILL)
            self.server.wait()
            self.server = None

    def rows(self, name):
        connection = sqlite3.connect(os.path.join(self.homes[name], "kenh.db"), timeout=20)
        try:
            if connection.execute("PRAGMA integrity_check").fetchone() != ("ok",):
                raise SystemExit(f"the {name}'s store is damaged")
            return {row[0] for row in connection.execute("SELECT id FROM work_item")}
        finally:
            connection.close()

    def expect(self, name, wanted):
        missing = set(wanted) - self.rows(name)
        self.acknowledged += len(wanted)
        self.lost += len(missing)
        if missing:
            print(f"  lost at the {name}: {sorted(missing)[:3]} …", file=sys.stderr)

    def cut_cell(self, number):
        """Rows that a tool committed have to be there; the store has to open by itself and be whole."""
        writer = Writer(os.path.join(self.homes["cell"], "kenh.db"), f"cell-{number}", self.synchronous)
        writer.start()
        sync = subprocess.Popen(
            [self.kenh, "sync", "--home", self.homes["cell"]], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        time.sleep(self.random.uniform(0.02, 0.25))
        self.disks["cell"].cut()
        # Whatever was acknowledged after this line was so before the cut.
        known = list(writer.acknowledged)
        writer.ending = True
        writer.join()
        sync.wait()
        self.disks["cell"].restart()
        self.expect("cell", known[:-1])
        self.run("verify", home="cell")

    def cut_centre(self, number):
        """What a sync ended well with has to be in the centre's log."""
        path = os.path.join(self.homes["cell"], "kenh.db")
        known = []
        ends = time.monotonic() + self.random.uniform(0.05, 0.6)
        timer = threading.Timer(max(ends - time.monotonic(), 0), self.disks["centre"].cut)
        timer.start()
        for turn in range(1000):
            connection = sqlite3.connect(path, timeout=20)
            names = [f"centre-{number}/{turn}/{i}" for i in range(5)]
            connection.executemany(
                "INSERT INTO work_item(id, channel, title) VALUES(?, 'plan/P', 'x')", [(name,) for name in names])
            connection.commit()
            connection.close()
            if self.run("sync", home="cell", check=False) != 0:
                break
            known += names
        timer.join()
        self.stop()
        self.disks["centre"].restart()
        # By itself, before any cell could send the rows again.
        self.run("sync", home="centre")
        self.expect("centre", known)
        self.run("verify", home="centre")
        self.serve()

    def play(self, count):
        started = time.monotonic()
        for number in range(count):
            kind = "cell" if number % 2 == 0 or self.synchronous == "OFF" else "centre"
            (self.cut_cell if kind == "cell" else self.cut_centre)(number)
            self.cuts[kind] += 1
            if self.synchronous == "OFF" and self.lost:
                break
            if sys.stderr.isatty():
                print(f"\r{number + 1} of {count} cuts, {self.lost} lost ", end="", file=sys.stderr)
        if self.synchronous != "OFF":
            for _ in range(2):
                self.run("sync", home="cell")
            self.run("sync", home="centre")
            self.run("verify", "--deep", home="cell")
            if self.rows("cell") != self.rows("centre"):
                raise SystemExit("cell and centre differ at the end")
        return time.monotonic() - started

    def close(self):
        self.stop()
        for disk in self.disks.values():
            disk.unmount()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kenh", help="the command to be tried")
    parser.add_argument("--cuts", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--prove", action="store_true", help="write without syncs, so that losses must be found")
    options = parser.parse_args()
    if os.geteuid() != 0:
        raise SystemExit("ext4_cuts.py mounts file systems: run it as root")
    folder = tempfile.mkdtemp(prefix="kenh-ext4-")
    cuts = None
    try:
        cuts = Cuts(options, folder)
        seconds = cuts.play(options.cuts)
    finally:
        if cuts:
            cuts.close()
        shutil.rmtree(folder, ignore_errors=True)
    print(
        f"{sum(cuts.cuts.values())} ext4 cuts ({cuts.cuts['cell']} of the cell, {cuts.cuts['centre']} of the centre) in "
        f"{seconds:.0f} s: {cuts.acknowledged} acknowledged rows checked, {cuts.lost} lost")
    if options.prove:
        return 0 if cuts.lost > 0 else 3
    return 3 if cuts.lost else 0


if __name__ == "__main__":
    sys.exit(main())
