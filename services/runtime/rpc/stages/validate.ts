import type { DescMessage, Message } from '@bufbuild/protobuf';
import { pathToString } from '@bufbuild/protobuf/reflect';
import { createValidator, type Violation } from '@bufbuild/protovalidate';
import { type FieldViolation, internal, invalidArgument } from '../../errors.ts';
import type { Stage } from './stage.ts';

/** Checks every incoming message against the rules in the contract. All violations are told at once. */
export const validateStage = (): Stage => {
  const validator = createValidator();
  const check = (desc: DescMessage, message: Message): void => {
    const result = validator.validate(desc, message);
    if (result.kind === 'valid') return;
    if (result.kind === 'error') {
      throw internal('INTERNAL', `The rules of ${desc.typeName} cannot be evaluated`, {
        cause: result.error,
      });
    }
    throw refuse(result.violations.map(asFieldViolation));
  };
  return {
    name: 'validate',
    request: (call, message) => check(call.facts.method.input, message),
  };
};

const NAMED_MAX = 5;

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

const asFieldViolation = (violation: Violation): FieldViolation => ({
  field: pathToString(violation.field) || 'request',
  description: violation.message || violation.ruleId,
});
