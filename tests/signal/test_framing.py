import jax.numpy as jnp
import librosa
import numpy as np
import pytest

from mer_jax import checks
from mer_jax.signal import framing

# Frame and hop: even, odd, hop dividing or not, hop beyond the frame, hop so small that frames are gathered.
FRAMINGS = [(2048, 512), (1000, 333), (441, 441), (7, 3), (3, 7), (300, 2), (1, 1)]


@pytest.mark.parametrize(("frame_length", "hop_length"), FRAMINGS)
@pytest.mark.parametrize("num_samples", [2205, 4097])
def test_frames_match_librosa(rng, frame_length, hop_length, num_samples):
    y = rng.standard_normal((2, num_samples)).astype(np.float32)
    expected = librosa.util.frame(y, frame_length=frame_length, hop_length=hop_length)
    found = framing.split_frames(jnp.asarray(y), frame_length=frame_length, hop_length=hop_length)
    np.testing.assert_array_equal(np.swapaxes(found, -1, -2), expected)
    count = framing.count_frames(num_samples, frame_length=frame_length, hop_length=hop_length, center=False)
    assert count == expected.shape[-1]


@pytest.mark.parametrize("num_samples", [1, 99, 2047, 2048, 22051])
@pytest.mark.parametrize("frame_length", [2048, 2047, 100])
def test_centred_frame_count_matches_librosa(num_samples, frame_length):
    padded = np.pad(np.zeros(num_samples), frame_length // 2)
    expected = librosa.util.frame(padded, frame_length=frame_length, hop_length=512).shape[-1]
    assert framing.count_frames(num_samples, frame_length=frame_length, hop_length=512) == expected


@pytest.mark.parametrize("mode", framing.PAD_MODES)
def test_padding_matches_numpy(rng, mode):
    y = rng.standard_normal((3, 50)).astype(np.float32)
    expected = np.pad(y, [(0, 0), (20, 20)], mode=mode)
    np.testing.assert_allclose(
        framing.pad_centered(jnp.asarray(y), 41, mode=mode), expected, rtol=1e-6, atol=1e-7
    )


@pytest.mark.parametrize("mode", framing.PAD_MODES)
@pytest.mark.parametrize(
    ("start", "stop"), [(0, 100), (0, 5), (3, 60), (12, 40), (55, 90), (85, 100), (7, 7)]
)
def test_a_section_is_cut_from_the_padded_signal(rng, mode, start, stop):
    y = rng.standard_normal((2, 50)).astype(np.float32)
    expected = np.pad(np.pad(y, [(0, 0), (10, 10)], mode=mode), [(0, 0), (0, 30)])[:, start:stop]
    found = framing.padded_section(jnp.asarray(y), start, stop, half=10, mode=mode)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(("frame_length", "hop_length"), FRAMINGS)
@pytest.mark.parametrize("left", [0, 500, 1024])
@pytest.mark.parametrize("num_samples", [1, 2049])
def test_reductions_match_reducing_padded_frames(rng, frame_length, hop_length, left, num_samples):
    x = rng.integers(0, 100, num_samples)
    frames = min(5, 1 + (left + num_samples) // hop_length)
    padded = np.pad(x, (left, frame_length + frames * hop_length))
    rows = np.stack([padded[t * hop_length :][:frame_length] for t in range(frames)])
    for kind, expected in (("sum", (rows**2).sum(1)), ("max", (rows**2).max(1))):
        found = framing.reduce_frames(
            jnp.asarray(x),
            jnp.square,
            kind,
            frame_length=frame_length,
            hop_length=hop_length,
            frames=frames,
            left=left,
        )
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("frame_length", "hop_length"), FRAMINGS)
def test_overlap_add_adds_each_frame_at_its_place(rng, frame_length, hop_length):
    rows = rng.standard_normal((6, frame_length)).astype(np.float32)
    expected = np.zeros(frame_length + 5 * hop_length)
    for t, row in enumerate(rows):
        expected[t * hop_length :][:frame_length] += row
    found = framing.overlap_add(jnp.asarray(rows), hop_length=hop_length)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_fit_cuts_and_fills():
    y = jnp.arange(3.0)
    assert framing.fit(y, 2).tolist() == [0.0, 1.0]
    assert framing.fit(y, 5).tolist() == [0.0, 1.0, 2.0, 0.0, 0.0]


@pytest.mark.parametrize(("frame_length", "hop_length"), [(0, 1), (4, 0), (-1, 1), (True, 1)])
def test_lengths_must_be_positive_integers(frame_length, hop_length):
    with pytest.raises(checks.ArgumentError, match="an integer of at least 1"):
        framing.check_frames(10, frame_length=frame_length, hop_length=hop_length, center=True)


def test_a_signal_shorter_than_a_frame_is_refused():
    with pytest.raises(checks.ArgumentError, match=r"has 10 samples.*at least frame_length=11"):
        framing.check_frames(10, frame_length=11, hop_length=1, center=False)
    framing.check_frames(10, frame_length=11, hop_length=1, center=True)


def test_an_accelerator_reduces_to_the_same(rng, monkeypatch):
    x = jnp.asarray(rng.integers(0, 100, 3000))
    options = {"frame_length": 256, "hop_length": 64, "frames": 40, "left": 128}
    expected = [framing.reduce_frames(x, jnp.square, kind, **options) for kind in ("sum", "max")]
    monkeypatch.setattr(framing, "platform", lambda: "gpu")
    for kind, values in zip(("sum", "max"), expected, strict=True):
        np.testing.assert_array_equal(framing.reduce_frames(x, jnp.square, kind, **options), values)
