import createPurify from 'dompurify';
import { Marked, type Tokens } from 'marked';

/**
 * The part of Markdown that people write in messages: bold, italic, struck out, code, lists and links. Everything else, HTML
 * above all, stays the text that it is. What comes out is sanitised besides, so that a mistake in one is caught by the other.
 * Only state/markdown.svelte.ts imports this, when a message needs it: to start these libraries takes as long as all else.
 */

const TAGS = ['p', 'br', 'strong', 'em', 'del', 'code', 'pre', 'ul', 'ol', 'li', 'a'];
const ATTRIBUTES = ['href', 'start', 'rel', 'target', 'dir'];
const SAFE_ADDRESS = /^(?:https?:\/\/|mailto:)/i;

/** Time to parse emphasis grows with the square of its marks, and one message is not to hold up the page. */
const MAX_EMPHASIS_MARKS = 300;
const CACHE_SIZE = 500;

const marked = new Marked({ gfm: true, breaks: true });
const never = () => undefined;
marked.use({
  tokenizer: {
    heading: never,
    lheading: never,
    hr: never,
    blockquote: never,
    table: never,
    html: never,
    tag: never,
    def: never,
    reflink: never,
    code: never, // only fences: an indented line is a line
    link(source) {
      // An image would load something from elsewhere: its text stays.
      return source.startsWith('!') ? undefined : false;
    },
  },
  renderer: {
    paragraph({ tokens }: Tokens.Paragraph) {
      return `<p dir="auto">${this.parser.parseInline(tokens)}</p>`;
    },
    checkbox({ checked }: Tokens.Checkbox) {
      return checked ? '☑ ' : '☐ ';
    },
    code({ text }: Tokens.Code) {
      return `<pre dir="ltr"><code>${escapeHtml(text)}</code></pre>`;
    },
    link({ href, tokens }: Tokens.Link) {
      const text = this.parser.parseInline(tokens);
      if (!SAFE_ADDRESS.test(href)) return text;
      return `<a href="${escapeHtml(href)}" target="_blank" rel="noopener noreferrer nofollow">${text}</a>`;
    },
  },
});

const purify = createPurify(window);
const cache = new Map<string, string>();

/** The message as HTML, or undefined where it is to be shown as it was typed. */
export function toHtml(content: string): string | undefined {
  if (hasTooManyMarks(content)) return undefined;
  const known = cache.get(content);
  if (known !== undefined) return known;
  const html = purify.sanitize(marked.parse(content, { async: false }), {
    ALLOWED_TAGS: TAGS,
    ALLOWED_ATTR: ATTRIBUTES,
    ALLOWED_URI_REGEXP: SAFE_ADDRESS,
    // These hold no address, so that pattern is not for them.
    ADD_URI_SAFE_ATTR: ['rel', 'target', 'start', 'dir'],
  });
  cache.set(content, html);
  if (cache.size > CACHE_SIZE) cache.delete(cache.keys().next().value!);
  return html;
}

function hasTooManyMarks(content: string): boolean {
  let marks = 0;
  for (const character of content) if (character === '*' || character === '_') marks++;
  return marks > MAX_EMPHASIS_MARKS;
}

function escapeHtml(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}
