from itertools import pairwise

import numpy as np
import pytest

from dcgan_dist.data.deduplication.code_files import CodeFiles, count


def test_rows_of_several_files_are_counted_through() -> None:
    codes = np.random.default_rng(0).integers(0, 256, (200_000, 16), dtype=np.uint8)
    views = np.random.default_rng(1).integers(0, 256, (200_000, 2, 16), dtype=np.uint8)
    cuts = [0, 0, 3, 70_000, 70_001, 200_000]
    parts = [slice(begin, end) for begin, end in pairwise(cuts)]
    files = CodeFiles([codes[part] for part in parts], [views[part] for part in parts])
    rows = np.random.default_rng(2).integers(0, 200_000, 500)
    assert (len(files), files.lookups, count([codes[part] for part in parts])) == (200_000, 3, 200_000)
    for lookup, expected in enumerate([codes, views[:, 0], views[:, 1]]):
        words = np.ascontiguousarray(expected).view("<u8")
        scanned = list(files.scan(lookup))
        assert [first for first, _ in scanned] == np.cumsum([0] + [len(some) for _, some in scanned])[:-1].tolist()
        assert np.array_equal(np.concatenate([some for _, some in scanned]), words)
        assert np.array_equal(np.stack(files.take(rows, lookup), axis=1), words[rows])


def test_the_lower_half_comes_first_on_every_machine() -> None:
    codes = np.arange(16, dtype=np.uint8)[None]
    low, high = CodeFiles([codes]).take(np.array([0]))
    assert (int(low[0]), int(high[0])) == (0x0706050403020100, 0x0F0E0D0C0B0A0908)


def test_files_with_different_numbers_of_views_are_refused() -> None:
    codes = [np.zeros((2, 16), np.uint8)] * 2
    with pytest.raises(ValueError, match="different numbers of views"):
        CodeFiles(codes, [np.zeros((2, 1, 16), np.uint8), np.zeros((2, 2, 16), np.uint8)])
