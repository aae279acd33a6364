from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.understanding.spoken_forms import written

# said | written
TABLE = """
I, uh, I want to, want to return|I want to return
no, no|no, no
very very late|very very late
it's very, very late|it's very, very late
one two three four five|12345
double seven|77
my number is double seven four|my number is 774
oh one two three|0123
triple five one two|55512
twenty three|23
one hundred and five|105
1-2-3-4-5|12345
12, 3, 45|12345
1 2 3 4 5|12345
1, 2, 3, 4, 5|12345
one, two, three, four, five.|12345
one-two-three-four-five|12345
j dot smith at example dot com|j.smith@example.com
j.smith at example.com|j.smith@example.com
J. Smith at example.com|j.smith@example.com
my email is jane at example dot com|my email is jane@example.com
it's maria underscore lopez at g mail dot com|it's maria_lopez@gmail.com
s m i t h|smith
S-M-I-T-H|SMITH
B as in boy|B
B as in boy, A as in apple, T as in Tom|BAT
one of them|one of them
no one|no one
I have two kettles|I have two kettles
ten thousand and one|10001
ten oh oh seven|10007
one zero zero zero seven|10007
one thousand two hundred|1200
ten thousand seven|10007
order number one zero zero double one|order number 10011
my order is 1 0 0 0 7 please|my order is 10007 please
order 12,345|order 12345
it was 1,299 dollars|it was $1299
twenty five dollars and fifty cents|$25.50
twenty bucks|$20
it cost nineteen ninety nine|it cost 1999
five dollars|$5
a hundred dollars|$100
ten percent|10%
three point five|3.5
half past four|4:30
quarter to five|4:45
at a quarter past three|at 3:15
at four thirty|at 4:30
three p m|3 pm
three thirty p.m.|3:30 pm
at 3 p.m. tomorrow|at 3 pm tomorrow
the thirteenth|the 13th
the twenty first of March|the 21st of March
on March third|on March 3rd
March third twenty twenty six|March 3rd 2026
May fifth|May 5th
the second one|the second one
one second please|one second please
oh I see|oh I see
oh one moment|oh one moment
oh, one two three four five|oh, 12345
um|um
um, yes|yes
uh-huh|uh-huh
mm-hmm|mm-hmm
I wan- I want to cancel|I want to cancel
where is is my order|where is my order
my order my order number is one two three four five|my order number is 12345
the the kettle|the kettle
bye bye|bye bye
yes yes|yes yes
no no no|no no no
two or three|two or three
I need it in two days|I need it in two days
twelve days ago|12 days ago
in twenty four hours|in 24 hours
alpha bravo charlie|ABC
A B 7 7 1 2|AB7712
A B seven seven one two|AB7712
five five five one two three four five six seven|5551234567
555 123 4567|5551234567
555-123-4567|555-123-4567
four one one one one one one one one one one one one one one one|4111111111111111
four thousand one hundred eleven|4111
I saw it at amazon dot com|I saw it at amazon dot com
I looked at amazon.com|I looked at amazon.com
send it to bob at example dot co dot uk|send it to bob@example.co.uk
bob 42 at example dot org|bob42@example.org
maria eighty two at outlook dot com|maria82@outlook.com
j o h n dot d o e at gmail dot com|john.doe@gmail.com
jane smith all one word at example dot com|janesmith@example.com
it's john at example.com|it's john@example.com
user@example.com|user@example.com
May 5 2026|May 5 2026
10 007|10007
I ordered 2 kettles and 3 lamps|I ordered 2 kettles and 3 lamps
the number is 10007, not 10003|the number is 10007, not 10003
one fifty|150
twenty twenty six|2026
nineteen eighty four|1984
two hundred|200
two hundred and fifty|250
a thousand dollars|$1000
thirty-five|35
one million|1000000
I called three times|I called three times
the order one zero zero one two, no one zero zero one three|the order 10012, no 10013
sorry I meant one zero zero zero seven|sorry I meant 10007
five minutes past six|6:05
ten to twelve people|10 to 12 people
at ten to six|at 5:50
four o'clock|4 o'clock
December twenty fifth|December 25th
the fifth of November|the 5th of November
first of all|first of all
zip code nine oh two one oh|zip code 90210
one eight hundred five five five zero one nine nine|18005550199
hundred|hundred
thousands of times|thousands of times
that that is fine|that that is fine
I, I, I need help|I need help
okay um so where's, where's my package|okay so where's my package
is it, is it still coming|is it still coming
U S A|USA
my name is S M Y T H E|my name is SMYTHE
I a m here|I a m here
a b|a b
double u|double u
twenty three forty five|2345
six pm|6 pm
I need 2 of the 3|I need 2 of the 3
1.2.3.4.5|12345
one two|one two
one, two, three|123
nine one one|911
hello hello|hello
three hundred sixty five|365
forty two|42
it is number seven|it is number 7
order number: one, zero, zero, zero, nine|order number: 10009
er, the order is, um, 10007|the order is, 10007
"""
CASES = [tuple(line.split("|")) for line in TABLE.strip().splitlines()]


@pytest.mark.parametrize(("said", "wanted"), CASES)
def test_speech_is_written_as_one_would_type_it(said: str, wanted: str) -> None:
    assert written(said) == wanted


def test_the_table_is_large_and_has_no_case_twice() -> None:
    assert len({said for said, _ in CASES}) == len(CASES) >= 120


@pytest.mark.parametrize(
    "text",
    [
        "Where is my order?",
        "I ordered two kettles and three lamps.",
        "No, I don't want that one.",
        "Is it very, very late?",
        "Can I talk to a person, please?",
        "My order number is 10007.",
        "It's the second time I call.",
        "Thank you so much!",
        "One of them is broken, the other one is fine.",
        "jane@example.com",
    ],
)
def test_plain_sentences_stay_as_they_are(text: str) -> None:
    assert written(text) == text


@pytest.mark.parametrize("said", [said for said, _ in CASES if "as in" not in said])
def test_what_is_written_once_stays_so(said: str) -> None:
    once = written(said)
    assert written(once) == once


def test_a_digit_that_is_no_figure_is_left_alone() -> None:
    assert written("hundred ²") == "hundred ²"


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                "one two oh double triple hundred thousand and point dollars at dot com a b as in boy um uh , . - "
                "first third twenty teen may half past to p m 12 3 45 1,234 $".split()
            ),
            st.text(max_size=6),
        ),
        max_size=30,
    )
)
def test_any_words_are_written_without_a_fault(words: list[str]) -> None:
    assert isinstance(written(" ".join(words)), str)
