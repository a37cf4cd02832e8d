from dcgan_dist.evaluation.tables import CIFAR10
from dcgan_dist.reporting.probes import MOST_ROWS, joined, probe_tables
from tests.reporting.test_headline import probe

FEW = {"accuracy": 0.61, "low": 0.6, "high": 0.62, "per_class": 400, "c": 0.002}


def test_rows_stand_before_those_of_the_paper() -> None:
    results = {
        "r": probe(0, 0.5, "cifar10", "random"),
        "o": probe(640, 0.7, "cifar10", few_labels=FEW, run="a"),
        "s": probe(640, 0.2, "rooms"),
    }
    first, second = probe_tables(results)
    assert [first.task, second.task] == ["cifar10", "rooms"]
    assert (first.few, second.few) == ("400", "")
    ours, paper = [row for row in first.rows if row.ours], [row for row in first.rows if not row.ours]
    assert [row.features for row in ours] == ["discriminator at 640 images", "random"]
    assert [row.source for row in ours] == ["o", "r"]
    assert ours[0].few_labels is not None
    assert ours[0].few_labels.source == "o: few_labels.accuracy"
    assert (ours[0].all_shown, ours[0].few_shown) == ("70.0 % (69.0 to 72.0)", "61.0 % (60.0 to 62.0)")
    assert ours[0].setting == "C 0.002"
    assert [row.features for row in paper] == [row.method for row in CIFAR10]
    assert [(row.all_shown, row.few_shown) for row in paper][-1] == ("82.8 %", "73.8 % (±0.4)")
    assert all(not row.ours for row in paper)
    assert not [row for row in second.rows if not row.ours]


def test_what_has_no_place_is_counted_and_baselines_come_first() -> None:
    results = {f"{images}": probe(images, 0.5) for images in range(100, 100 * (MOST_ROWS + 3), 100)}
    results |= {"random": probe(0, 0.4, features="random"), "pixels": probe(0, 0.3, features="pixels")}
    (table,) = probe_tables(results)
    assert len(table.rows) == MOST_ROWS
    assert [row.source for row in table.rows[-2:]] == ["pixels", "random"]
    assert table.rows[0].source == str(100 * (MOST_ROWS + 2))
    assert table.left_out == len(results) - MOST_ROWS
    (table,) = probe_tables(results, own=1)
    assert [row.source for row in table.rows] == [str(100 * (MOST_ROWS + 2)), "pixels", "random"]


def test_tables_of_several_runs_have_the_papers_rows_once() -> None:
    tables = [
        *probe_tables({"a": probe(640, 0.7, "cifar10", run="x", notes=["seen before"])}, "first"),
        *probe_tables({"b": probe(1_280, 0.6, "cifar10", run="x", notes=["seen before"])}, "second"),
    ]
    (table,) = joined(tables)
    assert [row.features for row in table.rows if row.ours] == [
        "discriminator of first at 640 images",
        "discriminator of second at 1,280 images",
    ]
    assert len(table.rows) == 2 + len(CIFAR10)
    assert table.notes == ["seen before"]


def test_other_numbers_of_labels_are_in_tables_of_their_own() -> None:
    fewer = FEW | {"per_class": 25}
    tables = [
        *probe_tables({"a": probe(640, 0.7, "mine", run="x")}, "none"),
        *probe_tables({"b": probe(640, 0.6, "mine", run="x", few_labels=FEW)}, "first"),
        *probe_tables({"c": probe(640, 0.5, "mine", run="x", few_labels=fewer)}, "second"),
        *probe_tables({"d": probe(640, 0.5, "cifar10", run="x", few_labels=fewer)}, "second"),
        *probe_tables({"e": probe(640, 0.5, "cifar10", run="x")}, "third"),
    ]
    found = joined(tables)
    assert [(one.task, one.few, [row.source for row in one.rows if row.ours]) for one in found] == [
        ("mine", "400", ["a", "b"]),
        ("mine", "25", ["c"]),
        ("cifar10", "25", ["d"]),
        ("cifar10", "400", ["e"]),
    ]
    assert [one.rows[-1].few_shown for one in found[2:]] == ["73.8 % (±0.4), 400 a class", "73.8 % (±0.4)"]
