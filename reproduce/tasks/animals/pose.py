"""The content of an animal's picture, with one meaning and one distribution for all animals."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np

from reproduce.tasks.animals.canvas import Floats
from reproduce.tasks.drawn.content import Factors
from reproduce.tasks.drawn.draws import pick, uniform

EXPRESSIONS = ("closed", "smile", "open")
BACKDROPS = ("plain", "gradient", "spot")
TURN = 40.0  # largest yaw of a head in degrees, to either side


@dataclass(frozen=True)
class Pose:
    """A head's pose, its expression, and the backdrop."""

    yaw: float  # degrees; positive: turned to the picture's right
    tilt: float  # degrees; positive: leaning to the picture's right
    x: float  # offset from the picture's middle, in its widths; positive: right, down
    y: float
    scale: float  # relative to the animal's usual size
    gaze_x: float  # -1 (to the picture's left) to 1
    gaze_y: float  # -1 (up) to 1
    openness: float  # of the eyes, 0 (shut) to 1
    expression: str  # of the mouth: closed, smile, open
    backdrop: str  # plain, gradient, spot
    backdrop_hue: float  # turns, as in reproduce.tasks.drawn.palette
    backdrop_lightness: float
    backdrop_chroma: float

    def as_dict(self) -> Factors:
        """Return the factors as a flat dict."""
        return asdict(self)


def draw_pose(rng: np.random.Generator) -> Pose:
    """Draw a pose with ``rng``."""
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
    """Maps a head's coordinates to the unit square.

    A head's coordinates show it from the front: the origin is between the eyes, x points right, y
    down, and the cheeks are at x = -1 and 1. Turning shifts a point by its depth towards the
    viewer. The face bulges, so its near half widens and its far half narrows, without overlaps.
    """

    pose: Pose
    unit: float  # length of one unit, in widths of the picture
    level: float  # height of the head's origin, from the top, without the pose's offset

    @property
    def turn(self) -> float:
        """The sine of the yaw, -0.64 to 0.64."""
        return math.sin(math.radians(self.pose.yaw))

    def face(self, points: Floats, lift: float | Floats = 0.0) -> Floats:
        """Map points (..., 2) on the face, or ``lift`` in front of it."""
        x, y = points[..., 0], points[..., 1]
        depth = np.maximum(0.62 - 0.55 * x * x - 0.10 * y * y, 0.0) + lift
        return self.flat(points, depth)

    def flat(self, points: Floats, depth: float | Floats = 0.0) -> Floats:
        """Map points (..., 2) at a given depth; 0 is the silhouette's, negative is behind it."""
        turn = self.turn
        x = points[..., 0] * (1.0 - 0.15 * turn * turn) + turn * depth
        y = points[..., 1]
        angle = math.radians(self.pose.tilt)
        cosine, sine = math.cos(angle), math.sin(angle)
        return self._place(np.stack([x * cosine - y * sine, x * sine + y * cosine], axis=-1))

    def upright(self, points: Floats) -> Floats:
        """Map points (..., 2) on the body, which neither turns nor tilts."""
        return self._place(points)

    def _place(self, points: Floats) -> Floats:
        pose, unit = self.pose, self.unit * self.pose.scale
        placed = points * unit + (0.5 + pose.x, self.level + pose.y)
        # Round to a grid of 1/16384, to remove rounding errors that differ between machines.
        rounded: Floats = np.round(placed * 16384) / 16384
        return rounded
