"""All checks on one data set or two."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from mer_jax.checks import ArgumentError
from mer_jax.data import loading, ondisk
from mer_jax.data.audit.conflicts import check_labels
from mer_jax.data.audit.duplicates import check_duplicates
from mer_jax.data.audit.findings import SEVERITIES, Log
from mer_jax.data.audit.listening import Heard, listen
from mer_jax.data.audit.names import Rows
from mer_jax.data.audit.pairing import groups_of_copies, matches
from mer_jax.data.audit.ratings import check_between_sets, check_over_time
from mer_jax.data.audit.report import Audit, DataSet
from mer_jax.data.audit.shared_ids import check_ids
from mer_jax.data.audit.signal_checks import check_signal
from mer_jax.data.audit.split_checks import check_splits
from mer_jax.data.catalog import Catalog

# At which a source that has no rate of its own delivers; files are read at theirs.
_RATE_HZ = 22050

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


def audit(
    data: str | Path | Catalog,
    other: str | Path | Catalog | None = None,
    *,
    id_ranges: Sequence[int] = (),
    progress: Progress | None = None,
) -> Audit:
    """Check a data set, or two and what they share.

    Every clip is decoded once; memory holds its fingerprint (129 bytes a second), not its audio.

    Args:
        data: a catalog, or what :func:`mer_jax.data.load` accepts.
        other: a second one.
        id_ranges: see :func:`.ratings.check_over_time`.
        progress: see :data:`Progress`.

    Raises:
        DataError: a data set cannot be opened (clips that cannot be decoded are findings).
        ArgumentError: the two data sets have one name, or ``id_ranges`` do not fit.
    """
    started = time.perf_counter()
    tell = progress or (lambda what, done, total: None)
    catalogs = [_open(spec) for spec in (data, other) if spec is not None]
    if len({catalog.name for catalog in catalogs}) < len(catalogs):
        raise ArgumentError(
            "DATA2",
            f"both data sets are called {catalogs[0].name!r}",
            expected="two different data sets",
            remedy='name one of them in its facts.json ({"name": ...})',
        )
    rows, log = Rows(catalogs), Log()
    for catalog in catalogs:
        check_over_time(catalog, log, id_ranges=id_ranges)  # first: it is quick and refuses bad arguments
    heard = [_listen(catalog, tell) for catalog in catalogs]
    for catalog, of_one in zip(catalogs, heard, strict=True):
        check_signal(catalog, of_one, log)
    found = matches(catalogs, heard, progress=lambda done, total: tell("comparing", done, total))
    copies = groups_of_copies(found)
    check_duplicates(rows, heard, found, copies, log)
    check_labels(rows, found, log)
    check_splits(rows, copies, log)
    if len(catalogs) == 2:
        check_ids(rows, heard, found, log)
        check_between_sets(rows, found, log)
    return Audit(
        data=tuple(_described(*pair) for pair in zip(catalogs, heard, strict=True)),
        findings=tuple(sorted(log.findings, key=lambda finding: SEVERITIES.index(finding.severity))),
        checked=tuple(log.checked),
        matches=tuple(found),
        seconds=time.perf_counter() - started,
    )


def _open(spec: str | Path | Catalog) -> Catalog:
    if isinstance(spec, Catalog):
        return spec
    if ondisk.is_prepared(Path(spec)):
        return ondisk.catalog(spec)
    # Headers are not read beforehand: a bad file is to be a finding, not to stop the rest.
    return loading.open_catalog(spec, sr=_RATE_HZ, read_headers=False)


def _listen(catalog: Catalog, tell: Progress) -> list[Heard | str]:
    return listen(catalog, progress=lambda done: tell(f"listening to {catalog.name}", done, len(catalog)))


def _described(catalog: Catalog, heard: Sequence[Heard | str]) -> DataSet:
    seconds = sum(item.levels.duration_s for item in heard if isinstance(item, Heard))
    return DataSet(catalog.name, len(catalog), len(set(catalog.groups)), seconds)
