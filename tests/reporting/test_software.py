from dcgan_dist.reporting.software import MOST_MACHINES, machines, software


def worker(host: str, device: str = "cuda, L4") -> dict[str, object]:
    return {"rank": 0, "host": host, "device": device}


def test_versions_have_their_keys() -> None:
    found = software({"versions": {"torch": "2.1", "ray": "9"}})
    assert [(fact.name, fact.shown, fact.source) for fact in found] == [
        ("torch", "2.1", "run.json: versions.torch"),
        ("ray", "9", "run.json: versions.ray"),
    ]
    assert software({}) == software({"versions": 3}) == []


def test_machines_are_those_of_the_newest_attempt_with_their_workers() -> None:
    found = machines({3: [worker("b"), worker("a"), worker("b")], 1: [worker("old"), worker("a")]})
    assert [(fact.name, fact.shown, fact.file) for fact in found] == [
        ("a", "1 worker: cuda, L4", "workers/000003.json"),
        ("b", "2 workers: cuda, L4", "workers/000003.json"),
        ("In earlier attempts alone", "old", "workers/*.json"),
    ]
    assert machines({}) == []


def test_many_machines_are_counted() -> None:
    found = machines({1: [worker(f"h{number:03}") for number in range(MOST_MACHINES + 5)]})
    assert len(found) == MOST_MACHINES + 1
    assert found[-1].shown == "and 5 more machines"
