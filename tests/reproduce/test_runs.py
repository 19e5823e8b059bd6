"""What defines a run: keys, values, digests."""

from __future__ import annotations

import dataclasses
import json

import pytest

from models.errors import UserError
from models.zoo import METHODS
from reproduce.runs import RUN_KEYS, RunConfig, make_run, parse_settings, run_folder


def test_settings_are_key_value_pairs():
    assert parse_settings(["lr=0.1", "task=a=b", "crop="]) == {
        "lr": "0.1",
        "task": "a=b",
        "crop": "",
    }


@pytest.mark.parametrize("word", ["steps", "=3", "", "--steps 3"])
def test_a_setting_without_key_or_value_is_refused(word):
    with pytest.raises(UserError, match=r"write key=value, e\.g\."):
        parse_settings([word])


def test_a_setting_given_twice_is_refused():
    with pytest.raises(UserError, match="lr is given twice"):
        parse_settings(["lr=1", "lr=1"])


OTHER = {"precision": "bf16", "crop": "centre", "flip": "false"}


@pytest.mark.parametrize("method", METHODS)
def test_every_run_key_can_be_set_and_arrives(method):
    for key in RUN_KEYS:
        run = make_run(method, "t", {"batch": 2}, {key: OTHER.get(key, "64")})
        expected = {"flip": False}.get(key, OTHER.get(key, 64))
        assert getattr(run, key) == expected, key
        assert run.digest() != make_run(method, "t", {"batch": 2}, {}).digest()


@pytest.mark.parametrize("method", METHODS)
def test_every_setting_of_a_method_can_be_set_and_arrives(method):
    config = METHODS[method].config
    for field in dataclasses.fields(config):
        kind = str(field.type).split(" | ")[0]
        if kind == "str":
            continue
        word = {"int": "3", "float": "0.25", "bool": "true"}[kind]
        # Only settings that go together with any other.
        run = make_run(method, "t", {"batch": 2}, {field.name: word})
        value = getattr(run.method_config, field.name)
        assert value == {"int": 3, "float": 0.25, "bool": True}[kind], field.name
        assert type(value).__name__ == kind


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("stepz", "3", "did you mean steps?"),
        ("recon_y", "3", "did you mean recon_x?"),
        ("method", "unit", "munit has no setting 'method'"),
        ("source", "x", "munit has no setting 'source'"),
        ("steps", "1.5", "steps=1.5 is not a legal value"),
        ("steps", "many", "steps=many is not a legal value"),
        ("steps", "-1", "steps=-1 is not a legal value"),
        ("steps", "0", "use at least 1"),
        ("lr", "nan", "lr=nan is not a legal value"),
        ("lr", "inf", "lr=inf is not a legal value"),
        ("lr", "-1", "lr=-1 is not a legal value"),
        ("lr", "", "lr= is not a legal value"),
        ("flip", "maybe", "flip=maybe is not a legal value"),
        ("precision", "fp8", "unknown precision 'fp8': use one of float32, bf16"),
        ("gan_loss", "wgan", "unknown gan_loss 'wgan'"),
        ("lr_policy", "cosine", "unknown lr_policy 'cosine'"),
        ("beta1", "1", "beta1=1.0 is not a legal value"),
        ("dim", "0", "dim=0 is not a legal value"),
    ],
)
def test_unknown_keys_and_values_are_refused(key, value, words):
    with pytest.raises(UserError) as error:
        make_run("munit", "t", {}, {key: value})
    assert words in str(error.value) and "\n" not in str(error.value)


def test_an_odd_batch_is_refused_where_it_is_halved():
    with pytest.raises(UserError, match="batch=3 must be even"):
        make_run("bicyclegan", "t", {}, {"batch": 3})


@pytest.mark.parametrize("method", METHODS)
def test_a_run_survives_json(method):
    run = make_run(method, "t", {"batch": 2, "seed": 5}, {"lr": "3e-4"})
    again = RunConfig.from_dict(json.loads(json.dumps(run.as_dict())))
    assert again == run and again.digest() == run.digest() and not again.differences(run)


def test_differences_are_told_by_key_and_value():
    one, two = make_run("munit", "t", {}, {}), make_run("munit", "t", {}, {"dim": 8, "steps": 5})
    assert one.differences(two) == ["dim=64 (there: 8)", "steps=1000000 (there: 5)"]


def test_the_folder_names_preset_task_method_and_seed(tmp_path):
    run = make_run("unit", "drawn-shoes", {"seed": 7}, {})
    assert run_folder(tmp_path, "cpu", run) == tmp_path / "cpu" / "drawn-shoes" / "unit-seed7"
