"""What is asked for, as it is begun."""

from pathlib import Path

from dcgan_dist.data.deduplication.work import clean
from tests.data.deduplication.works import begun, pictures, shards


def test_the_end_of_a_work_leaves_the_pairs_of_another_one_with_the_same_cache(tmp_path: Path) -> None:
    shards(tmp_path / "data", pictures(3))
    first, second, again = (
        begun(tmp_path / "data", tmp_path / out, cache=str(tmp_path / "cache")) for out in ("first", "second", "second")
    )
    assert again.pairs == second.pairs
    for work in (first, second):
        (work.pairs / "000000.npz").write_bytes(b"")
    clean(first)
    assert not first.pairs.exists()
    assert (second.pairs / "000000.npz").exists()
    assert (tmp_path / "cache").is_dir()
