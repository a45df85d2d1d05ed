import ava from 'ava';

/** AVA as a test file of a group sees it; see titles-by-file.mjs. */
const file = new URL(import.meta.url).searchParams.get('file') ?? '';
const prefix = file.replaceAll('/', ' › ');

/** Every chain of it (test.serial.skip) declares with the file's name before the title. */
const titled = (target) =>
  new Proxy(target, {
    apply: (declare, self, [title, ...rest]) =>
      Reflect.apply(declare, self, [
        typeof title === 'string' ? `${prefix} › ${title}` : title,
        ...rest,
      ]),
    get: (of, name) => {
      const value =
        name === 'serial' ? ava.serial : (Reflect.get(of, name) ?? Reflect.get(ava, name));
      return typeof value === 'function' && name !== 'macro' ? titled(value) : value;
    },
  });

/** One after the other, as they share the worker; AVA's own --serial has one worker at a time. */
const titledAva = titled(ava.serial);

export { titledAva as default };
