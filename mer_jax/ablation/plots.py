"""Pictures of an ablation."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from mer_jax.evaluation.canvas import (
    LIGHT,
    WIDE_IN,
    Theme,
    add_legend,
    class_colours,
    empty_figure,
    figure_and_axes,
    plain,
    short,
    style,
    to_png,
)


def scores(rows: Sequence[Mapping[str, Any]], *, theme: Theme = LIGHT, note: str = "") -> bytes:
    """Accuracy of each front-end, with its interval."""
    figure, axes = figure_and_axes("Accuracy", theme, note, height_in=0.9 + 0.28 * len(rows))
    for number, row in enumerate(rows):
        span = row["intervals"]["accuracy"]
        if span is not None:
            axes.plot(span, [number, number], color=theme.first, linewidth=2)
        axes.plot(row["scores"]["accuracy"], number, "o", color=theme.first, markersize=5)
    axes.set_yticks(range(len(rows)), [plain(short(row["frontend"], 34)) for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel("Accuracy (0–1)")
    return to_png(figure)


def responses(name: str, probes: Mapping[str, np.ndarray], *, theme: Theme = LIGHT, note: str = "") -> bytes:
    """Answers of every feature to tones, before and after; which tone each answers to most; answers to levels.

    A front-end that learnt nothing has the same answers twice.
    """
    figure = empty_figure(plain(short(name, 60)), theme, note, height_in=3.4, width_in=WIDE_IN)
    panels = figure.subplots(1, 4)
    tones_hz = probes["before_tones_hz"]
    drawn = [probes[f"{when}_tones"] for when in ("before", "after")]
    low, high = np.percentile(np.concatenate([x.ravel() for x in drawn]), [1, 99])
    for panel, values, when in zip(panels, drawn, ("before", "after"), strict=False):
        style(panel, theme)
        panel.grid(visible=False)
        panel.pcolormesh(
            tones_hz,
            np.arange(values.shape[1]),
            values.T,
            vmin=low,
            vmax=max(high, low + 1e-9),
            cmap="viridis",
        )
        panel.set_xscale("log")
        panel.set_xlabel("tone (Hz)")
        panel.set_ylabel("feature")
        panel.set_title(f"tones, {when}", fontsize=9, color=theme.ink)
    style(panels[2], theme)
    for values, colour, when in zip(drawn, (theme.muted, theme.second), ("before", "after"), strict=True):
        relative = values - values.mean(axis=1, keepdims=True)
        panels[2].plot(
            np.arange(values.shape[1]),
            tones_hz[relative.argmax(axis=0)],
            ".",
            color=colour,
            markersize=4,
            label=when,
        )
    panels[2].set_yscale("log")
    panels[2].set_xlabel("feature")
    panels[2].set_ylabel("answers most to (Hz)")
    panels[2].set_title("centres", fontsize=9, color=theme.ink)
    add_legend(panels[2], theme)
    style(panels[3], theme)
    for when, colour in (("before", theme.muted), ("after", theme.second)):
        panels[3].plot(
            probes[f"{when}_levels_db"],
            probes[f"{when}_levels"].mean(axis=1),
            color=colour,
            linewidth=1.6,
            label=when,
        )
    panels[3].set_xlabel("level of noise (dB full scale)")
    panels[3].set_ylabel("mean of the features")
    panels[3].set_title("compression", fontsize=9, color=theme.ink)
    add_legend(panels[3], theme)
    return to_png(figure)


def movement(
    name: str, epochs: Sequence[Mapping[str, Any]], *, theme: Theme = LIGHT, note: str = ""
) -> bytes:
    """How far each parameter was from its start after every epoch, relative to its size there."""
    figure, axes = figure_and_axes(plain(short(name, 60)), theme, note, height_in=2.6)
    for parameter, colour in class_colours(list(epochs[0]["watched"])).items():
        axes.plot(
            [record["epoch"] for record in epochs],
            [100 * record["watched"][parameter] for record in epochs],
            color=colour,
            linewidth=1.6,
            label=plain(short(parameter, 30)),
        )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("epoch")
    axes.set_ylabel("moved (%)")
    axes.set_ylim(bottom=0)
    add_legend(axes, theme)
    return to_png(figure)
