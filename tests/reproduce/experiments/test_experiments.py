"""The presets: complete, legal, and the paper's one as published."""

from pathlib import Path

import pytest
import torch
import yaml
from reading import refusal

from models.blocks import CountedDropout
from models.errors import UserError
from models.zoo import METHODS, make_method, recipe
from reproduce.experiments.preset import TABLE1_METHODS, load_preset, preset_names
from reproduce.tasks.pictures import Preparation
from reproduce.tasks.registry import TASKS
from reproduce.training.loop import Logging

PRESETS = ("quick", "cpu", "gpu", "paper")


def test_an_unknown_preset_is_refused_with_the_nearest():
    assert "unknown preset 'papre': did you mean paper?" in refusal(load_preset, "papre")
    for name in ("../presets/cpu", "cpu.yaml", ""):
        with pytest.raises(UserError, match="unknown preset|an empty path"):
            load_preset(name)


@pytest.mark.parametrize("name", PRESETS)
def test_every_run_of_the_table_is_legal(name):
    preset = load_preset(name)
    runs = preset.table_runs(1)
    assert len(runs) == len(TABLE1_METHODS) * len(preset.tables[1])
    assert {run.task for run in runs} <= set(TASKS)
    for run in runs:
        Preparation(run.size, run.resize or None, run.crop)
        with torch.device("meta"):
            method = make_method(run.method, run.method_config, torch.Generator())
        method.check_size(run.size, run.size)
        assert run.method_config == preset.make_run(run.method, run.task).method_config
    # The same number of test inputs as the protocol asks for, where pictures are drawn.
    drawn = [run for run in runs if run.task.startswith("drawn-")]
    assert all(run.test >= preset.measure.inputs for run in drawn)


@pytest.mark.parametrize("name", PRESETS)
def test_an_ablation_differs_from_munit_in_its_one_weight(name):
    preset = load_preset(name)
    for task in preset.tables[1]:
        full = preset.make_run("munit", task)
        for term in "xcs":
            run = preset.make_run(f"munit-wo-{term}", task)
            weight = {"x": 10.0, "c": 1.0, "s": 1.0}[term]
            assert sorted(run.differences(full)) == [
                f"method=munit-wo-{term} (there: munit)",
                f"recon_{term}=0.0 (there: {weight})",
            ]


PUBLISHED = yaml.safe_load(Path(__file__).with_name("published.yaml").read_text())
EPOCHS = {"edges2shoes": (49_825, 200, 60), "edges2handbags": (138_567, 200, 30)}


@pytest.mark.parametrize("task", EPOCHS)
@pytest.mark.parametrize(("method", "published"), PUBLISHED.items())
def test_the_paper_preset_is_the_published_recipe(task, method, published):
    run = load_preset("paper").make_run(method, task)
    values = vars(run) | vars(run.method_config)
    assert {k: values[k] for k in published} == published
    assert run.precision == "float32"
    pictures, cyclegan, bicyclegan = EPOCHS[task]
    if METHODS[method].method.__name__ == "Cyclegan":
        assert run.steps == pictures * cyclegan
    if method == "bicyclegan":
        assert abs(run.steps - pictures * bicyclegan / 2) < 1


def test_the_paper_preset_measures_as_published():
    measure = load_preset("paper").measure
    assert (measure.protocol, measure.inputs, measure.samples) == ("paper", 100, 2 * 19)
    assert list(load_preset("paper").tables[1]) == list(EPOCHS)


@pytest.mark.parametrize("name", preset_names())
def test_the_noise_row_has_dropout_at_every_scale(name: str) -> None:
    preset = load_preset(name)
    run = preset.make_run("cyclegan-noise", preset.tables[1][0])
    with torch.device("meta"):
        network = recipe(run.method).method(run.method_config, None)
    for generator in (network.gen_ab, network.gen_ba):
        assert any(isinstance(layer, CountedDropout) for layer in generator.modules())


def test_overrides_reach_whom_they_concern_and_leave_ablations_alone() -> None:
    runs = load_preset("quick").table_runs(1, 3, {"recon_x": "5", "steps": "7", "pool": "3"})
    by_method = {run.method: run for run in runs}
    assert all((run.seed, run.steps) == (3, 7) for run in runs)
    assert by_method["munit"].settings["recon_x"] == 5.0
    assert by_method["munit-wo-x"].settings["recon_x"] == 0.0
    assert by_method["cyclegan"].settings["pool"] == 3


def test_overrides_reach_only_runs_that_read_them() -> None:
    usual = {run.method: run for run in load_preset("quick").table_runs(1)}
    runs = {run.method: run for run in load_preset("quick").table_runs(1, 0, {"depth": "4"})}
    changed = {m for m in runs if runs[m].digest() != usual[m].digest()}
    assert changed == {"cyclegan-noise", "bicyclegan"}
    for method in changed:
        assert runs[method].settings["depth"] == 4
    # Which they are depends on all overrides together.
    both = load_preset("quick").table_runs(1, 0, {"depth": "4", "generator": "unet"})
    assert {run.method for run in both if run.settings.get("depth") == 4} == {*changed, "cyclegan"}


def test_overrides_that_together_no_run_reads_are_refused() -> None:
    overrides = {"generator": "resnet", "noise_dim": "0", "n_shared": "1", "gan": "0", "gan2": "0"}
    with pytest.raises(UserError, match="pool=5 has no effect with gan=0"):
        load_preset("quick").table_runs(1, 0, overrides | {"pool": "5"})


def test_a_table_that_a_preset_lacks_is_refused() -> None:
    assert "has no table 3" in refusal(load_preset("cpu").table_runs, 3)


def test_a_changed_preset_has_a_name_of_its_own() -> None:
    preset = load_preset("quick")
    assert preset.changed({}, {}) is preset
    names = {
        preset.changed({"steps": 1}, {}).name,
        preset.changed({"steps": 2}, {}).name,
        preset.changed({}, {"inputs": 9}).name,
        preset.name,
    }
    assert len(names) == 4
    assert preset.changed({}, {"inputs": 9}).measure.inputs == 9


@pytest.mark.parametrize("name", PRESETS)
def test_rates_that_fall_as_published_fall_at_every_scale(name):
    runs = load_preset(name).table_runs(1)
    ends = {r.method: r.method_config.lr_factor(r.steps - 1, r.steps) for r in runs}
    assert ends.pop("unit") == 1, "constant, as its first release has it"
    assert max(ends.values()) <= 0.01


def test_a_preset_says_how_often_a_training_saves_and_shows(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("extends: quick\nlogging: {save_minutes: 3, grids: 4, keep: 2}\n")
    how = Logging(**load_preset(str(file)).logging)
    assert (how.save_minutes, how.grids, how.keep) == (3, 4, 2)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("run: 3", "run takes lines of 'key: value', not 3"),
        ("run: {size:}", "run: size takes another kind of value, not nothing"),
        ("run: {sizes: 64}", "run: unknown setting 'sizes': did you mean size?"),
        ("run: {steps: -1}", "run: steps=-1 is not a legal value"),
        ("methods: {munit: {enc_dim: 4}}", "methods: munit: unknown setting 'enc_dim'"),
        ("methods: {munitt: {}}", "unknown method 'munitt': did you mean munit?"),
        ("tasks: {drawn-shoe: {}}", "unknown task 'drawn-shoe': did you mean drawn-shoes?"),
        ("tasks: {drawn-shoes: {unit: {lr: -1}}}", "tasks: drawn-shoes: unit: lr=-1 is not"),
        ("tables: {a: [drawn-shoes]}", "tables: a takes a whole number, not 'a'"),
        ("tables: {1: drawn-shoes}", "tables: 1 takes a list, not 'drawn-shoes'"),
        ("tables: {1: [3]}", "tables: 1: 0 takes text, not 3"),
        ("tables: {3: [drawn-shoes]}", "no table 3: use 1, 2"),
        ("tables: {2: [drawn-shoes]}", "task drawn-shoes is not one of table 2: use drawn-"),
        ("tables: {1: [drawn-shoes, drawn-shoes]}", "table 1 has drawn-shoes, drawn-shoes: give"),
        ("figures: {9: drawn-faces}", "no figure 9: use 4, 5, 6"),
        ("measure: {inputs: 3}", "measure: protocol is missing"),
        ("measure: {protocol: paper, inputs: yes, samples: 2}", "inputs takes a whole number"),
        ("measure: {protocol: paper, inputs: 2, samples: 2, scores: some}", "not 'some'"),
        ("measure: {protocol: paper, inputs: 2, samples: 2, size: 3}", "size is not a key of"),
        ("logging: {grids: -1}", "logging: grids takes at least 0, not -1"),
        ("logging: {grid: 4}", "logging: grid takes one of"),
        ("abuot: mine", "abuot is not a key of a preset"),
        ("extends: cpuu", "extends: unknown preset 'cpuu': did you mean cpu?"),
        ("!!python/object:os.system {}", "is no YAML"),
        ("", "has no lines of 'key: value'"),
    ],
)
def test_a_malformed_preset_is_refused_in_a_line_that_names_key_and_value(tmp_path, text, told):
    file = tmp_path / "mine.yaml"
    whole = text if text[:1] in ("-", "", "{", "!", "e") else f"extends: cpu\n{text}\n"
    file.write_text(whole)
    message = refusal(load_preset, str(file))
    assert told in message and str(file) in message
    for name in ("dict", "NoneType", "argument", "attribute", "TypeError", "iterable", "Input"):
        assert name not in message
