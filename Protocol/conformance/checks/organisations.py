"""Two organisations behind one address (README section 3)."""

import shutil

from kenh_client.client import CentreProblem, Failed

from .organisation import Centre, OtherCell, insert
from .results import expect, expect_equal
from .world import World


def run(world: World) -> None:
    """Last: the centre of the checks before is not served any more."""
    world.centre.stop()
    folder = world.centre.home.parent / "organisations"
    folder.mkdir()
    centres = {name: Centre(world.centre.binary, folder / name) for name in ("a", "b")}
    for centre in centres.values():
        centre.run("central", "init", "--name", centre.home.name)
        centre.add_cell("CB1")
    server = centres["a"]
    server.serve("--organisations", str(folder))
    try:
        _check(world, centres, server.port)
    finally:
        server.stop()
        shutil.rmtree(folder)


def _check(world: World, centres: dict[str, Centre], port: int) -> None:
    cells = {}
    with world.results.check("a cell of each joins and syncs by the path under its organisation's name"):
        for name, centre in centres.items():
            cells[name] = OtherCell(port, world.schema, prefix=f"/{name}")
            cells[name].join(centre.code("CB1"))
            cells[name].sync()
            cells[name].seal("plan/KH1", insert("work_item", "W1", title=f"of {name}"))
            cells[name].sync()
        digests = {name: cell.store.digest("plan/KH1") for name, cell in cells.items()}
        expect(digests["a"] != digests["b"], "both have one digest")
        for name, centre in centres.items():
            expect_equal(centre.rows("work_item")["W1"]["title"], f"of {name}", "what the centre shows")
    with world.results.check("whoever belongs to one is refused by the other"):
        stranger = cells["a"].copy()
        stranger.client.prefix = "/b"
        stranger.seal("plan/KH1", insert("work_item", "W2", title="of a"))
        try:
            stranger.sync()
            expect(False, "it is served")
        except (CentreProblem, Failed, Exception) as error:  # Its answers are signed by a key that this one does not know.
            expect(not isinstance(error, AssertionError), str(error))
        expect("W2" not in centres["b"].rows("work_item"), "the row is there")
    with world.results.check("a name that nobody has is not found"):
        nobody = OtherCell(port, world.schema, prefix="/c")
        try:
            nobody.join(centres["a"].code("CB1"))
            expect(False, "it is served")
        except (CentreProblem, Failed, Exception) as error:
            expect(not isinstance(error, AssertionError), str(error))
