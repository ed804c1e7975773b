"""Which arithmetic is chosen where, and what torch is told."""

import logging
import time

import pytest
import torch

from segstudy.runtime import device

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def torch_as_before():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)
    torch.set_flush_denormal(False)


@pytest.mark.parametrize(
    ("flags", "option", "expected"),
    [
        ({"avx2"}, "auto", torch.float32),
        ({"avx512f", "avx512_bf16"}, "auto", torch.bfloat16),
        ({"amx_bf16"}, "auto", torch.bfloat16),
        ({"amx_bf16"}, "fp32", torch.float32),
        ({"avx2"}, "bf16", torch.bfloat16),
    ],
)
def test_choice_on_the_cpu(monkeypatch, flags, option, expected):
    monkeypatch.setattr(device, "cpu_flags", lambda: flags)
    assert device.choose_precision(option, CPU) is expected


def test_emulated_bf16_is_honoured_with_a_warning(monkeypatch, caplog):
    monkeypatch.setattr(device, "cpu_flags", set)
    with caplog.at_level(logging.WARNING, "segstudy"):
        device.choose_precision("bf16", CPU)
    assert "no bf16 arithmetic" in caplog.text


def test_unknown_option_is_refused():
    with pytest.raises(ValueError, match="auto, fp32 or bf16"):
        device.choose_precision("fp16", CPU)


def test_this_cpu_agrees_with_torch():
    if not device.cpu_flags():
        pytest.skip("this system does not list the CPU's instruction sets")
    assert ("avx512_bf16" in device.cpu_flags()) == torch.cpu._is_avx512_bf16_supported()


def test_configure_sets_threads_determinism_and_denormals():
    device.configure(CPU, threads=1, deterministic=True)
    assert torch.get_num_threads() == 1
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.is_deterministic_algorithms_warn_only_enabled()
    # The smallest normal float32 halved is denormal: flushed to zero.
    assert torch.tensor([1.1754944e-38]).mul(0.5).item() == 0
    device.configure(CPU, threads=1, deterministic=False)
    assert not torch.are_deterministic_algorithms_enabled()


def test_description_names_what_the_last_bits_depend_on():
    described = device.describe(CPU, torch.bfloat16)
    assert described["precision"] == "bf16"
    assert described["threads"] == torch.get_num_threads()
    assert described["torch"] == torch.__version__
    assert described["device"]


@pytest.mark.parametrize("arithmetic", [torch.float32, torch.bfloat16])
def test_the_measured_peak_is_what_a_convolution_reaches(arithmetic):
    """At least about what one first pass reaches, and less than any core of today: 2 TFLOP/s."""
    device.configure(CPU, threads=1, deterministic=True)
    before, started = torch.get_rng_state(), time.perf_counter()
    peak = device.measure_peak(CPU, arithmetic)
    assert time.perf_counter() - started < 5  # 0.3 s on a machine that has nothing else to do
    assert torch.equal(torch.get_rng_state(), before)
    x = torch.ones(1, 64, 64, 64, dtype=arithmetic).contiguous(memory_format=torch.channels_last)
    weight = torch.ones(64, 64, 3, 3, dtype=arithmetic).contiguous(memory_format=torch.channels_last)
    started = time.perf_counter()
    torch.nn.functional.conv2d(x, weight, padding=1)
    assert peak > 0.5 * 2 * 64 * 64 * 9 * 64 * 64 / (time.perf_counter() - started)
    assert peak < 2e12


def test_bf16_peak_is_above_fp32_peak_where_the_hardware_has_it():
    if not device.has_bf16(CPU):
        pytest.skip("no bf16 arithmetic here")
    device.configure(CPU, threads=1, deterministic=True)
    assert device.measure_peak(CPU, torch.bfloat16) > device.measure_peak(CPU, torch.float32)
