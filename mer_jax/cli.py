"""The ``mer-jax`` command: each sub-command is one function here, its flags are that function's parameters.

Progress and tables go to standard output. Bad input is one line on standard error and exit status 2; a wrong flag gets tyro's
message with the nearest match, also with status 2; status 0 means that the whole job is done.
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from tyro.conf import Positional

from mer_jax import checks


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    argv = list(sys.argv[1:] if argv is None else argv)
    try:
        # benchmark keeps to argparse: "python -m mer_jax.benchmark" must run where tyro is not installed.
        if argv[:1] == ["benchmark"]:
            from mer_jax.benchmark.__main__ import main as benchmark_main

            return benchmark_main(argv[1:]) or 0
        return (
            tyro.extras.subcommand_cli_from_dict(
                _commands(argv), prog="mer-jax", description=_TITLE, args=argv
            )
            or 0
        )
    except checks.InputError as error:
        print(f"mer-jax: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("mer-jax: interrupted; a run folder goes on with --resume", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output (head, less) has gone: not our error, and nothing is left to print to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


_TITLE = (
    "Music emotion recognition in JAX. 'mer-jax COMMAND --help' shows an example of each command; "
    "'mer-jax benchmark --help' is a further command with flags of its own."
)


def _commands(argv: Sequence[str]) -> dict[str, Callable[..., int | None]]:
    """The commands by name; some need a configuration, whose modules import JAX: those are made if they are asked for."""
    commands: dict[str, Callable[..., int | None]] = {
        "audit": audit,
        "compare": compare,
        "datasets": datasets,
        "demo": demo,
        "prepare": prepare,
        "evaluate": evaluate,
        "export": export,
        "features": features,
        "predict": predict,
        "weights": weights,
    }
    configured: dict[str, Callable[[], Callable[..., None]]] = {
        "train": lambda: _train_command(argv),
        "study": _study_command,
        "ablate": _ablate_command,
        "sweep": lambda: _sweep_command(argv),
    }
    asked = argv[0] if argv else ""
    for name, make in configured.items():
        if asked == name or asked not in {*commands, *configured}:
            commands[name] = make()
    return dict(sorted(commands.items()))


def demo(out: Path = Path("mer_jax_demo"), *, clips: int = 400, epochs: int = 30, seed: int = 0) -> None:
    """Compose a small synthetic data set and compare the three approaches on it: the main job in one go.

    Example: mer-jax demo --out mer_jax_demo

    Args:
        out: folder for the audio files, the study and its report.
        clips: how many 5-s clips to compose.
        epochs: passes over the training part, at most.
        seed: seeds the music.
    """
    from mer_jax import demo as mj_demo

    _start_jax()
    mj_demo.run(out, clips=clips, epochs=epochs, seed=seed)


def audit(
    data: Annotated[Positional[str], tyro.conf.arg(metavar="DATA")],
    other: Annotated[Positional[str | None], tyro.conf.arg(metavar="[DATA2]")] = None,
    *,
    json: Path | None = None,
    strict: bool = False,
    id_ranges: tuple[int, ...] = (),
) -> int:
    """Look for what would spoil a result: copies, leaks, exchanged ratings, conflicting labels, damaged audio.

    Example: mer-jax audit prepared/deam prepared/emomusic --json audit.json

    The exit status is 0 when the audit is done, whatever it found.

    Args:
        data: a folder with one sub-folder a class, a manifest CSV, a prepared data set, or "synthetic".
        other: a second one; then copies and ids that both have are looked for, too.
        json: write the findings here as well.
        strict: exit status 1 if there are errors.
        id_ranges: where the ids are numbers, last id of each range in which ratings of whole clips and over time are compared;
            boundaries of an exchange are looked for unless given.
    """
    from mer_jax.data.audit.command import command

    return command(data, other, json_file=json, strict=strict, id_ranges=id_ranges)


def prepare(
    data: Positional[str],
    *,
    data_dir: Path,
    manual_dir: Path | None = None,
    sample_rate: int = 22050,
    dtype: Literal["int16", "float32"] = "int16",
    partial: bool = False,
) -> int:
    """Decode and resample a data set once, into a TFDS ArrayRecord that every later command reads quickly.

    Example: mer-jax prepare my_music/ --data-dir prepared/my_music
    Example: mer-jax prepare merge:balanced --manual-dir downloads/merge --data-dir prepared/merge

    What was interrupted goes on where it stopped when the same command is given again.

    Args:
        data: a folder with one sub-folder a class, a manifest CSV (path,label,group), "synthetic", or the name of a data set
            ('mer-jax datasets' lists them), with its variant after a colon.
        data_dir: folder to write the prepared data set to.
        manual_dir: of a named data set: where you unpacked what you fetched.
        sample_rate: sampling rate to store, Hz.
        dtype: of the samples that are stored; float32 takes twice the space, and training reads 16 bits of it anyway.
        partial: of a named data set: take the clips that are there, instead of all or none.
    """
    from mer_jax.data import prepare as mj_prepare

    return mj_prepare.command(
        data, data_dir, manual_dir=manual_dir, partial=partial, sr=sample_rate, dtype=dtype
    )


def datasets(*, search: tuple[Path, ...] = (Path("."),)) -> None:
    """List the data sets that 'mer-jax prepare' knows by name: size, labels, licence, and where they are prepared here.

    Example: mer-jax datasets --search prepared/

    Args:
        search: folders to look for prepared data sets in, three folders deep.
    """
    from mer_jax.data import overview

    overview.command(search)


def features(
    paths: Positional[tuple[Path, ...]],
    *,
    features: tuple[str, ...] = ("log_mel",),
    backend: Literal["jax", "nnaudio", "librosa"] = "jax",
    out: Path,
    sample_rate: int = 22050,
    pictures: bool = False,
) -> int:
    """Turn audio files into feature arrays (.npz) and pictures (.png); what is there already is skipped.

    Example: mer-jax features my_music/ --features log_cqt mfcc --backend jax --out features --pictures

    Args:
        paths: audio files, or folders that are searched for them.
        features: by name: spectrogram, mel, log_mel, mfcc, cqt, log_cqt, chroma, tempogram, time_domain, ..., or a numerical
            set: time, frequency, time_frequency, tonal, rhythm, extended, musical.
        backend: what computes them: jax, nnaudio (torch) or librosa (the reference, slow).
        out: folder to write to; folders inside a named folder are kept.
        sample_rate: rate that audio is resampled to, Hz.
        pictures: also write each feature as a 224 x 224 picture.
    """
    from mer_jax import extract
    from mer_jax.compilation_cache import use_compilation_cache

    use_compilation_cache()

    return extract.command(
        paths, features=features, backend=backend, out=out, sr=sample_rate, write_pictures=pictures
    )


def evaluate(
    run: Positional[Path],
    *,
    data: str | None = None,
    part: Literal["validation", "test"] = "test",
    hop_s: float | None = None,
    precision: Literal["f32", "tf32", "bf16"] | None = None,
    folds: int | None = None,
    seeds: int = 1,
    leave_one_out: tuple[str, ...] = (),
    quadrants: bool = False,
    within: bool = False,
    population: Literal["auto", "off"] = "auto",
) -> None:
    """Score a trained run again, on its own test part or on all of another data set with the same classes.

    Example: mer-jax evaluate runs/time_domain --hop-s 2.5
    Example: mer-jax evaluate runs/time_domain --folds 10 --seeds 2
    Example: mer-jax evaluate runs/time_domain --leave-one-out prepared/emopia prepared/taffc prepared/pmemo

    Args:
        run: a run folder written by train or demo.
        data: score on all of this data set instead of the run's own.
        part: which part of the run's own split: test or validation.
        hop_s: score windows of the run's length, one every so many seconds, and tracks by the mean of their windows; without
            it a clip is scored by its middle (ratings over time: by windows side by side that cover all of them).
        precision: compute in f32, tf32 or bf16 instead of the precision that the run was trained in (docs/precision.md).
        folds: cross-validate the run's configuration: train it anew on each of so many folds; goes on where it stopped.
        seeds: how many times, each with its own folds and initial weights.
        leave_one_out: data sets: train the run's configuration on all of them but one and test on that one, for each in turn;
            goes on where it stopped. NAME=DATA calls one by another name.
        quadrants: with leave_one_out: classes are the quadrants of valence and arousal.
        within: with leave_one_out: also train and test within each data set, on one fold.
        population: with folds, "auto" trains several at once where that is quicker (dense and recurrent networks), "off" one
            after the other.
    """
    from mer_jax import experiment

    if leave_one_out or quadrants or within:
        own = (data, hop_s, precision, folds) != (None,) * 4
        if own or part != "test" or seeds != 1:
            raise checks.ConfigError(
                "leave_one_out",
                "goes with none of data, part, hop_s, precision, folds and seeds",
                expected="evaluate RUN --leave-one-out DATA DATA ... [--quadrants] [--within]",
            )
        from mer_jax.experiment import transfer

        _start_jax()
        print(
            transfer.describe(transfer.leave_one_out(run, leave_one_out, quadrants=quadrants, within=within))
        )
        return
    if folds is not None:
        if (data, hop_s, precision) != (None,) * 3 or part != "test":
            raise checks.ConfigError(
                "folds",
                "goes with neither data, part, hop_s nor precision: a run is trained anew in its own",
                expected="evaluate RUN --folds K --seeds R",
            )

        _start_jax()
        out = experiment.cross_validate(run, folds=folds, seeds=seeds, population=population)
        print(experiment.describe(out))
        return
    found = experiment.evaluate(run, spec=data, part=part, hop_s=hop_s, precision=precision)
    segments = found.pop("segments", None)
    print(f"{run} on {data or part}: {found['num_clips']} {'clips' if segments is None else 'tracks'}")
    _show_scores(found)
    if segments is not None:
        print(f"segments, one by one: {segments['num_clips']}")
        _show_scores(segments)


def _show_scores(found: Mapping[str, Any]) -> None:
    for name, value in found.items():
        if value is None or isinstance(value, float):
            print(f"{name:17s} {_number(value)}")
    for name, row in (found.get("per_class") or found["per_target"]).items():
        shown = "  ".join(f"{k} {_number(v)}" for k, v in row.items() if k != "support")
        print(f"{name}: {shown}" + (f"  clips {row['support']:.0f}" if "support" in row else ""))


def compare(first: Positional[Path], second: Positional[Path], *, json: Path | None = None) -> None:
    """Compare two runs, or two cross-validated ones, on the same clips: differences, intervals, p-values.

    Example: mer-jax compare runs/notes runs/statistics

    Args:
        first: a run folder; where it was cross-validated (evaluate --folds), all its folds count.
        second: another, trained and tested on the same splits.
        json: also write the figures here.
    """
    from mer_jax.evaluation import comparison

    found = comparison.compare(first, second)
    print(comparison.table(found, first.name, second.name))
    if json is not None:
        from mer_jax.experiment.folder import write_json

        write_json(json, found)


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"


def predict(
    paths: Positional[tuple[Path, ...]],
    *,
    checkpoint: Path,
    out: Path | None = None,
    curve: bool = False,
) -> int:
    """Predict the emotion of audio files.

    Example: mer-jax predict song.mp3 album/ --checkpoint runs/time_domain --out predictions.csv

    Args:
        paths: audio files, or folders that are searched for them.
        checkpoint: a run folder written by train or demo, or a file written by export.
        out: also write a table here: .csv or .json.
        curve: print the probabilities of every window, too; of a run on ratings over time those ratings, twice a second.
    """
    from mer_jax import predict as mj_predict
    from mer_jax.compilation_cache import use_compilation_cache

    use_compilation_cache()

    return mj_predict.command(paths, checkpoint=checkpoint, out=out, curve=curve)


def export(
    run: Positional[Path],
    *,
    out: Path,
    platforms: tuple[Literal["cpu", "cuda", "tpu"], ...] = ("cpu", "cuda", "tpu"),
) -> None:
    """Write a trained run, from waveform to probabilities, into one file that jax runs without this package.

    Example: mer-jax export runs/mine --out mine.mer
    Example: mer-jax predict song.mp3 --checkpoint mine.mer

    docs/export.md says what is in the file, and how to use it.

    Args:
        run: a run folder written by train or demo.
        out: the file to write; it must not be there yet.
        platforms: what to write programs for; this machine needs none of them.
    """
    from mer_jax.compilation_cache import use_compilation_cache
    from mer_jax.export import command

    use_compilation_cache()
    command.command(run, out=out, platforms=platforms)


def weights(
    out: Path = Path("checkpoints/vgg19_imagenet"),
    *,
    file: Path | None = None,
    url: str | None = None,
    checksum: str | None = None,
) -> None:
    """Download the VGG19 weights that Keras publishes (80 MB, ImageNet), or take a local file, and convert them once.

    Example: mer-jax weights --out checkpoints/vgg19_imagenet

    Args:
        out: folder to write the converted weights to; new or empty.
        file: convert this file instead: .h5, .weights.h5, .npz, .safetensors, .pth or .pt.
        url: download from here instead.
        checksum: of the file at this address, md5:... or sha256:...; that of Keras's file unless given.
    """
    from mer_jax.models.pretrained.command import command

    command(out, file=file, url=url, checksum=checksum)


def _train_command(argv: Sequence[str]) -> Callable[..., None]:
    """The ``train`` function with the configuration file's values, if one is named, as its defaults."""
    from mer_jax import config

    path = _value_of(argv, "--config")
    default = config.load_python(path) if path else config.ExperimentConfig()

    def train(
        settings: Annotated[config.ExperimentConfig, tyro.conf.arg(name="")] = default,
        *,
        config: Path | None = None,
        resume: bool = False,
    ) -> None:
        """Train and evaluate one model, write its run folder and report.

        Example: mer-jax train --data my_music/ --out runs/mine --clip-s 10 --optimizer.learning-rate 3e-4

        Args:
            settings: the experiment.
            config: Python file that defines config = ExperimentConfig(...); the flags given here override it.
            resume: go on after the last checkpoint in the run folder, bit for bit as if never interrupted.
        """
        from mer_jax import experiment

        del config  # its values are the defaults of ``settings``
        _start_jax()
        experiment.run(settings, resume=resume)

    return train


def _study_command() -> Callable[..., None]:
    from mer_jax.study.config import StudyConfig

    default = StudyConfig()

    def study(
        settings: Annotated[StudyConfig, tyro.conf.arg(name="")] = default,
        *,
        quick: bool = False,
        population: Literal["auto", "off"] = "auto",
    ) -> None:
        """Run the study's whole table on any data set: every feature, every network, one report.

        Example: mer-jax study --data my_music/ --out runs/study --clip-s 10
        Example: mer-jax study --data prepared/emotify --task targets --out runs/emotify --clip-s 30

        A study that was interrupted goes on where it stopped when the same command is given again.

        Args:
            settings: the study.
            quick: some cells, small pictures, few epochs; random VGG19 weights where there are no others.
            population: "auto" trains dense and recurrent cells of the same features at once, "off" one after the other.
        """
        from mer_jax import study as mj_study

        _start_jax()
        mj_study.run(mj_study.quick(settings) if quick else settings, population=population)

    return study


def _ablate_command() -> Callable[..., None]:
    from mer_jax.ablation.config import AblationConfig

    default = AblationConfig()

    def ablate(
        settings: Annotated[AblationConfig, tyro.conf.arg(name="")] = default,
        *,
        population: Literal["auto", "off"] = "auto",
    ) -> None:
        """Compare front-ends behind the same network, on the same splits and seeds; the first is the yardstick.

        Example: mer-jax ablate --frontends log_mel mfcc log_cqt --model cnn --data my_music/ --folds 10 --seeds 3

        An ablation that was interrupted goes on where it stopped when the same command is given again.

        Args:
            settings: the ablation.
            population: "auto" trains the folds and seeds of a front-end at once, from waveforms that lie on the device where it
                learns; "off" one after the other.
        """
        from mer_jax import ablation

        _start_jax()
        ablation.run(settings, population=population)

    return ablate


def _sweep_command(argv: Sequence[str]) -> Callable[..., None]:
    """The ``sweep`` function; a configuration file's values are its defaults, as for ``train``."""
    from mer_jax import config
    from mer_jax.sweep.config import SweepConfig

    path = _value_of(argv, "--config")
    default = SweepConfig.around(config.load_python(path)) if path else SweepConfig()

    def sweep(
        settings: Annotated[SweepConfig, tyro.conf.arg(name="")] = default,
        *,
        config: Path | None = None,
    ) -> None:
        """Search learning rate, weight decay and dropout by successive halving; train and score the winner.

        Example: mer-jax sweep --data my_music/ --network dense --frontend.name time_frequency --candidates 32 --out runs/sweep

        All candidates are trained for --min-epochs, the better one in --eta of them for eta times as many, and so on; the best
        on the validation part is the winner, and it alone is scored on the test part. Features must be such as are computed
        once. A sweep that was interrupted goes on after its last finished rung when the same command is given again.

        Args:
            settings: the sweep.
            config: Python file that defines config = ExperimentConfig(...); the flags given here override it.
        """
        from mer_jax import sweep as mj_sweep

        del config  # its values are the defaults of ``settings``
        _start_jax()
        mj_sweep.run(settings)

    return sweep


def _start_jax() -> None:
    """Every core a device, and programs that were compiled before found on disk: before JAX computes anything."""
    from mer_jax.compilation_cache import use_compilation_cache
    from mer_jax.signal.devices import use_all_cores

    use_all_cores()
    use_compilation_cache()


def _value_of(argv: Sequence[str], flag: str) -> str | None:
    """The value of ``flag`` in ``argv``, written as two words or with an equals sign."""
    for here, following in zip(argv, [*argv[1:], None], strict=True):
        if here == flag:
            return following
        if here.startswith(flag + "="):
            return here[len(flag) + 1 :]
    return None
