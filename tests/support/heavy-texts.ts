import type { Random } from './random.ts';

/**
 * Texts that are hard to draw: what a stranger would send to hold up a reader. A fragment that Markdown or a pattern looks
 * at is repeated, nested, put before and behind others, and mixed; few letters are random, for random letters are easy.
 */

const LENGTH = 4000;

/** Between bars; a comment says what they are about. */
const FRAGMENTS = [
  // Lists and tasks
  '- ¦* ¦+ ¦1. ¦2) ¦123456789. ¦- [ ] ¦- [x] ¦-¦- \n¦1.\n¦  - ¦    - ¦\t- ¦-\t',
  // Emphasis, strikethrough, code
  '*¦**¦***¦_¦__¦~¦~~¦*a¦a*¦*a*¦**a**¦_a_¦~~a~~¦*a_¦**a *¦~a¦a~¦.*',
  '`¦``¦```¦`a`¦``a`¦```\n¦~~~\n¦```js\na\n```\n¦\\`¦ `¦`\n',
  // Links and brackets
  '[¦]¦(¦)¦[]¦[](¦[a](¦[a](b)¦[a](b "c")¦[a](<b¦![a](b)¦[[a](b)](c)¦](¦[a¦![¦![',
  '[a][b]¦[a]: b\n¦[a](b "¦[a](b \'¦[a](b (¦[`¦[<¦[\\]¦()¦(a¦a)¦[*a*](b)¦[a](https://a.b)',
  // Addresses
  'http://¦https://a.b¦http://a.b/c?d=e&f;¦www.¦www.a.b¦<http://a¦<a@b.c>¦a@b.c ¦a@¦@¦a.¦.a',
  'a@b.c¦a@a¦@a.¦mailto:¦xmpp:¦mailto:a@b¦a-¦a_¦-.¦+¦HTTPS://¦ftp://a¦a@b_',
  // Escapes, references, HTML
  '\\¦\\\\¦\\*¦\\[¦&¦&a;¦&#1¦&#x41;¦&amp¦&lt;¦<¦>¦<a¦<a>¦</a>¦<a b="¦<!--¦<?¦<!a ',
  // Lines and white space of all kinds
  '\n¦\n\n¦\r\n¦\r¦ ¦  ¦    ¦\t¦ \n¦  \n¦\n ¦\n\t¦\u00a0¦\u2003¦\u2028¦\u2029¦\ufeff',
  '\f¦\v¦\u0085¦\u3000¦\u200b¦\u2003\n¦\n\u00a0¦a\n¦a\n\n¦a\r\n¦a  \n',
  // What begins a block of the Markdown that messages have not
  '#¦# a\n¦> ¦>¦> > ¦---\n¦- - -\n¦***\n¦===\n¦a\n---\n¦|¦|a|¦|-|\n¦a|b\n-|-\n¦:-¦-\n¦<div>\n',
  // Letters
  'a¦ab¦1¦é¦日本¦👍¦👩‍👩‍👧¦\u0301¦\u05d0¦\ud800¦!¦.¦,¦:¦;¦?¦"¦\'¦a b ¦12¦xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx',
].flatMap((group) => group.split('¦'));

/** A text of up to 4,000 characters that loves the dangerous. */
export function heavyText(random: Random): string {
  const text = random.weighted({ repeated: 5, nested: 2, mixed: 2, layers: 3, lines: 3 });
  const length = random.chance(0.15) ? LENGTH : 1 + random.int(1 + random.int(LENGTH));
  return cut(SHAPES[text](random, length), length);
}

/** A text made a little different, in the hope that it is slower. */
export function mutated(random: Random, text: string): string {
  const at = random.int(text.length + 1);
  const end = Math.min(text.length, at + random.int(200));
  const part = some(random);
  const changed = random.weighted({ insert: 3, repeat: 3, remove: 1, replace: 2, before: 1, behind: 1, all: 1 });
  switch (changed) {
    case 'insert':
      return cut(text.slice(0, at) + part + text.slice(at), LENGTH);
    case 'repeat':
      return cut(text.slice(0, at) + text.slice(at, end).repeat(1 + random.int(40)) + text.slice(end), LENGTH);
    case 'remove':
      return text.slice(0, at) + text.slice(end);
    case 'replace':
      return cut(text.slice(0, at) + filled(part, end - at) + text.slice(end), LENGTH);
    case 'before':
      return cut(part + text, LENGTH);
    case 'behind':
      return cut(text, LENGTH - part.length) + part;
    case 'all':
      return cut(text.replaceAll(random.pick(FRAGMENTS)!, part), LENGTH);
  }
}

type Shape = (random: Random, length: number) => string;

const SHAPES: Record<'repeated' | 'nested' | 'mixed' | 'layers' | 'lines', Shape> = {
  repeated: (random, length) => maybe(random) + filled(some(random), length - 8) + maybe(random),
  nested(random, length) {
    const [open, middle, close] = [some(random), maybe(random), some(random)];
    const times = Math.max(1, Math.floor((length - middle.length) / (open.length + close.length)));
    return open.repeat(times) + middle + close.repeat(times);
  },
  mixed(random, length) {
    const parts = Array.from({ length: 2 + random.int(4) }, () => random.pick(FRAGMENTS)!);
    let text = '';
    while (text.length < length) text += random.pick(parts)!;
    return text;
  },
  layers(random, length) {
    let text = '';
    const count = 2 + random.int(4);
    for (let layer = 0; layer < count; layer++) text += filled(some(random), Math.floor(length / count));
    return text + maybe(random);
  },
  lines(random, length) {
    const [indent, mark, rest] = [random.pick([' ', '  ', '    ', '\t', ''])!, some(random), maybe(random)];
    const end = random.pick(['\n', '\n', '\n\n', '\r\n', ' \n'])!;
    const width = random.int(12);
    let text = '';
    for (let line = 0; text.length < length; line++) text += indent.repeat(line % (width + 1)) + mark + rest + end;
    return text;
  },
};

/** One to three fragments. */
function some(random: Random): string {
  let text = '';
  for (let count = 1 + random.int(3); count > 0; count--) text += random.pick(FRAGMENTS)!;
  return text;
}

function maybe(random: Random): string {
  return random.chance(0.6) ? some(random) : '';
}

function filled(part: string, length: number): string {
  return part.repeat(Math.max(1, Math.floor(length / part.length)));
}

function cut(text: string, length: number): string {
  return text.slice(0, Math.max(0, length));
}
