"""Each state in light, dark and phone width: accessible, nothing cut off, and kept as a picture."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from tests.page.conftest import ROOT, OpenPage, until
from tests.page.fake_server import Event, FakeServer, Gate, delta, done, state
from tests.page.test_page_call import rtvi, says, server_message, start_call, tell, turns
from tests.page.test_page_chat import ask

AXE = ROOT / "transports" / "page" / "node_modules" / "axe-core" / "axe.min.js"
ColorScheme = Literal["light", "dark"]
Look = tuple[ColorScheme, ViewportSize]
LOOKS: dict[str, Look] = {
    "light": ("light", {"width": 1024, "height": 768}),
    "dark": ("dark", {"width": 1024, "height": 768}),
    "phone": ("light", {"width": 320, "height": 568}),
    "phone-dark": ("dark", {"width": 390, "height": 844}),
}
ANSWER = """You can return any book within **30 days**:

1. Open [your orders](https://example.org/orders) and press *Return*.
2. Print the label.
3. Bring the parcel to any post office.

| Way | Cost |
| --- | --- |
| Post office | free |
| Pick-up | 4.90 |

The reference is `RT-10007`."""


def first_screen(page: Page, server: FakeServer) -> None:
    expect(page.get_by_label("Message")).to_be_focused()


def asking_to_forget(page: Page, server: FakeServer) -> None:
    ask(page, "hello")
    expect(turns(page, "agent")).to_contain_text("You said hello")
    page.get_by_role("button", name="New conversation").click()
    expect(page.get_by_role("button", name="Yes")).to_be_focused()


def answered(page: Page, server: FakeServer) -> None:
    server.answers["Can I return a book?"] = [
        done(
            ANSWER,
            sources=[{"name": "Returns and refunds", "url": "/returns"}, {"name": "Shipping"}],
            quick_replies=["Start a return", "How long does it take?"],
            cards=[{"title": "Return created", "rows": [["Order", "10007"], ["At", "14:02"]]}],
        )
    ]
    page.get_by_role("button", name="Can I return a book?").click()
    expect(page.get_by_role("region", name="Return created")).to_be_visible()


def working(page: Page, server: FakeServer) -> None:
    server.answers["order"] = [state("looking_up", "looking up your order"), Gate()]
    ask(page, "hello")
    expect(turns(page, "agent")).to_contain_text("You said hello")
    ask(page, "order")
    expect(page.locator(".working")).to_be_visible()


def failed(page: Page, server: FakeServer) -> None:
    server.answers["order"] = [Event("error", {"code": "overloaded", "message": "I cannot answer just now."})]
    ask(page, "order")
    expect(page.get_by_role("alert")).to_be_visible()


def stopped(page: Page, server: FakeServer) -> None:
    server.answers["story"] = [delta("Once upon a time there was a book"), Gate()]
    ask(page, "story")
    expect(turns(page, "agent")).to_contain_text("Once")
    page.keyboard.press("Escape")
    expect(page.locator(".aside")).to_have_text("You stopped this answer.")


def offline(page: Page, server: FakeServer) -> None:
    ask(page, "hello")
    expect(turns(page, "agent")).to_contain_text("You said hello")
    page.context.set_offline(True)
    expect(page.get_by_role("alert")).to_be_visible()


def with_colleague(page: Page, server: FakeServer) -> None:
    server.answers["a person, please"] = [done("I get somebody for you.", handed_off=True)]
    ask(page, "a person, please")
    expect(page.get_by_text("A colleague has been asked")).to_be_visible()
    until(page, lambda: server.listeners() > 0)
    server.later("message", {"who": "human", "name": "Maria", "text": "Hello, Maria here. How can I help?"})
    server.later("state", {"state": "human_typing", "words": "Maria is typing"})
    expect(page.locator(".presence .dots")).to_be_visible()


def unknown_token(page: Page, server: FakeServer) -> None:
    expect(page.get_by_label("Message")).to_be_focused()
    page.evaluate("localStorage.setItem('openline.token', 'gone')")
    page.reload()
    expect(page.get_by_text("Your earlier conversation is no longer here")).to_be_visible()


def asked_for_microphone(page: Page, server: FakeServer) -> None:
    page.get_by_role("button", name="Call").click()
    expect(page.get_by_role("region", name="Call")).to_contain_text("Allow the microphone")


def listening(page: Page, server: FakeServer) -> None:
    start_call(page)
    tell(page, rtvi("user-started-speaking"), rtvi("user-transcription", text="Where is my", final=False))
    tell(page, {"type": "call/levels", "mic": 0.6, "agent": 0, "now": 9000})
    expect(page.locator(".interim")).to_be_visible()


def speaking(page: Page, server: FakeServer) -> None:
    start_call(page)
    tell(page, rtvi("user-transcription", text="Where is my order 10007?", final=True))
    tell(page, rtvi("bot-started-speaking"), says(1, "Your order left on Monday", "and arrives on Friday."))
    tell(page, {"type": "call/levels", "mic": 0, "agent": 0.8, "now": 14_000})
    expect(page.locator(".coming")).to_be_visible()


def cut_in(page: Page, server: FakeServer) -> None:
    speaking(page, server)
    tell(page, server_message(type="heard", turn_id="t1", text="Your order left", complete=False))
    tell(page, rtvi("bot-stopped-speaking"), rtvi("user-transcription", text="To which address?", final=True))
    tell(page, server_message(type="state", state="looking_up", words="looking up your order"))
    expect(page.get_by_text("The rest was not heard.")).to_be_visible()


def muted(page: Page, server: FakeServer) -> None:
    start_call(page)
    page.get_by_role("button", name="Mute").click()
    expect(page.get_by_role("button", name="Muted")).to_be_visible()


def reconnecting(page: Page, server: FakeServer) -> None:
    start_call(page)
    tell(page, {"type": "call/phase", "phase": "reconnecting"})
    expect(page.get_by_role("region", name="Call")).to_contain_text("Connection lost")


def device_gone(page: Page, server: FakeServer) -> None:
    start_call(page)
    tell(page, {"type": "call/deaf", "deaf": True})
    expect(page.get_by_role("region", name="Call")).to_contain_text("Plug it in again")


def refused(page: Page, server: FakeServer) -> None:
    page.get_by_role("button", name="Call").click()
    tell(page, {"type": "call/problem", "problem": "refused"})
    expect(page.get_by_role("alert", name="Call")).to_be_visible()


def busy(page: Page, server: FakeServer) -> None:
    page.get_by_role("button", name="Call").click()
    tell(page, {"type": "call/problem", "problem": "busy"})
    expect(page.get_by_role("alert", name="Call")).to_be_visible()


def call_ended(page: Page, server: FakeServer) -> None:
    speaking(page, server)
    page.get_by_role("button", name="Hang up").click()
    expect(page.get_by_role("button", name="Call again")).to_be_visible()


STATES: dict[str, Callable[[Page, FakeServer], None]] = {
    show.__name__: show
    for show in (
        first_screen, asking_to_forget, answered, working, failed, stopped, offline, with_colleague, unknown_token,
        asked_for_microphone, listening, speaking, cut_in, muted, reconnecting, device_gone, refused, busy,
        call_ended,
    )
}  # fmt: skip


@pytest.fixture(scope="session")
def axe(build_check: subprocess.CompletedProcess[str]) -> str:
    """The source of axe-core, installed with the page's build."""
    assert AXE.exists(), build_check.stderr
    return AXE.read_text()


@pytest.mark.parametrize("name", STATES)
def test_every_state_is_accessible_and_fits(
    open_page: OpenPage, server: FakeServer, axe: str, artifacts: Path, name: str
) -> None:
    page = open_page(viewport=LOOKS["light"][1])
    STATES[name](page, server)
    for look, (scheme, size) in LOOKS.items():
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size(size)
        settle(page)
        page.screenshot(path=artifacts / f"{name}-{look}.png")
        assert overflow(page) == 0, look
        assert small_targets(page) == [], look
        assert violations(page, axe) == [], look


def test_at_double_zoom_everything_is_still_there(open_page: OpenPage, server: FakeServer, artifacts: Path) -> None:
    page = open_page(viewport={"width": 640, "height": 360}, device_scale_factor=2)
    answered(page, server)
    page.set_viewport_size({"width": 320, "height": 180})
    page.get_by_role("button", name="Start a return").click()
    expect(turns(page, "agent").last).to_contain_text("You said Start a return")
    page.screenshot(path=artifacts / "zoomed.png")
    assert overflow(page) == 0


def test_reduced_motion_stops_every_animation_and_hides_the_unheard_rest(
    open_page: OpenPage, server: FakeServer
) -> None:
    page = open_page(reduced_motion="reduce")
    cut_in(page, server)
    expect(page.locator(".unheard")).to_be_hidden()
    assert page.evaluate("document.getAnimations().length") == 0


def test_any_accent_is_readable(open_page: OpenPage, server: FakeServer, axe: str) -> None:
    for accent in ("#ffe600", "#111111", "#ff2d55"):
        server.business["accent"] = accent
        for scheme in ("light", "dark"):
            page = open_page(color_scheme=scheme)
            answered(page, server)
            settle(page)
            assert violations(page, axe) == [], (accent, scheme)


def test_the_keyboard_reaches_everything_and_focus_is_visible(open_page: OpenPage, server: FakeServer) -> None:
    page = open_page()
    answered(page, server)
    page.get_by_label("Message").fill("x")
    wanted = ["New conversation", "Call", "your orders", "Returns and refunds", "Start a return"]
    wanted += ["How long does it take?", "message", "Send"]
    reached = []
    for _ in range(2 * len(wanted)):
        page.keyboard.press("Tab")
        name, seen = page.evaluate(
            """() => {
              const at = document.activeElement;
              const outlined = getComputedStyle(at).outlineStyle !== 'none' || at.closest('.composer') !== null;
              return [at === document.body ? '' : at.ariaLabel || at.innerText.trim() || at.id, outlined];
            }"""
        )
        assert seen or name == "", name
        reached.append(name)
    start = reached.index(wanted[0])
    assert reached[start : start + len(wanted)] == wanted


def settle(page: Page) -> None:
    """Waits for the short arrivals; what fades or repeats is not waited for."""
    page.evaluate(
        "Promise.all(document.getAnimations().filter((one) => one.animationName === 'arrive')"
        ".map((one) => one.finished))"
    )


def overflow(page: Page) -> int:
    """How far the page can be scrolled sideways, in CSS pixels."""
    wide: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return max(wide, 0)


def small_targets(page: Page) -> list[str]:
    """Buttons under 44 CSS pixels (WCAG 2.2, 2.5.5); links in running text are exempt."""
    found: list[str] = page.evaluate(
        """[...document.querySelectorAll('button, a.button, textarea')]
        .filter((one) => one.offsetParent !== null && one.getBoundingClientRect().height < 44)
        .map((one) => one.outerHTML)"""
    )
    return found


def violations(page: Page, axe: str) -> list[str]:
    page.evaluate(axe)
    found = page.evaluate(
        """async () => {
          const fading = document.getAnimations().filter((one) => one.animationName === 'fade');
          fading.forEach((one) => one.finish());
          const rules = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
          const { violations } = await axe.run(document, { runOnly: rules });
          return violations.map((one) => [one.id, one.nodes.map((node) => node.html + node.failureSummary)]);
        }"""
    )
    return [json.dumps(one) for one in found]
