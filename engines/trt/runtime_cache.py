"""The GPU's own code of one plan, which TensorRT-RTX makes when it first runs (seconds), in a file."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from rtfilter.engines.trt.flavour import Flavour
from rtfilter.errors import RtfilterError
from rtfilter.system.sealed import SealError, read_sealed, write_sealed

_log = logging.getLogger(__name__)


class RuntimeCache:
    """One for all contexts of an engine, and as long-lived as these. For one thread at a time.

    path: None keeps nothing. What cannot be kept is made again next time.
    """

    def __init__(self, path: Path | None, flavour: Flavour) -> None:
        self._path = path
        self._header = {"flavour": flavour.name, "version": flavour.version}
        self._cache: Any = None
        self._known = b""

    def load_into(self, config: Any) -> None:
        """Let a context's configuration use what was kept, and what contexts before it made."""
        if self._path is None or not hasattr(config, "create_runtime_cache"):
            return
        if self._cache is None:
            self._cache = config.create_runtime_cache()
            self._read(self._path)
        config.set_runtime_cache(self._cache)

    def save(self) -> None:
        """Keep what is new."""
        if self._cache is None or self._path is None:
            return
        content = bytes(self._cache.serialize())
        if content == self._known:
            return
        try:
            write_sealed(self._path, self._header, content)
        except RtfilterError as problem:
            _log.warning("the next start will take seconds longer: %s", problem)
        self._known = content

    def _read(self, path: Path) -> None:
        try:
            found = read_sealed(path)
            # Whether it fits GPU and driver is for TensorRT to say; it takes nothing that does not.
            if found is not None and self._cache.deserialize(found[1]):
                self._known = found[1]
        except (SealError, RtfilterError) as problem:
            _log.info("%s %s; it is made anew", path, problem)
