import { describe } from 'bun:test';
import pino from 'pino';
import { busContract } from './bus.contract.ts';
import { MemoryBus } from './memory.ts';

describe('the bus of a single node', () => {
  busContract(async () => ({ bus: new MemoryBus(pino({ level: 'silent' })), settle: async () => {} }));
});
