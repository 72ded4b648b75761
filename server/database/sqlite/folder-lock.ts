import { Database } from 'bun:sqlite';
import { join } from 'node:path';
import { StartRefused } from '../../shared/errors.ts';

const FILE = 'parley.lock';

/**
 * Keeps a second server off a data folder: two of them on one file would each tell only its own sockets of a message, and
 * find the other's in the outbox seconds later.
 *
 * The lock is SQLite's own on an empty file beside the database. The kernel holds it for the process and drops it when the
 * process ends, however it ends, so that no crash leaves a folder locked. The command line takes no lock: it may work on the
 * data of a running server.
 */
export class FolderLock {
  private constructor(private readonly file: Database) {}

  /** Locks the folder, which must exist. Fails with `StartRefused` where another process holds it. */
  static take(dir: string): FolderLock {
    const file = new Database(join(dir, FILE), { create: true, readwrite: true });
    try {
      file.run('BEGIN EXCLUSIVE');
      return new FolderLock(file);
    } catch (error) {
      file.close();
      if ((error as { code?: string }).code !== 'SQLITE_BUSY') throw error;
      throw new StartRefused(`another server runs on DATA_DIR, ${dir}: stop it first, or name another folder`);
    }
  }

  release(): void {
    this.file.close();
  }
}
