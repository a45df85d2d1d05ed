import test from 'ava';
import { linesWith } from '../../../services/machine/rpc/console-lines.ts';

const search = (text: string, wanted: string): string =>
  Buffer.from(linesWith(Buffer.from(text), wanted)).toString();

test('lines that hold the text are found whatever its case, each once and whole', (t) => {
  const log = 'Linux version 6\r\nmemory: ok\r\nKernel panic - LINUX\nend';
  t.is(search(log, 'linux'), 'Linux version 6\nKernel panic - LINUX\n');
  t.is(search(log, 'END'), 'end\n');
  t.is(search(log, 'nothing'), '');
});

test('colours in a text do not hide it', (t) => {
  const red = '\u001b[1;31mFAILED\u001b[0m to start';
  t.is(search(`ok\n${red}\n`, 'failed to'), `${red}\n`);
});

test('bytes that are no text harm nothing', (t) => {
  const bytes = Buffer.concat([Buffer.from([0xff, 0x00, 0x0a]), Buffer.from('here\n')]);
  t.is(Buffer.from(linesWith(bytes, 'here')).toString(), 'here\n');
});
