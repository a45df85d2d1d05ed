import test from 'ava';
import { propertyRuns } from '../../support/property-runs.ts';

test('a property is tried as often as it says, times the factor, and at least once', (t) => {
  t.is(propertyRuns(200, '1'), 200);
  t.is(propertyRuns(200, '50'), 10_000);
  t.is(propertyRuns(200, '0.001'), 1);
});

for (const factor of ['abc', '', '0', '-1', 'NaN', 'Infinity', '5x']) {
  test(`"${factor}" is no factor to try properties by`, (t) => {
    t.throws(() => propertyRuns(200, factor), {
      instanceOf: RangeError,
      message: `RUNM_PROPERTY_FACTOR is a number above 0, not "${factor}"`,
    });
  });
}
