import test from 'ava';
import type { BmcFault } from '../../../../services/agent/bmc-port.ts';
import { failureOf, faultOf, saidIn } from '../../../../services/agent/drivers/redfish/messages.ts';

const info = (MessageId: string, Message: string, Resolution = 'None.') => ({
  MessageId,
  Message,
  Resolution,
});

test('what a controller says is kept with its advice, each sentence once', (t) => {
  const one = info('Base.1.8.PropertyMissing', 'The property Inserted is required.', 'Send it.');
  const body = { error: { code: 'x', message: 'see below', '@Message.ExtendedInfo': [one, one] } };
  t.deepEqual(saidIn(body), ['The property Inserted is required. Send it.']);
  t.deepEqual(saidIn({ error: { message: 'plain' } }), ['plain']);
  t.deepEqual(saidIn('nothing'), []);
});

test('endless messages are cut', (t) => {
  const infos = Array.from({ length: 50 }, (_, at) => info('a.b', `${at}${'x'.repeat(5_000)}`));
  const said = saidIn({ error: { '@Message.ExtendedInfo': infos } });
  t.is(said.length, 10);
  t.true(said.every((sentence) => sentence.length <= 401));
});

test('what is said is found where makes put it', (t) => {
  const one = info('Base.1.4.0.ResourceAlreadyExists', 'It is there already.');
  t.deepEqual(saidIn({ 'UserName@Message.ExtendedInfo': [one] }), ['It is there already.']);
  t.deepEqual(saidIn({ error: { '@Message.ExtendedInfo': one } }), ['It is there already.']);
  const old = {
    error: { '@Message.ExtendedInfo': [{ MessageID: 'iLO.0.10.LicenseKeyRequired' }] },
  };
  t.deepEqual(saidIn(old), ['iLO.0.10.LicenseKeyRequired']);
});

test('what is said beside the name of a message is not lost', (t) => {
  const named = { '@Message.ExtendedInfo': [{ MessageId: 'Base.1.0.GeneralError' }] };
  const general = { code: 'Base.1.0.GeneralError', message: 'Power state Nap is not supported' };
  t.deepEqual(saidIn({ error: { ...general, ...named } }), [
    'Base.1.0.GeneralError',
    'Power state Nap is not supported',
  ]);
  const referring = { message: 'See @Message.ExtendedInfo for more information.' };
  t.deepEqual(saidIn({ error: { ...referring, ...named } }), ['Base.1.0.GeneralError']);
});

test('a sign-in that iLO 4 refuses is one', (t) => {
  const infos = [{ MessageID: 'Base.0.10.UnauthorizedLoginAttempt' }];
  t.is(faultOf(400, { error: { '@Message.ExtendedInfo': infos } }), 'unauthorized');
});

const means = test.macro({
  exec: (t, status: number, id: string, fault: BmcFault) => {
    t.is(faultOf(status, { error: { '@Message.ExtendedInfo': [info(id, '')] } }), fault);
  },
  title: (_, status, id, fault) => `${status} with ${id === '' ? 'nothing' : id} is ${fault}`,
});

test(means, 401, '', 'unauthorized');
test(means, 400, 'iLO.2.14.UnauthorizedLoginAttempt', 'unauthorized');
test(means, 403, 'Base.1.8.InsufficientPrivilege', 'refused');
test(means, 403, 'Base.1.8.PasswordChangeRequired', 'unauthorized');
test(means, 404, '', 'unsupported');
test(means, 405, '', 'unsupported');
test(means, 400, 'Base.1.8.ActionNotSupported', 'unsupported');
test(means, 400, 'Base.1.8.ActionParameterNotSupported', 'refused');
test(means, 409, 'Base.1.8.ResourceInUse', 'refused');
test(means, 429, '', 'busy');
test(means, 503, '', 'busy');
test(means, 500, 'Base.1.8.ServiceTemporarilyUnavailable', 'busy');
test(means, 400, 'iLO.2.14.UnableToModifyDuringSystemPOST', 'busy');
test(means, 500, 'Base.1.8.InternalError', 'refused');

test('a failure names the call, the status, when to come again and what was said', (t) => {
  const body = { error: { '@Message.ExtendedInfo': [info('Base.1.8.Busy', 'Wait.')] } };
  const call = { method: 'POST', link: '/redfish/v1/x', status: 503, body, retryAfter: '30' };
  const { fault, message, said } = failureOf(call);
  t.is(fault, 'busy');
  t.is(message, 'POST /redfish/v1/x was answered with 503 (retry after 30): Wait.');
  t.deepEqual(said, ['Wait.']);
});
