"""The page in a real browser: keyboard, touch, coming back, small windows, screen readers."""

import dataclasses
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hostile_world import World
from study_browser import (
    ACCESSIBLE,
    NEEDS_BROWSER,
    PHONE,
    all_pictures_fit,
    context,
    launched,
    open_page,
    playwright,
    shown,
    wait_for_question,
)
from study_case import Served, rows_of, selected, served, stored_choices

from benchmarks.study.folder import Study
from benchmarks.study.mturk import export_bundle
from benchmarks.study.prepare import Plan, prepare

pytestmark = NEEDS_BROWSER


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as chromium:
        yield chromium


@pytest.fixture
def mine(browser: Any) -> Iterator[Any]:
    """A rater's browser."""
    made = context(browser)
    yield made
    made.close()


Live = tuple[Study, Served]


@pytest.fixture(scope="module")
def live(material: Plan, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A study of 8 questions a session that is served to all: each test has raters of its own."""
    folder = tmp_path_factory.mktemp("live") / "study"
    prepare(dataclasses.replace(material, per_rater=8), folder)
    with served(folder) as server:
        yield Study(folder), server


def agreed(where: Any, address: str) -> Any:
    """The page of a rater who agreed."""
    page = open_page(where, address)
    page.get_by_role("button", name="I agree – start").click()
    return page


def choices(study: Study, rater: str) -> list[str]:
    rows = selected(
        study, "SELECT choice FROM votes JOIN seats ON seats.id = votes.seat JOIN raters ON "
        "raters.id = rater WHERE name = ? ORDER BY at", rater,
    )  # fmt: skip
    return [row[0] for row in rows]


def test_a_session_by_keyboard_with_a_break(mine, live: Live):
    study, server = live
    chosen = []
    keys = {"left": ("ArrowLeft", "1"), "right": ("ArrowRight", "2")}
    page = open_page(mine, f"{server.site}/?rater=ada")
    playwright.expect(page.get_by_role("heading", level=1)).to_be_focused()
    assert page.evaluate(ACCESSIBLE) == []
    page.keyboard.press("Tab")
    playwright.expect(page.get_by_role("button", name="I agree – start")).to_be_focused()
    page.keyboard.press("Enter")
    for number in range(1, 9):
        wait_for_question(page, number)
        side = "left" if number % 3 else "right"
        chosen.append(shown(page)[side])
        if number == 1:
            assert page.evaluate(ACCESSIBLE) == []
            assert all_pictures_fit(page)
        page.keyboard.press(keys[side][number % 2])
        if number == 3:
            wait_for_question(page, 4)
            page.close()
            page = open_page(mine, f"{server.site}/?rater=ada")
    playwright.expect(page.get_by_role("heading", name="Thank you")).to_be_focused()
    assert page.evaluate(ACCESSIBLE) == []
    code = page.text_content("#code")
    page.reload()
    playwright.expect(page.locator("#code")).to_have_text(code)
    visit = page.evaluate("Object.entries(localStorage).find(([k]) => k.includes('visit'))[1]")
    assert page.complaints == []
    assert code == study.code("link", "ada", visit)
    stored = [picture for (name, _), picture in stored_choices(study).items() if name == "ada"]
    assert sorted(stored) == sorted(chosen)


def test_on_a_phone_by_touch(browser, live: Live):
    study, server = live
    phone = context(browser, PHONE, has_touch=True, is_mobile=True, color_scheme="dark")
    page = open_page(phone, f"{server.site}/?rater=bob")
    page.get_by_role("button", name="I agree – start").tap()
    for number, side in enumerate(("left", "right", "left"), 1):
        wait_for_question(page, number)
        assert all_pictures_fit(page)
        assert page.evaluate(ACCESSIBLE) == []
        page.get_by_role("button", name=f"Choose the {side} translation").tap()
    wait_for_question(page, 4)
    page.set_viewport_size({"width": 844, "height": 390})
    assert all_pictures_fit(page)
    page.set_viewport_size({"width": 360, "height": 640})
    assert all_pictures_fit(page)
    assert page.complaints == []
    phone.close()
    assert choices(study, "bob") == ["left", "right", "left"]


def test_a_held_key_answers_one_question(mine, live: Live):
    study, server = live
    page = agreed(mine, f"{server.site}/?rater=cleo")
    wait_for_question(page, 1)
    for _ in range(15):  # all but the first are repeats
        page.keyboard.down("ArrowLeft")
    wait_for_question(page, 2)
    page.keyboard.up("ArrowLeft")
    # Two presses in a moment: the second was meant for the question before.
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    wait_for_question(page, 3)
    assert choices(study, "cleo") == ["left", "right"]


def test_nobody_answers_before_having_looked(mine, live: Live):
    study, server = live
    mine.add_init_script("const real = setTimeout; setTimeout = (f, ms) => real(f, 8 * ms);")
    page = agreed(mine, f"{server.site}/?rater=fay")
    for picture in ("input", "left", "right"):
        page.wait_for_selector(f"#{picture}-picture[src]")
        page.locator(f"#{picture}-picture").evaluate("image => image.decode()")
    page.keyboard.press("ArrowLeft")
    wait_for_question(page, 1)  # ready only now, and the key is forgotten
    page.keyboard.press("ArrowRight")
    wait_for_question(page, 2)
    assert choices(study, "fay") == ["right"]


def test_a_vote_outlasts_a_restart_of_the_server(mine, study: Study):
    with served(study.path) as server:
        page = agreed(mine, f"{server.site}/?rater=dora")
        wait_for_question(page, 1, 20)
        server.kill()
    page.keyboard.press("ArrowLeft")
    playwright.expect(page.get_by_role("alert")).to_contain_text("trying again")
    with served(study.path, server.port):
        wait_for_question(page, 2, 20)
        playwright.expect(page.get_by_role("alert")).to_be_hidden()


def test_links_of_platforms(mine, live: Live):
    """A preview shows instructions alone; an assignment goes on from any browser; a mere name
    belongs to the browser that began."""
    study, server = live
    page = open_page(mine, f"{server.site}/?assignmentId=ASSIGNMENT_ID_NOT_AVAILABLE")
    playwright.expect(page.locator("#not-yet")).to_contain_text("Accept the task")
    playwright.expect(page.locator("#start")).to_be_hidden()
    world = World(server, study)
    world.vote(world.join("W1", workerId="W1", assignmentId="A1"), "left")
    page = agreed(mine, f"{server.site}/?workerId=W1&assignmentId=A1&hitId=H1")
    wait_for_question(page, 2)
    world.join("eve")
    page = agreed(mine, f"{server.site}/?rater=eve")
    playwright.expect(page.get_by_text("in another browser")).to_be_visible()


def test_the_end_leads_back_to_the_platform(mine, live: Live):
    study, server = live
    turk = "workerId=W2&assignmentId=A2&turkSubmitTo="
    world = World(server, study)
    opened = world.join("W2", workerId="W2", assignmentId="A2")
    for _ in range(7):
        opened["state"] = world.vote(opened, "left")
    page = agreed(mine, f"{server.site}/?{turk}https://www.mturk.com/")
    wait_for_question(page, 8)
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#mturk:not([hidden])")
    assert page.get_attribute("#mturk", "action") == "https://www.mturk.com/mturk/externalSubmit"
    assert page.input_value("#mturk [name=assignmentId]") == "A2"
    code = study.code("mturk", "W2", "A2")
    assert page.input_value("#mturk [name=code]") == code
    page = open_page(mine, f"{server.site}/?{turk}https://evil.example")
    page.wait_for_selector("#finished:not([hidden])")
    playwright.expect(page.locator("#mturk")).to_be_hidden()

    page = open_page(mine, server.overview)
    playwright.expect(page.get_by_role("row", name="W2")).to_contain_text(code)
    assert page.evaluate(ACCESSIBLE) == []
    page = open_page(mine, server.overview[:-1])
    playwright.expect(page.get_by_role("alert")).to_contain_text("Wrong token")
    playwright.expect(page.locator("#figures")).to_be_hidden()


def test_the_template_for_mechanical_turk_sends_what_was_chosen(mine, study: Study, tmp_path):
    """Whatever side a picture is put on, the value sent names the picture and that side."""
    export_bundle(study, tmp_path / "bundle", "https://pictures.example.org")
    template = (tmp_path / "bundle" / "template.html").read_text(encoding="utf-8")
    hit = rows_of(tmp_path / "bundle" / "hits.csv")[0]
    html = re.sub(r"\$\{(\w+)\}", lambda match: hit[match[1]], template)
    page = mine.new_page()
    page.route("**/*", lambda route: route.abort())  # neither Amazon nor pictures are reached
    page.set_content(html, wait_until="domcontentloaded")
    shown = page.locator("label:has(img)").evaluate_all(
        "labels => labels.map(l => [l.querySelector('img').getAttribute('src'), "
        "[l.getBoundingClientRect().x, l.querySelector('input').value]])"
    )
    boxes = dict(shown)
    values = set()
    for k in range(1, 21):
        both = [boxes[hit[f"{picture}_{k}"]] for picture in "ab"]
        assert [value[0] for _, value in both] == ["a", "b"]
        (_, left), (_, right) = sorted(both)
        assert (left[1], right[1]) == ("l", "r")
        values.add(left)
    assert values == {"al", "bl"}  # 20 coins: once in 500,000 runs they all agree
    assert page.locator(".pair span").all_text_contents() == ["Left", "Right"] * 20
