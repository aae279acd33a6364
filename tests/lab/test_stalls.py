"""The stall benchmark's arithmetic."""

from __future__ import annotations

import pytest

from lab.stalls import Stalls, holds, net, summed_up


def test_lateness_is_summed_up_in_milliseconds() -> None:
    stalls = summed_up([0.001] * 999 + [0.5])
    assert (stalls.ticks, stalls.p50, stalls.worst) == (1000, pytest.approx(1.0), pytest.approx(500))


@pytest.mark.parametrize(
    ("p999", "worst", "control_worst", "verdict"),
    [(9.0, 20.0, 1.0, True), (11.0, 20.0, 1.0, False), (9.0, 40.0, 1.0, False), (9.0, 40.0, 20.0, True)],
)
def test_the_rule_is_net_of_the_control(p999: float, worst: float, control_worst: float, verdict: bool) -> None:
    server, control = Stalls(1, 0.1, 1.0, p999, worst), Stalls(1, 0.1, 1.0, 1.0, control_worst)
    assert holds(server, control) is verdict


def test_the_percentiles_lie_between_the_ticks_beside_them() -> None:
    stalls = summed_up([n / 1000 for n in range(1001)])
    assert (stalls.p50, stalls.p99, stalls.p999) == (pytest.approx(500), pytest.approx(990), pytest.approx(999))


def test_one_long_stall_shows_in_the_worst_alone() -> None:
    stalls = summed_up([0.001] * 9999 + [2.0])
    assert stalls.p999 == pytest.approx(1.0)
    assert not holds(stalls, Stalls(9999, 0.1, 1.0, 1.0, 1.0))


def test_what_the_control_shows_too_is_taken_off_and_never_below_nothing() -> None:
    server, control = Stalls(100, 0.1, 4.0, 9.0, 40.0), Stalls(200, 0.2, 1.0, 3.0, 16.0)
    assert net(server, control) == Stalls(100, 0.0, 3.0, 6.0, 24.0)


@pytest.mark.parametrize(
    ("p999", "net_worst", "verdict"), [(10.0, 25.0, True), (10.01, 25.0, False), (10.0, 25.01, False)]
)
def test_the_limits_themselves_are_allowed(p999: float, net_worst: float, verdict: bool) -> None:
    assert holds(Stalls(1, 0.1, 1.0, p999, net_worst), Stalls(1, 0.0, 0.0, 0.0, 0.0)) is verdict
