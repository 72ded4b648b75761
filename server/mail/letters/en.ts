import type { Phrases } from './phrases.ts';

export const en: Phrases = {
  test: ({ host }) => ({
    subject: 'Mail from Parley works',
    paragraphs: [`This is a test. The Parley of ${host} can send mail to you.`],
    footer: `An administrator of ${host} asked for this. There is nothing to do.`,
  }),
};
