"""The page to play with: in a browser, with the stored weights; and what its server refuses."""

from __future__ import annotations

import base64
import contextlib
import http.client
import io
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from study_browser import ACCESSIBLE, DESKTOP, NEEDS_BROWSER, PHONE, launched, playwright

from reproduce.commands.cli import main
from reproduce.report.demo.app import MOST_BYTES

ROOT = Path(__file__).resolve().parents[3]


@contextlib.contextmanager
def serving(*more: str) -> Iterator[str]:
    """The address at which the command serves the page."""
    words = [sys.executable, "-m", "reproduce", "demo", "--no-browser", "--port", "0", *more]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[0]
        process.terminate()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Of the page with the stored weights."""
    with serving() as found:
        yield found


@NEEDS_BROWSER
def test_a_stroke_is_answered_by_eight_pictures_and_a_slider_by_another(address: str) -> None:
    with launched() as browser:
        page = browser.new_page(viewport=dict(zip(("width", "height"), DESKTOP, strict=True)))
        asked, wrong = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(address)
        tiles = page.locator('.tiles[data-method="munit"] img')
        playwright.expect(tiles).to_have_count(8)
        page.get_by_role("button", name="Clear").click()

        def settled() -> None:
            page.wait_for_selector('body[aria-busy="false"]')

        def pictures() -> list[str]:
            settled()
            return [tile.get_attribute("src") for tile in tiles.all()]

        def shows(url: str) -> bool:
            settled()
            return near(page.locator("#styled").get_attribute("src"), url)

        before = pictures()
        box = page.locator("#canvas").bounding_box()
        begin = time.perf_counter()
        page.mouse.move(box["x"] + 40, box["y"] + 200)
        page.mouse.down()
        page.mouse.move(box["x"] + 220, box["y"] + 60, steps=5)
        page.mouse.up()
        after = pictures()
        assert (
            time.perf_counter() - begin < 5
        )  # the promise, 300 ms a stroke, is of a quiet machine
        assert len(set(after)) == 8 and not set(after) & set(before)

        styled = page.locator("#styled")
        mean = styled.get_attribute("src")
        page.locator("#sliders input").first.fill("2")
        playwright.expect(styled).not_to_have_attribute("src", mean)
        tiles.nth(1).click()
        assert shows(after[1])
        page.get_by_role("button", name="Keep as A").click()
        tiles.nth(2).click()
        page.get_by_role("button", name="Keep as B").click()
        assert shows(after[2])
        page.locator("#walk").fill("0")
        assert shows(after[1]) and not shows(after[2])

        page.get_by_role("button", name="BicycleGAN (paired)").click()
        playwright.expect(page.locator(".tiles img")).to_have_count(16)
        page.get_by_role("button", name="Undo").click()
        assert all(near(one, other) for one, other in zip(pictures(), before, strict=True))
        assert all(url.startswith((address, "data:", "blob:")) for url in asked)  # nothing leaves
        assert page.evaluate(ACCESSIBLE) == [] and wrong == []
        page.set_viewport_size(dict(zip(("width", "height"), PHONE, strict=True)))
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


def url_of(picture: Image.Image, kind: str = "PNG") -> str:
    file = io.BytesIO()
    picture.save(file, kind)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"


def pixels(url: str) -> np.ndarray:
    data = base64.b64decode(url.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(data)))


def near(one: str, other: str) -> bool:
    """Whether pictures are the same but for rounding, which batches of other sizes change."""
    return int(np.abs(pixels(one).astype(int) - pixels(other)).max()) <= 1


class Client:
    """Asks a page's server."""

    def __init__(self, address: str) -> None:
        self.host = address.removeprefix("http://")

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        return self._ask("GET", path, None, headers)

    def post(self, path: str, body: object) -> tuple[int, str]:
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self._ask("POST", path, text, {})

    def json(self, path: str, body: object) -> dict:
        status, text = self.post(path, body)
        assert status == 200, text
        return json.loads(text)

    def _ask(self, *request: object) -> tuple[int, str]:
        connection = http.client.HTTPConnection(self.host, timeout=30)
        connection.request(*request)
        answer = connection.getresponse()
        self.headers = answer.headers
        return answer.status, answer.read().decode(errors="replace")


@pytest.fixture(scope="module")
def client(trained) -> Iterator[Client]:
    """Of the page of a tiny MUNIT."""
    with serving(str(trained("munit"))) as found:
        yield Client(found)


PICTURE = url_of(Image.new("RGB", (40, 30), "teal"))


def test_styles_walk_from_an_example_s_to_anothers(client: Client) -> None:
    told = client.json("/api/task", 0)
    (network,) = told["networks"]
    assert network["numbers"] == 8 and network["guided"] and told["draws"]
    assert len(told["inputs"]) == len(told["examples"]) > 0
    asked = {"picture": told["inputs"][0], "networks": [0]}
    first, last = (
        client.json("/api/style", asked | {"picture": url})["style"] for url in told["examples"][:2]
    )
    between = [[(1 - t) * a + t * b for a, b in zip(first, last, strict=True)] for t in (0, 0.5, 1)]
    made = client.json("/api/translate", asked | {"styles": between})["translations"]
    assert made["0"]["codes"][0] == pytest.approx(first)
    steps = [pixels(url) for url in made["0"]["pictures"]]
    assert [len(steps), steps[0].shape] == [3, (told["size"], told["size"], 3)]
    assert len({step.tobytes() for step in steps}) == 3
    again = client.json("/api/translate", asked | {"seeds": [3, 3, 4]})["translations"]
    one, same, other = again["0"]["pictures"]
    assert one == same != other


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        ("translate", {"picture": PICTURE, "networks": [9]}, "no such network"),
        ("translate", {"picture": PICTURE, "networks": []}, "networks"),
        ("translate", {"picture": PICTURE, "networks": [0], "styles": [[1.0]]}, "of 8 numbers"),
        ("translate", {"picture": PICTURE, "networks": [0], "styles": [["a"]]}, "styles"),
        ("translate", {"picture": PICTURE, "networks": [0], "seeds": [0] * 99}, "seeds"),
        ("translate", {"picture": PICTURE, "networks": [0], "path": "/etc"}, "path"),
        ("translate", {"picture": "/etc/passwd", "networks": [0]}, "no picture"),
        ("translate", {"picture": PICTURE[:-9], "networks": [0]}, "no picture"),
        ("translate", {"picture": "data:image/png;base64,%%", "networks": [0]}, "no picture"),
        (
            "translate",
            {"picture": url_of(Image.new("RGB", (4, 4))), "networks": [0]},
            "4 x 4 pixels",
        ),
        (
            "translate",
            {"picture": url_of(Image.new("1", (9000, 9000))), "networks": [0]},
            "9000 x 9000",
        ),
        (
            "style",
            {"picture": url_of(Image.new("RGB", (9, 9)), "GIF"), "networks": [0]},
            "no picture",
        ),
        ("task", 7, "no such task"),
        ("translate", [], "the request"),
    ],
)
def test_what_is_no_request_is_refused_in_a_line(
    path: str, body: object, told: str, client: Client
) -> None:
    status, text = client.post(f"/api/{path}", body)
    error = json.loads(text)["error"]
    assert status == 400 and told in error and "\n" not in error


def test_too_much_and_other_sites_are_refused(client: Client) -> None:
    assert client.post("/api/translate", b"x" * (MOST_BYTES + 1))[0] == 413
    assert client.get("/", host="evil.example")[0] == 400
    assert client.get("/../app.py")[0] == 404
    assert client.get("/")[0] == 200
    assert "default-src 'self'" in client.headers["content-security-policy"]


def test_without_weights_it_says_what_to_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--results", str(tmp_path), "--no-browser"]) == 2
    assert "name a checkpoint" in capsys.readouterr().err
    (tmp_path / "no.safetensors").write_bytes(json.dumps({}).encode())
    assert main(["demo", str(tmp_path / "no.safetensors"), "--no-browser"]) == 2
