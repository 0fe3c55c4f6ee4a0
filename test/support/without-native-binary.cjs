// Loaded before a relay: uWebSockets.js cannot be loaded, as on a machine for which it has no binary.
const Module = require('node:module');

const resolve = Module._resolveFilename;
Module._resolveFilename = function (request, ...rest) {
  if (request === 'uWebSockets.js') throw new Error('This version of uWS.js supports only other machines');
  return resolve.call(this, request, ...rest);
};
