"""What no form may confirm is shown as an address: opening it decides nothing, a person on the dashboard does."""

import asyncio
import json
import os
import subprocess

import httpx2
import mcp.types as types
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

shown = []
answers = []
approve = []


def jarvis(*words):
    done = subprocess.run([os.environ["JARVIS"], *words, "--json"], capture_output=True, text=True)
    return json.loads(done.stdout)


async def look(context, params):
    shown.append({"mode": params.mode, "url": getattr(params, "url", None)})
    if approve:
        # The person opens the page, signs in, and approves there.
        await asyncio.to_thread(jarvis, "approve", params.url.rsplit("/", 1)[1], "--wait", "0")
    return answers[-1]


def code(result):
    return json.loads(result.content[-1].text)["code"] if result.is_error else "done"


async def main():
    headers = {"Authorization": "Bearer " + os.environ["TOKEN"]}
    http = httpx2.AsyncClient(headers=headers, timeout=60)
    transport = streamable_http_client(os.environ["MCP_URL"], http_client=http)
    async with Client(transport, mode=os.environ["MODE"], elicitation_callback=look) as client:
        run = lambda word: client.call_tool("command_run", {"program": "true", "args": [os.environ["MODE"], word]})
        # A client that fills in a decision by itself has decided nothing.
        answers.append(types.ElicitResult(action="accept", content={"decision": "approve"}))
        forged = await run("one")
        answers.append(types.ElicitResult(action="decline"))
        declined = await run("two")
        approve.append(True)
        answers.append(types.ElicitResult(action="accept"))
        approved = await run("three")
    print(json.dumps({"shown": shown, "forged": code(forged), "declined": code(declined), "approved": code(approved)}))


asyncio.run(main())
