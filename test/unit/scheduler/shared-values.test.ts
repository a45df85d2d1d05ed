import test from 'ava';
import { createSharedValues } from '../../../services/scheduler/work/shared-values.ts';
import { createCommand, groupOf } from './builders.ts';

const groupsOf = (providers: readonly string[]) => {
  const command = createCommand({ id: 'a', groups: [groupOf({ cpu: 1 }, { providers })] });
  if (command.verb !== 'create') throw new Error('createCommand creates');
  return command;
};

test('equal values are one object, but what nobody else has is not kept', (t) => {
  const { command } = createSharedValues();
  const groups = (providers: readonly string[]) => {
    const shared = command(groupsOf(providers));
    return shared.verb === 'create' ? shared.draft.spec.groups : undefined;
  };
  t.is(groups(['p1']), groups(['p1']));
  const many = Array.from({ length: 500 }, (_, at) => `provider-${at}`);
  t.deepEqual(groups(many), groups(many));
  t.not(groups(many), groups(many));
});
