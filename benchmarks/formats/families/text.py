"""Text: one column of it, alone or beside others."""

from __future__ import annotations

from typing import Final

from benchmarks.formats import data
from benchmarks.formats.families.interface import Example, Family
from sklearn.compose import make_column_transformer
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.naive_bayes import ComplementNB, MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from sekisho.text import Text

FAMILY: Final = Family(
    id="17-text",
    title=Text(en="Text", ja="テキスト"),
    library="scikit-learn",
    examples=(
        Example(
            name="TfidfVectorizer, LogisticRegression",
            data=data.sentences,
            make=lambda: _on_text(TfidfVectorizer(), LogisticRegression()),
        ),
        Example(
            name="TfidfVectorizer, pairs of words, LinearSVC",
            data=data.sentences,
            make=lambda: _on_text(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2), LinearSVC()),
        ),
        Example(
            name="TfidfVectorizer, characters",
            data=data.sentences,
            make=lambda: _on_text(
                TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), max_features=2000), LogisticRegression()
            ),
        ),
        Example(
            name="TfidfVectorizer, on a bare column",
            data=data.bare_sentences,
            make=lambda: make_pipeline(TfidfVectorizer(stop_words="english"), LogisticRegression()),
        ),
        Example(
            name="CountVectorizer, MultinomialNB",
            data=data.sentences,
            make=lambda: _on_text(CountVectorizer(), MultinomialNB()),
        ),
        Example(
            name="CountVectorizer, ComplementNB",
            data=data.sentences,
            make=lambda: _on_text(CountVectorizer(binary=True), ComplementNB()),
        ),
        Example(
            name="HashingVectorizer, SGDClassifier",
            data=data.sentences,
            make=lambda: _on_text(HashingVectorizer(n_features=2**12), SGDClassifier(random_state=0)),
        ),
        Example(
            name="TfidfVectorizer, TruncatedSVD",
            data=data.sentences,
            make=lambda: _on_text(
                TfidfVectorizer(), make_pipeline(TruncatedSVD(30, random_state=0), LogisticRegression())
            ),
        ),
    ),
)


def _on_text(vectorizer: object, estimator: object) -> object:
    return make_pipeline(make_column_transformer((vectorizer, "text")), estimator)
