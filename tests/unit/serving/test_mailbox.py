"""The small queue and event behave as those of asyncio do."""

import asyncio

from serving.api.streaming.light import Flag, Mailbox


async def test_a_mailbox_keeps_the_order_and_waits_for_what_is_not_there() -> None:
    mailbox: Mailbox[int] = Mailbox()
    waiting = asyncio.create_task(mailbox.get())
    await asyncio.sleep(0)
    for item in (1, 2, 3):
        mailbox.put_nowait(item)
    assert [await waiting, await mailbox.get(), await mailbox.get()] == [1, 2, 3]
    assert mailbox.empty()
    late = asyncio.create_task(mailbox.get())
    await asyncio.sleep(0)
    assert not late.done()
    mailbox.put_nowait(4)
    assert await late == 4


async def test_a_reader_that_gives_up_takes_nothing_with_it() -> None:
    mailbox: Mailbox[int] = Mailbox()
    waiting = asyncio.create_task(mailbox.get())
    await asyncio.sleep(0)
    waiting.cancel()
    mailbox.put_nowait(1)
    assert await mailbox.get() == 1


async def test_a_flag_lets_all_go_on_at_once() -> None:
    flag = Flag(is_set=False)
    waiting = [asyncio.create_task(flag.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting.pop().cancel()
    flag.set()
    await asyncio.gather(*waiting)
    assert flag.is_set()
    await flag.wait()
    flag.clear()
    assert not flag.is_set()
