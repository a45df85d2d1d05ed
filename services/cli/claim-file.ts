import { create, type JsonObject, type JsonValue } from '@bufbuild/protobuf';
import { type Claim, ClaimSchema } from '../../gen/runmachine/scheduler/v1/claim_pb.ts';
import { REQUEST_OPTIONS, WINDOW_OPTIONS } from './claim-options.ts';
import { claimSpec } from './claim-request.ts';
import { typedWindow } from './claim-window.ts';
import { closest } from './closest.ts';
import type { Args, Context } from './command.ts';
import { messageOf, readValues } from './read-document.ts';
import { lastSegment, projectParent } from './resource-names.ts';
import { UsageError } from './usage-error.ts';

/** A claim of a file and where it is to be made. */
export type FiledClaim = { readonly parent: string; readonly id: string; readonly claim: Claim };

/**
 * Claims of a file, each in one of two forms: the message of the contract (`runm claim get --yaml`
 * prints it), or the options of `runm claim create` as keys. A document with `spec` is the first.
 */
export const readClaims = async (context: Context, path: string): Promise<FiledClaim[]> => {
  const values = await readValues(context, path);
  if (values.length === 0) throw new UsageError(`${path} holds no claim`);
  return Promise.all(
    values.map(async (value, index) => {
      const where = values.length === 1 ? path : `${path}: document ${index + 1}`;
      if (!isObject(value)) throw new UsageError(`${where} is no claim`);
      return 'spec' in value
        ? ofMessage(context, messageOf(ClaimSchema, value, where))
        : ofOptions(context, value, where);
    }),
  );
};

const isObject = (value: JsonValue): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const ofMessage = (context: Context, claim: Claim): FiledClaim => {
  const at = claim.name.lastIndexOf('/claims/');
  const parent = at < 0 ? projectParent(context.settings) : claim.name.slice(0, at);
  return { parent, id: lastSegment(claim.name), claim };
};

const OPTIONS = { ...REQUEST_OPTIONS, ...WINDOW_OPTIONS };

const ofOptions = async (
  context: Context,
  { name = '', ...value }: JsonObject,
  where: string,
): Promise<FiledClaim> => {
  const args = argsOf(value, where);
  const spec = { ...(await claimSpec(context, args)), ...typedWindow(context, args) };
  return {
    parent: projectParent(context.settings),
    id: String(name),
    claim: create(ClaimSchema, { spec }),
  };
};

/** The keys of a document as if they had been typed as options. */
const argsOf = (value: JsonObject, where: string): Args => {
  for (const [key, given] of Object.entries(value)) checkKey(key, given, where);
  const texts = (name: string): string[] => {
    const given = value[name];
    if (given === undefined) return [];
    return (Array.isArray(given) ? given : [given]).map(String);
  };
  return {
    positional: () => '',
    optionalPositional: () => undefined,
    rest: [],
    string: (name) => texts(name)[0],
    strings: texts,
    flag: (name) => value[name] === true,
    typed: () => [],
  };
};

const checkKey = (key: string, given: JsonValue | undefined, where: string): void => {
  const option = OPTIONS[key];
  if (!option) {
    const nearest = closest(key, [...Object.keys(OPTIONS), 'name', 'spec']);
    throw new UsageError(
      `${where}: there is no "${key.slice(0, 40)}" in a claim`,
      nearest
        ? `did you mean "${nearest}"?`
        : 'keys are those options of `runm claim create`, or those of the contract below `spec`',
    );
  }
  const wanted =
    option.type === 'boolean' ? 'true or false' : option.multiple ? 'text or a list' : 'text';
  const fits =
    option.type === 'boolean'
      ? typeof given === 'boolean'
      : Array.isArray(given)
        ? option.multiple === true && given.every(isScalar)
        : isScalar(given);
  if (!fits) throw new UsageError(`${where}: "${key}" is ${wanted}`);
};

const isScalar = (value: JsonValue | undefined): boolean =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
