import {
  type Aspects,
  type Bmc,
  type BmcCredentials,
  type BmcDriver,
  BmcError,
  type BootChoice,
  type Offer,
  type Offers,
  type PowerReading,
} from '../../services/agent/bmc-port.ts';

/**
 * A controller in memory, behind the port that drivers implement: for what lies above the drivers.
 * The drivers themselves are tried against controllers behind sockets.
 */
export type MemoryBmc = {
  power: PowerReading;
  boot: BootChoice;
  /** User → password. */
  accounts: Map<string, string>;
  /** What happened there, in order. */
  readonly log: string[];
  /** Sessions that are open now. */
  sessions: number;
  /** Called before each call; may wait or throw. */
  before: (call: string, signal: AbortSignal) => Promise<void> | void;
  /** Serial output is pushed here; undefined = no console is open. */
  serial: { readonly push: (text: string) => void; readonly break: () => void } | undefined;
  typed: string;
  offersConsole: boolean;
};

export const memoryBmc = (): MemoryBmc => ({
  power: 'off',
  boot: { device: 'none', persistent: false },
  accounts: new Map([['admin', 'secret']]),
  log: [],
  sessions: 0,
  before: () => undefined,
  serial: undefined,
  typed: '',
  offersConsole: true,
});

/** Controllers by their address; of others nothing answers. */
export const memoryDriver = (
  bmcs: ReadonlyMap<string, MemoryBmc>,
  name: 'redfish' | 'ipmi' = 'redfish',
): BmcDriver => ({
  name,
  open: async ({ address }, credentials, signal) => {
    const bmc = bmcs.get(address);
    if (!bmc) throw new BmcError('unreachable', `Nothing answers at ${address}`);
    await call(bmc, 'open', signal);
    if (bmc.accounts.get(credentials.user) !== credentials.password) {
      bmc.log.push('refused');
      throw new BmcError('unauthorized', `${address} refuses the credentials`);
    }
    bmc.sessions += 1;
    return session(bmc, name, credentials);
  },
});

const call = async (bmc: MemoryBmc, name: string, signal: AbortSignal): Promise<void> => {
  bmc.log.push(name);
  await bmc.before(name, signal);
  signal.throwIfAborted();
};

const session = (bmc: MemoryBmc, driver: 'redfish' | 'ipmi', { user }: BmcCredentials): Bmc => ({
  driver,
  vendor: 'Memory',
  model: 'M1',
  firmware: '1.0',
  certificateSha256: driver === 'redfish' ? 'ab'.repeat(32) : '',
  quirks: [],
  offers: offersOf(bmc, user),
  close: async () => {
    bmc.sessions -= 1;
    bmc.log.push('close');
  },
});

const offered = <T>(aspect: T): Offer<T> => ({ kind: 'offered', aspect, how: 'in memory' });
const missing = { kind: 'not_offered', why: 'this controller has none' } as const;

const offersOf = (bmc: MemoryBmc, user: string): Offers => ({
  power: offered(powerOf(bmc)),
  bootDevice: offered<Aspects['bootDevice']>({
    read: async (signal) => {
      await call(bmc, 'read boot', signal);
      return bmc.boot;
    },
    set: async (choice, signal) => {
      await call(bmc, `boot ${choice.device}`, signal);
      bmc.boot = choice;
    },
  }),
  accounts: offered<Aspects['accounts']>({
    list: async () =>
      [...bmc.accounts.keys()].map((one) => ({
        id: one,
        user: one,
        enabled: true,
        privilege: 'administrator',
      })),
    put: async (credentials, signal) => {
      await call(bmc, 'put account', signal);
      bmc.accounts.set(credentials.user, credentials.password);
    },
    remove: async (gone) => {
      bmc.accounts.delete(gone);
    },
  }),
  indicator: offered<Aspects['indicator']>({
    read: async (signal) => {
      await call(bmc, 'read indicator', signal);
      return user === 'lit';
    },
    set: (_, signal) => call(bmc, 'indicator', signal),
  }),
  console: bmc.offersConsole ? offered(consoleOf(bmc)) : missing,
  media: missing,
  sensors: missing,
  log: missing,
  facts: missing,
  bios: missing,
  raw: missing,
});

const powerOf = (bmc: MemoryBmc): Aspects['power'] => ({
  read: async (signal) => {
    await call(bmc, 'read power', signal);
    return bmc.power;
  },
  change: async (change, signal) => {
    await call(bmc, change, signal);
    if (change === 'off' || change === 'soft_off') bmc.power = 'off';
    else bmc.power = 'on';
  },
});

const consoleOf = (bmc: MemoryBmc): Aspects['console'] => ({
  open: async (signal) => {
    await call(bmc, 'open console', signal);
    const queue: Uint8Array[] = [];
    let wake = Promise.withResolvers<void>();
    let isOver = false;
    const end = (): void => {
      isOver = true;
      bmc.serial = undefined;
      wake.resolve();
    };
    bmc.serial = {
      push: (text) => {
        queue.push(Buffer.from(text));
        wake.resolve();
      },
      break: end,
    };
    async function* output(): AsyncGenerator<Uint8Array> {
      while (!isOver) {
        wake = Promise.withResolvers<void>();
        yield* queue.splice(0);
        if (queue.length === 0 && !isOver) await wake.promise;
      }
    }
    return {
      output: output(),
      write: async (bytes) => {
        bmc.typed += Buffer.from(bytes).toString();
      },
      close: async () => {
        bmc.log.push('close console');
        end();
      },
    };
  },
});
