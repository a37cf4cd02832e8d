import tempfile
import time
import urllib.request

import pytest
import ray

from dcgan_dist.monitoring.sinks.prometheus import Prometheus

WAIT_S = 60.0


@pytest.mark.ray
def test_prometheus_sees_the_newest_value_of_each_metric_but_none_of_a_rank() -> None:
    # pytest's own folders are too deep for Ray's sockets.
    with (
        tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as home,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("HOME", home)
        patch.setenv("RAY_AUTH_MODE", "disabled")
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.delenv("RAY_ADDRESS", raising=False)
        often = {"metrics_report_interval_ms": 200}
        ray.init(num_cpus=1, include_dashboard=False, logging_level="ERROR", _temp_dir=home, _system_config=often)
        try:
            sink = Prometheus("scenes32")
            sink.scalars(64, {"worker/3/busy_share": 0.75, "loss/generator": 1.25, "speed/wait_share": 0.5})
            sink.scalars(64, {"probe/vögel-2/accuracy": 0.25})
            sink.scalars(128, {"loss/generator": 1.5})
            found = exported()
        finally:
            ray.shutdown()
    assert all('run="scenes32"' in name for name, _ in found)
    assert sorted((name.partition("{")[0], value) for name, value in found) == [
        ("ray_dcgan_loss_generator", 1.5),
        ("ray_dcgan_probe_v_gel_2_accuracy", 0.25),
        ("ray_dcgan_speed_wait_share", 0.5),
    ]


def exported() -> list[tuple[str, float]]:
    """Our metrics as the node gives them to Prometheus, as soon as the second value of the first one is there."""
    (node,) = ray.nodes()
    address = f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"
    deadline = time.monotonic() + WAIT_S
    found: list[tuple[str, float]] = []
    while time.monotonic() < deadline and ("1.5" not in [str(value) for _, value in found]):
        time.sleep(0.2)
        with urllib.request.urlopen(address) as reply:
            lines = [line for line in reply.read().decode().splitlines() if line.startswith("ray_dcgan_")]
        found = [(name, float(value)) for name, _, value in (line.rpartition(" ") for line in lines)]
    return found
