"""What a loader says of map definitions before it makes the maps: how large they are, and what maps of maps hold.

libbpf's bpf_map__set_max_entries and bpf_map__set_inner_map_fd. Sizes come first, so that a template has its own; then what
maps of maps hold; then the sizes of those. What is set counts where the object says otherwise. A name that is misspelt, or a
map that takes no such word, is refused.
"""

from difflib import get_close_matches
from typing import Final

from msgspec.structs import replace

from services.verifier.errors import Ambiguous, Unsupported
from services.verifier.frontend.definitions import Defined, completed, described
from unibpf.formats.bpf import MAPS_OF_MAPS
from unibpf.push.loading import Inner, Loading, MaxEntries

MapKey = tuple[int, int]  # section and offset of a map's variable
Definitions = dict[MapKey, Defined]

_OF_INNER: Final = ".inner"  # libbpf's name for the maps of a map of maps
_MOST_NAMES: Final = 16


def apply(found: Definitions, loading: Loading) -> Definitions:
    """Return the definitions as `loading` completes them."""
    sized = _Sizing(dict(found))
    of_inner = [size for size in loading.max_entries if sized.outer_of(size) is not None]
    for size in loading.max_entries:
        if size not in of_inner:
            sized.resize(size)
    for inner in loading.inner_maps:
        sized.set_inner(inner)
    for size in of_inner:
        sized.resize_inner(size)
    return sized.maps


class _Sizing:
    """The definitions while words are applied to them."""

    def __init__(self, maps: Definitions) -> None:
        self.maps = maps

    def find(self, name: str) -> MapKey | None:
        return next((key for key, defined in self.maps.items() if defined.map.name == name), None)

    def key(self, name: str, rule: str) -> MapKey:
        key = self.find(name)
        if key is None:
            names = [defined.map.name for defined in self.maps.values()]
            close = get_close_matches(name, names, n=3)
            shown = ", ".join(f"`{one:.63}`" for one in names[:_MOST_NAMES]) or "none"
            raise Ambiguous(
                rule,
                f"no map is named `{name}`: the object has {shown}",
                hint=f"did you mean `{close[0]}`?" if close else None,
            )
        return key

    def outer_of(self, size: MaxEntries) -> MapKey | None:
        """The map of maps whose maps are meant, if they are."""
        return self.find(size.map.removesuffix(_OF_INNER)) if size.map.endswith(_OF_INNER) else None

    def resize(self, size: MaxEntries) -> None:
        key = self.key(size.map, "size-choice")
        defined = self.maps[key]
        self.maps[key] = replace(defined, map=completed(replace(defined.map, max_entries=size.entries)))

    def resize_inner(self, size: MaxEntries) -> None:
        key = self.key(size.map.removesuffix(_OF_INNER), "size-choice")
        defined = self.maps[key]
        if defined.map.inner is None:
            raise Ambiguous(
                "size-choice", f"map `{defined.map.name}` is not known to hold maps: `{size.map}` has no size"
            )
        inner = replace(defined.map.inner, max_entries=size.entries)
        self.maps[key] = replace(defined, map=replace(defined.map, inner=inner))

    def set_inner(self, choice: Inner) -> None:
        """Say what the maps of a map of maps are; a map that is put into it says that only where nothing else does."""
        key = self.key(choice.map, "inner-choice")
        outer, held = self.maps[key].map, self.maps[self.key(choice.held, "inner-choice")].map
        if outer.type not in MAPS_OF_MAPS:
            raise Ambiguous("inner-choice", f"map `{choice.map}` is no map of maps: got type {outer.type}")
        if held.type in MAPS_OF_MAPS:
            raise Unsupported("map-values", f"map `{choice.map}` is a map of maps of maps")
        if choice.index is not None and choice.index >= outer.max_entries:
            raise Ambiguous(
                "inner-choice", f"map `{choice.map}` has no entry {choice.index}, expected below {outer.max_entries}"
            )
        if choice.index is None or outer.inner is None:
            entry = replace(outer, inner=described(held), value_size=outer.value_size or 4)
            self.maps[key] = replace(self.maps[key], map=entry, missing=None)
