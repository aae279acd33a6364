from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.understanding.repair import Reply, dialogue_act

# said | act, or None
TABLE = """
yes|yes
Yes please.|yes
yep do it|yes
yeah, go ahead|yes
that's right|yes
Yes, that's correct|yes
okay|yes
sure, please do|yes
yes cancel it please|yes
yes please cancel the order|yes
mm-hmm|yes
uh-huh|yes
Yes yes yes|yes
yes I am sure|yes
right|yes
Well, yes|yes
yes but to another address|None
yes, how long does it take?|None
yes, 10008|None
yeah no|None
yes and can you tell me when it arrives|None
yes I have a question|None
no|no
nope|no
no thanks|no
No, thank you.|no
no that's wrong|no
please don't|no
no, don't do that|no
that's not right|no
no no no|no
not now|no
no I don't want that|no
no problem|None
no worries|None
no one came|None
no idea|None
no order has arrived|None
I don't have it|None
nothing works|None
no, the number is 10008|correction
No. It's 10008.|correction
sorry I meant 10007|correction
sorry, I meant 10007|correction
actually 10008|correction
actually it's 10008|correction
actually can you cancel my order|None
I mean 10007|correction
wait, it's 10009|correction
no 10008|correction
no, not 10003, 10004|correction
make it Friday|correction
oh sorry, the address is [ADDRESS_1]|correction
wrong, it's 55555|correction
never mind|never_mind
nevermind|never_mind
oh forget it|never_mind
never mind, I'll call later|never_mind
leave it|never_mind
leave it at the door|None
forget about it please|never_mind
I forgot my password|None
what?|repeat
pardon|repeat
sorry?|repeat
can you repeat that please|repeat
say that again|repeat
could you say that one more time|repeat
sorry, I didn't catch that|repeat
repeat my last order|None
what is the price|None
thanks|thanks
thank you so much|thanks
ok thanks|thanks
great, thank you for your help|thanks
thanks but where is my order|None
hello|greeting
hi there|greeting
good morning|greeting
hello, where is my order|None
bye|goodbye
goodbye|goodbye
ok bye|goodbye
thanks, bye|goodbye
have a nice day|goodbye
that's all, thank you, bye|goodbye
I want to return a kettle|None
where is my order|None
order 10007|None
right now I need a refund|None
okay so I want to return it|None
fine print please|None
good question|None
do you ship to Canada|None
do it|yes
please|yes
please cancel my order|None
continue|yes
stop|no
I do|yes
correct|yes
incorrect|no
I didn't receive it|None
i don't know|None
not sure|None
maybe|None
no I said 10005|correction
it's 10007|None
my email is [EMAIL_1]|None
no thanks, bye|goodbye
yes, thank you|yes
Yeah thanks|yes
sure, thanks|yes
ok|yes
ok what about lamps|None
true|yes
this is not right, my lamp is broken|None
don't cancel it|no
no leave it as it is|no
no, I want to talk to a human|no
great|yes
it's fine|yes
is it fine|None
perfect, thanks|thanks
"""
CASES = [tuple(line.rsplit("|", 1)) for line in TABLE.strip().splitlines()]


@pytest.mark.parametrize(("said", "wanted"), CASES)
def test_an_act_is_named_only_where_the_wording_leaves_no_doubt(said: str, wanted: str) -> None:
    reply = dialogue_act(said)
    assert (reply.kind if reply else "None") == wanted


@pytest.mark.parametrize(
    ("said", "rest"),
    [
        ("no, the number is 10008", "the number is 10008"),
        ("Sorry, I meant 10007.", "10007"),
        ("No. It's 10008.", "it's 10008"),
        ("make it Friday", "friday"),
        ("wait, not 10003, 10004", "not 10003, 10004"),
    ],
)
def test_a_correction_carries_the_corrected_rest(said: str, rest: str) -> None:
    assert dialogue_act(said) == Reply("correction", rest)


def test_a_language_without_a_table_has_no_acts() -> None:
    assert dialogue_act("yes", "xx") is None


def test_a_long_text_is_no_short_reply() -> None:
    assert dialogue_act("yes " * 400) is None


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.sampled_from("yes no , . please sorry it's i meant never mind thanks bye 10007 ok".split()),
            st.text(max_size=5),
        ),
        max_size=20,
    )
)
def test_any_words_have_an_act_or_none(words: list[str]) -> None:
    dialogue_act(" ".join(words))
