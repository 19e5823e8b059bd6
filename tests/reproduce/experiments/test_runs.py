"""What defines a run: keys, values, digests."""

import dataclasses
import json

import pytest
from reading import refusal
from stored import RECORDS, RESULTS, stored_tasks

from models.errors import UserError
from models.zoo import METHODS, make_config
from reproduce.experiments.run import RUN_KEYS, RunConfig, make_run, parse_settings


def test_settings_are_key_value_pairs():
    told = {"lr": "0.1", "task": "a=b", "crop": ""}
    assert parse_settings(["lr=0.1", "task=a=b", "crop="]) == told


OTHER = {"precision": "bf16", "crop": "centre", "flip": "false"}


def test_every_run_key_can_be_set_and_arrives():
    for key in RUN_KEYS:
        run = make_run("bicyclegan", "t", {"batch": 2}, {key: OTHER.get(key, "64")})
        expected = {"flip": False}.get(key, OTHER.get(key, 64))
        assert getattr(run, key) == expected, key
        assert run.digest() != make_run("bicyclegan", "t", {"batch": 2}, {}).digest()


@pytest.mark.parametrize("method", METHODS)
def test_every_setting_of_a_method_can_be_set_and_arrives(method):
    config, unread = METHODS[method].config, make_config(method, {}).unread()
    for field in dataclasses.fields(config):
        kind = str(field.type).split(" | ")[0]
        if kind == "str":
            continue
        word = {"int": "3", "float": "0.25", "bool": "true"}[kind]
        if field.name in unread:
            with pytest.raises(UserError, match=f"^{field.name}=.* has no effect with "):
                make_run(method, "t", {"batch": 2}, {field.name: word})
            continue
        # Only settings that go together with any other.
        run = make_run(method, "t", {"batch": 2}, {field.name: word})
        value = getattr(run.method_config, field.name)
        assert value == {"int": 3, "float": 0.25, "bool": True}[kind], field.name
        assert type(value).__name__ == kind


def test_stored_runs_keep_their_digests():
    stored = [record for record in RECORDS if "config_sha256" in record]
    runs = 8 * len(stored_tasks(1)) + 4 * len(stored_tasks(2))
    assert len({(record["task"], record["method"]) for record in stored}) == runs > 0
    for record in stored:
        run = RunConfig.from_dict(record["config"])
        assert run.digest() == record["config_sha256"]
        assert run.as_dict() == record["config"]


def test_where_the_pictures_lie_is_no_part_of_a_run():
    here = make_run("munit", "edges2shoes", {}, {}, "/here/edges2shoes")
    there = make_run("munit", "edges2shoes", {}, {}, "/there/edges2shoes.tar.gz")
    assert here.source == "/here/edges2shoes"
    assert here == there and here.digest() == there.digest() and not here.differences(there)
    assert here.digest() == make_run("munit", "edges2shoes", {}, {}).digest()
    assert "here" not in json.dumps(here.as_dict())
    # As runs were stored when it was one.
    old = RunConfig.from_dict(here.as_dict() | {"source": "/here/edges2shoes"})
    assert not old.differences(there) and old.digest() == there.digest()


def test_differences_are_told_by_key_and_value_but_for_what_neither_run_reads():
    one, two = make_run("munit", "t", {}, {}), make_run("munit", "t", {}, {"dim": 8, "steps": 5})
    assert one.differences(two) == ["dim=64 (there: 8)", "steps=1000000 (there: 5)"]
    one, two = make_run("cyclegan", "t", {"depth": 5}, {}), make_run("cyclegan", "t", {}, {})
    assert one.digest() != two.digest() and not one.differences(two)
    unet = make_run("cyclegan", "t", {"depth": 5, "generator": "unet"}, {})
    assert unet.differences(one) == ["generator=unet (there: resnet)"]
    assert unet.differences(two) == ["depth=5 (there: 8)", "generator=unet (there: resnet)"]


@pytest.mark.parametrize(
    ("method", "task", "overrides", "told"),
    [
        ("cyclegan", "t", {"depth": "5"}, "depth=5 has no effect with generator=resnet"),
        ("unit", "t", {"lr_gamma": "0.1"}, "with lr_policy=constant: leave it out, or set lr_poli"),
        ("bicyclegan", "t", {"gan": 0, "gan2": 0, "gan_loss": "lsgan"}, "with gan=0 and gan2=0"),
        ("munit", "edges2shoes", {"train": "5"}, "on edges2shoes: it counts pictures to draw"),
        ("munit", "tests", {"test": "5"}, "test=5 has no effect on tests"),
        ("munit", "drawn-shoes", {"crop": "centre"}, "have 256 px already: leave it out, or set"),
        ("munit", "drawn-shoes", {"crop": "centre", "resize": 256}, "or set resize above 256"),
    ],
)
def test_a_setting_that_nothing_reads_is_refused(method, task, overrides, told, monkeypatch):
    monkeypatch.chdir(RESULTS.parent)
    line = refusal(make_run, method, task, {"batch": 2}, overrides)
    assert told in line and "leave it out" in line


@pytest.mark.parametrize(
    ("method", "task", "overrides", "source"),
    [
        ("cyclegan", "t", {"generator": "unet", "depth": 5}, ""),
        ("bicyclegan", "t", {"gan": 0, "gan_loss": "lsgan"}, ""),
        ("munit", "drawn-shoes", {"train": 5, "test": 5}, ""),
        ("munit", "drawn-shoes", {"crop": "centre", "resize": 300}, ""),
        # Pictures of one's own may have any shape.
        ("munit", "drawn-shoes", {"crop": "centre"}, "tests"),
        ("munit", "edges2shoes", {"crop": "centre"}, ""),
        # That there are none is told by whoever opens them.
        ("munit", "no-such-task", {"train": 5}, ""),
        ("munit", "edges2shoes", {"train": 5}, "no-such-folder"),
    ],
)
def test_a_setting_that_is_read_is_not_refused(method, task, overrides, source, monkeypatch):
    monkeypatch.chdir(RESULTS.parent)
    run = make_run(method, task, {"batch": 2}, overrides, source)
    values = vars(run) | dict(run.settings)
    assert {k: values[k] for k in overrides} == overrides


def test_a_preset_may_say_what_nothing_reads():
    run = make_run("cyclegan", "edges2shoes", {"depth": 5, "train": 9, "n_blocks": 3}, {})
    assert run.settings["depth"] == 5 and {"depth", "train", "test"} <= set(run.unread())
