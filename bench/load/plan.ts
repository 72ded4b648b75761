import type { AttackName, Battlefield, Tally } from '../../tests/support/attacks.ts';
import type { CpuSpent } from '../measure/cpu.ts';
import type { Spread } from '../measure/percentiles.ts';

/** What a load generator is told, as JSON on its standard input, and what it answers, as JSON on its standard output. */

/** How a server speaks: Parley's frames, or Socket.IO's around the same fields. */
export type DialectName = 'parley' | 'socketio';

export interface Connection {
  /** Another node than the plan's. */
  url?: string;
  /** Where the WebSocket opens, and the headers that say who it is. */
  path: string;
  headers: Record<string, string>;
  /** The first frame to send, where the server expects one. */
  greeting?: string;
}

/** A socket that listens in one conversation. */
export interface Seat extends Connection {
  /** Index into `conversations`. */
  conversation: number;
  sends: boolean;
}

interface ToServer {
  url: string;
  server_pid: number;
  /** A process whose children are counted with the server: its PostgreSQL. */
  beside_pid?: number;
  /** Processes that are counted with the server: its other nodes, and its Redis. */
  others?: { pid: number; name: string }[];
}

interface Talk extends ToServer {
  dialect: DialectName;
  /** `seq`: the number of the newest message before the load. */
  conversations: { id: string; seq: number }[];
  seats: Seat[];
  content_bytes: number;
  warm_ms: number;
  measure_ms: number;
  /** How long the last messages may take after the senders stop. */
  drain_ms: number;
  /** So often everybody says how far they have read, all in the same moment; left out, nobody does. */
  read_every_ms?: number;
}

/** As much as the server takes: each sender keeps `window` messages unanswered. */
export interface ClosedLoop extends Talk {
  load: 'closed';
  window: number;
  /** An end for every case. */
  max_messages: number;
  /** Of the frames received, one in so many is also read in full, with JSON.parse, and compared. */
  full_check_every: number;
}

/** As many as a clock says, whether the server keeps up or not; the senders take turns. */
export interface OpenLoop extends Talk {
  load: 'open';
  per_second: number;
  /** Conversations with an index from here on are also reported by themselves. */
  split?: number;
  /** Sleep between sends, for the server needs this core too: each send is up to a millisecond late. */
  sleeps?: boolean;
}

/** Sockets that only stay open. */
export interface Idle extends ToServer {
  load: 'idle';
  dialect: DialectName;
  connections: Connection[];
  /** So many of them are open before the first look, so that code and pools are warm. */
  open_before: number;
  settle_ms: number;
}

/** Reads over HTTP as a clock says. */
export interface Reads extends ToServer {
  load: 'reads';
  requests: { path: string; headers: Record<string, string> }[];
  per_second: number;
  warm_ms: number;
  measure_ms: number;
}

/** A client that comes back: asks where everything stands, then for what it missed in each conversation. */
export interface CatchUp extends ToServer {
  load: 'catch-up';
  headers: Record<string, string>;
  /** Changes of each conversation that it missed. */
  missed_each: number;
  conversations: number;
  turns: number;
  warm_turns: number;
}

/** A crowd that comes back at once. */
export interface Storm extends ToServer {
  load: 'storm';
  clients: {
    /** Those that sign them in; the subprotocols that their socket offers. */
    headers: Record<string, string>;
    protocols: string;
    /** What each is in: id, `rev` and `seq` as they stand now. */
    conversations: [id: string, rev: number, seq: number][];
  }[];
  /** Messages that each missed of each conversation. */
  missed_each: number;
}

/** What one machine does that means the server ill. */
export interface Attacking extends ToServer {
  load: 'attack';
  attack: AttackName;
  field: Battlefield;
  attack_ms: number;
}

export type Plan = ClosedLoop | OpenLoop | Idle | Reads | CatchUp | Storm | Attacking;

/** CPU while measuring. */
interface Cost {
  server: CpuSpent;
  generator: CpuSpent;
}

export interface ClosedLoopResult extends Cost {
  acked: number;
  delivered: number;
  /** The newest number of each conversation after the load. */
  seqs: number[];
  /** Frames that stood for several messages which the server could not give one by one. */
  repairs: number;
}

export interface OpenLoopResult extends Cost {
  /** From the scheduled send to the receiver's parse. */
  delivery: Spread;
  /** The same before and from the plan's `split`. */
  halves?: [Spread, Spread];
  /** From the scheduled send to the real one: the generator's own share of `delivery`. */
  lateness: Spread;
  seqs: number[];
  repairs: number;
}

export interface IdleResult extends Cost {
  before_bytes: number;
  after_bytes: number;
  /** Opened between the two. */
  connections: number;
  /** Time and server CPU that opening them all took. */
  open_ms: number;
  open_cpu_ms: number;
}

export interface ReadsResult extends Cost {
  latency: Spread;
  lateness: Spread;
  bytes_median: number;
}

export interface CatchUpResult extends Cost {
  /** From the first request to the last answer's parse. */
  duration: Spread;
}

export interface StormResult extends Cost {
  /** Until the last of them had everything. */
  duration_ms: number;
  /** From the start of the storm until each had its socket, and had everything, in milliseconds. */
  opened: Spread;
  synced: Spread;
  /** Tries that failed and were made again; those that the server refused among them. */
  retries: number;
  refused: number;
  /** Received, each in its place. */
  messages: number;
  before_bytes: number;
  peak_bytes: number;
}

export interface AttackResult {
  /** How often each answer came. */
  tally: Tally;
}

export type ResultOf<P extends Plan> = P extends ClosedLoop
  ? ClosedLoopResult
  : P extends OpenLoop
    ? OpenLoopResult
    : P extends Idle
      ? IdleResult
      : P extends Reads
        ? ReadsResult
        : P extends Storm
          ? StormResult
          : P extends Attacking
            ? AttackResult
            : CatchUpResult;
