import test from 'ava';
import { recoverOrder } from '../../../../services/agent/domain/order-recovery.ts';
import { scanTargets } from '../../../../services/agent/domain/scan-range.ts';
import { isDomainError } from '../../../../services/runtime/errors.ts';

const texts = (...ranges: string[]): string[] =>
  scanTargets(ranges).map(({ host, port }) => (port === undefined ? host : `${host}:${port}`));

test('a range is its addresses, in order and each once', (t) => {
  t.deepEqual(texts('10.0.0.254-10.0.1.1'), ['10.0.0.254', '10.0.0.255', '10.0.1.0', '10.0.1.1']);
  t.deepEqual(texts('10.0.0.7', ' 10.0.0.7 '), ['10.0.0.7']);
  t.deepEqual(texts('10.0.0.7', '10.0.0.7:8443'), ['10.0.0.7', '10.0.0.7:8443']);
});

test('a network is its hosts, without its own name and its broadcast', (t) => {
  t.deepEqual(texts('10.0.0.9/30'), ['10.0.0.9', '10.0.0.10']);
  t.deepEqual(texts('10.0.0.8/31:623'), ['10.0.0.8:623', '10.0.0.9:623']);
  t.deepEqual(texts('10.0.0.8/32'), ['10.0.0.8']);
  t.is(texts('10.0.0.0/20').length, 4_094);
});

test('what is no range is refused by name', (t) => {
  for (const range of [
    '',
    'bmc.example',
    '10.0.0.256',
    '10.0.0.9-10.0.0.1',
    '10.0.0.1-x',
    '10.0.0.0/33',
    '10.0.0.0/8',
    '10.0.0.1:0',
    '10.0.0.1:70000',
    '::1',
    '10.0.0.0-10.1.0.0',
  ]) {
    const error = t.throws(() => scanTargets([range]), undefined, range);
    t.true(isDomainError(error, 'invalid_argument', 'INVALID_FIELD'), range);
    t.regex(error?.message ?? '', /^ranges: /);
  }
  t.throws(() => scanTargets(['10.0.0.0/20', '10.1.0.0/20']), { message: /more than 4096/ });
});

const time = { receivedMs: 1_000, validForMs: 500, nowMs: 1_200 };

test('an order that had not begun is done while it is valid', (t) => {
  t.is(recoverOrder('received', 'change_power', time), 'do');
  t.is(recoverOrder('received', 'read_power', { ...time, nowMs: 1_501 }), 'expired');
  t.is(recoverOrder('received', 'read_power', { ...time, nowMs: 400 }), 'expired');
});

test('of orders under way reads are done again, and changes are looked at', (t) => {
  for (const work of ['probe', 'read_facts', 'read_power', 'scan', 'rotate'] as const) {
    t.is(recoverOrder('begun', work, time), 'do', work);
  }
  for (const work of ['change_power', 'set_boot_device', 'clear_log', 'raw'] as const) {
    t.is(recoverOrder('begun', work, time), 'look_and_tell', work);
  }
  t.is(recoverOrder('done', 'change_power', time), 'tell_again');
});
