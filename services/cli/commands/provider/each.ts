/** The same verb at several providers: some at once, each for itself. */
import { ConnectError } from '@connectrpc/connect';
import type { Context } from '../../command.ts';
import { EXIT } from '../../exit.ts';
import { showData, tableText } from '../../output.ts';
import { exitCodeOf, refusalText } from '../../report-rpc-error.ts';
import { lastSegment } from '../../resource-names.ts';

/** Controllers in one rack often share a switch and a power budget. */
const AT_ONCE = 8;

export type Outcome = {
  readonly name: string;
  /** One word or sentence: what came of it. Undefined: it was refused. */
  readonly text: string | undefined;
  readonly refusal: ConnectError | undefined;
};

export const atEach = async (
  context: Context,
  names: readonly string[],
  work: (name: string) => Promise<string>,
): Promise<readonly Outcome[]> => {
  const outcomes: Outcome[] = [];
  const waiting = names.entries();
  const takeSome = async (): Promise<void> => {
    for (const [index, name] of waiting) {
      outcomes[index] = await outcomeOf(name, work);
      context.output.progress(`  ${Object.keys(outcomes).length} of ${names.length}`);
      context.signal.throwIfAborted();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, takeSome));
  return outcomes;
};

const outcomeOf = async (
  name: string,
  work: (name: string) => Promise<string>,
): Promise<Outcome> => {
  try {
    return { name, text: await work(name), refusal: undefined };
  } catch (error) {
    if (!(error instanceof ConnectError)) throw error;
    return { name, text: undefined, refusal: error };
  }
};

/** Shows what came of it and answers the exit code: that of the first refusal. */
export const showOutcomes = async (
  { output }: Context,
  outcomes: readonly Outcome[],
  title: string,
): Promise<number> => {
  const refused = outcomes.find(({ refusal }) => refusal !== undefined)?.refusal;
  const document = outcomes.map(({ name, text, refusal }) => ({
    provider: lastSegment(name),
    ...(text !== undefined && { [title]: text }),
    ...(refusal && { error: refusal.rawMessage }),
  }));
  const columns = [
    { title: 'PROVIDER', value: ({ name }: Outcome) => lastSegment(name) },
    { title: title.toUpperCase(), value: ({ text }: Outcome) => text ?? '' },
    ...(refused === undefined ? [] : [PROBLEM]),
  ];
  await showData(output, document, () => tableText(output, columns, outcomes));
  return refused === undefined ? EXIT.ok : exitCodeOf(refused);
};

const PROBLEM = {
  title: 'PROBLEM',
  value: ({ refusal }: Outcome) => (refusal ? refusalText(refusal) : ''),
};
