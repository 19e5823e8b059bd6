"""What raters' browsers may send, checked before anything else looks at it."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError
from starlette.requests import ClientDisconnect, Request

from benchmarks.study.sessions import Identity, Refused

MOST_BYTES = 4096
SECONDS = 10

# Beginning with a letter or digit, so that no spreadsheet takes an exported id for a formula.
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+:=-]{0,127}$")]
Hex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
PREVIEW = "ASSIGNMENT_ID_NOT_AVAILABLE"


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Arrival(_Body):
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


class Vote(_Body):
    """The translation that a rater chose."""

    question: Hex
    choice: Literal["left", "right"]


Body = TypeVar("Body", bound=_Body)


async def body(request: Request, kind: type[Body]) -> Body:
    """The JSON body of ``request`` as ``kind``; Refused if it is anything else. Read piece by piece
    and given up at the limit, whatever length it claims to have."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise Refused(415, "Send application/json.")
    claimed = request.headers.get("content-length", "0")
    if not claimed.isdecimal() or len(claimed) > 9 or int(claimed) > MOST_BYTES:
        raise Refused(413, f"Send at most {MOST_BYTES} bytes.")
    received = bytearray()
    try:
        async with asyncio.timeout(SECONDS):
            async for piece in request.stream():
                received += piece
                if len(received) > MOST_BYTES:
                    raise Refused(413, f"Send at most {MOST_BYTES} bytes.")
    except TimeoutError:
        raise Refused(408, "The request took too long.") from None
    except ClientDisconnect:
        raise Refused(400, "The request ended early.") from None
    try:
        return kind.model_validate_json(bytes(received))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        malformed = first["type"] == "json_invalid"
        # Names of our own fields alone: what was sent is never sent back.
        where = next((str(at) for at in first["loc"] if at in kind.model_fields), "the body")
        told = "The body is not JSON." if malformed else f"Not understood: {where}."
        raise Refused(400 if malformed else 422, told) from None


def bearer(request: Request) -> str:
    """The token of the Authorization header; Refused if there is none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not 0 < len(token) <= 256:
        raise Refused(401, "A token is needed.")
    return token
