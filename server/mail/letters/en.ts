import { moment, type Phrases } from './phrases.ts';

export const en: Phrases = {
  test: ({ host }) => ({
    subject: 'Mail from Parley works',
    paragraphs: [`This is a test. The Parley of ${host} can send mail to you.`],
    footer: `An administrator of ${host} asked for this. There is nothing to do.`,
  }),

  newSignIn: ({ host, device, address, at }) => ({
    subject: 'A new device signed in to your account',
    paragraphs: [
      `Somebody signed in to your account at ${host} on a device that has not been seen there before.`,
      `Device: ${device}\nAddress: ${address}\nTime: ${moment(at, 'en')} (UTC)`,
      'If it was you, there is nothing to do.',
      'If it was not, open the settings, end that session under "Security", and change your password.',
    ],
    footer: `You get this because the account at ${host} has this address.`,
  }),
};
