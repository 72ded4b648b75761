/** What a letter says, in one language. Nothing in it is HTML: all of it is escaped where it becomes that. */
export interface Letter {
  /** One line, with nothing in it that a user wrote: it is shown on locked screens. */
  subject: string;
  paragraphs: string[];
  /** What the letter is for, where that is to open an address. */
  action?: { label: string; url: string };
  /** Six digits to type instead, and what says so. */
  code?: string;
  codeLabel?: string;
  /** Why the reader gets this, and what to do if they should not have. */
  footer: string;
}

/** A letter as it is sent: plain text, and the same as HTML. */
export interface WrittenLetter {
  subject: string;
  text: string;
  html: string;
}

export function writeLetter(letter: Letter, language: string): WrittenLetter {
  return { subject: letter.subject, text: asText(letter), html: asHtml(letter, language) };
}

function asText({ paragraphs, action, code, codeLabel, footer }: Letter): string {
  const parts = [...paragraphs];
  if (action) parts.push(`${action.label}:\n${action.url}`);
  if (codeLabel !== undefined) parts.push(codeLabel);
  if (code !== undefined) parts.push(code);
  // The line that programs take for the beginning of a signature (RFC 3676 §4.3).
  return `${parts.join('\n\n')}\n\n-- \n${footer}\n`;
}

/**
 * One column that needs no picture, no script and no font, and says that it knows dark screens: programs that darken letters
 * by themselves leave it alone. Styles stand on the elements, since some programs drop those of the head.
 */
function asHtml({ subject, paragraphs, action, code, codeLabel, footer }: Letter, language: string): string {
  const parts = paragraphs.map((text) => `<p style="margin:0 0 16px;white-space:pre-line">${Bun.escapeHTML(text)}</p>`);
  if (action) {
    const [url, label] = [Bun.escapeHTML(action.url), Bun.escapeHTML(action.label)];
    parts.push(
      `<p style="margin:24px 0"><a href="${url}" style="${BUTTON}">${label}</a></p>`,
      `<p style="margin:0 0 16px;font-size:13px;word-break:break-all"><a href="${url}">${url}</a></p>`,
    );
  }
  if (codeLabel !== undefined) parts.push(`<p style="margin:0 0 16px">${Bun.escapeHTML(codeLabel)}</p>`);
  if (code !== undefined) parts.push(`<p style="${CODE}">${Bun.escapeHTML(code)}</p>`);
  return `<!doctype html>
<html lang="${Bun.escapeHTML(language)}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>${Bun.escapeHTML(subject)}</title>
</head>
<body style="margin:0;padding:24px;font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif">
<div style="max-width:520px;margin:0 auto">
${parts.join('\n')}
<p style="margin:32px 0 0;font-size:13px;opacity:.7">${Bun.escapeHTML(footer)}</p>
</div>
</body>
</html>
`;
}

const BUTTON =
  'display:inline-block;padding:12px 20px;border-radius:8px;background:#2f6fed;color:#ffffff;text-decoration:none;font-weight:600';
const CODE = 'margin:24px 0;font:600 28px/1 ui-monospace,Menlo,Consolas,monospace;letter-spacing:4px';
