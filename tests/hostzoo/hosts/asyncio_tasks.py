"""asyncio at work: timers, a queue, an executor's threads and a child process."""
import asyncio
import concurrent.futures
import sys

import handshake


async def produce(queue, n):
    for i in range(n):
        await asyncio.sleep(0.002)
        await queue.put(i)


async def consume(queue, n):
    loop = asyncio.get_event_loop()
    total = 0
    for _ in range(n):
        item = await queue.get()
        total += await loop.run_in_executor(executor, lambda: item * 2)
    return total


async def work():
    queue = asyncio.Queue()
    total = (await asyncio.gather(consume(queue, 500), produce(queue, 500)))[0]
    child = await asyncio.create_subprocess_exec("/bin/echo", "hello", stdout=asyncio.subprocess.PIPE)
    out, _ = await child.communicate()
    return total, out.decode()


executor = concurrent.futures.ThreadPoolExecutor(4)
handshake.ready()
handshake.wait_line()
runner = asyncio.new_event_loop()
asyncio.set_event_loop(runner)
if sys.version_info < (3, 8):
    asyncio.get_child_watcher().attach_loop(runner)
total, said = runner.run_until_complete(work())
runner.run_until_complete(runner.shutdown_asyncgens())
executor.shutdown()
handshake.say(total=total, said=said)
handshake.wait_line()
