"""The commands ``diversity``, ``modes``, ``fidelity``, ``quality`` and ``lpips``."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.console import Help, at_least, path_of, type_of
from benchmarks.harness.published import published_table1, published_table2
from models.errors import UserError

if TYPE_CHECKING:  # imported late, so that --help and argument errors appear at once
    from benchmarks.harness.outputs import Outputs
    from benchmarks.harness.streaming import Streaming
    from benchmarks.metric import Measurement

EXAMPLES = """\
  python -m benchmarks diversity out/munit --protocol paper --lpips 0.0
  python -m benchmarks modes out/munit.npz --classifier mine:classify
  python -m benchmarks fidelity out/munit --real testB
  python -m benchmarks quality out/mine --against out/munit --inputs testA \\
      --train-inputs trainA --train-photos trainB
"""
LPIPS_EXAMPLE = "  python -m benchmarks lpips a.png b.png --version 0.0\n"
EXAMPLES += LPIPS_EXAMPLE
OUTPUTS = (
    "translations: a folder (with one subfolder per input, with files named {input}_{sample}.png, "
    "or as written by reproduce translate, MUNIT's test.py and test_batch.py, BicycleGAN's test.py or "
    "StarGAN v2's evaluation), several folders (one per sample), or an .npy or .npz array of shape "
    "(inputs, samples, H, W, 3)"
)
LPIPS_SAID = (
    "0.0, used by the MUNIT paper, feeds pixels in [-1, 1] directly to AlexNet; 0.1, the default of "
    "the lpips package, normalises the channels first: the two are not comparable"
)


def add_commands(commands: Any) -> None:
    """Add the commands to the sub-parsers ``commands``."""
    one = commands.add_parser("lpips", help="LPIPS distance between two pictures",
        description="Print the LPIPS distance (AlexNet trained on ImageNet) between two pictures\n"
        "of the same size. Greyscale becomes RGB, transparency is composited on white.",
        epilog=f"example:\n{LPIPS_EXAMPLE}", formatter_class=Help)  # fmt: skip
    one.add_argument("pictures", type=Path, nargs=2, metavar="PICTURE")
    one.add_argument("--version", choices=("0.0", "0.1"), default="0.1",
        help="LPIPS version; the MUNIT paper uses 0.0")  # fmt: skip
    one.set_defaults(run=print_distance)

    one = _command(
        commands, "diversity", print_diversity, "LPIPS between translations of one input"
    )
    one.add_argument("--protocol", choices=("paper", "consecutive", "all-pairs"), default="paper",
        help="pairs of samples to compare: (0, 1), (2, 3), ... of 38 samples (the paper's 19 pairs); "
        "each sample with the next; all pairs")  # fmt: skip
    one.add_argument("--lpips", choices=("0.0", "0.1"), default="0.0",
        help="LPIPS version; the MUNIT paper uses 0.0")  # fmt: skip
    one.add_argument("--lpips-weights", type=Path, metavar="FILE",
        help="AlexNet weights to use instead of the installed ones")  # fmt: skip

    one = _command(commands, "modes", print_modes, "IS and CIS, in nats", several="*")
    by = one.add_mutually_exclusive_group(required=True)
    by.add_argument("--classifier", metavar="WHAT",
        help="classifier of the target domain's modes: a .safetensors file of this project, a "
        "TorchScript file, or module:function; it maps float32 (B, 3, H, W) in [-1, 1] to "
        "probabilities (B, K)")  # fmt: skip
    by.add_argument("--probabilities", type=Path, metavar="FILE",
        help=".npy file of probabilities (inputs, samples, K), instead of OUTPUTS")  # fmt: skip
    one.add_argument("--logits", action="store_true", help="the classifier returns logits")
    one.add_argument("--modes", nargs="+", default=[], metavar="NAME", help="names of the modes")

    one = _command(commands, "fidelity", print_fidelity, "FID, KID, precision and recall")
    one.add_argument("--real", type=Path, required=True, metavar="DIR",
        help="real pictures of the target domain, of the same size as the outputs")  # fmt: skip
    by = one.add_mutually_exclusive_group()
    by.add_argument("--inception-weights", type=Path, metavar="FILE",
        help="torch-fidelity's Inception-v3 weights (default: torch's cache, or a download); its "
        "features have 2,048 dimensions, and both sets need more pictures than that")  # fmt: skip
    by.add_argument("--classifier", type=Path, metavar="FILE",
        help="use the features of this project's classifier FILE instead of Inception-v3's")  # fmt: skip

    one = _command(
        commands,
        "quality",
        print_quality,
        "preference over another method, by a judge or by people",
    )
    one.add_argument("--against", type=Path, nargs="+", required=True, metavar="OUTPUTS",
        help="translations to compare with, in any form of OUTPUTS")  # fmt: skip
    add_reading(one, "against-")
    one.add_argument("--inputs", type=Path, required=True, metavar="DIR", help="the test inputs",
        dest="test_inputs")  # fmt: skip
    one.add_argument("--train-inputs", type=Path, metavar="DIR",
        help="training inputs, with the names of their photos; omit for unpaired data")  # fmt: skip
    one.add_argument("--train-photos", type=Path, metavar="DIR",
        help="training photos of the target; without them, prints how to ask people")  # fmt: skip


def _command(
    commands: Any, name: str, run: Callable[[argparse.Namespace], int], about: str, several: str = "+"
) -> argparse.ArgumentParser:  # fmt: skip
    """Add a command that measures outputs."""
    own = [line for line in EXAMPLES.replace("\\\n      ", "").splitlines() if f" {name} " in line]
    one: argparse.ArgumentParser = commands.add_parser(
        name, help=about, description=f"Measure {about}.", formatter_class=Help,
        epilog="example:\n" + "\n".join(own),
    )  # fmt: skip
    one.add_argument("outputs", type=Path, nargs=several, metavar="OUTPUTS", help=OUTPUTS)
    add_reading(one)
    one.add_argument("--lossy", action="store_true",
        help="accept JPEG and other lossy formats, though compression changes the results")  # fmt: skip
    if name != "quality":
        one.add_argument("--inputs", type=at_least(2), help="use only the first inputs, by name")
    one.add_argument("--samples", type=at_least(1), help="use only the first samples of each input")
    if name != "fidelity":  # its intervals are not bootstrapped
        one.add_argument("--seed", type=at_least(0), default=0, help="seed of the bootstrap")
    one.add_argument("--device", default="cpu", help="cpu or cuda")
    told = one.add_mutually_exclusive_group()
    told.add_argument("--json", action="store_true", help="print only JSON")
    told.add_argument("--csv", action="store_true", help="print only CSV")
    one.add_argument("--raw", type=type_of(_npz), metavar="FILE", help="save raw values as .npz")
    one.add_argument("--no-progress", action="store_true", help="hide the progress bar")
    one.set_defaults(run=run)
    return one


def add_reading(parser: Any, of: str = "") -> None:
    """Add the options for reading outputs; ``of`` is a prefix of their names."""
    parser.add_argument(f"--{of}pattern", type=type_of(_pattern), metavar="NAMES",
        help="pattern of the file names, e.g. '{input}-{sample}.png'")  # fmt: skip
    parser.add_argument(f"--{of}range", type=float, nargs=2, metavar=("LOW", "HIGH"),
        help="values of black and white in an array of floats")  # fmt: skip


def print_diversity(arguments: argparse.Namespace) -> int:
    from benchmarks.harness.streaming import diversity
    from benchmarks.metrics.diversity_protocols import get_protocol

    outputs = _opened(arguments)
    name = arguments.protocol + ("" if arguments.lpips == "0.0" else f"-v{arguments.lpips}")
    whole = get_protocol(name)
    inputs = arguments.inputs or min(whole.inputs, len(outputs.names))
    samples = arguments.samples or min(whole.samples, outputs.samples)
    if arguments.samples is None and whole.rule == "independent" and samples > 1:
        samples -= samples % 2
    metric = diversity(
        arguments.protocol, inputs, samples, lpips=arguments.lpips, device=arguments.device,
        seed=arguments.seed, weights=arguments.lpips_weights,
    )  # fmt: skip
    measured = _measured(metric, arguments, outputs, inputs, samples)
    notes = [f"rule: {whole.source}", f"LPIPS {arguments.lpips} ({LPIPS_SAID})"]
    if measured[0].protocol["protocol"] == get_protocol("paper").name:
        notes += _paper(
            "LPIPS diversity at 256 px",
            [(task, row, value) for (task, row), (_, value) in published_table1().items()],
        )
    else:
        notes.append(f"not the paper's protocol ({get_protocol('paper').source})")
    return _tell(arguments, outputs, measured, notes, metric.result.save)


def print_modes(arguments: argparse.Namespace) -> int:
    from benchmarks.harness.streaming import modes, open_classifier
    from benchmarks.metrics.mode_scores import PAPER, load_probabilities

    if bool(arguments.outputs) == bool(arguments.probabilities):
        raise UserError("give OUTPUTS and a --classifier, or --probabilities alone")
    if arguments.probabilities is not None:
        of_pictures = ("inputs", "samples", "logits", "range", "pattern", "lossy")
        given = [name for name in of_pictures if getattr(arguments, name)]
        if given or arguments.device != "cpu":
            raise UserError(f"--{[*given, 'device'][0]} does not apply to --probabilities: omit it")
        outputs, result = None, load_probabilities(arguments.probabilities, arguments.modes)
    else:
        outputs = _opened(arguments)
        classifier = open_classifier(
            arguments.classifier, outputs.size, modes=arguments.modes, logits=arguments.logits,
            device=arguments.device,
        )  # fmt: skip
        metric = modes(classifier, seed=arguments.seed)
        _measured(metric, arguments, outputs, arguments.inputs, arguments.samples)
        result = metric.result
    measured = result.measurements(arguments.seed)
    about = result.protocol
    accuracy = about["accuracy"]
    notes = [
        f"classifier: {about['classifier']}, {len(about['modes'])} modes (ln K = "
        f"{about['ln_modes']:.3f}), "
        + ("accuracy unknown" if accuracy is None else f"accuracy {accuracy:.3f}"),
        "the paper's table is in nats; the released script prints the exponential of CIS",
    ]
    if (about["N"], about["K"]) == PAPER:
        for at, name in enumerate(("CIS", "IS")):
            rows = [(where, row, value[at]) for (where, row), value in published_table2().items()]
            notes += _paper(f"{name} in nats, with an unreleased classifier", rows)
    else:
        notes.append(f"not the paper's protocol ({PAPER[0]} inputs, {PAPER[1]} samples of each)")
    return _tell(arguments, outputs, measured, notes, result.save)


def print_fidelity(arguments: argparse.Namespace) -> int:
    from benchmarks.harness.streaming import fidelity
    from benchmarks.networks.classifiers import load_classifier
    from benchmarks.networks.extractors import classifier_extractor

    outputs, extractor = _opened(arguments), None
    if arguments.classifier is not None:
        extractor = classifier_extractor(load_classifier(arguments.classifier, arguments.device))
    inputs = arguments.inputs or len(outputs.names)
    samples = arguments.samples or outputs.samples
    metric = fidelity(
        arguments.real, inputs, samples, extractor=extractor, weights=arguments.inception_weights,
        device=arguments.device, progress=not arguments.no_progress,
    )  # fmt: skip
    measured = _measured(metric, arguments, outputs, inputs, samples)
    about = measured[0].protocol
    notes = [
        f"{about['N_fake']} translations, {about['N_real']} real pictures: all four metrics depend on "
        "the set sizes, so compare only results with equal sizes",
        "the MUNIT paper reports none of these metrics",
    ]
    return _tell(arguments, outputs, measured, notes, metric.result.save)


def print_quality(arguments: argparse.Namespace) -> int:
    from benchmarks.harness.layouts import pictures_under
    from benchmarks.harness.outputs import check_size, open_outputs

    if arguments.train_photos is None:
        for name in ("train_inputs", "json", "csv", "raw"):
            if getattr(arguments, name):
                raise UserError(
                    f"--{name.replace('_', '-')} needs --train-photos, which the judge uses: give both"
                )
    own, inputs = _opened(arguments), pictures_under(arguments.test_inputs)
    against = open_outputs(
        arguments.against, arguments.against_pattern, arguments.against_range, arguments.lossy
    )
    check_size(against, None, arguments.samples)
    _say(arguments, f"against {against}")
    if own.size != against.size:
        raise UserError(
            f"{arguments.against[0]} has another size ({against}): resize one of the two"
        )
    own = own.called([*inputs], arguments.outputs[0])
    against = against.called([*inputs], arguments.against[0])
    if arguments.train_photos is None:
        print("A judge needs --train-photos. To ask people instead, as the paper did, run:")
        print(f"  {_asking(arguments)}\n  python -m benchmarks study serve --study study")
        return 0
    from benchmarks.harness.judging import judged

    measured, save = judged(
        own, against, [*inputs.values()], arguments.train_inputs, arguments.train_photos,
        samples=arguments.samples, device=arguments.device, seed=arguments.seed,
        progress=not arguments.no_progress,
    )  # fmt: skip
    notes = ["the paper asked people; their percentages are not comparable with a judge's"]
    return _tell(arguments, own, measured, notes, save)


def _asking(arguments: argparse.Namespace) -> str:
    """Return the command that prepares a study of these outputs."""
    sides = (
        ("mine", arguments.outputs, arguments.pattern, arguments.range),
        ("other", arguments.against, arguments.against_pattern, arguments.against_range),
    )
    if any(len(paths) > 1 for _, paths, *_ in sides) or sides[0][2:] != sides[1][2:]:
        return "python -m benchmarks study prepare (put each method into one folder or array first)"
    words = ["python", "-m", "benchmarks", "study", "prepare"]
    words += ["--inputs", str(arguments.test_inputs)]
    for name, (path,), *_ in sides:
        words += ["--method", f"{name}={path}"]
    words += ["--reference", "other", "--out", "study"]
    if arguments.pattern is not None:
        words += ["--pattern", arguments.pattern]
    if arguments.range is not None:
        words += ["--range", *map(str, arguments.range)]
    return shlex.join(words)


def _npz(word: str) -> Path:
    """Parse ``--raw``; checks that it can be written before hours are spent."""
    from benchmarks.files import check_place

    if not word.endswith(".npz"):
        raise UserError(f"{word}: raw values are saved as .npz: use that suffix")
    path = path_of(word)
    check_place(path)
    return path


def _pattern(word: str) -> str:
    """Parse ``--pattern``."""
    from benchmarks.harness.layouts import names_of

    names_of(word)
    return word


def _opened(arguments: argparse.Namespace) -> Outputs:
    """Open the outputs and print how they were read."""
    from benchmarks.devices import check_device
    from benchmarks.harness.outputs import check_size, open_outputs

    check_device(arguments.device, measures=True)
    outputs = open_outputs(arguments.outputs, arguments.pattern, arguments.range, arguments.lossy)
    inputs = None if arguments.command == "quality" else arguments.inputs
    check_size(outputs, inputs, arguments.samples)
    _say(arguments, str(outputs))
    return outputs


def _say(arguments: argparse.Namespace, line: str) -> None:
    print(line, file=sys.stderr if arguments.json or arguments.csv else sys.stdout, flush=True)


def _measured(
    metric: Streaming[Any], arguments: argparse.Namespace, outputs: Outputs, inputs: int | None,
    samples: int | None,
) -> list[Measurement]:  # fmt: skip
    """Measure the first ``samples`` of the first ``inputs`` by ``metric``, with a progress bar."""
    from tqdm import tqdm

    inputs, samples = inputs or len(outputs.names), samples or outputs.samples
    stream, total = outputs.stream(samples, range(inputs)), inputs * samples
    for item in tqdm(stream, total=total, unit="picture", disable=arguments.no_progress):
        metric.take(*item)
    return list(metric.compute().values())


def _paper(what: str, rows: Iterable[tuple[str, str, float | None]]) -> list[str]:
    """Format the paper's numbers, one line per task or direction."""
    told: dict[str, list[str]] = {}
    for where, row, value in rows:
        if value is not None:
            told.setdefault(where, []).append(f"{row} {value:.3f}")
    return [f"the paper ({what}), {where}: {', '.join(values)}" for where, values in told.items()]


def _tell(
    arguments: argparse.Namespace, outputs: Outputs | None, measured: Sequence[Measurement],
    notes: Sequence[str], save: Callable[[Path], object],
) -> int:  # fmt: skip
    """Save the raw values, then print the results."""
    from benchmarks.files import comma_separated
    from benchmarks.metric import METRICS

    if arguments.raw is not None:
        save(arguments.raw)
    if arguments.json:
        told = {"outputs": None if outputs is None else str(outputs)}
        print(json.dumps(told | {"measured": [m.as_dict() for m in measured]}, indent=1))
        return 0
    if arguments.csv:
        names = ("metric", "value", "low", "high", "unit", "protocol")
        rows = (
            (m.name, m.value, m.interval and m.interval.low, m.interval and m.interval.high,
             METRICS[m.name].unit, m.protocol["protocol"])
            for m in measured
        )  # fmt: skip
        print(comma_separated(names, rows), end="")
        return 0
    for one in measured:
        metric = METRICS[one.name]
        ends = one.interval and f" [{one.interval.low:.6f}, {one.interval.high:.6f}]"
        print(f"{one.name}: {one.value:.6f}{ends or ''} {metric.unit}")
    over = next(m.interval.over for m in measured if m.interval is not None)
    print(f"brackets: 95% confidence intervals over {over}")
    print(f"protocol: {measured[0].protocol['protocol']}")
    for one in measured:
        print(f"{one.name}: {METRICS[one.name].protocol}")
    print("\n".join(notes))
    return 0


def print_distance(arguments: argparse.Namespace) -> int:
    """Print the distance; notes (upscaling, JPEG) go to standard error."""
    import torch

    from benchmarks.metrics.lpips_features import LpipsDistance, measured_size
    from benchmarks.networks.weights import trained
    from benchmarks.pictures import read, tensor_of

    first, second = arguments.pictures
    images = [read(path) for path in arguments.pictures]
    sizes = ["{}x{}".format(*image.size) for image in images]
    if sizes[0] != sizes[1]:
        raise UserError(
            f"{first} is {sizes[0]} and {second} is {sizes[1]} (width x height): resize one to the "
            "other's size"
        )
    pixels = torch.stack([tensor_of(image) for image in images])
    distance = LpipsDistance(trained(arguments.version))
    features = distance.features(pixels)
    height, width = measured_size(*pixels.shape[2:])
    if f"{width}x{height}" != sizes[0]:
        print(f"note: enlarged from {sizes[0]} to {width}x{height}", file=sys.stderr)
    if any(path.suffix.lower() in (".jpg", ".jpeg") for path in arguments.pictures):
        print("note: JPEG compression changes LPIPS: compare PNGs if possible", file=sys.stderr)
    print(f"{float(distance.distance(features[:1], features[1:])):.6f}")
    return 0
