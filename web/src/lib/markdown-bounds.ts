import { Lexer, type MarkedOptions, type Token, type TokensList } from 'marked';

/**
 * What keeps a message from holding up the page of whoever reads it. marked does work that grows with the square of a
 * message, or with its cube: where lists lie in lists, where marks have no partner, where lines are blank. Counts are bounded
 * first, so that a message looks the same for everybody; a time limit is the wall behind them.
 */

/** Longer messages are shown as they were typed. A limit of 4,000 characters is up to 8,000 of these. */
const MAX_LENGTH = 8000;
/** Each is an item, a paragraph or the end of a line: elements, all of them. */
const MAX_LINES = 300;
/**
 * Each mark of a paragraph, or of an item of a list, looks for its partner in what is left of it. This is marks times
 * characters, added up: fifty marks in one paragraph of 4,000 characters, two hundred in one of 1,000.
 */
const MAX_SEARCH = 200_000;
/** Lists in lists: six still leave room for words on a phone. */
const MAX_LIST_DEPTH = 6;
/** Emphasis in emphasis, and in links. */
const MAX_INLINE_DEPTH = 12;
/** Each costs the sanitiser and the layout of the page some time: together a seventh of a millisecond on a slow machine. */
const MAX_ELEMENTS = 300;
/** Places where marked asks what begins there: each costs about the same, or as much as what is left of the message. */
const MAX_PLACES = 2000;
/** The wall behind the counts. Patterns run to their end: the time is looked at between them, */
const LIMIT_MS = 25;
/** and only now and then: a short message is never plain because the machine was busy. */
const PLACES_BETWEEN = 64;

/** Thrown through marked by what takes too long. */
class TooMuch extends Error {}

let places = 0;
let searched = 0;
let deadline = 0;

/** Before a message is parsed; throws where it is too long to be. */
export function beginCount(content: string): void {
  if (content.length > MAX_LENGTH || count(content, /\n/g) > MAX_LINES) throw new TooMuch();
  places = 0;
  searched = 0;
  deadline = performance.now() + LIMIT_MS;
}

/** At each place of a message, for the tokenizers that are asked first there; throws where it is too much. */
export function countPlace(): false {
  places++;
  if (places > MAX_PLACES || (places % PLACES_BETWEEN === 0 && performance.now() > deadline)) throw new TooMuch();
  return false;
}

function countSearch(source: string): void {
  searched += count(source, /[*_~`[]/g) * source.length;
  if (searched > MAX_SEARCH) throw new TooMuch();
}

/** Of what came out; text in it is escaped, so whatever looks like a tag is one. */
export function countElements(html: string): void {
  if (count(html, /<[a-z]/g) > MAX_ELEMENTS) throw new TooMuch();
}

function count(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0;
}

/** marked's lexer, within bounds. */
export class BoundedLexer<Out = string, Part = string> extends Lexer<Out, Part> {
  /** Calls that are under way: the first is for the message, each other for an item of a list, or for emphasis or a link. */
  #blockCalls = 0;
  #inlineCalls = 0;

  constructor(options?: MarkedOptions<Out, Part>) {
    super(options);
    const tokenizer = this.options.tokenizer!;
    tokenizer.rules = bounded(tokenizer.rules);
  }

  override blockTokens(source: string, tokens?: Token[], lastParagraphClipped?: boolean): Token[];
  override blockTokens(source: string, tokens?: TokensList, lastParagraphClipped?: boolean): TokensList;
  override blockTokens(source: string, tokens: Token[] = [], lastParagraphClipped = false): Token[] {
    if (this.#blockCalls >= MAX_LIST_DEPTH) {
      // What an item this deep holds is its text, as it was typed.
      if (source) tokens.push({ type: 'text', raw: source, text: source, tokens: this.inline(source) });
      this.state.top = true;
      return tokens;
    }
    this.#blockCalls++;
    try {
      return super.blockTokens(source, tokens, lastParagraphClipped);
    } finally {
      this.#blockCalls--;
    }
  }

  override inlineTokens(source: string, tokens: Token[] = []): Token[] {
    if (this.#inlineCalls >= MAX_INLINE_DEPTH) {
      tokens.push({ type: 'text', raw: source, text: source, escaped: false });
      return tokens;
    }
    countSearch(source);
    this.#inlineCalls++;
    try {
      return super.inlineTokens(source, tokens);
    } finally {
      this.#inlineCalls--;
    }
  }
}

type Rules = NonNullable<MarkedOptions['tokenizer']>['rules'];

/** Marked's patterns, but for those that are worse than linear, or look for what messages have not. */
let known: Rules | undefined;

/** Anchored: a pattern that is not tries every place before it gives up. */
const NEVER = /^(?!)/;

function bounded(rules: Rules): Rules {
  known ??= {
    other: {
      ...rules.other,
      // All markers at once: a line of them was looked at as often as it has markers.
      nestedBlockMarker: /^(?: {0,3}(?:(?:[*+-]|\d{1,9}[.)])(?: |$)|> ?))+/,
    },
    block: {
      ...rules.block,
      // Ends at what interrupts it here, fences and lists, and not at a table, a heading or HTML, which there are none of.
      paragraph:
        /^([^\n]+(?:\n(?! {0,3}(?:`{3,}(?=[^`\n]*(?:\n|$))|~~~)| {0,3}(?:[*+-]|1[.)])[ \t]+[^ \t\n]|[ \t]+\n)[^\n]+)*)/,
    },
    inline: {
      ...rules.inline,
      // Each line looked for the end of all white space behind it, of every kind.
      br: /^( *|\\)\n(?![ \t]*$)[ \t]*/,
      // An address without the marks and references behind it: one was taken off at a time, and all begun again.
      _backpedal:
        /(?:[^?!.,:;*_'"~()&]+|\([^)]*\)|&(?!(?:[a-zA-Z0-9]+;[?!.,:;*_'"~)&]*)+$)|[?!.,:;*_'"~)]+(?![?!.,:;*_'"~)]|$))+/,
      reflinkSearch: NEVER,
      tag: NEVER,
      text: TEXT as RegExp,
    },
  };
  return known;
}

/** Where plain text ends, within a line: before a mark, an address, or the end of the line. */
const TEXT_END =
  /[*_~`[]|\\(?=[!-/:-@[-`{-~\n])|<(?=[\w.!#$%&'*+/=?^`{|}~-])|(?<! ) *\n|(?:https?|ftp):\/\/|(?<![^\s*_~(])www\.|(?<![a-z0-9])(?:mailto|xmpp):|(?<![a-z0-9._+-])[a-z0-9._+-]+@/gi;

/** As marked's pattern of plain text, which looks ahead from each of its characters. All that marked asks of it is `exec`. */
const TEXT: Pick<RegExp, 'exec'> = {
  exec(source) {
    // Whatever could begin here was tried. Marks in a row are one text.
    TEXT_END.lastIndex = /^(?:`+|~+|[\s\S])/.exec(source)![0].length;
    const end = TEXT_END.exec(source)?.index ?? source.length;
    return [source.slice(0, end)] as unknown as RegExpExecArray;
  },
};
