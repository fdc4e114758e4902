"""Large answers one at a time."""

import asyncio

from clipsaver.discord.gate import Gate


class Turns:
    """Counts the turns of the event loop."""

    def __init__(self) -> None:
        self.number = 0
        self._going = True

    async def count(self) -> None:
        """Count until stopped."""
        while self._going:
            self.number += 1
            await asyncio.sleep(0)

    def stop(self) -> None:
        """Count no more."""
        self._going = False


async def passed(many: int) -> list[tuple[int, int]]:
    """Let so many come at once; who went through in which turn, in their order."""
    gate, turns = Gate(), Turns()
    order: list[tuple[int, int]] = []

    async def come(which: int) -> None:
        await gate.enter()
        order.append((which, turns.number))

    counting = asyncio.create_task(turns.count())
    await asyncio.gather(*map(come, range(many)))
    turns.stop()
    await counting
    return order


async def test_one_goes_through_in_each_turn_in_order() -> None:
    """Those who come together go through one after the other, in the order in which they came."""
    order = await passed(20)
    assert [which for which, _ in order] == list(range(20))
    turns = [turn for _, turn in order]
    assert len(set(turns)) == 20
    assert turns == sorted(turns)


async def test_alone_nobody_waits() -> None:
    """Whoever comes alone goes through without giving up the turn."""
    gate = Gate()
    reached: list[str] = []
    asyncio.get_running_loop().call_soon(reached.append, "another")
    await gate.enter()
    assert reached == []


async def test_it_is_free_again_in_the_next_turn() -> None:
    """A turn later the next one who comes alone doesn't wait either."""
    gate = Gate()
    reached: list[str] = []
    await gate.enter()
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_soon(reached.append, "another")
    await gate.enter()
    assert reached == []


async def test_who_gives_up_holds_nobody_back() -> None:
    """One who is cancelled while waiting is passed over."""
    gate = Gate()
    waiting = [asyncio.create_task(gate.enter()) for _ in range(3)]
    await gate.enter()
    asyncio.get_running_loop().call_soon(waiting[1].cancel)
    async with asyncio.timeout(30):
        await asyncio.gather(*waiting, return_exceptions=True)
        await gate.enter()
    assert [task.cancelled() for task in waiting] == [False, True, False]
