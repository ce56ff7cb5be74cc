/** A traced graph as a tree for the terminal, or for Graphviz. */
import type { TraceNode } from '@shuttle/chaincode/epcis/questions';
import type { Direction, Edge, EdgeKind } from '@shuttle/chaincode/epcis/walk';
import { plain, readableId } from './trace-options.ts';

export interface Graph {
  readonly id: string;
  readonly direction: Direction;
  readonly nodes: readonly TraceNode[];
  readonly edges: readonly Edge[];
}

/** What a thing is to the one above it in the tree. */
const LABELS: Readonly<Record<Direction, Readonly<Record<EdgeKind, string>>>> = {
  up: { lot: 'of lot', contained: 'holds', output: 'made by', input: 'from' },
  down: { lot: 'item', contained: 'in', input: 'used by', output: 'made' },
};

const BRANCH = ['├─', '│  '] as const;
const LAST_BRANCH = ['└─', '   '] as const;

/** What stands in several places is drawn whole in the first, and named in the others. */
export function treeLines({ id, direction, nodes, edges }: Graph): string[] {
  const farEnd = ({ from, to }: Edge): string => (direction === 'down' ? to : from);
  const below = groupedBy(edges, ({ from, to }) => (direction === 'down' ? from : to));
  const items = new Set(nodes.filter(({ kind }) => kind === 'item').map((node) => node.id));
  const drawn = new Set<string>([id]);
  const lines = [readableId(id)];
  const again = (other: string): string =>
    drawn.has(other) && below.has(other) ? '  (see above)' : '';
  const draw = (above: string, indent: string): void => {
    const branches = below.get(above) ?? [];
    for (const [n, edge] of branches.entries()) {
      const other = farEnd(edge);
      const name = items.has(other) ? readableId(other) : plain(other);
      const [corner, further] = n === branches.length - 1 ? LAST_BRANCH : BRANCH;
      lines.push(
        `${indent}${corner} ${LABELS[direction][edge.kind]} ${name}  ${edge.time}${again(other)}`,
      );
      if (!drawn.has(other)) {
        drawn.add(other);
        draw(other, indent + further);
      }
    }
  };
  draw(id, '');
  return lines;
}

/** One graph for Graphviz; what stands in several of them is one thing. */
export function dotLines(graphs: readonly Graph[]): string[] {
  const nodes = new Map(graphs.flatMap((graph) => graph.nodes.map((node) => [node.id, node])));
  const edges = new Set(
    graphs.flatMap((graph) =>
      graph.edges.map(({ from, to, kind, time }) => {
        const label = quoted(`${kind} ${time}`);
        return `  ${quoted(from)} -> ${quoted(to)} [label=${label}];`;
      }),
    ),
  );
  return [
    'digraph trace {',
    '  rankdir=LR;',
    ...[...nodes.values()].map(({ id, kind }) =>
      kind === 'item'
        ? `  ${quoted(id)} [label=${quoted(readableId(id))}, shape=box];`
        : `  ${quoted(id)} [label=${quoted(id)}, shape=ellipse];`,
    ),
    ...edges,
    '}',
  ];
}

const quoted = (text: string): string =>
  `"${text
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll(/\p{Cc}/gu, ' ')}"`;

function groupedBy(
  edges: readonly Edge[],
  nameOf: (edge: Edge) => string,
): ReadonlyMap<string, readonly Edge[]> {
  const groups = new Map<string, Edge[]>();
  for (const edge of edges) {
    const group = groups.get(nameOf(edge)) ?? [];
    group.push(edge);
    groups.set(nameOf(edge), group);
  }
  return groups;
}
