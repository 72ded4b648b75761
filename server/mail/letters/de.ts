import type { Phrases } from './phrases.ts';

export const de: Phrases = {
  test: ({ host }) => ({
    subject: 'Post von Parley kommt an',
    paragraphs: [`Dies ist ein Test. Das Parley von ${host} kann dir E-Mails schicken.`],
    footer: `Jemand, der ${host} verwaltet, hat das veranlasst. Es ist nichts zu tun.`,
  }),
};
