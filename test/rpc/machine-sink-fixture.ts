/** Receivers of events that really listen, and a site with something to tell. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { ClaimSchema, ClaimState } from '../../gen/runmachine/scheduler/v1/claim_pb.ts';
import type { MachineConfig } from '../../services/machine/main.ts';
import { machineMigrations } from '../../services/machine/store/migrations.ts';
import type { MachineTables } from '../../services/machine/store/tables.ts';
import { systemClock } from '../../services/runtime/clock.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { openSql } from '../../services/store/sql/open.ts';
import { eventually } from '../support/eventually.ts';
import { silentLog } from '../support/silent-log.ts';
import { PROJECT, type Site } from './machine-fixture.ts';

/** Times at which tests do not wait long. */
export const QUICK: Partial<MachineConfig> = {
  sinkIdleMs: 50,
  sinkLeaseMs: 15_000,
  sinkBackoff: { firstMs: 20, longestMs: 200 },
};

export type Posted = {
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
};

export type Receiver = AsyncDisposable & {
  readonly url: string;
  /** Everything that came, taken or not. */
  readonly tries: Posted[];
  /** What was taken. */
  readonly taken: Posted[];
  /** Answers instead; undefined = takes everything. */
  answer: ((response: ServerResponse, posted: Posted) => void) | undefined;
};

export const startReceiver = async (): Promise<Receiver> => {
  const tries: Posted[] = [];
  const taken: Posted[] = [];
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(Buffer.from(part));
    const posted = { headers: request.headers, body: Buffer.concat(parts).toString() };
    tries.push(posted);
    if (receiver.answer !== undefined) {
      receiver.answer(response, posted);
      return;
    }
    taken.push(posted);
    response.writeHead(204).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const receiver: Receiver = {
    url: `http://127.0.0.1:${address.port}/events`,
    tries,
    taken,
    answer: undefined,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return receiver;
};

/** A file that only its owner may read. */
export const secretFile = (text: string, mode = 0o600) => {
  const dir = mkdtempSync(join(tmpdir(), 'runm-sink-'));
  const file = join(dir, 'secret');
  writeFileSync(file, text, { mode });
  return { file, [Symbol.dispose]: () => rmSync(dir, { recursive: true }) };
};

/** A claim of which there is so much to tell: `claim.replaced` once for each call. */
export const tellOfClaim = (site: Site, id: string, replacements = 1): string => {
  const name = `${PROJECT}/claims/${id}`;
  const known = site.neighbours.claims.get(name);
  const claim =
    known ??
    create(ClaimSchema, {
      name,
      uid: systemRandom.uid(),
      status: { state: ClaimState.ACTIVE, owner: 'users/ann' },
    });
  if (claim.status !== undefined) claim.status.replacements = replacements;
  site.neighbours.claims.set(name, claim);
  site.neighbours.tellClaim();
  return name;
};

/** The sink begins with what happens after it was first seen. */
export const begun = async (site: Site): Promise<void> => {
  const store = await openStore(site);
  const sinks = () =>
    store.read((reader) =>
      reader.kysely<MachineTables>().selectFrom('event_sink').select('id').execute(),
    );
  await eventually(async () => (await sinks()).length > 0, { message: 'the sink has begun' });
  await store.close();
};

/** Beside the replicas, one of which may be in the midst of a write. */
export const openStore = (site: Site, limits = {}) =>
  eventually(
    () =>
      openSql({
        service: 'machine',
        url: site.url,
        entities: [],
        migrations: machineMigrations,
        clock: systemClock,
        random: systemRandom,
        log: silentLog,
        limits,
      }),
    { message: 'the database was opened beside the replicas' },
  );
