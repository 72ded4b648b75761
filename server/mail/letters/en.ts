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

  factorAdded: ({ host, at }) => ({
    subject: 'Your account has a second factor now',
    paragraphs: [
      `An authenticator app was set up for your account at ${host}, on ${moment(at, 'en')} (UTC). Signing in asks for a code of it from now on.`,
      'If it was you, there is nothing to do. Keep the recovery codes where you find them without your phone.',
      `If it was not, somebody else has your password. Ask whoever runs ${host} to take the second factor away, and reset your password.`,
    ],
    footer: `You get this because the account at ${host} has this address.`,
  }),

  factorRemoved: ({ host, at, byOperator }) => ({
    subject: 'Your account has no second factor any more',
    paragraphs: [
      byOperator
        ? `An administrator of ${host} took the second factor off your account, on ${moment(at, 'en')} (UTC), and signed you out everywhere.`
        : `The authenticator app was removed from your account at ${host}, on ${moment(at, 'en')} (UTC).`,
      'Your password alone signs in from now on. The recovery codes are worth nothing any more.',
      'If this was not meant to be, change your password and set up a second factor again.',
    ],
    footer: `You get this because the account at ${host} has this address.`,
  }),

  recoveryRenewed: ({ host, at }) => ({
    subject: 'Your account has new recovery codes',
    paragraphs: [
      `New recovery codes were made for your account at ${host}, on ${moment(at, 'en')} (UTC). Those of before are worth nothing any more.`,
      'If it was not you, change your password, and make new codes once more.',
    ],
    footer: `You get this because the account at ${host} has this address.`,
  }),

  recoveryUsed: ({ host, at, device, address, left }) => ({
    subject: 'A recovery code of your account was used',
    paragraphs: [
      `Somebody signed in to your account at ${host} with a recovery code.`,
      `Device: ${device}\nAddress: ${address}\nTime: ${moment(at, 'en')} (UTC)`,
      `Codes that are left: ${left}. Make new ones in the settings, under "Security", before they run out.`,
      'If it was not you, end that session there, change your password, and make new codes.',
    ],
    footer: `You get this because the account at ${host} has this address.`,
  }),
};
