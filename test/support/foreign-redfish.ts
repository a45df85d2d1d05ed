import { once } from 'node:events';
import { createServer } from 'node:http';
import { gzipSync } from 'node:zlib';
import type { ExecutionContext } from 'ava';
import type { Bmc } from '../../services/agent/bmc-port.ts';
import { createRedfishDriver } from '../../services/agent/drivers/redfish/driver.ts';
import { systemClock } from '../../services/runtime/clock.ts';
import { inTime } from './redfish-lab.ts';

/** Resources by their path, as a make shows them where the lab's controllers do not. */
export type Bodies = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

export type Written = {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
  /** The tag that was sent; absent where there was none. */
  readonly ifMatch?: string;
};

/** What a write is answered with, and what it changes; undefined: 204 and nothing. */
export type Answering = (
  written: Written,
  bodies: Map<string, Readonly<Record<string, unknown>>>,
) => { readonly status: number; readonly body?: unknown } | undefined;

const BARE: Bodies = {
  '/redfish/v1': {
    '@odata.id': '/redfish/v1',
    Systems: { '@odata.id': '/redfish/v1/Systems' },
    Chassis: { '@odata.id': '/redfish/v1/Chassis' },
    Managers: { '@odata.id': '/redfish/v1/Managers' },
    AccountService: { '@odata.id': '/redfish/v1/AccountService' },
  },
  '/redfish/v1/Systems': { Members: [{ '@odata.id': '/redfish/v1/Systems/1' }] },
  '/redfish/v1/Systems/1': {
    '@odata.id': '/redfish/v1/Systems/1',
    Links: {
      Chassis: [{ '@odata.id': '/redfish/v1/Chassis/1' }],
      ManagedBy: [{ '@odata.id': '/redfish/v1/Managers/1' }],
    },
  },
  '/redfish/v1/Chassis/1': { '@odata.id': '/redfish/v1/Chassis/1' },
  '/redfish/v1/Managers/1': { '@odata.id': '/redfish/v1/Managers/1' },
};

/** What reading it is answered with, instead of 200 and it; `message` as of a registry. */
export const failing = (
  status: number,
  message: Readonly<Record<string, unknown>> = { Message: 'Unsupported' },
): Readonly<Record<string, unknown>> => ({ [FAILS]: status, [SAYS]: message });
const FAILS = '@fails';
const SAYS = '@says';

type Headers = Readonly<Record<string, string | string[]>>;

/** Reading it is answered with these headers, too; a content-encoding of gzip is kept. */
export const withHeaders = (
  body: Readonly<Record<string, unknown>>,
  headers: Headers,
): Readonly<Record<string, unknown>> => ({ ...body, [HEADERS]: headers });
const HEADERS = '@headers';
const MISSING = '@missing';

/** Opens a line to a controller that shows `bodies`, beside the least that there must be. */
export const foreignRedfish = async (
  t: ExecutionContext<unknown>,
  bodies: Bodies,
  answering: Answering = () => undefined,
): Promise<{ readonly open: () => Promise<Bmc>; readonly written: readonly Written[] }> => {
  const shown = new Map(Object.entries({ ...BARE, ...bodies }));
  const written: Written[] = [];
  const server = createServer(async (incoming, outgoing) => {
    const { method = 'GET', url = '/' } = incoming;
    const path = url.split('?')[0]?.replace(/\/$/, '') ?? '';
    const parts: Buffer[] = [];
    for await (const part of incoming) parts.push(Buffer.from(part));
    const { [HEADERS]: extra, ...found } = shown.get(path) ?? { [MISSING]: true };
    const headers: Headers = { 'content-type': 'application/json', ...Object(extra) };
    const send = (status: number, body?: unknown): void => {
      outgoing.writeHead(status, { ...headers });
      const text = body === undefined ? '' : JSON.stringify(body);
      outgoing.end(headers['content-encoding'] === 'gzip' ? gzipSync(text) : text);
    };
    const failed = Number(found[FAILS] ?? 0);
    if (method === 'GET' && failed > 0)
      return send(failed, { error: { '@Message.ExtendedInfo': [found[SAYS]] } });
    if (method === 'GET') return found[MISSING] === true ? send(404, {}) : send(200, found);
    const text = Buffer.concat(parts).toString() || '{}';
    const ifMatch = incoming.headers['if-match'];
    const tag = ifMatch === undefined ? {} : { ifMatch };
    const call = { method, path, body: JSON.parse(text), ...tag };
    written.push(call);
    const { status, body } = answering(call, shown) ?? { status: 204 };
    return send(status, body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  const driver = createRedfishDriver({ clock: systemClock, settleMs: 500 });
  const address = { address: `http://127.0.0.1:${port}`, provider: 'r1u1', certificateSha256: '' };
  const opened: Bmc[] = [];
  t.teardown(async () => {
    for (const bmc of opened) await bmc.close(AbortSignal.timeout(1_000));
    server.close();
    server.closeAllConnections();
  });
  return {
    written,
    open: async () => {
      const bmc = await driver.open(address, { user: 'admin', password: 'secret' }, inTime());
      opened.push(bmc);
      return bmc;
    },
  };
};
