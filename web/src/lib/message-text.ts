/**
 * Text without any of these is no Markdown: most messages, and for them nothing has to be parsed. None of these looks further
 * than what it begins with: a stranger chooses the text.
 */
const MARKS = /[*_`~[\]<>\\#]|^[ \t]*(?:[-+]|\d{1,9}[.)])\s|https?:\/\/|www\.|@[\w-]+\.\S/m;
/** Characters of a message that its one line is made of: more than any line, notification or reader aloud has use for. */
const LINE = 1000;
/** Text without any of these holds no emoji. The exact pattern takes a browser some 30 ms to compile. */
const MAY_BE_EMOJI = /\p{Extended_Pictographic}|\p{Regional_Indicator}|\u20e3/u;

/** Whether a message may be more than plain text. */
export function mayBeMarkdown(content: string): boolean {
  return MARKS.test(content);
}

/** The message as one line without marks: for the list, notifications and screen readers. */
export function toLine(content: string): string {
  const start = content.trimStart().slice(0, LINE);
  if (!mayBeMarkdown(start)) return start.replace(/\s+/g, ' ').trim();
  return start
    .replace(/```\w*\n?/g, ' ')
    .replace(/(\*\*|__|~~|`)(.+?)\1/gs, '$2')
    .replace(/\[([^[\]]+)\]\([^)]*\)/g, '$1')
    .replace(/\s+/g, ' ')
    .trim();
}

/** Whether a message is nothing but a few emoji, which are shown large. */
export function isOnlyEmoji(content: string): boolean {
  if (content.length > 48 || !MAY_BE_EMOJI.test(content)) return false;
  return /^(?:\p{RGI_Emoji}\s?){1,3}$/v.test(content.trim());
}
