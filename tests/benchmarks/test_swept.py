"""The table of a sweep's trials."""

from benchmarks.swept import report


def test_trials_stand_by_their_rank_with_how_they_ended() -> None:
    def row(trial: int, lr: str, objective: str, rank: str, at: str, state: str, reason: str = "") -> dict[str, str]:
        bounds = {"low": str(float(objective) - 0.01), "high": str(float(objective) + 0.01)} if objective else {}
        return {
            "trial": str(trial),
            "state": state,
            "optimization.lr": lr,
            "optimization.schedule": "both",
            "objective": objective,
            "low": "",
            "high": "",
            "rank": rank,
            "compared_images": at,
            "reason": reason,
        } | bounds

    rows = [
        row(0, "0.0004", "0.8895", "1", "36000", "finished"),
        row(1, "0.004", "", "", "", "failed", "no disk: it is full"),
        row(2, "0.001", "0.8925", "2", "28000", "condemned", "D wins since 640 images: G's loss is 10.2"),
    ]
    found = report("rooms", "probe/rooms/accuracy", ["optimization.lr", "optimization.schedule"], rows)
    table = found.tables["swept-rooms"]
    assert table.columns == ["lr", "schedule", "probe/rooms/accuracy, %", "at images", "trial", "ended"]
    assert [list(line) for line in table.rows] == [
        ["0.0004", "both", "88.95 (±1.00)", "36,000", "0", "finished"],
        ["0.001", "both", "89.25 (±1.00)", "28,000", "2", "condemned: D wins since 640 images"],
        ["0.004", "both", "", "", "1", "failed: no disk"],
    ]
    assert found.rates == {"accuracy_of_trial_2": 0.8925, "accuracy_of_trial_0": 0.8895}
    short = report("rooms", "probe/rooms/accuracy", ["optimization.lr"], rows, 2)
    assert [line[0] for line in short.tables["swept-rooms"].rows] == ["0.0004", "0.001"]
    assert len(short.samples["trials"]) == 3
