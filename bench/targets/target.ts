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
  /**
   * The command that serves that folder, and what it needs in its environment; how many processes of it there are to be, one
   * unless it says so; and what else of them is counted: a process with children, and a Redis.
   */
  command(dir: string): {
    command: string[];
    env: Record<string, string>;
    beside_pid?: number;
    nodes?: number;
    redis_pid?: number;
  };
  /** Tells a running server what `prepare` could not. */
  introduce(world: World, url: string): Promise<void>;
  /** How a user of the world connects. */
  connection(world: World, user: number): Promise<Connection>;
}
