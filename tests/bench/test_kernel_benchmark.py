import pytest

from bimodal.errors import UserError
from bimodal.kernel_benchmark import markdown, measure_kernels
from bimodal.schema import KernelBenchmark, KernelTiming


def benchmark() -> KernelBenchmark:
    timing = KernelTiming(
        case="small, text",
        kind="forward",
        dtype="float32",
        flops=2_000_000,
        bytes_moved=1_000_000,
        ours_us=20.0,
        others_us={"torch": 50.0},
        speedup=2.5,
        speedup_low=2.4,
        speedup_high=2.6,
        gemm_share=0.755,
        rounds=9,
    )
    return KernelBenchmark(
        device="cpu",
        backend="native",
        torch="2.14",
        threads=2,
        gemm_gflops=200.0,
        bandwidth_gbs=20.0,
        geomeans={"forward": 2.5},
        timings=(timing,),
    )


def test_markdown_is_one_row_per_timing():
    lines = markdown(benchmark()).splitlines()
    assert lines[-1] == "| small, text | forward | 20 | 50 | 2.50 (2.40 to 2.60) | 100.0 | 76% |"
    assert "geometric mean: forward 2.50" in lines[0]


def test_a_gpu_that_is_not_there_is_a_users_error(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(UserError, match="--device cuda: torch sees no CUDA device here"):
        measure_kernels("cuda", 0.0, (), lambda what, done, total: None)
