"""Groups of images, guessed from names."""

import re

import pytest

from segstudy.data.name_groups import guess_groups


@pytest.mark.parametrize(
    ("names", "kind", "first", "size"),
    [
        ([f"patient{p:02d}_slice{s}" for p in range(5) for s in range(3)], "patients", "patient00", 3),
        ([f"{p:02d}_{side}" for p in range(6) for side in ("left", "right")], "eyes of one person", "00", 2),
        ([f"Image_{p:02d}{side}" for p in range(1, 6) for side in "LR"], "eyes of one person", "Image_01", 2),
        ([f"slide{s}_x{x}_y{y}" for s in "abc" for x in (0, 512) for y in (0, 512)], "places of a slide", "slidea", 4),
        ([f"film{f}_t{t:03d}" for f in range(3) for t in range(4)], "frames of a film or stack", "film0", 4),
        ([f"stack{f}_p{t:02d}" for f in range(3) for t in range(1, 4)], "frames of a film or stack", "stack0", 3),
        ([f"mouse7{m}-{n}" for m in "abcd" for n in range(1, 4)], "series", "mouse7a", 3),
    ],
)
def test_groups_of_usual_names(names, kind, first, size):
    groups = guess_groups(names)
    assert groups.kind == kind and groups.sizes[first] == size
    found = {re.search(groups.pattern, name)[1] for name in names}  # as layout.group_pattern finds them
    assert found == set(groups.sizes)


@pytest.mark.parametrize(
    "names",
    [
        [f"img_{i:03d}" for i in range(20)],  # a number alone
        [f"IMD{i:03d}" for i in range(20)],
        [f"{i}_left" for i in range(10)],  # one eye of each
        ["a_left", "a_right", "b"],  # one name does not fit
        ["p1_1", "p1_2", "p2_1", "p2_2"],  # two groups leave nothing to split
        [],
    ],
)
def test_names_that_tell_nothing(names):
    assert guess_groups(names) is None
