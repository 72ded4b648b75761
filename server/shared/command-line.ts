import { parseArgs } from 'node:util';

/** The command was not understood: usage is printed, and the exit code is 2. */
export class UsageError extends Error {}

/** Where results are written, and where failures; a line each. */
export interface Output {
  print(line: string): void;
  complain(line: string): void;
}

export type Options<Name extends string, Flag extends string = never> = Partial<Record<Name, string>> &
  Partial<Record<Flag, boolean>>;

/** One command: how many arguments it takes, which options, each with a value, and which flags, that have none. */
export interface Command<Deps, Name extends string, Flag extends string = never> {
  run(deps: Deps, args: string[], options: Options<Name, Flag>): Promise<void>;
  options: readonly Name[];
  flags?: readonly Flag[];
  args: number;
}

/** What is the same for a family of commands and for one that has no family. */
interface Manners {
  usage: string;
  /** Whether a failure is an answer to the operator, and not a fault of the program. */
  isRefusal(error: unknown): error is Error;
}

/** A family of commands, such as `parley admin …`. */
export interface Commands<Deps, Name extends string> extends Manners {
  commands: Record<string, Command<Deps, Name>>;
}

/** Runs a command of a family. Answers the exit code: 0 done, 1 refused, 2 not understood. */
export function runCommand<Deps extends Output, Name extends string>(
  argv: string[],
  deps: Deps,
  { commands, ...manners }: Commands<Deps, Name>,
): Promise<number> {
  return runPolitely(argv, deps, manners, async () => {
    const [name = '', ...rest] = argv;
    const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
    if (!command) throw new UsageError(name === '' ? 'a command is missing' : `there is no command ${name}`);
    await run(name, command, rest, deps);
  });
}

/** Runs a command that has no family, such as `parley audit`. Answers the exit code as `runCommand` does. */
export function runAlone<Deps extends Output, Name extends string, Flag extends string>(
  argv: string[],
  deps: Deps,
  { name, command, ...manners }: Manners & { name: string; command: Command<Deps, Name, Flag> },
): Promise<number> {
  return runPolitely(argv, deps, manners, () => run(name, command, argv, deps));
}

async function runPolitely(
  argv: string[],
  { print, complain }: Output,
  { usage, isRefusal }: Manners,
  work: () => Promise<void>,
): Promise<number> {
  try {
    if (argv[0] === 'help' || argv.includes('--help')) print(usage);
    else await work();
    return 0;
  } catch (error) {
    if (error instanceof UsageError) {
      complain(`${error.message}\n\n${usage}`);
      return 2;
    }
    if (!isRefusal(error)) throw error;
    complain(error.message);
    return 1;
  }
}

async function run<Deps, Name extends string, Flag extends string>(
  name: string,
  command: Command<Deps, Name, Flag>,
  argv: string[],
  deps: Deps,
): Promise<void> {
  const { positionals, values } = parse(argv, command);
  if (positionals.length !== command.args) throw new UsageError(`${name} takes ${command.args} arguments`);
  await command.run(deps, positionals, values);
}

function parse<Name extends string, Flag extends string>(
  args: string[],
  { options: names, flags = [] }: Pick<Command<never, Name, Flag>, 'options' | 'flags'>,
) {
  const options = Object.fromEntries([
    ...names.map((name) => [name, { type: 'string' as const }] as const),
    ...flags.map((name) => [name, { type: 'boolean' as const }] as const),
  ]);
  try {
    const { positionals, values } = parseArgs({ args, options, allowPositionals: true, strict: true });
    return { positionals, values: values as Options<Name, Flag> };
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}
