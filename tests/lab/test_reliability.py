"""The arithmetic of calibration."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from lab.reliability import auroc, calibration_error, reliability, reliability_svg


def test_a_confidence_that_means_what_it_says_has_no_error() -> None:
    assert calibration_error([0.75] * 4 + [0.25] * 4, [True, True, True, False, True, False, False, False]) == 0


def test_the_error_is_the_gap_weighted_by_how_many_answers_have_it() -> None:
    confidence = [0.95] * 9 + [0.55]
    assert calibration_error(confidence, [True] * 9 + [False]) == pytest.approx(0.9 * 0.05 + 0.1 * 0.55)
    assert calibration_error([1.0, 1.0], [False, False]) == 1


def test_bins_hold_every_answer_certainty_too() -> None:
    bins = reliability([0.0, 0.05, 0.1, 0.99, 1.0], [False, True, True, True, True])
    assert [b.n for b in bins] == [2, 1, *[0] * 6, 0, 2]
    assert (bins[0].confidence, bins[0].accuracy) == (pytest.approx(0.025), 0.5)


def test_auroc_counts_wins_and_half_of_the_ties() -> None:
    assert auroc([3, 2], [1, 0]) == 1
    assert auroc([1], [1]) == 0.5
    assert auroc([2, 0], [1, 0]) == pytest.approx((1 + 1 + 0 + 0.5) / 4)


def test_nothing_cannot_be_measured() -> None:
    for measure in (lambda: reliability([], []), lambda: auroc([], [1.0]), lambda: auroc([1.0], [])):
        with pytest.raises(ValueError):
            measure()


def test_the_plot_is_svg_with_a_point_for_each_bin_that_has_answers() -> None:
    bins = reliability([0.05, 0.55, 0.55, 0.95], [False, True, False, True])
    picture = ElementTree.fromstring(reliability_svg(bins, "a < b & c"))
    points = picture.findall("{http://www.w3.org/2000/svg}circle")
    assert len(points) == 3
    assert "a < b & c" in [text.text for text in picture.iter("{http://www.w3.org/2000/svg}text")]
    heights = [float(point.attrib["cy"]) for point in points]
    assert heights == sorted(heights, reverse=True), "a higher accuracy stands higher"
