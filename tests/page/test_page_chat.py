"""Typed conversations on the page, against a scripted server."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from tests.page.conftest import OpenPage, until, until_kept
from tests.page.fake_server import TOKEN, Cut, Event, FakeServer, Gate, delta, done, state


def ask(page: Page, text: str) -> None:
    page.get_by_label("Message").fill(text)
    page.keyboard.press("Enter")


def turns(page: Page, who: str) -> Locator:
    return page.locator(f"li[data-who={who}]")


def test_a_new_visitor_sees_the_business_and_three_starters(open_page: OpenPage) -> None:
    page = open_page()
    expect(page.get_by_role("heading", name="Bluebird Books")).to_be_visible()
    expect(page.get_by_text("Ask about a book, an order or a visit.")).to_be_visible()
    expect(page.get_by_role("group", name="Questions to start with").get_by_role("button")).to_have_count(3)
    expect(page.get_by_role("button", name="Call")).to_be_visible()
    expect(page.get_by_label("Message")).to_be_focused()
    expect(page).to_have_title("Bluebird Books")


def test_a_starter_asks_its_question(open_page: OpenPage, server: FakeServer) -> None:
    page = open_page()
    page.get_by_role("button", name="When do you open?").click()
    expect(turns(page, "agent")).to_contain_text("You said When do you open?")
    assert server.received == [{"text": "When do you open?", "token": None}]
    expect(page.get_by_label("Message")).to_be_focused()


def test_an_answer_streams_as_markdown_with_its_sources_replies_and_cards(
    open_page: OpenPage, server: FakeServer
) -> None:
    looking, middle = Gate(), Gate()
    server.answers["hours"] = [
        state("looking_up", "looking up our hours"), looking,
        delta("We open at **9"), middle, delta("** in:\n\n- Bern\n- Basel"),
        done(
            "We open at **9** in:\n\n- Bern\n- Basel",
            sources=[{"name": "Opening hours", "url": "/hours"}, {"name": "Holidays", "url": None}],
            quick_replies=["And on Sunday?"],
            buttons=[{"title": "Show the map", "url": "https://example.org/map"}, {"title": "Book", "text": "Book it"}],
            cards=[{"title": "Return created", "rows": [["Order", "10007"], ["At", "14:02"]]}],
        ),
    ]  # fmt: skip
    page = open_page()
    ask(page, "hours")
    answer = turns(page, "agent")
    expect(answer).to_contain_text("Looking up our hours")
    looking.open()
    expect(answer).to_contain_text("We open at **9")
    middle.open()
    expect(answer.locator("strong")).to_have_text("9")
    expect(answer.locator(".md li")).to_have_text(["Bern", "Basel"])
    expect(answer.get_by_role("link", name="Opening hours")).to_have_attribute("href", f"{server.url}/hours")
    expect(answer.locator("span.chip")).to_have_text("Holidays")
    expect(answer.get_by_role("link", name="Show the map")).to_have_attribute("rel", "noopener noreferrer")
    receipt = answer.get_by_role("region", name="Return created")
    expect(receipt.locator("dd")).to_have_text(["10007", "14:02"])
    expect(page.locator("#spoken")).to_contain_text("We open at")
    page.get_by_role("button", name="And on Sunday?").click()
    expect(turns(page, "agent").last).to_contain_text("You said And on Sunday?")
    expect(page.get_by_role("group", name="Suggested replies")).to_have_count(0)


def test_the_final_text_replaces_what_was_streamed(open_page: OpenPage, server: FakeServer) -> None:
    server.answers["cost"] = [delta("It costs 10"), done("It costs 12")]
    page = open_page()
    ask(page, "cost")
    expect(turns(page, "agent").locator(".body")).to_have_text("It costs 12")


def test_a_citation_shows_as_its_chip_alone_also_while_it_streams(open_page: OpenPage, server: FakeServer) -> None:
    middle = Gate()
    server.answers["cost"] = [
        delta("It costs 12. [Source: Pri"), middle,
        delta("ces]"),
        done("It costs 12. [Source: Prices]", sources=[{"name": "Prices"}]),
    ]  # fmt: skip
    page = open_page()
    ask(page, "cost")
    body = turns(page, "agent").locator(".body")
    expect(body).to_have_text("It costs 12.")
    middle.open()
    expect(turns(page, "agent").locator(".chip")).to_have_text("Prices")
    expect(body).to_have_text("It costs 12.")


def test_markup_from_anyone_stays_text(open_page: OpenPage, server: FakeServer) -> None:
    attack = "<img src=x onerror='window.hacked=1'><script>window.hacked=1</script> [go](javascript:window.hacked=1)"
    server.answers[attack] = [
        delta(attack),
        done(
            attack,
            sources=[{"name": "<b>bold</b>", "url": "javascript:window.hacked=1"}],
            buttons=[{"title": "<i>press</i>", "url": "javascript:window.hacked=1", "text": "pressed"}],
            cards=[{"title": "<u>card</u>", "rows": [["<s>k</s>", "<img src=x onerror='window.hacked=1'>"]]}],
            quick_replies=["<script>window.hacked=1</script>"],
        ),
    ]
    page = open_page()
    ask(page, attack)
    answer = turns(page, "agent")
    expect(answer.get_by_role("button", name="<i>press</i>")).to_be_visible()
    expect(answer.locator(".body")).to_contain_text("<img src=x onerror='window.hacked=1'><script>")
    expect(turns(page, "customer").locator(".body")).to_contain_text("<script>window.hacked=1</script>")
    assert page.locator("#page :is(img, script, b, i:not(.dots i), u, s)").count() == 0
    assert page.locator("a[href^='javascript:']").count() == 0
    assert page.evaluate("window.hacked") is None


def test_a_reload_keeps_the_conversation(open_page: OpenPage, server: FakeServer) -> None:
    page = open_page()
    ask(page, "hello")
    expect(turns(page, "agent")).to_contain_text("You said hello")
    server.history[TOKEN] = [
        {"who": "customer", "text": "hello", "channel": "text", "sources": []},
        {"who": "agent", "text": "You *said* hello", "channel": "text", "sources": [{"name": "Manners"}]},
        {"who": "customer", "text": "and by phone", "channel": "phone", "sources": []},
        {"who": "human", "text": "Hi, I am Maria", "channel": "text", "sources": [], "name": "Maria"},
    ]
    page.reload()
    expect(turns(page, "agent").locator("em")).to_have_text("said")
    expect(turns(page, "agent").locator(".chip")).to_have_text("Manners")
    expect(turns(page, "customer").last.locator(".channel")).to_have_text("by phone")
    expect(turns(page, "human").locator(".speaker")).to_have_text("Maria")
    ask(page, "again")
    expect(turns(page, "agent").last).to_contain_text("You said again")
    assert server.received[-1] == {"text": "again", "token": TOKEN}


def test_an_unknown_token_starts_anew_politely(open_page: OpenPage, server: FakeServer) -> None:
    page = open_page(token="long-gone")
    expect(page.get_by_text("Your earlier conversation is no longer here")).to_be_visible()
    ask(page, "hello")
    expect(turns(page, "agent")).to_contain_text("You said hello")
    assert server.received == [{"text": "hello", "token": None}]
    until_kept(page, TOKEN)


def test_a_token_forgotten_by_the_server_in_between_resends_the_message(
    open_page: OpenPage, server: FakeServer
) -> None:
    server.history["stale"] = []
    page = open_page(token="stale")
    ask(page, "hello")
    expect(page.get_by_text("Your earlier conversation is no longer here")).to_be_visible()
    expect(turns(page, "agent")).to_contain_text("You said hello")
    assert [one["token"] for one in server.received] == ["stale", None]


def test_escape_stops_the_answer_and_keeps_what_was_said(open_page: OpenPage, server: FakeServer) -> None:
    page = open_page()
    ask(page, "hello")
    expect(turns(page, "agent")).to_contain_text("You said hello")
    never = Gate()
    server.answers["long"] = [delta("Once upon a time"), never, done("never")]
    ask(page, "long")
    expect(turns(page, "agent").last).to_contain_text("Once upon a time")
    page.keyboard.press("Escape")
    expect(turns(page, "agent").last).to_contain_text("You stopped this answer.")
    expect(turns(page, "agent").last).to_contain_text("Once upon a time")
    page.wait_for_function("() => document.querySelector('[aria-label=\"Stop the answer\"]') === null")
    ask(page, "next")
    expect(turns(page, "agent").last).to_contain_text("You said next")
    until(page, lambda: server.hung_up == ["long"])


def test_stopping_the_very_first_answer_still_keeps_the_conversation(open_page: OpenPage, server: FakeServer) -> None:
    gate = Gate()
    server.answers["long"] = [delta("Once"), gate, delta(" upon"), done("Once upon")]
    page = open_page()
    ask(page, "long")
    expect(turns(page, "agent")).to_contain_text("Once")
    page.get_by_role("button", name="Stop the answer").click()
    ask(page, "next")
    gate.open()
    expect(turns(page, "agent").last).to_contain_text("You said next")
    expect(turns(page, "agent").first.locator(".body")).to_have_text("Once")
    assert [one["token"] for one in server.received] == [None, TOKEN]


def test_a_message_typed_while_the_agent_answers_is_sent_and_drawn_in_order(
    open_page: OpenPage, server: FakeServer
) -> None:
    page = open_page()
    ask(page, "hello")
    expect(turns(page, "agent")).to_contain_text("You said hello")
    gate = Gate()
    server.answers["slow"] = [delta("Slow"), gate, delta(" answer"), done("Slow answer")]
    ask(page, "slow")
    expect(turns(page, "agent").last).to_contain_text("Slow")
    ask(page, "quick")
    expect(turns(page, "agent").last).to_contain_text("You said quick")
    gate.open()
    bodies = page.locator("li.turn .body")
    expect(bodies).to_have_text(["hello", "You said hello", "slow", "Slow answer", "quick", "You said quick"])


def test_a_second_message_waits_until_the_first_has_made_the_conversation(
    open_page: OpenPage, server: FakeServer
) -> None:
    gate = Gate()
    server.answers["one"] = [delta("First"), gate, done("First")]
    page = open_page()
    ask(page, "one")
    ask(page, "two")
    expect(turns(page, "agent")).to_have_count(2)
    assert [one["text"] for one in server.received] == ["one"]
    gate.open()
    expect(turns(page, "agent").last).to_contain_text("You said two")
    assert [one["token"] for one in server.received] == [None, TOKEN]


def test_an_error_of_the_server_is_shown_and_can_be_tried_again(open_page: OpenPage, server: FakeServer) -> None:
    server.answers["hello"] = [Event("error", {"code": "overloaded", "message": "Too much to do just now."})]
    page = open_page()
    ask(page, "hello")
    expect(page.get_by_role("alert")).to_contain_text("Too much to do just now.")
    del server.answers["hello"]
    page.get_by_role("button", name="Try again").click()
    expect(turns(page, "agent")).to_contain_text("You said hello")
    expect(turns(page, "customer")).to_have_count(1)


def test_a_refused_message_goes_back_into_the_composer(open_page: OpenPage, server: FakeServer) -> None:
    server.refusals["too long"] = (413, "too_long", "That is more than I can read at once.")
    page = open_page()
    ask(page, "too long")
    expect(page.get_by_role("alert")).to_contain_text("That is more than I can read at once.")
    page.get_by_role("button", name="Change the message").click()
    expect(page.get_by_label("Message")).to_have_value("too long")


def test_an_answer_cut_off_by_the_network_is_fetched_not_asked_twice(open_page: OpenPage, server: FakeServer) -> None:
    page = open_page()
    ask(page, "hello")
    expect(turns(page, "agent")).to_contain_text("You said hello")
    server.answers["order"] = [delta("Your order"), Cut()]
    ask(page, "order")
    expect(page.get_by_role("alert")).to_contain_text("The connection was lost before the answer was complete.")
    server.history[TOKEN] = [
        {"who": "customer", "text": "order", "channel": "text"},
        {"who": "agent", "text": "Your order is on its way", "channel": "text"},
    ]
    page.get_by_role("button", name="Try again").click()
    expect(turns(page, "agent").last.locator(".body")).to_have_text("Your order is on its way")
    assert [one["text"] for one in server.received] == ["hello", "order"]


def test_the_page_says_when_it_is_offline_and_when_it_is_back(open_page: OpenPage) -> None:
    page = open_page()
    expect(page.get_by_label("Message")).to_be_visible()
    page.context.set_offline(True)
    expect(page.get_by_role("alert")).to_contain_text("You are offline.")
    ask(page, "hello")
    expect(turns(page, "agent")).to_contain_text("This could not be sent.")
    page.context.set_offline(False)
    expect(page.get_by_text("Connected again.")).to_be_visible()
    page.get_by_role("button", name="Try again").click()
    expect(turns(page, "agent")).to_contain_text("You said hello")


def test_a_restarted_server_is_found_again_with_what_was_said_meanwhile(
    open_page: OpenPage, server: FakeServer
) -> None:
    page = open_page()
    ask(page, "hello")
    expect(turns(page, "agent")).to_contain_text("You said hello")
    server.stop()
    expect(page.get_by_role("alert")).to_contain_text("The connection is lost.")
    server.history[TOKEN] = [
        {"who": "customer", "text": "hello", "channel": "text"},
        {"who": "agent", "text": "You said hello", "channel": "text"},
        {"who": "human", "text": "I looked into it", "channel": "text", "name": "Maria"},
    ]
    server.start()
    expect(turns(page, "human")).to_contain_text("I looked into it")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_colleague_takes_over_types_and_writes(open_page: OpenPage, server: FakeServer) -> None:
    server.answers["human please"] = [done("I get a colleague.", handed_off=True)]
    server.answers["thanks"] = [done("", with_human=True)]
    page = open_page()
    ask(page, "human please")
    expect(page.get_by_text("A colleague has been asked")).to_be_visible()
    until(page, lambda: server.listeners() > 0)
    server.later("state", {"state": "requested", "words": ""})
    server.later("state", {"state": "queued", "words": "you are number 2 in the queue"})
    expect(page.locator(".presence")).to_contain_text("You are number 2 in the queue")
    expect(page.get_by_text("A colleague has been asked")).to_have_count(1)
    server.later("state", {"state": "human_typing", "words": "Maria is typing"})
    expect(page.locator(".presence")).to_contain_text("Maria is typing")
    server.later("message", {"who": "human", "name": "Maria", "text": "Hello, <b>Maria</b> here"})
    expect(turns(page, "human").locator(".body")).to_have_text("Hello, <b>Maria</b> here")
    expect(page.locator(".presence")).to_contain_text("A colleague is with you")
    ask(page, "thanks")
    expect(turns(page, "customer")).to_have_count(2)
    expect(page.locator("li[data-phase=waiting]")).to_have_count(0)
    expect(turns(page, "agent")).to_have_count(1)


def test_shift_enter_breaks_the_line_and_an_empty_message_is_not_sent(open_page: OpenPage, server: FakeServer) -> None:
    page = open_page()
    box = page.get_by_label("Message")
    box.press("Enter")
    expect(page.get_by_role("button", name="Send")).to_be_disabled()
    box.press_sequentially("one")
    box.press("Shift+Enter")
    box.press_sequentially("two")
    box.press("Enter")
    expect(turns(page, "customer")).to_have_text("You one\ntwo", use_inner_text=False)
    assert [one["text"] for one in server.received] == ["one\ntwo"]


def test_a_new_conversation_forgets_the_old_one(open_page: OpenPage, server: FakeServer) -> None:
    page = open_page()
    ask(page, "hello")
    expect(turns(page, "agent")).to_contain_text("You said hello")
    page.get_by_role("button", name="New conversation").click()
    page.get_by_role("button", name="Yes").click()
    expect(page.get_by_role("group", name="Questions to start with")).to_be_visible()
    until_kept(page, None)


def test_the_view_follows_the_words_unless_the_reader_scrolled_up(open_page: OpenPage, server: FakeServer) -> None:
    page = open_page(viewport={"width": 400, "height": 600})
    long = "\n\n".join(f"Paragraph {number} of the answer." for number in range(40))
    gate = Gate()
    server.answers["long"] = [delta(long), gate, delta("\n\nThe end."), done(long + "\n\nThe end.")]
    ask(page, "long")
    expect(page.get_by_text("Paragraph 39")).to_be_in_viewport()
    page.mouse.wheel(0, -2000)
    expect(page.get_by_role("button", name="To the newest")).to_be_visible()
    before = page.evaluate("window.scrollY")
    gate.open()
    expect(page.get_by_text("The end.").first).to_be_attached()
    expect(page.locator("li[data-phase=done][data-who=agent]")).to_have_count(1)
    assert page.evaluate("window.scrollY") == before
    page.get_by_role("button", name="To the newest").click()
    expect(page.locator(".md", has_text="The end.")).to_be_in_viewport()


def test_the_page_says_so_when_the_server_cannot_be_reached(open_page: OpenPage, server: FakeServer) -> None:
    page = open_page()
    expect(page.get_by_label("Message")).to_be_visible()
    page.route("**/business", lambda route: route.abort())
    page.reload()
    expect(page.get_by_role("alert")).to_contain_text("The page could not reach its server.")
    page.unroute("**/business")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_label("Message")).to_be_visible()


def test_a_business_without_voice_has_no_call_button(open_page: OpenPage, server: FakeServer) -> None:
    server.business["voice"] = False
    page = open_page()
    expect(page.get_by_label("Message")).to_be_visible()
    expect(page.get_by_role("button", name="Call")).to_have_count(0)


def test_the_call_part_loads_only_when_the_call_button_is_touched(open_page: OpenPage) -> None:
    page = open_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    ask(page, "hello")
    expect(turns(page, "agent")).to_contain_text("You said hello")
    assert not any(url.endswith("/call.js") for url in asked)
    page.get_by_role("button", name="Call").click()
    expect(page.get_by_role("region", name="Call")).to_be_visible()
    assert any(url.endswith("/call.js") for url in asked)
