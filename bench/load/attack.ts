import { setPriority } from 'node:os';
import { ATTACKS } from '../../tests/support/attacks.ts';
import type { Attacking, AttackResult } from './plan.ts';

/** The least favoured, so that the bystanders' generator on the same core is late by nothing of its own. */
const NICE = 19;

/** Attacks for a while, and counts the answers. */
export async function runAttack({ attack, field, attack_ms }: Attacking): Promise<AttackResult> {
  setPriority(NICE);
  return { tally: await ATTACKS[attack](field, AbortSignal.timeout(attack_ms)) };
}
