"""unibpf.host.put_back: what deployer and reconfigurer of a host say to each other of map entries."""

from unibpf.host.put_back import MapRecord, PutBackFile, PutBackRecord
from unibpf.messages.desired_maps import MAX_PROBLEMS


def one(name, *, entries=0, problem=None):
    rows = [(f"{n:02x}", "00") for n in range(entries)]
    return MapRecord(element="fw", map=name, rows="", wanted=2, entries=rows, problem=problem)


def test_the_answer_counts_and_names_no_more_problems_than_a_message_takes():
    few = PutBackRecord(boot_id="b", revision=4, maps=[one("a", entries=2), one("b", problem="full")]).answer()
    assert (few.desired, few.put_back, few.revision, few.problems) == (4, 2, 4, ["full"])
    many = PutBackRecord(boot_id="b", maps=[one(str(n), problem=f"p{n}") for n in range(MAX_PROBLEMS + 3)]).answer()
    assert len(many.problems) == MAX_PROBLEMS and many.problems[-1] == "4 more"


def test_a_record_is_about_one_boot_and_what_cannot_be_read_is_nothing(tmp_path):
    file = PutBackFile(tmp_path)
    assert file.read() is None
    file.write(PutBackRecord(boot_id="b", maps=[one("a", entries=1)]))
    assert file.of_boot("b").put_back == 1 and file.of_boot("c") is None
    (tmp_path / "maps.json").write_bytes(b'{"boot_id": 1}')
    assert file.read() is None


def test_nothing_is_written_for_a_guest_that_is_gone(tmp_path):
    PutBackFile(tmp_path / "gone").write(PutBackRecord(boot_id="b"))
    assert not (tmp_path / "gone").exists()
