"""Is told whenever the list of tools changes: a mounted server comes, is read, turns into another, and goes."""

import asyncio
import json
import os
import subprocess

import httpx2
import mcp.types as types
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

told = asyncio.Queue()


async def jarvis(*words):
    command = [os.environ["JARVIS"], "--json", *words]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


async def read(*names):
    mount = (await jarvis("mount", "list"))["mounts"][0]
    digests = {tool["name"]: tool["digest"] for tool in mount["tools"]}
    await jarvis("mount", "review", "lab", *(f"{name}@{digests[name]}" for name in names), "--tier", "green")


async def hear(message):
    if isinstance(message, types.ToolListChangedNotification):
        await told.put("session")


async def listen(client):
    async with client.listen(tools_list_changed=True) as changes:
        await told.put("open")
        async for _ in changes:
            await told.put("listening")


async def main():
    headers = {"Authorization": "Bearer " + os.environ["TOKEN"]}
    http = httpx2.AsyncClient(headers=headers, timeout=60)
    transport = streamable_http_client(os.environ["MCP_URL"], http_client=http)
    modern = os.environ["MODE"] != "legacy"
    async with Client(transport, mode=os.environ["MODE"], message_handler=hear) as client:
        listening = asyncio.create_task(listen(client)) if modern else None
        if modern:
            assert await told.get() == "open"

        async def until(is_so):
            while True:
                await asyncio.wait_for(told.get(), 60)
                tools = {tool.name: tool for tool in (await client.list_tools()).tools}
                echo = tools.get("lab_echo")
                if is_so(echo):
                    return echo

        script = os.environ["SCRIPT"]
        server = ["--seconds", "60", "--reads", os.path.dirname(script), "--", "node", script]
        await jarvis("mount", "add", "lab", *server)
        came = await until(lambda echo: echo is not None)
        await read("echo", "turn")
        reviewed = await until(lambda echo: echo.description.startswith("Says it again."))
        await client.call_tool("lab_turn", {})
        changed = await until(lambda echo: not echo.description.startswith("Says it again."))
        await jarvis("mount", "remove", "lab")
        await until(lambda echo: echo is None)
        if listening:
            listening.cancel()
        answer = {
            "version": client.protocol_version,
            "declared": client.server_capabilities.tools.list_changed,
            "came": came.annotations.read_only_hint,
            "reviewed": reviewed.annotations.read_only_hint,
            "changed": changed.description,
        }
    print(json.dumps(answer))


asyncio.run(main())
