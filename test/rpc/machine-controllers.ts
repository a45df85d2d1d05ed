/**
 * What the fake agent does at controllers: each is a few values, shared by the agents of a pool.
 */
import type { MessageInitShape } from '@bufbuild/protobuf';
import { createClient, type Transport } from '@connectrpc/connect';
import { AgentService } from '../../gen/runmachine/agent/v1/agent_service_pb.ts';
import type { BmcAnswerSchema, BmcOrder } from '../../gen/runmachine/agent/v1/bmc_pb.ts';
import { BmcType } from '../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import {
  type BiosAttribute,
  BootDeviceType,
  Health,
  PowerChange,
} from '../../gen/runmachine/machine/v1/hardware_pb.ts';
import { PowerState } from '../../gen/runmachine/machine/v1/machine_pb.ts';

export type FakeResult = {
  readonly succeeded: boolean;
  readonly reason?: string;
  readonly message?: string;
  readonly bmc?: MessageInitShape<typeof BmcAnswerSchema>;
};

export const refused: FakeResult = {
  succeeded: false,
  reason: 'BMC_UNSUPPORTED',
  message: 'This agent works at no controllers',
};

type Call = { readonly id: string; readonly transport: Transport };

export type FakeControllers = {
  readonly obey: (order: BmcOrder, call: Call) => Promise<FakeResult>;
  /** By uid of the provider. */
  readonly powers: Map<string, PowerState>;
  /** Password that a controller takes, by uid of the provider; absent = "first". */
  readonly passwords: Map<string, string>;
  /** How often each work was done, by its name. */
  readonly done: Map<string, number>;
  /** Instead of doing the work. */
  fault: FakeResult | undefined;
  /** Never answers while it is set. */
  hangs: boolean;
  serial: string;
};

const CERTIFICATE = 'ab'.repeat(32);

export const createFakeControllers = (): FakeControllers => {
  const powers = new Map<string, PowerState>();
  const passwords = new Map<string, string>();
  const done = new Map<string, number>();
  const media = new Map<string, string>();
  let bios: readonly BiosAttribute[] = [];
  const answer = (
    content: NonNullable<MessageInitShape<typeof BmcAnswerSchema>['content']>,
  ): FakeResult => ({ succeeded: true, bmc: { content, certificateSha256: CERTIFICATE } });
  const work = (order: BmcOrder): FakeResult => {
    const { work: asked, providerUid: uid } = order;
    const power = powers.get(uid) ?? PowerState.OFF;
    switch (asked.case) {
      case 'readPower':
        return answer({ case: 'power', value: power });
      case 'changePower': {
        const { change } = asked.value;
        const off = change === PowerChange.OFF || change === PowerChange.SOFT_OFF;
        powers.set(uid, off ? PowerState.OFF : PowerState.ON);
        return answer({ case: 'power', value: powers.get(uid) ?? PowerState.OFF });
      }
      case 'readBootDevice':
        return answer({ case: 'bootDevice', value: { type: BootDeviceType.DISK } });
      case 'setBootDevice': {
        const { device } = asked.value;
        return answer({ case: 'bootDevice', value: device ?? { type: BootDeviceType.NONE } });
      }
      case 'probe':
        return answer({ case: 'probe', value: { vendor: 'Lab', model: 'R1' } });
      case 'readFacts':
        return answer({
          case: 'facts',
          value: {
            vendor: 'Lab',
            model: 'R1',
            serialNumber: `${self.serial}${uid}`,
            cpuThreads: 8,
          },
        });
      case 'readSensors':
        return answer({
          case: 'sensors',
          value: { sensors: [{ label: 'inlet', value: 21.5, unit: 'Cel', health: Health.OK }] },
        });
      case 'readLog':
        return answer({ case: 'log', value: { entries: [{ id: '1', message: 'fan failed' }] } });
      case 'setIndicator':
        return answer({ case: 'indicatorLit', value: asked.value.lit });
      case 'readMedia':
        return answer({ case: 'mediaUrl', value: media.get(uid) ?? '' });
      case 'insertMedia':
        media.set(uid, asked.value.url);
        return answer({ case: 'mediaUrl', value: asked.value.url });
      case 'ejectMedia':
        media.delete(uid);
        return answer({ case: 'done', value: {} });
      case 'readBios':
        return answer({ case: 'bios', value: { attributes: [...bios] } });
      case 'setBios':
        bios = asked.value.attributes;
        return answer({ case: 'done', value: {} });
      case 'raw':
        return answer({ case: 'raw', value: `echo ${asked.value.request}` });
      case 'scan':
        return answer({
          case: 'scan',
          value: {
            tried: 2,
            controllers: [{ type: BmcType.REDFISH, address: '10.0.0.7', problem: 'no secret' }],
          },
        });
      default:
        return answer({ case: 'done', value: {} });
    }
  };
  /** Takes the staged password, as a controller does whose user may change his own. */
  const rotate = async ({ controller, providerUid: uid }: BmcOrder, { transport }: Call) => {
    const agents = createClient(AgentService, transport);
    const { data, stagedData } = await agents.getSecret({ name: controller?.secret ?? '' });
    const present = passwords.get(uid) ?? 'first';
    const knows = [data.password, stagedData.password].includes(present);
    if (!knows) return { succeeded: false, reason: 'BMC_UNAUTHORIZED', message: 'wrong password' };
    passwords.set(uid, stagedData.password ?? present);
    return answer({ case: 'done', value: {} });
  };
  const self: FakeControllers = {
    powers,
    passwords,
    done,
    fault: undefined,
    hangs: false,
    serial: 'S-',
    obey: async (order, call) => {
      while (self.hangs) await new Promise((resolve) => setImmediate(resolve));
      if (self.fault !== undefined) return self.fault;
      const name = order.work.case ?? 'nothing';
      done.set(name, (done.get(name) ?? 0) + 1);
      return order.work.case === 'rotate' ? rotate(order, call) : work(order);
    },
  };
  return self;
};
