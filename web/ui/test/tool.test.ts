import { describe, expect, it } from 'vitest';
import { draftFrom, emptyDraft, readDraft } from '../src/tools/draft';
import { cliLine, mcpCall } from '../src/tools/equivalent';
import { fieldsOf } from '../src/tools/schema';

const log = {
  $defs: { Priority: { oneOf: [{ const: 'error', description: 'An error.', type: 'string' }, { const: 'info', description: 'For information.', type: 'string' }] } },
  properties: {
    content: { type: 'string', description: 'The text.' },
    lines: { type: 'integer', minimum: 1, maximum: 2000, default: 100 },
    minutes: { type: ['integer', 'null'], minimum: 1, default: null },
    priority: { anyOf: [{ $ref: '#/$defs/Priority' }, { type: 'null' }], default: null, description: 'How grave.' },
    service: { type: ['string', 'null'], 'x-entity': 'service' },
    state: { type: 'string', enum: ['running', 'all'], default: 'all' },
    path: { type: 'string', 'x-entity': 'path', maxLength: 5 },
    follow: { type: 'boolean', default: false },
    tags: { type: 'array', items: { type: 'string' } },
    odd: { type: 'object' },
  },
  required: ['content', 'path'],
  type: 'object',
};
const fields = fieldsOf(log);
const field = (name: string) => fields.find((one) => one.name === name)!;

describe('a form from a schema', () => {
  it('shows first what the call acts on, then what is needed, a long text last among them', () => {
    expect(fields.slice(0, 2).map((one) => one.name)).toEqual(['path', 'content']);
  });

  it('knows the kind of every field, through references and null', () => {
    const kinds = Object.fromEntries(fields.map((one) => [one.name, one.kind]));
    expect(kinds).toEqual({
      content: 'long', lines: 'integer', minutes: 'integer', priority: 'choice', service: 'text', state: 'choice', path: 'text', follow: 'boolean', tags: 'list', odd: 'json',
    });
    expect(field('priority')).toMatchObject({ description: 'How grave.', choices: [{ value: 'error', word: 'An error.' }, { value: 'info', word: 'For information.' }] });
    expect(field('service').entity).toBe('service');
  });

  it('a reference to itself ends', () => {
    expect(fieldsOf({ properties: { a: { $ref: '#/properties/a' } } })[0]?.kind).toBe('json');
  });
});

describe('a draft', () => {
  const read = (given: Record<string, string>) => readDraft(fields, { ...emptyDraft(fields), path: 'a', ...given });

  it('sends only what was given', () => {
    expect(read({})).toEqual({ args: { path: 'a', content: '' }, faults: {} });
    expect(read({ lines: '5', follow: 'yes', tags: 'a\n\n b ', odd: '{"x":1}' }).args).toEqual({ path: 'a', content: '', lines: 5, follow: true, tags: ['a', 'b'], odd: { x: 1 } });
  });

  it('names what is wrong by the bounds of the schema', () => {
    const { faults } = read({ path: '', lines: '5000', minutes: '1.5', priority: 'loud', odd: '{' });
    expect(faults).toEqual({ path: 'needed', lines: 'at most 2000', minutes: 'a whole number is needed', priority: 'not one of the choices', odd: 'not JSON' });
    expect(read({ lines: '0' }).faults).toEqual({ lines: 'at least 1' });
    expect(read({ lines: 'ten' }).faults).toEqual({ lines: 'not a number' });
    expect(read({ path: 'abcdefg' }).faults).toEqual({ path: '2 characters too many' });
  });

  it('is filled from a link and reads back the same', () => {
    const args = { path: 'a', content: 'x\ny', lines: 3, follow: false, tags: ['p'] };
    expect(readDraft(fields, draftFrom(fields, args)).args).toEqual(args);
  });
});

describe('the same call elsewhere', () => {
  it('survives a shell', () => {
    expect(cliLine('file_write', { content: "it's $HOME" })).toBe(`jarvis call file_write '{"content":"it'\\''s $HOME"}'`);
    expect(cliLine('system_info', {})).toBe('jarvis call system_info');
  });

  it('is a whole MCP message', () => {
    expect(JSON.parse(mcpCall('a', { b: 1 }))).toEqual({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'a', arguments: { b: 1 } } });
  });
});
