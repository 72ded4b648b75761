import { excerptOf } from '../../protocol/text.ts';
import type { Message } from '../protocol.ts';

/** A reply with its quote made from the quoted message as it now stands; the same object where nothing changes. */
export function requote(reply: Message, quoted: Message): Message {
  if (reply.reply_to?.id !== quoted.id) return reply;
  const excerpt = excerptOf(quoted.content);
  if (reply.reply_to.excerpt === excerpt) return reply;
  return { ...reply, reply_to: { ...reply.reply_to, excerpt } };
}
