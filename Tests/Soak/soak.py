#!/usr/bin/env python3
"""Works through the soak column of the reliability table for a number of minutes, and prints the table.

    make soak MINUTES=60

Every part runs the same code as the tests do, with more of everything and seeds that no test has had; the first seed
is drawn from the clock and printed, so that a failing run can be repeated with --seed. Ends with 0 when nothing was
lost, all digests were equal and nobody was stuck.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RELEASE = os.path.join(ROOT, ".build", "release")


# No piece of work takes near as long: whatever does goes on for ever.
LIMIT_SECONDS = 1800


def run_to_end(arguments, **options):
    """Runs a program. Returns what came of it, or None where it had to be ended."""
    process = subprocess.Popen(
        arguments, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, **options)
    try:
        output, errors = process.communicate(timeout=LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return None
    return subprocess.CompletedProcess(arguments, process.returncode, output, errors)


class Part:
    """One measure: a command that does a piece of work, again and again while there is time."""

    def __init__(self, name, unit, share, target, run):
        self.name, self.unit, self.share, self.target, self.run = name, unit, share, target, run
        self.done, self.failures, self.seconds = 0, [], 0.0

    def play(self, seconds, seed):
        ends = time.monotonic() + seconds
        started = time.monotonic()
        while True:
            before = time.monotonic()
            done, failure = self.run(seed)
            self.done += done
            if failure:
                self.failures.append(f"seed {seed}: {failure}")
            seed += 1
            spent = time.monotonic() - before
            # Another piece only where it is likely to end in time.
            if time.monotonic() + spent > ends:
                break
        self.seconds = time.monotonic() - started


def tests(name, environment, filter):
    """Runs some of the package's tests with other numbers than by default."""
    done = run_to_end(
        ["swift", "test", "-c", "release", "--skip-build", "--filter", filter],
        env={**os.environ, **{key: str(value) for key, value in environment.items()}})
    if done is None:
        return f"{name}: did not end within {LIMIT_SECONDS} s"
    if done.returncode == 0 and re.search(r"Test run with [1-9]", done.stdout):
        return None
    lines = [line for line in done.stdout.splitlines() if "✘" in line or "↳" in line]
    return f"{name}: " + " ".join(lines[:6] or [f"exit {done.returncode}", done.stderr[-300:]])


def program(arguments):
    """Runs a program. Returns its exit code and the lines that say what failed, or else the last one."""
    done = run_to_end(arguments)
    if done is None:
        return 1, f"did not end within {LIMIT_SECONDS} s"
    output = (done.stdout + done.stderr).strip().splitlines()
    failed = [line for line in output if "FAILED" in line][:3]
    return done.returncode, "; ".join(failed or output[-1:])


def simulation(seed):
    count = 200
    code, line = program([os.path.join(RELEASE, "kenh-sim"), str(seed * count), "2000", str(count)])
    return count * 2000, None if code == 0 else line


def power_cuts(seed):
    count = 20000
    return count, tests("power cuts", {"KENH_CUTS": count}, "SimulationTests.PowerCutTests/cuts")


def kills(seed):
    count = 200
    return count, tests("kills", {"KENH_KILLS": count, "KENH_KILL_SEED": seed}, "EndToEndTests.KillTests")


def bit_flips(seed):
    count = 1000
    return 2 * count, tests("bit flips", {"KENH_BIT_FLIPS": count, "KENH_BIT_FLIP_SEED": seed}, "DamageTests")


def ext4_cuts(seed):
    count = 40
    if os.geteuid() != 0:
        return 0, "needs root for loop mounts"
    code, line = program([sys.executable, os.path.join(ROOT, "Tests", "Soak", "ext4_cuts.py"),
                          os.path.join(RELEASE, "kenh"), "--cuts", str(count), "--seed", str(seed)])
    return count, None if code == 0 else line


def hostile_requests(seed):
    count = 10000
    # The packages that Deploy/setup installs are those of the system's own Python.
    python = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
    code, line = program([python, "-B", os.path.join(ROOT, "Tests", "Hostile", "hostile.py"), "--kenh",
                          os.path.join(RELEASE, "kenh"), "--requests", str(count), "--seed", str(seed)])
    return count, None if code == 0 else line


PARTS = [
    Part("simulated steps, 8 cells", "steps", 0.45, "200 M", simulation),
    Part("RAM-disk power cuts", "cuts", 0.15, "1 M", power_cuts),
    Part("ext4 power cuts", "cuts", 0.10, "—", ext4_cuts),
    Part("kill -9 of real processes", "kills", 0.15, "20,000", kills),
    Part("bit flips", "flips", 0.15, "20,000", bit_flips),
    Part("hostile requests", "requests", 0.10, "500,000", hostile_requests),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--only", help="words of a measure's name")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else int(time.time()) % 1_000_000 + 1000
    parts = [part for part in PARTS if not options.only or options.only in part.name]
    shares = sum(part.share for part in parts)
    print(f"seed {seed}, {options.minutes:g} minutes", flush=True)
    for part in parts:
        part.play(options.minutes * 60 * part.share / shares, seed)
        print(f"{part.name}: {part.done:,} {part.unit} in {part.seconds:.0f} s, {len(part.failures)} failures", flush=True)
        for failure in part.failures:
            print(f"  {failure}", flush=True)
    print("\n| measure | done | soak asks | failures |\n|---|---|---|---|")
    for part in parts:
        print(f"| {part.name} | {part.done:,} {part.unit} | {part.target} | {len(part.failures)} |")
    return 3 if any(part.failures for part in parts) else 0


if __name__ == "__main__":
    sys.exit(main())
