import test from 'ava';
import { saidAmount, saidOf, saidSpan } from '../../../services/scheduler/domain/spoken.ts';

const GIB = 1024 ** 3;

test('amounts in bytes are said as exact sizes, others as numbers', (t) => {
  t.is(saidOf('runm.memory', 64 * GIB), '64 GiB of runm.memory');
  t.is(saidAmount('runm.storage.block', 1.5 * GIB), '1.5 GiB');
  t.is(saidAmount('runm.memory', 1_000_000 * 1024), '1000000 KiB');
  t.is(saidAmount('runm.memory', 64 * GIB + 1), `${64 * GIB + 1} B`);
  t.is(saidAmount('runm.memory', 8), '8 B');
  t.is(saidAmount('runm.memory', 0), '0');
  t.is(saidOf('runm.cpu.shared', 4096), '4096 of runm.cpu.shared');
});

test('spans are said in their two largest parts, never too short', (t) => {
  t.is(saidSpan(500), '0.5 s');
  t.is(saidSpan(90_000), '1 min 30 s');
  t.is(saidSpan(5 * 3_600_000), '5 h');
  t.is(saidSpan(17_999_939), '5 h');
  t.is(saidSpan(18_000_061), '5 h 1 min');
  t.is(saidSpan(86_400_000), '1 day');
  t.is(saidSpan(36 * 3_600_000), '1 day 12 h');
  t.is(saidSpan(90 * 86_400_000), '90 days');
});
