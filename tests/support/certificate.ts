import { join } from 'node:path';

export interface Certificate {
  key: string;
  cert: string;
  /** The file that holds `cert`, for NODE_EXTRA_CA_CERTS. */
  path: string;
}

/** A certificate of its own for a name, good for a day. */
export async function makeCertificate(folder: string, name: string): Promise<Certificate> {
  const [key, cert] = [join(folder, `${name}.key`), join(folder, `${name}.pem`)];
  const what = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`, '-days', '1'];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  await Bun.$`openssl req -x509 ${kind} ${what} -keyout ${key} -out ${cert}`.quiet();
  return { key: await Bun.file(key).text(), cert: await Bun.file(cert).text(), path: cert };
}
