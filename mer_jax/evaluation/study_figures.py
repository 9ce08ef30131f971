"""What the 2021 study published, as data, so that a report can show it beside its own figures.

The study's clips are private: none of these numbers can be recomputed, and none of them may be read as a baseline
for another data set. ``READ_FROM_TEXT`` figures are the ones it states; ``READ_FROM_PLOT`` figures were read by
eye off its curves and are that uncertain.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

SOURCE = (
    "Music Emotion Recognition using Time, Frequency and Time-Frequency audio feature based inputs with Neural Networks, "
    "January 2021"
)
READ_FROM_TEXT = "stated"
READ_FROM_PLOT = "off a curve"

#: Clips of each mood, read off the study's bar plot (+-5); 5 s each, 44.1 kHz, private.
CLASS_COUNTS: Mapping[str, int] = MappingProxyType(
    {"Aggressive": 1958, "Dramatic": 2373, "Happy": 2247, "Romantic": 1649, "Sad": 1882}
)
NUM_CLIPS = 10_109

OTHER_DATA = (
    f"Another data set: the study's figures come from its own private set of {NUM_CLIPS:,} clips and its own split. "
    "They cannot be recomputed here, and a difference to the figures here says nothing about which model is better."
)
MSE_NOTE = (
    "The study's “MSE” for approach 1 is Keras mse between softmax rows and integer labels. It means nothing: it rises as the "
    "model improves. The squared error in this report is the Brier score, against one-hot labels, so the two are not compared."
)
SOURCE_NOTE = (
    f"Source: {SOURCE}. Its clips: "
    + ", ".join(f"{name} {count:,}" for name, count in CLASS_COUNTS.items())
    + " (read off a bar plot, ±5). “Stated” figures are in its text; “off a curve” figures were read by eye."
)


@dataclass(frozen=True)
class StudyFigure:
    """One result the study published.

    Attributes:
        approach: 1 time, 2 time + frequency, 3 time-frequency images.
        features: what went into the model.
        model: the architecture.
        accuracy: 0..1, on its test or validation part.
        peak_accuracy: 0..1, highest point of the curve, where that differs.
        auc: (lowest, highest) reading, 0..1; equal where it is one figure.
        reading: :data:`READ_FROM_TEXT` or :data:`READ_FROM_PLOT`.
    """

    approach: int
    features: str
    model: str
    accuracy: float
    peak_accuracy: float | None
    auc: tuple[float, float] | None
    reading: str


_BILSTM = "1D CNN + BiLSTM"
_DENSE = "dense network"
_VGG = "VGG19, frozen base"

FIGURES: tuple[StudyFigure, ...] = (
    StudyFigure(1, "AE, RMSE, ZCR series", _BILSTM, 0.70, None, None, READ_FROM_TEXT),
    StudyFigure(2, "time + frequency vector", _DENSE, 0.84, None, None, READ_FROM_TEXT),
    StudyFigure(3, "time-frequency images", _VGG, 0.80, None, (0.97, 0.97), READ_FROM_TEXT),
    StudyFigure(1, "AE series", _BILSTM, 0.685, None, None, READ_FROM_PLOT),
    StudyFigure(2, "time + frequency vector", _DENSE, 0.815, 0.83, None, READ_FROM_PLOT),
    StudyFigure(3, "linear spectrogram", _VGG, 0.735, None, (0.965, 0.965), READ_FROM_PLOT),
    StudyFigure(3, "CQT", _VGG, 0.73, 0.78, (0.96, 0.975), READ_FROM_PLOT),
    StudyFigure(3, "log-CQT", _VGG, 0.755, 0.775, (0.97, 0.97), READ_FROM_PLOT),
    StudyFigure(3, "chroma (CQT)", _VGG, 0.715, None, (0.95, 0.95), READ_FROM_PLOT),
    StudyFigure(3, "MFCC", _VGG, 0.75, 0.77, (0.965, 0.965), READ_FROM_PLOT),
)

# Inputs of the study by the names that cells of a study here may give them, in lower case and without punctuation.
_NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "AE series": ("ae", "amplitude envelope"),
        "AE, RMSE, ZCR series": (
            "ae rmse zcr",
            "ae rms zcr",
            "time domain",
            "amplitude envelope rms zero crossing rate",
        ),
        "time + frequency vector": ("time frequency", "time and frequency", "both"),
        "linear spectrogram": ("linear spectrogram", "spectrogram"),
        "CQT": ("cqt",),
        "log-CQT": ("log cqt",),
        "chroma (CQT)": ("chroma", "chroma cqt"),
        "MFCC": ("mfcc", "mfccs"),
    }
)
_KIND = re.compile(r" (series|vectors?|pictures?|images?)$")


def counterparts(approach: int, features: str, network: str | None = None) -> tuple[StudyFigure, ...]:
    """The published figures of a cell with the same input, those that the study states first.

    Args:
        approach: 1, 2 or 3.
        features: what goes into the network, e.g. "log-CQT" or "log_cqt".
        network: where given, approach 1 has counterparts for the study's own network alone (1D CNN + BiLSTM), as the
            figures of its other networks are not known.

    >>> [figure.accuracy for figure in counterparts(2, "time + frequency")]
    [0.84, 0.815]
    >>> counterparts(1, "amplitude_envelope", "lstm")
    ()
    """
    if (
        approach == 1
        and network is not None
        and not all(part in _plain(network) for part in ("cnn", "bilstm"))
    ):
        return ()
    name = _KIND.sub("", _plain(features))
    return tuple(
        figure
        for figure in FIGURES
        if figure.approach == approach and name in _NAMES.get(figure.features, ())
    )


def _plain(name: str) -> str:
    return " ".join(re.findall("[a-z0-9]+", name.lower()))
