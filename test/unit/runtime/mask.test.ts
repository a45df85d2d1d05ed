import { create } from '@bufbuild/protobuf';
import { FieldMaskSchema } from '@bufbuild/protobuf/wkt';
import test from 'ava';
import { MachineSchema } from '../../../gen/runmachine/machine/v1/machine_pb.ts';
import { DomainError } from '../../../services/runtime/errors.ts';
import { resourceMask } from '../../../services/runtime/mask.ts';

const mask = resourceMask(MachineSchema);
const paths = (...list: string[]) => create(FieldMaskSchema, { paths: list });
const specFields = MachineSchema.field.spec?.message?.fields.map((field) => field.name) ?? [];

test('masked fields are taken, cleared when unset, and others stay', (t) => {
  const from = create(MachineSchema, { name: 'evil', tags: ['new'], spec: {} });
  const onto = create(MachineSchema, { name: 'm', uid: 'u', tags: ['old'] });
  const result = mask.apply(paths('tags'), from, onto);
  t.like(result, { name: 'm', uid: 'u', tags: ['new'] });
  t.deepEqual(onto.tags, ['old'], 'the stored object is not touched');
  t.deepEqual(mask.apply(paths('tags'), create(MachineSchema, {}), onto).tags, []);
});

test('a field below spec is set where spec was unset', (t) => {
  t.true(specFields.length > 0);
  for (const field of specFields) t.notThrows(() => mask.check(paths(`spec.${field}`)));
});

const refused = test.macro({
  exec: (t, path: string) => {
    const error = t.throws(() => mask.check(paths(path)), { instanceOf: DomainError });
    t.is(error.reason, 'MASK_INVALID');
    t.is(error.metadata.path, path);
    t.true(error.message.includes(`"${path}"`));
  },
  title: (_, path) => `the mask path "${path}" is refused by name`,
});
for (const path of [
  'name',
  'status.state',
  '*',
  'spec',
  'spec.nothing',
  'tags.0',
  'uid',
  '',
  'spec.',
]) {
  test(refused, path);
}

test('an empty or endless mask is refused', (t) => {
  t.throws(() => mask.check(undefined), { message: /at least one/ });
  t.throws(() => mask.check(paths()), { message: /at least one/ });
  t.throws(() => mask.check(paths(...Array(65).fill('tags'))), { message: /at most 64/ });
});
