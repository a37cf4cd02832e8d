"""What the words of the command name."""

import pytest

from dcgan_dist.data.preparation.naming import Named, name_words
from dcgan_dist.errors import SettingsError

FORMATS = ("folder", "lsun", "scenes")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("photos shards", Named(False, "", ("photos",), "shards")),
        ("folder photos shards", Named(False, "folder", ("photos",), "shards")),
        ("lsun a b c", Named(False, "lsun", ("a", "b"), "c")),
        ("faces photos shards", Named(True, "", ("photos",), "shards")),
        ("faces lsun a shards", Named(True, "lsun", ("a",), "shards")),
        ("./faces shards", Named(False, "", ("./faces",), "shards")),
        ("photos faces", Named(False, "", ("photos",), "faces")),
        ("photos lsun shards", Named(False, "", ("photos", "lsun"), "shards")),
        ("scenes shards", Named(False, "scenes", (), "shards")),
    ],
)
def test_words_name_the_format_the_addresses_and_the_target(words: str, named: Named) -> None:
    assert name_words(words.split(), FORMATS, without_address=("scenes",)) == named


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("", r"^nothing was given but the command needs ADDRESS\.\.\. and OUT, the folder for the shards$"),
        ("photos", r"^photos was given but .* needs ADDRESS\.\.\. and OUT, the folder for the shards$"),
        ("lsun shards", r"needs ADDRESS\.\.\. and OUT.* \(a folder that is called lsun is written \./lsun\)$"),
        ("faces lsun", r"\(a folder that is called lsun is written \./lsun\)$"),
        ("faces", r"\(a folder that is called faces is written \./faces\)$"),
        ("scenes", r"^scenes was given but the command needs OUT, the folder for the shards"),
    ],
)
def test_what_is_missing_is_named(words: str, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        name_words(words.split(), FORMATS, without_address=("scenes",))
