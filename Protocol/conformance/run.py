#!/usr/bin/env python3
"""Checks the program against a second client that was written from the normative text alone; see README.md."""

import argparse
import sys
import tempfile
from pathlib import Path

from checks import (
    answers, audits, blobs, device_keys, joining, liars, merging, random_edits, refused_blocks, refused_requests, restores,
    organisations, rights, serving_keys, snapshots, trees, vectors, waking, words)
from checks.results import Results
from checks.world import World


def main() -> int:
    """Run all checks; 0 where all passed, else 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kenh", type=Path, required=True, metavar="PATH", help="the program to check")
    parser.add_argument("--seed", type=int, default=1, help="of the random edits")
    parser.add_argument("--verbose", action="store_true", help="say more of what is done, and where it fails")
    arguments = parser.parse_args()
    results = Results(arguments.verbose)
    vectors.run(results)
    with tempfile.TemporaryDirectory(prefix="kenh-conformance-") as folder:
        world = World(arguments.kenh.resolve(), Path(folder), results)
        try:
            world.start()
            merging.run(world)
            random_edits.run(world, arguments.seed)
            refused_requests.run(world)
            refused_blocks.run(world)
            answers.run(world)
            trees.run(world)
            waking.run(world)
            serving_keys.run(world)
            device_keys.run(world)
            liars.run(world)
            restores.run(world)
            trees.run_lives(world)
            blobs.run(world)
            rights.run(world)
            words.run(world)
            snapshots.run(world)
            joining.run(world)
            audits.run(world, arguments.seed)
            rights.run_last(world)
            refused_blocks.run_last(world)
            organisations.run(world)
        finally:
            world.close()
            if results.failed and results.verbose:
                print(world.centre.log())
    return results.summary()


if __name__ == "__main__":
    sys.exit(main())
