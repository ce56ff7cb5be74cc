/** consume: the records of one of the channel's topics, decrypted, for other programs to read. */
import { Command } from 'commander';
import { type TopicKind, topicNames } from '../../block/topics.ts';
import type { ConsumedRecord, ConsumeFrom, ConsumeSummary } from '../../consume/consume.ts';
import { ShuttleError } from '../../errors.ts';
import { startBar } from '../bar.ts';
import { EXIT_OK } from '../io.ts';
import { textOf, valueMember } from '../record-json.ts';
import { type Cli, define, type Session, showsProgress, wholeOption } from '../session.ts';
import type { ConsumeRequest } from '../shuttle.ts';
import { counted, grouped, plainJson } from '../text.ts';

const KINDS: readonly TopicKind[] = ['blocks', 'transactions', 'changes', 'events'];
const BAR = 'consume {bar} {percentage}%  {shown} records';
const FROM_WORDS = 'beginning, end, an offset, or a time (ISO 8601)';
const OFFSET = /^[0-9]{1,18}$/;
const TIME = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d))?$/;

export function consumeCommand(cli: Cli): Command {
  const command = new Command('consume')
    .description("print committed records of one of the channel's topics as JSON lines, decrypted")
    .requiredOption('--topic <topic>', `${KINDS.join(', ')}, or the topic's full name`)
    .option('--from <where>', FROM_WORDS, 'beginning')
    .option('--partition <n>', 'only this partition')
    .option('--key <key>', 'only records of this key')
    .option('--max <n>', 'stop after so many records')
    .option('--until-end', 'stop at the ends as they are at the start')
    .option('--raw', 'print the bytes of the values and nothing else');
  return define(cli, command, { once: false, quiet: true }, async (session) => {
    const { io, options } = session;
    const request = requestOf(session);
    const stop = io.stopRequest();
    const bar =
      showsProgress(io, options) && !io.stdout.isTTY
        ? startBar(io.stderr, BAR, { shown: '0' })
        : null;
    let records = 0;
    const onRecord = (record: ConsumedRecord) => {
      records += 1;
      if (options.raw === true) {
        io.stdout.write(record.value ?? '');
      } else {
        session.print(recordLine(record));
      }
    };
    const onProgress = (passed: number, ahead: number) =>
      bar?.show(passed, passed + ahead, { shown: grouped(records) });
    const summary = await session
      .shuttle()
      .consume({ ...request, onRecord, onProgress }, stop)
      .finally(() => bar?.stop());
    report(session, summary);
    return EXIT_OK;
  });
}

type Asked = Omit<ConsumeRequest, 'onRecord' | 'onProgress'>;

function requestOf(session: Session): Asked {
  const { options } = session;
  const key = options.key as string | undefined;
  return {
    ...topicOf(session, String(options.topic)),
    from: fromOf(String(options.from)),
    partition: wholeOption(session, 'partition', 0),
    max: wholeOption(session, 'max', 1),
    key: key === undefined ? undefined : Buffer.from(key),
    untilEnd: options.untilEnd === true,
  };
}

/** By kind, or by full name. What is bound to an encrypted value is channel and kind. */
function topicOf({ loaded }: Session, named: string): { topic: string; kind: TopicKind } {
  const { publish, fabric } = loaded.settings;
  const own = KINDS.find((kind) => kind === named);
  if (own !== undefined) {
    return { topic: topicNames(publish.prefix, fabric.channel)[own], kind: own };
  }
  const kind = KINDS.find((each) => named.endsWith(`.${fabric.channel}.${each}`));
  if (kind === undefined) {
    const message = `${named} is not one of ${KINDS.join(', ')}, nor a topic of ${fabric.channel}.`;
    throw new ShuttleError('USAGE', `${message} --channel names another channel.`, {
      at: { '--topic': named },
    });
  }
  return { topic: named, kind };
}

function fromOf(text: string): ConsumeFrom {
  if (text === 'beginning' || text === 'end') {
    return { kind: text };
  }
  if (OFFSET.test(text)) {
    return { kind: 'offset', offset: BigInt(text) };
  }
  const timeMs = TIME.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(timeMs)) {
    throw new ShuttleError('USAGE', `--from is none of these: ${FROM_WORDS}.`, {
      at: { '--from': text },
    });
  }
  return { kind: 'time', timeMs };
}

function recordLine({ topic, partition, offset, timestamp, key, headers, value }: ConsumedRecord) {
  const names: Record<string, string> = {};
  for (const { name, value: bytes } of headers) {
    // A name that stands twice tells what it told first: what is behind was added by others.
    names[name] ??= bytes === null ? '' : Buffer.from(bytes).toString();
  }
  const head = { topic, partition, offset: offset.toString(), timestamp };
  const parts = [
    JSON.stringify(head).slice(1, -1),
    keyMember(key),
    `"headers":${JSON.stringify(names)}`,
    valueMember('value', value),
  ];
  return `{${parts.join(',')}}`;
}

/** A key is text; bytes that are none are shown as such. */
function keyMember(key: Uint8Array | null): string {
  const text = key === null ? null : textOf(key);
  return key !== null && text === null
    ? `"keyBase64":"${Buffer.from(key).toString('base64')}"`
    : `"key":${JSON.stringify(text)}`;
}

/** Beside the records, so that those can be piped. */
function report({ json, io }: Session, summary: ConsumeSummary): void {
  const { topic, records, next } = summary;
  const ends = next.map(({ partition, offset }) => `${partition}@${offset}`).join(', ');
  const text = `Read ${counted(records, 'record')} of ${topic}; next: ${ends || 'not known'}.`;
  io.stderr.write(`${json ? plainJson(summary) : text}\n`);
}
