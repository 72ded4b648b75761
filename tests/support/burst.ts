import { MAX_UNANSWERED_SENDS } from '../../protocol/limits.ts';
import type { Frame, TestSocket } from './socket.ts';

/** Sends many messages as a good client does, with a window of unanswered ones, and resolves with their acks in order. */
export async function burst(socket: TestSocket, conversation_id: string, contents: string[]): Promise<Frame[]> {
  const unanswered: Promise<Frame>[] = [];
  const answers: Frame[] = [];
  for (const content of contents) {
    if (unanswered.length >= MAX_UNANSWERED_SENDS) answers.push(await unanswered.shift()!);
    unanswered.push(socket.ask({ event: 'message.send', conversation_id, content }));
  }
  answers.push(...(await Promise.all(unanswered)));
  return answers;
}

/** `prefix 1`, `prefix 2`, … */
export function numbered(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix} ${index + 1}`);
}

/** 1, 2, 3, … from `first` to `last`. */
export function range(first: number, last: number): number[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index);
}
