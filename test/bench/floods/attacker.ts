// Attacks in a process of its own, so that the bench can measure honest clients meanwhile. Arguments: the name of the attack, and its target as JSON.
import { ATTACKS, type AttackName, Meter } from './attacks.ts';

const [, , name, target = ''] = process.argv;
const meter = new Meter();
await ATTACKS[name as AttackName](JSON.parse(target), meter);
process.send?.({ bytes: meter.bytes, calls: meter.calls });
// Connections stay open until the bench ends this process.
