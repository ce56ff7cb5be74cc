/** trace: what a thing was made of and holds, and what it went into. */
import type { TraceAnswer } from '@shuttle/chaincode/epcis/questions';
import type { Direction } from '@shuttle/chaincode/epcis/walk';
import { Command } from 'commander';
import { type Questions, readAll } from '../../trace/questions.ts';
import { startBar } from '../bar.ts';
import { dotLines, type Graph, treeLines } from '../graph-text.ts';
import { EXIT_FINDINGS, EXIT_OK } from '../io.ts';
import { stateJson } from '../read-model-options.ts';
import { type Cli, define, type Session, wholeOption } from '../session.ts';
import { counted, grouped, plainJson } from '../text.ts';
import {
  addTraceOptions,
  asOfOption,
  identifierOf,
  warnOfPartial,
  withQuestions,
} from '../trace-options.ts';

const DEPTH_DEFAULT = 20;
/** What the chaincode takes. */
const DEPTH_MAX = 1_000;
const NODES_DEFAULT = 1_000;
const BAR = 'trace   {shown} found';

interface Asked {
  readonly id: string;
  readonly asOf: string | null;
  readonly depth: number;
  readonly nodesMax: number;
}

interface Traced extends Graph {
  readonly depthReached: boolean;
  readonly isCut: boolean;
  readonly partial: readonly string[];
}

export function traceCommand(cli: Cli): Command {
  const command = new Command('trace')
    .description('draw what a thing was made of and holds, and what it went into')
    .argument('<id>', 'an identifier in any spelling: (01)..(21).., a Digital Link, a URN')
    .option('--up', 'only what it was made of, what it holds, and its lot')
    .option('--down', 'only what was made of it, what it is in, and the items of a lot')
    .option('--depth <n>', `steps to go (default: ${DEPTH_DEFAULT})`)
    .option('--max-nodes <n>', `stop after so many things (default: ${NODES_DEFAULT})`)
    .option('--dot', 'write a graph for Graphviz');
  addTraceOptions(command);
  return define(cli, command, { once: true }, async (session, [text = '']) => {
    const asked = {
      id: identifierOf(text),
      asOf: asOfOption(session),
      depth: Math.min(wholeOption(session, 'depth', 1) ?? DEPTH_DEFAULT, DEPTH_MAX),
      nodesMax: wholeOption(session, 'maxNodes', 1) ?? NODES_DEFAULT,
    };
    const { answer, state } = await withQuestions(session, async (questions) => {
      const graphs: Traced[] = [];
      for (const direction of directionsOf(session)) {
        graphs.push(await traced(session, questions, asked, direction));
      }
      return graphs;
    });
    tell(session, asked, answer, stateJson(state));
    warn(session, answer);
    const isNothing = answer.every(({ edges }) => edges.length === 0);
    return isNothing || answer.some(({ partial }) => partial.length > 0) ? EXIT_FINDINGS : EXIT_OK;
  });
}

/** Both, unless one is asked for. */
function directionsOf({ options }: Session): readonly Direction[] {
  const { up, down } = options;
  return up === down ? ['up', 'down'] : [up === true ? 'up' : 'down'];
}

async function traced(
  { io, json }: Session,
  questions: Questions,
  { id, asOf, depth, nodesMax }: Asked,
  direction: Direction,
): Promise<Traced> {
  const bar = json || !io.stderr.isTTY ? null : startBar(io.stderr, BAR, { shown: '0' });
  let count = 0;
  const enough = ({ nodes }: TraceAnswer) => {
    count += nodes.length;
    bar?.show(count, count + 1, { shown: grouped(count) });
    return count >= nodesMax;
  };
  try {
    const ask = (cursor: string) => questions.trace(id, direction, depth, { asOf, cursor });
    const { pages, isWhole } = await readAll(ask, enough);
    const all = pages.flatMap(({ nodes }) => nodes);
    const nodes = all.slice(0, nodesMax);
    const kept = new Set(nodes.map((node) => node.id));
    const edges = pages.flatMap((page) => page.edges);
    return {
      id,
      direction,
      nodes,
      edges: edges.filter(({ from, to }) => kept.has(from) && kept.has(to)),
      depthReached: pages.some((page) => page.depthReached),
      isCut: !isWhole || all.length > nodesMax || pages.some((page) => page.isCut),
      partial: [...new Set(pages.flatMap((page) => page.partial))],
    };
  } finally {
    bar?.stop();
  }
}

const TITLES: Readonly<Record<Direction, string>> = {
  up: 'What it comes from, and holds:',
  down: 'What it went into:',
};

function tell(session: Session, asked: Asked, graphs: readonly Traced[], state: object): void {
  const { id, asOf, depth } = asked;
  if (session.json) {
    const answers = graphs.map((graph) => {
      const { direction, nodes, edges, depthReached, isCut, partial } = graph;
      return [direction, { nodes, edges, depthReached, isCut, partial }];
    });
    session.print(plainJson({ id, asOf, depth, ...Object.fromEntries(answers), ...state }));
    return;
  }
  const lines =
    session.options.dot === true
      ? dotLines(graphs)
      : graphs.flatMap((graph) => [TITLES[graph.direction], ...treeLines(graph)]);
  for (const line of lines) {
    session.print(line);
  }
}

function warn(session: Session, graphs: readonly Traced[]): void {
  const { stderr } = session.io;
  for (const { direction, isCut, depthReached, nodes, partial } of graphs) {
    if (isCut) {
      const rest = 'there are more. --max-nodes takes more of them.';
      stderr.write(
        `This is not all ${direction}: after ${counted(nodes.length, 'thing')} ${rest}\n`,
      );
    }
    if (depthReached) {
      stderr.write(`There may be more ${direction}, farther away: --depth goes farther.\n`);
    }
    warnOfPartial(session, partial);
  }
}
