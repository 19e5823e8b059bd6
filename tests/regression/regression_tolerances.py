"""By how much a number may change when it is measured again from stored weights, and why.

Three things change numbers: stored weights have float16's 11 bits (pictures of 32 px change by
0.0001 on the mean and 0.003 at most of the range of 2, where a grey level is 0.008, so that some
pixels take the next one); batches are others than at the first measurement, and other processors sum
in another order (1e-6). Both only matter where a threshold is near. Tolerances are about three times
what that was seen to change, or more.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Tolerance:
    """``absolute`` + ``relative`` of the stored number."""

    absolute: float
    relative: float = 0.0

    def allows(self, stored: float, found: float) -> bool:
        return bool(abs(found - stored) <= self.absolute + self.relative * abs(stored))

    def __str__(self) -> str:
        return f"{self.absolute:g} + {100 * self.relative:g} %"


EXACTLY = Tolerance(1e-9)  # value from raw values: the same sums of the same numbers
KEPT_AS_FLOAT32 = Tolerance(1e-5)  # as raw colours, contrasts and the like are

TOLERANCES: dict[str, Tolerance] = {
    # Of each of 20 inputs, mean distance of 19 pairs: float16 changes it by up to 6e-5; MUNIT's
    # values are 0.05 to 0.2.
    "diversity": Tolerance(1e-4, 0.001),
    # Mean over 100 inputs: a pixel at the threshold of white that changes sides moves it by 3e-5.
    "silhouette-iou": Tolerance(1e-3),
    # Of each of 10 inputs, mean distance of 10 pictures to the nearest true one: float16 changes it
    # by up to 1.6e-4; values are 0.05 to 0.2. Quality follows from these distances.
    "truth-distance": Tolerance(2e-4, 0.002),
    "quality-observed": Tolerance(2e-4, 0.002),
    # Means over 2,000 pictures, smooth in them; 20 of these at the edge of a ball may change sides.
    "fid": Tolerance(0.02, 0.005),
    "kid": Tolerance(0.01, 0.01),
    "precision": Tolerance(0.01),
    "recall": Tolerance(0.01),
    # Means over 20 inputs and 20 samples. One picture of 20 may change class where its two best are
    # equal, in a fifth of the inputs; of 400 colours a few change their bin.
    "category-kept": Tolerance(0.02),
    "colour-distance": Tolerance(0.005, 0.005),
    "colour-entropy": Tolerance(0.02),
    "pattern-distance": Tolerance(0.01),
    "pattern-entropy": Tolerance(0.02),
    "parts-auc": Tolerance(0.005),  # ranks of pixels of nearly equal contrast change
    "style-consistency": Tolerance(0.005),  # smooth in 1,000 colours
    # Of the first inputs, their raw values and now; smooth in probabilities of at most four modes.
    "is": Tolerance(0.01),
    "cis": Tolerance(0.01),
    "exp-is": Tolerance(0.03),
    "exp-cis": Tolerance(0.03),
    "mode-entropy": Tolerance(0.01),
    "mode-confidence": Tolerance(0.005),
    # Of 10 inputs one may reach a mode by a single picture at the border.
    "modes-reached": Tolerance(0.1),
    "content-confusion": Tolerance(0.01),  # ranks of nearly equal distances change
    # Encoders that no translation reads are not stored, so these follow from raw values alone.
    "style-mmd": EXACTLY,
    "style-mean-norm": EXACTLY,
    "style-cov-error": EXACTLY,
    "content-domain-accuracy": EXACTLY,
    "content-pair-distance": EXACTLY,
    "content-retrieval-rank": EXACTLY,
}

# A translation by the stored weights, when they were stored and now: rounding alone.
TRANSLATION = Tolerance(1e-5)  # mean over pixels
# What raw values of single pictures may change by, mean over the pictures.
COLOURS = Tolerance(0.001)  # OKLab: means over a body's pixels
CLASSES = Tolerance(0.02)  # share of pictures of another class: near the border of two
PROBABILITIES = Tolerance(0.002)  # steep where a classifier is unsure
CONTENTS = Tolerance(0.02)  # standard deviations of a factor, smooth in the pictures
FEATURES = Tolerance(1e-3, 1e-3)  # mean of a feature of the very same photos: rounding alone

# Not measured again, and why not.
EXCLUDED: dict[str, str] = {
    "quality-human": "people were asked, and no program asks them again",
    "quality-judged": "the judge compares with photos among 4,000 training pictures, which are not "
    "drawn here",
    "photo-distance": "as quality-judged",
    "content-mmd": "needs the encoders of both domains, and is no mean of raw values",
}


def tolerance(metric: str) -> Tolerance:
    """That of a metric, which may have the name of its network behind it."""
    return TOLERANCES[metric] if metric in TOLERANCES else TOLERANCES[metric.split("-")[0]]


def excluded(metric: str) -> str | None:
    """Why a metric is not measured again."""
    if metric in TOLERANCES:
        return None
    return next((why for name, why in EXCLUDED.items() if metric.startswith(name)), None)
