import { createCipheriv, createDecipheriv, createHmac, type KeyObject, randomBytes } from 'node:crypto';

const VERSION = 'v1';
const IV_BYTES = 12;
const TAG_BYTES = 16;
/** In hexadecimal: no sign of it means anything in a pattern. */
const KEY_ID_LENGTH = 12;

export interface Opened {
  text: string;
  /** Whether it was sealed with a key that is being rotated out: seal it anew. */
  isOld: boolean;
}

interface Key {
  id: string;
  key: KeyObject;
}

/**
 * Seals texts that the database keeps and that must be read again (AES-256-GCM; ASVS 11.3.2, 13.3.1): who has the database or a
 * backup of it alone has none of them. A sealed text names the key that it is sealed with, and can be opened only as what it
 * was sealed as: moved to another row, it is worth nothing.
 */
export class SealedTexts {
  private readonly keys: [Key, ...Key[]];

  /** The first key seals; each of them opens, while a secret is being rotated out. */
  constructor(keys: readonly [KeyObject, ...KeyObject[]]) {
    const [first, ...others] = keys;
    this.keys = [named(first), ...others.map(named)];
  }

  /** How every text begins that is sealed with the key of today. */
  get prefix(): string {
    return `${VERSION}.${this.keys[0].id}.`;
  }

  /** `as` says what it is, and whose. */
  seal(text: string, as: string): string {
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.keys[0].key, iv, { authTagLength: TAG_BYTES });
    cipher.setAAD(Buffer.from(as));
    const sealed = Buffer.concat([iv, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
    return this.prefix + sealed.toString('base64url');
  }

  /** Undefined where it is sealed with none of the keys, or as something else. */
  open(sealed: string, as: string): Opened | undefined {
    const [version, id, body = ''] = sealed.split('.');
    const known = this.keys.find((one) => one.id === id);
    const bytes = Buffer.from(body, 'base64url');
    if (version !== VERSION || !known || bytes.length < IV_BYTES + TAG_BYTES) return undefined;
    const iv = bytes.subarray(0, IV_BYTES);
    const decipher = createDecipheriv('aes-256-gcm', known.key, iv, { authTagLength: TAG_BYTES });
    decipher.setAAD(Buffer.from(as));
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    const text = decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES));
    try {
      return { text: Buffer.concat([text, decipher.final()]).toString('utf8'), isOld: known !== this.keys[0] };
    } catch {
      // The tag does not fit: it is none of ours, or not this one's.
      return undefined;
    }
  }
}

function named(key: KeyObject): Key {
  return { key, id: createHmac('sha256', key).update('key id').digest('hex').slice(0, KEY_ID_LENGTH) };
}
