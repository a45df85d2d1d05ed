import { type DescMessage, getOption, type Message } from '@bufbuild/protobuf';
import {
  isReflectList,
  isReflectMap,
  isReflectMessage,
  type Path,
  pathToString,
  reflect,
} from '@bufbuild/protobuf/reflect';
import { createValidator, type Violation } from '@bufbuild/protovalidate';
import { secret } from '../../../../gen/runmachine/common/v1/policy_pb.ts';
import { type FieldViolation, internal, invalidArgument } from '../../errors.ts';
import type { Stage } from './stage.ts';

/**
 * Checks every incoming message against the rules in the contract. All violations are told at once.
 */
export const validateStage = (): Stage => {
  const check = createMessageCheck();
  return {
    name: 'validate',
    request: (call, message) => check(call.facts.method.input, message),
  };
};

/** Errors: invalid_argument INVALID_FIELD. */
export type MessageCheck = (desc: DescMessage, message: Message) => void;

/** The check itself, for parts of a request that a handler refuses one by one. */
export const createMessageCheck = (): MessageCheck => {
  const validator = createValidator({ regexMatch: matches });
  return (desc, message) => {
    const result = validator.validate(desc, message);
    if (result.kind === 'valid') return;
    if (result.kind === 'error') {
      throw internal('INTERNAL', `The rules of ${desc.typeName} cannot be evaluated`, {
        cause: result.error,
      });
    }
    throw refuse(result.violations.map((one) => asFieldViolation(desc, message, one)));
  };
};

const expressions = new Map<string, RegExp>();

/**
 * The patterns are those of our own contracts, none of which can go back and forth for long on any
 * text, so the engine of the platform takes the place of RE2 in JavaScript.
 */
const matches = (pattern: string, against: string): boolean => {
  const expression = expressions.get(pattern) ?? new RegExp(pattern, 'u');
  expressions.set(pattern, expression);
  return expression.test(against);
};

const NAMED_MAX = 5;
const TEXT_CHARS_MAX = 60;

const refuse = (violations: readonly FieldViolation[]) => {
  const named = violations.slice(0, NAMED_MAX).map((v) => `${v.field}: ${v.description}`);
  const rest = violations.length - named.length;
  const more = rest > 0 ? `; and ${rest} more` : '';
  const first = violations[0]?.field ?? '';
  return invalidArgument('INVALID_FIELD', `The request is not valid: ${named.join('; ')}${more}`, {
    violations,
    metadata: { field: first },
  });
};

const asFieldViolation = (
  desc: DescMessage,
  message: Message,
  violation: Violation,
): FieldViolation => {
  const given = textAt(desc, message, violation.field);
  const rule = inWords(violation);
  return {
    field: pathToString(violation.field) || 'request',
    description: given === undefined ? rule : `${rule}, but is ${given}`,
  };
};

/**
 * The text at that path, quoted and cut, so that a message shows what was sent; undefined when it
 * is no text, or lies in a field that the contract marks as `secret`.
 */
const textAt = (desc: DescMessage, message: Message, path: Path): string | undefined => {
  let at: unknown = reflect(desc, message);
  for (const step of path) {
    if (step.kind === 'field' && getOption(step, secret)) return undefined;
    if (step.kind === 'field' && isReflectMessage(at)) at = at.get(step);
    else if (step.kind === 'list_sub' && isReflectList(at)) at = at.get(step.index);
    else if (step.kind === 'map_sub' && isReflectMap(at)) at = at.get(step.key);
    else return undefined;
  }
  if (typeof at !== 'string') return undefined;
  return JSON.stringify(at.length > TEXT_CHARS_MAX ? `${at.slice(0, TEXT_CHARS_MAX)}…` : at);
};

const PATTERN = /^does not match regex pattern `\^(.*)\$`$/s;
const ID =
  /\[A-Za-z0-9\](?:\[A-Za-z0-9\._-\]\{0,\d+\}|\(\[A-Za-z0-9\._-\]\{0,\d+\}\[A-Za-z0-9\]\)\?)/g;

/**
 * What would be right. The pattern of a resource name is shown as the name:
 * "partitions/<id>/racks/<id>".
 */
const inWords = (violation: Violation): string => {
  const pattern = PATTERN.exec(violation.message)?.[1];
  if (pattern === undefined) return violation.message || violation.ruleId;
  const shape = pattern.replace(ID, '<id>').replaceAll('(<id>|-)', '<id or ->');
  if (/[[\]{}()*+?|\\^$]/.test(shape)) return `must match ${pattern}`;
  return shape === '<id>' ? 'must be letters, digits and inner . _ -' : `must look like ${shape}`;
};
