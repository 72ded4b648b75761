/**
 * The SDK's one door to the contract's types. In the published package the build replaces this file's declarations by
 * types written out from the same schemas, so that no user of the SDK needs them or the library that they are made with.
 */
export type { ErrorCode, FieldError, MfaMethod } from '../protocol/errors.ts';
export type { Cause, ClientFrame, FrameOf, ServerFrame } from '../protocol/events.ts';
export type {
  CatchUp,
  CaughtUpHead,
  Changes,
  Conversation,
  ConversationType,
  Entry,
  Head,
  Mark,
  Message,
  MessageType,
  Participant,
  ParticipantRole,
  PresenceStatus,
  PublicUser,
  Reaction,
  RecoveryCodes,
  ReplyTo,
  ServerInfo,
  SessionInfo,
  Sync,
  SystemNote,
  Tokens,
  TotpSetup,
  User,
} from '../protocol/resources.ts';
