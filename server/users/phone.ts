import { parsePhoneNumberFromString } from 'libphonenumber-js';

/** A number in E.164, however it is spaced, or undefined where it is none. It must name its country: `+…`. */
export function toE164(text: string): string | undefined {
  const number = parsePhoneNumberFromString(text.trim(), { extract: false });
  return number?.isValid() ? number.number : undefined;
}
