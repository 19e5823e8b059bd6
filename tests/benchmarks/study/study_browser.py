"""Pages in a browser: opening them, and what they must be for everybody to use them."""

import contextlib
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
DESKTOP, PHONE = (1280, 800), (390, 844)

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FOUND = next(filter(None, map(shutil.which, BROWSERS)), None)
NEEDS_BROWSER = pytest.mark.skipif(
    FOUND is None, reason="no browser: install Debian's with 'apt-get install chromium'"
)


@contextlib.contextmanager
def launched() -> Iterator[Any]:
    """A browser without a window."""
    with playwright.sync_playwright() as started:
        # Containers have neither the sandbox's rights nor much shared memory.
        chromium = started.chromium.launch(
            executable_path=FOUND, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield chromium
        chromium.close()


# What a screen reader and a weak eye need, checked in the page as it stands.
ACCESSIBLE = """() => {
  const problems = [];
  const shown = (e) => e.checkVisibility() && e.getClientRects().length > 0;
  const visible = (s) => [...document.querySelectorAll(s)].filter(shown);
  if (document.documentElement.lang !== "en") problems.push("no language");
  if (visible("main").length !== 1) problems.push("not one main landmark");
  if (visible("h1").length !== 1) problems.push("not one h1");
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  if (new Set(ids).size !== ids.length) problems.push("an id twice");
  for (const image of visible("img")) {
    if (!image.hasAttribute("alt")) problems.push("picture without alt");
    if (!image.closest("button") && !image.alt) problems.push("picture without a name");
  }
  for (const button of visible("button, a.primary")) {
    const name = button.getAttribute("aria-label") ?? button.textContent;
    if (!name.trim()) problems.push("button without a name");
    const box = button.getBoundingClientRect();
    if (Math.min(box.width, box.height) < 44) problems.push(`small target: ${name}`);
  }
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => channels(colour).slice(0, 3).map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
  for (const e of visible("h1, h2, p, span, button, kbd, figcaption, output, td, th, caption")) {
    let ground = e;
    while (channels(getComputedStyle(ground).backgroundColor)[3] === 0) ground = ground.parentElement;
    const [a, b] = [light(getComputedStyle(e).color), light(getComputedStyle(ground).backgroundColor)];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) problems.push(`contrast ${contrast.toFixed(1)}: ${e.textContent.trim()}`);
  }
  if (document.documentElement.scrollWidth > innerWidth) problems.push("scrolls sideways");
  return problems;
}"""


def context(browser: Any, size: tuple[int, int] = DESKTOP, **options: Any) -> Any:
    width, height = size
    made = browser.new_context(viewport={"width": width, "height": height}, **options)
    made.set_default_timeout(15_000)
    return made


def open_page(where: Any, address: str) -> Any:
    """A page that fails the test when its scripts do."""
    page = where.new_page()
    page.complaints = []
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("console", lambda m: m.type == "error" and page.complaints.append(m.text))
    page.goto(address)
    return page


def wait_for_question(page: Any, number: int, total: int = 8) -> None:
    playwright.expect(page.locator("#progress-text")).to_have_text(f"Question {number} of {total}")
    page.wait_for_selector(".asking:not(.waiting)")


def shown(page: Any) -> dict[str, str]:
    """Public ids of the pictures on the screen."""
    sources = {s: page.get_attribute(f"#{s}-picture", "src") for s in ("left", "right")}
    return {
        side: str(source).split("/")[-1].removesuffix(".png") for side, source in sources.items()
    }


def all_pictures_fit(page: Any) -> bool:
    """Whether input and both translations are on the screen at once, equally large."""
    boxes = [page.locator(f"#{r}-picture").bounding_box() for r in ("input", "left", "right")]
    size = page.viewport_size
    inside = all(
        b["x"] >= 0 and b["y"] >= 0 and b["x"] + b["width"] <= size["width"]
        and b["y"] + b["height"] <= size["height"] for b in boxes
    )  # fmt: skip
    return inside and len({(round(b["width"]), round(b["height"])) for b in boxes}) == 1
