import re
from xml.etree import ElementTree

from unibpf.cli.reports.graph_picture import Counted, picture
from unibpf.host.graph_check import Connection, Element, GraphReport

GRAPH = GraphReport(
    elements=[
        Element(name="in", class_name="FromDevice", line=1, column=1, configuration="eth0", processing="/h"),
        Element(name="Queue@2", class_name="Queue", line=1, column=9, configuration='"<&', processing="h/l"),
        Element(name="out", class_name="ToDevice", line=1, column=20, configuration="x" * 100, processing="a/"),
    ],
    connections=[
        Connection(from_element=0, from_port=0, to=1, to_port=0, push=True),
        Connection(from_element=1, from_port=0, to=2, to_port=0, push=False),
    ],
)


def test_every_element_and_connection_is_in_a_whole_document():
    text = picture(GRAPH, title="a <graph>")
    root = ElementTree.fromstring(text)
    titles = [node.text for node in root.iter("{http://www.w3.org/2000/svg}title")]
    assert titles == ["a <graph>", "in :: FromDevice(eth0)", 'Queue@2 :: Queue("<&)', f"out :: ToDevice({'x' * 100})"]
    assert re.findall(r'path class="(\w+)"', text) == ["push", "pull"]


def test_ports_tell_what_is_pushed_what_is_pulled_and_what_takes_either():
    fills = re.findall(r'(?:z"|height="8") fill="(#\w+)"', picture(GRAPH))
    dark, white, grey = "#2f3a44", "#ffffff", "#aab4bd"
    assert fills == [dark, dark, white, grey]


def test_with_counters_their_numbers_stand_in_the_boxes():
    text = picture(GRAPH, counters={"in": Counted(packets=1234567, drops=0), "out": Counted(packets=3, drops=1)})
    assert "1,234,567 packets<" in text
    assert "3 packets, 1 dropped" in text
