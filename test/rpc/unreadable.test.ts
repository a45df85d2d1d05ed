/** A request that cannot be read is its caller's mistake in every protocol, and says so. */
import { Code, ConnectError } from '@connectrpc/connect';
import { endStreamFromJson, errorFromJsonBytes } from '@connectrpc/connect/protocol-connect';
import { findTrailerError } from '@connectrpc/connect/protocol-grpc';
import { trailerParse } from '@connectrpc/connect/protocol-grpc-web';
import test from 'ava';
import { ErrorInfoSchema } from '../../gen/google/rpc/error_details_pb.ts';
import { type Fixture, startFixture } from './fixture.ts';
import { type Answer, openWire } from './wire.ts';

let fixture: Fixture;
test.before(async () => {
  fixture = await startFixture();
});
test.after.always(() => fixture.stop());

const HEAD_BYTES = 5;
const GARBAGE = Buffer.from([0xff, 0x0c, 0x00]);
const frame = (flags: number, data: Buffer): Buffer => {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt8(flags, 0);
  head.writeUInt32BE(data.length, 1);
  return Buffer.concat([head, data]);
};

type Read = (answer: Answer & { kind: 'answered' }) => ConnectError | undefined;

const bytesOf = ({ body }: { body: string }): Buffer => Buffer.from(body, 'latin1');

/** How each protocol tells an error. */
const PROTOCOLS: Readonly<Record<string, Read>> = {
  'application/proto': (answer) =>
    errorFromJsonBytes(bytesOf(answer), undefined, new ConnectError('', Code.Unknown)),
  'application/grpc': ({ headers }) => findTrailerError(new Headers(visible(headers))),
  'application/grpc-web': (answer) =>
    findTrailerError(trailerParse(bytesOf(answer).subarray(HEAD_BYTES))),
  'application/connect+proto': (answer) =>
    endStreamFromJson(bytesOf(answer).subarray(HEAD_BYTES)).error,
};

const visible = (headers: Readonly<Record<string, string>>): [string, string][] =>
  Object.entries(headers).filter(([name]) => !name.startsWith(':'));

const CASES = [
  { method: 'MachineService/GetMachine', types: ['proto', 'grpc', 'grpc-web'] },
  { method: 'MachineService/WatchMachines', types: ['grpc', 'grpc-web', 'connect+proto'] },
  { method: 'ImageService/UploadImagePart', types: ['grpc', 'grpc-web', 'connect+proto'] },
  { method: 'ConsoleService/AttachConsole', types: ['grpc', 'grpc-web', 'connect+proto'] },
];

const BODIES: Readonly<Record<string, Buffer>> = {
  'a message that is none': frame(0, GARBAGE),
  'a frame that ends too soon': frame(0, GARBAGE).subarray(0, 6),
  'a frame packed in no known way': frame(1, GARBAGE),
};

for (const { method, types } of CASES) {
  for (const short of types) {
    for (const [what, body] of Object.entries(BODIES)) {
      const type = `application/${short}`;
      const isPlain = short === 'proto';
      if (isPlain && what !== 'a message that is none') continue;
      test(`${what} is refused by ${method} over ${type}`, async (t) => {
        const target = { port: fixture.people.port, ca: fixture.authority.ca };
        using wire = openWire(target);
        const answer = await wire.send({
          path: `/runmachine.machine.v1.${method}`,
          headers: { 'content-type': type, authorization: 'Bearer admin-token', te: 'trailers' },
          body: isPlain ? GARBAGE : body,
        });
        if (answer.kind !== 'answered') return t.fail(answer.kind);
        const error = PROTOCOLS[type]?.(answer);
        t.is(error?.code, Code.InvalidArgument, error?.message);
        const [info] = error?.findDetails(ErrorInfoSchema) ?? [];
        t.like(info, { reason: 'INVALID_FIELD', domain: 'runmachine' });
        if (isPlain) t.is(answer.status, 400);
      });
    }
  }
}
