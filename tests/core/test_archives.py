"""Archives from strangers: what is good comes out whole, what is not leaves nothing, and nothing is ever written elsewhere."""

from __future__ import annotations

import errno
import io
import json
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from benchtool.core import archives
from benchtool.core.archives import MARKER, Limits, unpack
from benchtool.core.errors import UserError
from benchtool.core.files import sha256_file

FILES = {"our485/low/1 (a).png": b"low" * 1000, "our485/high/1 (a).png": b"high", "empty": b"", "./dot/2.png": b"2"}
MODES = {".tar": "w", ".tar.gz": "w:gz", ".tgz": "w:gz", ".tar.bz2": "w:bz2", ".tar.xz": "w:xz"}


def make_zip(path: Path, members: list[tuple[str, bytes]], mode: int = 0, compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as opened:
        for name, data in members:
            info = zipfile.ZipInfo("x")
            info.filename, info.compress_type = name, compression  # as it is: the constructor would tidy it
            info.external_attr = mode << 16
            opened.writestr(info, data)
    return path


def make_tar(path: Path, members: list[tuple[str | tarfile.TarInfo, bytes]], mode: str = "w") -> Path:
    with tarfile.open(path, mode, format=tarfile.PAX_FORMAT) as opened:
        for name, data in members:
            info = tarfile.TarInfo(name) if isinstance(name, str) else name
            info.size = len(data)
            opened.addfile(info, io.BytesIO(data))
    return path


def make(path: Path, members: list[tuple[str, bytes]]) -> Path:
    return make_zip(path, members) if path.suffix == ".zip" else make_tar(path, members, MODES[path.name.removeprefix("a")])


def tree(folder: Path) -> set[str]:
    """Everything below a folder, files and folders."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


@pytest.mark.parametrize("suffix", [".zip", *MODES])
def test_good_ones_come_out_whole(tmp_path: Path, suffix: str) -> None:
    archive = make(tmp_path / f"a{suffix}", list(FILES.items()))
    found = unpack(archive, tmp_path / "out")
    assert {name: (tmp_path / "out" / name).read_bytes() for name in FILES} == FILES
    assert (found.files, found.bytes, found.sha256) == (4, 3005, sha256_file(archive))
    assert json.loads((tmp_path / "out" / MARKER).read_text())["archive"] == archive.name and len(os.listdir(tmp_path)) == 2
    assert not any(stat.S_IMODE(p.stat().st_mode) & 0o111 for p in (tmp_path / "out").rglob("*") if p.is_file())
    before = (tmp_path / "out" / "empty").stat().st_ino
    assert unpack(archive, tmp_path / "out") == found and (tmp_path / "out" / "empty").stat().st_ino == before, "done: left as it is"


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
@pytest.mark.parametrize(
    "name",
    ["../out", "a/../../out", "/etc/out", "//out", "C:out", "C:/out", "a\\..\\..\\out", "a\\b", "..", "a/..", "a\nb", "b" * 300],
)
def test_names_that_lead_elsewhere(tmp_path: Path, name: str, suffix: str) -> None:
    archive = make(tmp_path / f"a{suffix}", [("good.png", b"1"), (name, b"2")])
    with pytest.raises(UserError, match="refused"):
        unpack(archive, tmp_path / "deep" / "out")
    assert tree(tmp_path) <= {"deep", archive.name}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("suffix", [".zip", ".tar"])
@pytest.mark.parametrize(
    "names",
    [("a", "a"), ("a.png", "A.PNG"), ("Low/1", "low/2"), ("x", "x/y"), ("x/y", "x"), ("é", "e\u0301"), (MARKER, "b"), (f"{MARKER}/b", "c")],
)
def test_names_that_would_be_one_file(tmp_path: Path, names: tuple[str, str], suffix: str) -> None:
    archive = make(tmp_path / f"a{suffix}", [(name, b"1") for name in names])
    with pytest.raises(UserError, match="would be one file"):
        unpack(archive, tmp_path / "out")
    assert tree(tmp_path) == {archive.name}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, b"Z"])
def test_links_and_devices_in_tar(tmp_path: Path, kind: bytes) -> None:
    link = tarfile.TarInfo("link")
    link.type, link.linkname = kind, str(tmp_path)
    archive = make_tar(tmp_path / "a.tar", [("good", b"1"), (link, b""), ("link/out.txt", b"2")])
    with pytest.raises(UserError, match="'link' is a link or device"):
        unpack(archive, tmp_path / "out")
    assert tree(tmp_path) == {"a.tar"}


@pytest.mark.parametrize("mode", [stat.S_IFLNK | 0o777, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_in_zip(tmp_path: Path, mode: int) -> None:
    archive = make_zip(tmp_path / "a.zip", [("link", os.fsencode(tmp_path))], mode)
    with pytest.raises(UserError, match="'link' is a link or device"):
        unpack(archive, tmp_path / "out")
    assert tree(tmp_path) == {"a.zip"}


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
@pytest.mark.parametrize(
    ("limits", "says"),
    [(Limits(members=2), "more than 2 members"), (Limits(size=3004), "more than the 3,004 bytes allowed")],
)
def test_limits(tmp_path: Path, suffix: str, limits: Limits, says: str) -> None:
    archive = make(tmp_path / f"a{suffix}", list(FILES.items()))
    with pytest.raises(UserError, match=says):
        unpack(archive, tmp_path / "out", limits)
    assert tree(tmp_path) == {archive.name}
    unpack(archive, tmp_path / "out", Limits(members=4, size=3005))


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz", ".tar.xz"])
def test_bombs(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "RATIO_FROM", 1 << 20)
    archive = make(tmp_path / f"a{suffix}", [("zeros", bytes(3 << 20))])
    with pytest.raises(UserError, match="200 times its size"):
        unpack(archive, tmp_path / "out")
    assert tree(tmp_path) == {archive.name}
    make(tmp_path / f"a{suffix}", [("zeros", bytes(1 << 19))])
    assert unpack(archive, tmp_path / "out").bytes == 1 << 19, "small files may shrink as they like"


def test_sizes_are_counted_not_believed(tmp_path: Path) -> None:
    """The directory of the zip tells of 10 bytes where a million are."""
    archive = make_zip(tmp_path / "a.zip", [("zeros", bytes(1_000_000))])
    data = bytearray(archive.read_bytes())
    for place in (22, data.rindex(b"PK\x01\x02") + 24):
        data[place : place + 4] = (10).to_bytes(4, "little")
    archive.write_bytes(data)
    with pytest.raises(UserError, match="is damaged"):
        unpack(archive, tmp_path / "out")
    assert tree(tmp_path) == {"a.zip"}


def test_a_header_that_would_fill_the_memory(tmp_path: Path) -> None:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1 << 40
    archive = tmp_path / "a.tar"
    archive.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(2048))
    with pytest.raises(UserError, match="a header of 1,099,511,627,776 bytes"):
        unpack(archive, tmp_path / "out")
    assert tree(tmp_path) == {"a.tar"}


def cut(data: bytes) -> bytes:
    return data[: len(data) * 2 // 3]


def flip(data: bytes) -> bytes:
    """One byte in the middle is another."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :]


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz", ".tar.bz2", ".tar.xz"])
@pytest.mark.parametrize("damage", [cut, flip])
def test_damaged_ones_leave_nothing(tmp_path: Path, suffix: str, damage: Callable[[bytes], bytes]) -> None:
    archive = make(tmp_path / f"a{suffix}", [(str(k), os.urandom(9000)) for k in range(8)])
    archive.write_bytes(damage(archive.read_bytes()))
    with pytest.raises(UserError, match="is damaged"):
        unpack(archive, tmp_path / "out")
    assert tree(tmp_path) == {archive.name}


@pytest.mark.parametrize("at", [512, 1000, 1024, 1536, 1100])
def test_a_tar_that_is_cut_short(tmp_path: Path, at: int) -> None:
    """At the end of a member, too, where what there is looks whole."""
    archive = make_tar(tmp_path / "a.tar", [("1", b"1" * 100), ("2", b"2" * 100)])
    archive.write_bytes(archive.read_bytes()[:at])
    with pytest.raises(UserError, match="is damaged"):
        unpack(archive, tmp_path / "out")
    assert tree(tmp_path) == {"a.tar"}


def test_a_tar_with_a_damaged_header(tmp_path: Path) -> None:
    """tarfile would take it for the end."""
    archive = make_tar(tmp_path / "a.tar", [("1", b"1" * 100), ("2", b"2" * 100)])
    data = bytearray(archive.read_bytes())
    data[1024 + 150] ^= 1  # in the checksum of the second
    archive.write_bytes(data)
    with pytest.raises(UserError, match="is damaged"):
        unpack(archive, tmp_path / "out")


def test_a_tar_with_more_after_its_end(tmp_path: Path) -> None:
    archive = make_tar(tmp_path / "a.tar", [("1", b"1")])
    whole = archive.read_bytes()
    archive.write_bytes(whole + bytes(100_000))
    assert unpack(archive, tmp_path / "out").files == 1, "padding"
    archive.write_bytes(whole + bytes(5_000_000))
    with pytest.raises(UserError, match="more after its end"):
        unpack(archive, tmp_path / "other")


def test_what_is_no_archive_we_read(tmp_path: Path) -> None:
    kinds = {b"Rar!\x1a\x07\x01\x00": "rar archive.*7z x", b"7z\xbc\xaf'\x1c\x00": "7z archive", b"hello": "is no .zip", b"": "is no"}
    for data, says in kinds.items():
        (tmp_path / "a").write_bytes(data)
        with pytest.raises(UserError, match=says):
            unpack(tmp_path / "a", tmp_path / "out")
    with pytest.raises(UserError, match="no such file"):
        unpack(tmp_path / "b", tmp_path / "out")
    with pytest.raises(UserError, match="holds no files"):
        unpack(make_zip(tmp_path / "a.zip", [("folder/", b"")]), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_encrypted_zip(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", [("a", b"secret")])
    data = bytearray(archive.read_bytes())
    data[6] |= 1
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(data)
    with pytest.raises(UserError, match="encrypted: unpack it with its password"):
        unpack(archive, tmp_path / "out")


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    archive = make(tmp_path / "a.zip", list(FILES.items()))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    with pytest.raises(UserError, match="holds other things"):
        unpack(archive, tmp_path / "out")
    assert tree(tmp_path / "out") == {"mine"}
    unpack(archive, tmp_path / "new")
    with pytest.raises(UserError, match="holds what was unpacked of a.zip"):
        unpack(make(tmp_path / "b.zip", [("b", b"b")]), tmp_path / "new")


def test_a_killed_unpack_never_looks_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it leaves is under another name, and goes with the next one."""
    archive = make(tmp_path / "a.zip", list(FILES.items()))

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(archives, "write_json", killed)
        patch.setattr("benchtool.core.files.shutil.rmtree", lambda *_, **__: None)  # SIGKILL clears nothing up
        with pytest.raises(KeyboardInterrupt):
            unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists() and (tmp_path / ".tmp-out-new" / "empty").exists()
    unpack(archive, tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"a.zip", "out"}


def test_no_folder_of_the_same_name_in_it(tmp_path: Path) -> None:
    """Kalantari's archives hold one folder, Training or Test, which `data prepare` looks for; others are left as they are."""
    archive = make(tmp_path / "a.zip", [("Training/001/1.tif", b"1"), ("Training/README.txt", b"2")])
    assert unpack(archive, tmp_path / "Training").files == 2
    assert tree(tmp_path / "Training") == {MARKER, "001", "001/1.tif", "README.txt"}
    unpack(archive, tmp_path / "other")
    assert "Training/README.txt" in tree(tmp_path / "other")
    unpack(make(tmp_path / "b.zip", [("x/x/1", b"1"), ("x/2", b"2")]), tmp_path / "x")
    assert tree(tmp_path / "x") == {MARKER, "x", "x/x", "x/x/1", "x/2"}
    unpack(make(tmp_path / "c.zip", [(f"y/{MARKER}", b"1")]), tmp_path / "y")
    assert json.loads((tmp_path / "y" / MARKER).read_text())["archive"] == "c.zip" and (tmp_path / "y" / "y" / MARKER).read_bytes() == b"1"


def test_a_full_disk_is_no_damaged_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = make(tmp_path / "a.zip", list(FILES.items()))

    class Full(io.BytesIO):
        def write(self, data: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(archives, "open", lambda path, mode: Full() if mode == "xb" else open(path, mode), raising=False)
    with pytest.raises(OSError, match="No space left"):
        unpack(archive, tmp_path / "out")
    assert tree(tmp_path) == {"a.zip"}
