import { parseArgs } from 'node:util';

/** The command was not understood: usage is printed, and the exit code is 2. */
export class UsageError extends Error {}

/** Where results are written, and where failures; a line each. */
export interface Output {
  print(line: string): void;
  complain(line: string): void;
}

export type Options<Name extends string> = Partial<Record<Name, string>>;

/** One command of a family: how many arguments it takes, and which options, each with a value. */
export interface Command<Deps, Name extends string> {
  run(deps: Deps, args: string[], options: Options<Name>): Promise<void>;
  options: readonly Name[];
  args: number;
}

/** A family of commands, such as `parley admin …`. */
export interface Commands<Deps, Name extends string> {
  usage: string;
  commands: Record<string, Command<Deps, Name>>;
  /** Whether a failure is an answer to the operator, and not a fault of the program. */
  isRefusal(error: unknown): error is Error;
}

/** Runs a command of a family. Answers the exit code: 0 done, 1 refused, 2 not understood. */
export async function runCommand<Deps extends Output, Name extends string>(
  argv: string[],
  deps: Deps,
  { usage, commands, isRefusal }: Commands<Deps, Name>,
): Promise<number> {
  try {
    const [name = '', ...rest] = argv;
    if (name === 'help' || argv.includes('--help')) {
      deps.print(usage);
      return 0;
    }
    const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
    if (!command) throw new UsageError(name === '' ? 'a command is missing' : `there is no command ${name}`);
    const { positionals, values } = parse(rest, command.options);
    if (positionals.length !== command.args) throw new UsageError(`${name} takes ${command.args} arguments`);
    await command.run(deps, positionals, values);
    return 0;
  } catch (error) {
    if (error instanceof UsageError) {
      deps.complain(`${error.message}\n\n${usage}`);
      return 2;
    }
    if (!isRefusal(error)) throw error;
    deps.complain(error.message);
    return 1;
  }
}

function parse<Name extends string>(args: string[], names: readonly Name[]) {
  const options = Object.fromEntries(names.map((name) => [name, { type: 'string' as const }]));
  try {
    const { positionals, values } = parseArgs({ args, options, allowPositionals: true, strict: true });
    return { positionals, values: values as Options<Name> };
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}
