"""Models from a package, folders, buckets and a hub; and those that are refused."""

import concurrent.futures
import contextlib
import http.server
import json
import logging
import shutil
import socket
import string
import tempfile
import threading
from pathlib import Path
from urllib.parse import unquote, urlsplit

import google.auth
import huggingface_hub
import numpy as np
import pytest
from gcp_storage_emulator.server import create_server
from google.auth.exceptions import DefaultCredentialsError, RefreshError
from google.cloud.storage import Client

from transforms import buckets, embedding_model
from transforms.embedding import embed
from transforms.embedding_model import DEFAULT_MODEL, load_model, model_folder

TEXTS = [
    "The ferry struck a reef and sank.",
    "A passenger boat hit rocks and went down.",
    "The central bank left its rates alone.",
]
LETTERS = string.ascii_lowercase
VOCABULARY = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
    *LETTERS,
    *(f"##{letter}" for letter in LETTERS),
]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The folder of a model of two layers, whose weights are drawn with a seed."""
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers import BertConfig, BertModel, BertTokenizerFast
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    torch.manual_seed(1)
    bert = tmp_path_factory.mktemp("bert")
    (bert / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    BertTokenizerFast(vocab=str(bert / "vocab.txt")).save_pretrained(bert)
    settings = BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    BertModel(settings).save_pretrained(bert)
    folder = tmp_path_factory.mktemp("small")
    SentenceTransformer(str(bert), device="cpu", local_files_only=True).save(str(folder))
    (folder / "README.md").unlink()
    return folder


@pytest.fixture
def changed(small, tmp_path):
    """A copy of the small model, to be broken."""
    return Path(shutil.copytree(small, tmp_path / "changed"))


@pytest.fixture(scope="module")
def bucket():
    """An empty bucket of the emulator of Google's store, which the environment names."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = create_server("127.0.0.1", port, in_memory=True)
    with pytest.MonkeyPatch.context() as patch, server:
        patch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
        with Client(project="test") as client:
            yield client.create_bucket("models")


def upload(bucket, start, folder):
    for path in folder.rglob("*"):
        if path.is_file():
            name = f"{start}/{path.relative_to(folder).as_posix()}"
            bucket.blob(name).upload_from_filename(str(path))


def test_a_model_runs_on_the_gpu_where_torch_finds_one_and_it_was_asked_for(
    small, monkeypatch
):
    """What is read is put where it is to run; no GPU is needed to see that."""
    import sentence_transformers
    import torch

    from transforms import embedding_model

    asked = []
    real = sentence_transformers.SentenceTransformer

    def noted(folder, *, device, **given):
        asked.append(device)
        return real(folder, device="cpu", **given)

    monkeypatch.setattr(sentence_transformers, "SentenceTransformer", noted)
    monkeypatch.setattr(embedding_model, "_DEVICE", "cpu")
    embedding_model._loaded_model.cache_clear()
    try:
        embedding_model.accelerate()
        embedding_model.load_model(str(small))
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        embedding_model.load_model(str(small))
        assert set(asked) == {"cpu"}
        embedding_model.accelerate()
        embedding_model.load_model(str(small))
        assert asked[-1] == "cuda"
    finally:
        embedding_model._loaded_model.cache_clear()


@pytest.fixture
def downloads(tmp_path, monkeypatch):
    """The folder in which temporary folders are made."""
    (tmp_path / "downloads").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "downloads"))
    return tmp_path / "downloads"


@contextlib.contextmanager
def serving(answer):
    """Serve what `answer` gives for a method and a path: status, headers and body."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            status, headers, body = answer(unquote(urlsplit(self.path).path))
            self.send_response(status)
            for name, value in {"Content-Length": len(body), **headers}.items():
                self.send_header(name, str(value))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def hub(small, tmp_path, monkeypatch):
    """A hub with the small model as somebody/small, and an empty local cache."""
    sha = "5" * 40
    files = {
        path.relative_to(small).as_posix(): path.read_bytes()
        for path in small.rglob("*")
        if path.is_file()
    }
    files["pytorch_model.bin"] = files["tool.py"] = b"a program"
    listed = [{"rfilename": name, "size": len(data)} for name, data in files.items()]
    tree = [
        {"type": "file", "path": name, "size": len(data), "oid": f"{i:040d}"}
        for i, (name, data) in enumerate(files.items())
    ]
    about = {"id": "somebody/small", "sha": sha, "siblings": listed}

    def answer(path):
        api = "/api/models/somebody/small"
        if path in (api, f"{api}/revision/main"):
            return 200, {}, json.dumps(about).encode()
        if path == f"{api}/tree/{sha}":
            return 200, {}, json.dumps(tree).encode()
        name = path.removeprefix(f"/somebody/small/resolve/{sha}/")
        if name in files:
            number = list(files).index(name)
            headers = {"ETag": f'"{number:040d}"', "X-Repo-Commit": sha}
            return 200, headers, files[name]
        return 404, {"X-Error-Code": "RepoNotFound"}, b""

    constants = huggingface_hub.constants
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with serving(answer) as address:
        point_to(address, monkeypatch)
        yield


def point_to(address, monkeypatch):
    constants = huggingface_hub.constants
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(
        constants,
        "HUGGINGFACE_CO_URL_TEMPLATE",
        address + "/{repo_id}/resolve/{revision}/{filename}",
    )


def refused(name):
    with pytest.raises(ValueError, match=r"^embedding model ") as caught:
        load_model(name)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert not sentence.endswith(".")
    return sentence.removeprefix("embedding model ")


def test_a_folder_without_a_model_is_refused(tmp_path):
    (tmp_path / "notes.txt").touch()
    for name in (tmp_path, tmp_path / "notes.txt", tmp_path / "absent"):
        assert refused(str(name)) == f"{name} holds no config.json and no modules.json"


def test_weights_that_are_not_those_published_are_refused(monkeypatch):
    monkeypatch.setattr(embedding_model, "DEFAULT_MODEL_SHA256", "0" * 64)
    with (
        pytest.raises(ValueError, match="must have sha256 0000"),
        model_folder(DEFAULT_MODEL),
    ):
        pass


def test_weights_are_never_unpickled(changed):
    (changed / "model.safetensors").rename(changed / "pytorch_model.bin")
    needed = f"{changed} needs weights as safetensors, found "
    assert refused(str(changed)) == f"{needed}pytorch_model.bin"
    (changed / "pytorch_model.bin").unlink()
    assert refused(str(changed)) == f"{needed}none"


def test_no_module_of_a_model_is_unpickled(changed):
    (changed / "2_Dense").mkdir()
    (changed / "2_Dense" / "pytorch_model.bin").touch()
    assert refused(str(changed)).endswith(
        "needs weights as safetensors, found 2_Dense/pytorch_model.bin"
    )


def test_code_of_a_model_is_never_run(changed, tmp_path):
    settings = json.loads((changed / "config.json").read_text())
    settings["auto_map"] = {"AutoConfig": "own.Own", "AutoModel": "own.Own"}
    settings["model_type"] = "own"
    (changed / "config.json").write_text(json.dumps(settings))
    (changed / "own.py").write_text(f"open({str(tmp_path / 'run')!r}, 'w')\n")
    assert refused(str(changed)).endswith("it needs code of its own, which is never run")
    assert not (tmp_path / "run").exists()


def test_a_model_with_a_module_of_its_own_is_refused(changed):
    modules = json.loads((changed / "modules.json").read_text())
    modules[0]["type"] = "own.Own"
    (changed / "modules.json").write_text(json.dumps(modules))
    assert refused(str(changed)).endswith("it needs code of its own, which is never run")


def test_weights_that_are_cut_short_are_refused(changed):
    weights = changed / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    assert refused(str(changed)).startswith(f"{changed} cannot be loaded: ")


def change_weights(folder, change):
    from safetensors.numpy import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    save_file(change(weights), folder / "model.safetensors", metadata={"format": "pt"})


def test_a_model_some_of_whose_weights_are_missing_is_refused(changed):
    def change(weights):
        return {name: weights[name] for name in weights if "layer.1" not in name}

    change_weights(changed, change)
    assert refused(str(changed)) == f"{changed} must hold all weights, some are missing"


def test_weights_that_no_vector_depends_on_may_be_missing(small, changed):
    def change(weights):
        return {name: weights[name] for name in weights if "pooler" not in name}

    change_weights(changed, change)
    np.testing.assert_array_equal(
        embed(["a dam"], model=str(changed), max_tokens=64),
        embed(["a dam"], model=str(small), max_tokens=64),
    )


def test_a_model_that_gives_no_numbers_is_refused(changed):
    change_weights(changed, lambda weights: {k: w * np.nan for k, w in weights.items()})
    assert refused(str(changed)) == (
        f"{changed} must give finite vectors, got [nan nan nan]"
    )


def test_a_model_without_a_transformer_is_refused(tmp_path):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel

    tokenizer = Tokenizer(WordLevel({"a": 0}, unk_token="a"))
    table = StaticEmbedding(tokenizer, embedding_weights=np.ones((1, 4), "f4"))
    SentenceTransformer(modules=[table], device="cpu").save(str(tmp_path))
    assert refused(str(tmp_path)) == (
        f"{tmp_path} must be made of a transformer, got StaticEmbedding"
    )


def test_a_model_in_a_bucket_embeds_as_it_does_in_its_folder(small, bucket, downloads):
    upload(bucket, "news/small", small)
    stored = "gs://models/news/small"
    vectors = embed(TEXTS[:3], model=stored, max_tokens=64)
    assert not list(downloads.iterdir())
    np.testing.assert_array_equal(
        vectors, embed(TEXTS[:3], model=str(small), max_tokens=64)
    )


def test_a_model_is_loaded_once_for_all_threads(small, monkeypatch):
    opened = []

    def counted(name):
        opened.append(name)
        return contextlib.nullcontext(small)

    monkeypatch.setattr(embedding_model, "model_folder", counted)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        models = set(pool.map(load_model, ["counted"] * 4))
    assert len(models) == 1
    assert opened == ["counted"]


@pytest.mark.parametrize("name", ["gs://whole/", "gs://whole/deep/er//"])
def test_only_what_a_model_is_read_from_is_downloaded(name, changed, bucket, downloads):
    whole = bucket.client.bucket("whole")
    if not whole.exists():
        bucket.client.create_bucket(whole)
    (changed / "pytorch_model.bin").write_text("a program")
    (changed / "own.py").write_text("a program")
    start = name.removeprefix("gs://whole/").rstrip("/")
    for path in changed.rglob("*"):
        if path.is_file():
            inside = f"{start}/{path.relative_to(changed).as_posix()}".lstrip("/")
            whole.blob(inside).upload_from_filename(str(path))
    if start:
        # A console's way to show an empty folder.
        whole.blob(f"{start}/").upload_from_string(b"")
        whole.blob(f"{start}/1_Pooling/").upload_from_string(b"")
    with model_folder(name) as folder:
        found = {
            path.relative_to(folder).as_posix()
            for path in folder.rglob("*")
            if path.is_file() and "deep" not in path.relative_to(folder).parts
        }
    assert found == {
        "1_Pooling/config.json",
        "config.json",
        "config_sentence_transformers.json",
        "model.safetensors",
        "modules.json",
        "sentence_bert_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert not list(downloads.iterdir())


@pytest.mark.parametrize("name", ["gs://", "gs:///models/small", "gs://UPPER/small"])
def test_a_name_without_a_bucket_is_refused(name):
    assert refused(name) == f"must be gs://BUCKET/FOLDER, got {name}"


def test_a_bucket_that_does_not_exist_is_refused(bucket):
    name = "gs://no-such-bucket/small"
    assert refused(name) == f"{name} cannot be read: there is no bucket no-such-bucket"


def test_a_stored_folder_without_files_is_refused(bucket):
    bucket.blob("empty/").upload_from_string(b"")
    for name in ("gs://models/empty", "gs://models/absent", "gs://models/emp"):
        assert refused(name) == f"{name} matches no file"


def test_a_stored_folder_without_a_model_is_refused(bucket, downloads):
    bucket.blob("letters/a.txt").upload_from_string(b"a")
    name = "gs://models/letters"
    assert refused(name) == f"{name} holds no config.json and no modules.json"
    assert not list(downloads.iterdir())


def test_stored_weights_that_are_pickled_alone_are_refused(changed, bucket, downloads):
    (changed / "model.safetensors").rename(changed / "pytorch_model.bin")
    upload(bucket, "pickled", changed)
    name = "gs://models/pickled"
    assert refused(name) == f"{name} needs weights as safetensors, found pytorch_model.bin"
    assert not list(downloads.iterdir())


def test_a_stored_model_that_cannot_be_read_is_refused_by_its_own_name(
    changed, bucket, downloads
):
    upload(bucket, "broken", changed)
    bucket.blob("broken/modules.json").upload_from_string(b"[{")
    sentence = refused("gs://models/broken")
    assert sentence.startswith("gs://models/broken cannot be loaded: ")
    assert str(downloads) not in sentence
    assert not list(downloads.iterdir())


@pytest.mark.parametrize(
    "path",
    ["../outside.json", "a/../../outside.json", "/outside.json", ".\\x.json", "x\n.json"],
)
def test_no_stored_file_leaves_its_folder(path, downloads, monkeypatch):
    # Not by the emulator, which holds no such names; the store does.
    items = [
        {"bucket": "models", "name": f"leaving/{name}", "size": "2", "generation": "1"}
        for name in ("config.json", "model.safetensors", path)
    ]
    asked = []

    def answer(address):
        asked.append(address)
        return 200, {}, json.dumps({"items": items}).encode()

    with serving(answer) as address:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
        assert refused("gs://models/leaving") == (
            f"gs://models/leaving has a file that leaves it: {path!r}"
        )
    assert "/storage/v1/b/models/o" in asked
    assert not [address for address in asked if address.startswith("/download")]
    assert not list(downloads.iterdir())


def test_a_stored_folder_that_is_too_large_is_refused(small, bucket, monkeypatch):
    upload(bucket, "large", small)
    size = sum(path.stat().st_size for path in small.rglob("*") if path.is_file())
    monkeypatch.setattr(embedding_model, "MAX_MODEL_BYTES", 10_000)
    assert refused("gs://models/large") == (
        f"gs://models/large must have at most 10,000 bytes, has {size:,}"
    )
    monkeypatch.setattr(embedding_model, "MAX_MODEL_FILES", 3)
    assert refused("gs://models/large") == (
        "gs://models/large must have at most 3 files, has more"
    )


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (401, "Google credentials are needed: Anonymous credentials cannot be refreshed"),
        (403, "these Google credentials may not list and read bucket models"),
    ],
)
def test_a_bucket_that_may_not_be_read_is_refused(status, why, monkeypatch):
    body = json.dumps({"error": {"code": status, "message": "denied"}}).encode()
    with serving(lambda _: (status, {"Content-Type": "application/json"}, body)) as address:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
        assert refused("gs://models/small") == f"gs://models/small cannot be read: {why}"


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (
            DefaultCredentialsError("None were found. Set some up."),
            "Google credentials are needed: None were found",
        ),
        (RefreshError("Reauthentication is needed."), "Reauthentication is needed"),
    ],
)
def test_a_bucket_is_not_read_without_credentials(error, why, monkeypatch):
    def default(*_, **__):
        raise error

    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    monkeypatch.setattr(google.auth, "default", default)
    assert refused("gs://models/small") == f"gs://models/small cannot be read: {why}"


@pytest.fixture(params=["refuses", "keeps silent"])
def nobody(request, monkeypatch):
    """The address of a host that takes no connection, or takes it and says nothing."""
    with socket.socket() as port:
        port.bind(("127.0.0.1", 0))
        if request.param == "keeps silent":
            port.listen()
            monkeypatch.setattr(buckets, "SECONDS_TO_ANSWER", 0.2)
        yield f"http://127.0.0.1:{port.getsockname()[1]}"


def test_a_store_that_does_not_answer_is_not_waited_for(nobody, monkeypatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", nobody)
    assert refused("gs://models/small") == (
        "gs://models/small cannot be read: the store cannot be reached"
    )


def test_a_model_of_the_hub_embeds_as_it_does_in_a_folder(
    hub, small, tmp_path, monkeypatch, capfd
):
    vectors = embed(TEXTS[:3], model="somebody/small", max_tokens=64)
    np.testing.assert_array_equal(
        vectors, embed(TEXTS[:3], model=str(small), max_tokens=64)
    )
    assert not list(tmp_path.glob("hub/**/*.py"))
    assert not list(tmp_path.glob("hub/**/*.bin"))

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    cached = embed(TEXTS[:3], model="somebody/small", max_tokens=64)
    np.testing.assert_array_equal(vectors, cached)
    assert capfd.readouterr() == ("", "")


def no_folder(name, why):
    return (
        f"{name} must be a folder, a gs:// folder or a model of the Hugging Face hub: "
        f"there is no such folder here, and {why}"
    )


def test_a_model_that_the_hub_does_not_have_is_refused(hub):
    why = "the hub has none of this name that everybody may read"
    assert refused("nosuch/model") == no_folder("nosuch/model", why)
    assert refused("nosuch") == no_folder("nosuch", why)


def test_a_name_that_the_hub_cannot_have_is_refused(hub):
    for name in ("models/news/small", "s3://models/small", "so small"):
        assert refused(name) == no_folder(name, "the hub has no such names")


def test_a_hub_that_does_not_answer_is_not_waited_for(
    hub, nobody, monkeypatch, capfd, caplog
):
    point_to(nobody, monkeypatch)
    assert refused("nosuch/model") == no_folder("nosuch/model", "the hub cannot be reached")
    assert capfd.readouterr() == ("", "")
    assert not [line for line in caplog.records if line.levelno >= logging.WARNING]


def test_a_hub_that_is_forbidden_is_not_asked(hub, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert refused("nosuch/model") == no_folder(
        "nosuch/model", "HF_HUB_OFFLINE forbids to ask the hub"
    )
