// The small part of Markdown that an answer needs, parsed to a tree that components render. There is no way from text
// to HTML here: raw tags stay text, pictures become links (nothing remote is loaded), and only http, https and mailto
// addresses become links.

export type Inline =
  | { kind: 'text'; text: string }
  | { kind: 'code'; text: string }
  | { kind: 'strong' | 'em' | 'strike'; inside: Inline[] }
  | { kind: 'link'; href: string; inside: Inline[] }
  | { kind: 'break' };

export type Block =
  | { kind: 'paragraph'; inside: Inline[] }
  | { kind: 'heading'; level: number; inside: Inline[] }
  | { kind: 'code'; language: string; text: string }
  | { kind: 'quote'; blocks: Block[] }
  | { kind: 'list'; ordered: boolean; start: number; items: Block[][] }
  | { kind: 'table'; head: Inline[][]; rows: Inline[][][] }
  | { kind: 'rule' };

const DEEPEST = 6;

export function parseMarkdown(source: string, depth = 0): Block[] {
  const lines = source.replace(/\r\n?/g, '\n').split('\n');
  const blocks: Block[] = [];
  let at = 0;
  while (at < lines.length) {
    if (lines[at]!.trim() === '') {
      at += 1;
      continue;
    }
    const [block, next] = readBlock(lines, at, depth);
    blocks.push(block);
    at = next;
  }
  return blocks;
}

type Read = [Block, number];

function readBlock(lines: string[], at: number, depth: number): Read {
  return (
    readFence(lines, at) ?? readHeading(lines, at) ?? readRule(lines, at) ??
    (depth < DEEPEST ? (readQuote(lines, at, depth) ?? readList(lines, at, depth)) : null) ??
    readTable(lines, at) ?? readParagraph(lines, at)
  );
}

function readFence(lines: string[], at: number): Read | null {
  const open = /^ {0,3}(`{3,}|~{3,})\s*([\w+#.-]*)[^`]*$/.exec(lines[at]!);
  if (!open) return null;
  const fence = open[1]!;
  let end = at + 1;
  while (end < lines.length && !(lines[end]!.trim().startsWith(fence) && lines[end]!.trim().replaceAll(fence[0]!, '') === '')) end += 1;
  return [{ kind: 'code', language: open[2]!, text: lines.slice(at + 1, end).join('\n') }, end + 1];
}

function readHeading(lines: string[], at: number): Read | null {
  const found = /^ {0,3}(#{1,6})\s+(.*?)\s*#*$/.exec(lines[at]!);
  return found && [{ kind: 'heading', level: found[1]!.length, inside: parseInline(found[2]!) }, at + 1];
}

function readRule(lines: string[], at: number): Read | null {
  return /^ {0,3}([-*_])( *\1){2,} *$/.test(lines[at]!) ? [{ kind: 'rule' }, at + 1] : null;
}

function readQuote(lines: string[], at: number, depth: number): Read | null {
  let end = at;
  while (end < lines.length && /^ {0,3}>/.test(lines[end]!)) end += 1;
  if (end === at) return null;
  const inner = lines.slice(at, end).map((line) => line.replace(/^ {0,3}> ?/, ''));
  return [{ kind: 'quote', blocks: parseMarkdown(inner.join('\n'), depth + 1) }, end];
}

const bullet = /^( {0,3})([-*+]|\d{1,9}[.)])(\s+)(.*)$/;

function readList(lines: string[], at: number, depth: number): Read | null {
  const first = bullet.exec(lines[at]!);
  if (!first) return null;
  const ordered = /\d/.test(first[2]!);
  const items: string[][] = [];
  let next = at;
  for (; next < lines.length; next += 1) {
    const line = lines[next]!;
    const item = bullet.exec(line);
    if (item && /\d/.test(item[2]!) === ordered) items.push([item[4]!]);
    else if (line.trim() === '' && /^( {2,}|\t)\S/.test(lines[next + 1] ?? '')) items.at(-1)!.push('');
    else if (/^( {2,}|\t)/.test(line)) items.at(-1)!.push(line.replace(/^( {1,4}|\t)/, ''));
    else if (line.trim() !== '' && !item && lines[next - 1]!.trim() !== '' && !startsBlock(line)) items.at(-1)!.push(line);
    else if (!(line.trim() === '' && bullet.test(lines[next + 1] ?? ''))) break;
  }
  const blocks = items.map((item) => parseMarkdown(item.join('\n'), depth + 1));
  return [{ kind: 'list', ordered, start: ordered ? Number.parseInt(first[2]!, 10) : 1, items: blocks }, next];
}

const startsBlock = (line: string) => /^ {0,3}(#{1,6}\s|>|```|~~~)/.test(line);

function readTable(lines: string[], at: number): Read | null {
  const below = lines[at + 1];
  if (!lines[at]!.includes('|') || !below || !/^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/.test(below) || !below.includes('-')) return null;
  let end = at + 2;
  while (end < lines.length && lines[end]!.includes('|')) end += 1;
  const cells = (line: string) => line.trim().replace(/^\||\|$/g, '').split('|').map((cell) => parseInline(cell.trim()));
  return [{ kind: 'table', head: cells(lines[at]!), rows: lines.slice(at + 2, end).map(cells) }, end];
}

function readParagraph(lines: string[], at: number): Read {
  let end = at + 1;
  while (end < lines.length && lines[end]!.trim() !== '' && !startsBlock(lines[end]!) && !bullet.test(lines[end]!)) end += 1;
  return [{ kind: 'paragraph', inside: parseInline(lines.slice(at, end).join('\n').trim()) }, end];
}

interface Rule { pattern: RegExp; make: (found: RegExpExecArray, depth: number) => Inline }

const rules: Rule[] = [
  { pattern: /(`+)([^`]|[^`][\s\S]*?[^`])\1(?!`)/, make: (found) => ({ kind: 'code', text: found[2]!.replace(/^ (.+) $/, '$1') }) },
  { pattern: /!?\[([^\[\]\n]*)\]\(([^\s()<>]*(?:\([^\s()<>]*\)[^\s()<>]*)*)(?:\s+"[^"\n]*")?\)/, make: (found, depth) => link(found[2]!, found[1]!, found[0], depth) },
  { pattern: /\bhttps?:\/\/[^\s<>"'`)\]]*[^\s<>"'`)\].,;:!?]/, make: (found) => ({ kind: 'link', href: found[0], inside: [{ kind: 'text', text: found[0] }] }) },
  { pattern: /\*\*(?=\S)([\s\S]*?\S)\*\*/, make: (found, depth) => ({ kind: 'strong', inside: parseInline(found[1]!, depth + 1) }) },
  { pattern: /(?<![\p{L}\p{N}_])__(?=\S)([\s\S]*?\S)__(?![\p{L}\p{N}_])/u, make: (found, depth) => ({ kind: 'strong', inside: parseInline(found[1]!, depth + 1) }) },
  { pattern: /~~(?=\S)([\s\S]*?\S)~~/, make: (found, depth) => ({ kind: 'strike', inside: parseInline(found[1]!, depth + 1) }) },
  { pattern: /\*(?=[^\s*])([^*]*?[^\s*])\*(?!\*)/, make: (found, depth) => ({ kind: 'em', inside: parseInline(found[1]!, depth + 1) }) },
  { pattern: /(?<![\p{L}\p{N}_])_(?=[^\s_])([^_]*?[^\s_])_(?![\p{L}\p{N}_])/u, make: (found, depth) => ({ kind: 'em', inside: parseInline(found[1]!, depth + 1) }) },
  { pattern: / {2,}\n|\\\n/, make: () => ({ kind: 'break' }) },
];

/** Each rule looks ahead once and is asked again only when its find was passed, so the cost stays that of the text. */
export function parseInline(text: string, depth = 0): Inline[] {
  const out: Inline[] = [];
  const ahead = (depth < DEEPEST ? rules : []).map((rule) => ({ rule, found: seek(rule, text, 0) }));
  let at = 0;
  for (;;) {
    let best: { rule: Rule; found: RegExpExecArray } | null = null;
    for (const one of ahead) {
      if (one.found && one.found.index < at) one.found = seek(one.rule, text, at);
      if (one.found && (best === null || one.found.index < best.found.index)) best = { rule: one.rule, found: one.found };
    }
    const end = best ? best.found.index : text.length;
    if (end > at) out.push({ kind: 'text', text: text.slice(at, end) });
    if (best === null) return out;
    out.push(best.rule.make(best.found, depth));
    at = end + best.found[0].length;
  }
}

function seek(rule: Rule, text: string, from: number): RegExpExecArray | null {
  const pattern = new RegExp(rule.pattern, rule.pattern.flags + 'g');
  pattern.lastIndex = from;
  return pattern.exec(text);
}

/** A link to anywhere but the web or a mailbox stays the text it was. */
function link(href: string, words: string, whole: string, depth: number): Inline {
  if (!/^(https?:\/\/|mailto:)/i.test(href)) return { kind: 'text', text: whole };
  return { kind: 'link', href, inside: words === '' ? [{ kind: 'text', text: href }] : parseInline(words, depth + 1) };
}
