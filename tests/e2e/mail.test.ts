import { afterAll, afterEach, describe, expect, test } from 'bun:test';
import { makeCertificate } from '../support/certificate.ts';
import { Mailbox, type MailboxOptions } from '../support/mailbox.ts';
import { endServers, runParley, temporaryFolder } from '../support/server.ts';
import { canTest } from '../support/untested.ts';

let mailbox: Mailbox | undefined;
afterEach(async () => {
  await mailbox?.close();
  mailbox = undefined;
});
afterAll(endServers);

async function open(options?: MailboxOptions): Promise<Mailbox> {
  mailbox = await Mailbox.open(options);
  return mailbox;
}

const testLetter = (address: string, env: Record<string, string>, ...options: string[]) =>
  runParley(['mail', 'test', address, ...options], env);

describe('parley mail test', () => {
  test('sends a letter as text and as HTML, from the server that PUBLIC_URL names', async () => {
    const box = await open();
    const { code, stdout, stderr } = await testLetter('Ada@Example.com', box.environment('https://chat.example.com'));
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: 'the mail server took a letter to ada@example.com\n',
      stderr: '',
    });
    const [mail] = box.mails;
    expect(mail).toMatchObject({
      recipients: ['ada@example.com'],
      from: { name: 'Parley', address: 'no-reply@chat.example.com' },
      to: [{ name: '', address: 'ada@example.com' }],
      subject: 'Mail from Parley works',
    });
    expect(mail!.text).toContain('The Parley of chat.example.com can send mail to you.');
    expect(mail!.html).toContain('The Parley of chat.example.com can send mail to you.');
    // Nothing is fetched when it is read, and it says that it knows dark screens.
    expect(mail!.html).not.toMatch(/<img|<link|<script|@import|url\(/i);
    expect(mail!.html).toContain('<meta name="color-scheme" content="light dark">');
    expect(mail!.source).toMatch(/^Auto-Submitted: auto-generated\r$/m);
    expect(mail!.messageId).toMatch(/^<[0-9a-f-]{36}@chat\.example\.com>$/);
  });

  test('writes in the language that is asked for', async () => {
    const box = await open();
    expect((await testLetter('ada@example.com', box.environment(), '--language', 'de')).code).toBe(0);
    expect(box.mails[0]).toMatchObject({ subject: 'Post von Parley kommt an' });
    expect(box.mails[0]!.html).toContain('<html lang="de">');
    expect((await testLetter('ada@example.com', box.environment(), '--language', 'xx')).code).toBe(2);
  });

  test('is from whom MAIL_FROM says', async () => {
    const box = await open();
    const env = { ...box.environment(), MAIL_FROM: 'Grüße, Team <team@example.com>' };
    expect((await testLetter('ada@example.com', env)).code).toBe(0);
    expect(box.mails[0]!.from).toEqual({ name: 'Grüße, Team', address: 'team@example.com' });
  });

  test.each([
    ['ada@example.com\r\nBcc: eve@example.com'],
    ['ada@example.com, eve@example.com'],
    ['Ada <eve@example.com>'],
    ['"ada@example.com"@evil.example\n'],
    ['ada'],
  ])('takes no address that is more than one address: %j', async (address) => {
    const box = await open();
    const { code, stderr } = await testLetter(address, box.environment());
    expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining('is no e-mail address') });
    expect(box.mails).toEqual([]);
  });

  test('says that there is no mail where none is configured', async () => {
    const { code, stdout, stderr } = await testLetter('ada@example.com', {});
    expect({ code, stdout, stderr }).toEqual({
      code: 1,
      stdout: '',
      stderr: 'This server sends no mail: ask whoever runs it\n',
    });
  });

  test.each([
    [451, 1],
    [550, 1],
  ])('says what the mail server answered where it takes no letter: %d', async (code) => {
    const box = await open();
    box.answer = () => ({ code, text: 'not for ada@example.com' });
    const result = await testLetter('ada@example.com', box.environment());
    expect(result).toEqual({
      code: 1,
      stdout: '',
      stderr: `the mail server did not take the letter: EMESSAGE ${code} DATA\n`,
    });
  });

  test('says so where nobody listens', async () => {
    const env = { SMTP_URL: 'smtp://127.0.0.1:1', SMTP_TLS: 'off', PUBLIC_URL: 'http://localhost' };
    const { code, stderr } = await testLetter('ada@example.com', env);
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('ESOCKET') });
  });
});

const canEncrypt = canTest('mail over TLS', Bun.which('openssl') ? undefined : 'openssl is not installed');

describe.if(canEncrypt)('over TLS', () => {
  const certificate = () => makeCertificate(temporaryFolder(), 'localhost');
  const login = { user: 'parley', password: 'p@ss/word' };
  const settings = (box: Mailbox, password: string) => ({
    SMTP_URL: `smtp://parley:${encodeURIComponent(password)}@localhost:${box.port}`,
    PUBLIC_URL: 'http://localhost:8080',
  });

  test('it signs in and sends, and asks for TLS unless told otherwise', async () => {
    const { path, ...tls } = await certificate();
    const box = await open({ ...tls, login });
    const trusted = { ...settings(box, login.password), NODE_EXTRA_CA_CERTS: path };
    expect(await testLetter('ada@example.com', trusted)).toMatchObject({ code: 0, stderr: '' });
    expect(box.mails[0]).toMatchObject({ encrypted: true });
  });

  test('it sends nothing to a server with a certificate of its own making, nor with a wrong password', async () => {
    const { path, ...tls } = await certificate();
    const box = await open({ ...tls, login });
    expect((await testLetter('ada@example.com', settings(box, login.password))).code).toBe(1);
    const wrong = { ...settings(box, 'guess'), NODE_EXTRA_CA_CERTS: path };
    const { code, stderr } = await testLetter('ada@example.com', wrong);
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('EAUTH 535') });
    expect(box.mails).toEqual([]);
  });

  test('it sends nothing to a server that has no TLS', async () => {
    const box = await open();
    const env = { ...box.environment(), SMTP_TLS: 'required' };
    expect((await testLetter('ada@example.com', env)).code).toBe(1);
    expect(box.mails).toEqual([]);
  });
});

describe('settings of mail', () => {
  test.each([
    [{ SMTP_URL: 'smtp://localhost' }, 'PUBLIC_URL must be given with SMTP_URL'],
    [{ SMTP_URL: 'http://localhost', PUBLIC_URL: 'http://localhost' }, 'SMTP_URL must be an address such as smtp://'],
    [{ MAIL_FROM: 'a@b.example\r\nBcc: eve@example.com' }, 'MAIL_FROM must be an address such as'],
    [{ MAIL_FROM: '"x" <a@b.example>, <eve@example.com>' }, 'MAIL_FROM must be an address such as'],
  ])('that are wrong stop the start: %j', async (env, complaint) => {
    const { code, stderr } = await testLetter('ada@example.com', env as Record<string, string>);
    expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining(complaint) });
    expect(stderr).not.toContain('smtp://localhost');
  });
});
