"""`benchtool metrics fetch`: model files are searched, verified before they are used, and downloaded only when asked for."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchtool.core import catalog, models
from benchtool.core.errors import UserError


@pytest.fixture
def no_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No model file anywhere; returns the folder that will be the user's cache."""
    for name in ("BENCHTOOL_MODELS", "BENCHTOOL_TEST_DATA", "TORCH_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "benchtool" / "models"


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The model file `niqe` is one whose bytes are at hand."""
    content = b"published model"
    made = replace(models.MODEL_FILES["niqe"], size=len(content), sha256=hashlib.sha256(content).hexdigest(), url=None)
    monkeypatch.setitem(models.MODEL_FILES, "niqe", made)
    return content


def test_fetch_says_which_file_to_put_where(no_models: Path, benchtool: Callable) -> None:
    done = benchtool("metrics", "fetch")
    assert done.code == 1
    for word in (f"put it into {no_models}", "modelparameters.mat", "8,347 bytes", "fa2aa4d12dd9", "free use", "NRQM_model.mat"):
        assert word in done.out
    assert done.out.count("fa2aa4d12dd9") == done.out.count("8,347 bytes") == done.out.count("free use") == 1, "said once"
    found = {file["name"]: file for file in json.loads(benchtool("metrics", "fetch", "--json").out)}
    assert found["niqe"]["path"] is None and str(no_models / "modelparameters.mat") in found["niqe"]["searched"]
    assert benchtool("metrics", "fetch", "nique").err == "benchtool: unknown model file 'nique'; did you mean 'niqe'?\n"


def test_places_are_searched_in_order(no_models: Path, published: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """$BENCHTOOL_MODELS, the user's cache, pyiqa's cache, $BENCHTOOL_TEST_DATA/niqe, torch's own folder."""
    monkeypatch.setenv("BENCHTOOL_MODELS", str(tmp_path / "mine"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("BENCHTOOL_TEST_DATA", str(tmp_path / "data"))
    hub = tmp_path / "torch" / "hub"
    places = [tmp_path / "mine", no_models, hub / "pyiqa", tmp_path / "data" / "niqe", hub / "checkpoints"]
    for place in reversed(places):
        place.mkdir(parents=True)
        (place / "niqe_modelparameters.mat").write_bytes(published)
        assert models.require("niqe") == place / "niqe_modelparameters.mat"


def test_fetch_copies_into_the_cache(
    no_models: Path, published: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, benchtool: Callable
) -> None:
    monkeypatch.setenv("BENCHTOOL_TEST_DATA", str(tmp_path / "data"))
    (tmp_path / "data" / "niqe").mkdir(parents=True)
    (tmp_path / "data" / "niqe" / "niqe_modelparameters.mat").write_bytes(published)
    done = benchtool("metrics", "fetch", "niqe")
    assert done.code == 0 and done.out.startswith(f"niqe: {no_models / 'modelparameters.mat'}\n")
    assert [(path.name, path.read_bytes()) for path in no_models.iterdir()] == [("modelparameters.mat", published)]
    monkeypatch.delenv("BENCHTOOL_TEST_DATA")
    assert benchtool("metrics", "fetch", "niqe").code == 0 and models.require("niqe") == no_models / "modelparameters.mat"


def test_alexnet_is_treated_like_the_others(no_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, benchtool: Callable) -> None:
    """Found where the user put it, verified, copied into the cache."""
    monkeypatch.setenv("BENCHTOOL_MODELS", str(tmp_path / "mine"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "alexnet-owt-7be5be79.pth").write_bytes(b"made")
    done = benchtool("metrics", "fetch", "alexnet")
    assert done.code == 1 and "its SHA-256 differs" in done.out and not no_models.exists()
    made = replace(models.MODEL_FILES["alexnet"], size=4, sha256=hashlib.sha256(b"made").hexdigest())
    monkeypatch.setitem(models.MODEL_FILES, "alexnet", made)
    assert benchtool("metrics", "fetch", "alexnet").code == 0
    assert (no_models / "alexnet-owt-7be5be79.pth").read_bytes() == b"made"


def test_another_file_is_refused(
    no_models: Path, published: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, benchtool: Callable
) -> None:
    monkeypatch.setenv("BENCHTOOL_MODELS", str(tmp_path / "mine"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "modelparameters.mat").write_bytes(published + b"!")
    done = benchtool("metrics", "fetch", "niqe")
    assert done.code == 1 and "its SHA-256 differs" in done.out and not no_models.exists()
    with pytest.raises(UserError, match="SHA-256 differs"):
        models.require("niqe")


def test_a_file_that_cannot_be_verified_is_not_copied(
    no_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, benchtool: Callable
) -> None:
    monkeypatch.setenv("BENCHTOOL_MODELS", str(tmp_path / "mine"))
    (tmp_path / "mine").mkdir()
    lies = tmp_path / "mine" / "NRQM_model.mat"
    lies.write_bytes(b"bad\n")
    own = hashlib.sha256(b"bad\n").hexdigest()
    done = benchtool("metrics", "fetch", "nrqm")
    assert done.code == 1 and done.out.startswith(f"nrqm: unverified: {lies} has the SHA-256 {own}, ") and not no_models.exists()
    assert "looked for" not in done.out
    (told,) = json.loads(benchtool("metrics", "fetch", "nrqm", "--json").out)
    assert told["path"] is None and told["found"] == str(lies) and own in told["problem"]
    monkeypatch.setitem(models.MODEL_FILES, "nrqm", replace(models.MODEL_FILES["nrqm"], sha256=own))
    assert benchtool("metrics", "fetch", "nrqm").code == 0 and (no_models / "NRQM_model.mat").read_bytes() == b"bad\n"


def test_larger_files_than_any_model_are_not_read(no_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert all((file.size or 0) < models.LARGEST / 2 for file in models.MODEL_FILES.values())
    monkeypatch.setenv("BENCHTOOL_MODELS", str(tmp_path))
    with (tmp_path / "NRQM_model.mat").open("wb") as file:
        file.truncate(models.LARGEST + 1)
    for use in (models.require, models.fetch):
        with pytest.raises(UserError, match="no model file has more than 1,073,741,824"):
            use("nrqm")


@pytest.fixture
def server() -> Iterator[tuple[str, dict[str, bytes]]]:
    """(Address, what it answers): a web server on this machine."""
    content: dict[str, bytes] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = content.get(self.path)
            self.send_response(404 if found is None else 200)
            self.end_headers()
            self.wfile.write(found or b"")

        def log_message(self, *_: object) -> None:
            pass

    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}", content
    running.shutdown()
    running.server_close()


def test_download(
    no_models: Path, published: bytes, server: tuple[str, dict[str, bytes]], monkeypatch: pytest.MonkeyPatch, benchtool: Callable
) -> None:
    address, content = server
    monkeypatch.setitem(models.MODEL_FILES, "niqe", replace(models.MODEL_FILES["niqe"], url=f"{address}/model"))
    wrong = {None: "HTTP Error 404", published[:-1] + b"?": "SHA-256 differs", published + b"!": "more came", published[:-1]: "14 came"}
    for answer, message in wrong.items():
        content.update({"/model": answer} if answer else {})
        done = benchtool("metrics", "fetch", "niqe", "--download")
        assert done.code == 1 and message in done.out and not no_models.exists(), message
    content["/model"] = published
    assert benchtool("metrics", "fetch", "niqe").code == 1, "nothing is downloaded unless asked for"
    assert benchtool("metrics", "fetch", "niqe", "--download").code == 0
    assert (no_models / "modelparameters.mat").read_bytes() == published


def test_what_is_downloaded_can_be_verified() -> None:
    for file in models.MODEL_FILES.values():
        assert file.url is None or (file.size and len(file.sha256) == 64 and file.url.startswith("https://"))


def test_the_documentation_names_every_variant_and_model_file() -> None:
    text = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
    cells = [[cell.strip(" `") for cell in line.split("|")[1:4]] for line in text.splitlines() if line.startswith("| `")]
    rows = {first: rest for first, *rest in cells}
    for name in (name for name in catalog.names("metrics") if catalog.entry("metrics", name).origin is None):
        spec = catalog.facts("metrics", name)
        for variant in spec.variants:
            expected = [", ".join(spec.needs) or "nothing", "higher" if spec.higher_is_better else "lower"]
            assert rows[f"{name}:{variant}"] == expected, f"{name}:{variant}"
    for file in models.MODEL_FILES.values():
        assert file.names[0] in rows and (file.sha256 or "not established") in text
