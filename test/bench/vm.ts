export const vm = {} as never;
