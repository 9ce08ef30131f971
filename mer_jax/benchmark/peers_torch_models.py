"""The study's models in PyTorch, as a competent user writes them: the peers of the suite ``models``."""

from typing import Any

import numpy as np

from mer_jax.benchmark.engine import Contender

CLASSES = 5


def torch_contenders(case: str, parameters: dict[str, Any]) -> list[Contender]:
    """PyTorch's contenders for a case; none where torch is not installed."""
    try:
        import torch
    except ImportError:
        return []
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if case == "vgg19_forward":
        return [_forward(torch, device, parameters)]
    if case == "vgg19_frozen_step":
        return [_vgg_step(torch, device, parameters)]
    if case.startswith("cnn_bilstm"):
        return [_recurrent_step(torch, device, parameters)]
    if case == "dense_step":
        return [_dense_step(torch, device, parameters)]
    return []


def _vgg19(torch: Any) -> tuple[Any, Any]:
    """Convolutional base and the seven dense layers."""
    nn = torch.nn
    layers: list[Any] = []
    before = 3
    for block in ((64, 64), (128, 128), (256,) * 4, (512,) * 4, (512,) * 4):
        for width in block:
            layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU(inplace=True)]
            before = width
        layers.append(nn.MaxPool2d(2))
    head: list[Any] = [nn.Flatten()]
    before = 7 * 7 * 512
    for width in (1024, 512, 256, 128, 64, 32):
        head += [nn.Linear(before, width), nn.ReLU(), nn.Dropout(0.3)]
        before = width
    return nn.Sequential(*layers), nn.Sequential(*head, nn.Linear(before, CLASSES))


def _sync(torch: Any, device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def _forward(torch: Any, device: str, parameters: dict[str, Any]) -> Contender:
    dtype = getattr(torch, parameters["dtype"])
    base, head = _vgg19(torch)
    base = base.to(device, dtype).to(memory_format=torch.channels_last).eval()
    head = head.to(device).eval()
    images = torch.rand(parameters["batch"], 3, 224, 224, device=device, dtype=dtype) * 255
    images = images.contiguous(memory_format=torch.channels_last)
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = False

    def call() -> Any:
        with torch.inference_mode():
            y = head(base(images).float())
        _sync(torch, device)
        return y

    return Contender("torch", call, lambda y: y[:1].float().cpu().numpy())


def _step(torch: Any, device: str, model: Any, inputs: Any) -> Contender:
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-3, weight_decay=1e-4, fused=device == "cuda")
    labels = torch.arange(len(inputs), device=device) % CLASSES
    loss_of = torch.nn.CrossEntropyLoss()
    model.train()

    def call() -> Any:
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(model(inputs), labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        _sync(torch, device)
        return loss

    return Contender("torch", call, lambda loss: np.asarray(loss.detach().float().cpu()))


def _vgg_step(torch: Any, device: str, parameters: dict[str, Any]) -> Contender:
    base, head = _vgg19(torch)
    for p in base.parameters():
        p.requires_grad_(False)
    model = torch.nn.Sequential(base, head).to(device).to(memory_format=torch.channels_last)
    images = torch.rand(parameters["batch"], 3, 224, 224, device=device) * 255
    return _step(torch, device, model, images.contiguous(memory_format=torch.channels_last))


def _recurrent_step(torch: Any, device: str, parameters: dict[str, Any]) -> Contender:
    nn = torch.nn
    units, whole = parameters["units"], parameters["pool"] == "flatten"

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv1d(3, 64, 3, padding=1)
            self.lstm = nn.LSTM(64, units, batch_first=True, bidirectional=True)
            wide = 2 * units * (parameters["frames"] // 2 if whole else 1)
            self.head = nn.Sequential(nn.Linear(wide, 64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, CLASSES))

        def forward(self, x: Any) -> Any:
            x = torch.relu(self.conv(x.transpose(1, 2)))
            x = nn.functional.max_pool1d(x, 2).transpose(1, 2)
            y, (h, _) = self.lstm(x)
            return self.head(y.flatten(1) if whole else torch.cat([h[0], h[1]], dim=-1))

    inputs = torch.rand(parameters["batch"], parameters["frames"], 3, device=device)
    return _step(torch, device, Network().to(device), inputs)


def _dense_step(torch: Any, device: str, parameters: dict[str, Any]) -> Contender:
    nn = torch.nn
    layers: list[Any] = []
    before = parameters["features"]
    for width in (512, 256, 128, 64):
        layers += [
            nn.Linear(before, width),
            nn.BatchNorm1d(width, eps=1e-3, momentum=0.01),
            nn.ReLU(),
            nn.Dropout(0.3),
        ]
        before = width
    model = nn.Sequential(*layers, nn.Linear(before, CLASSES)).to(device)
    return _step(torch, device, model, torch.rand(parameters["batch"], parameters["features"], device=device))
