/** Folders form no circle, types included. Tests are left out: they stand beside their code and start all of it. */
const { options } = require('./.dependency-cruiser.cjs');

module.exports = {
  forbidden: [{ name: 'no-circle-of-folders', severity: 'error', scope: 'folder', from: {}, to: { circular: true } }],
  options: { ...options, exclude: { path: '[.](test|contract)[.]ts$|^tests/' } },
};
