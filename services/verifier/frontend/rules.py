"""The rules of the front end and of the adapter: why an object became no bundle, or why there is no answer. Ids are stable.

What must hold, for each; `docs/rules/<rule>.md` begins with the same sentence. The analyser's own rules, about what a
program does, are in `native/rules.hpp`; `limits` is shared with it.
"""

from typing import Final

RULES: Final[dict[str, str]] = {
    # the file (elf.py)
    "object-size": "an object has at most 16 MiB",
    "object-corrupt": "an uploaded object has the digest that its push names",
    "not-elf": "the file is an ELF object",
    "elf-class": "the ELF file is of the 64-bit little-endian form, version 1",
    "elf-machine": "the ELF file is for the machine BPF",
    "elf-type": "the ELF file is a relocatable object",
    "elf-sections": "the ELF file has sections",
    "elf-truncated": "everything that the ELF tables name lies inside the file",
    "elf-limits": "names and tables of the ELF file have sensible sizes",
    "elf-malformed": "the ELF tables agree with each other",
    "section-compressed": "loaded sections are not compressed",
    # its type information (btf.py)
    "btf-missing": "maps are described by type information",
    "btf-malformed": "type information and line information are well-formed",
    # its maps (maps.py)
    "legacy-maps": "maps of maps are defined through BTF in section `.maps`",
    "map-definition": "a map definition consists of known members with a type",
    "map-type": "a map is of a type, and has flags, that the platform offers",
    "map-size": "a map, and all global data, fits what the platform gives it",
    "map-values": "what a map holds at first is of one kind and known from the object",
    # the choice (frontend.py)
    "section-unknown": "a program's section says a kind that exists here",
    "program-missing": "the object holds a program",
    "program-choice": "exactly one program matches the choice",
    "tail-choice": "a program that is chosen for a program array exists, as does its entry",
    "core-relocation": "no instruction depends on the kernel that runs it (CO-RE)",
    # what a loader would set (sizing.py, constants.py)
    "constant-choice": "a variable that is set exists, and its value fits its type",
    "size-choice": "a map that is given a size exists",
    "inner-choice": "a map that says what a map of maps holds exists, as does the map of maps",
    # its code (linker.py)
    "function-bounds": "functions lie inside their sections and end with whole instructions",
    "call-target": "a call lands on the first instruction of a function",
    "recursion": "no function calls itself, directly or through others",
    "extern-symbol": "everything that the code names is defined in the object",
    "kfunc-call": "no kernel function is called",
    "function-pointer": "no function is called through its address",
    "relocation-kind": "relocations are of the two kinds that BPF code needs",
    "relocation-target": "addresses are those of maps and of global data",
    "data-relocation": "global data holds no addresses",
    "map-reference": "a load of a map names a map that exists, and stays inside global data",
    # what it needs (needs.py)
    "stack-frame": "a function needs at most 512 bytes of stack",
    "stack-depth": "calls nest at most 8 deep",
    # the result (unibpf/formats/bundle.py)
    "bundle-size": "a bundle has at most 1 MiB",
    "bundle-shape": "names and tables of the bundle are well-formed",
    "bundle-abi": "the bundle is for this version of the program interface",
    "bundle-limits": "counts and sizes in the bundle stay within its limits",
    # no answer (sandbox.py, worker.py, analysis.py)
    "limits": "the analysis ends within its time and memory",
    "analyser-crash": "the analyser ends with a verdict",
    "frontend-cpu": "an object is read within its CPU time",
    "frontend-memory": "an object is read within its memory",
    "frontend-time": "an object is read within its wall time",
    "frontend-crash": "the process that reads objects ends with an answer",
    # the push (unibpf/push/upload.py)
    "upload-audience": "the audience of a push is a name",
    "upload-element": "the element of a push is a name or `*`",
    "upload-object": "the digest of an uploaded object is SHA-256 in hex",
    "upload-header": "the headers of a push are well-formed",
}
