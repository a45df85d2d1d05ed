import test from 'ava';
import { BmcError } from '../../../../services/agent/bmc-port.ts';
import { parseAddress } from '../../../../services/agent/drivers/redfish/address.ts';

const reads = test.macro({
  exec: (t, text: string, origin: string, systemLink = '') => {
    t.deepEqual(parseAddress(text, 'r1u1'), { origin, systemLink });
  },
  title: (_, text) => `"${text}" is an address`,
});

test(reads, '10.0.0.7', 'https://10.0.0.7');
test(reads, ' bmc-7.example ', 'https://bmc-7.example');
test(reads, 'bmc-7.example:8443', 'https://bmc-7.example:8443');
test(reads, 'fe80::1', 'https://[fe80::1]');
test(reads, '[fe80::1]:8443', 'https://[fe80::1]:8443');
test(reads, 'https://bmc/', 'https://bmc');
test(reads, 'https://bmc:443/redfish/v1/', 'https://bmc');
test(reads, 'http://bmc:8000', 'http://bmc:8000');
test(reads, 'https://bmc/redfish/v1/Systems/2/', 'https://bmc', '/redfish/v1/Systems/2');

const refuses = test.macro({
  exec: (t, text: string, why: RegExp) => {
    const error = t.throws(() => parseAddress(text, 'r1u1'), { instanceOf: BmcError });
    t.regex(error?.message ?? '', why);
    t.regex(error?.message ?? '', /"r1u1"/);
    t.notRegex(error?.message ?? '', /hunter2/);
  },
  title: (_, text) => `"${text}" is no address`,
});

test(refuses, '', /is empty/);
test(refuses, 'ftp://bmc', /no http or https/);
test(refuses, 'https://root:hunter2@bmc', /holds credentials/);
test(refuses, 'https://bmc/login', /path outside/);
test(refuses, 'https://bmc/redfish/v1/Systems/1?x=1', /query/);
test(refuses, 'bmc 7', /neither a host nor a URL/);
