from pathlib import Path

from benchmarks.dedup_scenes import copies, draw, wrong


def test_rooms_are_found_at_another_size_and_their_copies_counted(tmp_path: Path) -> None:
    for size in (32, 64):
        draw(tmp_path / f"few-{size}", size, 40)
    room, instead = copies(tmp_path, ["few-32", "few-64"], 40)
    assert (instead[:40] == instead[40:]).mean() > 0.95
    assert len(wrong(room, instead)) == 0
    instead[3] = 5
    assert wrong(room, instead).tolist() == [3]
