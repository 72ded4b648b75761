import { Counter, Gauge, type Registry } from 'prom-client';

/**
 * What the process uses, under Prometheus's usual names, read when it is asked for. prom-client's own default metrics are
 * not taken: half of them mean nothing on this runtime, and they list all open files, which blocks with many sockets.
 */
export function addProcessMetrics(registry: Registry): void {
  const registers = [registry];
  new Gauge({
    name: 'process_start_time_seconds',
    help: 'Start of the process, in seconds since the Unix epoch',
    registers,
  }).set(Math.round(Date.now() / 1000 - process.uptime()));
  new Counter({
    name: 'process_cpu_seconds_total',
    help: 'CPU time of the process, all its threads, in seconds',
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  new Gauge({
    name: 'process_resident_memory_bytes',
    help: 'Memory that the process holds, all its threads',
    registers,
    collect() {
      this.set(process.memoryUsage.rss());
    },
  });
  new Gauge({
    name: 'process_heap_used_bytes',
    help: 'JavaScript heap in use on the main thread, of what resident memory holds',
    registers,
    collect() {
      this.set(process.memoryUsage().heapUsed);
    },
  });
}
