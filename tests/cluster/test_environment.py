"""What the shell of a command has set."""

from pathlib import Path

import pytest

from dcgan_dist.cluster.environment import (
    ascii_name,
    interfaces,
    missing_gloo,
    missing_nccl,
    require_interfaces,
    require_ray_folder,
    token_from,
)
from dcgan_dist.errors import ClusterError

THERE = ["lo", "ens5", "ens6", "docker0"]


@pytest.mark.parametrize("name", ["TMPDIR", "RAY_TMPDIR"])
def test_a_folder_that_is_too_long_for_sockets_is_refused(name: str, tmp_path: Path) -> None:
    folder = str(tmp_path / ("x" * 100))
    with pytest.raises(ClusterError) as caught:
        require_ray_folder({name: folder, "TMPDIR": folder}, 4321)
    text = str(caught.value)
    assert text.startswith(f"{name} is {folder} but is too long for Ray")
    assert "set RAY_TMPDIR to a shorter folder" in text
    assert not (tmp_path / ("x" * 100)).exists()


def test_the_limit_is_that_of_the_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # Ray's own name of a socket, with a process number of four digits, has 65 bytes beside the folder.
    require_ray_folder({"TMPDIR": "y" * 42}, 4321)
    with pytest.raises(ClusterError, match="paths of 108 bytes where the system allows 107"):
        require_ray_folder({"TMPDIR": "y" * 43}, 4321)
    with pytest.raises(ClusterError, match="paths of 109 bytes"):
        require_ray_folder({"TMPDIR": "ü" * 22}, 4321)


def test_a_folder_that_cannot_be_written_is_refused() -> None:
    told = r"^TMPDIR is /proc but Ray cannot keep its files there \(.+\): set RAY_TMPDIR to"
    with pytest.raises(ClusterError, match=told):
        require_ray_folder({"TMPDIR": "/proc"}, 4321)
    with pytest.raises(ClusterError, match=r"^RAY_TMPDIR is /dev/null but"):
        require_ray_folder({"RAY_TMPDIR": "/dev/null", "TMPDIR": "/tmp"}, 4321)


def test_the_first_folder_that_is_named_counts(tmp_path: Path) -> None:
    require_ray_folder({"RAY_TMPDIR": "/tmp", "TMPDIR": "/proc"}, 4321)
    require_ray_folder({}, 4321)


@pytest.mark.parametrize(
    ("value", "missing"), [("lo", ""), ("lo,ens6", ""), ("eth9", "eth9"), ("lo,eth9", "eth9"), ("ens", "ens")]
)
def test_gloo_takes_whole_names(value: str, missing: str) -> None:
    assert missing_gloo(value, THERE) == missing


@pytest.mark.parametrize(
    ("value", "missing"),
    [
        ("ens", ""),
        ("eth,ens", ""),
        ("=ens5", ""),
        ("=ens", "ens"),
        ("eth", "eth"),
        ("eth,ib", "eth,ib"),
        ("^docker", ""),
        ("^=eth9", ""),
    ],
)
def test_nccl_takes_beginnings_of_names_and_what_is_not_meant(value: str, missing: str) -> None:
    assert missing_nccl(value, THERE) == missing


def test_an_interface_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(ClusterError) as caught:
        require_interfaces({"GLOO_SOCKET_IFNAME": "eth9"}, THERE, gpus=False)
    assert str(caught.value) == (
        "GLOO_SOCKET_IFNAME is eth9 but this machine has no network interface eth9: it has lo, ens5, ens6, docker0; "
        "name one of them, or unset the variable"
    )
    with pytest.raises(ClusterError, match="NCCL_SOCKET_IFNAME is eth9"):
        require_interfaces({"NCCL_SOCKET_IFNAME": "eth9"}, THERE, gpus=True)
    require_interfaces({"NCCL_SOCKET_IFNAME": "eth9"}, THERE, gpus=False)
    require_interfaces({"GLOO_SOCKET_IFNAME": "ens5"}, THERE, gpus=True)
    assert "lo" in interfaces()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("scenes32-20260102-030405", "scenes32-20260102-030405"),
        ("a run, 50 %", "a run, 50 %"),
        ("zürich", "z%C3%BCrich"),
    ],
)
def test_names_are_ascii_for_rays_metrics(name: str, shown: str) -> None:
    assert ascii_name(name) == shown


def test_a_token_is_looked_for_where_ray_does(tmp_path: Path) -> None:
    assert token_from({"HOME": str(tmp_path)}) == ""
    file = tmp_path / ".ray" / "auth_token"
    file.parent.mkdir()
    file.touch()
    assert token_from({"HOME": str(tmp_path)}) == str(file)
    assert token_from({"HOME": str(tmp_path), "RAY_AUTH_TOKEN_PATH": str(tmp_path / "no file")}) == ""
    assert token_from({"HOME": str(tmp_path), "RAY_AUTH_TOKEN": "abc"}) == "RAY_AUTH_TOKEN"
