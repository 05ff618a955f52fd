from unibpf.cli.reports.graph_layout import Place, arranged
from unibpf.host.graph_check import Connection


def lines(*pairs: tuple[int, int]) -> list[Connection]:
    return [Connection(from_element=a, from_port=0, to=b, to_port=0, push=True) for a, b in pairs]


def test_each_element_stands_after_all_that_lead_to_it():
    found = arranged(4, lines((0, 1), (1, 3), (0, 3), (0, 2), (2, 3)))
    assert [place.layer for place in found.elements] == [0, 1, 1, 2]


def test_a_connection_has_a_place_in_every_layer_that_it_crosses():
    found = arranged(4, lines((0, 1), (1, 2), (2, 3), (0, 3)))
    assert [place.layer for place in found.ways[3]] == [1, 2]
    taken = [*found.elements, *found.ways[3]]
    assert len(set(taken)) == len(taken)


def test_a_circle_is_opened_where_it_closes():
    found = arranged(3, lines((0, 1), (1, 2), (2, 1)))
    assert [place.layer for place in found.elements] == [0, 1, 2]
    assert found.ways == [[], [], []]


def test_lines_that_need_not_cross_do_not():
    found = arranged(6, lines((0, 5), (1, 4), (2, 3)))
    assert [found.elements[end].row for end in (5, 4, 3)] == [found.elements[start].row for start in (0, 1, 2)]


def test_an_empty_graph_and_one_without_connections_have_places():
    assert arranged(0, []).elements == []
    assert arranged(2, []).elements == [Place(0, 0), Place(0, 1)]
