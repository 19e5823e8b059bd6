"""The commands of ``python -m benchmarks study``: their arguments and what they call."""

from __future__ import annotations

import argparse
import ipaddress
import math
import shlex
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.console import Help, at_least, path_of, share
from benchmarks.harness.commands import OUTPUTS, add_reading
from models.errors import UserError

if TYPE_CHECKING:
    from benchmarks.study.folder import Study

EXAMPLES = """\
  python -m benchmarks study prepare --inputs testA --method munit=out/munit \\
      --method unit=out/unit --reference munit --out study
  python -m benchmarks study serve --study study
  python -m benchmarks study export --study study --csv votes.csv
  python -m benchmarks study analyse --study study
"""


def add_commands(commands: Any) -> None:
    """Add ``study`` and its commands to the sub-parsers ``commands``."""
    study = commands.add_parser("study", help="the human preference study",
        description="Ask people which of two translations of an input is more accurate.",
        epilog=f"examples:\n{EXAMPLES}", formatter_class=Help)  # fmt: skip
    steps = study.add_subparsers(dest="step", required=True, metavar="STEP")

    def step(
        run: Callable[[argparse.Namespace], int], help: str, epilog: str, name: str = ""
    ) -> Any:
        made = steps.add_parser(
            name or run.__name__, help=help, description=f"{help[0].upper()}{help[1:]}.",
            epilog=epilog, formatter_class=Help,
        )  # fmt: skip
        if run is not prepare:
            made.add_argument(
                "--study", type=Path, required=True, help="folder that 'prepare' wrote"
            )
        made.set_defaults(run=run)
        return made

    make = step(prepare, "draw questions from the translations of several methods",
        "example:\n  python -m reproduce translate runs/unit/last.safetensors testA "
        "--samples 3 --out out/unit\n  (the same for munit and the others, then:)\n"
        "  python -m benchmarks study prepare --inputs testA --method munit=out/munit "
        "--method unit=out/unit \\\n      --reference munit --real testB --out study")  # fmt: skip
    make.add_argument("--inputs", type=Path, required=True, help="folder of the inputs")
    make.add_argument("--method", action="append", required=True, metavar="NAME=DIR",
        help=f"{OUTPUTS.replace(', several folders (one per sample)', '')}; repeatable")  # fmt: skip
    add_reading(make)
    make.add_argument("--reference", required=True, metavar="NAME",
        help="the method that all others are compared with")  # fmt: skip
    make.add_argument("--out", type=Path, required=True, help="new folder for the study")
    make.add_argument("--questions", type=at_least(1), default=500, help="questions per method")
    make.add_argument("--raters", type=at_least(1), default=5, help="raters per question")
    make.add_argument("--per-rater", type=at_least(1), default=20,
        help="questions per session, including catch trials")  # fmt: skip
    make.add_argument("--catch", type=share, default=0.1,
        help="share of catch trials (questions with a known answer) in a session")  # fmt: skip
    make.add_argument("--exclude-below", type=share, default=0.8, metavar="SHARE",
        help="exclude raters who get less than this share of catch trials right")  # fmt: skip
    make.add_argument("--real", type=Path, metavar="DIR",
        help="real pictures with the names of the inputs: the right answers of catch trials")  # fmt: skip
    make.add_argument("--seed", type=at_least(0), default=0, help="seed of questions and sides")
    make.add_argument("--no-progress", action="store_true", help="hide the progress bar")

    run = step(serve, "serve the raters' web page and your overview",
        "Links for raters: ?rater=NAME, or the parameters of MTurk (workerId, assignmentId, hitId) "
        "or Prolific\n(PROLIFIC_PID, STUDY_ID, SESSION_ID). On the open internet, run it behind a "
        "TLS proxy that forwards\nthe Host header.\n\nexamples:\n  python -m benchmarks study serve --study study\n  "
        "python -m benchmarks study serve --study study --trust-proxy 127.0.0.1 \\\n      "
        '--frame-ancestors "https://worker.mturk.com https://workersandbox.mturk.com"')  # fmt: skip
    run.add_argument("--host", default="127.0.0.1", help="address to listen on")
    run.add_argument("--port", type=at_least(0), default=8000, help="0 selects any free port")
    run.add_argument("--stall-minutes", type=at_least(1), default=60, metavar="MINUTES",
        help="idle time after which a rater's unanswered questions go to others, if no other "
        "questions are left")  # fmt: skip
    run.add_argument("--frame-ancestors", default="none", metavar="SITES",
        help="sites that may embed the page in a frame, as MTurk does")  # fmt: skip
    run.add_argument("--trust-proxy", type=proxies, metavar="ADDRESSES",
        help="comma-separated proxies whose X-Forwarded-For is trusted; * for all")  # fmt: skip

    out = step(export, "write raw votes, raters, or a bundle for MTurk",
        "examples:\n  python -m benchmarks study export --study study --csv votes.csv\n"
        "  python -m benchmarks study export --study study --raters raters.csv\n"
        "  python -m benchmarks study export --study study --mturk bundle "
        "--base-url https://example.org/pictures")  # fmt: skip
    out.add_argument("--csv", type=Path, metavar="FILE", help="votes, one row each")
    out.add_argument("--raters", type=Path, metavar="FILE",
        help="sessions, one row each, with platform ids and completion codes: personal data")  # fmt: skip
    out.add_argument("--mturk", type=Path, metavar="DIR", help="MTurk bundle; it needs no server")
    out.add_argument("--base-url", metavar="URL", help="URL that will serve the bundle's pictures")

    back = step(import_results, "import the results of an MTurk bundle",
        "example:\n  python -m benchmarks study import --study study --results "
        "Batch_123_batch_results.csv", "import")  # fmt: skip
    back.add_argument(
        "--results", type=Path, required=True, help="MTurk's results (CSV), unchanged"
    )

    step(reopen, "reopen the questions that excluded raters answered",
        "example:\n  python -m benchmarks study reopen --study study")  # fmt: skip

    read = step(analyse, "compute percentages with intervals, agreement and exclusions",
        "example:\n  python -m benchmarks study analyse --study study")  # fmt: skip
    read.add_argument("--level", type=share, default=0.95, help="confidence level of the intervals")
    read.add_argument("--out", type=Path, metavar="FILE", help="default: STUDY/analysis.json")


def proxies(word: str) -> str:
    """Parse a list of addresses or networks; uvicorn would silently ignore invalid ones."""
    for one in [] if word == "*" else word.split(","):
        try:
            ipaddress.ip_network(one.strip())
        except ValueError:
            raise argparse.ArgumentTypeError(
                f"{one} is not an IP address or network: write 127.0.0.1, 10.0.0.0/8 or *"
            ) from None
    return word


def _opened(arguments: argparse.Namespace) -> Study:
    from benchmarks.study.folder import Study  # imported late, so that --help is fast

    return Study(arguments.study)


def prepare(arguments: argparse.Namespace) -> int:
    from benchmarks.files import check_folder
    from benchmarks.study.prepare import Plan
    from benchmarks.study.prepare import prepare as write_study

    check_folder("--out", arguments.out)
    asked = vars(arguments) | {
        "methods": _methods(arguments.method), "value_range": arguments.range,
    }  # fmt: skip
    plan = Plan(**{field.name: asked[field.name] for field in fields(Plan)})
    design = write_study(plan, arguments.out, progress=not arguments.no_progress)
    seats = len(design.methods) * design.questions * design.raters
    sessions = math.ceil(seats / design.real_per_session)
    print(f"{arguments.out}: {len(design.methods)} comparisons with {design.reference}, "
          f"{design.questions} questions each, {design.raters} raters per question")  # fmt: skip
    print(f"{sessions} sessions of {design.per_rater} questions, of which "
          f"{design.catches_per_session} are catch trials")  # fmt: skip
    print(f"rule: {design.rule}")
    if design.catch:
        print(f"a rater who guesses passes with probability {design.guess_passes:.0%}; "
              "raise --catch if that is too high")  # fmt: skip
    print(f"edit the texts for raters in {arguments.out / 'study.json'}, then run: "
          f"python -m benchmarks study serve --study {shlex.quote(str(arguments.out))}")  # fmt: skip
    return 0


def _methods(words: list[str]) -> dict[str, Path]:
    methods: dict[str, Path] = {}
    for word in words:
        name, equals, folder = word.partition("=")
        if not (name and equals and folder):
            raise UserError(f"--method {word}: write NAME=DIR, e.g. --method munit=out/munit")
        if name in methods:
            raise UserError(f"--method {name} is given twice: name each method once")
        methods[name] = path_of(folder)
    return methods


def serve(arguments: argparse.Namespace) -> int:
    from benchmarks.study.server import serve as run_server

    run_server(
        _opened(arguments), arguments.host, arguments.port, arguments.stall_minutes,
        arguments.frame_ancestors, arguments.trust_proxy,
    )  # fmt: skip
    return 0


def export(arguments: argparse.Namespace) -> int:
    from benchmarks.study.mturk import export_bundle
    from benchmarks.study.votes import export_raters, export_votes

    if bool(arguments.mturk) != bool(arguments.base_url):
        raise UserError("--mturk DIR and --base-url URL go together: give both")
    if not (arguments.csv or arguments.raters or arguments.mturk):
        raise UserError("nothing to export: give --csv FILE, --raters FILE or --mturk DIR")
    study = _opened(arguments)
    if arguments.csv:
        print(f"{export_votes(study, arguments.csv)} votes in {arguments.csv}")
    if arguments.raters:
        print(f"{export_raters(study, arguments.raters)} sessions in {arguments.raters}")
    if arguments.mturk:
        hits = export_bundle(study, arguments.mturk, arguments.base_url)
        print(f"{hits} HITs in {arguments.mturk}; next steps: {arguments.mturk / 'README.txt'}")
    return 0


def import_results(arguments: argparse.Namespace) -> int:
    from benchmarks.study.mturk import import_results as take_in

    found = take_in(_opened(arguments), arguments.results)
    print(f"{found.votes} votes of {found.assignments} assignments imported")
    print(f"skipped: {found.known} assignments imported before, {found.rejected} rejected, "
          f"{found.repeated} repeated answers of a worker to one question")  # fmt: skip
    return 0


def reopen(arguments: argparse.Namespace) -> int:
    from benchmarks.study.votes import reopen as ask_anew

    print(f"{ask_anew(_opened(arguments))} votes will be collected again")
    return 0


def analyse(arguments: argparse.Namespace) -> int:
    from benchmarks.files import check_place
    from benchmarks.study.analyse import analyse as measure
    from benchmarks.study.analyse import report, write_analysis

    path = arguments.out or arguments.study / "analysis.json"
    check_place(path)
    found = measure(_opened(arguments), arguments.level)
    print(report(found))
    write_analysis(found, path)
    print(f"saved {path}")
    return 0
