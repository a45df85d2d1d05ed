import type { LabContext, Write } from '../context.ts';
import { type Json, type LabReply, noContent } from '../message.ts';
import { flagField, oneOf, unknownProperty } from './shape.ts';

/** The light that finds a machine, by its name since 2020.4 and by the one before. */
const NAMES = ['LocationIndicatorActive', 'IndicatorLED'] as const;

export const indicatorNames = ({ personality }: LabContext): readonly string[] =>
  personality.indicator === 'old' ? [NAMES[1]] : NAMES;

export const indicatorOf = (context: LabContext): Json => {
  const lit = context.server.indicator();
  const [flag, led] = NAMES;
  return {
    ...(context.personality.indicator === 'old' ? {} : { [flag]: lit }),
    [led]: lit ? 'Lit' : 'Off',
  };
};

/** Undefined = all that was sent of it is done. */
export const patchIndicator = ({ server }: LabContext, body: Json): LabReply | undefined => {
  const lit = flagField(body, NAMES[0]);
  const led = oneOf(body, NAMES[1], ['Off', 'Lit', 'Blinking']);
  for (const field of [lit, led]) if (field.kind === 'wrong') return field.reply;
  if (lit.kind === 'value') server.setIndicator(lit.value);
  if (led.kind === 'value') server.setIndicator(led.value !== 'Off');
  return undefined;
};

/** Of a resource of which nothing else is written. */
export const patchOnlyIndicator: Write = (context, body) =>
  unknownProperty(body, indicatorNames(context)) ?? patchIndicator(context, body) ?? noContent;
