"""Where a folder's translations are: which file is which sample of which input, told by names alone."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.console import in_utf8
from benchmarks.pictures import SUFFIXES
from models.errors import UserError

Files = dict[str, dict[str, Path]]  # input -> sample, as its file is numbered -> file
_FIELD = {"{input}": "(?P<input>.+)", "{sample}": "(?P<sample>[0-9]+)"}


@dataclass(frozen=True)
class Layout:
    """Translations by input and sample, both in order. ``words``: how they lie. ``numbered``: inputs
    are called by their place in the order of the test inputs, and not by name. ``passed``: pictures
    beside them that are none."""

    words: str
    files: Files
    numbered: bool = False
    passed: tuple[Path, ...] = ()


@dataclass(frozen=True)
class _Names:
    """A way to name files: what translations match, and what lies beside them."""

    words: str
    translation: str
    beside: str = "(?!)"
    numbered: bool = False


# The first that fits all pictures is taken.
KNOWN = (
    _Names("named as by reproduce translate", r"(?P<input>.+)_(?:sample|example)(?P<sample>\d+)", "grid"),
    _Names(
        "named as by BicycleGAN's test.py",
        r"(?:.+/)?(?P<input>input_\d+)_random_sample(?P<sample>\d+)",
        r"(?:.+/)?input_\d+_(?:input|encoded|ground truth)", numbered=True,
    ),
    _Names(
        "named as by MUNIT's test.py, a folder an input",
        r"(?:(?P<input>.+)/)?output(?P<sample>\d+)", r"(?:.+/)?input",
    ),
)  # fmt: skip
FLAT = _Names("named {input}_{sample}", r"(?:.+/)?(?P<input>[^/]+)_(?P<sample>\d+)")
NAMES = "_sample00.png, _random_sample01.png, output000.jpg, {input}_{sample}.png"


def find_layout(paths: Sequence[Path], pattern: str | None = None) -> Layout:
    """The translations under one folder, or in several, one a sample.

    ``pattern``: of names under the folder, with {input} and {sample}; other pictures are passed over.
    Raises UserError naming the folder or file that fits no layout.
    """
    if not paths:
        raise UserError("no outputs: give a folder, several folders or an array")
    if pattern is not None:
        return _by_pattern(paths, pattern)
    if len(paths) == 1:
        others = _numbered_beside(paths[0])
        if not others:
            return _in_folder(paths[0])
        paths = others
    return _folder_a_sample(paths)


def pictures_under(folder: Path) -> dict[str, Path]:
    """Every picture under ``folder`` by its id, as ``reproduce translate`` names inputs: the
    relative path without suffix, or with it where two would be alike. UserError if none."""
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder: give a folder of pictures")
    found = sorted(
        path for path in folder.rglob("*")
        if path.suffix.lower() in {*SUFFIXES, ".pgm"} and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )  # fmt: skip
    if not found:
        raise UserError(f"{folder} holds no pictures ({', '.join(sorted(SUFFIXES))})")
    for path in found:
        in_utf8(str(path))
    bare = {path.relative_to(folder).with_suffix("").as_posix(): path for path in found}
    if len(bare) == len(found):
        return bare
    return {path.relative_to(folder).as_posix(): path for path in found}


def places_of(
    names: Sequence[str], found: Sequence[str], numbered: bool, where: object
) -> list[int]:
    """Where the inputs called ``names`` are among the inputs ``found`` in ``where``; where these
    are not called so, of a ``numbered`` layout of as many the first is the first. UserError for one that is missing."""
    place = {name: number for number, name in enumerate(found)}
    for name in names:
        if name not in place:
            if numbered and len(found) == len(names):
                return list(range(len(names)))
            raise UserError(
                f"{where} has no translation of input '{name}' (of {len(found)} inputs, the first is "
                f"'{found[0]}'): translate the same inputs with every method"
            )
    return [place[name] for name in names]


def _in_folder(folder: Path) -> Layout:
    pictures = pictures_under(folder)
    for names in KNOWN:
        found = _named(folder, pictures, names)
        if found is not None:
            return found
    if len({path.parent for path in pictures.values()}) == 1:
        found = _named(folder, pictures, FLAT)
        if found is not None:
            return found
        wrong = next(p for p in pictures.values() if not re.search(r"_\d+$", p.stem))
        raise UserError(
            f"{wrong} tells no input and sample ({NAMES}): rename it, or give --pattern, e.g. "
            "--pattern '{input}-{sample}.png'"
        )
    return _folder_an_input(folder, pictures)


def _named(folder: Path, pictures: Mapping[str, Path], names: _Names) -> Layout | None:
    """The layout, where every picture is one of these names."""
    translation, beside = re.compile(names.translation, re.S), re.compile(names.beside)
    files, passed = Files(), list[Path]()
    for path in pictures.values():
        stem = path.relative_to(folder).with_suffix("").as_posix()
        match = translation.fullmatch(stem)
        if match:
            _add(files, match["input"] or folder.resolve().name, match["sample"], path)
        elif beside.fullmatch(stem):
            passed.append(path)
        else:
            return None
    if not files:
        return None
    numbered = names.numbered or (names is FLAT and all(name.isdecimal() for name in files))
    return Layout(names.words, _ordered(files, numbered), numbered, tuple(passed))


def _folder_an_input(folder: Path, pictures: Mapping[str, Path]) -> Layout:
    files = Files()
    for path in sorted(pictures.values(), key=_natural):
        if path.parent == folder:
            raise UserError(
                f"{path} lies beside the folders of inputs: remove it, or give --pattern "
                "(e.g. '{input}_{sample}.png')"
            )
        samples = files.setdefault(path.parent.relative_to(folder).as_posix(), {})
        samples[f"{len(samples):02d}"] = path
    return Layout("a folder an input", _ordered(files))


def _folder_a_sample(paths: Sequence[Path]) -> Layout:
    """Several folders with the same names, as MUNIT's test_batch.py writes them."""
    if len({path.resolve() for path in paths}) < len(paths):
        raise UserError(f"{paths[0]} is given twice: give each sample's folder once")
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
    return Layout("a folder a sample", _ordered(files))


def _numbered_beside(folder: Path) -> list[Path]:
    """``OUT_00``, ``OUT_01``, ... of MUNIT's test_batch.py, whose --output_folder was ``OUT``: that has
    inputs at most."""
    if folder.is_dir() and any(not re.fullmatch(r"input\d+\..+", p.name) for p in folder.iterdir()):
        return []
    found = [p for p in folder.parent.glob(f"{folder.name}_*") if p.is_dir()]
    return sorted((p for p in found if re.fullmatch(r"\d{2,}", p.name[len(folder.name) + 1 :])),
                  key=_natural)  # fmt: skip


def _by_pattern(paths: Sequence[Path], pattern: str) -> Layout:
    if len(paths) > 1:
        raise UserError("--pattern is for one folder: give that one alone")
    if any(pattern.count(field) != 1 for field in _FIELD):
        raise UserError(f"--pattern {pattern}: it needs {{input}} and {{sample}}, each once")
    parts = re.split(r"(\{input\}|\{sample\})", pattern)
    named = re.compile("".join(_FIELD.get(part, re.escape(part)) for part in parts), re.S)
    files, passed = Files(), list[Path]()
    (folder,) = paths
    for path in pictures_under(folder).values():
        match = named.fullmatch(path.relative_to(folder).as_posix())
        if match:
            _add(files, match["input"], match["sample"], path)
        else:
            passed.append(path)
    if not files:
        raise UserError(f"{passed[0]} is not {pattern}, nor is any other picture: mend --pattern")
    return Layout(f"named {pattern}", _ordered(files), False, tuple(passed))


def _add(files: Files, name: str, sample: str, path: Path) -> None:
    other = files.setdefault(name, {}).setdefault(sample, path)
    if other is not path:
        raise UserError(f"{path} and {other} are one sample of input '{name}': remove one of them")


def _ordered(files: Files, numbered: bool = False) -> Files:
    """Samples by number, inputs by name or, where these are numbers, by what they count."""
    names = sorted(files, key=_natural if numbered else None)
    return {name: dict(sorted(files[name].items(), key=lambda s: int(s[0]))) for name in names}


def _natural(path: Path | str) -> list[tuple[int, str]]:
    """Numbers in names by what they count."""
    parts = re.split(r"(\d+)", str(path))
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
