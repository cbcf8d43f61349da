// An MCP server over HTTP whose stream ends at once, and says that it may be opened again at once.
import { createServer } from 'node:http';

let opened = 0;
const tools = [{ name: 'echo', description: 'Says it again.', inputSchema: { type: 'object' } }];
const answers = {
  initialize: () => ({ protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'retry', version: '1' } }),
  'tools/list': () => ({ tools }),
  'tools/call': () => ({ content: [{ type: 'text', text: `${opened}` }] }),
};

const server = createServer((request, response) => {
  if (request.method === 'GET') {
    opened += 1;
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    return response.end('id: 1\nretry: 0\ndata: \n\n');
  }
  let body = '';
  request.on('data', (piece) => (body += piece));
  request.on('end', () => {
    const { id, method } = JSON.parse(body || '{}');
    if (id === undefined) return response.writeHead(202).end();
    const result = answers[method]?.();
    response.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': 's' });
    const told = result ? { result } : { error: { code: -32601, message: 'no such method' } };
    response.end(JSON.stringify({ jsonrpc: '2.0', id, ...told }));
  });
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
