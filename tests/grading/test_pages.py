"""What a zygote has loaded lies in huge pages, so that a copy of it is made in half the time."""

import platform

import pytest

from autograder.inside.pages import _own_memory

MAPS = """\
00400000-00500000 r-xp 00000000 fe:00 12     /usr/bin/python3.11
00600000-00700000 rw-p 00100000 fe:00 12     /usr/bin/python3.11
01000000-05000000 rw-p 00000000 00:00 0                                  [heap]
7f0000000000-7f0000400000 rw-p 00000000 00:00 0 
7f0000400000-7f0000500000 r--p 00000000 00:00 0 
7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0                          [stack]
"""


def test_only_memory_of_its_own_that_can_be_written_to_is_meant(tmp_path):
    maps = tmp_path / "maps"
    maps.write_text(MAPS)
    own = [(0x1000000, 0x5000000), (0x7F0000000000, 0x7F0000400000)]
    assert list(_own_memory(maps)) == own


def test_where_the_system_tells_nothing_nothing_is_done(tmp_path):
    assert list(_own_memory(tmp_path / "maps")) == []


def test_a_worker_has_much_of_its_memory_in_huge_pages(session):
    if tuple(map(int, platform.release().split(".")[:2])) < (6, 1):
        pytest.skip("this kernel makes no huge pages on request")
    told = "print(*(line for line in open('/proc/self/smaps_rollup') if 'Anon' in line), sep='')"
    lines = session.run(told, "cell")["output"].splitlines()
    size = {line.split(":")[0]: int(line.split()[1]) for line in lines if line}
    if not size.get("AnonHugePages"):
        pytest.skip("this kernel makes no huge pages")
    # About half of it: the rest is in pieces smaller than a huge page, or was written to since.
    assert size["AnonHugePages"] > size["Anonymous"] / 4
