import { Random } from '../../support/random.ts';
import type { ModelClient } from './client.ts';
import { Counters } from './counters.ts';
import type { Host } from './host.ts';
import type { Answer, Person } from './person.ts';
import type { SpareSession } from './spare-session.ts';

/** A message, as far as the model knows of it. */
export interface Told {
  id: string;
  room: Room;
  sender: Person;
  content: string;
  rev: number;
}

/** A send that was tried, and may be tried again for ever. */
export interface Sent {
  room: Room;
  sender: Person;
  client_id: string;
  content: string;
  reply_to?: string;
  /** The message that it became, once that was answered. */
  id?: string;
}

/** An edit that was made. */
export interface Edited {
  message: Told;
  content: string;
  if_rev: number;
}

/** A conversation, as far as the model knows of it: what it believes may be late or wrong, the server decides. */
export interface Room {
  id: string;
  type: 'direct' | 'group';
  members: Set<Person>;
  admins: Set<Person>;
  former: Set<Person>;
  messages: Told[];
  reactions: { message: Told; person: Person; emoji: string }[];
  seq: number;
}

/** What one seed makes: its people, its conversations, and all that was done in them. */
export class World {
  readonly random: Random;
  readonly counters = new Counters();
  readonly rooms: Room[] = [];
  readonly sent: Sent[] = [];
  readonly edits: Edited[] = [];
  /** Signed in beside the others, until it is signed out. */
  spare: SpareSession | undefined;
  /** What must never be, in words. */
  readonly findings: string[] = [];
  private readonly underWay = new Set<Promise<unknown>>();
  private words = 0;

  constructor(
    readonly seed: number,
    readonly host: Host,
    /** May be in any conversation. */
    readonly people: Person[],
    /** Are never in one of them. */
    readonly outsiders: Person[],
    readonly clients: ModelClient[],
    /** Which play of these people this is: what they said in the ones before is still there. */
    private readonly play: number,
  ) {
    this.random = new Random(seed);
  }

  /** A word like no other, by which what was said is known again wherever it is heard. */
  word(): string {
    return `mk${this.seed}x${this.play}x${++this.words}x`;
  }

  /** What to say; at times more than a reply quotes. */
  text(): string {
    return this.random.chance(0.1) ? `${this.word()} ${'and so on, '.repeat(20)}` : this.word();
  }

  found(what: string): void {
    if (this.findings.length < 20) this.findings.push(what);
  }

  did(name: string): true {
    this.counters.add(name);
    return true;
  }

  /** Lets something go on beside the steps that follow. */
  meanwhile(work: Promise<unknown>): void {
    const watched = work
      .catch((error) => this.found(`a step threw: ${error?.stack ?? error}`))
      .finally(() => this.underWay.delete(watched));
    this.underWay.add(watched);
  }

  /** Resolves when nothing is under way. */
  async allDone(): Promise<void> {
    while (this.underWay.size > 0) await Promise.all(this.underWay);
  }

  // Who and what a step may be about; nothing where there is none.

  room(wanted: (room: Room) => boolean = () => true): Room | undefined {
    return this.random.pick(this.rooms.filter((room) => room.members.size > 0 && wanted(room)));
  }

  group(): Room | undefined {
    return this.room((room) => room.type === 'group');
  }

  member(room: Room | undefined): Person | undefined {
    return room && this.random.pick([...room.members]);
  }

  admin(room: Room | undefined): Person | undefined {
    return room && this.random.pick([...room.admins]);
  }

  /** A message of somebody who is still there. */
  message(): Told | undefined {
    const room = this.room(({ messages }) => messages.length > 0);
    return this.random.pick(room?.messages.filter(({ sender }) => room.members.has(sender)) ?? []);
  }

  clientOf(person: Person | undefined): ModelClient | undefined {
    return this.random.pick(this.clients.filter((client) => client.person === person));
  }

  // What is learnt from answers.

  addRoom(answer: Answer | undefined, members: Person[]): Room | undefined {
    if (!answer || answer.status >= 300) return undefined;
    const { conversation, participants } = answer.body;
    const known = this.rooms.find((room) => room.id === conversation.id);
    if (known) return known;
    const adminIds = participants.filter((one: any) => one.participant_role === 'admin').map((one: any) => one.id);
    const room: Room = {
      id: conversation.id,
      type: conversation.type,
      members: new Set(members),
      admins: new Set(members.filter((person) => adminIds.includes(person.id))),
      former: new Set(),
      messages: [],
      reactions: [],
      seq: conversation.seq,
    };
    this.rooms.push(room);
    return room;
  }

  /** A send was answered: the same message must be answered whenever it is tried again. */
  learnSent(sent: Sent, answer: { id: string; seq: number; rev: number }): void {
    const { room, sender, content } = sent;
    if (sent.id !== undefined && sent.id !== answer.id) {
      this.found(`${sent.client_id} was first ${sent.id}, then ${answer.id}`);
    }
    room.seq = Math.max(room.seq, answer.seq);
    if (sent.id !== undefined) return;
    sent.id = answer.id;
    room.messages.push({ id: answer.id, room, sender, content, rev: answer.rev });
  }

  /** What was stored is answered for ever, also to somebody who is out by now. */
  refused({ client_id, id }: Sent, code: string): void {
    if (id !== undefined && code !== 'unavailable') this.found(`a retry of ${client_id} was refused: ${code}`);
  }

  left(room: Room, person: Person): void {
    room.members.delete(person);
    room.admins.delete(person);
    room.former.add(person);
  }

  joined(room: Room, person: Person): void {
    room.members.add(person);
    room.former.delete(person);
  }
}
