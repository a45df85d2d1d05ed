import test from 'ava';
import { scan } from '../../../tidy/scan.ts';

const code = (text: string): string => scan('a.ts', text).code;

test('comments, strings and patterns are blanked, code and lines stay', (t) => {
  const text = 'a(); // b\n/* c\nd */ e(\'f\', "g") / h;';
  t.is(code(text), 'a();     \n    \n     e(\' \', " ") / h;');
  t.is(code(text).length, text.length);
});

test('code inside a template stays visible, its text does not', (t) => {
  const text = 'x(`a ${y({ z: `b${c}` })} d`);';
  t.is(code(text), 'x(`  ${y({ z: ` ${c}` })}  `);');
  t.deepEqual(scan('a.ts', text).strings, ['a ', 'b', '', ' d']);
});

test('a slash divides after a value and begins a pattern elsewhere', (t) => {
  t.is(code('a / b / c'), 'a / b / c');
  t.is(code("x = /'[/]/g.test(y)").includes("'"), false);
  t.is(code('return /x/'), 'return    ');
  t.is(code('(a + b) / "c"'), '(a + b) / " "');
});

test('an escaped quote does not end a string', (t) => {
  t.is(code("f('it\\'s', g)"), "f('     ', g)");
});

test('imports of all forms are found, those in text are not', (t) => {
  const text = `import a, { b } from './a.ts';
import type { C } from './c.ts';
import './d.ts';
export { e } from './e.ts';
export type { F } from './f.ts';
const g = await import('./g.ts');
const no = "import x from './x.ts'";
// import y from './y.ts';
import {
  h,
  type I,
} from './h.ts';`;
  const found = scan('z.ts', text).imports;
  const shown = found.map((one) => `${one.specifier}${one.typeOnly ? ' type' : ''} ${one.line}`);
  t.deepEqual(shown.sort(), [
    './a.ts 1',
    './c.ts type 2',
    './d.ts 3',
    './e.ts 4',
    './f.ts type 5',
    './g.ts 6',
    './h.ts 12',
  ]);
  t.deepEqual(
    found.filter((one) => one.dynamic).map((one) => one.specifier),
    ['./g.ts'],
  );
});
