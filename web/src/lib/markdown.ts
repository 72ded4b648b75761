import createPurify from 'dompurify';
import { Marked, type Tokens } from 'marked';
import { BoundedLexer, beginCount, countElements, countPlace } from './markdown-bounds.ts';

/**
 * The part of Markdown that people write in messages: bold, italic, struck out, code, lists and links. Everything else, HTML
 * above all, stays the text that it is. What comes out is sanitised besides, so that a mistake in one is caught by the other.
 * Only state/markdown.svelte.ts imports this, when a message needs it: to start these libraries takes as long as all else.
 */

const TAGS = ['p', 'br', 'strong', 'em', 'del', 'code', 'pre', 'ul', 'ol', 'li', 'a'];
const ATTRIBUTES = ['href', 'start', 'rel', 'target', 'dir'];
const SAFE_ADDRESS = /^(?:https?:\/\/|mailto:)/i;

const CACHE_SIZE = 500;

const marked = new Marked({ gfm: true, breaks: true });
const never = () => undefined;
marked.use({
  hooks: {
    provideLexer: () => (source, options) => new BoundedLexer(options).lex(source),
  },
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
    // These two are asked first at each place, of blocks and in a line.
    space: countPlace,
    escape: countPlace,
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
/** HTML by message; null where a message stays as it was typed, so that what was slow once is not tried again. */
const cache = new Map<string, string | null>();

/**
 * The message as HTML, or undefined where it is to be shown as it was typed: because that is what its writer means, or because
 * it would take too long to draw otherwise. Never throws.
 */
export function toHtml(content: string): string | undefined {
  let html = cache.get(content);
  if (html === undefined) {
    html = toHtmlUncached(content) ?? null;
    cache.set(content, html);
    if (cache.size > CACHE_SIZE) cache.delete(cache.keys().next().value!);
  }
  return html ?? undefined;
}

/** As `toHtml`, each time anew: for what measures. */
export function toHtmlUncached(content: string): string | undefined {
  try {
    beginCount(content);
    const html = marked.parse(content, { async: false });
    countElements(html);
    return sanitized(html);
  } catch {
    return undefined;
  }
}

function sanitized(html: string): string {
  return purify.sanitize(html, {
    ALLOWED_TAGS: TAGS,
    ALLOWED_ATTR: ATTRIBUTES,
    ALLOWED_URI_REGEXP: SAFE_ADDRESS,
    // These hold no address, so that pattern is not for them.
    ADD_URI_SAFE_ATTR: ['rel', 'target', 'start', 'dir'],
  });
}

/** Once at the start, so that no message waits, or stays plain, while the browser makes the patterns ready. */
toHtmlUncached('- **a** _b_ ~c~ `d` [e](https://e.example) f@g.example\n\n1. h\n\n```\ni\n```');

function escapeHtml(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}
