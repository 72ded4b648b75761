import { moment, type Phrases } from './phrases.ts';

export const de: Phrases = {
  test: ({ host }) => ({
    subject: 'Post von Parley kommt an',
    paragraphs: [`Dies ist ein Test. Das Parley von ${host} kann dir E-Mails schicken.`],
    footer: `Jemand, der ${host} verwaltet, hat das veranlasst. Es ist nichts zu tun.`,
  }),

  newSignIn: ({ host, device, address, at }) => ({
    subject: 'Ein neues Gerät hat sich bei deinem Konto angemeldet',
    paragraphs: [
      `Jemand hat sich bei deinem Konto auf ${host} mit einem Gerät angemeldet, das dort noch nicht bekannt war.`,
      `Gerät: ${device}\nAdresse: ${address}\nZeit: ${moment(at, 'de')} (UTC)`,
      'Wenn du das warst, ist nichts zu tun.',
      'Wenn nicht, öffne die Einstellungen, beende diese Sitzung unter „Sicherheit“ und ändere dein Passwort.',
    ],
    footer: `Du bekommst das, weil das Konto auf ${host} diese Adresse hat.`,
  }),
};
