"""The stall benchmark's arithmetic."""

from __future__ import annotations

import pytest

from lab.stalls import Stalls, holds, summed_up


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
