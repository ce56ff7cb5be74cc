/**
 * The way out in a process of its own, as `shuttle publish` is one: what the other measurements
 * have left on the heap would cost it collections. Told the network's folder; answers JSON.
 */
import { describeNetwork } from '@shuttle/network';
import { measureOutbound } from './outbound.ts';
import { openWorld } from './world.ts';

const world = await openWorld(await describeNetwork(process.argv[2]));
process.stdout.write(JSON.stringify(await measureOutbound(world)));
await world.close();
