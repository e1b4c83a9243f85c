from bimodal.schema import KernelBenchmark, KernelTiming
from bimodal_reports.kernels import kernel_view
from bimodal_reports.roofline import intensity


def timing(kind: str = "forward", **changes) -> KernelTiming:
    numbers = {
        "case": "small, <text>",
        "kind": kind,
        "dtype": "float32",
        "flops": 2_000_000,
        "bytes_moved": 1_000_000,
        "ours_us": 20.0,
        "others_us": {"torch": 50.0},
        "speedup": 2.5,
        "speedup_low": 2.4,
        "speedup_high": 2.6,
        "gemm_share": 0.5,
        "rounds": 9,
    }
    return KernelTiming(**(numbers | changes))


def benchmark(*timings: KernelTiming) -> KernelBenchmark:
    return KernelBenchmark(
        device="cpu",
        backend="native",
        torch="2.14",
        threads=2,
        gemm_gflops=200.0,
        bandwidth_gbs=20.0,
        geomeans={timing.kind: timing.speedup for timing in timings},
        timings=timings,
    )


def test_no_benchmark_no_section():
    assert kernel_view(None) is None


def test_rows_and_drawing():
    view = kernel_view(benchmark(timing(), timing("decode", speedup=1.2)))
    assert view is not None
    assert view.rows[0] == ("small, <text>", "forward", "20", "50", "2.5×", "100.0", "50%")
    assert view.means == (("forward", "2.5×"), ("decode", "1.2×"))
    assert "Roofline of 2 attention problems" in view.roofline


def test_intensity_is_operations_per_byte():
    assert intensity(timing()) == 2.0
