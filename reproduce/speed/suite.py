"""What ``speed all`` measures: enough for the table, the plots and the cost model of a device."""

from __future__ import annotations

from models.zoo import METHODS
from reproduce.speed.planning import Networks, Where, diversities, modes, steps, translations, waits
from reproduce.speed.store import Measurement, distinct

# MUNIT with two discriminators of three layers: an original implementation was timed with these.
_THREE_LAYERS = {"dis_layers": "3", "dis_scales": "2"}
# One method of each class of networks.
_FAMILIES = ("munit", "unit", "cyclegan", "bicyclegan")


def suite(where: Where, *, quick: bool) -> list[Measurement]:
    """``quick`` takes some two minutes on two cores, else fifteen; on a GPU the whole is larger."""
    if quick:
        return distinct(_quick(where))
    if where.device == "cpu":
        return distinct(_processor(where))
    return distinct(_gpu(where))


def _quick(where: Where) -> list[Measurement]:
    cpu = Networks("cpu")
    return [
        *steps(["munit"], cpu, where, count=5, primitives=True),
        *steps(["unit", "cyclegan"], cpu, where, count=5, memory=False),
        *_sweep(where, 32, sizes=(32, 64), widths=(8, 16), batches=(1, 4), count=5),
        *translations(["munit"], cpu, where, batches=[8], counts=[100, 1000]),
        *diversities(where, protocols=["consecutive"], size=32, batch=16, inputs=20),
        modes("munit", cpu, where, inputs=20, samples=20),
        *waits(["munit"], cpu, where, count=30),
    ]  # fmt: skip


def _processor(where: Where) -> list[Measurement]:
    cpu = Networks("cpu")
    # Where the originals were timed: 32 px, batch 8, dim 16; and the published size at 256 px.
    small = Networks(width=16, settings=_THREE_LAYERS)
    return [
        *steps(METHODS, cpu, where, memory=False),
        *steps(_FAMILIES, cpu, where),
        *steps(["munit"], small, where, size=32, batch=8, count=20, each_way=True,
               primitives=True),
        *_sweep(where, 32, sizes=(32, 64, 128, 256), widths=(8, 16, 32, 64),
                batches=(1, 2, 4, 8, 16), count=5),
        *steps(["munit"], Networks(settings=_THREE_LAYERS), where, size=256, batch=1, count=3,
               primitives=True),
        *translations(["munit"], cpu, where, batches=[1, 8], counts=[100, 1000]),
        *translations(["munit"], cpu, where, batches=[32], counts=[100, 1000, 10000]),
        *diversities(where, protocols=["consecutive", "paper"], size=64, batch=16, inputs=100),
        modes("munit", cpu, where, inputs=100, samples=100),
        *waits(["munit", "cyclegan"], cpu, where, count=60),
    ]  # fmt: skip


def _gpu(where: Where) -> list[Measurement]:
    gpu, paper = Networks("gpu"), Networks()
    made = []
    for precision in ("float32", "bf16"):
        for batch in (1, 8):
            methods = [m for m in METHODS if batch > 1 or m != "bicyclegan"]  # which needs pairs
            made += steps(
                methods, paper, where, size=256, batch=batch, precision=precision, count=20
            )
        made += steps(METHODS, gpu, where, precision=precision, count=20)
    return [
        *made,
        *steps(["munit"], paper, where, size=256, batch=1, count=30, each_way=True,
               primitives=True),
        *_sweep(where, 128, sizes=(64, 128, 256, 512), widths=(16, 32, 64, 128),
                batches=(1, 2, 4, 8, 16), count=20),
        *translations(["munit"], gpu, where, batches=[1, 8, 32], counts=[100, 1000, 10000]),
        *diversities(where, protocols=["consecutive", "paper"], size=256, batch=16, inputs=100),
        modes("munit", gpu, where, inputs=100, samples=100),
        *waits(["munit", "cyclegan"], gpu, where, count=200),
    ]  # fmt: skip


def _sweep(
    where: Where, size: int, *, sizes: tuple[int, ...], widths: tuple[int, ...],
    batches: tuple[int, ...], count: int,
) -> list[Measurement]:  # fmt: skip
    """MUNIT's step against one of resolution, width and batch at a time."""
    narrow = Networks(width=widths[1], settings=_THREE_LAYERS)
    made = []
    for side in sizes:
        made += steps(["munit"], narrow, where, size=side, batch=1, count=count, memory=False)
    for width in widths:
        wide = Networks(width=width, settings=_THREE_LAYERS)
        made += steps(["munit"], wide, where, size=size, batch=1, count=count, memory=False)
    for batch in batches:
        made += steps(["munit"], narrow, where, size=size, batch=batch, count=count, memory=False)
    return made
