"""All methods by name, and parsing of ``key=value`` settings into a configuration."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Generator

from models.bicyclegan import Bicyclegan, BicycleganConfig
from models.cyclegan import NOISE_RECIPE, Cyclegan, CycleganConfig
from models.errors import UserError
from models.method import Method, MethodConfig
from models.munit import Munit, MunitConfig
from models.unit import NIPS_RECIPE, Unit, UnitConfig

OUTSIDE_DIGESTS = "a training's code names its method's module, its configuration the settings"


@dataclass(frozen=True)
class Recipe:
    """A row of the tables: a method class, its configuration class and its settings."""

    title: str  # of the paper's row
    method: type[Method]
    config: type[MethodConfig]
    settings: Mapping[str, object]
    ablates: tuple[str, ...] = ()  # weights that the row sets to zero by definition


METHODS: dict[str, Recipe] = {
    "unit": Recipe("UNIT", Unit, UnitConfig, NIPS_RECIPE | {"dropout": 0.5}),
    "unit-release": Recipe("UNIT (release with MUNIT)", Unit, UnitConfig, {}),
    "cyclegan": Recipe("CycleGAN", Cyclegan, CycleganConfig, {}),
    "cyclegan-noise": Recipe("CycleGAN* with noise", Cyclegan, CycleganConfig, NOISE_RECIPE),
    "munit-wo-x": Recipe(
        "MUNIT w/o x reconstruction", Munit, MunitConfig, {"recon_x": 0.0}, ("recon_x",)
    ),
    "munit-wo-c": Recipe(
        "MUNIT w/o c reconstruction", Munit, MunitConfig, {"recon_c": 0.0}, ("recon_c",)
    ),
    "munit-wo-s": Recipe(
        "MUNIT w/o s reconstruction", Munit, MunitConfig, {"recon_s": 0.0}, ("recon_s",)
    ),
    "munit": Recipe("MUNIT", Munit, MunitConfig, {}),
    "bicyclegan": Recipe("BicycleGAN (paired)", Bicyclegan, BicycleganConfig, {}),
}


def nearest(name: str, known: Iterable[str]) -> str:
    """Return text for an error message: the closest known name, then all known names."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, 1)
    return (f"did you mean {close[0]}? " if close else "") + f"known: {', '.join(names)}"


def recipe(name: str) -> Recipe:
    """Return the recipe ``name``; the UserError for an unknown name suggests the nearest one."""
    if name not in METHODS:
        raise UserError(f"unknown method '{name}': {nearest(name, METHODS)}")
    return METHODS[name]


def make_config(name: str, settings: Mapping[str, object]) -> MethodConfig:
    """Return the configuration of method ``name``: defaults, overridden by its recipe, then
    ``settings``.

    Values may be strings, which are parsed by the field's type. Raises UserError for unknown keys.
    """
    r = recipe(name)
    fields = {f.name: f for f in dataclasses.fields(r.config)}
    values: dict[str, Any] = {}
    for key, value in (dict(r.settings) | dict(settings)).items():
        if key not in fields:
            raise UserError(f"{name} has no setting '{key}': {nearest(key, fields)}")
        values[key] = parse_value(key, value, str(fields[key].type))
    return r.config(**values)


TAKEN = {
    "int": "an integer >= 0", "float": "a number >= 0", "bool": "true or false", "str": "a string",
}  # fmt: skip


def parse_value(key: str, value: object, kind: str) -> object:
    """Parse ``value`` as the annotated type ``kind``; raises UserError if it is invalid."""
    if kind == "float | None" and str(value).lower() == "none":
        return None
    kind = kind.split(" | ")[0]
    try:
        match kind:
            case "int" | "float":
                number = int(str(value)) if kind == "int" else float(str(value))
                if 0 <= number < float("inf"):
                    return number
            case "bool":
                words = {"true": True, "false": False, "1": True, "0": False}
                return words[str(value).lower()]
            case "str":
                return str(value)
    except (ValueError, KeyError):
        pass
    raise UserError(f"{key}={value} is not a legal value: {key} takes {TAKEN[kind]}")


def make_method(name: str, config: MethodConfig, generator: Generator) -> Method:
    """Return a method with newly drawn weights."""
    return recipe(name).method(config, generator)  # type: ignore[call-arg]
