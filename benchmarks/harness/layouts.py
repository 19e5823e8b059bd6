"""Layouts of folders of translations: find each file's input and sample from its name alone."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.files import files_under
from benchmarks.pictures import SUFFIXES
from models.errors import UserError

Files = dict[str, dict[str, Path]]  # input -> sample number (two or more digits) -> file
_FIELD = {"{input}": "(?P<input>.+)", "{sample}": "(?P<sample>[0-9]+)"}


@dataclass(frozen=True)
class Layout:
    """Translations by input and sample, both sorted.

    ``words`` describes the layout. ``numbered``: inputs are identified by their position in the
    sorted test inputs, not by name. ``passed``: other pictures, which are skipped."""

    words: str
    files: Files
    numbered: bool = False
    passed: tuple[Path, ...] = ()


@dataclass(frozen=True)
class _Names:
    """A naming scheme: patterns of translations and of other files ``beside`` them."""

    words: str
    translation: str
    beside: str = "(?!)"
    numbered: bool = False
    whole: bool = False  # the patterns include the suffix


# The first scheme that fits all pictures is used.
KNOWN = (
    _Names("named as by reproduce translate", r"(?P<input>.+)_(?:sample|example)(?P<sample>\d+)", "grid"),
    _Names(
        "named as by BicycleGAN's test.py",
        r"(?:.+/)?(?P<input>input_\d+)_random_sample(?P<sample>\d+)",
        r"(?:.+/)?input_\d+_(?:input|encoded|ground truth)", numbered=True,
    ),
    _Names(
        "named as by MUNIT's test.py, one folder per input",
        r"(?:(?P<input>.+)/)?output(?P<sample>\d+)", r"(?:.+/)?input",
    ),
)  # fmt: skip
FLAT = _Names("named {input}_{sample}", r"(?:.+/)?(?P<input>[^/]+)_(?P<sample>\d+)")
NESTED = _Names("named {input}_{sample}, in folders", r"(?P<input>.+)_(?P<sample>\d+)")
NAMES = "_sample00.png, _random_sample01.png, output000.jpg, {input}_{sample}.png"


def find_layout(paths: Sequence[Path], pattern: str | None = None) -> Layout:
    """Find the translations under one folder, or in several folders, one per sample.

    ``pattern``: file names under the folder, with {input} and {sample}; other pictures are skipped.
    Raises UserError naming the folder or file that fits no layout.
    """
    if pattern is not None:
        if len(paths) > 1:
            raise UserError("--pattern takes a single folder: give only one")
        pictures = pictures_under(paths[0])
        found = _named(paths[0], pictures, names_of(pattern))
        if found is None:
            first = next(iter(pictures.values()))
            raise UserError(f"no picture matches {pattern}, e.g. {first}: correct --pattern")
        return found
    if len(paths) > 1:
        return _folder_a_sample(paths)
    others = _numbered_beside(paths[0])
    return _folder_a_sample(others) if others else _in_folder(paths[0])


def pictures_under(folder: Path) -> dict[str, Path]:
    """Return every picture under ``folder`` by its id, as ``reproduce translate`` names inputs: the
    relative path without suffix, or with it if ids would clash. Raises UserError for no picture."""
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder: give a folder of pictures")
    found = sorted(p for p in files_under(folder) if p.suffix.lower() in {*SUFFIXES, ".pgm"})
    if not found:
        raise UserError(f"{folder} holds no pictures ({', '.join(sorted(SUFFIXES))})")
    bare = {path.relative_to(folder).with_suffix("").as_posix(): path for path in found}
    if len(bare) == len(found):
        return bare
    return {path.relative_to(folder).as_posix(): path for path in found}


def places_of(
    names: Sequence[str], found: Sequence[str], numbered: bool, where: object
) -> list[int]:
    """Return the positions of the inputs ``names`` among the inputs ``found`` in ``where``.

    Inputs of a ``numbered`` layout are matched by position if none has the name of an input, they
    are numbered consecutively from 0 or 1, their count agrees, and alphabetical and numerical order
    of ``names`` agree. Raises UserError for a missing input.
    """
    place = {name: number for number, name in enumerate(found)}
    missing = next((name for name in names if name not in place), None)
    if missing is None:
        return [place[name] for name in names]
    if numbered and len(found) == len(names) and not place.keys() & {*names}:
        counted = [int(re.findall(r"\d+", name)[-1]) for name in found]
        in_order = sorted(names) == sorted(names, key=_natural)
        if in_order and counted[0] in (0, 1) and counted == [*range(counted[0], counted[-1] + 1)]:
            return [*range(len(names))]
    raise UserError(
        f"{where} has no translation of input '{missing}' (of {len(found)} inputs, the first is "
        f"'{found[0]}'): use the same inputs and names for every method (in an .npz by input_ids)"
    )


def _in_folder(folder: Path) -> Layout:
    pictures = pictures_under(folder)
    for names in KNOWN:
        found = _named(folder, pictures, names)
        if found is not None:
            return found
    folders = {path.parent for path in pictures.values()}
    found = _named(folder, pictures, FLAT if len(folders) == 1 else NESTED)
    # With several folders, some must hold more than one input, or each could be one input's folder.
    if found is not None and (len(folders) == 1 or len(found.files) > len(folders)):
        return found
    if folders != {folder}:
        return _folder_an_input(folder, pictures)
    wrong = next(p for p in pictures.values() if not re.fullmatch(r".+_\d+", p.stem, re.S))
    raise UserError(
        f"{wrong} does not name its input and sample ({NAMES}): rename it, or give --pattern, e.g. "
        "--pattern '{input}-{sample}.png'"
    )


def _named(folder: Path, pictures: Mapping[str, Path], names: _Names) -> Layout | None:
    """Return the layout if every picture has one of these names, else None."""
    translation, beside = (re.compile(n, re.S) for n in (names.translation, names.beside))
    files, passed = Files(), list[Path]()
    for path in pictures.values():
        name = (path if names.whole else path.with_suffix("")).relative_to(folder).as_posix()
        match = translation.fullmatch(name)
        if match:
            _add(files, match["input"] or folder.resolve().name, match["sample"], path)
        elif beside.fullmatch(name):
            passed.append(path)
        else:
            return None
    if not files:
        return None
    numbered = names.numbered or (names is FLAT and all(name.isdecimal() for name in files))
    return Layout(names.words, _ordered(files, numbered), numbered, tuple(passed))


def _folder_an_input(folder: Path, pictures: Mapping[str, Path]) -> Layout:
    paths = sorted(pictures.values(), key=_natural)
    unnumbered = [path for path in paths if not re.search(r"\d$", path.stem)]
    by_name = Files()
    for path in paths:
        if path.parent == folder:
            raise UserError(
                f"{path} is not in the folder of an input: remove it, or give --pattern "
                "(e.g. '{input}_{sample}.png')"
            )
        _add(by_name, path.parent.relative_to(folder).as_posix(), path.stem, path)
    if 0 < len(unnumbered) < len(paths) / 2:
        raise UserError(
            f"{unnumbered[0]} has no number, unlike the other samples: remove it, or give --pattern "
            "(e.g. '{input}/{sample}.png')"
        )
    for beside in {path.parent.parent for path in paths}:
        for place in sorted(p for p in beside.iterdir() if p.is_dir() and p.name[0] != "."):
            if next(files_under(place), None) is None:
                raise UserError(f"{place} is empty: translate that input, or remove the folder")
    files = {
        name: {f"{k:02d}": path for k, path in enumerate(samples.values())}
        for name, samples in by_name.items()
    }
    return Layout("one folder per input", _ordered(files))


def _folder_a_sample(paths: Sequence[Path]) -> Layout:
    """Read several folders with the same file names, as MUNIT's test_batch.py writes them."""
    for number, path in enumerate(paths):
        if any(path.resolve() == other.resolve() for other in paths[:number]):
            raise UserError(f"{path} is given twice: give each sample's folder once")
    by_folder = {path: pictures_under(path) for path in paths}
    files = Files()
    for number, (folder, pictures) in enumerate(by_folder.items()):
        for name, path in pictures.items():
            _add(files, name, f"{number:02d}", path)
        for name in by_folder[paths[0]]:
            if name not in pictures:
                raise UserError(
                    f"{folder} has no picture '{name}', which {paths[0]} has: translate the same "
                    "inputs in every folder"
                )
    extra = next((of for of in files.values() if len(of) < len(paths)), None)
    if extra is not None:
        path = next(iter(extra.values()))
        raise UserError(
            f"{path} has no counterpart in {paths[0]}: remove it, or translate it there"
        )
    return Layout("one folder per sample", _ordered(files))


def _numbered_beside(folder: Path) -> list[Path]:
    """Find ``OUT_00``, ``OUT_01``, ... of MUNIT's test_batch.py, where ``folder`` is its
    --output_folder ``OUT``, which holds at most inputs."""
    if folder.is_dir() and any(not re.fullmatch(r"input\d+\..+", p.name) for p in folder.iterdir()):
        return []
    folder = folder.absolute()
    named = re.compile(re.escape(folder.name) + r"_(\d{2,})")
    beside = folder.parent.iterdir() if folder.parent.is_dir() else ()
    found = {int(m[1]): p for p in beside if p.is_dir() and (m := named.fullmatch(p.name))}
    for number in range(len(found)):
        if number not in found:
            raise UserError(
                f"{folder}_{number:02d} is missing, though {len(found)} such folders exist: translate "
                "that sample again, or list the samples' folders"
            )
    return [found[number] for number in sorted(found)]


def names_of(pattern: str) -> _Names:
    """Parse ``--pattern``; raises UserError if input and sample are ambiguous."""
    if any(pattern.count(field) != 1 for field in _FIELD):
        raise UserError(f"{pattern}: a pattern needs {{input}} and {{sample}}, once each")
    if "}{" in pattern:
        raise UserError(f"{pattern}: put a separator between {{input}} and {{sample}}")
    parts = re.split(r"(\{input\}|\{sample\})", pattern)
    named = "".join(_FIELD.get(part, re.escape(part)) for part in parts)
    return _Names(f"named {pattern}", named, beside=".+", whole=True)


def _add(files: Files, name: str, sample: str, path: Path) -> None:
    sample = f"{int(sample):02d}" if sample.isdecimal() else sample  # 1 and 01 are the same
    other = files.setdefault(name, {}).setdefault(sample, path)
    if other is not path:
        raise UserError(f"{path} and {other} are the same sample of input '{name}': remove one")


def _ordered(files: Files, numbered: bool = False) -> Files:
    """Sort samples by number, and inputs by name or, if ``numbered``, numerically."""
    names = sorted(files, key=_natural if numbered else None)
    return {name: dict(sorted(files[name].items(), key=lambda s: int(s[0]))) for name in names}


def _natural(path: Path | str) -> list[tuple[int, str]]:
    """Return a sort key that compares numbers in names numerically."""
    parts = re.split(r"(\d+)", str(path))
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
