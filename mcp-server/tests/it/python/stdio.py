"""`jarvis mcp` as a client starts it."""

import asyncio
import json
import os

from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client


async def main():
    environment = {"JARVIS_DATA": os.environ["JARVIS_DATA"], "PATH": os.environ["PATH"]}
    server = StdioServerParameters(command=os.environ["JARVIS"], args=["mcp"], env=environment)
    async with Client(stdio_client(server), mode="auto") as client:
        tools = [tool.name for tool in (await client.list_tools()).tools]
        info = await client.call_tool("system_info", {})
    print(json.dumps({"tools": tools, "info": bool(info.is_error)}))


asyncio.run(main())
