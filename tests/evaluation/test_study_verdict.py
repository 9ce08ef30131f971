import dataclasses
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from mer_jax.evaluation.statistics import Difference, Mean
from mer_jax.evaluation.study_folder import Cell, Split, Study
from mer_jax.evaluation.study_table import Choice, Comparison, Pooled, Row, Table
from mer_jax.evaluation.study_verdict import sentences

SPLIT = Split(0, 0)


def pooled(accuracy):
    return Pooled((), {"accuracy": accuracy}, {}, {}, 0.1, np.eye(2))


def row(title, approach, features, accuracy, num_chosen=0):
    cell = Cell(title, approach, title, features, "cnn_bilstm")
    return Row(cell, None if accuracy is None else pooled(accuracy), num_chosen)


def make(accuracy, *, difference=None, over=None, rows=(), synthetic=False, splits=(SPLIT,)):
    """A table whose approaches reach ``accuracy`` (approach -> value)."""
    study = Study(Path("study"), {}, ("a", "b"), synthetic, splits, ())
    choices = {approach: Choice(approach, {}, pooled(value)) for approach, value in accuracy.items()}
    comparisons = ()
    if {2, 3} <= set(accuracy):
        both = {"accuracy": difference, "macro_f1": difference}
        spread = {"accuracy": over, "macro_f1": over}
        comparisons = (Comparison(choices[2], choices[3], both, spread, None),)
    return Table(study, tuple(rows), choices, comparisons)


@pytest.mark.parametrize("values", list(permutations((0.5, 0.6, 0.7))))
def test_the_order_reproduces_in_one_case_alone(values):
    accuracy = dict(zip((1, 2, 3), values, strict=True))
    first = sentences(make(accuracy))[0]
    assert ("does not reproduce" not in first) == (accuracy[2] > accuracy[3] > accuracy[1])
    assert ("Time + frequency is first as there" in first) == (accuracy == {1: 0.6, 2: 0.7, 3: 0.5})
    assert ("Time series are last as there" in first) == (accuracy == {1: 0.5, 2: 0.6, 3: 0.7})
    names = {1: "time series", 2: "time + frequency", 3: "pictures"}
    ranked = " > ".join(f"{names[k]} {accuracy[k]:.3f}" for k in sorted(accuracy, key=lambda k: -accuracy[k]))
    assert ranked in first


def test_equal_approaches_do_not_reproduce_the_order():
    first = sentences(make({1: 0.5, 2: 0.7, 3: 0.7}))[0]
    assert "does not reproduce" in first
    assert "time + frequency 0.700 = pictures 0.700 > time series 0.500" in first


def test_a_missing_approach_leaves_the_order_open():
    first = sentences(make({2: 0.7}))[0]
    assert "cannot be told: no cell is finished of time series and pictures" in first
    assert not any("hand-designed" in sentence for sentence in sentences(make({2: 0.7})))


@pytest.mark.parametrize(
    ("difference", "over", "wanted"),
    [
        (
            Difference(0.02, -0.01, 0.05, 0.2),
            None,
            "p = 0.2. The interval includes 0: these test songs do not tell",
        ),
        (
            Difference(0.2, 0.1, 0.3, 0.0002),
            None,
            "p < 0.001. The interval excludes 0: time + frequency is better by more",
        ),
        (Difference(-0.2, -0.3, -0.1, 0.0002), None, "−0.200, 95 % interval −0.300 to −0.100"),
        (
            Difference(-0.2, -0.3, -0.1, 0.0002),
            None,
            "pictures is better by more than the choice of test songs explains.",
        ),
        (
            Difference(0.2, 0.1, 0.3, 0.001),
            Mean(0.2, 0.1, -0.1, 0.5, 0.15, 20),
            "over folds and seeds −0.100 to +0.500, p = 0.15. The interval excludes 0: time + frequency is better by more than "
            "the choice of test songs explains, but not by more than the spread over folds and seeds.",
        ),
        (
            Difference(0.2, 0.1, 0.3, 0.001),
            Mean(0.2, 0.1, 0.05, 0.35, 0.01, 20),
            "explains, and than the spread over folds and seeds.",
        ),
        (
            Difference(0.02, -0.1, 0.1, 0.7),
            Mean(0.02, 0.1, -0.1, 0.5, 0.15, 20),
            "do not tell the two apart.",
        ),
        (None, None, "undefined, as there are fewer than two groups"),
    ],
)
def test_the_thesis_in_words(difference, over, wanted):
    assert wanted in sentences(make({1: 0.5, 2: 0.7, 3: 0.6}, difference=difference, over=over))[1]


AE, ZCR = row("AE", 1, "amplitude envelope", 0.5), row("ZCR", 1, "zcr", 0.6)
WORSE, EQUAL = row("RMSE", 1, "rms", 0.4), row("MFCC", 3, "mfcc", 0.5)
MISSING = row("CQT", 3, "cqt", None)


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        ((AE, ZCR, MISSING), "is worst of 2 finished cells (0.500), as in the 2021 study"),
        (
            (AE, ZCR, WORSE),
            "not worst, unlike in the 2021 study: 0.500, with 1 of 3 finished cells below it (lowest: RMSE, 0.400)",
        ),
        ((AE, ZCR, EQUAL), "shares the last place of 3 finished cells"),
        ((AE, MISSING), "no other input is finished"),
        ((ZCR,), "No finished cell has the amplitude envelope alone"),
        ((dataclasses.replace(AE, pooled=None), ZCR), "No finished cell has the amplitude envelope alone"),
    ],
)
def test_the_amplitude_envelope_in_words(rows, wanted):
    assert any(wanted in sentence for sentence in sentences(make({2: 0.7}, rows=rows)))


def test_caveats():
    said = " ".join(sentences(make({2: 0.7}, rows=[AE, MISSING], synthetic=True)))
    assert "Not finished, and so in no choice or comparison: CQT." in said
    assert "One split" in said
    assert "The data is synthetic" in said
    said = " ".join(sentences(make({2: 0.7}, rows=[AE], splits=(SPLIT, Split(0, 1)))))
    assert "Not finished" not in said
    assert "One split" not in said
    assert "synthetic" not in said
