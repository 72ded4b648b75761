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

  verify: ({ host, url, code }) => ({
    subject: 'Confirm your address',
    paragraphs: [`This address was given for an account at ${host}. If it was you, confirm that it is yours.`],
    action: { label: 'Confirm this address', url },
    codeLabel: 'Or type this code where you are signed in:',
    code,
    footer: `Good for 24 hours, once. If it was not you, there is nothing to do: the address then stays nobody's at ${host}.`,
  }),

  reset: ({ host, url }) => ({
    subject: 'Choose a new password',
    paragraphs: [
      `Somebody asked for a new password for your account at ${host}.`,
      'It signs you out everywhere. If the account has a second factor, you are asked for it too.',
    ],
    action: { label: 'Choose a new password', url },
    footer: 'Good for one hour, once. If it was not you, there is nothing to do: your password stays as it is.',
  }),

  passwordChanged: ({ host, device, address, at }) => ({
    subject: 'Your password was changed',
    paragraphs: [
      `The password of your account at ${host} was changed, and other devices were signed out.`,
      `Device: ${device}\nAddress: ${address}\nTime: ${moment(at, 'en')} (UTC)`,
      'If it was you, there is nothing to do.',
      'If it was not, ask for a new password at the log-in, and tell whoever runs the server.',
    ],
    footer: `You get this because the account at ${host} has this address.`,
  }),

  addressChanged: ({ host, device, address, at }) => ({
    subject: 'Your account has another address now',
    paragraphs: [
      `Your account at ${host} has another e-mail address from now on, and this one is no longer good for it.`,
      `Device: ${device}\nAddress: ${address}\nTime: ${moment(at, 'en')} (UTC)`,
      'If it was you, there is nothing to do.',
      'If it was not, tell whoever runs the server at once.',
    ],
    footer: `You get this because the account at ${host} had this address until now.`,
  }),

  addressTaken: ({ host, home }) => ({
    subject: 'You have an account already',
    paragraphs: [
      `Somebody gave this address for an account at ${host}, where it has one already.`,
      'If it was you, sign in with the account that you have. If the password is lost, ask for a new one there.',
    ],
    action: { label: `Go to ${host}`, url: `${home}/` },
    footer: 'If it was not you, there is nothing to do: nobody was let in.',
  }),
};
