import pytest

from mer_jax.evaluation import study_figures


def test_classes_add_up_to_the_set():
    assert sum(study_figures.CLASS_COUNTS.values()) == study_figures.NUM_CLIPS == 10_109


def test_each_approach_has_one_stated_figure():
    stated = {
        f.approach: f.accuracy for f in study_figures.FIGURES if f.reading == study_figures.READ_FROM_TEXT
    }
    assert stated == {1: 0.70, 2: 0.84, 3: 0.80}


def test_figures_are_ordered_shares():
    for figure in study_figures.FIGURES:
        assert 0 < figure.accuracy < 1
        assert figure.peak_accuracy is None or figure.accuracy < figure.peak_accuracy < 1
        if figure.auc is not None:
            low, high = figure.auc
            assert figure.accuracy < low <= high < 1


def test_the_notes_say_what_they_must():
    assert "private" in study_figures.OTHER_DATA
    assert "integer labels" in study_figures.MSE_NOTE
    assert "Brier" in study_figures.MSE_NOTE


@pytest.mark.parametrize(
    ("approach", "features", "network", "accuracy"),
    [
        (1, "amplitude_envelope", "cnn_bilstm", [0.685]),
        (1, "AE", "1D CNN + BiLSTM", [0.685]),
        (1, "AE series", None, [0.685]),
        (1, "AE", "CNNBiLSTM", [0.685]),
        (1, "time_domain", "cnn_bilstm", [0.70]),
        (1, "time_domain", "lstm", []),
        (1, "rms", "cnn_bilstm", []),
        (2, "time + frequency", "dense", [0.84, 0.815]),
        (2, "time", "dense", []),
        (3, "spectrogram", "vgg19", [0.735]),
        (3, "Linear spectrogram", "vgg19", [0.735]),
        (3, "cqt", "vgg19", [0.73]),
        (3, "log_cqt", "vgg19", [0.755]),
        (3, "log-CQT pictures", "vgg19", [0.755]),
        (3, "chroma", "vgg19", [0.715]),
        (3, "mfcc", "vgg19", [0.75]),
        (3, "tempogram", "vgg19", []),
        (3, "mel", "vgg19", []),
        (1, "mfcc", "cnn_bilstm", []),
    ],
)
def test_counterparts(approach, features, network, accuracy):
    found = study_figures.counterparts(approach, features, network)
    assert [figure.accuracy for figure in found] == accuracy


def test_every_input_of_the_study_is_its_own_counterpart():
    for figure in study_figures.FIGURES:
        if figure.features != "time-frequency images":  # all its pictures together
            assert figure in study_figures.counterparts(figure.approach, figure.features, figure.model)
