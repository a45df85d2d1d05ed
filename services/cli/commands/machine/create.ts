import { create as message } from '@bufbuild/protobuf';
import { DurationSchema } from '@bufbuild/protobuf/wkt';
import { createClient } from '@connectrpc/connect';
import {
  BootSchema,
  type PortForward,
  PortForwardSchema,
  ReadyWhenSchema,
} from '../../../../gen/runmachine/machine/v1/machine_boot_pb.ts';
import {
  type Machine,
  MachineSchema,
  type MachineSpec,
  MachineSpecSchema,
  MachineType,
} from '../../../../gen/runmachine/machine/v1/machine_pb.ts';
import { MachineService } from '../../../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { callOptions } from '../../call-options.ts';
import type { Args, Command, Context } from '../../command.ts';
import { WAIT_OPTIONS } from '../../crud.ts';
import { parseSizeBytes } from '../../format/size.ts';
import { parseSpanSeconds, secondsToDuration } from '../../format/span.ts';
import { readDocument } from '../../read-document.ts';
import { atTop, inProject, newId, projectParent } from '../../resource-names.ts';
import { UsageError } from '../../usage-error.ts';
import { checkWait } from '../../wait-operation.ts';
import { finish } from './finish.ts';

export const create: Command = {
  summary: 'create a machine, claim its resources and boot it',
  positionals: [{ name: 'name', help: 'name of the new machine' }],
  options: {
    image: { type: 'string', value: 'NAME', help: 'image to boot from' },
    media: { type: 'string', value: 'NAME', help: 'ISO image to boot from' },
    'boot-none': { type: 'boolean', help: 'boot from nothing' },
    'boot-network': { type: 'boolean', help: "boot from the machine's networks" },
    cpus: { type: 'string', value: 'N', help: 'virtual processors (1)' },
    memory: { type: 'string', value: 'SIZE', help: 'memory, for example 256MiB (512MiB)' },
    disk: { type: 'string', value: 'SIZE', help: 'root disk (none, or the size of the image)' },
    on: {
      type: 'string',
      value: 'KIND',
      help: 'any, metal or vm (any)',
      choices: ['any', 'metal', 'vm'],
    },
    provider: { type: 'string', value: 'NAME', help: 'provider that it must run on' },
    claim: { type: 'string', value: 'NAME', help: 'claim whose resources it uses' },
    'ready-when': {
      type: 'string',
      value: 'WHAT',
      help: 'phone-home, running, tcp:PORT or console:TEXT',
    },
    'boot-timeout': { type: 'string', value: 'SPAN', help: 'how long a boot may take (5m)' },
    forward: {
      type: 'string',
      multiple: true,
      value: 'HOST:GUEST',
      help: 'forward a port; HOST may be left out',
    },
    tag: { type: 'string', multiple: true, value: 'TEXT', help: 'a tag' },
    file: {
      type: 'string',
      short: 'f',
      value: 'FILE',
      help: 'a machine as YAML or JSON; - is standard input',
    },
    'dry-run': { type: 'boolean', help: 'only check' },
    ...WAIT_OPTIONS,
  },
  examples: ['runm machine create demo --image lab-linux --cpus 1 --memory 256MiB --wait'],
  run: async (context, args) => {
    checkWait(args);
    const client = createClient(MachineService, context.transport());
    const request = {
      parent: projectParent(context.settings),
      machineId: newId(args.positional('name')),
      machine: await wanted(context, args),
      requestId: context.random.requestId(),
      validateOnly: args.flag('dry-run'),
    };
    const answer = await client.createMachine(request, callOptions(context));
    return finish(context, args, {
      operation: answer.operation,
      machine: answer.machine,
      already: 'checked; nothing was created',
      next: (name) => `runm machine console ${name}`,
    });
  },
};

const wanted = async (context: Context, args: Args): Promise<Machine> => {
  const file = args.string('file');
  const machine = file
    ? await readDocument(context, MachineSchema, file)
    : message(MachineSchema, {});
  const spec = machine.spec ?? message(MachineSpecSchema, {});
  applyOptions(context, args, spec);
  machine.spec = spec;
  machine.tags = [...machine.tags, ...args.strings('tag')];
  return machine;
};

const MIB = 1024n ** 2n;

const applyOptions = (context: Context, args: Args, spec: MachineSpec): void => {
  const [memory, disk, timeout] = [
    args.string('memory'),
    args.string('disk'),
    args.string('boot-timeout'),
  ];
  const [claim, provider, on] = [args.string('claim'), args.string('provider'), args.string('on')];
  // In the contract 0 stands for the default, and nobody means that who types it.
  if (args.string('cpus') !== undefined) spec.cpus = atLeastOne(wholeNumber(args, 'cpus'), 'cpus');
  if (memory !== undefined) {
    spec.memoryBytes = atLeastOne(parseSizeBytes(memory, '--memory'), 'memory');
    // The contract says so as well, of a field that nobody has typed.
    if (spec.memoryBytes % MIB !== 0n) {
      throw new UsageError(`--memory: "${memory}" is no multiple of 1 MiB`, 'write it like 256MiB');
    }
  }
  if (disk !== undefined) spec.diskBytes = parseSizeBytes(disk, '--disk');
  if (claim !== undefined) spec.claim = inProject(context.settings, 'claims', claim);
  if (provider !== undefined) spec.provider = provider;
  if (on !== undefined) spec.type = machineType(on);
  if (timeout !== undefined) {
    spec.bootTimeout = message(
      DurationSchema,
      secondsToDuration(parseSpanSeconds(timeout, '--boot-timeout')),
    );
  }
  spec.ports = [...spec.ports, ...args.strings('forward').map(parseForward)];
  applyBoot(args, spec);
  const ready = args.string('ready-when');
  if (ready !== undefined) spec.readyWhen = parseReadyWhen(ready);
};

const applyBoot = (args: Args, spec: MachineSpec): void => {
  const sources = ['image', 'media', 'boot-none', 'boot-network'].filter(
    (name) => args.flag(name) || args.string(name) !== undefined,
  );
  if (sources.length > 1) {
    throw new UsageError(`--${sources.join(' and --')} exclude each other`, 'give one of them');
  }
  const [image, media] = [args.string('image'), args.string('media')];
  if (image !== undefined) {
    spec.boot = message(BootSchema, { source: { case: 'image', value: atTop('images', image) } });
  } else if (media !== undefined) {
    spec.boot = message(BootSchema, { source: { case: 'media', value: atTop('images', media) } });
  } else if (args.flag('boot-network')) {
    spec.boot = message(BootSchema, { source: { case: 'network', value: {} } });
  } else if (args.flag('boot-none')) {
    spec.boot = message(BootSchema, { source: { case: 'none', value: {} } });
  }
};

const wholeNumber = (args: Args, name: string): number => {
  const text = args.string(name) ?? '';
  if (!/^\d{1,6}$/.test(text)) throw new UsageError(`--${name}: "${text}" is not a whole number`);
  return Number(text);
};

const atLeastOne = <N extends number | bigint>(value: N, name: string): N => {
  if (value > 0) return value;
  throw new UsageError(`--${name}: a machine needs more than 0`, 'leave it out for the default');
};

const machineType = (text: string): MachineType => {
  const types: Readonly<Record<string, MachineType>> = {
    any: MachineType.ANY,
    metal: MachineType.BARE_METAL,
    vm: MachineType.VIRTUAL,
  };
  const type = types[text];
  if (type === undefined) throw new UsageError(`--on: "${text}" is unknown`, 'any, metal or vm');
  return type;
};

const parseForward = (text: string): PortForward => {
  const match = /^(?:(\d{1,5}):)?(\d{1,5})(?:\/(tcp|udp))?$/.exec(text);
  if (!match) {
    throw new UsageError(
      `--forward: "${text}" is not HOST:GUEST`,
      'for example 2222:22 or 22 or 5353:53/udp',
    );
  }
  return message(PortForwardSchema, {
    hostPort: Number(match[1] ?? 0),
    guestPort: Number(match[2]),
    protocol: match[3] ?? '',
  });
};

const parseReadyWhen = (text: string) => {
  if (text === 'phone-home') {
    return message(ReadyWhenSchema, { condition: { case: 'phoneHome', value: {} } });
  }
  if (text === 'running') {
    return message(ReadyWhenSchema, { condition: { case: 'running', value: {} } });
  }
  const [kind, ...rest] = text.split(':');
  const value = rest.join(':');
  if (kind === 'tcp' && /^\d{1,5}$/.test(value)) {
    return message(ReadyWhenSchema, { condition: { case: 'tcpPort', value: Number(value) } });
  }
  if (kind === 'console' && value !== '') {
    return message(ReadyWhenSchema, { condition: { case: 'consoleText', value } });
  }
  throw new UsageError(
    `--ready-when: "${text}" is unknown`,
    'phone-home, running, tcp:PORT or console:TEXT',
  );
};
