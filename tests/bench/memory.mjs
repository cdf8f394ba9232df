// B3: what a live stream takes of memory, in all processes together.
//
// Two sizes on one stage, and the slope between them: what a process takes to be there at all drops
// out.  The kernel's buffers of the sockets are no process's memory and are not in it.
import { bringLive, endLoads, memoryNow, needUnharmed, on } from './measure.mjs';
import { combined, total } from './proc.mjs';
import { record } from './report.mjs';
import { FloorStage, WeirStage, say } from './stage.mjs';

const gateways = 2;
const interval = 15000;
const kibMax = 8;
const smallPart = 0.25; /* of the larger size */

async function measure(stage, sizes) {
  const looks = [];
  let first = 0;

  for (const users of sizes) {
    await bringLive(stage, { users: users - first, first, interval, loads: gateways });
    looks.push(memoryNow(stage));
    first = users;
  }
  return { looks, end: await endLoads(stage) };
}

/* KiB for each stream more, by kind of process. */
function slope([small, large], sizes, key) {
  return combined(small[key], large[key], (a, b) => (b - a) / (sizes[1] - sizes[0]));
}

export async function memory(ids, { quick, users, directory }) {
  const most = users ?? (quick ? 300 : 8000);
  const sizes = [Math.ceil(most * smallPart), most];

  say(`B3: ${sizes.join(' and ')} streams, weir`);
  const weir = await on(await WeirStage.open({ gateways, interval, directory }), (stage) =>
    measure(stage, sizes),
  );

  needUnharmed(weir.end, 'weir');
  say('B3: the floor');
  const floor = await on(await FloorStage.open({ interval, directory }), (stage) =>
    measure(stage, sizes),
  );

  needUnharmed(floor.end, 'floor');
  const mine = slope(weir.looks, sizes, 'pss');

  return [
    record('B3', {
      /* A page less at the larger size would be noise, and no memory gained. */
      value: Math.max(0, total(mine)),
      unit: 'KiB per live stream (glasses and app)',
      reference: Math.max(0, total(slope(floor.looks, sizes, 'pss'))),
      aim: `value <= ${kibMax}`,
      met: total(mine) <= kibMax,
      detail: {
        sizes,
        by_process_kib: mine,
        by_process_private_kib: slope(weir.looks, sizes, 'private'),
        processes_mib: combined(weir.looks[1].pss, weir.looks[1].pss, (_, kib) => kib / 1024),
      },
    }),
  ];
}
