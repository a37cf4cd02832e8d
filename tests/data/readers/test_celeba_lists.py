"""CelebA's text files: as the publisher pads them, and what is none of them."""

import pytest

from dcgan_dist.data.readers.celeba_lists import parse_attributes, parse_numbers
from dcgan_dist.errors import DataError

# As published: a blank behind the last name, and values in columns of three.
ATTRIBUTES = b"3\n5_o_Clock_Shadow Bald Young \n000001.jpg -1  1 -1\n000002.jpg  1 -1 -1\n000007.jpg -1 -1  1\n"


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b" \n\n"])
def test_attributes_are_columns_of_one_and_zero(line_end: bytes) -> None:
    names, columns = parse_attributes(ATTRIBUTES.replace(b"\n", line_end), "list")
    assert names == ["000001.jpg", "000002.jpg", "000007.jpg"]
    assert {name: column.tolist() for name, column in columns.items()} == {
        "5_o_Clock_Shadow": [0, 1, 0],
        "Bald": [1, 0, 0],
        "Young": [0, 0, 1],
    }
    assert {column.dtype.name for column in columns.values()} == {"int64"}


def test_numbers_belong_to_names() -> None:
    names, numbers = parse_numbers(b"000002.jpg 2\r\n000001.jpg   0\n", "list", 2)
    assert (names, numbers.tolist()) == (["000002.jpg", "000001.jpg"], [2, 0])


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "list is none of CelebA's lists: it is empty"),
        (b"\n <!DOCTYPE html>", "list is none of CelebA's lists: it is a page of HTML or XML"),
        (b"3\nBald Bald\n", "list begins with '3', but a line with"),
        (b"000001.jpg 0\n000002.jpg 1\n", "list begins with '000001.jpg 0', but a line with"),
        (b"1\nBald\n\xff\xd8\xff", "list is no text, from byte 7 on"),
        (ATTRIBUTES[:-21], r"list says that it has 3 pictures, but has 2"),
        (ATTRIBUTES[:-3], r"line 5 of list is 000007.jpg with '-1 -1', but 3 values of 1 or -1 are expected"),
        (ATTRIBUTES.replace(b"  1 -1 -1", b"  1  0 -1"), r"line 4 of list is 000002.jpg with '1 0 -1'"),
        (ATTRIBUTES.replace(b"7", b"1"), r"list has 000001.jpg twice"),
        (b"0\nBald\n", "list has no lines of pictures"),
    ],
)
def test_attributes_that_are_none_are_one_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        parse_attributes(data, "list")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "list is none of CelebA's lists: it is empty"),
        (b"\n", "list has no lines of pictures"),
        (b"a.jpg 0\na.jpg 1\n", "list has a.jpg twice"),
        (b"a.jpg 0\nb.jpg 3\n", "line 2 of list is 'b.jpg 3', but the name of a picture and a number up to 2 are"),
        (b"a.jpg 0\n\nb.jpg -1\n", "line 3 of list is 'b.jpg -1'"),
        (b"a.jpg 0 1\n", "line 1 of list is 'a.jpg 0 1'"),
        (b"a.jpg\n", "line 1 of list is 'a.jpg'"),
    ],
)
def test_numbers_that_are_none_are_one_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        parse_numbers(data, "list", 2)
