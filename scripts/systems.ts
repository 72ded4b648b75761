/** A system that executables are made for. */
export interface System {
  /** As `bun build --compile` names it. */
  target: string;
  /** The package that holds Bun for it. */
  package: string;
  /** What the header of an executable says. */
  header: string;
}

/** The systems that a release has executables for, by the name that their file has. */
export const SYSTEMS = {
  'linux-x64': { target: 'bun-linux-x64', package: '@oven/bun-linux-x64', header: 'ELF x64' },
  'linux-arm64': { target: 'bun-linux-arm64', package: '@oven/bun-linux-aarch64', header: 'ELF arm64' },
  'macos-x64': { target: 'bun-darwin-x64', package: '@oven/bun-darwin-x64', header: 'Mach-O x64' },
  'macos-arm64': { target: 'bun-darwin-arm64', package: '@oven/bun-darwin-aarch64', header: 'Mach-O arm64' },
} as const satisfies Record<string, System>;

/** `e_machine` of ELF, and `cputype` of Mach-O, little-endian. */
const ELF_MACHINES: Record<number, string> = { 62: 'x64', 183: 'arm64' };
const MACH_O_CPUS: Record<number, string> = { 16777223: 'x64', 16777228: 'arm64' };
const ELF_MAGIC = 0x464c_457f;
const MACH_O_MAGIC = 0xfeed_facf;

/** Which system an executable is for, by its first 64 bytes. */
export function headerOf(bytes: Buffer): string {
  const magic = bytes.readUInt32LE(0);
  if (magic === ELF_MAGIC) return `ELF ${ELF_MACHINES[bytes.readUInt16LE(18)] ?? 'of another machine'}`;
  if (magic === MACH_O_MAGIC) return `Mach-O ${MACH_O_CPUS[bytes.readUInt32LE(4)] ?? 'of another machine'}`;
  return 'no system that is known';
}
