// B6: what one tap gets, beside raw libzmq; and what fifty that have stopped take from the system.
import { bringLive, endLoads, needUnharmed, on, sizeOf, watch } from './measure.mjs';
import { part } from './parts.mjs';
import { total } from './proc.mjs';
import { record } from './report.mjs';
import { WeirStage, say } from './stage.mjs';

const gateways = 2;
const taps = 50;
const ratioMin = 0.7;
const systemRatioMin = 0.9; /* within noise */

const look = ({ acks, cpu }) => ({
  round_trips_per_s: acks,
  us_per_round_trip: (total(cpu) * 1000) / acks,
});

/* Keep-alives of 10,000 streams without taps, then beside those that do not read. */
async function beside(size, directory) {
  const { interval, users, seconds } = size;

  say(`B6: ${users} streams, then ${taps} stopped taps beside them`);
  return on(await WeirStage.open({ gateways, interval, directory }), async (stage) => {
    const tools = await bringLive(stage, { users, interval, appsLeave: true, loads: gateways });
    const without = look(await watch(stage, tools, seconds));
    const stopped = await stage.weir.taps(taps);

    for (const tap of stopped) tap.child.kill('SIGSTOP');
    const among = look(await watch(stage, tools, seconds));

    for (const tap of stopped) tap.child.kill('SIGKILL');
    needUnharmed(await endLoads(stage), 'weir');
    return {
      taps,
      without,
      with: among,
      ratio: among.round_trips_per_s / without.round_trips_per_s,
    };
  });
}

/* Of the sizes of frame that it is measured with, the one that does worst. */
export async function tap(ids, { directory, ...options }) {
  const line = await part('tap', options.quick);
  const worst = line.delivery.reduce((a, b) => (b.ratio < a.ratio ? b : a));
  const system = await beside(sizeOf(options), directory);

  return [
    record('B6', {
      value: worst.tap_per_s,
      unit: 'events/s to one tap',
      reference: worst.raw_per_s,
      aim: `ratio >= ${ratioMin}; round trips with ${taps} stopped taps >= ${systemRatioMin}`,
      met: worst.ratio >= ratioMin && system.ratio >= systemRatioMin,
      detail: { ...line, system },
    }),
  ];
}
