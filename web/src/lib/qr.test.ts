import { expect, test } from 'bun:test';
import { renderSVG } from 'uqr';
import { qrOf } from './qr.ts';

test('the squares of a QR code are found, whatever stands around them', () => {
  const svg = renderSVG('otpauth://totp/Parley:alice?secret=JBSWY3DPEHPK3PXP', { border: 2 });
  const { size, path } = qrOf(svg)!;
  expect(size % 10).toBe(0);
  expect(path).toMatch(/^(M\d+,\d+h10v10h-10z)+$/);
  expect(svg).toContain(path);
});

test('what is none draws nothing', () => {
  expect(qrOf('')).toBeUndefined();
  expect(qrOf('<svg viewBox="0 0 10 10"><script>alert(1)</script></svg>')).toBeUndefined();
  expect(qrOf('<svg viewBox="0 0 10 10"><path fill="black" d="M0,0"onload="alert(1)"/></svg>')?.path).toBe('M0,0');
});
