import { describe, expect, it } from 'vitest';
import { parseMarkdown, type Block, type Inline } from '../src/text/markdown';

/** Every node of the tree. */
function nodes(list: (Block | Inline)[]): (Block | Inline)[] {
  return list.flatMap((node) => {
    const below: (Block | Inline)[] = [];
    if ('inside' in node) below.push(...node.inside);
    if ('blocks' in node) below.push(...node.blocks);
    if (node.kind === 'list') below.push(...node.items.flat());
    if (node.kind === 'table') below.push(...node.head.flat(), ...node.rows.flat(2));
    return [node, ...nodes(below)];
  });
}
const all = (source: string) => nodes(parseMarkdown(source));
const links = (source: string) => all(source).flatMap((node) => (node.kind === 'link' ? [node.href] : []));
const words = (source: string) => all(source).flatMap((node) => ('text' in node ? [node.text] : [])).join('');

describe('Markdown cannot do harm', () => {
  it('keeps tags as the text they are', () => {
    expect(words('a <img src=x onerror=alert(1)> <script>b</script>')).toBe('a <img src=x onerror=alert(1)> <script>b</script>');
  });

  it.each(['javascript:alert(1)', 'JaVaScRiPt:alert(1)', 'data:text/html,x', 'vbscript:x', '//evil.example', '/api/kill', 'file:///etc/passwd', '\u0001javascript:x'])(
    'makes no link to %s',
    (href) => expect(links(`[here](${href})`)).toEqual([]),
  );

  it('loads no picture: it becomes a link with its words', () => {
    expect(all('![cat](https://example.org/cat.png)').map((node) => node.kind)).toEqual(['paragraph', 'link', 'text']);
  });

  it.each(['*'.repeat(5000), '['.repeat(5000), '> '.repeat(2000) + 'x', '`'.repeat(3001), '- '.repeat(2000) + 'x', '|'.repeat(4000) + '\n' + '|-'.repeat(2000), '_a'.repeat(3000), '**a '.repeat(1500), '*a* '.repeat(5000), '[a](https://b.c) `d` '.repeat(1000), '![['.repeat(3000), '(https://a'.repeat(3000)])(
    'survives a hostile text in reasonable time',
    (text) => {
      const begun = performance.now();
      parseMarkdown(text);
      expect(performance.now() - begun).toBeLessThan(1500);
    },
  );
});

describe('Markdown reads well', () => {
  it('finds emphasis, code and links, and leaves snake_case alone', () => {
    expect(all('**bold** `code` docker_list_all [x](https://a.example/b_(c))').map((node) => node.kind)).toEqual(
      ['paragraph', 'strong', 'text', 'text', 'code', 'text', 'link', 'text'],
    );
    expect(links('see https://a.example/x.')).toEqual(['https://a.example/x']);
  });

  it('shows nothing inside code as anything else', () => {
    expect(parseMarkdown('```sh\n**not bold** <b>\n```')).toEqual([{ kind: 'code', language: 'sh', text: '**not bold** <b>' }]);
  });

  it('reads an unfinished fence as it streams in', () => {
    expect(parseMarkdown('```\nhalf')).toEqual([{ kind: 'code', language: '', text: 'half' }]);
  });

  it('reads lists with lists within, and tables', () => {
    const [list] = parseMarkdown('1. one\n   - inner\n2. two');
    expect(list).toMatchObject({ kind: 'list', ordered: true, items: [[{ kind: 'paragraph' }, { kind: 'list', ordered: false }], [{ kind: 'paragraph' }]] });
    expect(parseMarkdown('| a | b |\n|---|:-:|\n| 1 | 2 |')[0]).toMatchObject({ kind: 'table', head: { length: 2 }, rows: { length: 1 } });
  });
});
