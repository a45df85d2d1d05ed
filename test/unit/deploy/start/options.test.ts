import { resolve } from 'node:path';
import test from 'ava';
import { HELP, parseStartOptions, stopCommand } from '../../../../deploy/start/options.ts';

const parse = (...argv: string[]) => {
  const options = parseStartOptions(argv, {});
  if (options === 'help') throw new Error('help was not asked for');
  return options;
};

test('without options nobody but this machine is let in', (t) => {
  t.like(parse(), { verb: 'start', listen: '127.0.0.1', demo: true, lab: true });
  t.false(parse('--no-lab').lab);
  t.deepEqual(parse().origins, []);
  t.deepEqual(parse().ports, {});
});

test('origins of web pages may be given several times, as browsers write them', (t) => {
  const { origins } = parse('--origin', 'https://Console.example/', '--origin', 'http://[::1]:80');
  t.deepEqual(origins, ['https://console.example', 'http://[::1]']);
  t.true(HELP.includes('--origin'));
});

for (const text of ['*', 'console.example', 'https://console.example/app', 'file:///x', 'null']) {
  test(`"${text}" is refused as an origin`, (t) => {
    t.throws(() => parse('--origin', text), { message: `--origin: "${text}" is not an origin` });
  });
}

test('opening to the network needs a name for the certificate', (t) => {
  t.throws(() => parse('--listen', '0.0.0.0'), { message: /no name is given/ });
  t.is(parse('--listen', '0.0.0.0', '--public-name', 'lab.example').publicName, 'lab.example');
});

test('a port must be one', (t) => {
  t.throws(() => parse('--people-port', '70000'), { message: /"70000" is not a port/ });
  t.throws(() => parse('--boot-port', '0x10'), { message: /is not a port/ });
});

test('an unknown option is named', (t) => {
  t.throws(() => parse('--orgin', 'x'), { message: /--orgin/ });
});

test('what ends an installation names its place where that is not the usual one', (t) => {
  t.is(stopCommand(resolve('.runmachine')), 'npm stop');
  t.is(stopCommand('/srv/runm'), 'npm stop -- --state-dir /srv/runm');
  t.is(stopCommand("/srv/my 'own"), "npm stop -- --state-dir '/srv/my '\\''own'");
});
