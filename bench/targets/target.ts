import type { Connection, DialectName } from '../load/plan.ts';
import type { World } from '../world.ts';

export type TargetName = 'parley' | 'floor' | 'socketio';

/** A kind of server that the scenarios run against. */
export interface Target {
  name: TargetName;
  label: string;
  dialect: DialectName;
  /** Lays the world down in an empty folder, before the server starts. */
  prepare(world: World, dir: string): Promise<void>;
  /** The command that serves that folder, and what it needs in its environment. */
  command(dir: string): { command: string[]; env: Record<string, string>; beside_pid?: number };
  /** Tells a running server what `prepare` could not. */
  introduce(world: World, url: string): Promise<void>;
  /** How a user of the world connects. */
  connection(world: World, user: number): Promise<Connection>;
}
