"""The classifier: on its own terms with the twin encoder, and on strangers' words with MiniLM."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.understanding.embedding import HashEncoder, MiniLM
from agent.understanding.intents import Intent, Intents, NotUnderstood, Ranking, built_in_examples
from agent.understanding.votes import Recipe
from lab.reliability import auroc, calibration_error

HELD_OUT = yaml.safe_load((Path(__file__).parent / "held_out.yaml").read_text())
BUSINESSES = ["veterinary practice", "energy supplier"]
SMALL = {
    "order_status": ["where is my order", "track my order", "has my order shipped", "order status please"],
    "return_item": ["I want to return a lamp", "send the lamp back", "return my lamp", "how do I return it"],
}


@pytest.fixture(scope="module")
def small() -> Intents:
    return Intents.train(SMALL, HashEncoder(), cache_dir=None)


@pytest.fixture(scope="module", params=BUSINESSES)
def business(request: pytest.FixtureRequest, minilm: MiniLM) -> tuple[dict[str, Any], Intents]:
    data = HELD_OUT[request.param]
    return data, Intents.train(data["train"], minilm, cache_dir=None)


def test_built_in_intents_have_examples_enough_for_each() -> None:
    examples = built_in_examples()
    assert {"human", "greeting", "thanks", "goodbye", "yes", "no", "repeat", "never_mind", "who_are_you"} < set(
        examples
    )
    assert all(len(set(texts)) == len(texts) >= 20 for texts in examples.values())
    assert all(isinstance(text, str) for texts in examples.values() for text in texts)


def test_strangers_words_find_their_intent(business: tuple[dict[str, Any], Intents]) -> None:
    data, intents = business
    cases = [(text, name) for name, texts in data["test"].items() for text in texts]
    rankings = [intents.rank(text) for text, _ in cases]
    choices = [intents.choose(ranking) for ranking in rankings]
    top = np.mean([r.names[0] == name for r, (_, name) in zip(rankings, cases, strict=True)])
    right = np.mean([isinstance(c, Intent) and c.name == n for c, (_, n) in zip(choices, cases, strict=True)])
    wrong = np.mean([isinstance(c, Intent) and c.name != n for c, (_, n) in zip(choices, cases, strict=True)])
    print(f"\n{len(cases)} turns: first {top:.3f}, understood {right:.3f}, misunderstood {wrong:.3f}")
    assert top >= 0.75 and right >= 0.65 and wrong <= 0.15


def test_off_topic_talk_is_told_from_the_business(business: tuple[dict[str, Any], Intents]) -> None:
    data, intents = business
    inside = [intents.rank(text).in_scope for texts in data["test"].values() for text in texts]
    outside = [intents.rank(text) for text in data["out_of_scope"]]
    area = auroc(inside, [ranking.in_scope for ranking in outside])
    accepted = np.mean([isinstance(intents.choose(ranking), Intent) for ranking in outside])
    print(f"\nAUROC {area:.3f}, off-topic turns taken for an intent {accepted:.3f}")
    assert area >= 0.9 and accepted <= 0.2


def test_what_anybody_may_say_is_understood_in_any_business(business: tuple[dict[str, Any], Intents]) -> None:
    _, intents = business
    cases = [(text, name) for name, texts in HELD_OUT["any business"].items() for text in texts]
    right = [
        isinstance(choice, Intent) and choice.name == name
        for choice, (_, name) in ((intents.choose(intents.rank(text)), (text, name)) for text, name in cases)
    ]
    print(f"\nunderstood {np.mean(right):.3f}")
    assert np.mean(right) >= 0.75


def test_what_only_answers_a_question_is_no_intent(business: tuple[dict[str, Any], Intents]) -> None:
    _, intents = business
    answers = ["40213", "it's 4 4 1 9 2", "my e-mail is [EMAIL_1]", "the green one", "John Smith"]
    understood = [text for text in answers if isinstance(intents.choose(intents.rank(text)), Intent)]
    assert len(understood) <= 1, understood


def test_questions_for_the_pages_do_not_start_a_task(minilm: MiniLM) -> None:
    data = HELD_OUT["energy supplier"]["train"]
    pages = ["How can I save electricity?", "What tariffs do you offer?", "When are you open?", "Green energy"]
    pages += [
        "How often is the meter read?",
        "What is a direct debit?",
        "Notice period",
        "What happens in a power cut?",
    ]
    intents = Intents.train({**data, "_knowledge": pages}, minilm, cache_dir=None)
    for question in ("how often does somebody read the meter", "what are your office hours", "is your power green"):
        assert intents.rank(question).names[0] == "_knowledge", question
    assert intents.rank("we've got no power at all").names[0] == "power_cut"


def test_probabilities_sum_to_one_best_first_without_the_none_classes(small: Intents) -> None:
    ranking = small.rank("where is my order")
    chances = [chance for _, chance in ranking.probabilities]
    assert sum(chances) == pytest.approx(1)
    assert all(a >= b for a, b in pairwise(chances))
    assert not {"out_of_scope", "bare_value"} & set(ranking.names)
    assert 0 <= ranking.in_scope <= 1
    assert ranking.names[0] == "order_status"


def test_the_confidence_is_the_share_of_what_is_in_scope(small: Intents) -> None:
    choice = small.choose(Ranking((("a", 0.9), ("b", 0.1)), in_scope=0.8))
    assert choice == Intent("a", pytest.approx(0.72), (("b", pytest.approx(0.08)),))


def test_what_is_out_of_scope_is_not_understood_and_names_the_likeliest(small: Intents) -> None:
    choice = small.choose(Ranking((("a", 0.9), ("b", 0.1)), in_scope=0.05))
    assert isinstance(choice, NotUnderstood)
    assert choice.alternatives[0][0] == "a"


def test_two_near_intents_are_close_and_neither_is_chosen(small: Intents) -> None:
    ranking = Ranking((("a", 0.5), ("b", 0.45), ("c", 0.05)), in_scope=0.95)
    assert small.close(ranking) == ["a", "b"]
    assert isinstance(small.choose(ranking), NotUnderstood)
    assert small.close(Ranking((("a", 0.9), ("b", 0.1)), in_scope=0.95)) == []
    assert small.close(Ranking((("a", 0.5), ("b", 0.45)), in_scope=0.01)) == []


def test_the_business_replaces_a_built_in_intent_of_the_same_name() -> None:
    own = {**SMALL, "complaint": ["the parrot is too loud", "that parrot keeps shouting", "quiet the parrot", "parrot"]}
    intents = Intents.train(own, HashEncoder(), cache_dir=None)
    assert intents.rank("the parrot is so loud").names[0] == "complaint"
    assert intents.rank("this is ridiculous").probabilities[0][0] != "complaint"


def test_training_is_deterministic_and_the_cache_gives_the_same(tmp_path: Path) -> None:
    first = Intents.train(SMALL, HashEncoder(), cache_dir=tmp_path)
    (kept,) = tmp_path.iterdir()
    written = kept.stat().st_mtime_ns
    second = Intents.train(SMALL, HashEncoder(), cache_dir=tmp_path)
    third = Intents.train(SMALL, HashEncoder(), cache_dir=None)
    assert kept.stat().st_mtime_ns == written
    for text in ("track my order", "give me a person", "xyz"):
        assert first.rank(text) == second.rank(text) == third.rank(text)
        assert first.choose(first.rank(text)) == second.choose(second.rank(text))


def test_other_examples_are_another_cache_entry(tmp_path: Path) -> None:
    Intents.train(SMALL, HashEncoder(), cache_dir=tmp_path)
    Intents.train({**SMALL, "extra": ["a b c", "d e f"]}, HashEncoder(), cache_dir=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 broken", b"not an archive"])
def test_a_damaged_cache_entry_is_trained_anew(tmp_path: Path, damage: bytes) -> None:
    good = Intents.train(SMALL, HashEncoder(), cache_dir=tmp_path)
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(damage)
    again = Intents.train(SMALL, HashEncoder(), cache_dir=tmp_path)
    assert again.rank("track my order") == good.rank("track my order")


def test_loading_from_the_cache_needs_no_scikit_learn(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from agent.understanding.embedding import HashEncoder;"
        "from agent.understanding.intents import Intents;"
        f"i = Intents.train({SMALL!r}, HashEncoder(), cache_dir=pathlib.Path({str(tmp_path)!r}));"
        "print(i.rank('track my order').names[0], 'sklearn' in sys.modules)"
    )
    for _ in range(2):
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert out.stdout.split() == ["order_status", "False"]


def test_words_vote_where_there_are_examples_enough(tmp_path: Path) -> None:
    many = {
        "blue": [f"blue thing number {i} in the shop" for i in range(40)],
        "red": [f"red thing number {i} in the shop" for i in range(40)],
    }
    intents = Intents.train(many, HashEncoder(), cache_dir=tmp_path, built_in={})
    loaded = Intents.train(many, HashEncoder(), cache_dir=tmp_path, built_in={})
    says_nothing = HashEncoder().encode(["xyz"])[0]
    for colour in many:
        assert intents.rank(f"a {colour} thing", says_nothing).names[0] == colour
    assert intents.rank("a blue thing") == loaded.rank("a blue thing")


def test_two_hundred_examples_of_each_of_twenty_intents_are_told_apart_by_all_voters() -> None:
    """The size at which words are learnt by scikit-learn's SVM and the head's regularisation is chosen."""
    many = {f"i{n}": [f"{w} {v} {n + 7} of {k}" for k, (w, v) in enumerate(_pairs(n))] for n in range(20)}
    held = {name: texts.pop() for name, texts in many.items()}
    intents = Intents.train(many, HashEncoder(), cache_dir=None, built_in={})
    assert all(intents.rank(text).names[0] == name for name, text in held.items())


def _pairs(seed: int) -> list[tuple[str, str]]:
    dice = np.random.default_rng(seed)
    nouns, verbs = [f"noun{seed}{i}" for i in range(9)], [f"verb{i}" for i in range(12)]
    return [(str(dice.choice(nouns)), str(dice.choice(verbs))) for _ in range(200)]


def test_another_recipe_is_another_cache_entry(tmp_path: Path) -> None:
    Intents.train(SMALL, HashEncoder(), cache_dir=tmp_path)
    Intents.train(SMALL, HashEncoder(), cache_dir=tmp_path, recipe=Recipe(folds=2))
    assert len(list(tmp_path.iterdir())) == 2


def test_one_example_of_each_is_learnt_from_though_nothing_can_be_left_out() -> None:
    intents = Intents.train({"a": ["apple pie"], "b": ["blue sky"]}, HashEncoder(), cache_dir=None)
    assert (intents.rank("an apple pie").names[0], intents.rank("a blue sky").names[0]) == ("a", "b")


def test_where_all_turns_are_in_scope_the_confidence_is_the_share_alone() -> None:
    intents = Intents.train(SMALL, HashEncoder(), cache_dir=None, built_in={}, recipe=Recipe(in_scope_share=1.0))
    assert intents.rank("something else entirely").in_scope == 1.0


def test_the_confidence_means_what_it_says_on_strangers_words(minilm: MiniLM) -> None:
    """Off-topic turns are among them: for those any intent is wrong."""
    confidence, right = [], []
    for name in BUSINESSES:
        data = HELD_OUT[name]
        intents = Intents.train(data["train"], minilm, cache_dir=None)
        for intent, texts in {**data["test"], **HELD_OUT["any business"], "nothing": data["out_of_scope"]}.items():
            for ranking in intents.rank_all(texts):
                confidence.append(ranking.probabilities[0][1] * ranking.in_scope)
                right.append(ranking.names[0] == intent)
    error = calibration_error(confidence, right)
    print(f"\n{len(right)} turns: calibration error {error:.3f}")
    assert error <= 0.05


def test_too_few_intents_or_examples_are_refused() -> None:
    with pytest.raises(ValueError, match="no examples for empty"):
        Intents.train({**SMALL, "empty": []}, HashEncoder(), cache_dir=None)
    with pytest.raises(ValueError, match="at least two"):
        Intents.train({"only": ["one"]}, HashEncoder(), cache_dir=None, built_in={})


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=200))
def test_any_text_has_a_ranking(small: Intents, text: str) -> None:
    ranking = small.rank(text)
    assert sum(chance for _, chance in ranking.probabilities) == pytest.approx(1)
    small.choose(ranking)
