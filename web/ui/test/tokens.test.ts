import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const css = readFileSync(new URL('../src/tokens.css', import.meta.url), 'utf8');

function tokensOf(mode: string): Record<string, string> {
  const block = new RegExp(`data-mode='${mode}'\\]\\s*\\{([^}]*)\\}`).exec(css)![1]!;
  return Object.fromEntries([...block.matchAll(/--([\w-]+):\s*(#[0-9a-f]{6})/g)].map((found) => [found[1]!, found[2]!]));
}

function luminance(hex: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
}

function contrast(a: string, b: string): number {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high! + 0.05) / (low! + 0.05);
}

const texts = ['text', 'bright', 'dim', 'accent', 'green', 'yellow', 'orange', 'red', 'unknown'];
const grounds = ['bg', 'bg-glow', 'raised', 'raised-2', 'sunk'];

describe.each(['hud', 'daylight', 'alert'])('in %s', (mode) => {
  const tokens = tokensOf(mode);

  it.each(texts)('%s can be read on every ground', (text) => {
    for (const ground of grounds) expect.soft(contrast(tokens[text]!, tokens[ground]!), `${text} on ${ground}`).toBeGreaterThanOrEqual(4.5);
  });

  it.each(['green', 'yellow', 'orange', 'red'])('the word on a %s chip can be read', (tier) => {
    expect(contrast(tokens['on-tier']!, tokens[tier]!)).toBeGreaterThanOrEqual(4.5);
  });
});
