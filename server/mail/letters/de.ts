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

  factorAdded: ({ host, at }) => ({
    subject: 'Dein Konto hat jetzt einen zweiten Faktor',
    paragraphs: [
      `Für dein Konto auf ${host} wurde am ${moment(at, 'de')} (UTC) eine Authenticator-App eingerichtet. Die Anmeldung fragt ab jetzt nach einem Code daraus.`,
      'Wenn du das warst, ist nichts zu tun. Bewahre die Wiederherstellungscodes so auf, dass du sie auch ohne dein Telefon findest.',
      `Wenn nicht, kennt jemand anderes dein Passwort. Bitte die Leute, die ${host} verwalten, den zweiten Faktor zu entfernen, und setze dein Passwort zurück.`,
    ],
    footer: `Du bekommst das, weil das Konto auf ${host} diese Adresse hat.`,
  }),

  factorRemoved: ({ host, at, byOperator }) => ({
    subject: 'Dein Konto hat keinen zweiten Faktor mehr',
    paragraphs: [
      byOperator
        ? `Jemand, der ${host} verwaltet, hat am ${moment(at, 'de')} (UTC) den zweiten Faktor deines Kontos entfernt und dich überall abgemeldet.`
        : `Die Authenticator-App wurde am ${moment(at, 'de')} (UTC) von deinem Konto auf ${host} entfernt.`,
      'Zur Anmeldung genügt ab jetzt dein Passwort. Die Wiederherstellungscodes gelten nicht mehr.',
      'Wenn das nicht so sein soll, ändere dein Passwort und richte wieder einen zweiten Faktor ein.',
    ],
    footer: `Du bekommst das, weil das Konto auf ${host} diese Adresse hat.`,
  }),

  recoveryRenewed: ({ host, at }) => ({
    subject: 'Dein Konto hat neue Wiederherstellungscodes',
    paragraphs: [
      `Für dein Konto auf ${host} wurden am ${moment(at, 'de')} (UTC) neue Wiederherstellungscodes erzeugt. Die alten gelten nicht mehr.`,
      'Wenn du das nicht warst, ändere dein Passwort und erzeuge die Codes noch einmal neu.',
    ],
    footer: `Du bekommst das, weil das Konto auf ${host} diese Adresse hat.`,
  }),

  recoveryUsed: ({ host, at, device, address, left }) => ({
    subject: 'Ein Wiederherstellungscode deines Kontos wurde benutzt',
    paragraphs: [
      `Jemand hat sich mit einem Wiederherstellungscode bei deinem Konto auf ${host} angemeldet.`,
      `Gerät: ${device}\nAdresse: ${address}\nZeit: ${moment(at, 'de')} (UTC)`,
      `Codes, die noch gelten: ${left}. Erzeuge in den Einstellungen unter „Sicherheit“ neue, bevor sie ausgehen.`,
      'Wenn du das nicht warst, beende dort diese Sitzung, ändere dein Passwort und erzeuge neue Codes.',
    ],
    footer: `Du bekommst das, weil das Konto auf ${host} diese Adresse hat.`,
  }),

  verify: ({ host, url, code }) => ({
    subject: 'Bestätige deine Adresse',
    paragraphs: [
      `Diese Adresse wurde für ein Konto auf ${host} angegeben. Wenn du das warst, bestätige, dass sie dir gehört.`,
    ],
    action: { label: 'Adresse bestätigen', url },
    codeLabel: 'Oder gib diesen Code dort ein, wo du angemeldet bist:',
    code,
    footer: `Gilt 24 Stunden und einmal. Wenn du das nicht warst, ist nichts zu tun: Die Adresse gehört auf ${host} dann niemandem.`,
  }),

  reset: ({ host, url }) => ({
    subject: 'Wähle ein neues Passwort',
    paragraphs: [
      `Jemand hat für dein Konto auf ${host} ein neues Passwort angefordert.`,
      'Damit wirst du überall abgemeldet. Hat das Konto einen zweiten Faktor, wird auch nach ihm gefragt.',
    ],
    action: { label: 'Neues Passwort wählen', url },
    footer:
      'Gilt eine Stunde und einmal. Wenn du das nicht warst, ist nichts zu tun: Dein Passwort bleibt, wie es ist.',
  }),

  passwordChanged: ({ host, device, address, at }) => ({
    subject: 'Dein Passwort wurde geändert',
    paragraphs: [
      `Das Passwort deines Kontos auf ${host} wurde geändert, und andere Geräte wurden abgemeldet.`,
      `Gerät: ${device}\nAdresse: ${address}\nZeit: ${moment(at, 'de')} (UTC)`,
      'Wenn du das warst, ist nichts zu tun.',
      'Wenn nicht, fordere bei der Anmeldung ein neues Passwort an und sag es denen, die den Server betreiben.',
    ],
    footer: `Du bekommst das, weil das Konto auf ${host} diese Adresse hat.`,
  }),

  passwordGiven: ({ host, at }) => ({
    subject: 'Dein Konto hat ein anderes Passwort bekommen',
    paragraphs: [
      `Jemand, der ${host} verwaltet, hat deinem Konto am ${moment(at, 'de')} (UTC) ein anderes Passwort gegeben und dich überall abgemeldet.`,
      'Wie es lautet, erfährst du auf anderem Weg als per E-Mail. Wenn du dich damit anmeldest, wählst du ein eigenes.',
      `Wenn du nicht darum gebeten hast, frag die Leute, die ${host} verwalten, warum das geschehen ist.`,
    ],
    footer: `Du bekommst das, weil das Konto auf ${host} diese Adresse hat.`,
  }),

  usernameChanged: ({ host, device, address, at }) => ({
    subject: 'Dein Benutzername wurde geändert',
    paragraphs: [
      `Dein Konto auf ${host} hat ab jetzt einen anderen Benutzernamen. Mit dem bisherigen kann man sich nicht mehr anmelden, mit dieser E-Mail-Adresse schon.`,
      `Gerät: ${device}\nAdresse: ${address}\nZeit: ${moment(at, 'de')} (UTC)`,
      'Wenn du das warst, ist nichts zu tun.',
      'Wenn nicht, melde dich mit dieser Adresse an, ändere dein Passwort und beende unter „Sicherheit“ die Sitzungen, die nicht deine sind.',
    ],
    footer: `Du bekommst das, weil das Konto auf ${host} diese Adresse hat.`,
  }),

  phoneChanged: ({ host, device, address, at }) => ({
    subject: 'Deine Telefonnummer wurde geändert',
    paragraphs: [
      `Dein Konto auf ${host} hat ab jetzt eine andere Telefonnummer oder keine mehr.`,
      `Gerät: ${device}\nAdresse: ${address}\nZeit: ${moment(at, 'de')} (UTC)`,
      'Wenn du das warst, ist nichts zu tun.',
      'Wenn nicht, ändere dein Passwort und beende unter „Sicherheit“ die Sitzungen, die nicht deine sind.',
    ],
    footer: `Du bekommst das, weil das Konto auf ${host} diese Adresse hat.`,
  }),

  addressChanged: ({ host, device, address, at }) => ({
    subject: 'Dein Konto hat jetzt eine andere Adresse',
    paragraphs: [
      `Dein Konto auf ${host} hat ab jetzt eine andere E-Mail-Adresse, und diese hier gilt dort nicht mehr.`,
      `Gerät: ${device}\nAdresse: ${address}\nZeit: ${moment(at, 'de')} (UTC)`,
      'Wenn du das warst, ist nichts zu tun.',
      'Wenn nicht, sag es sofort denen, die den Server betreiben.',
    ],
    footer: `Du bekommst das, weil das Konto auf ${host} bis jetzt diese Adresse hatte.`,
  }),

  addressReleased: ({ host, at }) => ({
    subject: 'Dein Konto hat diese Adresse nicht mehr',
    paragraphs: [
      `Jemand, der ${host} verwaltet, hat dem Konto, das diese E-Mail-Adresse hatte, die Adresse am ${moment(at, 'de')} (UTC) genommen und seine Sitzungen beendet.`,
      'Briefe über dieses Konto kommen hier nicht mehr an. Mit seinem Benutzernamen kann man sich weiter anmelden.',
      `Wenn das nicht so sein soll, sag es denen, die ${host} verwalten.`,
    ],
    footer: `Du bekommst das, weil ein Konto auf ${host} bis jetzt diese Adresse hatte.`,
  }),

  addressTaken: ({ host, home }) => ({
    subject: 'Du hast schon ein Konto',
    paragraphs: [
      `Jemand hat diese Adresse für ein Konto auf ${host} angegeben, wo sie schon eines hat.`,
      'Wenn du das warst, melde dich mit dem Konto an, das du hast. Ist das Passwort verloren, fordere dort ein neues an.',
    ],
    action: { label: `Zu ${host}`, url: `${home}/` },
    footer: 'Wenn du das nicht warst, ist nichts zu tun: Niemand wurde eingelassen.',
  }),
};
