"""`SkinRows`: which row of a device's table holds whose skin maps. Used by `batch_device`."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from rtfilter.face.skin import SkinMaps
from rtfilter.kernels.skin import SkinTable


class SkinRows:
    """Puts maps into the table when they are first needed, in place of those that were not for longest.

    Row 0 stays without maps. table: has one row more than a launch has different maps.
    """

    def __init__(self, table: SkinTable) -> None:
        self.table = table
        self._rows: OrderedDict[SkinMaps, int] = OrderedDict()

    def row_of(self, skin: SkinMaps | None, together: Sequence[SkinMaps | None]) -> int:
        """The row of these maps, which are put there if they are not; waits then.

        together: all maps of the launch, whose rows are not replaced.
        """
        if skin is None or not skin.count:
            return 0
        row = self._rows.get(skin)
        if row is None:
            row = len(self._rows) + 1
            if row >= self.table.rows:
                oldest = next(known for known in self._rows if known not in together)
                row = self._rows.pop(oldest)
            self.table.put(row, skin.maps, skin.mixing, skin.colour)
            self._rows[skin] = row
        self._rows.move_to_end(skin)
        return row
