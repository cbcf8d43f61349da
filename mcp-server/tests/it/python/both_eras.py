"""Lists, calls, is held for an approval, and fetches its outcome: once."""

import asyncio
import json
import os
import subprocess

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client


def jarvis(*words):
    done = subprocess.run([os.environ["JARVIS"], *words, "--json"], capture_output=True, text=True)
    return json.loads(done.stdout)


def code(result):
    return json.loads(result.content[-1].text)["code"] if result.is_error else "done"


async def main():
    headers = {"Authorization": "Bearer " + os.environ["TOKEN"]}
    http = httpx2.AsyncClient(headers=headers, timeout=60)
    named = {"container": os.environ["CONTAINER"]}
    async with Client(streamable_http_client(os.environ["MCP_URL"], http_client=http), mode=os.environ["MODE"]) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        told = {
            "version": client.protocol_version,
            "read_only": tools["docker_list"].annotations.read_only_hint,
            "destructive": tools["docker_remove"].annotations.destructive_hint,
            "restart": bool((await client.call_tool("docker_restart", named)).is_error),
        }
        held = await client.call_tool("docker_stop", named)
        told["held"] = code(held)
        approval = json.loads(held.content[-1].text)["approval_id"]
        await asyncio.to_thread(jarvis, "approve", approval, "--wait", "0")
        while jarvis("approvals", "--all")["approvals"][0]["state"] != "done":
            await asyncio.sleep(0)
        told["fetched"] = code(await client.call_tool("docker_stop", named))
        told["asked_again"] = code(await client.call_tool("docker_stop", named))
        again = jarvis("approvals")["approvals"][0]["id"]
        jarvis("deny", again, "--because", "enough")
        await client.call_tool("docker_stop", named)
        await client.call_tool("docker_start", named)
    print(json.dumps(told))


asyncio.run(main())
