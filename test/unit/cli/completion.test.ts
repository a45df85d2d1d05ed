/** What shells offer while one types. */
import test from 'ava';
import { CATALOGUE } from '../../../services/cli/catalogue.ts';
import { completion } from '../../../services/cli/commands/completion.ts';
import { callCommand } from './call-command.ts';

const offered = async (typed: string): Promise<string[]> => {
  const { code, stdout } = await callCommand(completion, ['words', '--', typed]);
  if (code !== 0) throw new Error(`exit ${code}`);
  return stdout.split('\n').filter((word) => word !== '');
};

test('every noun is offered, then its verbs, also those of two words', async (t) => {
  t.deepEqual(await offered(''), Object.keys(CATALOGUE));
  t.deepEqual(await offered('help'), Object.keys(CATALOGUE));
  t.true((await offered('provider')).includes('power'));
  t.true((await offered('discovery')).includes('accept'));
  t.deepEqual(
    (await offered('provider power')).filter((word) => word.startsWith('o')),
    ['on', 'off'],
  );
  t.deepEqual(await offered('nonsense'), []);
});

test('the words that an argument or an option may be are offered in their place', async (t) => {
  t.true((await offered('lab fault r1u1')).includes('wrong-state'));
  t.false((await offered('lab fault')).includes('wrong-state'));
  t.true((await offered('provider bootdev --mode uefi r1u1')).includes('network'));
  t.deepEqual(await offered('machine create web --on'), ['any', 'metal', 'vm']);
  t.deepEqual(await offered('provider import -f'), [], 'the shell offers files');
  t.true((await offered('provider power off')).includes('--group'));
});

test('the scripts are for the shells that are said', async (t) => {
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { code, stdout } = await callCommand(completion, [shell]);
    t.is(code, 0);
    t.regex(stdout, /runm completion words --/);
  }
  const { code, stderr } = await callCommand(completion, ['tcsh']);
  t.is(code, 2);
  t.regex(stderr, /no completion for "tcsh"\n +bash, zsh, fish/);
});
