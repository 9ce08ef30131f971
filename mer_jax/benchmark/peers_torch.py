"""The PyTorch peers: nnAudio, torchaudio, and plain PyTorch where it has the operation itself.

On a GPU each runs in full float32. nnAudio computes with convolutions, for which PyTorch allows TF32 by default: it enters a
second time with TF32 on, marked as of lower precision (``nnaudio_tf32``).
"""

import contextlib
import io
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from mer_jax.benchmark.engine import Contender
from mer_jax.benchmark.transforms import HOP, N_FFT, N_MELS, N_MFCC, SR

C1_HZ = 440.0 * 2.0 ** ((24 - 69) / 12)


def nnaudio_contenders(transform: str, waveforms: np.ndarray) -> list[Contender]:
    """Modules of nnAudio; the CQT in both of its current versions."""
    with contextlib.redirect_stdout(io.StringIO()):  # Some print while they build their kernels.
        modules = _nnaudio_modules(transform)
    entered = []
    for name, module in modules.items():
        entered.append(_contender(name, module, waveforms))
        if _device().type == "cuda":
            entered.append(_contender(f"{name}_tf32", module, waveforms, tf32=True))
    return entered


def _nnaudio_modules(transform: str) -> dict[str, Callable[[Any], Any]]:
    from nnAudio import features

    stft = {"n_fft": N_FFT, "hop_length": HOP, "pad_mode": "constant", "sr": SR, "verbose": False}
    cqt = {
        "sr": SR,
        "hop_length": HOP,
        "fmin": C1_HZ,
        "n_bins": 84,
        "bins_per_octave": 12,
        "pad_mode": "constant",
        "output_format": "Magnitude",
        "verbose": False,
    }
    if transform == "stft":
        return {"nnaudio": features.STFT(output_format="Magnitude", **stft)}
    if transform == "mel":
        return {"nnaudio": features.MelSpectrogram(n_mels=N_MELS, **stft)}
    if transform == "mfcc":
        return {"nnaudio": features.MFCC(n_mfcc=N_MFCC, n_mels=N_MELS, **stft)}
    if transform == "cqt":
        return {"nnaudio": features.CQT1992v2(**cqt), "nnaudio_2010": features.CQT2010v2(**cqt)}
    return {}


def torchaudio_contenders(transform: str, waveforms: np.ndarray) -> list[Contender]:
    """Transforms of torchaudio, in librosa's mel scale and normalisation."""
    from torchaudio import transforms

    stft = {"n_fft": N_FFT, "hop_length": HOP, "center": True, "pad_mode": "constant"}
    mel = {**stft, "n_mels": N_MELS, "norm": "slaney", "mel_scale": "slaney", "f_max": SR / 2}
    if transform == "stft":
        module: Callable[[Any], Any] = transforms.Spectrogram(power=1.0, **stft)
    elif transform == "mel":
        module = transforms.MelSpectrogram(sample_rate=SR, power=2.0, **mel)
    elif transform == "mfcc":
        mfcc = transforms.MFCC(sample_rate=SR, n_mfcc=N_MFCC, norm="ortho", log_mels=False, melkwargs=mel).to(
            _device()
        )

        def module(y: Any) -> Any:
            # With a channel axis its limit of 80 dB is below each clip's own maximum, not the batch's.
            return mfcc(y[:, None])[:, 0]
    else:
        return []
    return [_contender("torchaudio", module, waveforms)]


def torch_contenders(transform: str, waveforms: np.ndarray) -> list[Contender]:
    """What PyTorch's own operators give: the hop divides the frame, so frames are reduced from blocks of a hop."""
    import torch
    from torch.nn.functional import pad

    half, overlap = N_FFT // 2, N_FFT // HOP
    window = torch.hann_window(N_FFT, device=_device())

    def blocks(y: Any) -> Any:
        padded = pad(y, (half, half))
        count = padded.shape[-1] // HOP
        return padded[..., : count * HOP].unflatten(-1, (count, HOP))

    def amplitude_envelope(y: Any) -> Any:
        return blocks(y.abs()).amax(-1).unfold(-1, overlap, 1).amax(-1)[:, None]

    def rms(y: Any) -> Any:
        return blocks(y.square()).mean(-1).unfold(-1, overlap, 1).mean(-1).sqrt()[:, None]

    def zcr(y: Any) -> Any:
        negative = torch.where(y.abs() <= 1e-10, 0.0, y) < 0
        crossing = blocks(pad((negative[:, 1:] != negative[:, :-1]).float(), (1, 0)))
        # The first sample of a frame has no predecessor in it, so its crossing is taken off again.
        counts = crossing.sum(-1).unfold(-1, overlap, 1).sum(-1) - crossing[:, : 1 - overlap, 0]
        return (counts / N_FFT)[:, None]

    def stft(y: Any) -> Any:
        spectrum = torch.stft(y, N_FFT, HOP, window=window, pad_mode="constant", return_complex=True)
        return spectrum.abs()

    functions = {"amplitude_envelope": amplitude_envelope, "rms": rms, "zcr": zcr, "stft": stft}
    if transform not in functions:
        return []
    return [_contender("torch", functions[transform], waveforms)]


def _device() -> Any:
    import torch

    return torch.device("cuda" if jax.default_backend() == "gpu" else "cpu")


# The batch in hand and its tensor, which the contenders of a case share: copies would fill the device.
_shared_input: list[tuple[np.ndarray, Any]] = []


def _on_device(waveforms: np.ndarray) -> Any:
    import torch

    if not _shared_input or _shared_input[0][0] is not waveforms:
        _shared_input[:] = [(waveforms, torch.from_numpy(waveforms).to(_device()))]
    return _shared_input[0][1]


def _contender(
    name: str, module: Callable[[Any], Any], waveforms: np.ndarray, *, tf32: bool = False
) -> Contender:
    import torch

    device = _device()
    on_gpu = device.type == "cuda"
    if isinstance(module, torch.nn.Module):
        module = module.to(device).eval()
    y = _on_device(waveforms)

    def call() -> Any:
        if on_gpu:
            torch.backends.cudnn.allow_tf32 = tf32
            torch.backends.cuda.matmul.allow_tf32 = tf32
            torch.backends.cudnn.benchmark = True  # Let cuDNN try its algorithms during the warm-up.
        with torch.inference_mode():
            result = module(y)
        if on_gpu:
            torch.cuda.synchronize()
        return result

    def close() -> None:
        nonlocal y
        y = None
        _shared_input.clear()
        if on_gpu:
            torch.cuda.empty_cache()  # Leave the memory to whoever is measured next.

    return Contender(
        name,
        call,
        to_numpy=lambda result: result[0].cpu().numpy().copy(),
        close=close,
        same_precision=not tf32,
        device_peak=_cuda_peak if on_gpu else None,
    )


def _cuda_peak(call: Callable[[], Any]) -> float:
    import torch

    call()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    value = call()
    peak = torch.cuda.max_memory_allocated() - before
    del value
    return float(peak)
