"""The call on the page: every state is drawn, and every failure comes with its remedy.

A scripted call part stands in for call.js and tells the page what a call would.
"""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.page.conftest import OpenPage, until, until_kept
from tests.page.fake_server import TOKEN, FakeServer, delta, done


def tell(page: Page, *actions: dict[str, Any]) -> None:
    """What the call part reports to the page."""
    page.wait_for_function("window.fakeCall !== undefined")
    page.evaluate("actions => actions.forEach((action) => window.fakeCall.dispatch(action))", list(actions))


def rtvi(kind: str, **data: Any) -> dict[str, Any]:
    return {"type": "call/message", "message": {"type": kind, "data": data}}


def server_message(**data: Any) -> dict[str, Any]:
    return rtvi("server-message", **data)


def says(segment: int, spoken: str, rest: str) -> dict[str, Any]:
    """`bot-output` of one segment: what of it was played, and what is still to come."""
    status = "completed" if rest == "" else "in-progress" if spoken else "new"
    return rtvi(
        "bot-output",
        text=f"{spoken} {rest}".strip(),
        segment_id=segment,
        will_be_spoken=True,
        spoken_status=status,
        spoken_progress={"accumulated_text": spoken, "remaining_text": rest},
    )


def start_call(page: Page) -> None:
    page.get_by_role("button", name="Call").click()
    tell(page, {"type": "call/phase", "phase": "connecting"}, {"type": "call/live", "at": 1000})
    expect(call(page)).to_have_attribute("data-phase", "live")


def call(page: Page) -> Locator:
    return page.get_by_role("region", name="Call")


def line(page: Page) -> Locator:
    return call(page).locator(".what")


def turns(page: Page, who: str) -> Locator:
    return page.locator(f"li[data-who={who}]")


def test_the_way_into_a_call_is_told_step_by_step(open_page: OpenPage) -> None:
    page = open_page()
    page.get_by_role("button", name="Call").click()
    expect(line(page)).to_have_text("Allow the microphone to start the call")
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    tell(page, {"type": "call/phase", "phase": "connecting"})
    expect(line(page)).to_have_text("Connecting")
    tell(page, {"type": "call/live", "at": 1000})
    expect(line(page)).to_have_text("Listening")
    expect(page.get_by_text("Call started")).to_be_visible()


def test_the_line_tells_what_goes_on(open_page: OpenPage) -> None:
    page = open_page()
    start_call(page)
    tell(page, server_message(type="state", state="looking_up", words="looking up your order"))
    expect(line(page)).to_have_text("Looking up your order")
    expect(page.locator("#spoken")).not_to_contain_text("undefined")
    tell(page, rtvi("bot-started-speaking"))
    expect(line(page)).to_have_text("Speaking")
    tell(page, rtvi("bot-stopped-speaking"))
    expect(line(page)).to_have_text("Listening")


def test_the_level_of_whoever_speaks_is_live(open_page: OpenPage) -> None:
    page = open_page()
    start_call(page)
    meter = call(page).locator(".meter")
    tell(page, {"type": "call/levels", "mic": 0.6, "agent": 0.1, "now": 63_000})
    expect(meter.locator("i[data-on=true]")).to_have_count(3)
    expect(meter).to_have_attribute("data-whose", "caller")
    expect(call(page).locator(".clock")).to_have_text("1:02")
    tell(page, rtvi("bot-started-speaking"), {"type": "call/levels", "mic": 0.6, "agent": 1, "now": 64_000})
    expect(meter.locator("i[data-on=true]")).to_have_count(5)
    expect(meter).to_have_attribute("data-whose", "agent")


def test_words_of_the_caller_are_lighter_until_they_are_final(open_page: OpenPage) -> None:
    page = open_page()
    start_call(page)
    tell(page, rtvi("user-transcription", text="where is", final=False))
    expect(turns(page, "customer").locator(".interim")).to_have_text("where is")
    tell(page, rtvi("user-transcription", text="Where is my order?", final=True))
    expect(turns(page, "customer").locator(".plain")).to_have_text("Where is my order?")
    expect(page.locator(".interim")).to_have_count(0)
    tell(page, rtvi("user-transcription", text="Number ten.", final=True))
    expect(turns(page, "customer").locator(".plain")).to_have_text("Where is my order? Number ten.")
    expect(turns(page, "customer").locator(".channel")).to_have_text("spoken")


def test_a_server_that_sends_both_kinds_of_transcripts_is_not_drawn_twice(open_page: OpenPage) -> None:
    page = open_page()
    start_call(page)
    for kind in ("user-input", "user-transcription"):
        tell(page, rtvi(kind, text="Hello there.", final=True, input_type="transcription"))
    tell(page, rtvi("user-input", text="mhm", final=True, input_type="backchannel"))
    tell(page, says(1, "Good day.", ""), rtvi("bot-tts-text", text="Good day."))
    expect(turns(page, "customer").locator(".plain")).to_have_text(["Hello there."])
    expect(turns(page, "agent").locator(".plain")).to_have_text(["Good day."])


def test_words_of_the_agent_are_in_full_ink_once_they_are_played(open_page: OpenPage) -> None:
    page = open_page()
    start_call(page)
    tell(page, says(1, "", "We open at nine."))
    expect(turns(page, "agent").locator(".coming")).to_have_text("We open at nine.")
    tell(page, says(1, "We open ", " at nine."))
    expect(turns(page, "agent").locator(".coming")).to_have_text("at nine.")
    tell(page, says(1, "We open at nine.", ""), says(2, "", "We close at five."))
    expect(turns(page, "agent")).to_have_count(1)
    tell(page, says(2, "We close at five.", ""))
    tell(page, server_message(type="heard", turn_id="t1", text="We open at nine. We close at five.", complete=True))
    expect(turns(page, "agent").locator(".plain")).to_have_text("We open at nine. We close at five.")
    expect(page.locator(".coming, .unheard")).to_have_count(0)
    expect(page.locator("#spoken")).to_contain_text("We open at nine. We close at five.")


def test_single_words_of_a_simple_server_are_joined(open_page: OpenPage) -> None:
    page = open_page()
    start_call(page)
    tell(page, *[rtvi("bot-tts-text", text=word) for word in ("We", "open", "at nine", ".")])
    expect(turns(page, "agent").locator(".plain")).to_have_text("We open at nine.")


def test_where_the_caller_cut_in_the_unheard_rest_fades_and_stays_out(open_page: OpenPage) -> None:
    page = open_page()
    start_call(page)
    tell(page, says(7, "Your order", "left on Monday and comes on Friday."), rtvi("bot-started-speaking"))
    tell(page, rtvi("user-started-speaking"), rtvi("bot-interrupted"))
    tell(page, rtvi("user-transcription", text="Stop.", final=True))
    heard = "Your order left on Monday"
    tell(page, server_message(type="heard", turn_id="t1", text=heard, complete=False))
    agent = turns(page, "agent")
    expect(agent.locator(".unheard")).to_have_text("and comes on Friday.")
    expect(agent).to_contain_text("The rest was not heard.")
    tell(page, says(7, "Your order left on Monday and comes on Friday.", ""))
    expect(agent.locator(".unheard")).to_be_hidden()
    assert agent.locator(".plain").inner_text().strip() == heard
    tell(page, says(8, "All right.", ""))
    expect(agent).to_have_count(2)
    expect(agent.last.locator(".plain")).to_have_text("All right.")


def test_a_done_effect_is_shown_as_a_receipt(open_page: OpenPage) -> None:
    page = open_page()
    start_call(page)
    tell(page, server_message(type="card", title="Return created", rows=[["Order", "10007"], ["At", "14:02"]]))
    expect(page.get_by_role("region", name="Return created").locator("dd")).to_have_text(["10007", "14:02"])


def test_what_the_answer_shows_stands_beside_the_spoken_words(open_page: OpenPage, server: FakeServer) -> None:
    page = open_page()
    start_call(page)
    tell(page, rtvi("user-transcription", text="When do you open?", final=True))
    cards = [{"title": "Hours", "rows": [["Monday", "9 to 5"]]}]
    sources = [{"name": "Opening hours", "url": None}]
    tell(page, server_message(type="show", sources=sources, quick_replies=["Sunday?"], buttons=[], cards=cards))
    tell(page, says(1, "At nine.", ""))
    agent = turns(page, "agent")
    expect(agent).to_have_count(1)
    expect(agent.locator(".chip")).to_have_text("Opening hours")
    expect(agent.get_by_role("region", name="Hours")).to_be_visible()
    page.get_by_role("button", name="Sunday?").click()
    expect(agent.last).to_contain_text("You said Sunday?")


def test_spoken_words_that_also_come_as_events_are_not_shown_twice(open_page: OpenPage, server: FakeServer) -> None:
    page = open_page()
    start_call(page)
    tell(page, server_message(type="token", token=TOKEN), says(1, "We open at nine.", ""))
    until(page, lambda: server.listeners() > 0)
    server.later("message", {"who": "agent", "name": "Nova", "text": "We open at nine."})
    server.later("message", {"who": "human", "name": "Maria", "text": "I am here too."})
    expect(turns(page, "human")).to_contain_text("I am here too.")
    expect(turns(page, "agent")).to_have_count(1)
    page.get_by_role("button", name="Hang up").click()
    server.later("message", {"who": "agent", "name": "Nova", "text": "We open at nine."})
    server.later("message", {"who": "agent", "name": "Nova", "text": "Your call-back is booked."})
    expect(turns(page, "agent").last).to_contain_text("Your call-back is booked.")
    expect(turns(page, "agent")).to_have_count(2)


def test_muting_is_told_to_the_call_and_shown(open_page: OpenPage) -> None:
    page = open_page()
    start_call(page)
    page.get_by_role("button", name="Mute").click()
    expect(page.get_by_role("button", name="Muted")).to_have_attribute("aria-pressed", "true")
    expect(line(page)).to_have_text("You are muted")
    assert page.evaluate("window.fakeCall.muted") is True
    page.get_by_role("button", name="Muted").click()
    expect(line(page)).to_have_text("Listening")
    assert page.evaluate("window.fakeCall.muted") is False


def test_hanging_up_ends_the_call_and_leaves_its_length_in_the_thread(open_page: OpenPage) -> None:
    page = open_page()
    start_call(page)
    tell(page, {"type": "call/levels", "mic": 0, "agent": 0, "now": 66_000}, says(1, "We open", "at nine."))
    page.get_by_role("button", name="Hang up").click()
    assert page.evaluate("window.fakeCall.hungUp") is True
    expect(call(page)).to_have_attribute("data-phase", "ended")
    expect(page.get_by_text("Call ended after 1:05")).to_be_visible()
    expect(page.locator(".unheard")).to_have_text("at nine.")
    page.get_by_role("button", name="Type instead").click()
    expect(page.get_by_label("Message")).to_be_focused()
    expect(call(page)).to_have_count(0)


def test_what_an_old_call_still_reports_is_not_shown(open_page: OpenPage) -> None:
    page = open_page()
    start_call(page)
    page.get_by_role("button", name="Hang up").click()
    tell(page, {"type": "call/problem", "problem": "network"})
    expect(call(page)).to_have_attribute("data-phase", "ended")


def test_a_lost_connection_is_told_and_the_call_goes_on(open_page: OpenPage) -> None:
    page = open_page()
    start_call(page)
    tell(page, {"type": "call/phase", "phase": "reconnecting"})
    expect(line(page)).to_have_text("Connection lost. Trying again")
    tell(page, {"type": "call/live", "at": 5000})
    expect(line(page)).to_have_text("Listening")
    expect(page.get_by_text("Call started")).to_have_count(1)


def test_a_microphone_that_goes_away_is_told_with_what_to_do(open_page: OpenPage) -> None:
    page = open_page()
    start_call(page)
    tell(page, {"type": "call/deaf", "deaf": True})
    expect(line(page)).to_have_text("The microphone was disconnected")
    expect(call(page)).to_contain_text("Plug it in again")
    tell(page, {"type": "call/deaf", "deaf": False})
    expect(line(page)).to_have_text("Listening")


@pytest.mark.parametrize(
    ("problem", "remedy"),
    [
        ("refused", "allow the microphone for this site"),
        ("no_device", "Plug in a microphone"),
        ("device_busy", "Close the other app"),
        ("insecure", "opened with https"),
        ("busy", "Try again in a moment"),
        ("network", "Check the network"),
        ("server", "did not take the call"),
    ],
)
def test_a_call_that_fails_says_why_and_what_to_do(open_page: OpenPage, problem: str, remedy: str) -> None:
    page = open_page()
    page.get_by_role("button", name="Call").click()
    tell(page, {"type": "call/problem", "problem": problem})
    alert = page.get_by_role("alert", name="Call")
    expect(alert).to_contain_text(remedy)
    alert.get_by_role("button", name="Type instead").click()
    expect(page.get_by_role("button", name="Call")).to_be_visible()


def test_the_call_part_that_cannot_be_loaded_is_told(open_page: OpenPage) -> None:
    page = open_page(real_call=True)
    page.route("**/call.js", lambda route: route.abort())
    page.get_by_role("button", name="Call").click()
    expect(page.get_by_role("alert", name="Call")).to_contain_text("Check the network")


def test_typed_and_spoken_turns_are_one_conversation(open_page: OpenPage, server: FakeServer) -> None:
    server.answers["typed"] = [delta("Seen"), done("Seen")]
    page = open_page()
    start_call(page)
    assert page.evaluate("window.fakeCall.token") is None
    tell(page, server_message(type="token", token=TOKEN), rtvi("user-transcription", text="Spoken.", final=True))
    page.get_by_label("Message").fill("typed")
    page.keyboard.press("Enter")
    expect(turns(page, "agent")).to_contain_text("Seen")
    assert server.received == [{"text": "typed", "token": TOKEN}]
    expect(turns(page, "customer").locator(".channel")).to_have_text(["spoken", "typed"])
    until_kept(page, TOKEN)


def test_a_call_goes_on_with_the_conversation_that_was_typed(open_page: OpenPage) -> None:
    page = open_page()
    page.get_by_label("Message").fill("hello")
    page.keyboard.press("Enter")
    expect(turns(page, "agent")).to_contain_text("You said hello")
    start_call(page)
    assert page.evaluate("window.fakeCall.token") == TOKEN


def test_markup_in_what_was_said_stays_text(open_page: OpenPage) -> None:
    page = open_page()
    start_call(page)
    attack = "<img src=x onerror='window.hacked=1'>"
    tell(page, rtvi("user-transcription", text=attack, final=True), says(1, attack, attack))
    tell(page, server_message(type="state", state="working", words=attack))
    expect(turns(page, "agent")).to_contain_text(attack)
    assert page.locator("#page img").count() == 0


def test_odd_messages_change_nothing(open_page: OpenPage) -> None:
    page = open_page()
    start_call(page)
    odd: list[dict[str, Any]] = [
        {"type": "call/message", "message": {"type": "bot-output"}},
        {"type": "call/message", "message": {"type": "server-message", "data": None}},
        {"type": "call/message", "message": {"type": "server-message", "data": "text"}},
        rtvi("never-heard-of"),
        rtvi("user-transcription", text=7, final=True),
        server_message(type="heard", turn_id="t9", text="nothing", complete=False),
        server_message(type="card", rows="none"),
    ]
    tell(page, *odd)
    expect(line(page)).to_have_text("Listening")
