"""The content of an animal's picture, of one meaning and one distribution for all of them."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np

from reproduce.tasks.animals.canvas import Floats
from reproduce.tasks.drawn.content import Factors
from reproduce.tasks.drawn.draws import pick, uniform

EXPRESSIONS = ("closed", "smile", "open")
BACKDROPS = ("plain", "gradient", "spot")
TURN = 40.0  # degrees, the most a head is turned to either side


@dataclass(frozen=True)
class Pose:
    """How a head is held, what its face does, and what is behind it."""

    yaw: float  # degrees; positive: turned to the picture's right
    tilt: float  # degrees; positive: leaning to the picture's right
    x: float  # off the picture's middle, in its widths; positive: right, down
    y: float
    scale: float  # 1: the kind's usual size
    gaze_x: float  # -1 (to the picture's left) to 1
    gaze_y: float  # -1 (up) to 1
    openness: float  # of the eyes, 0 (shut) to 1
    expression: str  # of the mouth: closed, smile, open
    backdrop: str  # plain, gradient, spot
    backdrop_hue: float  # turns, as in reproduce.tasks.drawn.palette
    backdrop_lightness: float
    backdrop_chroma: float

    def as_dict(self) -> Factors:
        """The factors, flat."""
        return asdict(self)


def draw_pose(rng: np.random.Generator) -> Pose:
    """A pose, a function of the state of ``rng`` alone."""
    return Pose(
        yaw=uniform(rng, -TURN, TURN),
        tilt=uniform(rng, -14, 14),
        x=uniform(rng, -0.05, 0.05),
        y=uniform(rng, -0.04, 0.04),
        scale=uniform(rng, 0.9, 1.1),
        gaze_x=uniform(rng, -1, 1),
        gaze_y=uniform(rng, -0.7, 0.7),
        openness=uniform(rng, 0.45, 1),
        expression=pick(rng, dict.fromkeys(EXPRESSIONS, 1.0)),
        backdrop=pick(rng, dict.fromkeys(BACKDROPS, 1.0)),
        backdrop_hue=uniform(rng, 0, 1),
        backdrop_lightness=uniform(rng, 0.70, 0.86),
        backdrop_chroma=uniform(rng, 0.02, 0.065),
    )


@dataclass(frozen=True)
class Frame:
    """From a head's own coordinates to the unit square.

    Heads are drawn from the front: x to the right and y down from between the eyes, the cheeks
    at x = -1 and 1. Turning shifts a point by its depth towards the viewer: a face bulges, so its
    near half widens and its far half narrows, and no point overtakes another.
    """

    pose: Pose
    unit: float  # length of a head's 1, in widths of the picture
    level: float  # how far down an unmoved picture the head's origin lies

    @property
    def turn(self) -> float:
        """-0.64 to 0.64: the sine of the yaw."""
        return math.sin(math.radians(self.pose.yaw))

    def face(self, points: Floats, lift: float | Floats = 0.0) -> Floats:
        """Points (..., 2) on the face, or ``lift`` in front of it."""
        x, y = points[..., 0], points[..., 1]
        depth = np.maximum(0.62 - 0.55 * x * x - 0.10 * y * y, 0.0) + lift
        return self.flat(points, depth)

    def flat(self, points: Floats, depth: float | Floats = 0.0) -> Floats:
        """Points (..., 2) at a given depth; 0: the silhouette's, below: behind it."""
        turn = self.turn
        x = points[..., 0] * (1.0 - 0.15 * turn * turn) + turn * depth
        y = points[..., 1]
        angle = math.radians(self.pose.tilt)
        cosine, sine = math.cos(angle), math.sin(angle)
        return self._place(np.stack([x * cosine - y * sine, x * sine + y * cosine], axis=-1))

    def upright(self, points: Floats) -> Floats:
        """Points (..., 2) on the body, which neither turns nor tilts."""
        return self._place(points)

    def _place(self, points: Floats) -> Floats:
        pose, unit = self.pose, self.unit * self.pose.scale
        placed = points * unit + (0.5 + pose.x, self.level + pose.y)
        # A grid of 1/16384: rounding errors that differ between machines vanish here.
        rounded: Floats = np.round(placed * 16384) / 16384
        return rounded
