"""A task that waits for a yellow call asks its client with a form; one that waits for a red call never does."""

import asyncio
import json
import os
from typing import Any, Literal

import httpx2
import mcp.types as types
from mcp import Client
from mcp.client.extension import ClientExtension, ResultClaim
from mcp.client.streamable_http import streamable_http_client

answers = []


class Task(types.Result):
    result_type: Literal["task"] = "task"
    taskId: str
    status: str


class State(types.Result):
    status: str
    statusMessage: str | None = None
    inputRequests: dict[str, Any] | None = None
    result: dict[str, Any] | None = None


class GetTask(types.Request[dict[str, Any], str]):
    method: str = "tasks/get"
    name_param = "taskId"
    params: dict[str, Any]


class UpdateTask(GetTask):
    method: str = "tasks/update"


class CancelTask(GetTask):
    method: str = "tasks/cancel"


class Tasks(ClientExtension):
    identifier = "io.modelcontextprotocol/tasks"

    def __init__(self):
        self.seen = []
        self.asked = None

    def claims(self):
        return [ResultClaim(result_type="task", model=Task, resolve=self.wait)]

    async def wait(self, task, context):
        self.seen, decided = [], False
        while True:
            state = await context.session.send_request(GetTask(params={"taskId": task.taskId}), State)
            if not self.seen or self.seen[-1] != state.status:
                self.seen.append(state.status)
            if state.status == "input_required":
                (key, request), = state.inputRequests.items()
                self.asked = request
                unasked = {"taskId": task.taskId, "inputResponses": {"other": {"action": "accept"}}}
                await context.session.send_request(UpdateTask(params=unasked), types.EmptyResult)
                filled = {"taskId": task.taskId, "inputResponses": {key: answers.pop(0)}}
                await context.session.send_request(UpdateTask(params=filled), types.EmptyResult)
                decided = True
            # What was decided may wait for a moment until its job is taken up again.
            if state.status == "working" and "waiting for a person" in (state.statusMessage or "") and not decided:
                forged = {"approval": {"action": "accept", "content": {"decision": "approve"}}}
                update = {"taskId": task.taskId, "inputResponses": forged}
                await context.session.send_request(UpdateTask(params=update), types.EmptyResult)
                await context.session.send_request(CancelTask(params={"taskId": task.taskId}), types.EmptyResult)
            if state.status in ("completed", "failed"):
                return types.CallToolResult.model_validate(state.result)
            if state.status == "cancelled":
                return types.CallToolResult(content=[types.TextContent(type="text", text="{\"code\": \"cancelled\"}")], isError=True)


async def fill(context, params):
    raise AssertionError("the form comes with the task")


def code(result):
    return json.loads(result.content[-1].text)["code"] if result.is_error else "done"


async def main():
    headers = {"Authorization": "Bearer " + os.environ["TOKEN"]}
    http = httpx2.AsyncClient(headers=headers, timeout=60)
    transport = streamable_http_client(os.environ["MCP_URL"], http_client=http)
    tasks, told = Tasks(), {}
    async with Client(transport, mode="2026-07-28", extensions=[tasks], elicitation_callback=fill) as client:
        for name, decision in [("approve", "approve"), ("deny", "deny")]:
            answers.append({"action": "accept", "content": {"decision": decision}})
            called = await client.call_tool("wait", {"name": name, "millis": 10})
            told[name] = {"seen": tasks.seen, "code": code(called)}
        told["message"] = tasks.asked["params"]["message"]
        await client.call_tool("command_run", {"program": "true", "args": ["task"]})
        told["red"] = tasks.seen
    print(json.dumps(told))


asyncio.run(main())
