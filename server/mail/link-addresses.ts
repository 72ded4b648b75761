import type { LinkPurpose } from '../database/schema.ts';
import type { SealedIds } from '../shared/sealed-ids.ts';

/** A link as its reader gets it. */
export interface Link {
  url: string;
  /** Six digits to type instead, for who is signed in. */
  code: string;
}

/**
 * Where links lead, computed of their rows' ids whenever they are needed: no queue and no table holds one. The token stands
 * behind a `#`, which browsers send to nobody: it is in no log of a server and no `Referer`.
 */
export class LinkAddresses {
  constructor(
    private readonly seals: SealedIds,
    /** `PUBLIC_URL`, or where the server listens. */
    private readonly home: string,
  ) {}

  /** What a letter says of a link. */
  write(purpose: LinkPurpose, id: string): Link {
    const token = this.seals.seal(purpose, id);
    return { url: `${this.home}/${purpose}#${token}`, code: this.seals.code(purpose, id) };
  }

  /** The id of the link that a token is of; undefined for what is none of ours. */
  open(purpose: LinkPurpose, token: string): string | undefined {
    return this.seals.open(purpose, token);
  }

  isCode(purpose: LinkPurpose, id: string, code: string): boolean {
    return this.seals.isCode(purpose, id, code);
  }
}
