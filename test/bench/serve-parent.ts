/** What a process of a bench can be asked, by verb. Arguments and answers are plain data. */
export type Verbs = Readonly<Record<string, (args: never) => unknown>>;

/** CPU time of this process so far, in microseconds; every process of a bench can be asked. */
const cpuUs = (): number => {
  const { user, system } = process.cpuUsage();
  return user + system;
};

/** Answers the questions of the process that started this one (child.ts), and ends with it. */
export const serveParent = (verbs: Verbs): void => {
  process.on('message', async (message) => {
    const { id, verb, args } = message as { id: number; verb: string; args: never };
    try {
      const answer = verb === 'cpuUs' ? cpuUs : verbs[verb];
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
