"""The Python SDK with one tool, no token, no policy, no audit: stateless, answers in JSON, on uvicorn."""

import socket

import uvicorn
from mcp.server import MCPServer

server = MCPServer("bench", log_level="ERROR")


@server.tool(structured_output=False)
async def echo(text: str) -> str:
    """Gives back a text."""
    return text


# Named as TCP, or asyncio would not send small answers at once.
listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
listener.bind(("127.0.0.1", 0))
print("listens on http://127.0.0.1:%d" % listener.getsockname()[1], flush=True)
app = server.streamable_http_app(json_response=True, stateless_http=True)
uvicorn.Server(uvicorn.Config(app, log_level="error")).run(sockets=[listener])
