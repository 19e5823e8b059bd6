"""Results folders whose numbers are known, as records of several trainings."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from reproduce.analysis.claims.statements import claims
from reproduce.analysis.claims.verdicts import Finding, verdicts
from reproduce.experiments.preset import load_preset
from reproduce.records.current import Current
from reproduce.records.store import Records

PRESET = "quick"  # one task of Table 1, one pair of domains of Table 2
QUICK = load_preset(PRESET)
SHOES, CATS = "drawn-shoes", "drawn-housecats-dogs"
SEEDS = (0, 1, 2)
# What the paper claims, so that every claim about Table 1 holds.
DIVERSITY = {
    "unit": 0.011, "cyclegan": 0.010, "cyclegan-noise": 0.016, "munit-wo-x": 0.213,
    "munit-wo-c": 0.172, "munit-wo-s": 0.070, "munit": 0.109, "bicyclegan": 0.104,
}  # fmt: skip
QUALITY = {
    "unit": 20, "cyclegan": 24, "cyclegan-noise": 22, "munit-wo-x": 6, "munit-wo-c": 12,
    "munit-wo-s": 16, "bicyclegan": 50,
}  # fmt: skip


class World:
    """A results folder that is filled by hand."""

    def __init__(self, root: Path) -> None:
        self.results = root / "results"
        self.records = Records(self.results, PRESET)

    def value(
        self, metric: str, method: str, value: float, seed: int = 0, *, half: float = 0.01,
        network: str = "", protocol: dict[str, Any] | None = None, **more: Any,
    ) -> None:  # fmt: skip
        """A record of a network, which is that of method and seed unless it is named."""
        subject = "data_sha256" if method == "real" else "checkpoint_sha256"
        about: dict[str, Any] = {
            "preset": PRESET, "task": SHOES, "method": method, "seed": seed, "metric": metric,
            "value": value, "interval": {"low": value - half, "high": value + half},
            "unit": "", "direction": "higher", "protocol": {"protocol": "p"} | (protocol or {}),
            subject: network or f"{method} {seed}",
        }  # fmt: skip
        self.records.append(about | more)

    def diversity(
        self, method: str, mean: float, seed: int = 0, *, network: str = "", sha256: str = "a",
        protocol: str = "paper",
    ) -> None:  # fmt: skip
        about = {"extractor": "lpips", "sha256": sha256, "protocol": protocol}
        self.value("diversity-lpips", method, mean, seed, network=network, protocol=about)

    def quality(
        self, method: str, percent: float, seed: int = 0, *, by: str = "judged", reference: str = ""
    ) -> None:
        about = {"reference_sha256": reference or f"munit {seed}"}
        self.value(f"quality-{by}", method, percent, seed, half=3.0, protocol=about)

    def modes(self, method: str, cis: float, inception: float, seed: int = 0) -> None:
        """Both directions; the second a little higher."""
        for direction, more in (("a2b", 0.0), ("b2a", 0.001)):
            told = {"modes": list("wxyz"), "sha256": "b", "domain": direction, "accuracy": 0.99}
            where = {"task": CATS, "translation": direction}
            for metric, value in (("cis", cis + more), ("is", inception + more)):
                self.value(metric, method, value, seed, protocol=told, **where)

    def everything(self, noise: float = 0.01) -> World:
        """All that the claims ask for but theory's, as the paper has it; seeds differ a little."""
        for seed in SEEDS:
            shift = 1 + noise * (seed - 1)
            for method, mean in DIVERSITY.items():
                self.diversity(method, mean * shift, seed)
            for method, percent in QUALITY.items():
                self.quality(method, percent + 0.2 * (seed - 1), seed)
            self.diversity("real", 0.293, seed, protocol="real@300")
            for method in ("unit", "cyclegan", "cyclegan-noise"):
                self.modes(method, 0.01 * shift, 0.9, seed)
            self.modes("munit", 1.0 * shift, 1.01 * shift, seed)
        return self

    def rewrite(self, change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> None:
        """Puts what ``change`` makes of each record in its place; None takes it away."""
        kept = [made for r in self.records.all() if (made := change(r)) is not None]
        self.records.path.write_text("".join(json.dumps(r) + "\n" for r in kept))

    def findings(self, seeds: Sequence[int] | None = None) -> dict[str, Finding]:
        """By id without the task."""
        found = verdicts(claims(QUICK), Current.stored(self.results, PRESET, seeds))
        return {f.claim.id.removesuffix(f".{SHOES}"): f for f in found}
