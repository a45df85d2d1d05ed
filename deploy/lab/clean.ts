/**
 * Cleans a server of the lab after a claim: `node deploy/lab/clean.ts SOCKET`, with what the
 * control plane says of the cleaning as JSON on standard input. The lab wipes the disks and puts
 * the firmware's settings back; it refuses to do so to a server that is on.
 */

import { connect } from 'node:net';
import { text } from 'node:stream/consumers';

const SOCKET_MS = 60_000;

const main = async (): Promise<number> => {
  const [path] = process.argv.slice(2);
  if (path === undefined) throw new Error('the path of the control socket of the lab is missing');
  const server = serverOf(JSON.parse(await text(process.stdin)));
  const answer: unknown = JSON.parse(await ask(path, { verb: 'wipe', server }));
  const said = Object(answer);
  if (said.kind === 'done') {
    console.log(`${server} is as new`);
    return 0;
  }
  throw new Error(`the lab did not wipe ${server}: ${String(said.message)}`);
};

const serverOf = (order: unknown): string => {
  const name: unknown = Object(Object(order).provider).name;
  const id = typeof name === 'string' ? name.split('/').at(-1) : undefined;
  if (id === undefined) throw new Error('standard input names no provider');
  return id;
};

const ask = async (path: string, request: object): Promise<string> => {
  const socket = connect({ path });
  socket.setTimeout(SOCKET_MS, () => socket.destroy(new Error('the lab does not answer')));
  socket.write(`${JSON.stringify(request)}\n`);
  return text(socket);
};

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
