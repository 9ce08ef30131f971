import os
import subprocess
import sys

import pytest

from mer_jax import large_pages

ASKED = "always [madvise] never"


@pytest.mark.parametrize(
    ("environment", "kernel", "libc", "expected"),
    [
        ({}, ASKED, "glibc 2.35", "glibc.malloc.hugetlb=1"),
        ({"GLIBC_TUNABLES": "glibc.malloc.check=3"}, ASKED, "glibc 2.41", "glibc.malloc.check=3:glibc.malloc.hugetlb=1"),
        ({"GLIBC_TUNABLES": "glibc.malloc.hugetlb=0"}, ASKED, "glibc 2.41", None),
        ({"MER_JAX_LARGE_PAGES": "OFF"}, ASKED, "glibc 2.41", None),
        ({}, "[always] madvise never", "glibc 2.41", None),
        ({}, "always madvise [never]", "glibc 2.41", None),
        ({}, "", "glibc 2.41", None),
        ({}, ASKED, "glibc 2.31", None),
        ({}, ASKED, "musl 1.2", None),
        ({}, ASKED, "", None),
    ],
)  # fmt: skip
def test_large_pages_are_asked_for_where_asking_helps(environment, kernel, libc, expected):
    assert large_pages.tunables(environment, kernel=kernel, libc=libc) == expected


CODE = """
import sys
from mer_jax import large_pages
large_pages._kernel_setting = lambda: "always [madvise] never"
large_pages._libc = lambda: "glibc 2.36"
print("begun", flush=True)
large_pages.restart_with_large_pages()
import os
print(os.environ.get("GLIBC_TUNABLES"), sys.argv[1:], "jax" in sys.modules)
"""


@pytest.mark.parametrize(
    ("chosen", "begun", "found"), [("", 2, "glibc.malloc.hugetlb=1"), ("off", 1, "None")]
)
def test_the_same_command_starts_once_more_and_once_only(chosen, begun, found):
    environment = {name: value for name, value in os.environ.items() if name != "GLIBC_TUNABLES"}
    done = subprocess.run(
        [sys.executable, "-c", CODE, "two words", "--flag"],
        env=environment | {"MER_JAX_LARGE_PAGES": chosen}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.splitlines() == ["begun"] * begun + [f"{found} ['two words', '--flag'] False"]


def test_the_command_keeps_its_arguments_and_its_status():
    environment = os.environ | {"MER_JAX_LARGE_PAGES": "", "GLIBC_TUNABLES": ""}
    done = subprocess.run(
        [sys.executable, "-m", "mer_jax", "predict", "no such file.wav", "--checkpoint", "no such run"],
        env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert "no such" in done.stderr
