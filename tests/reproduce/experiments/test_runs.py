"""What defines a run: keys, values, digests."""

from __future__ import annotations

import dataclasses
import json

import pytest
from stored import RECORDS, RESULTS, stored_tasks

from models.errors import UserError
from models.zoo import METHODS, make_config
from reproduce.experiments.run import RUN_KEYS, RunConfig, make_run, parse_settings, run_folder


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
        ("channels_a", "4", "channels_a and channels_b are 3 or 1"),
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


def test_stored_runs_keep_their_digests():
    """Whatever changes in how runs are described, what was measured keeps its identity."""
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


def test_what_neither_run_reads_is_no_difference():
    one, two = make_run("cyclegan", "t", {"depth": 5}, {}), make_run("cyclegan", "t", {}, {})
    assert one.digest() != two.digest() and not one.differences(two)
    unet = make_run("cyclegan", "t", {"depth": 5, "generator": "unet"}, {})
    assert unet.differences(one) == ["generator=unet (there: resnet)"]
    assert unet.differences(two) == ["depth=5 (there: 8)", "generator=unet (there: resnet)"]


# Settings that nothing reads


@pytest.mark.parametrize(
    ("method", "task", "overrides", "told"),
    [
        ("cyclegan", "t", {"depth": "5"}, "depth=5 has no effect with generator=resnet"),
        ("cyclegan-noise", "t", {"n_blocks": "3"}, "n_blocks=3 has no effect with generator=unet"),
        ("cyclegan", "t", {"gan": "0", "pool": "5"}, "pool=5 has no effect with gan=0"),
        ("cyclegan", "t", {"cycle": 0, "identity": 1}, "identity=1 has no effect with cycle=0"),
        ("unit-release", "t", {"n_shared": "2"}, "n_shared=2 has no effect with recipe=release"),
        ("unit", "t", {"activ": "lrelu"}, "activ=lrelu has no effect with recipe=nips"),
        ("unit", "t", {"pad": "reflect"}, "pad=reflect has no effect with recipe=nips"),
        ("unit", "t", {"recipe": "release", "n_shared": 1}, "or set recipe=nips"),
        ("munit", "t", {"perceptual_layer": "relu4_3"}, "or set perceptual=1"),
        ("munit", "t", {"lr_policy": "linear", "lr_step": 5}, "lr_step=5 has no effect with lr_p"),
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
    with pytest.raises(UserError) as error:
        make_run(method, task, {"batch": 2}, overrides)
    assert told in str(error.value) and "leave it out" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("method", "task", "overrides", "source"),
    [
        ("cyclegan", "t", {"generator": "unet", "depth": 5}, ""),
        ("cyclegan-noise", "t", {"generator": "resnet", "noise_dim": 0, "n_blocks": 3}, ""),
        ("cyclegan", "t", {"cycle": 0, "cycle_b": 5, "identity": 1}, ""),
        ("unit-release", "t", {"recipe": "nips", "n_shared": 2, "dropout": 0.5}, ""),
        ("unit", "t", {"recipe": "release", "dropout": 0, "activ": "lrelu"}, ""),
        ("munit", "t", {"lr_step": 5, "lr_gamma": 0.1}, ""),
        ("munit", "t", {"perceptual": 1, "perceptual_layer": "relu4_3"}, ""),
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
