import { DELETED_USER } from '../../../protocol/limits.ts';
import { ParleyError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/logger.ts';
import type { ChangeDeps } from './change-conversation.ts';
import { removeParticipant } from './change-participants.ts';

/** Deleted accounts that are looked at together. */
const PAGE = 500;

export interface DeparturesOptions extends ChangeDeps {
  logger: Logger;
}

/**
 * Takes those whose account is gone out of all groups; direct conversations stay with the other. A deletion is committed
 * before this begins, and each group is a change of its own: what a crash or a failure leaves undone, a later look does.
 */
export class Departures {
  private sweeping: Promise<void> = Promise.resolve();
  private isStopped = false;

  constructor(private readonly options: DeparturesOptions) {}

  /** Looks for who was left behind by a crash, in the background. */
  start(): void {
    this.sweep().catch((error) =>
      this.options.logger.error({ err: error }, 'deleted accounts could not be looked for'),
    );
  }

  /** Looks for who was left behind; one look after the other. */
  sweep(signal?: AbortSignal): Promise<void> {
    const swept = this.sweeping.then(() => this.sweepAll(signal));
    this.sweeping = swept.catch(() => {}); // told to whoever asked
    return swept;
  }

  /** Resolves when nothing of it is under way. */
  async stop(): Promise<void> {
    this.isStopped = true;
    await this.sweeping;
  }

  /** Takes one deleted account out of all groups. Where one of them fails, the others do not wait for it. */
  leaveAllGroups(userId: string): Promise<void> {
    return this.leaveGroupsOf([userId]);
  }

  private async sweepAll(signal?: AbortSignal): Promise<void> {
    let after: string | undefined;
    do {
      const ids = await this.options.users.listDeletedIds(PAGE, after);
      await this.leaveGroupsOf(ids);
      after = ids.length < PAGE ? undefined : ids.at(-1);
    } while (after !== undefined && !this.isStopped && !signal?.aborted);
  }

  private async leaveGroupsOf(userIds: string[]): Promise<void> {
    for (const userId of userIds) await this.leaveGroups(userId);
  }

  /** Looks through what somebody is in page by page: their direct conversations stay, and are passed over each time. */
  private async leaveGroups(userId: string): Promise<void> {
    let after: string | undefined;
    do {
      const places = await this.options.conversations.listPlacesById(userId, PAGE, after);
      for (const { id, type } of places) {
        if (this.isStopped) return;
        if (type === 'group') await this.leave(id, userId);
      }
      after = places.length < PAGE ? undefined : places.at(-1)!.id;
    } while (after !== undefined && !this.isStopped);
  }

  private async leave(conversationId: string, userId: string): Promise<void> {
    try {
      await removeParticipant(this.options, { userId, username: DELETED_USER }, conversationId, userId);
    } catch (error) {
      // Somebody removed them in this moment, or another node did this too.
      if (error instanceof ParleyError && error.code === 'conversation_not_found') return;
      const who = { conversation_id: conversationId, user_id: userId };
      this.options.logger.error({ err: error, ...who }, 'a deleted account could not leave a group yet');
    }
  }
}
