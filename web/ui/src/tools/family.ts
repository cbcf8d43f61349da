// Tools by family, with a word for each family.

import type { ToolInfo } from '../wire';

const names: Record<string, string> = {
  docker: 'Docker', compose: 'Compose', file: 'Files', http: 'Web', log: 'Logs', service: 'Services', system: 'This machine', memory: 'Memory',
};

export const familyWord = (family: string) => names[family] ?? family.replace(/^./, (first) => first.toUpperCase());

export interface Family { name: string; word: string; tools: ToolInfo[] }

/** Every word of the filter must occur in the name, the description, the tier or what it may touch. */
export function families(tools: ToolInfo[], filter: string): Family[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const found = tools.filter((tool) => {
    const text = `${tool.name} ${tool.description} ${tool.tier} ${tool.effects.join(' ')} ${tool.examples.join(' ')}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
  const byName = grouped(found);
  return [...byName].map(([name, list]) => ({ name, word: familyWord(name), tools: list }));
}

function grouped(tools: ToolInfo[]): Map<string, ToolInfo[]> {
  const groups = new Map<string, ToolInfo[]>();
  for (const tool of tools) groups.set(tool.family, [...(groups.get(tool.family) ?? []), tool]);
  return groups;
}

/** The first sentence of a description. */
export const firstSentence = (text: string) => /^.*?[.:](?=\s|$)/s.exec(text)?.[0].replace(/:$/, '.') ?? text;
