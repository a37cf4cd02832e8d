"""Which sinks a run has."""

from pathlib import Path
from unittest.mock import Mock, call

import pytest

from dcgan_dist.monitoring.sinks import prometheus
from dcgan_dist.monitoring.sinks.registry import open_sinks
from dcgan_dist.settings import MonitoringSettings, Settings
from dcgan_dist.storage import Place


def test_a_run_has_prometheus_under_its_name_and_its_trackers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gauge = Mock()
    monkeypatch.setattr(prometheus, "_gauge", Mock(return_value=gauge))
    monkeypatch.setattr("ray.is_initialized", lambda: True)
    settings = Settings(images=1, monitoring=MonitoringSettings(trackers=""))
    sinks = open_sinks(Place(str(tmp_path / "faces-7")), settings, print)
    assert [sink.name for sink in sinks] == ["Prometheus", "trackers"]
    for sink in sinks:
        sink.scalars(64, {"loss/generator": 0.5, "worker/0/busy_share": 0.75})
        sink.close("finished")
    assert gauge.set.call_args_list == [call(0.5, tags={"run": "faces-7"})]
