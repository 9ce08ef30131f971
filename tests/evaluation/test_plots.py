import io

import matplotlib
import numpy as np
import pytest
from PIL import Image

from mer_jax.evaluation import confusion_plots, curve_plots, feature_plots, plots, study_plots, target_plots
from mer_jax.evaluation.canvas import class_labels
from mer_jax.evaluation.examples import FeatureExample

MOODS = ("Aggressive", "Dramatic", "Happy", "Romantic", "Sad")
COUNTS = {"train": dict.fromkeys(MOODS, 80), "test": dict.fromkeys(MOODS, 20)}
SERIES = {"train": np.array([0.3, 0.5, 0.7, 0.8]), "validation": np.array([0.3, 0.5, np.nan, 0.6])}
BINS = {
    "count": np.array([0, 3, 5]),
    "confidence": np.array([np.nan, 0.5, 0.9]),
    "accuracy": np.array([np.nan, 0.4, 0.8]),
}
TIME = np.linspace(0, 1, 50)
WAVES = FeatureExample({mood: np.sin(k * TIME) for k, mood in enumerate(MOODS, 1)}, 50.0, unit="V")
IMAGES = FeatureExample(
    {mood: np.outer(np.arange(8), TIME) for mood in MOODS[:2]},
    50.0,
    "dB",
    "Frequency (Hz)",
    np.arange(8) * 100.0,
)

GUESSING = {"accuracy": ("Accuracy", 0.2), "loss": ("Loss", 1.6)}
SCORES = [
    study_plots.Score("AE", 1, {"accuracy": (0.4, [0.3, 0.5]), "loss": (1.0, None)}, chosen=True),
    study_plots.Score("vector", 2, {"accuracy": (0.7, [0.6, 0.8])}),
    study_plots.Score("CQT", 3, {}, missing="missing: 1 of 2 splits done"),
]
TRAINING = curve_plots.Curves(
    "a cell with a name that takes two lines",
    [np.arange(1, 4), np.array([1])],
    [
        {part: {m: np.linspace(0.3, 0.9, 3) for m in GUESSING} for part in ("train", "validation")},
        {
            part: {m: np.array([value]) for m in GUESSING}
            for part, value in (("train", 9.0), ("validation", np.nan))
        },
    ],
    [2, None],
)

VALUES = np.random.default_rng(0).normal(size=(30, 2))
OF_TARGETS = {
    "values": {1: {"calm": 0.4, "tense": None}, 2: {"calm": 0.6, "tense": -0.1}},
    "spans": {
        1: {"calm": [0.3, 0.5], "tense": None},
        2: {"calm": None, "tense": [-0.3, 0.2]},
    },
}

PICTURES = {
    "scatter": lambda **style: target_plots.scatter(VALUES, VALUES**3, ("calm", "tense"), **style),
    "histograms": lambda **style: target_plots.distribution(
        {"train": VALUES, "test": VALUES[:9]}, ("calm", "tense"), **style
    ),
    "per_target": lambda **style: study_plots.per_target(
        **OF_TARGETS, names=("calm", "tense"), label="r", guess=0.0, title="Targets", **style
    ),
    "without_guess": lambda **style: curve_plots.curves(
        [TRAINING], {"accuracy": ("F1", None)}, title="Training", **style
    ),
    "scores": lambda **style: study_plots.scores(SCORES, GUESSING, title="Scores", **style),
    "curves": lambda **style: curve_plots.curves([TRAINING] * 2, GUESSING, title="Training", **style),
    "confusions": lambda **style: confusion_plots.confusions(
        {"one": np.eye(5), "two": np.diag([1, 1, 1, 1, 0])}, MOODS, title="Errors", **style
    ),
    "distribution": lambda **style: plots.data_distribution(COUNTS, MOODS, **style),
    "curve": lambda **style: plots.curve(
        [1, 2, 3, 4], SERIES, label="Accuracy", best_epoch=4, chance=0.2, **style
    ),
    "confusion": lambda **style: confusion_plots.confusion(np.eye(5) * 7, MOODS, normalise=False, **style),
    "normalised": lambda **style: confusion_plots.confusion(
        np.diag([7, 7, 7, 7, 0]), MOODS, normalise=True, **style
    ),
    "reliability": lambda **style: plots.reliability(BINS, **style),
    "series": lambda **style: feature_plots.feature_example("Wave", WAVES, MOODS, **style),
    "image": lambda **style: feature_plots.feature_example("Mel", IMAGES, MOODS, **style),
    "points": lambda **style: plots.points(
        [("study", 0.7, None, False), ("ours", 0.6, (0.5, 0.7), True)],
        label="Accuracy",
        title="t",
        legend=("theirs", "ours"),
        **style,
    ),
}


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def has_colour(png, colour, tolerance=6):
    wanted = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)])
    return bool((np.abs(pixels(png) - wanted).max(axis=-1) <= tolerance).sum() > 20)


@pytest.mark.parametrize("name", PICTURES)
def test_picture_in_both_themes(name):
    before = dict(matplotlib.rcParams)
    light, dark = PICTURES[name](theme=plots.LIGHT), PICTURES[name](theme=plots.DARK)
    assert light.startswith(b"\x89PNG\r\n\x1a\n")
    assert pixels(light).shape == pixels(dark).shape
    assert pixels(light)[0, 0].min() > 240
    assert pixels(dark)[0, 0].max() < 40
    assert dict(matplotlib.rcParams) == before
    assert light == PICTURES[name](theme=plots.LIGHT)


@pytest.mark.parametrize("name", [name for name in PICTURES if name != "points"])
def test_note_is_written_into_the_picture(name):
    assert PICTURES[name](note="synthetic data") != PICTURES[name]()


def test_drawing_makes_no_pyplot_figure():
    from matplotlib import pyplot

    for draw in PICTURES.values():
        draw()
    assert pyplot.get_fignums() == []


@pytest.mark.parametrize("name", ["distribution", "series"])
@pytest.mark.parametrize("theme", [plots.LIGHT, plots.DARK])
def test_classes_keep_their_colour_in_every_picture(name, theme):
    png = PICTURES[name](theme=theme)
    for colour in plots.class_colours(MOODS).values():
        assert has_colour(png, colour)


def test_a_class_of_its_own_keeps_the_colour_it_has_among_all():
    only_sad = FeatureExample({"Sad": np.sin(TIME)}, 50.0)
    png = feature_plots.feature_example("Wave", only_sad, MOODS)
    colours = plots.class_colours(MOODS)
    assert has_colour(png, colours["Sad"])
    assert not has_colour(png, colours["Happy"])


def test_many_classes_have_different_colours():
    colours = plots.class_colours([str(k) for k in range(11)])
    assert len(set(colours.values())) == 11


def test_the_best_epoch_is_marked():
    with_mark = plots.curve([1, 2, 3, 4], SERIES, label="Accuracy", best_epoch=2)
    assert with_mark != plots.curve([1, 2, 3, 4], SERIES, label="Accuracy", best_epoch=3)
    assert with_mark != plots.curve([1, 2, 3, 4], SERIES, label="Accuracy")


def test_confusion_shade_follows_the_count():
    matrix = np.array([[10, 0], [0, 10]])
    png = confusion_plots.confusion(matrix, ("a", "b"), normalise=False)
    assert has_colour(png, plots.LIGHT.first)
    flipped = confusion_plots.confusion(matrix[::-1], ("a", "b"), normalise=False)
    assert png != flipped


def test_each_cell_has_its_own_matrix():
    both = {"one": np.eye(2), "two": np.eye(2)[::-1]}
    png = confusion_plots.confusions(both, ("a", "b"), title="t")
    assert png != confusion_plots.confusions(both | {"two": np.eye(2)}, ("a", "b"), title="t")


def test_each_approach_is_drawn_where_its_score_is_defined():
    png = PICTURES["per_target"]()
    assert has_colour(png, "#4477AA")
    assert has_colour(png, "#EE6677")
    assert not has_colour(png, "#228833")


def test_without_a_guess_curves_end_at_their_own_values():
    low, high = curve_plots.limits([TRAINING], "accuracy", None)
    assert low < 0.3
    assert 9.0 < high < 10
    assert curve_plots.limits([TRAINING], "loss", 1.6)[1] == pytest.approx(3.2, abs=0.2)


def test_approaches_differ_by_colour_and_mark():
    png = pixels(study_plots.scores(SCORES[:2], GUESSING, title="t"))
    for colour in ("#4477AA", "#EE6677"):
        wanted = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)])
        assert (np.abs(png - wanted).max(axis=-1) <= 4).sum() > 20
    one, other = (
        study_plots.scores([study_plots.Score("x", k, {"accuracy": (0.5, None)})], GUESSING, title="t")
        for k in (1, 2)
    )
    assert one != other


def test_a_diverging_loss_does_not_press_the_others_flat():
    # A run reaches 9; the scale ends at twice what guessing gives, 3.2.
    margin = 0.04 * (3.2 - 0.3)
    assert curve_plots.limits([TRAINING], "loss", 1.6) == pytest.approx((0.3 - margin, 3.2 + margin))
    assert curve_plots.limits([TRAINING], "accuracy", 0.2)[1] > 9


def test_normalised_rows_ignore_the_number_of_clips():
    few, many = (confusion_plots.confusion(np.diag([n, n]), ("a", "b"), normalise=True) for n in (3, 300))
    assert few == many


def test_one_epoch_is_drawn():
    png = plots.curve([1], {"validation": np.array([0.5])}, label="Accuracy", best_epoch=1)
    assert has_colour(png, plots.LIGHT.second)


@pytest.mark.parametrize(
    "name", [r"$\frac", "$x$", "a$b", r"\alpha", "悲しい", "\x1b[31m", "", "x" * 300, "\ud800"]
)
def test_any_name_can_be_drawn(name):
    assert confusion_plots.confusion(np.eye(2), (name, "plain"), normalise=False).startswith(b"\x89PNG")
    example = FeatureExample({name: np.zeros(5)}, 10.0, unit=name)
    assert feature_plots.feature_example(name, example, (name, "plain"), note=name or "n").startswith(
        b"\x89PNG"
    )


def test_labels_that_would_be_alike_are_numbered():
    long = "the very same beginning of a name"
    assert class_labels([long + " 1", long + " 2", "calm"]) == [
        "1 the very same beg…",
        "2 the very same beg…",
        "calm",
    ]
    assert class_labels(["悲しい", "calm"]) == ["class 1", "calm"]
    assert class_labels(["a$b"]) == [r"a\$b"]
