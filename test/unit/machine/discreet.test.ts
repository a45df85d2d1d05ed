import test from 'ava';
import { discreetText } from '../../../services/machine/domain/discreet.ts';

const hides = test.macro({
  exec: (t, text: string, addresses: readonly string[], expected: string) =>
    t.is(discreetText(text, addresses), expected),
  title: (_, text: string) => `a tenant does not read where a controller is in "${text}"`,
});

const URL = 'https://10.0.0.7:8443/redfish/v1/Systems/2';
test(hides, `${URL} is away`, [URL], '(its controller) is away');
test(hides, '10.0.0.7:9000 and 10.0.0.7', [URL], '(its controller):9000 and (its controller)');
test(hides, '10.0.0.9:6230 is silent', [URL, '10.0.0.9:6230'], '(its controller) is silent');
test(hides, 'fe80::7 is silent', ['https://[fe80::7]:443'], '(its controller) is silent');
test(hides, 'nothing to hide', ['', 'bmc-7'], 'nothing to hide');
