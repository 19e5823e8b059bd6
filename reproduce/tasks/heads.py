"""Heads of cats and dogs, cropped from Oxford-IIIT Pet (Parkhi et al., CVPR 2012) by its boxes.

The boxes are Pascal VOC files in ``annotations/xmls``. Only the trainval part of the data set
(about 100 pictures per breed) has them, so only its pictures are used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

from benchmarks.files import foreign
from models.errors import UserError
from reproduce.tasks.flat import Domain, Picture, divided, stamp
from reproduce.tasks.pictures import SMALLEST_SIDE, read_picture
from reproduce.tasks.sources import natural_order

MARGIN = 0.2  # added on each side of a head box, as a fraction of its longer side
MOST_BYTES = 1 << 16

Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels; the last two are exclusive


def pets_root(folder: Path) -> Path | None:
    """Return the data set's root: ``folder`` or its ``oxford-iiit-pet``; None if neither is one."""
    for root in (folder, folder / "oxford-iiit-pet"):
        if (root / "images").is_dir() and (root / "annotations" / "xmls").is_dir():
            return root
    return None


def read_heads(root: Path, title: str, breeds: Mapping[str, str]) -> Domain:
    """Find the heads of ``breeds`` (mode -> the breed's name in the data set), a sixth of each for
    testing. Boxes are read now, pictures when they are written."""
    pictures = list[Picture]()
    for mode, breed in breeds.items():
        names = re.compile(re.escape(breed) + r"_\d+")
        paths = [p for p in (root / "images").glob("*.jpg") if names.fullmatch(p.stem)]
        found = list[Picture]()
        for path in sorted(paths, key=lambda path: natural_order(path.name)):
            boxes = root / "annotations" / "xmls" / f"{path.stem}.xml"
            if boxes.is_file():
                box = read_box(boxes)
                put, mark = partial(_cut_out, path, box), f"{stamp(path)}\0{box}"
                found.append(Picture("train", mode, f"images/{path.name}", put, mark))
        if len(found) < 2:
            raise UserError(
                f"{root} holds {len(found)} pictures of {breed} with a box in annotations/xmls; "
                "unpack images.tar.gz and annotations.tar.gz of Oxford-IIIT Pet there again"
            )
        pictures += divided(found, title, mode)
    return Domain(title, tuple(breeds), pictures)


def _cut_out(path: Path, box: Box, target: Path) -> None:
    image = read_picture(path)
    image.crop(head_square(box, image.size, path)).save(target, format="PNG")


def read_box(path: Path) -> Box:
    """Return the largest box in a Pascal VOC file. Raises UserError if the file is too large, not
    XML, declares a document type (which could declare entities) or has no box."""
    with path.open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    remedy = "restore it from annotations.tar.gz"
    if len(data) > MOST_BYTES:
        raise UserError(f"{path} is over {MOST_BYTES >> 10} KiB, too large for a box; {remedy}")
    with foreign(f"{path} is not a Pascal VOC file", remedy):
        text = data.decode("utf-8-sig")
        if re.search(r"<!\s*(DOCTYPE|ENTITY)", text, re.IGNORECASE):
            raise UserError(f"{path} declares a document type, which no box needs; {remedy}")
        if "\0" in text:  # UTF-16, which the parser would accept and this search would miss
            raise ValueError("not UTF-8")
        tree = ElementTree.fromstring(text, ElementTree.XMLParser(encoding="utf-8"))
        boxes = [_box(element) for element in tree.iterfind("object/bndbox")]
    if not boxes:
        raise UserError(f"{path} contains no head box; {remedy}")
    return max(boxes, key=lambda box: (box[2] - box[0]) * (box[3] - box[1]))


def _box(element: ElementTree.Element) -> Box:
    sides = [element.findtext(side) for side in ("xmin", "ymin", "xmax", "ymax")]
    left, top, right, bottom = (int(float(side or "")) for side in sides)
    if not (1 <= left <= right and 1 <= top <= bottom):
        raise ValueError(f"box {left}, {top}, {right}, {bottom}")
    return left - 1, top - 1, right, bottom  # VOC counts from 1, and both ends are inclusive


def head_square(box: Box, size: tuple[int, int], path: Path) -> Box:
    """Return the square around ``box`` with ``MARGIN``, moved or shrunk to fit into a picture of
    ``size`` (width, height); UserError naming ``path`` if ``box`` is outside it or tiny."""
    left, top, right, bottom = box
    width, height = size
    side = min(round(max(right - left, bottom - top) * (1 + 2 * MARGIN)), width, height)
    if right > width or bottom > height or side < SMALLEST_SIDE:
        raise UserError(
            f"{path} is {width}x{height} pixels, and its head box {box} lies outside it or is "
            "tiny; restore the picture and its annotation"
        )
    x = min(max(round((left + right - side) / 2), 0), width - side)
    y = min(max(round((top + bottom - side) / 2), 0), height - side)
    return x, y, x + side, y + side
