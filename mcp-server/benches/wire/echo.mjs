// The TypeScript SDK with one tool, no token, no policy, no audit: what it offers for stateless serving on plain node:http.
import { createServer } from 'node:http';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { McpServer, createMcpHandler } from '@modelcontextprotocol/server';
import { z } from 'zod';

const inputSchema = z.object({ text: z.string() });

function make() {
    const server = new McpServer({ name: 'bench', version: '1' });
    server.registerTool('echo', { description: 'Gives back a text.', inputSchema }, async ({ text }) => ({
        content: [{ type: 'text', text }]
    }));
    return server;
}

const server = createServer(toNodeHandler(createMcpHandler(make)));
server.listen(0, '127.0.0.1', () => console.log(`listens on http://127.0.0.1:${server.address().port}`));
