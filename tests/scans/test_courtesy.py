"""Runs that have just begun go before those that have been at it for long."""

import asyncio

from clipsaver.scans.courtesy import Courtesy

NEVER = 60.0


async def passes(courtesy: Courtesy, *, begun_before: bool) -> bool:
    """Whether a run reads on at once beside another; it began before that one, or after it."""
    old, young = courtesy.begin(), courtesy.begin()
    with old as turn:
        await asyncio.sleep(2 * courtesy.youth if begun_before else 0)
        courtesy.youth = NEVER  # whoever is young now stays so, on a busy machine too
        with young:
            waiting = asyncio.create_task(turn.let_pass())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            at_once = waiting.done()
        await waiting
    return at_once


async def test_a_long_one_waits_until_a_young_one_has_ended() -> None:
    """However long that would be otherwise."""
    assert not await passes(Courtesy(youth=0.01, patience=NEVER), begun_before=True)


async def test_those_that_begin_together_go_on_together() -> None:
    """Nobody is older than the others."""
    assert await passes(Courtesy(youth=NEVER, patience=NEVER), begun_before=False)


async def test_it_waits_a_moment_and_no_longer() -> None:
    """Whoever stays young for ever holds nobody up for ever."""
    courtesy = Courtesy(youth=0.01, patience=0.02)
    with courtesy.begin() as turn:
        await asyncio.sleep(0.05)
        courtesy.youth = NEVER
        with courtesy.begin():
            await asyncio.wait_for(turn.let_pass(), NEVER / 2)


async def test_youth_ends_by_itself() -> None:
    """A run that has been at it for long goes before nobody any more."""
    courtesy = Courtesy(youth=0.01, patience=NEVER)
    with courtesy.begin() as turn, courtesy.begin():
        await asyncio.sleep(0.05)
        await asyncio.wait_for(turn.let_pass(), NEVER / 2)


async def test_what_it_has_read_is_kept_first_only_beside_others() -> None:
    """Where nobody is older nobody is before anyone."""
    courtesy = Courtesy(youth=NEVER)
    with courtesy.begin() as young:
        before = young.goes_first
        courtesy.youth = 0
        with courtesy.begin() as old:
            await asyncio.sleep(0.01)
            beside = young.goes_first, old.goes_first
        after = young.goes_first
    assert (before, beside, after) == (False, (True, False), False)
