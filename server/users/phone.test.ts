import { expect, test } from 'bun:test';
import { toE164 } from './phone.ts';

test.each([
  ['+14155552671', '+14155552671'],
  [' +1 (415) 555-2671 ', '+14155552671'],
  ['+44 20 7946 0958', '+442079460958'],
])('%p is %p', (text, number) => {
  expect(toE164(text)).toBe(number);
});

test.each(['', '4155552671', '+1', '+999999999999', 'call +14155552671', '+1415555267', 'nonsense'])(
  '%p is no phone number',
  (text) => {
    expect(toE164(text)).toBeUndefined();
  },
);
