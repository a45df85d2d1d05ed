import test from 'ava';
import fc from 'fast-check';
import {
  decodeNewc,
  encodeNewc,
  type NewcEntry,
} from '../../../../../services/agent/drivers/qemu/newc.ts';

const name = fc.stringMatching(/^[a-z][a-z0-9_-]{0,12}$/);
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
const mode = fc.integer({ min: 0, max: 0o7777 });
const entry: fc.Arbitrary<NewcEntry> = fc.oneof(
  fc.record({
    kind: fc.constant('file' as const),
    path,
    mode,
    content: fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes)),
  }),
  fc.record({ kind: fc.constant('directory' as const), path, mode }),
  fc.record({ kind: fc.constant('symlink' as const), path, target: path }),
);

test('what is packed is unpacked again, and the archive ends on a 4 byte boundary', (t) => {
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 6 }), (entries) => {
      const archive = encodeNewc(entries);
      t.is(archive.length % 4, 0);
      t.deepEqual(decodeNewc(archive), entries);
    }),
  );
});

test('the header is the one of the kernel documentation', (t) => {
  const content = Buffer.from('hello');
  const archive = encodeNewc([{ kind: 'file', path: 'run/token', mode: 0o600, content }]);
  const fields = [1, 0o100600, 0, 0, 1, 0, 5, 0, 0, 0, 0, 10, 0];
  const header = fields.map((field) => field.toString(16).toUpperCase().padStart(8, '0')).join('');
  t.is(archive.toString('latin1', 0, 110), `070701${header}`);
  t.is(archive.toString('latin1', 110, 120), 'run/token\0');
  t.is(archive.toString('latin1', 120, 125), 'hello');
  t.is(archive.toString('latin1', 128, 134), '070701');
});

for (const bad of ['/etc/passwd', '../up', 'a//b', 'a/./b', '']) {
  test(`an entry named "${bad}" is refused`, (t) => {
    const pack = () => encodeNewc([{ kind: 'directory', path: bad, mode: 0o755 }]);
    t.throws(pack, { message: /expected a relative path/ });
  });
}

for (const [what, bytes] of [
  ['no archive', Buffer.from('x'.repeat(200))],
  ['half an archive', encodeNewc([{ kind: 'directory', path: 'a', mode: 0 }]).subarray(0, 115)],
  ['nothing', Buffer.alloc(0)],
] as const) {
  test(`${what} is refused with a reason`, (t) => {
    t.like(
      t.throws(() => decodeNewc(bytes)),
      { reason: 'NOT_NEWC' },
    );
  });
}
