"""facts.json beside a manifest or in a data folder: above all, that composed data is never taken for recorded."""

import pytest

from mer_jax import checks, data
from mer_jax.data import synthetic


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return synthetic.write_folder(tmp_path_factory.mktemp("facts") / "music", 15, duration_s=0.5)


def test_a_written_synthetic_set_stays_synthetic(folder):
    for spec in (folder, folder / "manifest.csv"):
        catalog = data.load(spec)
        assert catalog.name == "synthetic"
        assert catalog.facts["synthetic"] == "yes"
        assert "no recording" in catalog.facts["description"]


@pytest.mark.parametrize("content", ["{", "[1]", '{"synthetic": true}'])
def test_other_content_is_refused(folder, tmp_path, content):
    manifest = tmp_path / "manifest.csv"
    manifest.write_text(f"path,label,group\n{next(folder.rglob('*.wav'))},a,b\n")
    (tmp_path / "facts.json").write_text(content)
    with pytest.raises(checks.DataError, match=r"facts\.json.*JSON object"):
        data.load(manifest)
