import {
  type BiosAttribute,
  BiosAttributeSchema,
} from '../../../../gen/runmachine/machine/v1/hardware_pb.ts';
import { closest } from '../../closest.ts';
import type { Command } from '../../command.ts';
import { confirmByName, YES } from '../../confirm.ts';
import { type Shown, showList } from '../../output.ts';
import { lastSegment } from '../../resource-names.ts';
import { UsageError } from '../../usage-error.ts';
import { asked, FORCE, hardware, PROVIDER, providerName, say, slowCall } from './ask.ts';

const attributeNoun: Shown<typeof BiosAttributeSchema> = {
  schema: BiosAttributeSchema,
  name: ({ name }) => name,
  columns: [
    { title: 'SETTING', value: ({ name }) => name },
    { title: 'VALUE', value: ({ value }) => String(value.value ?? '') },
  ],
};

export const list: Command = {
  summary: 'read the settings of the firmware of a provider that hold now',
  positionals: PROVIDER,
  run: async (context, args) => {
    const name = providerName(context, args);
    const client = hardware(context);
    const { attributes } = await client.listProviderBiosAttributes({ name }, slowCall(context));
    await showList(context.output, attributeNoun, attributes);
    return undefined;
  },
};

export const set: Command = {
  summary: 'set settings of the firmware of a provider, for the next boot',
  positionals: PROVIDER,
  rest: { name: 'name=value', help: 'what is set; the names are those of "bios list"' },
  options: { ...FORCE, ...YES },
  examples: ['runm provider bios set r1u1 BootMode=Uefi ProcVirtualization=Enabled'],
  run: async (context, args) => {
    const request = asked(context, args);
    const { name } = request;
    const id = lastSegment(name);
    if (args.rest.length === 0) {
      throw new UsageError('there is nothing to set', `see: runm provider bios list ${id}`);
    }
    const client = hardware(context);
    const { attributes: known } = await client.listProviderBiosAttributes(
      { name },
      slowCall(context),
    );
    const attributes = args.rest.map((text) => parseSetting(text, known));
    const what = `this changes how the firmware of ${id} works from the next boot on`;
    await confirmByName(context, args, { name: id, what });
    await client.setProviderBiosAttributes({ ...request, attributes }, slowCall(context));
    const names = attributes.map((attribute) => attribute.name);
    await say(context, {
      value: { set: names },
      people: `${id} has from the next boot on: ${args.rest.join(' ')}`,
      next: `runm provider power cycle ${id}`,
    });
    return undefined;
  },
};

type Setting = Pick<BiosAttribute, 'name' | 'value'>;

/** As what it is now, a text, a number or a switch, is what it can be. */
export const parseSetting = (text: string, known: readonly BiosAttribute[]): Setting => {
  const at = text.indexOf('=');
  if (at < 1) throw new UsageError(`"${text}" sets nothing`, 'write NAME=VALUE');
  const [name, word] = [text.slice(0, at), text.slice(at + 1)];
  const present = known.find((attribute) => attribute.name === name);
  if (present === undefined) {
    const names = known.map((attribute) => attribute.name);
    const near = names.find((one) => one.toLowerCase() === name.toLowerCase());
    const meant = near ?? closest(name, names);
    const cure = meant === undefined ? '' : `did you mean ${meant}?`;
    throw new UsageError(`the firmware has no setting "${name}"`, cure);
  }
  switch (present.value.case) {
    case 'number':
      return { name, value: { case: 'number', value: numberOf(name, word) } };
    case 'flag':
      return { name, value: { case: 'flag', value: flagOf(name, word) } };
    default:
      return { name, value: { case: 'text', value: word } };
  }
};

const numberOf = (name: string, word: string): number => {
  const value = Number(word);
  if (word.trim() !== '' && Number.isFinite(value)) return value;
  throw new UsageError(`${name}: "${word}" is no number`);
};

const flagOf = (name: string, word: string): boolean => {
  if (word === 'true' || word === 'false') return word === 'true';
  throw new UsageError(`${name}: "${word}" is neither true nor false`);
};
