"""The Merkle tree of RFC 6962 over the entries of the log, kept as tiles (C2SP tlog-tiles).

A tile of level 0 has the hashes of 256 entries; one of level n has the roots of 256 whole tiles of the level below.
Every hash of a whole subtree is in a tile or is computed inside one: a proof reads one or two tiles for each level.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence

HEIGHT = 8  #: of a tile
WIDTH = 1 << HEIGHT
HASH_SIZE = 32

#: the hashes of a tile as far as it is filled, by level and number
Tile = Callable[[int, int], Sequence[bytes]]


def leaf_hash(entry: bytes) -> bytes:
    """RFC 6962 §2.1."""
    return hashlib.sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 6962 §2.1."""
    return hashlib.sha256(b"\1" + left + right).digest()


def _root_of(hashes: Sequence[bytes]) -> bytes:
    """The root over a power of two of subtrees."""
    while len(hashes) > 1:
        hashes = [node_hash(hashes[index], hashes[index + 1]) for index in range(0, len(hashes), 2)]
    return hashes[0]


def subtree(tile: Tile, start: int, end: int) -> bytes:
    """MTH(D[start:end]) where ``start`` is a multiple of the largest power of two below ``end - start``."""
    size = end - start
    if size & (size - 1):  # not a whole subtree
        middle = start + _split(size)
        return node_hash(subtree(tile, start, middle), subtree(tile, middle, end))
    height = size.bit_length() - 1
    level, inside = divmod(height, HEIGHT)
    first = start >> (HEIGHT * level)
    number, offset = divmod(first, WIDTH)
    return _root_of(tile(level, number)[offset : offset + (1 << inside)])


def _split(size: int) -> int:
    """The largest power of two smaller than ``size``."""
    return 1 << ((size - 1).bit_length() - 1)


def root(tile: Tile, size: int) -> bytes:
    """The root over the first ``size`` entries; that of none is the hash of nothing."""
    return subtree(tile, 0, size) if size else hashlib.sha256(b"").digest()


def inclusion(tile: Tile, number: int, size: int, *, known: Callable[[Tile, int, int], bytes] = subtree) -> list[bytes]:
    """The path from entry ``number`` to the root over the first ``size`` (RFC 9162 §2.1.3.1). ``known``: ``subtree``,
    or what remembers the roots that it gave, for whoever wants many paths."""
    if not 0 <= number < size:
        raise ValueError(f"entry {number} is not among the first {size}")
    start, end, path = 0, size, []
    while end - start > 1:
        middle = start + _split(end - start)
        if number < middle:
            path.append(known(tile, middle, end))
            end = middle
        else:
            path.append(known(tile, start, middle))
            start = middle
    return path[::-1]


def root_by(path: Sequence[bytes], *, number: int, size: int, leaf: bytes) -> bytes | None:
    """The root that a path of ``inclusion`` leads to from this leaf hash (RFC 9162 §2.1.3.2); None: to none."""
    if not 0 <= number < size:
        return None
    first, second, found = number, size - 1, leaf
    for step in path:
        if second == 0:
            return None
        if first & 1 or first == second:
            found = node_hash(step, found)
            while first and not first & 1:
                first, second = first >> 1, second >> 1
        else:
            found = node_hash(found, step)
        first, second = first >> 1, second >> 1
    return found if second == 0 else None


def consistency(tile: Tile, earlier: int, size: int) -> list[bytes]:
    """That the first ``earlier`` entries are the beginning of the first ``size`` (RFC 9162 §2.1.4.1)."""
    if not 0 < earlier <= size:
        raise ValueError(f"{earlier} entries are not the beginning of {size}")
    start, end, path, is_whole = 0, size, [], True
    while earlier < end:
        middle = start + _split(end - start)
        if earlier <= middle:
            path.append(subtree(tile, middle, end))
            end = middle
        else:
            path.append(subtree(tile, start, middle))
            start, is_whole = middle, False
    return [*([] if is_whole else [subtree(tile, start, end)]), *path[::-1]]


def is_consistent(earlier: int, size: int, earlier_root: bytes, size_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows it (RFC 9162 §2.1.4.2)."""
    if not 0 < earlier <= size:
        return False
    if earlier == size:
        return earlier_root == size_root and not proof
    path = [earlier_root, *proof] if earlier & (earlier - 1) == 0 else list(proof)
    if not path:
        return False
    first, second = earlier - 1, size - 1
    while first & 1:
        first, second = first >> 1, second >> 1
    old = new = path[0]
    for step in path[1:]:
        if second == 0:
            return False
        if first & 1 or first == second:
            old, new = node_hash(step, old), node_hash(step, new)
            while first and not first & 1:
                first, second = first >> 1, second >> 1
        else:
            new = node_hash(new, step)
        first, second = first >> 1, second >> 1
    return (old, new, second) == (earlier_root, size_root, 0)


def grow(tile: Tile, size: int, leaves: Sequence[bytes]) -> Iterator[tuple[int, int, list[bytes]]]:
    """The tiles that change when the hashes of entries are added to ``size`` of them: level, number, all its hashes."""
    level, added = 0, list(leaves)
    while added:
        number, filled = divmod(size >> (HEIGHT * level), WIDTH)
        hashes = [*tile(level, number)[:filled], *added] if filled else added
        added = []
        for start in range(0, len(hashes), WIDTH):
            part = hashes[start : start + WIDTH]
            yield level, number + start // WIDTH, part
            if len(part) == WIDTH:
                added.append(_root_of(part))
        level += 1


class Growing:
    """The roots of a log that is read from its beginning, entry by entry."""

    def __init__(self) -> None:
        self.size = 0
        self._whole: list[bytes] = []  # roots of whole subtrees, the largest first

    def add(self, leaf: bytes) -> None:
        size, hashed = self.size, leaf
        while size & 1:
            hashed = node_hash(self._whole.pop(), hashed)
            size >>= 1
        self._whole.append(hashed)
        self.size += 1

    def root(self) -> bytes:
        if not self._whole:
            return hashlib.sha256(b"").digest()
        found = self._whole[-1]
        for whole in reversed(self._whole[:-1]):
            found = node_hash(whole, found)
        return found
