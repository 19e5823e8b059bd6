"""The page in a real browser, from its file: nothing is fetched, broken, hidden or too wide."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from study_browser import ACCESSIBLE, DESKTOP, NEEDS_BROWSER, PHONE, context, launched, playwright

pytestmark = NEEDS_BROWSER
SIZES = {"phone": PHONE, "desktop": DESKTOP, "small phone": (320, 640)}

# Which elements reach beyond the window, though no box of theirs scrolls.
BEYOND = """() => [...document.querySelectorAll("main *, header *, nav *")].filter((e) => {
  if (e.closest(".scroll, pre") && !e.matches(".scroll, pre")) return false;
  if (e.closest(".claims thead") || e.matches(".skip")) return false;
  const box = e.getBoundingClientRect();
  return box.width > 0 && box.right > innerWidth + 0.5;
}).map((e) => `${e.tagName} ${e.textContent.trim().slice(0, 40)}`)"""
BROKEN = (
    "() => [...document.images].filter((i) => !i.complete || !i.naturalWidth).map((i) => i.src)"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as chromium:
        yield chromium


def opened(browser: Any, out: Path, size: tuple[int, int], **options: Any) -> Any:
    """The page; ``asked`` and ``complaints`` gather what it fetched and what went wrong."""
    page = context(browser, size, **options).new_page()
    page.asked, page.complaints = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("requestfailed", lambda request: page.complaints.append(request.url))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("console", lambda message: page.complaints.append(message.text))
    page.goto((out / "index.html").as_uri())
    return page


@pytest.mark.parametrize(
    ("size", "scheme"), [("phone", "light"), ("desktop", "dark"), ("small phone", "dark")]
)
def test_nothing_is_broken_or_too_wide(browser: Any, out: Path, size: str, scheme: str) -> None:
    page = opened(browser, out, SIZES[size], color_scheme=scheme)
    assert page.evaluate(BROKEN) == []
    assert page.evaluate("document.images.length") >= 9
    assert page.evaluate(BEYOND) == []
    assert page.evaluate(ACCESSIBLE) == []
    assert page.complaints == []
    page.context.close()


def test_by_keyboard_to_the_content_and_along_a_wide_table(browser: Any, out: Path) -> None:
    page = opened(browser, out, PHONE)
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    playwright.expect(skip).to_be_focused()
    playwright.expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    region = page.locator("div[role=region]", has=page.get_by_role("table")).first
    region.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("(e) => e.scrollLeft > 0", arg=region.element_handle())
    page.context.close()


def test_on_paper_no_table_is_cut_off(browser: Any, out: Path) -> None:
    page = opened(browser, out, (680, 900))  # A4 without margins, at 96 pixels an inch
    page.emulate_media(media="print")
    assert page.evaluate(
        "[...document.querySelectorAll('table, img, pre')]"
        ".filter((e) => e.getBoundingClientRect().right > innerWidth + 0.5)"
        ".map((e) => e.textContent.trim().slice(0, 60))"
    ) == []  # fmt: skip
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF-")
    page.context.close()
