/** What a process of a bench can be asked, by verb. Arguments and answers are plain data. */
export type Verbs = Readonly<Record<string, (args: never) => unknown>>;

const sumOf = ({ user, system }: NodeJS.CpuUsage): number => user + system;

/** CPU time so far, in microseconds; every process of a bench can be asked. */
const CPU: Verbs = {
  cpuUs: () => sumOf(process.cpuUsage()),
  /** Of the main thread alone. */
  threadCpuUs: () => sumOf(process.threadCpuUsage()),
};

/** Answers the questions of the process that started this one (child.ts), and ends with it. */
export const serveParent = (verbs: Verbs): void => {
  process.on('message', async (message) => {
    const { id, verb, args } = message as { id: number; verb: string; args: never };
    try {
      const answer = CPU[verb] ?? verbs[verb];
      if (answer === undefined) throw new Error('nobody knows this verb');
      process.send?.({ id, value: await answer(args) });
    } catch (error) {
      process.send?.({ id, error: error instanceof Error ? (error.stack ?? '') : String(error) });
    }
  });
  process.once('disconnect', () => process.exit(0));
};

/** Whether this process was started by a bench rather than by a person. */
export const hasParent = (): boolean => process.send !== undefined;
