import test from 'ava';
import { CATALOGUE } from '../../../services/cli/catalogue.ts';
import { closest } from '../../../services/cli/closest.ts';
import { commandHelp, nounHelp, topHelp } from '../../../services/cli/help.ts';
import { parseCommandLine } from '../../../services/cli/parse-args.ts';
import { parseProperty } from '../../../services/cli/property-options.ts';
import { newId } from '../../../services/cli/resource-names.ts';
import { UsageError } from '../../../services/cli/usage-error.ts';

const command = {
  summary: 'x',
  positionals: [{ name: 'name', help: 'a name' }],
  options: {
    wait: { type: 'boolean' as const, help: '' },
    tag: { type: 'string' as const, multiple: true, help: '' },
  },
  run: async () => undefined,
};

test('options and positionals are read in any order', (t) => {
  const args = parseCommandLine(command, ['--tag', 'a', 'web', '--wait', '--tag=b', '--json']);
  t.is(args.positional('name'), 'web');
  t.true(args.flag('wait'));
  t.true(args.flag('json'));
  t.deepEqual(args.strings('tag'), ['a', 'b']);
});

test('an unknown option is named and the nearest one is offered', (t) => {
  const error = t.throws(() => parseCommandLine(command, ['web', '--wiat']), {
    instanceOf: UsageError,
  });
  t.is(error?.message, 'unknown option --wiat');
  t.regex(error?.cure ?? '', /--wait/);
});

test('a result has one form', (t) => {
  t.throws(() => parseCommandLine(command, ['web', '--json', '--yaml']), {
    message: '--json and --yaml exclude each other',
  });
});

test('a missing, an empty and an extra argument are refused by name', (t) => {
  t.throws(() => parseCommandLine(command, []), { message: /NAME is missing/ });
  t.throws(() => parseCommandLine(command, ['']), { message: /NAME is empty/ });
  t.throws(() => parseCommandLine(command, ['a', 'b']), { message: /"b"/ });
});

test('the nearest word is found within two edits only', (t) => {
  t.is(closest('machne', ['machine', 'claim']), 'machine');
  t.is(closest('xyzzy', ['machine', 'claim']), undefined);
});

test('every command of the catalogue loads and has help', async (t) => {
  t.regex(topHelp(CATALOGUE), /machine/);
  for (const [noun, entry] of Object.entries(CATALOGUE)) {
    const verbs = 'load' in entry ? { '': entry } : entry.verbs;
    if (!('load' in entry)) t.regex(nounHelp(noun, entry), new RegExp(`runm ${noun}`));
    for (const [verb, found] of Object.entries(verbs)) {
      const loaded = await found.load();
      t.true(typeof loaded.run === 'function', `${noun} ${verb}`);
      t.regex(commandHelp(`${noun} ${verb}`, loaded), /usage: runm/);
    }
  }
});

test('names that the API would refuse are refused before the call', (t) => {
  for (const name of ['web-1', 'A', 'a.b_c', 'x'.repeat(63)]) t.is(newId(name), name);
  for (const name of ['', '-a', 'a-', 'a/b', 'x'.repeat(64), 'ä', 'a b']) {
    t.throws(() => newId(name), { instanceOf: UsageError });
  }
});

test('a property keeps the type of its value', (t) => {
  const kinds = ['rack=r1', 'slots=4', 'load=0.5', 'spare=true'].map(
    (text) => parseProperty(text)[1].kind.case,
  );
  t.deepEqual(kinds, ['stringValue', 'integerValue', 'numberValue', 'boolValue']);
  for (const wrong of ['rack', '=x', 'Rack=x'])
    t.throws(() => parseProperty(wrong), { instanceOf: UsageError });
});
