// The same call from a terminal and over MCP.

import type { Args } from '../wire';

/** For a POSIX shell: nothing within single quotes is read by it. */
export const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

export function cliLine(tool: string, args: Args): string {
  return Object.keys(args).length === 0 ? `jarvis call ${tool}` : `jarvis call ${tool} ${quoted(JSON.stringify(args))}`;
}

export function mcpCall(tool: string, args: Args): string {
  return JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: tool, arguments: args } }, null, 2);
}
