"""Where the elements of a graph stand in its picture: in layers, along the way that packets take.

An element's layer is one more than the deepest of those that lead to it; circles, which need a Queue, are opened where they
close first. A connection that crosses layers has a place in each of them, so that it runs between the boxes. Within a layer
everything stands near to what it is connected with: sweeps that order by the mean place of the neighbours (Sugiyama, Tagawa,
Toda 1981), a few of them, always the same for the same graph.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from unibpf.host.graph_check import Connection

SWEEPS: Final = 8


@dataclass(frozen=True)
class Place:
    """Both count from 0."""

    layer: int
    row: int


@dataclass(frozen=True)
class Layout:
    """A place for each element, and for each connection those that it passes on its way."""

    elements: list[Place]
    ways: list[list[Place]]


def arranged(count: int, connections: Sequence[Connection]) -> Layout:
    """Where everything stands; `count` elements."""
    layers = _layers(count, _forward(count, connections))
    edges: list[tuple[int, int]] = []
    ways: list[list[int]] = []
    for one in connections:
        passed = list(range(len(layers), len(layers) + max(layers[one.to] - layers[one.from_element] - 1, 0)))
        layers += range(layers[one.from_element] + 1, layers[one.from_element] + 1 + len(passed))
        stops = [one.from_element, *passed, one.to]
        edges += [(a, b) for a, b in pairwise(stops) if layers[b] > layers[a]]
        ways.append(passed)
    rows: dict[int, list[int]] = defaultdict(list)
    for node, layer in enumerate(layers):
        rows[layer].append(node)
    _sweep(rows, edges)
    place = {node: Place(layer, row) for layer, nodes in rows.items() for row, node in enumerate(nodes)}
    return Layout([place[element] for element in range(count)], [[place[node] for node in way] for way in ways])


def _forward(count: int, connections: Sequence[Connection]) -> list[tuple[int, int]]:
    """The connections without those that close a circle, found by walking into the depth."""
    leads: dict[int, list[int]] = defaultdict(list)
    for one in connections:
        if one.to not in leads[one.from_element]:
            leads[one.from_element].append(one.to)
    entered = {one.to for one in connections}
    state = [0] * count  # 1: on the way, 2: done
    edges: list[tuple[int, int]] = []
    for start in sorted(range(count), key=lambda element: element in entered):
        if state[start]:
            continue
        state[start] = 1
        way = [(start, iter(leads[start]))]
        while way:
            element, rest = way[-1]
            target = next(rest, None)
            if target is None:
                state[element] = 2
                way.pop()
            elif state[target] != 1:
                edges.append((element, target))
                if state[target] == 0:
                    state[target] = 1
                    way.append((target, iter(leads[target])))
    return edges


def _layers(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    layers = [0] * count
    for _ in range(count):
        before = list(layers)
        for start, end in edges:
            layers[end] = max(layers[end], layers[start] + 1)
        if layers == before:
            break
    return layers


def _sweep(rows: dict[int, list[int]], edges: Sequence[tuple[int, int]]) -> None:
    before: dict[int, list[int]] = defaultdict(list)
    after: dict[int, list[int]] = defaultdict(list)
    for start, end in edges:
        before[end].append(start)
        after[start].append(end)
    place = {node: row for nodes in rows.values() for row, node in enumerate(nodes)}
    for sweep in range(SWEEPS):
        forward = sweep % 2 == 0
        neighbours = before if forward else after
        for layer in sorted(rows, reverse=not forward):
            means = {node: _mean([place[one] for one in neighbours[node]], place[node]) for node in rows[layer]}
            rows[layer].sort(key=means.__getitem__)
            place.update({node: row for row, node in enumerate(rows[layer])})


def _mean(numbers: Sequence[int], otherwise: float) -> float:
    return sum(numbers) / len(numbers) if numbers else otherwise
