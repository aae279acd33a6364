"""The real call part (call.js) against a real WebRTC peer, with Chromium's fake microphone."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.page.conftest import OpenPage, until, until_kept
from tests.page.fake_peer import FakePeer
from tests.page.fake_server import TOKEN, FakeServer

WATCH_MICROPHONES = """() => {
  const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  window.tracks = [];
  window.plugged = true;
  navigator.mediaDevices.getUserMedia = async (wanted) => {
    if (!window.plugged) throw new DOMException("none", "NotFoundError");
    const stream = await ask(wanted);
    window.tracks.push(...stream.getTracks());
    return stream;
  };
}"""


@pytest.fixture
def peer(server: FakeServer) -> FakePeer:
    """A peer behind the server's `/api/offer`."""
    peer = FakePeer()
    server.stop()
    server.extra.append(peer.add_routes)
    server.start()
    return peer


def call(page: Page) -> Locator:
    return page.get_by_role("region", name="Call")


def start_call(page: Page) -> None:
    page.get_by_role("button", name="Call").click()
    expect(call(page)).to_have_attribute("data-phase", "live", timeout=20_000)


def test_a_call_carries_both_voices_and_the_captions(open_page: OpenPage, peer: FakePeer) -> None:
    page = open_page(real_call=True, permissions=["microphone"])
    logged: list[str] = []
    page.on("console", lambda message: logged.append(message.text))
    start_call(page)
    assert peer.offers[0]["requestData"] == {"token": None}
    assert [one["type"] for one in peer.messages] == ["client-ready"]
    until(page, lambda: peer.loudest > 1_000)
    peer.send("server-message", type="token", token=TOKEN)
    peer.send("user-transcription", text="Where is my order?", final=True, user_id="", timestamp="")
    expect(page.locator("li[data-who=customer] .plain")).to_have_text("Where is my order?")
    peer.send("bot-started-speaking")
    expect(call(page).locator(".what")).to_have_text("Speaking")
    expect(call(page).locator(".meter[data-whose=agent] i[data-on=true]").first).to_be_attached()
    until_kept(page, TOKEN)
    assert logged == []


def test_muting_silences_the_microphone(open_page: OpenPage, peer: FakePeer) -> None:
    page = open_page(real_call=True, permissions=["microphone"])
    start_call(page)
    until(page, lambda: peer.loudest > 1_000)
    page.get_by_role("button", name="Mute").click()
    expect(call(page).locator(".meter[data-whose=caller]")).to_have_attribute("data-level", "0.00")
    assert peer.connection is not None
    until(page, lambda: not peer.connection.audio_input_track().is_enabled())  # type: ignore[union-attr]
    page.get_by_role("button", name="Muted").click()
    until(page, lambda: peer.connection.audio_input_track().is_enabled())  # type: ignore[union-attr]


def test_hanging_up_closes_the_line_and_frees_the_microphone(open_page: OpenPage, peer: FakePeer) -> None:
    page = open_page(real_call=True, permissions=["microphone"])
    page.evaluate(WATCH_MICROPHONES)
    start_call(page)
    page.get_by_role("button", name="Hang up").click()
    expect(call(page)).to_have_attribute("data-phase", "ended")
    page.wait_for_function("window.tracks.length > 0 && window.tracks.every((one) => one.readyState === 'ended')")
    until(page, lambda: peer.closed)


def test_a_microphone_that_is_pulled_out_and_put_back_goes_on(open_page: OpenPage, peer: FakePeer) -> None:
    page = open_page(real_call=True, permissions=["microphone"])
    page.evaluate(WATCH_MICROPHONES)
    start_call(page)
    # A track that ends by itself cannot be made by script, so its event is sent after stopping it.
    page.evaluate("window.plugged = false; tracks[0].stop(); tracks[0].dispatchEvent(new Event('ended'))")
    expect(call(page)).to_contain_text("The microphone was disconnected")
    peer.loudest = 0
    page.evaluate("window.plugged = true; navigator.mediaDevices.dispatchEvent(new Event('devicechange'))")
    expect(call(page)).not_to_contain_text("The microphone was disconnected")
    until(page, lambda: peer.loudest > 1_000)


def test_a_lost_connection_is_made_anew_and_the_microphone_lives_on(open_page: OpenPage, peer: FakePeer) -> None:
    page = open_page(real_call=True, permissions=["microphone"])
    start_call(page)
    until(page, lambda: peer.loudest > 1_000)
    peer.lose()
    expect(call(page)).to_have_attribute("data-phase", "reconnecting", timeout=30_000)
    expect(call(page)).to_have_attribute("data-phase", "live", timeout=30_000)
    assert [offer["restart_pc"] for offer in peer.offers] == [False, True]
    peer.loudest = 0
    until(page, lambda: peer.loudest > 1_000)
    until(page, lambda: [one["type"] for one in peer.messages] == ["client-ready", "client-ready"])
    peer.send("user-transcription", text="Still there?", final=True, user_id="", timestamp="")
    expect(page.locator("li[data-who=customer] .plain")).to_have_text("Still there?")


def test_a_call_that_the_server_ends_is_told(open_page: OpenPage, peer: FakePeer) -> None:
    page = open_page(real_call=True, permissions=["microphone"])
    start_call(page)
    peer.hang_up()
    expect(call(page)).to_have_attribute("data-phase", "ended")


def test_a_call_goes_on_with_the_token_of_the_chat(open_page: OpenPage, server: FakeServer, peer: FakePeer) -> None:
    server.history[TOKEN] = []
    page = open_page(real_call=True, permissions=["microphone"], token=TOKEN)
    start_call(page)
    assert peer.offers[0]["requestData"] == {"token": TOKEN}


def test_a_refused_microphone_is_told_with_its_remedy(open_page: OpenPage, peer: FakePeer) -> None:
    page = open_page(real_call=True, permissions=[])
    page.get_by_role("button", name="Call").click()
    expect(page.get_by_role("alert", name="Call")).to_have_attribute("data-problem", "refused")
    assert peer.offers == []


def test_a_refused_offer_is_told(open_page: OpenPage, peer: FakePeer) -> None:
    peer.refuse_with = 429
    page = open_page(real_call=True, permissions=["microphone"])
    page.get_by_role("button", name="Call").click()
    expect(page.get_by_role("alert", name="Call")).to_have_attribute("data-problem", "busy")
