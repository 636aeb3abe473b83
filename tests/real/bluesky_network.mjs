// A PDS with its PLC directory, without AppView and chat. Says on one line where it is; ends on SIGTERM.
import { TestNetworkNoAppView, mockMailer } from '@atproto/dev-env';

const network = await TestNetworkNoAppView.create({
  pds: {
    port: Number(process.env.PDS_PORT),
    hostname: 'localhost',
    enableDidDocWithSession: true,
    rateLimitsEnabled: true,
  },
  plc: { port: Number(process.env.PLC_PORT) },
});
mockMailer(network.pds);
const stop = () => network.close().finally(() => process.exit(0));
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
console.log(JSON.stringify({ pds: network.pds.url, adminPassword: 'admin-pass' }));
