"""GPUs are found by their device files."""

import pytest

from segstudy.runtime.resources import has_gpu


@pytest.mark.parametrize(("names", "found"), [([], False), (["nvidiactl", "nvidia-uvm"], False), (["nvidia0"], True)])
def test_a_gpu_is_a_numbered_device(tmp_path, names, found):
    for name in names:
        (tmp_path / name).touch()
    assert has_gpu(tmp_path) is found
