"""The page to play with: in a browser, with the stored weights; and what its server refuses."""

from __future__ import annotations

import base64
import http.client
import io
import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from study_browser import ACCESSIBLE, DESKTOP, NEEDS_BROWSER, PHONE, context, launched, playwright

from reproduce.report.demo.app import MOST_BYTES, Asked, Demo
from reproduce.report.demo.networks import networks_of
from reproduce.training.styles import walk

ROOT = Path(__file__).resolve().parents[3]


@NEEDS_BROWSER
def test_a_stroke_is_answered_by_eight_pictures_and_a_slider_by_another(client: Client) -> None:
    with launched() as browser:
        page = context(browser, DESKTOP).new_page()
        asked, wrong = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(home := f"http://{client.host}")
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
        page.mouse.move(box["x"] + 40, box["y"] + 200)
        page.mouse.down()
        page.mouse.move(box["x"] + 220, box["y"] + 60, steps=5)
        page.mouse.up()
        after = pictures()
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
        page.locator("#walk").fill("1")
        assert shows(after[2])
        assert page.locator("#guides").is_visible() and page.locator("#unguided").is_hidden()

        page.get_by_role("button", name="MUNIT w/o s reconstruction").click()
        playwright.expect(page.locator(".tiles img")).to_have_count(16)
        page.get_by_role("button", name="Undo").click()
        assert all(near(one, other) for one, other in zip(pictures(), before, strict=True))
        assert all(url.startswith((home, "data:", "blob:")) for url in asked)  # nothing leaves
        assert page.evaluate(ACCESSIBLE) == [] and wrong == []
        page.set_viewport_size(dict(zip(("width", "height"), PHONE, strict=True)))
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


def url_of(picture: Image.Image, **how: object) -> str:
    file = io.BytesIO()
    picture.save(file, "PNG", **how)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def pixels(url: str) -> np.ndarray:
    data = base64.b64decode(url.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(data)))


def near(one: str, other: str) -> bool:
    """Whether pictures are the same but for rounding, which batches of other sizes change."""
    return int(np.abs(pixels(one).astype(int) - pixels(other)).max()) <= 1


class Client:
    """Asks a page's server."""

    def __init__(self, address: str, log: Path) -> None:
        self.host, self.log, self.munit = address.removeprefix("http://"), log, ""
        networks = self.json("/api/task", {"task": 0})["networks"]
        (self.munit,) = (str(of["number"]) for of in networks if of["method"] == "munit")

    def get(self, path: str) -> tuple[int, str]:
        return self._ask("GET", path, None, {})

    def post(self, path: str, body: object, **more: str) -> tuple[int, str]:
        text = body if isinstance(body, str) else json.dumps(body)
        headers = {"content-type": "application/json"} | more
        sent = text.replace('"munit"', self.munit).encode()
        return self._ask("POST", path, sent, {k.replace("_", "-"): v for k, v in headers.items()})

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
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Of the page with the stored weights, as the command serves it."""
    log = tmp_path_factory.mktemp("demo") / "log.txt"
    words = [sys.executable, "-m", "reproduce", "demo", "--no-browser", "--port", "0"]
    with (
        log.open("w") as errors,
        subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT
        ) as process,
    ):
        assert process.stdout is not None
        yield Client(process.stdout.readline().split()[0], log)
        process.terminate()


PICTURE = url_of(Image.new("RGB", (40, 30), "teal"))
ASKED: dict[str, object] = {"picture": PICTURE, "networks": ["munit"]}  # by its number


def blank(mode: str, *size: int) -> dict[str, object]:
    return ASKED | {"picture": url_of(Image.new(mode, size))}


def test_styles_walk_from_an_example_s_to_anothers(client: Client) -> None:
    told = client.json("/api/task", {"task": 0})
    (network,) = (of for of in told["networks"] if of["method"] == "munit")
    assert network["numbers"] == 8 and network["unguided"] == "" and told["draws"]
    assert len(told["inputs"]) == len(told["examples"]) > 0
    asked = ASKED | {"picture": told["inputs"][0]}
    first, last = (
        client.json("/api/style", asked | {"picture": url})["style"] for url in told["examples"][:2]
    )
    made = [
        client.json("/api/translate", asked | {"walk": {"first": first, "last": last, "share": s}})
        for s in (0, 0.5, 1)
    ]
    codes = [one["translations"][client.munit]["codes"][0] for one in made]
    arc = walk({"style": torch.tensor([first, last])}, 0, 1, 3)["style"]  # as translate walks
    torch.testing.assert_close(torch.tensor(codes), arc)
    steps = [pixels(one["translations"][client.munit]["pictures"][0]) for one in made]
    assert steps[0].shape == (told["size"], told["size"], 3)
    assert len({step.tobytes() for step in steps}) == 3
    again = client.json("/api/translate", asked | {"seeds": [3, 3, 4]})["translations"]
    one, same, other = again[client.munit]["pictures"]
    assert one == same != other


def test_an_upload_is_turned_upright_as_pictures_of_data_sets_are(client: Client) -> None:
    lying, exif = Image.linear_gradient("L").resize((40, 30)).convert("RGB"), Image.Exif()
    exif[0x0112] = 6
    urls = url_of(lying, exif=exif), url_of(lying.transpose(Image.Transpose.ROTATE_270))
    one, other = (client.post("/api/translate", ASKED | {"picture": u}) for u in urls)
    assert one == other and one[0] == 200


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        ("translate", ASKED | {"networks": [99]}, "no such network"),
        ("translate", ASKED | {"networks": [-1]}, "networks"),
        ("translate", ASKED | {"styles": [[1.0]]}, "of 8 numbers"),
        ("translate", ASKED | {"seeds": [0] * 99}, "seeds"),
        ("translate", ASKED | {"walk": {"first": [1], "last": [], "share": 0}}, "equal length"),
        ("translate", ASKED | {"path": "/etc"}, "the body"),
        ("translate", ASKED | {"picture": "/etc/passwd"}, "not a picture"),
        ("translate", ASKED | {"picture": PICTURE[:-9]}, "not a picture"),
        ("translate", ASKED | {"picture": PICTURE[:-40]}, "the picture is damaged"),
        ("translate", blank("RGB", 4, 4), "the picture is 4x4 pixels"),
        ("style", blank("1", 8, 300_000), "is 8x300000 pixels, more than 16 times"),
        ("translate", blank("1", 11_000, 10_000), "the picture has over 100,000,000 pixels"),
        ("task", {"task": 7}, "no such task"),
        ("translate", [], "the body"),
        ("translate", "{", "not JSON"),
    ],
)
def test_no_request_is_one_line(path: str, body: object, told: str, client: Client) -> None:
    status, text = client.post(f"/api/{path}", body)
    error = json.loads(text)["error"]
    assert status in (400, 422) and told in error and "\n" not in error


def test_too_much_is_refused(client: Client) -> None:
    assert client.post("/api/translate", "", content_length=str(MOST_BYTES + 1))[0] == 413


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "same-site"}, 403),  # another port of this machine
        ({"content_type": "text/plain"}, 415),  # what a form of another site may send
        ({"host": "evil.example"}, 400),
        ({"sec_fetch_site": "same-origin", "origin": "http://behind.a.proxy"}, 200),
    ],
)
def test_pages_of_other_sites_may_not_ask(headers: dict, status: int, client: Client) -> None:
    assert client.post("/api/translate", ASKED, **headers)[0] == status
    own = f"http://{client.host}"
    assert client.post("/api/translate", ASKED, origin=own)[0] == 200


def test_the_page_takes_nothing_from_elsewhere(client: Client) -> None:
    assert client.get("/")[0] == 200
    policy = client.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "img-src 'self' data:" in policy
    assert client.get("/../app.py")[0] == 404


def test_a_browser_that_leaves_is_no_error(client: Client) -> None:
    host, port = client.host.split(":")
    with socket.create_connection((host, int(port))) as leaving:
        lines = ["POST /api/translate HTTP/1.1", f"host: {client.host}"]
        lines += ["content-type: application/json", "content-length: 99", "", "{"]
        leaving.sendall("\r\n".join(lines).encode())
    assert client.get("/api/tasks")[0] == 200
    assert "Traceback" not in client.log.read_text()


def test_networks_of_one_file_are_one_and_of_copies_are_told_apart(tmp_path: Path) -> None:
    path = ROOT / "results/cpu/weights/drawn-shoes-munit-seed0.safetensors"
    copy = shutil.copy(path, tmp_path / "copy.safetensors")
    networks = networks_of([path, path.parent / ".." / path.parent.name / path.name, copy], "cpu")
    assert [network.title for network in networks] == [f"MUNIT ({path})", f"MUNIT ({copy})"]
    made = Demo(networks).translate(Asked(picture=PICTURE, networks=[0, 1]))["translations"]
    assert made[0]["pictures"] == made[1]["pictures"]


def test_networks_without_an_encoder_of_styles_say_so(trained) -> None:
    networks = networks_of([trained(m) for m in ("munit", "bicyclegan", "cyclegan-noise")], "cpu")
    by_method = {network.run.method: network for network in networks}
    assert by_method["munit"].unguided == by_method["bicyclegan"].unguided == ""
    assert "has no style encoder" in by_method["cyclegan-noise"].unguided
