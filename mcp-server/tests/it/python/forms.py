"""A form approves yellow, denies with a word, and is never shown for orange."""

import asyncio
import json
import os

import httpx2
import mcp.types as types
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

answers = []
shown = []
pages = []


async def fill(context, params):
    if params.mode == "url":
        pages.append(params.url)
        return types.ElicitResult(action="accept", content=answers[-1])
    shown.append(params.message)
    return types.ElicitResult(action="accept", content=answers[-1])


def code(result):
    return json.loads(result.content[-1].text)["code"] if result.is_error else "done"


async def main():
    headers = {"Authorization": "Bearer " + os.environ["TOKEN"]}
    http = httpx2.AsyncClient(headers=headers, timeout=60)
    transport = streamable_http_client(os.environ["MCP_URL"], http_client=http)
    async with Client(transport, mode=os.environ["MODE"], elicitation_callback=fill) as client:
        write = lambda text: client.call_tool("file_write", {"path": os.environ["MODE"] + ".txt", "content": text})
        answers.append({"decision": "approve"})
        approved = await write("one")
        answers.append({"decision": "deny", "because": "no"})
        denied = await write("two")
        before = len(shown)
        answers.append({"decision": "approve"})
        await client.call_tool("http_fetch", {"url": "http://unlisted.example/"})
        told = {
            "approved": not approved.is_error and before >= 2,
            "denied": code(denied),
            "orange_forms": len(shown) - before,
        }
    print(json.dumps(told))


asyncio.run(main())
