"""Random edits of the same ids in two channels, by three cells that sync now and then: all come to the same."""

import random

from kenh_client.store import Edit

from .organisation import OtherCell, add, delete, insert, update
from .world import World

CHANNELS = ("random/1", "random/2")
ROWS = [f"row {n}" for n in range(6)]
ROUNDS = 4
STEPS = 30


def run(world: World, seed: int) -> None:
    """Some rounds; after each of them all are compared."""
    dice = random.Random(seed)
    with world.results.check(f"random edits by three cells (seed {seed})"):
        for _ in range(ROUNDS):
            for _ in range(STEPS):
                _step(world, dice)
            world.settle()


def _step(world: World, dice: random.Random) -> None:
    who = dice.randrange(8)
    if who == 0:
        world.real.sql("; ".join(_sql(dice) for _ in range(3)))
    elif who == 1:
        dice.choice([world.real, world.other, world.third]).sync()
    else:
        _write(dice.choice([world.other, world.third]), dice)


def _sql(dice: random.Random) -> str:
    row, channel, value = dice.choice(ROWS), dice.choice(CHANNELS), dice.randrange(4)
    found = f"SELECT channel FROM review WHERE id = '{row}'"
    return dice.choice([
        # A row that is there keeps its channel.
        f"INSERT OR REPLACE INTO review(id, channel, items_done) "
        f"SELECT '{row}', coalesce(({found}), '{channel}'), {value}",
        f"INSERT INTO review(id, channel, results) SELECT '{row}', '{channel}', '{value}' WHERE NOT EXISTS ({found})",
        f"UPDATE review SET items_done = {value} WHERE id = '{row}'",
        f"UPDATE review SET items_planned = {value}, results = '{value}' WHERE id = '{row}'",
        f"DELETE FROM review WHERE id = '{row}'",
    ])


def _write(cell: OtherCell, dice: random.Random) -> None:
    channel = dice.choice(CHANNELS)
    shown = {row for row in ROWS if cell.store.row("review", row, channel).is_shown}
    edits = []
    for _ in range(dice.randrange(1, 5)):
        edits.append(_edit(dice.choice(ROWS), shown, dice))
    cell.seal(
        channel, *edits, later_ms=dice.choice([0, 0, 0, 700, -5_000, 400_000, 90_000_000]),
        with_births=dice.random() < 0.5, changes_per_block=dice.choice([None, 1, 2]))


def _edit(row: str, shown: set[str], dice: random.Random) -> Edit:
    """What somebody may do who sees these rows."""
    value = dice.randrange(4)
    if row not in shown or dice.random() < 0.15:
        shown.add(row)
        return insert("review", row, **dice.choice([
            {}, {"items_done": value}, {"results": str(value), "extra": value}]))
    if dice.random() < 0.25:
        shown.remove(row)
        return delete("review", row)
    if dice.random() < 0.4:
        return add("review", row, items_done=value - 1)
    return update("review", row, **dice.choice([
        {"items_done": value}, {"results": str(value), "items_planned": value}, {"extra": None}]))
