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
