"""Where a dataset is got from, in words: its SPEC's `sources`, terms and citation. Nothing here asks the network."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from benchtool.core import catalog
from benchtool.core.errors import unknown
from benchtool.core.spec import DatasetSpec, Source


def sources(spec: DatasetSpec) -> list[Source]:
    """A dataset's sources, those with `each` written out."""
    found = []
    for source in spec.sources:
        for each in source.each or ("",):
            name, url = (text.replace("{each}", each) for text in (source.name, source.url))
            found.append(dataclasses.replace(source, name=name, url=url, each=()))
    return found


def chosen(spec: DatasetSpec, only: Sequence[str] = ()) -> list[Source]:
    """The sources to download: those named, else all that have an address and are not optional.

    Raises:
        UserError: there is no downloadable source of a name.
    """
    known = {source.name: source for source in sources(spec) if source.url}
    for name in only:
        if name not in known:
            raise unknown("source to download", name, known)
    return [known[name] for name in dict.fromkeys(only)] or [source for source in known.values() if not source.optional]


def in_words(source: Source) -> str:
    """A source in a line: where it is, how large, whether it can be verified."""
    many = source.count > 1
    facts = [source.by_hand or (f"{source.count:,} files, " if many else "") + source.url, source.about]
    if source.url:
        each = "of each " if many else ""
        facts.append(f"{source.size:,} bytes" if source.size else f"size {each}not established")
        facts.append(f"SHA-256 {source.sha256}" if source.sha256 else f"SHA-256 {each}not established")
    return "; ".join(fact for fact in facts if fact)


def lines(name: str, spec: DatasetSpec) -> list[str]:
    """Everything that is known of where a dataset comes from, for people."""
    found = [f"{name}: {spec.title}", f"  terms: {spec.licence}"]
    found += [f"  text of the terms: {address}" for address in spec.terms]
    found.append(f"  cite: {spec.citation or 'the source of the photographs'}")
    found += [f"  page: {spec.home}"] if spec.home else []
    kinds = {
        "downloaded when asked to": [s for s in spec.sources if s.url and not s.optional],
        "downloaded when named with --only": [s for s in spec.sources if s.url and s.optional],
        "to be fetched by hand": [s for s in spec.sources if s.by_hand],
    }
    for kind, of in kinds.items():
        found += [f"  {kind}:"] if of else []
        for source in of:
            found.append(f"    {label(source)}: {in_words(source)}")
            found += [f"      known from: {source.evidence}"] if source.evidence else []
    if not spec.sources:
        found.append("  it is made of files of your own: there is nothing to fetch")
    return found


def label(source: Source) -> str:
    """A source's name, saying what `{each}` is.

    >>> label(Source("tiff16_{each}", each=("a", "b")))
    'tiff16_{each} (each of a, b)'
    """
    return source.name + (f" (each of {', '.join(source.each)})" if source.each else "")


def ways(name: str) -> str:
    """How a dataset of the catalogue is got, in a word or two."""
    every = catalog.facts("datasets", name).sources
    direct, by_hand = any(s.url for s in every), any(s.by_hand for s in every)
    return " and ".join(word for word, is_so in (("download", direct), ("by hand", by_hand)) if is_so) or "own files"
