"""Many models of one network trained at once: the folds and seeds of a cross-validation, or different hyper-parameters.

Each member ends as it would alone: its own initial weights, batches, crops, dropout, standardisation, early stopping and best
epoch (tests compare them with :func:`mer_jax.training.fit`). Features computed before, or waveforms where a front-end learns or
clips are cut at random places, lie once on each device, an epoch is one program (:mod:`.epoch`), and the host only scores the
validation part between two of them.

How members are put on devices is decided here, in :func:`block_size`:

- On a CPU, one member a program and one thread a core: each core (a JAX device, see :mod:`mer_jax.signal.devices`) trains one
  member to its end, then takes the next. An epoch is one program for dense networks, a program a step for those that convolve
  and for waveforms (:func:`.epoch.step_by_step`). A member's weights and moments stay in that core's cache, one that stops
  early makes room at once, and scoring overlaps with the training of others.
- On an accelerator, a block of members as one program, vmapped: a small network alone leaves it idle. Members whose epoch, or
  whose training, is over wait for the others of their block. Front-ends that learn need memory, so a block of them is as large
  as what one of them needs says (:func:`_room`).
"""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from mer_jax import checks
from mer_jax.signal.platform import platform
from mer_jax.training import device_memory, epoch
from mer_jax.training.candidate import Candidate
from mer_jax.training.loop import FitResult
from mer_jax.training.member import Member, Recruit

# Members of one program on an accelerator, at most.
_ACCELERATOR_BLOCK = 100

M = TypeVar("M", bound=Member)
T = TypeVar("T")


def block_size(platform: str, *, member_bytes: int = 0, budget_bytes: int | None = None) -> int:
    """How many members one program trains on a device of this platform ("cpu", "gpu", "tpu").

    On two CPU cores a vmapped block is no faster than its members one after the other in a thread a core, and all of it waits
    for its slowest member (docs/performance.md has the figures).

    Args:
        platform: of the device.
        member_bytes: memory that training one member takes; 0 is too little to count.
        budget_bytes: memory for all of them; None is unknown, and then not looked at.

    >>> block_size("gpu", member_bytes=3 << 30, budget_bytes=32 << 30)
    10
    """
    if platform == "cpu":
        return 1
    if budget_bytes is None or member_bytes == 0:
        return _ACCELERATOR_BLOCK
    return max(1, min(_ACCELERATOR_BLOCK, budget_bytes // member_bytes))


def fit_population(
    recruits: Iterable[Recruit], *, block: int | None = None
) -> Iterator[tuple[Recruit, FitResult]]:
    """Train all, and yield each with its result as soon as it is done.

    Training goes on while the caller works on what was yielded. Where the caller stops early, members that train are left at
    their last checkpoint.

    Args:
        recruits: what to train; taken one by one as there is room, so that a generator may build models late. Their loaders
            share one array of features, or one catalog kept in memory. Their programs may differ (widths, augmentation); only
            those whose programs are equal share one.
        block: members of one program; None chooses by :func:`block_size`.

    Raises:
        mer_jax.checks.InputError: what :func:`mer_jax.training.fit` raises, of the first member where it happens.
    """
    yield from _train_all(
        recruits, Member, lambda member: (member.recruit, member.finish()), block=block, devices=None
    )


def advance(
    candidates: Iterable[Candidate],
    epochs: int,
    *,
    block: int | None = None,
    devices: Sequence[jax.Device] | None = None,
) -> Iterator[Candidate]:
    """Train all up to an epoch, in memory, and yield each as soon as it is there (or has no more epochs, or failed).

    Args:
        candidates: what to train, as in :func:`fit_population`; those that were paused go on from where they are, on whichever
            device has room.
        epochs: pause after this one.
        block: as in :func:`fit_population`.
        devices: to train on; all local ones unless given.

    Raises:
        mer_jax.checks.InputError: what :func:`mer_jax.training.fit` raises, but for a loss that is no number
            (:attr:`.candidate.Candidate.failed`).
    """
    checks.positive_int("epochs", epochs)

    def until(candidate: Candidate) -> Candidate:
        candidate.until = epochs
        return candidate

    yield from _train_all(candidates, until, lambda candidate: candidate, block=block, devices=devices)


def _train_all(
    given: Iterable[Any],
    make: Callable[[Any], M],
    finish: Callable[[M], T],
    *,
    block: int | None,
    devices: Sequence[jax.Device] | None,
) -> Iterator[T]:
    """Make members of what is given, in the threads that train them, and yield what ``finish`` makes of each at its end."""
    if block is not None:
        checks.positive_int("block", block)
    devices = jax.local_devices() if devices is None else devices
    size = block_size(devices[0].platform) if block is None else block
    source = _Source(given, size)
    finished: queue.Queue[Any] = queue.Queue()
    stop = threading.Event()

    def done(member: M) -> None:
        finished.put(finish(member))

    def work(device: jax.Device) -> None:
        """Train blocks on one device until there are no more; None at the end, and what was raised before it."""
        try:
            with jax.default_device(device):
                clips: epoch.Clips | None = None
                while not stop.is_set() and (some := source.next_block()):
                    clips = clips_on(some[0].train_loader, device) if clips is None else clips
                    for same in _by_program(list(map(make, some))):
                        room = _room(same, clips, device) if block is None else len(same)
                        for first in range(0, len(same), room):
                            _train(same[first : first + room], clips, device, done, stop)
        # Whatever it is, the caller's thread raises it.
        except BaseException as error:
            finished.put(error)
        finally:
            finished.put(None)

    workers = [
        threading.Thread(target=work, args=(device,), name=f"population-{device.id}") for device in devices
    ]
    for worker in workers:
        worker.start()
    working = len(workers)
    try:
        while working:
            found = finished.get()
            if found is None:
                working -= 1
            elif isinstance(found, BaseException):
                raise found
            else:
                yield found
    finally:
        stop.set()
        for worker in workers:
            worker.join()


class _Source:
    """Hands out blocks of recruits, or of members, to one thread at a time."""

    def __init__(self, given: Iterable[Any], size: int) -> None:
        self._given = iter(given)
        self._size = size
        self._lock = threading.Lock()
        self._store: Any = None

    def next_block(self) -> list[Any]:
        """At most ``size`` of them; none when all are handed out."""
        with self._lock:
            found = list(islice(self._given, self._size))
            for one in found:
                stores = [one.train_loader.store, one.validation_loader.store]
                self._store = stores[0] if self._store is None else self._store
                if any(store is not self._store for store in stores):
                    raise checks.ArgumentError(
                        "recruits",
                        "have loaders of different features or catalogs",
                        expected="one for all",
                    )
            return found


def clips_on(loader: Any, device: jax.Device) -> epoch.Clips:
    """All clips of a loader's data set on a device; ``loader`` as :class:`.member.RowLoader`."""
    rows = np.arange(len(loader.catalog))
    columns = loader.columns(rows, np.ones(len(rows), bool))
    # Arrays that nobody writes to: a CPU device takes large ones over as they are.
    values, firsts, lengths = loader.all_clips()
    arrays = epoch.Clips(values, firsts, lengths, columns["label"], columns["target"])
    return jax.device_put(arrays, device)


def _room(members: Sequence[Member], clips: epoch.Clips, device: jax.Device) -> int:
    """How many of these members, of one program, are trained at once.

    The memory that a step on waveforms takes is asked of the compiler, which compiles the epoch of one member for that; steps
    on features are small.
    """
    if len(members) == 1 or clips.values.dtype != np.int16:
        return len(members)
    budget_bytes = device_memory.budget_for_block(device)
    if budget_bytes is None:
        return len(members)
    first = members[0]
    plan = first.plan(steps=first.steps_per_epoch, validation_batches=len(first.validation_rows))
    program = epoch.compiled(first.program, together=False)
    planned = program.lower(clips, first.numbers, first.state, plan).compile().memory_analysis()
    # Where the compiler does not say, one at a time is sure to fit.
    member_bytes = (
        budget_bytes if planned is None else planned.temp_size_in_bytes + planned.output_size_in_bytes
    )
    return block_size(device.platform, member_bytes=member_bytes, budget_bytes=budget_bytes)


def _by_program(members: Sequence[M]) -> list[list[M]]:
    groups: dict[Any, list[M]] = {}
    for member in members:
        sizes = (member.train_loader.batch_size, member.validation_loader.batch_size)
        groups.setdefault((*member.program, sizes), []).append(member)
    return list(groups.values())


def _train(
    members: list[M],
    clips: epoch.Clips,
    device: jax.Device,
    finish: Callable[[M], None],
    stop: threading.Event,
) -> None:
    """Train members of one program to the end of the last of them."""
    try:
        for member in members:
            member.begin()
        together = len(members) > 1
        large = clips.values.dtype == np.int16 or members[0].convolves
        by_itself = not together and large and platform() == "cpu"
        program: Callable[..., Any] = (
            epoch.step_by_step(members[0].program)
            if by_itself
            else epoch.compiled(members[0].program, together=together)
        )
        # Rounded up: folds of slightly different sizes then share one compiled program.
        steps = _up(max(member.steps_per_epoch for member in members))
        batches = _up(max(len(member.validation_rows) for member in members))
        numbers = _stack([member.numbers for member in members])
        # One that was paused may have been trained on another device.
        state = _stack(jax.device_put([member.state for member in members], device))
        training = list(members)
        while training and not stop.is_set():
            going = [member.training_goes_on for member in members]
            if any(going):
                plans = [member.plan(steps=steps, validation_batches=batches) for member in members]
                state, totals, outputs = program(clips, numbers, state, _stack(plans))
                sums, predicted = jax.device_get((totals, outputs))
            for k, member in enumerate(members):
                if going[k]:
                    own = _pick(state, k) if together else state
                    of_member = {name: value[k] for name, value in sums.items()} if together else sums
                    member.after_epoch(own, of_member, predicted[k] if together else predicted)
                if member in training and not member.training_goes_on:
                    finish(member)
                    training.remove(member)
    finally:
        for member in members:
            member.close()


def _stack(trees: Sequence[T]) -> T:
    """An axis of members in front; a single one stays as it is."""
    if len(trees) == 1:
        return trees[0]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


@jax.jit
def _pick(tree: Any, k: jax.typing.ArrayLike) -> Any:
    """One member's part."""
    return jax.tree.map(lambda leaf: leaf[k], tree)


def _up(count: int) -> int:
    """The next multiple of a sixteenth of itself, rounded to a power of two: few sizes, little to wait for."""
    step = max(1, 1 << max(0, count.bit_length() - 4))
    return -(-count // step) * step
