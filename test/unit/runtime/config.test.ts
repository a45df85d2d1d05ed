import test from 'ava';
import { loadConfig, printDefaults } from '../../../services/runtime/config.ts';
import {
  bytes,
  choice,
  durationMs,
  flag,
  integer,
  list,
  sections,
  text,
} from '../../../services/runtime/config-settings.ts';

const schema = {
  cluster: text('Name of the installation.', 'lab', {
    pattern: /^[a-z]+$/,
    want: 'lower-case letters',
  }),
  people: {
    listenPort: integer('Port for people.', 7443, { min: 0, max: 65535 }),
    origins: list('Origins of pages that may call.', []),
    messageMax: bytes('Longest message.', '4MiB'),
  },
  log: {
    level: choice('How much is logged.', 'info', ['debug', 'info', 'warn']),
    pretty: flag('Whether lines are for people.', false),
  },
  noticeMs: durationMs('Time for load balancers.', '2s'),
};

const load = (yaml: string | undefined, env: Record<string, string> = {}) =>
  loadConfig(schema, { env, file: 'runm.yaml', ...(yaml !== undefined && { yaml }) });

test('without a file everything has its default, typed', (t) => {
  const config = load(undefined);
  const port: number = config.people.listenPort;
  const level: 'debug' | 'info' | 'warn' = config.log.level;
  t.is(port, 7443);
  t.is(level, 'info');
  t.is(config.people.messageMax, 4 * 1024 * 1024);
  t.is(config.noticeMs, 2000);
});

test('the file overrides defaults, the environment overrides the file', (t) => {
  const yaml = 'people:\n  listen_port: 1\n  origins: [https://a.example]\nnotice_ms: 5m\n';
  const config = load(yaml, { RUNM_PEOPLE_LISTEN_PORT: '2', RUNM_LOG_PRETTY: 'true' });
  t.is(config.people.listenPort, 2);
  t.deepEqual(config.people.origins, ['https://a.example']);
  t.true(config.log.pretty);
  t.is(config.noticeMs, 300_000);
});

test('every setting can be given by the environment', (t) => {
  const config = load(undefined, {
    RUNM_CLUSTER: 'prod',
    RUNM_PEOPLE_LISTEN_PORT: '0',
    RUNM_PEOPLE_ORIGINS: 'https://a.example, https://b.example',
    RUNM_PEOPLE_MESSAGE_MAX: '1KiB',
    RUNM_LOG_LEVEL: 'warn',
    RUNM_LOG_PRETTY: 'false',
    RUNM_NOTICE_MS: '10ms',
  });
  t.deepEqual(config, {
    cluster: 'prod',
    people: {
      listenPort: 0,
      origins: ['https://a.example', 'https://b.example'],
      messageMax: 1024,
    },
    log: { level: 'warn', pretty: false },
    noticeMs: 10,
  });
});

const refused = test.macro({
  exec: (t, yaml: string, expected: RegExp) => {
    t.throws(() => load(yaml), { message: expected });
  },
  title: (_, yaml) => `refused: ${JSON.stringify(yaml)}`,
});
test(
  refused,
  'people:\n  listen_prot: 1\n',
  /runm\.yaml:2: "people\.listen_prot".*"people\.listen_port"/,
);
test(refused, 'peopel:\n  listen_port: 1\n', /runm\.yaml:1: "peopel" is not a setting/);
test(refused, 'people:\n  listen_port: 70000\n', /:2: .*whole number from 0 to 65535, not 70000/);
test(refused, 'people:\n  listen_port: "12a"\n', /whole number/);
test(refused, 'people: 5\n', /must be a section/);
test(refused, 'log:\n  level: loud\n', /one of debug, info, warn, not "loud"/);
test(refused, 'notice_ms: 5\n', /span such as/);
test(refused, 'cluster: Lab\n', /lower-case letters/);
test(refused, 'a: [\n', /runm\.yaml:/);
test(refused, 'cluster: a\ncluster: b\n', /runm\.yaml:2: .*unique/i);
test(refused, '- a\n', /must be a section/);
test(refused, '__proto__:\n  polluted: 1\n', /__proto__/);

test('all problems are told at once', (t) => {
  const error = t.throws(() => load('a: 1\nb: 2\n', { RUNM_LOG_LEVLE: 'x' }));
  t.regex(error.message, /"a"/);
  t.regex(error.message, /"b"/);
  t.regex(error.message, /"RUNM_LOG_LEVLE".*"RUNM_LOG_LEVEL"/);
});

test('variables of others are left alone', (t) => {
  const env = { RUNM_REQUIRE: 'all', RUNM_TEST_X: '1', HOME: '/' };
  t.notThrows(() => loadConfig(schema, { env, otherEnv: ['RUNM_REQUIRE', 'RUNM_TEST_'] }));
  t.throws(() => loadConfig(schema, { env }), { message: /RUNM_REQUIRE/ });
});

test('the printed defaults are a valid file that says the same', (t) => {
  const printed = printDefaults(schema);
  t.deepEqual(load(printed), load(undefined));
  t.regex(printed, /# Port for people\. \(RUNM_PEOPLE_LISTEN_PORT\)\n {2}listen_port: 7443/);
});

test('a small file cannot unfold into a large one', (t) => {
  const nine = (name: string) => `[${`*${name},`.repeat(9)}]`;
  const bomb =
    `a: &a [${'x,'.repeat(9)}]\nb: &b ${nine('a')}\n` + `c: &c ${nine('b')}\nd: &d ${nine('c')}\n`;
  t.throws(() => load(bomb));
});

const withHooks = {
  hooks: sections('Who is told.', {
    id: text('Its name.', '', { pattern: /^[a-z]+$/, want: 'lower-case letters' }),
    secretFile: text('Its secret.', 'none'),
    kinds: list('What of.', ['*']),
  }),
};

test('a list of sections has defaults, in the file and in the environment', (t) => {
  t.deepEqual(loadConfig(withHooks, { env: {} }).hooks, []);
  const yaml = 'hooks:\n  - id: a\n    secret_file: f\n  - id: b\n    kinds: [x, y]\n';
  const expected = [
    { id: 'a', secretFile: 'f', kinds: ['*'] },
    { id: 'b', secretFile: 'none', kinds: ['x', 'y'] },
  ];
  t.deepEqual(loadConfig(withHooks, { env: {}, yaml }).hooks, expected);
  const env = { RUNM_HOOKS: '[{"id":"a","secret_file":"f"},{"id":"b","kinds":["x","y"]}]' };
  t.deepEqual(loadConfig(withHooks, { env }).hooks, expected);
});

test('what is wrong in a list of sections is said with item and field', (t) => {
  const says = (text: string, message: RegExp) =>
    t.throws(() => loadConfig(withHooks, { env: { RUNM_HOOKS: text } }), { message });
  says('[{"id":"a"},{"id":"B"}]', /item 2 has as "id" lower-case letters/);
  says('[{}]', /item 1 has as "id" lower-case letters/);
  says('[{"id":"a","secret":"f"}]', /item 1 has no "secret" but id, secret_file, kinds/);
  says('[1]', /item 1 has id, secret_file, kinds/);
  says('{', /must be a list/);
});
