"""``python -m benchmarks study``: from translations to numbers, and one line for every mistake."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from hostile_world import message, raw
from simulated import honest, simulate
from study_case import ROOT, served

from benchmarks.__main__ import main
from benchmarks.study.folder import Study
from benchmarks.study.prepare import Plan


def words_for(plan: Plan, out: Path) -> list[str]:
    methods = [
        word for name, folder in plan.methods.items() for word in ("--method", f"{name}={folder}")
    ]
    return ["study", "prepare", "--inputs", str(plan.inputs), *methods, "--reference", "munit",
            "--questions", "40", "--out", str(out), "--no-progress"]  # fmt: skip


def test_the_whole_way(material: Plan, tmp_path: Path, capsys):
    out = tmp_path / "study"
    assert main(words_for(material, out)) == 0
    told = capsys.readouterr().out
    assert "2 comparisons with munit, 40 questions each, 5 raters per question" in told
    assert "23 sessions of 20 questions, of which 2 are catch trials" in told
    assert "a rater who guesses passes with probability 25%" in told
    simulate(Study(out), [f"r{k}" for k in range(23)], honest({"unit": 0.2, "cyclegan": 0.8}))
    assert main(["study", "export", "--study", str(out), "--csv", str(tmp_path / "v.csv"),
                 "--raters", str(tmp_path / "r.csv"), "--mturk", str(tmp_path / "b"),
                 "--base-url", "https://example.org"]) == 0  # fmt: skip
    assert main(["study", "reopen", "--study", str(out)]) == 0
    assert main(["study", "analyse", "--study", str(out)]) == 0
    told = capsys.readouterr().out
    assert "0 votes will be collected again" in told
    record = json.loads((out / "analysis.json").read_text())
    shares = {r["method"]: r["measurement"]["value"] for r in record["results"]}
    assert shares["unit"] < 35 and shares["cyclegan"] > 65
    assert f"{shares['unit']:.1f}%" in told


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (["--method", "again"], "--method again: write NAME=DIR"),
        (["--method", "unit=x"], "--method unit is given twice"),
    ],
)
def test_mistakes_in_preparing_are_told_in_one_line(changes, told, material, tmp_path, refused):
    assert told in refused(*words_for(material, tmp_path / "study"), *changes)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["analyse"], "holds no study"),
        (["export"], "nothing to export"),
        (["export", "--mturk", "b"], "go together"),
    ],
)
def test_mistakes_with_studies_are_told_in_one_line(words, told, tmp_path, refused):
    assert told in refused("study", *words, "--study", tmp_path)


def test_a_study_whose_files_are_damaged(study: Study, refused):
    (study.path / "secret").unlink()
    words = "study", "analyse", "--study", study.path
    assert "secret (No such file or directory)" in refused(*words)
    study.database.write_bytes(b"this is no database" * 100)
    (study.path / "secret").write_bytes(b"x" * 32)
    assert "study.sqlite is no study database" in refused(*words)


def test_an_address_that_is_taken_and_wrong_sites(study: Study, refused):
    serve = "study", "serve", "--study", study.path
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"cannot listen on 127.0.0.1:{port}" in refused(*serve, "--port", port)
    told = refused(*serve, "--frame-ancestors", "https://a.example; script-src *")
    assert "--frame-ancestors https://a.example;" in told


def test_serve_frames_trusts_and_stops_as_told(study: Study):
    sites = "https://worker.mturk.com https://workersandbox.mturk.com"
    with served(study.path, 0, "--frame-ancestors", sites, "--trust-proxy", "127.0.0.1") as server:
        for path, framed in (("/", sites), ("/overview", "'none'")):
            policy = urllib.request.urlopen(server.site + path).headers["content-security-policy"]
            assert policy.endswith(f"frame-ancestors {framed}")
        for address, count, statuses in (("10.0.0.1", 310, {422, 429}), ("10.0.0.2", 1, {422})):
            request = message("/api/sessions", {}, headers=(f"x-forwarded-for: {address}",))
            assert {raw(server.port, request)[0] for _ in range(count)} == statuses
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(15) == 0
    assert not list(study.path.glob("*-wal"))


def test_prepare_interrupted_leaves_nothing_and_can_be_repeated(material: Plan, tmp_path: Path):
    words = words_for(material, tmp_path / "study")
    command = [sys.executable, "-m", "benchmarks", *words]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 20
    while not list(tmp_path.glob(".study.*.part/pictures/*.png")):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=20)
    if process.returncode == 0:
        pytest.skip("it was faster than the signal")
    assert process.returncode == 130 and "Traceback" not in error
    assert "interrupted; nothing was saved: run the same command to start again" in error
    assert os.listdir(tmp_path) == []
    assert main(words) == 0
