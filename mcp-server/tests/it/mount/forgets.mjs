// An MCP server over HTTP that does what it is told and then has forgotten the session, so that the client tells it again.
import { createServer } from 'node:http';

let sessions = 0;
const came = [];
const tools = [{ name: 'came', description: 'Tells what came with each call.', inputSchema: { type: 'object' } }];
const answers = {
  initialize: () => ({ protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'forgets', version: '1' } }),
  'tools/list': () => ({ tools }),
  'tools/call': () => ({ content: [{ type: 'text', text: JSON.stringify(came) }] }),
};

const server = createServer((request, response) => {
  if (request.method !== 'POST') return response.writeHead(405).end();
  let body = '';
  request.on('data', (piece) => (body += piece));
  request.on('end', () => {
    const { id, method, params } = JSON.parse(body);
    if (id === undefined) return response.writeHead(202).end();
    if (method === 'tools/call') came.push(params._meta);
    if (method === 'tools/call' && came.length === 1) return response.writeHead(404).end();
    if (method === 'initialize') sessions += 1;
    const session = sessions > 0 ? { 'mcp-session-id': `${sessions}` } : {};
    response.writeHead(200, { 'content-type': 'application/json', ...session });
    const result = answers[method]?.();
    const told = result ? { result } : { error: { code: -32601, message: 'no such method' } };
    response.end(JSON.stringify({ jsonrpc: '2.0', id, ...told }));
  });
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
