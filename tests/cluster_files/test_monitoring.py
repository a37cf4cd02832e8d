"""What Prometheus and Grafana are given, tried with a real Prometheus: on a real run, and on runs that go wrong."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dcgan_dist.monitoring.collapse import REPEATING_SPREAD, WON
from tests.harness.hosts import ROOT, Hosts

FOLDER = ROOT / "cluster" / "monitoring"
LAPTOP = "laptop"
GPUS = "GPUs A"
"""A query that finds nothing where there are none, as on the machines of tests."""
ASK = """
import json, sys, urllib.parse, urllib.request
for query in json.load(sys.stdin):
    address = "http://127.0.0.1:9090/api/v1/query?" + urllib.parse.urlencode({"query": query})
    print(len(json.load(urllib.request.urlopen(address))["data"]["result"]))
"""
RULES = {
    rule["alert"]: rule["expr"] for rule in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"][0]["rules"]
}


def queries() -> dict[str, str]:
    """Of each panel's targets, for all runs."""
    panels = json.loads((FOLDER / "grafana.json").read_text())["panels"]
    return {
        f"{panel['title']} {target['refId']}": target["expr"].replace("$run", ".*")
        for panel in panels
        for target in panel["targets"]
    }


def test_the_panel_of_gpus_asks_for_what_ray_tells_of_them() -> None:
    from ray.dashboard.modules.reporter.reporter_agent import METRICS_GAUGES  # takes a second to import

    assert queries()[GPUS] == "sum by (instance) (ray_node_gpus_utilization)"
    assert "node_gpus_utilization" in METRICS_GAUGES


def test_the_alert_on_collapse_has_the_numbers_of_the_health_rule() -> None:
    assert f"samples_spread[15m]) < {REPEATING_SPREAD:g}" in RULES["TrainingCollapsed"]
    assert f"loss_generator[15m]) > {WON['bce'][0]:g}" in RULES["TrainingCollapsed"]
    assert f"score_real[15m]) > {WON['bce'][1]:g}" in RULES["TrainingCollapsed"]


WELL = {
    "ray_dcgan_loss_discriminator": "0.5+0.001x360",
    "ray_dcgan_loss_generator": "1.5+0.001x360",
    "ray_dcgan_score_real": "0.8+0x360",
    "ray_dcgan_samples_spread": "0.9+0x360",
    "ray_dcgan_speed_wait_share": "0.01+0x360",
    "ray_node_disk_utilization_percentage": "40+0x360",
}
ILL = {
    "TrainingStalled": {"ray_dcgan_loss_discriminator": "0.5+0x360"},
    "TrainingCollapsed": {"ray_dcgan_samples_spread": "0.2+0x360"},
    "DataStarved": {"ray_dcgan_speed_wait_share": "0.5+0x360"},
    "DiskFilling": {"ray_node_disk_utilization_percentage": "95+0x360"},
}


@pytest.mark.cluster
@pytest.mark.usefixtures("prometheus")
@pytest.mark.parametrize(
    ("changed", "fired"),
    [
        ({}, None),
        *((changed, alert) for alert, changed in ILL.items()),
        ({"ray_dcgan_loss_generator": "7+0.001x360", "ray_dcgan_score_real": "0.99+0x360"}, "TrainingCollapsed"),
        # D is sure of itself, but G learns.
        ({"ray_dcgan_score_real": "0.99+0x360"}, None),
    ],
)
def test_each_alert_fires_where_it_has_to_and_only_there(
    changed: dict[str, str], fired: str | None, tmp_path: Path
) -> None:
    assert ILL.keys() == RULES.keys()
    series = [
        {"series": f'{name}{{run="r", instance="h"}}', "values": values} for name, values in (WELL | changed).items()
    ]
    whole = {"severity": "page" if fired and fired.startswith("Training") else "warn"}
    tests = [
        {
            "eval_time": "59m",
            "alertname": alert,
            "exp_alerts": [] if alert != fired else [{"exp_labels": whole | {"run": "r", "instance": "h"}}],
        }
        for alert in RULES
    ]
    group = {"interval": "10s", "input_series": series, "alert_rule_test": tests}
    # What they say is not compared.
    plain = yaml.safe_load((FOLDER / "alerts.yml").read_text())
    for rule in plain["groups"][0]["rules"]:
        assert rule.pop("annotations")["summary"]
    (tmp_path / "alerts.yml").write_text(yaml.safe_dump(plain))
    file = tmp_path / "test.yml"
    file.write_text(yaml.safe_dump({"rule_files": ["alerts.yml"], "evaluation_interval": "10s", "tests": [group]}))
    done = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def head(prometheus: None, namespaces: None) -> Iterator[Hosts]:
    """A machine with a cluster of its own, Prometheus and a run."""
    with Hosts(LAPTOP) as hosts:
        yield hosts


@pytest.mark.ray
@pytest.mark.cluster
@pytest.mark.timeout(400)
def test_every_panel_shows_a_real_run(head: Hosts, tmp_path: Path) -> None:
    shell = f"cd {ROOT}; . cluster/client.env; unset RAY_ADDRESS; . cluster/node.env; "
    start = "ray start --head --port=6379 --dashboard-host=127.0.0.1 --num-cpus=3 --object-store-memory=300000000"
    head.do(LAPTOP, "bash", "-c", shell + start)
    settings = "--images 100000000 --storage /root/runs --monitoring.steps 5 --monitoring.measure-images 640"
    small = "--networks.generator-maps 8 --networks.discriminator-maps 8 --data.scenes-images 2000"
    train = f"exec python -m dcgan_dist.train {settings} {small} --workers.address auto"
    run = head.start(LAPTOP, "bash", "-c", shell + train, output=tmp_path / "run.txt")
    serve = f"exec prometheus --config.file={FOLDER}/prometheus.yml --web.listen-address=127.0.0.1:9090"
    said = tmp_path / "prometheus.txt"
    server = head.start(LAPTOP, "bash", "-c", f"{serve} --storage.tsdb.path=/root/prometheus", output=said)
    asked = queries()
    del asked[GPUS]
    lacking: list[str] = list(asked)

    def all_shown() -> bool:
        assert run.poll() is None, (tmp_path / "run.txt").read_text()
        assert server.poll() is None, said.read_text()
        lacking[:] = [name for name, number in zip(asked, ask(head, list(asked.values())), strict=True) if not number]
        return not lacking

    try:
        head.wait(all_shown, "all panels", 240, 3.0)
    except Exception as error:
        raise AssertionError(f"nothing is shown by {lacking}:\n{(tmp_path / 'run.txt').read_text()}") from error
    assert ask(head, ["ALERTS{alertstate='firing'}"]) == [0]


def ask(hosts: Hosts, asked: list[str]) -> list[int]:
    """How many series each query gives; none while Prometheus is not there yet."""
    given: Any = json.dumps(asked)
    done = hosts.run(LAPTOP, "bash", "-c", f"python -c '{ASK}' <<'END'\n{given}\nEND")
    return [int(line) for line in done.stdout.split()] if done.returncode == 0 else [0] * len(asked)
