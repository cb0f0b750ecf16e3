"""Published weights brought into a run folder, every tensor accounted for by name and shape (`benchtool methods import`).

`weight_maps/NAME.yaml` translates the names of a release. What comes out is evaluated like a run that was trained, and says in
`provenance.json` and `summary.json` that it was not.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from benchtool import methods
from benchtool.core import catalog
from benchtool.core.errors import UserError, unknown
from benchtool.core.files import atomic_folder, sha256_file, write_bytes, write_json, write_text
from benchtool.core.provenance import provenance
from benchtool.core.recipe_text import read_yaml, write_yaml
from benchtool.methods.base import count_parameters
from benchtool.workflows.weight_files import read_tensors, shown

MAPS = Path(__file__).parent / "weight_maps"
STAGE = "imported"  # the checkpoint is `imported.best`
ORDER = "order"  # of --map: match by order of definition and shape
ROWS_FIRST = (3, 2, 0, 1)  # [rows, columns, in, out] of TensorFlow and MATLAB -> [out, in, rows, columns]; transposed ones too
NAMED = 4  # keys that an error names of each kind


@dataclass(frozen=True)
class WeightMap:
    """How a release names its tensors.

    Attributes:
        words: parts of their names -> ours; "" leaves the part out, None leaves the whole tensor out. At each place of a name
            the longest part that fits is taken; what fits none stays as it is.
        split: characters between the parts of their names.
        methods: which methods it is for, and the options that fit the release; empty for any.
        version: raised whenever the outcome may change.
        source: whose names they are.
    """

    words: Mapping[str, str | None]
    split: str = "."
    methods: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    version: int = 1
    source: str = "given with --map"

    def translate(self, name: str) -> str | None:
        """Our name for theirs; None where the map leaves the tensor out.

        >>> WeightMap({"conv": "layer", "conv.0": "first", "0": "zero"}).translate("conv.0.weight")
        'first.weight'
        """
        words, parts, ours = self._words, self._parts(name), []
        longest = max(map(len, words), default=0)
        while parts:
            length = next((n for n in range(min(longest, len(parts)), 0, -1) if tuple(parts[:n]) in words), 0)
            word = words[tuple(parts[:length])] if length else parts[0]
            if word is None:
                return None
            ours.append(word)
            parts = parts[length or 1 :]
        return ".".join(part for part in ours if part)

    @functools.cached_property
    def _words(self) -> dict[tuple[str, ...], str | None]:
        return {tuple(self._parts(word)): ours for word, ours in self.words.items()}

    def _parts(self, name: str) -> list[str]:
        return re.split(f"[{re.escape(self.split)}]", name)


@dataclass(frozen=True)
class Imported:
    """What was imported: the run's folder, and the card that its files carry."""

    run: Path
    card: dict[str, Any]


def import_weights(
    name: str, files: Sequence[Path], out: Path | None = None, given_map: str | None = None, options: Mapping[str, Any] | None = None
) -> Imported:
    """Make a run folder of published weights.

    Args:
        files: of one network, in parts where it was published so.
        out: the run's folder, new or empty; `runs/NAME-imported` where None.
        given_map: a map's file, or `order` to match by order of definition and shape; where None, the names are ours, or the
            method has a map.
        options: of the method, besides those that the map has.

    Raises:
        UserError: see `read_tensors`; an unknown method or option, a tensor without a counterpart on either side, another shape.
            Nothing is written then.
    """
    run = Path(out or Path("runs") / f"{name}-imported")
    if run.exists() and (not run.is_dir() or any(run.iterdir())):
        raise UserError(f"{run}: exists already; give a new folder with --out")
    entry = catalog.entry("methods", name)
    spec = catalog.facts("methods", name)
    if not spec.players:
        raise UserError(f"'{name}' is an algorithm without weights")
    chosen = _map_of(name, given_map)
    options = {**(chosen.methods.get(name, {}) if chosen else {}), **(options or {})}
    method = methods.create(name, **options)
    own = method.state_dict()
    theirs = _read(files, sum(tensor.nbytes for tensor in own.values()))
    how, names = _match(name, theirs, own, chosen, given_map)
    state = _fit(name, theirs, names, own)
    card = {
        "files": [{"name": Path(file).name, "sha256": sha256_file(file), "bytes": Path(file).stat().st_size} for file in files],
        "matched": how, "left_out": sorted(set(theirs) - set(names)), "licence": spec.licence,
    }  # fmt: skip
    recipe = {"method": name, "options": options, "plugin": entry.origin, "stages": [{"name": STAGE}]}
    _write(run, recipe, count_parameters(method), state, card)
    return Imported(run, card)


def shipped_maps() -> dict[str, WeightMap]:
    """Method -> the map of its release."""
    maps = [read_map(path) for path in sorted(MAPS.glob("*.yaml"))]
    return {name: one for one in maps for name in one.methods}


def read_map(path: Path) -> WeightMap:
    """A map from its file; UserError where it is none."""
    if not path.is_file():
        raise UserError(f"{path}: no such map; --map takes a YAML file, or the word {ORDER}")
    try:
        raw = read_yaml(path.read_text(), str(path))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no text"
        raise UserError(f"{path}: not readable ({reason})") from None
    if not isinstance(raw, dict) or not isinstance(raw.get("words"), dict):
        raise UserError(f"{path}: not a map; it needs `words`, such as words: {{e_conv1: convs.0}}")
    known = WeightMap.__dataclass_fields__
    if wrong := next((key for key in raw if key not in known), None):
        raise unknown(f"key of the map {path}", str(wrong), known)
    words = {str(theirs): None if ours is None else str(ours) for theirs, ours in raw["words"].items()}
    found = WeightMap(**{**raw, "words": words})
    if not isinstance(found.split, str) or not found.split or not isinstance(found.methods, dict):
        raise UserError(f"{path}: `split` must be characters, `methods` a mapping of methods to their options")
    return found


def _map_of(name: str, given: str | None) -> WeightMap | None:
    if given == ORDER:
        return None
    if given is None:
        return shipped_maps().get(name)
    found = read_map(Path(given))
    if found.methods and name not in found.methods:
        raise UserError(f"{given}: is a map for {', '.join(found.methods)}, not for {name}")
    return found


def _read(files: Sequence[Path], network_bytes: int) -> dict[str, Tensor]:
    """The tensors of all files, without the `module.` that DataParallel puts before every name."""
    tensors: dict[str, Tensor] = {}
    for file in files:
        found = read_tensors(Path(file), network_bytes)
        if all(key.startswith("module.") for key in found):
            found = {key.removeprefix("module."): tensor for key, tensor in found.items()}
        if twice := sorted(set(found) & set(tensors)):
            raise UserError(f"{file}: has tensors that another file has too ({_some(twice)})")
        tensors |= found
    return tensors


def _match(
    name: str, theirs: Mapping[str, Tensor], own: Mapping[str, Tensor], chosen: WeightMap | None, given: str | None
) -> tuple[dict[str, Any], dict[str, str]]:
    """How the tensors were matched, and their name -> ours."""
    if given == ORDER:
        return {"by": "order of definition and shape"}, _by_order(name, theirs, own)
    if given is None and set(theirs) == set(own):
        return {"by": "our own names"}, {key: key for key in own}
    if chosen is None and set(theirs).isdisjoint(own):
        raise UserError(f"{name}: there is no map of published names for it; give one with --map FILE, or --map order for order and shape")
    chosen = chosen or WeightMap({}, source="our own names")
    names = {key: ours for key in theirs if (ours := chosen.translate(key)) is not None}
    times = Counter(names.values())
    extra = [key for key, ours in names.items() if ours not in own]
    missing = [key for key in own if key not in times]
    doubled = [key for key, ours in names.items() if times[ours] > 1]
    problems = {"no place for": extra, "nothing for our": missing, "several for one place": [] if extra else doubled}
    if found := [f"{what} {_some(keys)}" for what, keys in problems.items() if keys]:
        raise UserError(f"{name}: the tensors do not fit this network; {'; '.join(found)}")
    version = {key: value for key, value in asdict(chosen).items() if key in ("version", "source")}
    return {"by": "map" if given is None else f"map {Path(given).name}", **version}, names


def _by_order(name: str, theirs: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, str]:
    """The k-th of theirs is the k-th of ours; their shapes are compared by `_fit`."""
    if len(theirs) != len(own):
        raise UserError(f"{name}: the file has {len(theirs)} tensors, the network {len(own)}; order cannot match them, give --map FILE")
    return dict(zip(theirs, own))


def _some(keys: Sequence[str]) -> str:
    return ", ".join(map(shown, keys[:NAMED])) + (f" and {len(keys) - NAMED} more" if len(keys) > NAMED else "")


def _fit(name: str, theirs: Mapping[str, Tensor], names: Mapping[str, str], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Our name -> their values in our shape and type: all laid out as PyTorch's, or all with rows and columns first."""
    pairs = {ours: theirs[key] for key, ours in names.items()}
    told = [_rows_first(tensor, own[ours].shape) for ours, tensor in pairs.items() if own[ours].ndim == 4]
    rows_first = next((answer for answer in told if answer is not None), False)
    state, wrong = {}, []
    for ours in own:
        tensor, wanted = pairs[ours], own[ours].shape
        if rows_first and len(wanted) == 4:
            tensor = _four(tensor).permute(ROWS_FIRST) if tensor.ndim <= 4 else tensor
        elif len(wanted) <= 1 and tensor.numel() == wanted.numel() == max((1, *tensor.shape)):
            tensor = tensor.reshape(wanted)  # a bias [1, 1, C] of MATLAB
        if tensor.shape != wanted:
            wrong.append(f"{ours} {tuple(pairs[ours].shape)}, not {tuple(wanted)}")
            continue
        state[ours] = tensor.to(own[ours].dtype, copy=True, memory_format=torch.contiguous_format)
        if state[ours].is_floating_point() and not torch.isfinite(state[ours]).all():
            raise UserError(f"{name}: {ours} holds NaN, infinity, or a number too large for {state[ours].dtype}")
    if wrong:
        raise UserError(f"{name}: of another shape: {_some(wrong)}; is it of these options?")
    return state


def _rows_first(tensor: Tensor, wanted: torch.Size) -> bool | None:
    """Which of the two layouts a convolution's tensor fits; None where it does not tell."""
    ours = tensor.shape == wanted
    other = tensor.ndim <= 4 and torch.Size(_four(tensor).shape[axis] for axis in ROWS_FIRST) == wanted
    return other if ours != other else None


def _four(tensor: Tensor) -> Tensor:
    """With the last axes of length 1 that MATLAB drops."""
    return tensor.reshape(*tensor.shape, *[1] * (4 - tensor.ndim))


def _write(run: Path, recipe: dict[str, Any], parameters: int, state: dict[str, Tensor], card: dict[str, Any]) -> None:
    """The run's folder, at once: what `methods.load`, `evaluate` and `report` look for."""
    summary = {
        "schema": 1, "run": run.resolve().name, "method": recipe["method"], "recipe": None, "options": recipe["options"],
        "parameters": parameters, "trained": None, "imported": card, "evaluations": [],
    }  # fmt: skip
    run.parent.mkdir(parents=True, exist_ok=True)
    with atomic_folder(run, "recipe.resolved.yaml") as folder:
        write_bytes(folder / "checkpoints" / STAGE / "best.safetensors", safetensors.torch.save(state))
        write_json(folder / "provenance.json", [provenance(imported=card)])
        write_json(folder / "summary.json", summary)
        write_text(folder / "recipe.resolved.yaml", write_yaml(recipe))
