"""Pictures of result files: speed-ups as bars, throughput over batch size as lines."""

from pathlib import Path
from typing import Any

from mer_jax.benchmark.results import Report, milliseconds
from mer_jax.checks import DataError

Row = dict[str, Any]


def write(report: Report, path: Path) -> None:
    """Draw all rows of a report into one PNG: a panel a suite.

    Args:
        report: at least one row.
        path: the picture; written under a temporary name and renamed.

    Raises:
        DataError: there is no row, or the folder does not exist.
    """
    if not report.rows:
        raise DataError(path, "nothing to draw: the result file has no row")
    if not path.parent.is_dir():
        raise DataError(path.parent, "does not exist", remedy=f"create it: mkdir -p {path.parent}")
    from mer_jax.data.atomic import atomic_path
    from mer_jax.evaluation import canvas

    by_suite = {suite: [row for row in report.rows if row["suite"] == suite] for suite in _suites(report)}
    heights = [2.6 if suite == "scaling" else 0.5 + 0.26 * len(rows) for suite, rows in by_suite.items()]
    figure = canvas.empty_figure(
        "mer_jax against the best peer",
        canvas.LIGHT,
        _place(report),
        height_in=0.6 + sum(heights),
        width_in=8.4,
    )
    panels = figure.subplots(len(by_suite), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (suite, rows) in zip(panels, by_suite.items(), strict=True):
        canvas.style(axes, canvas.LIGHT)
        axes.set_title(suite, loc="left", fontsize=9.5, color=canvas.LIGHT.ink, fontfamily=canvas.FONT)
        (_lines if suite == "scaling" else _bars)(axes, rows, canvas)
    with atomic_path(path) as temporary:
        temporary.write_bytes(canvas.to_png(figure))


def _suites(report: Report) -> list[str]:
    return list(dict.fromkeys(row["suite"] for row in report.rows))


def _place(report: Report) -> str:
    machine = report.machine
    return str(
        machine["accelerator"]
        if machine["accelerator"] != "none"
        else f"{machine['cpu']}, {machine['cores']} cores"
    )


def _bars(axes: Any, rows: list[Row], canvas: Any) -> None:
    """Speed-up of each case; what has no peer is named without a bar."""
    theme = canvas.LIGHT
    for place, row in enumerate(reversed(rows)):
        speedup = row["speedup"]
        label = f"{milliseconds(row['ours_s'])} ms"
        if speedup is not None:
            fed = "device_idle_share" in row
            axes.barh(place, speedup, height=0.62, color=theme.first if speedup >= 1 or fed else theme.second)
            label = f"{speedup:.2f}x {row['best_peer']}, {label}"
            if fed:
                label = f"the device waits {row['device_idle_share']:.0%}"
        axes.text(
            max(speedup or 0, 0) + 0.05, place, canvas.plain(label), va="center", fontsize=7.5, color=theme.ink,
            fontfamily=canvas.FONT,
        )  # fmt: skip
    axes.axvline(1, color=theme.muted, linewidth=1, linestyle="--")
    axes.set_yticks(range(len(rows)), [canvas.plain(row["name"]) for row in reversed(rows)])
    axes.set_xlim(0, 1.35 * max([row["speedup"] or 0 for row in rows] + [1.0]) + 0.6)
    of_input = all("device_idle_share" in row for row in rows)
    axes.set_xlabel("part of an epoch that its steps take" if of_input else "times as fast as the best peer")
    axes.grid(axis="y", visible=False)


def _lines(axes: Any, rows: list[Row], canvas: Any) -> None:
    """Audio seconds a second over the batch, on all devices and on one."""
    colours = canvas.class_colours(tuple(dict.fromkeys(row["name"].split(",")[0] for row in rows)))
    for case, colour in colours.items():
        own = [row for row in rows if row["name"].split(",")[0] == case]
        sizes = [row["batch"] for row in own]
        seconds = [row["audio_s_per_s"] * row["ours_s"] for row in own]
        axes.plot(
            sizes,
            [row["audio_s_per_s"] for row in own],
            marker="o",
            color=colour,
            label=f"{case}, all devices",
        )
        alone = [
            (size, length / row["peers"]["one_device"])
            for size, length, row in zip(sizes, seconds, own, strict=True)
            if "one_device" in row["peers"]
        ]
        if alone:
            axes.plot(
                *zip(*alone, strict=True),
                marker="o",
                linestyle=":",
                color=colour,
                label=f"{case}, one device",
            )
    axes.set_xscale("log", base=2)
    axes.set_xlabel("clips of a batch")
    axes.set_ylabel("audio s / s")
    # Room above the lines for the legend.
    axes.set_ylim(0, 1.45 * max(row["audio_s_per_s"] for row in rows))
    canvas.add_legend(axes, canvas.LIGHT)
