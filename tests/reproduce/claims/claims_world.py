"""Results folders whose truth is known, with raw files written by the classes that measure."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.diversity_result import DiversityResult
from benchmarks.judges import Verdict, draw_questions
from benchmarks.mode_scores import ModeScores, protocol_name
from benchmarks.raw_files import save_arrays
from benchmarks.theory.styles import style_scores
from reproduce.claims.evidence import Evidence
from reproduce.claims.statements import claims
from reproduce.claims.statistics import Draws
from reproduce.claims.verdicts import Court, Finding
from reproduce.experiments import load_preset
from reproduce.results import Records, sha256_file

PRESET = "quick"  # one task of Table 1, one pair of domains of Table 2
SHOES, CATS = "drawn-shoes", "drawn-housecats-dogs"
INPUTS = 30
IDS = tuple(f"{i:05}" for i in range(INPUTS))
# What the paper claims, so that every claim about Table 1 holds.
DIVERSITY = {
    "unit": 0.011, "cyclegan": 0.010, "cyclegan-noise": 0.016, "munit-wo-x": 0.213,
    "munit-wo-c": 0.172, "munit-wo-s": 0.070, "munit": 0.109, "bicyclegan": 0.104,
}  # fmt: skip
QUALITY = {
    "unit": 20, "cyclegan": 24, "cyclegan-noise": 22, "munit-wo-x": 6, "munit-wo-c": 20,
    "munit-wo-s": 16, "bicyclegan": 50,
}  # fmt: skip


def checkpoint(method: str, seed: int) -> str:
    return hashlib.sha256(f"{method} {seed}".encode()).hexdigest()


class World:
    """A results folder that is filled by hand."""

    def __init__(self, root: Path) -> None:
        self.results = root / "results"
        self.records = Records(self.results, PRESET)

    def diversity(
        self, method: str, mean: float, seed: int = 0, *, network: str = "", sha256: str = "a" * 64,
        protocol: str = "paper", spread: float = 0.2,
    ) -> Path:  # fmt: skip
        """Distances with this mean to the last bits; what an input does, it does to all methods."""
        rng = np.random.default_rng([1, seed, len(method), int(mean * 1e6)])
        inputs = 1 + spread * np.random.default_rng(5).standard_normal((INPUTS, 1))
        shown = inputs * (1 + 0.05 * rng.standard_normal((INPUTS, 19)))
        about = {"extractor": "lpips", "sha256": sha256, "protocol": protocol}
        pairs = np.array([(f"{2 * i}", f"{2 * i + 1}") for i in range(19)])
        distances = (mean * shown / shown.mean()).astype(np.float32)
        made = DiversityResult(distances, IDS, pairs, about, seed)
        return self._keep(made, "diversity", method, seed, made.as_dict(), network, ".npz")

    def real(self, mean: float, seed: int = 0) -> Path:
        rng = np.random.default_rng([2, seed])
        pictures = 1 + 0.1 * rng.standard_normal(40)
        pairs = np.array([rng.choice(40, 2, replace=False) for _ in range(300)])
        values = pictures[pairs].mean(axis=1)
        values *= mean / values.mean()
        about = {"extractor": "lpips", "sha256": "a" * 64, "protocol": "real@300"}
        distances = values[:, None].astype(np.float32)
        made = DiversityResult(distances, (), pairs.astype(np.str_), about, seed)
        return self._keep(made, "diversity", "real", seed, made.as_dict(), "", ".npz")

    def quality(self, method: str, percent: float, seed: int = 0, *, reference: str = "") -> Path:
        """Votes of 5 judges on 120 questions, as many for the method as asked for."""
        votes = np.arange(600) < round(6 * percent)
        np.random.default_rng([3, seed, int(percent)]).shuffle(votes)
        names = tuple(IDS[q.input] for q in draw_questions(INPUTS, 120, seed))
        shown = votes.reshape(5, 120).astype(np.uint8)
        about = {"reference": "munit", "reference_sha256": reference or checkpoint("munit", seed)}
        made = Verdict(shown, np.zeros((2, 5, 120), np.float32), names, about)
        measured = made.measurement().as_dict()
        return self._keep(made, "judged", method, seed, measured, "", ".npz")

    def modes(self, method: str, varies: bool, seed: int = 0, kinds: int = 4) -> None:
        """Both directions: translations of one input vary over the first ``kinds`` modes, or are
        all of one mode, which the input decides."""
        for direction in ("a2b", "b2a"):
            rng = np.random.default_rng([4, seed, varies, direction == "a2b", kinds])
            said = rng.integers(kinds, size=(INPUTS, 40 if varies else 1))
            said = np.broadcast_to(said, (INPUTS, 40))
            about = {"modes": list("wxyz"), "sha256": "b" * 64,
                     "protocol": protocol_name(INPUTS, 40)}  # fmt: skip
            made = ModeScores(np.eye(4)[said], IDS, about)
            for measured in made.measurements(seed):
                if measured.name in ("is", "cis"):
                    self._keep(
                        made, f"modes-{direction}", method, seed, measured.as_dict(), "", ".npz",
                        task=CATS, translation=direction,
                    )  # fmt: skip

    def value(
        self, metric: str, method: str, value: float, half: float, seed: int = 0, **protocol: int
    ) -> None:
        """A record without raw values."""
        interval = {"low": value - half, "high": value + half}
        self._append(method, seed, {"metric": metric, "value": value, "interval": interval,
                                    "protocol": {"protocol": "p"} | protocol})  # fmt: skip

    def styles(self, method: str, scale: dict[str, float], seed: int = 0) -> Path:
        """Styles of both domains: samples of N(0, I) times ``scale``."""
        rng = np.random.default_rng([6, seed])
        of = {d: s * rng.standard_normal((200, 8)) for d, s in scale.items()}
        scored = style_scores(of, paired=True, seed=seed)
        raw = self.records.folder / "raw" / f"theory-styles-{method}-{seed}.npz"
        save_arrays(raw, {"kind": "styles"}, of)
        facts = {"raw": raw.relative_to(self.results).as_posix(), "raw_sha256": sha256_file(raw)}
        for one in scored:
            self._append(method, seed, one.as_dict() | facts)
        return raw

    def everything(self, seeds: int = 3, noise: float = 0.01) -> World:
        """All that the claims ask for but theory's, as the paper has it; seeds differ a little."""
        for seed in range(seeds):
            shift = 1 + noise * (seed - (seeds - 1) / 2)
            for method, mean in DIVERSITY.items():
                self.diversity(method, mean * shift, seed)
            for method, percent in QUALITY.items():
                self.quality(method, percent + 2 * (seed - (seeds - 1) / 2), seed)
            self.real(0.293, seed)
            for method in ("unit", "cyclegan", "cyclegan-noise", "munit"):
                self.modes(method, method == "munit", seed, 4 if method == "munit" else 3)
        return self

    def findings(self, seeds: list[int] | None = None) -> dict[str, Finding]:
        """By id without the task."""
        stated = claims(load_preset(PRESET))
        found = Court(stated, Evidence(self.results, PRESET, seeds), Draws(0, 10_000)).verdicts()
        return {f.claim.id.removesuffix(f".{SHOES}"): f for f in found}

    def _keep(
        self, made: Any, kind: str, method: str, seed: int, measured: dict[str, Any], network: str,
        suffix: str, **more: object,
    ) -> Path:  # fmt: skip
        own = network or checkpoint(method, seed)
        raw = self.records.folder / "raw" / f"{kind}-{method}-{seed}-{own[:12]}{suffix}"
        raw.parent.mkdir(parents=True, exist_ok=True)
        made.save(raw)
        facts = {"raw": raw.relative_to(self.results).as_posix(), "raw_sha256": sha256_file(raw)}
        subject = "data_sha256" if method == "real" else "checkpoint_sha256"
        own = "d" * 64 if method == "real" else own
        self._append(method, seed, measured | facts | {subject: own} | more)
        return raw

    def _append(self, method: str, seed: int, measured: dict[str, Any]) -> None:
        self.records.append(
            {"preset": PRESET, "task": SHOES, "method": method, "seed": seed} | measured
        )
