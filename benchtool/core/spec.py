"""What a method, a metric and a dataset say of themselves, as literals that can be read without importing them.

`SPEC = MethodSpec(...)` at the top of `methods/NAME.py` is parsed with `ast` by `core.catalog.facts`,
so every argument must be a literal (or one of the classes here built from literals).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Departure:
    """A point on which paper, released code and we differ, and which of them `ours` is by default."""

    name: str
    paper: str
    released: str
    ours: str


@dataclass(frozen=True)
class MethodSpec:
    """Facts about a method.

    Attributes:
        title: the method's name as its paper prints it.
        citation: BibTeX key in `papers/references.bib`.
        task: `correct` (exposure correction), `hdr` or `isp`.
        inputs: images per sample.
        input, output: encodings, `srgb8`, `srgb16`, `linear` or `raw-rggb`.
        output_channels, output_scale: C_out and s of `enhance`'s result [B, C_out, sH, sW].
        reference: the input whose exposure is the zero of `exposures`: `middle`, `shortest` or `blind`.
        needs_target: whether its losses compare with a target image.
        players: separately optimised parts; empty for an algorithm that is not trained.
        parameters: trainable and frozen parameters of the default build; a test asserts it.
        by_player: those of each player, where there are several; a test asserts them.
        published_parameters: what a paper prints, with its unit or source.
        faithful: the column its defaults follow, `paper` or `released`.
        departures: where the two differ.
        licence: terms of our code and of published weights.
        tiling: `exact` (tiles equal the whole image) or `approximate` (global statistics are involved).
        tile_margin: pixels around a tile that its result depends on, where tiling is exact.
        tile_step: exact tiles begin and end at multiples of it, as a network does that pools: 16 for four times two.
        inference: long side, in pixels, that the method reduces its input to by itself before it restores the size; None at full size.
        check: options that make a small build for contract tests.
        dead: patterns of the names of parameters some of whose entries no input can reach with a gradient, as the outer weights of a
            3 x 3 kernel on a 1 x 1 map; `methods check` counts them.
        taught: losses that need a stage with a teacher.
    """

    title: str
    citation: str
    task: str = "correct"
    inputs: int = 1
    input: str = "srgb8"
    output: str = "srgb8"
    output_channels: int = 3
    output_scale: int = 1
    reference: str = "blind"
    needs_target: bool = True
    players: tuple[str, ...] = ("model",)
    parameters: int = 0
    by_player: Mapping[str, int] = field(default_factory=dict)
    published_parameters: str | None = None
    faithful: str = "paper"
    departures: tuple[Departure, ...] = ()
    licence: str = "own code"
    tiling: str = "approximate"
    tile_margin: int = 0
    tile_step: int = 1
    inference: int | None = None
    check: Mapping[str, Any] = field(default_factory=dict)
    dead: tuple[str, ...] = ()
    taught: tuple[str, ...] = ()

    @property
    def enhancing(self) -> int:
        """Parameters of the network that enhances an image, the first player, which is what papers count: without a discriminator's."""
        return self.by_player[self.players[0]] if self.by_player else self.parameters


@dataclass(frozen=True)
class MetricSpec:
    """Facts about a metric.

    Attributes:
        title: the metric's name in tables, such as `PSNR`.
        variants: variant name -> one line saying exactly what it computes; the first is the default.
        needs: what `score` compares the output with: `("target",)`, `("source",)` or `()`.
        higher_is_better: direction.
        unit: `dB`, `` for none, `pairs per 10,000` ...
        version: raised whenever a value may change; recorded with every score.
        source: where the definition comes from.
        decimals: digits after the point in tables of ours.
        linear: whether it compares linear float32 images; otherwise display images of 8 bits.
    """

    title: str
    variants: Mapping[str, str]
    needs: tuple[str, ...]
    higher_is_better: bool
    unit: str
    version: str
    source: str
    decimals: int = 4
    linear: bool = False


@dataclass(frozen=True)
class Score:
    """One measured value and whatever explains it (`facts`: plain JSON values)."""

    value: float
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """Something a dataset is got from: a file at an address, many files of one pattern, or what a person has to fetch.

    Attributes:
        name: the file it is kept as; of many files, their folder.
        url: where it is downloaded from when asked to, empty where a person has to; of many files with `{name}` in it.
        each: what `{each}` in name and url stands for: one source for each.
        names: addresses of the text files that list what `{name}` stands for, one a line.
        count: how many files a pattern gives.
        by_hand: where a person gets it and what to do with it; instead of `url`.
        about: its size as far as it is known, and what it is, in a line.
        size, sha256: of the file, None where not established.
        folder: where `--unpack` puts what is in it; empty for what is no archive.
        optional: got only when it is named.
        evidence: where address, size and hash were found.
    """

    name: str
    url: str = ""
    each: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    count: int = 1
    by_hand: str = ""
    about: str = ""
    size: int | None = None
    sha256: str | None = None
    folder: str = ""
    optional: bool = False
    evidence: str = ""


@dataclass(frozen=True)
class DatasetSpec:
    """Facts about a dataset.

    Attributes:
        title: its name as papers print it.
        citation: BibTeX key in `papers/references.bib`.
        licence: terms, in a line.
        home: its page.
        terms: addresses of the text of its terms, where there is one.
        sources: what it is got from (nothing is ever fetched without being asked).
        counts: split -> number of samples its paper states.
        exposure_groups: group name -> EVs, as its tables group them.
        default_target: role of the target used unless a recipe or protocol says otherwise.
    """

    title: str
    citation: str
    licence: str
    home: str = ""
    terms: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    exposure_groups: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    default_target: str = "label"


SPEC_CLASSES = (Departure, MethodSpec, MetricSpec, Source, DatasetSpec)
