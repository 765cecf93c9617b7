"""Word n-grams: the hashes leave none out and add none, and the longest run is the longest."""

from hypothesis import given
from hypothesis import strategies as st

from s1data.stages import ngrams

WORDS = st.sampled_from(["a", "B", "ab", "é", "12345678", "123456789", "long-word-of-some-length"])
TEXTS = st.lists(st.lists(WORDS, max_size=6).map(" ".join) | st.none(), max_size=6)


def grams_of(texts, n):
    """Index of the text, of the first word, and the words, for each n-gram of each text."""
    for index, text in enumerate(texts):
        words = (text or "").lower().split()
        for at in range(len(words) - n + 1):
            yield index, at, tuple(words[at : at + n])


def places(sieve, texts):
    return [place for hits in sieve.hits(texts) for place in zip(hits.text, hits.at, strict=True)]


@given(TEXTS, st.integers(1, 7))
def test_each_ngram_has_one_hash_that_only_its_words_decide(texts, n):
    index, values = ngrams.gram_hashes(texts, n)
    wanted = list(grams_of(texts, n))
    assert index.tolist() == [at for at, _, _ in wanted]
    hash_of = {}
    for (_, _, words), value in zip(wanted, values.tolist(), strict=True):
        (alone,) = ngrams.gram_hashes([" ".join(words)], n)[1].tolist()
        assert hash_of.setdefault(words, value) == value == alone
    assert len(set(hash_of.values())) == len(hash_of), "these few words have no twins"


@given(TEXTS, TEXTS, st.integers(1, 5))
def test_a_sieve_finds_where_ngrams_of_its_reference_begin(reference, texts, n):
    sieve = ngrams.Sieve(ngrams.gram_hashes(reference, n)[1], n)
    held = {words for _, _, words in grams_of(reference, n)}
    found = places(sieve, texts)
    assert found == [(index, at) for index, at, words in grams_of(texts, n) if words in held]


def test_texts_of_many_chunks_keep_their_places():
    texts = [f"{'filler ' * 40_000} one two {index}" for index in range(12)]
    sieve = ngrams.Sieve(ngrams.gram_hashes(["one two 3", "one two 11"], 3)[1], 3)
    assert places(sieve, texts) == [(3, 40_000), (11, 40_000)]


@given(
    st.lists(st.lists(st.sampled_from("ab"), max_size=12), max_size=4),
    st.lists(st.sampled_from("abc"), max_size=12),
)
def test_the_longest_shared_run_is_found(texts, text):
    spelt = [f" {' '.join(words)} " for words in texts]
    pieces = [text[i:j] for i in range(len(text)) for j in range(i + 1, len(text) + 1)]
    shared = [
        len(piece) for piece in pieces if any(f" {' '.join(piece)} " in item for item in spelt)
    ]
    assert ngrams.Runs(texts).longest(text) == max(shared, default=0)
