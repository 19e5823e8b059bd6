"""What raters' browsers may send, checked before anything else looks at it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints
from starlette.requests import Request

from benchmarks.study.sessions import Identity
from benchmarks.study.web import Body, Refused

MOST_BYTES = 4096  # of a request

# Beginning with a letter or digit, so that no spreadsheet takes an exported id for a formula.
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+:=-]{0,127}$")]
Hex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
PREVIEW = "ASSIGNMENT_ID_NOT_AVAILABLE"


class Arrival(Body):
    """Consent, and the rater as the recruiting platform's link names them."""

    consent: Literal[True]
    visit: Hex
    rater: Name | None = None
    workerId: Name | None = None
    assignmentId: Name | None = None
    hitId: Name | None = None
    PROLIFIC_PID: Name | None = None
    STUDY_ID: Name | None = None
    SESSION_ID: Name | None = None

    def identity(self) -> Identity:
        """Who this is. ``visit``, which the browser drew, stands in where the link holds a name
        alone; then the name belongs to that browser."""
        if self.assignmentId == PREVIEW:
            raise Refused(422, "This is a preview. Accept the task to begin, please.")
        named = [
            ("mturk", self.workerId, self.assignmentId),
            ("prolific", self.PROLIFIC_PID, self.SESSION_ID),
            ("link", self.rater, None),
        ]
        found = [(platform, name, visit) for platform, name, visit in named if name is not None]
        if len(found) != 1:
            raise Refused(422, "Your link names no participant, or several. Use it as you got it.")
        platform, name, visit = found[0]
        return Identity(platform, name, visit or self.visit, several=visit is not None)  # type: ignore[arg-type]


class Vote(Body):
    """The translation that a rater chose."""

    question: Hex
    choice: Literal["left", "right"]


def bearer(request: Request) -> str:
    """The token of the Authorization header; Refused if there is none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not 0 < len(token) <= 256:
        raise Refused(401, "A token is needed.")
    return token
