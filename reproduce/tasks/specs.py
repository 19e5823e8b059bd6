"""The specifications of all tasks, by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class TaskSpec:
    """What is known of a task independently of its pictures.

    ``kind``: ``"drawn"`` and ``"animals"`` are drawn on this machine, ``"pix2pix"`` is downloaded,
    ``"photos"`` are sorted from data sets of photographs, ``"own"`` are in a folder of the user's.
    ``directions`` describes the two translations. ``stands_for``: the papers' task that it
    replaces. ``subject``: what is drawn. ``urls``: mirrors of the published archive, in order.
    ``domains``: names of the two domains, if they have modes. ``modes``: the required modes of each
    domain, in order; empty for all that are found, at least ``fewest_modes``. ``paired``: whether
    there are training pairs.
    """

    name: str
    title: str
    directions: dict[str, str]
    stands_for: str
    kind: Literal["drawn", "pix2pix", "animals", "photos", "own"]
    subject: str = ""
    urls: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    modes: tuple[tuple[str, ...], ...] = ()
    fewest_modes: int = 2
    paired: bool = True

    @property
    def drawn(self) -> bool:
        """Whether its pictures are drawn here, in a run's size and number."""
        return self.kind in ("drawn", "animals")

    @property
    def tables(self) -> tuple[int, ...]:
        """The tables of the MUNIT paper that can include it: table 1 is about pairs of pictures,
        table 2 about several modes in a domain; the user's own pictures may suit both."""
        first = not self.domains or self.kind == "own"
        return (1,) * first + (2,) * (bool(self.domains) and self.fewest_modes > 1)


def own_spec(name: str, paired: bool, domains: Sequence[str]) -> TaskSpec:
    """Return a task of the user's own pictures; ``domains``: their two names if they have modes."""
    a, b = domains or "ab"
    return TaskSpec(
        name=name,
        title=name,
        directions={"a2b": f"{a} -> {b}", "b2a": f"{b} -> {a}"},
        stands_for="",
        kind="own",
        domains=tuple(domains),
        paired=paired,
    )


def _edges_to(subject: str, kind: Literal["drawn", "pix2pix"]) -> TaskSpec:
    published = f"edges2{subject}"
    edges = "drawn edges" if kind == "drawn" else "edges"
    return TaskSpec(
        name=f"drawn-{subject}" if kind == "drawn" else published,
        title=f"{edges} -> {subject}",
        directions={"a2b": f"edges -> {subject}", "b2a": f"{subject} -> edges"},
        stands_for=published,
        kind=kind,
        subject=subject,
        urls=() if kind == "drawn" else _pix2pix_urls(published),
    )


def _pix2pix_urls(name: str) -> tuple[str, ...]:
    """Return the URLs of a data set of pix2pix (arXiv 1611.07004) from its authors."""
    berkeley = "efrosgans.eecs.berkeley.edu/pix2pix/datasets"
    author = "people.eecs.berkeley.edu/~tinghuiz/projects/pix2pix/datasets"
    return tuple(
        f"{place}/{name}.tar.gz"
        for place in (f"https://{berkeley}", f"http://{berkeley}", f"https://{author}")
    )


def _sorted_pair(
    name: str,
    a: str,
    b: str,
    kind: Literal["animals", "photos"],
    *,
    modes: tuple[tuple[str, ...], ...] = (),
    fewest_modes: int = 2,
    words: tuple[str, str] | None = None,
) -> TaskSpec:
    """Return a task of two domains with modes; ``words``: their titles, if not their names."""
    from_a, to_b = words or (a.replace("-", " "), b.replace("-", " "))
    drawn = "drawn " if kind == "animals" else ""
    return TaskSpec(
        name=name,
        title=f"{drawn}{from_a} -> {to_b}",
        directions={"a2b": f"{from_a} -> {to_b}", "b2a": f"{to_b} -> {from_a}"},
        stands_for=name.removeprefix("drawn-"),
        kind=kind,
        domains=(a, b),
        modes=modes,
        fewest_modes=fewest_modes,
        paired=False,
    )


OWN_DIGITS = 8  # of the pictures' fingerprint in an own task's name
CIFAR_MODES = (("cat", "deer", "dog", "horse"), ("airplane", "automobile", "ship", "truck"))

TASKS: dict[str, TaskSpec] = {
    spec.name: spec
    for spec in (
        _edges_to("shoes", "drawn"),
        _edges_to("handbags", "drawn"),
        _edges_to("shoes", "pix2pix"),
        _edges_to("handbags", "pix2pix"),
        # The domains of MUNIT's Table 2.
        _sorted_pair("drawn-housecats-bigcats", "house-cats", "big-cats", "animals"),
        _sorted_pair("drawn-housecats-dogs", "house-cats", "dogs", "animals"),
        _sorted_pair("drawn-bigcats-dogs", "big-cats", "dogs", "animals"),
        _sorted_pair("cifar-animals-vehicles", "animals", "vehicles", "photos", modes=CIFAR_MODES),
        _sorted_pair("housecats-bigcats", "house-cats", "big-cats", "photos"),
        _sorted_pair("housecats-dogs", "house-cats", "dogs", "photos"),
        _sorted_pair("bigcats-dogs", "big-cats", "dogs", "photos"),
        # The domains of UNIT's Figs. 4 to 6: one mode per domain.
        _sorted_pair(
            "drawn-dog-breeds", "dogs", "dogs", "animals",
            modes=(("husky",), ("labrador",)), words=("huskies", "labradors"), fewest_modes=1,
        ),
        _sorted_pair(
            "drawn-cat-species", "big-cats", "big-cats", "animals",
            modes=(("tiger",), ("leopard",)), words=("tigers", "leopards"), fewest_modes=1,
        ),
        _sorted_pair(
            "drawn-faces", "house-cats", "house-cats", "animals",
            modes=(("black",), ("orange",)), words=("black cats", "orange cats"), fewest_modes=1,
        ),
        _sorted_pair("dog-breeds", "samoyeds", "beagles", "photos", fewest_modes=1),
        _sorted_pair("cat-species", "tigers", "leopards", "photos", fewest_modes=1),
        _sorted_pair(
            "faces", "without", "with", "photos", words=("faces without", "faces with"),
            fewest_modes=1,
        ),
    )
}  # fmt: skip
