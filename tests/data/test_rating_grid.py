"""Steps of ratings in crops of audio."""

import numpy as np
import pytest
from rated_songs import RATE_HZ, SR, STEP, rated_songs

from mer_jax import checks
from mer_jax.data.catalog import Dynamic
from mer_jax.data.rated_loader import RatedLoader
from mer_jax.data.rating_grid import RatingGrid, num_usable

OPTIONS = {"batch_size": 4, "seed": 3, "drop_remainder": False, "num_epochs": 2}


def grid(seconds: float = 3.0, sr: int = SR, rate_hz: float = RATE_HZ) -> RatingGrid:
    return RatingGrid(rate_hz, sr, round(seconds * sr))


def dynamic(start_s: float, count: int, scale=None) -> Dynamic:
    values = np.linspace(-1, 1, count, dtype=np.float32)
    return Dynamic(2.0, np.array([start_s]), (np.stack([values, -values], axis=1),), scale)


def test_the_ratings_of_deam_cover_its_clips_to_their_end():
    clip = grid(45.0, 22050).of_clip(15.0, 60, 45 * 22050)
    assert (clip.phase, clip.total, clip.first, clip.stop) == (0, 90, 30, 90)


def test_a_rating_counts_where_half_of_what_it_rates_is_in_the_audio():
    whole = grid()
    assert whole.of_clip(1.0, 10, 4 * SR + STEP // 2).stop == 2 + 6
    assert whole.of_clip(1.0, 10, 4 * SR + STEP // 2 + 1).stop == 2 + 7
    assert num_usable(dynamic(1.0, 10), np.array([4.25])).tolist() == [6]
    assert num_usable(dynamic(1.0, 10), np.array([4.26])).tolist() == [7]
    assert num_usable(dynamic(1.0, 10), np.array([0.5])).tolist() == [0]
    assert num_usable(dynamic(1.0, 10), None).tolist() == [10]


def test_ratings_between_whole_steps_shift_the_steps_of_a_clip():
    clip = grid().of_clip(15.2, 4, 20 * SR)
    assert clip.phase == pytest.approx(0.2 * SR)
    assert grid().sample(clip, clip.first) == round(15.2 * SR)


def test_a_step_need_not_be_a_whole_number_of_samples():
    uneven = RatingGrid(4.0, 22050, 22050)
    clip = uneven.of_clip(3.0, 8, 6 * 22050)
    assert uneven.num_steps == 4
    for step in range(clip.total):
        assert abs(uneven.sample(clip, step) - (clip.phase + step * 5512.5)) <= 0.5
        uneven.cut(
            Dynamic(4.0, np.array([3.0]), (np.zeros((8, 2), np.float32),)), 0, uneven.sample(clip, step), 100
        )


def test_cuts_give_each_step_its_rating_on_the_listeners_scale():
    rated = dynamic(1.0, 5, scale=(1.0, 9.0))
    found, number = grid().cut(rated, 0, SR // 2, 3 * SR)
    assert number.tolist() == [-1, 0, 1, 2, 3, 4]
    np.testing.assert_allclose(found[:, 0], [0, 1, 3, 5, 7, 9])
    # What lies beyond the end of the audio is not rated.
    _, number = grid().cut(rated, 0, SR // 2, SR + STEP // 2 + 1)
    assert number.tolist() == [-1, 0, 1, -1, -1, -1]
    with pytest.raises(checks.ArgumentError, match="between two steps"):
        grid().cut(rated, 0, 100, 3 * SR)


def test_random_crops_hold_as_many_ratings_as_they_can():
    rng = np.random.default_rng(0)
    whole = grid()
    long = whole.of_clip(5.0, 20, 20 * SR)
    drawn = {whole.draw(long, rng) for _ in range(300)}
    assert drawn == set(range(10, 25))
    few = whole.of_clip(5.0, 3, 20 * SR)
    assert {whole.draw(few, rng) for _ in range(300)} == set(range(7, 11))
    at_the_end = whole.of_clip(5.0, 3, 6 * SR)
    assert {whole.draw(at_the_end, rng) for _ in range(50)} == {6}  # rather than padding
    short = whole.of_clip(0.5, 3, SR)
    assert whole.draw(short, rng) == 0


@pytest.mark.parametrize("hop", [None, 1, 4])
@pytest.mark.parametrize(("first", "stop"), [(30, 90), (0, 7), (3, 5), (30, 31), (88, 90)])
def test_windows_cover_every_rating(first, stop, hop):
    whole = grid()
    starts = whole.covering(first, stop, 90, hop)
    covered = {step for start in starts for step in range(start, start + whole.num_steps)}
    assert set(range(first, stop)) <= covered
    assert min(starts) >= 0
    assert max(starts) + whole.num_steps <= 90
    assert sorted(set(starts)) == starts


def test_a_crop_shorter_than_a_rating_is_refused():
    with pytest.raises(checks.ConfigError, match=r"clip_s: is 0\.4 s, less than one rating stands for"):
        grid(0.4)


def test_batches_hold_the_ratings_of_the_very_samples_that_they_hold():
    catalog = rated_songs(9, tail_s=0.7)
    loader = RatedLoader(catalog, range(9), grid=grid(), windows=False, shuffle=True, **OPTIONS)
    starts = []
    for batch in loader:
        levels = np.abs(batch["waveform"][:, : 6 * STEP].reshape(4, 6, STEP))
        # Within a step the level never changes: crops begin exactly where a rating does.
        np.testing.assert_array_equal(levels.min(axis=2), levels.max(axis=2))
        rated = (batch["rating_index"] >= 0) & (batch["weight"] > 0)[:, None]
        assert rated[batch["weight"] > 0].all()  # a crop is drawn where the song is rated
        expected = 0.1 * 5.0 ** batch["ratings"][:, :, 1]
        np.testing.assert_allclose(levels[:, :, 0][rated], expected[rated], atol=1e-4)
        assert batch["weight"].tolist() == rated.sum(axis=1).tolist()
        starts += batch["start"].tolist()
    assert len(set(starts)) > 5


def test_windows_hold_every_rating_and_filler_none():
    catalog = rated_songs(3, steps=8, unrated=(1,))
    loader = RatedLoader(
        catalog, [0, 2], grid=grid(), windows=True, shuffle=False, **OPTIONS | {"num_epochs": 1}
    )
    batches = list(loader)
    seen = [
        (int(row), int(number))
        for batch in batches
        for row, numbers in zip(batch["index"], batch["rating_index"], strict=True)
        for number in numbers[numbers >= 0]
    ]
    assert set(seen) == {(row, number) for row in (0, 2) for number in range(8)}
    assert len(seen) == 2 * (6 + 6)  # the second window of a song overlaps the first
    assert [batch["weight"].tolist() for batch in batches] == [[6, 6, 6, 6]]
    with pytest.raises(checks.DataError, match="has no ratings over time in the audio of these 1 clips"):
        RatedLoader(catalog, [1], grid=grid(), windows=True, shuffle=False, **OPTIONS)


def test_batches_go_on_where_they_stopped():
    loader = RatedLoader(rated_songs(9), range(9), grid=grid(), windows=False, shuffle=True, **OPTIONS)
    first, second = iter(loader), iter(loader)
    for _ in range(2):
        next(first)
    second.set_state(first.get_state())
    expected, found = list(first), list(second)
    assert len(found) == len(expected) == 4
    for one, other in zip(found, expected, strict=True):
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])
