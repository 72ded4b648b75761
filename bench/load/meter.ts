import { type Beside, type CpuMoment, type CpuSpent, cpuMoment, cpuSpent } from '../measure/cpu.ts';

/** CPU of the server and of this generator over the same stretch of time. */
export class Meter {
  private readonly server: CpuMoment;
  private readonly generator: CpuMoment;

  constructor(
    private readonly serverPid: number,
    private readonly beside: Beside = {},
  ) {
    this.server = cpuMoment(serverPid, beside);
    this.generator = cpuMoment(process.pid);
  }

  read(): { server: CpuSpent; generator: CpuSpent } {
    return {
      server: cpuSpent(this.server, cpuMoment(this.serverPid, this.beside)),
      generator: cpuSpent(this.generator, cpuMoment(process.pid)),
    };
  }
}
