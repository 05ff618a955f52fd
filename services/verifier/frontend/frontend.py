"""From an object to bundles: the pure front end. Bytes and options in, bytes and source lines out.

Steps: read the ELF tables (elf), the types (btf) and the maps (maps), with what a loader would set (sizing, constants); choose
the program; link it (linker); read off what it needs (needs); attach source lines (lines); encode. Every step raises a
`Rejection` and nothing else, whatever the bytes.

Sections: `xdp*` (a Linux XDP program: a filter, or a rewriter where it calls what only those may, unless the pusher chooses),
`unibpf/filter`, `unibpf/classifier`, `unibpf/rewriter`; a classifier's section may say its number of ports,
`unibpf/classifier/4`. A section of any name is taken where the pusher names it with a kind. `?` in front of a name: the
program is not meant unless it is named.
"""

import functools
import re
from typing import Final, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from services.verifier.errors import Ambiguous, Malformed, Rejection, Unsupported
from services.verifier.frontend import (
    capacity,
    constants,
    elf,
    externs,
    initial,
    linker,
    maps,
    needs,
)
from services.verifier.frontend.debug import btf, core_relocations, lines
from unibpf.formats import bpf, bundle
from unibpf.messages.base import Kind
from unibpf.messages.reports import Finding, VerdictKind
from unibpf.push.loading import NOTHING, Loading

Platform = Literal["guest", "linux-xdp"]
Hook = Literal["driver", "devmap", "cpumap"]  # where Linux runs a program: bpf(2), expected_attach_type

# libbpf's section table: `xdp` programs, with fragments or without, also under any name that begins so; those of other hooks.
_XDP: Final = re.compile(r"xdp([./_-].*|\d*)")
_OTHER_XDP: Final = re.compile(r"xdp(\.frags)?[/_](devmap|cpumap)\b.*")
_NOT_LOADED: Final = "?"  # in front of the name of a section whose programs a loader leaves out unless they are named
_OWN: Final = re.compile(r"unibpf/(filter|classifier|rewriter)(?:/([1-9]\d{0,2}))?")
_NOT_IN_A_NAME: Final = re.compile(r"[^a-z0-9_-]+")


class Options(Struct, frozen=True, kw_only=True):
    """What the pusher chose: `name` is the program's name in the bundle, `section` and `function` pick one of several.

    `kind` is what a program of an `xdp` section becomes, `loading` what a loader of its own would set. The hooks of
    devmaps and cpumaps exist on Linux only (`platform`). `memory_mib` is what the guests have that it is for.
    """

    name: str | None = None
    section: str | None = None
    function: str | None = None
    kind: Kind | None = None
    loading: Loading = NOTHING
    platform: Platform = "guest"
    memory_mib: int | None = None


class Candidate(Struct, frozen=True):
    """A program found in an object; `outputs` only when its section says them.

    `is_open`: nobody said its kind; `is_left_out`: a loader would not load it unless it is named.
    """

    function: initial.Function
    section: str
    kind: Kind
    outputs: int | None = None
    is_open: bool = False
    is_left_out: bool = False


class Translation(Struct, frozen=True, kw_only=True):
    """A bundle's bytes with what does not belong in it: where it came from and the text of its source lines.

    `kind_is_open`: nobody chose the kind, so that a program which turns out to need more rights may have another.
    """

    bundle: bytes
    name: str
    kind: Kind
    function: str
    section: str
    instructions: int
    helpers: tuple[int, ...]
    maps: tuple[str, ...]
    packed_sources: bytes
    kind_is_open: bool = False
    is_unoptimised: bool = False

    @property
    def sources(self) -> tuple[lines.SourceLine, ...]:
        """The lines of large programs are megabytes, which only findings need: unpacked where they are asked for."""
        return msgspec.msgpack.decode(self.packed_sources, type=tuple[lines.SourceLine, ...])


class Answer(Struct, frozen=True, kw_only=True):
    """What the limited process says: a translation, or the finding and the verdict instead of one."""

    translation: Translation | None = None
    finding: Finding | None = None
    verdict: VerdictKind = "unsupported"
    bad_input: bool = False


def answer(data: bytes, options: Options) -> Answer:
    """Translate the chosen program; a rejection becomes an Answer."""
    try:
        return Answer(translation=translate(data, options))
    except Rejection as error:
        return Answer(
            finding=_finding(data, error), verdict=error.verdict, bad_input=isinstance(error, Malformed | Ambiguous)
        )


def translate(data: bytes, options: Options) -> Translation:
    """Translate the program that `options` choose, or the only one."""
    whole = _read(data, options.loading, options.platform)
    return whole.translate(_choose(programs(whole.obj, options), options), options)


def answers(data: bytes, options: Options) -> list[tuple[Options, Answer]]:
    """Translate each program of the object, which is read once, with what chooses it (`choices`)."""
    return [(chosen, answer(data, chosen)) for chosen in choices(data, options)]


def choices(data: bytes, options: Options) -> list[Options]:
    """Return `options` with what chooses each program of the object, and each section of which a report can say why not.

    Where the object cannot be read: one choice that will say so.
    """
    try:
        found, unknown = _candidates(_read(data, options.loading, options.platform).obj, options)
    except Rejection:
        return [options]
    others = [replace(options, section=name) for name in dict.fromkeys(unknown)]
    return [_only(one, options) for one in found] + others or [options]


def _only(one: Candidate, options: Options) -> Options:
    kind = options.kind if one.kind == options.kind else None  # a section of ours says another one
    return replace(options, section=one.section, function=one.function.name, kind=kind)


def translate_all(data: bytes) -> list[Translation]:
    """Translate every program of the object, each under its function's name."""
    whole = _read(data, NOTHING, "guest")
    return [whole.translate(candidate, Options()) for candidate in programs(whole.obj, Options())]


# --- the programs of an object --------------------------------------------------------------------------------------------


def programs(obj: elf.ObjectFile, options: Options) -> list[Candidate]:
    """Return the global functions of program sections; a section nobody knows is refused unless a choice passes it by."""
    found, unknown = _candidates(obj, options)
    refused = unknown[:1] if options.section is None else [name for name in unknown if name == options.section]
    if refused and (options.section is not None or options.function is None):
        raise _unknown_section(refused[0])
    return found


def _unknown_section(name: str) -> Unsupported:
    hook = hook_of(name)
    if hook != "driver":
        return Unsupported(
            "section-unknown",
            f"section `{name:.80}` holds a program for the entries of a {hook}, which guests do not run",
            hint="verify it with `--platform linux-xdp`, or choose another program with `--section` or `--function`",
        )
    return Unsupported(
        "section-unknown",
        f"section `{name:.80}` holds a program of an unknown kind",
        hint=f"say what it is, `--section {name:.80} --kind filter`; "
        "known are `xdp`, `unibpf/filter`, `unibpf/classifier` and `unibpf/rewriter`",
    )


def _candidates(obj: elf.ObjectFile, options: Options) -> tuple[list[Candidate], list[str]]:
    """Return the programs, and the sections whose programs are none of ours."""
    found: list[Candidate] = []
    unknown: list[str] = []
    entries = _global_functions(obj)
    for section in obj.sections:
        if not section.executable or not section.size:
            continue
        kind, outputs = _kind(section.name, options)
        if kind is None:
            unknown += [] if _holds_subprograms(section.name) else [section.name]
            continue
        found += [
            Candidate(
                function, section.name, kind, outputs, _is_open(section.name, options), section.name[:1] == _NOT_LOADED
            )
            for function in entries.get(section.index, [])
        ]
    return found, unknown


def _holds_subprograms(section: str) -> bool:
    """Whether compilers put functions there that are no programs; `-ffunction-sections` gives each a section."""
    return section == ".text" or section.startswith(".text.")


def _global_functions(obj: elf.ObjectFile) -> dict[int, list[initial.Function]]:
    names = {
        (symbol.section, symbol.value)
        for symbol in obj.symbols
        if symbol.kind in (elf.STT_FUNC, elf.STT_NOTYPE) and symbol.bind != elf.STB_LOCAL
    }
    found: dict[int, list[initial.Function]] = {}
    for key, function in linker.functions(obj).items():
        if key in names:
            found.setdefault(function.section, []).append(function)
    return found


def _kind(section: str, options: Options) -> tuple[Kind | None, int | None]:
    name = section.removeprefix(_NOT_LOADED)
    own = _OWN.fullmatch(name)
    if own:
        kind: Kind = own[1]  # type: ignore[assignment]  # the pattern holds exactly the kinds
        return kind, min(int(own[2]), bpf.MAX_OUTPUTS) if own[2] else None
    if _XDP.fullmatch(name) and (options.platform == "linux-xdp" or hook_of(section) == "driver"):
        return options.kind or "filter", None
    if section == options.section and options.kind is not None and hook_of(section) == "driver":
        return options.kind, None
    return None, None


def _is_open(section: str, options: Options) -> bool:
    return options.kind is None and _OWN.fullmatch(section.removeprefix(_NOT_LOADED)) is None


def hook_of(section: str) -> Hook:
    """Return where libbpf attaches a program of that section."""
    other = _OTHER_XDP.fullmatch(section.removeprefix(_NOT_LOADED))
    hook: Hook = other[2] if other else "driver"  # type: ignore[assignment]  # the pattern holds exactly the hooks
    return hook


def _choose(found: list[Candidate], options: Options) -> Candidate:
    names = ", ".join(f"`{c.function.name:.60}` in `{c.section:.60}`" for c in found[:16])
    if not found:
        raise Malformed("program-missing", "the object holds no program", hint='mark its function with `SEC("xdp")`')
    left = [
        candidate
        for candidate in found
        if options.section in (None, candidate.section) and options.function in (None, candidate.function.name)
    ]
    if len(left) > 1:
        left = [candidate for candidate in left if _program_name(candidate.function.name) == options.name] or left
    if len(left) > 1:
        left = [candidate for candidate in left if not candidate.is_left_out] or left
    if len(left) != 1:
        raise Ambiguous(
            "program-choice",
            f"{'no' if not left else 'more than one'} program matches the choice: the object holds {names}",
            hint="choose with `--section` and `--function`",
        )
    _check_kind(left[0], options)
    return left[0]


def _check_kind(chosen: Candidate, options: Options) -> None:
    if options.kind not in (None, chosen.kind):
        raise Ambiguous(
            "program-choice",
            f"section `{chosen.section:.80}` says kind {chosen.kind}: got the choice {options.kind}",
            hint="leave the choice out: only programs of `xdp` and unknown sections have none",
        )


def _program_name(function: str) -> str:
    return _NOT_IN_A_NAME.sub("-", function.lower()).strip("-_")[:48] or "program"


# --- one program ----------------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=1)
def _read(data: bytes, loading: Loading, platform: Platform) -> "_Object":
    """Read the object: once, where several of its programs are asked for one after the other."""
    return _Object(elf.read(data), loading, platform)


class _Object:
    """What all programs of one object share."""

    def __init__(self, obj: elf.ObjectFile, loading: Loading, platform: Platform) -> None:
        self.platform: Platform = platform
        types = obj.section(".BTF")
        self.btf = btf.read(types.data) if types else None
        self.extension = _extension(obj, self.btf)
        chosen = frozenset(constant.name for constant in loading.constants)
        self.obj = obj = externs.defined(obj, self.btf, platform)
        self.core = self.settle_core()
        defined = maps.read(obj, self.btf, loading, platform)
        defined = replace(defined, refused=defined.refused | externs.unset(obj, chosen))
        found = constants.apply(obj, self.btf, defined, loading.constants)
        self.maps = initial.filled(found, loading, linker.functions(obj))

    def translate(self, candidate: Candidate, options: Options) -> Translation:
        numbers = {section: settled.numbers for section, settled in self.core.items()}
        terms = linker.Terms(self.followers(candidate.kind, options), numbers, self.platform)
        linked = linker.link(self.obj, candidate.function, self.maps, terms)
        self.check_core(linked)
        if options.memory_mib is not None and self.platform == "guest":
            capacity.check_memory(linked.maps, options.memory_mib)
        sources = lines.trace(self.obj, linked, self.extension)
        called = needs.helpers(linked.code)
        kind = needs.least_kind(called) if candidate.is_open else candidate.kind
        result = bundle.Bundle(
            name=options.name or _program_name(candidate.function.name),
            kind=kind,
            code=linked.code,
            maps=linked.maps,
            helpers=called,
            outputs=needs.outputs(kind, linked, called, candidate.outputs),
            stack=needs.stack(linked),
            line_info=lines.line_info(sources),
        )
        return Translation(
            bundle=_encode(result),
            name=result.name,
            kind=result.kind,
            function=candidate.function.name,
            section=candidate.section,
            instructions=len(result.code) // bpf.INSN_BYTES,
            helpers=called,
            maps=tuple(entry.name for entry in result.maps),
            packed_sources=msgspec.msgpack.encode(sources),
            kind_is_open=candidate.is_open,
            is_unoptimised=needs.is_unoptimised(linked),
        )

    def followers(self, kind: Kind, options: Options) -> frozenset[int]:
        """Return the sections whose functions a program of that kind may go on in: its own kind's, and subprograms'."""
        sections = (section for section in self.obj.sections if section.executable)
        return frozenset(s.index for s in sections if _holds_subprograms(s.name) or _kind(s.name, options)[0] == kind)

    def settle_core(self) -> dict[int, core_relocations.Settled]:
        """Answer the CO-RE relocations, by section."""
        if self.btf is None:
            return {}
        return {
            section.index: core_relocations.settle(self.btf, self.extension.core[section.name], self.platform)
            for section in self.obj.sections
            if section.name in self.extension.core
        }

    def check_core(self, linked: linker.Linked) -> None:
        for placed in linked.functions:
            function = placed.function
            settled = self.core.get(function.section, core_relocations.Settled())
            places = range(function.start, function.start + function.size, bpf.INSN_BYTES)
            for offset in places if settled.unsettled else ():
                name = settled.unsettled.get(offset)
                if name is None or offset - function.start in placed.dead:
                    continue
                raise Unsupported(
                    "core-relocation",
                    f"the layout of `{name:.80}` depends on the kernel that runs the program (CO-RE)",
                    hint="define the whole type as the network or the UAPI does, or as a type of the program's own",
                    at=(self.obj.sections[function.section].name, offset),
                )


def _extension(obj: elf.ObjectFile, types: btf.Btf | None) -> btf.Extension:
    section = obj.section(".BTF.ext")
    return btf.read_extension(section.data, types) if section and types else btf.Extension()


def _encode(result: bundle.Bundle) -> bytes:
    try:
        return bundle.encode(result)
    except bundle.BundleError as error:
        raise Unsupported(f"bundle-{error.rule}", str(error)) from error


def _finding(data: bytes, error: Rejection) -> Finding:
    """Add the source line to a rejection that has a place; the object is read again, the rejection's path is rare."""
    if error.at is None:
        return error.finding()
    try:
        obj = elf.read(data)
        types = obj.section(".BTF")
        extension = _extension(obj, btf.read(types.data) if types else None)
        row = lines.locate_in_section(extension, *error.at)
    except Rejection:
        row = None
    if row is None:
        return error.finding()
    return Finding(
        rule=error.rule,
        message=error.message,
        hint=error.hint,
        file=row.file,
        line=row.line,
        column=row.column,
        source=row.text,
    )
