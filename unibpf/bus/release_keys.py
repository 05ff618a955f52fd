"""Where releases are in KV `unibpf-releases`."""


def release_key(audience: str, program: str, element: str) -> str:
    """KV `unibpf-releases`: a release for any element and one for a single element do not hide each other."""
    suffix = "" if element == "*" else "." + element.replace("@", "=")  # ADR-8: no `@` in a key, and no `=` in a name
    return f"{audience}.{program}{suffix}"


def release_keys(audience: str, program: str, element: str) -> tuple[str, str]:
    """Where the releases are that apply to an element."""
    return release_key(audience, program, "*"), release_key(audience, program, element)
