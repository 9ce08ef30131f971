"""The synthetic moods: reproducible, overlapping, and heard as their cues say."""

import hashlib
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mer_jax.checks import ArgumentError
from mer_jax.data import synthetic
from mer_jax.data.synthetic import harmony, mixing, moods, score, voices
from mer_jax.data.synthetic.percussion import stroke

SR = 22050


@pytest.fixture(scope="module")
def drawn():
    """Cues of 500 songs."""
    return [synthetic.cues(index, seed=0) for index in range(1500)]


@pytest.fixture(scope="module")
def halves(drawn):
    """(cues, labels) for training and for testing; no song is in both."""
    vectors = np.array([clip.vector for clip in drawn])
    labels = np.array([clip.label for clip in drawn])
    train = np.array([clip.song for clip in drawn]) < 250
    return (vectors[train], labels[train]), (vectors[~train], labels[~train])


def best_accuracy(halves, columns):
    """Best of four kinds of classifier on held-out songs, given some of the cues."""
    (train_x, train_y), (test_x, test_y) = halves
    candidates = (
        LogisticRegression(max_iter=1000),
        make_pipeline(StandardScaler(), KNeighborsClassifier(15)),
        GaussianNB(),
        HistGradientBoostingClassifier(max_iter=25, random_state=0),
    )
    return max(
        model.fit(train_x[:, columns], train_y).score(test_x[:, columns], test_y) for model in candidates
    )


# --- how the moods overlap ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cue", synthetic.CUE_NAMES)
def test_no_single_cue_separates_the_moods(halves, cue):
    accuracy = best_accuracy(halves, [synthetic.CUE_NAMES.index(cue)])
    assert accuracy < 0.60
    assert accuracy > 0.25  # and none is idle: chance is 0.20


def test_all_cues_together_separate_the_moods(halves):
    assert best_accuracy(halves, list(range(8))) > 0.85


@pytest.mark.parametrize("cue", synthetic.CUE_NAMES)
def test_no_cue_is_indispensable(halves, cue):
    rest = [place for place, name in enumerate(synthetic.CUE_NAMES) if name != cue]
    assert best_accuracy(halves, rest) > 0.80


@pytest.mark.parametrize(
    ("mood", "valence", "arousal"),
    [("Aggressive", -1, 1), ("Dramatic", -1, 1), ("Happy", 1, 1), ("Romantic", 1, -1), ("Sad", -1, -1)],
)
def test_ratings_lie_in_the_quadrant_of_the_mood(drawn, mood, valence, arousal):
    ratings = np.array([(clip.valence, clip.arousal) for clip in drawn if clip.mood == mood])
    mean, error = ratings.mean(axis=0), ratings.std(axis=0) / np.sqrt(len(ratings) / 3)
    assert np.all(mean * (valence, arousal) > 2 * error)


def test_ratings_are_the_linear_model_and_a_listeners_noise(drawn):
    ratings = np.array([(clip.valence, clip.arousal) for clip in drawn])
    weights = np.stack([moods.VALENCE_WEIGHTS, moods.AROUSAL_WEIGHTS], axis=1)
    noise = ratings - np.array([clip.vector for clip in drawn]) @ weights
    inside = np.abs(ratings) < 1
    assert np.mean(inside) > 0.98  # the ends of the scale are rarely reached
    np.testing.assert_allclose(noise[inside[:, 0], 0].std(), moods.RATING_NOISE, rtol=0.1)
    np.testing.assert_allclose(noise[inside[:, 1], 1].std(), moods.RATING_NOISE, rtol=0.1)


def test_ratings_follow_the_cited_order_of_cues():
    valence = dict(zip(synthetic.CUE_NAMES, np.abs(moods.VALENCE_WEIGHTS), strict=True))
    eerola = ["mode", "tempo", "register", "loudness", "articulation", "brightness"]
    assert sorted(eerola, key=valence.__getitem__, reverse=True) == eerola
    arousal = dict(zip(synthetic.CUE_NAMES, moods.AROUSAL_WEIGHTS, strict=True))
    assert min(arousal["tempo"], arousal["loudness"]) == sorted(arousal.values())[-2]
    assert arousal["mode"] == 0


# --- songs, sections, seeds --------------------------------------------------------------------------------------------------


def test_every_fifteen_clips_hold_each_mood_three_times(drawn):
    labels = np.array([clip.label for clip in drawn]).reshape(-1, 15)
    np.testing.assert_array_equal(np.sort(labels, axis=1), np.tile(np.repeat(np.arange(5), 3), (100, 1)))


def test_sections_of_a_song_share_what_a_song_keeps(drawn):
    for song in range(20):
        sections = drawn[3 * song : 3 * song + 3]
        kept = {
            (c.group, c.label, c.tempo_bpm, c.mode, c.tension, c.roughness, score.plan(c)) for c in sections
        }
        assert len(kept) == 1
        assert len({c.loudness_db for c in sections}) == 3
        assert len({c.clip_id for c in sections}) == 3
        assert [c.section for c in sections] == [0, 1, 2]


def test_a_clip_is_the_same_bytes_whatever_else_is_rendered():
    first, cues = synthetic.render(7, duration_s=1.0)
    np.random.seed(123)  # noqa: NPY002 - global state must not matter
    for other in (8, 0, 6):
        synthetic.render(other, duration_s=0.5)
    again, cues_again = synthetic.render(7, seed=0, duration_s=1.0)
    assert first.tobytes() == again.tobytes()
    assert cues == cues_again


def test_a_clip_is_the_same_bytes_in_another_process():
    code = (
        "import hashlib; from mer_jax.data import synthetic;"
        "print(hashlib.sha256(synthetic.render(4, seed=5, duration_s=0.5)[0].tobytes()).hexdigest())"
    )
    here = hashlib.sha256(synthetic.render(4, seed=5, duration_s=0.5)[0].tobytes()).hexdigest()
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert there.stdout.strip() == here


def test_seeds_and_sections_differ():
    waves = [synthetic.render(i, seed=s, duration_s=0.5)[0] for i, s in ((0, 0), (1, 0), (0, 1))]
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert abs(np.corrcoef(waves[a], waves[b])[0, 1]) < 0.5


@pytest.mark.parametrize(("index", "seed"), [(-1, 0), (0, -1)])
def test_negative_numbers_are_refused(index, seed):
    with pytest.raises(ArgumentError, match="expected an integer of at least 0"):
        synthetic.cues(index, seed)


@pytest.mark.parametrize(
    "wrong", [{"duration_s": 0.0}, {"duration_s": float("nan")}, {"duration_s": 601.0}, {"sr": 100}]
)
def test_a_format_that_cannot_be_rendered_is_refused(wrong):
    with pytest.raises(ArgumentError, match=next(iter(wrong))):
        synthetic.render(0, **wrong)


# --- the sound ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", range(0, 45, 4))
def test_a_clip_is_sound_of_the_stated_level(index):
    y, cues = synthetic.render(index, duration_s=3.0)
    assert y.dtype == np.float32
    assert y.shape == (3 * SR,)
    assert np.isfinite(y).all()
    assert np.abs(y).max() < 1.0
    level = np.sqrt(np.mean(y.astype(np.float64) ** 2))
    assert abs(y.mean(dtype=np.float64)) < 3e-3 * level  # DC 50 dB below the music
    assert abs(20 * np.log10(level) - cues.loudness_db) < 0.5
    assert len(np.unique(y)) > 10000  # neither silent nor stuck


@pytest.mark.parametrize("mood", synthetic.CLASSES)
def test_no_mood_is_clipped_at_its_loudest(mood):
    index = next(i for i in range(0, 15, 3) if synthetic.cues(i).mood == mood)
    y = synthetic.perform(synthetic.cues(index).vary(loudness=2.5), duration_s=2.0)
    assert np.abs(y).max() < 1.0


@pytest.mark.parametrize(("duration_s", "sr", "samples"), [(0.25, 4000, 1000), (1.3, 16000, 20800)])
def test_length_and_rate(duration_s, sr, samples):
    assert synthetic.render(3, duration_s=duration_s, sr=sr)[0].shape == (samples,)


def test_the_label_is_not_heard():
    cues = synthetic.cues(3)
    other = replace(cues, label=(cues.label + 1) % 5)
    a, b = (synthetic.perform(c, duration_s=0.5) for c in (cues, other))
    assert a.tobytes() == b.tobytes()


def spectrum(y):
    return np.abs(np.fft.rfft(y)) ** 2


def centroid_hz(y):
    power = spectrum(y)
    return np.sum(power * np.fft.rfftfreq(len(y), 1 / SR)) / np.sum(power)


def pitch_height(y):
    """Mean of log2 frequency, weighted by power: one octave up is one more."""
    power, frequencies = spectrum(y), np.fft.rfftfreq(len(y), 1 / SR)
    heard = frequencies > 40
    return np.sum(power[heard] * np.log2(frequencies[heard])) / np.sum(power[heard])


def flatness_db(y):
    power = spectrum(y)[50:] + 1e-12
    return 10 * (np.mean(np.log10(power)) - np.log10(np.mean(power)))


def quiet_share(y):
    level = np.sqrt(np.mean(y[: len(y) // 441 * 441].reshape(-1, 441) ** 2, axis=1))
    return np.mean(level < 0.25 * np.quantile(level, 0.95))


def level_db(y):
    return 10 * np.log10(np.mean(y**2))


@pytest.mark.parametrize(
    ("cue", "measure"),
    [
        ("loudness", level_db),
        ("brightness", centroid_hz),
        ("roughness", flatness_db),
        ("articulation", quiet_share),
        ("register", pitch_height),
    ],
)
def test_a_cue_is_heard(cue, measure):
    """The same music with one cue lowered and raised: what measures that cue rises in the mean over songs."""
    low, high = (
        [measure(synthetic.perform(synthetic.cues(i).vary(**{cue: units}), duration_s=2.0)) for i in songs]
        for units, songs in ((-1.5, range(0, 18, 3)), (1.5, range(0, 18, 3)))
    )
    difference = np.subtract(high, low)
    assert difference.mean() > 2 * difference.std(ddof=1) / np.sqrt(len(difference))


def test_loudness_is_four_decibels_a_unit():
    quiet, loud = (synthetic.perform(synthetic.cues(6).vary(loudness=u), duration_s=1.0) for u in (-1, 1))
    assert level_db(loud) - level_db(quiet) == pytest.approx(8.0, abs=0.2)


# --- the music ---------------------------------------------------------------------------------------------------------------


def test_tempo_sets_the_onsets():
    cues = synthetic.cues(0)
    slow, fast = (cues.vary(tempo=u) for u in (-2.0, 2.0))
    song = score.plan(cues)._replace(accompaniment="pulse")
    onsets = [
        len({round(n.start_s, 1) for n in score.compose(c, song, 30.0).chords if n.midi})
        for c in (slow, fast)
    ]
    assert onsets[1] / onsets[0] == pytest.approx(fast.tempo_bpm / slow.tempo_bpm, rel=0.1)


@pytest.mark.parametrize(("mode", "third"), [(1, 4), (-1, 3)])
def test_mode_sets_the_third_of_the_tonic(mode, third):
    cues = synthetic.cues(0).vary(mode=mode, tension=-2.0)
    assert score.plan(cues).chords[0].tones[:3] == (0, third, 7)


def test_tension_leaves_the_scale():
    def share_outside(tension):
        outside = []
        for index in range(0, 150, 3):
            cues = synthetic.cues(index).vary(tension=tension, mode=1)
            tones = [tone for chord in score.plan(cues).chords for tone in chord.tones]
            outside.append(np.mean([tone not in harmony.MAJOR_SCALE for tone in tones]))
        return np.mean(outside)

    assert share_outside(-2.0) < 0.01
    assert share_outside(-0.5) < share_outside(0.5) < share_outside(2.0)


def test_register_sets_the_melody():
    for units in (-1.5, 0.0, 1.5):
        cues = synthetic.cues(0).vary(register=units)
        pitches = [note.midi for note in score.compose(cues, score.plan(cues), 60.0).lead]
        assert abs(np.mean(pitches) - cues.register_midi) < 3.0


def test_voices_move_less_than_chords_in_root_position():
    led = parallel = 0.0
    for index in range(0, 60, 3):
        song = score.plan(synthetic.cues(index))
        previous = root = None
        for chord in song.chords:
            voices_now = harmony.voicing(chord, song.key, 60.0, previous)
            assert {v % 12 for v in voices_now} == {(song.key + tone) % 12 for tone in chord.tones}
            stacked = [60 + chord.root + (tone - chord.root) % 12 for tone in chord.tones]
            if previous is not None:
                led += np.mean([min(abs(v - p) for p in previous) for v in voices_now])
                parallel += np.mean([min(abs(v - p) for p in root) for v in stacked])
            previous, root = voices_now, stacked
    assert led < 0.7 * parallel


# --- instruments and mixing --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["table", "fm"])
@pytest.mark.parametrize("midi", [45.0, 69.0, 81.0])
def test_a_note_has_its_pitch(kind, midi):
    voice = voices.Voice(kind, 1.2, 1.0, 800.0, 1, 0.5, 0.0, 0.0)
    y = voices.play(voice, [score.Note(0.0, 1.0, midi, 1.0)], SR, SR, attack_s=0.01)
    peak = np.argmax(spectrum(y * np.hanning(SR))[: round(1.5 * voices.hertz(midi))])  # bins of 1 Hz
    assert abs(peak - voices.hertz(midi)) <= 1.0


def test_harmonics_stay_below_the_nyquist_frequency():
    voice = voices.Voice("table", 0.5, 1.0, 800.0, 1, 0.5, 0.0, 0.0)
    table = voice.table(93.0, SR)[:-1]
    harmonics = np.abs(np.fft.rfft(table))
    highest = np.flatnonzero(harmonics > 1e-3 * harmonics.max()).max()
    assert highest * voices.hertz(93.0) < SR / 2
    assert np.sqrt(np.mean(table**2)) == pytest.approx(1.0, rel=1e-5)


@pytest.mark.parametrize("drum", ["kick", "snare", "hat", "timpani"])
def test_drums_die_away(drum, rng):
    wave = stroke(drum, SR, rng)
    tenth = len(wave) // 10
    assert np.abs(wave[-tenth:]).max() < 0.1 * np.abs(wave).max()
    assert np.abs(wave).max() < 1.5


def test_limiter_touches_only_peaks():
    y = np.linspace(-3, 3, 1001, dtype=np.float32)
    out = mixing.limit(y)
    inside = np.abs(y) <= 0.8
    np.testing.assert_array_equal(out[inside], y[inside])
    assert np.abs(out).max() < 1.0
    assert np.all(np.diff(out) >= 0)
    np.testing.assert_array_equal(out, -out[::-1])


def test_tilt_is_the_stated_slope(rng):
    y = rng.standard_normal(SR).astype(np.float32)
    silent_room = np.zeros(10, dtype=np.float32)
    flat, tilted = (spectrum(mixing.shape(y, silent_room, 0.3, slope, SR)) for slope in (0.0, 3.0))
    gain_db = 10 * np.log10(tilted[[1000, 2000, 4000]] / flat[[1000, 2000, 4000]])  # bins of 1 Hz
    np.testing.assert_allclose(np.diff(gain_db), 3.0, atol=0.2)
    assert spectrum(mixing.shape(y + 1.0, silent_room, 0.3, 0.0, SR))[0] < 1e-4 * SR**2


def test_vary_refuses_what_it_cannot_do():
    cues = synthetic.cues(0)
    with pytest.raises(ArgumentError, match="did you mean 'tempo'"):
        cues.vary(temp=1.0)
    with pytest.raises(ArgumentError, match=r"expected a number from -2.5 to 2.5"):
        cues.vary(tempo=9.0)
    with pytest.raises(ArgumentError, match="mode"):
        cues.vary(mode=0)


def test_vary_moves_the_rating_as_the_model_says():
    cues = synthetic.cues(3)  # a clip well inside the scale
    moved = cues.vary(tempo=cues.vector[0] + 0.5)
    assert moved.valence - cues.valence == pytest.approx(0.5 * moods.VALENCE_WEIGHTS[0])
    assert moved.arousal - cues.arousal == pytest.approx(0.5 * moods.AROUSAL_WEIGHTS[0])
    assert cues.vary() == cues
