import { once } from 'node:events';
import { connect, createServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import { letGoOfClosedStreams } from '../../../services/runtime/rpc/closed-streams.ts';

test('a closed stream has told all that listened to it, and refers to none of them', async (t) => {
  letGoOfClosedStreams();
  letGoOfClosedStreams();
  const told: string[] = [];
  const server = createServer();
  const streams = once(server, 'stream');
  server.on('stream', (stream: ServerHttp2Stream) => {
    stream.resume().on('end', () => stream.end('answer'));
    stream.on('close', () => told.push('server'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = connect(`http://127.0.0.1:${port}`);
  try {
    const asking = client.request({ ':method': 'POST' });
    asking.on('data', (chunk: Buffer) => told.push(chunk.toString()));
    asking.on('close', () => told.push('client'));
    asking.end('question');
    const [serving] = (await streams) as [ServerHttp2Stream];
    await Promise.all([once(asking, 'close'), once(serving, 'close')]);
    t.deepEqual(told.toSorted(), ['answer', 'client', 'server']);
    for (const stream of [asking, serving]) {
      t.deepEqual(stream.eventNames(), ['error']);
      t.notThrows(() => stream.emit('error', new Error('too late for anybody')));
    }
  } finally {
    client.close();
    server.close();
  }
});
