import { describe, expect, it } from 'vitest';
import { faultsOf, fieldOf, isHome } from '../src/settings/fault';
import { whereOf } from '../src/settings/where';
import type { SettingsInfo } from '../src/wire';

const good: SettingsInfo = {
  autonomy: { default: 3, rules: [{ target: 'postgres*', level: 1 }] },
  model: { url: 'http://127.0.0.1:11434/v1', name: '', key: 'env:OPENAI_KEY', context: 8192, cloud_accepted: false },
  roots: [{ path: '/srv', write: true }], hosts: ['example.org', '*.example.org', 'nas'], approval_minutes: 15, mcp_hold_seconds: 20, audit_reads: 'wal',
};

describe('settings', () => {
  it('that are right have no fault', () => expect(faultsOf(good)).toEqual({}));

  it('that are wrong are told by field', () => {
    const bad: SettingsInfo = {
      ...good, autonomy: { default: 3, rules: [{ level: 1 }] }, model: { ...good.model!, url: 'ftp://a', key: 'sk-123', context: 5 },
      roots: [{ path: 'srv', write: false }, { path: '/a', write: false }, { path: '/a', write: true }], hosts: ['https://a.b', '*.org'], approval_minutes: 0, mcp_hold_seconds: 51,
    };
    expect(Object.keys(faultsOf(bad)).sort()).toEqual(
      ['approval_minutes', 'autonomy.rules[0]', 'hosts[0]', 'hosts[1]', 'mcp_hold_seconds', 'model.context', 'model.key', 'model.url', 'roots[0]', 'roots[2]'],
    );
    expect(faultsOf(bad)['model.key']).not.toContain('sk-123');
  });

  it('take a key by any reference, and only by one', () => {
    const fault = (key: string) => faultsOf({ ...good, model: { ...good.model!, key } })['model.key'];
    for (const key of ['secret://model-key', `secret://${'a'.repeat(64)}`, 'env:OPENAI_KEY', 'file:/etc/key']) expect(fault(key), key).toBeUndefined();
    for (const key of ['secret://', 'secret://a/b', `secret://${'a'.repeat(65)}`, 'secret:model-key', 'sk-123']) expect(fault(key), key).toContain('a reference');
  });

  it('a sentence of the server finds its field', () => {
    expect(fieldOf('roots: `/srv` cannot be entered (os error 2); it must be a folder that exists. Nothing was changed', good)).toBe('roots[0]');
    expect(fieldOf('hosts: `*.example.org` is no host', good)).toBe('hosts[1]');
    expect(fieldOf('model.key must be a reference', good)).toBe('model.key');
    expect(fieldOf('autonomy.rules[2].target must have', good)).toBe('autonomy.rules[2]');
    expect(fieldOf('something else', good)).toBe('');
  });

  it('home is this machine and private networks', () => {
    for (const url of ['http://localhost:1/v1', 'http://10.0.0.2/v1', 'http://172.20.1.1/v1', 'http://[fd00::1]/v1', 'http://gpu.lan/v1', 'http://gpu/v1']) expect(isHome(url), url).toBe(true);
    for (const url of ['https://api.openai.com/v1', 'http://172.32.0.1/v1', 'http://8.8.8.8/v1']) expect(isHome(url), url).toBe(false);
  });
});

describe('a command that reaches this Jarvis', () => {
  const found = (path: string) => whereOf({ findings: [{ what: 'data directory', state: 'ok', found: path }] });

  it('names his data directory unless it is the usual one', () => {
    expect(found('/srv/jarvis')).toEqual(['--data', '/srv/jarvis']);
    expect([found('/home/a/.local/share/jarvis'), found('cannot be read'), whereOf(null)]).toEqual([[], [], []]);
  });
});
