/** A day at a site that two projects share, as people do it: everything by `runm`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { eventually } from '../support/eventually.ts';
import { ok } from '../support/runm.ts';
import { RACKS, type SharedSite, startSharedSite } from '../support/shared-site.ts';

type ClaimJson = {
  readonly name: string;
  readonly spec: { readonly releaseTime?: string };
  readonly status: {
    readonly state: string;
    readonly allocations: readonly { readonly provider: string }[];
  };
};

const placesOf = (claim: ClaimJson): string[] =>
  claim.status.allocations.map(({ provider }) => provider.slice(provider.lastIndexOf('/') + 1));

/** One for all, because it takes long to set up; each test claims on days of its own. */
let site: SharedSite;
test.before(async () => {
  site = await startSharedSite();
});
test.after.always(() => site?.[Symbol.asyncDispose]());

test('two projects claim, reserve, extend and are refused, and everybody sees why', async (t) => {
  const { ada, bob, operator } = site;

  t.log('claims know places');
  const train = ['train', '--whole', '--count', '4', '--spread', 'rack:2', '--for', '4h'];
  const placed: ClaimJson = JSON.parse(ok(await ada('claim', 'create', ...train, '--json')));
  const inRack = (rack: keyof typeof RACKS) =>
    placesOf(placed).filter((one) => RACKS[rack].includes(one)).length;
  t.deepEqual([inRack('rack1'), inRack('rack2')], [2, 2]);
  const near = ['--distance', 'network<=same-rack from group:rack1', '--property', 'zone=a'];
  const beside = ['beside', '--whole', ...near, '--for', '2h'];
  const besides: ClaimJson = JSON.parse(ok(await bob('claim', 'create', ...beside, '--json')));
  t.true(RACKS.rack1.includes(placesOf(besides)[0] ?? ''));

  t.log('a refusal says what stands in the way and what to type next');
  const refused = await bob('claim', 'create', 'more', '--whole', '--require', 'cpu.avx512');
  t.is(refused.code, 7);
  t.regex(refused.stderr, /of 6 providers:\n +capability cpu\.avx512 +removed 3 +3 left\n/);
  t.regex(refused.stderr, / removed 3 +0 left\n/);
  t.regex(refused.stderr, /next: runm claim explain --whole --require cpu\.avx512\n/);
  const explained = ok(await bob('claim', 'explain', '--whole', '--require', 'cpu.avx512'));
  t.regex(explained, /^it does not fit\nof 6 providers:\n/);
  const many = await bob('claim', 'create', 'more', '--whole', '--count', '6', '--for', '1h');
  t.regex(many.stderr, /what would fit: 1 instead of 6\n/);

  t.log('a window is found, reserved as it is shown, and drawn');
  const windows = await bob('claim', 'windows', '--whole', '--count', '6', '--for', '1h');
  const [, begin] =
    /next: runm claim reserve NAME .*--from (\S+) --for 1h\n/.exec(windows.stderr) ?? [];
  t.truthy(begin, windows.stderr);
  const whole = ['all', '--whole', '--count', '6', '--from', begin ?? '', '--for', '1h'];
  t.regex(ok(await bob('claim', 'reserve', ...whole)), /^state +pending$/m);
  const picture = ok(await operator('claim', 'calendar', '--group', 'row1', '--days', '1'));
  t.is(picture.match(/^metal-0\d /gm)?.length, 6);
  t.regex(picture, /^[A-C] {2}red\/train /m);
  t.regex(picture, /^[A-C] {2}blue\/all .* pending/m);
  t.true(picture.split('\n').every((line) => line.length <= 80));
  t.regex(ok(await ada('claim', 'calendar', '--days', '1')), /^[A-C] {2}red\/train /m);

  t.log('use is told to who may see it');
  const by = ['usage', 'show', '--by', 'project,user'];
  t.regex(ok(await operator(...by)), /^blue +users\/bob +runm\.machine\.whole +1 +1 +1 /m);
  t.regex(ok(await ada(...by)), /^red +users\/ada +runm\.machine\.whole +1 +4 +4 /m);
  t.notRegex(ok(await ada(...by)), /blue/);

  t.log('an end moves only as far as nobody is after it');
  const late = await ada('claim', 'extend', 'train', '--by', '1d');
  t.is(late.code, 5);
  t.regex(late.stderr, /blue|all|after|held/i);
  t.regex(ok(await ada('claim', 'shorten', 'train', '--by', '2h')), /^train ends /);
  t.regex(ok(await ada('claim', 'extend', 'train', '--by', '1h')), /^train ends /);
});

test('quotas hold for projects and their users, and use is told', async (t) => {
  const { ada, bob, operator } = site;
  const limits = ['runm.memory=64GiB', 'runm.cpu.shared=32', '--default-length', '7d'];
  ok(await operator('quota', 'set', 'red', ...limits, '--max-length', '21d'));
  ok(await operator('quota', 'set', 'red', '--user', 'ada', 'runm.cpu.shared=8'));

  const from = ['--from', 'in 6d'];
  const small = ['--cpus', '4', '--memory', '16GiB', ...from];
  const web: ClaimJson = JSON.parse(ok(await ada('claim', 'reserve', 'web', ...small, '--json')));
  t.truthy(web.spec.releaseTime, 'a claim without an end has the length of its project');
  const shown = ok(await ada('quota', 'get'));
  t.regex(shown, /^runm\.memory +64 GiB +0 +16 GiB$/m);
  t.regex(shown, /^users\/ada +runm\.cpu\.shared 8$/m);

  const big = await ada('claim', 'reserve', 'big', '--memory', '60GiB', ...from);
  t.is(big.code, 7);
  t.regex(big.stderr, /runm\.memory: limit 64 GiB, used 16 GiB, wanted 60 GiB/);
  t.regex(big.stderr, /next: runm quota get red/);
  const own = await ada('claim', 'reserve', 'cpu', '--cpus', '5', ...from);
  t.regex(own.stderr, /runm\.cpu\.shared: limit 8, used 4, wanted 5/);
  const long = await ada('claim', 'reserve', 'long', '--cpus', '1', ...from, '--for', '22d');
  t.is(long.code, 5);
  t.regex(long.stderr, /lasts at most 21d/);
  ok(await bob('claim', 'reserve', 'free', '--memory', '60GiB', ...from, '--for', '22d'));
  t.regex(ok(await operator('quota', 'list')), /^red +runm\.cpu\.shared +32 +0 +4$/m);
});

test('a file makes several claims, and what is printed can be made again', async (t) => {
  const { bob } = site;
  const file = join(site.dir, 'claims.yaml');
  const window = { from: 'in 3d', for: '4h' };
  const texts = ['a', 'b', 'c'].map((name) =>
    JSON.stringify({ name, whole: true, count: name === 'b' ? 7 : 1, group: 'rack1', ...window }),
  );
  writeFileSync(file, texts.join('\n---\n'));
  const made = await bob('claim', 'create', '-f', file);
  t.is(made.code, 7, made.stderr);
  t.regex(made.stdout, /^a +pending .* metal-0[123]$/m);
  t.regex(made.stdout, /^b +refused: /m);
  t.regex(made.stdout, /^c +pending .* metal-0[123]$/m);
  t.regex(made.stderr, /1 of 3 were refused/);

  writeFileSync(file, ok(await bob('claim', 'get', 'a', '--yaml')));
  t.regex(ok(await bob('claim', 'create', 'a2', '-f', file)), /^holds .* metal-0[123]$/m);
  t.is((await bob('claim', 'create', 'a3', '-f', file)).code, 7, 'the rack is full');
  ok(await bob('claim', 'release', 'c'));
  await eventually(
    async () => /^state +released, cancelled$/m.test(ok(await bob('claim', 'get', 'c'))),
    { message: 'what never began is given back without cleaning' },
  );
  ok(await bob('claim', 'create', 'a3', '-f', file));

  const elsewhere = ['--whole', '--group', 'rack2', '--from', 'in 3d', '--for', '4h'];
  const candidates = ok(await bob('claim', 'candidates', ...elsewhere, '-q'));
  t.deepEqual(candidates.trim().split('\n').toSorted(), RACKS.rack2);
  const second = ['a4', ...elsewhere, '--candidate', '2', '--json'];
  const chosen: ClaimJson = JSON.parse(ok(await bob('claim', 'create', ...second)));
  t.true(RACKS.rack2.includes(placesOf(chosen)[0] ?? ''));
});
