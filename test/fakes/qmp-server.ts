import { createServer, type Socket } from 'node:net';

export type FakeQmp = AsyncDisposable & {
  /** Sends a line to whoever is connected. */
  readonly send: (message: object | string) => void;
  /** What was executed so far. */
  readonly executed: readonly string[];
  readonly dropClients: () => void;
};

export type FakeQmpBehaviour = {
  /** False: takes connections and says nothing, as qemu does to a second client. */
  readonly greets?: boolean;
  /** The answer to a command; null for none at all. */
  readonly answer?: (command: string) => object | null;
};

const GREETING = { QMP: { version: { qemu: { major: 9, minor: 1, micro: 0 } }, capabilities: [] } };

/**
 * Speaks QMP on a unix socket; every command succeeds with an empty object unless told otherwise.
 */
export const fakeQmp = async (path: string, behaviour: FakeQmpBehaviour = {}): Promise<FakeQmp> => {
  const clients = new Set<Socket>();
  const executed: string[] = [];
  const write = (client: Socket, message: object | string): void => {
    client.write(typeof message === 'string' ? message : `${JSON.stringify(message)}\n`);
  };
  const server = createServer((client) => {
    clients.add(client);
    client.on('error', () => undefined);
    client.on('close', () => clients.delete(client));
    if (behaviour.greets !== false) write(client, GREETING);
    client.on('data', (chunk) => {
      for (const line of chunk.toString().trim().split('\n')) {
        const { execute, id }: { execute: string; id: number } = JSON.parse(line);
        executed.push(execute);
        const answer = behaviour.answer?.(execute);
        if (answer !== null) write(client, { ...(answer ?? { return: {} }), id });
      }
    });
  });
  const dropClients = () => {
    for (const client of clients) client.destroy();
  };
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    send: (message) => {
      for (const client of clients) write(client, message);
    },
    executed,
    dropClients,
    [Symbol.asyncDispose]: async () => {
      dropClients();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};
