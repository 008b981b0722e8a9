"""The tree against RFC 6962's own words, written down once more as they stand there, without tiles."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.audit import tree

MOST = 700  #: more than two whole tiles


def mth(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962 §2.1, of leaf hashes."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    middle = split(len(leaves))
    return hashlib.sha256(b"\1" + mth(leaves[:middle]) + mth(leaves[middle:])).digest()


def split(size: int) -> int:
    middle = 1
    while middle * 2 < size:
        middle *= 2
    return middle


def path(number: int, leaves: Sequence[bytes]) -> list[bytes]:
    """RFC 6962 §2.1.1."""
    if len(leaves) == 1:
        return []
    middle = split(len(leaves))
    if number < middle:
        return [*path(number, leaves[:middle]), mth(leaves[middle:])]
    return [*path(number - middle, leaves[middle:]), mth(leaves[:middle])]


def subproof(earlier: int, leaves: Sequence[bytes], *, is_whole: bool) -> list[bytes]:
    """RFC 6962 §2.1.2."""
    if earlier == len(leaves):
        return [] if is_whole else [mth(leaves)]
    middle = split(len(leaves))
    if earlier <= middle:
        return [*subproof(earlier, leaves[:middle], is_whole=is_whole), mth(leaves[middle:])]
    return [*subproof(earlier - middle, leaves[middle:], is_whole=False), mth(leaves[:middle])]


LEAVES = [tree.leaf_hash(str(number).encode()) for number in range(MOST)]


def grown(steps: Sequence[int]) -> tuple[tree.Tile, int]:
    """A tree that grew in these steps, and its size."""
    tiles: dict[tuple[int, int], list[bytes]] = {}
    size = 0
    for step in steps:
        added = LEAVES[size : size + step]
        for level, number, hashes in list(tree.grow(lambda *which: tiles.get(which, []), size, added)):
            tiles[level, number] = hashes
        size += len(added)
    return lambda *which: tiles.get(which, []), size


STEPS = st.lists(st.integers(1, 300), min_size=1, max_size=4)


def test_known_roots() -> None:
    """Of no entry and of one empty entry, as they are computed by hand."""
    assert tree.root(grown([1])[0], 0).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert tree.leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"


@given(STEPS, st.data())
def test_it_is_the_tree_of_the_standard(steps: list[int], data: st.DataObject) -> None:
    tile, most = grown(steps)
    size = data.draw(st.integers(1, most))
    leaves = LEAVES[:size]
    root = tree.root(tile, size)
    assert root == mth(leaves)
    number = data.draw(st.integers(0, size - 1))
    found = tree.inclusion(tile, number, size)
    assert found == path(number, leaves)
    assert tree.root_by(found, number=number, size=size, leaf=leaves[number]) == root
    earlier = data.draw(st.integers(1, size))
    proof = tree.consistency(tile, earlier, size)
    assert proof == subproof(earlier, leaves, is_whole=True)
    assert tree.is_consistent(earlier, size, mth(leaves[:earlier]), root, proof)
    growing = tree.Growing()
    for leaf in leaves:
        growing.add(leaf)
    assert (growing.size, growing.root()) == (size, root)


@given(STEPS, st.data())
def test_no_other_path_leads_to_the_root(steps: list[int], data: st.DataObject) -> None:
    tile, size = grown(steps)
    number = data.draw(st.integers(0, size - 1))
    found, root = tree.inclusion(tile, number, size), tree.root(tile, size)
    other = data.draw(st.integers(0, size - 1).filter(lambda each: each != number)) if size > 1 else size
    assert tree.root_by(found, number=other, size=size, leaf=LEAVES[number]) != root
    assert tree.root_by(found, number=number, size=size, leaf=LEAVES[number][::-1]) != root
    assert tree.root_by([*found, root], number=number, size=size, leaf=LEAVES[number]) != root
    if found:
        assert tree.root_by(found[:-1], number=number, size=size, leaf=LEAVES[number]) != root
        bent = data.draw(st.integers(0, len(found) - 1))
        wrong = [step[::-1] if place == bent else step for place, step in enumerate(found)]
        assert tree.root_by(wrong, number=number, size=size, leaf=LEAVES[number]) != root


@given(STEPS, st.data())
def test_another_beginning_is_not_consistent(steps: list[int], data: st.DataObject) -> None:
    tile, size = grown(steps)
    earlier = data.draw(st.integers(1, size))
    proof, root = tree.consistency(tile, earlier, size), tree.root(tile, size)
    begun = mth(LEAVES[:earlier])
    assert not tree.is_consistent(earlier, size, begun[::-1], root, proof)
    assert not tree.is_consistent(earlier, size, begun, root[::-1], proof)
    assert not tree.is_consistent(earlier, size, begun, root, [*proof, root])
    if proof:
        assert not tree.is_consistent(earlier, size, begun, root, proof[:-1])
        bent = data.draw(st.integers(0, len(proof) - 1))
        wrong = [step[::-1] if place == bent else step for place, step in enumerate(proof)]
        assert not tree.is_consistent(earlier, size, begun, root, wrong)


@pytest.mark.parametrize(("number", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_what_is_not_there_has_no_path(number: int, size: int) -> None:
    tile, _ = grown([3])
    assert tree.root_by([], number=number, size=size, leaf=LEAVES[0]) is None
    with pytest.raises(ValueError, match="is not among the first"):
        tree.inclusion(tile, number, size)


@pytest.mark.parametrize("earlier", [0, 4, -1])
def test_what_is_no_beginning_is_not_proven(earlier: int) -> None:
    tile, size = grown([3])
    assert not tree.is_consistent(earlier, size, bytes(32), tree.root(tile, size), [])
    with pytest.raises(ValueError, match="are not the beginning of"):
        tree.consistency(tile, earlier, size)
