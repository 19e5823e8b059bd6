"""Fidelity of translations: FID, KID, precision and recall against training photos."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from benchmarks.metrics.fidelity import METRIC_OF, SCORES, fidelity, protocol_name
from models.errors import UserError
from reproduce.measuring.kept import chosen, extractor_of
from reproduce.measuring.kind import Looking, Made, OneByOne, Wanted
from reproduce.measuring.subject import Subject
from reproduce.training.translate import Translation

if TYPE_CHECKING:  # imported late: torch-fidelity imports torchvision, which takes seconds
    from benchmarks.networks.extractors import Extractor, Features

SAMPLES = 10  # translations of each test input, fewer if there are too few photos
REFERENCE_SEED = 0  # of the reference photos: the same for every method and seed


class FidelityKind(OneByOne):
    """FID, KID, precision and recall.

    For real pictures it is the score of a perfect translator. Drawn inputs are redrawn in random
    styles, as many times as methods translate them. Other tasks use as many training photos outside
    the reference as there are translations. If there are too few, nothing is measured, since scores
    of different numbers of pictures are not comparable.
    """

    name = "fidelity"
    metrics = frozenset(SCORES)

    @cached_property
    def extractor(self) -> Extractor:
        return extractor_of(self.pictures, self.places)

    @cached_property
    def counts(self) -> tuple[int, int]:
        """Numbers of test inputs and of translations of each: in total at most one per photo."""
        inputs, photos = len(self.pictures.domains.test_a), len(self.pictures.domains.train_b)
        samples = min(SAMPLES, photos // inputs)
        if samples < 1:
            raise UserError(
                f"{inputs} test inputs for {photos} training photos: fidelity compares equal "
                "numbers, so use fewer test inputs or more photos"
            )
        return inputs, samples

    @cached_property
    def reference(self) -> Features:
        """Features of the reference photos, a random part of the training set.

        The classifier that extracts them was trained on other photos.
        """
        from benchmarks.networks.extractors import extract

        return extract(self._photos(self._taken), self.extractor)

    @property
    def _taken(self) -> list[int]:
        inputs, samples = self.counts
        return chosen(inputs * samples, len(self.pictures.domains.train_b), REFERENCE_SEED)

    def _photos(self, rows: Iterable[int]) -> Iterator[Translation]:
        source = self.pictures.domains.train_b
        return ((source.ids[i], 0, self.pictures.read(source, i)) for i in rows)

    def wanted(self, subject: Subject) -> Wanted:
        inputs, samples = self.counts
        total = inputs * samples
        if subject.real and self.pictures.truth is None:
            if 2 * total > len(self.pictures.domains.train_b):
                return {}
            inputs, samples = total, 1
        told = {
            "protocol__sha256": self.extractor.sha256,
            "protocol__protocol": protocol_name(inputs, samples, total),
        }
        return {METRIC_OF[score, self.extractor.name].name: told for score in SCORES}

    def look(self, subject: Subject) -> Looking:
        from benchmarks.networks.extractors import Extraction

        (inputs, samples), features = self.counts, Extraction(self.extractor)
        pictures = None
        if subject.real:
            truth, names = self.pictures.truth, self.pictures.domains.test_a.ids
            pictures = truth.best_translations(names, samples) if truth else self._other_photos()

        def finish() -> Sequence[Made]:
            about = {"reference": "training photos", "reference_seed": REFERENCE_SEED}
            result = fidelity(features.finish(), self.reference, self.extractor, about)
            which = result.protocol["protocol"], self.extractor.sha256
            raw = self.raw_name("fidelity", subject, *which), result.save
            return [Made(m.as_dict(), raw) for m in result.measurements()]

        return Looking(finish, features.update, inputs, samples, pictures)

    def _other_photos(self) -> Iterator[Translation]:
        taken = set(self._taken)
        rest = [i for i in range(len(self.pictures.domains.train_b)) if i not in taken]
        return self._photos(rest[i] for i in chosen(len(taken), len(rest), REFERENCE_SEED))
