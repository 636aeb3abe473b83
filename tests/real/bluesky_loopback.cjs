// Loaded first: every listener of the test network binds 127.0.0.1 only.
const net = require('node:net');
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (...args) {
  const [first] = args;
  if (first && typeof first === 'object' && !first.path && !first.fd) {
    args[0] = { ...first, host: '127.0.0.1' };
  } else if (first === undefined || /^\d+$/.test(String(first))) {
    const callback = args.find((arg) => typeof arg === 'function');
    args = [{ port: Number(first ?? 0), host: '127.0.0.1' }, ...(callback ? [callback] : [])];
  }
  return listen.apply(this, args);
};
