"""`rtfilter engines`: networks as files, plans for GPUs; works without a GPU."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rtfilter.engines.driver import find_gpus
from rtfilter.engines.prepare.choose import built, choose_engine
from rtfilter.engines.prepare.files import NETWORKS, network, recipe_for
from rtfilter.engines.spec import NetworkSpec
from rtfilter.engines.trt.flavour import (
    Flavour,
    check_target,
    find_flavour,
    installed_flavours,
    known_targets,
)
from rtfilter.engines.trt.plans import PlanCache, PlanEntry, PlanKey, plan_key, precision_for
from rtfilter.errors import GpuError, Notify, UsageError
from rtfilter.system.cache import cache_folder


def engines(arguments: argparse.Namespace) -> int:
    """Prepare, build, list or clear."""
    building = {name for name in ("target", "network", "precision", "batch") if getattr(arguments, name)}
    if building and arguments.action_name != "build":
        raise UsageError(
            f"engines {arguments.action_name} takes no --{min(building)}; did you mean: "
            "rtfilter engines build"
        )
    if arguments.wheel is not None and arguments.action_name != "prepare":
        raise UsageError(
            f"engines {arguments.action_name} takes no --wheel; did you mean: rtfilter engines prepare"
        )
    actions = {"prepare": _prepare, "build": _build, "list": _list, "clear": _clear}
    return actions[arguments.action_name](arguments)


def _prepare(arguments: argparse.Namespace) -> int:
    """Make every network's ONNX file; with a GPU the plans too, so that the first start is quick."""
    from rtfilter.engines.prepare.files import prepare
    from rtfilter.engines.prepare.models import keep_models_of

    notify = _notifier(arguments.quiet)
    if arguments.wheel is not None:
        keep_models_of(Path(arguments.wheel))
    for name, path in prepare(notify).items():
        print(f"{name:<14} {_megabytes(path.stat().st_size)}  {path}")
    try:
        choice = choose_engine(find_gpus()[0])
    except GpuError as error:
        print(f"no plans for a GPU: {error}")
        return 0
    print(choice.why)
    if choice.flavour is not None:
        _build_all(NETWORKS, [choice.target], [1], None, choice.flavour, notify)
    return 0


def _build(arguments: argparse.Namespace) -> int:
    specs = [network(name) for name in dict.fromkeys(arguments.network or [spec.name for spec in NETWORKS])]
    flavour, targets = _flavour_and_targets(arguments.target)
    batches = list(dict.fromkeys(arguments.batch or [1]))
    if arguments.precision == "fp16" and not arguments.network:
        # Of all networks: those that must not have it keep their own.
        kept = ", ".join(spec.name for spec in specs if not spec.half)
        print(f"fp32 for {kept}, which must not have fp16")
        exact = [spec for spec in specs if not spec.half]
        _build_all(exact, targets, batches, None, flavour, _notifier(arguments.quiet))
        specs = [spec for spec in specs if spec.half]
    _build_all(specs, targets, batches, arguments.precision, flavour, _notifier(arguments.quiet))
    return 0


def _flavour_and_targets(wanted: list[str] | None) -> tuple[Flavour, list[str]]:
    """The TensorRT that builds, and for which GPUs. UsageError for one that it cannot build for here."""
    try:
        choice = choose_engine(find_gpus()[0])
        present, flavour = choice.target, choice.flavour or find_flavour()
    except GpuError as error:
        # Nothing to run plans on; they can be built all the same.
        present, flavour = None, find_flavour()
        if not wanted:
            known = ", ".join(known_targets(flavour))
            raise UsageError(
                f"for which GPU? expected --target and one of {known}; none is here: {error}"
            ) from error
    if wanted is None:
        return flavour, [check_target(present or "", flavour, present)]
    able = next((one for one in installed_flavours() if set(wanted) <= set(known_targets(one))), flavour)
    chosen = flavour if set(wanted) == {present} else able
    return chosen, [check_target(target, chosen, present) for target in dict.fromkeys(wanted)]


def _build_all(
    specs: list[NetworkSpec] | tuple[NetworkSpec, ...],
    targets: list[str],
    batches: list[int],
    precision: str | None,
    flavour: Flavour,
    notify: Notify,
) -> None:
    for spec in specs:  # before anything is built
        precision_for(spec, precision)
    cache = PlanCache()
    for spec in specs:
        data = recipe_for(spec).content(notify, required=True)
        for target in targets:
            for batch in batches:
                key = plan_key(data, spec, batch, precision, target, flavour)
                began_s = time.monotonic()
                there = cache.plan(key).read() is not None
                size = len(built(cache, key, data, spec, flavour, notify))
                what = "was there" if there else f"built in {time.monotonic() - began_s:.1f} s"
                print(f"{_named(key)} {_megabytes(size)}  {what}", flush=True)
    print(f"kept in {cache.folder}")


def _list(arguments: argparse.Namespace) -> int:
    cache = PlanCache()
    entries = cache.entries()
    if arguments.json:
        plans = [_as_dict(entry) for entry in entries]
        print(json.dumps({"cache": str(cache_folder()), "plans": plans}, indent=2))
        return 0
    for entry in entries:
        print(_line(entry))
    if entries:
        print(f"{len(entries)} plans, {_megabytes(sum(entry.nbytes for entry in entries)).strip()}, ", end="")
        print(f"in {cache.folder}")
    else:
        print(f"no plans in {cache.folder}; `rtfilter engines prepare` makes those of this machine")
    return 0


def _clear(arguments: argparse.Namespace) -> int:
    cache = PlanCache()
    count, nbytes = cache.clear()
    print(f"removed {count} files, {_megabytes(nbytes).strip()}, from {cache.folder}")
    return 0


def _line(entry: PlanEntry) -> str:
    if entry.key is None:
        return f"{entry.path.name}: {entry.problem}; it will be built anew"
    key = entry.key
    return f"{_named(key)} {_megabytes(entry.nbytes)}  {key.flavour} {key.flavour_version}"


def _named(key: PlanKey) -> str:
    return f"{key.network:<14} {key.precision}  batch {key.batch:<3} {key.target:<9}"


def _as_dict(entry: PlanEntry) -> dict[str, Any]:
    key = asdict(entry.key) if entry.key is not None else None
    return {"path": str(entry.path), "bytes": entry.nbytes, "problem": entry.problem or None, "key": key}


def _notifier(quiet: bool) -> Notify:
    def notify(line: str) -> None:
        if not quiet:
            print(f"rtfilter: {line} ...", file=sys.stderr, flush=True)

    return notify


def _megabytes(nbytes: int) -> str:
    return f"{nbytes / 1e6:6.1f} MB"
