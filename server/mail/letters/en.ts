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

  passwordGiven: ({ host, at }) => ({
    subject: 'Your account was given another password',
    paragraphs: [
      `An administrator of ${host} gave your account another password, on ${moment(at, 'en')} (UTC), and signed you out everywhere.`,
      'They tell you what it is by other ways than mail. When you sign in with it, you choose one of your own.',
      `If you did not ask for it, ask whoever runs ${host} why it was done.`,
    ],
    footer: `You get this because the account at ${host} has this address.`,
  }),

  usernameChanged: ({ host, device, address, at }) => ({
    subject: 'Your username was changed',
    paragraphs: [
      `Your account at ${host} has another username from now on. The one before signs in no more; this e-mail address does.`,
      `Device: ${device}\nAddress: ${address}\nTime: ${moment(at, 'en')} (UTC)`,
      'If it was you, there is nothing to do.',
      'If it was not, sign in with this address, change your password, and end the sessions that are not yours under "Security".',
    ],
    footer: `You get this because the account at ${host} has this address.`,
  }),

  phoneChanged: ({ host, device, address, at }) => ({
    subject: 'Your phone number was changed',
    paragraphs: [
      `Your account at ${host} has another phone number from now on, or none.`,
      `Device: ${device}\nAddress: ${address}\nTime: ${moment(at, 'en')} (UTC)`,
      'If it was you, there is nothing to do.',
      'If it was not, change your password, and end the sessions that are not yours under "Security".',
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

  addressReleased: ({ host, at }) => ({
    subject: 'Your account no longer has this address',
    paragraphs: [
      `An administrator of ${host} took this e-mail address from the account that had it, on ${moment(at, 'en')} (UTC), and ended its sessions.`,
      'Letters about that account come here no more. Its username still signs in.',
      `If this was not meant to be, tell whoever runs ${host}.`,
    ],
    footer: `You get this because an account at ${host} had this address until now.`,
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
