/** A document for programs. Apart from message.ts, which brings the whole contract with it. */
export const jsonText = (value: unknown): string => JSON.stringify(value, null, 2);
