"""The cells of the study's table: which features go into which network."""

from dataclasses import dataclass

from mer_jax import checks
from mer_jax.config import Network
from mer_jax.models.recurrent import Architecture


@dataclass(frozen=True)
class Cell:
    """One row of the table.

    Attributes:
        id: its name in files and on the command line.
        approach: 1 (series), 2 (numbers) or 3 (pictures).
        title: what the table calls the features.
        features: a front-end by name.
        network: what learns from them.
        architecture: of the recurrent network; None for the others.
        options: of the features, as pairs.
    """

    id: str
    approach: int
    title: str
    features: str
    network: Network
    architecture: Architecture | None = None
    options: tuple[tuple[str, str], ...] = ()

    @property
    def network_title(self) -> str:
        """What the table calls the network."""
        return {
            "recurrent": _ARCHITECTURES.get(self.architecture or "", ""),
            "dense": "Dense",
            "vgg19": "VGG19",
        }[self.network]


_ARCHITECTURES = {
    "dense": "Dense",
    "rnn": "RNN",
    "lstm": "LSTM",
    "bilstm": "BiLSTM",
    "cnn": "1D CNN",
    "cnn_lstm": "1D CNN + LSTM",
    "cnn_bilstm": "1D CNN + BiLSTM",
}


def _series(name: str, title: str, architecture: Architecture = "cnn_bilstm") -> Cell:
    suffix = "" if architecture == "cnn_bilstm" else f"-{architecture}"
    return Cell(f"series-{name}{suffix}", 1, title, name, "recurrent", architecture)


_ALL_SERIES = "AE, RMSE and ZCR"

CELLS: tuple[Cell, ...] = (
    _series("amplitude_envelope", "Amplitude envelope (AE)"),
    _series("rms", "RMS energy (RMSE)"),
    _series("zero_crossing_rate", "Zero-crossing rate (ZCR)"),
    _series("time_domain", _ALL_SERIES),
    _series("time_domain", _ALL_SERIES, "dense"),
    _series("time_domain", _ALL_SERIES, "rnn"),
    _series("time_domain", _ALL_SERIES, "lstm"),
    _series("time_domain", _ALL_SERIES, "bilstm"),
    _series("time_domain", _ALL_SERIES, "cnn"),
    _series("time_domain", _ALL_SERIES, "cnn_lstm"),
    Cell("numbers-time", 2, "Time", "time", "dense"),
    Cell("numbers-frequency", 2, "Frequency", "frequency", "dense"),
    Cell("numbers-time_frequency", 2, "Time and frequency", "time_frequency", "dense"),
    Cell("picture-spectrogram", 3, "Linear spectrogram", "spectrogram", "vgg19"),
    Cell("picture-mel", 3, "Mel spectrogram", "mel", "vgg19"),
    # The two differ in how loudness becomes brightness: in proportion, or in decibels.
    Cell("picture-cqt", 3, "CQT", "cqt", "vgg19", options=(("scale", "range"),)),
    Cell("picture-log_cqt", 3, "Log-CQT", "log_cqt", "vgg19"),
    Cell("picture-chroma", 3, "Chroma (CQT)", "chroma", "vgg19"),
    Cell("picture-tempogram", 3, "Tempogram", "tempogram", "vgg19"),
    Cell("picture-mfcc", 3, "MFCC", "mfcc", "vgg19"),
)
"""The whole table, in its order."""

QUICK = (
    "series-amplitude_envelope",
    "series-time_domain",
    "numbers-time",
    "numbers-frequency",
    "numbers-time_frequency",
    "picture-mel",
    "picture-log_cqt",
    "picture-mfcc",
)
"""The cells of a quick look: some of each approach."""


def choose(names: tuple[str, ...]) -> tuple[Cell, ...]:
    """Cells by their ids, in the order of the table; all for no name.

    Raises:
        mer_jax.checks.ConfigError: an unknown id, with the nearest known one.
    """
    for name in names:
        try:
            checks.one_of("cells", name, [cell.id for cell in CELLS])
        except checks.ArgumentError as error:
            raise checks.ConfigError(
                error.where, error.problem, expected=error.expected, remedy=error.remedy
            ) from None
    return tuple(cell for cell in CELLS if not names or cell.id in names)
