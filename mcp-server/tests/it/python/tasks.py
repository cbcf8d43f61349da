"""A client with the extension for tasks is given one for a call that waits for a person; one without it is held."""

import asyncio
import json
import os
import subprocess
from typing import Any, Literal

import httpx2
import mcp.types as types
from mcp import Client
from mcp.client.extension import ClientExtension, ResultClaim
from mcp.client.streamable_http import streamable_http_client

seen = []


def jarvis(*words):
    done = subprocess.run([os.environ["JARVIS"], *words, "--json"], capture_output=True, text=True)
    return json.loads(done.stdout)


class Task(types.Result):
    result_type: Literal["task"] = "task"
    taskId: str
    status: str


class State(types.Result):
    status: str
    statusMessage: str | None = None
    result: dict[str, Any] | None = None


class GetTask(types.Request[dict[str, Any], str]):
    method: str = "tasks/get"
    name_param = "taskId"
    params: dict[str, Any]


class Tasks(ClientExtension):
    identifier = "io.modelcontextprotocol/tasks"

    def claims(self):
        return [ResultClaim(result_type="task", model=Task, resolve=self.wait)]

    async def wait(self, task, context):
        approved = False
        while True:
            state = await context.session.send_request(GetTask(params={"taskId": task.taskId}), State)
            if not approved and "waiting for a person" in (state.statusMessage or ""):
                seen.append(state.status)
                await asyncio.to_thread(jarvis, "approve", jarvis("approvals")["approvals"][0]["id"], "--wait", "0")
                approved = True
            if state.status not in ("working", "input_required"):
                seen.append(state.status)
                return types.CallToolResult.model_validate(state.result)


def code(result):
    return json.loads(result.content[-1].text)["code"] if result.is_error else "done"


async def main():
    headers = {"Authorization": "Bearer " + os.environ["TOKEN"]}
    http = httpx2.AsyncClient(headers=headers, timeout=60)
    transport = streamable_http_client(os.environ["MCP_URL"], http_client=http)
    async with Client(transport, mode=os.environ["MODE"], extensions=[Tasks()]) as client:
        called = await client.call_tool("command_run", {"program": "true", "args": ["task"]})
    print(json.dumps({"seen": seen, "called": code(called)}))


asyncio.run(main())
