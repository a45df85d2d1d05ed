import test from 'ava';
import { scan } from '../../../tidy/scan.ts';
import { checkSource, describeViolation } from '../../../tidy/source-rules.ts';

const check = (path: string, text: string): string[] =>
  checkSource(scan(path, text)).map(describeViolation);

type Case = readonly [path: string, text: string, message: RegExp | undefined];

const SERVICE = 'services/machine/work/boot.ts';

const cases: readonly Case[] = [
  [SERVICE, 'const x: number = 1;', undefined],
  [SERVICE, 'const x: any = 1;', /:1 uses `any`/],
  [SERVICE, 'const x = new Map<string, any>();', /uses `any`/],
  [SERVICE, 'const x = y as any;', /uses `any`/],
  [SERVICE, 'const x: string | any = y;', /uses `any`/],
  [SERVICE, 'const f = (): any => 1;', /uses `any`/],
  [SERVICE, 'Promise.any(all); AbortSignal.any([a]); const o = { any: 1 };', undefined],
  [SERVICE, 'details.map((any) => any.value);', undefined],
  [SERVICE, '// any: any\nconst x = "as any";', undefined],
  [SERVICE, 'const x = y as unknown as Z;', /casts through unknown/],
  [SERVICE, 'enum State { a }', /enum/],
  [SERVICE, 'namespace A { }', /namespace/],
  [SERVICE, 'export default 1;', /default export/],
  ['ava.config.js', 'export default 1;', undefined],
  [SERVICE, '\nconst x = Date.now();', /:2 reads the time/],
  [SERVICE, 'const x = new Date();', /reads the time/],
  [SERVICE, 'const x = new Date;', /reads the time/],
  [SERVICE, 'const x = new Date(1); const y = clock.now();', undefined],
  ['services/runtime/clock.ts', 'const x = Date.now(); setTimeout(f, 1);', undefined],
  ['test/unit/a.test.ts', 'const x = Date.now();', /reads the time/],
  [SERVICE, 'const x = Math.random();', /draws chance/],
  [SERVICE, 'setTimeout(f, 1);', /timer of its own/],
  [SERVICE, 'clock.setTimeout(f, 1);', undefined],
  ['services/runtime/rpc/a.ts', 'setInterval(f, 1);', undefined],
  ['services/machine/work/a.ts', 'setInterval(f, 1);', /timer of its own/],
  ['test/unit/a.test.ts', 'setTimeout(f, 1);', undefined],
  ['test/unit/a.test.ts', `test${'.only'}('x', f);`, /keeps the other tests/],
  ['test/unit/a.test.ts', `test${'.skip'}('x', f);`, /leaves a test out/],
  ['test/unit/a.test.ts', `test.serial${'.skip'}('x', f);`, /leaves a test out/],
  ['test/unit/a.test.ts', 'iterator.skip(1);', undefined],
  ['services/machine/domain/a.ts', 'throw new ConnectError("x");', /knows RPC codes/],
  ['services/machine/store/a.ts', 'throw new ConnectError("x");', /knows RPC codes/],
  ['services/store/sql/a.ts', 'throw new ConnectError("x");', /knows RPC codes/],
  ['services/runtime/rpc/a.ts', 'throw new ConnectError("x");', undefined],
  ['services/machine/utils.ts', '', /named after nothing/],
  ['services/machine/index.ts', '', /named after nothing/],
  ['services/machine/bootMode.ts', '', /kebab/],
  [SERVICE, 'x'.repeat(100), undefined],
  [SERVICE, 'x'.repeat(101), /longer than 100/],
  [SERVICE, `// ${'x '.repeat(50)}`, /longer than 100/],
  [SERVICE, `  '${'x'.repeat(101)}',`, undefined],
  [SERVICE, `import { x } from './${'x'.repeat(101)}.ts';`, undefined],
  [SERVICE, `  f('${'x'.repeat(60)}', '${'x'.repeat(60)}');`, /longer than 100/],
  [SERVICE, '\n'.repeat(399).concat('x'), undefined],
  [SERVICE, '\n'.repeat(400).concat('x'), /has 401 lines/],
  ['gen/x_pb.ts', `${'x'.repeat(200)} as any`, undefined],
];

for (const [path, text, message] of cases) {
  const shown = text.length > 60 ? `${text.length} characters` : text.trim();
  const verdict = message === undefined ? 'is allowed' : 'is refused';
  test(`${shown || 'its name'} ${verdict} in ${path}`, (t) => {
    const found = check(path, text);
    if (message === undefined) t.deepEqual(found, []);
    else {
      t.is(found.length, 1);
      t.regex(found[0] ?? '', message);
    }
  });
}
