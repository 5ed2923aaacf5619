"""Who commits: the name that a daemon leaves beside its offsets, and what the names that are read back say. No IO, no clock.

A name is `raincheck LIFE PART WHO`: LIFE is drawn anew by every process, PART says which models it judges (`shard`), WHO is for people.
Offsets of one partition are written in one order by the broker: where another name stands after we have written ours, its owner has
written later, hence lived later. No clock is compared, and a predecessor, however it ended, is never seen again once we have written.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

PRODUCT: Final = "raincheck"
WHO_CHARS: Final = 80
# A look is taken every half a minute. One that sees a stranger may be the last word of a predecessor that was told to stop after we had
# begun; two have met somebody who goes on. Two of four, because of two daemons the one that saves more often sees the other now and then.
LOOKS: Final = 4
ENOUGH: Final = 2


@dataclass(frozen=True, slots=True)
class Signature:
    """`life` and `part` are empty where a name does not say them: it is of an older release, or of no raincheck at all."""

    life: str
    part: str
    who: str
    product: bool = True

    @property
    def text(self) -> str:
        """What is written beside the offsets.

        >>> Signature("1f2e", "0/1", "tower:4711").text
        'raincheck 1f2e 0/1 tower:4711'
        """
        return f"{PRODUCT} {self.life} {self.part} {self.who}"


def drawn(part: str) -> Signature:
    """A name for the life that begins.

    >>> one, other = drawn("0/1"), drawn("0/1")
    >>> one.life != other.life and one.who == other.who and signature_of(one.text) == one
    True
    """
    return Signature(os.urandom(8).hex(), part, _shown(f"{socket.gethostname()}:{os.getpid()}"))


def signature_of(metadata: str) -> Signature:
    """Whose name this is; whatever may be written there, it is short and printable afterwards.

    >>> signature_of("raincheck 1f2e 0/1 tower:4711")
    Signature(life='1f2e', part='0/1', who='tower:4711', product=True)
    >>> signature_of("raincheck").who, signature_of("").who
    ('a raincheck that leaves no name', 'a client that leaves no name')
    """
    product, *rest = metadata.split(" ", 3)
    if product != PRODUCT:
        return Signature("", "", _shown(metadata) or "a client that leaves no name", product=False)
    if len(rest) != 3:
        return Signature("", "", f"a {PRODUCT} that leaves no name")
    life, part, who = rest
    return Signature(life, part, _shown(who))


def _shown(text: str) -> str:
    return "".join(char if char.isprintable() and char != " " else "_" for char in text[:WHO_CHARS])


def shares(mine: Signature, other: Signature) -> bool:
    """Whether the other is meant to be there: another part of the same plan (`shard`), which reads the same topics for other models.

    >>> [shares(Signature("a", "0/2", ""), Signature("b", part, "")) for part in ("1/2", "0/2", "0/1", "")]
    [True, False, False, False]
    """
    return other.part != mine.part and other.part.partition("/")[2] == mine.part.partition("/")[2]


@dataclass(frozen=True, slots=True)
class Company:
    """What the last looks saw, the newest last: who else had written, or "" where all was ours."""

    looks: tuple[str, ...] = ()

    def after(self, mine: Signature, written: Collection[str], found: Mapping[str, str]) -> Company:
        """The company after one more look: `written` are the partitions that we wrote since the last one, `found` {partition: metadata}.

        Other parts of the same plan write over each other in turn: where nothing but theirs is found, nothing is known.
        """
        names = [signature_of(found[partition]) for partition in sorted(written) if partition in found]
        strangers = [name.who for name in names if name.life != mine.life and not shares(mine, name)]
        if not strangers and all(name.life != mine.life for name in names):
            return self
        return Company((*self.looks, strangers[0] if strangers else "")[-LOOKS:])

    @property
    def other(self) -> str | None:
        """Who else writes, if somebody goes on doing so; the one seen last."""
        seen = [who for who in self.looks if who]
        return seen[-1] if len(seen) >= ENOUGH else None


def left_behind(mine: Signature, found: Mapping[str, str]) -> list[str]:
    """The partitions of {partition: metadata} where an earlier life that judged the same models has left its name.

    >>> mine = Signature("b", "0/1", "here:2")
    >>> left_behind(mine, {"c/0": "raincheck a 0/1 here:1", "c/1": "", "c/2": mine.text, "c/3": "raincheck", "c/4": "raincheck a 1/2 x:1"})
    ['c/0', 'c/3']
    """
    names = {partition: signature_of(metadata) for partition, metadata in sorted(found.items())}
    return [p for p, name in names.items() if name.product and name.life != mine.life and name.part in {"", mine.part}]
