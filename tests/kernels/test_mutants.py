import shutil
from collections import Counter

import pytest

from bimodal_kernels.check import mutants
from bimodal_kernels.recipe import SOURCES


@pytest.mark.parametrize("mutant", mutants.load(), ids=lambda mutant: mutant.name)
def test_edit_fits_the_sources(tmp_path, mutant):
    (tmp_path / mutant.file).parent.mkdir(parents=True)
    shutil.copy(SOURCES / mutant.file, tmp_path / mutant.file)
    mutant.apply(tmp_path)
    assert (tmp_path / mutant.file).read_text() != (SOURCES / mutant.file).read_text()


def test_edit_that_does_not_fit_is_refused(tmp_path):
    (tmp_path / "kernel.cuh").write_text("a a")
    mutant = mutants.Mutant("kernel", 1, "kernel.cuh", "numbers", "a", "b")
    with pytest.raises(ValueError, match=r"Mutant kernel 1: its old text occurs 2 times in kernel.cuh"):
        mutant.apply(tmp_path)


def test_there_are_enough_of_the_kinds_that_matter():
    groups = Counter(mutant.group for mutant in mutants.load())
    assert groups["synchronisation"] >= 10
    assert groups["indices and masks"] >= 10
